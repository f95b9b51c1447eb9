"""From the text of a condition to its tree, with units and kinds checked.

    quantity > previous_quantity * 120 % and not rate in (7, 15)
    amount <> round(quantity * price, 2)
    unit = 'MWh' and price < 0.50 Kč/kWh or item_breaker is missing

Lark's LALR parser builds the tree from below without recursion; length, depth and number of nodes are limited, so no
text takes long.
"""

import re
from datetime import date
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

from central.checks.customer.columns import COLUMNS, Column
from central.checks.customer.measures import DATE, ON_DAY, PLAIN, SPAN, UNITS, Measure, own_unit
from central.checks.customer.nodes import (
    Absent,
    Both,
    Compared,
    Condition,
    Converted,
    Named,
    Not,
    Number,
    Product,
    Shaped,
    Sum,
    Truth,
    Value,
    Word,
)
from central.checks.framework import Kind
from central.platform.errors import BadInput

LENGTH: Final = 2_000
"""Characters of a condition."""
DEPTH: Final = 40
NODES: Final = 200
FACTORS: Final = 4
"""Values of one product: its numbers stay of a few dozen digits."""
DIGITS: Final = 18
"""Digits of a number, before and after the point together."""
PLACES: Final = 6
"""Decimal places that may be rounded to."""

_UNITS: Final = "|".join(re.escape(unit).replace("/", r"\/") for unit in sorted(UNITS, key=len, reverse=True))
_EPOCH: Final = date(1970, 1, 1).toordinal()
_GRAMMAR = rf"""
start: condition
condition: conjunction (_OR conjunction)*
conjunction: _truth (_AND _truth)*
_truth: negated | comparison | one_of | absent | "(" condition ")"
negated: NOT _truth
comparison: sum COMPARISON sum
one_of: sum [NOT] _IN "(" sum ("," sum)* ")"
absent: sum _IS [NOT] _MISSING
sum: product (SIGN product)*
product: _factor (OPERATOR _factor)*
_factor: negative | number | day | quoted | name | absolute | rounded | "(" sum ")"
negative: SIGN _factor
number: NUMBER UNIT?
day: DAY
quoted: QUOTED
name: NAME
absolute: _ABS "(" sum ")"
rounded: _ROUND "(" sum "," NUMBER ")"

_OR.2: /or\b/
_AND.2: /and\b/
NOT.2: /not\b/
_IN.2: /in\b/
_IS.2: /is\b/
_MISSING.2: /missing\b/
_ABS.2: /abs\b/
_ROUND.2: /round\b/
SIGN: "+" | "-"
OPERATOR: "*" | "/"
COMPARISON: "<=" | ">=" | "<>" | "!=" | "<" | ">" | "="
DAY.2: /[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}/
NUMBER: /[0-9]+(\.[0-9]+)?/
UNIT: /({_UNITS})(?!\w)/
QUOTED: /'[^'\n]*'/
NAME: /[^\W\d]\w*/
%ignore /\s+/
"""
_MEANT: Final = {
    "_OR": "or", "_AND": "and", "NOT": "not", "_IN": "in", "_IS": "is", "_MISSING": "missing",
    "_ABS": "abs", "_ROUND": "round", "SIGN": "+ or -", "OPERATOR": "* or /", "COMPARISON": "a comparison",
    "DAY": "a day", "NUMBER": "a number", "UNIT": "a unit", "QUOTED": "a word in quotes", "NAME": "a column",
    "LPAR": "(", "RPAR": ")", "COMMA": "a comma", "$END": "the end",
}  # fmt: skip


class RuleError(BadInput):
    """A condition that cannot be taken; the sentence says where."""


def fault(at: Token | None, said: str) -> RuleError:
    """An error at a place of the text."""
    where = "" if at is None else f"Line {at.line or 1}, column {at.column or 1}: "
    return RuleError("condition", f"{where}{said}")


@lru_cache(maxsize=1024)
def parse(text: str) -> Condition:
    """The tree of a condition; RuleError names the place, what stands there and what was expected."""
    if len(text) > LENGTH:
        raise fault(None, f"The condition has {len(text)} characters; {LENGTH} at most are expected. Divide it.")
    try:
        root: Any = _PARSER.parse(text)
    except UnexpectedInput as error:
        raise _explain(error) from None
    columns: set[str] = set()
    level, depth, nodes = [root], 0, 0
    while level:
        depth, nodes = depth + 1, nodes + len(level)
        if depth > DEPTH or nodes > NODES:
            raise fault(None, f"The condition has more than {NODES} values, or is nested more than {DEPTH} deep.")
        columns |= {node.column.name for node in level if isinstance(node, Named | Word | Absent)}
        level = [part for node in level for part in node.parts()]
    return Condition(text, root, frozenset(columns))


