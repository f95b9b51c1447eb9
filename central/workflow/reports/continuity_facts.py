"""Reads outages with the customers that they hit, and how many customers there are."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, text

from central.workflow.reports.cells import Found, Key
from central.workflow.reports.continuity import Interruption, indicators
from central.workflow.reports.scope import Scope

_CUSTOMERS: Final = text("""
    -- consumption points connected on the first day, by level
    SELECT voltage_level AS level, count(*) AS customers FROM supply_point_valid
     WHERE commodity = 'electricity' AND point_type = 'consumption' AND state = 'connected' AND valid @> :first
       AND operator = :operator AND (CAST(:area AS bigint) IS NULL OR area = :area)
     GROUP BY voltage_level
""")
_INTERRUPTIONS: Final = text("""
    -- outages that began in the period, with the customers of each level that they hit
    SELECT o.id AS outage, o.planned, sp.voltage_level AS level, count(DISTINCT sp.id) AS customers,
           extract(epoch FROM upper(o.valid) - lower(o.valid)) AS seconds
      FROM outage o
      JOIN outage_point h ON h.outage = o.id
      JOIN measuring_point p ON p.id = h.measuring_point
      JOIN channel c ON c.point = p.name
      JOIN supply_point_valid sp
        ON sp.id = c.supply_point AND sp.valid @> (lower(o.valid) AT TIME ZONE 'Europe/Prague')::date
     WHERE o.cancelled_at IS NULL AND lower(o.valid) >= :begin AND lower(o.valid) < :finish
       AND sp.commodity = 'electricity' AND sp.point_type = 'consumption' AND sp.state = 'connected'
       AND sp.operator = :operator AND (CAST(:area AS bigint) IS NULL OR sp.area = :area)
     GROUP BY o.id, sp.voltage_level ORDER BY o.id
""")


def find(connection: Connection, scope: Scope, settings: Mapping[str, Any]) -> dict[Key, Found]:
    """What `indicators` makes of the network's outages; `settings` has `longer_than_minutes`."""
    asked = {
        "first": scope.first,
        "operator": scope.operator,
        "area": scope.area,
        "begin": scope.begin,
        "finish": scope.finish,
    }
    customers = {row.level: row.customers for row in connection.execute(_CUSTOMERS, asked)}
    hits = [Interruption(**row) for row in connection.execute(_INTERRUPTIONS, asked).mappings()]
    return indicators(hits, customers, Decimal(settings["longer_than_minutes"]))
