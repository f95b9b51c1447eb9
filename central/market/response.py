"""RESPONSE, and GASRESPONSE of the gas messages: the answer to a message, found by Reference/@id.

Its reasons A01 to A04 decide that message's state. That GASRESPONSE has the structure of RESPONSE is assumed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from central.market.envelope import (
    Envelope,
    children,
    closing,
    escape_text,
    opening,
    quote,
    read_envelope,
    required,
)
from central.market.errors import InboundError, OutboundError
from central.market.format_package import FormatPackage
from central.market.xml import DEFAULT_LIMITS, XmlLimits, parse_untrusted, schema_errors

FORMAT: Final = "RESPONSE"
GAS_FORMAT: Final = "GASRESPONSE"
FORMATS: Final = frozenset({FORMAT, GAS_FORMAT})
ACCEPTED_CODE: Final = "0200"
_FROM_BEST: Final = ("accepted", "accepted_with_reservation", "rejected")


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason of an answer: type A01..A04, code of 4 characters, text for people."""

    type: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Response:
    """An answer; `envelope.references` are the ids of the messages answered."""

    envelope: Envelope
    reasons: Sequence[Reason]


def write_response(package: FormatPackage, response: Response) -> bytes:
    """The answer as UTF-8, valid by the package's schema; OutboundError where the data do not allow it."""
    format_name = package.message(response.envelope.code).format
    content = "".join(
        [
            opening(package, response.envelope),
            *(
                f"<Reason code={quote(reason.code)} type={quote(reason.type)}>{escape_text(reason.text)}</Reason>\n"
                for reason in response.reasons
            ),
            closing(package, response.envelope),
        ]
    ).encode()
    if errors := schema_errors(package.schema(format_name), parse_untrusted(content)):
        raise OutboundError(
            "schema",
            f"The answer {response.envelope.id} does not satisfy the schema of {format_name}: {'; '.join(errors)}.",
        )
    return content


def read_response(package: FormatPackage, content: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> Response:
    """The answer of its bytes, any prefix; InboundError where it cannot be understood."""
    return read_response_root(package, parse_untrusted(content, limits))


def read_response_root(package: FormatPackage, root: etree._Element) -> Response:
    """As `read_response`, of what `parse_untrusted` has parsed already."""
    format_name, envelope = read_envelope(root, package)
    if format_name not in FORMATS:
        raise InboundError(
            "unknown_format", f"The message {envelope.id} is {format_name}, expected {FORMAT} or {GAS_FORMAT}."
        )
    if not envelope.references:
        raise InboundError("no_reference", f"The answer {envelope.id} has no Reference: nothing can be matched to it.")
    reasons = [
        Reason(required(element, "type"), required(element, "code"), (element.text or "").strip())
        for element in children(root, package.format(format_name).namespace, "Reason")
    ]
    if not reasons:
        raise InboundError("no_reason", f"The answer {envelope.id} has no Reason: it says neither yes nor no.")
    for reason in reasons:
        if reason.type not in package.reason_types:
            raise InboundError(
                "unknown_reason_type",
                f"The answer {envelope.id} has a Reason of type {reason.type!r}, expected A01, A02, A03 or A04.",
            )
    return Response(envelope, reasons)


def verdict(package: FormatPackage, reasons: Sequence[Reason]) -> str:
    """State that the reasons mean together, the worst of them: accepted, accepted_with_reservation or rejected."""
    return max((package.reason_types[reason.type].state for reason in reasons), key=_FROM_BEST.index)
