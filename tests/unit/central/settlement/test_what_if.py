"""What if: changes priced by the same rules, and the cheapest capacity against every other one."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.settlement.model import CannotPriceError, Part, TariffPoint
from central.settlement.price_parts import price_parts
from central.settlement.what_if import Change, changed, cheapest_capacity, with_capacity
from central.tariffs.package import Package
from tests.unit.central.settlement.packages import ELECTRICITY, of_component, part, quantities
from tests.unit.central.settlement.packages import changed as changed_package

VN = TariffPoint("CEZ", "VN")
JANUARY = ("2026-01-01", "2026-02-01")
VALUES = quantities(
    reserved_capacity_year_kw="300", max_quarter_hour_kw="372", reserved_input_kw="400", energy_mwh="118.456"
)


def month(number: int, maximum: str, book: Package = ELECTRICITY, **agreed: str) -> list[Part]:
    given_values = {"max_quarter_hour_kw": Decimal(maximum), "energy_mwh": Decimal("0.1")}
    first, end = date(2026, number, 1), date(2026, number + 1, 1)
    return [Part(first, end, 1, VN, quantities(**agreed), given_values, book)]


def test_another_capacity_rate_or_breaker_is_priced_as_if_agreed() -> None:
    (as_is,) = of_component(price_parts([part(*JANUARY, VN, VALUES)]), "excess_reserved_capacity")
    assert str(as_is.quantity) == "72"
    other = changed([part(*JANUARY, VN, VALUES)], Change(agreed={"reserved_capacity_month_kw": Decimal(72)}))
    # what is measured stands above what is agreed only by name: the other value is an agreed one
    assert not of_component(price_parts(other), "excess_reserved_capacity")
    low = TariffPoint("CEZ", "NN", "C25d", 3, Decimal(63))
    energy = quantities(energy_vt_mwh="1", energy_nt_mwh="1")
    single = changed([part(*JANUARY, low, energy)], Change(rate="C02d", breaker=(3, Decimal(25))))
    lines = price_parts(single)
    assert str(of_component(lines, "energy_jt")[0].quantity) == "2.000"
    assert str(of_component(lines, "breaker")[0].amount) == "361.00"
    one_register = part(*JANUARY, replace(low, rate="C02d"), quantities(energy_mwh="1"))
    with pytest.raises(CannotPriceError, match="energy_vt_mwh"):
        price_parts(changed([one_register], Change(rate="C25d")))


def test_another_year_is_priced_by_its_first_day() -> None:
    def of_another_year(content: dict[str, Any]) -> None:
        content["valid"] = ["2031-01-01", "2032-01-01"]
        for table in content["tables"]:
            table["valid"] = None
            if table["component"] == "use_of_networks":
                table["rows"] = [[*row[:-1], "200"] for row in table["rows"]]

    later = changed_package(of_another_year)
    parts = changed([part(*JANUARY, VN, VALUES)], Change(book=later))
    assert parts[0].priced_on == date(2031, 1, 1)
    assert str(of_component(price_parts(parts), "use_of_networks")[0].amount) == "23691.20"
    assert changed([part(*JANUARY, VN, VALUES)], Change(book=ELECTRICITY))[0].priced_on is None


def test_the_cheapest_capacity_of_known_maxima() -> None:
    maxima = enumerate(("100", "100", "100", "380"), 1)
    months = [
        month(number, maximum, reserved_capacity_year_kw="300", reserved_input_kw="400") for number, maximum in maxima
    ]
    plan = cheapest_capacity(months)
    # 280 kW in one month of four: monthly capacity on top of the 100 that every month needs
    assert (plan.yearly_kw, plan.monthly_kw) == (100, (0, 0, 0, 280))
    assert plan.cost < sum((price_parts(each).net for each in months), Decimal(0))


def test_an_exceeded_input_makes_some_capacity_free() -> None:
    """Only the higher payment is billed: under that for the input, exceeding the capacity costs nothing more."""
    plan = cheapest_capacity([month(1, "450", reserved_input_kw="400")])
    # 50 kW x 4 = 200 kW-prices pay for 133 kW of exceeded capacity at 1.5: 317 kW are enough
    assert plan.yearly_kw + plan.monthly_kw[0] == 317


def _law_of_2021(content: dict[str, Any]) -> None:
    for entry in content["rules"]:
        if entry["component"] == "excess_reserved_capacity":
            entry["parameters"].update(
                multiplier="2", base="reserved_capacity_year", base_if_none="reserved_capacity_month"
            )


def _both(content: dict[str, Any]) -> None:
    content["groups"][0]["take"] = "all"


def _cheap(content: dict[str, Any]) -> None:
    """Exceeding costs less than reserving: then nothing is reserved."""
    for entry in content["rules"]:
        if entry["component"] == "excess_reserved_capacity":
            entry["parameters"]["multiplier"] = "0.5"


BOOKS = [ELECTRICITY, *(changed_package(change) for change in (_law_of_2021, _both, _cheap))]


@settings(max_examples=25, deadline=None)
@given(
    maxima=st.lists(st.decimals(0, 9, places=1), min_size=1, max_size=3),
    reserved_input=st.integers(1, 7),
    book=st.sampled_from(BOOKS),
)
def test_no_other_capacity_is_cheaper(maxima: list[Decimal], reserved_input: int, book: Package) -> None:
    months = [
        month(number, str(kw), book, reserved_input_kw=str(reserved_input)) for number, kw in enumerate(maxima, 1)
    ]
    plan = cheapest_capacity(months)
    every = []
    for yearly in range(reserved_input + 1):
        lowest = [
            min(price_parts(with_capacity(each, yearly, extra)).net for extra in range(reserved_input - yearly + 1))
            for each in months
        ]
        every.append(sum(lowest, Decimal(0)))
    assert plan.cost == min(every)
    paid = [
        price_parts(with_capacity(each, plan.yearly_kw, extra)).net
        for each, extra in zip(months, plan.monthly_kw, strict=True)
    ]
    assert list(plan.costs) == paid
    assert all(plan.yearly_kw + extra <= reserved_input for extra in plan.monthly_kw)


def test_without_a_month_there_is_nothing_to_find() -> None:
    with pytest.raises(ValueError, match="no month"):
        cheapest_capacity([])
