"""Application messages by their first octet: one table for what a client receives, one for what a meter receives."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from shared.dlms.acse import AARE_TAG, AARQ_TAG, RLRE_TAG, RLRQ_TAG, Aare, Aarq, Rlre, Rlrq, decode_aare, decode_aarq
from shared.dlms.action import (
    ACTION_REQUEST_TAG,
    ACTION_RESPONSE_TAG,
    ActionRequests,
    ActionResponses,
    decode_action_request,
    decode_action_response,
)
from shared.dlms.errors import DecodeError
from shared.dlms.get import (
    GET_REQUEST_TAG,
    GET_RESPONSE_TAG,
    GetRequests,
    GetResponses,
    decode_get_request,
    decode_get_response,
)
from shared.dlms.set import (
    SET_REQUEST_TAG,
    SET_RESPONSE_TAG,
    SetRequests,
    SetResponses,
    decode_set_request,
    decode_set_response,
)

EXCEPTION_TAG: Final = 0xD8
DECIPHERING_ERROR: Final = 5
INVOCATION_COUNTER_ERROR: Final = 6
Message = TypeVar("Message")


@dataclass(frozen=True, slots=True)
class ExceptionResponse:
    """The meter could not treat a request at all. State 1 not allowed, 2 unknown; service 1 not possible, 2 not
    supported, 3 other reason, 4 message too long, 5 deciphering, 6 invocation counter (with the one it expects)."""

    state: int
    service: int
    counter: int | None = None

    def encode(self) -> bytes:
        counter = b"" if self.counter is None else self.counter.to_bytes(4)
        return bytes((EXCEPTION_TAG, self.state, self.service)) + counter


ServiceResponse = GetResponses | SetResponses | ActionResponses
ServiceRequest = GetRequests | SetRequests | ActionRequests
Response = Aare | Rlre | ServiceResponse | ExceptionResponse
Request = Aarq | Rlrq | ServiceRequest


def _decode_exception(apdu: bytes) -> ExceptionResponse:
    if len(apdu) < 3:
        raise DecodeError(f"The exception response {apdu.hex()} is cut off.")
    counter = int.from_bytes(apdu[3:7]) if apdu[2] == INVOCATION_COUNTER_ERROR and len(apdu) >= 7 else None
    return ExceptionResponse(apdu[1], apdu[2], counter)


_RESPONSES: Final[dict[int, Callable[[bytes], Response]]] = {
    AARE_TAG: decode_aare,
    RLRE_TAG: lambda _: Rlre(),
    GET_RESPONSE_TAG: decode_get_response,
    SET_RESPONSE_TAG: decode_set_response,
    ACTION_RESPONSE_TAG: decode_action_response,
    EXCEPTION_TAG: _decode_exception,
}
_REQUESTS: Final[dict[int, Callable[[bytes], Request]]] = {
    AARQ_TAG: decode_aarq,
    RLRQ_TAG: lambda _: Rlrq(),
    GET_REQUEST_TAG: decode_get_request,
    SET_REQUEST_TAG: decode_set_request,
    ACTION_REQUEST_TAG: decode_action_request,
}


def decode_response(apdu: bytes) -> Response:
    """What a meter sent. Raises DecodeError."""
    return _decode(apdu, _RESPONSES, "response")


def decode_request(apdu: bytes) -> Request:
    """What a client sent. Raises DecodeError."""
    return _decode(apdu, _REQUESTS, "request")


def _decode(apdu: bytes, decoders: dict[int, Callable[[bytes], Message]], what: str) -> Message:
    if not apdu:
        raise DecodeError(f"A DLMS {what} is empty.")
    decoder = decoders.get(apdu[0])
    if decoder is None:
        raise DecodeError(f"A DLMS {what} that begins with {apdu[:8].hex()} is of an unknown kind.")
    return decoder(apdu)
