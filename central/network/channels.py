"""Evidence channels, channels and the mappings between them: find, get, require, create."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, Connection, RowMapping, Table, Text, and_, bindparam, func, select, text
from sqlalchemy.dialects.postgresql import Range

from central.network.tables import channel, channel_mapping, evidence_channel, meter
from central.network.transformers import check_multipliers
from central.platform.errors import BadInput, NotFound
from central.platform.reconcile import Outcome, reconcile

Spec = Mapping[str, Any]

STEP_S = {"electricity": 900, "gas": 3600}
UNITS = {"electricity": ("Wh", "varh"), "gas": ("m3",)}
EXPONENTS = (-12, 12)
"""Powers of ten that a register or a channel may count in."""
LARGEST_FACTOR = 10**9
"""Of a mapping, multiplier and change of exponent together: a 32-bit value times it stays within 64 bits."""
_HOUR_S = 3_600
_HOUR_MS = 3_600_000
FASTEST_MS = 10
"""Shortest step of a live series."""
_CHUNK = 2_000


def create_evidence_channels(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create evidence channels of meters: `meter`, `register`, `unit`, `exponent`, `kind`, `step_s`, limits.

    A live series has `step_ms` instead of `step_s`: it is evidence only, no channel has such a step.
    """
    meters = by_name(connection, meter, ("id",), {(spec["meter"],) for spec in specs})
    _check_exponents("register", specs)
    rows = [
        {
            "concentrator": meters[(spec["meter"],)].concentrator,
            "device": spec["meter"],
            "register": spec["register"],
            "unit": spec["unit"],
            "exponent": spec.get("exponent", 0),
            "kind": spec["kind"],
            "step_ms": _step_ms(spec, meters[(spec["meter"],)].commodity),
            "min_value": spec.get("min_value"),
            "max_value": spec.get("max_value"),
        }
        for spec in specs
    ]
    return reconcile(connection, evidence_channel, "evidence channel", ("device", "register", "concentrator"), rows)


