"""Gas of a period in parts."""

import itertools
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.gas.calorific import Calorific
from central.readings.gas.coefficient import Conversion
from central.readings.gas.energy import MissingTermError
from central.readings.gas.terms import GasTerms
from central.settlement.gas_month import gas_parts

FIRST = date(2026, 3, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(31)]
STEP = Decimal("0.001")
VALUES = {
    day: Calorific("GN1", "day", day, 1, Decimal(10_400 + 13 * place).scaleb(-3), "entered", "test")
    for place, day in enumerate(DAYS)
}
CONVERSION = Conversion(
    1, 6, "GN1", kind="fixed", coefficient=Decimal("0.9905"), first=date(2026, 1, 1), end=None, source="test"
)
TERMS = GasTerms([CONVERSION], {"GN1": VALUES})


@given(st.lists(st.integers(0, 400_000), min_size=31, max_size=31), st.sets(st.integers(1, 30), max_size=5))
def test_the_parts_sum_to_the_whole_that_is_rounded_once(litres: list[int], borders: set[int]) -> None:
    bounds = [0, *sorted(borders), 31]
    parts = [dict(zip(DAYS[low:high], litres[low:high], strict=True)) for low, high in itertools.pairwise(bounds)]
    found = gas_parts(parts, -3, TERMS, STEP)
    (whole,) = gas_parts([dict(zip(DAYS, litres, strict=True))], -3, TERMS, STEP)
    assert sum(part["energy_mwh"] for part in found) == whole["energy_mwh"]
    exact = sum(Fraction(volume, 1000) * Fraction(VALUES[day].value) for day, volume in zip(DAYS, litres, strict=True))
    exact *= Fraction("0.9905") / 1000
    assert abs(Fraction(whole["energy_mwh"]) - exact) <= Fraction(STEP) / 2


def test_the_day_that_lacks_a_value_is_named_whatever_part_it_is_in() -> None:
    lacking = GasTerms([CONVERSION], {"GN1": {day: value for day, value in VALUES.items() if day.day != 20}})
    parts = [dict.fromkeys(DAYS[:10], 5), dict.fromkeys(DAYS[10:], 5)]
    with pytest.raises(MissingTermError) as caught:
        gas_parts(parts, -3, lacking, STEP)
    assert caught.value.day == date(2026, 3, 20)


def test_without_any_calorific_value_only_the_coefficient_is_known() -> None:
    parts = [dict.fromkeys(DAYS[:10], 5), dict.fromkeys(DAYS[10:], 5)]
    found = gas_parts(parts, -3, GasTerms([CONVERSION], {}), STEP)
    assert found == [{"volume_coefficient": Decimal("0.9905")}] * 2
