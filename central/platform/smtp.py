"""A mail server that takes mail by SMTP: what it says, for now or for good."""

import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import unquote, urlsplit

from central.platform.errors import BadInput


class PutOffError(Exception):
    """The server cannot take it now: try again later."""


class TurnedDownError(Exception):
    """The server will never take it for this address; `is_about_message`: it saw the message and will not have it."""

    def __init__(self, words: str, *, is_about_message: bool = False) -> None:
        super().__init__(words)
        self.is_about_message = is_about_message


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server: smtp://host (plain, for a relay on this machine), smtp+starttls://, smtps://."""

    host: str
    port: int
    security: str
    user: str | None
    password: str | None = field(repr=False)
    ca_file: str | None = None
    """Certificates that the server's own must lead to, beside the machine's."""

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
    """Opens a connection at the first message and keeps it until `close`."""

    def __init__(self, server: Server, timeout_s: float = 30.0) -> None:
        self._server = server
        self._timeout_s = timeout_s
        self._open: smtplib.SMTP | None = None

    def send(self, message: EmailMessage) -> str:
        """The server has taken the message; returns what it said. Raises PutOffError or TurnedDownError."""
        self._hand_over(lambda connection: connection.send_message(message))
        return "250"

    def send_octets(self, sender: str, receiver: str, octets: bytes) -> None:
        """The server has taken exactly these octets (lines end in CRLF) for the receiver. Raises as `send`."""
        self._hand_over(lambda connection: connection.sendmail(sender, [receiver], octets))

    def _hand_over(self, give: Callable[[smtplib.SMTP], object]) -> None:
        try:
            give(self._connection())
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
            about_message = isinstance(error, smtplib.SMTPDataError)
            raise _verdict(error.smtp_code, error.smtp_error, is_about_message=about_message) from error
        except (OSError, smtplib.SMTPException) as error:
            self.close()
            raise PutOffError(str(error) or type(error).__name__) from error

    def close(self) -> None:
        """End the connection; the next message opens another."""
        if self._open is not None:
            self._open.close()
        self._open = None

    def _connection(self) -> smtplib.SMTP:
        if self._open is None:
            server = self._server
            if not f"{server.user or ''}{server.password or ''}".isascii():
                raise PutOffError(
                    "The mail server's user or password has letters beyond ASCII; SMTP cannot carry them."
                )
            context = ssl.create_default_context(cafile=server.ca_file)
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


def _verdict(code: int, said: bytes | str, *, is_about_message: bool = False) -> PutOffError | TurnedDownError:
    """RFC 5321: 5xx is for good, everything else for now."""
    words = _words(code, said)
    if 500 <= code < 600:
        return TurnedDownError(words, is_about_message=is_about_message)
    return PutOffError(words)


def _words(code: int, said: bytes | str) -> str:
    return f"{code} {said.decode('utf-8', 'replace') if isinstance(said, bytes) else said}".replace("\0", "")[:500]