def _explain(error: UnexpectedInput) -> RuleError:
    found, at, expected = "the end", None, set[str]()
    if isinstance(error, UnexpectedCharacters):
        at = Token("CHARACTER", error.char, line=error.line, column=error.column)
        found, expected = repr(error.char), set(error.allowed or ())
    elif isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        if error.token.type != "$END":
            at, found = error.token, repr(str(error.token)[:40])
    meant = sorted({_MEANT.get(name, name) for name in expected})
    return fault(at, f"Found {found}; expected {', '.join(meant) or 'the end'}.")


class _Quoted(str):
    """A word in quotes: no number."""

    __slots__ = ("at",)
    at: Token


@v_args(inline=True)
class _Builder(Transformer[Token, Any]):
    """Called by the parser for each rule as soon as it is complete."""

    def start(self, root: Truth) -> Truth:
        return root

    def condition(self, first: Truth, *rest: Truth) -> Truth:
        return Both((first, *rest), all_of=False) if rest else first

    def conjunction(self, first: Truth, *rest: Truth) -> Truth:
        return Both((first, *rest), all_of=True) if rest else first

    def negated(self, sign: Token, inner: Truth) -> Truth:
        return Not(inner)

    def comparison(self, left: Any, sign: Token, right: Any) -> Truth:
        operator = "<>" if sign == "!=" else str(sign)
        if isinstance(left, _WORDS) or isinstance(right, _WORDS):
            column, word = (left, right) if isinstance(left, Column) else (right, left)
            if operator not in ("=", "<>"):
                raise fault(sign, f"Words are compared by = and <> only, not by {operator}.")
            return _is_word(sign, column, [word], operator == "=")
        return Compared(operator, *_alike(sign, left, right))

    def one_of(self, what: Any, negated: Token | None, *values: Any) -> Truth:
        at = negated if negated is not None else _place(what, values)
        if isinstance(what, Column):
            return _is_word(at, what, list(values), negated is None)
        if any(isinstance(value, _WORDS) for value in (what, *values)):
            raise fault(at, "A number cannot be one of words in quotes.")
        found = Both(tuple(Compared("=", *_alike(at, what, value)) for value in values), all_of=False)
        return found if negated is None else Not(found)

    def absent(self, what: Any, negated: Token | None) -> Truth:
        column = what if isinstance(what, Column) else what.column if isinstance(what, Named) else None
        if column is None:
            raise fault(negated, "Only a column can be missing; its name is expected before 'is'.")
        return Absent(column, negated is None)

    def sum(self, first: Any, *rest: Any) -> Any:
        if not rest:
            return first
        terms, signs = [first], [1]
        measure = _number(rest[0], first).measure
        for sign, term in zip(rest[::2], rest[1::2], strict=True):
            measure, terms, term = _added(sign, measure, terms, _number(sign, term))
            terms.append(term)
            signs.append(1 if sign == "+" else -1)
        return Sum(tuple(terms), tuple(signs), measure)

    def product(self, first: Any, *rest: Any) -> Any:
        if not rest:
            return first
        factors, measure = [_number(rest[0], first)], first.measure
        for operator, given in zip(rest[::2], rest[1::2], strict=True):
            factor = _number(operator, given)
            if DATE in dict(factor.measure.powers) or DATE in dict(measure.powers):
                raise fault(operator, "A day cannot be multiplied or divided.")
            if operator == "/":
                if not isinstance(factor, Number) or not factor.value:
                    raise fault(operator, "Only a number that is not 0 can divide; multiply the other side instead.")
                factor = Number(1 / factor.value, PLAIN.without(factor.measure))
            factors.append(factor)
            measure = measure.by(factor.measure)
        if sum(not isinstance(factor, Number) for factor in factors) > FACTORS:
            raise fault(rest[0], f"A product may have {FACTORS} columns at most.")
        return Product(tuple(factors), measure)

    def negative(self, sign: Token, inner: Any) -> Any:
        value = _number(sign, inner)
        return value if sign == "+" else Sum((value,), (-1,), value.measure)

    def number(self, digits: Token, unit: Token | None = None) -> Number:
        if len(digits.replace(".", "")) > DIGITS:
            raise fault(digits, f"A number may have {DIGITS} digits at most.")
        measure, factor = UNITS[str(unit)] if unit is not None else (PLAIN, Fraction(1))
        return Number(Fraction(str(digits)) * factor, measure)

    def day(self, given: Token) -> Number:
        try:
            return Number(Fraction(date.fromisoformat(str(given)).toordinal() - _EPOCH), ON_DAY)
        except ValueError:
            raise fault(given, f"There is no day {given}.") from None

    def quoted(self, given: Token) -> _Quoted:
        word = _Quoted(str(given)[1:-1])
        word.at = given
        return word

    def name(self, given: Token) -> Any:
        column = COLUMNS.get(str(given))
        if column is None:
            raise fault(given, f"There is no column {str(given)[:60]!r}; there are {', '.join(COLUMNS)}.")
        return column if column.kind is Kind.WORD else Named(column)

    def absolute(self, inner: Any) -> Shaped:
        return Shaped(_number(None, inner))

    def rounded(self, inner: Any, places: Token) -> Shaped:
        if not str(places).isdecimal() or int(places) > PLACES:
            raise fault(places, f"Rounding to {places} decimal places: a whole number from 0 to {PLACES} is expected.")
        value = _number(places, inner)
        if value.measure.powers and any(name not in _ROUNDED for name, _ in value.measure.powers):
            raise fault(places, f"A value in {value.measure} cannot be rounded: its unit is not one for all bases.")
        return Shaped(value, int(places))


