"""Modbus meters' end of a byte stream: frames of RTU and TCP, requests and answers. Frames and PDUs by pymodbus.

A foreign unit, a broadcast and a frame with a wrong CRC get no answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU, ExceptionResponse, ModbusPDU, ReadHoldingRegistersRequest
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersResponse, ReadInputRegistersResponse

from firmware_sims.modbus_meter import RefusedError, Registers

_DECODER: Final = DecodePDU(True)
_RTU: Final = FramerRTU(_DECODER)
_TCP: Final = FramerSocket(_DECODER)
_SHORTEST_RTU: Final = 4
_LONGEST_RTU: Final = 256
_READS: Final = {3: ReadHoldingRegistersResponse, 4: ReadInputRegistersResponse}
_IDENTIFICATION: Final = 43
_PAUSE_S: Final = 0.2
_MBAP: Final = 7
_LONGEST_TCP_PDU: Final = 253


@dataclass(slots=True)
class ModbusCounts:
    """What the meters of a line have heard."""

    frames: int = 0
    foreign: int = 0
    refused: int = 0
    bad: int = 0
    """Frames with a wrong CRC or that are no frames."""


def answer_pdu(meter: Registers, pdu: bytes, counts: ModbusCounts) -> ModbusPDU:
    """The answer to a request PDU (function code first)."""
    function = pdu[0]
    try:
        if function == _IDENTIFICATION:
            return _identification(meter.identification, pdu)
        if function not in _READS:
            raise RefusedError(ExcCodes.ILLEGAL_FUNCTION)
        request = _DECODER.decode(pdu) if len(pdu) == 5 else None
        if not isinstance(request, ReadHoldingRegistersRequest):
            raise RefusedError(ExcCodes.ILLEGAL_VALUE)
        return _READS[function](registers=list(meter.read(function, request.address, request.count)))
    except RefusedError as refused:
        counts.refused += 1
        return ExceptionResponse(function, refused.code)


def _identification(objects: Mapping[int, str], pdu: bytes) -> ModbusPDU:
    """Answer to function 43/14: the stream of objects from the one asked for, or just that one (access code 4)."""
    request = _DECODER.decode(pdu) if len(pdu) == 4 else None
    if not objects or not isinstance(request, ReadDeviceInformationRequest):
        raise RefusedError(ExcCodes.ILLEGAL_FUNCTION)
    code, first = int(request.read_code), request.object_id
    if not 1 <= code <= 4:
        raise RefusedError(ExcCodes.ILLEGAL_VALUE)
    if code == 4 and first not in objects:
        raise RefusedError(ExcCodes.ILLEGAL_ADDRESS)
    # A stream asked for from an object that there is not begins anew (Application Protocol 1.1b3, 6.21).
    begin = first if first in objects else 0
    chosen = {n: text for n, text in sorted(objects.items()) if (n == first if code == 4 else n >= begin)}
    return ReadDeviceInformationResponse(
        read_code=code, information={number: text.encode("ascii") for number, text in chosen.items()}
    )


class RtuLine:
    """A serial line with Modbus RTU meters.

    A frame ends where its function code says so and the CRC agrees, else with the silence after it: so a busy machine,
    which may deliver a frame in pieces, does not break frames apart.
    """

    def __init__(self, meters: Mapping[int, Registers]) -> None:
        self._meters = dict(meters)
        self._buffer = bytearray()
        self.counts = ModbusCounts()

    def receive(self, data: bytes) -> bytes:
        """What the meters answer to octets from the line; empty while a frame may still grow."""
        self._buffer += data
        if len(self._buffer) < _SHORTEST_RTU or not _crc_fits(self._buffer):
            return b""
        whole = _RTU.decoder.lookupPduClass(bytes(self._buffer))
        if whole is None or whole.calculateRtuFrameSize(bytes(self._buffer)) != len(self._buffer):
            return b""
        return self._take()

    def silence(self) -> bytes:
        """The line was silent: what is there is a frame or nothing."""
        if not self._buffer:
            return b""
        if not _SHORTEST_RTU <= len(self._buffer) <= _LONGEST_RTU or not _crc_fits(self._buffer):
            self.counts.bad += 1
            self._buffer.clear()
            return b""
        return self._take()

    def _take(self) -> bytes:
        frame = bytes(self._buffer)
        self._buffer.clear()
        self.counts.frames += 1
        meter = self._meters.get(frame[0])
        if meter is None:
            self.counts.foreign += 1
            return b""
        answer = answer_pdu(meter, frame[1:-2], self.counts)
        answer.dev_id = frame[0]
        return _RTU.buildFrame(answer)


class RtuServer:
    """An RTU line behind a serial server on TCP, whoever is connected: the network may cut requests anywhere, so only a
    longer pause counts as silence. `monotonic` gives wall seconds.
    """

    def __init__(self, line: RtuLine, monotonic: Callable[[], float]) -> None:
        self.line = line
        self._monotonic = monotonic
        self._heard = monotonic()

    def receive(self, data: bytes) -> bytes:
        """What the meters answer."""
        now = self._monotonic()
        if now - self._heard > _PAUSE_S:
            self.line.silence()  # whoever sent that waits no longer
        self._heard = now
        return self.line.receive(data)


class ModbusTcpLine:
    """One TCP connection, with meters by their unit id. A new connection needs a new one."""

    def __init__(self, meters: Mapping[int, Registers], counts: ModbusCounts) -> None:
        self._meters = dict(meters)
        self._buffer = bytearray()
        self._counts = counts
        self.broken = False
        """Set when the peer does not speak Modbus: the connection is of no more use."""

    def receive(self, data: bytes) -> bytes:
        """What the meters answer, in the order of the requests."""
        self._buffer += data
        answer = b""
        while len(self._buffer) >= _MBAP and not self.broken:
            length = int.from_bytes(self._buffer[4:6], "big")
            if self._buffer[2:4] != b"\x00\x00" or not 2 <= length <= _LONGEST_TCP_PDU + 1:
                self._counts.bad += 1
                self.broken = True
                break
            if len(self._buffer) < 6 + length:
                break
            _, unit, transaction, pdu = _TCP.decode(bytes(self._buffer[: 6 + length]))
            del self._buffer[: 6 + length]
            self._counts.frames += 1
            meter = self._meters.get(unit)
            if meter is None or not pdu:
                self._counts.foreign += 1
                continue
            response = answer_pdu(meter, pdu, self._counts)
            response.dev_id, response.transaction_id = unit, transaction
            answer += _TCP.buildFrame(response)
        return answer


def _crc_fits(frame: bytes | bytearray) -> bool:
    return FramerRTU.check_CRC(bytes(frame[:-2]), int.from_bytes(frame[-2:], "big"))
