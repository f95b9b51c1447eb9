"""The grammar of formulas: what is taken, what is refused and where."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.readings.formulas import parse as module
from central.readings.formulas.nodes import (
    Coefficient,
    Extreme,
    FormulaError,
    If,
    Node,
    Number,
    Product,
    Reference,
    Sum,
    coefficients,
    references,
)
from central.readings.formulas.parse import DEPTH, LENGTH, NODES, parse
from central.readings.formulas.units import Unit, check_result, unit_of

CHANNELS = {("A", "A+"): "Wh", ("B", "A+"): "Wh", ("Q", "R+"): "varh", ("Plyn", "V"): "m3"}
COEFFICIENTS = {"k": "1", "hs": "Wh/m3"}


def units(text: str) -> str | None:
    found = unit_of(
        parse(text),
        lambda reference: Unit.of(CHANNELS[reference.name]),
        lambda coefficient: Unit.of(COEFFICIENTS[coefficient.name]),
    )
    return None if found is None else str(found)


def written(node: Node) -> str:
    """The tree with all its parentheses."""
    match node:
        case Reference():
            return f"{node.point}{node.direction}"
        case Number(value=value):
            return str(value)
        case Coefficient(name=name):
            return name
        case Sum(terms=terms, signs=signs):
            return "(" + "".join("-+"[s > 0] + written(t) for t, s in zip(terms, signs, strict=True)) + ")"
        case Product(factors=factors, divides=divides):
            parts = [
                written(factors[0]),
                *("*/"[d] + written(f) for f, d in zip(factors[1:], divides[1:], strict=True)),
            ]
            return "(" + "".join(parts) + ")"
        case Extreme(function=function, operands=operands):
            return f"{function}({','.join(written(o) for o in operands)})"
        case If(condition, then, otherwise):
            left, right = written(condition.left), written(condition.right)
            return f"if({left}{condition.operator}{right},{written(then)},{written(otherwise)})"


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("1", "1"),
        ('"A" A+', "AA+"),
        ('"Hala ""A""" A-', 'Hala "A"A-'),
        ("1 + 2 - 3", "(+1+2-3)"),
        ("1 + 2 x 3", "(+1+(2*3))"),
        ("2x3*4/5×6", "(2*3*4/5*6)"),
        ("-1 - -2", "(+(-1)-(-2))"),
        ("+1", "1"),
        ("(1 + 2) * 3", "((+1+2)*3)"),
        ("max(1, 2, min(3, 4))", "max(1,2,min(3,4))"),
        ('if("A" A+ >= 2 kWh, 0.5, k)', "if(AA+>=2000,1/2,k)"),
        ("minimum * maximum_2", "(minimum*maximum_2)"),
        ("ztráty_č1", "ztráty_č1"),
        ('2x"P" VT-"Q" V', "(+(2*PVT)-QV)"),
        ("\n 1.25\n+ 3 Mvarh", "(+5/4+3000000)"),
    ],
)
def test_what_a_text_means(text: str, tree: str) -> None:
    assert written(parse(text)) == tree


