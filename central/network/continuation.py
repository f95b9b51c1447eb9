"""Channels go on when the meter that feeds them changes: mappings end at an instant, and others begin there."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.network.channels import create_channels, create_evidence_channels, create_mappings
from central.network.meter_templates import TemplateRegister
from central.network.register_tables import register_version
from central.network.registers import create_register_versions
from central.network.tables import channel, channel_mapping, evidence_channel
from central.platform.errors import Refused


@dataclass(frozen=True, slots=True)
class Feed:
    """A register that feeds a channel of a point, or did until now."""

    channel: int
    direction: str
    kind: str
    meter: str
    register: str
    multiplier: int
    sign: int


def end_mappings(connection: Connection, meter: str, point: str, at: datetime) -> list[Feed]:
    """What a meter feeds at a point ends at `at`; gives what that was.

    Refused where a mapping begins at `at` or later: it would have to be removed, not ended.
    """
    rows = connection.execute(_FED, {"meter": meter, "point": point, "at": at}).mappings().all()
    for row in rows:
        if row["since"] is not None and row["since"] >= at:
            raise Refused(
                "mapping_later",
                f"The register {meter} {row['register']} feeds {point} {row['direction']} from "
                f"{row['since'].isoformat()} on; it cannot end at {at.isoformat()}, not after that.",
            )
        connection.execute(
            update(channel_mapping)
            .where(channel_mapping.c.id == row["id"])
            .values(valid=Range(row["since"], at, bounds="[)"))
        )
    _end_versions(connection, meter, at)
    return [_feed(row) for row in rows]


def begin_mappings(
    connection: Connection,
    *,
    meter: str,
    commodity: str,
    template: str,
    registers: Sequence[TemplateRegister],
    point: str,
    supply_point: str | None,
    directions: Collection[str] | None,
    before: Sequence[Feed],
    ratio: int,
    at: datetime,
) -> list[Feed]:
    """A meter's registers come into being, and feed the point's channels from `at` on.

    `directions` are those that are settled from now on. Not given: those that were fed (`before`), or else those that
    the point has channels of, or else all that the template feeds. Missing channels are created, under `supply_point`
    (EAN or EIC). Refused where a wanted direction has no register.
    """
    facts = [evidence_of(meter, each) for each in registers]
    create_evidence_channels(connection, facts)
    create_register_versions(connection, versions_of(meter, registers, ratio, at))
    feeding: dict[tuple[str, str], TemplateRegister] = {
        (each.facts.feeds, each.kind): each for each in registers if each.facts.feeds is not None
    }
    present = {(row.direction, row.kind) for row in connection.execute(select(channel).where(channel.c.point == point))}
    wanted = _wanted(directions, before, present, feeding)
    for direction, kind in sorted(wanted - feeding.keys()):
        source = next((each for each in before if (each.direction, each.kind) == (direction, kind)), None)
        was = f"is fed by {source.meter} {source.register}" if source else "is wanted"
        raise Refused(
            "cannot_continue",
            f"The channel {point} {direction} ({kind}) {was}; the template {template} of {meter} has no register for "
            "it. Choose another template, or leave the direction out of `directions`.",
        )
    fresh = [
        {
            "point": point,
            "direction": direction,
            "commodity": commodity,
            "unit": feeding[direction, kind].unit,
            "supply_point": supply_point,
            "exponent": feeding[direction, kind].exponent,
            "kind": kind,
            "step_s": feeding[direction, kind].step_ms // 1000 or None,
        }
        for direction, kind in sorted(wanted - present)
    ]
    create_channels(connection, fresh)
    signs = {(each.direction, each.kind): each.sign for each in before}
    specs = [
        {
            "meter": meter,
            "register": feeding[name].register,
            "point": point,
            "direction": name[0],
            "kind": name[1],
            "multiplier": ratio * feeding[name].facts.multiplier,
            "sign": signs.get(name, 1),
            "since": at,
        }
        for name in sorted(wanted)
    ]
    _require_unfed(connection, meter, point, specs, at)
    create_mappings(connection, specs)
    rows = connection.execute(_FED, {"meter": meter, "point": point, "at": at}).mappings().all()
    return [_feed(row) for row in rows]


def split_mappings(connection: Connection, point: str, factor_before: int, factor: int, at: datetime) -> list[int]:
    """Instrument transformers of a point change at `at`: its mappings end there and go on with the new multiplier.

    Gives the channels. Refused where a multiplier is no multiple of what the transformers made before.
    """
    rows = connection.execute(_AT_POINT, {"point": point, "at": at}).mappings().all()
    for row in rows:
        name = f"{row['meter']} {row['register']} to {point} {row['direction']}"
        if row["since"] is not None and row["since"] > at:
            raise Refused(
                "mapping_later",
                f"The mapping of {name} begins at {row['since'].isoformat()}, after the change at {at.isoformat()}; "
                "give a later instant.",
            )
        if row["multiplier"] % factor_before:
            raise Refused(
                "multiplier",
                f"The mapping of {name} multiplies by {row['multiplier']}, no multiple of the transformers' "
                f"{factor_before}; correct it first.",
            )
    for row in rows:
        multiplier = row["multiplier"] // factor_before * factor
        if row["since"] == at:
            connection.execute(
                update(channel_mapping)
                .where(channel_mapping.c.id == row["id"])
                .values(multiplier=multiplier, consolidated_at=None)
            )
            continue
        connection.execute(
            update(channel_mapping)
            .where(channel_mapping.c.id == row["id"])
            .values(valid=Range(row["since"], at, bounds="[)"))
        )
        connection.execute(
            channel_mapping.insert().values(
                evidence_channel=row["evidence_channel"],
                channel=row["channel"],
                multiplier=multiplier,
                sign=row["sign"],
                valid=Range(at, row["until"], bounds="[)"),
            )
        )
    _split_versions(connection, [row["evidence_channel"] for row in rows], factor_before, factor, at)
    return sorted({int(row["channel"]) for row in rows})


def _wanted(
    directions: Collection[str] | None,
    before: Sequence[Feed],
    present: Collection[tuple[str, str]],
    feeding: Mapping[tuple[str, str], TemplateRegister],
) -> set[tuple[str, str]]:
    offered = set(feeding)
    was = {(each.direction, each.kind) for each in before}
    if directions is not None:
        known = offered | was | set(present)
        found = {each for each in known if each[0] in directions}
        missing = sorted(set(directions) - {direction for direction, _ in found})
        return found | {(direction, "interval") for direction in missing}
    return was or set(present) or offered


def evidence_of(meter: str, register: TemplateRegister) -> dict[str, Any]:
    """The evidence channel of a meter's register, as `create_evidence_channels` takes it."""
    return {
        "meter": meter,
        "register": register.register,
        "unit": register.unit,
        "exponent": register.exponent,
        "kind": register.kind,
        "step_s": register.step_ms // 1000 or None,
        "min_value": register.facts.min_value,
        "max_value": register.facts.max_value,
    }


