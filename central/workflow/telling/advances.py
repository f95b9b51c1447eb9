"""Advances that must be told: under combined services the supplier is asked for them, point by point (127)."""

from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection, RowMapping, text

from central.market.duties.rules import rules
from central.market.messages import Subject
from central.market.payloads.distribution_invoice import DistributionInvoices
from central.workflow.telling.advance_records import AdvancePart, advance_invoice, lacking
from central.workflow.telling.model import IS_KNOWN, Tellable, Window, digest, due

WHYS: Final = ("advance",)
_PARTS_SQL: Final = """
    -- parts of advances of distribution that were sent in a time, of framework contracts; of cancelled ones those that
    -- were told
    SELECT a.id AS advance, a.number, a.issued_on AS issued, a.due, lower(a.period) AS first, upper(a.period) AS stop,
           a.vat_percent, p.amount, r.variable_symbol, seller.ean13 AS issuer, payer.ean13 AS recipient,
           sp.id AS point, sp.ean, a.state = 'cancelled' AS cancelled
      FROM advance a
      JOIN advance_part p ON p.advance = a.id
      JOIN supply_point sp ON sp.id = p.supply_point
      JOIN contract k ON k.id = a.contract
      JOIN party seller ON seller.id = a.seller
      JOIN party payer ON payer.id = a.payer
      JOIN receivable r ON r.advance = a.id
     WHERE a.issued_on BETWEEN :first AND :today AND k.kind = 'framework'
       AND sp.commodity = 'electricity' AND p.amount > 0
       AND (a.state <> 'cancelled' OR EXISTS (
            SELECT FROM market_message message
             WHERE message.message_code = '127' AND message.subject_kind = 'document'
               AND message.subject = a.number || '/' || sp.ean AND {is_known}))
     ORDER BY a.id, sp.ean
"""
_PARTS: Final = text(_PARTS_SQL.format(is_known=IS_KNOWN))


def find(connection: Connection, window: Window) -> list[Tellable]:
    """The advances that were sent in the window, one duty a point.

    One that was cancelled after it was told is taken back by the next version of what told it.
    """
    to_production = window.is_production(rules()[WHYS[0]].code)
    asked = {"first": window.first, "today": window.today, "to_production": to_production}
    return [_tellable(row) for row in connection.execute(_PARTS, asked).mappings()]


def is_taken_back(document: Tellable) -> bool:
    """Whether it is an advance that was cancelled after it was told."""
    if document.due.why not in WHYS or not isinstance(document.payload, DistributionInvoices):
        return False
    return any(each.corrects is not None for each in document.payload.invoices)


def _tellable(row: RowMapping) -> Tellable:
    part = AdvancePart(
        **{
            name: row[name]
            for name in (
                "ean", "number", "issued", "due", "vat_percent", "amount", "variable_symbol", "issuer", "recipient",
                "cancelled",
            )
        },
        first_day=row["first"],
        last_day=row["stop"] - timedelta(days=1),
    )  # fmt: skip
    problem = lacking(part)
    payload = None if problem else advance_invoice(part)
    subject = Subject("document", f"{part.number}/{part.ean}", row["point"])
    cause = {"advance": row["advance"], "supply_point": row["point"], "told": digest(payload)}
    # Never a month after the one of issue: causes are looked for by the day of issue.
    month: date = min(part.last_day, part.issued)
    told = due("advance", subject, part.first_day, row["stop"], cause, month=month, issued=part.issued)
    return Tellable(told, part.issuer, payload, problem)
