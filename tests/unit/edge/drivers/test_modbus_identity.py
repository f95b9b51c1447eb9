"""Which meter answers: identity before the first read, again after silence; SunSpec models; counters that tear."""

import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edge.bus.line import Line
from edge.bus.testing import Reaction, ScriptedLink
from edge.bus.timing import LineTiming
from edge.config import DeviceConfig, IdentityConfig, StateRegister, StatesConfig
from edge.drivers import modbus
from edge.drivers.modbus import ModbusDriver
from edge.errors import DeviceGarbledError, DeviceMismatchError, DeviceRefusedError, DeviceSilentError
from edge.modbus.exchange import Exchange
from edge.modbus.frames import tcp_frame
from shared.edge_config.model import Address
from shared.quantities import Unit
from shared.testing import ManualClock
from tests.unit.edge.examples import MARCH

IMPORT = StateRegister(item="import", unit=Unit.WH, register="1-0:1.8.0")
VOLTAGE = StateRegister(item="voltage-L1", unit=Unit.V, exponent=-1, register="1-0:32.7.0")


class Registers:
    """A device on Modbus TCP in memory: octets by function and address; what is not there is refused."""

    def __init__(self) -> None:
        self.words: dict[tuple[int, int], int] = {}
        self.asked: list[tuple[int, int, int]] = []
        self.objects: dict[int, bytes] = {}
        self.silent = False
        self.before: Callable[[], None] = lambda: None

    def put(self, address: int, octets: bytes, function: int = 3) -> None:
        for n in range(0, len(octets), 2):
            self.words[function, address + n // 2] = int.from_bytes(octets[n : n + 2], "big")

    def react(self, request: bytes) -> Reaction:
        if self.silent:
            return []
        self.before()
        return [(0.0, tcp_frame(request[6], int.from_bytes(request[:2], "big"), self._answer(request[7:])))]

    def _answer(self, pdu: bytes) -> bytes:
        if pdu[0] == 43:
            self.asked.append((43, pdu[3], 0))
            object_, more = pdu[3], pdu[3] + 1 in self.objects
            head = bytes([43, 14, 1, 1, 0xFF if more else 0, object_ + 1 if more else 0, 1])
            return head + bytes([object_, len(self.objects[object_])]) + self.objects[object_]
        function, address, count = struct.unpack(">BHH", pdu)
        self.asked.append((function, address, count))
        try:
            words = [self.words[function, address + n] for n in range(count)]
        except KeyError:
            return bytes([function | 0x80, 2])
        return bytes([function, 2 * count]) + struct.pack(f">{count}H", *words)


class Bench:
    """A driver that reads `device`."""

    def __init__(self, model: str, device: Registers, **changes: Any) -> None:
        config = DeviceConfig(
            id="EA-1", model=model, address=Address(unit=1), states=StatesConfig(registers=[IMPORT], at="quarter-hour"),
            timeout_s=0.01, **changes,
        )  # fmt: skip
        self.exchange = Exchange(tcp=True)
        self.exchange.reset()
        self.line = Line(ScriptedLink(device.react), LineTiming(), ManualClock(MARCH).monotonic)
        self.driver = ModbusDriver(config, self.exchange, ManualClock(MARCH))

    async def read(self, *registers: StateRegister) -> list[int]:
        async with self.driver.session(self.line) as meter:
            return [reading.value for reading in await meter.read_states(registers or [IMPORT])]


def abb() -> Registers:
    device = Registers()
    device.put(0x5000, struct.pack(">QQ", 123_456, 0))
    device.put(0x8900, struct.pack(">I", 41_234_567))
    device.put(0x8960, b"B23 112-100\0")
    device.put(0x5B00, struct.pack(">III", 2304, 0xFFFFFFFF, 2310))
    device.objects = {0: b"ABB", 1: b"B23 112-100", 2: b"1.2"}
    return device


IDENTITY = IdentityConfig(serial="41234567", code="b23 112-100")


async def test_the_right_meter_is_asked_once_for_a_connection() -> None:
    device = abb()
    bench = Bench("abb-b23", device, identity=IDENTITY)
    assert await bench.read() == [1_234_560]
    assert device.asked == [(3, 0x8900, 2), (3, 0x8960, 6), (3, 0x5000, 4)]
    await bench.read()
    assert device.asked[3:] == [(3, 0x5000, 4)]
    bench.exchange.reset()
    await bench.read()
    assert device.asked[4:] == [(3, 0x8900, 2), (3, 0x8960, 6), (3, 0x5000, 4)]


async def test_another_meter_is_refused_before_anything_is_read() -> None:
    device = abb()
    device.put(0x8900, struct.pack(">I", 41_999_999))
    bench = Bench("abb-b23", device, identity=IDENTITY)
    for _ in range(2):
        with pytest.raises(
            DeviceMismatchError, match=r"Unit 1 is not EA-1: it shows serial '41999999', expected '41234567'. It is not"
        ) as caught:
            await bench.read()
        assert caught.value.differ == {"serial": ("41234567", "41999999")}
    assert (3, 0x5000, 4) not in device.asked


async def test_after_silence_the_meter_may_be_another_one() -> None:
    device = abb()
    bench = Bench("abb-b23", device, identity=IDENTITY)
    await bench.read()
    device.silent = True
    with pytest.raises(DeviceSilentError):
        await bench.read()
    device.silent = False
    device.put(0x8900, struct.pack(">I", 1))
    with pytest.raises(DeviceMismatchError):
        await bench.read()


async def test_device_identification_in_parts() -> None:
    device = abb()
    bench = Bench("abb-b23", device, identity=IdentityConfig(vendor="ABB", product="B23 112-100"))
    await bench.read()
    assert device.asked == [(43, 0, 0), (43, 1, 0), (43, 2, 0), (3, 0x5000, 4)]
    wrong = Bench("abb-b23", device, identity=IdentityConfig(vendor="Eastron"))
    with pytest.raises(DeviceMismatchError, match="vendor 'ABB', expected 'Eastron'"):
        await wrong.read()


async def test_no_value_is_told_and_not_made_up() -> None:
    bench = Bench("abb-b23", abb())
    assert await bench.read(VOLTAGE, IMPORT) == [2304, 1_234_560]
    second = msgspec.structs.replace(VOLTAGE, item="voltage-L2")
    with pytest.raises(DeviceGarbledError, match="Unit 1: the meter has no value for voltage-L2"):
        await bench.read(second, IMPORT)


async def test_a_device_set_to_low_word_first() -> None:
    device = abb()
    device.put(0x5000, struct.pack(">HHHH", 57_920, 1, 0, 0))
    bench = Bench("abb-b23", device, word_order="low-first")
    assert await bench.read() == [1_234_560]


# -- SunSpec


def sunspec(base: int, models: list[tuple[int, bytes]]) -> Registers:
    device = Registers()
    device.put(base, b"SunS")
    place = base + 2
    for number, body in models:
        device.put(place, struct.pack(">HH", number, len(body) // 2) + body)
        place += 2 + len(body) // 2
    device.put(place, b"\xff\xff\x00\x00")
    return device


def common(serial: bytes) -> bytes:
    return b"Maker".ljust(32, b"\0") + b"Model".ljust(32, b"\0") + bytes(32) + serial.ljust(32, b"\0") + b"\0\x01\x80\0"


def meter_203(imported: int, factor: int) -> bytes:
    body = bytearray(105 * 2)
    struct.pack_into(">I", body, (46 - 2) * 2, imported)
    struct.pack_into(">h", body, (54 - 2) * 2, factor)
    return bytes(body)


@pytest.mark.parametrize("base", [40_000, 50_000, 0])
async def test_models_are_found_behind_any_base(base: int) -> None:
    inverter = (103, bytes(100))
    device = sunspec(base, [(1, common(b"S-77")), inverter, (203, meter_203(1234, 1))])
    bench = Bench("sunspec-int", device, identity=IdentityConfig(serial="S-77"))
    assert await bench.read() == [12_340]
    place = base + 2 + 68 + 52 + 46
    assert device.asked[-1] == (3, place, 9), "value and scale factor in one answer"
    await bench.read()
    assert device.asked[-1] == (3, place, 9)
    assert device.asked[-2] == (3, place, 9), "found once"


async def test_another_scale_factor_counts_from_the_answer_that_brings_it() -> None:
    device = sunspec(40_000, [(1, common(b"S")), (203, meter_203(1234, 1))])
    bench = Bench("sunspec-int", device)
    assert await bench.read() == [12_340]
    device.put(40_070 + 54, struct.pack(">h", -1))
    device.put(40_070 + 46, struct.pack(">I", 123_400))
    assert await bench.read() == [12_340]
    device.put(40_070 + 54, struct.pack(">h", 99))
    with pytest.raises(DeviceGarbledError, match="import: the scale factor is 99"):
        await bench.read()


async def test_after_silence_known_models_are_looked_at_and_found_again_elsewhere() -> None:
    device = sunspec(40_000, [(1, common(b"S")), (203, meter_203(1234, 0))])
    bench = Bench("sunspec-int", device)
    await bench.read()
    bench.driver.forget()
    count = len(device.asked)
    await bench.read()
    assert device.asked[count:] == [(3, 40_070, 2), (3, 40_116, 9)]
    other = sunspec(50_000, [(1, common(b"S")), (204, meter_203(77, 0))])
    device.words = other.words
    bench.driver.forget()
    assert await bench.read() == [77]


@pytest.mark.parametrize(
    ("device", "expected"),
    [
        (Registers(), "it is no SunSpec device"),
        (
            sunspec(40_000, [(1, common(b"S")), (213, bytes(248))]),
            "it has the models 1, 213; expected 1 and one of 201",
        ),
        (sunspec(40_000, [(1, common(b"S"))] + [(9, b"")] * 70), "does not end within 64 models"),
        (sunspec(40_000, []), "it has the models none; expected 1"),
    ],
    ids=["none", "floats", "endless", "empty"],
)
async def test_what_is_no_such_meter_is_refused(device: Registers, expected: str) -> None:
    with pytest.raises(DeviceMismatchError, match=expected):
        await Bench("sunspec-int", device).read()


async def test_a_chain_that_breaks_is_refused() -> None:
    device = sunspec(40_000, [(1, common(b"S")), (203, meter_203(1234, 0))])
    del device.words[3, 40_070]
    with pytest.raises(DeviceMismatchError, match="does not show the model at register 40070"):
        await Bench("sunspec-int", device).read()


async def test_zero_of_an_accumulator_is_no_value() -> None:
    device = sunspec(40_000, [(1, common(b"S")), (203, meter_203(0, 0))])
    with pytest.raises(DeviceGarbledError, match="no value for import"):
        await Bench("sunspec-int", device).read()


# -- torn counters


@pytest.fixture
def tearing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = modbus.find_map
    monkeypatch.setattr(modbus, "find_map", lambda model: msgspec.structs.replace(found(model), tearing=True))


def showing(*states: int) -> Registers:
    """An ABB whose import shows one state after the other."""
    device, left = abb(), list(states)

    def turn() -> None:
        device.put(0x5000, struct.pack(">Q", left.pop(0)))

    device.before = turn
    return device


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([65_535, 65_535], 655_350),
        ([65_535, 65_536], 655_360),
        ([131_071, 65_536, 65_536], 655_360),
        ([0, 65_536, 65_536], 655_360),
        ([65_535, 131_071, 65_536, 65_537], 655_370),
    ],
    ids=["still", "a carry", "low word too old", "high word too old", "torn in the second answer"],
)
async def test_a_torn_counter_is_never_believed(tearing: None, states: list[int], expected: int) -> None:
    assert await Bench("abb-b23", showing(*states)).read() == [expected]


async def test_a_counter_that_stays_torn_is_no_reading(tearing: None) -> None:
    with pytest.raises(DeviceGarbledError, match="4 answers to registers 20480 to 20483 do not agree"):
        await Bench("abb-b23", showing(131_071, 0, 131_071, 0)).read()


async def test_a_refused_register_names_itself() -> None:
    device = abb()
    del device.words[3, 0x5001]
    with pytest.raises(DeviceRefusedError, match="refused registers 20480 to 20483 of function 3: exception 2"):
        await Bench("abb-b23", device).read()
