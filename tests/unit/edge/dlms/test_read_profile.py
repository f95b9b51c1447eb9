"""Profiles as meters differ: four codings, entries instead of ranges, columns heeded, ignored and refused."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dlms.entries import find_rows
from edge.dlms.errors import AccessDeniedError, ProtocolError
from edge.dlms.layout import ClockConvention
from edge.dlms.port import MeterFacts
from edge.dlms.profile import StampedRows
from edge.dlms.read_profile import read_profile
from edge.dlms.reader import DlmsReader, LinkSettings, ProfileRows
from edge.dlms.testing import AnsweringTransport
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.meter import LOAD_PROFILE, BufferCoding, TimeStyle
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.testing import CHANNELS, MemoryMeterData, meter_spec
from shared.dlms.datetime12 import encode_datetime
from shared.dlms.get import AttributeDescriptor
from shared.dlms.selection import RangeSelection, Selection
from shared.identifiers import Obis
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Commodity

NOW = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 3))
SETTINGS = LinkSettings("dlms-wrapper", server=1)
ENERGY = Obis(1, 0, 1, 29, 0)


def reader_and_data(
    settings: LinkSettings = SETTINGS, **changes: Any
) -> tuple[DlmsReader, MemoryMeterData, AnsweringTransport]:
    spec = meter_spec(**changes)
    data = MemoryMeterData(spec, NOW)
    transport = AnsweringTransport(WrapperLine({1: CosemMeter(spec, data)}).receive)
    return DlmsReader(transport, settings), data, transport


async def rows_of(day: MeteringDay = DAY, settings: LinkSettings = SETTINGS, **changes: Any) -> ProfileRows:
    holes = changes.pop("holes", set())
    reader, data, _ = reader_and_data(settings, **changes)
    data.clock = max(NOW, day.end + timedelta(days=1))
    data.holes = holes
    data.statuses = {DAY.instant(40): 0x80, DAY.instant(41): 0x80}
    async with reader:
        return await reader.read_profile(LOAD_PROFILE, day.start, day.end)


@pytest.mark.parametrize("coding", list(BufferCoding))
async def test_all_codings_mean_the_same_rows(coding: BufferCoding) -> None:
    holes = {DAY.instant(7), DAY.instant(8)}
    assert await rows_of(coding=coding, holes=holes) == await rows_of(holes=holes)


@pytest.mark.parametrize("style", list(TimeStyle))
@pytest.mark.parametrize("day", [date(2026, 3, 3), date(2026, 3, 29), date(2026, 10, 25)])
async def test_by_entry_as_by_range(style: TimeStyle, day: date) -> None:
    metering_day = MeteringDay(Commodity.ELECTRICITY, day)
    holes = {metering_day.instant(index) for index in (3, 4, 5, 90)}
    by_range = await rows_of(metering_day, time_style=style, holes=holes)
    settings = replace(SETTINGS, profile_access="entry")
    assert await rows_of(metering_day, settings, time_style=style, holes=holes, ranges=False) == by_range
    assert len(by_range.start_ms) == metering_day.length - 4


async def test_a_meter_without_ranges_is_told_of() -> None:
    with pytest.raises(AccessDeniedError, match=r"attribute 2 of 1-0:99\.1\.0"):
        await rows_of(ranges=False)


async def test_entries_need_few_requests() -> None:
    reader, _, transport = reader_and_data(replace(SETTINGS, profile_access="entry"))
    async with reader:
        await reader.read_profile(LOAD_PROFILE, DAY.start, DAY.end)
        before = transport.was_read
        await reader.read_profile(LOAD_PROFILE, DAY.start, DAY.end)
    assert transport.was_read - before < 96 * 38 * 1.15


@pytest.mark.parametrize("coding", list(BufferCoding))
@pytest.mark.parametrize("columns", [True, False])
async def test_only_the_columns_that_are_wanted(coding: BufferCoding, columns: bool) -> None:
    reader, _, transport = reader_and_data(coding=coding, columns=columns)
    async with reader:
        whole = await reader.read_profile(LOAD_PROFILE, DAY.start, DAY.end)
        before = transport.was_read
        wanted = [CHANNELS[2].obis]
        for _ in range(2):
            rows = await reader.read_profile(LOAD_PROFILE, DAY.start, DAY.end, wanted)
            assert rows.columns[CHANNELS[2].obis] == whole.columns[CHANNELS[2].obis]
            assert (rows.start_ms, rows.flags) == (whole.start_ms, whole.flags)
        assert (LOAD_PROFILE in reader.facts.whole_rows) is not columns
    if columns:
        assert (transport.was_read - before) / 2 < before


class LocalMeter:
    """Stamps are local time without deviation and status; `first_pass`: the doubled hour is taken for its first pass
    where it is asked for, else for both.
    """

    def __init__(self, *, first_pass: bool) -> None:
        self.settings = replace(SETTINGS, convention=ClockConvention(send_deviation=False))
        self.facts = MeterFacts()
        self.first_pass = first_pass

    async def get_list(self, attributes: list[AttributeDescriptor]) -> list[Any]:
        if len(attributes) == 1:
            return [(0, 30)]
        return [[(8, Obis(0, 0, 1, 0, 0).bytes, 2, 0), (3, ENERGY.bytes, 2, 0)], 900]

    async def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None = None) -> Any:
        assert isinstance(selection, RangeSelection)
        midnight = datetime(2026, 10, 24, 22, 0, tzinfo=UTC)
        stamped = [midnight + number * timedelta(minutes=15) for number in range(1, 101)]
        walls = [self.stamp(at) for at in stamped]
        wanted = [place for place, wall in enumerate(walls) if selection.first[:8] <= wall[:8] <= selection.last[:8]]
        if self.first_pass:
            until = next(place for place in wanted if walls[place][:8] == max(walls[each][:8] for each in wanted))
            wanted = [place for place in wanted if place <= until]
        return [(walls[place], place) for place in wanted]

    @staticmethod
    def stamp(at: datetime) -> bytes:
        return encode_datetime(at.astimezone(PRAGUE), deviation=False)[:11] + b"\xff"


@pytest.mark.parametrize("first_pass", [False, True])
@pytest.mark.parametrize("index", range(6, 14))
async def test_an_interval_of_the_doubled_hour_is_found(index: int, first_pass: bool) -> None:
    day = MeteringDay(Commodity.ELECTRICITY, date(2026, 10, 25))
    start = day.instant(index)
    rows = await read_profile(LocalMeter(first_pass=first_pass), LOAD_PROFILE, start, start + day.step)
    assert rows.start_ms == [int(start.timestamp()) * 1000]
    assert rows.columns[ENERGY].values == [index]


QUARTER = 900_000


class Buffer:
    """A buffer of rows by stamp; it may turn over while it is read."""

    def __init__(self, stamps: list[int], *, descending: bool = False, turning: int = 0) -> None:
        self.stamps = stamps[::-1] if descending else stamps
        self.turning = turning
        self.reads = 0
        self.octets = 0

    async def fetch(self, first: int, last: int) -> StampedRows:
        assert 1 <= first <= last <= len(self.stamps)
        self.reads += 1
        if self.reads == self.turning:
            self.stamps = [*self.stamps[1:], self.stamps[-1] + QUARTER]
        rows = self.stamps[first - 1 : last]
        self.octets += len(rows)
        return StampedRows(rows, [0] * len(rows), {2: [stamp // QUARTER for stamp in rows]})


@given(
    st.lists(st.sampled_from([0, 1, 1, 1, 1, 1, 1, 5, 40]), min_size=1, max_size=300),
    st.integers(-20, 320),
    st.integers(0, 100),
    st.booleans(),
    st.integers(0, 5),
)
async def test_rows_are_found_among_holes_and_repetitions(
    steps: list[int], first: int, length: int, descending: bool, turning: int
) -> None:
    stamps = [0]
    for step in steps:
        stamps.append(stamps[-1] + step * QUARTER)
    buffer = Buffer(stamps, descending=descending, turning=0 if descending else turning)
    first_ms, last_ms = first * QUARTER, (first + length) * QUARTER
    found = await find_rows(buffer.fetch, len(stamps), QUARTER, first_ms, last_ms)
    held = [stamp for stamp in stamps if first_ms <= stamp <= last_ms]
    if turning and not descending:  # the oldest may be gone
        held = [stamp for stamp in held if stamp > min(stamps[:2])]
        assert set(held) <= set(found.stamps)
    else:
        assert {stamp for stamp in found.stamps if first_ms <= stamp <= last_ms} == set(held)
        assert found.stamps == sorted(found.stamps)
    assert found.cells.get(2, []) == [stamp // QUARTER for stamp in found.stamps]


async def test_a_buffer_without_order_is_not_believed() -> None:
    async def fetch(first: int, last: int) -> StampedRows:
        stamp = {(1, 1): 0, (10_000, 10_000): 1000}.get((first, last), 11)
        return StampedRows([stamp * QUARTER], [0])

    with pytest.raises(ProtocolError, match="no order"):
        await find_rows(fetch, 10_000, QUARTER, 10 * QUARTER, 20 * QUARTER)


def test_a_stamp_by_older_books_goes_both_ways() -> None:
    convention = ClockConvention(reversed_deviation=True)
    at = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
    assert convention.encode(at).hex() == "07ea0701030e0000" + "000078" + "80"  # +120 minutes
    assert convention.decode(convention.encode(at)).instant == at
