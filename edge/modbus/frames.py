"""Bytes of Modbus: requests out, frames in. CRC, MBAP header and PDUs are pymodbus's; finding a frame is ours, because
pymodbus's RTU framer throws a good frame away together with the noise before it.

Source: Modbus Application Protocol 1.1b3; Modbus over Serial Line 1.02.
"""

from typing import Final, NamedTuple

from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.mei_message import ReadDeviceInformationRequest, ReadDeviceInformationResponse
from pymodbus.pdu.register_message import ReadHoldingRegistersRequest, ReadInputRegistersRequest

from edge.errors import DeviceGarbledError

RTU_OVERHEAD: Final = 5
"""Unit, function, byte count and two of CRC."""
MBAP_HEADER: Final = 6
MAX_PDU: Final = 253
IDENTIFICATION: Final = 43
"""Function: encapsulated interface transport, of which only 14 (read device identification) is asked."""
MEI_TYPE: Final = 14
IDENTIFICATION_HEAD: Final = 7
"""Function, MEI type, access code, conformity level, more follows, next object, number of objects."""

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
TARGET_SILENT: Final = (10, 11)
"""Exceptions of a gateway: the meter behind it said nothing."""


def read_request(function: int, address: int, count: int) -> bytes:
    """PDU that asks for `count` registers from `address`."""
    request = _REQUESTS[function](address=address, count=count)
    return bytes([function]) + request.encode()


def identification_request(code: int = 1, first: int = 0) -> bytes:
    """PDU that asks for device identification (43/14): `code` 1 basic, 2 regular, 3 extended; from object `first`."""
    return bytes([IDENTIFICATION]) + ReadDeviceInformationRequest(read_code=code, object_id=first).encode()


class Identification(NamedTuple):
    """One answer to a request for identification."""

    objects: dict[int, str]
    """0 vendor, 1 product code, 2 revision, ...; what is no ASCII is shown as question marks."""
    next: int | None
    """From which object to go on."""


def decode_identification(pdu: bytes) -> Identification:
    """What an answer of function 43/14 says; raises `DeviceGarbledError`."""
    if _identification_size(pdu) != len(pdu) or pdu[0] != IDENTIFICATION or pdu[1] != MEI_TYPE:
        raise DeviceGarbledError(f"The answer {pdu.hex(' ')} is no device identification (function 43/14).")
    answer = ReadDeviceInformationResponse()
    answer.decode(pdu[1:])
    objects: dict[int, str] = {}
    for number, value in answer.information.items():
        octets = value[-1] if isinstance(value, list) else value  # pymodbus makes a list of an object that comes twice
        objects[number] = octets.decode("ascii", "replace").strip("\0 ")
    return Identification(objects, answer.next_object_id if answer.more_follows else None)


def rtu_frame(unit: int, pdu: bytes) -> bytes:
    """`pdu` as an RTU frame."""
    return _rtu.encode(pdu, unit, 0)


def tcp_frame(unit: int, transaction: int, pdu: bytes) -> bytes:
    """`pdu` as a Modbus TCP frame."""
    return _socket.encode(pdu, unit, transaction)


def next_rtu(buffer: bytes, awaited: bytes = b"") -> tuple[Frame | None, int]:
    """The first frame in `buffer` whose CRC is right, and how many octets up to its end; (None, 0) if there is none
    yet. Noise before a frame is skipped.

    `awaited` are the first octets of the answer that is asked for: where they stand and the rest has not come, nothing
    behind them is looked at, because what looks like a frame there is part of the answer.
    """
    for offset in range(len(buffer) - RTU_OVERHEAD + 1):
        size = _rtu_size(buffer, offset)
        if size is None:
            if awaited and buffer.startswith(awaited, offset):
                return None, 0
            continue
        end = offset + size
        if end > len(buffer):
            if awaited and buffer.startswith(awaited, offset):
                return None, 0
            continue
        if FramerRTU.check_CRC(buffer[offset : end - 2], int.from_bytes(buffer[end - 2 : end], "big")):
            return Frame(buffer[offset], 0, buffer[offset + 1 : end - 2]), end
    return None, 0


def _rtu_size(buffer: bytes, offset: int) -> int | None:
    """Length of the frame that may begin at `offset`; None if none does, or if that is not known yet."""
    function = buffer[offset + 1]
    if function & 0x80:
        return RTU_OVERHEAD
    if function in _REQUESTS:
        return RTU_OVERHEAD + buffer[offset + 2]
    if function == IDENTIFICATION and buffer[offset + 2] == MEI_TYPE:
        size = _identification_size(buffer[offset + 1 :])
        return None if size is None else size + 3
    return None


def _identification_size(pdu: bytes) -> int | None:
    """Octets of an answer of function 43/14 that `pdu` begins with; None if that is not known yet."""
    if len(pdu) < IDENTIFICATION_HEAD:
        return None
    end = IDENTIFICATION_HEAD
    for _ in range(pdu[6]):
        if len(pdu) < end + 2:
            return None
        end += 2 + pdu[end + 1]
        if end > MAX_PDU:
            return None
    return end


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
