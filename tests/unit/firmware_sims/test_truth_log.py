"""The log of what meters without memory showed: each quarter-hour once, none for what the clock stepped over."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from firmware_sims.scenario_model import Scenario
from firmware_sims.truth import Truth
from firmware_sims.truth_log import TruthLog, quarter_hours, read_truth_log

MARCH = datetime.fromisoformat("2026-03-01T00:00:00+01:00")
QUARTER = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("before", "after", "wall", "passed"),
    [
        (0, 899, 1, []),
        (0, 900, 0.05, [900]),
        (0, 901, 1, [900]),
        (0, 901, 0.05, []),
        (890, 910, 20, [900]),
        (0, 3600, 4, [900, 1800, 2700, 3600]),
        (0, 3600, 0.05, [3600]),
        (0, 3601, 0.05, []),
        (0, 31 * 86_400, 0.05, [31 * 86_400]),
        (1000, 900, 0.05, [900]),
        (1000, 100, 0.05, []),
    ],
    ids=[
        "none",
        "on it",
        "just past",
        "step just past",
        "slow",
        "run fast",
        "step on one",
        "step past",
        "far step",
        "back on",
        "back",
    ],
)
def test_quarter_hours(before: int, after: int, wall: float, passed: list[int]) -> None:
    found = quarter_hours(MARCH + timedelta(seconds=before), MARCH + timedelta(seconds=after), wall)
    assert found == [MARCH + timedelta(seconds=each) for each in passed]


def test_the_log(scenario: Scenario, truth: Truth, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "truth.jsonl"
    log = TruthLog(path, scenario, truth)
    start = MARCH.astimezone(truth.origin.tzinfo)
    log.look(start, 0.0)
    log.look(start, 0.05)
    log.look(start + QUARTER, 0.1)
    log.look(start + timedelta(days=31), 0.15)
    lines = read_truth_log(path)
    assert [(line.meter, line.register, line.instant) for line in lines] == [
        ("NN-5", "import", "2026-02-28T23:00:00+00:00"),
        ("NN-5", "import", "2026-02-28T23:15:00+00:00"),
        ("NN-5", "import", "2026-03-31T23:00:00+00:00"),
    ]
    for line in lines:
        assert line.value == truth.state_at("NN-5", "import", datetime.fromisoformat(line.instant))
    log.close()


def test_a_restart_writes_nothing_twice(scenario: Scenario, truth: Truth, tmp_path: Path) -> None:
    path = tmp_path / "truth.jsonl"
    for number in range(2):
        log = TruthLog(path, scenario, truth)
        log.look(MARCH, 0.0)
        log.close()
        assert len(read_truth_log(path)) == 1, f"run {number}"
    with path.open("a") as file:
        file.write('{"meter": "NN-5", "regi')
    log = TruthLog(path, scenario, truth)
    log.look(MARCH + QUARTER, 1.0)
    log.close()
    assert len(read_truth_log(path)) == 2, "a line cut off by a kill is taken away"
