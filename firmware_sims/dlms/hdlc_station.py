"""Secondary HDLC station: one client's data link connection in a meter.

    state        | SNRM            | DISC              | I, RR with poll   | other
    DISCONNECTED | UA -> CONNECTED | DM                | DM                | silence
    CONNECTED    | UA, counters 0  | UA -> DISCONNECTED | answer or RR      | silence

It speaks only when polled. A poll whose N(R) does not acknowledge what was sent last makes it send that again.
"""

from collections import deque
from typing import Final

from firmware_sims.dlms.association import MeterAssociation
from shared.dlms.errors import DecodeError
from shared.dlms.hdlc import (
    DM,
    LLC_REQUEST,
    LLC_RESPONSE,
    UA,
    Frame,
    FrameKind,
    information_control,
    ready_control,
)
from shared.dlms.hdlc_parameters import HdlcParameters, decode_parameters

MAX_REQUEST: Final = 0x10000
"""Longest request that is put together from segments."""


class HdlcStation:
    """The meter's end of one connection: frames addressed to it in, octets out."""

    def __init__(self, own: bytes, client: bytes, offered: HdlcParameters, association: MeterAssociation) -> None:
        self.connected = False
        self._own = own
        self._client = client
        self._offered = offered
        self._agreed = HdlcParameters()
        self._association = association
        self._reset()

    def _reset(self) -> None:
        self._expected = 0  # V(R)
        self._first_unacknowledged = 0  # V(A): sequence number of self._unacknowledged[0]
        self._unacknowledged: deque[tuple[bytes, bool]] = deque()
        self._unsent: deque[tuple[bytes, bool]] = deque()
        self._request = b""

    def receive(self, frame: Frame) -> bytes:
        """What the meter sends in answer to `frame`."""
        match frame.kind:
            case FrameKind.SNRM:
                return self._connect(frame)
            case FrameKind.DISC:
                was_connected, self.connected = self.connected, False
                self._reset()
                return self._frame(UA if was_connected else DM)
            case FrameKind.INFORMATION | FrameKind.RECEIVE_READY:
                if not self.connected:
                    return self._frame(DM) if frame.final else b""
                return self._exchange(frame)
            case _:
                return b""

    def _connect(self, frame: Frame) -> bytes:
        try:
            self._agreed = self._offered.agreed_with(decode_parameters(frame.information))
        except DecodeError:
            return self._frame(DM)
        self.connected = True
        self._reset()
        return self._frame(UA, self._agreed.encode())

    def _exchange(self, frame: Frame) -> bytes:
        acknowledged = (frame.expected - self._first_unacknowledged) & 7
        if acknowledged > len(self._unacknowledged):
            return b""  # acknowledges what was never sent: a frame of another time
        for _ in range(acknowledged):
            self._unacknowledged.popleft()
        self._first_unacknowledged = frame.expected
        if frame.kind is FrameKind.INFORMATION and frame.sequence == self._expected:
            self._expected = (self._expected + 1) & 7
            self._take(frame)
        if not frame.final:
            return b""
        return self._send_window() or self._frame(ready_control(self._expected))

    def _take(self, frame: Frame) -> None:
        """Add to the request; a complete one is answered. A new request drops what is left of the last answer."""
        self._request += frame.information
        if frame.segmented:
            if len(self._request) > MAX_REQUEST:
                self._request = b""
            return
        request, self._request = self._request, b""
        if not request.startswith(LLC_REQUEST):
            return
        message: bytes | None = self._association.receive(request[len(LLC_REQUEST) :])
        self._unacknowledged.clear()
        self._unsent.clear()
        size = self._agreed.send_information
        while message is not None:
            answer = LLC_RESPONSE + message
            places = range(0, len(answer), size)
            self._unsent.extend((answer[place : place + size], place != places[-1]) for place in places)
            message = self._association.more()

    def _send_window(self) -> bytes:
        """The frames that are not acknowledged, and new ones as far as the window allows; the last is final."""
        while self._unsent and len(self._unacknowledged) < self._agreed.send_window:
            self._unacknowledged.append(self._unsent.popleft())
        last = len(self._unacknowledged) - 1
        return b"".join(
            self._frame(
                information_control((self._first_unacknowledged + index) & 7, self._expected, index == last),
                information,
                segmented,
            )
            for index, (information, segmented) in enumerate(self._unacknowledged)
        )

    def _frame(self, control: int, information: bytes = b"", segmented: bool = False) -> bytes:
        return Frame(self._client, self._own, control, information, segmented).encode()
