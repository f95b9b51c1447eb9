"""One session with a meter without I/O: link and association together.

    session.start(request); then until an event comes:
    write session.outgoing(); session.receive(what was read) or session.silence() -> events

One request at a time. The last event of a request is Opened, Answered, Written, Invoked, Released or Failed.
"""

from dataclasses import dataclass
from typing import Final

from edge.dlms.association import Association
from edge.dlms.association import State as AssociationState
from edge.dlms.errors import DlmsError, LinkLostError, MisuseError, NoAnswerError
from edge.dlms.link import Connected, Disconnected, Link, LinkEvent, Lost, Received
from edge.dlms.outcomes import Continue, Failed, Opened, Outcome, Released, Served
from shared.dlms.action import MethodDescriptor
from shared.dlms.get import AttributeDescriptor


@dataclass(frozen=True, slots=True)
class Open:
    """Open the link, then the association."""


@dataclass(frozen=True, slots=True)
class Get:
    """Read attributes; more than one only where the meter granted it (`Association.conformance`)."""

    attributes: tuple[AttributeDescriptor, ...]


@dataclass(frozen=True, slots=True)
class Set:
    """Write encoded values to attributes."""

    writes: tuple[tuple[AttributeDescriptor, bytes], ...]


@dataclass(frozen=True, slots=True)
class Act:
    """Invoke methods, each with its encoded parameter or None."""

    calls: tuple[tuple[MethodDescriptor, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class Close:
    """Release the association if it is open, then close the link."""


SessionRequest = Open | Get | Set | Act | Close
Event = Opened | Served | Released | Failed

_NOTHING: Final = b""


class DlmsSession:
    """Requests in, events out; octets on the other side."""

    def __init__(self, link: Link, association: Association, retries: int = 2) -> None:
        self.link = link
        self.association = association
        self._retries = retries
        self._left = retries
        self._request: SessionRequest | None = None
        self._lost = False

    @property
    def usable(self) -> bool:
        """Whether a request can begin: none is under way, and the meter was not lost in an earlier one."""
        return self._request is None and not self._lost

    @property
    def progress(self) -> int:
        """Grows with each frame that carried the exchange on."""
        return self.link.accepted

    def start(self, request: SessionRequest) -> list[Event]:
        """Begin a request; what it needs to send is in `outgoing`. Events come at once where nothing is to be asked.

        Raises `NotOfferedError` for what the meter did not grant.
        """
        if not self.usable:
            state = "lost" if self._lost else f"busy with {self._request}"
            raise MisuseError(f"The session is {state}: one request at a time, none after the meter is lost.")
        self._left = self._retries
        match request:
            case Open():
                self.link.connect()
            case Get(attributes):
                self.link.send(self.association.get(*attributes))
            case Set(writes):
                self.link.send(self.association.set(*writes))
            case Act(calls):
                self.link.send(self.association.action(*calls))
            case Close():
                if self.association.state is AssociationState.OPEN:
                    self.link.send(self.association.release())
                else:
                    self.link.disconnect()
        self._request = request
        return self.receive(_NOTHING)

    def outgoing(self) -> bytes:
        """Octets to write now."""
        return self.link.outgoing()

    def receive(self, data: bytes) -> list[Event]:
        """What octets from the line mean for the request. Never raises on them."""
        accepted = self.link.accepted
        events: list[Event] = []
        self.link.feed(data)
        while (link_event := self.link.next_event()) is not None:
            outcome = self._meaning(link_event)
            if outcome is not None and self._request is not None:
                self._request = None
                events.append(outcome)
        if self.link.accepted != accepted:
            self._left = self._retries
        return events

    def abandon(self) -> None:
        """The line is gone, or nobody waits any more: no further request."""
        self._request = None
        self._lost = True

    def silence(self) -> list[Event]:
        """Nothing came for longer than the meter may take: ask again, or give up."""
        if self._request is None:
            return []
        if self._left > 0:
            self._left -= 1
            if self.link.retry():
                return []
            again = self.association.repeat()
            if again is not None:
                self.link.send(again)
                return []
            self._left += 1
        asked, self._request = self._request, None
        self._lost = True
        what = type(asked).__name__.lower()
        return [Failed(NoAnswerError(f"The meter did not answer the request to {what}, asked {self._tries} time(s)."))]

    @property
    def _tries(self) -> int:
        return self._retries - self._left + 1

    def _meaning(self, event: LinkEvent) -> Event | None:
        match event:
            case Connected():
                try:
                    self.link.send(self.association.open())
                except DlmsError as error:  # no invocation counter is to be had
                    return Failed(error)
                return None
            case Disconnected():
                return Released()
            case Lost(reason):
                self._lost = True
                return Failed(LinkLostError(f"The link to the meter is lost: {reason}."))
            case Received(apdu):
                return self._consequence(self.association.receive(apdu))

    def _consequence(self, outcome: Outcome | None) -> Event | None:
        match outcome:
            case None:
                self.link.keep_waiting()
                return None
            case Continue(apdu):
                self.link.send(apdu)
                return None
            case Released():
                self.link.disconnect()
                return None
            case Failed() if isinstance(self._request, Close):
                self.link.disconnect()
                return None
            case _:
                return outcome
