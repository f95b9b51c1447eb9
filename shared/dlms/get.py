"""GET service (Green Book 9.5): requests C0, responses C4, each normal, with data block, with list.

Data stay encoded octets here (A-XDR), so that blocks can be put together before anything is decoded.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, NamedTuple

from shared.dlms import axdr
from shared.dlms.errors import DecodeError
from shared.dlms.selection import Selection, decode_selection

GET_REQUEST_TAG: Final = 0xC0
GET_RESPONSE_TAG: Final = 0xC4
NORMAL: Final = 1
NEXT_OR_BLOCK: Final = 2
WITH_LIST: Final = 3
INVOKE_ID_MASK: Final = 0x0F
CONFIRMED: Final = 0x40
HIGH_PRIORITY: Final = 0x80


class DataAccessResult(IntEnum):
    """Why an attribute was not given."""

    SUCCESS = 0
    HARDWARE_FAULT = 1
    TEMPORARY_FAILURE = 2
    READ_WRITE_DENIED = 3
    OBJECT_UNDEFINED = 4
    OBJECT_CLASS_INCONSISTENT = 9
    OBJECT_UNAVAILABLE = 11
    TYPE_UNMATCHED = 12
    SCOPE_OF_ACCESS_VIOLATED = 13
    DATA_BLOCK_UNAVAILABLE = 14
    LONG_GET_ABORTED = 15
    NO_LONG_GET_IN_PROGRESS = 16
    LONG_SET_ABORTED = 17
    NO_LONG_SET_IN_PROGRESS = 18
    DATA_BLOCK_NUMBER_INVALID = 19
    OTHER_REASON = 250


class AttributeDescriptor(NamedTuple):
    """An attribute of an object."""

    class_id: int
    logical_name: bytes
    attribute: int
    selection: Selection | None = None

    def encode(self) -> bytes:
        octets = self.class_id.to_bytes(2) + self.logical_name + self.attribute.to_bytes(1, signed=True)
        return octets + (b"\x01" + self.selection.encode() if self.selection else b"\x00")


class Result(NamedTuple):
    """One attribute's answer: encoded data, or why there are none (`error` is a DataAccessResult or unknown number)."""

    data: bytes = b""
    error: int = 0

    def encode(self) -> bytes:
        return bytes((1, self.error)) if self.error else b"\x00" + self.data


@dataclass(frozen=True, slots=True)
class GetRequest:
    """One attribute. `invoke` is the invoke-id-and-priority octet."""

    invoke: int
    attribute: AttributeDescriptor

    def encode(self) -> bytes:
        return bytes((GET_REQUEST_TAG, NORMAL, self.invoke)) + self.attribute.encode()


@dataclass(frozen=True, slots=True)
class GetNextRequest:
    """The block after `block`, which has arrived."""

    invoke: int
    block: int

    def encode(self) -> bytes:
        return bytes((GET_REQUEST_TAG, NEXT_OR_BLOCK, self.invoke)) + self.block.to_bytes(4)


@dataclass(frozen=True, slots=True)
class GetListRequest:
    """Several attributes at once."""

    invoke: int
    attributes: tuple[AttributeDescriptor, ...]

    def encode(self) -> bytes:
        return bytes((GET_REQUEST_TAG, WITH_LIST, self.invoke)) + encode_attributes(self.attributes)


@dataclass(frozen=True, slots=True)
class GetResponse:
    """Answer to a GetRequest that fits into one message."""

    invoke: int
    result: Result

    def encode(self) -> bytes:
        return bytes((GET_RESPONSE_TAG, NORMAL, self.invoke)) + self.result.encode()


@dataclass(frozen=True, slots=True)
class GetBlockResponse:
    """One block of a long answer; blocks are numbered from 1. With `error` there is no data and no further block."""

    invoke: int
    last: bool
    block: int
    data: bytes = b""
    error: int = 0

    def encode(self) -> bytes:
        octets = bytes((GET_RESPONSE_TAG, NEXT_OR_BLOCK, self.invoke, self.last)) + self.block.to_bytes(4)
        if self.error:
            return octets + bytes((1, self.error))
        return octets + b"\x00" + axdr.encode_length(len(self.data)) + self.data


@dataclass(frozen=True, slots=True)
class GetListResponse:
    """Answers to a GetListRequest, in its order."""

    invoke: int
    results: tuple[Result, ...]

    def encode(self) -> bytes:
        return bytes((GET_RESPONSE_TAG, WITH_LIST, self.invoke)) + encode_results(self.results)


