"""The port of all channels: a message is handed over for a receipt; what came in is taken and confirmed.

A receipt says that the other end has the octets, nothing more; the answer (RESPONSE) comes later. Every channel sends
through `Channel.send`, the one place where what must not leave is stopped and what leaves is archived.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol, final

from central.market.channels.addresses import require_sandbox
from central.market.channels.allowed import Environment, format_status, require_allowed
from central.platform.errors import DomainError

LARGEST: Final = 30_000_000
"""Octets of one message as it travels: the largest market message (20 MB) signed and in base64."""


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a channel leads: an address for people and logs (no secrets in it), its host, whose world it is.

    `sandboxes`: hosts of the open network that the settings declare to be sandboxes.
    """

    name: str
    address: str
    environment: Environment
    host: str = ""
    sandboxes: Collection[str] = ()

    def __post_init__(self) -> None:
        if self.host:
            self.require_leads_to(self.host)

    def require_leads_to(self, host: str) -> None:
        """OutboundError unless the host can be of this environment; an adapter asks for every host that it uses."""
        if self.environment is Environment.SANDBOX:
            require_sandbox(host, self.sandboxes)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message ready to go: its id, code, the name of its format package, its XML.

    `digest` names the edition of the package that it was written by; without one it is a sandbox's.
    """

    id: str
    code: str
    package: str
    xml: bytes
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The other end has the octets; what it thinks of them comes as an answer."""

    id: str


class UndeliveredError(Exception):
    """Transient: no receipt came; the message may or may not have arrived and is to be repeated under the same id."""


class NotSealedError(UndeliveredError):
    """A key, a certificate or a setting is missing: this message waits, and says nothing about the other end."""


class LeftToPersonError(UndeliveredError):
    """Somebody on the way will not take the message and does not prove to be the other end.

    Repeating it soon is of no use, and who proves nothing does not decide its fate: a person has to look.
    """


class RefusedByChannelError(Exception):
    """Permanent: the other end has proven who it is, has not taken the message in and will not."""


class Direction(StrEnum):
    """Of octets in the archive."""

    OUT = "out"
    IN = "in"


class Verdict(StrEnum):
    """What a channel makes of octets, before anybody reads the message in them."""

    SENT = "sent"
    """Ours, given to the transport."""
    REPLY = "reply"
    """The other end's direct reply to what we sent."""
    OPENED = "opened"
    """Decrypted, its signature and sender right: may be processed."""
    DUPLICATE = "duplicate"
    """Came before: never processed again."""
    REFUSED = "refused"
    """A wrong signature, an unknown sender, nothing that can be opened: never processed."""


