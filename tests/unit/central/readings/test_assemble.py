"""Blocks into days, on examples and as properties: order and repetition of blocks do not matter."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.readings.assemble import Assembled, Blocks, Days, Mappings, assemble
from central.readings.calendar import number_of, to_ms
from central.readings.digest import day_digest
from central.readings.touched import FOREVER_MS, Spans, days_of, join_mappings, spans_of, touched_days
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Flag, Quality

STEP = 900_000
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
SHORT_DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 29))
LONG_DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 10, 25))
CHANNEL, REGISTER = 40, 7


def ints(*values: int) -> Any:
    return np.array(values, np.int64)


def days_for(*days: MeteringDay, channel: int = CHANNEL) -> Days:
    return Days(
        ints(*[channel] * len(days)),
        ints(*(number_of(day.date) for day in days)),
        ints(*(to_ms(day.start) for day in days)),
        ints(*(day.length for day in days)),
        ints(*(day.step // timedelta(milliseconds=1) for day in days)),
    )


def mapping(*rows: tuple[int, int, int, int, int], step: int = STEP, commodity: int = 0) -> Mappings:
    """Rows of (register, channel, factor, from, to)."""
    columns = np.array(sorted(rows), np.int64).reshape(len(rows), 5).T
    return Mappings(*columns, ints(*[step] * len(rows)), ints(*[commodity] * len(rows)))


ALWAYS = mapping((REGISTER, CHANNEL, 1, -FOREVER_MS, FOREVER_MS))


@dataclass(frozen=True)
class One:
    batch: int
    place: int
    values: tuple[int, ...]
    flags: tuple[int, ...] | None = None
    register: int = REGISTER

    def blocks(self, day: MeteringDay, step: int) -> Blocks:
        return Blocks(
            ints(self.register),
            ints(to_ms(day.start) + self.place * step),
            ints(step),
            ints(self.batch),
            np.array([self.values], np.int32),
            None if self.flags is None else np.array([self.flags], np.int32),
        )


def made(
    day: MeteringDay,
    given_blocks: Iterable[One],
    mappings: Mappings = ALWAYS,
    fresh: Sequence[int] = (),
    step: int = STEP,
) -> Assembled:
    return assemble(days_for(day), [one.blocks(day, step) for one in given_blocks], mappings, ints(*fresh))


@pytest.mark.parametrize("day", [DAY, SHORT_DAY, LONG_DAY], ids=["96", "92", "100"])
def test_one_block_fills_its_day(day: MeteringDay) -> None:
    values = tuple(range(day.length))
    whole = made(day, [One(5, 0, values)], fresh=[5])
    assert whole.values.tolist() == list(values)
    assert not whole.quality.any()
    assert whole.missing.tolist() == [0]
    assert [used.tolist() for used in whole.batches()] == [[5]]
    assert whole.fresh.tolist() == [True]


def test_gas_days_are_in_hours_from_six() -> None:
    day = MeteringDay(Commodity.GAS, date(2026, 3, 28))
    hour = 3_600_000
    mappings = mapping((REGISTER, CHANNEL, 1, -FOREVER_MS, FOREVER_MS), step=hour, commodity=1)
    whole = made(day, [One(5, 0, tuple(range(23)))], mappings, step=hour)
    assert whole.values.tolist() == list(range(23))


def test_what_nobody_delivered_is_missing_and_never_zero() -> None:
    whole = made(DAY, [One(1, 10, (4, 5))])
    assert whole.missing.tolist() == [94]
    assert whole.values[9:13].tolist() == [MISSING_VALUE, 4, 5, MISSING_VALUE]
    assert whole.quality[9:13].tolist() == [5, 0, 0, 5]


def test_a_missing_value_inside_a_block_does_not_hide_what_is_known() -> None:
    whole = made(DAY, [One(1, 0, (4, 5)), One(2, 0, (MISSING_VALUE, 6))])
    assert whole.values[:2].tolist() == [4, 6]
    assert [used.tolist() for used in whole.batches()] == [[1, 2]]


def test_the_later_batch_beats_the_earlier_value_by_value() -> None:
    whole = made(DAY, [One(9, 1, (90, 91)), One(3, 0, (30, 31, 32, 33))])
    assert whole.values[:4].tolist() == [30, 90, 91, 33]
    assert [used.tolist() for used in whole.batches()] == [[3, 9]]


def test_a_batch_that_lost_everywhere_is_not_among_the_used() -> None:
    whole = made(DAY, [One(9, 0, (1, 2)), One(3, 0, (7, 8))])
    assert [used.tolist() for used in whole.batches()] == [[9]]


@pytest.mark.parametrize(
    ("flag", "quality"),
    [
        (Flag.CLOCK_INVALID, 1),
        (Flag.DATA_INVALID, 1),
        (Flag.DATA_INVALID | Flag.POWER_DOWN, 1),
        (Flag.POWER_DOWN, 0),
        (Flag.LATE, 0),
        (0, 0),
    ],
)
def test_a_meter_that_doubts_its_value_makes_it_provisional(flag: int, quality: int) -> None:
    whole = made(DAY, [One(1, 0, (4, 5), (0, int(flag)))])
    assert whole.quality[:2].tolist() == [0, quality]


def test_multiplier_and_sign_are_applied() -> None:
    whole = made(DAY, [One(1, 0, (4, 5))], mapping((REGISTER, CHANNEL, -300, -FOREVER_MS, FOREVER_MS)))
    assert whole.values[:2].tolist() == [-1200, -1500]


def test_a_value_that_does_not_fit_is_left_out_and_counted() -> None:
    whole = made(DAY, [One(1, 0, (2**30, 5))], mapping((REGISTER, CHANNEL, 2, -FOREVER_MS, FOREVER_MS)))
    assert whole.values[:2].tolist() == [MISSING_VALUE, 10]
    assert whole.overflowed == 1


def test_a_meter_exchange_inside_the_day_takes_each_meter_for_its_time() -> None:
    noon = to_ms(DAY.start) + 48 * STEP
    mappings = mapping((7, CHANNEL, 1, -FOREVER_MS, noon), (8, CHANNEL, 10, noon, FOREVER_MS))
    whole = made(DAY, [One(1, 0, (1,) * 96, register=7), One(2, 0, (2,) * 96, register=8)], mappings)
    assert whole.values.tolist() == [1] * 48 + [20] * 48
    assert whole.missing.tolist() == [0]


def test_an_interval_belongs_to_the_mapping_in_which_it_begins() -> None:
    in_between = to_ms(DAY.start) + 48 * STEP + 1
    mappings = mapping((7, CHANNEL, 1, -FOREVER_MS, in_between), (8, CHANNEL, 1, in_between, FOREVER_MS))
    whole = made(DAY, [One(1, 0, (1,) * 96, register=7), One(2, 0, (2,) * 96, register=8)], mappings)
    assert whole.values.tolist() == [1] * 49 + [2] * 47


def test_values_beside_the_grid_or_beyond_the_day_are_left_out_and_counted() -> None:
    off = Blocks(ints(REGISTER), ints(to_ms(DAY.start) + 60_000), ints(STEP), ints(1), np.array([[1, 2]], np.int32))
    whole = assemble(days_for(DAY), [off, One(2, 95, (3, 4)).blocks(DAY, STEP)], ALWAYS, ints())
    assert whole.misaligned == 3
    assert whole.values[95] == 3
    assert whole.missing.tolist() == [95]


def test_a_block_of_another_step_or_an_unmapped_register_is_not_taken() -> None:
    whole = made(DAY, [One(1, 0, (4, 5), register=99)])
    other = assemble(days_for(DAY), [One(1, 0, (4, 5)).blocks(DAY, 60_000)], ALWAYS, ints())
    assert whole.missing.tolist() == other.missing.tolist() == [96]
    assert other.other_steps.tolist() == [[0, 60_000]]


def test_a_measured_value_beats_a_later_substituted_one() -> None:
    substituted = (int(Flag.SUBSTITUTED),)
    whole = made(DAY, [One(1, 0, (5,)), One(2, 0, (6,), substituted), One(3, 1, (7,), substituted)])
    assert whole.values[:2].tolist() == [5, 7]
    assert whole.quality[:2].tolist() == [Quality.MEASURED, Quality.ESTIMATED]
    assert len(whole.conflicts.place) == 0


def test_two_measured_values_are_a_conflict_that_the_later_batch_wins() -> None:
    whole = made(DAY, [One(2, 3, (6,)), One(1, 3, (5, 9)), One(1, 3, (5, 9))])
    assert whole.values[3:5].tolist() == [6, 9]
    assert list(zip(whole.conflicts.place, whole.conflicts.value, strict=True)) == [(3, 5), (3, 6)]


FLAGS = (0, int(Flag.CLOCK_INVALID), int(Flag.SUBSTITUTED), int(Flag.SUBSTITUTED | Flag.DATA_INVALID))
QUALITY_OF = (Quality.MEASURED, Quality.PROVISIONAL, Quality.ESTIMATED, Quality.ESTIMATED)
BLOCK = st.builds(
    lambda batch, place, values, flagged: One(
        batch, place, tuple(values), tuple(FLAGS[value % 4] for value in values) if flagged else None
    ),
    st.integers(1, 6),
    st.integers(0, 95),
    st.lists(st.integers(0, 50), min_size=1, max_size=12),
    st.booleans(),
)
DAYS = [
    DAY,
    SHORT_DAY,
    LONG_DAY,
    *(MeteringDay(Commodity.GAS, date(2026, month, day)) for month, day in ((3, 28), (3, 2), (10, 24))),
]


@pytest.mark.parametrize("day", DAYS, ids=lambda day: str(day.length))
@given(st.lists(BLOCK, max_size=12), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_order_and_repetition_of_blocks_do_not_matter(day: MeteringDay, blocks: list[One], random: Any) -> None:
    step = day.step // timedelta(milliseconds=1)
    commodity = 0 if day.commodity is Commodity.ELECTRICITY else 1
    mappings = mapping((REGISTER, CHANNEL, 1, -FOREVER_MS, FOREVER_MS), step=step, commodity=commodity)
    offered: dict[int, list[tuple[int, int, int]]] = {}
    for one in blocks:
        for offset, value in enumerate(one.values):
            quality = Quality.MEASURED if one.flags is None else QUALITY_OF[value % 4]
            offered.setdefault(one.place + offset, []).append((-quality, one.batch, value))
    expected = {place: max(offers) for place, offers in offered.items() if place < day.length}
    conflicts = {
        (place, value)
        for place, offers in offered.items()
        for quality, _, value in offers
        if place < day.length and quality == 0 and len({other for rank, _, other in offers if rank == 0}) > 1
    }
    shuffled = blocks + random.choices(blocks, k=3) if blocks else []
    random.shuffle(shuffled)
    whole = made(day, shuffled, mappings, step=step)
    found = {
        place: (-int(whole.quality[place]), int(whole.batch[place]), int(whole.values[place]))
        for place in range(day.length)
        if whole.values[place] != MISSING_VALUE
    }
    assert found == expected
    assert set(zip(whole.conflicts.place.tolist(), whole.conflicts.value.tolist(), strict=True)) == conflicts
    assert whole.missing.tolist() == [day.length - len(expected)]


def test_touched_days_are_those_of_the_span_within_the_mapping() -> None:
    begin, end = to_ms(DAY.start), to_ms(DAY.end)
    mappings = mapping((REGISTER, CHANNEL, 1, end, FOREVER_MS), (8, 41, 1, -FOREVER_MS, FOREVER_MS))
    days = touched_days(Spans(ints(REGISTER, 8), ints(begin, begin), ints(end + 1, end)), mappings)
    first = number_of(DAY.date)
    assert list(zip(days.channel.tolist(), days.number.tolist(), strict=True)) == [(40, first + 1), (41, first)]
    assert days.length.tolist() == [96, 96]


def test_spans_join_neighbouring_days_and_cover_every_meter_of_a_channel() -> None:
    noon = to_ms(DAY.start) + 48 * STEP
    mappings = mapping((7, CHANNEL, 1, -FOREVER_MS, noon), (8, CHANNEL, 1, noon, FOREVER_MS))
    spans = spans_of(days_for(DAY, DAY.next), mappings)
    assert list(zip(spans.evidence.tolist(), spans.from_ms.tolist(), spans.to_ms.tolist(), strict=True)) == [
        (7, to_ms(DAY.start), to_ms(DAY.end)),
        (8, to_ms(DAY.start), to_ms(DAY.next.end)),
    ]


def test_a_named_day_of_a_channel_that_nothing_feeds_is_left_out() -> None:
    number = number_of(DAY.date)
    days = days_of(ints(CHANNEL, 999), ints(number, number), ALWAYS)
    assert days.channel.tolist() == [CHANNEL]
    assert days.start_ms.tolist() == [to_ms(DAY.start)]
    none = days_of(ints(999), ints(number), mapping())
    assert len(none) == 0


def test_joined_mappings_stay_sorted_and_single() -> None:
    other = mapping((3, 50, 1, 0, 10), (REGISTER, CHANNEL, 1, -FOREVER_MS, FOREVER_MS))
    both = join_mappings(ALWAYS, other)
    assert both.evidence.tolist() == [3, REGISTER]


def test_the_digest_tells_contents_apart_and_nothing_else() -> None:
    values, quality = np.array([1, 2], np.int32), np.array([0, 1], np.int16)
    golden = day_digest(40, 20514, STEP, values, quality)
    assert golden.hex() == GOLDEN
    assert day_digest(40, 20514, STEP, values, None) == day_digest(40, 20514, STEP, values, np.zeros(2, np.int16))
    others = {
        day_digest(41, 20514, STEP, values, quality),
        day_digest(40, 20515, STEP, values, quality),
        day_digest(40, 20514, STEP, values[::-1].copy(), quality),
        day_digest(40, 20514, STEP, values, None),
        day_digest(40, 20514, STEP, values, None, quality),
        golden,
    }
    assert len(others) == 6


GOLDEN = "2c03ba7eec2908b57de2abb0be458b260f014e2a57c2ddce40f76ab80a2e008c"
