"""Profiles and states as tables for other systems, in pieces of bounded size.

The tables are Arrow tables in one of three dresses: plain (Parquet: integers, codes), `iso` (local time with offset,
base unit, decimal point) and `cs` (Czech: local time, kWh, decimal comma); the latter two with `cells` for
spreadsheets, which have stamps and numbers of their own. Days without a version yet are left out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.platform.copy_binary import PG_EPOCH_DAYS, unpack_rows
from central.platform.errors import BadInput, NotFound
from central.readings.calendar import DayTable, Ints, from_ms
from central.readings.periods import check_period
from central.readings.rows import copy_out
from central.readings.transfer.decimals import to_decimal_texts
from shared.metering_day import PRAGUE
from shared.quantities import MISSING_VALUE, Commodity, Quality

Dress = Literal["plain", "iso", "cs"]
ROWS_AT_ONCE: Final = 2_000
"""Channel-days that are held together: about 200,000 values."""
QUALITIES_ISO: Final = tuple(quality.name.lower() for quality in Quality)
QUALITIES_CS: Final = ("měřená", "předběžná", "odhadnutá", "náhradní", "upravená", "chybí")
_UNITS_CS: Final = {"Wh": "kWh", "varh": "kvarh", "VAh": "kVAh", "m3": "m³"}
_KILO: Final = ("Wh", "varh", "VAh")
_PROFILE_NAMES: Final = {
    "iso": ("point", "direction", "start", "value", "unit", "quality", "method", "version"),
    "cs": ("místo", "směr", "začátek", "hodnota", "jednotka", "kvalita", "metoda", "verze"),
}
_STATE_NAMES: Final = {
    "iso": ("point", "direction", "meter", "register", "at", "value", "unit", "kind", "flags", "batch"),
    "cs": ("místo", "směr", "měřidlo", "registr", "okamžik", "stav", "jednotka", "druh", "příznaky", "dávka"),
}

_CHANNELS: Final = text("""
    SELECT c.id, c.point, c.direction, c.commodity, c.unit, c.exponent, c.step_ms FROM channel c
    WHERE c.kind = :kind AND (CAST(:channels AS integer[]) IS NULL OR c.id = ANY(:channels))
      AND (CAST(:commodity AS text) IS NULL OR c.commodity = :commodity)
    ORDER BY c.point, c.direction, c.id
""")
_ROWS: Final = """
COPY (
    SELECT channel, day, version, "values", quality, method FROM day_profile
    WHERE channel = ANY(%s::integer[]) AND day >= %s AND day < %s
) TO STDOUT (FORMAT BINARY)
"""
_TYPES: Final = ("int4", "date", "int4", "int4[]", "int2[]", "int2[]")
_STATES: Final = text("""
    SELECT point, direction, meter, register, at, value, unit, exponent, kind, flags, batch, channel
    FROM state_value
    WHERE channel = ANY(:channels) AND at >= :begin AND at < :finish AND revoked_at IS NULL
    ORDER BY point, direction, at, batch
""")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: channels (None: all of the kind) from the first day to before the end."""

    first: date
    end: date
    channels: Sequence[int] | None = None
    commodity: Commodity | None = None
    all_versions: bool = False


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """A channel as an export names it."""

    id: int
    point: str
    direction: str
    commodity: Commodity
    unit: str
    exponent: int
    step_ms: int


@dataclass(frozen=True, slots=True)
class _Day:
    version: int
    day: int
    values: NDArray[Any]
    quality: NDArray[Any] | None
    method: NDArray[Any] | None


def find_exported(connection: Connection, wanted: Wanted, kind: Literal["interval", "state"]) -> list[ChannelFacts]:
    """The channels of an export by point; NotFound names one that does not exist or is of the other kind."""
    check_period(wanted.first, wanted.end)
    parameters = {
        "kind": kind,
        "channels": None if wanted.channels is None else list(wanted.channels),
        "commodity": wanted.commodity,
    }
    rows = connection.execute(_CHANNELS, parameters).mappings()
    found = [ChannelFacts(**{**row, "commodity": Commodity(row["commodity"])}) for row in rows]
    for number in sorted(set(wanted.channels or ()) - {each.id for each in found}):
        raise NotFound("channel_not_found", f"There is no channel {number} of kind {kind} that is asked for.")
    return found


