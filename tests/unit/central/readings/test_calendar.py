from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.calendar import DayTable, date_of, expand, from_ms, number_of, to_ms
from shared.metering_day import MeteringDay, day_of
from shared.quantities import Commodity

COMMODITIES = st.sampled_from(list(Commodity))
DAYS = st.dates(date(2000, 1, 1), date(2099, 12, 1))


@given(COMMODITIES, DAYS, st.integers(0, 40), st.lists(st.integers(0, 10_000), min_size=1, max_size=20))
def test_the_table_agrees_with_the_one_calendar(
    commodity: Commodity, first: date, length: int, places: list[int]
) -> None:
    begin = to_ms(MeteringDay(commodity, first).start)
    end = to_ms(MeteringDay(commodity, first + timedelta(days=length)).end)
    table = DayTable.covering(commodity, begin, end)
    instants = np.array([begin + (end - begin - 1) * place // 10_000 for place in places], np.int64)
    numbers = table.numbers(instants)
    for instant, number, start, finish in zip(
        instants.tolist(), numbers.tolist(), table.starts(numbers), table.ends(numbers), strict=True
    ):
        day = day_of(commodity, from_ms(instant))
        assert (date_of(number), from_ms(start), from_ms(finish)) == (day.date, day.start, day.end)


@pytest.mark.parametrize(
    ("commodity", "day", "length"),
    [
        (Commodity.ELECTRICITY, date(2026, 3, 29), 92),
        (Commodity.ELECTRICITY, date(2026, 10, 25), 100),
        (Commodity.ELECTRICITY, date(2026, 3, 28), 96),
        (Commodity.GAS, date(2026, 3, 28), 23),
        (Commodity.GAS, date(2026, 10, 24), 25),
        (Commodity.GAS, date(2026, 3, 29), 24),
    ],
)
def test_clock_change_days_have_their_length(commodity: Commodity, day: date, length: int) -> None:
    metering_day = MeteringDay(commodity, day)
    table = DayTable.covering(commodity, to_ms(metering_day.start), to_ms(metering_day.end))
    number = np.array([number_of(day)])
    step = metering_day.step // timedelta(milliseconds=1)
    assert ((table.ends(number) - table.starts(number)) // step).tolist() == [length]


def test_expand() -> None:
    owners, places = expand(np.array([2, 0, 3], np.int64))
    assert owners.tolist() == [0, 0, 2, 2, 2]
    assert places.tolist() == [0, 1, 0, 1, 2]
