"""Why a message was rejected, and where in it: the element that a reason names, or the one that holds what it names.

An answer has a text for people and no field for a place. A path or a line in the text is taken at its word; else the
values in the text (numbers, codes) are looked for among the message's attributes and texts.
"""

import re
from dataclasses import dataclass
from typing import Final, cast

from lxml import etree

from central.market.errors import InboundError
from central.market.xml import parse_untrusted

_PATH: Final = re.compile(
    r"(?<![\w/])/{1,2}[A-Za-z_][\w.:-]*(?:\[[^\]]{1,40}\])?(?:/@?[A-Za-z_][\w.:-]*(?:\[[^\]]{1,40}\])?)*"
)
_LINE: Final = re.compile(r"\b(?:line|řádek|řádku|row)\s*:?\s*(\d{1,9})", re.IGNORECASE)
_VALUE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z.:_-]{3,}")
_SAFE_STEP: Final = re.compile(r"[^/\[\]]+")


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
    """Steps are compared by local name, so that any prefix in the text fits."""
    for found in _PATH.findall(said):
        steps = [step.rsplit(":", 1)[-1].split("[")[0] for step in _SAFE_STEP.findall(re.sub(r"\[[^\]]*\]", "", found))]
        attribute = steps.pop()[1:] if steps and steps[-1].startswith("@") else None
        wanted = [step for step in steps if step]
        for element in root.iter():
            names = [etree.QName(each).localname for each in [*reversed(list(element.iterancestors())), element]]
            if names[-len(wanted) :] == wanted and (attribute is None or attribute in element.attrib):
                value = element.get(attribute) if attribute else None
                return _place(element, "path", attribute, value)
    return None


def _by_line(root: etree._Element, said: str) -> Place | None:
    found = _LINE.search(said)
    if found is None:
        return None
    line = int(found[1])
    element = next((each for each in root.iter() if _line_of(each) == line), None)
    return None if element is None else _place(element, "line")


def _by_value(root: etree._Element, said: str) -> Place | None:
    values = sorted({each.rstrip(".:-") for each in _VALUE.findall(said)}, key=len, reverse=True)
    wanted = {value for value in values if any(letter.isdigit() for letter in value)}
    for element in root.iter():
        if element is root:
            continue
        for name, value in element.attrib.items():
            if value in wanted:
                return _place(element, "value", str(name), str(value))
        if element.text and element.text.strip() in wanted:
            return _place(element, "value", None, element.text.strip())
    return None


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
