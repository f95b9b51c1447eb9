"""Bills as billing data and as electronic invoices, worked by hand."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from central.market.contents import write_any
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.payloads import billing_data as duf
from central.market.payloads import distribution_invoice as einvoice
from central.workflow.telling.bill_records import Agreed, Bill, BillLine, billing_data, invoice, without_code
from tests.unit.central.market.examples import AT

FIRST, STOP = date(2026, 3, 1), date(2026, 4, 1)


def line(rate: int, quantity: str, unit: str, price: str, per: str, net: str) -> BillLine:
    return BillLine(
        rate, f"sazba {rate}", Decimal(quantity), unit, Decimal(price), per, Decimal(net), Decimal(21), FIRST, STOP
    )


BILL = Bill(
    ean="859182400900000013", number="2600000001", kind="regular", original=None, issued=date(2026, 4, 8),
    tax_point=date(2026, 3, 31), due=date(2026, 4, 22), variable_symbol="2600000001", issuer="8591824900017",
    recipient="8591824000106", first_day=FIRST, last_day=date(2026, 3, 31),
    lines=[
        line(13, "0.200", "MWh", "2100.50", "Kč/MWh", "420.10"),
        line(14, "0.300", "MWh", "300", "Kč/MWh", "90.00"),
        line(12, "1", "měs", "255", "Kč/měs", "255.00"),
        line(6, "0.25", "MW", "100000", "Kč/MW/měs", "12500.00"),
    ],
    agreed=[Agreed(FIRST, date(2026, 3, 31), "D25d", 3, 25)],
)  # fmt: skip


def test_an_invoice_by_hand() -> None:
    assert without_code(BILL) is None
    data = invoice(BILL)
    assert einvoice.problems(data) == []
    (told,) = data.invoices
    # 420.10 + 90.00 + 255.00 + 12 500.00 = 13 265.10; 21 % of it is 2 785.671.
    assert (told.net, told.vat, told.gross) == (Decimal("13265.10"), Decimal("2785.67"), Decimal("16050.77"))
    assert [item.code for item in told.items] == ["DIST_VT", "DIST_NT", "DIST_BREAKER", "DIST_CAP_YEAR"]
    # Half a month of capacity is not quantity x price: its amount alone is told.
    assert (told.items[3].quantity, told.items[3].unit, told.items[0].unit) == (None, None, "MWH")


def test_billing_data_by_hand() -> None:
    data = billing_data(BILL)
    assert duf.problems(data) == []
    (told,) = data.documents
    assert (told.segment, told.number, told.concerns) == ("regular", "2600000001", None)
    assert [(value.code, value.quantity, value.unit) for value in told.values] == [
        ("energy_high", Decimal("0.200"), "MWH"),
        ("energy_low", Decimal("0.300"), "MWH"),
        ("reserved_year", Decimal("0.25"), "MW"),
    ]
    assert (told.tariffs[0].rate, told.tariffs[0].breaker_amps) == ("D25d", Decimal(25))


def test_a_cancelling_names_what_it_cancels_and_is_negative() -> None:
    lines = [replace(each, quantity=-each.quantity, net=-each.net) for each in BILL.lines]
    bill = replace(BILL, number="4600000001", kind="cancelling", original="2600000001", lines=lines)
    (document,) = billing_data(bill).documents
    assert (document.segment, document.concerns, document.values) == ("cancel", "2600000001", [])
    data = invoice(bill)
    assert einvoice.problems(data) == []
    assert (data.invoices[0].kind, data.invoices[0].gross) == ("cancel", Decimal("-16050.77"))


def test_a_correction_tells_the_new_quantity() -> None:
    lines = [line(13, "-0.200", "MWh", "2100.50", "Kč/MWh", "-420.10"), line(13, "0.3", "MWh", "2100.50", "Kč/MWh",
                                                                           "630.15")]  # fmt: skip
    bill = replace(BILL, number="3600000001", kind="corrective", original="2600000001", lines=lines)
    (document,) = billing_data(bill).documents
    assert (document.segment, [value.quantity for value in document.values]) == ("correction", [Decimal("0.3")])
    assert invoice(bill).invoices[0].net == Decimal("210.05")


def test_what_has_no_code_or_no_recipient_is_a_sentence() -> None:
    assert "no EAN" in (without_code(replace(BILL, recipient=None)) or "")
    unknown = line(99, "1", "MW", "5", "Kč/MW", "5.00")
    assert "rate 99" in (without_code(replace(BILL, lines=[*BILL.lines, unknown])) or "")


@pytest.mark.parametrize("code", ["XD1", "127"])
def test_both_satisfy_the_schema(code: str) -> None:
    package = load_package("sandbox-2026")
    envelope = Envelope("T1", code, AT, Participant("8591824900017"), Participant("8591824000007"))
    content = write_any(package, envelope, billing_data(BILL) if code == "XD1" else invoice(BILL))
    assert BILL.ean.encode() in content
