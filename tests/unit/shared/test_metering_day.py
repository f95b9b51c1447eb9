"""Metering days around the clock changes; figures from the issue and from OTE's period counts."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.metering_day import CalendarError, MeteringDay, day_of, month_bounds, month_days
from shared.quantities import Commodity

E, G = Commodity.ELECTRICITY, Commodity.GAS


@pytest.mark.parametrize(
    ("commodity", "day", "length"),
    [
        (E, date(2026, 3, 28), 96),
        (E, date(2026, 3, 29), 92),
        (E, date(2026, 3, 30), 96),
        (E, date(2026, 10, 25), 100),
        (G, date(2026, 3, 27), 24),
        (G, date(2026, 3, 28), 23),
        (G, date(2026, 3, 29), 24),
        (G, date(2026, 10, 24), 25),
    ],
)
def test_lengths(commodity: Commodity, day: date, length: int) -> None:
    assert MeteringDay(commodity, day).length == length


@pytest.mark.parametrize(
    ("commodity", "year", "month", "values"),
    [
        (E, 2026, 3, 2972),
        (E, 2026, 10, 2980),
        (E, 2026, 1, 2976),
        (E, 2026, 2, 2688),
        (E, 2028, 2, 2784),
        (G, 2026, 3, 743),
    ],
)
def test_values_of_a_month(commodity: Commodity, year: int, month: int, values: int) -> None:
    assert sum(day.length for day in month_days(commodity, year, month)) == values


def test_the_gas_month_begins_at_six() -> None:
    start, end = month_bounds(G, 2026, 3)
    assert start == datetime(2026, 3, 1, 5, tzinfo=UTC)
    assert end == datetime(2026, 4, 1, 4, tzinfo=UTC)


def test_december_ends_in_january() -> None:
    assert month_bounds(E, 2026, 12)[1] == datetime(2026, 12, 31, 23, tzinfo=UTC)


instants = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)).map(lambda naive: naive.replace(tzinfo=UTC))  # noqa: DTZ001 - hypothesis draws naive bounds


@given(st.sampled_from([E, G]), instants)
def test_every_instant_lies_in_the_day_it_is_given(commodity: Commodity, instant: datetime) -> None:
    day = day_of(commodity, instant)
    assert day.start <= instant < day.end
    assert day.next.start == day.end


@given(st.sampled_from([E, G]), st.dates(date(2020, 1, 1), date(2035, 1, 1)))
def test_index_and_instant_are_inverse(commodity: Commodity, day: date) -> None:
    metering_day = MeteringDay(commodity, day)
    starts = [metering_day.instant(n) for n in range(metering_day.length)]
    assert [metering_day.index(start) for start in starts] == list(range(metering_day.length))
    assert starts[-1] + metering_day.step == metering_day.end


def test_what_a_day_does_not_have_is_a_sentence() -> None:
    day = MeteringDay(E, date(2026, 3, 29))
    with pytest.raises(CalendarError, match="intervals 0 to 91, not 92"):
        day.instant(92)
    with pytest.raises(CalendarError, match="No interval"):
        day.index(day.start + timedelta(minutes=1))
    with pytest.raises(CalendarError, match="has no zone"):
        day_of(E, datetime(2026, 3, 29))  # noqa: DTZ001 - the naive instant is what is refused
