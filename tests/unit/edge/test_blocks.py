"""Blocks of profile days and samples: contiguous, within a day, missing stays missing."""

from datetime import date, timedelta

import pytest

from edge.blocks import ProfileRead, gap_record, ms, profile_read, state_blocks
from edge.drivers.port import ProfileDay, StateReading
from edge.errors import DeviceGarbledError
from edge.schedule import GapDue, RowsDue, RowsWanted, SampleDue
from edge.timeline import Known, hole
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Flag, Kind
from shared.wire import MARK_HISTORICAL, MARK_REREAD, Block, Record
from tests.unit.edge.examples import MARCH, device

LU, EA = device("LU-1"), device("EA-1")
NAMES = ("1-0:1.29.0", "1-0:3.29.0")
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 1))
SHORT = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 29))
QUARTER = 900_000


def rows(day: MeteringDay, left_out: frozenset[int] = frozenset(), flags: dict[int, int] | None = None) -> ProfileDay:
    there = [n for n in range(day.length) if n not in left_out]
    return ProfileDay(
        day,
        [ms(day.start) + n * QUARTER for n in there],
        [(flags or {}).get(n, 0) for n in there],
        {NAMES[0]: [1000 + n for n in there], NAMES[1]: list(there)},
    )


LONG_AGO = ms(MARCH + timedelta(days=60))
"""An instant long after the days of these tests."""


def due(day: MeteringDay, names: tuple[str, ...] = NAMES, again: tuple[str, ...] = (), asked: int = 0) -> RowsDue:
    span = ms(day.start), ms(day.end)
    return RowsDue(day, {name: (RowsWanted(span, name in again, asked),) for name in names})


def read(wanted: RowsDue, found: ProfileDay) -> tuple[list[Block], list[Record]]:
    told = profile_read(LU, wanted, found, LONG_AGO)
    return told.blocks, told.records


def test_a_whole_day_is_one_block_a_channel() -> None:
    blocks, records = read(due(SHORT), rows(SHORT))
    assert [(b.key.register, b.start_ms, len(b.values), b.quality, b.marks) for b in blocks] == [
        (NAMES[0], ms(SHORT.start), 92, None, MARK_HISTORICAL),
        (NAMES[1], ms(SHORT.start), 92, None, MARK_HISTORICAL),
    ]
    assert blocks[1].key.unit == "varh"
    assert records == []


