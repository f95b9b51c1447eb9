"""One service request with all its messages: what a GET, SET or ACTION sends, and what the meter's messages mean.

An exchange knows nothing of associations or ciphering. `receive` returns None for what is no answer to the message sent
last: a block that was there already.
"""

from typing import Final, Protocol

from edge.dlms.errors import AccessDeniedError, ProtocolError
from edge.dlms.outcomes import Answered, Continue, Failed, Invoked, Served, Written
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
    MethodDescriptor,
    decode_method_result,
    decode_method_results,
)
from shared.dlms.apdu import ServiceResponse
from shared.dlms.datablock import HEADER, DataBlock, cut
from shared.dlms.get import (
    AttributeDescriptor,
    GetBlockResponse,
    GetListRequest,
    GetListResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    Result,
    decode_results,
    encode_attributes,
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
    encode_values,
)
from shared.identifiers import Obis

MAX_ANSWER: Final = 1 << 22
"""Longest answer that is put together from blocks, octets."""
_FIXED: Final = 3  # tag, kind and invoke id of a request

Step = Served | Continue | Failed


def name_of(attribute: AttributeDescriptor) -> str:
    """For messages: `attribute 2 of 1-0:99.1.0 (class 7)`."""
    return f"attribute {attribute.attribute} of {Obis.from_bytes(attribute.logical_name)} (class {attribute.class_id})"


def method_name(method: MethodDescriptor) -> str:
    """For messages: `method 1 of 0-0:96.3.10 (class 70)`."""
    return f"method {method.method} of {Obis.from_bytes(method.logical_name)} (class {method.class_id})"


class Exchange(Protocol):
    """A request under way."""

    def begin(self) -> bytes:
        """The first message."""

    def receive(self, response: ServiceResponse) -> Step | None:
        """What a message with this request's invoke id means for it. Raises DecodeError for unreadable data."""


class GetExchange:
    """GET of one attribute, or of several with a list."""

    def __init__(self, invoke: int, attributes: tuple[AttributeDescriptor, ...]) -> None:
        self._invoke = invoke
        self._attributes = attributes
        self._answer = _Blocks()

    def begin(self) -> bytes:
        if len(self._attributes) == 1:
            return GetRequest(self._invoke, self._attributes[0]).encode()
        return GetListRequest(self._invoke, self._attributes).encode()

    def receive(self, response: ServiceResponse) -> Step | None:
        single = len(self._attributes) == 1
        match response:
            case GetResponse(_, result) if single:
                return self._answered((result,))
            case GetListResponse(_, results) if not single:
                return self._answered(results)
            case GetBlockResponse(_, last, number, data, error):
                if error:
                    return Failed(AccessDeniedError(name_of(self._attributes[0]), error))
                step = self._answer.take(DataBlock(last, number, data))
                if not isinstance(step, bytes):
                    return step
                if not last:
                    return Continue(GetNextRequest(self._invoke, number).encode())
                return self._answered((Result(step),) if single else decode_results(step))
        return _another_kind(response, len(self._attributes))

    def _answered(self, results: tuple[Result, ...]) -> Step:
        return _wrong_count(len(results), len(self._attributes)) or Answered(results)


class SetExchange:
    """SET of one attribute, or of several with a list; in blocks where `limit` octets do not hold the message."""

    def __init__(self, invoke: int, writes: tuple[tuple[AttributeDescriptor, bytes], ...], limit: int) -> None:
        self._invoke = invoke
        self._attributes = tuple(attribute for attribute, _ in writes)
        self._values = tuple(value for _, value in writes)
        self._limit = limit
        self._blocks: list[DataBlock] = []
        self._sent = 0
        """Number of the block that was sent last; 0 if the request went whole."""

    @property
    def long(self) -> bool:
        """Whether it needs block transfer."""
        return len(self._whole()) > self._limit

    def begin(self) -> bytes:
        whole = self._whole()
        if len(whole) <= self._limit:
            return whole
        single = len(self._attributes) == 1
        descriptors = self._attributes[0].encode() if single else encode_attributes(self._attributes)
        room = self._limit - _FIXED - HEADER
        data = self._values[0] if single else encode_values(self._values)
        self._blocks = cut(data, room - len(descriptors), room)
        self._sent = 1
        if single:
            return SetFirstBlockRequest(self._invoke, self._attributes[0], self._blocks[0]).encode()
        return SetListFirstBlockRequest(self._invoke, self._attributes, self._blocks[0]).encode()

    def receive(self, response: ServiceResponse) -> Step | None:
        single, short = len(self._attributes) == 1, not self._sent
        match response:
            case SetResponse(_, result) if single and short:
                return Written((result,))
            case SetListResponse(_, results) if not single and short:
                return self._written(results)
            case SetBlockResponse(_, number) if self._sent:
                return self._next(number)
            case SetLastBlockResponse(_, result, _) if self._sent:
                # One result for several attributes only where the transfer itself was broken off.
                return Written((result,) * len(self._attributes)) if single or result else _wrong_count(1, 2)
            case SetLastBlockListResponse(_, results, _) if not single and self._sent:
                return self._written(results)
        return _another_kind(response, len(self._attributes))

    def _whole(self) -> bytes:
        if len(self._attributes) == 1:
            return SetRequest(self._invoke, self._attributes[0], self._values[0]).encode()
        return SetListRequest(self._invoke, self._attributes, self._values).encode()

    def _next(self, number: int) -> Step | None:
        if number < self._sent:
            return None
        if number > self._sent or number == len(self._blocks):
            return Failed(ProtocolError(f"a receipt for block {number}", f"one for block {self._sent}, or results"))
        self._sent += 1
        return Continue(SetBlockRequest(self._invoke, self._blocks[self._sent - 1]).encode())

    def _written(self, results: tuple[int, ...]) -> Step:
        return _wrong_count(len(results), len(self._attributes)) or Written(results)


