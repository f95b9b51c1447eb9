"""Bills of gas as GP6: what the consumer reckons from the message is what was billed, to the cent."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.market.contents import read_any, write_any
from central.market.payloads.gas_billing import GasBilling
from central.market.payloads.gas_billing_rules import problems
from central.market.payloads.gas_lines import lines_of
from central.workflow.telling.gas_records import GasBill, GasLine, UntellableError, begin, gas_billing
from shared.metering_day import PRAGUE
from tests.unit.central.market.content_examples import envelope_of
from tests.unit.central.market.test_gas_billing import PACKAGE

D = Decimal
MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


def line(rate: int, quantity: str, price: str, net: str | None = None, **more: Any) -> GasLine:
    exact = (D(quantity) * D(price)).quantize(D("0.01"), ROUND_HALF_UP)
    given: dict[str, Any] = {"name": str(rate), "vat_percent": D(21), "first": MARCH, "stop": APRIL}
    net_amount = exact if net is None else D(net)
    return GasLine(rate=rate, quantity=D(quantity), unit_price=D(price), net=net_amount, **given | more)


ENERGY, OPERATOR = line(1001, "31.245", "120.44"), line(1023, "31.245", "2.17")
CAPACITY = line(1019, "0.26", "9661.149167")
DAYS = {MARCH + timedelta(days=count): D("1003.337") + count for count in range(31)}
BILL = GasBill(
    "27ZG600Z0012345N", "2026000123", "regular", None, None, D(260), D(400), MARCH, APRIL,
    [ENERGY, OPERATOR, CAPACITY, line(1002, "1", "145.20")], {},
)  # fmt: skip
DAILY = replace(BILL, metering_type="B", lines=[ENERGY, OPERATOR, CAPACITY], daily_kwh=DAYS)


def told(bill: GasBill) -> list[GasBilling]:
    """The documents, as the message brings them to its reader."""
    payload = gas_billing(bill)
    assert problems(payload) == []
    read: list[GasBilling] = read_any(
        PACKAGE, write_any(PACKAGE, envelope_of(PACKAGE, "GP6"), payload)
    ).payload.documents
    return read


@pytest.mark.parametrize("bill", [BILL, DAILY])
def test_what_the_consumer_reckons_is_the_bill(bill: GasBill) -> None:
    (document,) = told(bill)
    assert sum(lines_of(document)) == document.net == sum(each.net for each in bill.lines)
    assert document.gross == document.net + (document.net * D("0.21")).quantize(D("0.01"), ROUND_HALF_UP)
    assert (document.start, document.end) == (begin(MARCH), begin(APRIL))
    assert begin(MARCH).astimezone(PRAGUE).hour == begin(APRIL).astimezone(PRAGUE).hour == 6
    assert document.yearly_kwh == 400_000


def test_capacity_is_told_by_its_yearly_price_and_energy_by_gas_day() -> None:
    (document,) = told(DAILY)
    (agreed,) = document.agreed
    assert (agreed.size, agreed.price, agreed.effect.quantize(D("0.00001"))) == (
        D(260), D("115933.79000"), D("0.08333"),
    )  # fmt: skip
    assert document.daily is not None
    assert len(document.daily.days) == 31
    assert sum(day.energy_kwh for day in document.daily.days) == D(31245)
    assert (document.daily.unit_price, document.daily.operator_price) == (D("0.12044"), D("0.00217"))


def test_a_part_of_a_month_is_told_to_the_cent() -> None:
    part = {"first": date(2026, 3, 11)}
    capacity = line(1019, "0.176129", "9661.149167", "1701.61", **part)
    (document,) = told(replace(BILL, lines=[line(1001, "9.999", "120.44", **part), capacity], first=part["first"]))
    (agreed,) = document.agreed_c
    assert agreed.capacity is not None
    assert (agreed.capacity.volume, agreed.capacity.effect.quantize(D("0.0001"))) == (D(260), D("0.0565"))


def test_an_excess_stands_with_the_capacity_that_it_is_above() -> None:
    (document,) = told(replace(DAILY, lines=[ENERGY, CAPACITY, line(1998, "0.041", "9661.149167")]))
    (overrun,) = document.agreed[0].overruns
    assert (overrun.size, overrun.month_factor.quantize(D("0.0001"))) == (D(41), D(1))


def test_a_cancelling_names_its_document_and_a_correction_is_two() -> None:
    back = [replace(each, net=-each.net, quantity=-each.quantity) for each in BILL.lines]
    (cancelled,) = told(replace(BILL, kind="cancelling", original="2026000100", lines=back))
    assert (cancelled.segment, cancelled.concerns, cancelled.distributed) == ("cancel", "2026000100", [])
    corrected = line(1001, "30.000", "120.44")
    taken, instead = told(replace(BILL, kind="corrective", original="2026000100", lines=[back[0], corrected]))
    assert (taken.segment, taken.number, taken.net) == ("cancel", "2026000123/S", -ENERGY.net)
    assert (instead.correction_reason, instead.concerns, instead.net) == ("network_error", "2026000100", corrected.net)


@pytest.mark.parametrize(
    ("bill", "says"),
    [
        (replace(BILL, lines=[line(9, "1", "1")]), "of the rate 9"),
        (replace(BILL, lines=[ENERGY, line(1998, "0.1", "9000")]), "metering C has no place for"),
        (replace(DAILY, lines=BILL.lines), "a fixed payment"),
        (replace(DAILY, lines=[ENERGY, line(1001, "1", "99")]), "two prices"),
        (replace(DAILY, lines=[ENERGY, line(1998, "0.1", "9000")]), "no capacity"),
        (replace(DAILY, daily_kwh={}), "no energies of gas days"),
        (replace(BILL, lines=[replace(ENERGY, net=-ENERGY.net)]), "does not say of which"),
    ],
)
def test_what_has_no_place_is_said(bill: GasBill, says: str) -> None:
    with pytest.raises(UntellableError, match=says):
        gas_billing(bill)


@given(
    mwh=st.integers(0, 10**7), price=st.integers(1, 10**8), capacity=st.integers(1, 10**6), days=st.integers(1, 31),
    daily=st.lists(st.integers(0, 10**7), min_size=31, max_size=31).filter(any),
)  # fmt: skip
def test_every_bill_adds_up(mwh: int, price: int, capacity: int, days: int, daily: list[int]) -> None:
    quantity, agreed = D(mwh).scaleb(-3), D(capacity).scaleb(-3)
    part = agreed * days / 31
    unit = D(price).scaleb(-6) + 1
    amount = (part * unit).quantize(D("0.01"), ROUND_HALF_UP)
    lines = [
        line(1001, str(quantity), str(D(price).scaleb(-5))),
        line(1019, str(part.quantize(D("0.000001"))), str(unit), str(amount)),
    ]
    shares = {MARCH + timedelta(days=count): D(kwh).scaleb(-3) for count, kwh in enumerate(daily)}
    for metering in ("B", None):
        bill = replace(
            DAILY, metering_type=metering, lines=lines, daily_kwh=shares, daily_capacity_m3=D(capacity), annual_mwh=None
        )
        (document,) = gas_billing(bill).documents
        assert sum(lines_of(document)) == sum(each.net for each in lines)