def most_rows(channels: Sequence[ChannelFacts], wanted: Wanted) -> int:
    """How many rows an export of newest versions has at most."""
    days = (wanted.end - wanted.first).days
    return sum(days * (86_400_000 // each.step_ms) + 8 for each in channels if each.step_ms)


def profile_tables(
    connection: Connection, channels: Sequence[ChannelFacts], wanted: Wanted, dress: Dress, cells: bool = False
) -> Iterator[Any]:
    """Values of the channels, by channel and time, an Arrow table for some channel-days at a time."""
    days = (wanted.end - wanted.first).days
    channels_at_once = max(1, ROWS_AT_ONCE // days)
    for low in range(0, len(channels), channels_at_once):
        some = channels[low : low + channels_at_once]
        found = _read_days(connection, [each.id for each in some], wanted)
        parts = [_profile_table(each, found[each.id], dress, cells) for each in some if each.id in found]
        if parts:
            yield pa.concat_tables(parts)


def state_tables(
    connection: Connection, channels: Sequence[ChannelFacts], wanted: Wanted, dress: Dress, cells: bool = False
) -> Iterator[Any]:
    """States of the channels, by channel and time; local days as electricity counts them."""
    bounds = [datetime.combine(day, datetime.min.time(), PRAGUE) for day in (wanted.first, wanted.end)]
    parameters = {"channels": [each.id for each in channels], "begin": bounds[0], "finish": bounds[1]}
    rows = connection.execution_options(yield_per=20_000).execute(_STATES, parameters)
    for part in rows.mappings().partitions():
        yield _state_table(part, dress, cells)


def empty_table(kind: Literal["interval", "state"], dress: Dress, cells: bool = False) -> Any:
    """The table of no rows, for its columns."""
    facts = ChannelFacts(0, "", "", Commodity.ELECTRICITY, "Wh", 0, 900_000)
    return _profile_table(facts, [], dress, cells) if kind == "interval" else _state_table([], dress, cells)


def _read_days(connection: Connection, ids: list[int], wanted: Wanted) -> dict[int, list[_Day]]:
    """Versions by channel, sorted by day and version."""
    found: dict[tuple[int, int, int], _Day] = {}
    for columns in unpack_rows(copy_out(connection, _ROWS, (ids, wanted.first, wanted.end)), _TYPES):
        channel, day, version, values, quality, method = columns
        assert channel is not None and day is not None and version is not None and values is not None
        for row in range(len(channel)):
            number = int(day[row]) + PG_EPOCH_DAYS
            key = (int(channel[row]), number, int(version[row]) if wanted.all_versions else 0)
            known = found.get(key)
            if known is None or known.version < int(version[row]):
                found[key] = _Day(
                    int(version[row]),
                    number,
                    values[row],
                    None if quality is None else quality[row],
                    None if method is None else method[row],
                )
    result: dict[int, list[_Day]] = {}
    for key in sorted(found):
        result.setdefault(key[0], []).append(found[key])
    return result


def _profile_table(facts: ChannelFacts, days: list[_Day], dress: Dress, cells: bool) -> Any:
    lengths = np.array([len(each.values) for each in days], np.int64)
    count = int(lengths.sum())
    owner = np.repeat(np.arange(len(days)), lengths)
    index = np.arange(count) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    value = _joined([each.values for each in days], np.int64)
    zeros = [np.zeros(length, np.int16) for length in lengths.tolist()]
    pairs = list(zip(days, zeros, strict=True))
    quality = _joined([none if each.quality is None else each.quality for each, none in pairs], np.int64)
    method = _joined([none if each.method is None else each.method for each, none in pairs], np.int64)
    version = np.array([each.version for each in days], np.int64)[owner]
    numbers = np.array([each.day for each in days], np.int64)
    start = _starts(facts, numbers)[owner] + index * facts.step_ms
    missing = value == MISSING_VALUE
    if dress == "plain":
        columns = {
            "channel": pa.array(np.full(count, facts.id, np.int32)),
            "point": _constant(facts.point, count),
            "direction": _constant(facts.direction, count),
            "day": pa.array(numbers[owner].astype("datetime64[D]")),
            "index": pa.array(index.astype(np.int16)),
            "start": pa.array(start, pa.timestamp("ms", "UTC")),
            "value": pa.array(value, mask=missing),
            "unit": _constant(facts.unit, count),
            "exponent": pa.array(np.full(count, facts.exponent, np.int8)),
            "quality": pa.array(quality.astype(np.int8)),
            "method": pa.array(method.astype(np.int16)),
            "version": pa.array(version.astype(np.int32)),
        }
        return pa.table(columns)
    shown, unit = _dressed(np.where(missing, 0, value), facts.unit, facts.exponent, dress, cells)
    words = pa.array(QUALITIES_ISO if dress == "iso" else QUALITIES_CS)
    listed = (
        _constant(facts.point, count),
        _constant(facts.direction, count),
        _local(start, dress, cells),
        pc.if_else(pa.array(missing), pa.scalar(None, shown.type), shown),
        _constant(unit, count),
        words.take(pa.array(quality)),
        pa.array(method),
        pa.array(version),
    )
    return pa.table(dict(zip(_PROFILE_NAMES[dress], listed, strict=True)))


def _state_table(rows: Sequence[Any], dress: Dress, cells: bool) -> Any:
    names = ("point", "direction", "meter", "register", "unit", "kind")
    columns = {name: pa.array([row[name] for row in rows], pa.string()) for name in names}
    at = np.array([int(row["at"].timestamp() * 1000) for row in rows], np.int64)
    value = np.array([row["value"] for row in rows], np.int64)
    flags = pa.array([row["flags"] for row in rows], pa.int32())
    batch = pa.array([row["batch"] for row in rows], pa.int64())
    exponents = np.array([row["exponent"] for row in rows], np.int8)
    if dress == "plain":
        return pa.table(
            {
                "channel": pa.array([row["channel"] for row in rows], pa.int32()),
                **{name: columns[name] for name in names[:4]},
                "at": pa.array(at, pa.timestamp("ms", "UTC")),
                "value": pa.array(value),
                "unit": columns["unit"],
                "exponent": pa.array(exponents),
                "kind": columns["kind"],
                "flags": flags,
                "batch": batch,
            }
        )
    values = np.empty(len(rows), object)
    units = np.empty(len(rows), object)
    kinds = sorted({(row["unit"], row["exponent"]) for row in rows})
    for unit, exponent in kinds:
        ours = np.array([row["unit"] == unit and row["exponent"] == exponent for row in rows], np.bool_)
        shown, shown_unit = _dressed(value[ours], unit, exponent, dress, cells)
        values[ours] = shown.to_pylist()
        units[ours] = shown_unit
    listed = (
        *(columns[name] for name in names[:4]),
        _local(at, dress, cells),
        pa.array(values, pa.float64() if cells else pa.string()),
        pa.array(units, pa.string()),
        columns["kind"],
        flags,
        batch,
    )
    return pa.table(dict(zip(_STATE_NAMES[dress], listed, strict=True)))


def _dressed(values: Ints, unit: str, exponent: int, dress: Dress, cells: bool) -> tuple[Any, str]:
    """Values as texts or cells, and the unit that they are in: the base unit, or thousands of it in Czech files."""
    shown_unit = _UNITS_CS.get(unit, unit) if dress == "cs" else unit
    power = exponent - (3 if dress == "cs" and unit in _KILO else 0)
    if cells:
        # A division by a power of ten is rounded once: 15 digits, which a cell shows, are right.
        return pa.array(values / 10**-power if power < 0 else values * 10.0**power, pa.float64()), shown_unit
    return to_decimal_texts(values, power, "," if dress == "cs" else "."), shown_unit


def _local(instants_ms: Ints, dress: Dress, cells: bool) -> Any:
    """Local times as texts or cells; each different instant is written once."""
    if cells:
        return pa.array(instants_ms, pa.timestamp("ms", "UTC"))
    unique, place = np.unique(instants_ms, return_inverse=True)
    local = [from_ms(ms).astimezone(PRAGUE) for ms in unique.tolist()]
    if dress == "iso":
        texts = [each.isoformat(timespec="seconds") for each in local]
    else:
        seconds = any(each.second for each in local)
        texts = [each.strftime("%d.%m.%Y %H:%M:%S" if seconds else "%d.%m.%Y %H:%M") for each in local]
    return pa.array(texts, pa.string()).take(pa.array(place))


def _starts(facts: ChannelFacts, numbers: Ints) -> Ints:
    if not len(numbers):
        return numbers
    day_ms = 86_400_000
    table = DayTable.covering(facts.commodity, (int(numbers.min()) - 1) * day_ms, (int(numbers.max()) + 2) * day_ms)
    return table.starts(numbers)


def _joined(parts: Sequence[NDArray[Any]], dtype: Any) -> NDArray[Any]:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)


def _constant(word: str, count: int) -> Any:
    return pa.repeat(pa.scalar(word, pa.string()), count)


def check_rows(rows: int, most: int, what: str) -> None:
    """Refuse an export that a format or a request cannot hold."""
    if rows > most:
        raise BadInput(
            "too_many_rows", f"The export may have {rows} rows; {what} holds {most}. Ask for fewer channels or days."
        )
