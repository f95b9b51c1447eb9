"""Client's end of a conversation with one meter, without I/O.

    state       | what we do                 | what the meter may do
    CLOSED      | request -> ASKED           |
    ASKED       |                            | identification -> IDENTIFIED
    IDENTIFIED  | choose -> READING, ENTERING, BINARY |
    READING     |                            | data -> CLOSED (the meter ends by itself)
    ENTERING    |                            | P0 -> READY
    READY       | ask, password -> ASKING    |
    ASKING      | repeat                     | answer, ACK, NAK -> READY
    every state | leave -> CLOSED            | B0 -> CLOSED

What has no business in the present state (echoes, late answers) changes nothing and is counted.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from shared.iec62056.characters import ACK, NAK, add_parity, check_parity
from shared.iec62056.errors import DecodeError
from shared.iec62056.messages import (
    BREAK,
    HDLC_MODE,
    PROGRAMMING,
    READOUT,
    Identification,
    acknowledgement,
    command,
    decode_identification,
    decode_request,
    request,
)
from shared.iec62056.parser import LONGEST, Block, Damaged, Line, MessageParser, Sign, Token


class State(Enum):
    """Where the conversation stands."""

    CLOSED = auto()
    ASKED = auto()
    IDENTIFIED = auto()
    READING = auto()
    ENTERING = auto()
    READY = auto()
    ASKING = auto()
    BINARY = auto()


class Step(Enum):
    """What moves it."""

    REQUEST = auto()
    IDENTIFICATION = auto()
    READ = auto()
    PROGRAM = auto()
    BINARY = auto()
    DATA = auto()
    CHALLENGE = auto()
    ASK = auto()
    SIGN = auto()
    LEAVE = auto()
    BREAK = auto()


_ENDS: Final = {Step.LEAVE: State.CLOSED, Step.BREAK: State.CLOSED}
TRANSITIONS: Final[dict[State, dict[Step, State]]] = {
    State.CLOSED: {Step.REQUEST: State.ASKED, Step.LEAVE: State.CLOSED},
    State.ASKED: {Step.REQUEST: State.ASKED, Step.IDENTIFICATION: State.IDENTIFIED, **_ENDS},
    State.IDENTIFIED: {Step.READ: State.READING, Step.PROGRAM: State.ENTERING, Step.BINARY: State.BINARY, **_ENDS},
    State.READING: {Step.DATA: State.CLOSED, **_ENDS},
    State.ENTERING: {Step.CHALLENGE: State.READY, **_ENDS},
    State.READY: {Step.ASK: State.ASKING, **_ENDS},
    State.ASKING: {Step.DATA: State.READY, Step.SIGN: State.READY, **_ENDS},
    State.BINARY: {Step.LEAVE: State.CLOSED},
}
_CHOICES: Final = {READOUT: Step.READ, PROGRAMMING: Step.PROGRAM, HDLC_MODE: Step.BINARY}


@dataclass(frozen=True, slots=True)
class Identified:
    """The meter has said who it is and waits for a choice."""

    identification: Identification


@dataclass(frozen=True, slots=True)
class Entered:
    """Programming mode is open; `challenge` is the operand for a password's algorithm."""

    challenge: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Whole text of a data message (of all its blocks)."""

    text: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """The meter acknowledged what was sent."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """The meter did not understand what was sent, or refuses it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The meter broke off."""


@dataclass(frozen=True, slots=True)
class Faulty:
    """A message came that cannot be used; `reason` completes "a message ..."."""

    reason: str


Event = Identified | Entered | Answer | Accepted | Rejected | Ended | Faulty


class MisuseError(RuntimeError):
    """A step in a state that does not allow it: an error of the program, not of the meter."""


class Iec62056Client:
    """One conversation. `software_parity`: octets carry even parity in the eighth bit, which is made and checked here;
    otherwise the port or the serial server does it and octets are characters.
    """

    def __init__(self, *, software_parity: bool = True) -> None:
        self.state = State.CLOSED
        self.ignored = 0
        """Messages that had no business in their state."""
        self._software_parity = software_parity
        self._parser = MessageParser()
        self._outgoing = b""
        self._text = ""

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._parser.pending

    @property
    def trails(self) -> bool:
        """Whether anything has come after the last message."""
        return self._parser.trails

    def request(self, address: str = "") -> None:
        """Ask the meter `address`, or whichever hears it, for its identification."""
        self._advance(Step.REQUEST)
        self._parser.reset()
        self._send(request(address))

    def choose(self, baud_code: str, mode: str) -> None:
        """Acknowledge the identification: speed and mode from now on."""
        self._advance(_CHOICES[mode])
        self._text = ""
        self._send(acknowledgement(baud_code, mode))

    def password(self, secret: str) -> None:
        """Send the password; answered by `Accepted`, an error message or the end."""
        self.ask("P1", f"({secret})")

    def ask(self, name: str, text: str) -> None:
        """Send a command such as R5 with its data set."""
        self._advance(Step.ASK)
        self._text = ""
        self._send(command(name, text))

    def repeat(self) -> None:
        """Ask for the last message again, after a faulty one."""
        if self.state is not State.ASKING:
            raise MisuseError(f"A conversation that is {self.state.name} has nothing to be repeated.")
        self._parser.reset()
        self._send(bytes((NAK,)))

    def leave(self) -> None:
        """End the conversation; a meter in programming mode is told so."""
        told = self.state in (State.ENTERING, State.READY, State.ASKING, State.READING)
        self._advance(Step.LEAVE)
        self._outgoing = b""
        self._parser.reset()
        if told:
            self._send(BREAK)

    def outgoing(self) -> bytes:
        """Octets to write now; each only once."""
        octets, self._outgoing = self._outgoing, b""
        return octets

    def receive(self, octets: bytes) -> list[Event]:
        """What octets from the line mean. Never raises on them."""
        characters = check_parity(octets) if self._software_parity else octets
        events = []
        for token in self._parser.feed(characters):
            event = self._meaning(token)
            if event is None:
                self.ignored += 1
            elif event is not _PART:
                events.append(event)
        return events

    def cut(self) -> Faulty:
        """The line fell silent inside a message: forget its beginning."""
        self._parser.reset()
        return Faulty("that was cut off")

    def _meaning(self, token: Token) -> Event | None:
        match token:
            case Line(text) if self.state is State.ASKED and decode_request(text) is None:
                return self._identified(text)
            case Block("B0", _) if self.state not in (State.CLOSED, State.BINARY):
                self._advance(Step.BREAK)
                return Ended()
            case Block("P0", text) if self.state is State.ENTERING:
                self._advance(Step.CHALLENGE)
                return Entered(text)
            case Block("", text, more) if self.state in (State.READING, State.ASKING):
                return self._data(text, more)
            case Sign() if self.state is State.ASKING:
                self._advance(Step.SIGN)
                return Accepted() if token is Sign.ACK else Rejected()
            case Damaged(reason) if self.state not in (State.CLOSED, State.BINARY):
                return Faulty(reason)
        return None

    def _identified(self, line: str) -> Event:
        try:
            identification = decode_identification(line)
        except DecodeError:
            return Faulty(f"{line[:40]!r} where an identification such as /ABC5... was expected")
        self._advance(Step.IDENTIFICATION)
        return Identified(identification)

    def _data(self, text: str, more: bool) -> Event:
        if len(self._text) + len(text) > LONGEST:
            self._text = ""
            return Faulty(f"longer than {LONGEST} characters in its blocks")
        self._text += text
        if more:
            self._send(bytes((ACK,)))
            return _PART
        self._advance(Step.DATA)
        text, self._text = self._text, ""
        return Answer(text)

    def _send(self, characters: bytes) -> None:
        self._outgoing += add_parity(characters) if self._software_parity else characters

    def _advance(self, step: Step) -> None:
        state = TRANSITIONS[self.state].get(step)
        if state is None:
            raise MisuseError(f"A conversation that is {self.state.name} cannot take the step {step.name}.")
        self.state = state


_PART: Final = Accepted()
"""A block was taken and acknowledged; the answer goes on."""
