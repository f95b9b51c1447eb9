"""Volume to energy: published identities, gas days of every length, exactness, one rounding."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.gas.coefficient import Conversion, barometric_kpa, volume_coefficient
from central.readings.gas.energy import ROUNDINGS, MissingTermError, energy, mean_calorific
from central.readings.gas.exact import rounded, shown
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

DAY = date(2026, 3, 1)
D = Decimal


def fixed(coefficient: str, first: date = DAY, end: date | None = None) -> Conversion:
    return Conversion(1, 6, "GN1", "fixed", first, end, "protocol", coefficient=D(coefficient))


@pytest.mark.parametrize(
    ("temperature", "gauge", "barometric", "compressibility", "expected"),
    [
        # reference conditions themselves
        ("288.15", "0", Fraction(101325, 1000), "1", Fraction(1)),
        # 10 °C, 2 kPa, 300 m above the sea: p_b = (1016 - 32.4) / 10 = 98.36 kPa
        (
            "283.15",
            "2",
            barometric_kpa(D(300)),
            "1",
            Fraction(28815, 28315) * Fraction(10036, 100) * Fraction(1000, 101325),
        ),
        # 300 kPa of a middle-pressure network, K below one
        ("288.15", "300", Fraction(100), "0.99", Fraction(400) / Fraction(101325, 1000) / Fraction(99, 100)),
    ],
)
def test_volume_coefficient(
    temperature: str, gauge: str, barometric: Fraction, compressibility: str, expected: Fraction
) -> None:
    assert volume_coefficient(D(temperature), D(gauge), barometric, D(compressibility)) == expected


def test_a_coefficient_of_a_household_as_it_is_printed() -> None:
    """A house at 300 m on 2 kPa, gas at the reference temperature: 0.9905 on its bill, with four decimals."""
    k = volume_coefficient(D("288.15"), D(2), barometric_kpa(D(300)))
    assert shown(k, 4) == D("0.9905")


@pytest.mark.parametrize(("altitude", "kpa"), [("0", "101.6"), ("200", "99.44"), ("500", "96.2")])
def test_air_pressure_by_altitude(altitude: str, kpa: str) -> None:
    assert barometric_kpa(D(altitude)) == Fraction(kpa)


@pytest.mark.parametrize(("temperature", "gauge", "k"), [("0", "2", "1"), ("288", "-200", "1"), ("288", "2", "0")])
def test_impossible_conditions_are_refused(temperature: str, gauge: str, k: str) -> None:
    with pytest.raises(ValueError, match="above 0"):
        volume_coefficient(D(temperature), D(gauge), Fraction(101), D(k))


def test_the_published_orientation_of_a_cubic_metre() -> None:
    """1 m3 is about 10.55 kWh; Hs of 37.98 MJ/m3 is 10.55 kWh/m3 (3.6 MJ a kWh)."""
    whole = energy({DAY: 1}, 0, lambda _: Fraction(1), lambda _: D("10.55"))
    assert whole.energy_kwh == Fraction(D("37.98")) / Fraction(36, 10)
    assert whole.rounded(ROUNDINGS["kwh"]) == D(11)
    assert whole.rounded(ROUNDINGS["mwh"]) == D("0.011")


def test_a_month_is_rounded_once() -> None:
    """Three days of 10.5 kWh are 31.5, rounded to 32; the days alone would be 11 each."""
    days = {DAY + timedelta(days=n): 1 for n in range(3)}
    whole = energy(days, 0, lambda _: Fraction(1), lambda _: D("10.5"))
    assert whole.rounded(ROUNDINGS["kwh"]) == D(32)
    assert whole.calorific_value == Fraction("10.5")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 23), ("2026-03-29", 24), ("2026-10-24", 25)])
def test_gas_days_have_23_24_or_25_hours(day: str, hours: int) -> None:
    gas_day = MeteringDay(Commodity.GAS, date.fromisoformat(day))
    assert gas_day.length == hours
    # a steady 2 m3 an hour through a converter
    whole = energy({gas_day.date: 2000 * gas_day.length}, -3, lambda _: Fraction(1), lambda _: D("10.6512"))
    assert whole.energy_kwh == Fraction(2 * hours) * Fraction("10.6512")


def test_a_missing_day_is_named() -> None:
    days = {DAY: 5, DAY + timedelta(days=1): 0}
    with pytest.raises(MissingTermError, match="calorific value for the gas day 2026-03-02") as caught:
        energy(days, 0, lambda _: Fraction(1), {DAY: D("10.5")}.get)
    assert caught.value.day == date(2026, 3, 2)
    with pytest.raises(MissingTermError, match="volume coefficient for the gas day 2026-03-01"):
        energy(days, 0, lambda _: None, lambda _: D("10.5"))


def test_kinds_of_conversions() -> None:
    assert fixed("0.9905").k == Fraction("0.9905")
    assert Conversion(1, 6, "GN1", "converter", DAY, None, "protocol").k == 1
    computed = Conversion(1, 6, "GN1", "computed", DAY, None, "site", None, D("288.15"), D(2), D(1), altitude_m=D(300))
    assert computed.k == Fraction(10036, 100) / Fraction(101325, 1000)
    assert len(computed.assumed) == 2
    assert fixed("1").assumed == []


def test_validity_of_a_conversion_is_half_open() -> None:
    conversion = fixed("1", DAY, DAY + timedelta(days=2))
    assert [conversion.covers(DAY + timedelta(days=n)) for n in (-1, 0, 1, 2)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("value", "step", "expected"),
    [("1/2", "1", "1"), ("-1/2", "1", "-1"), ("1/3", "0.001", "0.333"), ("2499/1000", "0.01", "2.50"), ("0", "1", "0")],
)
def test_rounding_half_away_from_zero(value: str, step: str, expected: str) -> None:
    assert str(rounded(Fraction(value), D(step))) == expected


volumes = st.lists(
    st.tuples(
        st.integers(-(10**7), 10**10),
        st.sampled_from([Fraction(1), Fraction("0.9905"), Fraction(1000, 999)]),
        st.decimals(8, 12, places=6),
    ),
    min_size=1,
    max_size=31,
)


@given(volumes)
def test_the_period_is_exactly_the_sum_of_its_days(given_days: list[tuple[int, Fraction, Decimal]]) -> None:
    days = {DAY + timedelta(days=n): day for n, day in enumerate(given_days)}
    whole = energy({day: term[0] for day, term in days.items()}, -3, lambda day: days[day][1], lambda day: days[day][2])
    assert whole.energy_kwh == sum(day.energy_kwh for day in whole.days)
    assert whole.energy_kwh == sum(Fraction(v, 1000) * k * Fraction(hs) for v, k, hs in given_days)
    converted = sum(Fraction(v, 1000) * k for v, k, _ in given_days)
    if whole.volume_m3 and converted:
        assert Fraction(whole.volume_m3) * whole.coefficient * whole.calorific_value == whole.energy_kwh


def test_the_mean_of_an_area_is_weighted_by_volume() -> None:
    parts = [
        energy({DAY: v}, 0, lambda _: Fraction(1), lambda _, hs=hs: D(hs)) for v, hs in ((300, "10.4"), (100, "10.8"))
    ]
    assert mean_calorific(parts) == Fraction("10.5")
    assert mean_calorific([]) is None
