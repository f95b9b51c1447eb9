"""The Modbus driver on a scripted line: late, foreign, spoiled and missing replies."""

import asyncio
import struct
import time

import pytest

from edge.bus.line import Line
from edge.bus.testing import Reaction, ScriptedLink
from edge.bus.timing import LineTiming
from edge.config import DeviceConfig, StateRegister
from edge.drivers.modbus import ModbusDriver
from edge.errors import DeviceGarbledError, DeviceRefusedError, DeviceSilentError, LineAmbiguousError, LineDownError
from edge.modbus.exchange import Exchange
from edge.modbus.frames import rtu_frame, tcp_frame
from shared.quantities import Unit
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH, device

IMPORT = StateRegister(item="import", unit=Unit.WH, exponent=1, register="1-0:1.8.0")
TOTAL = StateRegister(item="total", unit=Unit.WH, exponent=1, register="1-0:15.8.0")


def kwh(value: float) -> bytes:
    return b"\x04\x04" + struct.pack(">f", value)


class Bench:
    """A driver on a scripted line."""

    def __init__(self, *, tcp: bool = False, timeout_s: float = 0.2) -> None:
        base = device("EA-1")
        config = DeviceConfig(id="EA-1", model="sdm630", address=base.address, states=base.states, timeout_s=timeout_s)
        self.clock = ManualClock(MARCH)
        self.link = ScriptedLink()
        self.line = Line(self.link, LineTiming(0.0, 0.002, 0.02), time.monotonic)
        self.exchange = Exchange(tcp=tcp, late_window=0.4)
        self.driver = ModbusDriver(config, self.exchange, self.clock)

    async def read(self, *registers: StateRegister) -> list[int]:
        async with self.driver.session(self.line) as meter:
            return [reading.value for reading in await meter.read_states(registers)]

    def answers(self, *reactions: Reaction) -> None:
        script = iter(reactions)
        self.link.react = lambda request: next(script)


async def test_values_with_their_own_time() -> None:
    bench = Bench()
    bench.answers([(0, rtu_frame(1, kwh(12345.67)))])
    async with bench.driver.session(bench.line) as meter:
        (reading,) = await meter.read_states([IMPORT])
    assert (reading.value, reading.at_ms) == (1_234_567, bench.clock.now_ms())
    assert bench.link.written[0][1] == bytes.fromhex("01 04 00 48 00 02 f1 dd")


async def test_two_blocks_keep_the_silent_gap() -> None:
    bench = Bench()
    bench.answers([(0, rtu_frame(1, kwh(1.0)))], [(0, rtu_frame(1, kwh(2.0)))])
    assert await bench.read(TOTAL, IMPORT) == [200, 100]
    first, second = (at for at, _ in bench.link.written)
    assert second - first >= 0.002


async def test_silence() -> None:
    bench = Bench()
    with pytest.raises(DeviceSilentError, match="Unit 1 gave no whole answer to registers 72 to 73 within"):
        await bench.read(IMPORT)


async def test_a_late_reply_is_not_taken_for_the_next_question() -> None:
    bench = Bench()
    bench.answers([(0.3, rtu_frame(1, kwh(1.0)))], [(0.01, rtu_frame(1, kwh(2.0)))])
    with pytest.raises(DeviceSilentError):
        await bench.read(IMPORT)
    with pytest.raises(LineAmbiguousError) as caught:
        await bench.read(TOTAL)
    await asyncio.sleep(caught.value.retry_in + 0.01)
    assert await bench.read(TOTAL) == [200]
    assert bench.line.counters.drained == len(rtu_frame(1, kwh(1.0)))


async def test_foreign_and_spoiled_frames_are_passed_over() -> None:
    bench = Bench()
    good = rtu_frame(1, kwh(3.0))
    bench.answers([(0, rtu_frame(2, kwh(9.0))), (0.005, b"\x01\x04\x04\x41\x10\x00\x00\xff\xff"), (0.01, good)])
    assert await bench.read(IMPORT) == [300]
    assert bench.exchange.strays == 1


async def test_refusal_and_no_number() -> None:
    bench = Bench()
    bench.answers([(0, rtu_frame(1, b"\x84\x02"))], [(0, rtu_frame(1, kwh(float("nan"))))])
    with pytest.raises(DeviceRefusedError):
        await bench.read(IMPORT)
    with pytest.raises(DeviceGarbledError, match="no value for import"):
        await bench.read(IMPORT)


async def test_tcp_needs_no_rest_after_a_time_out() -> None:
    bench = Bench(tcp=True)
    bench.answers([(0.25, tcp_frame(1, 1, kwh(1.0)))], [(0.1, tcp_frame(1, 2, kwh(2.0)))])
    with pytest.raises(DeviceSilentError):
        await bench.read(IMPORT)
    assert await bench.read(IMPORT) == [200]


async def test_tcp_without_frames_is_a_line_that_is_down() -> None:
    bench = Bench(tcp=True)
    bench.answers([(0, b"HTTP/1.1 400 Bad Request")])
    with pytest.raises(LineDownError, match="lost its frames"):
        await bench.read(IMPORT)


async def test_a_line_that_breaks_is_no_fault_of_the_meter() -> None:
    bench = Bench()

    def hang_up(request: bytes) -> Reaction:
        bench.link.hang_up()
        return ()

    bench.link.react = hang_up
    with pytest.raises(LineDownError):
        await bench.read(IMPORT)
