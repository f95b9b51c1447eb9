"""The one place where XML from outside is parsed: no entities, no network, no DTD, bounded size and depth.

The encodings admitted contain ASCII, so that a document type declaration can be seen in the bytes before any parser
touches them.
"""

import re
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, cast

from lxml import etree

from central.market.errors import InboundError

_DECLARED_ENCODING = re.compile(rb"""^\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_ENCODINGS: Final = {b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"iso-8859-2", b"windows-1250"}
_UTF8_MARK: Final = b"\xef\xbb\xbf"
MOST_ATTRIBUTES: Final = 200
XML_SPACE: Final = b" \t\r\n"
_VALIDATION: Final = threading.Lock()
"""A schema object keeps the errors of its last validation: threads must not share them."""


@dataclass(frozen=True, slots=True)
class XmlLimits:
    """How large a message may be. A month of one point with 4 profiles has 0.5 MB and 4 levels."""

    size_bytes: int = 20_000_000
    depth: int = 12
    tags: int = 2_000_000
    """Each element becomes an object of a few hundred bytes, however short it is written."""


DEFAULT_LIMITS: Final = XmlLimits()


def parse_untrusted(content: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> etree._Element:
    """The root element of a message received; InboundError with a sentence where it is refused."""
    if len(content) > limits.size_bytes:
        raise InboundError(
            "xml_too_large", f"The message has {len(content)} bytes; at most {limits.size_bytes} are taken."
        )
    if (tags := content.count(b"<")) > limits.tags:
        raise InboundError("xml_too_large", f"The message has {tags} tags; at most {limits.tags} are taken.")
    _refuse_hidden_declarations(content)
    # Comments and processing instructions are dropped: no reader of ours has to step over them.
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        if "depth" in str(error).lower():
            raise _too_deep(limits) from None
        raise InboundError("xml_malformed", f"The message is not well-formed XML: {error}.") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _has_dtd()
    if root.xpath(f"boolean({'/*' * (limits.depth + 1)})"):
        raise _too_deep(limits)
    return root


class _Nothing:
    """What a parser makes where no tree is wanted."""

    def close(self) -> None:
        """The end of the document."""


def own_errors(schema: etree.XMLSchema, content: bytes) -> list[str]:
    """As `schema_errors` of a message that was written here, which is held against its schema while it is read.

    The tree, ten times as large as the message, is made where there is something to tell only.
    """
    # white space between elements is no part of any of our messages, and half of their nodes
    options: Any = {
        "resolve_entities": False, "no_network": True, "load_dtd": False, "remove_blank_text": True,
        "collect_ids": False,
    }  # fmt: skip
    # the stubs ask for all that a target may take: what it has no method for is not even handed over
    passing = etree.XMLParser(target=cast(Any, _Nothing()), schema=schema, **options)
    with suppress(etree.XMLSyntaxError):
        etree.fromstring(content, passing)
        if not len(passing.error_log):
            return []
    return schema_errors(schema, etree.fromstring(content, etree.XMLParser(**options)))


def _refuse_hidden_declarations(content: bytes) -> None:
    start = content.removeprefix(_UTF8_MARK).lstrip(XML_SPACE)[:256]
    if not start.startswith(b"<") or start[1:2] == b"\0":
        raise InboundError(
            "xml_malformed", "The message does not begin with '<' in an encoding that contains ASCII: send it in UTF-8."
        )
    declared = _DECLARED_ENCODING.match(start)
    if declared and declared[1].lower() not in _ENCODINGS:
        name = declared[1].decode("ascii")
        raise InboundError("xml_encoding", f"The message is in the encoding {name}; send it in UTF-8.")
    if b"<!DOCTYPE" in content:
        raise _has_dtd()


def _has_dtd() -> InboundError:
    return InboundError(
        "xml_dtd", "The message has a document type declaration, which could define entities; send it without one."
    )


def _too_deep(limits: XmlLimits) -> InboundError:
    return InboundError("xml_too_deep", f"The message's elements are nested deeper than {limits.depth} levels.")


def attributes_of(element: etree._Element) -> list[tuple[str, str]]:
    """Names and values; InboundError for more than anybody means: the library takes time with the square of them."""
    if len(element.attrib) > MOST_ATTRIBUTES:
        name = etree.QName(element).localname
        raise InboundError("xml_too_large", f"The element {name} has more than {MOST_ATTRIBUTES} attributes.")
    return [(str(name), str(value)) for name, value in element.attrib.items()]


def schema_errors(schema: etree.XMLSchema, root: etree._Element, at_most: int = 10) -> list[str]:
    """Where `root` does not satisfy the schema, one sentence each, the first `at_most`."""
    with _VALIDATION:
        try:
            if schema.validate(root):
                return []
        except etree.XMLSchemaValidateError as error:
            # a schema can ask for more than the library can do
            return [f"the schema cannot be applied: {str(error)[:200]}"]
        entries = cast(Iterable[Any], schema.error_log)  # the stubs do not say that a log can be iterated
        return [f"line {entry.line}: {entry.message}" for entry in entries][:at_most]
