"""ACTION service (Green Book 9.5): requests C3, responses C7, each normal, with block, with list.

Parameters and results stay encoded octets here (A-XDR). In block transfer the blocks of a request hold the parameter,
or the list of parameters with its length; those of a response hold what follows the invoke id in the short response:
result and return value, or the list of them.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

from shared.dlms import axdr
from shared.dlms.datablock import DataBlock, decode_block
from shared.dlms.errors import DecodeError
from shared.dlms.set import decode_values, encode_values, one_value

ACTION_REQUEST_TAG: Final = 0xC3
ACTION_RESPONSE_TAG: Final = 0xC7


class ActionResult(IntEnum):
    """What became of a method."""

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
    LONG_ACTION_ABORTED = 15
    NO_LONG_ACTION_IN_PROGRESS = 16
    OTHER_REASON = 250


class MethodDescriptor(NamedTuple):
    """A method of an object."""

    class_id: int
    logical_name: bytes
    method: int

    def encode(self) -> bytes:
        return self.class_id.to_bytes(2) + self.logical_name + self.method.to_bytes(1, signed=True)


class MethodResult(NamedTuple):
    """What a method gave back: `result` is an ActionResult or unknown number, `data` an encoded value if there is one,
    `error` a DataAccessResult in its place.
    """

    result: int = ActionResult.SUCCESS
    data: bytes | None = None
    error: int = 0

    def encode(self) -> bytes:
        if self.error:
            return bytes((self.result, 1, 1, self.error))
        return bytes((self.result, 0)) if self.data is None else bytes((self.result, 1, 0)) + self.data


@dataclass(frozen=True, slots=True)
class ActionRequest:
    """One method, with or without a parameter. `invoke` is the invoke-id-and-priority octet."""

    invoke: int
    method: MethodDescriptor
    parameter: bytes | None = None

    def encode(self) -> bytes:
        parameter = b"\x00" if self.parameter is None else b"\x01" + self.parameter
        return bytes((ACTION_REQUEST_TAG, 1, self.invoke)) + self.method.encode() + parameter


@dataclass(frozen=True, slots=True)
class ActionNextRequest:
    """The block of the response after `block`, which has arrived."""

    invoke: int
    block: int

    def encode(self) -> bytes:
        return bytes((ACTION_REQUEST_TAG, 2, self.invoke)) + self.block.to_bytes(4)


@dataclass(frozen=True, slots=True)
class ActionListRequest:
    """Several methods and as many parameters (null-data where a method takes none)."""

    invoke: int
    methods: tuple[MethodDescriptor, ...]
    parameters: tuple[bytes, ...]

    def encode(self) -> bytes:
        octets = bytes((ACTION_REQUEST_TAG, 3, self.invoke)) + _encode_methods(self.methods)
        return octets + encode_values(self.parameters)


@dataclass(frozen=True, slots=True)
class ActionFirstBlockRequest:
    """One method and the first block of its long parameter."""

    invoke: int
    method: MethodDescriptor
    block: DataBlock

    def encode(self) -> bytes:
        return bytes((ACTION_REQUEST_TAG, 4, self.invoke)) + self.method.encode() + self.block.encode()


@dataclass(frozen=True, slots=True)
class ActionListFirstBlockRequest:
    """Several methods and the first block of the list of their parameters."""

    invoke: int
    methods: tuple[MethodDescriptor, ...]
    block: DataBlock

    def encode(self) -> bytes:
        return bytes((ACTION_REQUEST_TAG, 5, self.invoke)) + _encode_methods(self.methods) + self.block.encode()


@dataclass(frozen=True, slots=True)
class ActionBlockRequest:
    """A further block of the parameter."""

    invoke: int
    block: DataBlock

    def encode(self) -> bytes:
        return bytes((ACTION_REQUEST_TAG, 6, self.invoke)) + self.block.encode()


@dataclass(frozen=True, slots=True)
class ActionResponse:
    """Answer to an ActionRequest that fits into one message."""

    invoke: int
    result: MethodResult

    def encode(self) -> bytes:
        return bytes((ACTION_RESPONSE_TAG, 1, self.invoke)) + self.result.encode()


@dataclass(frozen=True, slots=True)
class ActionBlockResponse:
    """A block of a long answer."""

    invoke: int
    block: DataBlock

    def encode(self) -> bytes:
        return bytes((ACTION_RESPONSE_TAG, 2, self.invoke)) + self.block.encode()


@dataclass(frozen=True, slots=True)
class ActionListResponse:
    """Answers to an ActionListRequest, in its order."""

    invoke: int
    results: tuple[MethodResult, ...]

    def encode(self) -> bytes:
        return bytes((ACTION_RESPONSE_TAG, 3, self.invoke)) + encode_method_results(self.results)


@dataclass(frozen=True, slots=True)
class ActionNextResponse:
    """Block `block` of the parameter has arrived; the next may come."""

    invoke: int
    block: int

    def encode(self) -> bytes:
        return bytes((ACTION_RESPONSE_TAG, 4, self.invoke)) + self.block.to_bytes(4)


ActionRequests = (
    ActionRequest
    | ActionNextRequest
    | ActionListRequest
    | ActionFirstBlockRequest
    | ActionListFirstBlockRequest
    | ActionBlockRequest
)
ActionResponses = ActionResponse | ActionBlockResponse | ActionListResponse | ActionNextResponse


def encode_method_results(results: tuple[MethodResult, ...]) -> bytes:
    """The part of a list response that goes into blocks when it is long."""
    return axdr.encode_length(len(results)) + b"".join(result.encode() for result in results)


def decode_method_result(octets: bytes) -> MethodResult:
    """One result that takes all of `octets`. Raises DecodeError."""
    try:
        result, end = _result(octets, 0)
    except IndexError:
        raise DecodeError(f"The result of a method {octets[:32].hex()} is cut off.") from None
    if end != len(octets):
        raise DecodeError(f"{len(octets) - end} octets follow the result of a method {octets[:end][:32].hex()}.")
    return result


def decode_method_results(octets: bytes) -> tuple[MethodResult, ...]:
    """Inverse of `encode_method_results`. Raises DecodeError."""
    try:
        count, place = axdr.decode_length(octets, 0)
        if count > len(octets) - place:
            raise IndexError
        results: list[MethodResult] = []
        for _ in range(count):
            result, place = _result(octets, place)
            results.append(result)
    except IndexError:
        raise DecodeError(f"The list of method results is cut off at octet {len(octets)}.") from None
    if place != len(octets):
        raise DecodeError(f"{len(octets) - place} octets follow the list of {count} method results.")
    return tuple(results)


def decode_action_request(apdu: bytes) -> ActionRequests:
    """Raises DecodeError."""
    try:
        kind, invoke = apdu[1], apdu[2]
        match kind:
            case 1:
                method, place = _method(apdu, 3)
                parameter = one_value(apdu[place + 1 :]) if apdu[place] else None
                return ActionRequest(invoke, method, parameter)
            case 2:
                return ActionNextRequest(invoke, _number(apdu))
            case 3:
                methods, place = _methods(apdu)
                return ActionListRequest(invoke, methods, decode_values(apdu[place:]))
            case 4:
                method, place = _method(apdu, 3)
                return ActionFirstBlockRequest(invoke, method, decode_block(apdu, place))
            case 5:
                methods, place = _methods(apdu)
                return ActionListFirstBlockRequest(invoke, methods, decode_block(apdu, place))
            case 6:
                return ActionBlockRequest(invoke, decode_block(apdu, 3))
    except IndexError:
        raise DecodeError(f"The ACTION request {apdu[:32].hex()} is cut off.") from None
    raise DecodeError(f"An ACTION request is of kind 1 to 6, not {kind}.")


def decode_action_response(apdu: bytes) -> ActionResponses:
    """Raises DecodeError."""
    try:
        kind, invoke = apdu[1], apdu[2]
        match kind:
            case 1:
                return ActionResponse(invoke, decode_method_result(apdu[3:]))
            case 2:
                return ActionBlockResponse(invoke, decode_block(apdu, 3))
            case 3:
                return ActionListResponse(invoke, decode_method_results(apdu[3:]))
            case 4:
                return ActionNextResponse(invoke, _number(apdu))
    except IndexError:
        raise DecodeError(f"The ACTION response {apdu[:32].hex()} is cut off.") from None
    raise DecodeError(f"An ACTION response is of kind 1 to 4, not {kind}.")


def _encode_methods(methods: tuple[MethodDescriptor, ...]) -> bytes:
    return axdr.encode_length(len(methods)) + b"".join(method.encode() for method in methods)


def _method(apdu: bytes, place: int) -> tuple[MethodDescriptor, int]:
    if place + 9 > len(apdu):
        raise IndexError
    class_id, name = int.from_bytes(apdu[place : place + 2]), apdu[place + 2 : place + 8]
    return MethodDescriptor(class_id, name, int.from_bytes(apdu[place + 8 : place + 9], signed=True)), place + 9


def _methods(apdu: bytes) -> tuple[tuple[MethodDescriptor, ...], int]:
    count, place = axdr.decode_length(apdu, 3)
    if count > len(apdu) - place:
        raise IndexError
    methods: list[MethodDescriptor] = []
    for _ in range(count):
        method, place = _method(apdu, place)
        methods.append(method)
    return tuple(methods), place


def _number(apdu: bytes) -> int:
    if len(apdu) < 7:
        raise IndexError
    return int.from_bytes(apdu[3:7])


def _result(octets: bytes, place: int) -> tuple[MethodResult, int]:
    result, returns = octets[place], octets[place + 1]
    place += 2
    if not returns:
        return MethodResult(result), place
    if octets[place]:
        return MethodResult(result, error=octets[place + 1]), place + 2
    _, end = axdr.decode_from(octets, place + 1)
    return MethodResult(result, octets[place + 1 : end]), end
