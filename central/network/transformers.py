"""Instrument transformers (MTP, MTN) before a meter, and the multiplier that they make. Set, find, multiplier."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.point_tables import TRANSFORMER_KINDS, instrument_transformer, measuring_point
from central.network.points import require_point
from central.network.register_tables import register_version
from central.platform.constraints import explain
from central.platform.errors import BadInput, Refused

Spec = Mapping[str, Any]
_TABLE = instrument_transformer.c
_CHUNK = 2_000
_FOUND = (
    select(
        _TABLE.id,
        measuring_point.c.name.label("measuring_point"),
        _TABLE.kind,
        _TABLE.phase,
        _TABLE.model,
        _TABLE.serial,
        _TABLE.primary_value,
        _TABLE.secondary_value,
        _TABLE.accuracy_class,
        func.lower(_TABLE.valid).label("since"),
        func.upper(_TABLE.valid).label("until"),
    )
    .join(measuring_point, measuring_point.c.id == _TABLE.measuring_point)
    .order_by(measuring_point.c.name, func.lower(_TABLE.valid), _TABLE.kind, _TABLE.phase)
)


def ratio(transformers: Iterable[Spec | RowMapping], place: str) -> int:
    """Product of the ratios of the kinds, 1 without any. Pure.

    Raises BadInput where phases of one kind differ, or the product is no whole number: mappings multiply integers.
    """
    product = Fraction(1)
    by_kind: dict[str, Spec | RowMapping] = {}
    for each in transformers:
        own = Fraction(each["primary_value"], each["secondary_value"])
        first = by_kind.setdefault(each["kind"], each)
        theirs = Fraction(first["primary_value"], first["secondary_value"])
        if own != theirs:
            raise BadInput(
                "transformer_ratio",
                f"At {place} the {each['kind']} {each['serial']} has {each['primary_value']}/"
                f"{each['secondary_value']}, {first['serial']} has {first['primary_value']}/"
                f"{first['secondary_value']}; all phases must have the same ratio.",
            )
    for first in by_kind.values():
        product *= Fraction(first["primary_value"], first["secondary_value"])
    if product.denominator != 1:
        raise BadInput(
            "transformer_ratio",
            f"The transformers at {place} multiply by {product}, which is no whole number; check primary and "
            "secondary values.",
        )
    return int(product)


def find_transformers(
    connection: Connection, *, point: str | None = None, at: datetime | None = None
) -> Sequence[RowMapping]:
    """Transformers of a measuring point, or all; those of an instant, or of all time."""
    query = _FOUND
    if point is not None:
        query = query.where(measuring_point.c.name == point)
    if at is not None:
        query = query.where(_TABLE.valid.op("@>")(at))
    return connection.execute(query).mappings().all()


def ratio_at(connection: Connection, point: str, at: datetime) -> int:
    """What the transformers at a measuring point multiply by at an instant."""
    return ratio(find_transformers(connection, point=point, at=at), point)


def set_transformers(connection: Connection, point_name: str, specs: Sequence[Spec], since: datetime) -> int:
    """From `since` on these are the transformers of the point, and no others; gives what they multiply by.

    Those that hang there until then end. Refused where one of them began later, or a new one hangs elsewhere.
    """
    point = require_point(connection, point_name, lock=True)
    if point["commodity"] != "electricity":
        raise Refused("commodity", f"The measuring point {point_name} is of gas; it has no instrument transformers.")
    _check_phases(point_name, specs)
    product = ratio(specs, point_name)
    for row in find_transformers(connection, point=point_name):
        what = f"{row['kind']} {row['model']} {row['serial']}"
        if row["until"] is not None and row["until"] <= since:
            continue
        if row["since"] is not None and row["since"] >= since:
            raise Refused(
                "later_transformer",
                f"The {what} hangs at {point_name} from {row['since'].isoformat()} on; what is set from "
                f"{since.isoformat()} would overlap it. Give a later instant.",
            )
        connection.execute(
            update(instrument_transformer)
            .where(_TABLE.id == row["id"])
            .values(valid=Range(row["since"], since, bounds="[)"))
        )
    for spec in specs:
        _require_elsewhere_free(connection, point_name, spec, since)
        try:
            connection.execute(
                insert(instrument_transformer).values(
                    **spec, measuring_point=point["id"], valid=Range(since, None, bounds="[)")
                )
            )
        except IntegrityError as error:
            raise explain(error) from error
    return product


def check_multipliers(connection: Connection, mappings: Sequence[Spec]) -> None:
    """Refused where a mapping does not multiply by what stands before and on its register.

    `mappings` with `point`, `meter`, `register`, `evidence_channel`, `multiplier`, `since`, `until`. The constant of a
    register's version is the whole one, transformers included; without a version it is that of the transformers. Points
    without transformers are not judged.
    """
    points = {each["point"] for each in mappings}
    found: dict[str, list[RowMapping]] = {}
    for row in _of_points(connection, sorted(points)):
        found.setdefault(row["measuring_point"], []).append(row)
    for mapping in mappings:
        hanging = found.get(mapping["point"], ())
        ours = [each for each in hanging if _meet(each, mapping["since"], mapping.get("until"))]
        if not ours:
            continue
        what = f"The mapping of {mapping['meter']} {mapping['register']} to {mapping['point']}"
        for each in ours:
            begins_within = each["since"] is not None and each["since"] > mapping["since"]
            ends_within = each["until"] is not None and (
                mapping.get("until") is None or each["until"] < mapping["until"]
            )
            if begins_within or ends_within:
                raise Refused(
                    "transformer_change",
                    f"{what} spans a change of the {each['kind']} {each['serial']} there; end one mapping at the "
                    "change and begin another.",
                )
        expected, said = _constant(connection, mapping, ratio(ours, mapping["point"]))
        if mapping["multiplier"] != expected:
            raise Refused("multiplier", f"{what} multiplies by {mapping['multiplier']}; {said} {expected}.")


def _constant(connection: Connection, mapping: Spec, product: int) -> tuple[int, str]:
    query = select(register_version.c.multiplier).where(
        register_version.c.evidence_channel == mapping["evidence_channel"],
        register_version.c.valid.op("@>")(mapping["since"]),
    )
    stored = connection.execute(query).scalar()
    if stored is None:
        return product, f"the instrument transformers at {mapping['point']} multiply by"
    if stored % product:
        raise Refused(
            "multiplier",
            f"The register {mapping['meter']} {mapping['register']} has the constant {stored}, the instrument "
            f"transformers at {mapping['point']} multiply by {product}; the constant must be a multiple of that.",
        )
    return int(stored), "the register's constant, transformers included, is"


def _of_points(connection: Connection, points: Sequence[str]) -> list[RowMapping]:
    rows: list[RowMapping] = []
    for start in range(0, len(points), _CHUNK):
        chosen = measuring_point.c.name.in_(points[start : start + _CHUNK])
        rows += connection.execute(_FOUND.where(chosen)).mappings()
    return rows


def _meet(row: RowMapping, since: datetime, until: datetime | None) -> bool:
    begins_before_end = until is None or row["since"] is None or row["since"] < until
    return begins_before_end and (row["until"] is None or row["until"] > since)


def _check_phases(place: str, specs: Sequence[Spec]) -> None:
    for kind in TRANSFORMER_KINDS:
        phases = [spec["phase"] for spec in specs if spec["kind"] == kind]
        if len(set(phases)) < len(phases) or ("all" in phases and len(phases) > 1):
            raise BadInput(
                "transformer_phase",
                f"At {place} there are {kind} of the phases {', '.join(phases)}; give each phase once, or `all` alone.",
            )


def _require_elsewhere_free(connection: Connection, place: str, spec: Spec, since: datetime) -> None:
    query = (
        select(measuring_point.c.name, func.lower(_TABLE.valid).label("since"))
        .join(measuring_point, measuring_point.c.id == _TABLE.measuring_point)
        .where(
            _TABLE.kind == spec["kind"],
            _TABLE.model == spec["model"],
            _TABLE.serial == spec["serial"],
            _TABLE.valid.op("&&")(Range(since, None, bounds="[)")),
        )
    )
    for other in connection.execute(query):
        raise Refused(
            "transformer_elsewhere",
            f"The {spec['kind']} {spec['model']} {spec['serial']} hangs at {other.name} since "
            f"{other.since.isoformat()}; it cannot hang at {place} from {since.isoformat()} as well.",
        )
