"""How a record lies in XML: the element mapping of a format, as it stands in `formats/PACKAGE/mappings/FORMAT.json`.

A *node* is an element. One with a `field` holds a record of its own in that field of the record around it (a list where
it is `many`); one without only wraps: what is in it belongs to the record around. Attributes, and the text of an
element, are single values with a lexical type. Names of elements and attributes are the operator's, names of fields
ours; `aliases` are further spellings that are read and never written.
"""

from collections.abc import Iterator
from typing import Literal

import msgspec

from central.market.format_data import ListedCode, Mark

LexicalType = Literal[
    "string",
    "code",
    "ean13",
    "ean18",
    "eic",
    "date",
    "month",
    "instant",
    "local_instant",
    "integer",
    "decimal",
    "boolean",
    "flag",
]
"""`instant` is written in UTC with Z, `local_instant` with the offset of Prague; a `code` stands in a code list.

A `flag` says yes by standing there: True or nothing.
"""


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An attribute, or an element's text, and the field it is.

    `length` bounds a string; `places` are a decimal's most places behind the point, `signed` lets it be negative;
    `codes` names the code list of a code.
    """

    name: str
    field: str
    type: LexicalType
    mark: Mark
    required: bool = False
    length: int | None = None
    places: int | None = None
    signed: bool = False
    codes: str | None = None
    aliases: tuple[str, ...] = ()


class Node(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An element: once, or `many` times; its attributes, its text, the elements in it in their order.

    The alias `*` reads an element of any name that no other node beside it has.
    """

    element: str
    mark: Mark
    field: str | None = None
    many: bool = False
    required: bool = False
    attributes: tuple[Value, ...] = ()
    text: Value | None = None
    children: tuple["Node", ...] = ()
    aliases: tuple[str, ...] = ()


class Mapping(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The payload of a format: what follows the envelope's own elements.

    With `root` the format has not the common envelope (EDIGAS, APERAK): `root` is its document element, and who sends
    what to whom stands in the payload's own fields. `code_lists` come into the package that is made with the mapping.
    """

    format: str
    source: str
    payload: tuple[Node, ...]
    root: str | None = None
    code_lists: dict[str, tuple[ListedCode, ...]] = {}


def _fields(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Fields of one record, wrapped ones included."""
    for node in nodes:
        if node.field is not None:
            yield node.field
            continue
        yield from (value.field for value in node.attributes)
        if node.text is not None:
            yield node.text.field
        yield from _fields(node.children)


def problems_of(mapping: Mapping, code_lists: frozenset[str]) -> list[str]:
    """What does not fit together in a mapping, one sentence each."""
    problems = list(_doubled(f"the payload of {mapping.format}", list(_fields(mapping.payload))))
    for node in _every(mapping.payload):
        what = f"{node.element} of {mapping.format}"
        if node.field is None and node.many:
            problems.append(f"The element {what} stands many times and has no field to hold its records.")
        if node.field is not None:
            values = [value.field for value in node.attributes]
            values += [node.text.field] if node.text is not None else []
            problems += _doubled(what, [*values, *_fields(node.children)])
        for value in (*node.attributes, *((node.text,) if node.text is not None else ())):
            if value.type == "code" and value.codes not in code_lists:
                problems.append(f"{value.name} in {what} is a code of the list {value.codes}, which is not there.")
            if value.type == "decimal" and value.places is None:
                problems.append(f"{value.name} in {what} is a decimal and does not say its places.")
    return problems


def _every(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from _every(node.children)


def _doubled(what: str, fields: list[str]) -> list[str]:
    return [f"The field {name} stands twice in {what}." for name in sorted({f for f in fields if fields.count(f) > 1})]