def create_channels(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create channels; `supply_point` is an EAN or EIC, or None for a point that belongs to no supply point."""
    _check_exponents("channel", specs)
    supply_points = _supply_points(connection, {spec["supply_point"] for spec in specs if spec.get("supply_point")})
    rows = []
    for spec in specs:
        if spec["unit"] not in UNITS[spec["commodity"]]:
            raise BadInput(
                "unit",
                f"The {spec['commodity']} channel {spec['point']} {spec['direction']} is in {spec['unit']!r}; "
                f"expected {' or '.join(UNITS[spec['commodity']])}.",
            )
        facts = {name: spec[name] for name in ("point", "direction", "commodity", "unit", "exponent", "kind")}
        point = spec.get("supply_point")
        rows.append(
            {
                **facts,
                "supply_point": None if point is None else supply_points[point],
                "step_ms": _step_ms(spec, spec["commodity"]),
            }
        )
    return reconcile(connection, channel, "channel", ("point", "direction", "kind"), rows)


def create_mappings(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create mappings: (`meter`, `register`) feeds (`point`, `direction`, `kind`) from `since` until `until`.

    Kind, unit and step of both sides must agree, and the register's exponent must not be below the channel's (a finer
    register would lose digits). Overlaps on either side are Refused, and so is a multiplier that is not what the
    point's instrument transformers and the register's constant make.
    """
    registers = by_name(
        connection, evidence_channel, ("device", "register"), {(spec["meter"], spec["register"]) for spec in specs}
    )
    channels = by_name(
        connection,
        channel,
        ("point", "direction", "kind"),
        {(spec["point"], spec["direction"], spec["kind"]) for spec in specs},
    )
    rows = []
    for spec in specs:
        register = registers[spec["meter"], spec["register"]]
        target = channels[spec["point"], spec["direction"], spec["kind"]]
        what = f"mapping of {spec['meter']} {spec['register']} to {spec['point']} {spec['direction']}"
        _check_pair(what, register, target, spec.get("multiplier", 1))
        rows.append(
            {
                "evidence_channel": register.id,
                "channel": target.id,
                "multiplier": spec.get("multiplier", 1),
                "sign": spec.get("sign", 1),
                "valid": validity_of(what, spec["since"], spec.get("until")),
            }
        )
    check_multipliers(connection, [{**spec, **row} for spec, row in zip(specs, rows, strict=True)])
    return reconcile(connection, channel_mapping, "mapping", ("evidence_channel", "channel", "valid"), rows)


def _supply_points(connection: Connection, eans: set[str]) -> dict[str, int]:
    """Ids of supply points. The registry stands on this floor and is not imported: its table is read by name."""
    query = text("SELECT ean, id FROM supply_point WHERE ean = ANY(:eans)")
    found = {row.ean: row.id for row in connection.execute(query, {"eans": list(eans)})}
    for ean in sorted(eans - found.keys()):
        raise NotFound("supply_point_not_found", f"There is no supply point {ean}; create it first or correct it.")
    return found


def _step_ms(spec: Spec, commodity: str) -> int:
    step_s, step_ms = spec.get("step_s"), spec.get("step_ms")
    if spec["kind"] == "state":
        if step_s or step_ms:
            given = f"{step_s} s" if step_s else f"{step_ms} ms"
            raise BadInput("step", f"A register of states has no step; {given} was given. Leave it out.")
        return 0
    if step_ms is not None:
        if step_s is not None:
            raise BadInput("step", f"Both {step_s} s and {step_ms} ms were given as step; give one of them.")
        if step_ms < FASTEST_MS or _HOUR_MS % step_ms:
            raise BadInput("step", f"A step of {step_ms} ms must be {FASTEST_MS} or more and divide an hour.")
        return int(step_ms)
    seconds = int(STEP_S[commodity] if step_s is None else step_s)
    if seconds < 1 or _HOUR_S % seconds:
        raise BadInput(
            "step", f"A step of {seconds} s does not divide an hour, so metering days would not hold whole intervals."
        )
    return seconds * 1000


def _check_exponents(what: str, specs: Iterable[Spec]) -> None:
    low, high = EXPONENTS
    for spec in specs:
        exponent = spec.get("exponent", 0)
        if not low <= exponent <= high:
            raise BadInput("exponent", f"A {what} in 10^{exponent} {spec['unit']} cannot be: {low} to {high} can.")


def _check_pair(what: str, register: Any, target: Any, multiplier: int) -> None:
    for field in ("kind", "unit", "step_ms"):
        ours, theirs = getattr(register, field), getattr(target, field)
        if ours != theirs:
            raise BadInput("mapping", f"The {what}: the register's {field} is {ours}, the channel's {theirs}.")
    if register.exponent < target.exponent:
        raise BadInput(
            "mapping",
            f"The {what}: the register counts in 10^{register.exponent} {register.unit}, finer than the channel's "
            f"10^{target.exponent}; digits would be lost. Give the channel the register's exponent.",
        )
    factor = multiplier * 10 ** (register.exponent - target.exponent)
    if factor > LARGEST_FACTOR:
        raise BadInput(
            "mapping", f"The {what} multiplies by {factor}; at most {LARGEST_FACTOR} is possible. Check the exponents."
        )


def validity_of(what: str, since: datetime, until: datetime | None) -> Range[datetime]:
    """From `since` until `until` (exclusive, None is open); BadInput without an offset or the wrong way round."""
    for instant in (since, until):
        if instant is not None and instant.tzinfo is None:
            raise BadInput("validity", f"The {what} has the instant {instant} without an offset; add one.")
    if until is not None and until <= since:
        raise BadInput("validity", f"The {what} ends {until}, not after its start {since}; the end is exclusive.")
    return Range(since, until, bounds="[)")


def by_name(
    connection: Connection, table: Table, columns: Sequence[str], names: Iterable[tuple[str, ...]]
) -> dict[tuple[str, ...], Any]:
    """Rows of a table by the values of `columns`, which are texts; NotFound names the first that is not there."""
    wanted = sorted(names)
    found: dict[tuple[str, ...], Any] = {}
    for start in range(0, len(wanted), _CHUNK):
        arrays = [
            bindparam(None, list(each), ARRAY(Text)) for each in zip(*wanted[start : start + _CHUNK], strict=True)
        ]
        given = func.unnest(*arrays).table_valued(*columns, name="given").render_derived()
        same = and_(*(table.c[column] == given.c[column] for column in columns))
        for row in connection.execute(select(table).join(given, same)):
            found[tuple(getattr(row, column) for column in columns)] = row
    for name in wanted:
        if name not in found:
            raise NotFound(
                f"{table.name}_not_found",
                f"There is no {table.name.replace('_', ' ')} {' '.join(name)}; create it first or correct it.",
            )
    return found


def find_channels(
    connection: Connection,
    *,
    supply_point: int | None = None,
    point: str | None = None,
    direction: str | None = None,
    kind: str | None = None,
    commodity: str | None = None,
) -> Sequence[RowMapping]:
    """Channels by point and direction, filtered."""
    query = select(channel).order_by(channel.c.point, channel.c.direction, channel.c.kind)
    wanted = {
        "supply_point": supply_point,
        "point": point,
        "direction": direction,
        "kind": kind,
        "commodity": commodity,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(channel.c[column] == value)
    return connection.execute(query).mappings().all()


def require_channel(connection: Connection, identifier: int) -> RowMapping:
    """A channel by id, or NotFound."""
    found = connection.execute(select(channel).where(channel.c.id == identifier)).mappings().first()
    if found is None:
        raise NotFound("channel_not_found", f"There is no channel {identifier}.")
    return found
