"""Rows of a profile buffer as columns: starts of intervals, flags, what is left out and why."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from edge.dlms.errors import ProtocolError
from edge.dlms.layout import ClockConvention, profile_layout
from edge.dlms.profile import ProfileRows, profile_rows
from shared.dlms.axdr import BitString, Delta
from shared.dlms.datetime12 import encode_datetime
from shared.identifiers import Obis
from shared.metering_day import PRAGUE
from shared.quantities import Flag

ENERGY = Obis(1, 0, 1, 29, 0)
START = datetime(2026, 3, 1, 0, 0, tzinfo=PRAGUE).astimezone(UTC)
START_MS = int(START.timestamp()) * 1000
QUARTER = 900_000
CAPTURED = [
    (8, Obis(0, 0, 1, 0, 0).bytes, 2, 0),
    (1, Obis(0, 0, 96, 10, 1).bytes, 2, 0),
    (3, ENERGY.bytes, 2, 0),
]
LAYOUT = profile_layout(CAPTURED, 900)


def stamp(quarters: float, status: int = 0) -> bytes:
    return encode_datetime((START + quarters * timedelta(minutes=15)).astimezone(PRAGUE), status=status)


def rows_of(
    buffer: Any, quarters: int = 96, convention: ClockConvention | None = None, *, null_repeats: bool = False
) -> ProfileRows:
    return profile_rows(
        buffer,
        LAYOUT,
        {ENERGY: (0, "Wh")},
        START_MS,
        START_MS + quarters * QUARTER,
        convention or ClockConvention(),
        null_repeats=null_repeats,
    )


def test_stamps_at_the_end_become_starts() -> None:
    rows = rows_of([(stamp(1), 0, 10), (stamp(2), 0, 20)])
    assert rows.start_ms == [START_MS, START_MS + QUARTER]
    assert rows.columns[ENERGY].values == [10, 20]
    assert (rows.columns[ENERGY].scaler, rows.columns[ENERGY].unit) == (0, "Wh")
    assert rows.flags == [0, 0]
    assert rows.period_ms == QUARTER


def test_null_stamps_and_statuses_follow_the_row_before() -> None:
    rows = rows_of([(stamp(1), 0x80, 1), (None, None, 2), (None, 0, 3), (stamp(7), None, 4)])
    assert rows.start_ms == [START_MS, START_MS + QUARTER, START_MS + 2 * QUARTER, START_MS + 6 * QUARTER]
    assert rows.flags == [Flag.POWER_DOWN, Flag.POWER_DOWN, 0, 0]


def test_a_null_value_stays_unknown() -> None:
    assert rows_of([(stamp(1), 0, 1), (stamp(2), 0, None)]).columns[ENERGY].values == [1, None]


def test_a_null_value_of_a_meter_that_compresses_is_the_one_above() -> None:
    rows = rows_of([(stamp(1), 0, None), (stamp(2), 0, 4), (None, None, None)], null_repeats=True)
    assert rows.columns[ENERGY].values == [None, 4, 4]


def test_differences_count_from_the_last_value() -> None:
    buffer = [(stamp(1), 0, 70_000), (None, None, Delta(5)), (None, None, None), (None, None, Delta(-7)), (None, 0, 3)]
    assert rows_of(buffer).columns[ENERGY].values == [70_000, 70_005, None, 69_998, 3]


def test_a_capture_time_goes_with_its_value() -> None:
    gas = Obis(0, 1, 24, 2, 1)
    layout = profile_layout([CAPTURED[0], (4, gas.bytes, 2, 0), (4, gas.bytes, 5, 0)], 3600)
    buffer = [(stamp(4), 1000, stamp(3.9)), (stamp(8), 1010, None), (stamp(12), 1010, bytes(12))]
    rows = profile_rows(buffer, layout, {gas: (-3, "m3")}, START_MS, START_MS + 96 * QUARTER, ClockConvention())
    column = rows.columns[gas]
    assert column.values == [1000, 1010, 1010]
    assert column.captured_ms == [START_MS + 3_510_000, None, None]


def test_a_selection_of_columns_keeps_clock_and_status() -> None:
    others = [(3, Obis(1, 0, n, 29, 0).bytes, 2, 0) for n in (2, 3)]
    layout = profile_layout([*CAPTURED, *others], 900).only([Obis(1, 0, 3, 29, 0)])
    assert [each.logical_name[2] for each in layout.captured] == [1, 96, 3]
    assert (layout.clock, layout.status, list(layout.registers)) == (0, 1, [2])


def test_holes_are_left_out() -> None:
    rows = rows_of([(stamp(1), 0, 1), (stamp(4), 0, 4)])
    assert rows.start_ms == [START_MS, START_MS + 3 * QUARTER]


def test_only_what_was_asked_for() -> None:
    buffer = [(stamp(0), 0, 0), (stamp(1), 0, 1), (stamp(4), 0, 4), (stamp(5), 0, 5)]
    rows = rows_of(buffer, quarters=4)
    assert rows.columns[ENERGY].values == [1, 4]


def test_rows_newest_first_are_put_in_order() -> None:
    rows = rows_of([(stamp(3), 0, 3), (stamp(2), 0x20, 2), (stamp(1), 0, 1)])
    assert rows.columns[ENERGY].values == [1, 2, 3]
    assert rows.flags == [0, Flag.CLOCK_ADJUSTED, 0]
    assert rows.repeated == ()


def test_a_repeated_capture_is_taken_once() -> None:
    rows = rows_of([(stamp(1), 0, 1), (stamp(1), 0, 1), (stamp(2), 0, 2)])
    assert rows.columns[ENERGY].values == [1, 2]
    assert (rows.repeated, rows.flags) == ((START_MS + QUARTER,), [0, 0])


def test_a_repeated_capture_that_differs_is_not_whole() -> None:
    rows = rows_of([(stamp(1), 0, 7), (stamp(2), 0, 2), (stamp(1), 0, 3)])
    assert rows.columns[ENERGY].values == [7, 2]
    assert rows.flags == [Flag.INCOMPLETE, 0]


def test_a_row_that_ends_inside_an_interval_is_reported() -> None:
    rows = rows_of([(stamp(1), 0, 1), (stamp(1.5), 0x20, 5), (stamp(2), 0, 2)])
    assert rows.columns[ENERGY].values == [1, 2]
    assert rows.irregular == (START_MS + QUARTER * 3 // 2,)


def test_an_invalid_clock_is_a_flag() -> None:
    assert rows_of([(stamp(1, status=0x01), 0, 1)]).flags == [Flag.CLOCK_INVALID]


def test_status_as_bits() -> None:
    assert rows_of([(stamp(1), BitString(b"\x84", 8), 1)]).flags == [Flag.POWER_DOWN | Flag.DATA_INVALID]


def test_no_rows() -> None:
    rows = rows_of([])
    assert rows.start_ms == []
    assert rows.columns[ENERGY].values == []


def test_without_deviation_the_hour_that_occurs_twice_keeps_its_order() -> None:
    first = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)  # 02:00 CEST
    ends = [first + number * timedelta(minutes=15) for number in range(1, 9)]
    buffer = [
        (encode_datetime(end.astimezone(PRAGUE), deviation=False)[:11] + b"\xff", 0, number)
        for number, end in enumerate(ends)
    ]
    start = int(first.timestamp()) * 1000
    rows = profile_rows(buffer, LAYOUT, {ENERGY: (0, "Wh")}, start, start + 8 * QUARTER, ClockConvention())
    assert rows.start_ms == [start + number * QUARTER for number in range(8)]


def test_a_meter_on_utc_and_one_by_older_books() -> None:
    utc = encode_datetime(START + timedelta(minutes=15), deviation=False)
    assert rows_of([(utc, 0, 1)], convention=ClockConvention(zone=UTC)).start_ms == [START_MS]
    reversed_sign = stamp(1)[:9] + (60).to_bytes(2) + b"\x00"
    convention = ClockConvention(reversed_deviation=True)
    assert rows_of([(reversed_sign, 0, 1)], convention=convention).start_ms == [START_MS]


def test_days_do_not_lie_on_a_grid_in_utc() -> None:
    layout = profile_layout(CAPTURED, 86_400)
    rows = profile_rows(
        [(stamp(96), 0, 5)], layout, {ENERGY: (0, "Wh")}, START_MS, START_MS + 96 * QUARTER, ClockConvention()
    )
    assert rows.start_ms == [START_MS]


@pytest.mark.parametrize(
    "buffer",
    [
        None,
        5,
        [5],
        [(1, 2)],
        [(None, 0, 1)],  # the first row has no stamp
        [(b"short", 0, 1)],
        [(7, 0, 1)],
        [(bytes(12), 0, 1)],
        [(stamp(1), "on", 1)],
        [(stamp(1), 0, 1.5)],
        [(stamp(1), 0, "1")],
        [(stamp(1), 0, True)],
        [(stamp(1), 0, Delta(5))],  # a difference to nothing
        [(stamp(1), Delta(1), 5)],
    ],
)
def test_buffers_that_do_not_fit(buffer: Any) -> None:
    with pytest.raises(ProtocolError):
        rows_of(buffer)


@pytest.mark.parametrize(
    ("captured", "period"),
    [
        (None, 900),
        (CAPTURED, None),
        (CAPTURED, 0),
        (CAPTURED[1:], 900),
        ([(8, b"short", 2, 0)], 900),
        ([5], 900),
    ],
)
def test_layouts_that_do_not_fit(captured: Any, period: Any) -> None:
    with pytest.raises(ProtocolError):
        profile_layout(captured, period)
