"""Names, reasons and accounts that nobody thought of: a document is made all the same, or refused by a sentence."""

import pickle
from dataclasses import replace
from io import BytesIO

import pikepdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from central.invoicing.compose import About, compose
from central.invoicing.document import InvoiceDocument, Original, PartyDetails
from central.invoicing.isdoc import NAMESPACE, problems_of, write_isdoc
from central.invoicing.rendering import make_files
from central.platform.errors import BadInput, DomainError
from central.readings.formulas.nodes import FormulaError, Place
from tests.unit.central.invoicing.test_documents import HOUSEHOLD, SUPPLIER, TERMS, bases, low_voltage

NAME = f".//{{{NAMESPACE}}}AccountingCustomerParty//{{{NAMESPACE}}}Name"


def document_of(text: str, supplier: PartyDetails = SUPPLIER) -> InvoiceDocument:
    """A document with a text wherever one comes from outside."""
    given = low_voltage()
    point = {**given.facts["supply_point"], "name": text, "address": [text, "517 41", text]}
    given = replace(
        given,
        facts={**given.facts, "supply_point": point, "contract": {"number": text}},
        findings=[{"component": "x", "text": text}],
    )
    lines = [replace(row, name=text, unit=text, price_unit=text) for row in bases(2)]
    about = About(kind="corrective", original=Original("1", TERMS.issue_date), reason=text)
    customer = replace(HOUSEHOLD, name=text, street=text, city=text, postal_code=text, email=text)
    return compose("2630000001", supplier, customer, [(given, lines)], TERMS, about)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Lenka\x01 Němcová\x1f", "Lenka  Němcová "),
        ("a\x00b\x7f", "a b "),
        ("a\ud800b", "a b"),
        ("a\ufffeb\uffff", "a b "),
        ("漢字 společnost 😀", "漢字 společnost 😀"),
        ("한국 ไทย العربية עברית", "한국 ไทย العربية עברית"),
        ('"\\u0001" #set page() <&>', '"\\u0001" #set page() <&>'),
        ("0\ufe0f\u20e3 1\u034f", "0\ufe0f\u20e3 1\u034f"),
        ("x" * 400, "x" * 400),
    ],
)
def test_a_document_is_made_whatever_it_is_named(text: str, kept: str) -> None:
    files = {file.kind: file.content for file in make_files(document_of(text))}
    assert problems_of(files["isdoc"]) == []
    assert etree.fromstring(files["isdoc"]).findtext(NAME) == kept
    with pikepdf.open(BytesIO(files["pdf"])) as pdf:
        assert bytes(pdf.attachments["2630000001.isdoc"].get_file().read_bytes()) == files["isdoc"]


@settings(max_examples=25, deadline=None)
@given(text=st.text(min_size=1, max_size=40))
def test_no_text_stops_an_isdoc(text: str) -> None:
    assert problems_of(write_isdoc(document_of(text))) == []


@settings(max_examples=40, deadline=None)
@given(text=st.text(min_size=1, max_size=12))
def test_no_text_stops_a_pdf(text: str) -> None:
    assert [file.kind for file in make_files(document_of(text))] == ["pdf", "isdoc"]


def test_an_account_that_payment_data_cannot_tell_is_named() -> None:
    with pytest.raises(BadInput, match=r"Energie Vlčí Důl, s\.r\.o\. cannot issue .* SK31"):
        make_files(document_of("x", replace(SUPPLIER, iban="SK3112000000198742637541")))


@pytest.mark.parametrize("error", [BadInput("a", "b."), FormulaError("a", Place(1, 2), "b."), BadInput("a", "b.", 409)])
def test_errors_come_through_a_pool_of_processes(error: DomainError) -> None:
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.code, again.message, again.status) == (
        type(error), error.code, error.message, error.status,
    )  # fmt: skip
    assert str(again) == str(error)
