"""tshark reads captures of our traffic, made by our own recording proxy: nothing malformed, and all of it seen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.peers import PeerProgram
from edge.bus.line import Line
from edge.bus.link import make_link
from edge.bus.timing import line_timing
from edge.config import DeviceConfig, SerialLink, StateRegister, StatesConfig, TcpLink
from edge.config.model import Address
from edge.drivers.modbus import ModbusDriver
from edge.modbus.exchange import Exchange
from shared.clock import SystemClock
from shared.quantities import Unit
from tests.peers.dissect import RTU_PORT, TCP_PORT, Dissection, dissect_modbus
from tests.peers.modbus_site import BAUD, ModbusSite
from tests.peers.pcap import Capture
from tests.peers.recorder import recorded_pty, recorded_tcp

ROUNDS = 5
GOOD_REQUEST = bytes.fromhex("01 04 00 48 00 02 f1 dd")
GOOD_ANSWER = bytes.fromhex("11 03 06 ae 41 56 52 43 40 49 ad")
"""Of the request 11 03 00 6b 00 03 76 87, from the standard's examples."""
TCP_REQUEST = bytes.fromhex("0001 0000 0006 11 03 006b 0003")
TCP_ANSWER = bytes.fromhex("0001 0000 0009 11 03 06 ae4156524340")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModbusSite]:
    site = ModbusSite(tmp_path_factory.mktemp("site"), ["sdm630"])
    yield site
    site.close()


REGISTERS = [
    StateRegister(item=item, unit=Unit.WH, exponent=1, register=f"1-0:{n}.8.0")
    for n, item in enumerate(("import", "total"), 1)
]


def _device(unit: int) -> DeviceConfig:
    states = StatesConfig(registers=REGISTERS, at="quarter-hour")
    return DeviceConfig(id=f"M-{unit}", model="sdm630", address=Address(unit=unit), states=states)


async def _read(link: SerialLink | TcpLink, protocol: str) -> int:
    """Reads through our driver; returns how many requests it sent."""
    line = Line(make_link(link), line_timing(protocol, link.baud), time.monotonic)
    sent = 0
    write = line.write

    async def counted(data: bytes) -> None:
        nonlocal sent
        sent += 1
        await write(data)

    line.write = counted  # type: ignore[method-assign]
    await line.link.open()
    try:
        driver = ModbusDriver(_device(1), Exchange(tcp=protocol == "modbus-tcp"), SystemClock())
        for _ in range(ROUNDS):
            async with driver.session(line) as meter:
                readings = await meter.read_states(REGISTERS)
                assert readings[0].value > 1_234_567
    finally:
        await line.link.close()
    return sent


@pytest.mark.parametrize("transport", ["rtu", "tcp"])
async def test_our_traffic_is_well_formed(
    transport: str, site: ModbusSite, tshark: PeerProgram, tmp_path: Path
) -> None:
    path = tmp_path / "traffic.pcap"
    capture = Capture(path)
    if transport == "rtu":
        async with recorded_pty(site.pty, capture, RTU_PORT) as pty:
            sent = await _read(SerialLink(path=pty, baud=BAUD), "modbus-rtu")
    else:
        async with recorded_tcp(site.port, capture, TCP_PORT) as port:
            sent = await _read(TcpLink(host="127.0.0.1", port=port), "modbus-tcp")
    capture.close()
    found = await asyncio.to_thread(dissect_modbus, tshark, path)
    assert found == Dissection(requests=sent, responses=sent, exceptions=0, matched=sent, faults=())
    assert sent >= 2 * ROUNDS


def _spoiled(octets: bytes, place: int) -> bytes:
    return octets[:place] + bytes([octets[place] ^ 0x40]) + octets[place + 1 :]


@pytest.mark.parametrize(
    ("port", "request_", "answer"),
    [
        (RTU_PORT, GOOD_REQUEST, _spoiled(GOOD_ANSWER, 4)),
        (RTU_PORT, GOOD_REQUEST[:5], GOOD_ANSWER),
        (TCP_PORT, TCP_REQUEST, bytes.fromhex("0001 0000 0009 11 03 ff ae4156524340")),
        (TCP_PORT, bytes.fromhex("0001 0000 0004 11 03 006b"), TCP_ANSWER),
        (TCP_PORT, TCP_REQUEST, bytes.fromhex("0001 0000 0002 11 83")),
    ],
    ids=[
        "RTU: a bit flipped",
        "RTU: request cut",
        "TCP: byte count too large",
        "TCP: request too short",
        "TCP: no code",
    ],
)
def test_a_broken_capture_is_found(
    port: int, request_: bytes, answer: bytes, tshark: PeerProgram, tmp_path: Path
) -> None:
    capture = Capture(tmp_path / "broken.pcap")
    stream = capture.stream(port)
    capture.add(stream, request_, from_client=True)
    capture.add(stream, answer, from_client=False)
    capture.close()
    assert dissect_modbus(tshark, capture.path).faults != ()


def test_the_standards_examples_are_well_formed(tshark: PeerProgram, tmp_path: Path) -> None:
    """The other half of the test above: the same frames, whole."""
    capture = Capture(tmp_path / "good.pcap")
    rtu, tcp = capture.stream(RTU_PORT), capture.stream(TCP_PORT)
    capture.add(rtu, bytes.fromhex("11 03 00 6b 00 03 76 87"), from_client=True)
    capture.add(rtu, GOOD_ANSWER, from_client=False)
    capture.add(tcp, TCP_REQUEST, from_client=True)
    capture.add(tcp, bytes.fromhex("0001 0000 0003 11 83 02"), from_client=False)
    capture.close()
    assert dissect_modbus(tshark, capture.path) == Dissection(2, 2, 1, 1, ())
