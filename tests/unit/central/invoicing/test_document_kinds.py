"""Every kind of document: ISDOC against the schema and its totals, PDF/A-3b read back, languages, deductions."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from io import BytesIO

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from central.invoicing import states
from central.invoicing.advances.deductions import DeductedAdvance
from central.invoicing.compose import About, compose
from central.invoicing.compose_advance import AdvanceKind, AdvancePaper, AdvancePart, compose_advance
from central.invoicing.compose_rows import BasisRow
from central.invoicing.document import InvoiceDocument, Original, PastPeriod, VatRow
from central.invoicing.isdoc import NAMESPACE, problems_of, write_isdoc
from central.invoicing.kinds import Consumption, TaxDays, document_type, kinds, tax_date
from central.invoicing.pdf import render_pages, render_pdf
from central.invoicing.printed import payment_text, printed
from central.invoicing.wording import TEXTS, wording
from central.platform.errors import Refused
from shared.metering_day import month_bounds
from shared.quantities import Commodity
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, TERMS, bases, column, high_voltage

D = Decimal
FIND = {"i": NAMESPACE}
ORIGINAL = Original("2600000009", date(2026, 3, 3))
DEPOSITS = [
    DeductedAdvance(
        1, "2660000001", "2650000001", 1, date(2026, 1, 15), True, D("21.00"), D("60500.00"), D("10500.00")
    ),
    DeductedAdvance(2, "2650000002", "2650000002", 1, date(2026, 2, 15), False, D(0), D("1000.00"), D("0.00")),
]


def negated(rows: list[BasisRow]) -> list[BasisRow]:
    return [replace(row, quantity=-row.quantity, amount=-row.amount, statement_type=7) for row in rows]


def statement(kind: str, language: str = "cs", deductions: list[DeductedAdvance] | None = None) -> InvoiceDocument:
    lines = bases()
    about = About(kind=kind, language=language, deductions=deductions or [])
    if kind in ("corrective", "cancelling"):
        about = replace(about, original=ORIGINAL, reason="Chybný převod měřicího transformátoru")
        lines = negated(lines)
    if kind == "corrective":
        lines += [replace(row, id=row.id + 50, amount=row.amount * 2, statement_type=8) for row in bases()]
    return compose("2610000001", SUPPLIER, FIRM, [(high_voltage(), lines)], TERMS, about)


def advance(kind: AdvanceKind, language: str = "cs") -> InvoiceDocument:
    sign = -1 if kind == "advance_credit" else 1
    taxed = VatRow(D("21.00"), sign * D("100.00"), sign * D("21.00"))
    paper = AdvancePaper(
        kind=kind,
        number="2650000001",
        variable_symbol="2650000001",
        issue_date=date(2026, 1, 5),
        due_date=date(2026, 1, 19),
        tax_date=None if kind == "advance" else date(2026, 1, 5),
        first=date(2026, 1, 1),
        end=date(2026, 2, 1),
        vat_rows=[VatRow(D(0), D("121.00"), D("0.00"))] if kind == "advance" else [taxed],
        parts=[
            AdvancePart(number, code, "Hala", "Průmyslová 1", "SoD-1", "electricity", D("40.33"))
            for number, code in enumerate(("859182400941700026", "859182400941700033", "859182400941700040"), 1)
        ],
        language=language,
        original=Original("2660000001", date(2026, 1, 4)) if kind == "advance_credit" else None,
        reason="Vrácená platba" if kind == "advance_credit" else None,
    )
    return compose_advance(paper, SUPPLIER, FIRM)


DOCUMENTS = [
    (statement("regular"), "1"),
    (statement("annual", deductions=DEPOSITS), "1"),
    (statement("collective", "en"), "1"),
    (statement("corrective"), "3"),
    (statement("cancelling", "en"), "2"),
    (advance("advance"), "4"),
    (advance("advance_tax", "en"), "5"),
    (advance("advance_credit"), "6"),
]


def amount(root: etree._Element, path: str) -> Decimal:
    return D(str(root.findtext(path, namespaces=FIND)))


def test_no_kind_is_left_out() -> None:
    assert [document.kind for document, _ in DOCUMENTS] == list(kinds())
    assert all(document.lines for document, _ in DOCUMENTS)


@pytest.mark.parametrize(("document", "type_"), DOCUMENTS, ids=lambda value: getattr(value, "kind", value))
def test_the_schema_refuses_every_kind_without_its_total(document: InvoiceDocument, type_: str) -> None:
    root = etree.fromstring(write_isdoc(document))
    total = root.find("i:LegalMonetaryTotal", FIND)
    assert total is not None
    root.remove(total)
    (problem,) = problems_of(etree.tostring(root))
    assert "LegalMonetaryTotal" in problem


@pytest.mark.parametrize(("document", "type_"), DOCUMENTS, ids=lambda value: getattr(value, "kind", value))
def test_every_kind_keeps_the_schema_and_sums(document: InvoiceDocument, type_: str) -> None:
    isdoc = write_isdoc(document)
    assert problems_of(isdoc) == []
    root = etree.fromstring(isdoc)
    assert root.findtext("i:DocumentType", namespaces=FIND) == type_
    money = "i:LegalMonetaryTotal/i:"
    assert amount(root, money + "TaxInclusiveAmount") == document.gross
    payable = D("0.00") if document.kind == "advance_tax" else document.payable
    assert amount(root, money + "PayableAmount") == payable
    claimed = amount(root, money + "AlreadyClaimedTaxInclusiveAmount")
    assert amount(root, money + "DifferenceTaxInclusiveAmount") == document.gross - claimed
    paid = amount(root, money + "PaidDepositsAmount")
    assert document.gross - claimed - paid == payable
    for name, total in (("TaxableAmount", document.net), ("TaxInclusiveAmount", document.gross)):
        parts = [D(str(each.text)) for each in root.iterfind(f"i:TaxTotal/i:TaxSubTotal/i:{name}", FIND)]
        assert sum(parts) == total
    lines = [D(str(each.text)) for each in root.iterfind(".//i:InvoiceLine/i:LineExtensionAmount", FIND)]
    assert sum(lines) == document.net


@pytest.mark.parametrize(("kind", "method"), [("advance", "0"), ("advance_tax", "1"), ("advance_credit", "1")])
def test_what_came_is_taxed_from_its_sum_on_every_line(kind: AdvanceKind, method: str) -> None:
    document = advance(kind)
    root = etree.fromstring(write_isdoc(document))
    lines = root.findall(".//i:InvoiceLine", FIND)
    assert len(lines) == 3
    assert [line.findtext(".//i:VATCalculationMethod", namespaces=FIND) for line in lines] == [method] * 3
    taxes = [amount(line, "i:LineExtensionTaxAmount") for line in lines]
    grosses = [amount(line, "i:LineExtensionAmountTaxInclusive") for line in lines]
    assert (sum(taxes), sum(grosses)) == (document.vat, document.gross)
    assert all(tax == tax.quantize(D("0.01")) for tax in taxes)
    assert grosses == [amount(line, "i:UnitPriceTaxInclusive") for line in lines]


@pytest.mark.parametrize(("document", "type_"), DOCUMENTS, ids=lambda value: getattr(value, "kind", value))
def test_every_kind_is_pdf_a_3b_with_its_isdoc_inside(document: InvoiceDocument, type_: str) -> None:
    isdoc = write_isdoc(document)
    content = render_pdf(document, isdoc)
    assert render_pdf(document, isdoc) == content
    with pikepdf.open(BytesIO(content)) as pdf:
        assert not pdf.is_encrypted
        metadata = pdf.open_metadata()
        assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "B")
        (intent,) = pdf.Root.OutputIntents
        assert (str(intent.S), "/DestOutputProfile" in intent) == ("/GTS_PDFA1", True)
        (attached,) = pdf.Root.AF
        assert str(attached.AFRelationship) == "/Alternative"
        assert str(attached.UF) == f"{document.number}.isdoc"
        assert str(attached.EF.F.Subtype) == "/application/xml"
        assert bytes(attached.EF.F.read_bytes()) == isdoc
        assert list(pdf.attachments) == [f"{document.number}.isdoc"]
        assert {"/JavaScript", "/OpenAction"}.isdisjoint(pdf.Root.keys())
        fonts = [font for page in pdf.pages for font in page.Resources.Font.values()]
        assert fonts
        for font in fonts:
            (below,) = font.DescendantFonts
            assert {"/FontFile2", "/FontFile3"} & set(below.FontDescriptor.keys())


@pytest.mark.parametrize("language", ["cs", "en"])
@pytest.mark.parametrize("kind", list(kinds()))
def test_every_kind_is_made_in_both_languages(kind: str, language: str) -> None:
    made = {
        "advance": lambda: advance("advance", language),
        "advance_tax": lambda: advance("advance_tax", language),
        "advance_credit": lambda: advance("advance_credit", language),
    }
    document = made[kind]() if kind in made else statement(kind, language)
    isdoc = write_isdoc(document)
    assert problems_of(isdoc) == []
    assert printed(document)["title"] == wording(language).titles[kind]
    with pikepdf.open(BytesIO(render_pdf(document, isdoc))) as pdf:
        assert str(pdf.Root.Lang) == language
        assert bytes(pdf.attachments[f"{document.number}.isdoc"].get_file().read_bytes()) == isdoc


def test_an_original_is_named_with_reason_and_difference() -> None:
    document = statement("corrective")
    root = etree.fromstring(write_isdoc(document))
    assert root.findtext(".//i:OriginalDocumentReference/i:ID", namespaces=FIND) == "2600000009"
    data = printed(document)
    assert [value for _, value in data["about"]] == [
        f"2600000009, vystavený {wording('cs').day_of(date(2026, 3, 3))}",
        "Chybný převod měřicího transformátoru",
        f"{wording('cs').money(document.gross)} Kč",
    ]
    assert document.gross == D("159995.50")
    names = [name for point in data["points"] for name in column(point["lines"], 1)]
    assert sum(name.endswith("storno") for name in names) == 7
    assert document.tax_date == document.issue_date


def test_advances_are_deducted_with_their_vat() -> None:
    document = statement("annual", deductions=DEPOSITS)
    assert (document.gross, document.deducted, document.payable) == (D("159995.50"), D("61500.00"), D("98495.50"))
    root = etree.fromstring(write_isdoc(document))
    assert amount(root, ".//i:AlreadyClaimedTaxAmount") == D("10500.00")
    assert amount(root, ".//i:DifferenceTaxAmount") == document.vat - D("10500.00")
    assert amount(root, ".//i:NonTaxedDeposit/i:DepositAmount") == D("1000.00")
    assert "AM:98495.50" in str(payment_text(document))


def test_a_sum_that_no_payment_code_carries_is_printed_without_one() -> None:
    (row, *_) = bases()
    made = [
        compose("1", SUPPLIER, FIRM, [(high_voltage(), [replace(row, amount=D(amount), vat_percent=D(0))])], TERMS)
        for amount in ("9999999999.99", "10000000000.00")
    ]
    assert [payment_text(each) is None for each in made] == [False, True]


def test_what_is_returned_has_no_payment_code() -> None:
    document = statement("cancelling")
    assert document.payable < 0
    assert payment_text(document) is None
    assert printed(document)["to_pay"] == "K vrácení"


@pytest.mark.parametrize(
    ("kind", "paid_before", "payable", "asks"),
    [("advance_tax", "121.00", "0.00", False), ("advance", "0.00", "121.00", True)],
)
def test_money_that_came_is_not_asked_for_again(kind: str, paid_before: str, payable: str, asks: bool) -> None:
    root = etree.fromstring(write_isdoc(advance(kind)))
    found = {etree.QName(element).localname: element.text for element in root.iter() if element.text}
    assert (found["PaidDepositsAmount"], found["PayableAmount"]) == (paid_before, payable)
    assert any(etree.QName(element).localname == "PaymentMeans" for element in root.iter()) is asks


def test_parts_of_an_advance_sum_to_the_haler() -> None:
    document = advance("advance_tax")
    assert [line.amount for line in document.lines] == [D("33.33"), D("33.34"), D("33.33")]
    assert document.gross == D("121.00")
    assert advance("advance").tax_date is None


def test_consumption_of_past_periods_is_drawn() -> None:
    past = [
        PastPeriod(*month_bounds(Commodity.ELECTRICITY, 2026, month), D(taken), "MWh")
        for month, taken in ((1, "100"), (2, "50"), (3, "118.456"))
    ]
    document = compose("2600000001", SUPPLIER, FIRM, [(replace(high_voltage(), past=past), bases())], TERMS)
    (point,) = printed(document)["points"]
    assert [(each["label"], each["quantity"]) for each in point["past"]][1:] == [
        ("2/2026", "50 MWh"),
        ("3/2026", "118,456 MWh"),
    ]
    assert [each["share"] for each in point["past"]] == ["0.8442", "0.4221", "1.0000"]
    assert render_pages(document, 20) != render_pages(
        replace(document, points=[replace(document.points[0], past=[])]), 20
    )


def test_english_documents_hold_english_words() -> None:
    data = printed(statement("regular", "en"))
    assert data["title"] == "Invoice – tax document"
    assert data["payable"] == "159,995.50"
    assert column(data["points"][0]["lines"], 1)[0] == "Yearly reserved capacity"
    assert ["Tax point", "2026-03-31"] in data["dates"]


def test_the_languages_hold_the_same_texts() -> None:
    czech, english = (wording(path.stem) for path in sorted(TEXTS.glob("*.json")))
    for group in ("titles", "notes", "commodities", "facts", "registers", "labels", "payment_message", "currency"):
        assert set(getattr(czech, group)) == set(getattr(english, group)), group


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("regular", date(2026, 3, 31)),
        ("annual", date(2026, 3, 31)),
        ("corrective", date(2026, 4, 8)),
        ("cancelling", date(2026, 4, 8)),
        ("advance", None),
        ("advance_tax", date(2026, 4, 2)),
    ],
)
def test_the_tax_point_is_data(kind: str, expected: date | None) -> None:
    taken = [Consumption("read", date(2026, 3, 31), date(2026, 4, 2), date(2026, 3, 31))]
    days = TaxDays(issue=date(2026, 4, 8), consumption=taken, given=date(2026, 4, 2))
    assert tax_date(kind, days) == expected


def test_kinds_have_their_types_and_series() -> None:
    assert [document_type(kind, D(1)) for kind in kinds()] == [1, 1, 1, 3, 3, 4, 5, 6]
    assert [document_type(kind, D(-1)) for kind in ("corrective", "cancelling")] == [2, 2]
    assert sorted(rules.prefix for rules in kinds().values()) == list("01234567")


def test_the_states_are_a_table() -> None:
    assert states.advance("issued", "send", "1") == "sent"
    assert states.advance("sent", "correct", "1") == "corrected"
    assert states.advance("corrected", "cancel", "1") == "cancelled"
    assert states.advance("corrected", "restore", "1") == "issued"
    with pytest.raises(Refused, match="Invoice 1 is cancelled and cannot correct"):
        states.advance("cancelled", "correct", "1")


lines_of_bases = st.lists(
    st.tuples(
        st.decimals(D("-99999.99"), D("99999.99"), places=2),
        st.sampled_from([D("0.00"), D("12.00"), D("21.00")]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(amounts=lines_of_bases)
def test_bases_sum_to_the_invoice_and_its_isdoc(amounts: list[tuple[Decimal, Decimal]]) -> None:
    template = bases()[0]
    rows = [
        replace(template, id=number, amount=value, vat_percent=percent)
        for number, (value, percent) in enumerate(amounts)
    ]
    document = compose("2600000001", SUPPLIER, FIRM, [(high_voltage(), rows)], TERMS)
    assert document.net == sum(value for value, _ in amounts)
    assert document.net + document.vat == document.gross == sum(row.gross for row in document.vat_rows)
    isdoc = write_isdoc(document)
    assert problems_of(isdoc) == []
    root = etree.fromstring(isdoc)
    assert amount(root, "i:LegalMonetaryTotal/i:TaxExclusiveAmount") == document.net
    assert amount(root, "i:LegalMonetaryTotal/i:PayableAmount") == document.gross
    assert amount(root, "i:TaxTotal/i:TaxAmount") == document.vat
