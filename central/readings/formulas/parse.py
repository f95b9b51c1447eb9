"""From the text of a formula to its tree.

    max(0, "TS1" A+ - "Hala A" A+ - "Hala B" A+) x 0.5
    if("FVE" A- > 2 kWh, "FVE" A- - 2 kWh, 0)
    "Plyn" V * spalne_teplo

Lark's LALR parser builds the tree from below without recursion; length, depth and number of nodes are limited, so no
text takes long.
"""

from fractions import Fraction
from functools import lru_cache
from typing import Any

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from central.network.tables import DIRECTIONS
from central.readings.formulas.nodes import (
    Coefficient,
    Condition,
    Extreme,
    FormulaError,
    If,
    Node,
    Number,
    Place,
    Product,
    Reference,
    Sum,
    children,
)

LENGTH = 100_000
"""Characters of a formula; the sum of 2,000 meters has about 60,000."""
DEPTH = 40
NODES = 5_000
DIGITS = 18
"""Digits of a number, before and after the point together."""

UNITS = {
    "Wh": ("Wh", 1),
    "kWh": ("Wh", 10**3),
    "MWh": ("Wh", 10**6),
    "GWh": ("Wh", 10**9),
    "varh": ("varh", 1),
    "kvarh": ("varh", 10**3),
    "Mvarh": ("varh", 10**6),
    "m3": ("m3", 1),
    "m³": ("m3", 1),
}
"""Units of numbers in a formula: the basic unit and how many of it."""

# Longer names first, so that "VT" is not read as "V".
_DIRECTIONS = "|".join(name.replace("+", r"\+") for name in sorted(DIRECTIONS, key=lambda name: (-len(name), name)))

_GRAMMAR = rf"""
start: sum
sum: product (SIGN product)*
product: _factor (OPERATOR _factor)*
_factor: negative | number | reference | coefficient | extreme | choice | "(" sum ")"
negative: SIGN _factor
number: NUMBER UNIT?
reference: NAME_OF_POINT DIRECTION
coefficient: NAME
extreme: (MIN | MAX) "(" sum ("," sum)+ ")"
choice: IF "(" condition "," sum "," sum ")"
condition: sum COMPARISON sum

SIGN: "+" | "-"
OPERATOR: "*" | "/" | "×" | "x"
COMPARISON: "<=" | ">=" | "!=" | "<" | ">" | "="
MIN: "min"
MAX: "max"
IF: "if"
NUMBER: /[0-9]+(\.[0-9]+)?/
UNIT: /({"|".join(sorted(UNITS, key=len, reverse=True))})(?!\w)/
NAME_OF_POINT: /"([^"\n]|"")+"/
DIRECTION: /{_DIRECTIONS}/
NAME: /[^\W\d]\w*/
%ignore /\s+/
"""

_MEANT = {
    "SIGN": "+ or -",
    "OPERATOR": "x, * or /",
    "COMPARISON": "a comparison",
    "MIN": "min",
    "MAX": "max",
    "IF": "if",
    "NUMBER": "a number",
    "UNIT": "a unit",
    "NAME_OF_POINT": "a metering point in quotes",
    "DIRECTION": f"a direction ({', '.join(DIRECTIONS)})",
    "NAME": "the name of a coefficient",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": "a comma",
    "$END": "the end",
}


@lru_cache(maxsize=4096)
def parse(text: str) -> Node:
    """The tree of a formula; FormulaError names line, column and what was expected there."""
    if len(text) > LENGTH:
        raise FormulaError("formula_size", Place(1, 1), f"The formula has {len(text)} characters, above {LENGTH}.")
    try:
        root: Node = _PARSER.parse(text)  # type: ignore[assignment]  # the transformer makes nodes of the tree
    except UnexpectedInput as error:
        raise _explain(error, text) from None
    _check_size(root)
    return root


def _check_size(root: Node) -> None:
    level, depth, nodes = [root], 0, 0
    while level:
        depth, nodes = depth + 1, nodes + len(level)
        if depth > DEPTH:
            raise FormulaError("formula_size", level[0].place, f"Nested more than {DEPTH} deep; divide the formula.")
        if nodes > NODES:
            raise FormulaError("formula_size", root.place, f"More than {NODES} values; divide the formula.")
        level = [child for node in level for child in children(node)]


def _explain(error: UnexpectedInput, text: str) -> FormulaError:
    lines = text.split("\n")
    found = "the end"
    place = Place(len(lines), len(lines[-1]) + 1)
    expected: set[str] = set()
    if isinstance(error, UnexpectedCharacters):
        place = Place(error.line, error.column)
        found, expected = repr(error.char), set(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type != "$END":
            place, found = _place(error.token), repr(_shortened(str(error.token)))
    meant = sorted(_MEANT.get(name, name) for name in expected)
    return FormulaError("formula", place, f"Found {found}; expected {', '.join(meant) or 'the end'}.")


def _shortened(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"


def _place(token: Token) -> Place:
    return Place(token.line or 1, token.column or 1)


@v_args(inline=True)
class _Builder(Transformer[Token, Node]):
    """Called by the parser for each rule as soon as it is complete."""

    def start(self, node: Node) -> Node:
        return node

    def number(self, digits: Token, unit: Token | None = None) -> Node:
        if len(digits.replace(".", "")) > DIGITS:
            raise FormulaError("formula_size", _place(digits), f"A number may have {DIGITS} digits at most.")
        name, factor = UNITS[str(unit)] if unit is not None else ("1", 1)
        return Number(Fraction(str(digits)) * factor, name, _place(digits))

    def reference(self, point: Token, direction: Token) -> Node:
        return Reference(str(point)[1:-1].replace('""', '"'), str(direction), _place(point))

    def coefficient(self, name: Token) -> Node:
        return Coefficient(str(name), _place(name))

    def negative(self, sign: Token, operand: Node) -> Node:
        return operand if sign == "+" else Sum((operand,), (-1,), _place(sign))

    def sum(self, first: Node, *rest: Any) -> Node:
        if not rest:
            return first
        signs = (1, *(-1 if sign == "-" else 1 for sign in rest[::2]))
        return Sum((first, *rest[1::2]), signs, first.place)

    def product(self, first: Node, *rest: Any) -> Node:
        if not rest:
            return first
        divides = (False, *(operator == "/" for operator in rest[::2]))
        return Product((first, *rest[1::2]), divides, first.place)

    def extreme(self, function: Token, *operands: Node) -> Node:
        return Extreme(str(function), operands, _place(function))

    def condition(self, left: Node, operator: Token, right: Node) -> Condition:
        return Condition(str(operator), left, right, _place(operator))

    def choice(self, name: Token, condition: Condition, then: Node, otherwise: Node) -> Node:
        return If(condition, then, otherwise, _place(name))


_PARSER = Lark(_GRAMMAR, parser="lalr", transformer=_Builder())
