"""Which bills must be told: of every document of distribution the billing data (DUF) of each of its points, and under
combined services, where the supplier pays for its customers, the electronic invoice."""

from collections import defaultdict
from dataclasses import replace
from datetime import date
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from central.market.messages import Subject
from central.workflow.telling.bill_meters import Days, meters_of
from central.workflow.telling.bill_records import Agreed, Bill, BillLine, billing_data, invoice, without_code
from central.workflow.telling.changes import changes_of
from central.workflow.telling.model import Tellable, Window, due

WHYS: Final = ("bill", "invoice")
_LINES: Final = text("""
    -- lines of distribution of electricity on the documents of a time, point by point
    SELECT i.id AS document, i.number, i.kind, original.number AS original, i.issue_date AS issued,
           i.tax_date AS tax_point, i.due_date AS due, i.variable_symbol, issuer.ean13 AS issuer,
           recipient.ean13 AS recipient, k.kind = 'framework' AS combined, sp.id AS point, sp.ean, b.contract_item,
           b.input,
           b.rate, l.name, l.quantity, l.unit, l.unit_price, l.price_unit, l.amount AS net, l.vat_percent,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS stop
      FROM invoice i
      JOIN invoice_line l ON l.invoice = i.id
      JOIN billing_basis b ON b.id = l.basis
      JOIN supply_point sp ON sp.id = l.supply_point
      JOIN contract k ON k.id = b.contract
      JOIN party issuer ON issuer.id = i.supplier
      JOIN party recipient ON recipient.id = i.payer
      LEFT JOIN invoice original ON original.id = i.original
     WHERE i.issue_date BETWEEN :first AND :today AND b.service = 'distribution' AND sp.commodity = 'electricity'
     ORDER BY i.id, sp.ean, l.line_no
""")
_AGREED: Final = text("""
    SELECT id, rate, breaker_phases, breaker_amps, lower(valid) AS first, upper(valid) AS stop
      FROM contract_item WHERE id = ANY (:items)
""")
_INPUTS: Final = text("SELECT id, facts, readings FROM settlement_input WHERE id = ANY (:inputs)")


def find(connection: Connection, window: Window) -> list[Tellable]:
    """The bills that were issued in the window, with their records; cancellings and corrections are bills, too."""
    grouped: defaultdict[tuple[int, int], list[RowMapping]] = defaultdict(list)
    for row in connection.execute(_LINES, {"first": window.first, "today": window.today}).mappings():
        grouped[row["document"], row["point"]].append(row)
    items = sorted({row["contract_item"] for rows in grouped.values() for row in rows})
    agreed = {row["id"]: row for row in connection.execute(_AGREED, {"items": items}).mappings()}
    stops = {key: max(row["stop"] for row in rows) for key, rows in grouped.items()}
    changes = changes_of(connection, [(point, stop) for (_, point), stop in stops.items()])
    used = sorted({number for rows in grouped.values() for number in _inputs(rows)})
    pinned = {row["id"]: row for row in connection.execute(_INPUTS, {"inputs": used}).mappings()}
    found = []
    for key, rows in grouped.items():
        head, bill = rows[0], _bill(rows, agreed)
        days, changed = Days(bill.first_day, bill.last_day), (key[1], stops[key]) in changes
        read = [pinned[number] for number in _inputs(rows)]
        meters = [each for row in read for each in meters_of(row["readings"], row["facts"], days, changed=changed)]
        bill = replace(bill, meters=meters)
        found.append(_tellable("bill", head, bill, billing_data(bill), None))
        if head["combined"]:
            problem = without_code(bill)
            found.append(_tellable("invoice", head, bill, None if problem else invoice(bill), problem))
    return found


def _inputs(rows: list[RowMapping]) -> list[int]:
    """The inputs of what is billed; of a correction not those of what it takes back."""
    return sorted({row["input"] for row in rows if row["input"] is not None and row["quantity"] > 0})


def _tellable(why: str, head: RowMapping, bill: Bill, payload: Any, problem: str | None) -> Tellable:
    end_day = date.fromordinal(bill.last_day.toordinal() + 1)
    subject = Subject("document", f"{bill.number}/{bill.ean}", head["point"])
    cause = {"invoice": head["document"], "supply_point": head["point"]}
    # Never a month after the one of issue: causes are looked for by the day of issue.
    month = min(bill.last_day, bill.issued)
    told = due(why, subject, bill.first_day, end_day, cause, month=month, issued=bill.issued)
    return Tellable(told, bill.issuer, payload, problem)


def _bill(rows: list[RowMapping], agreed: dict[int, RowMapping]) -> Bill:
    head = rows[0]
    first_day = min(row["first"] for row in rows)
    stop = max(row["stop"] for row in rows)
    items = [agreed[number] for number in sorted({row["contract_item"] for row in rows})]
    return Bill(
        **{
            name: head[name]
            for name in (
                "ean", "number", "kind", "original", "issued", "tax_point", "due", "variable_symbol", "issuer",
                "recipient",
            )
        },
        first_day=first_day,
        last_day=date.fromordinal(stop.toordinal() - 1),
        lines=[BillLine(**{name: row[name] for name in BillLine.__dataclass_fields__}) for row in rows],
        agreed=[_agreed(item, first_day, stop) for item in items if _overlaps(item, first_day, stop)],
    )  # fmt: skip


def _overlaps(item: RowMapping, first: date, stop: date) -> bool:
    return (item["first"] is None or item["first"] < stop) and (item["stop"] is None or item["stop"] > first)


def _agreed(item: RowMapping, first: date, stop: date) -> Agreed:
    last = min(item["stop"] or stop, stop)
    return Agreed(
        max(item["first"] or first, first),
        date.fromordinal(last.toordinal() - 1),
        item["rate"],
        item["breaker_phases"],
        item["breaker_amps"],
    )