def test_holes_split_and_are_told() -> None:
    blocks, records = read(due(DAY, NAMES[:1]), rows(DAY, frozenset({0, 10, 11, 95})))
    assert [(b.start_ms - ms(DAY.start)) // QUARTER for b in blocks] == [1, 12]
    assert [b.values[0] for b in blocks] == [1001, 1012]
    assert sum(len(b.values) for b in blocks) == 92
    assert [(r.kind, (r.at - ms(DAY.start)) // QUARTER, r.data["count"]) for r in records] == [
        ("hole", 0, 1),
        ("hole", 10, 2),
        ("hole", 95, 1),
    ]


def test_what_the_wire_cannot_carry_or_no_meter_can_mean_is_missing() -> None:
    day = rows(DAY)
    day.columns[NAMES[0]] = [None, 2**31, MISSING_VALUE, *range(93)]
    blocks, records = read(due(DAY, NAMES[:1]), day)
    assert [(b.start_ms - ms(DAY.start)) // QUARTER for b in blocks] == [3]
    assert records[0].data == {"registers": NAMES[0], "until": ms(DAY.start) + 3 * QUARTER, "count": 3}


def test_rows_off_the_grid_and_of_other_days_are_left_out() -> None:
    day = ProfileDay(DAY, [ms(DAY.start) - QUARTER, ms(DAY.start), ms(DAY.start) + 7], [0, 0, 0], {NAMES[0]: [1, 2, 3]})
    blocks, _ = read(due(DAY, NAMES[:1]), day)
    assert [(b.start_ms, list(b.values)) for b in blocks] == [(ms(DAY.start), [2])]


def test_quality_is_there_only_where_the_meter_flagged() -> None:
    blocks, _ = read(due(DAY, NAMES[:1]), rows(DAY, frozenset({50}), {60: Flag.POWER_DOWN}))
    assert blocks[0].quality is None
    assert blocks[1].quality is not None
    assert list(blocks[1].quality)[60 - 51] == Flag.POWER_DOWN


def test_a_day_read_again_says_so() -> None:
    blocks, _ = read(due(DAY, again=NAMES[:1]), rows(DAY))
    assert [b.marks for b in blocks] == [MARK_HISTORICAL | MARK_REREAD, MARK_HISTORICAL]


def test_what_is_known_afterwards_is_what_was_asked_for() -> None:
    told = profile_read(LU, due(DAY, NAMES[:1]), rows(DAY, frozenset({10, 11})), LONG_AGO)
    start = ms(DAY.start)
    assert [(each.stretch.start_ms, each.stretch.end_ms, each.stretch.known) for each in told.progress] == [
        (start, start + 10 * QUARTER, Known.READ),
        (start + 10 * QUARTER, start + 12 * QUARTER, Known.HOLE),
        (start + 12 * QUARTER, ms(DAY.end), Known.READ),
    ]
    assert not told.tail


def test_a_hole_is_told_once_and_asked_for_later_and_later() -> None:
    found = rows(DAY, frozenset({10}))
    again = profile_read(LU, due(DAY, NAMES[:1], asked=2), found, LONG_AGO)
    assert again.records == []
    stretch = again.progress[1].stretch
    assert stretch == hole(stretch.start_ms, stretch.end_ms, 3, LONG_AGO)
    assert stretch.ask_ms == LONG_AGO + 24 * 3_600_000
    assert hole(0, 1, 5, 0).ask_ms is not None
    assert hole(0, 1, 6, 0).ask_ms is None


def tail(minutes_after: float, left_out: frozenset[int], *, live: bool = False) -> tuple[int, bool, int]:
    """Of a day so long after its end: values, whether a tail is waited for, holes."""
    now = ms(DAY.end + timedelta(minutes=minutes_after))
    told: ProfileRead = profile_read(LU, due(DAY, NAMES[:1]), rows(DAY, left_out), now, live=live)
    return sum(len(block.values) for block in told.blocks), told.tail, len(told.records)


def test_the_last_rows_may_not_be_captured_yet() -> None:
    assert tail(0, frozenset()) == (96, False, 0)
    assert tail(1, frozenset({95})) == (95, True, 0)
    assert tail(1, frozenset({94})) == (95, False, 1), "a row after it is there: it never will be"
    assert tail(14, frozenset({94, 95})) == (94, True, 1), "the one of a quarter-hour before should be there by now"
    assert tail(15, frozenset({95})) == (95, False, 1)
    assert tail(1, frozenset(range(96))) == (0, True, 1)


def test_rows_of_the_running_day_are_present_values() -> None:
    blocks = profile_read(LU, due(DAY, NAMES[:1]), rows(DAY), LONG_AGO, live=True).blocks
    assert [block.marks for block in blocks] == [0]
    blocks = profile_read(LU, due(DAY, NAMES[:1]), rows(DAY), LONG_AGO, live=True, again=True).blocks
    assert [block.marks for block in blocks] == [MARK_REREAD]


def test_samples_keep_their_own_time_and_late_ones_are_flagged() -> None:
    assert EA.states is not None
    register = EA.states.registers[0]
    sample = SampleDue(MARCH, MARCH + timedelta(minutes=15))
    for delay_ms, quality in ((0, None), (60_000, None), (60_001, [Flag.LATE])):
        blocks = state_blocks(EA, sample, [StateReading(register, 123, ms(MARCH) + delay_ms)])
        assert blocks is not None
        (block,) = blocks
        assert (block.start_ms, block.step_ms, block.values) == (ms(MARCH) + delay_ms, 0, [123])
        assert block.quality == quality
        assert block.key.kind is Kind.STATE
    assert state_blocks(EA, sample, [StateReading(register, 123, ms(MARCH) + QUARTER)]) is None


@pytest.mark.parametrize("value", [2**63, -(2**63), 3 * 10**38])
def test_a_state_that_no_meter_can_mean_is_the_meters_fault(value: int) -> None:
    assert EA.states is not None
    sample = SampleDue(MARCH, MARCH + timedelta(minutes=15))
    with pytest.raises(DeviceGarbledError, match=r"EA-1 shows .* in 1-0:1\.8\.0; a state has at most 64 bits"):
        state_blocks(EA, sample, [StateReading(EA.states.registers[0], value, ms(MARCH))])


def test_a_gap_is_told() -> None:
    record = gap_record(EA, GapDue(MARCH, MARCH + timedelta(minutes=30), 3))
    assert (record.kind, record.device, record.at) == ("gap", "EA-1", ms(MARCH))
    assert record.data == {"schedule": "quarter-hour", "until": ms(MARCH) + 2 * QUARTER, "count": 3}
