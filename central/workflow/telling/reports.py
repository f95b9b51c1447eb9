"""Reports of local networks that must be told: message 277 of every month from a network's first report on.

A closed report is told, with its version; a month without a closed one is a duty that names what is missing.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from central.market.messages import Subject
from central.platform import audit
from central.platform.errors import DomainError
from central.workflow.reports import keep
from central.workflow.reports.definition import newest
from central.workflow.reports.message import LDS_REPORT, payload_of
from central.workflow.telling.model import Tellable, Window, digest, due, following

WHY: Final = "lds_report"
WHYS: Final = (WHY,)

_MONTHS: Final = text("""
    -- months of a network from its first report on, with the report that stands for each (NULL: there is none)
    WITH network AS (
        SELECT definition, operator, area, min(lower(period)) AS since FROM report
         WHERE definition = ANY (:definitions) AND state <> 'discarded' GROUP BY 1, 2, 3),
    expected AS (
        SELECT n.definition, n.operator, n.area, month::date AS month
          FROM network n
         CROSS JOIN LATERAL generate_series(greatest(n.since, CAST(:first AS date)), CAST(:last AS date), '1 month')
                    AS month
        UNION
        SELECT definition, operator, area, lower(period) FROM report
         WHERE definition = ANY (:definitions) AND state = 'closed')
    SELECT e.definition, e.month, r.id, r.state, r.version, p.code AS operator, p.ean13 AS sender,
           coalesce(a.code, p.ean13, 'operator ' || p.code) AS network
      FROM expected e
      JOIN party p ON p.id = e.operator LEFT JOIN network_area a ON a.id = e.area
      LEFT JOIN report r ON r.definition = e.definition AND r.operator = e.operator
           AND r.area IS NOT DISTINCT FROM e.area AND lower(r.period) = e.month
           AND r.state NOT IN ('replaced', 'discarded')
     ORDER BY e.month, network
""")
_SENT: Final = text("""
    -- closed reports whose message was given to the channel: its basis is the duty's cause, which names the report
    UPDATE report r SET state = 'sent', sent_at = m.sent_at, sent_by = m.made_by
      FROM market_message m
     WHERE r.state = 'closed' AND m.message_code = :code AND m.direction = 'out' AND m.sent_at IS NOT NULL
       AND (m.basis #>> '{cause,report}')::bigint = r.id
    RETURNING r.id, m.id AS message
""")


def find(connection: Connection, window: Window) -> list[Tellable]:
    """A duty for every month of a network that reports, with the record of its closed report.

    Of months before the window only what is closed and not sent yet.
    """
    definitions = [each.definition.code for each in newest() if each.definition.message == LDS_REPORT]
    months = window.closed_months()
    last = months[-1] if months else date(1, 1, 1)
    first = months[0] if months else date(2, 1, 1)
    asked = {"definitions": definitions, "first": first, "last": last}
    return [_tellable(connection, row) for row in connection.execute(_MONTHS, asked).mappings()]


def settle_sent(connection: Connection, at: datetime, person: str) -> int:
    """Closed reports whose message was sent are sent; how many."""
    sent: Sequence[RowMapping] = connection.execute(_SENT, {"code": LDS_REPORT}).mappings().all()
    subjects = {f"report/{row['id']}": {"message": row["message"]} for row in sent}
    audit.record_each(connection, person, "report.send", subjects, at)
    return len(subjects)


def _tellable(connection: Connection, row: RowMapping) -> Tellable:
    month = row["month"]
    payload = problem = None
    if row["id"] is None:
        problem = f"The network {row['network']} has no report {row['definition']} for {month:%Y-%m}: make it."
    elif row["state"] not in ("closed", "sent"):
        problem = f"The report {row['id']} is {row['state']}, not closed."
    else:
        try:
            held = keep.require(connection, row["id"])
        except DomainError as error:  # its definition is not here: a pass stops for nothing that is one report's
            problem = error.message
        else:
            payload = payload_of(held.shipped, held.row, held.cells)
    cause = {"report": row["id"], "version": row["version"], "told": digest(payload)}
    subject = Subject("network", row["network"])
    return Tellable(due(WHY, subject, month, following(month), cause), row["sender"], payload, problem)
