"""What the rules of this package need beside the matrix, one query each a chunk: history, exemptions, limits, drift."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from sqlalchemy import Connection, text

from central.network.outages import outages_of
from central.platform.arrays import int_array
from central.platform.copy_binary import PG_EPOCH_DAYS, unpack_rows
from central.readings.calendar import Ints, number_of, to_ms
from central.readings.rows import copy_out
from central.readings.vee.rule import Bools, Chunk, Floats, Input
from shared.metering_day import days_between
from shared.quantities import Commodity

HISTORY, EXEMPT, LIMITS, DRIFT = "history", "exempt", "limits", "drift"
HISTORY_DAYS = 30
"""Days looked back. The rules that need history are the dearest elsewhere: these read two numbers a day, no values."""
PHASE_V = 230

# A day is known where all of it was delivered, as `Chunk.delivered` has it.
_HISTORY = """
COPY (
    SELECT channel, day, version,
           missing = 0
               AND NOT coalesce(quality && '{3,4}'::smallint[], false)
               AND (method IS NULL
                    OR method <@ '{0,10}'::smallint[] AND NOT coalesce(quality && '{2}'::smallint[], false)),
           coalesce(total, (SELECT coalesce(sum(v), 0) FROM unnest("values") v WHERE v <> -2147483648)),
           coalesce(peak, (SELECT max(v) FROM unnest("values") v))
    FROM day_profile
    WHERE channel = ANY(%s::integer[]) AND day >= %s AND day < %s
) TO STDOUT (FORMAT BINARY)
"""
_HISTORY_TYPES = ("int4", "date", "int4", "bool", "int8", "int4")

_EXEMPT = text("""
    SELECT e.channel, lower(e.days) AS first, upper(e.days) AS stop
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN vee_exemption e ON e.channel = given.id AND e.days && daterange(:first, :end)
""")

# What can flow at most: the breaker's rating, the reserved input (rezervovaný příkon), the gas capacity, by validity.
_LIMITS = text("""
    SELECT c.id, lower(i.valid) AS first, upper(i.valid) AS stop,
           (i.breaker_phases * i.breaker_amps * :phase_v / 1000.0)::float8 AS breaker_kw,
           i.reserved_input_kw::float8 AS input_kw, i.gas_daily_capacity_m3::float8 AS day_m3
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel c ON c.id = given.id
    JOIN contract_item i ON i.supply_point = c.supply_point AND i.valid && daterange(:first, :end)
""")
# What current transformers let through: their rated current at 230 V, or the rated voltage of voltage transformers
# (between phases), in as many phases as they hang in.
_TRANSFORMERS = text("""
    SELECT c.id, t.since, t.until,
           (t.phases * t.amperes * coalesce(t.volts / sqrt(3), :phase_v) / 1000.0)::float8 AS transformer_kw
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel c ON c.id = given.id
    JOIN measuring_point p ON p.name = c.point
    CROSS JOIN LATERAL (
        SELECT lower(i.valid) AS since, upper(i.valid) AS until, max(i.primary_value) AS amperes,
               CASE WHEN bool_or(i.phase = 'all') THEN 3 ELSE count(*) END AS phases,
               (SELECT max(v.primary_value) FROM instrument_transformer v
                WHERE v.measuring_point = p.id AND v.kind = 'MTN' AND v.valid && i.valid) AS volts
        FROM instrument_transformer i
        WHERE i.measuring_point = p.id AND i.kind = 'MTP' AND i.valid && tstzrange(:begin, :finish)
        GROUP BY i.valid
    ) t
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
    """Sums and highest values of the days before the chunk, (channels, `days`); `known` where all of a day was
    delivered."""

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
    """What each channel's point can take at most, (channels, days): power in kW by breaker, reserved input and current
    transformers, gas in m3 a day; NaN where nothing says."""

    breaker_kw: Floats
    input_kw: Floats
    day_m3: Floats
    transformer_kw: Floats


def read_history(connection: Connection, chunk: Chunk) -> History:
    """The newest versions of the HISTORY_DAYS days before the chunk."""
    end = chunk.days[0].date
    first = end - timedelta(days=HISTORY_DAYS)
    history = History.none(len(chunk.channels))
    newest = np.zeros(history.total.shape, np.int64)
    copied = copy_out(connection, _HISTORY, (int_array(chunk.channels), first, end))
    for columns in unpack_rows(copied, _HISTORY_TYPES):
        channels, days, versions, whole, totals, peaks = columns
        assert channels is not None and days is not None and versions is not None
        assert whole is not None and totals is not None and peaks is not None
        order = np.argsort(versions, kind="stable")
        row = np.searchsorted(chunk.channels, channels[order])
        day = days[order].astype(np.int64) + PG_EPOCH_DAYS - number_of(first)
        keep = versions[order] > newest[row, day]
        row, day, order = row[keep], day[keep], order[keep]
        newest[row, day] = versions[order]
        history.total[row, day], history.peak[row, day] = totals[order], peaks[order]
        history.known[row, day] = whole[order]
    return history


def read_exempt(connection: Connection, chunk: Chunk) -> Bools:
    """Days on which a channel may measure nothing, those of the history first: (channels, HISTORY_DAYS + days)."""
    first, end = chunk.days[0].date - timedelta(days=HISTORY_DAYS), chunk.days[-1].next.date
    days = days_between(chunk.commodity, first, end)
    exempt = np.zeros((len(chunk.channels), len(days)), np.bool_)
    for row in connection.execute(_EXEMPT, {"channels": int_array(chunk.channels), "first": first, "end": end}):
        low = max((row.first - first).days, 0) if row.first else 0
        high = (row.stop - first).days if row.stop else len(days)
        exempt[np.searchsorted(chunk.channels, row.channel), low:high] = True
    # Of outages (network) only whole days count: on any other the channel had supply for a while.
    outages = outages_of(connection, chunk.channels.tolist(), days[0].start, days[-1].end)
    starts, ends = np.array([to_ms(day.start) for day in days]), np.array([to_ms(day.end) for day in days])
    whole = (outages.from_ms[:, None] <= starts) & (outages.to_ms[:, None] >= ends)
    np.logical_or.at(exempt, np.searchsorted(chunk.channels, outages.channel), whole)
    return exempt


def read_limits(connection: Connection, chunk: Chunk) -> Limits:
    """From the contract items and the transformers that hold on each day."""
    found = np.full((4, *chunk.target.shape), np.nan)
    first, end = chunk.days[0].date, chunk.days[-1].next.date
    channels = int_array(chunk.channels)
    items = {"channels": channels, "first": first, "end": end, "phase_v": PHASE_V}
    for row in connection.execute(_LIMITS, items):
        days = slice(max((row.first - first).days, 0), (row.stop - first).days if row.stop else None)
        given: tuple[Any, ...] = (row.breaker_kw, row.input_kw, row.day_m3)
        column = np.array([np.nan if each is None else each for each in given])
        into = found[:3, np.searchsorted(chunk.channels, row.id), days]
        np.fmax(into, column[:, None], out=into)  # of several contracts of a point the most lenient
    hung = {"channels": channels, "begin": chunk.days[0].start, "finish": chunk.days[-1].end, "phase_v": PHASE_V}
    for row in connection.execute(_TRANSFORMERS, hung):
        into = found[3, np.searchsorted(chunk.channels, row.id)]
        for place, day in enumerate(chunk.days):
            if (row.since is None or row.since < day.end) and (row.until is None or day.start < row.until):
                into[place] = np.fmax(into[place], row.transformer_kw)  # on the day of a change the higher one
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
