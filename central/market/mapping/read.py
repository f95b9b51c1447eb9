"""Reads a payload into a record: by namespace and local name, any prefix; what the mapping does not know is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

import msgspec
from lxml import etree

from central.market.envelope import Envelope, read_envelope
from central.market.errors import InboundError
from central.market.format_package import FormatPackage
from central.market.mapping.lexical import from_text
from central.market.mapping.model import Node, Value
from central.market.xml import DEFAULT_LIMITS, XmlLimits, attributes_of, parse_untrusted

ENVELOPE_ELEMENTS: Final = frozenset({"SenderIdentification", "ReceiverIdentification", "Reference"})
ANY_NAME: Final = "*"
_MOST_TOLD: Final = 5
_TOLD_OF_TEXT: Final = 40
Payload = TypeVar("Payload", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Read(Generic[Payload]):
    """A message read; `unknown` has what the mapping does not know: path of element or attribute -> its text."""

    envelope: Envelope
    payload: Payload
    unknown: dict[str, str]


def told_unknown(read: Read[Any]) -> str:
    """A sentence on what the mapping and the envelope do not know, for a person; empty where they know everything."""
    found = {**{f"@{name}": text for name, text in read.envelope.extra.items()}, **read.unknown}
    if not found:
        return ""
    named = ["; ".join(f"{path} = {text[:_TOLD_OF_TEXT]!r}" for path, text in [*found.items()][:_MOST_TOLD])]
    if len(found) > _MOST_TOLD:
        named.append(f"and {len(found) - _MOST_TOLD} more")
    return f"Not understood in the message: {' '.join(named)}."


def read_message(
    package: FormatPackage, content: bytes, kind: type[Payload], format_name: str, limits: XmlLimits = DEFAULT_LIMITS
) -> Read[Payload]:
    """The message of its bytes as a record of type `kind`; InboundError where it cannot be understood."""
    return read_root(package, parse_untrusted(content, limits), kind, format_name)


def read_root(package: FormatPackage, root: etree._Element, kind: type[Payload], format_name: str) -> Read[Payload]:
    """As `read_message`, of what `parse_untrusted` has parsed already."""
    found, envelope = read_envelope(root, package)
    if found != format_name:
        raise InboundError("unknown_format", f"The message {envelope.id} is {found}, expected {format_name}.")
    fields, unknown = read_fields(package, root, format_name)
    try:
        payload = msgspec.convert(fields, kind)
    except msgspec.ValidationError as error:
        raise InboundError("incomplete", f"The message {envelope.id} ({found}) is not whole: {error}.") from None
    return Read(envelope, payload, unknown)


def read_fields(
    package: FormatPackage, root: etree._Element, format_name: str, nodes: Sequence[Node] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """The payload's fields by our names, nested as the mapping says, and what the mapping does not know.

    Given `nodes` of the mapping, their fields alone: the rest counts as not known.
    """
    reader = _Reader(package, package.format(format_name).namespace)
    passed = frozenset[str]() if package.is_bare(format_name) else ENVELOPE_ELEMENTS
    known = package.mapping(format_name).payload if nodes is None else nodes
    fields = reader.children(root, known, format_name, passed)
    return fields, reader.unknown


class _Reader:
    def __init__(self, package: FormatPackage, namespace: str) -> None:
        self._package = package
        self._namespace = namespace
        self.unknown: dict[str, str] = {}

    def children(
        self, element: etree._Element, nodes: Sequence[Node], path: str, passed: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """The fields that lie in the elements within `element`."""
        by_name = {name: node for node in nodes for name in (node.element, *node.aliases)}
        record: dict[str, Any] = {node.field: [] for node in nodes if node.field is not None and node.many}
        seen: set[str] = set()
        for child in element:
            name = etree.QName(child)
            known = name.namespace == self._namespace
            node = by_name.get(name.localname, by_name.get(ANY_NAME)) if known else None
            where = f"{path}/{name.localname}"
            if node is None:
                if name.localname not in passed and self._is_to_keep(where):
                    self._keep(where, etree.tostring(child, encoding="unicode"))
            elif node.many:
                record[str(node.field)].append(
                    self._record(child, node, f"{where}[{len(record[str(node.field)]) + 1}]")
                )
            elif node.element in seen:
                raise InboundError("doubled_element", f"{where} on line {child.sourceline} stands twice.")
            elif node.field is None:
                record |= self._record(child, node, where)
            else:
                record[node.field] = self._record(child, node, where)
            if node is not None:
                seen.add(node.element)
        return record

    def _record(self, element: etree._Element, node: Node, path: str) -> dict[str, Any]:
        record = self.children(element, node.children, path)
        by_name = {name: spec for spec in node.attributes for name in (spec.name, *spec.aliases)}
        for name, text in attributes_of(element):
            spec = by_name.get(name)
            if spec is None:
                self._keep(f"{path}/@{name}", text)
            elif text != "" or spec.type == "flag":
                self._put(record, spec, text, f"{path}/@{name}", element)
        text = element.text or ""
        if node.text is not None and text.strip():
            record[node.text.field] = self._value(node.text, text, f"{path}/text()")
        elif text.strip():
            self._keep(f"{path}/text()", text.strip())
        return record

    def _put(self, record: dict[str, Any], spec: Value, text: str, where: str, element: etree._Element) -> None:
        """A value under its field; of two spellings of a name both may stand there if they say the same."""
        value = self._value(spec, text, where)
        if record.setdefault(spec.field, value) != value:
            raise InboundError(
                "doubled_value",
                f"{where} on line {element.sourceline} is {text[:40]!r}, and {spec.name} stands there with another "
                "value in another spelling: it cannot be told which holds.",
            )

    def _value(self, spec: Value, text: str, where: str) -> Any:
        return from_text(self._package, spec, text, where)

    def _keep(self, path: str, text: str) -> None:
        if self._is_to_keep(path):
            self.unknown[path] = text[:4000]

    def _is_to_keep(self, path: str) -> bool:
        """Of many under one path the first: writing out each of a million takes its time."""
        return len(self.unknown) < 1000 and path not in self.unknown
