"""The fast way over Modbus TCP: which answers are taken, and what happens to the others."""

import asyncio
import struct
import time
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest

from edge.bus.line import Line
from edge.bus.owner import SILENT_BEFORE_RESET, Bus, Priority, Turn
from edge.bus.timing import LineTiming
from edge.config import DeviceConfig, IdentityConfig
from edge.device_state import DeviceState
from edge.drivers.modbus import ModbusDriver
from edge.errors import LineDownError
from edge.live.modbus_tcp import ModbusPoller, ModbusTarget, prepared
from edge.live.rows import modbus_rows
from edge.live.series import Cut, LiveSeries
from edge.live.testing import FakeHeldLink, answer_to
from edge.modbus.exchange import Exchange
from edge.schedule import DeviceProgress
from shared.clock import EPOCH
from shared.testing import ManualClock
from tests.unit.edge.live.examples import NOON, POWER, VOLTAGE, live_device

S = 1000


class Rig:
    """A connection with one device (more by `add`), its line lent to the poller."""

    def __init__(self, device: DeviceConfig | None = None) -> None:
        self.clock = ManualClock(EPOCH + timedelta(milliseconds=NOON))
        self.link = FakeHeldLink()
        self.exchange = Exchange(tcp=True)
        self.poller = ModbusPoller(self.link, self.exchange, self.clock)
        self.bus = Bus("tcp-9", Line(self.link, LineTiming(), time.monotonic))
        self.cuts: list[Cut] = []
        self.woken = 0
        self.targets: list[ModbusTarget] = []
        self.add(device or live_device(registers=(POWER, VOLTAGE)))

    def add(self, config: DeviceConfig, *, known: bool = True) -> ModbusTarget:
        driver = ModbusDriver(config, self.exchange, self.clock)
        device = DeviceState(config, self.bus, driver, DeviceProgress())
        assert config.live is not None
        plan = driver.plan(config.live.registers)
        series = LiveSeries(config, modbus_rows(config.live.registers, plan), self.cuts.append)
        series.begin(NOON, None)
        target = ModbusTarget(self.poller, device, driver, series)
        if known:
            target.requests = prepared(plan)
            driver._known_in = self.exchange.connections
        self.targets.append(target)
        return target

    def begin(self) -> None:
        def wake() -> None:
            self.woken += 1

        self.poller.begin(wake)

    def poll(self, slot: int = NOON, target: int = 0) -> bytes:
        """Fire a slot; gives the request that went out."""
        before = len(self.link.sent)
        self.targets[target].poll(slot)
        return self.link.sent[-1] if len(self.link.sent) > before else b""

    def values(self) -> list[list[int | None]]:
        self.targets[0].series.cut()
        return [list(column) for cut in self.cuts for column in cut.series.rows.columns(cut.rows)]


@pytest.fixture
def rig() -> Iterator[Rig]:
    found = Rig()
    yield found
    found.poller.end()


def power(watts: float, volts: float = 230.0) -> bytes:
    """Registers 4 to 13: voltage first, power last."""
    return struct.pack(">f", volts) + bytes(12) + struct.pack(">f", watts)


async def test_golden_request_and_answer(rig: Rig) -> None:
    """Unit 9, function 4, 10 registers from 4: voltage L3 at 4, power L1 at 12."""
    rig.begin()
    assert rig.poll() == bytes.fromhex("0001 0000 0006 09 04 0004 000a")
    rig.link.say(bytes.fromhex("0001 0000 0017 09 04 14 43660000") + bytes(12) + bytes.fromhex("44960000"))
    assert rig.values() == [[1200], [2300]]


@pytest.mark.parametrize("cut", range(1, 29))
async def test_an_answer_in_two_pieces(rig: Rig, cut: int) -> None:
    rig.begin()
    answer = answer_to(rig.poll(), power(7))
    rig.link.say(answer[:cut])
    rig.link.say(answer[cut:])
    assert rig.values() == [[7], [2300]]


async def test_a_foreign_or_late_answer_is_a_stray(rig: Rig) -> None:
    rig.begin()
    request = rig.poll()
    right = answer_to(request, power(7))
    for wrong in (
        b"\x12\x34" + right[2:],
        right[:6] + b"\x08" + right[7:],
        answer_to(request, power(7)[:-4]),
        right[:7] + b"\x03" + right[8:],
    ):
        rig.link.say(wrong)
    rig.link.say(right + right)
    assert rig.values() == [[7], [2300]]
    assert rig.poller.strays == 5


async def test_an_answer_after_its_interval_is_no_sample_of_it(rig: Rig) -> None:
    rig.begin()
    request = rig.poll()
    rig.clock.advance(timedelta(seconds=1))
    assert rig.poll(NOON + S) == b"", "one request in flight"
    rig.link.say(answer_to(request, power(7)))
    assert rig.targets[0].series.taken == 0
    rig.link.say(answer_to(rig.link.sent[-1], power(8)))
    assert rig.values() == [[8], [2300]]
    assert rig.targets[0].series.missed == 1


async def test_a_refusal_rests_the_device(rig: Rig) -> None:
    rig.begin()
    request = rig.poll()
    rig.link.say(request[:4] + b"\x00\x03\x09\x84\x02")
    device = rig.targets[0].device
    assert device.last_error == "Unit 9 refused registers 4 to 13 of function 4: exception 2, illegal data address."
    assert device.failures == 1
    rig.clock.advance(timedelta(seconds=1))
    assert rig.poll(NOON + S) == b""


