"""Blocks of profile days and samples: contiguous, within a day, missing stays missing."""

from datetime import date, timedelta

import pytest

from edge.blocks import gap_record, ms, profile_blocks, state_blocks, tail_missing
from edge.drivers.port import ProfileDay, StateReading
from edge.errors import DeviceGarbledError
from edge.schedule import DayDue, GapDue, SampleDue
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Flag, Kind
from shared.wire import MARK_HISTORICAL, MARK_REREAD
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


def test_a_whole_day_is_one_block_a_channel() -> None:
    blocks, records = profile_blocks(LU, DayDue(SHORT, NAMES), rows(SHORT))
    assert [(b.key.register, b.start_ms, len(b.values), b.quality, b.marks) for b in blocks] == [
        (NAMES[0], ms(SHORT.start), 92, None, MARK_HISTORICAL),
        (NAMES[1], ms(SHORT.start), 92, None, MARK_HISTORICAL),
    ]
    assert blocks[1].key.unit == "varh"
    assert records == []


def test_holes_split_and_are_told() -> None:
    blocks, records = profile_blocks(LU, DayDue(DAY, NAMES[:1]), rows(DAY, frozenset({0, 10, 11, 95})))
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
    blocks, records = profile_blocks(LU, DayDue(DAY, NAMES[:1]), day)
    assert [(b.start_ms - ms(DAY.start)) // QUARTER for b in blocks] == [3]
    assert records[0].data == {"registers": NAMES[0], "until": ms(DAY.start) + 3 * QUARTER, "count": 3}


def test_rows_off_the_grid_and_of_other_days_are_left_out() -> None:
    day = ProfileDay(DAY, [ms(DAY.start) - QUARTER, ms(DAY.start), ms(DAY.start) + 7], [0, 0, 0], {NAMES[0]: [1, 2, 3]})
    blocks, _ = profile_blocks(LU, DayDue(DAY, NAMES[:1]), day)
    assert [(b.start_ms, list(b.values)) for b in blocks] == [(ms(DAY.start), [2])]


def test_quality_is_there_only_where_the_meter_flagged() -> None:
    blocks, _ = profile_blocks(LU, DayDue(DAY, NAMES[:1]), rows(DAY, frozenset({50}), {60: Flag.POWER_DOWN}))
    assert blocks[0].quality is None
    assert blocks[1].quality is not None
    assert list(blocks[1].quality)[60 - 51] == Flag.POWER_DOWN


def test_a_day_read_again_says_so() -> None:
    blocks, _ = profile_blocks(LU, DayDue(DAY, NAMES, frozenset(NAMES[:1])), rows(DAY))
    assert [b.marks for b in blocks] == [MARK_HISTORICAL | MARK_REREAD, MARK_HISTORICAL]


def test_tail() -> None:
    assert not tail_missing(rows(DAY))
    assert tail_missing(rows(DAY, frozenset({95})))
    assert tail_missing(ProfileDay(DAY, [], [], {}))


def test_samples_keep_their_own_time_and_late_ones_are_flagged() -> None:
    assert EA.states is not None
    register = EA.states.registers[0]
    due = SampleDue(MARCH, MARCH + timedelta(minutes=15))
    for delay_ms, quality in ((0, None), (60_000, None), (60_001, [Flag.LATE])):
        blocks = state_blocks(EA, due, [StateReading(register, 123, ms(MARCH) + delay_ms)])
        assert blocks is not None
        (block,) = blocks
        assert (block.start_ms, block.step_ms, block.values) == (ms(MARCH) + delay_ms, 0, [123])
        assert block.quality == quality
        assert block.key.kind is Kind.STATE
    assert state_blocks(EA, due, [StateReading(register, 123, ms(MARCH) + QUARTER)]) is None


@pytest.mark.parametrize("value", [2**63, -(2**63), 3 * 10**38])
def test_a_state_that_no_meter_can_mean_is_the_meters_fault(value: int) -> None:
    assert EA.states is not None
    due = SampleDue(MARCH, MARCH + timedelta(minutes=15))
    with pytest.raises(DeviceGarbledError, match=r"EA-1 shows .* in 1-0:1\.8\.0; a state has at most 64 bits"):
        state_blocks(EA, due, [StateReading(EA.states.registers[0], value, ms(MARCH))])


def test_a_gap_is_told() -> None:
    record = gap_record(EA, GapDue(MARCH, MARCH + timedelta(minutes=30), 3))
    assert (record.kind, record.device, record.at) == ("gap", "EA-1", ms(MARCH))
    assert record.data == {"schedule": "quarter-hour", "until": ms(MARCH) + 2 * QUARTER, "count": 3}
