"""Mail: out by SMTP, in by IMAP, every message signed and encrypted (S/MIME).

A mail stays in the mailbox until what became of it is committed here; only then it is moved, by its UID, to the folder
of what was done, refused or set aside. A mail that is neither signed nor encrypted is set aside and never read.
"""

import hashlib
import imaplib
import re
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
PAGE: Final = 500
"""UIDs that are asked for at once: the line with those of a full mailbox would be longer than is read."""
TIMEOUT_S: Final = 60.0
IMAP_PORTS: Final = {"imap": 143, "imap+starttls": 143, "imaps": 993}
_UID = re.compile(rb"\bUID (\d+)")
AWAY: Final = (OSError, imaplib.IMAP4.error, ImapToolsError, EOFError)


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
        self._session = 0
        self._validity: object = None
        self._put_off: set[str] = set()
        """UIDs of this session that were offered and are not confirmed."""
        self._folders: set[str] = set()
        self._moved = 0

    def close(self) -> None:
        """See `Channel`."""
        self._smtp.close()
        self._drop()

    def receive(self) -> Iterator[Incoming]:
        """See `Channel`; `MOST_AT_ONCE` mails of a look, and of those that were offered before without being confirmed
        only when there are no others: they must not keep what came behind them."""
        if self._setting.mailbox is None:
            return
        left, there = MOST_AT_ONCE, self._look()
        put_off, moved = frozenset(self._put_off), self._moved
        for again in (False, True):
            for uid in self._uids(there - (self._moved - moved)):
                if left == 0:
                    return
                if (uid in put_off) is not again:
                    continue
                octets = self._fetch(uid)
                if octets is None:
                    continue
                left -= 1
                self._put_off.add(uid)
                yield self._incoming(f"{self._session}:{uid}", octets)

    def confirm(self, incoming: Incoming) -> None:
        """Move the mail out of the way; see `Channel`."""
        self.confirm_all([incoming])

    def confirm_all(self, incomings: Sequence[Incoming]) -> None:
        """Move the mails out of the way, one command a folder: a server looks at its whole mailbox for each."""
        uids: dict[str, list[str]] = {}
        for incoming in incomings:
            session, _, uid = incoming.handle.partition(":")
            if self._open is None or session != str(self._session):
                # UIDs hold in one session: in the next one the mailbox may have been made anew (UIDVALIDITY)
                raise UndeliveredError(
                    f"{self.destination.address}: the mailbox was closed; the mail will be seen again."
                )
            folder = ASIDE if incoming.is_aside else DONE if incoming.refusal is None else REFUSED
            uids.setdefault(folder, []).append(uid)
        try:
            for folder, moved in uids.items():
                self._move(self._mailbox(), moved, folder)
        except AWAY as error:
            raise self._lost(error) from None

    def _move(self, box: BaseMailBox, uids: Sequence[str], folder: str) -> None:
        if folder not in self._folders:
            if not box.folder.exists(folder):
                box.folder.create(folder)
            self._folders.add(folder)
        box.move(uids, folder)
        known = self._put_off.intersection(uids)
        self._put_off -= known
        self._moved += len(known)

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

    def _look(self) -> int:
        """Open the mailbox as it is now; how many mails are in it."""
        try:
            box = self._mailbox()
            there = int(box.folder.set(box.folder.get() or "INBOX")[1][0])
            self._require_validity(box.client.response("UIDVALIDITY")[1])
        except AWAY as error:
            raise self._lost(error) from None
        return there

    def _uids(self, there: int) -> Iterator[str]:
        """UIDs of so many mails, oldest first, fetched by pages while what comes before moves away."""
        before, passed = self._moved, 0
        while True:
            moved = self._moved - before
            first, last = passed - moved + 1, min(passed - moved + PAGE, there - moved)
            if first > last:
                return
            page = self._page(first, last)
            if not page:
                return
            passed += len(page)
            yield from page

    def _page(self, first: int, last: int) -> list[str]:
        """UIDs of the mails with those places in the mailbox."""
        try:
            status, found = self._mailbox().client.fetch(f"{first}:{last}", "(UID)")
        except AWAY as error:
            raise self._lost(error) from None
        if status != "OK":
            return []
        uids = [match[1] for line in found if isinstance(line, bytes) and (match := _UID.search(line))]
        return [uid.decode() for uid in sorted(uids, key=int)]

    def _require_validity(self, validity: object) -> None:
        """What is known of UIDs holds as long as the mailbox says that they are the same."""
        if validity != self._validity:
            self._begin_session()
            self._validity = validity

    def _begin_session(self) -> None:
        self._session += 1
        self._put_off.clear()
        self._folders.clear()

    def _fetch(self, uid: str) -> bytes | None:
        """The mail's octets; of one that is too large its beginning, and None of one that is gone meanwhile."""
        try:
            client = self._mailbox().client
            status, found = client.uid("fetch", uid, f"(BODY.PEEK[]<0.{LARGEST + 1}>)")
        except AWAY as error:
            raise self._lost(error) from None
        return _octets(found) if status == "OK" else None

    def _mailbox(self) -> BaseMailBox:
        if self._open is None:
            mailbox = self._setting.mailbox
            assert mailbox is not None
            self._open = open_mailbox(mailbox)
            self._begin_session()
        return self._open

    def _lost(self, error: BaseException) -> UndeliveredError:
        self._drop()
        return UndeliveredError(
            f"The mailbox of {self.destination.address} is away: {type(error).__name__} {str(error)[:200]}"
        )

    def _drop(self) -> None:
        if self._open is not None:
            with suppress(*AWAY):
                self._open.logout()
        self._open = None


def _octets(found: Sequence[object]) -> bytes | None:
    for item in found:
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
