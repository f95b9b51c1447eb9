"""A document as a mail message, and what a mail server makes of it.

The message is pure; only `Smtp` touches a socket.
"""

import smtplib
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email import policy
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Protocol
from urllib.parse import unquote, urlsplit

from central.platform.errors import BadInput

TEXTS: Mapping[str, tuple[str, str]] = {
    "cs": (
        "Doklad č. {number}",
        "Dobrý den,\n\nv příloze Vám zasíláme doklad č. {number} (PDF, ISDOC).{pay}\n\nS pozdravem\n{seller}\n",
    ),
    "en": (
        "Document no. {number}",
        "Dear customer,\n\nplease find attached the document no. {number} (PDF, ISDOC).{pay}\n\n"
        "Yours faithfully\n{seller}\n",
    ),
}
"""By language: subject and body."""
PAY: Mapping[str, str] = {
    "cs": "\n\nK úhradě: {amount} do {due}, variabilní symbol {symbol}.",
    "en": "\n\nTo be paid: {amount} by {due}, variable symbol {symbol}.",
}


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is sent: the issued files of a document and what the message says of it; `payable` None: nothing is."""

    delivery: int
    number: str
    language: str
    seller: str
    address: str
    message_id: str
    payable: str | None
    due: str
    symbol: str
    files: Mapping[str, bytes]


class Transport(Protocol):
    """Hands a message to a mail server. Raises PutOffError or TurnedDownError with the server's words."""

    def send(self, message: EmailMessage) -> str: ...


class PutOffError(Exception):
    """The server cannot take it now: try again later."""


class TurnedDownError(Exception):
    """The server will never take it for this address."""


def require_address(text: str) -> str:
    """A mail address in the form name@domain; BadInput otherwise."""
    cleaned = text.strip()
    name, at, domain = cleaned.rpartition("@")
    if not at or not name or "." not in domain or not cleaned.isascii() or not cleaned.isprintable() or " " in cleaned:
        raise BadInput("mail_address", f"The mail address {text!r} is not in the form name@domain; correct it.")
    try:
        Address(addr_spec=cleaned)
    except (ValueError, IndexError) as error:
        raise BadInput("mail_address", f"The mail address {text!r} cannot be used: {error}.") from error
    return cleaned


def message_of(parcel: Parcel, sender: str, at: datetime) -> EmailMessage:
    """The message of a document with its files attached; the same parcel has the same Message-ID whenever it goes."""
    language = parcel.language if parcel.language in TEXTS else "cs"
    subject, body = TEXTS[language]
    pay = ""
    if parcel.payable is not None:
        pay = PAY[language].format(amount=parcel.payable, due=parcel.due, symbol=parcel.symbol)
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = sender
    message["To"] = parcel.address
    message["Subject"] = subject.format(number=parcel.number)
    message["Date"] = format_datetime(at)
    message["Message-ID"] = parcel.message_id
    message.set_content(body.format(number=parcel.number, pay=pay, seller=parcel.seller))
    types = {"pdf": ("application", "pdf"), "isdoc": ("application", "xml")}
    for kind, content in sorted(parcel.files.items(), reverse=True):
        main, sub = types[kind]
        message.add_attachment(content, maintype=main, subtype=sub, filename=f"{parcel.number}.{kind}")
    return message


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server: smtp://host (plain, for a relay on this machine), smtp+starttls://, smtps://."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None

    @classmethod
    def of(cls, url: str) -> "Server":
        """From a URL with name and password in it where the server wants them. BadInput for another form."""
        parts = urlsplit(url)
        ports = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
        if parts.scheme not in ports or not parts.hostname:
            raise BadInput(
                "smtp_url",
                "ROZVODNA_SMTP_URL is not in the form smtp://host, smtp+starttls://user:password@host or "
                "smtps://user:password@host; correct it.",
            )
        return cls(
            parts.hostname,
            parts.port or ports[parts.scheme],
            parts.scheme,
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
        )


class Smtp:
    """A transport that opens a connection at the first message and keeps it until `close`."""

    def __init__(self, server: Server, timeout_s: float = 30.0) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._open: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> str:
        """The server has taken the message; returns what it said."""
        try:
            self._connection().send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _verdict(code, said) from error
        except smtplib.SMTPResponseException as error:
            # a failed login or a sender that the server does not know is the operator's fault, never the address's
            if isinstance(
                error,
                smtplib.SMTPAuthenticationError
                | smtplib.SMTPConnectError
                | smtplib.SMTPHeloError
                | smtplib.SMTPSenderRefused,
            ):
                self.close()
                raise PutOffError(_words(error.smtp_code, error.smtp_error)) from error
            raise _verdict(error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise PutOffError(str(error) or type(error).__name__) from error
        return "250"

    def close(self) -> None:
        """End the connection; the next message opens another."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _connection(self) -> smtplib.SMTP:
        if self._open is None:
            server = self._server
            context = ssl.create_default_context()
            if server.security == "smtps":
                opened: smtplib.SMTP = smtplib.SMTP_SSL(
                    server.host, server.port, timeout=self._timeout_s, context=context
                )
            else:
                opened = smtplib.SMTP(server.host, server.port, timeout=self._timeout_s)
            if server.security == "smtp+starttls":
                opened.starttls(context=context)
            if server.user is not None:
                opened.login(server.user, server.password or "")
            self._open = opened
        return self._open


def _verdict(code: int, said: bytes | str) -> PutOffError | TurnedDownError:
    """RFC 5321: 5xx is for good, everything else for now."""
    words = _words(code, said)
    return TurnedDownError(words) if 500 <= code < 600 else PutOffError(words)


def _words(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}".replace("\0", "")[:500]
