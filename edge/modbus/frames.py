"""Bytes of Modbus: requests out, frames in. CRC, MBAP header and PDUs are pymodbus's; finding a frame is ours, because
pymodbus's RTU framer throws a good frame away together with the noise before it.

Source: Modbus Application Protocol 1.1b3; Modbus over Serial Line 1.02.
"""

from typing import Final, NamedTuple

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.exceptionresponse import ExceptionResponse
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
)

from edge.errors import DeviceGarbledError

RTU_OVERHEAD: Final = 5
"""Unit, function, byte count and two of CRC."""
MBAP_HEADER: Final = 6
MAX_PDU: Final = 253

_decoder = DecodePDU(is_server=False)
_rtu = FramerRTU(_decoder)
_socket = FramerSocket(_decoder)
_REQUESTS: Final = {3: ReadHoldingRegistersRequest, 4: ReadInputRegistersRequest}


class Frame(NamedTuple):
    """One whole frame: unit, transaction (0 on RTU) and PDU."""

    unit: int
    transaction: int
    pdu: bytes

    @property
    def function(self) -> int:
        """Function code, bit 7 set in an exception."""
        return self.pdu[0]


class Registers(NamedTuple):
    """A good answer."""

    registers: list[int]


class Refusal(NamedTuple):
    """An exception answer."""

    code: int


EXCEPTIONS: Final = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge",
    6: "device busy",
    10: "gateway path unavailable",
    11: "gateway target did not answer",
}


def read_request(function: int, address: int, count: int) -> bytes:
    """PDU that asks for `count` registers from `address`."""
    request = _REQUESTS[function](address=address, count=count)
    return bytes([function]) + request.encode()


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """`pdu` as an RTU frame."""
    return _rtu.encode(pdu, unit, 0)


def tcp_frame(unit: int, transaction: int, pdu: bytes) -> bytes:
    """`pdu` as a Modbus TCP frame."""
    return _socket.encode(pdu, unit, transaction)


def next_rtu(buffer: bytes) -> tuple[Frame | None, int]:
    """The first frame in `buffer` whose CRC is right, and how many octets up to its end; (None, 0) if there is none
    yet. Noise before a frame is skipped.
    """
    for offset in range(len(buffer) - RTU_OVERHEAD + 1):
        function = buffer[offset + 1]
        if function & 0x80:
            size = RTU_OVERHEAD
        elif function in _REQUESTS:
            size = RTU_OVERHEAD + buffer[offset + 2]
        else:
            continue
        end = offset + size
        if end > len(buffer):
            continue
        if FramerRTU.check_CRC(buffer[offset : end - 2], int.from_bytes(buffer[end - 2 : end], "big")):
            return Frame(buffer[offset], 0, buffer[offset + 1 : end - 2]), end
    return None, 0


def next_tcp(buffer: bytes) -> tuple[Frame | None, int]:
    """The frame at the beginning of `buffer` and its length; (None, 0) if it is not whole yet.

    Raises `DeviceGarbledError` where the stream has lost its frames: the connection must be closed.
    """
    if len(buffer) < MBAP_HEADER + 2:
        return None, 0
    protocol, length = int.from_bytes(buffer[2:4], "big"), int.from_bytes(buffer[4:6], "big")
    if protocol != 0 or not 2 <= length <= MAX_PDU + 1:
        raise DeviceGarbledError(
            f"A Modbus TCP header has protocol {protocol} and length {length}; expected 0 and 2 to {MAX_PDU + 1}."
        )
    if len(buffer) < MBAP_HEADER + length:
        return None, 0
    _, unit, transaction, pdu = _socket.decode(buffer[: MBAP_HEADER + length])
    return Frame(unit, transaction, pdu), MBAP_HEADER + length


def decode_answer(pdu: bytes) -> Registers | Refusal:
    """What an answer PDU says; raises `DeviceGarbledError`."""
    answer = _decoder.decode(pdu)
    if isinstance(answer, ExceptionResponse):
        return Refusal(answer.exception_code)
    if isinstance(answer, ReadHoldingRegistersResponse) or getattr(answer, "function_code", None) in _REQUESTS:
        assert answer is not None
        if len(pdu) == 2 + 2 * len(answer.registers):
            return Registers(list(answer.registers))
    raise DeviceGarbledError(f"The answer {pdu.hex(' ')} is no answer to a read of registers.")
