"""Mail of the market: XML signed, then encrypted, in one MIME message, and back. Octets to octets, pure.

The subject begins with the message code (documented); what carries the message is `application/pkcs7-mime`:
EnvelopedData around SignedData around a MIME part with the XML (documented from a real consumer). From a mail nothing
but that part is believed: sender, subject and attachments beside it are for people.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from email.utils import format_datetime, parseaddr
from typing import Any, Final

import numpy as np
from cryptography import x509

from central.market.channels import cms
from central.market.channels.certificates import MAIL_USES, Counterparty, fingerprint, is_valid, require_signer
from central.market.channels.keys import OwnKey
from central.market.channels.modest import head_of, holds_mail, require_modest
from central.market.channels.port import LARGEST, Outgoing, Sealed
from central.market.errors import InboundError, OutboundError

SMIME_TYPES: Final = frozenset({"application/pkcs7-mime", "application/x-pkcs7-mime"})
XML_TYPES: Final = frozenset({"application/xml", "text/xml", "application/octet-stream", "text/plain"})
"""Assumed: types of the part with the XML; which one the market operator writes is not published."""
ENCODINGS: Final = frozenset({"", "7bit", "8bit", "binary", "quoted-printable", "base64"})
LINE_OCTETS: Final = 76
_LINE_END: Final = np.frombuffer(b"\r\n", np.uint8)
_MOST_PARTS: Final = 50
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,80}")
_SUBJECT = re.compile(r"([A-Z0-9]{3,20}) - ")
_LINE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail that may be processed: its XML, the SignedData (DER) that proves it, and who signed."""

    content: bytes
    signed: bytes
    signer: x509.Certificate


def seal(
    message: Outgoing, key: OwnKey, recipients: Sequence[x509.Certificate], addresses: tuple[str, str], at: datetime
) -> Sealed:
    """The whole mail for a message, from and to `addresses`; encrypted for every recipient's certificate valid then.

    Its Message-ID comes from id and content: sealed anew it is still the same mail to whoever has it already.
    """
    signed = sign(message, key)
    enveloped = cms.encrypt(_smime_part(signed, "signed-data"), [each for each in recipients if is_valid(each, at)])
    sender, receiver = addresses
    mail = EmailMessage(policy=policy.SMTP)
    mail["From"] = sender
    mail["To"] = receiver
    mail["Subject"] = f"{message.code} - {message.id}"
    mail["Date"] = format_datetime(at)
    identity = f"<{message.id}.{hashlib.sha256(message.xml).hexdigest()[:16]}@rozvodna>"
    mail["Message-ID"] = identity
    head = mail.as_bytes().rstrip(b"\r\n")
    octets = head + b"\r\n" + _smime_part(enveloped, "enveloped-data")
    if len(octets) > LARGEST:
        raise OutboundError("mail_too_large", f"The mail of {message.id} has {len(octets)} octets, at most {LARGEST}.")
    return Sealed(octets, identity, receiver, signed, fingerprint(key.certificate))


def is_usable(sealed: Sealed, key: OwnKey, recipients: Sequence[x509.Certificate], sender: str, at: datetime) -> bool:
    """Whether a mail that was sealed before may leave again as it is: by the key in force, from the same sender, and
    for just the certificates that it would be encrypted for now."""
    letter = read_letter(sealed.octets)
    wanted = {cms.recipient_name(each) for each in recipients if is_valid(each, at)}
    return (
        sealed.certificate == fingerprint(key.certificate)
        and parseaddr(letter.sender)[1].lower() == sender.lower()
        and letter.enveloped is not None
        and cms.recipients_of(letter.enveloped) == wanted
    )


def sign(message: Outgoing, key: OwnKey) -> bytes:
    """SignedData (DER) over the MIME part with the message's XML."""
    return cms.sign(_xml_part(message), key)


def _xml_part(message: Outgoing) -> bytes:
    name = message.id if _FILE_NAME.fullmatch(message.id) else "message"
    return _part(message.xml, "application/xml; charset=utf-8", f"{name}.xml")


