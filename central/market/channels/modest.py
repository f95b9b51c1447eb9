"""Whether a mail is modest enough to be given to a parser. Pure.

The parser of the library takes time with the square of what stands in a head, and memory by the part: both are bounded
here on the octets, before it sees them.
"""

import re
from collections.abc import Iterator
from typing import Final

from central.market.errors import InboundError

MOST_BOUNDARIES: Final = 200
"""Lines that may begin or end a part."""
LARGEST_HEAD: Final = 64 * 1024
"""Octets of the mail's own head; long ways and signatures of mail servers stand there."""
LARGEST_PART_HEAD: Final = 8 * 1024
LARGEST_FIELD: Final = 2000
"""Octets of a field with parameters."""
_LINE_END: Final = rb"(?:\r\n|\n|\r(?!\n))"
_BOUNDARY = re.compile(rb"(?:(?<=[\r\n])|\A)--(?!>)([^\r\n]*)(?:" + _LINE_END + rb"|\Z)")
_END = re.compile(rb"(?:\A|" + _LINE_END + rb")" + _LINE_END)
_PARAMETERS = re.compile(rb"^content-[a-z-]+[ \t]*:(?:[^\r\n]|\r?\n[ \t]|\r(?!\n)[ \t])*", re.MULTILINE | re.IGNORECASE)
_MAIL_IN_MAIL = re.compile(rb"^content-type[ \t]*:\s*(?:message/|multipart/digest)", re.MULTILINE | re.IGNORECASE)


def head_of(octets: bytes, start: int = 0) -> bytes:
    """The head that begins there, up to its empty line; no more of it than is looked at."""
    piece = octets[start : start + LARGEST_HEAD + 4]
    end = _END.search(piece)
    return piece if end is None else piece[: end.start()]


def holds_mail(octets: bytes) -> bool:
    """Whether another mail is in it (one that came back, or was forwarded): its head would stand after no boundary."""
    return any(_MAIL_IN_MAIL.search(head) for head, _ in _heads(octets))


def require_modest(octets: bytes) -> None:
    """InboundError for a mail with too many parts or too large heads, or with another mail in it, whose head hides."""
    for head, is_first in _heads(octets):
        most = LARGEST_HEAD if is_first else LARGEST_PART_HEAD
        if len(head) > most:
            raise _malformed(f"has a head of more than {most} octets")
        if any(len(found[0]) > LARGEST_FIELD for found in _PARAMETERS.finditer(head)):
            raise _malformed(f"has a field of its head of more than {LARGEST_FIELD} octets")
        if _MAIL_IN_MAIL.search(head):
            raise _malformed("holds another mail")


def _heads(octets: bytes) -> Iterator[tuple[bytes, bool]]:
    """The mail's head and what stands behind every line that may be a boundary; whether it is the mail's own."""
    yield head_of(octets), True
    for number, found in enumerate(_BOUNDARY.finditer(octets)):
        if number >= MOST_BOUNDARIES:
            raise _malformed(f"has more than {MOST_BOUNDARIES} lines that could begin a part")
        if not found[1].rstrip().endswith(b"--"):
            yield head_of(octets, found.end()), False


def _malformed(what: str) -> InboundError:
    return InboundError("mail_malformed", f"The mail {what}.")
