"""Closed gas days, months and states that the market operator must be told, and what stands in their way.

Type A is told day by day, B month by month for the days on which the point is live and of that type, C by the states
that were read in a month. A cause is the digest of the newest profile versions, or of the states: another one of them
is another cause. A gas day begins at 6:00, so a month's states are those read after its begin until its end.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, text

from shared.metering_day import day_of, next_month
from shared.quantities import Commodity, Flag

CODE: Final = "XGE"
DAY: Final = "gas_day"
MONTH: Final = "gas_month"
STATES: Final = "gas_states"
WHYS: Final = (DAY, MONTH, STATES)
_UNUSABLE: Final = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)


@dataclass(frozen=True, slots=True)
class Closed:
    """Days [first, stop) of a gas point that are over; `lacks` says in a sentence what is missing of their data."""

    why: str
    point: int
    eic: str
    operator: str | None
    first: date
    stop: date
    cause: dict[str, str | None]
    lacks: str | None = None


@dataclass(frozen=True, slots=True)
class GasState:
    """A state that a meter of a point of type C showed, in m3; `kind` is how it was read."""

    point: int
    eic: str
    operator: str | None
    metering_type: str
    channel: int
    meter: str
    register: str
    at: datetime
    state_m3: Decimal
    kind: str


_CLOSED: Final = """
    -- closed days of gas points with the newest versions of their profiles, and what is missing of them
    WITH told AS ({told}),
    series AS (
        SELECT c.supply_point, c.id FROM channel c
         WHERE c.commodity = 'gas' AND c.kind = 'interval' AND c.supply_point IN (SELECT id FROM told)),
    newest AS (
        SELECT DISTINCT ON (p.channel, p.day) series.supply_point, p.channel, p.day, p.version, p.missing
          FROM series JOIN day_profile p ON p.channel = series.id
         WHERE p.day >= :first AND p.day < :stop
         ORDER BY p.channel, p.day, p.version DESC)
    SELECT told.id AS point, told.ean AS eic, operator.ean13 AS operator, told.first, told.stop,
           md5(string_agg(concat_ws(':', newest.channel, newest.day, newest.version), ','
                          ORDER BY newest.channel, newest.day)) AS profiles,
           count(newest.day) AS days, coalesce(sum(newest.missing), 0) AS missing,
           (SELECT count(*) FROM series WHERE series.supply_point = told.id) AS channels
      FROM told JOIN party operator ON operator.id = told.operator
      LEFT JOIN newest ON newest.supply_point = told.id AND newest.day >= told.first AND newest.day < told.stop
     GROUP BY told.id, told.ean, operator.ean13, told.first, told.stop
     ORDER BY told.first, told.ean
"""
_DAILY: Final = text(
    _CLOSED.format(
        told="""
    SELECT sp.id, sp.ean, sp.operator, day::date AS first, day::date + 1 AS stop
      FROM generate_series(CAST(:first AS timestamp), CAST(:stop AS timestamp) - interval '1 day', '1 day') AS day
      JOIN supply_point_valid sp ON sp.valid @> day::date
     WHERE sp.commodity = 'gas' AND sp.metering_type = 'A' AND sp.point_type <> 'entry'
       AND sp.state IN ('connected', 'suspended')
"""
    )
)
_MONTHLY: Final = text(
    _CLOSED.format(
        told="""
    SELECT id, ean, operator, lower(span) AS first, upper(span) AS stop FROM (
        SELECT sp.id, sp.ean, sp.operator, unnest(range_agg(sp.valid * daterange(:first, :stop))) AS span
          FROM supply_point_valid sp
         WHERE sp.commodity = 'gas' AND sp.metering_type = 'B' AND sp.point_type <> 'entry'
           AND sp.valid && daterange(:first, :stop) AND sp.state IN ('connected', 'suspended')
         GROUP BY sp.id, sp.ean, sp.operator) point
