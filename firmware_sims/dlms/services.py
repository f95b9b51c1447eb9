"""What a simulated meter does with GET, SET and ACTION of one client, in one association: messages in, answers out.

Answers longer than `limit` are cut into blocks, and the next is sent when the client names the one before; long
parameters are put together from blocks. A new request ends whatever was under way.
"""

from typing import Final

from firmware_sims.dlms.objects import CosemMeter
from shared.dlms import axdr
from shared.dlms.action import (
    ActionBlockRequest,
    ActionBlockResponse,
    ActionFirstBlockRequest,
    ActionListFirstBlockRequest,
    ActionListRequest,
    ActionListResponse,
    ActionNextRequest,
    ActionNextResponse,
    ActionRequest,
    ActionResponse,
    ActionResult,
    MethodDescriptor,
    MethodResult,
    encode_method_results,
)
from shared.dlms.apdu import ServiceRequest
from shared.dlms.datablock import HEADER, DataBlock, cut
from shared.dlms.errors import DecodeError
from shared.dlms.get import (
    AttributeDescriptor,
    DataAccessResult,
    GetBlockResponse,
    GetListRequest,
    GetListResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    encode_results,
)
from shared.dlms.set import (
    SetBlockRequest,
    SetBlockResponse,
    SetFirstBlockRequest,
    SetLastBlockListResponse,
    SetLastBlockResponse,
    SetListFirstBlockRequest,
    SetListRequest,
    SetListResponse,
    SetRequest,
    SetResponse,
    decode_values,
    one_value,
)

MAX_PARAMETER: Final = 1 << 20
"""Longest parameter that is put together from blocks, octets."""
_GET_HEADER: Final = 12
"""Octets of a GET block around its data: C4 02, invoke id, last, number 4, choice, length 3."""
_ACTION_HEADER: Final = 3 + HEADER


