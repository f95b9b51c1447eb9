"""SDM630: its map, its values, and what the meters' end of an RTU or TCP stream answers."""

import struct
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU

from firmware_sims.maps import schema
from firmware_sims.maps.schema import register_map
from firmware_sims.modbus_link import ModbusCounts, ModbusTcpLine, RtuLine, RtuServer, answer_pdu
from firmware_sims.modbus_meter import MappedMeter, RefusedError
from firmware_sims.scenario_model import ModbusMeter, Scenario
from firmware_sims.truth import Truth
from shared.metering_day import month_bounds
from shared.quantities import Commodity
from shared.testing import ManualClock

MAPS = Path(schema.__file__).parent
START = month_bounds(Commodity.ELECTRICITY, 2026, 3)[0]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
def meter(scenario: Scenario, truth: Truth, clock: ManualClock) -> MappedMeter:
    (described,) = [each for each in scenario.meters if isinstance(each, ModbusMeter)]
    return MappedMeter(described, truth, clock)


def floats(words: list[int]) -> list[float]:
    octets = struct.pack(f">{len(words)}H", *words)
    return list(struct.unpack(f">{len(words) // 2}f", octets))


def rtu(unit: int, pdu: bytes) -> bytes:
    frame = bytes([unit]) + pdu
    return frame + FramerRTU.compute_CRC(frame).to_bytes(2, "big")


def read_pdu(function: int, address: int, count: int) -> bytes:
    return struct.pack(">BHH", function, address, count)


def test_energies_are_exact_to_10_wh(meter: MappedMeter, truth: Truth, clock: ManualClock) -> None:
    for _ in range(40):
        shown = floats(meter.read(4, 0x48, 4))
        state = truth.state_at("NN-5", "import", clock.now())
        assert round(shown[0] * 100) == state
        assert shown[1] == 0
        (total,) = floats(meter.read(4, 0x156, 2))
        assert round(total * 100) == state
        assert round(sum(floats(meter.read(4, 0x15A, 6))) * 100) == state
        clock.advance(timedelta(minutes=15))


def test_the_clock_that_stands_shows_the_same(meter: MappedMeter, clock: ManualClock) -> None:
    before = meter.read(4, 0, 80)
    assert meter.read(4, 0, 80) == before
    clock.advance(timedelta(hours=1))
    assert meter.read(4, 0x48, 2) != before[0x48:0x4A]


def test_present_values_are_consistent(meter: MappedMeter, truth: Truth, clock: ManualClock) -> None:
    clock.advance(timedelta(hours=12, minutes=3))
    values = dict(zip(range(0, 80, 2), floats(meter.read(4, 0, 80)), strict=True))
    energy, length = truth.interval_at("NN-5", "import", clock.now())
    assert values[0x34] == pytest.approx(energy * 3600 / length.total_seconds())
    assert values[0x0C] + values[0x0E] + values[0x10] == pytest.approx(values[0x34], rel=1e-6)
    assert 225 < values[0] < 236
    assert 49.9 < values[0x46] < 50.1
    assert values[6] == pytest.approx(values[0x12] / values[0], rel=1e-6)


def test_holding_registers(meter: MappedMeter) -> None:
    assert meter.read(3, 0xFC00, 2) == [0, 5]
    assert floats(meter.read(3, 20, 2)) == [5.0]


def test_odd_reads_cut_values(meter: MappedMeter) -> None:
    assert meter.read(4, 0x49, 3) == meter.read(4, 0x48, 4)[1:]


@pytest.mark.parametrize(
    ("function", "address", "count", "code"),
    [(6, 0, 1, 1), (4, 0, 81, 3), (4, 0, 0, 3), (4, 79, 2, 2), (4, 200, 2, 2), (4, 380, 4, 2), (3, 0, 2, 2)],
)
def test_exceptions(meter: MappedMeter, function: int, address: int, count: int, code: int) -> None:
    with pytest.raises(RefusedError) as refused:
        meter.read(function, address, count)
    assert refused.value.code.value == code
    line = RtuLine({5: meter})
    pdu = read_pdu(function, address, count)
    assert line.receive(rtu(5, pdu)) == rtu(5, bytes([function | 0x80, code]))
    assert line.counts.refused == 1


@pytest.mark.parametrize("path", sorted(MAPS.glob("*.json")), ids=lambda path: path.stem)
def test_maps_have_no_overlaps(path: Path) -> None:
    found = register_map(path.stem)
    for function in (3, 4):
        items = sorted(found.items(function), key=lambda item: item.address)
        assert all(second.address - first.address >= first.count for first, second in pairwise(items))
        for item in items:
            if found.sunspec is None:
                assert any(
                    low <= item.address and item.address + item.count - 1 <= high
                    for low, high in found.spaces(function)
                )
    if found.sunspec is not None:
        last = max(found.holding, key=lambda item: item.address)
        assert last.address + last.count == 2 + found.sunspec.length
        assert max(item.address + item.count for item in found.sunspec.common) == 68


def test_rtu_in_pieces(meter: MappedMeter) -> None:
    line = RtuLine({5: meter})
    frame = rtu(5, read_pdu(4, 0x48, 2))
    assert [line.receive(frame[i : i + 1]) for i in range(len(frame) - 1)] == [b""] * 7
    answer = line.receive(frame[-1:])
    assert answer[:3] == bytes([5, 4, 4])
    assert answer == rtu(5, answer[1:-2])


