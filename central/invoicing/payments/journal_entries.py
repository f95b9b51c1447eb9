"""Entries of the journal: one balanced entry, or several, for each act that moves money or a receivable. Pure.

The customers' account holds what the open items of documents, fees and penalties hold, at any time; advances asked for
are held beside the balance sheet (podrozvaha) until they are paid, withdrawn or settled. Both together are the open
items, currency by currency. Accounts are data (`accounts.json`, marked assumed): an accountant sets them.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

ZERO: Final = Decimal("0.00")
_NAMES: Final = {"fee": "Poplatek za upomínku", "penalty": "Smluvní pokuta"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the journal: an amount (never 0) from the credit account to the debit account; negative: red."""

    day: date
    document: str
    kind: str
    text: str
    debit: str
    credit: str
    amount: Decimal
    currency: str
    party: str
    symbol: str = ""


@lru_cache(maxsize=1)
def accounts() -> dict[str, Any]:
    """The accounts by what they stand for, as shipped."""
    content: dict[str, Any] = json.loads((Path(__file__).parent / "accounts.json").read_text(encoding="utf-8"))
    return content


def document_entries(row: Any, of: Mapping[str, str]) -> Iterator[Entry]:
    """Entries of one document: customers against revenue and VAT; of a received advance's tax document its VAT.

    `row`: kind, number, tax_date, issue_date, net, vat, currency, payer_code, variable_symbol.
    """
    day = row.tax_date or row.issue_date

    def entry(told: str, debit: str, credit: str, amount: Decimal) -> Iterator[Entry]:
        if amount:
            yield Entry(
                day, row.number, row.kind, told, debit, credit, amount, row.currency, row.payer_code,
                row.variable_symbol,
            )  # fmt: skip

    if row.kind == "advance":
        return
    if row.kind in ("advance_tax", "advance_credit"):
        yield from entry("DPH z přijaté zálohy", of["advances_vat"], of["vat"], row.vat)
        return
    yield from entry("Základ", of["customers"], of["revenue"], row.net)
    yield from entry("DPH", of["customers"], of["vat"], row.vat)


def deduction_entries(row: Any, of: Mapping[str, str]) -> Iterator[Entry]:
    """A received advance is taken off a document, or (a negative `amount`) given back by the one that cancels it.

    `row`: mark, day, number, gross, vat, currency, payer_code, variable_symbol.
    """
    given_back = row.mark == "deduction_undone"
    sign = -1 if given_back else 1
    for told, debit, credit, amount in (
        ("zálohy", of["advances"], of["customers"], row.gross * sign),
        ("DPH zálohy", of["advances_vat"], of["vat"], -row.vat * sign),
    ):
        if amount:
            text = f"{'Vrácení odpočtu' if given_back else 'Odpočet'} {told}"
            yield Entry(
                row.day, row.number, row.mark, text, debit, credit, amount, row.currency, row.payer_code,
                row.variable_symbol,
            )  # fmt: skip


def item_entry(row: Any, of: Mapping[str, str]) -> Entry:
    """What is asked for without a document of its own: a fee, a penalty, an advance.

    `row`: kind, number, issued_on, amount, currency, payer_code, variable_symbol.
    """
    if row.kind == "advance":
        debit, credit, told = of["advances_asked"], of["advances_asked_against"], "Předpis zálohy"
    else:
        debit, credit, told = of["customers"], of[row.kind], _NAMES[row.kind]
    return Entry(
        row.issued_on, row.number, row.kind, told, debit, credit, row.amount, row.currency, row.payer_code,
        row.variable_symbol,
    )  # fmt: skip


def movement_entry(row: Any, of: Mapping[str, str]) -> Entry:
    """A movement of the bank: money in transit until it is known what it pays."""
    debit, credit = (of["bank"], of["payments"]) if row.amount > 0 else (of["payments"], of["bank"])
    return Entry(
        row.booked_on, f"VYP{row.id}", "bank", row.counter_name or "Bankovní pohyb", debit, credit, abs(row.amount),
        row.currency, "", row.variable_symbol or "",
    )  # fmt: skip


def allocation_entry(row: Any, of: Mapping[str, str]) -> Entry | None:
    """What an allocation moves: money in transit to customers or advances; a set-off stays on one account."""
    if row.refunded:
        if row.money:
            return None  # the money in transit goes out as it came in
        debit, credit, told = of["customers"], of["payments"], "Vratka dobropisu"
    elif row.money:
        target = of["advances"] if row.item_kind == "advance" else of["customers"]
        debit, credit, told = of["payments"], target, "Zápočet přeplatku" if row.set_off else "Úhrada"
    else:
        target = of["advances"] if row.item_kind == "advance" else of["customers"]
        debit, credit = of["customers"], target
        told = "Zápočet" if row.set_off else "Oprava původního dokladu"
    document = row.set_off or row.number
    return Entry(row.day, document, row.mark, told, debit, credit, row.amount, row.currency, row.payer_code)


def asked_entry(row: Any, of: Mapping[str, str]) -> Entry:
    """What was paid of an advance is no longer asked for (of a release: it is asked for again)."""
    return Entry(
        row.day, row.number, row.mark, "Úhrada předepsané zálohy", of["advances_asked_against"], of["advances_asked"],
        row.amount, row.currency, row.payer_code,
    )  # fmt: skip


def closing_entry(row: Any, of: Mapping[str, str]) -> Entry:
    """What is no longer asked for: written off; of a credit that is not claimed, a gain; an advance is withdrawn.

    `row`: day, number, item_kind, amount (of what is closed, more than 0), currency, payer_code, reason.
    """
    if row.item_kind == "advance":
        debit, credit, told = of["advances_asked_against"], of["advances_asked"], "Zrušení předpisu zálohy"
    elif row.item_kind == "credit":
        debit, credit, told = of["customers"], of["unclaimed"], "Odpis závazku"
    else:
        debit, credit, told = of["write_offs"], of["customers"], "Odpis pohledávky"
    text = f"{told}: {row.reason}"[:200]
    return Entry(row.day, row.number, "closing", text, debit, credit, row.amount, row.currency, row.payer_code)


def accrual_entry(row: Any, of: Mapping[str, str]) -> Entry | None:
    """An accrual basis (dohadná položka), or what cancels one."""
    if not row.amount:
        return None
    return Entry(
        row.day, f"DOH{row.id}", "accrual", row.name, of["accruals"], of["revenue"], row.amount, "CZK", row.payer_code
    )


def sums(entries: Iterable[Entry]) -> dict[str, dict[str, Decimal]]:
    """By currency: the balance (debit less credit) of each account. They sum to 0."""
    found: dict[str, dict[str, Decimal]] = {}
    for entry in entries:
        by_account = found.setdefault(entry.currency, {})
        by_account[entry.debit] = by_account.get(entry.debit, ZERO) + entry.amount
        by_account[entry.credit] = by_account.get(entry.credit, ZERO) - entry.amount
    return found


def turnovers(entries: Iterable[Entry]) -> dict[str, Decimal]:
    """By currency: the sum of the entries, which is both the debit and the credit turnover."""
    found: dict[str, Decimal] = {}
    for entry in entries:
        found[entry.currency] = found.get(entry.currency, ZERO) + entry.amount
    return found