@dataclass(frozen=True, slots=True)
class Exchanged:
    """Octets that left or came, for the archive.

    `octets` as they travelled; `signed` the signed part where they travelled encrypted (the CMS SignedData of a mail);
    `content` the XML in them; `certificate` the SHA-256 fingerprint (hex) of the signer's certificate; `identity` what
    tells one delivery from another (Message-ID, message id of a SOAP header, name of a file).
    """

    direction: Direction
    channel: str
    environment: Environment
    at: datetime
    peer: str
    identity: str
    octets: bytes
    verdict: Verdict
    signed: bytes | None = None
    content: bytes | None = None
    certificate: str | None = None
    message_id: str | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message as it will travel or did."""

    octets: bytes
    identity: str
    peer: str
    signed: bytes | None = None
    certificate: str | None = None


class Archive(Protocol):
    """Keeps what was exchanged; when `keep` or `keep_reply` returns, it is kept, whatever happens then."""

    def keep(self, exchanged: Exchanged) -> None: ...

    def keep_reply(self, exchanged: Exchanged) -> None:
        """Keep a direct reply with a market message in it, which waits to be taken in."""

    def waiting_replies(self, destination: Destination, after: int = 0) -> Sequence[tuple[int, Exchanged]]:
        """The first replies of that channel that wait behind the number `after`, oldest first, by their numbers."""

    def reply_is_taken(self, number: int) -> None:
        """It waits no longer."""

    def find_sent(self, destination: Destination, message: Outgoing) -> Sealed | None:
        """That very message (id and content) as it left by that channel last."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """Something that came, opened as far as it can be; `refusal` (code, sentence) where it must not be processed.

    `is_aside`: it is nothing of ours at all (a mail that is neither signed nor encrypted) and is kept apart.
    `handle` is the channel's own: by it what was taken is found again to be confirmed. `code_hint` is the message code
    that a mail's subject names: documented for formats that carry none (EDIGAS), not signed, never more than a hint.
    """

    channel: str
    environment: Environment
    identity: str
    peer: str
    octets: bytes
    handle: str
    content: bytes | None = None
    signed: bytes | None = None
    certificate: str | None = None
    refusal: tuple[str, str] | None = None
    is_aside: bool = False
    code_hint: str | None = None


class Channel(ABC):
    """One way to one other end. An adapter says how a message is sealed and transmitted, and how others are fetched."""

    at_once: int = 1
    """Messages that may be on their way at the same time, each in a thread of its own."""

    def __init__(self, destination: Destination, archive: Archive, now: Callable[[], datetime]) -> None:
        self.destination = destination
        self._archive = archive
        self._now = now

    @final
    def require_may_leave(self, message: Outgoing) -> None:
        """OutboundError if the message's format must not go to this channel's environment."""
        status = format_status(message.package, message.code, message.digest)
        require_allowed(status, self.destination.environment, self.destination.address)

    @final
    def send(self, message: Outgoing) -> Receipt:
        """Hand over, archived before it leaves. Raises OutboundError, UndeliveredError or RefusedByChannelError.

        What cannot be sealed (NotSealedError) for want of a key, a certificate or a setting waits until that is mended.
        A message that left before leaves in the same octets where they can still be used: who has it sees that it is
        the same. The archive has them then.
        """
        self.require_may_leave(message)
        before = self._archive.find_sent(self.destination, message)
        try:
            is_usable = before is not None and self._is_usable(before)
            sealed = before if before is not None and is_usable else self._seal(message)
        except DomainError as error:
            raise NotSealedError(f"{self.destination.name} cannot send {message.id}: {error.message}") from None
        if before is None or sealed.octets != before.octets:
            self._keep_sent(message, sealed)
        return self._transmit(message, sealed)

    def _keep_sent(self, message: Outgoing, sealed: Sealed) -> None:
        self._archive.keep(
            Exchanged(
                Direction.OUT,
                self.destination.name,
                self.destination.environment,
                self._now(),
                sealed.peer,
                sealed.identity,
                sealed.octets,
                Verdict.SENT,
                sealed.signed,
                message.xml,
                sealed.certificate,
                message.id,
            )
        )

    def _is_usable(self, before: Sealed) -> bool:
        """Whether what was sealed before may leave once more as it is; otherwise it is sealed anew."""
        return False

    def receive(self) -> Iterable[Incoming]:
        """What waits at the other end, oldest first; the same again until it is confirmed. Raises UndeliveredError."""
        return ()

    def confirm(self, incoming: Incoming) -> None:  # noqa: B027 - nothing to do where the other end brings everything
        """What was received is committed here: it must not be offered again. Raises UndeliveredError."""

    def confirm_all(self, incomings: Sequence[Incoming]) -> None:
        """As `confirm`, of many that were committed together."""
        for incoming in incomings:
            self.confirm(incoming)

    def close(self) -> None:  # noqa: B027 - not every channel holds something open
        """Give connections back."""

    @abstractmethod
    def _seal(self, message: Outgoing) -> Sealed:
        """The octets to travel: signed, encrypted, wrapped."""

    @abstractmethod
    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        """Move the octets; UndeliveredError or RefusedByChannelError."""
