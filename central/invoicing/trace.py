"""From an invoice line to the meter: basis, run with its pinned inputs, price, profiles or states, blocks, batches."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from central.platform.errors import NotFound
from central.readings.sharing.allocated import trace_shared
from central.readings.trace import trace_entry, trace_profile, trace_state
from central.settlement.late import newest_versions
from shared.metering_day import PRAGUE

LINE = text("""
    -- the line with its document, its basis (none behind information), and the input and run that tell it
    SELECT i.id, i.number, i.kind, i.reason, r.id AS run, i.issue_date, l.line_no, l.basis, l.rate, l.name,
           l.quantity, l.unit, l.unit_price, l.price_unit, l.amount, l.information, sp.ean, b.component,
           b.measurements, b.why, b.state AS basis_state,
           b.original, b.reason AS basis_reason,
           b.statement_type, lower(b.valid) AS basis_from, upper(b.valid) AS basis_to,
           r.number AS run_number, lower(r.period) AS period_from, upper(r.period) AS period_to,
           r.state AS run_state, r.digest AS run_digest, r.packages, r.made_at,
           r.made_by, r.approved_at, r.approved_by,
           si.package, si.facts, si.digest AS facts_digest, si.quantities, si.profiles, si.information AS informed,
           si.findings
      FROM invoice i
      JOIN invoice_line l ON l.invoice = i.id
      LEFT JOIN supply_point sp ON sp.id = l.supply_point
      LEFT JOIN billing_basis b ON b.id = l.basis
      LEFT JOIN settlement_input si ON si.id = coalesce(l.input, b.input)
      LEFT JOIN settlement_run r ON r.id = si.run
     WHERE i.number = :number AND l.line_no = :line
""")


RELATED = text("""
    -- the basis that a basis takes back or corrects, and those that take it back or correct it, with their documents
    SELECT b.id = CAST(:original AS bigint) AS is_original, b.id AS basis, b.statement_type, b.state, b.amount,
           b.reason, i.number AS invoice, l.line_no AS line
      FROM billing_basis b
      LEFT JOIN invoice_line l ON l.basis = b.id
      LEFT JOIN invoice i ON i.id = l.invoice
     WHERE b.id = CAST(:original AS bigint) OR b.original = :basis
     ORDER BY b.id
""")

DOCUMENTS = text("""
    -- the document that this one is about, and those that are about it
    SELECT i.id = mine.original AS is_original, i.number, i.kind, i.state, i.issue_date, i.gross, i.reason
      FROM invoice mine JOIN invoice i ON i.id = mine.original OR i.original = mine.id
     WHERE mine.id = :invoice
     ORDER BY i.id
""")

DEDUCTED = text("""
    -- what the document deducts: the advance, its tax document, and the payment that it was received by
    SELECT a.number AS advance, doc.number AS document, d.received_on, d.payment, d.vat_percent, t.amount AS gross,
           t.vat, t.undone_at
      FROM advance_deduction t
      JOIN advance_deposit d ON d.id = t.deposit
      JOIN advance a ON a.id = d.advance
      LEFT JOIN advance_document doc ON doc.id = d.document
     WHERE t.invoice = :invoice
     ORDER BY t.id