def versions_of(meter: str, registers: Sequence[TemplateRegister], ratio: int, at: datetime) -> list[dict[str, Any]]:
    """What is on the faces of a meter's registers, as `create_register_versions` takes it."""
    return [
        {
            "meter": meter,
            "register": each.register,
            "digits": each.facts.digits,
            "multiplier": ratio * each.facts.multiplier,
            "tariff": each.facts.tariff,
            "obis": each.facts.obis,
            "since": at,
        }
        for each in registers
        if each.facts.digits is not None
    ]


def _end_versions(connection: Connection, meter: str, at: datetime) -> None:
    """Faces of a meter's registers, whose constants hold where it hangs, end with its mounting."""
    rows = connection.execute(
        select(register_version.c.id, register_version.c.valid)
        .join(evidence_channel, evidence_channel.c.id == register_version.c.evidence_channel)
        .where(evidence_channel.c.device == meter, register_version.c.valid.op("@>")(at))
    )
    for identifier, valid in rows.all():
        if valid.lower is None or valid.lower < at:
            connection.execute(
                update(register_version)
                .where(register_version.c.id == identifier)
                .values(valid=Range(valid.lower, at, bounds="[)"))
            )


def _split_versions(connection: Connection, registers: Sequence[int], before: int, after: int, at: datetime) -> None:
    rows = connection.execute(
        select(register_version).where(
            register_version.c.evidence_channel.in_(registers), register_version.c.valid.op("@>")(at)
        )
    )
    for row in rows.mappings().all():
        constant = row["multiplier"] // before * after
        table = register_version
        if row["valid"].lower == at:
            connection.execute(update(table).where(table.c.id == row["id"]).values(multiplier=constant))
            continue
        facts = {name: value for name, value in row.items() if name not in ("id", "valid", "multiplier")}
        ended = Range(row["valid"].lower, at, bounds="[)")
        connection.execute(update(table).where(table.c.id == row["id"]).values(valid=ended))
        begun = Range(at, row["valid"].upper, bounds="[)")
        connection.execute(table.insert().values(**facts, multiplier=constant, valid=begun))


def _require_unfed(
    connection: Connection, meter: str, point: str, specs: Sequence[Mapping[str, Any]], at: datetime
) -> None:
    rows = connection.execute(_AT_POINT, {"point": point, "at": at}).mappings().all()
    taken = {(row["direction"], row["kind"]): row for row in rows}
    for spec in specs:
        other = taken.get((spec["direction"], spec["kind"]))
        if other is not None:
            raise Refused(
                "channel_fed",
                f"The channel {point} {spec['direction']} is fed by {other['meter']} {other['register']}; {meter} "
                f"{spec['register']} cannot feed it from {at.isoformat()} as well. End that first.",
            )


def _feed(row: RowMapping) -> Feed:
    return Feed(*(row[name] for name in Feed.__slots__))


_FED = text("""
    SELECT m.id, m.channel, c.direction, c.kind, e.device AS meter, e.register, m.multiplier, m.sign,
           lower(m.valid) AS since
    FROM channel_mapping m
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN channel c ON c.id = m.channel
    WHERE e.device = :meter AND c.point = :point
      AND (upper_inf(m.valid) OR upper(m.valid) > CAST(:at AS timestamptz))
    ORDER BY c.direction, c.kind, m.id
""")

_AT_POINT = text("""
    SELECT m.id, m.channel, m.evidence_channel, c.direction, c.kind, e.device AS meter, e.register, m.multiplier,
           m.sign, lower(m.valid) AS since, upper(m.valid) AS until
    FROM channel_mapping m
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN channel c ON c.id = m.channel
    WHERE c.point = :point AND (upper_inf(m.valid) OR upper(m.valid) > CAST(:at AS timestamptz))
    ORDER BY c.direction, c.kind, m.id
""")
