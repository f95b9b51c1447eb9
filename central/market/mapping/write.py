"""Writes a record as the payload of its format: names from the mapping, the schema asked before anything leaves."""

from collections.abc import Iterator, Sequence
from typing import Any

from central.market.envelope import Envelope, closing, escape_text, opening, quote
from central.market.errors import OutboundError
from central.market.format_package import FormatPackage
from central.market.mapping.lexical import to_text
from central.market.mapping.model import Node, Value
from central.market.xml import parse_untrusted, schema_errors


def write_message(package: FormatPackage, envelope: Envelope, payload: object) -> bytes:
    """The message as UTF-8, valid by the package's schema of its format; `payload` has the fields of its mapping.

    Raises OutboundError where a value does not fit its place or the schema refuses the whole.
    """
    format_name = package.message(envelope.code).format
    content = "".join(
        [
            opening(package, envelope),
            *_Writer(package, f"{format_name} {envelope.id}").elements(package.mapping(format_name).payload, payload),
            closing(package, envelope),
        ]
    ).encode()
    if errors := schema_errors(package.schema(format_name), parse_untrusted(content)):
        raise OutboundError(
            "schema", f"The message {envelope.id} does not satisfy the schema of {format_name}: {'; '.join(errors)}."
        )
    return content


def write_document(package: FormatPackage, format_name: str, name: str, record: object) -> bytes:
    """A document of a format without the common envelope, valid by its schema; `name` is what errors call it.

    Raises OutboundError as `write_message`, also where the mapping asks for a field that the record has not.
    """
    root, namespace = package.root(format_name), package.format(format_name).namespace
    declared = f" xmlns={quote(namespace)}" if namespace else ""
    try:
        payload = "".join(
            _Writer(package, f"{format_name} {name}").elements(package.mapping(format_name).payload, record)
        )
    except AttributeError as error:
        raise OutboundError(
            "unknown_field", f"The element mapping of {format_name} asks for a field that is not there: {error}."
        ) from None
    content = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}{declared}>{payload}</{root}>\n'.encode()
    if errors := schema_errors(package.schema(format_name), parse_untrusted(content)):
        raise OutboundError(
            "schema", f"The message {name} does not satisfy the schema of {format_name}: {'; '.join(errors)}."
        )
    return content


class _Writer:
    def __init__(self, package: FormatPackage, message: str) -> None:
        self._package = package
        self._message = message

    def elements(self, nodes: Sequence[Node], record: Any) -> Iterator[str]:
        """The elements of a record, in the order of the mapping."""
        for node in nodes:
            if node.field is None:
                yield from self._element(node, record, wraps=True)
                continue
            held = getattr(record, node.field)
            records = held if node.many else [] if held is None else [held]
            if node.required and not records:
                raise OutboundError("missing_element", f"{self._message} has no {node.element} ({node.field}).")
            for one in records:
                yield from self._element(node, one, wraps=False)

    def _element(self, node: Node, record: Any, *, wraps: bool) -> Iterator[str]:
        attributes = "".join(
            f" {spec.name}={quote(text)}" for spec, text in self._values(node, node.attributes, record)
        )
        content = "".join(self.elements(node.children, record))
        if node.text is not None:
            content = "".join(escape_text(text) for _, text in self._values(node, (node.text,), record)) + content
        if wraps and not node.required and not attributes and not content:
            return
        yield f"<{node.element}{attributes}>{content}</{node.element}>" if content else f"<{node.element}{attributes}/>"

    def _values(self, node: Node, specs: Sequence[Value], record: Any) -> Iterator[tuple[Value, str]]:
        for spec in specs:
            value = getattr(record, spec.field)
            where = f"{self._message}: {spec.field} of {node.element}"
            if value is None:
                if spec.required and node.field is not None:
                    raise OutboundError("missing_value", f"{where} (attribute {spec.name}) is missing.")
                continue
            yield spec, to_text(self._package, spec, value, where)
