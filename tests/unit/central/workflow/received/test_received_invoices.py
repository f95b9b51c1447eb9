"""Invoices of messages and of ISDOC as received invoices: their lines with prices, what is refused, what is told."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from central.market.envelope import Envelope, Participant
from central.market.mapping.read import Read
from central.market.payloads.distribution_invoice import DistributionInvoices
from central.market.payloads.gas_billing import GasBilling
from central.market.received import Message
from central.platform.errors import BadInput
from central.workflow.received import electric_invoice, gas_invoice, invoices
from central.workflow.received.invoice import ReceivedInvoice
from central.workflow.received.invoices import with_gap
from central.workflow.received.isdoc_invoice import Given, read_isdoc
from tests.unit.central.market.content_examples import INVOICE, OPERATOR, SUPPLIER, US, envelope_of
from tests.unit.central.market.gas_examples import BILLED_AB, BILLED_C, CANCELLED
from tests.unit.central.market.test_gas_billing import PACKAGE
from tests.unit.central.workflow.isdoc_examples import isdoc

D = Decimal
AT = datetime(2026, 4, 9, tzinfo=UTC)
GIVEN = Given("electricity", date(2026, 2, 1), date(2026, 3, 1))
HANDED_ON: Envelope = envelope_of(PACKAGE, "XM1")
METERING = '<m:SupplyPoint xmlns:m="urn:rozvodna:metering:1" code="{}" from="{}" to="{}"/>'


def gas(document: GasBilling, envelope: Envelope = HANDED_ON) -> ReceivedInvoice:
    return gas_invoice.received(document, envelope, OPERATOR, 1)


def test_gas_documents_have_the_prices_that_the_checks_compare() -> None:
    invoice = gas(BILLED_C)
    told = {(item.rate, item.code): (item.quantity, item.unit_price, item.effect) for item in invoice.items[:3]}
    assert told == {
        (1019, "Period.Capacity_Price"): (D("0.0124"), D("118432.5"), D("0.5")),
        (1002, "Period.Payment_Rent"): (D(1), D("145.2"), D(6)),
        (1001, "DistributionSum.UnitPrice"): (D(12493), D("0.28419"), None),
    }
    assert [item.rate for item in invoice.items] == [1019, 1002, 1001, 1023, 1001, 1023]
    assert (invoice.issuer, invoice.number, invoice.net, invoice.vat) == (
        "27ZG600", "2026000031", D("7200.91"), D("1512.19"),
    )  # fmt: skip
    assert (invoice.first, invoice.stop) == (date(2025, 1, 1), date(2026, 1, 1))
    daily = gas(BILLED_AB)
    assert [item.code for item in daily.items] == [
        "ContractValue.Year_Price", "ContractValue.Oversize_Price", "DistributionSum.UnitPrice",
        "DistributionSum.MOSettlementUnitPrice",
    ]  # fmt: skip
    assert sum(item.net for item in daily.items) == BILLED_AB.net


@pytest.mark.parametrize("document", [BILLED_C, BILLED_AB, CANCELLED])
def test_lines_sum_to_the_total_whatever_the_sign(document: GasBilling) -> None:
    for sign in (1, -1):
        invoice = gas(replace(document, net=document.net * sign, gross=None))
        assert not invoice.items or sum(item.net for item in invoice.items) == invoice.net
        for item in invoice.items:
            assert item.quantity is not None and item.unit_price is not None
            product = item.quantity * item.unit_price * (item.effect or 1)
            assert abs(product - item.net) <= D("0.005")


def test_a_gas_document_that_leaves_a_gap_is_told() -> None:
    invoice = gas(BILLED_C)
    assert with_gap(invoice, invoice.first).problems == invoice.problems == []
    assert "the one before ends 2024-12-01" in with_gap(invoice, date(2024, 12, 1)).problems[0]
    assert with_gap(gas(CANCELLED), date(2024, 12, 1)).problems == []


@pytest.mark.parametrize("sign", [1, -1])
def test_a_cancelling_takes_back_whichever_sign_it_writes(sign: int) -> None:
    invoice = gas(replace(BILLED_C, segment="cancel", number="S-1", concerns="2026000031", net=BILLED_C.net * sign))
    assert (invoice.kind, invoice.number, invoice.corrects) == ("cancel", "S-1", "2026000031")
    assert (invoice.net, invoice.vat, invoice.gross) == (D("-7200.91"), D("-1512.19"), D("-8713.10"))
    assert invoice.to_pay == invoice.gross
    assert sum(item.net for item in invoice.items) == invoice.net
    assert all(item.quantity is not None and item.quantity < 0 for item in invoice.items), "no price of it holds"


@pytest.mark.parametrize("concerns", [None, "2026000030"])
def test_a_document_that_is_cancelled_takes_itself_back(concerns: str | None) -> None:
    """It may come before or behind the document as it was: either way that one's lines hold no more."""
    invoice = gas(replace(BILLED_C, cancelled=True, concerns=concerns))
    assert (invoice.kind, invoice.number, invoice.corrects) == ("cancel", "2026000031/storno", "2026000031")
    assert (invoice.net, invoice.gross, list(invoice.items)) == (D("-7200.91"), D("-8713.10"), [])
    assert with_gap(invoice, date(2024, 12, 1)).problems == [
        "The gas document 2026000031 says of itself that it is cancelled: nothing of it holds."
    ]


