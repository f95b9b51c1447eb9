"""A channel that keeps what it is given and offers what it is told to, for tests; it passes the contract of all."""

from collections.abc import Iterable
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
)

SANDBOX = Destination("fake", "http://127.0.0.1:9/messages", Environment.SANDBOX, "127.0.0.1")
AT = datetime(2026, 4, 1, 6, 0, tzinfo=UTC)


class FakeArchive:
    """Keeps in memory."""

    def __init__(self) -> None:
        self.kept: list[Exchanged] = []

    def keep(self, exchanged: Exchanged) -> None:
        """See `Archive`."""
        self.kept.append(exchanged)


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
