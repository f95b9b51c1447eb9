"""Reads points and billing bases of distribution by rate."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from central.workflow.reports.cells import Found, Key
from central.workflow.reports.scope import Scope
from central.workflow.reports.tariffs import Billed, statistics

_POINTS: Final = text("""
    -- consumption points connected on the last day by the rate of their contract, those above low voltage by level
    SELECT CASE sp.voltage_level WHEN 'NN' THEN item.rate ELSE sp.voltage_level END AS rate, count(*) AS points
      FROM supply_point_valid sp
      LEFT JOIN LATERAL (
          SELECT i.rate FROM contract_item i
           WHERE i.supply_point = sp.id AND i.valid @> :last AND i.kind IN ('distribution', 'framework', 'combined')
           ORDER BY i.id DESC LIMIT 1) item ON true
     WHERE sp.commodity = 'electricity' AND sp.point_type = 'consumption' AND sp.state = 'connected'
       AND sp.valid @> :last AND sp.operator = :operator AND (CAST(:area AS bigint) IS NULL OR sp.area = :area)
     GROUP BY 1
""")
_BILLED: Final = text("""
    -- distribution billed for days that end in the period; accruals are guesses that are taken back
    SELECT CASE sp.voltage_level WHEN 'NN' THEN i.rate ELSE sp.voltage_level END AS rate, b.component,
           coalesce(sum(b.quantity) FILTER (WHERE b.state <> 'new'), 0) AS quantity,
           coalesce(sum(b.amount) FILTER (WHERE b.state <> 'new'), 0) AS amount,
           count(*) FILTER (WHERE b.state <> 'new') AS lines, count(*) FILTER (WHERE b.state = 'new') AS waiting
      FROM billing_basis b
      JOIN contract_item i ON i.id = b.contract_item
      JOIN supply_point_valid sp
        ON sp.id = b.supply_point AND sp.valid @> (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date
     WHERE b.service = 'distribution' AND b.state <> 'cancelled' AND b.statement_type NOT IN (4, 11, 16)
       AND upper(b.valid) > :begin AND upper(b.valid) <= :finish AND sp.commodity = 'electricity'
       AND sp.operator = :operator AND (CAST(:area AS bigint) IS NULL OR sp.area = :area)
     GROUP BY 1, 2 ORDER BY 1, 2
""")


def find(connection: Connection, scope: Scope, settings: Mapping[str, Any]) -> dict[Key, Found]:
    """What `statistics` makes of the network; `settings` has the `rates` with a row, and `components` by column."""
    asked = {
        "last": scope.end - timedelta(days=1),
        "operator": scope.operator,
        "area": scope.area,
        "begin": scope.begin,
        "finish": scope.finish,
    }
    points = {row.rate: row.points for row in connection.execute(_POINTS, asked)}
    billed = [Billed(**row) for row in connection.execute(_BILLED, asked).mappings()]
    return statistics(points, billed, settings["components"], settings["rates"])
