"""Own services by hand: fixed, by area, counted, over a change of price, and what cannot be billed."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.cuts import Held
from central.settlement.measured import NotMeasuredError
from central.settlement.model import CannotPriceError, Line
from central.settlement.own import Attached, OwnPrice, Service
from central.settlement.services import Counted, service_lines

MARCH, APRIL = date(2026, 3, 1), date(2026, 4, 1)


def price(amount: str, since: date = date(2026, 1, 1), until: date | None = None) -> Held[OwnPrice]:
    return Held(since, until, OwnPrice(Decimal(amount), f"ceník {since}"))


def service(unit: str, *prices: Held[OwnPrice], code: str = "voda") -> Service:
    return Service(code, 3001, "Vodné a stočné", "Water", unit, Decimal("12"), prices)


def none(_: Attached, first: date, end: date) -> Counted:
    raise AssertionError(f"nothing is counted from {first} to {end}")


def lines(*attached: Held[Attached], count: object = none, first: date = MARCH, end: date = APRIL) -> list[Line]:
    return service_lines(attached, first, end, 7, 0, count)  # type: ignore[arg-type]  # a test's counter


def told(found: list[Line]) -> list[tuple[str, str, str, str]]:
    return [(line.first.isoformat(), str(line.quantity), str(line.unit_price), str(line.amount)) for line in found]


def test_a_fixed_quantity_is_for_a_month_and_by_days_of_a_part() -> None:
    rent = Attached(1, service("ks", price("250"), code="pronajem"), "fixed", fixed=Decimal(2))
    assert told(lines(Held(date(2026, 1, 1), None, rent))) == [("2026-03-01", "2", "250", "500.00")]
    # from 11 March: 21/31 of two pieces = 1.3548 -> 1.355 x 250
    part = lines(Held(date(2026, 3, 11), None, rent))
    assert told(part) == [("2026-03-11", "1.355", "250", "338.75")]
    assert "21/31 měs" in part[0].why and part[0].service == "other" and part[0].vat_percent == 12


def test_a_new_price_splits_the_line_and_keeps_the_quantity() -> None:
    water = service("m3", price("100", until=date(2026, 3, 16)), price("110", date(2026, 3, 16)))

    def count(_: Attached, first: date, end: date) -> Counted:
        return Counted(Fraction((end - first).days, 7), "m3", "vodoměr")

    found = lines(Held(MARCH, None, Attached(1, water, "channel", channel=5)), count=count)
    # 15/7 = 2.142857 -> 2.143; 31/7 = 4.428571 -> 4.429, less 2.143
    assert told(found) == [("2026-03-01", "2.143", "100", "214.30"), ("2026-03-16", "2.286", "110", "251.46")]


def test_heat_is_counted_in_gigajoules() -> None:
    heat = service("GJ", price("600"), code="teplo")
    found = lines(
        Held(MARCH, None, Attached(1, heat, "channel", channel=5)),
        count=lambda *_: Counted(Fraction(1_250_000), "Wh", "kalorimetr"),
    )
    assert told(found) == [("2026-03-01", "4.5", "600", "2700.00")]


def test_what_has_no_price_no_area_or_another_unit_says_so() -> None:
    unpriced = Attached(1, service("ks", price("1", date(2026, 3, 10))), "fixed", fixed=Decimal(1))
    with pytest.raises(CannotPriceError, match="nemá dne 2026-03-01 cenu") as unset:
        lines(Held(MARCH, None, unpriced))
    assert unset.value.day == MARCH
    with pytest.raises(CannotPriceError, match="podle plochy"):
        lines(Held(MARCH, None, Attached(1, service("m2", price("1")), "area")))
    wrong = Attached(1, service("GJ", price("1")), "channel", channel=5)
    with pytest.raises(CannotPriceError, match="m3 se na to nepřevádí"):
        lines(Held(MARCH, None, wrong), count=lambda *_: Counted(Fraction(1), "m3", ""))

    def missing(*_: object) -> Counted:
        raise NotMeasuredError("vodoměr: chybí stav", MARCH)

    with pytest.raises(NotMeasuredError):
        lines(Held(MARCH, None, Attached(1, service("m3", price("1")), "channel", channel=5)), count=missing)


def test_a_service_outside_the_days_gives_nothing() -> None:
    rent = Attached(1, service("ks", price("250")), "fixed", fixed=Decimal(2))
    assert lines(Held(APRIL, None, rent)) == []


@given(st.lists(st.dates(date(2026, 3, 2), date(2026, 3, 31)), unique=True, max_size=5), st.integers(0, 10**9))
def test_cuts_keep_the_quantity(days: list[date], daily: int) -> None:
    borders = sorted({date(2026, 1, 1), *days})
    prices = [
        price(str(place + 1), since, until)
        for place, (since, until) in enumerate(zip(borders, [*borders[1:], None], strict=True))
    ]

    def count(_: Attached, first: date, end: date) -> Counted:
        return Counted(Fraction(daily * (end - first).days, 3), "m3", "vodoměr")

    found = lines(Held(MARCH, None, Attached(1, service("m3", *prices), "channel", channel=5)), count=count)
    whole = lines(Held(MARCH, None, Attached(1, service("m3", price("1")), "channel", channel=5)), count=count)
    assert sum(line.quantity for line in found) == whole[0].quantity
