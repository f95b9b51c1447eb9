"""A meter serves the truth minus the faults that its scenario declares, and nothing else."""

import json
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import convert

from firmware_sims.data_faults import Capture, DataFaults, PowerCut, RowFaults, Rows, shown
from firmware_sims.dlms.meter import ProfileRow
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms_data import TruthMeterData, meter_spec
from firmware_sims.events import POWER_DOWN as WENT_DOWN
from firmware_sims.events import POWER_UP
from firmware_sims.faults import FaultLayer, LineFaults, Outage
from firmware_sims.modbus_meter import MappedMeter
from firmware_sims.scenario import parse_scenario
from firmware_sims.scenario_model import DlmsMeter, ModbusMeter, Scenario
from firmware_sims.truth import Truth, UnknownRegisterError
from firmware_sims.truth_log import TruthLog, read_truth_log
from firmware_sims.voices import faults_of
from shared.dlms.amr_status import CLOCK_INVALID, DATA_NOT_VALID, POWER_DOWN
from shared.identifiers import Obis
from shared.testing import ManualClock

PROFILE = Obis(1, 0, 99, 1, 0)
BEGIN = datetime(2026, 3, 3, 0, 0, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
END = BEGIN + QUARTER
"""Of the row from 0:00 to 0:15."""


def cut(minute: float, seconds: float, **more: Any) -> PowerCut:
    return PowerCut(BEGIN + minute * MINUTE, seconds, **more)


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (DataFaults(), Capture(END)),
        (DataFaults(lost=Rows(ends=(END,))), None),
        (DataFaults(lost=Rows(ends=(END + QUARTER,))), Capture(END)),
        (DataFaults(lost=Rows(1000)), None),
        (DataFaults(invalid=Rows(1000)), Capture(END, DATA_NOT_VALID)),
        (DataFaults(repeated=Rows(ends=(END,))), Capture(END, times=2)),
        (DataFaults(late=Rows(ends=(END,)), late_s=40), Capture(END + timedelta(seconds=40))),
        (DataFaults(power_cuts=(cut(5, 20),)), Capture(END, POWER_DOWN)),
        (DataFaults(power_cuts=(cut(5, 20, clock_stops=True),)), Capture(END, POWER_DOWN | CLOCK_INVALID)),
        (DataFaults(power_cuts=(cut(14, 120),)), None),
        (DataFaults(power_cuts=(cut(14, 60),)), Capture(END, POWER_DOWN)),
        (DataFaults(power_cuts=(cut(-20, 3600),)), None),
        (DataFaults(power_cuts=(cut(-5, 360),)), Capture(END, POWER_DOWN)),
        (DataFaults(power_cuts=(cut(-5, 300),)), Capture(END)),
        (DataFaults(power_cuts=(cut(15, 60),)), Capture(END)),
        (DataFaults(power_cuts=(cut(14, 120, keeps_rows=True),)), Capture(END + MINUTE, POWER_DOWN)),
        (DataFaults(power_cuts=(cut(2, 60), cut(14, 120))), None),
    ],
    ids=[
        "sound",
        "lost",
        "another lost",
        "all lost",
        "invalid",
        "repeated",
        "late",
        "power cut inside",
        "without a battery",
        "power cut over its end",
        "back at its end",
        "without power all the time",
        "power comes back",
        "back before it",
        "gone after it",
        "kept over the cut",
        "the second cut takes it",
    ],
)
def test_what_becomes_of_a_row(faults: DataFaults, expected: Capture | None) -> None:
    assert RowFaults("LU-1", faults, QUARTER).capture(END) == expected


def test_shares_follow_from_the_seed() -> None:
    def lost(meter: str, seed: int) -> list[int]:
        faults = RowFaults(meter, DataFaults(seed=seed, lost=Rows(100)), QUARTER)
        return [n for n in range(2000) if faults.capture(BEGIN + n * QUARTER) is None]

    assert lost("LU-1", 1) == lost("LU-1", 1)
    assert len({tuple(lost(meter, seed)) for meter in ("LU-1", "LU-2") for seed in (1, 2)}) == 4
    assert all(150 < len(lost("LU-1", seed)) < 250 for seed in range(5))