@pytest.mark.parametrize(
    ("frame", "foreign", "bad"),
    [
        (rtu(6, read_pdu(4, 0, 2)), 1, 0),
        (rtu(0, read_pdu(4, 0, 2)), 1, 0),
        (rtu(5, read_pdu(4, 0, 2))[:-1] + b"\x00", 0, 1),
        (b"\x05\x04\x00", 0, 1),
    ],
    ids=["foreign unit", "broadcast", "wrong CRC", "cut off"],
)
def test_rtu_keeps_silent(meter: MappedMeter, frame: bytes, foreign: int, bad: int) -> None:
    line = RtuLine({5: meter})
    assert line.receive(frame) == b""
    assert line.silence() == b""
    assert (line.counts.foreign, line.counts.bad) == (foreign, bad)
    assert line.receive(rtu(5, read_pdu(4, 0, 2))) != b"", "the next frame is heard"


def test_rtu_unknown_function_ends_with_silence(meter: MappedMeter) -> None:
    line = RtuLine({5: meter})
    assert line.receive(rtu(5, b"\x63\x01\x02\x03")) == b""
    assert line.silence() == rtu(5, bytes([0xE3, 1]))


class Plate:
    """A meter that only says who it is."""

    identification: ClassVar[dict[int, str]] = {0: "V", 1: "P1", 2: "1.0"}

    def read(self, function: int, address: int, count: int) -> list[int]:
        raise RefusedError(ExcCodes.ILLEGAL_ADDRESS)


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        ("2b 0e 01 00", "2b 0e 01 83 00 00 03 00 01 56 01 02 50 31 02 03 31 2e 30"),
        ("2b 0e 01 02", "2b 0e 01 83 00 00 01 02 03 31 2e 30"),
        ("2b 0e 01 09", "2b 0e 01 83 00 00 03 00 01 56 01 02 50 31 02 03 31 2e 30"),
        ("2b 0e 04 01", "2b 0e 04 83 00 00 01 01 02 50 31"),
        ("2b 0e 04 09", "ab 02"),
        ("2b 0e 00 00", "ab 03"),
        ("2b 0e 05 00", "ab 03"),
        ("2b 0d 01 00", "ab 01"),
        ("2b 0e 01", "ab 01"),
    ],
    ids=["all", "from an object", "from none", "one", "one that is none", "code 0", "code 5", "another MEI", "short"],
)
def test_device_identification(request_: str, expected: str) -> None:
    answer = answer_pdu(Plate(), bytes.fromhex(request_), ModbusCounts())
    assert (bytes([answer.function_code]) + answer.encode()).hex(" ") == expected


def test_a_meter_without_identification_does_not_know_the_function(meter: MappedMeter) -> None:
    answer = answer_pdu(meter, bytes.fromhex("2b 0e 01 00"), ModbusCounts())
    assert (bytes([answer.function_code]) + answer.encode()).hex(" ") == "ab 01"


def test_rtu_behind_a_serial_server(meter: MappedMeter) -> None:
    wall = 0.0
    server = RtuServer(RtuLine({5: meter}), lambda: wall)
    request = rtu(5, read_pdu(4, 0, 2))
    assert server.receive(request[:3]) == b""
    wall = 0.1
    assert server.receive(request[3:]) != b"", "cut by the network"
    assert server.receive(request[:5]) == b""
    wall = 1.0
    assert server.receive(request) != b"", "what was never completed is forgotten"
    assert server.line.counts.bad == 1


def mbap(transaction: int, unit: int, pdu: bytes) -> bytes:
    return struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


def test_tcp_answers_in_order(meter: MappedMeter) -> None:
    counts = ModbusCounts()
    line = ModbusTcpLine({5: meter}, counts)
    stream = mbap(7, 5, read_pdu(4, 0x48, 2)) + mbap(8, 9, read_pdu(4, 0, 2)) + mbap(9, 5, read_pdu(1, 0, 1))
    answer = line.receive(stream[:5]) + line.receive(stream[5:])
    energy = struct.pack(">HH", *meter.read(4, 0x48, 2))
    assert answer == mbap(7, 5, b"\x04\x04" + energy) + mbap(9, 5, b"\x81\x01")
    assert (counts.frames, counts.foreign, counts.refused) == (3, 1, 1)


def test_tcp_that_is_not_modbus_is_given_up(meter: MappedMeter) -> None:
    counts = ModbusCounts()
    line = ModbusTcpLine({5: meter}, counts)
    assert line.receive(b"GET / HTTP/1.1\r\n\r\n") == b""
    assert line.broken
    assert counts.bad == 1


@given(st.lists(st.one_of(st.binary(max_size=30), st.binary(min_size=1, max_size=20).map(lambda pdu: rtu(5, pdu)))))
def test_nothing_from_an_rtu_line_raises(chunks: list[bytes]) -> None:
    line = RtuLine({5: Plate()})
    for chunk in chunks:
        line.receive(chunk)
        line.silence()
    assert line.receive(rtu(5, bytes.fromhex("2b 0e 04 01"))) != b""


@given(st.lists(st.one_of(st.binary(max_size=30), st.binary(min_size=1, max_size=20).map(lambda pdu: mbap(1, 5, pdu)))))
def test_nothing_from_a_tcp_connection_raises(chunks: list[bytes]) -> None:
    line = ModbusTcpLine({5: Plate()}, ModbusCounts())
    for chunk in chunks:
        line.receive(chunk)
    assert ModbusTcpLine({5: Plate()}, ModbusCounts()).receive(mbap(9, 5, bytes.fromhex("2b 0e 04 01"))) != b""