"""
    )
)
_STATES: Final = text("""
    -- what the meters of gas points of type C showed: all that people entered, of what came by itself the
    -- last one, within the days of the month on which the point is live and of that type
    WITH live AS (
        SELECT id, max(ean) AS ean, (array_agg(operator ORDER BY lower(valid) DESC NULLS LAST))[1] AS operator,
               (array_agg(metering_type ORDER BY lower(valid) DESC NULLS LAST))[1] AS metering_type,
               range_agg(valid * daterange(:first, :stop)) AS days
          FROM supply_point_valid
         WHERE commodity = 'gas' AND metering_type LIKE 'C%' AND point_type <> 'entry'
           AND valid && daterange(:first, :stop) AND state IN ('connected', 'suspended')
         GROUP BY id),
    registers AS (
        SELECT sp.id AS point, sp.ean AS eic, operator.ean13 AS operator, sp.metering_type, c.id AS channel,
               e.id AS evidence, e.device AS meter, e.register, e.exponent, m.valid,
               (lower(sp.days) + time '06:00') AT TIME ZONE 'Europe/Prague' AS since,
               (upper(sp.days) + time '06:00') AT TIME ZONE 'Europe/Prague' AS until
          FROM live sp
          JOIN party operator ON operator.id = sp.operator
          JOIN channel c ON c.supply_point = sp.id AND c.commodity = 'gas' AND c.kind = 'state' AND c.unit = 'm3'
          JOIN channel_mapping m ON m.channel = c.id
          JOIN evidence_channel e ON e.id = m.evidence_channel AND e.unit = 'm3'
    )
    SELECT point, eic, operator, metering_type, channel, meter, register, at, value, exponent, kind FROM (
        SELECT r.*, s.at, s.value, s.kind
          FROM registers r JOIN meter_state s ON s.evidence_channel = r.evidence AND s.revoked_at IS NULL
           AND s.at > r.since AND s.at <= r.until
        UNION ALL
        SELECT r.*, s.at, s.value, 'remote'
          FROM registers r CROSS JOIN LATERAL (
               SELECT d.at, d.value FROM register_reading d
                WHERE d.evidence_channel = r.evidence AND d.at > r.since AND d.at <= r.until
                  AND d.quality & :unusable = 0
                  AND NOT EXISTS (SELECT FROM batch b WHERE b.id = d.batch_id AND b.revoked_at IS NOT NULL)
                ORDER BY d.at DESC, d.batch_id DESC LIMIT 1) s) shown
     WHERE valid @> at OR at = upper(valid)
     ORDER BY eic, channel, at, meter, register, kind
""")


def gas_today(at: datetime) -> date:
    """The gas day that is not over at an instant: all before it are closed."""
    return day_of(Commodity.GAS, at).date


def find_days(connection: Connection, first: date, stop: date) -> list[Closed]:
    """Of the closed gas days [first, stop) those of points of type A, one by one."""
    if first >= stop:
        return []
    return [_closed(DAY, row) for row in connection.execute(_DAILY, {"first": first, "stop": stop})]


def find_month(connection: Connection, month: date) -> list[Closed]:
    """Of a closed month (its first day) the stretches of type B, and the points of type C with states read in it."""
    stop = next_month(month.year, month.month)
    stretches = [_closed(MONTH, row) for row in connection.execute(_MONTHLY, {"first": month, "stop": stop})]
    return [*stretches, *_of_states(find_states(connection, month), month, stop)]


def find_states(connection: Connection, month: date) -> list[GasState]:
    """What the meters of points of type C showed in a month, by EIC and time."""
    stop = next_month(month.year, month.month)
    asked = {"first": month, "stop": stop, "unusable": _UNUSABLE}
    return [
        GasState(
            row.point, row.eic, row.operator, row.metering_type, row.channel, row.meter, row.register, row.at,
            Decimal(row.value).scaleb(row.exponent), row.kind,
        )
        for row in connection.execute(_STATES, asked)
    ]  # fmt: skip


def _of_states(states: Sequence[GasState], month: date, stop: date) -> Iterable[Closed]:
    for point, shown in groupby(states, key=lambda state: state.point):
        listed = list(shown)
        told = ",".join(
            f"{state.channel}:{state.meter}:{state.register}:{state.at.isoformat()}:{state.state_m3}:{state.kind}"
            for state in listed
        )
        cause: dict[str, str | None] = {"states": hashlib.sha256(told.encode()).hexdigest()[:32]}
        yield Closed(STATES, point, listed[0].eic, listed[0].operator, month, stop, cause)


def _closed(why: str, row: Any) -> Closed:
    absent = row.channels * (row.stop - row.first).days - row.days
    lacks = None
    if row.channels == 0:
        lacks = f"The gas supply point {row.eic} has no channel of interval values: assign its measuring point."
    elif absent or row.missing:
        days = f"on {row.first}" if why == DAY else f"from {row.first} to {row.stop} (exclusive)"
        lacks = f"The values of {row.eic} {days} are not whole: {absent} days and {row.missing} hours are missing."
    return Closed(why, row.point, row.eic, row.operator, row.first, row.stop, {"profiles": row.profiles}, lacks)
