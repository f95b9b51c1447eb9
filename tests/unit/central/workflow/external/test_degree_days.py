"""Degree days from temperatures: by hand, and what must hold for any weather."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.platform.errors import BadInput
from central.workflow.external import temperatures
from central.workflow.external.degree_days import DayTemperature, DegreeDayRule, degree_days, of_months

RULE = DegreeDayRule()
DEGREES = st.decimals(-40, 40, places=1)


@pytest.mark.parametrize(
    ("given_temperatures", "rule", "expected"),
    [
        (["-1.5"], RULE, "21.5"),
        (["12.9", "13", "13.1", "25"], RULE, "7.1"),  # heated is below 13 °C only
        (["0", "5", "10"], RULE, "45.0"),
        (["0.05", "0.10"], DegreeDayRule(Decimal(20), Decimal(13)), "39.9"),  # 39.85 half up
        (["12"], DegreeDayRule(Decimal(21), Decimal(12)), "0.0"),
        (["11.9"], DegreeDayRule(Decimal(21), Decimal(12)), "9.1"),
        ([], RULE, "0.0"),
    ],
)
def test_by_hand(given_temperatures: list[str], rule: DegreeDayRule, expected: str) -> None:
    assert degree_days(map(Decimal, given_temperatures), rule) == Decimal(expected)


@given(st.lists(DEGREES, max_size=40), DEGREES)
def test_a_colder_day_never_has_fewer_and_the_order_does_not_matter(days: list[Decimal], other: Decimal) -> None:
    plain = degree_days(days, RULE)
    assert plain >= 0
    assert degree_days([*days, other], RULE) >= plain
    assert degree_days(reversed(days), RULE) == plain
    assert degree_days([each - 1 for each in days], RULE) >= plain


def february(count: int = 28, normal: Decimal | None = Decimal(0)) -> dict[date, DayTemperature]:
    return {date(2026, 2, 1) + timedelta(days=n): DayTemperature(Decimal(1), normal) for n in range(count)}


def test_only_months_with_both_temperatures_of_all_days_count() -> None:
    assert of_months(february(), RULE) == {date(2026, 2, 1): (Decimal("560.0"), Decimal("532.0"))}
    assert of_months(february(29), RULE) == of_months(february(), RULE), "one day of March is no month"
    assert of_months(february(27), RULE) == {}
    assert of_months(february(normal=None), RULE) == {}
    assert of_months({}, RULE) == {}


@pytest.mark.parametrize(
    "rule", [{"indoor": "10", "heating_below": "13"}, {"indoor": "99"}, {"indoor": "NaN"}, {"x": 1}, "yes"]
)
def test_a_rule_that_cannot_be_is_refused(rule: object) -> None:
    with pytest.raises(BadInput):
        temperatures.ADAPTER.settings_of({"zones": {"": "A"}, "degree_days": rule})