""")


PART_OF_A_MONTH = {
    "cs": "Zaokrouhleno v tomto vyúčtování samo o sobě (množství × cena na haléře); části měsíce vyúčtované zvlášť se "
    "proto mohou od vyúčtování celého měsíce lišit, nejvýše o 0,01 za každé další vyúčtování.",
    "en": "Rounded in this statement by itself (quantity × price to 0.01); parts of a month that are billed separately "
    "may therefore differ from a bill of the whole month, by 0.01 for each further statement at most.",
}
"""Why it cannot be otherwise: docs/decisions/settlement-parts.md."""


def related_documents(connection: Connection, invoice: int) -> dict[str, Any]:
    """What a document is about, what is about it, and the advances that it deducts with their payments."""
    documents = [dict(row) for row in connection.execute(DOCUMENTS, {"invoice": invoice}).mappings()]
    originals = [row for row in documents if row.pop("is_original")]
    return {
        "original": originals[0] if originals else None,
        "followed_by": [row for row in documents if row not in originals],
        "deductions": [dict(row) for row in connection.execute(DEDUCTED, {"invoice": invoice}).mappings()],
    }


def trace_line(connection: Connection, number: str, line: int, day: date | None = None) -> dict[str, Any]:
    """The whole way of one line. `day` limits profiles to one metering day; NotFound where there is no such line.

    Profiles are traced in the version that was billed; `newest_version` beside it says whether a later one exists.
    """
    row = connection.execute(LINE, {"number": number, "line": line}).mappings().one_or_none()
    if row is None:
        raise NotFound("line_not_found", f"Invoice {number} has no line {line}, or there is no such invoice.")
    pinned = {entry["channel"]: entry for entry in row["profiles"] or []}
    return {
        "invoice": {
            "number": row["number"],
            "issue_date": row["issue_date"],
            "kind": row["kind"],
            "reason": row["reason"],
            **related_documents(connection, row["id"]),
        },
        "line": {
            name: row[name]
            for name in ("line_no", "ean", "rate", "name", "quantity", "unit", "unit_price", "price_unit", "amount")
        },
        "basis": _basis(row),
        "related": _related(connection, row),
        "why": _why(row),
        "run": None
        if row["run"] is None
        else {
            "id": row["run"],
            "number": row["run_number"],
            "from": row["period_from"],
            "to": row["period_to"],
            "state": row["run_state"],
            "digest": row["run_digest"],
            "made_at": row["made_at"],
            "made_by": row["made_by"],
            "approved_at": row["approved_at"],
            "approved_by": row["approved_by"],
        },
        "inputs": {
            "registry": {"digest": row["facts_digest"], "facts": row["facts"]},
            "package": next(
                (entry for entry in row["packages"] or [] if f"{entry['name']} {entry['version']}" == row["package"]),
                None,
            ),
            "quantities": row["quantities"],
            "findings": row["findings"],
        },
        "measurements": [_measurement(connection, source, pinned, day) for source in row["measurements"] or []],
    }


def _basis(row: RowMapping) -> dict[str, Any] | None:
    if row["basis"] is None:
        return None
    return {
        "id": row["basis"],
        "component": row["component"],
        "state": row["basis_state"],
        "statement_type": row["statement_type"],
        "from": row["basis_from"],
        "to": row["basis_to"],
        "reason": row["basis_reason"],
        "rounding": PART_OF_A_MONTH if is_part_of_a_month(row["basis_from"], row["basis_to"]) else None,
    }


def is_part_of_a_month(start: datetime, end: datetime) -> bool:
    """Whether a line bills from or until a day within a month."""
    return any(each.astimezone(PRAGUE).day != 1 for each in (start, end))


def _related(connection: Connection, row: RowMapping) -> dict[str, Any] | None:
    """The original of the line's basis with its document, and what took the basis back or corrected it."""
    if row["basis"] is None:
        return None
    found = [
        dict(each)
        for each in connection.execute(RELATED, {"basis": row["basis"], "original": row["original"]}).mappings()
    ]
    originals = [each for each in found if each.pop("is_original")]
    return {
        "original": originals[0] if originals else None,
        "followed_by": [each for each in found if each not in originals],
    }


def _why(row: RowMapping) -> Mapping[str, Any]:
    """How the number came about: formula, price and its decision; of information, the sentence kept with the input."""
    if row["why"] is not None:
        why: Mapping[str, Any] = row["why"]
        return why
    return next((_informed(entry) for entry in row["informed"] or [] if entry["rate"] == row["rate"]), {})


def _informed(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"text": entry["why"], "mark": entry.get("mark"), "assumptions": entry.get("assumptions", [])}


def _measurement(
    connection: Connection, source: Mapping[str, Any], pinned: Mapping[int, Mapping[str, Any]], day: date | None
) -> dict[str, Any]:
    if source["kind"] == "profile":
        channel = source["channel"]
        told = versions_of(source, pinned.get(channel))
        wanted = {at: version for at, version in told.items() if day is None or at == day}
        newest = newest_versions(connection, channel, wanted)
        days = [
            {**trace_profile(connection, channel, at, version), "newest_version": newest.get(at, version)}
            for at, version in wanted.items()
        ]
        return {**source, "days": days}
    if source["kind"] == "sharing":
        shared = trace_shared(connection, source["supply_point"], source["group"], source["allocations"], day)
        return {**source, "days": shared}
    periods = [
        {
            **period,
            "from": {**period["from"], "trace": _state(connection, period["from"])},
            "to": {**period["to"], "trace": _state(connection, period["to"])},
        }
        for period in source.get("periods", ())
    ]
    return {**source, "periods": periods}


def versions_of(source: Mapping[str, Any], pinned: Mapping[str, Any] | None) -> dict[date, int]:
    """The version of each metering day that a measurement stands on.

    What counts a service tells its versions itself (from its `first` day, or the day of its instant `from`); of the
    point's own channels the input has `pinned` them. Empty where neither does.
    """
    if "versions" in source:
        began = source.get("first")
        first = (
            datetime.fromisoformat(source["from"]).astimezone(PRAGUE).date()
            if began is None
            else date.fromisoformat(began)
        )
        versions = source["versions"]
    elif pinned is not None:
        first, versions = date.fromisoformat(pinned["first"]), pinned["versions"]
    else:
        return {}
    return {first + timedelta(days=place): version for place, version in enumerate(versions)}


def _state(connection: Connection, state: Mapping[str, Any]) -> dict[str, Any]:
    """A remote state to its batch, an entered one to who entered it, one that nobody read to both beside it."""
    if "split" in state:
        return {"split": [_state(connection, side) for side in state["split"]["between"]]}
    if state.get("entry") is not None:
        return trace_entry(connection, state["entry"])
    return trace_state(connection, state["evidence_channel"], datetime.fromisoformat(state["at"]), state["batch"])