_WORDS: Final = (Column, _Quoted)
_ROUNDED: Final = frozenset({"Kč"})
"""What is rounded must be a plain number or money: places of a unit that changes from basis to basis mean nothing."""


def _is_word(at: Token | None, column: Any, words: list[Any], wanted: bool) -> Truth:
    if not isinstance(column, Column) or not all(isinstance(word, _Quoted) for word in words):
        raise fault(at, "A column of words is compared with words in quotes, such as unit = 'MWh'.")
    for word in words:
        if column.words and word not in column.words:
            known = ", ".join(column.words)
            raise fault(word.at, f"The column {column.name} is never {str(word)[:60]!r}; it is one of {known}.")
    return Word(column, tuple(str(word) for word in words), wanted)


def _number(at: Token | None, value: Any) -> Value:
    if isinstance(value, _WORDS):
        name = value.name if isinstance(value, Column) else f"'{value}'"
        raise fault(value.at if isinstance(value, _Quoted) else at, f"{name} is a word; a number is expected here.")
    number: Value = value
    return number


def _place(what: Any, values: tuple[Any, ...]) -> Token | None:
    return next((each.at for each in (what, *values) if isinstance(each, _Quoted)), None)


def _alike(at: Token | None, left: Value, right: Value) -> tuple[Value, Value]:
    """Both sides in one measure, what is in the basis's own unit converted; RuleError where there is no such one."""
    if left.measure == right.measure:
        return left, right
    for zero, other in ((left, right), (right, left)):
        if isinstance(zero, Number) and not zero.value and zero.measure == PLAIN and other.measure != ON_DAY:
            return left, right
    if found := own_unit(left.measure, right.measure):
        return Converted(left, *found, right.measure), right
    if found := own_unit(right.measure, left.measure):
        return left, Converted(right, *found, left.measure)
    raise fault(
        at,
        f"What is in {left.measure} cannot be compared with, added to or taken from what is in {right.measure}; give "
        "numbers their unit, such as 5 MWh, 100 Kč, 0.5 Kč/kWh, 3 days, 20 %.",
    )


def _added(at: Token, measure: Measure, terms: list[Value], term: Value) -> tuple[Measure, list[Value], Value]:
    """The measure of a sum with one more term, and its terms in it; days may be added to and taken from a day."""
    if measure == ON_DAY and term.measure == SPAN:
        return ON_DAY, terms, term
    if measure == ON_DAY and term.measure == ON_DAY and at == "-":
        return SPAN, terms, term
    if ON_DAY in (measure, term.measure):
        raise fault(at, "From a day only a day or days can be taken, and only days be added to it.")
    whole, other = _alike(at, Sum(tuple(terms), (1,) * len(terms), measure), term)
    if whole.measure == measure:
        return measure, terms, other
    assert isinstance(whole, Converted)
    changed = [Converted(each, whole.dimension, whole.power, whole.measure) for each in terms]
    return whole.measure, list(changed), other


_PARSER = Lark(_GRAMMAR, parser="lalr", transformer=_Builder(), maybe_placeholders=True)
