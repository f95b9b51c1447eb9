"""The driver against the simulated meter: states, days of the load profile, the clock; and its configuration."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.config import DeviceConfig, ProfileConfig, StateRegister, parse_config
from edge.drivers.iec62056 import Iec62056Driver, Iec62056Session
from edge.drivers.port import ClockSession, DayPart
from edge.errors import ConfigError, DeviceGarbledError, DeviceRefusedError
from edge.iec62056 import reader as reader_module
from firmware_sims.iec62056.line import IecLine
from firmware_sims.testing import MemoryMeterData, value_at
from shared.clock import EPOCH, SystemClock
from shared.dlms.amr_status import POWER_DOWN
from shared.iec62056.stamps import MeterTime
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Flag, Unit
from tests.unit.edge.examples import config_data
from tests.unit.edge.iec62056.meters import NOW, SimLink, line_to, meter_data, sim_line


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "PAUSE_S", 0.0)
    monkeypatch.setattr(reader_module, "AFTER_ANSWER_S", 0.0)
    monkeypatch.setattr(reader_module, "SPEED_CHANGE_S", 0.0)


def iec_device(**changes: Any) -> dict[str, Any]:
    return {
        "id": "LU-1",
        "model": "iec62056-21",
        "address": {"device": "12345678"},
        "timeout_s": 0.02,
        "retries": 0,
        "profile": {
            "obis": "1-0:99.1.0",
            "step_s": 900,
            "registers": [
                {"obis": "1-0:1.29.0", "unit": "Wh", "register": "1-0:1.29.0"},
                {"obis": "1-0:3.29.0", "unit": "varh", "register": "1-0:3.29.0"},
            ],
            "since": "2026-03-01T00:00:00+01:00",
        },
        "states": {"at": "month", "registers": [{"obis": "1-0:1.8.0", "unit": "Wh", "register": "1-0:1.8.0"}]},
        **changes,
    }


def configured(**changes: Any) -> DeviceConfig:
    data = config_data()
    data["buses"] = [
        {
            "name": "iec-1",
            "link": {"kind": "serial", "path": "iec", "baud": 300},
            "protocol": "iec62056-21",
            "devices": [iec_device(**changes)],
        }
    ]
    return parse_config(json.dumps(data).encode(), "test.json").buses[0].devices[0]


@asynccontextmanager
async def session(
    line: IecLine, driver: Iec62056Driver | None = None, **changes: Any
) -> AsyncIterator[Iec62056Session]:
    driver = driver or Iec62056Driver(configured(**changes), SystemClock())
    async with driver.session(line_to(SimLink(line))) as opened:
        assert isinstance(opened, Iec62056Session)
        yield opened


def states() -> list[StateRegister]:
    return [StateRegister(unit=Unit.WH, register=f"1-0:{c}.8.0", obis=f"1-0:{c}.8.0") for c in (1, 2)]


def electricity(day: date) -> MeteringDay:
    return MeteringDay(Commodity.ELECTRICITY, day)


def profile_of(**changes: Any) -> ProfileConfig:
    found = configured(**changes).profile
    assert found is not None
    return found


@pytest.mark.parametrize("habits", [{}, {"states_by": "registers"}, {"states_by": "registers", "codes": "full"}])
@pytest.mark.parametrize("full_codes", [False, True])
async def test_states(habits: dict[str, Any], full_codes: bool) -> None:
    async with session(sim_line(full_codes=full_codes), iec62056=habits) as meter:
        readings = await meter.read_states(states())
    assert [(reading.register.register, reading.value) for reading in readings] == [
        ("1-0:1.8.0", 1_234_567),
        ("1-0:2.8.0", 42),
    ]


async def test_a_damaged_readout_is_begun_anew() -> None:
    line = sim_line(wrong_check_every=2)
    async with session(line, retries=1) as meter:
        for _ in range(3):
            assert (await meter.read_states(states()))[0].value == 1_234_567
    assert line.damaged == 2
    async with session(sim_line(wrong_check_every=1), retries=1) as meter:
        with pytest.raises(DeviceGarbledError, match="block check character"):
            await meter.read_states(states())


async def test_a_register_that_is_not_there() -> None:
    missing = [StateRegister(unit=Unit.WH, register="x", obis="1-0:9.8.0")]
    async with session(sim_line()) as meter:
        with pytest.raises(DeviceGarbledError, match=r"1-0:9\.8\.0 is not among"):
            await meter.read_states(missing)
    async with session(sim_line(), iec62056={"states_by": "registers"}) as meter:
        with pytest.raises(DeviceRefusedError, match=r"does not give 9\.8\.0: ERROR"):
            await meter.read_states(missing)


@pytest.mark.parametrize("kept", MeterTime)
@pytest.mark.parametrize("day", [date(2026, 3, 28), date(2026, 3, 29)])
async def test_days_of_the_load_profile(kept: MeterTime, day: date) -> None:
    wanted = electricity(day)
    async with session(sim_line(kept=kept), iec62056={"clock": kept}) as meter:
        found = await meter.read_day(profile_of(), DayPart.whole(wanted))
    ends = [wanted.instant(n) + wanted.step for n in range(wanted.length)]
    assert found.start_ms == [(end - wanted.step - EPOCH) // timedelta(milliseconds=1) for end in ends]
    assert found.columns == {
        "1-0:1.29.0": [value_at(0, end) for end in ends],
        "1-0:3.29.0": [value_at(2, end) for end in ends],
    }


@pytest.mark.parametrize("kept", MeterTime)
async def test_the_night_in_autumn(kept: MeterTime) -> None:
    data = meter_data()
    data.clock = datetime(2026, 10, 27, 10, 0, tzinfo=UTC)
    wanted = electricity(date(2026, 10, 25))
    async with session(sim_line(kept=kept, data=data), iec62056={"clock": kept}) as meter:
        found = await meter.read_day(profile_of(), DayPart.whole(wanted))
    assert len(found.start_ms) == 100
    assert found.columns["1-0:1.29.0"] == [value_at(0, wanted.instant(n) + wanted.step) for n in range(wanted.length)]


@pytest.mark.parametrize("kept", MeterTime)
async def test_parts_of_the_night_in_autumn(kept: MeterTime) -> None:
    data = meter_data()
    data.clock = datetime(2026, 10, 27, 10, 0, tzinfo=UTC)
    wanted = electricity(date(2026, 10, 25))
    for index in range(6, 14):  # 01:30 CEST to 02:30 CET
        start = wanted.instant(index)
        async with session(sim_line(kept=kept, data=data), iec62056={"clock": kept}) as meter:
            found = await meter.read_day(profile_of(), DayPart(wanted, start, start + wanted.step))
        place = list(found.start_ms).index((start - EPOCH) // timedelta(milliseconds=1))
        assert found.columns["1-0:1.29.0"][place] == value_at(0, start + wanted.step)
        assert not found.flags[place] & Flag.CLOCK_INVALID


async def test_holes_statuses_and_today() -> None:
    data: MemoryMeterData = meter_data()
    wanted = electricity(NOW.date())
    data.holes = {wanted.instant(4), wanted.instant(5)}
    data.statuses = {wanted.instant(8): POWER_DOWN}
    async with session(sim_line(data=data)) as meter:
        found = await meter.read_day(profile_of(), DayPart.whole(wanted))
    starts = [EPOCH + timedelta(milliseconds=start) for start in found.start_ms]
    assert starts == [wanted.instant(n) for n in range(48) if n not in (3, 4)]
    assert [flags & ~Flag.DST for flags in found.flags] == [
        Flag.POWER_DOWN if start == wanted.instant(7) else 0 for start in starts
    ]


async def test_mean_power_becomes_energy() -> None:
    registers = [{"obis": "1-0:1.5.0", "unit": "Wh", "register": "1-0:1.29.0"}]
    profile = {**iec_device()["profile"], "registers": registers}
    wanted = electricity(date(2026, 3, 28))
    async with session(sim_line(mean_power=True)) as meter:
        found = await meter.read_day(profile_of(profile=profile), DayPart.whole(wanted))
    assert found.columns["1-0:1.29.0"] == [value_at(0, wanted.instant(n) + wanted.step) for n in range(wanted.length)]


async def test_nothing_held_is_believed_only_of_a_meter_that_has_given_rows() -> None:
    driver = Iec62056Driver(configured(), SystemClock())
    line = sim_line(entries=96 * 3)
    before = electricity(date(2026, 3, 1))
    async with session(line, driver) as meter:
        with pytest.raises(DeviceRefusedError, match=r"answers ERROR to P\.01\(02603010015;02603020000\)"):
            await meter.read_day(profile_of(), DayPart.whole(before))
        await meter.read_day(profile_of(), DayPart.whole(electricity(date(2026, 3, 29))))
        assert list((await meter.read_day(profile_of(), DayPart.whole(before))).start_ms) == []


@pytest.mark.parametrize("how", ["0.9", "C003"])
async def test_the_clock_is_read_and_set(how: str) -> None:
    async with session(sim_line(), iec62056={"clock_set": how}) as meter:
        assert await meter.read_clock() == NOW
        later = NOW + timedelta(minutes=3, seconds=7)
        await meter.set_clock(later)
        assert await meter.read_clock() == later
        assert isinstance(meter, ClockSession)


async def test_a_password_from_its_file(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("12345678\n")
    async with session(sim_line(password="12345678"), password_file=str(secret)) as meter:
        assert (await meter.read_day(profile_of(), DayPart.whole(electricity(date(2026, 3, 28))))).flags
    with pytest.raises(ConfigError, match="cannot be read"):
        Iec62056Driver(configured(password_file=str(tmp_path / "none")), SystemClock())


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"address": {"device": "12!"}}, "address.device: '12!' must be at most 32"),
        ({"address": {"unit": 1}}, "needs device at most, neither server"),
        ({"iec62056": {"baud": 14400}}, "iec62056.baud: 14400 is no speed"),
        ({"iec62056": {"opening_baud": 115200}}, "iec62056.opening_baud: 115200"),
        ({"iec62056": {"clock": "zulu"}}, "iec62056.clock"),
        ({"identity": {"serial": "1"}}, "identity: a mode C meter is known by its address"),
        ({"word_order": "low-first"}, "word_order: a mode C meter has no registers"),
        (
            {
                "profile": {
                    **iec_device()["profile"],
                    "registers": [{"obis": "1-0:1.8.0", "unit": "Wh", "register": "x"}],
                }
            },
            "registers[0].obis: 1-0:1.8.0 is cumulative",
        ),
    ],
)
def test_configurations_that_are_refused(changes: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        configured(**changes)
    assert expected in str(refused.value)


def test_a_serial_line_carries_seven_bits_and_parity_in_eight() -> None:
    data = config_data()
    link = {"kind": "serial", "path": "iec", "baud": 300, "parity": "E"}
    data["buses"] = [{"name": "iec-1", "link": link, "protocol": "iec62056-21", "devices": [iec_device()]}]
    with pytest.raises(ConfigError, match="set parity N and one stop bit"):
        parse_config(json.dumps(data).encode(), "test.json")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"address": {"server": 1, "device": "1"}}, "address.device: only an opening by mode-e asks"),
        ({"opening": "mode-e", "address": {"server": 1, "device": "1!"}}, "address.device: '1!'"),
        ({"opening": "mode-c"}, "opening"),
        ({"opening": "mode-e", "iec62056": {"baud": 1}}, "iec62056.baud: 1 is no speed"),
    ],
)
def test_openings_that_are_refused(changes: dict[str, Any], expected: str) -> None:
    data = config_data()
    data["buses"][0]["devices"][0].update(changes)
    with pytest.raises(ConfigError) as refused:
        parse_config(json.dumps(data).encode(), "test.json")
    assert expected in str(refused.value)


def test_mode_e_is_for_hdlc() -> None:
    data = config_data()
    data["buses"][2]["devices"][0]["opening"] = "mode-e"
    with pytest.raises(ConfigError, match="mode-e comes before HDLC; the bus tcp-1 speaks dlms-wrapper"):
        parse_config(json.dumps(data).encode(), "test.json")
