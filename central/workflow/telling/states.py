"""Closed states that must be told: what the registers of points of type C showed, once a settlement that stands on them
is approved. A correction of it makes the next version."""

from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from central.market.messages import Subject
from central.settlement.statements import StatementType
from central.workflow.telling.bill_meters import Days
from central.workflow.telling.changes import changes_of
from central.workflow.telling.model import Tellable, Window, digest, due
from central.workflow.telling.state_records import Borders, message, states_of

WHYS: Final = ("states",)
READ: Final = (
    StatementType.REGULAR,
    StatementType.CORRECTS_REGULAR,
    StatementType.FINAL_SETTLEMENT,
    StatementType.CORRECTS_SETTLEMENT,
)
"""Statements that stand on states that were read; those of the others are estimated or taken back."""
_INPUTS: Final = text("""
    -- settled times of points of type C with what their quantities stand on; of several the one approved last
    SELECT DISTINCT ON (found.point, found.first, found.stop) found.*,
           before.id IS NULL AS begins, after.id IS NULL AS ends
      FROM (
        SELECT i.supply_point AS point, sp.ean, operator.ean13 AS operator, i.readings, i.facts,
               (lower(i.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
               (upper(i.valid) AT TIME ZONE 'Europe/Prague')::date AS stop,
               (r.approved_at AT TIME ZONE 'Europe/Prague')::date AS approved, r.approved_at, i.id
          FROM settlement_input i
          JOIN settlement_run r ON r.id = i.run
          JOIN supply_point_valid sp ON sp.id = i.supply_point
               AND sp.valid @> (upper(i.valid) AT TIME ZONE 'Europe/Prague')::date - 1
          JOIN party operator ON operator.id = sp.operator
         WHERE i.approved AND i.statement_type = ANY (:read) AND sp.commodity = 'electricity'
           AND sp.metering_type LIKE 'C%' AND sp.point_type <> 'entry' AND i.readings <> '[]'
           AND (r.approved_at AT TIME ZONE 'Europe/Prague')::date BETWEEN :first AND :today) found
      LEFT JOIN supply_point_valid before ON before.id = found.point AND before.valid @> found.first - 1
           AND before.state IN ('connected', 'suspended')
      LEFT JOIN supply_point_valid after ON after.id = found.point AND after.valid @> found.stop
           AND after.state IN ('connected', 'suspended')
     ORDER BY found.point, found.first, found.stop, found.approved_at DESC, found.id DESC
""")


def find(connection: Connection, window: Window) -> list[Tellable]:
    """The states that approved settlements of the window's days stand on, one duty a point and settled time."""
    asked = {"first": window.first, "today": window.today, "read": [int(kind) for kind in READ]}
    rows = connection.execute(_INPUTS, asked).mappings().all()
    changes = changes_of(connection, [(row["point"], row["stop"]) for row in rows])
    found = []
    for row in rows:
        days = Days(row["first"], row["stop"] - timedelta(days=1))
        borders = Borders(row["begins"], (row["point"], row["stop"]) in changes, row["ends"])
        states = states_of(row["readings"], row["facts"], days, borders)
        if states:
            found.append(_tellable(row, days.last_day, message(row["ean"], states)))
    return found


def _tellable(row: RowMapping, last_day: date, payload: Any) -> Tellable:
    cause = {"supply_point": row["point"], "told": digest(payload)}
    subject = Subject("supply_point", row["ean"], row["point"])
    # Never a month after the one of the approval: causes are looked for by its day.
    month = min(last_day, row["approved"])
    told = due("states", subject, row["first"], row["stop"], cause, month=month, issued=row["approved"])
    return Tellable(told, row["operator"], payload)
