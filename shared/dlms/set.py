"""SET service (Green Book 9.5): requests C1, responses C5, each normal, with data block, with list.

Values stay encoded octets here (A-XDR). In block transfer the blocks hold one value, or the list of values with its
length (`encode_values`); the attributes stand before the first block.
"""

from dataclasses import dataclass
from typing import Final

from shared.dlms import axdr
from shared.dlms.datablock import DataBlock, decode_block
from shared.dlms.errors import DecodeError
from shared.dlms.get import AttributeDescriptor, decode_attribute, decode_attributes, encode_attributes

SET_REQUEST_TAG: Final = 0xC1
SET_RESPONSE_TAG: Final = 0xC5


@dataclass(frozen=True, slots=True)
class SetRequest:
    """One attribute and its new value. `invoke` is the invoke-id-and-priority octet."""

    invoke: int
    attribute: AttributeDescriptor
    value: bytes

    def encode(self) -> bytes:
        return bytes((SET_REQUEST_TAG, 1, self.invoke)) + self.attribute.encode() + self.value


@dataclass(frozen=True, slots=True)
class SetFirstBlockRequest:
    """One attribute and the first block of its long value."""

    invoke: int
    attribute: AttributeDescriptor
    block: DataBlock

    def encode(self) -> bytes:
        return bytes((SET_REQUEST_TAG, 2, self.invoke)) + self.attribute.encode() + self.block.encode()


@dataclass(frozen=True, slots=True)
class SetBlockRequest:
    """A further block."""

    invoke: int
    block: DataBlock

    def encode(self) -> bytes:
        return bytes((SET_REQUEST_TAG, 3, self.invoke)) + self.block.encode()


@dataclass(frozen=True, slots=True)
class SetListRequest:
    """Several attributes and as many values."""

    invoke: int
    attributes: tuple[AttributeDescriptor, ...]
    values: tuple[bytes, ...]

    def encode(self) -> bytes:
        octets = bytes((SET_REQUEST_TAG, 4, self.invoke)) + encode_attributes(self.attributes)
        return octets + encode_values(self.values)


@dataclass(frozen=True, slots=True)
class SetListFirstBlockRequest:
    """Several attributes and the first block of the list of their values."""

    invoke: int
    attributes: tuple[AttributeDescriptor, ...]
    block: DataBlock

    def encode(self) -> bytes:
        octets = bytes((SET_REQUEST_TAG, 5, self.invoke)) + encode_attributes(self.attributes)
        return octets + self.block.encode()


@dataclass(frozen=True, slots=True)
class SetResponse:
    """Answer to a SetRequest: `result` is a DataAccessResult or unknown number."""

    invoke: int
    result: int

    def encode(self) -> bytes:
        return bytes((SET_RESPONSE_TAG, 1, self.invoke, self.result))


@dataclass(frozen=True, slots=True)
class SetBlockResponse:
    """Block `block` has arrived; the next may come."""

    invoke: int
    block: int

    def encode(self) -> bytes:
        return bytes((SET_RESPONSE_TAG, 2, self.invoke)) + self.block.to_bytes(4)


@dataclass(frozen=True, slots=True)
class SetLastBlockResponse:
    """The last block (or one that ended the transfer) has arrived; what became of the one attribute."""

    invoke: int
    result: int
    block: int

    def encode(self) -> bytes:
        return bytes((SET_RESPONSE_TAG, 3, self.invoke, self.result)) + self.block.to_bytes(4)


@dataclass(frozen=True, slots=True)
class SetLastBlockListResponse:
    """The same for several attributes, in their order."""

    invoke: int
    results: tuple[int, ...]
    block: int

    def encode(self) -> bytes:
        octets = bytes((SET_RESPONSE_TAG, 4, self.invoke)) + axdr.encode_length(len(self.results))
        return octets + bytes(self.results) + self.block.to_bytes(4)


