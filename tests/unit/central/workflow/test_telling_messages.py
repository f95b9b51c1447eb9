"""What is told as messages: golden files, their schemas, and that reading gives the records back.

`python -m tests.unit.central.workflow.test_telling_messages` writes the files anew.
"""

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from central.market.contents import problems_of, read_any, write_any
from central.market.envelope import Envelope, Participant
from central.market.format_package import load_package
from central.market.payloads import distribution_invoice
from central.workflow.telling.acts import record
from central.workflow.telling.advance_records import AdvancePart, advance_invoice, lacking
from central.workflow.telling.bill_records import billing_data, invoice
from central.workflow.telling.bulk import put_together
from central.workflow.telling.gas_acts import record as gas_record
from central.workflow.telling.state_records import Borders, message, states_of
from tests.unit.central.market.examples import AT
from tests.unit.central.workflow.test_telling_acts import HOUSE
from tests.unit.central.workflow.test_telling_bills import BILL, line
from tests.unit.central.workflow.test_telling_bulk import registered
from tests.unit.central.workflow.test_telling_gas_acts import BOILER, HALL
from tests.unit.central.workflow.test_telling_meters import BEGIN, END, FACTS, MARCH, MIDDLE, period, reading

PACKAGE = load_package("sandbox-2026")
GOLDEN = Path(__file__).with_name("golden")
DAY = date(2026, 3, 15)
ADVANCE = AdvancePart(
    ean="859182400900000013", number="8600000001", issued=date(2026, 3, 1), due=date(2026, 3, 15),
    first_day=date(2026, 3, 1), last_day=date(2026, 3, 31), amount=Decimal("1500.00"), vat_percent=Decimal(21),
    variable_symbol="8600000001", issuer="8591824900017", recipient="8591824000106",
)  # fmt: skip


def messages() -> dict[str, tuple[str, msgspec.Struct]]:
    """By name of the file: code and record."""
    exchange = [reading("JT", period(BEGIN, MIDDLE, 100_000, 110_000), period(MIDDLE, END, 3_000, 5_000, channel=8))]
    states = states_of(exchange, FACTS, MARCH, Borders(begins=True, ends=True))
    (together,) = put_together([registered(1), registered(2)], set(), {}, 2)
    assert together.payload is not None
    every = [line(rate, "1", "MWh", "5", "Kč/MWh", "5.00") for rate in (26, 2001, 2021, 2102)]
    return {
        "111-registration": ("111", record(["registration"], HOUSE, DAY)),
        "111-suspension": ("111", record(["suspension"], HOUSE, DAY)),
        "111-end": ("111", record(["end"], HOUSE, DAY)),
        "122-exchange": ("122", message("859182400900000013", states)),
        "194": ("194", together.payload),
        "127-bill": ("127", invoice(replace(BILL, lines=[*BILL.lines, *every]))),
        "127-advance": ("127", advance_invoice(ADVANCE)),
        "XD1-bill": ("XD1", billing_data(BILL)),
        "XG1-registration": ("XG1", gas_record(["gas_registration"], HALL, DAY)),
        "XG1-suspension": (
            "XG1",
            gas_record(["gas_suspension"], replace(BOILER, state="suspended"), DAY, Decimal("10233.4")),
        ),
        "XG1-end": ("XG1", gas_record(["gas_end"], BOILER, DAY)),
    }


def envelope(code: str) -> Envelope:
    return Envelope(
        f"{code}-GOLDEN", code, AT, Participant("8591824900017"), Participant("8591824000007"), (), True, "CS"
    )


@pytest.mark.parametrize("name", sorted(messages()))
def test_a_message_is_the_golden_one_and_reads_back(name: str) -> None:
    code, payload = messages()[name]
    content = write_any(PACKAGE, envelope(code), payload)
    assert content == (GOLDEN / f"{name}.xml").read_bytes()
    format_name = PACKAGE.message(code).format
    assert PACKAGE.schema(format_name).validate(etree.fromstring(content))
    read = read_any(PACKAGE, content)
    assert problems_of(read) == []
    assert read.payload == payload


@given(
    amount=st.decimals("0.01", "99999999.99", places=2),
    percent=st.sampled_from([Decimal(0), Decimal(12), Decimal(21), Decimal("12.5")]),
)
def test_an_advance_keeps_its_amount_whatever_its_vat(amount: Decimal, percent: Decimal) -> None:
    data = advance_invoice(replace(ADVANCE, amount=amount, vat_percent=percent))
    assert distribution_invoice.problems(data) == []
    (told,) = data.invoices
    assert (told.kind, told.gross, told.tax_point, told.items[0].code) == ("advance", amount, None, "ADV")
    inside = (amount - amount * 100 / (100 + percent)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    assert abs(told.vat - inside) <= Decimal("0.01")


def test_a_cancelled_advance_takes_back_what_it_asked_for() -> None:
    (told,) = advance_invoice(ADVANCE).invoices
    data = advance_invoice(replace(ADVANCE, cancelled=True))
    assert distribution_invoice.problems(data) == []
    (back,) = data.invoices
    assert (back.gross, back.net, back.vat) == (-told.gross, -told.net, -told.vat)
    assert (back.kind, back.corrects) == ("advance", ADVANCE.number)


def test_an_advance_of_a_payer_without_a_code_is_a_sentence() -> None:
    assert lacking(ADVANCE) is None
    assert "has no EAN" in (lacking(replace(ADVANCE, recipient=None)) or "")


if __name__ == "__main__":
    for file, (kind, struct) in messages().items():
        (GOLDEN / f"{file}.xml").write_bytes(write_any(PACKAGE, envelope(kind), struct))
