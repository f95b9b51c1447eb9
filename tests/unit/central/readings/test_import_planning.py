"""Series of a file against registers: exact integers of the register, each instant once, everything else a fault."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from central.readings.calendar import to_ms
from central.readings.transfer.evidence_writer import blocks_of, runs_of
from central.readings.transfer.planning import Plan, Register, plan
from central.readings.transfer.series import NANO, Parsed, SeriesFacts
from shared.quantities import Commodity, Flag, Kind

QUARTER = 900_000
MIDNIGHT = to_ms(datetime(2026, 3, 1, 23, tzinfo=UTC))


def register(**other: Any) -> Register:
    facts = {"id": 7, "meter": "M1", "name": "r", "unit": "Wh", "exponent": 0, "kind": Kind.INTERVAL}
    return Register(**{**facts, "step_ms": QUARTER, "commodity": Commodity.ELECTRICITY, **other})


def parsed(*rows: tuple[int, float], facts: SeriesFacts | None = None, flags: list[int] | None = None) -> Parsed:
    """Rows of (quarter-hour, value), one series, lines from 2 on."""
    nano = np.array([round(value * NANO) for _, value in rows], np.int64)
    sign = np.sign(nano)
    return Parsed(
        ["A"],
        [facts or SeriesFacts(Kind.INTERVAL, QUARTER, "Wh", 3)],
        np.zeros(len(rows), np.int32),
        np.array([MIDNIGHT + int(at * QUARTER) for at, _ in rows], np.int64),
        sign * (np.abs(nano) // NANO),
        sign * (np.abs(nano) % NANO),
        np.array(flags or [0] * len(rows), np.int32),
        np.arange(2, 2 + len(rows), dtype=np.int64),
    )


def planned(source: Parsed, **other: Any) -> Plan:
    return plan(source, {"A": register(**other)})


def test_values_become_the_registers_integers() -> None:
    result = planned(parsed((1, 0.25), (0, -1.5)))
    assert result.value.tolist() == [-1500, 250]
    assert result.at_ms.tolist() == [MIDNIGHT, MIDNIGHT + QUARTER]
    minus = SeriesFacts(Kind.INTERVAL, QUARTER, "Wh", 3, -1)
    assert planned(parsed((0, -0.5), facts=minus)).value.tolist() == [500]


@pytest.mark.parametrize(
    ("source", "other", "expected"),
    [
        (parsed((0, 0.0005)), {}, "digits"),
        (parsed((0, 3_000_000.0)), {}, "limits"),
        (parsed((0, 5.0)), {"high": 4_999}, "limits"),
        (parsed((0, -5.0)), {"low": 0}, "limits"),
        (parsed((0, 1.0)), {"unit": "varh"}, "unit varh"),
        (parsed((0, 1.0)), {"kind": Kind.STATE, "step_ms": 0}, "state"),
        (parsed((0, 1.0)), {"step_ms": 3_600_000}, "steps of 3600 s"),
        (parsed((0.5, 1.0)), {}, "beginning of an interval"),  # type: ignore[arg-type]
        (parsed((-50_000_000, 1.0)), {}, "years 1990"),
    ],
)
def test_what_does_not_fit_is_a_fault_by_line(source: Parsed, other: dict[str, Any], expected: str) -> None:
    result = planned(source, **other)
    assert len(result.value) == 0
    (problem,) = result.problems.named
    assert expected in problem.expected
    assert problem.line == 2


def test_a_repetition_counts_once_and_a_contradiction_not_at_all() -> None:
    result = planned(parsed((0, 1.0), (1, 2.0), (0, 1.0), (2, 3.0), (1, 2.5)))
    assert (result.value.tolist(), result.repeated) == ([1000, 3000], 1)
    assert [(each.line, each.value) for each in result.problems.named] == [(6, "2500")]


def test_series_without_a_register_are_named_with_their_values() -> None:
    result = plan(parsed((0, 1.0), (1, 1.0)), {})
    assert (result.unknown, len(result.value), result.problems.count) == ({"A": 2}, 0, 0)


def test_blocks_end_at_holes_and_metering_days_and_carry_flags() -> None:
    rows = [(n, 1.0) for n in (94, 95, 96, 97, 99)]
    intervals = planned(parsed(*rows, flags=[0, 0, 0, int(Flag.SUBSTITUTED), 0]))
    runs = runs_of(intervals)
    assert runs.count.tolist() == [2, 2, 1]
    assert runs.start_ms.tolist() == [MIDNIGHT + n * QUARTER for n in (94, 96, 99)]
    blocks = {
        int(runs.start_ms[places[0]]): (each.values.tolist(), None if each.flags is None else each.flags.tolist())
        for places, each in blocks_of(intervals, runs, np.ones(3, np.int64))
    }
    assert blocks[MIDNIGHT + 96 * QUARTER] == ([[1000, 1000]], [[0, Flag.SUBSTITUTED]])
    assert blocks[MIDNIGHT + 94 * QUARTER] == ([[1000, 1000]], None)
