"""Mail: out by SMTP, in by IMAP, every message signed and encrypted (S/MIME).

A mail stays in the mailbox until what became of it is committed here; only then it is moved, by its UID, to the folder
of what was done, refused or set aside. A mail that is neither signed nor encrypted is set aside and never read.
"""

import hashlib
import imaplib
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from imap_tools import BaseMailBox, ImapToolsError, MailBox, MailBoxStartTls, MailBoxUnencrypted

from central.market.channels import smime
from central.market.channels.addresses import read_mail, refuse_operator
from central.market.channels.allowed import Environment
from central.market.channels.certificates import Counterparty, fingerprint
from central.market.channels.keys import OwnKey, in_force, with_role
from central.market.channels.port import (
    LARGEST,
    Archive,
    Channel,
    Destination,
    Incoming,
    LeftToPersonError,
    Outgoing,
    Receipt,
    Sealed,
    UndeliveredError,
)
from central.market.errors import InboundError
from central.platform.errors import BadInput
from central.platform.smtp import PutOffError, Server, Smtp, TurnedDownError

DONE: Final = "rozvodna-done"
REFUSED: Final = "rozvodna-refused"
ASIDE: Final = "rozvodna-aside"
MOST_AT_ONCE: Final = 500
"""Mails of one look; the rest comes with the next one."""
TIMEOUT_S: Final = 60.0
IMAP_PORTS: Final = {"imap": 143, "imap+starttls": 143, "imaps": 993}
_AWAY: Final = (OSError, imaplib.IMAP4.error, ImapToolsError, EOFError)


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where mail is fetched: imap:// (plain, on this machine only), imap+starttls://, imaps://."""

    host: str
    port: int
    security: str
    user: str
    password: str = field(repr=False)
    folder: str = "INBOX"
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class MailSetting:
    """Servers, addresses, our keys and the other end of one mail channel."""

    smtp: Server
    mailbox: Mailbox | None
    sender: str
    receiver: str
    keys: Sequence[OwnKey] = field(repr=False)
    counterparty: Counterparty


