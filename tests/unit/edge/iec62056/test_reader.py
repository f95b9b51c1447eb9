"""Conversations with a simulated meter and with lines that do everything wrong."""

import asyncio
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.bus.testing import Reaction, ScriptedLink
from edge.errors import DeviceError, DeviceGarbledError, DeviceRefusedError, DeviceSilentError
from edge.iec62056 import reader as reader_module
from edge.iec62056.client import Iec62056Client, MisuseError, State
from edge.iec62056.reader import Iec62056Reader
from edge.iec62056.settings import MeterSettings
from firmware_sims.iec62056.line import IecLine
from firmware_sims.iec62056.meter import IecMeter
from shared.iec62056.characters import ACK, NAK, add_parity
from shared.iec62056.messages import BREAK, command, data
from shared.iec62056.parser import LONGEST
from tests.unit.edge.iec62056.meters import FixedLink, SimLink, iec_spec, line_to, meter_data, sim_line

FAST = MeterSettings(address="12345678", timeout_s=0.02, retries=1)
IDENTIFICATION = b"/RZV5SIM\r\n"
RIGHT = IecMeter(iec_spec(), meter_data()).readout()


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "INTER_CHARACTER_S", 0.02)
    monkeypatch.setattr(reader_module, "PAUSE_S", 0.0)
    monkeypatch.setattr(reader_module, "AFTER_ANSWER_S", 0.001)
    monkeypatch.setattr(reader_module, "SPEED_CHANGE_S", 0.0)


def reader_of(link: ScriptedLink, settings: MeterSettings = FAST) -> Iec62056Reader:
    return Iec62056Reader(line_to(link), settings)


async def test_readout_then_programming_then_readout() -> None:
    link = SimLink(sim_line())
    meter = reader_of(link)
    await meter.begin_readout()
    assert "1.8.0(001234.567*kWh)" in await meter.readout()
    await meter.enter()
    assert await meter.ask("R5", "1.8.0()") == "1.8.0(001234.567*kWh)"
    assert await meter.ask("R5", "5.5.5()") == "5.5.5(ERROR)"
    await meter.begin_readout()
    assert "F.F(00)" in await meter.readout()
    await meter.leave()
    assert meter.identification is not None
    assert meter.identification.text == "SIM"
    assert [octets for _, octets in link.written][:2] == [add_parity(b"/?12345678!\r\n"), add_parity(b"\x06050\r\n")]


@pytest.mark.parametrize("software_parity", [True, False])
async def test_with_and_without_parity(software_parity: bool) -> None:
    link = SimLink(sim_line(software_parity=software_parity))
    meter = reader_of(link, MeterSettings(timeout_s=0.02, software_parity=software_parity))
    await meter.enter()
    assert (await meter.ask("R5", "2.8.0()")).startswith("2.8.0(000000.042*kWh)")


async def test_a_password() -> None:
    link = SimLink(sim_line(password="12345678"))
    meter = reader_of(link, MeterSettings(password="12345678", timeout_s=0.02))
    await meter.enter()
    assert (await meter.ask("R5", "1.8.0()")).startswith("1.8.0(")
    await meter.leave()
    assert link.written[-1][1] == add_parity(BREAK)
    wrong = reader_of(link, MeterSettings(password="00000000", timeout_s=0.02))
    with pytest.raises(DeviceRefusedError, match="does not accept the password") as refused:
        await wrong.enter()
    assert "00000000" not in str(refused.value)
    none = reader_of(link, MeterSettings(timeout_s=0.02))
    await none.enter()
    assert await none.ask("R5", "1.8.0()") == "(ERROR)"


async def test_a_damaged_answer_is_asked_for_again() -> None:
    sims = sim_line(wrong_check_every=2)
    meter = reader_of(SimLink(sims))
    await meter.enter()
    for _ in range(4):
        assert await meter.ask("R5", "1.8.0()") == "1.8.0(001234.567*kWh)"
    assert sims.damaged == 2


async def test_clock_is_written_and_other_writes_are_refused() -> None:
    sims = sim_line()
    meter = reader_of(SimLink(sims))
    await meter.enter()
    await meter.write("W5", "C003(260330120800)")
    assert await meter.ask("R5", "0.9.1()") == "0.9.1(1120800)"
    with pytest.raises(DeviceRefusedError, match=r"does not accept W5 1\.8\.0") as refused:
        await meter.write("W5", "1.8.0(secret)")
    assert "secret" not in str(refused.value)


