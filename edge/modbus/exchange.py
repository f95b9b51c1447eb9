"""State of a Modbus line: which request is open, and which replies may still come late. No I/O.

| state | event | next |
|---|---|---|
| idle | ask | asked |
| asked | matching frame | idle, answer given |
| asked | other frame | asked, the frame counts as a stray |
| asked | give_up | idle; on RTU the unit rests |

The one rule: an answer is taken only if it cannot belong to an earlier request. On TCP the transaction number tells
them apart. On RTU nothing does, so after a time-out the unit is not asked again until its late reply has come or can
come no more (`late_window`); other units can be asked meanwhile, because a frame names its unit. A connection made
anew does not end that rest: a serial server hands a late reply to whoever is connected.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from edge.errors import DeviceRefusedError, DeviceSilentError, LineAmbiguousError
from edge.modbus.frames import (
    EXCEPTIONS,
    IDENTIFICATION,
    MEI_TYPE,
    TARGET_SILENT,
    Frame,
    identification_request,
    next_rtu,
    next_tcp,
    read_request,
    rtu_frame,
    tcp_frame,
)

MAX_BUFFER: Final = 4096
"""More than this without a frame is noise."""


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a unit; made once, asked often."""

    unit: int
    pdu: bytes
    answer: bytes
    """The PDU of a good answer begins so."""
    octets: int | None
    """Length of a good answer's PDU; None if it varies."""
    what: str
    """What is asked for, in sentences."""

    @classmethod
    def registers(cls, unit: int, function: int, address: int, count: int) -> "Request":
        """`count` registers from `address`; function 3 holding, 4 input."""
        pdu = read_request(function, address, count)
        what = f"registers {address} to {address + count - 1}"
        return cls(unit, pdu, bytes([function, 2 * count]), 2 + 2 * count, what)

    @classmethod
    def identification(cls, unit: int, first: int = 0) -> "Request":
        """Basic device identification (43/14) from object `first`."""
        pdu = identification_request(1, first)
        return cls(unit, pdu, bytes([IDENTIFICATION, MEI_TYPE]), None, "device identification")

    def fits(self, frame: Frame) -> bool:
        """Whether `frame` can be the answer: unit, function, and the length asked for."""
        if frame.unit != self.unit:
            return False
        if frame.function == self.pdu[0] | 0x80:
            return len(frame.pdu) == 2
        return frame.pdu.startswith(self.answer) and self.octets in (None, len(frame.pdu))


@dataclass(frozen=True, slots=True)
class _Rest:
    until: float
    request: Request
    """Whose reply may still come."""


class Exchange:
    """One line's open request; `tcp` chooses the framing."""

    def __init__(self, *, tcp: bool, late_window: float = 2.0) -> None:
        self.tcp = tcp
        self.late_window = late_window
        self.strays = 0
        """Whole frames that were no answer to the open request."""
        self.connections = 0
        """How often the line was connected: what is known of its meters holds for one connection."""
        self._open: Request | None = None
        self._awaited = b""
        self._buffer = b""
        self._transaction = 0
        self._resting: dict[int, _Rest] = {}
        self._next: Callable[[bytes], tuple[Frame | None, int]] = next_tcp if tcp else self._next_rtu

    def ask(self, request: Request, now: float) -> bytes:
        """The request's octets; `now` in monotonic seconds. Raises `LineAmbiguousError` while the unit rests."""
        rest = self._resting.get(request.unit)
        if rest is not None and (left := rest.until - now) > 0:
            raise LineAmbiguousError(
                f"Unit {request.unit} may still answer an earlier request; it rests for {left:.1f} s.", left
            )
        self._resting.pop(request.unit, None)
        self._open = request
        if self.tcp:
            return tcp_frame(request.unit, self.next_transaction(), request.pdu)
        # Whatever came before the question cannot be its answer.
        self._buffer = b""
        self._awaited = bytes([request.unit]) + request.answer
        return rtu_frame(request.unit, request.pdu)

    def next_transaction(self) -> int:
        """A transaction number that was not used for the last 65,534 requests of this line."""
        self._transaction = self._transaction % 0xFFFF + 1
        return self._transaction

    def feed(self, octets: bytes) -> bytes | None:
        """PDU of the good answer, once `octets` complete it: registers begin at its third octet. Raises
        `DeviceRefusedError`, `DeviceSilentError` (a gateway says so) and, on TCP, `DeviceGarbledError` where the
        connection is of no more use.
        """
        self._buffer = (self._buffer + octets)[-MAX_BUFFER:]
        while True:
            frame, used = self._next(self._buffer)
            if frame is None:
                return None
            self._buffer = self._buffer[used:]
            request = self._open
            if request is not None and request.fits(frame) and (not self.tcp or frame.transaction == self._transaction):
                self._open = None
                return answer_of(request, frame)
            self.strays += 1
            rest = self._resting.get(frame.unit)
            if rest is not None and rest.request.fits(frame):
                # The late reply has come: the unit need not rest any longer.
                del self._resting[frame.unit]

    def give_up(self, now: float) -> None:
        """The open request timed out at `now`."""
        if self._open is not None and not self.tcp:
            self._resting[self._open.unit] = _Rest(now + self.late_window, self._open)
        self._open = None

    def reset(self) -> None:
        """The connection was made anew."""
        self.connections += 1
        self._open = None
        self._buffer = b""

    def _next_rtu(self, buffer: bytes) -> tuple[Frame | None, int]:
        return next_rtu(buffer, self._awaited if self._open is not None else b"")


def answer_of(request: Request, frame: Frame) -> bytes:
    """PDU of the good answer in a frame that fits `request`; raises `DeviceRefusedError`, `DeviceSilentError`."""
    if frame.function == request.pdu[0]:
        return frame.pdu
    code = frame.pdu[1]
    reason = EXCEPTIONS.get(code, "unknown")
    if code in TARGET_SILENT:
        raise DeviceSilentError(f"Unit {request.unit} is silent, says the gateway (exception {code}, {reason}).")
    raise DeviceRefusedError(
        f"Unit {request.unit} refused {request.what} of function {request.pdu[0]}: exception {code}, {reason}."
    )
