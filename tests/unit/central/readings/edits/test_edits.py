"""Manual edits: their effect, how they lie in a day, and what a person may do in which state."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from central.platform.errors import Refused
from central.readings.assemble import Assembled, Days
from central.readings.edits.effect import effect_of, in_thousands
from central.readings.edits.overlay import lay
from central.readings.edits.states import TRANSITIONS, EditState, EditStep, advance
from central.readings.method import Method
from central.readings.profiles import Profiles
from shared.metering_day import days_between
from shared.quantities import MISSING_VALUE, Commodity, Quality

GONE = MISSING_VALUE


def month(values: dict[int, int]) -> Profiles:
    """Two days of March of 100, other values by column."""
    days = days_between(Commodity.ELECTRICITY, date(2026, 3, 1), date(2026, 3, 3))
    offset = np.array([0, 96, 192], np.int64)
    matrix = np.full((1, 192), 100, np.int32)
    for column, value in values.items():
        matrix[0, column] = value
    quality = np.where(matrix == GONE, Quality.MISSING, Quality.MEASURED).astype(np.int16)
    return Profiles([1], days, offset, matrix, quality, np.ones((1, 2), np.int32))


def test_effect_of_an_edit() -> None:
    found = effect_of(month({97: 900, 98: GONE, 5: 300}), 1, 1, [50, 60])
    assert (found.before, found.after) == ([900, None], [50, 60])
    assert found.quality_before == [Quality.MEASURED, Quality.MISSING]
    assert (found.sum_before, found.sum_after) == (94 * 100 + 900, 94 * 100 + 110)
    assert (found.missing_before, found.missing_after) == (1, 0)
    assert found.changed == 850 + 60
    assert found.maximum_before is not None and found.maximum_after is not None
    assert (found.maximum_before.value, found.maximum_after.value) == (900, 300)
    assert found.maximum_before.at == datetime(2026, 3, 1, 23, 15, tzinfo=UTC)
    assert found.maximum_after.at == datetime(2026, 3, 1, 0, 15, tzinfo=UTC)


def test_energy_that_is_only_moved_counts_as_changed() -> None:
    found = effect_of(month({0: 200, 1: 0}), 0, 0, [0, 200])
    assert (found.sum_after - found.sum_before, found.changed) == (0, 400)


def test_a_month_of_which_nothing_is_known_has_no_maximum() -> None:
    found = effect_of(month(dict.fromkeys(range(192), GONE)), 0, 0, [GONE + 1])
    assert found.maximum_before is None
    assert found.maximum_after is not None and found.maximum_after.value == GONE + 1


@pytest.mark.parametrize(
    ("total", "exponent", "unit", "expected"),
    [(1_500, 0, "Wh", "1.5"), (15, 3, "Wh", "15"), (1_500, -3, "m3", "1.5"), (7, 0, "varh", "0.007")],
)
def test_limits_are_in_thousands(total: int, exponent: int, unit: str, expected: str) -> None:
    assert in_thousands(total, exponent, unit) == Decimal(expected)


def day(values: list[int]) -> Assembled:
    count = len(values)
    one = np.array([1], np.int64)
    content = np.array(values, np.int32)
    quality = np.where(content == GONE, Quality.MISSING, Quality.MEASURED).astype(np.int16)
    return Assembled(
        Days(one, one, one, one * count, one * 900_000),
        np.array([0, count], np.int64),
        content,
        quality,
        np.where(content == GONE, -1, 7),
        np.ones(1, np.bool_),
        missing=np.array([int((content == GONE).sum())], np.int64),
    )


@pytest.mark.parametrize(
    ("delivered", "entered", "before", "contradicted"),
    [
        ([1, GONE, 3, 4], [20, 30], [GONE, 3], []),  # as it was when it was edited
        ([1, 20, 3, 4], [20, 30], [GONE, 3], []),  # measured as it was entered
        ([1, 21, 3, 4], [20, 30], [GONE, 3], [1]),  # came later, and differs
        ([1, 21, 5, 4], [20, 30], [GONE, 3], [1, 2]),
        ([1, GONE, GONE, 4], [20, 30], [GONE, 3], []),  # nothing measured any more
    ],
)
def test_an_edit_lies_over_what_was_delivered(
    delivered: list[int], entered: list[int], before: list[int], contradicted: list[int]
) -> None:
    whole = day(delivered)
    assert lay(whole, 0, 1, entered, before).tolist() == contradicted
    assert whole.values.tolist() == [1, 20, 30, 4]
    assert whole.quality.tolist() == [0, Quality.EDITED, Quality.EDITED, 0]
    assert whole.method is not None and whole.method.tolist() == [0, Method.MANUAL, Method.MANUAL, 0]
    assert whole.missing.tolist() == [0]


@pytest.mark.parametrize("state", list(EditState))
@pytest.mark.parametrize("step", list(EditStep))
def test_every_step_in_every_state(state: EditState, step: EditStep) -> None:
    if (state, step) in TRANSITIONS:
        assert advance(1, state, step) is TRANSITIONS[state, step]
    else:
        with pytest.raises(Refused, match=f"The edit 1 is {state}: {step} is not possible; possible is "):
            advance(1, state, step)