async def test_speed_of_the_line_follows() -> None:
    link = ScriptedLink()
    sims = sim_line()

    def react(octets: bytes) -> Reaction:
        answer = sims.receive(octets)
        return [(0.0, answer)] if answer else []

    link.react = react
    meter = reader_of(link, MeterSettings(timeout_s=0.05, opening_baud=19_200))
    await meter.begin_readout()
    await meter.readout()
    await meter.enter()
    await meter.leave()
    assert link.speeds == [19_200, 9600, 19_200, 19_200, 9600, 19_200]


@pytest.mark.parametrize(("offered", "wanted", "chosen"), [("5", None, "5"), ("6", 4800, "4"), ("9", 300, "0")])
async def test_which_speed_is_chosen(offered: str, wanted: int | None, chosen: str) -> None:
    link = FixedLink(lambda octets: [(0.0, add_parity(f"/RZV{offered}SIM\r\n".encode()))])
    with pytest.raises(DeviceSilentError):
        await reader_of(link, MeterSettings(baud=wanted, timeout_s=0.01)).enter()
    assert link.written[1][1] == add_parity(f"\x060{chosen}1\r\n".encode())


async def test_a_speed_that_mode_c_does_not_have() -> None:
    link = FixedLink(lambda octets: [(0.0, add_parity(b"/RZV9SIM\r\n"))])
    with pytest.raises(DeviceGarbledError, match="The speed '9' is none that mode C has"):
        await reader_of(link).enter()


def answers(*texts: bytes) -> Callable[[bytes], Reaction]:
    """Each write is answered by the next of `texts`."""
    left = list(texts)
    return lambda octets: [(0.0, add_parity(left.pop(0)))] if left else []


async def test_blocks_are_put_together() -> None:
    link = FixedLink(
        answers(IDENTIFICATION, command("P0", "(1)"), data("P.01(", more=True), data("ERR", more=True), data("OR)"))
    )
    meter = reader_of(link)
    await meter.enter()
    assert await meter.ask("R5", "P.01(;)") == "P.01(ERROR)"
    assert [octets for _, octets in link.written][-2:] == [add_parity(bytes([ACK]))] * 2


async def test_echoes_and_late_identifications_are_not_answers() -> None:
    sims = sim_line()
    link = FixedLink(lambda octets: [(0.0, octets), (0.0, sims.receive(octets) + add_parity(IDENTIFICATION))])
    meter = reader_of(link)
    await meter.enter()
    assert await meter.ask("R5", "1.8.0()") == "1.8.0(001234.567*kWh)"


@pytest.mark.parametrize(
    ("answer", "expected", "sentence"),
    [
        (b"", DeviceSilentError, "did not answer to R5 1.8.0"),
        (bytes([NAK]), DeviceRefusedError, "does not accept R5 1.8.0"),
        (BREAK, DeviceRefusedError, "broke off at R5 1.8.0"),
        (b"\x021.8.0(1", DeviceGarbledError, "that was cut off"),
        (b"\x021.8.0(1)\x03\x00", DeviceGarbledError, "whose block check character is 00 instead of"),
        (bytes([ACK]), DeviceGarbledError, "with accepted"),
    ],
)
async def test_answers_that_are_none(answer: bytes, expected: type[DeviceError], sentence: str) -> None:
    link = FixedLink()
    said = [IDENTIFICATION, command("P0", "(1)")]
    link.react = lambda octets: [(0.0, add_parity(said.pop(0) if said else answer))] if said or answer else []
    meter = reader_of(link)
    await meter.enter()
    with pytest.raises(expected, match=sentence):
        await meter.ask("R5", "1.8.0()")
    assert link.written[-1][1] in (add_parity(BREAK), add_parity(command("R5", "1.8.0()")))
    assert not meter.programming


async def test_an_answer_that_goes_on_after_its_end_is_none() -> None:
    # A character became an ETX by a fault, and the next happens to be its check.
    cut = data("P.01(ERROR)")
    link = FixedLink(answers(IDENTIFICATION, command("P0", "(1)"), cut + b"the rest)\r\n"))
    meter = reader_of(link)
    await meter.enter()
    with pytest.raises(DeviceGarbledError, match="went on after its end"):
        await meter.ask("R5", "P.01(;)")
    assert not meter.programming


