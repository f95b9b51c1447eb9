"""HDLC meters behind the opening of mode E: asleep to HDLC until one of them was opened, then all octets are HDLC's."""

from collections.abc import Callable, Mapping
from typing import Final

from firmware_sims.dlms.link import HdlcLine
from firmware_sims.iec62056.line import OPENING_BAUD, REACTION_S
from shared.dlms.hdlc import FrameKind, FrameParser
from shared.iec62056.characters import add_parity, check_parity
from shared.iec62056.messages import BAUDS, HDLC_MODE, HDLC_PROTOCOL, Identification, acknowledgement, decode_request
from shared.iec62056.parser import Choice, Line, MessageParser, Token

INACTIVITY_S: Final = 30.0
"""Wall seconds without a frame after which the meters wait for an opening again."""


class ModeELine:
    """`identifications` by address; `monotonic` gives wall seconds. `baud` as in `firmware_sims.iec62056.line`.

    `confirms`: the choice of HDLC is repeated by the meter at the new speed, as the standard has it.
    """

    def __init__(
        self,
        line: HdlcLine,
        identifications: Mapping[str, Identification],
        monotonic: Callable[[], float],
        *,
        confirms: bool = True,
    ) -> None:
        self.baud = OPENING_BAUD
        self.reaction_s = 0.0
        self._line = line
        self._identifications = dict(identifications)
        self._monotonic = monotonic
        self._confirms = confirms
        self._parser = MessageParser(choices=True)
        self._frames = FrameParser()
        self._identified: Identification | None = None
        self._binary = False
        self._ending = False
        self._heard_at = 0.0

    def receive(self, octets: bytes) -> bytes:
        """What the meters answer to octets from the line."""
        now = self._monotonic()
        if self._binary and now - self._heard_at > INACTIVITY_S:
            self._sleep()
        self._heard_at = now
        self.reaction_s = 0.0
        if self._binary:
            # Who watches the frames knows when the client leaves.
            self._ending = any(frame.kind is FrameKind.DISC for frame in self._frames.feed(octets))
            return self._line.receive(octets)
        answer = b"".join(self._take(token) for token in self._parser.feed(check_parity(octets)))
        return add_parity(answer)

    def answered(self) -> None:
        """The answer has gone: after that to DISC the meters wait for an opening again."""
        if self._ending:
            self._sleep()

    def silence(self) -> bytes:
        """An opening that has begun will not go on."""
        self._parser.reset()
        return b""

    def _sleep(self) -> None:
        self._binary = self._ending = False
        self._identified = None
        self.baud = OPENING_BAUD
        self._frames = FrameParser()

    def _take(self, token: Token) -> bytes:
        match token:
            case Line(text) if (address := decode_request(text)) is not None:
                self._identified = self._identifications.get(address.strip())
                if not address and len(self._identifications) == 1:
                    self._identified = next(iter(self._identifications.values()))
                self.reaction_s = REACTION_S
                return b"" if self._identified is None else self._identified.encode()
            case Choice(text) if self._identified is not None:
                protocol, code, mode = text[:1], text[1:2], text[2:]
                if (protocol, mode) == (HDLC_PROTOCOL, HDLC_MODE) and code in BAUDS:
                    self.baud = BAUDS[code]
                    self._binary = True
                self._identified = None
                self.reaction_s = REACTION_S
                if self._binary and self._confirms:
                    return acknowledgement(code, mode)
        return b""
