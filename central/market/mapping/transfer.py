"""A message of one format package as one of another: read by the one's names, written by the other's."""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from central.market.envelope import Envelope, read_envelope
from central.market.errors import InboundError
from central.market.format_package import FormatPackage
from central.market.mapping.model import Node
from central.market.mapping.read import read_fields
from central.market.mapping.write import write_document, write_message
from central.market.xml import parse_untrusted


def transfer(content: bytes, package: FormatPackage, target: FormatPackage) -> bytes:
    """The message of `package` as `target` has it; InboundError or OutboundError where it cannot be."""
    root = parse_untrusted(content)
    format_name, envelope = read_envelope(root, package)
    fields, unknown = read_fields(package, root, format_name)
    if unknown:
        raise InboundError("unknown_content", f"{format_name} {envelope.id} has unknown {', '.join(sorted(unknown))}.")
    record = _record(target.mapping(format_name).payload, fields)
    return write_message(target, _addressed(envelope, target), record)


def _addressed(envelope: Envelope, target: FormatPackage) -> Envelope:
    rules = target.envelope
    return Envelope(
        id=envelope.id,
        code=envelope.code,
        at=envelope.at,
        sender=envelope.sender,
        receiver=envelope.receiver,
        references=envelope.references,
        answer_required=envelope.answer_required,
        language=envelope.language,
        dtd_version=rules.dtd_version,
        dtd_release=rules.dtd_release,
    )


def rewrite_document(package: FormatPackage, format_name: str, name: str, content: bytes) -> bytes:
    """A document without the common envelope, read and written anew: InboundError or OutboundError where it cannot."""
    fields, unknown = read_fields(package, parse_untrusted(content), format_name)
    if unknown:
        raise InboundError("unknown_content", f"{format_name} {name} has unknown {', '.join(sorted(unknown))}.")
    return write_document(package, format_name, name, _record(package.mapping(format_name).payload, fields))


def _record(nodes: Sequence[Node], fields: Mapping[str, Any]) -> SimpleNamespace:
    """The fields as a record on which every field of the mapping is there, None where the message had it not."""
    found = SimpleNamespace()
    for node in nodes:
        if node.field is None:
            vars(found).update(vars(_values(node, fields)))
        elif node.many:
            setattr(found, node.field, [_values(node, one) for one in fields.get(node.field, [])])
        else:
            held = fields.get(node.field)
            setattr(found, node.field, None if held is None else _values(node, held))
    return found


def _values(node: Node, fields: Mapping[str, Any]) -> SimpleNamespace:
    record = _record(node.children, fields)
    for spec in (*node.attributes, *((node.text,) if node.text is not None else ())):
        setattr(record, spec.field, fields.get(spec.field))
    return record
