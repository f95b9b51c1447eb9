"""mbpoll reads our simulated meters: the addresses, types and word orders are what a foreign master expects."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterator

import pytest

from deploy.peers import PeerProgram
from tests.peers.modbus_site import BAUD, NOON, ModbusSite


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ModbusSite]:
    site = ModbusSite(tmp_path_factory.mktemp("site"), ["sdm630"])
    yield site
    site.close()


class Master:
    """mbpoll on one of the site's lines; addresses from zero, high word first."""

    def __init__(self, program: PeerProgram, site: ModbusSite, transport: str) -> None:
        self._program = program
        self._where = ["-m", "tcp", "-p", str(site.port), "127.0.0.1"]
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


def test_sdm630(master: Master, site: ModbusSite) -> None:
    state = site.truth.state_at("sdm630-1", "import", NOON)
    imported, exported = struct.unpack(">ff", master.octets(1, 3, 0x48, 4))
    assert (round(imported * 100), exported) == (state, 0)
    assert master.numbers(1, "3:float", 0x48, 1) == [pytest.approx(state / 100, rel=1e-5)], "as mbpoll reads floats"
    assert master.numbers(1, "4:int", 0xFC00, 1) == [6301]


def test_exceptions(master: Master) -> None:
    done = master.run("-a", "1", "-t", "3", "-r", "200", "-c", "2")
    assert "Illegal data address" in done.stdout + done.stderr
    done = master.run("-a", "1", "-t", "3", "-r", "0", "-c", "81")
    assert "Illegal data value" in done.stdout + done.stderr
