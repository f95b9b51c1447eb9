"""Client's end of an HDLC connection: SNRM/UA, I frames with window and segments both ways, RR, DISC.

The transitions are a table; a frame that has no business in the present state changes nothing and is counted. So is one
from another station, out of sequence, or that does not acknowledge what was asked: a late frame never is the answer.
"""

from collections import deque
from enum import Enum, auto
from typing import Final

from edge.dlms.errors import MisuseError
from edge.dlms.link import Connected, Disconnected, LinkEvent, Lost, Received
from shared.dlms.errors import DecodeError
from shared.dlms.hdlc import (
    DISC,
    LLC_REQUEST,
    LLC_RESPONSE,
    SNRM,
    Frame,
    FrameKind,
    FrameParser,
    information_control,
    ready_control,
)
from shared.dlms.hdlc_parameters import HdlcParameters, decode_parameters

MAX_FUTILE: Final = 8
"""Polls in a row that the meter answers without anything new, before it counts as lost: no endless ping-pong."""
MAX_MESSAGE: Final = 1 << 20
"""Longest message that is put together from segments: a day's profile is 4 kB, a month's 120 kB."""


class State(Enum):
    """Where the connection stands."""

    DISCONNECTED = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    EXCHANGING = auto()
    DISCONNECTING = auto()


class Step(Enum):
    """What moves it."""

    CONNECT = auto()
    ACCEPTED = auto()
    SEND = auto()
    ANSWERED = auto()
    DISCONNECT = auto()
    ENDED = auto()


# A step that is not in the row of the state is a misuse if it is ours; the meter's steps are looked up before they are
# taken and ignored where they are not.
TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.DISCONNECTED: {Step.CONNECT: State.CONNECTING, Step.DISCONNECT: State.DISCONNECTING},
    State.CONNECTING: {
        Step.ACCEPTED: State.CONNECTED,
        Step.DISCONNECT: State.DISCONNECTING,
        Step.ENDED: State.DISCONNECTED,
    },
    State.CONNECTED: {
        Step.CONNECT: State.CONNECTING,
        Step.SEND: State.EXCHANGING,
        Step.DISCONNECT: State.DISCONNECTING,
        Step.ENDED: State.DISCONNECTED,
    },
    State.EXCHANGING: {
        Step.ANSWERED: State.CONNECTED,
        Step.DISCONNECT: State.DISCONNECTING,
        Step.ENDED: State.DISCONNECTED,
    },
    State.DISCONNECTING: {Step.ENDED: State.DISCONNECTED},
}


