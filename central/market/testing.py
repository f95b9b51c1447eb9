"""A channel that keeps what it is given and offers what it is told to, for tests; it passes the contract of all."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from central.market.channels.allowed import Environment
from central.market.channels.port import (
    Archive,
    Channel,
    Destination,
    Exchanged,
    Incoming,
    Outgoing,
    Receipt,
    RefusedByChannelError,
    Sealed,
    UndeliveredError,
    Verdict,
)

SANDBOX = Destination("fake", "http://127.0.0.1:9/messages", Environment.SANDBOX, "127.0.0.1")
AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)


class FakeArchive:
    """Keeps in memory."""

    def __init__(self) -> None:
        self.kept: list[Exchanged] = []
        self.waiting: dict[int, Exchanged] = {}

    def keep(self, exchanged: Exchanged) -> None:
        """See `Archive`."""
        self.kept.append(exchanged)

    def keep_reply(self, exchanged: Exchanged) -> None:
        """See `Archive`."""
        self.keep(exchanged)
        self.waiting[len(self.kept)] = exchanged

    def waiting_replies(self, destination: Destination, after: int = 0) -> Sequence[tuple[int, Exchanged]]:
        """See `Archive`; one at a time."""
        mine = [(number, each) for number, each in self.waiting.items() if each.channel == destination.name]
        return [each for each in mine if each[0] > after][:1]

    def reply_is_taken(self, number: int) -> None:
        """See `Archive`."""
        self.waiting.pop(number, None)

    def find_sent(self, destination: Destination, message: Outgoing) -> Sealed | None:
        """See `Archive`."""
        for each in reversed(self.kept):
            if (each.verdict, each.channel, each.message_id, each.content) == (
                Verdict.SENT,
                destination.name,
                message.id,
                message.xml,
            ):
                return Sealed(each.octets, each.identity, each.peer, each.signed, each.certificate)
        return None


class FakeChannel(Channel):
    """Takes messages while `up`; refuses the ids in `refuses` for good; loses the receipts of those in `loses`."""

    def __init__(self, destination: Destination = SANDBOX, archive: Archive | None = None) -> None:
        super().__init__(destination, archive or FakeArchive(), lambda: AT)
        self.up = True
        self.refuses: set[str] = set()
        self.loses: set[str] = set()
        self.taken: list[Outgoing] = []
        self.waiting: dict[str, Incoming] = {}

    def offer(self, identity: str, content: bytes) -> None:
        """Let something wait to be received."""
        self.waiting[identity] = Incoming(
            self.destination.name, self.destination.environment, identity, "8591824000007", content, identity, content
        )

    def receive(self) -> Iterable[Incoming]:
        """See `Channel`."""
        if not self.up:
            raise UndeliveredError(f"{self.destination.address} is down")
        return list(self.waiting.values())

    def confirm(self, incoming: Incoming) -> None:
        """See `Channel`."""
        self.waiting.pop(incoming.handle, None)

    def _seal(self, message: Outgoing) -> Sealed:
        return Sealed(message.xml, message.id, "8591824000007")

    def _transmit(self, message: Outgoing, sealed: Sealed) -> Receipt:
        if not self.up:
            raise UndeliveredError(f"{self.destination.address} gave no receipt for {message.id}: it is down")
        if message.id in self.refuses:
            raise RefusedByChannelError(f"The other end does not take {message.id} in (HTTP 400): refused by the test")
        self.taken.append(message)
        if message.id in self.loses:
            raise UndeliveredError(f"{self.destination.address} gave no receipt for {message.id}: it was lost")
        return Receipt(f"receipt-{len(self.taken)}")
