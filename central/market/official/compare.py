"""Where the operator's schema of a format and our element mapping of it differ, sentence by sentence."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import xmlschema
from xmlschema.exceptions import XMLSchemaException

from central.market.errors import FormatError
from central.market.format_package import FormatPackage
from central.market.mapping.model import Node, Value
from central.market.mapping.read import ENVELOPE_ELEMENTS

_PRIMITIVES: Final[Mapping[str, frozenset[str]]] = {
    "date": frozenset({"date"}),
    "month": frozenset({"gYearMonth"}),
    "instant": frozenset({"dateTime"}),
    "local_instant": frozenset({"dateTime"}),
    "integer": frozenset({"decimal"}),
    "decimal": frozenset({"decimal", "double", "float"}),
    "boolean": frozenset({"boolean"}),
    "flag": frozenset({"boolean"}),
}
"""Primitive types of XML Schema that a lexical type of ours can be written as; a text fits all of the others."""
_DEEPEST: Final = 12


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: where it is (`Location/@opm-id`), and what it is."""

    format: str
    path: str
    sentence: str


def load_schema(path: Path) -> xmlschema.XMLSchema10:
    """A schema file with its includes, none from outside its folder; FormatError where it is none."""
    try:
        return xmlschema.XMLSchema10(
            str(path.absolute()), defuse="always", allow="sandbox", base_url=str(path.parent.absolute())
        )
    except (XMLSchemaException, OSError, ValueError, RecursionError) as error:
        raise FormatError("bad_schema", f"The schema {path.name} cannot be read: {str(error)[:500]}") from None


def root_names(schema: xmlschema.XMLSchema10) -> dict[str, str]:
    """Local name -> namespace of the elements that a document may begin with."""
    return {str(element.local_name): str(element.target_namespace) for element in schema.elements.values()}


def compare(package: FormatPackage, format_name: str, schema: xmlschema.XMLSchema10) -> Iterator[Difference]:
    """What differs between the payload that we map and the one that the schema describes."""
    ours = package.format(format_name).namespace
    root = next(element for element in schema.elements.values() if element.local_name == package.root(format_name))
    if str(root.target_namespace) != ours:
        yield Difference(format_name, "", f"the namespace is {root.target_namespace}, we wrote {ours}")
    if format_name in package.mappings:
        passed = frozenset[str]() if package.is_bare(format_name) else ENVELOPE_ELEMENTS
        theirs = [child for child in _children(root) if child.local_name not in passed]
        yield from _nodes(package, format_name, "", package.mapping(format_name).payload, theirs, 0)


def _children(element: Any) -> list[Any]:
    content: Any = element.type.content if element.type.is_complex() else None
    return list(content.iter_elements()) if hasattr(content, "iter_elements") else []


def _nodes(
    package: FormatPackage, name: str, path: str, ours: Sequence[Node], theirs: Sequence[Any], depth: int
) -> Iterator[Difference]:
    official = {str(element.local_name): element for element in theirs}
    for node in ours:
        where = f"{path}/{node.element}".lstrip("/")
        element = official.pop(node.element, None)
        if element is None:
            yield Difference(name, where, "the official format has no such element")
            continue
        if node.many and element.max_occurs == 1:
            yield Difference(name, where, "we write it many times, the official format takes it once")
        if element.min_occurs and not node.required:
            yield Difference(name, where, "the official format needs it, we may leave it out")
        yield from _values(package, name, where, node, element)
        if depth < _DEEPEST:
            yield from _nodes(package, name, where, node.children, _children(element), depth + 1)
    for local_name, element in official.items():
        if element.min_occurs:
            yield Difference(name, f"{path}/{local_name}".lstrip("/"), "the official format needs it, we do not map it")


def _values(package: FormatPackage, name: str, path: str, node: Node, element: Any) -> Iterator[Difference]:
    official = dict(element.attributes.items())
    for spec in node.attributes:
        attribute = official.pop(spec.name, None)
        where = f"{path}/@{spec.name}"
        if attribute is None:
            yield Difference(name, where, "the official format has no such attribute")
            continue
        if attribute.use == "required" and not spec.required:
            yield Difference(name, where, "the official format needs it, we may leave it out")
        yield from (Difference(name, where, sentence) for sentence in _type(package, spec, attribute.type))
    for attribute_name, attribute in official.items():
        if attribute_name is not None and attribute.use == "required":
            yield Difference(name, f"{path}/@{attribute_name}", "the official format needs it, we do not map it")


def _type(package: FormatPackage, spec: Value, official: Any) -> Iterator[str]:
    primitive = str(official.root_type.local_name)
    fits = _PRIMITIVES.get(spec.type)
    if fits is not None and primitive != "string" and primitive not in fits:
        yield f"the official type is {primitive}, we write {spec.type}"
    if fits is None and primitive in frozenset().union(*_PRIMITIVES.values()):
        yield f"the official type is {primitive}, we write {spec.type}"
    if spec.type == "code" and official.enumeration:
        known = {str(code) for code in official.enumeration}
        listed = {entry.code for entry in package.code_list(str(spec.codes))}
        if extra := sorted(listed - known):
            yield f"the official list lacks {', '.join(extra)} of our code list {spec.codes}"
        if missing := sorted(known - listed):
            yield f"our code list {spec.codes} lacks {', '.join(missing)}"
