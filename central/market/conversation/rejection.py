"""Why a message was rejected, and where in it: the element that a reason names, or the one that holds what it names.

An answer has a text for people and no field for a place. A path or a line in the text is taken at its word; else the
values in the text (numbers, codes) are looked for among the message's attributes and texts.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from lxml import etree

from central.market.errors import InboundError
from central.market.xml import parse_untrusted

_PATH: Final = re.compile(
    r"(?<![\w/])/{1,2}[A-Za-z_][\w.:-]*(?:\[[^\]]{1,40}\])?(?:/@?[A-Za-z_][\w.:-]*(?:\[[^\]]{1,40}\])?)*"
)
_LINE: Final = re.compile(r"\b(?:line|řádek|řádku|row)\s*:?\s*(\d{1,9})", re.IGNORECASE)
_VALUE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:_-]{3,}")
_STEP: Final = re.compile(r"/(?P<name>@?[A-Za-z_][\w.:-]*)(?:\[(?P<which>[^\]]*)\])?")
_BY_VALUE: Final = re.compile(r"\s*@(?P<attribute>[\w.:-]+)\s*=\s*(?P<quote>['\"])(?P<value>[^'\"]*)(?P=quote)\s*")


@dataclass(frozen=True, slots=True)
class Place:
    """An element of a message: its path, its line, and the attribute and value by which it was found."""

    path: str
    line: int
    found_by: str
    attribute: str | None = None
    value: str | None = None


def find_place(xml: bytes, said: str) -> Place | None:
    """Where in the message a reason's text points; None where nothing in it can be found."""
    try:
        root = parse_untrusted(xml)
    except InboundError:
        return None
    return _by_path(root, said) or _by_line(root, said) or _by_value(root, said)


def _by_path(root: etree._Element, said: str) -> Place | None:
    """Steps are compared by local name, so that any prefix in the text fits; a place among alike ones by its number."""
    for found in _PATH.findall(said):
        steps = [_step(written) for written in _STEP.finditer(found)]
        attribute = steps.pop().name.removeprefix("@") if steps[-1].name.startswith("@") else None
        numbers: dict[etree._Element, int] = {}
        for element in root.iter():
            if (attribute is None or attribute in element.attrib) and _leads_to(element, steps, numbers):
                return _place(element, "path", attribute, element.get(attribute) if attribute else None)
    return None


@dataclass(frozen=True, slots=True)
class _Step:
    """A step of a path: local name, and of several alike ones which, by its number or by an attribute's value."""

    name: str
    number: int | None = None
    attribute: str | None = None
    value: str | None = None


def _step(written: re.Match[str]) -> _Step:
    name = written["name"].rstrip(".:-")  # a path may end a sentence
    name = name if name.startswith("@") else name.rpartition(":")[2]
    which = written["which"] or ""
    if which.strip().isdecimal():
        return _Step(name, int(which))
    by_value = _BY_VALUE.fullmatch(which)
    return _Step(name) if by_value is None else _Step(name, None, by_value["attribute"], by_value["value"])


def _leads_to(element: etree._Element, steps: Sequence[_Step], numbers: dict[etree._Element, int]) -> bool:
    """Whether the last steps of the way to the element are these; `numbers` keeps what was counted for it."""
    way: list[tuple[etree._Element, int]] = []
    here: etree._Element | None = element
    for step in reversed(steps):
        if here is None or not _fits(here, step):
            return False
        if step.number is not None:
            way.append((here, step.number))
        here = here.getparent()
    return all(number == _number_of(each, numbers) for each, number in way)


def _fits(element: etree._Element, step: _Step) -> bool:
    if etree.QName(element).localname != step.name:
        return False
    return step.attribute is None or bool(element.get(step.attribute) == step.value)


def _number_of(element: etree._Element, numbers: dict[etree._Element, int]) -> int:
    """Which one it is of those of its name below its parent, which are counted once for all of them."""
    parent = element.getparent()
    if parent is None:
        return 1
    if element not in numbers:
        counted: Counter[Any] = Counter()
        for each in parent:
            counted[each.tag] += 1
            numbers[each] = counted[each.tag]
    return numbers[element]


def _by_line(root: etree._Element, said: str) -> Place | None:
    found = _LINE.search(said)
    if found is None:
        return None
    line = int(found[1])
    element = next((each for each in root.iter() if _line_of(each) == line), None)
    return None if element is None else _place(element, "line")


def _by_value(root: etree._Element, said: str) -> Place | None:
    """The longest value first: the code of a point says more than a day, which stands in every point of a message."""
    values = {each.rstrip(".:-") for each in _VALUE.findall(said)}
    wanted = {value for value in values if any(letter.isdigit() for letter in value)}
    found: dict[str, tuple[etree._Element, str | None]] = {}
    for element in root.iterdescendants():
        for name, value in element.attrib.items():
            if value in wanted:
                found.setdefault(str(value), (element, str(name)))
        if element.text and (text := element.text.strip()) in wanted:
            found.setdefault(text, (element, None))
    if not found:
        return None
    value = min(found, key=lambda each: (-len(each), said.index(each)))
    element, attribute = found[value]
    return _place(element, "value", attribute, value)


def _place(element: etree._Element, by: str, attribute: str | None = None, value: str | None = None) -> Place:
    steps = []
    for each in [*reversed(list(element.iterancestors())), element]:
        name = etree.QName(each).localname
        parent = each.getparent()
        alike = [] if parent is None else [other for other in parent if other.tag == each.tag]
        steps.append(f"{name}[{alike.index(each) + 1}]" if len(alike) > 1 else name)
    return Place("/" + "/".join(steps), _line_of(element), by, attribute, value)


def _line_of(element: etree._Element) -> int:
    return int(cast("int | None", element.sourceline) or 0)