@dataclass(frozen=True, slots=True)
class SetListResponse:
    """Answers to a SetListRequest, in its order."""

    invoke: int
    results: tuple[int, ...]

    def encode(self) -> bytes:
        octets = bytes((SET_RESPONSE_TAG, 5, self.invoke))
        return octets + axdr.encode_length(len(self.results)) + bytes(self.results)


SetRequests = SetRequest | SetFirstBlockRequest | SetBlockRequest | SetListRequest | SetListFirstBlockRequest
SetResponses = SetResponse | SetBlockResponse | SetLastBlockResponse | SetLastBlockListResponse | SetListResponse


def encode_values(values: tuple[bytes, ...]) -> bytes:
    """A list of encoded values with its length."""
    return axdr.encode_length(len(values)) + b"".join(values)


def decode_values(octets: bytes) -> tuple[bytes, ...]:
    """Inverse of `encode_values`. Raises DecodeError."""
    try:
        count, place = axdr.decode_length(octets, 0)
    except IndexError:
        raise DecodeError("The list of values is empty.") from None
    if count > len(octets) - place:
        raise DecodeError(f"The list of {count} values is cut off at octet {len(octets)}.")
    values: list[bytes] = []
    for _ in range(count):
        _, end = axdr.decode_from(octets, place)
        values.append(octets[place:end])
        place = end
    if place != len(octets):
        raise DecodeError(f"{len(octets) - place} octets follow the list of {count} values.")
    return tuple(values)


def one_value(octets: bytes) -> bytes:
    """`octets` if they are one whole encoded value. Raises DecodeError."""
    axdr.decode(octets)
    return octets


def decode_set_request(apdu: bytes) -> SetRequests:
    """Raises DecodeError."""
    try:
        kind, invoke = apdu[1], apdu[2]
        match kind:
            case 1:
                attribute, place = decode_attribute(apdu, 3)
                return SetRequest(invoke, attribute, one_value(apdu[place:]))
            case 2:
                attribute, place = decode_attribute(apdu, 3)
                return SetFirstBlockRequest(invoke, attribute, decode_block(apdu, place))
            case 3:
                return SetBlockRequest(invoke, decode_block(apdu, 3))
            case 4:
                attributes, place = decode_attributes(apdu, 3)
                return SetListRequest(invoke, attributes, decode_values(apdu[place:]))
            case 5:
                attributes, place = decode_attributes(apdu, 3)
                return SetListFirstBlockRequest(invoke, attributes, decode_block(apdu, place))
    except IndexError:
        raise DecodeError(f"The SET request {apdu[:32].hex()} is cut off.") from None
    raise DecodeError(f"A SET request is of kind 1 to 5, not {kind}.")


def decode_set_response(apdu: bytes) -> SetResponses:
    """Raises DecodeError."""
    try:
        kind, invoke = apdu[1], apdu[2]
        match kind:
            case 1:
                return SetResponse(invoke, apdu[3])
            case 2:
                return SetBlockResponse(invoke, _number(apdu, 3))
            case 3:
                return SetLastBlockResponse(invoke, apdu[3], _number(apdu, 4))
            case 4:
                results, place = _results(apdu)
                return SetLastBlockListResponse(invoke, results, _number(apdu, place))
            case 5:
                return SetListResponse(invoke, _results(apdu)[0])
    except IndexError:
        raise DecodeError(f"The SET response {apdu[:32].hex()} is cut off.") from None
    raise DecodeError(f"A SET response is of kind 1 to 5, not {kind}.")


def _number(apdu: bytes, place: int) -> int:
    if place + 4 > len(apdu):
        raise IndexError
    return int.from_bytes(apdu[place : place + 4])


def _results(apdu: bytes) -> tuple[tuple[int, ...], int]:
    count, place = axdr.decode_length(apdu, 3)
    if place + count > len(apdu):
        raise IndexError
    return tuple(apdu[place : place + count]), place + count