class MailChannel(Channel):
    """One correspondent by mail."""

    def __init__(
        self, destination: Destination, archive: Archive, now: Callable[[], datetime], setting: MailSetting
    ) -> None:
        super().__init__(destination, archive, now)
        self._from = read_mail(setting.sender)[0]
        self._to, domain = read_mail(setting.receiver)
        destination.require_leads_to(domain)
        if destination.environment is Environment.SANDBOX:
            refuse_operator(setting.smtp.host)
        self._setting = setting
        self._smtp = Smtp(setting.smtp)
        self._open: BaseMailBox | None = None
        self._opened = 0

    def close(self) -> None:
        """See `Channel`."""
        self._smtp.close()
        self._drop()

    def receive(self) -> Iterator[Incoming]:
        """See `Channel`."""
        if self._setting.mailbox is None:
            return
        for uid in self._uids():
            octets = self._fetch(uid)
            if octets is not None:
                yield self._incoming(f"{self._opened}:{uid}", octets)

    def confirm(self, incoming: Incoming) -> None:
        """Move the mail out of the way; see `Channel`."""
        session, _, uid = incoming.handle.partition(":")
        if self._open is None or session != str(self._opened):
            raise UndeliveredError(f"{self.destination.address}: the mailbox was closed; the mail will be seen again.")
        folder = ASIDE if incoming.is_aside else DONE if incoming.refusal is None else REFUSED
        try:
            if not self._open.folder.exists(folder):
                self._open.folder.create(folder)
            self._open.move(uid, folder)
        except _AWAY as error:
            raise self._lost(error) from None

    def _seal(self, message: Outgoing) -> Sealed:
        setting, at = self._setting, self._now()
        key = in_force(setting.keys, "sign", at)
        addresses = setting.sender, setting.receiver
        return smime.seal(message, key, setting.counterparty.encrypt_for, addresses, at)

    def _is_usable(self, before: Sealed) -> bool:
        setting, at = self._setting, self._now()
        key = in_force(setting.keys, "sign", at)
        return before.peer == setting.receiver and smime.is_usable(
            before, key, setting.counterparty.encrypt_for, self._from, at
        )

    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        try:
            self._smtp.send_octets(self._from, self._to, sealed.octets)
        except TurnedDownError as error:
            if error.is_about_message:
                # our own provider's server speaks here, not the other end
                raise LeftToPersonError(f"The mail server does not take {message.id} in for good ({error}).") from None
            raise UndeliveredError(
                f"{self.destination.address} gave no receipt for {message.id}: the mail server refuses the address "
                f"({error}); correct it."
            ) from None
        except PutOffError as error:
            raise UndeliveredError(f"{self.destination.address} gave no receipt for {message.id}: {error}") from None
        return Receipt(sealed.identity)

    def _incoming(self, handle: str, octets: bytes) -> Incoming:
        where, setting = self.destination, self._setting
        try:
            letter = smime.read_letter(octets)
        except Exception as error:
            refusal = _refusal(error)
            identity = f"sha256:{hashlib.sha256(octets).hexdigest()}"
            return Incoming(where.name, where.environment, identity, "?", octets[:LARGEST], handle, refusal=refusal)
        if letter.enveloped is None and not letter.is_signed_only:
            refusal = "no_smime", "The mail is neither signed nor encrypted."
            return Incoming(
                where.name,
                where.environment,
                letter.identity,
                letter.sender,
                octets,
                handle,
                refusal=refusal,
                is_aside=True,
            )
        try:
            opened = smime.open_letter(letter, with_role(setting.keys, "decrypt"), setting.counterparty, self._now())
        except Exception as error:
            refusal = _refusal(error)
            return Incoming(
                where.name, where.environment, letter.identity, letter.sender, octets, handle, refusal=refusal
            )
        return Incoming(
            where.name,
            where.environment,
            letter.identity,
            setting.counterparty.code,
            octets,
            handle,
            opened.content,
            opened.signed,
            fingerprint(opened.signer),
            code_hint=smime.code_of(letter.subject),
        )

    def _uids(self) -> list[str]:
        try:
            return sorted(self._mailbox().uids("ALL"), key=int)[:MOST_AT_ONCE]
        except _AWAY as error:
            raise self._lost(error) from None

    def _fetch(self, uid: str) -> bytes | None:
        """The mail's octets; of one that is too large its beginning, and None of one that is gone meanwhile."""
        try:
            client = self._mailbox().client
            found = _octets(client.uid("fetch", uid, f"(BODY.PEEK[]<0.{LARGEST + 1}>)"))
        except _AWAY as error:
            raise self._lost(error) from None
        return found

    def _mailbox(self) -> BaseMailBox:
        if self._open is None:
            mailbox = self._setting.mailbox
            assert mailbox is not None
            self._open = open_mailbox(mailbox)
            self._opened += 1
        return self._open

    def _lost(self, error: BaseException) -> UndeliveredError:
        self._drop()
        return UndeliveredError(
            f"The mailbox of {self.destination.address} is away: {type(error).__name__} {str(error)[:200]}"
        )

    def _drop(self) -> None:
        if self._open is not None:
            with suppress(*_AWAY):
                self._open.logout()
        self._open = None


def _octets(answer: tuple[str, Sequence[object]]) -> bytes | None:
    for item in answer[1]:
        if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], bytes):
            return item[1]
    return None


def open_mailbox(mailbox: Mailbox) -> BaseMailBox:
    """A session in the mailbox's folder. BadInput for a plain connection to another machine."""
    if mailbox.security == "imap" and mailbox.host not in {"127.0.0.1", "::1", "localhost"}:
        raise BadInput(
            "imap_plain", f"The mailbox at {mailbox.host} would get its password unencrypted; use imaps:// instead."
        )
    context = ssl.create_default_context(cafile=mailbox.ca_file)
    box: BaseMailBox
    if mailbox.security == "imaps":
        box = MailBox(mailbox.host, mailbox.port, TIMEOUT_S, ssl_context=context)
    elif mailbox.security == "imap+starttls":
        box = MailBoxStartTls(mailbox.host, mailbox.port, TIMEOUT_S, ssl_context=context)
    else:
        box = MailBoxUnencrypted(mailbox.host, mailbox.port, TIMEOUT_S)
    return box.login_utf8(mailbox.user, mailbox.password, mailbox.folder)


def _refusal(error: Exception) -> tuple[str, str]:
    """Why a mail is refused. Whatever reading a stranger's octets raises is a refusal: it must not end the service."""
    if isinstance(error, InboundError):
        return error.code, error.message
    return "mail_unreadable", f"The mail cannot be read ({type(error).__name__}): it is kept as it came."
