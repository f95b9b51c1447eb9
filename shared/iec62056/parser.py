"""Cuts a stream of characters into messages. Never raises on what the line brings, keeps at most `LONGEST` of it."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from shared.iec62056.characters import ACK, EOT, ETX, LF, NAK, SOH, STX, SUB, bcc

LONGEST: Final = 1 << 17
"""Characters of the longest message: a day's profile of eight channels is 8 kB, a long readout 20 kB."""
LONGEST_LINE: Final = 128


class Sign(Enum):
    """Messages of one character."""

    ACK = ACK
    NAK = NAK


@dataclass(frozen=True, slots=True)
class Line:
    """Request or identification, without its end."""

    text: str


@dataclass(frozen=True, slots=True)
class Choice:
    """Acknowledgement with options, as the meter hears it: protocol, speed, mode."""

    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A message with right block check character. `command` is empty for data; `more`: another block follows."""

    command: str
    text: str
    more: bool = False


@dataclass(frozen=True, slots=True)
class Damaged:
    """A message that came but cannot be used; `reason` completes "a message ..."."""

    reason: str


Token = Sign | Line | Choice | Block | Damaged

_NOTHING: Final = b""


class MessageParser:
    """Characters (parity checked and stripped) in, messages out. `choices`: at the meter's end an ACK begins a line."""

    def __init__(self, *, choices: bool = False) -> None:
        self.discarded = 0
        """Characters that belonged to no message."""
        self._choices = choices
        self._discarded_before = 0
        self._start = 0
        """Character that began the present message: SOH, STX, ACK or "/"; 0 when there is none."""
        self._body = bytearray()
        self._checked = False
        """The end has come; the next character is its check."""

    @property
    def pending(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._start != 0

    @property
    def trails(self) -> bool:
        """Whether anything has come after the last message."""
        return self.pending or self.discarded != self._discarded_before

    def reset(self) -> None:
        """Forget the message that has begun: the rest of it will not come."""
        self.discarded += len(self._body) + (self._start != 0)
        self._begin(0)

    def feed(self, characters: bytes) -> list[Token]:
        """The messages that `characters` complete."""
        tokens: list[Token] = []
        for character in characters:
            token = self._take(character)
            if token is not None:
                tokens.append(token)
                self._discarded_before = self.discarded
        return tokens

    def _begin(self, start: int) -> None:
        self._start = start
        self._body.clear()
        self._checked = False

    def _take(self, character: int) -> Token | None:
        if self._start == 0:
            return self._idle(character)
        if self._start in (SOH, STX):
            return self._in_block(character)
        return self._in_line(character)

    def _idle(self, character: int) -> Token | None:
        if character in (SOH, STX) or character == ord("/") or (character == ACK and self._choices):
            self._begin(character)
        elif character == ACK:
            return Sign.ACK
        elif character == NAK:
            return Sign.NAK
        else:
            self.discarded += 1
        return None

    def _in_line(self, character: int) -> Token | None:
        if character == LF:
            start, octets = self._start, bytes(self._body).rstrip(b"\r")
            self._begin(0)
            if SUB in octets or not octets.isascii():
                return Damaged("whose first line has a character with wrong parity")
            text = octets.decode("ascii")
            return Line("/" + text) if start == ord("/") else Choice(text)
        if character in (SOH, STX, ACK, NAK) or len(self._body) >= LONGEST_LINE:
            self.reset()
            return self._idle(character)
        self._body.append(character)
        return None

    def _in_block(self, character: int) -> Token | None:
        if self._checked:
            return self._end_of_block(character)
        if character == SOH or (character == STX and (self._start == STX or STX in self._body)):
            # Not a new beginning: the rest of a message, begun by a fault, may have a check that fits by chance.
            character = SUB
        if len(self._body) >= LONGEST:
            self.reset()
            return Damaged(f"longer than {LONGEST} characters")
        self._body.append(character)
        self._checked = character in (ETX, EOT)
        return None

    def _end_of_block(self, check: int) -> Token:
        start, block = self._start, bytes(self._body)
        self._begin(0)
        if SUB in block or check == SUB or not block.isascii():
            return Damaged("with a character that cannot be in it")
        if bcc(block) != check:
            return Damaged(f"whose block check character is {check:02X} instead of {bcc(block):02X}")
        more = block[-1] == EOT
        octets = block[:-1]
        if start == STX:
            return Block("", octets.decode("ascii"), more)
        name, _, octets = octets.partition(bytes((STX,)))
        return Block(name.decode("ascii"), octets.decode("ascii"), more)
