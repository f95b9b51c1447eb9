"""The journal's entries of documents and allocations: where the money goes, and that each document balances."""

import random
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from lxml import etree

from central.invoicing.kinds import kinds, tax_point_rule
from central.invoicing.payments.journal import write_csv
from central.invoicing.payments.journal_entries import (
    Entry,
    accounts,
    allocation_entry,
    closing_entry,
    deduction_entries,
    document_entries,
    sums,
)
from central.invoicing.payments.pohoda import KINDS, Document, VatPart, vat_left, write_pohoda

OF = accounts()["accounts"]
DAY = date(2026, 3, 31)


def document(kind: str, net: str, vat: str) -> Any:
    return SimpleNamespace(
        kind=kind, number="1", tax_date=DAY, issue_date=DAY, net=Decimal(net), vat=Decimal(vat), currency="CZK",
        payer_code="NOVAK", variable_symbol="1",
    )  # fmt: skip


def deduction(mark: str, gross: str, vat: str) -> Any:
    return SimpleNamespace(
        mark=mark, day=DAY, number="1", gross=Decimal(gross), vat=Decimal(vat), currency="CZK", payer_code="NOVAK",
        variable_symbol="1",
    )  # fmt: skip


def test_an_annual_invoice_asks_what_is_left_after_its_advances_and_vat_is_taxed_once() -> None:
    taxed = list(document_entries(document("advance_tax", "826.45", "173.55"), OF))
    paid = allocation_entry(
        SimpleNamespace(
            refunded=False, money=True, item_kind="advance", set_off=None, number="9", day=DAY, mark="allocation",
            amount=Decimal("1000.00"), currency="CZK", payer_code="NOVAK",
        ),
        OF,
    )  # fmt: skip
    assert paid is not None
    deducted = list(deduction_entries(deduction("deduction", "1000.00", "173.55"), OF))
    annual = list(document_entries(document("annual", "2000.00", "420.00"), OF))
    found = sums([*taxed, paid, *annual, *deducted])["CZK"]
    assert sum(found.values()) == 0
    assert found[OF["customers"]] == Decimal("1420.00")
    assert found[OF["vat"]] == Decimal("-420.00")
    assert found[OF["revenue"]] == Decimal("-2000.00")
    assert found[OF["advances"]] == found[OF["advances_vat"]] == 0
    # What a cancelled document deducted is received and taxed again, and nothing is left of the document.
    undone = list(deduction_entries(deduction("deduction_undone", "1000.00", "173.55"), OF))
    cancelled = list(document_entries(document("cancelling", "-2000.00", "-420.00"), OF))
    after = sums([*taxed, paid, *annual, *deducted, *undone, *cancelled])["CZK"]
    assert after[OF["customers"]] == after[OF["revenue"]] == 0
    assert (after[OF["advances"]], after[OF["advances_vat"]]) == (Decimal("-1000.00"), Decimal("173.55"))


@pytest.mark.parametrize(
    ("kind", "debit", "credit"),
    [("invoice", "write_offs", "customers"), ("penalty", "write_offs", "customers"),
     ("credit", "customers", "unclaimed"),
     ("advance", "advances_asked_against", "advances_asked")],
)  # fmt: skip
def test_what_is_closed_leaves_the_account_that_holds_it(kind: str, debit: str, credit: str) -> None:
    row = SimpleNamespace(
        day=DAY, number="1", item_kind=kind, amount=Decimal("5.00"), currency="EUR", payer_code="NOVAK", reason="x"
    )
    entry = closing_entry(row, OF)
    assert (entry.debit, entry.credit, entry.amount, entry.currency) == (OF[debit], OF[credit], Decimal("5.00"), "EUR")


@pytest.mark.parametrize(
    ("kind", "accounts_"), [("advance", []), ("cancelling", ["customers"]), ("advance_credit", ["advances_vat"])]
)
def test_what_other_documents_move(kind: str, accounts_: list[str]) -> None:
    entries = list(document_entries(document(kind, "-100.00", "-21.00"), OF))
    assert sorted({entry.debit for entry in entries}) == [OF[name] for name in accounts_]
    assert sum((entry.amount for entry in entries), Decimal(0)) in (0, Decimal("-121.00"), Decimal("-21.00"))


def test_texts_that_a_spreadsheet_would_compute_or_cut_are_kept_as_texts() -> None:
    entry = Entry(DAY, "1", "bank", '=1+1;"x"', "221000", "261000", Decimal("-5.00"), "CZK", "")
    assert write_csv([entry]).decode("utf-8-sig").split("\r\n")[1] == (
        '2026-03-31;1;bank;"\'=1+1;""x""";221000;261000;-5,00;CZK;;'
    )


