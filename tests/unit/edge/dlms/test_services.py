"""What a meter is beside its profiles: object list, event logs, clock, disconnector, registers of all classes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.dlms.clock import set_clock
from edge.dlms.errors import AccessDeniedError, ProtocolError
from edge.dlms.event_log import (
    ANCHOR,
    Anchor,
    LoggedEvent,
    behind,
    decode_anchor,
    encode_anchor,
    read_new_events,
)
from edge.dlms.object_list import read_object_list
from edge.dlms.reader import DlmsReader, LinkSettings
from edge.dlms.switch import ControlState, Disconnector, disconnect, read_disconnector, reconnect
from edge.dlms.testing import AnsweringTransport
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.meter import EVENT_LOG, ClockSpec, EventRow, RegisterSpec
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms.switch import DISCONNECTOR_LOG
from firmware_sims.testing import ENERGY, MemoryMeterData, meter_spec
from shared.identifiers import Obis

NOW = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
DEMAND, MAXIMUM = Obis(1, 0, 1, 4, 0), Obis(1, 0, 1, 6, 0)


def a_meter(**changes: Any) -> tuple[DlmsReader, MemoryMeterData]:
    spec = meter_spec(**changes)
    data = MemoryMeterData(spec, NOW)
    transport = AnsweringTransport(WrapperLine({1: CosemMeter(spec, data)}).receive)
    return DlmsReader(transport, LinkSettings("dlms-wrapper")), data


async def test_registers_of_all_classes() -> None:
    registers = (ENERGY, RegisterSpec(MAXIMUM, 27, class_id=4), RegisterSpec(DEMAND, 27, 1, class_id=5))
    reader, data = a_meter(registers=registers)
    data.registers = {ENERGY.obis: 7, MAXIMUM: 15_000, DEMAND: 1_200}
    async with reader:
        for _ in range(2):  # the second time, scalers are known
            assert (await reader.read_register(ENERGY.obis)) == (7, 1, "Wh", None, None)
            captured = NOW - timedelta(minutes=3)
            assert (await reader.read_register(MAXIMUM, 4)) == (15_000, 0, "W", captured, 0)
            assert (await reader.read_register(DEMAND, 5)) == (1_200, 1, "W", captured, 0)
        assert (await reader.read_register(Obis(0, 0, 96, 11, 0), 1)) == (0, 0, "1", None, None)


async def test_the_object_list() -> None:
    reader, _ = a_meter(switch_mode=4)
    async with reader:
        objects = {(each.class_id, each.obis): each for each in await reader.read_object_list()}
    profile = objects[7, Obis(1, 0, 99, 1, 0)]
    assert (profile.version, profile.selectors, profile.readable(2)) == (1, {2: (1, 2)}, True)
    assert objects[8, Obis(0, 0, 1, 0, 0)].attributes[2] == 3
    assert objects[70, Obis(0, 0, 96, 3, 10)].methods == {1: 1, 2: 1}
    assert not profile.readable(9)


class Answers:
    """A getter that gives one value for everything."""

    def __init__(self, value: Any) -> None:
        self.value = value

    async def get(self, *_: Any) -> Any:
        return self.value


# (class 3, version 0, 1-0:1.8.0, attributes 1 and 2 readable, 2 with selectors; method 1 as a boolean of version 0)
LISTED = (3, 0, bytes.fromhex("0100010800ff"), ([(1, 1, None), (2, 1, [1, 2])], [(1, True)]))


async def test_an_object_list_by_hand() -> None:
    (found,) = await read_object_list(Answers([LISTED]))
    assert (found.class_id, str(found.obis), found.attributes) == (3, "1-0:1.8.0", {1: 1, 2: 1})
    assert (found.selectors, found.methods) == ({2: (1, 2)}, {1: 1})


@pytest.mark.parametrize(
    "listed",
    [
        None,
        [5],
        [(3, 0, b"short", ([], []))],
        [(3, 0, bytes(6), None)],
        [(3, 0, bytes(6), ([(1,)], []))],
        [(3, 0, bytes(6), ([], [5]))],
        [(3, 0, bytes(6), ([(1, 1, ["x"])], []))],
    ],
)
async def test_object_lists_that_cannot_be_understood(listed: Any) -> None:
    with pytest.raises(ProtocolError):
        await read_object_list(Answers(listed))


# -- event logs


def logged(*codes: int) -> list[EventRow]:
    return [EventRow(NOW - timedelta(hours=100 - n), code) for n, code in enumerate(codes)]


async def test_only_what_is_new_is_read() -> None:
    reader, data = a_meter()
    data.logged = logged(*range(40))
    async with reader:
        first = await read_new_events(reader, EVENT_LOG, ())
        assert [event.code for event in first.events] == list(range(40))
        assert first.events[3].at_ms == int((NOW - timedelta(hours=97)).timestamp()) * 1000
        assert not (await read_new_events(reader, EVENT_LOG, first.anchor)).events
        data.logged = logged(*range(90))  # more than are asked for at first
        second = await read_new_events(reader, EVENT_LOG, decode_anchor(encode_anchor(first.anchor)))
    assert ([event.code for event in second.events], second.overrun) == (list(range(40, 90)), False)


async def test_a_log_that_turned_over_says_so() -> None:
    reader, data = a_meter(event_entries=8)
    data.logged = logged(*range(8))
    async with reader:
        first = await read_new_events(reader, EVENT_LOG, ())
        data.logged = logged(*range(30))
        second = await read_new_events(reader, EVENT_LOG, first.anchor)
        assert ([event.code for event in second.events], second.overrun) == (list(range(22, 30)), True)
        assert not (await read_new_events(reader, EVENT_LOG, second.anchor)).events


async def test_a_log_that_was_emptied_says_so_once() -> None:
    reader, data = a_meter()
    data.logged = logged(1, 2, 3)
    async with reader:
        first = await read_new_events(reader, EVENT_LOG, ())
        data.logged = []
        second = await read_new_events(reader, EVENT_LOG, first.anchor)
        assert (second.events, second.overrun) == ([], True)
        third = await read_new_events(reader, EVENT_LOG, second.anchor)
        assert (third.events, third.overrun) == ([], False)
        data.logged = logged(7)
        fourth = await read_new_events(reader, EVENT_LOG, third.anchor)
    assert ([event.code for event in fourth.events], fourth.overrun) == ([7], False)


async def test_events_after_a_clock_set_back_are_new() -> None:
    reader, data = a_meter(clock=ClockSpec(offset_s=1800))
    data.logged = logged(2, 15)
    async with reader:
        first = await read_new_events(reader, EVENT_LOG, ())
        await set_clock(reader, NOW)
        data.clock = NOW + timedelta(minutes=1)
        data.logged.append(EventRow(data.clock, 77))
        second = await read_new_events(reader, EVENT_LOG, first.anchor)
    assert [event.code for event in second.events] == [4, 5, 77]  # adjusted (old), adjusted (new), what came then
    stamps = [event.at_ms or 0 for event in second.events]
    assert stamps != sorted(stamps)


async def test_an_empty_log() -> None:
    reader, data = a_meter()
    async with reader:
        first = await read_new_events(reader, EVENT_LOG, ())
        assert (first.events, first.anchor, first.overrun) == ([], (), False)
        data.logged = logged(1)
        assert [event.code for event in (await read_new_events(reader, EVENT_LOG, ())).events] == [1]


events = st.lists(st.sampled_from([1, 2, 3]), max_size=30).map(
    lambda codes: [LoggedEvent(n, code) for n, code in enumerate(codes)]
)


@given(events, st.integers(0, 30), st.integers(0, 30))
def test_the_place_behind_what_was_read(rows: list[LoggedEvent], read: int, lost: int) -> None:
    read = min(read, len(rows))
    anchor: Anchor = tuple(rows[:read][-ANCHOR:])
    left = rows[lost:]
    if not anchor:
        assert behind(left, anchor) == 0
    elif lost < read:
        assert behind(left, anchor) == read - lost
    else:
        assert behind(left, anchor) is None


def test_a_mark_that_cannot_be_read_is_none() -> None:
    assert decode_anchor("{") == () == decode_anchor(None) == decode_anchor("[[1]]")


# -- clock


@pytest.mark.parametrize(("offset", "shifts"), [(12.0, True), (-45.0, True), (12.0, False), (600.0, True)])
async def test_the_clock_is_shifted_or_set(offset: float, shifts: bool) -> None:
    reader, data = a_meter(clock=ClockSpec(offset_s=offset, shifts=shifts))
    async with reader:
        assert (await reader.read_clock()).at == NOW + timedelta(seconds=offset)
        await set_clock(reader, NOW)
        assert abs((await reader.read_clock()).at - NOW) < timedelta(seconds=0.5)
        data.clock += timedelta(hours=1)
        assert abs((await reader.read_clock()).at - data.clock) < timedelta(seconds=0.5)


async def test_a_clock_that_drifts() -> None:
    reader, data = a_meter(clock=ClockSpec(drift_ppm=100))
    async with reader:
        await reader.read_clock()
        data.clock += timedelta(days=1)
        drift = (await reader.read_clock()).at - data.clock
    assert drift == timedelta(seconds=8.64)


# -- disconnector


@pytest.mark.parametrize(
    ("mode", "expected"), [(4, (True, ControlState.CONNECTED)), (3, (False, ControlState.READY_FOR_RECONNECTION))]
)
async def test_the_disconnector(mode: int, expected: tuple[bool, ControlState]) -> None:
    reader, _ = a_meter(switch_mode=mode)
    async with reader:
        assert await read_disconnector(reader) == Disconnector(True, ControlState.CONNECTED, mode)
        await disconnect(reader)
        assert await read_disconnector(reader) == Disconnector(False, ControlState.DISCONNECTED, mode)
        await reconnect(reader)
        assert await read_disconnector(reader) == Disconnector(*expected, mode)
        log = await read_new_events(reader, DISCONNECTOR_LOG, ())
    assert [event.code for event in log.events] == [62, 63 if mode == 4 else 59]


async def test_a_disconnector_that_is_not_moved_from_afar() -> None:
    reader, _ = a_meter(switch_mode=0)
    async with reader:
        with pytest.raises(AccessDeniedError, match="carry out"):
            await disconnect(reader)
        assert (await read_disconnector(reader)).connected


async def test_a_meter_without_disconnector() -> None:
    reader, _ = a_meter()
    async with reader:
        with pytest.raises(AccessDeniedError, match="object undefined"):
            await read_disconnector(reader)
