"""Client's end of the DLMS wrapper over TCP: nothing to open or close, one message a frame."""

from collections import deque

from edge.dlms.errors import MisuseError
from edge.dlms.link import Connected, Disconnected, LinkEvent, Received
from shared.dlms.wrapper import WrapperFrame, WrapperParser


class WrapperLink:
    """Messages between a client's SAP and a server's wPort. TCP repeats what is lost, so there is nothing to retry."""

    def __init__(self, client: int, server: int) -> None:
        self.discarded = 0
        self.accepted = 0
        self._client = client
        self._server = server
        self._parser = WrapperParser()
        self._connected = False
        self._events: deque[LinkEvent] = deque()
        self._outgoing = b""

    @property
    def pending(self) -> bool:
        return self._parser.pending > 0

    @property
    def noise(self) -> int:
        """Octets that belonged to no frame."""
        return self._parser.discarded

    def connect(self) -> None:
        self._connected = True
        self._events.append(Connected())

    def send(self, apdu: bytes) -> None:
        if not self._connected:
            raise MisuseError("A wrapper link must be connected before it sends.")
        self._outgoing += WrapperFrame(self._client, self._server, apdu).encode()

    def keep_waiting(self) -> None:
        """Nothing to do: what comes is looked at in any case."""

    def disconnect(self) -> None:
        self._connected = False
        self._events.append(Disconnected())

    def outgoing(self) -> bytes:
        octets, self._outgoing = self._outgoing, b""
        return octets

    def feed(self, data: bytes) -> None:
        for frame in self._parser.feed(data):
            if self._connected and frame.source == self._server and frame.destination == self._client:
                self.accepted += 1
                self._events.append(Received(frame.payload))
            else:
                self.discarded += 1

    def next_event(self) -> LinkEvent | None:
        return self._events.popleft() if self._events else None

    def retry(self) -> bool:
        self._parser.reset()
        return False
