"""The journal's entries of documents and allocations: where the money goes, and that each document balances."""

from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from central.invoicing.payments.journal import Entry, accounts, allocation_entry, document_entries, write_csv
from central.invoicing.payments.pohoda import Document, VatPart, write_pohoda

OF = accounts()["accounts"]
DAY = date(2026, 3, 31)


def document(kind: str, net: str, vat: str) -> Any:
    return SimpleNamespace(
        kind=kind, number="1", tax_date=DAY, issue_date=DAY, net=Decimal(net), vat=Decimal(vat), currency="CZK",
        payer_code="NOVAK", variable_symbol="1",
    )  # fmt: skip


def balance(entries: list[Entry]) -> dict[str, Decimal]:
    """Debit less credit of each account."""
    sums: dict[str, Decimal] = {}
    for entry in entries:
        sums[entry.debit] = sums.get(entry.debit, Decimal(0)) + entry.amount
        sums[entry.credit] = sums.get(entry.credit, Decimal(0)) - entry.amount
    return sums


def test_an_annual_invoice_asks_what_is_left_after_its_advances_and_vat_is_taxed_once() -> None:
    taxed = list(document_entries(document("advance_tax", "826.45", "173.55"), None, OF))
    paid = allocation_entry(
        SimpleNamespace(
            refunded=False, money=True, item_kind="advance", set_off=None, number="9", day=DAY, mark="allocation",
            amount=Decimal("1000.00"), currency="CZK", payer_code="NOVAK",
        ),
        OF,
    )  # fmt: skip
    assert paid is not None
    deducted = SimpleNamespace(vat=Decimal("173.55"), gross=Decimal("1000.00"))
    annual = list(document_entries(document("annual", "2000.00", "420.00"), deducted, OF))
    sums = balance([*taxed, paid, *annual])
    assert sum(sums.values()) == 0
    assert sums[OF["customers"]] == Decimal("1420.00")
    assert sums[OF["vat"]] == Decimal("-420.00")
    assert sums[OF["revenue"]] == Decimal("-2000.00")
    assert sums[OF["advances"]] == sums[OF["advances_vat"]] == 0


@pytest.mark.parametrize(
    ("kind", "accounts_"), [("advance", []), ("cancelling", ["customers"]), ("advance_credit", ["advances_vat"])]
)
def test_what_other_documents_move(kind: str, accounts_: list[str]) -> None:
    entries = list(document_entries(document(kind, "-100.00", "-21.00"), None, OF))
    assert sorted({entry.debit for entry in entries}) == [OF[name] for name in accounts_]
    assert sum((entry.amount for entry in entries), Decimal(0)) in (0, Decimal("-121.00"), Decimal("-21.00"))


def test_texts_that_a_spreadsheet_would_compute_or_cut_are_kept_as_texts() -> None:
    entry = Entry(DAY, "1", "bank", '=1+1;"x"', "221000", "261000", Decimal("-5.00"), "CZK", "")
    assert write_csv([entry]).decode("utf-8-sig").split("\r\n")[1] == (
        '2026-03-31;1;bank;"\'=1+1;""x""";221000;261000;-5,00;CZK;;'
    )


def test_a_document_for_pohoda_has_its_vat_by_the_names_of_rates() -> None:
    parts = [VatPart(Decimal(each), Decimal("100.00"), Decimal(each)) for each in ("21", "12.00", "0")]
    packed = write_pohoda(
        "ROZ1", "12345679",
        [Document("1", "cancelling", DAY, DAY, DAY, "1", "text", "A & B", "Dlouhá 2", "Brno", "602 00", "", "", parts)],
    )  # fmt: skip
    root = etree.fromstring(packed)
    told = {etree.QName(each).localname: each.text for each in root.iter() if not len(each)}
    assert (told["invoiceType"], told["company"]) == ("issuedCorrectiveTax", "A & B")
    assert (told["priceHighVAT"], told["priceLowVAT"], told["priceNone"]) == ("21.00", "12.00", "100.00")
    assert "ico" not in told