@given(st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_changed_octet_never_makes_another_value(place: int, octet: int) -> None:
    async def talk() -> None:
        sims = sim_line()
        sent = 0

        def react(octets: bytes) -> Reaction:
            nonlocal sent
            answer = bytearray(sims.receive(octets))
            if sent <= place < sent + len(answer):
                answer[place - sent] = octet
            sent += len(answer)
            return [(0.0, bytes(answer))] if answer else []

        meter = reader_of(FixedLink(react), MeterSettings(timeout_s=0.001, retries=1))
        try:
            await meter.begin_readout()
            text = await meter.readout()
        except DeviceError as error:
            assert str(error)
        else:
            assert text == RIGHT

    reader_module.INTER_CHARACTER_S = 0.001
    with asyncio.Runner() as runner:
        runner.run(asyncio.wait_for(talk(), 5))


async def test_a_meter_that_is_not_there_is_asked_as_often_as_configured() -> None:
    link = FixedLink()
    with pytest.raises(DeviceSilentError, match="did not answer to the opening request"):
        await reader_of(link).enter()
    assert [octets for _, octets in link.written] == [add_parity(b"/?12345678!\r\n")] * 2


async def test_an_endless_readout_is_bounded() -> None:
    link = FixedLink(answers(IDENTIFICATION, b"\x02" + b"(1)" * (LONGEST // 2)))
    meter = reader_of(link)
    await meter.begin_readout()
    with pytest.raises(DeviceGarbledError, match="longer than 131072"):
        await meter.readout()


async def test_a_line_that_babbles_is_not_listened_to_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "OPENING_MOST_S", 0.05)
    link = FixedLink(lambda octets: [(n / 500, b"\x55") for n in range(1000)])
    async with asyncio.timeout(5):
        with pytest.raises(DeviceSilentError):
            await reader_of(link, MeterSettings(timeout_s=0.02, retries=0)).enter()
    link.hang_up()


@given(
    st.lists(
        st.one_of(
            st.binary(min_size=1, max_size=30),
            st.sampled_from([IDENTIFICATION, command("P0", "(1)"), data("1.8.0(1*kWh)"), b"\x06", b"\x15", BREAK]).map(
                add_parity
            ),
        ),
        max_size=8,
    )
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_octets_crash_or_hang_the_reader(chunks: list[bytes]) -> None:
    async def talk() -> None:
        left = list(chunks)
        link = FixedLink(lambda octets: [(0.0, left.pop(0))] if left else [])
        meter = reader_of(link, MeterSettings(timeout_s=0.001, retries=1))
        try:
            await meter.enter()
            await meter.ask("R5", "1.8.0()")
            await meter.leave()
        except DeviceError as error:
            assert str(error)

    reader_module.INTER_CHARACTER_S = 0.001
    with asyncio.Runner() as runner:
        runner.run(asyncio.wait_for(talk(), 5))


@given(st.lists(st.binary(max_size=40), max_size=10), st.sampled_from(["ask", "read", "enter"]))
def test_no_octets_crash_the_client(chunks: list[bytes], phase: str) -> None:
    client = Iec62056Client()
    client.request()
    if phase != "ask":
        client.receive(add_parity(IDENTIFICATION))
        client.choose("5", "0" if phase == "read" else "1")
    for chunk in chunks:
        client.receive(chunk)
        client.outgoing()
    assert client.state in State
    client.leave()
    assert client.state is State.CLOSED


def test_misuse_is_told() -> None:
    client = Iec62056Client()
    with pytest.raises(MisuseError, match="CLOSED cannot take the step ASK"):
        client.ask("R5", "1.8.0()")
    with pytest.raises(MisuseError, match="nothing to be repeated"):
        client.repeat()


async def test_mode_e_waits_for_the_confirmation() -> None:
    link = FixedLink(answers(IDENTIFICATION, b"\x06252\r\n"))
    await reader_of(link).binary()
    assert link.speeds == [300, 9600]
    silent = FixedLink(answers(IDENTIFICATION))
    await reader_of(silent).binary()
    assert silent.written[-1][1] == add_parity(b"\x06252\r\n")


def test_two_meters_on_a_line_are_told_apart() -> None:
    line = IecLine({name: IecMeter(iec_spec(serial=name), meter_data()) for name in ("1", "2")})
    assert line.receive(add_parity(b"/?!\r\n")) == b""
    assert line.receive(add_parity(b"/?3!\r\n")) == b""
    assert line.receive(add_parity(b"/?2!\r\n")) == add_parity(IDENTIFICATION)