class HdlcLink:
    """One connection of a client with a server. Addresses as their octets (shared.dlms.hdlc.*_address)."""

    def __init__(self, client: bytes, server: bytes, proposed: HdlcParameters) -> None:
        self.state = State.DISCONNECTED
        self.discarded = 0
        self.accepted = 0
        self.agreed = HdlcParameters()
        self._client = client
        self._server = server
        self._proposed = proposed
        self._parser = FrameParser()
        self._incoming: deque[Frame] = deque()
        self._outgoing: list[bytes] = []
        self._reset()

    def _reset(self) -> None:
        self._expected = 0  # V(R)
        self._first_unacknowledged = 0  # V(A): sequence number of self._unacknowledged[0]
        self._unacknowledged: deque[tuple[bytes, bool]] = deque()
        self._unsent: deque[tuple[bytes, bool]] = deque()
        self._segments: list[bytes] = []
        self._futile = 0
        self._polled_out = False
        """The message that was received ended with the meter's final bit."""

    @property
    def pending(self) -> bool:
        return self._parser.pending > 0

    @property
    def noise(self) -> int:
        """Octets that belonged to no frame."""
        return self._parser.discarded

    def connect(self) -> None:
        self._advance(Step.CONNECT)
        self._reset()
        self._send_snrm()

    def send(self, apdu: bytes) -> None:
        self._advance(Step.SEND)
        octets = LLC_REQUEST + apdu
        size = self.agreed.send_information
        places = range(0, len(octets), size)
        self._unsent = deque((octets[place : place + size], place != places[-1]) for place in places)
        self._segments.clear()
        self._futile = 0
        self._send_window()

    def keep_waiting(self) -> None:
        self._advance(Step.SEND)
        if self._polled_out:
            # The meter has passed the turn to us: it has more to say only if it is asked.
            self._send(ready_control(self._expected))

    def disconnect(self) -> None:
        self._advance(Step.DISCONNECT)
        self._send(DISC)

    def outgoing(self) -> bytes:
        octets = b"".join(self._outgoing)
        self._outgoing.clear()
        return octets

    def retry(self) -> bool:
        self._parser.reset()
        match self.state:
            case State.CONNECTING:
                self._send_snrm()
            case State.DISCONNECTING:
                self._send(DISC)
            case State.EXCHANGING:
                # Whether request or answer was lost shows in the N(R) of what this poll brings.
                self._send(ready_control(self._expected))
            case _:
                return False
        return True

    def feed(self, data: bytes) -> None:
        self._incoming.extend(self._parser.feed(data))

    def next_event(self) -> LinkEvent | None:
        while self._incoming:
            event = self._receive_frame(self._incoming.popleft())
            if event is not None:
                return event
        return None

    def _receive_frame(self, frame: Frame) -> LinkEvent | None:
        accepted_before = self.accepted
        event: LinkEvent | None = None
        if frame.destination == self._client and frame.source == self._server:
            match frame.kind:
                case FrameKind.UA:
                    event = self._receive_ua(frame)
                case FrameKind.DM | FrameKind.FRMR:
                    event = self._receive_refusal(frame)
                case FrameKind.INFORMATION:
                    event = self._receive_information(frame)
                case FrameKind.RECEIVE_READY:
                    self._receive_ready(frame)
        if self.accepted != accepted_before:
            self._futile = 0
            return event
        self.discarded += 1
        if self._futile > MAX_FUTILE and self.state is State.EXCHANGING:
            self._advance(Step.ENDED)
            self._outgoing.clear()
            return Lost(f"it answers {MAX_FUTILE} polls in a row without carrying the exchange on")
        return event

    def _receive_ua(self, frame: Frame) -> LinkEvent | None:
        if self.state is State.DISCONNECTING:
            self.accepted += 1
            self._advance(Step.ENDED)
            return Disconnected()
        if self.state is not State.CONNECTING:
            return None
        self.accepted += 1
        try:
            self.agreed = self._proposed.agreed_with(decode_parameters(frame.information))
        except DecodeError as error:
            self._advance(Step.ENDED)
            return Lost(f"the meter's connection parameters cannot be read: {error}")
        self._advance(Step.ACCEPTED)
        return Connected()

    def _receive_refusal(self, frame: Frame) -> LinkEvent | None:
        if Step.ENDED not in TRANSITIONS[self.state]:
            return None
        self.accepted += 1
        asked = self.state is State.DISCONNECTING
        self._advance(Step.ENDED)
        return Disconnected() if asked else Lost(f"the meter ended the connection with {frame.kind.value}")

    def _acknowledge(self, expected: int) -> bool:
        """Drop what the meter has; False if it acknowledges what was not sent."""
        count = (expected - self._first_unacknowledged) & 7
        if count > len(self._unacknowledged):
            return False
        for _ in range(count):
            self._unacknowledged.popleft()
        self._first_unacknowledged = expected
        return True

    def _receive_information(self, frame: Frame) -> LinkEvent | None:
        if self.state is not State.EXCHANGING or not self._acknowledge(frame.expected):
            return None
        if self._unacknowledged or self._unsent:
            # Sent before the meter had the whole request, so not its answer.
            if frame.final:
                self._futile += 1
                self._send_window()
            return None
        if frame.sequence == self._expected:
            self.accepted += 1
            self._expected = (self._expected + 1) & 7
            self._segments.append(frame.information)
            if not frame.segmented:
                self._polled_out = frame.final
                return self._whole_message()
            if len(self._segments) * self.agreed.receive_information > MAX_MESSAGE:
                self._advance(Step.ENDED)
                return Lost(f"the meter's message is longer than {MAX_MESSAGE} octets")
        if frame.final:
            self._futile += 1
            self._send(ready_control(self._expected))
        return None

    def _whole_message(self) -> LinkEvent | None:
        message = b"".join(self._segments)
        self._segments.clear()
        if not message.startswith(LLC_RESPONSE):
            return None  # not of this protocol: the poll after the time-out acknowledges and goes on
        self._advance(Step.ANSWERED)
        return Received(message[len(LLC_RESPONSE) :])

    def _receive_ready(self, frame: Frame) -> None:
        waiting = len(self._unacknowledged)
        if self.state is not State.EXCHANGING or not self._acknowledge(frame.expected):
            return
        if len(self._unacknowledged) < waiting:
            self.accepted += 1
        if frame.final and (self._unacknowledged or self._unsent):
            self._futile += 1
            self._send_window()

    def _send_window(self) -> None:
        """Send what is not acknowledged (again) and as much more as the window allows; the last frame polls."""
        while self._unsent and len(self._unacknowledged) < self.agreed.send_window:
            self._unacknowledged.append(self._unsent.popleft())
        last = len(self._unacknowledged) - 1
        for index, (information, segmented) in enumerate(self._unacknowledged):
            sequence = (self._first_unacknowledged + index) & 7
            self._send(information_control(sequence, self._expected, index == last), information, segmented)

    def _send_snrm(self) -> None:
        # Without parameters the defaults are meant; the shortest SNRM is the one that every meter knows.
        default = self._proposed == HdlcParameters()
        self._send(SNRM, b"" if default else self._proposed.encode())

    def _send(self, control: int, information: bytes = b"", segmented: bool = False) -> None:
        self._outgoing.append(Frame(self._server, self._client, control, information, segmented).encode())

    def _advance(self, step: Step) -> None:
        state = TRANSITIONS[self.state].get(step)
        if state is None:
            raise MisuseError(f"An HDLC link that is {self.state.name} cannot take the step {step.name}.")
        self.state = state