def test_every_kind_of_tax_document_has_its_type_in_pohoda() -> None:
    assert set(KINDS) == {kind for kind in kinds() if tax_point_rule(kind, DAY).day != "none"}
    assert {kind for kind, type_ in KINDS.items() if type_ == "issuedCorrectiveTax"} == {
        "corrective", "cancelling", "advance_credit",
    }  # fmt: skip


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


def test_what_xml_forbids_in_a_name_stops_no_hand_over() -> None:
    odd = "A\x07 & B\x00\ufffe"
    root = etree.fromstring(
        write_pohoda("ROZ1", "", [Document("1", "regular", DAY, DAY, DAY, "1", odd, odd, odd, odd, odd, odd, odd, [])])
    )
    told = {etree.QName(each).localname: each.text for each in root.iter() if not len(each)}
    assert (told["text"], told["company"]) == ("A & B", "A & B")


def test_a_document_in_another_currency_is_no_document_in_crowns() -> None:
    parts = [VatPart(Decimal(21), Decimal("100.00"), Decimal("21.00"))]
    packed = write_pohoda(
        "ROZ1", "12345679",
        [Document("1", "regular", DAY, DAY, DAY, "1", "t", "A", "D", "B", "602 00", "", "", parts, "EUR")],
    )  # fmt: skip
    root = etree.fromstring(packed)
    told = {etree.QName(each).localname: each.text for each in root.iter() if not len(each)}
    assert (told["ids"], told["priceSum"]) == ("EUR", "121.00")
    assert "priceHigh" not in told


def pack(documents: Sequence[tuple[str, list[VatPart]]]) -> etree._Element:
    return etree.fromstring(
        write_pohoda(
            "ROZ1", "12345679",
            [
                Document(str(place), kind, DAY, DAY, DAY, "1", "t", "A", "D", "B", "602 00", "", "", parts)
                for place, (kind, parts) in enumerate(documents)
            ],
        )
    )  # fmt: skip


def packed_vat(root: etree._Element) -> Decimal:
    return sum((Decimal(each.text or "") for each in root.iter() if str(each.tag).endswith("VAT")), Decimal("0.00"))


def tax(percent: str, base: str, vat: str) -> dict[str, str]:
    return {"percent": percent, "base": base, "vat": vat}


def test_pohoda_gets_the_vat_of_a_deducted_advance_once() -> None:
    """An advance of 1,210 with VAT 210; an annual invoice of 6,050 with VAT 1,050 that deducts it."""
    advance, annual = tax("21.00", "1000.00", "210.00"), tax("21", "5000.00", "1050.00")
    left = vat_left([annual], [advance])
    assert left == [VatPart(Decimal(21), Decimal("4000.00"), Decimal("840.00"))]
    assert packed_vat(pack([("advance_tax", vat_left([advance], [])), ("annual", left)])) == Decimal("1050.00")
    # an advance of a rate that the statement does not bill, and one that is more than the bill: less than nothing
    assert vat_left([annual], [tax("12.00", "100.00", "12.00")])[1].vat == Decimal("-12.00")
    assert vat_left([tax("21", "10.00", "2.10")], [advance])[0].base == Decimal("-990.00")


@pytest.mark.parametrize("seed", range(20))
def test_pohoda_and_the_csv_say_one_vat_over_any_documents(seed: int) -> None:
    """Each statement deducts advances of any rate, and some are cancelled and give them back."""
    dice = random.Random(seed)

    def some() -> dict[str, str]:
        percent = dice.choice(("0", "12.00", "21"))
        vat = "0.00" if percent == "0" else f"{dice.randrange(10**5)}.03"
        return tax(percent, f"{dice.randrange(1, 10**6)}.07", vat)

    def against(row: dict[str, str]) -> dict[str, str]:
        return {**row, "base": f"-{row['base']}", "vat": f"-{row['vat']}"}

    entries: list[Entry] = []
    documents: list[tuple[str, list[VatPart]]] = []

    def add(kind: str, rows: list[dict[str, str]], claimed: list[dict[str, str]]) -> None:
        net, vat = (str(sum(Decimal(row[name]) for row in rows)) for name in ("base", "vat"))
        entries.extend(document_entries(document(kind, net, vat), OF))
        documents.append((kind, vat_left(rows, claimed)))

    for _ in range(dice.randrange(1, 12)):
        rows, claimed = ([some() for _ in range(dice.randrange(1, 4))] for _ in range(2))
        for each in claimed:
            add("advance_tax", [each], [])
        cancelled = dice.random() < 0.5
        add("annual", rows, claimed)
        if cancelled:
            add("cancelling", [against(row) for row in rows], [against(row) for row in claimed])
        for mark in ("deduction", "deduction_undone")[: 1 + cancelled]:
            for each in claimed:
                gross = str(Decimal(each["base"]) + Decimal(each["vat"]))
                entries.extend(deduction_entries(deduction(mark, gross, each["vat"]), OF))
    assert packed_vat(pack(documents)) == -sums(entries)["CZK"][OF["vat"]]
