"""RTU over TCP: what a network does to frames between a serial server and the driver."""

import struct
import time

import pytest

from edge.bus.line import Line
from edge.bus.testing import Reaction, ScriptedLink
from edge.bus.timing import line_timing
from edge.config import DeviceConfig, StateRegister
from edge.drivers.modbus import ModbusDriver
from edge.errors import DeviceSilentError, LineAmbiguousError
from edge.modbus.exchange import Exchange
from edge.modbus.frames import rtu_frame
from shared.edge_config.model import Address
from shared.quantities import Unit
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH

IMPORT = StateRegister(item="import", unit=Unit.WH, exponent=1, register="1-0:1.8.0")
TOTAL = StateRegister(item="total", unit=Unit.WH, exponent=1, register="1-0:15.8.0")


def answer(unit: int, kwh: float) -> bytes:
    return rtu_frame(unit, b"\x04\x04" + struct.pack(">f", kwh))


class Server:
    """Two units behind a serial server; `script` holds what comes back for each request."""

    def __init__(self, *script: Reaction, timeout_s: float = 1.0) -> None:
        reactions = iter(script)
        self.link = ScriptedLink(lambda request: next(reactions))
        self.line = Line(self.link, line_timing("modbus-rtu", None), time.monotonic)
        self.exchange = Exchange(tcp=False, late_window=10.0)
        self.drivers = [
            ModbusDriver(
                DeviceConfig(id=f"EA-{unit}", model="sdm630", address=Address(unit=unit), timeout_s=timeout_s),
                self.exchange,
                ManualClock(MARCH),
            )
            for unit in (1, 2)
        ]

    async def read(self, unit: int, register: StateRegister) -> int:
        async with self.drivers[unit - 1].session(self.line) as meter:
            (reading,) = await meter.read_states([register])
        return reading.value


@pytest.mark.parametrize("cut", range(1, 9))
async def test_an_answer_cut_by_the_network(cut: int) -> None:
    octets = answer(1, 12.5)
    server = Server([(0.0, octets[:cut]), (0.005, octets[cut:])])
    assert await server.read(1, IMPORT) == 1250


async def test_an_answer_octet_by_octet() -> None:
    server = Server([(0.001 * n, bytes([octet])) for n, octet in enumerate(answer(1, 12.5))])
    assert await server.read(1, IMPORT) == 1250


async def test_a_late_answer_merged_with_the_next_one() -> None:
    server = Server([], [(0.0, answer(1, 1.0) + answer(2, 2.0))], [(0.0, answer(1, 3.0))], timeout_s=0.05)
    with pytest.raises(DeviceSilentError):
        await server.read(1, IMPORT)
    assert await server.read(2, TOTAL) == 200
    assert server.exchange.strays == 1
    assert await server.read(1, TOTAL) == 300, "its late answer has come; it need not rest"


async def test_a_late_answer_in_two_pieces_before_the_next_one() -> None:
    late = answer(1, 1.0)
    server = Server([], [(0.0, late[:5]), (0.0, late[5:]), (0.0, answer(2, 2.0))], timeout_s=0.05)
    with pytest.raises(DeviceSilentError):
        await server.read(1, IMPORT)
    assert await server.read(2, TOTAL) == 200
    assert server.exchange.strays == 1


async def test_half_of_a_late_answer_does_not_end_the_rest() -> None:
    server = Server([], [(0.0, answer(1, 1.0)[:5]), (0.0, answer(2, 2.0))], timeout_s=0.05)
    with pytest.raises(DeviceSilentError):
        await server.read(1, IMPORT)
    assert await server.read(2, TOTAL) == 200
    with pytest.raises(LineAmbiguousError):
        await server.read(1, TOTAL)


async def test_an_answer_and_the_beginning_of_noise() -> None:
    server = Server([(0.0, answer(1, 1.0) + b"\x01\x04\x04")], [(0.0, answer(1, 2.0))])
    assert await server.read(1, IMPORT) == 100
    assert await server.read(1, TOTAL) == 200
