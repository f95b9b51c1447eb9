"""mbpoll reads our simulated meters: the addresses, types and word orders are what a foreign master expects."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator

import pytest

from deploy.peers import PeerProgram
from tests.peers.modbus_site import BAUD, NOON, SERIAL, SUNSPEC_BASES, UNITS, ModbusSite


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModbusSite]:
    site = ModbusSite(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


class Master:
    """mbpoll on one of the site's lines; addresses from zero, high word first."""

    def __init__(self, program: PeerProgram, site: ModbusSite, transport: str) -> None:
        self._program = program
        self.line = transport
        self._where = ["-m", "tcp", "-p", str(site.tcp_port), "127.0.0.1"]
        if transport == "rtu":
            self._where = ["-m", "rtu", "-b", str(BAUD), "-P", "none", str(site.pty)]

    def run(self, *options: str) -> subprocess.CompletedProcess[str]:
        command = [str(self._program.path), "-0", "-1", "-B", "-o", "3", *options, *self._where]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)

    def numbers(self, unit: int, type: str, address: int, count: int) -> list[float]:
        """As mbpoll shows them, six digits."""
        return [float(value) for value in self._values(unit, type, address, count)]

    def octets(self, unit: int, table: int, address: int, count: int) -> bytes:
        """The registers of table 3 (input) or 4 (holding)."""
        words = self._values(unit, f"{table}:hex", address, count)
        return b"".join(int(word, 16).to_bytes(2, "big") for word in words)

    def _values(self, unit: int, type: str, address: int, count: int) -> list[str]:
        done = self.run("-a", str(unit), "-t", type, "-r", str(address), "-c", str(count))
        assert done.returncode == 0, done.stdout + done.stderr
        found = re.findall(r"^\[\d+\]:\s*(\S+)", done.stdout, re.MULTILINE)
        assert len(found) == count, done.stdout
        return found


@pytest.fixture(params=["rtu", "tcp"])
def master(request: pytest.FixtureRequest, mbpoll: PeerProgram, site: ModbusSite) -> Master:
    return Master(mbpoll, site, request.param)


SUNSPEC_METER = {model: base + 2 + 68 for model, base in SUNSPEC_BASES.items()}
"""Where the meter model begins, behind the mark and the common model."""

# Model, table, address of import and export, layout, and Wh in the register's step.
ENERGIES = [
    ("sdm630", 3, (0x48, 0x4A), ">f", 1000),
    ("abb-b23", 4, (0x5000, 0x5004), ">Q", 10),
    ("abb-b24", 4, (0x5000, 0x5004), ">Q", 10),
    ("iem3155", 4, (0x0C83, 0x0C87), ">q", 1),
    ("umg96rm", 4, (19068, 19076), ">f", 1),
    ("umg96rm", 3, (19068, 19076), ">f", 1),
    ("sunspec-int", 4, (SUNSPEC_METER["sunspec-int"] + 46, SUNSPEC_METER["sunspec-int"] + 38), ">I", 10),
    ("sunspec-float", 4, (SUNSPEC_METER["sunspec-float"] + 68, SUNSPEC_METER["sunspec-float"] + 60), ">f", 1),
]
STEP_WH = {"sdm630": 10, "abb-b23": 10, "abb-b24": 10, "sunspec-int": 10}
"""What a step of the truth is, where it is not 1 Wh."""


@pytest.mark.parametrize(
    ("model", "table", "addresses", "layout", "wh"), ENERGIES, ids=[f"{e[0]}-{e[1]}" for e in ENERGIES]
)
def test_energies(
    model: str, table: int, addresses: tuple[int, int], layout: str, wh: int, master: Master, site: ModbusSite
) -> None:
    for register, address in zip(("import", "export"), addresses, strict=True):
        octets = master.octets(UNITS[model], table, address, struct.calcsize(layout) // 2)
        (value,) = struct.unpack(layout, octets)
        state = site.truth.state_at(f"{master.line}-{model}", register, NOON)
        assert round(value * wh) == state * STEP_WH.get(model, 1)


# As mbpoll itself understands registers: type and word order of a foreign implementation.
LIVE = [
    ("sdm630", "3:float", 0x00, 1, (227, 235)),
    ("sdm630", "3:float", 0x46, 1, (49.9, 50.1)),
    ("abb-b23", "4:int", 0x5B00, 0.1, (227, 235)),
    ("abb-b23", "4", 0x5B2C, 0.01, (49.9, 50.1)),
    ("abb-b23", "4:int16", 0x5B3A, 0.001, (0.969, 0.971)),
    ("iem3155", "4:float", 0x0BD3, 1, (227, 235)),
    ("iem3155", "4:float", 0x0C25, 1, (49.9, 50.1)),
    ("umg96rm", "4:float", 19000, 1, (227, 235)),
    ("umg96rm", "3:float", 19044, 1, (0.969, 0.971)),
    ("sunspec-int", "4:int16", SUNSPEC_METER["sunspec-int"] + 8, 0.1, (227, 235)),
    ("sunspec-float", "4:float", SUNSPEC_METER["sunspec-float"] + 26, 1, (49.9, 50.1)),
]


@pytest.mark.parametrize(
    ("model", "type", "address", "step", "within"), LIVE, ids=[f"{e[0]}-{e[1]}-{e[2]}" for e in LIVE]
)
def test_quantities_of_the_moment(
    model: str, type: str, address: int, step: float, within: tuple[float, float], master: Master
) -> None:
    (value,) = master.numbers(UNITS[model], type, address, 1)
    assert within[0] < value * step < within[1]


@pytest.mark.parametrize(
    ("model", "table", "address"),
    [("sdm630", 4, 0xFC00), ("abb-b23", 4, 0x8900), ("abb-b24", 4, 0x8900), ("iem3155", 4, 0x0081)],
)
def test_serial_numbers(model: str, table: int, address: int, master: Master) -> None:
    assert master.numbers(UNITS[model], f"{table}:int", address, 1) == [SERIAL + UNITS[model]]


@pytest.mark.parametrize(
    ("model", "table", "address", "count", "reason"),
    [
        ("sdm630", 3, 200, 2, "Illegal data address"),
        ("sdm630", 3, 0, 81, "Illegal data value"),
        ("abb-b23", 4, 0x5024, 2, "Illegal data address"),
        ("abb-b23", 3, 0x5000, 2, "Illegal function"),
        ("iem3155", 4, 0x0C83, 30, "Illegal data address"),
        ("sunspec-int", 4, 50_000, 2, "Illegal data address"),
    ],
)
def test_exceptions(model: str, table: int, address: int, count: int, reason: str, master: Master) -> None:
    done = master.run("-a", str(UNITS[model]), "-t", str(table), "-r", str(address), "-c", str(count))
    assert reason in done.stdout + done.stderr