def test_a_correction_need_not_begin_where_the_one_before_ends() -> None:
    for changes in ({"segment": "correction"}, {"correction_reason": "claim"}, {"segment": "historic"}):
        invoice = gas(replace(BILLED_C, **changes))
        assert with_gap(invoice, date(2024, 12, 1)).problems == invoice.problems


def test_an_electric_invoice_has_its_items_with_rates() -> None:
    invoice = electric_invoice.received(INVOICE)
    assert [(item.code, item.rate) for item in invoice.items] == [
        ("DIST_VT", 13), ("DIST_BREAKER", 12), ("SYS_SERV", 15),
    ]  # fmt: skip
    assert (invoice.stop, invoice.problems) == (date(2026, 4, 1), [])


@pytest.mark.parametrize(("sender", "outcome"), [(SUPPLIER, "kept"), (US, "applied"), (OPERATOR, "applied")])
def test_an_invoice_counts_only_from_its_issuer_or_the_market_operator(
    sender: str, outcome: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invoices, "points_of", lambda _connection, codes: dict.fromkeys(codes, 1))
    monkeypatch.setattr(invoices, "find_there", lambda _connection, _keys: {})
    nothing: Any = None
    envelope = Envelope("IN-1", "127", AT, Participant(sender), Participant(US))
    message = Message(Read(envelope, DistributionInvoices(invoices=[INVOICE]), {}), b"")
    (effect,) = invoices.effects(nothing, [message], AT)
    assert (effect.outcome, effect.proposals) == (outcome, [])
    told = f"names the issuer {US} and was sent by {SUPPLIER}"
    assert (told in effect.why) == (outcome == "kept"), effect.why


def test_an_isdoc_is_read_whatever_its_version() -> None:
    invoice = read_isdoc(isdoc(), GIVEN)
    assert (invoice.issuer, invoice.number, invoice.kind, invoice.net, invoice.due, invoice.variable_symbol) == (
        SUPPLIER, "FV-2026-15", "regular", D("1774.00"), date(2026, 3, 19), "202615",
    )  # fmt: skip
    assert [(item.code, item.rate, item.quantity, item.unit, item.net) for item in invoice.items] == [
        ("13", 13, D("1.5"), "MWH", D("1500.00")), ("GU018", 12, D(1), "MON", D("274.00")),
    ]  # fmt: skip
    assert any("line" in problem for problem in invoice.problems), "what the schema lacks is told"
    known = Given("electricity", GIVEN.first, GIVEN.stop, ean_of={"25112244": SUPPLIER})
    assert read_isdoc(isdoc(issuer="25112244"), known).issuer == SUPPLIER


def test_the_currency_is_the_local_one() -> None:
    assert read_isdoc(isdoc(), GIVEN).currency == "CZK"
    assert read_isdoc(isdoc().replace(b">CZK<", b">EUR<"), GIVEN).currency == "EUR"
    assert read_isdoc(isdoc().replace(b"<LocalCurrencyCode>CZK</LocalCurrencyCode>", b""), GIVEN).currency == "CZK"


def test_the_days_are_those_of_our_own_extension() -> None:
    extension = METERING.format("859182400211637793", "2026-01-31T23:00:00+00:00", "2026-02-28T23:00:00+00:00")
    invoice = read_isdoc(isdoc(extension=extension), Given("electricity"))
    assert (invoice.point, invoice.first, invoice.stop) == (
        "859182400211637793", date(2026, 2, 1), date(2026, 3, 1),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "xml_malformed"),
        (b"<Bill/>", "isdoc"),
        (b'<!DOCTYPE a [<!ENTITY b "c">]><Invoice>&b;</Invoice>', "xml_dtd"),
        (b"<Invoice>" + b"<a>" * 30 + b"</a>" * 30 + b"</Invoice>", "xml_too_deep"),
        (b"<Invoice>" + b" " * 5_000_001 + b"</Invoice>", "xml_too_large"),
        (isdoc(kind="9"), "isdoc"),
        (isdoc(issued="31. 3. 2026"), "isdoc"),
        (isdoc(net="1e999"), "isdoc"),
        (isdoc(net="NaN"), "isdoc"),
        (isdoc(net="1774.001"), "isdoc"),
        (isdoc(issuer=""), "isdoc"),
        (isdoc().replace(b">CZK<", b">Kc<"), "isdoc"),
        (isdoc(lines="<InvoiceLine/>"), "isdoc"),
    ],
)
def test_what_is_no_isdoc_is_refused_with_a_sentence(content: bytes, code: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_isdoc(content, GIVEN)
    assert refused.value.code == code and refused.value.message.endswith(".")


@pytest.mark.parametrize("given_days", [Given("electricity"), Given("electricity", date(2026, 3, 1), date(2026, 3, 1))])
def test_the_days_must_be_known(given_days: Given) -> None:
    with pytest.raises(BadInput) as refused:
        read_isdoc(isdoc(), given_days)
    assert refused.value.code == "period"


@given(st.binary(max_size=300), st.sampled_from([b"<Invoice", b"<Invoice>", b"<?xml version='1.0'?><Invoice>"]))
def test_no_octets_make_it_fail_otherwise(tail: bytes, head: bytes) -> None:
    found: Any = None
    try:
        found = read_isdoc(head + tail, GIVEN)
    except BadInput as refused:
        found = refused
    assert found is not None