def _smime_part(octets: bytes, kind: str) -> bytes:
    return _part(octets, f'application/pkcs7-mime; smime-type={kind}; name="smime.p7m"', "smime.p7m")


def _part(octets: bytes, content_type: str, name: str) -> bytes:
    """A MIME part in base64. Written here: the library's generator takes ten times as long for half a megabyte."""
    head = (
        f"MIME-Version: 1.0\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: base64\r\n"
        f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    )
    return head.encode("ascii") + _base64_lines(octets)


def _base64_lines(octets: bytes) -> bytes:
    """Base64 in lines of mail."""
    encoded = np.frombuffer(base64.b64encode(octets), np.uint8)
    whole = len(encoded) // LINE_OCTETS
    lines = np.empty((whole, LINE_OCTETS + 2), np.uint8)
    lines[:, :LINE_OCTETS] = encoded[: whole * LINE_OCTETS].reshape(whole, LINE_OCTETS)
    lines[:, LINE_OCTETS:] = _LINE_END
    rest = encoded[whole * LINE_OCTETS :].tobytes()
    return lines.tobytes() + (rest + b"\r\n" if rest else b"")


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail before it is opened: what it says of itself, for people, and its S/MIME octets if it has any."""

    identity: str
    sender: str
    subject: str
    enveloped: bytes | None
    is_signed_only: bool


def code_of(subject: str) -> str | None:
    """The message code that a subject begins with: `813 - ...`."""
    found = _SUBJECT.match(subject)
    return found[1] if found else None


def read_letter(octets: bytes) -> Letter:
    """A mail's headers and its S/MIME part; InboundError where it is no mail or larger than is taken."""
    if len(octets) > LARGEST:
        raise InboundError("mail_too_large", f"The mail has {len(octets)} octets; at most {LARGEST} are taken.")
    if holds_mail(octets):
        # one that came back or was forwarded: nothing in it is from who sent it
        mail = _parse(re.sub(rb"(?i)^content-", b"X-", head_of(octets), flags=re.MULTILINE) + b"\r\n\r\n")
        return Letter(_identity(mail, octets), _header(mail, "From"), _header(mail, "Subject"), None, False)
    mail = _parse(octets)
    identity = _identity(mail, octets)
    enveloped = None
    signed_only = mail.get_content_type() == "multipart/signed"
    for number, part in enumerate(_walk(mail)):
        if number >= _MOST_PARTS:
            break
        if part.get_content_type() in SMIME_TYPES:
            enveloped = _payload(part)
            signed_only = str(part.get_param("smime-type") or "").lower() == "signed-data"
            break
    return Letter(identity, _header(mail, "From"), _header(mail, "Subject"), enveloped, signed_only)


def _identity(mail: Message, octets: bytes) -> str:
    return _header(mail, "Message-ID") or f"sha256:{hashlib.sha256(octets).hexdigest()}"


def open_letter(letter: Letter, keys: Sequence[OwnKey], sender: Counterparty, at: datetime) -> Opened:
    """Decrypt with any of our keys, check digest, signature, certificate and sender, take the XML out; InboundError."""
    if letter.enveloped is None or letter.is_signed_only:
        raise InboundError("not_encrypted", "The mail is signed and not encrypted, or not in S/MIME: it is not taken.")
    inner = cms.decrypt(letter.enveloped, keys)
    signed, detached = _signed_of(inner)
    found = _verified(signed, detached)
    require_signer(found.signer, found.embedded, sender, at, MAIL_USES)
    # a detached signature proves nothing without its content: the whole part is kept then
    return Opened(_xml_of(found.content), inner if detached else signed, found.signer)


