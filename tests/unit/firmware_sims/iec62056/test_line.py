"""Simulated lines of IEC 62056-21: what they answer, and at which speed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sims.dlms.link import HdlcAddress, HdlcLine
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.iec62056.line import IecLine
from firmware_sims.iec62056.mode_e import INACTIVITY_S, ModeELine
from firmware_sims.line import SpeedingStations
from firmware_sims.testing import MemoryMeterData, meter_spec
from shared.dlms.hdlc import DISC, SNRM, Frame, client_address, server_address
from shared.iec62056.characters import add_parity
from shared.iec62056.messages import BREAK, Identification, command
from tests.unit.edge.iec62056.meters import NOW, sim_line

REQUEST = add_parity(b"/?!\r\n")
SNRM_FRAME = Frame(server_address(1), client_address(16), SNRM).encode()
DISC_FRAME = Frame(server_address(1), client_address(16), DISC).encode()


def mode_e(now: list[float] | None = None, *, confirms: bool = True) -> ModeELine:
    spec = meter_spec()
    line = HdlcLine({HdlcAddress(1): CosemMeter(spec, MemoryMeterData(spec, NOW))})
    wall = now or [0.0]
    return ModeELine(line, {"12345678": Identification("RZV", "5", "SIM", "\\2")}, lambda: wall[0], confirms=confirms)


def test_lines_say_their_speed() -> None:
    assert isinstance(sim_line(), SpeedingStations)
    assert isinstance(mode_e(), SpeedingStations)


def test_speed_after_a_readout() -> None:
    line = sim_line()
    line.receive(REQUEST)
    line.answered()
    assert line.baud == 300
    assert line.receive(add_parity(b"\x06050\r\n")).startswith(add_parity(b"\x02F.F(00)"))
    assert line.baud == 9600
    line.answered()
    assert line.baud == 300


def test_speed_in_programming_mode() -> None:
    line = sim_line()
    line.receive(REQUEST)
    assert line.receive(add_parity(b"\x06041\r\n")) == add_parity(command("P0", "(00000000)"))
    line.answered()
    assert line.baud == 4800
    assert line.receive(add_parity(BREAK)) == b""
    assert line.baud == 300


@pytest.mark.parametrize("choice", [b"\x06061\r\n", b"\x06252\r\n", b"\x060x0\r\n", b"\x06\r\n"])
def test_choices_that_it_does_not_offer(choice: bytes) -> None:
    line = sim_line()
    line.receive(REQUEST)
    assert line.receive(add_parity(choice)) == b""
    assert line.baud == 300


def test_commands_only_in_programming_mode() -> None:
    assert sim_line().receive(add_parity(command("R5", "1.8.0()"))) == b""


@pytest.mark.parametrize("confirms", [True, False])
def test_mode_e_and_back(confirms: bool) -> None:
    line = mode_e(confirms=confirms)
    assert line.receive(SNRM_FRAME) == b""
    assert line.receive(REQUEST) == add_parity(b"/RZV5\\2SIM\r\n")
    assert line.receive(add_parity(b"\x06252\r\n")) == (add_parity(b"\x06252\r\n") if confirms else b"")
    assert line.baud == 9600
    assert line.receive(SNRM_FRAME)
    line.answered()
    assert line.baud == 9600
    assert line.receive(DISC_FRAME)
    line.answered()
    assert line.baud == 300
    assert line.receive(SNRM_FRAME) == b""


def test_mode_e_sleeps_after_long_silence() -> None:
    now = [0.0]
    line = mode_e(now)
    line.receive(REQUEST)
    line.receive(add_parity(b"\x06252\r\n"))
    assert line.receive(SNRM_FRAME)
    now[0] += INACTIVITY_S + 1
    assert line.receive(REQUEST)
    assert line.baud == 300


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_no_octets_do_harm(chunks: list[bytes]) -> None:
    lines: list[IecLine | ModeELine] = [sim_line(), mode_e()]
    for line in lines:
        for chunk in chunks:
            line.receive(chunk)
            line.answered()
            line.silence()
        assert line.baud in (300, 600, 1200, 2400, 4800, 9600, 19_200)
