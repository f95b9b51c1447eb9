"""Virtual meters against a slow evaluator, by hand, and by what must always hold."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from central.readings.formulas.compile import Matrix
from central.readings.formulas.evaluate import Formula, evaluate
from central.readings.formulas.exact import LARGEST, QUALITY_OF_RANK, RANK_OF_QUALITY, WORST, Reason
from central.readings.formulas.nodes import references
from central.readings.formulas.parse import parse
from shared.quantities import MISSING_VALUE, Quality

from .reference import BEST_FIRST, half_away, value_of

NAMES = [("A", "A+"), ("B", "A+"), ("C", "A-"), ("D", "A+")]
COEFFICIENTS = {"k": Fraction(97, 100), "n": Fraction(-7, 3), "nula": Fraction(0)}


def compute(texts: list[str], given_values: list[list[int | None]], qualities=None, exponents=None, result=0):  # type: ignore[no-untyped-def]
    """Values (None where missing), qualities and reasons of the formulas, channels 100, 101, ..., over NAMES."""
    count = len(given_values[0])
    whole = len(given_values) + len(texts)
    values = np.zeros((whole, count), np.int32)
    rank = np.full((whole, count), WORST, np.uint8)
    for row, line in enumerate(given_values):
        for place, value in enumerate(line):
            if value is not None:
                values[row, place] = value
                rank[row, place] = RANK_OF_QUALITY[Quality.MEASURED if qualities is None else qualities[row][place]]
    channels = {name: number for number, name in enumerate(NAMES[: len(given_values)])}
    channels |= {(f"V{number}", "A+"): 100 + number for number in range(len(texts))}
    formulas = []
    for number, text in enumerate(texts):
        node = parse(text)
        formulas.append(Formula(100 + number, node, {name: channels[name] for name in references(node)}))
    rows = {number: row for row, number in enumerate([*range(len(given_values)), *(f.channel for f in formulas)])}
    scale = {number: (exponents[number] if exponents else 0) for number in range(len(given_values))}
    scale |= {formula.channel: result for formula in formulas}
    reasons = evaluate(formulas, scale, rows, Matrix(values, rank), COEFFICIENTS)
    answers = []
    for formula in formulas:
        row = rows[formula.channel]
        quality = QUALITY_OF_RANK[rank[row]].tolist()
        shown = [None if q == Quality.MISSING else v for v, q in zip(values[row].tolist(), quality, strict=True)]
        answers.append((shown, quality, reasons[formula.channel].tolist()))
    return answers


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"A" A+ - "B" A+', [70, -10]),
        ('-"A" A+ + 2 x "B" A+', [-40, 30]),
        ('max(0, "A" A+ - "B" A+)', [70, 0]),
        ('min("A" A+, "B" A+)', [30, 10]),
        ('"A" A+ / 3', [33, 3]),
        ('"A" A+ * 0.125', [13, 1]),  # 12.5 and 1.25
        ('-"A" A+ * 0.125', [-13, -1]),  # half away from zero on both sides
        ('if("A" A+ > 50 Wh, "A" A+, "B" A+)', [100, 20]),
        ('if("A" A+ != 0.01 kWh, 1 Wh, 2 Wh)', [1, 2]),
        ('("A" A+ - "B" A+) x k', [68, -10]),  # 67.9 and -9.7
        ('"A" A+ * ("B" A+ / "A" A+)', [30, 20]),
        ('"A" A+ / "B" A+ * 9 Wh', [30, 5]),  # 4.5
        ("2 Wh + 3 Wh", [5, 5]),
    ],
)
def test_formulas_by_hand(text: str, expected: list[int]) -> None:
    ((values, quality, reasons),) = compute([text], [[100, 10], [30, 20]])
    assert values == expected
    assert quality == [Quality.MEASURED] * 2 and reasons == [Reason.NONE] * 2


def test_a_missing_input_and_a_division_by_zero_give_no_value_and_say_which() -> None:
    texts = ['"A" A+ / ("B" A+ / 1 Wh)', '"V0" A+ + "A" A+', '"A" A+ * nula / nula']
    first, second, third = compute(texts, [[8, None, 8], [2, 2, 0]])
    assert first == (
        [4, None, None],
        [Quality.MEASURED, Quality.MISSING, Quality.MISSING],
        [Reason.NONE, Reason.INPUT, Reason.DIVISION],
    )
    assert second[0] == [12, None, None] and second[2] == [Reason.NONE, Reason.INPUT, Reason.INPUT]
    assert third[2] == [Reason.DIVISION, Reason.INPUT, Reason.DIVISION]


def test_what_does_not_fit_is_missing_and_not_wrapped_around() -> None:
    texts = ['"A" A+ + "A" A+', '"A" A+ x 1000000000 x 1000000000 x 1000000000', '"V1" A+ - "V1" A+']
    first, second, third = compute(texts, [[LARGEST, 5, -LARGEST]])
    assert first[0] == [None, 10, None] and first[2] == [Reason.SIZE, Reason.NONE, Reason.SIZE]
    assert second[0] == [None, None, None]
    assert third[2] == [Reason.INPUT] * 3


def test_the_worst_quality_of_the_inputs_is_inherited() -> None:
    for better, worse in pairwise(BEST_FIRST[:-1]):
        ((_, quality, _),) = compute(['"A" A+ + "B" A+'], [[1, 1], [1, 1]], [[better, worse], [worse, worse]])
        assert quality == [worse, worse]


def test_the_side_that_if_does_not_take_does_not_matter() -> None:
    text = 'if("A" A+ > 0, "B" A+, "C" A-)'
    qualities = [[0, 0, 0], [0, 0, 0], [Quality.ESTIMATED] * 3]
    ((values, quality, _),) = compute([text], [[1, 0, 1], [7, None, None], [None, 9, 9]], qualities)
    assert values == [7, 9, None]
    assert quality == [Quality.MEASURED, Quality.ESTIMATED, Quality.MISSING]


def test_channels_of_other_powers_of_ten_are_added_as_what_they_are() -> None:
    ((values, *_),) = compute(['"A" A+ + "B" A+ + 1 kWh'], [[5], [70]], exponents=[3, 0], result=1)
    assert values == [607]  # 5 kWh + 70 Wh + 1 kWh = 6 070 Wh


def test_virtual_meters_are_computed_in_the_order_of_their_needs() -> None:
    texts = ['"V2" A+ + "V1" A+', '"V2" A+ x 2', '"A" A+ + 1 Wh']
    assert [values for values, *_ in compute(texts, [[1, 2]])] == [[6, 9], [4, 6], [2, 3]]


def test_meters_of_one_shape_are_computed_together_and_like_each_alone() -> None:
    texts = ['max(0, "A" A+ - "B" A+ - "C" A-)', 'max(0, "D" A+ - "A" A+)', 'max(0, "C" A- - "A" A+ - "B" A+ - "D" A+)']
    given_values = [[5, 80, None], [1, 2, 3], [90, 4, 5], [50, 6, 7]]
    together = compute(texts, given_values)
    assert together == [compute([text], given_values)[0] for text in texts]
    assert [values for values, *_ in together] == [[0, 74, None], [45, 0, None], [34, 0, None]]


leaf = st.sampled_from(['"A" A+', '"B" A+', '"C" A-', '"D" A+', "3", "0.25", "k", "n", "12345.678", "0"])


def combine(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    pair = st.tuples(parts, parts)
    return st.one_of(
        st.tuples(parts, st.sampled_from([" + ", " - ", " * ", " x ", " / "]), parts).map(lambda t: f"({''.join(t)})"),
        parts.map(lambda p: f"-{p}"),
        st.tuples(st.sampled_from(["min", "max"]), pair).map(lambda t: f"{t[0]}({t[1][0]}, {t[1][1]})"),
        st.tuples(pair, st.sampled_from(["<", "<=", ">", ">=", "=", "!="]), pair).map(
            lambda t: f"if({t[0][0]} {t[1]} {t[0][1]}, {t[2][0]}, {t[2][1]})"
        ),
    )


int32 = st.one_of(st.integers(-100, 100), st.integers(-LARGEST, LARGEST))
value = st.tuples(int32, st.sampled_from([int(quality) for quality in Quality]))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    text=st.recursive(leaf, combine, max_leaves=8),
    columns=st.lists(st.tuples(value, value, value, value), min_size=1, max_size=3),
    exponents=st.tuples(*(st.sampled_from([-2, 0, 3]),) * 4),
    result=st.sampled_from([-1, 0, 2]),
)
def test_equal_to_the_slow_evaluator(text, columns, exponents, result) -> None:  # type: ignore[no-untyped-def]
    lines = [[None if q == Quality.MISSING else v for v, q in row] for row in zip(*columns, strict=True)]
    qualities = [[q for _, q in row] for row in zip(*columns, strict=True)]
    ((shown, quality, reasons),) = compute([text], lines, qualities, exponents, result)
    for place, column in enumerate(columns):
        channels = {
            name: (Fraction(0 if q == Quality.MISSING else v) * Fraction(10) ** exponent, Quality(q))
            for name, (v, q), exponent in zip(NAMES, column, exponents, strict=True)
        }
        wanted, wanted_quality = value_of(parse(text), channels, COEFFICIENTS)
        whole = half_away(wanted / Fraction(10) ** result)
        if wanted_quality == Quality.MISSING or abs(whole) > LARGEST:
            assert shown[place] is None and reasons[place] != Reason.NONE
        else:
            assert (shown[place], quality[place], reasons[place]) == (whole, wanted_quality, Reason.NONE)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(int32, int32, int32, int32), min_size=1, max_size=8))
def test_children_and_losses_are_the_parent_to_the_unit(columns: list[tuple[int, int, int, int]]) -> None:
    lines = [list(row) for row in zip(*columns, strict=True)]
    ((losses, *_),) = compute(['"A" A+ - "B" A+ - "C" A- - "D" A+'], lines)
    for place, (parent, *rest) in enumerate(columns):
        exact = parent - sum(rest)
        assert losses[place] == (exact if abs(exact) <= LARGEST else None)


@pytest.mark.parametrize("count", [23, 24, 25, 92, 96, 100])
def test_days_of_every_length(count: int) -> None:
    ((values, *_),) = compute(['"A" A+ - "B" A+'], [list(range(count)), [1] * count])
    assert values == [number - 1 for number in range(count)]


def test_missing_is_never_a_number_in_the_matrix() -> None:
    ((values, *_),) = compute(['"A" A+ + 1 Wh'], [[None]])
    assert values == [None] and MISSING_VALUE not in values
