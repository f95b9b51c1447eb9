"""Check 10: what overlaps with what, and how bad that is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np
import pytest

from central.checks.frame import Frame
from central.checks.meters import NAMES as CHANNELS
from central.checks.meters import NOTHING, maybe_same_meter
from central.checks.standard.duplicates import NAMES, Duplicates, Lines, with_group
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Duplicates()
MARCH = {"first": date(2026, 3, 1), "end_": date(2026, 4, 1)}
LINE = {
    "supply_point": 1, "rate": 7, "service": 1, "component": 1, "by_hand": 0, "statement_type": 0, **MARCH,
    "invoiced": 0,
}  # fmt: skip


def lines(*rows: dict[str, Any]) -> Frame:
    numbered = [{**LINE, "id": place, **row} for place, row in enumerate(rows, 1)]
    return with_group(frame(numbered, NAMES))


def measured(*rows: dict[str, Any]) -> Frame:
    """The channels of each row, 6 where it says nothing of them."""
    pairs = [(place, each) for place, row in enumerate(rows, 1) for each in row.get("channels", (6,))]
    return Frame(dict(zip(CHANNELS, np.array(pairs, dtype=np.int64).reshape(-1, 2).T, strict=True)))


def found(*rows: dict[str, Any], asked: int = 1, together: Sequence[int] = ()) -> list[tuple[int, Result, str]]:
    invoiced = np.array(together, dtype=np.int64)
    read = Lines(lines(*rows), measured(*rows), {2: ("2620000001", 3)}, invoiced)
    told_ = told(CHECK, CHECK.verdict(bases(*[{}] * asked), read, {}))
    return [(each.subject, each.result, each.text.en) for each in told_]


def test_nothing_overlaps() -> None:
    assert found({}) == [(1, Result.OK, "No other basis overlaps.")]
    april = {"first": date(2026, 4, 1), "end_": date(2026, 5, 1)}
    assert [result for _, result, _ in found({}, april)] == [Result.OK]


@pytest.mark.parametrize(
    "other",
    [{"supply_point": 2}, {"rate": 8}, {"service": 2}, {"component": 2}, {"channels": (9,)}, {"statement_type": 4}],
)
def test_another_thing_is_no_duplicate(other: dict[str, Any]) -> None:
    assert [result for _, result, _ in found({}, {**other, "invoiced": 1})] == [Result.OK]


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        ({"channels": ()}, Result.ERROR),
        ({"channels": (9,)}, Result.ERROR),
        ({"component": 2}, Result.ERROR),
        ({"rate": 8}, Result.OK),
        ({"service": 2}, Result.OK),
        ({"supply_point": 2}, Result.OK),
    ],
)
def test_one_made_by_hand_is_the_same_as_any_of_its_rate(other: dict[str, Any], expected: Result) -> None:
    assert [result for _, result, _ in found({"by_hand": 1}, {**other, "invoiced": 1})] == [expected]
    assert [result for _, result, _ in found({}, {**other, "by_hand": 1, "invoiced": 1})] == [expected]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ((6,), (9, 6), Result.ERROR),
        ((9, 6), (6,), Result.ERROR),
        ((6, 7), (7, 8), Result.ERROR),
        ((6, 7), (8, 9), Result.OK),
        ((), (6,), Result.ERROR),
        ((6,), (), Result.ERROR),
        ((), (), Result.ERROR),
    ],
)
def test_all_linked_measurements_tell_the_meter(
    ours: tuple[int, ...], theirs: tuple[int, ...], expected: Result
) -> None:
    other = {"channels": theirs, "invoiced": 1}
    assert [result for _, result, _ in found({"channels": ours}, other)] == [expected]


def test_without_any_measurement_each_may_be_of_the_same_meter() -> None:
    one, two = np.array([1, 1], dtype=np.int64), np.array([2, 3], dtype=np.int64)
    assert maybe_same_meter(one, two, NOTHING).tolist() == [True, True]
    assert maybe_same_meter(one[:0], two[:0], NOTHING).tolist() == []


def test_an_invoiced_line_is_an_error_that_names_document_line_and_days() -> None:
    late = {"first": date(2026, 3, 31), "end_": date(2026, 5, 1), "invoiced": 1, "statement_type": 8}
    ((subject, result, text),) = found({}, late)
    assert (subject, result) == (1, Result.ERROR)
    assert "2026-03-31 to 2026-04-01 are invoiced already: document 2620000001, line 3, basis 2" in text


def test_one_that_is_not_invoiced_is_a_warning_unless_both_are_being_invoiced() -> None:
    assert [result for _, result, _ in found({}, {})] == [Result.WARNING]
    assert [(subject, result) for subject, result, _ in found({}, {}, asked=2)] == [
        (1, Result.WARNING),
        (2, Result.WARNING),
    ]
    assert [result for _, result, _ in found({}, {}, asked=2, together=(1, 2))] == [Result.ERROR, Result.ERROR]
    assert [result for _, result, _ in found({}, {}, together=(1,))] == [Result.WARNING]
    # the other is not looked at: its error was cancelled
    assert [result for _, result, _ in found({}, {}, together=(1, 2))] == [Result.ERROR]


def test_a_long_line_overlaps_several_and_each_is_named() -> None:
    parts = [{"first": date(2026, 3, day), "end_": date(2026, 3, day + 1), "invoiced": 1} for day in (5, 9)]
    assert [result for _, result, _ in found({}, *parts)] == [Result.ERROR, Result.ERROR]


def test_a_line_that_takes_back_is_not_judged() -> None:
    assert found({}, asked=2) == [(1, Result.OK, "No other basis overlaps.")]
    assert told(CHECK, CHECK.verdict(bases({}), Lines(lines(), NOTHING, {}, np.zeros(0, dtype=np.int64)), {})) == []
