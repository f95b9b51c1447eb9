"""Conversions of gas channels (přepočet objemu): which k and which area, since which gas day until which."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import DataError, IntegrityError

from central.platform import audit
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.gas.coefficient import Conversion
from central.readings.gas.exact import shown
from central.readings.gas.tables import gas_area, gas_conversion

NUMBERS = ("coefficient", "temperature_k", "gauge_kpa", "compressibility", "altitude_m", "barometric_kpa")
K_RANGE = (0.1, 200)
"""A coefficient outside of it is a mistake of units: 200 is gas at 20 MPa."""

_TABLE = gas_conversion.c
_STORED = select(
    _TABLE.id,
    _TABLE.channel,
    _TABLE.area,
    _TABLE.kind,
    func.lower(_TABLE.valid).label("first"),
    func.upper(_TABLE.valid).label("end"),
    _TABLE.source,
    *(_TABLE[name] for name in NUMBERS),
).order_by(_TABLE.channel, func.lower(_TABLE.valid))


def assign(
    connection: Connection,
    conversion: Conversion,
    person: Person | str,
    reason: str,
    at: datetime,
    touched: Sequence[str] = (),
) -> int:
    """Store a conversion and return its id; Refused where it overlaps another of the channel."""
    require_valid(connection, conversion)
    values = {name: getattr(conversion, name) for name in ("channel", "area", "kind", "source", *NUMBERS)}
    try:
        with connection.begin_nested():
            identifier: int = connection.execute(
                insert(gas_conversion)
                .values(valid=Range(conversion.first, conversion.end), **values)
                .returning(gas_conversion.c.id)
            ).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    except DataError as error:
        raise BadInput(
            "gas_conversion", f"A number of the conversion is too long for its column: {error.orig}"
        ) from error
    details = {
        **conversion.document(),
        "id": identifier,
        "channel": conversion.channel,
        "reason": reason,
        "touched": list(touched),
    }
    audit.record(connection, person, "gas_conversion.assign", f"gas_conversion/{identifier}", details, at)
    return identifier


def require_conversion(connection: Connection, identifier: int) -> Conversion:
    """A conversion by number, locked for who is about to end it; or NotFound."""
    row = connection.execute(_STORED.where(_TABLE.id == identifier).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("gas_conversion_not_found", f"There is no gas conversion {identifier}.")
    return _conversion(row)


def close(
    connection: Connection,
    identifier: int,
    end: date,
    person: Person | str,
    reason: str,
    at: datetime,
    touched: Sequence[str] = (),
) -> Conversion:
    """End a conversion before the gas day `end`; it must begin earlier and not end earlier already."""
    stored = require_conversion(connection, identifier)
    if not stored.first < end or (stored.end is not None and stored.end < end):
        raise Refused(
            "gas_conversion_end",
            f"Conversion {identifier} is valid from {stored.first} to {stored.end or 'further notice'}; "
            f"its end must lie within and is {end}. Assign another conversion for later days.",
        )
    connection.execute(
        update(gas_conversion).where(gas_conversion.c.id == identifier).values(valid=Range(stored.first, end))
    )
    details = {"before": stored.document(), "to": end.isoformat(), "reason": reason, "touched": list(touched)}
    audit.record(connection, person, "gas_conversion.close", f"gas_conversion/{identifier}", details, at)
    return replace(stored, end=end)


def require_valid(connection: Connection, conversion: Conversion) -> None:
    """Refuse what makes no sense, and what is about no gas channel or no area that there is."""
    check(conversion)
    _require_gas_channel(connection, conversion.channel)
    if connection.execute(select(gas_area.c.id).where(gas_area.c.id == conversion.area)).first() is None:
        raise NotFound(
            "gas_area_not_found", f"There is no gas area {conversion.area}; create it by POST /v1/gas/areas."
        )


def check(conversion: Conversion) -> None:
    """Refuse what makes no sense: parameters that do not belong to the kind, an empty validity, an impossible k."""
    given = {name for name in NUMBERS if getattr(conversion, name) is not None}
    wanted: dict[str, list[set[str]]] = {
        "converter": [set()],
        "fixed": [{"coefficient"}],
        "computed": [
            {"temperature_k", "gauge_kpa", "compressibility", pressure} for pressure in ("altitude_m", "barometric_kpa")
        ],
    }
    if given not in wanted[conversion.kind]:
        options = " or ".join(", ".join(sorted(names)) or "no number" for names in wanted[conversion.kind])
        raise BadInput(
            "gas_conversion",
            f"A {conversion.kind} conversion takes exactly {options}; given were {', '.join(sorted(given)) or 'none'}.",
        )
    if conversion.end is not None and conversion.end <= conversion.first:
        raise BadInput("gas_conversion", f"The conversion would end on {conversion.end}, not after {conversion.first}.")
    try:
        k = conversion.k
    except ValueError as error:
        raise BadInput("gas_conversion", str(error)) from error
    if not K_RANGE[0] <= k <= K_RANGE[1]:
        raise BadInput(
            "gas_conversion",
            f"The volume coefficient would be {shown(k, 4)}; expected is {K_RANGE[0]} to {K_RANGE[1]}. "
            "Check the units: K, kPa above the pressure of the air, m above the sea.",
        )


def find_conversions(connection: Connection, channel: int | None = None) -> list[Conversion]:
    """All conversions, or those of a channel, in the order of validity."""
    query = _STORED if channel is None else _STORED.where(_TABLE.channel == channel)
    return [_conversion(row) for row in connection.execute(query)]


def read_conversions(
    connection: Connection, channels: Sequence[int], first: date, end: date
) -> Mapping[int, Sequence[Conversion]]:
    """By channel, the conversions that are valid on a gas day from `first` to before `end`; one query."""
    query = _STORED.where(_TABLE.channel.in_(channels), _TABLE.valid.overlaps(Range(first, end)))
    found: dict[int, list[Conversion]] = defaultdict(list)
    for row in connection.execute(query):
        found[row.channel].append(_conversion(row))
    return dict(found)


def _conversion(row: Row[Any]) -> Conversion:
    return Conversion(**row._mapping)


def _require_gas_channel(connection: Connection, identifier: int) -> None:
    found = connection.execute(
        text("SELECT commodity, unit, kind FROM channel WHERE id = :id"), {"id": identifier}
    ).one_or_none()
    if found is None:
        raise NotFound("channel_not_found", f"There is no channel {identifier}.")
    if (found.commodity, found.unit) != ("gas", "m3"):
        raise BadInput("channel_kind", f"Channel {identifier} is not one of gas in m3; it has no volume to convert.")
