"""The envelope common to the market operator's messages: written strictly, read tolerantly.

Root attributes, SenderIdentification, ReceiverIdentification and Reference. The reader goes by namespace and local
name, never by prefix, and keeps root attributes that it does not know. Source: the operator's public notices of 2025 on
namespaces, message templates of public repositories.
"""

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final
from xml.sax.saxutils import escape

from lxml import etree

from central.market.errors import InboundError, OutboundError
from central.market.format_package import FormatPackage
from central.market.xml import attributes_of

_KNOWN_ATTRIBUTES: Final = {
    "id",
    "message-code",
    "date-time",
    "dtd-version",
    "dtd-release",
    "answer-required",
    "language",
}
_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_QUOTES: Final = {'"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Participant:
    """A market participant (účastník trhu) as sender or receiver."""

    id: str
    coding_scheme: str = "14"
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """Envelope of one message. `at` is aware; seconds are the message's resolution."""

    id: str
    code: str
    at: datetime
    sender: Participant
    receiver: Participant
    references: tuple[str, ...] = ()
    answer_required: bool | None = None
    language: str | None = None
    dtd_version: str = "1"
    dtd_release: str = "1"
    extra: dict[str, str] = field(default_factory=dict)
    """Root attributes that the reader does not know, by their full name; never written."""


def make_message_id(code: str, at: datetime) -> str:
    """A message id of ours, unique also after a restore of the database: code, UTC instant, 8 random digits."""
    return f"{code}-{at.astimezone(UTC):%Y%m%d%H%M%S}-{secrets.token_hex(4)}"


def quote(text: str) -> str:
    """`text` as an attribute's value, with its quotes; OutboundError for characters that XML cannot carry."""
    return f'"{escape_text(text, _QUOTES)}"'


def escape_text(text: str, entities: dict[str, str] | None = None) -> str:
    """`text` as character data; OutboundError for characters that XML cannot carry."""
    if found := _NOT_XML.search(text):
        raise OutboundError(
            "not_xml", f"The text {text[:60]!r} has the character U+{ord(found[0]):04X}, which XML cannot carry."
        )
    return escape(text, entities or {})


def utc_text(instant: datetime) -> str:
    """`2026-03-01T00:00:00Z`; OutboundError for a naive instant or one with a fraction of a second."""
    if instant.tzinfo is None:
        raise OutboundError("naive_instant", f"The instant {instant.isoformat()} has no zone.")
    if instant.microsecond:
        raise OutboundError("fraction", f"The instant {instant.isoformat()} has a fraction of a second.")
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str) -> datetime:
    """An xsd:dateTime in UTC; one without a zone is taken as UTC, as the operator's own generators send it."""
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InboundError("bad_instant", f"The instant {text!r} is not an xsd:dateTime.") from None
    try:
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except OverflowError:
        raise InboundError("bad_instant", f"The instant {text!r} lies outside the calendar in UTC.") from None


def check_message_id(package: FormatPackage, message_id: str) -> None:
    """OutboundError if a message must not have that id."""
    if len(message_id) > package.envelope.message_id_length or not _MESSAGE_ID.fullmatch(message_id):
        raise OutboundError(
            "bad_message_id",
            f"The message id {message_id[:80]!r} must be 1 to {package.envelope.message_id_length} letters, digits, "
            "'.', '_' or '-', the first a letter or digit.",
        )