class ActionExchange:
    """ACTION of one method, or of several with a list; blocks both ways."""

    def __init__(self, invoke: int, calls: tuple[tuple[MethodDescriptor, bytes | None], ...], limit: int) -> None:
        self._invoke = invoke
        self._calls = calls
        self._limit = limit
        self._blocks: list[DataBlock] = []
        self._sent = 0
        self._answer = _Blocks()

    @property
    def long(self) -> bool:
        """Whether it needs block transfer."""
        return len(self._whole()) > self._limit

    def begin(self) -> bytes:
        whole = self._whole()
        if len(whole) <= self._limit:
            return whole
        room = self._limit - _FIXED - HEADER
        self._sent = 1
        if len(self._calls) == 1:
            method, parameter = self._calls[0]
            self._blocks = cut(parameter or b"", room - len(method.encode()), room)
            return ActionFirstBlockRequest(self._invoke, method, self._blocks[0]).encode()
        methods = self._methods()
        descriptors = 1 + sum(len(method.encode()) for method in methods)
        self._blocks = cut(encode_values(self._parameters()), room - descriptors, room)
        return ActionListFirstBlockRequest(self._invoke, methods, self._blocks[0]).encode()

    def receive(self, response: ServiceResponse) -> Step | None:
        single = len(self._calls) == 1
        match response:
            case ActionResponse(_, result) if single:
                return Invoked((result,))
            case ActionResponse(_, result) if result.result and self._sent:
                return Invoked((result,) * len(self._calls))  # the transfer itself was broken off
            case ActionListResponse(_, results) if not single:
                return _wrong_count(len(results), len(self._calls)) or Invoked(results)
            case ActionNextResponse(_, number) if self._sent:
                return self._next(number)
            case ActionBlockResponse(_, block):
                step = self._answer.take(block)
                if not isinstance(step, bytes):
                    return step
                if not block.last:
                    return Continue(ActionNextRequest(self._invoke, block.number).encode())
                results = (decode_method_result(step),) if single else decode_method_results(step)
                return _wrong_count(len(results), len(self._calls)) or Invoked(results)
        return _another_kind(response, len(self._calls))

    def _whole(self) -> bytes:
        if len(self._calls) == 1:
            return ActionRequest(self._invoke, *self._calls[0]).encode()
        return ActionListRequest(self._invoke, self._methods(), self._parameters()).encode()

    def _methods(self) -> tuple[MethodDescriptor, ...]:
        return tuple(method for method, _ in self._calls)

    def _parameters(self) -> tuple[bytes, ...]:
        return tuple(axdr.NULL if parameter is None else parameter for _, parameter in self._calls)

    def _next(self, number: int) -> Step | None:
        if number < self._sent:
            return None
        if number > self._sent or number == len(self._blocks):
            return Failed(ProtocolError(f"a receipt for block {number}", f"one for block {self._sent}, or results"))
        self._sent += 1
        return Continue(ActionBlockRequest(self._invoke, self._blocks[self._sent - 1]).encode())


class _Blocks:
    """A long answer as it comes."""

    def __init__(self) -> None:
        self._wanted = 1
        self._pieces: list[bytes] = []
        self._size = 0

    def take(self, block: DataBlock) -> bytes | Failed | None:
        """All that has come (of use when the block was the last), an error, or None for a block that was there."""
        if block.number < self._wanted:
            return None
        if block.number > self._wanted:
            return Failed(ProtocolError(f"block {block.number}", f"block {self._wanted}"))
        self._pieces.append(block.data)
        self._size += len(block.data)
        if self._size > MAX_ANSWER:
            return Failed(ProtocolError(f"more than {MAX_ANSWER} octets in blocks", "a shorter answer"))
        self._wanted += 1
        return b"".join(self._pieces) if block.last else b""


def _wrong_count(found: int, wanted: int) -> Failed | None:
    if found == wanted:
        return None
    return Failed(ProtocolError(f"{found} results", f"{wanted}, one for each attribute or method"))


def _another_kind(response: ServiceResponse, count: int) -> Failed:
    return Failed(
        ProtocolError(f"an answer of kind {type(response).__name__}", f"one for {count} attribute(s) or method(s)")
    )