def served(site: dict[str, Any], now: datetime, **changes: Any) -> tuple[DlmsMeter, TruthMeterData, Truth]:
    changed = {**site["lines"][0]["meters"][0], **changes}
    scenario = parse_scenario(json.dumps({**site, "lines": [{**site["lines"][0], "meters": [changed]}]}).encode())
    (meter,) = scenario.meters
    assert isinstance(meter, DlmsMeter)
    truth = Truth(scenario)
    return meter, TruthMeterData(meter, truth, ManualClock(now)), truth


QUARTERS = st.sets(st.integers(1, 12), max_size=6)


@given(
    QUARTERS,
    QUARTERS,
    QUARTERS,
    QUARTERS,
    st.integers(0, 1800),
    st.none() | st.tuples(st.integers(0, 180), st.integers(1, 90), st.booleans()),
    st.integers(0, 300),
)
def test_a_meter_serves_the_truth_minus_its_faults(
    whole_site: dict[str, Any],
    lost: set[int],
    invalid: set[int],
    repeated: set[int],
    late: set[int],
    late_s: int,
    power_cut: tuple[int, int, bool] | None,
    minutes: int,
) -> None:
    def rows(quarters: set[int]) -> dict[str, Any]:
        return {"ends": [(BEGIN + n * QUARTER).isoformat() for n in sorted(quarters)]}

    faults: dict[str, Any] = {"lost": rows(lost), "invalid": rows(invalid), "repeated": rows(repeated)}
    faults |= {"late": rows(late), "late_s": late_s}
    down = back = 10**6
    keeps = False
    if power_cut is not None:
        down, back, keeps = power_cut[0], power_cut[0] + power_cut[1], power_cut[2]
        at = (BEGIN + down * MINUTE).isoformat()
        faults["power_cuts"] = [{"at": at, "seconds": (back - down) * 60, "keeps_rows": keeps}]
    now = BEGIN + minutes * MINUTE
    meter, data, truth = served(whole_site, now, data_faults=faults)

    expected: list[ProfileRow] = []
    for n in range(1, min(12, minutes // 15) + 1):
        end = 15 * n
        touched = down < end and back > end - 15
        captured_s = 60 * end + late_s * (n in late)
        if touched:
            captured_s = max(captured_s, 60 * back)
        gone = n in lost or (down < end < back and not keeps)
        if not gone and captured_s <= 60 * minutes:
            begin = BEGIN + (n - 1) * QUARTER
            values = [
                truth.interval_values(meter.id, channel.register, begin, begin + QUARTER)[0]
                for channel in meter.channels
            ]
            status = DATA_NOT_VALID * (n in invalid) | POWER_DOWN * touched
            expected += [ProfileRow(begin + QUARTER, status, values)] * (1 + (n in repeated))
    until = min(now, BEGIN + 12 * QUARTER)
    assert list(data.rows(PROFILE, BEGIN, until)) == expected


@pytest.fixture(scope="module")
def whole_site() -> dict[str, Any]:
    load = {"kind": "constant", "mean_w": 4000}
    channels = [{"register": "1-0:1.29.0", "state": "1-0:1.8.0", "load": load, "initial": 99_990_000}]
    meter = {"id": "LU-1", "model": "dlms", "address": {"server": 1, "physical": 17}, "channels": channels}
    line = {"name": "hdlc-1", "kind": "pty", "link": "/nowhere/hdlc-1", "protocol": "hdlc", "meters": [meter]}
    return {"seed": 1, "origin": BEGIN.isoformat(), "lines": [line]}


def test_the_truth_tells_what_the_meter_holds(site: dict[str, Any]) -> None:
    faults = {"seed": 7, "lost": {"share": 50}, "invalid": {"share": 50}, "repeated": {"share": 50}}
    _, data, truth = served(site, BEGIN + 96 * QUARTER, data_faults=faults)
    held = data.rows(PROFILE, BEGIN, BEGIN + 96 * QUARTER)
    captures = {(end := BEGIN + n * QUARTER): truth.capture("LU-1", end) for n in range(1, 97)}
    expected = [(end, each.status) for end, each in captures.items() if each is not None for _ in range(each.times)]
    assert [(row.end, row.status) for row in held] == expected
    assert None in captures.values()
    assert len(expected) > len(set(expected))
    halves = [data.rows(PROFILE, BEGIN + n * QUARTER, BEGIN + (n + 48) * QUARTER) for n in (0, 48)]
    assert [*halves[0], *halves[1]] == held
    with pytest.raises(UnknownRegisterError, match="LU-99"):
        truth.capture("LU-99", BEGIN)


def test_a_cut_of_power_is_in_the_event_log(site: dict[str, Any]) -> None:
    cuts = [{"at": (BEGIN + MINUTE).isoformat(), "seconds": 90}]
    _, data, _ = served(site, BEGIN + QUARTER, data_faults={"power_cuts": cuts})
    down, up = (BEGIN + MINUTE, WENT_DOWN), (BEGIN + 2.5 * MINUTE, POWER_UP)
    assert list(data.events(BEGIN, BEGIN + 2 * MINUTE)) == [down]
    assert list(data.events(BEGIN, BEGIN + 3 * MINUTE)) == [down, up]
    assert list(data.events(BEGIN + MINUTE, BEGIN + 3 * MINUTE)) == [up]


def test_a_meter_behind_is_not_read_without_power(site: dict[str, Any]) -> None:
    load = {"kind": "heating", "mean_dm3_h": 900, "seed": 4}
    gas = {"id": "PM-9", "channel": 1, "channels": [{"register": "7-0:3.0.0", "load": load}]}
    cuts = [{"at": (BEGIN + 50 * MINUTE).isoformat(), "seconds": 3600, "keeps_rows": True}]
    now = BEGIN + timedelta(hours=3)
    _, data, truth = served(site, now, mbus=[gas], data_faults={"lost": {"share": 1000}, "power_cuts": cuts})
    rows = data.rows(Obis(0, 1, 24, 3, 0), BEGIN, now)
    assert [(row.end, row.status) for row in rows] == [(now - timedelta(hours=1), POWER_DOWN), (now, 0)]
    assert truth.capture("PM-9", BEGIN + timedelta(hours=1)) is None


def test_a_clock_without_a_battery_stands_until_it_is_set(site: dict[str, Any]) -> None:
    cuts = [{"at": BEGIN.isoformat(), "seconds": 60, "clock_stops": True}]
    meter, _, truth = served(site, BEGIN, data_faults={"power_cuts": cuts})
    clock = ManualClock(BEGIN)
    cosem = CosemMeter(meter_spec(meter), TruthMeterData(meter, truth, clock))
    assert cosem.clock.now() == BEGIN
    clock.advance(timedelta(seconds=20))
    assert cosem.clock.now() == BEGIN
    clock.advance(timedelta(seconds=100))
    assert cosem.clock.now() == BEGIN + MINUTE
    cosem.clock.shift(60)
    clock.advance(MINUTE)
    assert cosem.clock.now() == clock.now()


def test_a_meter_without_power_does_not_answer_and_forgets(site: dict[str, Any]) -> None:
    site["lines"][0]["meters"][0]["data_faults"] = {"power_cuts": [{"at": BEGIN.isoformat(), "seconds": 60}]}
    scenario = parse_scenario(json.dumps(site).encode())
    faults = faults_of(scenario.lines[0])
    assert faults == LineFaults(dead=(Outage("LU-1", BEGIN, BEGIN + MINUTE),))
    clock, forgotten = ManualClock(BEGIN - MINUTE), list[str]()
    layer = FaultLayer(faults, lambda answer: answer.decode(), {"LU-1": lambda: forgotten.append("LU-1")}, clock.now)
    said = []
    for _ in range(3):
        layer.look()
        said.append([layer.spoil(each).octets for each in (b"LU-1", b"LU-2")])
        clock.advance(MINUTE)
    assert said == [[b"LU-1", b"LU-2"], [b"", b"LU-2"], [b"LU-1", b"LU-2"]]
    assert forgotten
    assert faults_of(scenario.lines[2]) is None


@pytest.mark.parametrize(
    ("counted", "digits", "expected"),
    [(9999, 4, 9999), (10_000, 4, 0), (123_456_789, 8, 23_456_789), (10**15, None, 10**15), (0, 8, 0)],
)
def test_digits(counted: int, digits: int | None, expected: int) -> None:
    assert shown(counted, digits) == expected


def test_a_register_begins_again(whole_site: dict[str, Any]) -> None:
    _, data, truth = served(whole_site, BEGIN + 10 * QUARTER, digits=8)
    assert truth.state_at("LU-1", "1-0:1.8.0", BEGIN + 9 * QUARTER) > 99_990_000
    before, after = (truth.counted_at("LU-1", "1-0:1.8.0", BEGIN + n * QUARTER) for n in (9, 10))
    assert before < 10**8 <= after
    assert data.register(Obis(1, 0, 1, 8, 0)) == truth.state_at("LU-1", "1-0:1.8.0", BEGIN + 10 * QUARTER)
    assert data.register(Obis(1, 0, 1, 8, 0)) == after - 10**8
    energy = truth.interval_values("LU-1", "1-0:1.29.0", BEGIN + 9 * QUARTER, BEGIN + 10 * QUARTER)
    assert energy == [after - before]


def test_registers_of_a_modbus_meter_begin_again_one_by_one(site: dict[str, Any], tmp_path: Path) -> None:
    described = site["lines"][2]["meters"][0]
    described |= {"digits": 6}
    described["channels"][0] |= {"initial": 999_999, "load": {"kind": "constant", "mean_w": 40_000}}
    site["origin"] = BEGIN.isoformat()
    scenario: Scenario = parse_scenario(json.dumps(site).encode())
    meter = next(each for each in scenario.meters if isinstance(each, ModbusMeter))
    truth, clock = Truth(scenario), ManualClock(BEGIN)
    mapped = MappedMeter(meter, truth, clock)

    def steps(address: int, count: int) -> list[int]:
        words = mapped.read(4, address, 2 * count)
        return [round(kwh * 100) for kwh in struct.unpack(f">{count}f", struct.pack(f">{2 * count}H", *words))]

    log = TruthLog(tmp_path / "truth.jsonl", scenario, truth)
    log.look(clock.now(), 0.0)
    assert steps(0x48, 1) == [999_999]
    phases = steps(0x15A, 3)
    clock.advance(QUARTER)
    log.look(clock.now(), 900.0)
    counted = truth.counted_at("NN-5", "import", clock.now())
    assert steps(0x48, 1) == [counted - 10**6] == [truth.state_at("NN-5", "import", clock.now())]
    assert all(after >= before for before, after in zip(phases, steps(0x15A, 3), strict=True))
    assert sum(steps(0x15A, 3)) == counted
    assert [line.value for line in read_truth_log(tmp_path / "truth.jsonl")] == [999_999, counted - 10**6]
    log.close()


def test_faults_are_read_from_json() -> None:
    told = {"seed": 3, "late": {"share": 5}, "late_s": 7, "power_cuts": [{"at": BEGIN.isoformat(), "seconds": 60}]}
    assert convert(told, DataFaults) == DataFaults(3, late=Rows(5), late_s=7, power_cuts=(cut(0, 60),))