def encode_results(results: tuple[Result, ...]) -> bytes:
    """The part of a list response that goes into blocks when it is long."""
    return axdr.encode_length(len(results)) + b"".join(result.encode() for result in results)


def decode_results(octets: bytes) -> tuple[Result, ...]:
    """Inverse of `encode_results`. Raises DecodeError."""
    try:
        count, place = axdr.decode_length(octets, 0)
        if count > len(octets) - place:
            raise IndexError
        results: list[Result] = []
        for number in range(count):
            choice = octets[place]
            if choice > 1:
                raise DecodeError(f"Result {number + 1} of {count} begins with {choice:02x}; expected 00 or 01.")
            if choice:
                results.append(Result(error=octets[place + 1]))
                place += 2
            else:
                _, end = axdr.decode_from(octets, place + 1)
                results.append(Result(octets[place + 1 : end]))
                place = end
    except IndexError:
        raise DecodeError(f"The list of results is cut off at octet {len(octets)}.") from None
    if place != len(octets):
        raise DecodeError(f"{len(octets) - place} octets follow after a list of {count} results.")
    return tuple(results)


GetRequests = GetRequest | GetNextRequest | GetListRequest
GetResponses = GetResponse | GetBlockResponse | GetListResponse


def decode_get_request(apdu: bytes) -> GetRequests:
    """Raises DecodeError."""
    try:
        kind, invoke = apdu[1], apdu[2]
        match kind:
            case 1:
                attribute, _ = decode_attribute(apdu, 3)
                return GetRequest(invoke, attribute)
            case 2:
                if len(apdu) < 7:
                    raise IndexError
                return GetNextRequest(invoke, int.from_bytes(apdu[3:7]))
            case 3:
                attributes, _ = decode_attributes(apdu, 3)
                return GetListRequest(invoke, attributes)
    except IndexError:
        raise DecodeError(f"The GET request {apdu[:32].hex()} is cut off.") from None
    raise DecodeError(f"A GET request is of kind 1, 2 or 3, not {kind}.")


def encode_attributes(attributes: tuple[AttributeDescriptor, ...]) -> bytes:
    """A list of attributes with its length."""
    return axdr.encode_length(len(attributes)) + b"".join(attribute.encode() for attribute in attributes)


def decode_attributes(apdu: bytes, place: int) -> tuple[tuple[AttributeDescriptor, ...], int]:
    """The list at `place` and where it ends. Raises IndexError if it is cut off, DecodeError."""
    count, place = axdr.decode_length(apdu, place)
    if count > len(apdu) - place:
        raise IndexError
    attributes: list[AttributeDescriptor] = []
    for _ in range(count):
        attribute, place = decode_attribute(apdu, place)
        attributes.append(attribute)
    return tuple(attributes), place


def decode_attribute(apdu: bytes, place: int) -> tuple[AttributeDescriptor, int]:
    """The attribute at `place` and where it ends. Raises IndexError if it is cut off, DecodeError."""
    class_id, name = int.from_bytes(apdu[place : place + 2]), apdu[place + 2 : place + 8]
    attribute = int.from_bytes(apdu[place + 8 : place + 9], signed=True)
    selected = apdu[place + 9]
    place += 10
    selection: Selection | None = None
    if selected:
        parameters: Any
        selector = apdu[place]
        parameters, place = axdr.decode_from(apdu, place + 1)
        selection = decode_selection(selector, parameters)
    return AttributeDescriptor(class_id, name, attribute, selection), place


def decode_get_response(apdu: bytes) -> GetResponses:
    """Raises DecodeError. The data themselves are not looked at."""
    try:
        kind, invoke = apdu[1], apdu[2]
        match kind:
            case 1:
                return GetResponse(invoke, Result(error=apdu[4]) if apdu[3] else Result(apdu[4:]))
            case 2:
                last, block = bool(apdu[3]), int.from_bytes(apdu[4:8])
                if apdu[8]:
                    return GetBlockResponse(invoke, last, block, error=apdu[9])
                size, place = axdr.decode_length(apdu, 9)
                if place + size > len(apdu):
                    raise IndexError
                return GetBlockResponse(invoke, last, block, apdu[place : place + size])
            case 3:
                return GetListResponse(invoke, decode_results(apdu[3:]))
    except IndexError:
        raise DecodeError(f"The GET response {apdu[:32].hex()} is cut off.") from None
    raise DecodeError(f"A GET response is of kind 1, 2 or 3, not {kind}.")
