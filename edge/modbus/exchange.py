"""State of a Modbus line: which request is open, and which replies may still come late. No I/O.

| state | event | next |
|---|---|---|
| idle | ask | asked |
| asked | matching frame | idle, answer given |
| asked | other frame | asked, the frame counts as a stray |
| asked | give_up | idle; on RTU the unit rests |

The one rule: an answer is taken only if it cannot belong to an earlier request. On TCP the transaction number tells
them apart. On RTU nothing does, so after a time-out the unit is not asked again until its late reply has come or can
come no more (`late_window`); other units can be asked meanwhile, because a frame names its unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.errors import DeviceGarbledError, DeviceRefusedError, LineAmbiguousError
from edge.modbus.frames import (
    EXCEPTIONS,
    Frame,
    Refusal,
    decode_answer,
    next_rtu,
    next_tcp,
    read_request,
    rtu_frame,
    tcp_frame,
)

MAX_BUFFER: Final = 4096
"""More than this without a frame is noise."""


@dataclass(frozen=True, slots=True)
class Question:
    """One open read request."""

    unit: int
    function: int
    address: int
    count: int
    transaction: int = 0

    def fits(self, frame: Frame) -> bool:
        """Whether `frame` can be the answer: unit, transaction, function, and the byte count asked for."""
        if frame.unit != self.unit or frame.transaction != self.transaction:
            return False
        if frame.function == self.function | 0x80:
            return len(frame.pdu) == 2
        return frame.function == self.function and len(frame.pdu) == 2 + 2 * self.count == 2 + frame.pdu[1]


class Exchange:
    """One line's open request; `tcp` chooses the framing."""

    def __init__(self, *, tcp: bool, late_window: float = 2.0) -> None:
        self.tcp = tcp
        self.late_window = late_window
        self.strays = 0
        """Whole frames that were no answer to the open request."""
        self._open: Question | None = None
        self._buffer = b""
        self._transaction = 0
        self._resting: dict[int, float] = {}
        self._next: Callable[[bytes], tuple[Frame | None, int]] = next_tcp if tcp else next_rtu

    def ask(self, unit: int, function: int, address: int, count: int, now: float) -> bytes:
        """The request's octets; `now` in monotonic seconds. Raises `LineAmbiguousError` while the unit rests."""
        rest = self._resting.get(unit, 0.0) - now
        if rest > 0:
            raise LineAmbiguousError(
                f"Unit {unit} may still answer an earlier request; it rests for {rest:.1f} s.", rest
            )
        self._resting.pop(unit, None)
        pdu = read_request(function, address, count)
        if self.tcp:
            self._transaction = self._transaction % 0xFFFF + 1
            self._open = Question(unit, function, address, count, self._transaction)
            return tcp_frame(unit, self._transaction, pdu)
        # Whatever came before the question cannot be its answer.
        self._buffer = b""
        self._open = Question(unit, function, address, count)
        return rtu_frame(unit, pdu)

    def feed(self, octets: bytes) -> list[int] | None:
        """The registers asked for, once `octets` complete them; raises `DeviceRefusedError`, `DeviceGarbledError`."""
        self._buffer = (self._buffer + octets)[-MAX_BUFFER:]
        while True:
            frame, used = self._next(self._buffer)
            if frame is None:
                return None
            self._buffer = self._buffer[used:]
            question = self._open
            if question is not None and question.fits(frame):
                self._open = None
                return self._answer(question, frame)
            self.strays += 1
            # The late reply has come: the unit need not rest any longer.
            self._resting.pop(frame.unit, None)

    def _answer(self, question: Question, frame: Frame) -> list[int]:
        answer = decode_answer(frame.pdu)
        if isinstance(answer, Refusal):
            reason = EXCEPTIONS.get(answer.code, "unknown")
            raise DeviceRefusedError(
                f"Unit {question.unit} refused registers {question.address} to {question.address + question.count - 1}"
                f" of function {question.function}: exception {answer.code}, {reason}."
            )
        if len(answer.registers) != question.count:
            raise DeviceGarbledError(
                f"Unit {question.unit} sent {len(answer.registers)} registers, not {question.count}."
            )
        return answer.registers

    def give_up(self, now: float) -> None:
        """The open request timed out at `now`."""
        if self._open is not None and not self.tcp:
            self._resting[self._open.unit] = now + self.late_window
        self._open = None

    def reset(self) -> None:
        """The connection was made anew: nothing that was sent on the old one can still come."""
        self._open = None
        self._buffer = b""
        if self.tcp:
            self._resting.clear()
