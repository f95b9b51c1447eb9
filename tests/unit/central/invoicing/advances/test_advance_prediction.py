"""Predictions by hand: last year, weather, load-profile class, plan; and how a year's money lies over its advances."""

from calendar import monthrange
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.invoicing.advances.prediction import (
    COUNTED,
    MonthBefore,
    MonthOfYear,
    Stretch,
    Weather,
    advances_of,
    corrected,
    counted_ahead,
    months_ahead,
    used_by_months,
)

D = Decimal
F = Fraction


def test_last_year_comes_first_and_the_class_fills_what_is_not_known() -> None:
    before = [
        MonthBefore(F(3), {"energy_vt_mwh": D("3.000"), "energy_nt_mwh": D("6.000"), "max_quarter_hour_kw": D(9)}),
        MonthBefore(F(1), {"energy_vt_mwh": D("1.000"), "energy_nt_mwh": D("2.000")}),
        MonthBefore(F(2), {}),
    ]
    ahead = months_ahead(before, D(100))
    assert ahead is not None
    assert [(month.source, month.quantities, month.mwh) for month in ahead] == [
        ("last_year", {"energy_vt_mwh": D("3.000"), "energy_nt_mwh": D("6.000")}, D("9.000")),
        ("last_year", {"energy_vt_mwh": D("1.000"), "energy_nt_mwh": D("2.000")}, D("3.000")),
        ("load_profile", {"energy_vt_mwh": D("2.000"), "energy_nt_mwh": D("4.000")}, D("6.000")),
    ]


def test_the_plan_is_shared_by_the_class_to_the_last_kilowatt_hour() -> None:
    ahead = months_ahead([MonthBefore(F(weight), {}) for weight in (1, 1, 1)], D("10.000"))
    assert ahead is not None
    assert [month.mwh for month in ahead] == [D("3.333"), D("3.334"), D("3.333")]
    assert months_ahead([MonthBefore(F(1), {})], None) is None


@pytest.mark.parametrize(
    ("heating", "weather", "used"),
    [
        (F(0), Weather(D(500), D(400)), "10"),
        (F(1), Weather(D(500), D(400)), "12.5"),  # a mild month: normal weather takes a quarter more
        (F(4, 5), Weather(D(500), D(400)), "12"),
        (F(1), Weather(D(0), D(0)), "10"),
        (F(1), None, "10"),
    ],
)
def test_weather_moves_the_part_that_heats(heating: Fraction, weather: Weather | None, used: str) -> None:
    assert corrected(D(10), weather, heating) == D(used)


YEAR = [MonthOfYear(D(mwh), D(gross), advance_due=due) for mwh, gross, due in (
    (1, "100", False), (4, "1000", True), (2, "500", False), (1, "300.01", True), (0, "200", False),
)]  # fmt: skip


@pytest.mark.parametrize(
    ("spread", "amounts"),
    [
        ("even", ["1060", "1060"]),  # 2100.01 / 2 = 1050.005
        ("curve", ["1850", "260"]),  # 2110 by 7 : 1 = 1846.25 : 263.75, in tens
        ("expected", ["1610", "500"]),  # 2110 by 1600 : 500.01 = 1607.62 : 502.38, in tens
    ],
)
def test_a_year_lies_over_its_advances(spread: str, amounts: list[str]) -> None:
    assert advances_of(YEAR, spread) == [D(amount) for amount in amounts]
    assert advances_of([MonthOfYear(D(1), D(1), advance_due=False)], spread) == []


@given(
    st.lists(
        st.builds(
            MonthOfYear,
            st.integers(0, 10**6).map(lambda n: D(n) / 1000),
            st.integers(0, 10**8).map(lambda n: D(n) / 100),
            advance_due=st.booleans(),
        ),
        min_size=1,
        max_size=24,
    ),
    st.sampled_from(["even", "curve", "expected"]),
)
def test_advances_are_whole_tens_that_cover_the_year(months: list[MonthOfYear], spread: str) -> None:
    amounts = advances_of(months, spread)
    total = sum((month.gross for month in months), D(0))
    assert len(amounts) == sum(month.advance_due for month in months)
    assert all(amount >= 0 and amount % 10 == 0 for amount in amounts)
    if amounts:
        assert total <= sum(amounts) < total + 10 * len(amounts)