def opening(package: FormatPackage, envelope: Envelope) -> str:
    """XML declaration, root start tag and the common children; the payload and `closing` follow."""
    kind = package.message(envelope.code)
    check_message_id(package, envelope.id)
    attributes = {
        "id": envelope.id,
        "message-code": envelope.code,
        "date-time": utc_text(envelope.at.replace(microsecond=0)),
        "dtd-version": envelope.dtd_version,
        "dtd-release": envelope.dtd_release,
    }
    if envelope.answer_required is not None:
        attributes["answer-required"] = "true" if envelope.answer_required else "false"
    if envelope.language is not None:
        attributes["language"] = envelope.language
    listed = " ".join(f"{name}={quote(value)}" for name, value in attributes.items())
    namespace = package.format(kind.format).namespace
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind.format} xmlns={quote(namespace)} {listed}>\n'
        + _party("SenderIdentification", envelope.sender)
        + _party("ReceiverIdentification", envelope.receiver)
        + "".join(f"<Reference id={quote(reference)}/>\n" for reference in envelope.references)
    )


def closing(package: FormatPackage, envelope: Envelope) -> str:
    """The root's end tag."""
    return f"</{package.message(envelope.code).format}>\n"


def _party(element: str, party: Participant) -> str:
    role = f" role={quote(party.role)}" if party.role else ""
    return f"<{element} id={quote(party.id)} coding-scheme={quote(party.coding_scheme)}{role}/>\n"


def root_name(root: etree._Element) -> tuple[str | None, str]:
    """Namespace and local name of the root."""
    name = etree.QName(root)
    return name.namespace, name.localname


def read_envelope(root: etree._Element, package: FormatPackage) -> tuple[str, Envelope]:
    """The format's name and the envelope of a parsed message; InboundError where either is not ours to understand."""
    namespace, format_name = root_name(root)
    known = {entry.name: entry.namespace for entry in package.data.formats}
    if format_name not in known:
        raise InboundError(
            "unknown_format", f"The message's root is {format_name!r}; the package {package.name} has no such format."
        )
    if package.format(format_name).schema is None:
        raise InboundError(
            "no_schema",
            f"The message is {format_name}, of which the format package {package.name} has no schema: it is kept "
            "and not read. Take in the operator's schemas by rozvodna market import-schemas.",
        )
    if namespace != known[format_name]:
        raise InboundError(
            "wrong_namespace", f"{format_name} is in the namespace {namespace!r}, expected {known[format_name]!r}."
        )
    envelope = Envelope(
        id=required(root, "id"),
        code=required(root, "message-code"),
        at=parse_instant(required(root, "date-time")),
        sender=_read_party(root, namespace, "SenderIdentification"),
        receiver=_read_party(root, namespace, "ReceiverIdentification"),
        references=tuple(required(child, "id") for child in children(root, namespace, "Reference")),
        answer_required=_read_flag(root, "answer-required"),
        language=root.get("language"),
        dtd_version=root.get("dtd-version", ""),
        dtd_release=root.get("dtd-release", ""),
        extra={name: value for name, value in attributes_of(root) if name not in _KNOWN_ATTRIBUTES},
    )
    return format_name, envelope


def children(parent: etree._Element, namespace: str | None, local_name: str) -> list[etree._Element]:
    """Children by namespace and local name, whatever their prefix."""
    return parent.findall(f"{{{namespace or ''}}}{local_name}")


def required(element: etree._Element, attribute: str) -> str:
    """The attribute's text; InboundError if it is absent or empty."""
    value = element.get(attribute)
    if not value:
        raise InboundError(
            "missing_attribute",
            f"The element {etree.QName(element).localname} on line {element.sourceline} has no attribute {attribute}.",
        )
    return str(value)


def _read_party(root: etree._Element, namespace: str | None, element: str) -> Participant:
    found = children(root, namespace, element)
    if len(found) != 1:
        raise InboundError("bad_envelope", f"The message has {len(found)} elements {element}, expected one.")
    return Participant(required(found[0], "id"), found[0].get("coding-scheme", ""), found[0].get("role"))


def _read_flag(root: etree._Element, attribute: str) -> bool | None:
    value = root.get(attribute)
    if value is None:
        return None
    if value not in {"true", "false", "1", "0"}:
        raise InboundError("bad_flag", f"The attribute {attribute} is {value!r}, expected true, false, 1 or 0.")
    return value in {"true", "1"}
