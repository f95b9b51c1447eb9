"""What the rules of this package need beside the matrix, one query each a chunk: history, exemptions, limits, drift."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from central.network.outages import outages_of
from central.platform.arrays import int_array
from central.platform.copy_binary import PG_EPOCH_DAYS, unpack_rows
from central.readings.calendar import Ints, number_of, to_ms
from central.readings.rows import copy_out
from central.readings.vee.rule import Bools, Chunk, Floats, Input
from shared.quantities import Commodity

HISTORY, EXEMPT, LIMITS, DRIFT = "history", "exempt", "limits", "drift"
HISTORY_DAYS = 30
"""Days looked back. The rules that need history are the dearest elsewhere: these read two numbers a day, no values."""
PHASE_V = 230

_HISTORY = """
COPY (
    SELECT channel, day, version, missing,
           coalesce(total, (SELECT coalesce(sum(v), 0) FROM unnest("values") v WHERE v <> -2147483648)),
           coalesce(peak, (SELECT max(v) FROM unnest("values") v))
    FROM day_profile
    WHERE channel = ANY(%s::integer[]) AND day >= %s AND day < %s
) TO STDOUT (FORMAT BINARY)
"""
_HISTORY_TYPES = ("int4", "date", "int4", "int2", "int8", "int4")

_EXEMPT = text("""
    SELECT e.channel, lower(e.days) AS first, upper(e.days) AS stop
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN vee_exemption e ON e.channel = given.id AND e.days && daterange(:first, :end)
""")

# What can flow at most: the breaker's rating, else the reserved input (rezervovaný příkon), else the gas capacity.
_LIMITS = text("""
    SELECT c.id,
           max(i.breaker_phases * i.breaker_amps * :phase_v / 1000.0)::float8 AS breaker_kw,
           max(i.reserved_input_kw)::float8 AS input_kw,
           max(i.gas_daily_capacity_m3)::float8 AS day_m3
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel c ON c.id = given.id
    JOIN contract_item i ON i.supply_point = c.supply_point AND i.valid && daterange(:first, :end)
    GROUP BY c.id
""")

_DRIFT = text("""
    SELECT m.channel, (ev.at AT TIME ZONE 'Europe/Prague' - hour.start)::date AS day,
           max(abs((ev.data ->> 'drift_ms')::numeric))::float8 AS drift_ms
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel_mapping m ON m.channel = given.id AND m.valid && tstzrange(:begin, :finish)
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN edge_event ev ON ev.edge = e.concentrator AND ev.device = e.device AND ev.kind = 'clock-drift'
     AND ev.at >= :begin AND ev.at < :finish AND m.valid @> ev.at
    CROSS JOIN (SELECT CAST(:hours AS integer) * interval '1 hour' AS start) hour
    WHERE jsonb_typeof(ev.data -> 'drift_ms') = 'number'
    GROUP BY 1, 2
""")


@dataclass(frozen=True, slots=True)
class History:
    """Sums and highest values of the days before the chunk, (channels, `days`); `known` where a day was complete."""

    days: int
    total: Ints
    peak: Ints
    known: Bools

    @classmethod
    def none(cls, channels: int, days: int = HISTORY_DAYS) -> "History":
        """Nothing known."""
        shape = (channels, days)
        return cls(days, np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_))


@dataclass(frozen=True, slots=True)
class Limits:
    """What each channel's supply point can take at most: power in kW, gas in m3 a day; NaN where nothing says."""

    breaker_kw: Floats
    input_kw: Floats
    day_m3: Floats


def read_history(connection: Connection, chunk: Chunk) -> History:
    """The newest versions of the HISTORY_DAYS days before the chunk."""
    end = chunk.days[0].date
    first = end - timedelta(days=HISTORY_DAYS)
    history = History.none(len(chunk.channels))
    newest = np.zeros(history.total.shape, np.int64)
    copied = copy_out(connection, _HISTORY, (int_array(chunk.channels), first, end))
    for columns in unpack_rows(copied, _HISTORY_TYPES):
        channels, days, versions, missing, totals, peaks = columns
        assert channels is not None and days is not None and versions is not None
        assert missing is not None and totals is not None and peaks is not None
        order = np.argsort(versions, kind="stable")
        row = np.searchsorted(chunk.channels, channels[order])
        day = days[order].astype(np.int64) + PG_EPOCH_DAYS - number_of(first)
        keep = versions[order] > newest[row, day]
        row, day, order = row[keep], day[keep], order[keep]
        newest[row, day] = versions[order]
        history.total[row, day], history.peak[row, day] = totals[order], peaks[order]
        history.known[row, day] = missing[order] == 0
    return history


def read_exempt(connection: Connection, chunk: Chunk) -> Bools:
    """Days on which a channel may measure nothing: (channels, days)."""
    exempt = np.zeros(chunk.target.shape, np.bool_)
    first, end = chunk.days[0].date, chunk.days[-1].next.date
    for row in connection.execute(_EXEMPT, {"channels": int_array(chunk.channels), "first": first, "end": end}):
        low = max((row.first - first).days, 0) if row.first else 0
        high = (row.stop - first).days if row.stop else len(chunk.days)
        exempt[np.searchsorted(chunk.channels, row.channel), low:high] = True
    # Of outages (network) only whole days count: on any other the channel had supply for a while.
    outages = outages_of(connection, chunk.channels.tolist(), chunk.days[0].start, chunk.days[-1].end)
    starts, ends = (np.array([to_ms(at) for at in side]) for side in _bounds(chunk))
    whole = (outages.from_ms[:, None] <= starts) & (outages.to_ms[:, None] >= ends)
    np.logical_or.at(exempt, np.searchsorted(chunk.channels, outages.channel), whole)
    return exempt


def _bounds(chunk: Chunk) -> tuple[list[datetime], list[datetime]]:
    return [day.start for day in chunk.days], [day.end for day in chunk.days]


def read_limits(connection: Connection, chunk: Chunk) -> Limits:
    """From the contract items that are valid within the chunk, the most lenient."""
    found = np.full((3, len(chunk.channels)), np.nan)
    parameters = {
        "channels": int_array(chunk.channels),
        "first": chunk.days[0].date,
        "end": chunk.days[-1].next.date,
        "phase_v": PHASE_V,
    }
    for row in connection.execute(_LIMITS, parameters):
        given: tuple[Any, ...] = (row.breaker_kw, row.input_kw, row.day_m3)
        found[:, np.searchsorted(chunk.channels, row.id)] = [np.nan if each is None else each for each in given]
    return Limits(*found)


def read_drift(connection: Connection, chunk: Chunk) -> Floats:
    """Greatest drift of the clock of the meter behind each channel, seconds, by day; NaN where none was reported."""
    drift = np.full(chunk.target.shape, np.nan)
    first = chunk.days[0].date
    parameters = {
        "channels": int_array(chunk.channels),
        "begin": chunk.days[0].start,
        "finish": chunk.days[-1].end,
        "hours": 6 if chunk.commodity is Commodity.GAS else 0,
    }
    for row in connection.execute(_DRIFT, parameters):
        drift[np.searchsorted(chunk.channels, row.channel), (row.day - first).days] = row.drift_ms / 1000
    return drift


INPUTS = (
    Input(HISTORY, read_history),
    Input(EXEMPT, read_exempt),
    Input(LIMITS, read_limits),
    Input(DRIFT, read_drift),
)
