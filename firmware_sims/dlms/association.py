"""Application layer of a simulated meter: one client's association with its state, messages in, messages out.

    state      | AARQ accepted | AARQ refused | RLRQ   | GET                    | anything else
    IDLE       | ASSOCIATED    | IDLE         | IDLE   | exception              | exception
    ASSOCIATED | ASSOCIATED    | IDLE         | IDLE   | ASSOCIATED, SENDING    | exception
    SENDING    | ASSOCIATED    | IDLE         | IDLE   | next block, or as above | exception

A long answer is cut into blocks of what both sides take; the next block is sent when the client names the one before.
"""

from enum import Enum, auto
from typing import Final

from firmware_sims.dlms.objects import CosemMeter
from shared.dlms.acse import Aare, Aarq, Context, Diagnostic, Mechanism, Rlre, Rlrq
from shared.dlms.apdu import ExceptionResponse, decode_request
from shared.dlms.errors import DecodeError
from shared.dlms.get import (
    DataAccessResult,
    GetBlockResponse,
    GetListRequest,
    GetListResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    encode_results,
)
from shared.dlms.initiate import Conformance, InitiateResponse
from shared.dlms.initiate import decode_request as decode_initiate

OFFERED: Final = (
    Conformance.GET | Conformance.SELECTIVE_ACCESS | Conformance.MULTIPLE_REFERENCES | Conformance.BLOCK_GET
)
BLOCK_HEADER: Final = 12
"""Octets of a block message around its data: C4 02, invoke id, last, number 4, choice, length 3."""
NOT_ALLOWED: Final = ExceptionResponse(state=1, service=1).encode()
NOT_SUPPORTED: Final = ExceptionResponse(state=2, service=2).encode()


class State(Enum):
    """See the table above."""

    IDLE = auto()
    ASSOCIATED = auto()
    SENDING = auto()


class MeterAssociation:
    """The meter's side towards one client."""

    def __init__(self, meter: CosemMeter, client: int) -> None:
        self.state = State.IDLE
        self._meter = meter
        self._client = client
        self._limit = meter.spec.max_pdu
        self._blocks: list[bytes] = []
        self._block = 0

    def receive(self, apdu: bytes) -> bytes:
        """The answer to one message."""
        try:
            request = decode_request(apdu)
            match request:
                case Aarq():
                    return self._associate(request).encode()
                case Rlrq():
                    self.state = State.IDLE
                    return Rlre().encode()
                case _ if self.state is State.IDLE:
                    return NOT_ALLOWED
                case GetRequest(invoke, attribute):
                    result = self._meter.read(attribute)
                    return self._whole_or_blocks(invoke, GetResponse(invoke, result).encode(), result.data)
                case GetListRequest(invoke, attributes):
                    results = tuple(self._meter.read(each) for each in attributes)
                    whole = GetListResponse(invoke, results).encode()
                    return self._whole_or_blocks(invoke, whole, encode_results(results))
                case GetNextRequest(invoke, block):
                    return self._next_block(invoke, block)
        except DecodeError:
            return NOT_SUPPORTED

    def _associate(self, request: Aarq) -> Aare:
        self.state = State.IDLE
        proposed = decode_initiate(request.user_information)
        diagnostic = self._objection(request)
        if diagnostic is not Diagnostic.NONE:
            return Aare(b"", result=1, diagnostic=diagnostic)
        self.state = State.ASSOCIATED
        self._limit = min(self._meter.spec.max_pdu, proposed.max_pdu or 0xFFFF)
        granted = InitiateResponse(proposed.conformance & OFFERED, self._meter.spec.max_pdu)
        return Aare(granted.encode())

    def _objection(self, request: Aarq) -> Diagnostic:
        if request.context != Context.LOGICAL_NAMES:
            return Diagnostic.CONTEXT_NOT_SUPPORTED
        password = self._meter.spec.passwords.get(self._client)
        if request.mechanism not in (Mechanism.NONE, Mechanism.LOW):
            return Diagnostic.MECHANISM_NOT_RECOGNISED
        if password is None:
            return Diagnostic.NONE
        if request.mechanism == Mechanism.NONE:
            return Diagnostic.AUTHENTICATION_REQUIRED
        return Diagnostic.NONE if request.authentication == password else Diagnostic.AUTHENTICATION_FAILURE

    def _whole_or_blocks(self, invoke: int, whole: bytes, data: bytes) -> bytes:
        """The whole answer if it fits into the client's messages, else the first block of `data`."""
        if len(whole) <= self._limit or not data:
            self.state = State.ASSOCIATED
            return whole
        size = max(self._limit - BLOCK_HEADER, 1)
        self._blocks = [data[place : place + size] for place in range(0, len(data), size)]
        self._block = 0
        self.state = State.SENDING
        return self._send_block(invoke)

    def _next_block(self, invoke: int, block: int) -> bytes:
        if self.state is not State.SENDING:
            return GetBlockResponse(invoke, True, block, error=DataAccessResult.NO_LONG_GET_IN_PROGRESS).encode()
        if block != self._block:
            self.state = State.ASSOCIATED
            return GetBlockResponse(invoke, True, block, error=DataAccessResult.DATA_BLOCK_NUMBER_INVALID).encode()
        return self._send_block(invoke)

    def _send_block(self, invoke: int) -> bytes:
        self._block += 1
        last = self._block == len(self._blocks)
        if last:
            self.state = State.ASSOCIATED
        return GetBlockResponse(invoke, last, self._block, self._blocks[self._block - 1]).encode()
