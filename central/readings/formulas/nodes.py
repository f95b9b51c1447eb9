"""A formula as a tree of values. Sums, products and choices are flat: a sum of a thousand meters is one node."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from central.platform.errors import BadInput


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the text, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


class FormulaError(BadInput):
    """A formula that cannot be taken; the sentence begins with the place."""

    def __init__(self, code: str, place: Place, message: str) -> None:
        super().__init__(code, f"{str(place).capitalize()}: {message}")
        self.place = place


@dataclass(frozen=True, slots=True)
class Reference:
    """A channel, physical or virtual, by metering point and direction."""

    point: str
    direction: str
    place: Place

    @property
    def name(self) -> tuple[str, str]:
        """Point and direction, which is what a channel is bound by."""
        return self.point, self.direction

    def __str__(self) -> str:
        escaped = self.point.replace('"', '""')
        return f'"{escaped}" {self.direction}'


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a unit ("1" without one); kWh and the like are turned into their basic unit."""

    value: Fraction
    unit: str
    place: Place


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A named coefficient; its value depends on the day."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Sum:
    """Terms, each with its sign 1 or -1."""

    terms: tuple["Node", ...]
    signs: tuple[int, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Product:
    """Factors from left to right; `divides` says which are divided by. `places` are those of the factors."""

    factors: tuple["Node", ...]
    divides: tuple[bool, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Extreme:
    """The smallest ("min") or greatest ("max") of its operands."""

    function: str
    operands: tuple["Node", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Condition:
    """A comparison: <, <=, >, >=, = or !=."""

    operator: str
    left: "Node"
    right: "Node"
    place: Place


@dataclass(frozen=True, slots=True)
class If:
    """One of two values, interval by interval."""

    condition: Condition
    then: "Node"
    otherwise: "Node"
    place: Place


Node = Reference | Number | Coefficient | Sum | Product | Extreme | If


def children(node: Node) -> tuple[Node, ...]:
    """The nodes that this one is computed from."""
    match node:
        case Sum(terms=operands) | Product(factors=operands) | Extreme(operands=operands):
            return operands
        case If(condition, then, otherwise):
            return condition.left, condition.right, then, otherwise
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it, left to right."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(children(found)))


def references(node: Node) -> dict[tuple[str, str], Reference]:
    """The channels that a formula names, each once, in the order of the text."""
    found: dict[tuple[str, str], Reference] = {}
    for each in walk(node):
        if isinstance(each, Reference):
            found.setdefault(each.name, each)
    return found


def coefficients(node: Node) -> dict[str, Coefficient]:
    """The coefficients that a formula names, each once."""
    found: dict[str, Coefficient] = {}
    for each in walk(node):
        if isinstance(each, Coefficient):
            found.setdefault(each.name, each)
    return found
