"""What a session needs of a link below it, whichever protocol it speaks."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Connected:
    """The link is open."""


@dataclass(frozen=True, slots=True)
class Received:
    """A whole application message from the meter."""

    apdu: bytes


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The link is closed, as asked."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The meter ended the link or does not know it."""

    reason: str


LinkEvent = Connected | Received | Disconnected | Lost


class Link(Protocol):
    """A data link as a state machine without I/O: `outgoing` is to be written, `feed` takes what was read.

    Events come one by one, so that what the session does about one is done before the next frame is looked at.
    """

    discarded: int
    """Frames that were whole but not for this connection, out of sequence or of another time."""
    accepted: int
    """Frames that carried the exchange on."""

    @property
    def pending(self) -> bool:
        """Whether a frame has begun and not ended."""

    def connect(self) -> None:
        """Begin to open the link."""

    def send(self, apdu: bytes) -> None:
        """Begin to send a message; the answer comes as `Received`."""

    def keep_waiting(self) -> None:
        """The message that was received is not the answer: wait for another."""

    def disconnect(self) -> None:
        """Begin to close the link."""

    def outgoing(self) -> bytes:
        """Octets to write now; each only once."""

    def feed(self, data: bytes) -> None:
        """Octets from the line. Never raises on them."""

    def next_event(self) -> LinkEvent | None:
        """What they mean; None when nothing more has come of them."""

    def retry(self) -> bool:
        """The line was silent for too long: ask again. False if the protocol has nothing to ask again with."""
