"""tshark reads captures of our traffic, made by our own recording proxy: nothing malformed, and all of it seen."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from deploy.peers import PeerProgram
from deploy.stack.ports import find_free_port
from shared.modbus.maps import find_map
from tests.peers.dissect import RTU_PORT, TCP_PORT, Dissection, dissect_modbus
from tests.peers.modbus_site import BAUD, NOON, SERIAL, UNITS, ModbusSite
from tests.peers.pcap import Capture
from tests.peers.recorder import recorded_pty, recorded_tcp

ROUNDS = 3
IDENTIFICATIONS = 1
"""Requests of function 43/14, asked of the iEM3155 alone; on RTU tshark does not match their answers."""
EDGE = "CONC-1"
GOOD_REQUEST = bytes.fromhex("01 04 00 48 00 02 f1 dd")
GOOD_ANSWER = bytes.fromhex("11 03 06 ae 41 56 52 43 40 49 ad")
"""Of the request 11 03 00 6b 00 03 76 87, from the standard's examples."""
TCP_REQUEST = bytes.fromhex("0001 0000 0006 11 03 006b 0003")
TCP_ANSWER = bytes.fromhex("0001 0000 0009 11 03 06 ae4156524340")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[ModbusSite]:
    site = ModbusSite(tmp_path)
    yield site
    site.close()


def _device(line: str, model: str) -> dict[str, Any]:
    registers = [
        {"item": name, "unit": "Wh", "exponent": 0, "register": f"1-0:{n}.8.0"}
        for n, name in ((1, "import"), (2, "export"), (21, "import-L1"))
    ]
    found: dict[str, Any] = {
        "id": f"{line}-{model}",
        "model": model,
        "address": {"unit": UNITS[model]},
        "states": {"at": "quarter-hour", "registers": registers},
    }
    if find_map(model).identity.serial is not None:
        found["identity"] = {"serial": str(SERIAL + UNITS[model])}
    if model == "iem3155":
        found["identity"] |= {"vendor": "Schneider Electric"}
    return found


def _config(site: ModbusSite, pty: str, tcp_port: int, server_port: int) -> dict[str, Any]:
    """An agent without a broker: it reads all the same."""
    tcp = {"kind": "tcp", "host": "127.0.0.1"}
    buses = [
        {"name": "rtu", "link": {"kind": "serial", "path": pty, "baud": BAUD}, "protocol": "modbus-rtu"},
        {"name": "tcp", "link": tcp | {"port": tcp_port}, "protocol": "modbus-tcp"},
        {"name": "server", "link": tcp | {"port": server_port}, "protocol": "modbus-rtu"},
    ]
    return {
        "number": 1,
        "edge": EDGE,
        "mqtt": {"host": "127.0.0.1", "port": find_free_port()},
        "outbox": {"path": str(site.rig.outbox(EDGE))},
        "buses": [bus | {"devices": [_device(str(bus["name"]), model) for model in UNITS]} for bus in buses],
    }


def _read_rounds(site: ModbusSite, config: dict[str, Any]) -> None:
    """Let an agent process read all meters at some quarter-hours."""
    rig = site.rig
    rig.outbox(EDGE).parent.mkdir()
    rig.start_agent(config)
    for n in range(ROUNDS):
        now = NOON + n * timedelta(minutes=15)
        rig.clock.set(now)

        def sampled(now: str = now.isoformat()) -> bool:
            devices = rig.status(EDGE).get("devices", {})
            return bool(devices) and all(device["last_success"] == now for device in devices.values())

        rig.wait(f"samples of {now}", sampled)
    assert all(device["failures"] == 0 for device in rig.status(EDGE)["devices"].values()), rig.log(EDGE)
    rig.stop(EDGE)


async def test_our_traffic_is_well_formed(site: ModbusSite, tshark: PeerProgram, tmp_path: Path) -> None:
    """An agent on a serial bus, on Modbus TCP and on a serial server, each with all families of meters."""
    captures = {name: Capture(tmp_path / f"{name}.pcap") for name in ("rtu", "tcp", "server")}
    async with (
        recorded_pty(site.pty, captures["rtu"], RTU_PORT) as pty,
        recorded_tcp(site.tcp_port, captures["tcp"], TCP_PORT) as tcp_port,
        recorded_tcp(site.server_port, captures["server"], RTU_PORT) as server_port,
    ):
        await asyncio.to_thread(_read_rounds, site, _config(site, pty, tcp_port, server_port))
    counts = await asyncio.to_thread(site.counts)
    for name, capture in captures.items():
        capture.close()
        heard = counts[name]
        assert (heard["bad"], heard["foreign"]) == (0, 0)
        assert heard["frames"] > ROUNDS * len(UNITS)
        assert heard["refused"] >= 2, "a SunSpec meter was looked for where it is not"
        expected = Dissection(
            requests=heard["frames"],
            responses=heard["frames"],
            exceptions=heard["refused"],
            matched=heard["frames"] - heard["refused"] - (0 if name == "tcp" else IDENTIFICATIONS),
            faults=(),
        )
        assert await asyncio.to_thread(dissect_modbus, tshark, capture.path) == expected, name


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