@pytest.mark.parametrize(
    ("text", "place", "expected"),
    [
        ("", (1, 1), "Found the end; expected"),
        ('"A" A+ +', (1, 9), "Found the end"),
        ('"A"', (1, 4), "expected a direction (A+, A-"),
        ('"A" A+ "B" A+', (1, 8), "Found '\"B\"'; expected + or -, the end"),
        ("1 +\n  * 2", (2, 3), "Found '*'"),
        ("5 kW", (1, 3), "a unit"),
        ("(1", (1, 3), "expected )"),
        ("max(1)", (1, 6), "Found ')'"),
        ("if(1, 2, 3)", (1, 5), "expected a comparison"),
        ("1 @ 2", (1, 3), "Found '@'"),
        ("1,5", (1, 2), "Found ','"),
        ("__import__('os')", (1, 11), "Found '('"),
        ("1 ** 2", (1, 4), "Found '*'"),
        ('"A', (1, 1), "Found '\"'"),
        ("1" * 19, (1, 1), "18 digits"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: tuple[int, int], expected: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert (caught.value.place.line, caught.value.place.column) == place
    assert expected in caught.value.message
    assert caught.value.message.startswith(f"Line {place[0]}, column {place[1]}: ")
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "text",
    [
        "1" + " + 1" * 30_000,
        "-" * (DEPTH + 2) + "1",
        "min(1, " * (DEPTH + 1) + "1" + ")" * (DEPTH + 1),
        "(" * LENGTH,
        "(1" + "+(1" * (DEPTH + 1) + ")" * (DEPTH + 2),
        " + ".join(["1"] * (NODES + 1)),
        "if(" * 20_000,
        '"' * 50_001,
        "x" * LENGTH + "x",
    ],
)
def test_no_text_takes_long(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(text)


def test_a_sum_of_two_thousand_meters_is_no_problem() -> None:
    node = parse(" + ".join(f'"Bod {number}" A+' for number in range(2_000)))
    assert len(references(node)) == 2_000 and not coefficients(node)


@given(st.text(max_size=60))
def test_any_text_is_a_formula_or_refused(text: str) -> None:
    try:
        parse(text)
    except FormulaError as error:
        assert error.place.line >= 1


def test_every_unit_counts_in_its_basic_unit() -> None:
    for name, (basic, factor) in module.UNITS.items():
        assert parse(f"2 {name}") == Number(Fraction(2 * factor), basic, parse("1").place)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ('"A" A+ + "B" A+ - 3 kWh', "Wh"),
        ('max(0, "A" A+ - "B" A+)', "Wh"),
        ('0.97 * "A" A+', "Wh"),
        ('"A" A+ / "B" A+', "1"),
        ('"Q" R+ / "A" A+', "varh/Wh"),
        ('"Q" R+ / "A" A+ * "B" A+', "varh"),
        ('"Plyn" V * hs', "Wh"),
        ('"Plyn" V * hs + "A" A+', "Wh"),
        ('"A" A+ / hs', "m3"),
        ('if("A" A+ > 0, k, 1)', "1"),
        ("0", None),
        ('0 * "A" A+', None),
        ('1 / "A" A+ * "B" A+', "1"),
    ],
)
def test_units_of_results(text: str, unit: str | None) -> None:
    assert units(text) == unit


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"A" A+ + "Q" R+', "Line 1, column 10: Wh and varh cannot be added or subtracted."),
        ('"A" A+ - "Plyn" V', "Line 1, column 10: Wh and m3 cannot be added or subtracted."),
        ('"A" A+ + 5', "Line 1, column 10: Wh and 1 cannot be added or subtracted."),
        ('"A" A+ * "B" A+', "Line 1, column 10: Wh cannot be multiplied by Wh."),
        ('"A" A+ / hs / hs', "Line 1, column 15: m3 cannot be divided by Wh/m3."),
        ('max("A" A+,\n "Q" R+)', "Line 2, column 2: Wh and varh cannot be compared by max."),
        ('if("A" A+ > "Q" R+, 1, 2)', "Line 1, column 11: Wh and varh cannot be compared by >."),
        ('if(1 > 0, "A" A+, "Q" R+)', "Line 1, column 19: Wh and varh cannot both be the result of if."),
        ('"A" A+ / 0', "Line 1, column 10: This divides by the number 0."),
    ],
)
def test_a_unit_mistake_is_refused_with_the_place_and_both_units(text: str, message: str) -> None:
    with pytest.raises(FormulaError) as caught:
        units(text)
    assert caught.value.message == message


def test_the_result_must_be_in_the_unit_of_the_channel() -> None:
    node = parse('"Q" R+')
    check_result(node, None, Unit("Wh"), "V A+")
    check_result(node, Unit("Wh"), Unit("Wh"), "V A+")
    with pytest.raises(FormulaError, match=r"gives varh; the channel V A\+ is in Wh"):
        check_result(node, Unit("varh"), Unit("Wh"), "V A+")


@pytest.mark.parametrize("text", ["W", "kWh", "Wh/Wh", "Wh/m3/m3", "", "/"])
def test_units_that_are_none(text: str) -> None:
    with pytest.raises(ValueError, match="is none of"):
        Unit.of(text)
