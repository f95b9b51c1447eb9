"""Closed days that must be told: interval data of type A day by day, of type B month by month, corrections as versions.

A duty's cause is the digest of the newest profile versions and of the losses within its days: another version of any of
them makes the duty open again.
"""

from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Connection, text

from central.market.duties.keep import Due
from central.market.duties.rules import deadline_of, rules
from central.market.messages import Subject
from central.workflow.telling.model import Window, due, following

DAY: Final = "day"
MONTH: Final = "month"
WHYS: Final = (DAY, MONTH)

_CAUSES: Final = """
    -- closed days of the points that are told, with the newest versions of their profiles
    WITH told AS ({told}),
    newest AS (
        SELECT c.supply_point, p.channel, p.day, max(p.version) AS version
          FROM day_profile p JOIN channel c ON c.id = p.channel
         WHERE p.day >= :first AND p.day < :end AND c.kind = 'interval' AND c.commodity = 'electricity'
           AND c.supply_point IN (SELECT id FROM told)
         GROUP BY c.supply_point, p.channel, p.day)
    SELECT told.id, told.ean, told.first, told.stop,
           md5(string_agg(concat_ws(':', newest.channel, newest.day, newest.version), ','
                          ORDER BY newest.channel, newest.day)) AS profiles,
           (SELECT array_agg(concat_ws(' ', l.percent, l.valid) ORDER BY l.valid)
              FROM point_condition l WHERE l.supply_point = told.id AND l.kind = 'loss'
               AND l.valid && daterange(told.first, told.stop)) AS losses
      FROM told LEFT JOIN newest ON newest.supply_point = told.id
           AND newest.day >= told.first AND newest.day < told.stop
     GROUP BY told.id, told.ean, told.first, told.stop
     ORDER BY told.first, told.ean
"""
_OF_TYPE_A: Final = """
    SELECT sp.id, sp.ean, day::date AS first, day::date + 1 AS stop
      FROM generate_series(CAST(:first AS timestamp), CAST(:end AS timestamp) - interval '1 day', '1 day') AS day
      JOIN supply_point_valid sp ON sp.valid @> day::date
     WHERE sp.commodity = 'electricity' AND sp.metering_type = 'A' AND sp.state IN ('connected', 'suspended')
"""
_OF_TYPE_B: Final = """
    SELECT id, ean, lower(span) AS first, upper(span) AS stop FROM (
        SELECT sp.id, sp.ean, unnest(range_agg(sp.valid * daterange(:first, :end))) AS span
          FROM supply_point_valid sp
         WHERE sp.commodity = 'electricity' AND sp.metering_type = 'B' AND sp.valid && daterange(:first, :end)
           AND sp.state IN ('connected', 'suspended')
         GROUP BY sp.id, sp.ean) point
"""
_DAILY: Final = text(_CAUSES.format(told=_OF_TYPE_A))
_MONTHLY: Final = text(_CAUSES.format(told=_OF_TYPE_B))
"""The days of the month in which a point is live and of type B: one duty for each unbroken stretch of them."""


def find(connection: Connection, window: Window) -> list[Due]:
    """What must be told of the window's closed days."""
    found: list[Due] = []
    if window.first < window.today:
        period = {"first": window.first, "end": window.today}
        found += [_due(DAY, row) for row in connection.execute(_DAILY, period)]
    for month in window.closed_months():
        period = {"first": month, "end": following(month)}
        found += [_due(MONTH, row) for row in connection.execute(_MONTHLY, period)]
    return found


def _due(why: str, row: Any) -> Due:
    cause: dict[str, Any] = {"profiles": row.profiles}
    if row.losses:
        cause["losses"] = list(row.losses)
    made = due(why, Subject("supply_point", row.ean, row.id), row.first, row.stop, cause)
    if why == DAY:
        return made
    # It cannot be told before the month is over, so that is what its deadline is counted from.
    return replace(made, deadline=deadline_of(rules()[MONTH], made.month, following(made.month)))