@given(st.lists(st.fractions(0, 1, max_denominator=1000), min_size=1, max_size=12), st.integers(0, 10**9))
def test_a_plan_is_shared_exactly(weights: list[Fraction], planned: int) -> None:
    ahead = months_ahead([MonthBefore(weight, {}) for weight in weights], D(planned) / 1000)
    assert ahead is not None
    assert sum(month.mwh for month in ahead) == D(planned) / 1000


def a_stretch(first: str, end: str, energy: str, rank: int = 1, **more: str) -> Stretch:
    used = {"energy_mwh": D(energy), **{name: D(value) for name, value in more.items()}}
    return Stretch(date.fromisoformat(first), date.fromisoformat(end), rank, used)


ALIKE = dict.fromkeys(range(1, 13), F(1))


def test_a_settlement_of_several_months_is_shared_by_the_class() -> None:
    weights = {**ALIKE, 1: F(2)}
    used = used_by_months([a_stretch("2026-01-01", "2026-04-01", "4", max_quarter_hour_kw="60")], weights)
    assert {month.month: dict(found) for month, found in used.items()} == {
        1: {"energy_mwh": D("2.000"), "max_quarter_hour_kw": D(60)},
        2: {"energy_mwh": D("1.000"), "max_quarter_hour_kw": D(60)},
        3: {"energy_mwh": D("1.000"), "max_quarter_hour_kw": D(60)},
    }


@pytest.mark.parametrize(
    ("stretches", "used"),
    [
        # a correction stands in the place of a month
        ([a_stretch("2026-03-01", "2026-04-01", "5"), a_stretch("2026-03-01", "2026-04-01", "4", 2)], {3: "4"}),
        # an annual settlement in the place of the preliminary halves
        (
            [a_stretch("2026-01-01", "2026-02-01", "9"), a_stretch("2026-02-01", "2026-03-01", "9"),
             a_stretch("2026-01-01", "2026-03-01", "10", 3)],
            {1: "5.254", 2: "4.746"},
        ),
        # two payers of a month: what both used, and the higher of their maxima
        ([a_stretch("2026-05-01", "2026-05-16", "1"), a_stretch("2026-05-16", "2026-06-01", "2")], {5: "3"}),
        # a month that is not held whole is not known
        ([a_stretch("2026-06-02", "2026-08-01", "6")], {7: "3.100"}),
        ([], {}),
    ],
)  # fmt: skip
def test_what_stands_is_counted_once_and_whole_months_alone(stretches: list[Stretch], used: dict[int, str]) -> None:
    weights = {month: F(monthrange(2026, month)[1]) for month in range(1, 13)}
    found = used_by_months(stretches, weights)
    assert {month.month: values["energy_mwh"] for month, values in found.items()} == {
        month: D(value) for month, value in used.items()
    }


@given(
    st.lists(st.tuples(st.integers(1, 14), st.integers(0, 10**6)), min_size=1, max_size=6),
    st.lists(st.fractions(0, 1, max_denominator=1000), min_size=12, max_size=12),
)
def test_no_kilowatt_hour_is_lost_between_months(lengths: list[tuple[int, int]], shape: list[Fraction]) -> None:
    stretches, first = [], date(2024, 1, 1)
    for months, energy in lengths:
        place = first.month - 1 + months
        end = date(first.year + place // 12, place % 12 + 1, 1)
        stretches.append(Stretch(first, end, 1, {"energy_mwh": D(energy) / 1000}))
        first = end
    used = used_by_months(stretches, dict(zip(range(1, 13), shape, strict=True)))
    assert len(used) == sum(months for months, _ in lengths)
    assert sum(month["energy_mwh"] for month in used.values()) == D(sum(energy for _, energy in lengths)) / 1000


def test_a_counted_service_has_the_mean_of_known_months_where_its_own_is_not_known() -> None:
    months = [date(2027, month, 1) for month in range(1, 13)]
    known = {date(2026, 1, 1): {COUNTED: Decimal("6.2")}, date(2026, 2, 1): {COUNTED: Decimal("2.65")}}
    found = counted_ahead(months, known)
    assert found is not None
    # 8.85 in 59 days: 0.15 a day
    assert found[:4] == [Decimal("6.2"), Decimal("2.65"), Decimal("4.650"), Decimal("4.500")]
    assert counted_ahead(months, {}) is None
    assert counted_ahead(months, {date(2025, 1, 1): {COUNTED: Decimal(1)}}) is None
