"""A line with mode C meters on it: who is asked, in which mode it is, at which speed it listens and answers.

state       | hears                    | answers        | becomes
IDLE        | /?address! of a meter    | identification | IDENTIFIED
IDENTIFIED  | ACK 0Z0                  | readout at Z   | IDLE
IDENTIFIED  | ACK 0Z1                  | P0 at Z        | PROGRAMMING
IDENTIFIED  | ACK 2Z2 (mode E)         | nothing        | BINARY at Z
PROGRAMMING | P1, R1, R5, W1, W5, NAK  | as its meter says | PROGRAMMING
any         | B0, a request, silence   |                | IDLE
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from firmware_sims.iec62056.meter import ERROR, IecMeter
from shared.iec62056.characters import ACK, NAK, add_parity, check_parity
from shared.iec62056.messages import BAUDS, BREAK, PROGRAMMING, READOUT, command, data, decode_request
from shared.iec62056.parser import Block, Choice, Line, MessageParser, Sign, Token

OPENING_BAUD: Final = 300
REACTION_S: Final = 0.2
"""Of an answer in the opening: the speed changes meanwhile."""
CHALLENGE: Final = "(00000000)"


class State(Enum):
    """See the table above."""

    IDLE = auto()
    IDENTIFIED = auto()
    PROGRAMMING = auto()


class IecLine:
    """Meters by address. `baud` is what the line's meters listen and answer at; it changes while they are spoken to."""

    def __init__(self, meters: Mapping[str, IecMeter], *, software_parity: bool = True) -> None:
        self.baud = OPENING_BAUD
        self.reaction_s = 0.0
        """Least time before the answer that was given last."""
        self.damaged = 0
        """Messages that were answered with a wrong check on purpose."""
        self._meters = dict(meters)
        self._software_parity = software_parity
        self._parser = MessageParser(choices=True)
        self._state = State.IDLE
        self._meter: IecMeter | None = None
        self._authorised = False
        self._last = b""
        self._messages = 0
        self._slow_after_answer = False

    @property
    def speaking(self) -> str | None:
        """Address of the meter that was asked last."""
        return next((address for address, meter in self._meters.items() if meter is self._meter), None)

    def restart(self) -> None:
        """The meter that is spoken to forgets it."""
        self._rest()

    def receive(self, octets: bytes) -> bytes:
        """What the meters answer to octets from the line."""
        characters = check_parity(octets) if self._software_parity else octets
        answer = b"".join(self._take(token) for token in self._parser.feed(characters))
        return add_parity(answer) if self._software_parity else answer

    def answered(self) -> None:
        """The answer has gone: a meter that has sent its readout listens at the opening's speed again."""
        if self._slow_after_answer:
            self._rest()

    def silence(self) -> bytes:
        """A message that has begun will not go on."""
        self._parser.reset()
        return b""

    def _rest(self) -> None:
        self._state, self._authorised, self.baud = State.IDLE, False, OPENING_BAUD
        self._slow_after_answer = False

    def _take(self, token: Token) -> bytes:
        self.reaction_s = 0.0
        match token:
            case Line(text) if (address := decode_request(text)) is not None:
                return self._asked(address)
            case Choice(text) if self._state is State.IDENTIFIED and self._meter is not None:
                return self._chosen(self._meter, text)
            case Block("B0", _):
                self._rest()
            case Block(name, text) if self._state is State.PROGRAMMING and self._meter is not None:
                return self._commanded(self._meter, name, text)
            case Sign.NAK if self._state is State.PROGRAMMING:
                return self._last
        return b""

    def _asked(self, address: str) -> bytes:
        self._rest()
        self._meter = self._meters.get(address.strip())
        if not address and len(self._meters) == 1:
            self._meter = next(iter(self._meters.values()))
        if self._meter is None:
            return b""
        self._state = State.IDENTIFIED
        self.reaction_s = REACTION_S
        return self._meter.spec.identification.encode()

    def _chosen(self, meter: IecMeter, text: str) -> bytes:
        protocol, code, mode = text[:1], text[1:2], text[2:]
        if protocol != "0" or code not in BAUDS or code > meter.spec.identification.baud_code:
            self._rest()
            return b""
        self.reaction_s = REACTION_S
        if mode == READOUT:
            self.baud = BAUDS[code]
            self._slow_after_answer = True
            self._state = State.IDLE
            return self._data(meter, meter.readout())
        if mode == PROGRAMMING:
            self.baud = BAUDS[code]
            self._state = State.PROGRAMMING
            return command("P0", CHALLENGE)
        self._rest()
        return b""

    def _commanded(self, meter: IecMeter, name: str, text: str) -> bytes:
        secret = meter.spec.password
        if name == "P1":
            if secret is not None and text != f"({secret})":
                self._state, self._slow_after_answer = State.IDLE, True
                return BREAK
            self._authorised = True
            return bytes((ACK,))
        if secret is not None and not self._authorised:
            return self._data(meter, f"({ERROR})")
        if name in ("R1", "R5"):
            return self._data(meter, meter.answer(text))
        if name in ("W1", "W5"):
            return bytes((ACK if meter.write(text) else NAK,))
        return bytes((NAK,))

    def _data(self, meter: IecMeter, text: str) -> bytes:
        self._last = data(text)
        self._messages += 1
        every = meter.spec.wrong_check_every
        if every and self._messages % every == 0:
            self.damaged += 1
            return self._last[:-1] + bytes((self._last[-1] ^ 0x01,))
        return self._last