class Services:
    """GET, SET, ACTION with their transfers."""

    def __init__(self, meter: CosemMeter, limit: int) -> None:
        self._meter = meter
        self._limit = limit
        self._outgoing: list[DataBlock] = []
        self._sent = 0
        self._getting = False
        self._incoming: _Incoming | None = None

    @property
    def sending(self) -> bool:
        """Whether the client has blocks of a long answer still to fetch."""
        return self._sent < len(self._outgoing)

    def receive(self, request: ServiceRequest) -> bytes:
        """The answer. Raises DecodeError for values that cannot be read."""
        match request:
            case GetNextRequest(invoke, block):
                return self._next_get_block(invoke, block)
            case ActionNextRequest(invoke, block):
                return self._next_action_block(invoke, block)
            case SetBlockRequest(invoke, block) | ActionBlockRequest(invoke, block):
                return self._further_block(invoke, block, isinstance(request, SetBlockRequest))
        self._outgoing, self._sent, self._incoming = [], 0, None
        match request:
            case GetRequest(invoke, attribute):
                result = self._meter.read(attribute)
                return self._got(invoke, GetResponse(invoke, result).encode(), result.data)
            case GetListRequest(invoke, attributes):
                results = tuple(self._meter.read(each) for each in attributes)
                return self._got(invoke, GetListResponse(invoke, results).encode(), encode_results(results))
            case SetRequest(invoke, attribute, value):
                return SetResponse(invoke, self._meter.write(attribute, value)).encode()
            case SetListRequest(invoke, attributes, values):
                return SetListResponse(invoke, self._write(attributes, values)).encode()
            case ActionRequest(invoke, method, parameter):
                return self._acted(invoke, (self._meter.invoke(method, parameter),), single=True)
            case ActionListRequest(invoke, methods, parameters):
                return self._acted(invoke, self._invoke(methods, parameters), single=False)
            case SetFirstBlockRequest(invoke, attribute, block):
                self._incoming = _Incoming((attribute,), (), single=True)
            case SetListFirstBlockRequest(invoke, attributes, block):
                self._incoming = _Incoming(attributes, (), single=False)
            case ActionFirstBlockRequest(invoke, method, block):
                self._incoming = _Incoming((), (method,), single=True)
            case ActionListFirstBlockRequest(invoke, methods, block):
                self._incoming = _Incoming((), methods, single=False)
        setting = isinstance(request, SetFirstBlockRequest | SetListFirstBlockRequest)
        return self._further_block(invoke, block, setting)

    # -- long answers

    def _got(self, invoke: int, whole: bytes, data: bytes) -> bytes:
        if len(whole) <= self._limit or not data:
            return whole
        size = self._limit - _GET_HEADER
        self._outgoing, self._sent, self._getting = cut(data, size, size), 0, True
        return self._send_get_block(invoke)

    def _next_get_block(self, invoke: int, block: int) -> bytes:
        if not self.sending or not self._getting:
            return GetBlockResponse(invoke, True, block, error=DataAccessResult.NO_LONG_GET_IN_PROGRESS).encode()
        if block != self._sent:
            self._outgoing, self._sent = [], 0
            return GetBlockResponse(invoke, True, block, error=DataAccessResult.DATA_BLOCK_NUMBER_INVALID).encode()
        return self._send_get_block(invoke)

    def _send_get_block(self, invoke: int) -> bytes:
        block = self._outgoing[self._sent]
        self._sent += 1
        return GetBlockResponse(invoke, block.last, block.number, block.data).encode()

    def _acted(self, invoke: int, results: tuple[MethodResult, ...], single: bool) -> bytes:
        whole = (ActionResponse(invoke, results[0]) if single else ActionListResponse(invoke, results)).encode()
        if len(whole) <= self._limit:
            return whole
        size = self._limit - _ACTION_HEADER
        data = results[0].encode() if single else encode_method_results(results)
        self._outgoing, self._sent, self._getting = cut(data, size, size), 1, False
        return ActionBlockResponse(invoke, self._outgoing[0]).encode()

    def _next_action_block(self, invoke: int, block: int) -> bytes:
        if not self.sending or self._getting:
            return ActionResponse(invoke, MethodResult(ActionResult.NO_LONG_ACTION_IN_PROGRESS)).encode()
        if block != self._sent:
            self._outgoing, self._sent = [], 0
            return ActionResponse(invoke, MethodResult(ActionResult.LONG_ACTION_ABORTED)).encode()
        self._sent += 1
        return ActionBlockResponse(invoke, self._outgoing[self._sent - 1]).encode()

    # -- long parameters

    def _further_block(self, invoke: int, block: DataBlock, setting: bool) -> bytes:
        incoming = self._incoming
        if incoming is None or incoming.setting is not setting:
            if setting:
                return SetLastBlockResponse(invoke, DataAccessResult.NO_LONG_SET_IN_PROGRESS, block.number).encode()
            return ActionResponse(invoke, MethodResult(ActionResult.NO_LONG_ACTION_IN_PROGRESS)).encode()
        if block.number != incoming.wanted or len(incoming.data) + len(block.data) > MAX_PARAMETER:
            self._incoming = None
            if setting:
                return SetLastBlockResponse(invoke, DataAccessResult.DATA_BLOCK_NUMBER_INVALID, block.number).encode()
            return ActionResponse(invoke, MethodResult(ActionResult.LONG_ACTION_ABORTED)).encode()
        incoming.data += block.data
        incoming.wanted += 1
        if not block.last:
            received = SetBlockResponse if setting else ActionNextResponse
            return received(invoke, block.number).encode()
        self._incoming = None
        data = bytes(incoming.data)
        values = (one_value(data),) if incoming.single else decode_values(data)
        if not setting:
            return self._acted(invoke, self._invoke(incoming.methods, values), incoming.single)
        results = self._write(incoming.attributes, values)
        if incoming.single:
            return SetLastBlockResponse(invoke, results[0], block.number).encode()
        return SetLastBlockListResponse(invoke, results, block.number).encode()

    def _write(self, attributes: tuple[AttributeDescriptor, ...], values: tuple[bytes, ...]) -> tuple[int, ...]:
        _same_length(attributes, values)
        return tuple(self._meter.write(each, value) for each, value in zip(attributes, values, strict=True))

    def _invoke(self, methods: tuple[MethodDescriptor, ...], values: tuple[bytes, ...]) -> tuple[MethodResult, ...]:
        _same_length(methods, values)
        return tuple(
            self._meter.invoke(each, None if value == axdr.NULL else value)
            for each, value in zip(methods, values, strict=True)
        )


class _Incoming:
    """A long parameter as it comes."""

    def __init__(
        self, attributes: tuple[AttributeDescriptor, ...], methods: tuple[MethodDescriptor, ...], *, single: bool
    ) -> None:
        self.attributes = attributes
        self.methods = methods
        self.single = single
        self.setting = bool(attributes)
        self.wanted = 1
        self.data = bytearray()


def _same_length(items: tuple[object, ...], values: tuple[bytes, ...]) -> None:
    if len(items) != len(values):
        raise DecodeError(f"A list request names {len(items)} attributes or methods but brings {len(values)} values.")