async def test_silence_then_the_next_device(rig: Rig) -> None:
    other = rig.add(live_device())
    rig.begin()
    rig.poll()
    other.poll(NOON)
    assert len(rig.link.sent) == 1
    await asyncio.sleep(0.03)
    assert len(rig.link.sent) == 2
    assert "Unit 9 gave no whole answer to registers 4 to 13 within 0.02 s." in rig.targets[0].device.last_error
    rig.link.say(answer_to(rig.link.sent[1], struct.pack(">f", 5.0)))
    assert other.series.taken == 1
    assert other.device.failures == 0


async def test_silence_for_longer_than_the_period_stops_nobody(rig: Rig) -> None:
    other = rig.add(live_device())
    rig.begin()
    rig.poll()
    rig.clock.advance(timedelta(seconds=1))
    rig.poll(NOON + S)
    other.poll(NOON + S)
    await asyncio.sleep(0.03)
    assert len(rig.link.sent) == 2, "the silent one is due again, but must be greeted first"
    rig.link.say(answer_to(rig.link.sent[1], struct.pack(">f", 5.0)))
    assert other.series.taken == 1
    async with asyncio.timeout(1):
        await rig.poller.pause()


async def test_what_came_due_on_another_connection_is_not_asked_on_the_new_one(rig: Rig) -> None:
    rig.poll()
    rig.exchange.reset()
    rig.begin()
    assert rig.link.sent == [], "the meter may be another one: it is greeted first"


async def test_a_connection_that_gives_nothing_is_made_anew(rig: Rig) -> None:
    others = [rig.add(live_device()) for _ in range(SILENT_BEFORE_RESET)]
    rig.begin()
    rig.poll()
    for other in others:
        other.poll(NOON)
    await asyncio.sleep(0.03 * SILENT_BEFORE_RESET)
    assert rig.woken == 1
    with pytest.raises(LineDownError, match="3 requests in a row got no answer"):
        await rig.poller.pause()


async def test_two_requests_make_one_row() -> None:
    energy = {"item": "total", "unit": "Wh", "exponent": 0, "register": "total"}
    rig = Rig(live_device(registers=(energy, POWER)))
    rig.begin()
    first = rig.poll()
    rig.link.say(answer_to(first, struct.pack(">f", 250.0)))
    assert rig.targets[0].series.taken == 0
    rig.link.say(answer_to(rig.link.sent[-1], struct.pack(">f", 1.5)))
    assert rig.values() == [[1500], [250]]
    rig.poller.end()


async def test_lost_frames_and_a_lost_connection_end_the_loan(rig: Rig) -> None:
    for end in (lambda: rig.link.say(b"\x00\x01\xff\xff\x00\x06\x09\x04"), rig.link.hang_up):
        rig.begin()
        rig.poll()
        end()
        with pytest.raises(LineDownError):
            await rig.poller.pause()
        rig.poller.end()
    assert rig.woken == 2


async def test_a_job_waits_for_the_open_request_only(rig: Rig) -> None:
    rig.begin()
    request = rig.poll()
    paused = asyncio.create_task(rig.poller.pause())
    await asyncio.sleep(0)
    assert not paused.done()
    rig.link.say(answer_to(request, power(7)))
    await paused
    rig.poller.end()
    assert rig.poll(NOON) == b"", "the line is not lent"
    rig.link.say(b"late")
    assert await rig.link.read(0.1) == b"late", "what comes now is the job's"
    rig.begin()
    assert len(rig.link.sent) == 2, "what came due meanwhile is asked now"


async def test_what_came_due_too_long_ago_is_not_asked_any_more(rig: Rig) -> None:
    rig.poll()
    rig.clock.advance(timedelta(seconds=1))
    rig.begin()
    assert rig.link.sent == []
    assert rig.poll(NOON + S) != b""


async def test_jobs_and_series_share_one_bus() -> None:
    rig = Rig()
    rig.link.react = lambda request: answer_to(request, power(42) if request[11] == 10 else struct.pack(">f", 1.0))
    rig.bus.tenant = rig.poller
    device = rig.targets[0].device
    task = asyncio.create_task(rig.bus.run())
    await asyncio.sleep(0)

    async def work(turn: Turn) -> int:
        async with device.driver.session(turn.line) as meter:
            assert device.config.live is not None
            return (await meter.read_states(device.config.live.registers[:1]))[0].value

    for n in range(3):
        rig.clock.set(EPOCH + timedelta(milliseconds=NOON + n * S))
        rig.targets[0].poll(NOON + n * S)
        assert await rig.bus.submit("EA-9", Priority.COMMAND, work) == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert rig.targets[0].series.taken == 3
    assert len({request[:2] for request in rig.link.sent}) == 6, "no two requests share a number"


async def test_who_it_is_is_asked_before_it_is_sampled_and_again_after_silence() -> None:
    rig = Rig()
    config = msgspec.structs.replace(live_device(), identity=IdentityConfig(code="113"))
    target = rig.add(config, known=False)
    rig.bus.tenant = rig.poller
    code = b"\x00\x71"

    def react(request: bytes) -> bytes:
        if request[8:10] == (64514).to_bytes(2, "big"):
            return answer_to(request, code)
        return answer_to(request, struct.pack(">f", 5.0))

    rig.link.react = react
    task = asyncio.create_task(rig.bus.run())

    async def polled(slot: int) -> None:
        rig.clock.set(EPOCH + timedelta(milliseconds=slot))
        target.poll(slot)
        async with asyncio.timeout(1):
            while target._task is not None:
                await asyncio.sleep(0)

    await polled(NOON)
    assert (target.series.taken, target.driver.known) == (0, True)
    await polled(NOON + S)
    assert target.series.taken == 1
    target.driver.forget()
    code = b"\x00\x00"
    await polled(NOON + 2 * S)
    assert target.series.taken == 1
    assert "Unit 9 is not EA-9" in target.device.last_error
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
