"""What the reader makes of a meter whose memory is not as it should be, row by row as the simulation declares it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from edge.dlms.reader import DlmsReader, LinkSettings, ProfileRows
from edge.dlms.testing import AnsweringTransport
from firmware_sims.dlms.link import WrapperLine
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms_data import TruthMeterData, meter_spec
from firmware_sims.scenario import parse_scenario
from firmware_sims.scenario_model import DlmsMeter
from firmware_sims.truth import Truth
from shared.dlms.amr_status import FLAGS
from shared.identifiers import Obis
from shared.quantities import Flag
from shared.testing import ManualClock

BEGIN = datetime(2026, 1, 14, 0, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
PROFILE, ENERGY, STATE = Obis(1, 0, 99, 1, 0), Obis(1, 0, 1, 29, 0), Obis(1, 0, 1, 8, 0)
SETTINGS = LinkSettings("dlms-wrapper", server=1)
CODINGS = ("full", "null", "delta", "compact")


class Site:
    """One meter, read at `now`; `changes` to its scenario."""

    def __init__(self, now: datetime, settings: LinkSettings = SETTINGS, **changes: Any) -> None:
        load = {"kind": "household", "mean_w": 4000, "seed": 5}
        channels = [{"register": str(ENERGY), "state": str(STATE), "load": load, "initial": 99_999_000}]
        meter = {"id": "LU-1", "model": "dlms", "address": {"wport": 1}, "channels": channels, **changes}
        line = {"name": "lan", "kind": "tcp", "port": 4059, "protocol": "dlms-wrapper", "meters": [meter]}
        content = json.dumps({"seed": 1, "origin": BEGIN.isoformat(), "lines": [line]}).encode()
        scenario = parse_scenario(content)
        described = scenario.meters[0]
        assert isinstance(described, DlmsMeter)
        self.truth, self.clock = Truth(scenario), ManualClock(now)
        cosem = CosemMeter(meter_spec(described), TruthMeterData(described, self.truth, self.clock))
        self.reader = DlmsReader(AnsweringTransport(WrapperLine({1: cosem}).receive), settings)

    async def rows(self, intervals: int) -> ProfileRows:
        """Of the first so many intervals."""
        return await self.reader.read_profile(PROFILE, BEGIN, BEGIN + intervals * QUARTER)


def end(number: int) -> str:
    """End of interval `number`, counted from 1."""
    return (BEGIN + number * QUARTER).isoformat()


def numbers(rows: ProfileRows) -> list[int]:
    return [(start - int(BEGIN.timestamp()) * 1000) // 900_000 + 1 for start in rows.start_ms]


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("access", ["range", "entry"])
async def test_all_faults_at_once(coding: str, access: Literal["range", "entry"]) -> None:
    faults = {
        "lost": {"ends": [end(2)]},
        "invalid": {"ends": [end(4), end(5)]},
        "repeated": {"ends": [end(5), end(7)]},
        "late": {"ends": [end(12)]},
        "late_s": 300,
        "power_cuts": [{"at": (BEGIN + 8.5 * QUARTER).isoformat(), "seconds": 900}],
    }
    settings = replace(SETTINGS, profile_access=access)
    site = Site(BEGIN + 12 * QUARTER, settings, coding=coding, ranges=access == "range", data_faults=faults)
    async with site.reader:
        rows = await site.rows(12)
        site.clock.advance(timedelta(seconds=299))
        assert await site.rows(12) == rows
        site.clock.advance(timedelta(seconds=1))
        later = await site.rows(12)
    assert numbers(rows) == [1, 3, 4, 5, 6, 7, 8, 10, 11]
    assert numbers(later) == [*numbers(rows), 12]
    flags = dict(zip(numbers(rows), rows.flags, strict=True))
    assert {number: flag for number, flag in flags.items() if flag} == {
        4: Flag.DATA_INVALID,
        5: Flag.DATA_INVALID,
        10: Flag.POWER_DOWN,
    }
    values = site.truth.interval_values("LU-1", str(ENERGY), BEGIN, BEGIN + 12 * QUARTER)
    assert list(later.columns[ENERGY].values) == [values[number - 1] for number in numbers(later)]
    if access == "range":
        assert rows.repeated == tuple(int((BEGIN + n * QUARTER).timestamp()) * 1000 for n in (5, 7))


@pytest.mark.parametrize("coding", CODINGS)
async def test_a_day_of_chance_is_read_as_the_truth_declares_it(coding: str) -> None:
    share = {"share": 80}
    faults = {"seed": 11, "lost": share, "invalid": share, "repeated": share, "late": share, "late_s": 5000}
    site = Site(BEGIN + 96 * QUARTER, coding=coding, data_faults=faults)
    async with site.reader:
        rows = await site.rows(96)
    held = {}
    for number in range(1, 97):
        capture = site.truth.capture("LU-1", BEGIN + number * QUARTER)
        if capture is not None and capture.at <= site.clock.now():
            held[number] = FLAGS[capture.status]
    assert dict(zip(numbers(rows), rows.flags, strict=True)) == held
    assert len(held) < 96
    assert len(rows.repeated) > 0


async def test_a_register_that_begins_again_is_read_as_it_shows() -> None:
    site = Site(BEGIN, digits=8)
    async with site.reader:
        before = await site.reader.read_register(STATE)
        site.clock.advance(4 * QUARTER)
        after = await site.reader.read_register(STATE)
    counted = site.truth.counted_at("LU-1", str(STATE), site.clock.now())
    assert (before.value, after.value) == (99_999_000, counted - 10**8)
    assert after.value == site.truth.state_at("LU-1", str(STATE), site.clock.now())