def _signed_of(inner: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The SignedData in what was encrypted, and where its content stands beside it (multipart/signed) that content."""
    if inner.startswith(b"\x30"):
        return inner, ()
    part = _parse(inner)
    if part.get_content_type() in SMIME_TYPES:
        return _payload(part), ()
    if part.get_content_type() == "multipart/signed":
        return _detached(inner, part)
    raise InboundError("not_signed", f"The mail is encrypted and not signed: {part.get_content_type()} is in it.")


def _detached(inner: bytes, part: Any) -> tuple[bytes, tuple[bytes, ...]]:
    """The signature, and what it was made over: the octets between the first two boundaries, as they are or in the
    form of mail (lines that end in CRLF)."""
    boundary = str(part.get_param("boundary") or "")
    parts = part.get_payload()
    if not boundary or not isinstance(parts, list) or len(parts) != 2:
        raise InboundError("not_signed", "The mail's multipart/signed does not hold a content and its signature.")
    mark = rb"(?:^|\r?\n)--" + re.escape(boundary.encode("ascii", "replace")) + rb"(?:--)?[ \t]*(?=\r?\n|\Z)"
    pieces = re.split(mark, inner)
    if len(pieces) != 4:
        raise InboundError("not_signed", "The mail's multipart/signed cannot be taken apart by its boundary.")
    exact = re.sub(rb"\A\r?\n", b"", pieces[1])
    return _payload(parts[1]), (exact, _LINE.sub(b"\r\n", exact))


def _verified(signed: bytes, detached: tuple[bytes, ...]) -> cms.Signed:
    for candidate in detached[:-1]:
        try:
            return cms.verify(signed, candidate)
        except InboundError as error:
            if error.code != "wrong_digest":
                raise
    return cms.verify(signed, detached[-1] if detached else None)


def _xml_of(content: bytes) -> bytes:
    """The one XML part of what was signed; bare XML is taken as well."""
    if content.lstrip().startswith(b"<"):
        return content
    mail = _parse(content)
    found = [part for part in _walk(mail) if not part.is_multipart()][:_MOST_PARTS]
    candidates = [part for part in found if part.get_content_type() in XML_TYPES]
    marked = [part for part in candidates if part.get_content_type() in {"application/xml", "text/xml"}]
    chosen = marked or [part for part in candidates if _payload(part).lstrip().startswith((b"<", b"\xef\xbb\xbf<"))]
    if len(chosen) != 1:
        raise InboundError("no_xml", f"The signed mail holds {len(chosen)} parts with XML, expected exactly one.")
    return _payload(chosen[0])


def _parse(octets: bytes) -> Message:
    require_modest(octets)
    lower = octets.lower()
    if lower.count(b"multipart/") + lower.count(b"message/") > _MOST_PARTS:
        # reading parts within parts takes time with the square of their number
        raise InboundError("mail_malformed", f"The mail has more than {_MOST_PARTS} parts of parts.")
    try:
        return message_from_bytes(octets, policy=policy.compat32)
    except (ValueError, TypeError, LookupError, RecursionError, AssertionError) as error:
        raise InboundError("mail_malformed", f"The mail cannot be read ({type(error).__name__}).") from None


def _walk(mail: Message) -> list[Message]:
    try:
        return [part for part in mail.walk() if isinstance(part, Message)]
    except RecursionError:
        raise InboundError("mail_malformed", "The mail's parts are nested too deeply.") from None


def _payload(part: Message) -> bytes:
    encoding = str(part.get("Content-Transfer-Encoding", "")).strip().lower()
    if encoding not in ENCODINGS:
        raise InboundError("mail_encoding", f"A part of the mail is encoded as {encoding[:40]!r}, which is not taken.")
    try:
        payload = part.get_payload(decode=True)
    except (ValueError, TypeError, LookupError, AssertionError) as error:
        raise InboundError(
            "mail_malformed", f"A part of the mail cannot be decoded ({type(error).__name__})."
        ) from None
    if not isinstance(payload, bytes):
        raise InboundError("mail_malformed", "A part of the mail that should be one is several.")
    return payload


def _header(mail: Message, name: str) -> str:
    value = str(mail.get(name, ""))
    return "".join(letter for letter in value if letter.isprintable())[:500].strip()
