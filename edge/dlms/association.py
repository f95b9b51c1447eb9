"""Client's side of an application association, logical names: AARQ to RLRE, GET with lists and block transfer.

    state     | ours                            | the meter's
    IDLE      | open -> OPENING                 |
    OPENING   |                                 | AARE accepted -> OPEN, refused -> IDLE
    OPEN      | get -> WAITING, release         |
    WAITING   |                                 | answer or exception -> OPEN, block -> WAITING
    RELEASING |                                 | RLRE -> IDLE

What the meter sends in a state without such a message, or with another invoke id, is not taken for the answer.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from edge.dlms.errors import (
    AccessDeniedError,
    AssociationRefusedError,
    DlmsError,
    MisuseError,
    ProtocolError,
)
from shared.dlms.acse import Aare, Aarq, Diagnostic, Mechanism, Rlre, Rlrq
from shared.dlms.apdu import ExceptionResponse, Response, decode_response
from shared.dlms.errors import DecodeError
from shared.dlms.get import (
    CONFIRMED,
    HIGH_PRIORITY,
    INVOKE_ID_MASK,
    AttributeDescriptor,
    GetBlockResponse,
    GetListRequest,
    GetListResponse,
    GetNextRequest,
    GetRequest,
    GetResponse,
    GetResponses,
    Result,
    decode_results,
)
from shared.dlms.initiate import Conformance, InitiateRequest
from shared.dlms.initiate import decode_response as decode_initiate
from shared.identifiers import Obis

PROPOSED: Final = (
    Conformance.GET | Conformance.SELECTIVE_ACCESS | Conformance.MULTIPLE_REFERENCES | Conformance.BLOCK_GET
)
MAX_PDU: Final = 0xFFFF
"""Largest message we take: the meter's own limit decides."""
MAX_ANSWER: Final = 1 << 22
"""Longest answer that is put together from blocks, octets."""


class State(Enum):
    """See the table above."""

    IDLE = auto()
    OPENING = auto()
    OPEN = auto()
    WAITING = auto()
    RELEASING = auto()


@dataclass(frozen=True, slots=True)
class Opened:
    """The association is open with what the meter granted."""

    conformance: int
    max_pdu: int


@dataclass(frozen=True, slots=True)
class Answered:
    """What the GET asked for, in its order: encoded data, or the meter's refusal, for each attribute."""

    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Released:
    """The association is closed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The request came to nothing."""

    error: DlmsError


@dataclass(frozen=True, slots=True)
class Continue:
    """The request goes on with this message."""

    apdu: bytes


Outcome = Opened | Answered | Released | Failed | Continue


def name_of(attribute: AttributeDescriptor) -> str:
    """For messages: `attribute 2 of 1-0:99.1.0 (class 7)`."""
    return f"attribute {attribute.attribute} of {Obis.from_bytes(attribute.logical_name)} (class {attribute.class_id})"


class Association:
    """One association. Requests return the message to send; `receive` says what a message means for the request."""

    def __init__(self, password: bytes | None = None) -> None:
        self.state = State.IDLE
        self.stale = 0
        """Messages that were whole but no answer to what was asked."""
        self.conformance = 0
        self._password = password
        self._invoke = 0
        self._requested: tuple[AttributeDescriptor, ...] = ()
        self._block = 0
        self._blocks: list[bytes] = []
        self._size = 0

    def open(self) -> bytes:
        """AARQ."""
        self._require(State.IDLE, "open")
        self.state = State.OPENING
        initiate = InitiateRequest(PROPOSED, MAX_PDU).encode()
        if self._password is None:
            return Aarq(initiate).encode()
        return Aarq(initiate, mechanism=Mechanism.LOW, authentication=self._password).encode()

    def get(self, *attributes: AttributeDescriptor) -> bytes:
        """GET of one attribute, or of several at once (only if MULTIPLE_REFERENCES was granted)."""
        self._require(State.OPEN, "read")
        self.state = State.WAITING
        self._requested = attributes
        self._block, self._blocks, self._size = 1, [], 0
        self._invoke = (self._invoke + 1) & INVOKE_ID_MASK
        if len(attributes) == 1:
            return GetRequest(self._invoke_octet, attributes[0]).encode()
        return GetListRequest(self._invoke_octet, attributes).encode()

    def release(self) -> bytes:
        """RLRQ."""
        self._require(State.OPEN, "release")
        self.state = State.RELEASING
        return Rlrq().encode()

    def receive(self, apdu: bytes) -> Outcome | None:
        """What `apdu` means for the request under way; None if it is no answer to it. Never raises on the octets."""
        try:
            outcome = self._receive(decode_response(apdu))
        except DecodeError as error:
            outcome = self._failed(ProtocolError(f"a message that cannot be read ({error})", "a valid one"))
        if outcome is None:
            self.stale += 1
        return outcome

    @property
    def _invoke_octet(self) -> int:
        return HIGH_PRIORITY | CONFIRMED | self._invoke

    def _require(self, state: State, act: str) -> None:
        if self.state is not state:
            raise MisuseError(f"An association that is {self.state.name} cannot {act}; it must be {state.name}.")

    def _failed(self, error: DlmsError) -> Failed | None:
        """The request has failed; what the association is afterwards. Without a request, nothing has."""
        if self.state is State.WAITING:
            self.state = State.OPEN
        elif self.state in (State.OPENING, State.RELEASING):
            self.state = State.IDLE
        else:
            return None
        return Failed(error)

    def _receive(self, response: Response) -> Outcome | None:
        match response:
            case Aare():
                return self._receive_aare(response) if self.state is State.OPENING else None
            case Rlre():
                if self.state is not State.RELEASING:
                    return None
                self.state = State.IDLE
                return Released()
            case ExceptionResponse(state, service):
                what = f"an exception (state error {state}, service error {service})"
                return self._failed(ProtocolError(what, "an answer to the request"))
            case _:
                # Only the id must agree: some meters do not echo the priority bit.
                if self.state is not State.WAITING or response.invoke & INVOKE_ID_MASK != self._invoke:
                    return None
                return self._receive_get(response)

    def _receive_aare(self, response: Aare) -> Outcome:
        if response.result:
            self.state = State.IDLE
            return Failed(AssociationRefusedError(_refusal(response)))
        granted = decode_initiate(response.user_information)
        self.state = State.IDLE
        if not granted.conformance & Conformance.GET:
            return Failed(AssociationRefusedError("The meter grants the association but no service GET to read with."))
        self.state = State.OPEN
        self.conformance = granted.conformance
        return Opened(granted.conformance, granted.max_pdu)

    def _receive_get(self, response: GetResponses) -> Outcome | None:
        single = len(self._requested) == 1
        match response:
            case GetResponse(_, result) if single:
                return self._answered((result,))
            case GetListResponse(_, results) if not single:
                return self._answered(results)
            case GetBlockResponse():
                return self._receive_block(response, single)
        return self._failed(
            ProtocolError(f"an answer of kind {type(response).__name__}", f"{len(self._requested)} attribute(s)")
        )

    def _receive_block(self, response: GetBlockResponse, single: bool) -> Outcome | None:
        if response.error:
            return self._failed(AccessDeniedError(name_of(self._requested[0]), response.error))
        if response.block < self._block:
            return None
        if response.block > self._block:
            return self._failed(ProtocolError(f"block {response.block}", f"block {self._block}"))
        self._blocks.append(response.data)
        self._size += len(response.data)
        if self._size > MAX_ANSWER:
            return self._failed(ProtocolError(f"more than {MAX_ANSWER} octets in blocks", "a shorter answer"))
        if not response.last:
            self._block += 1
            return Continue(GetNextRequest(self._invoke_octet, response.block).encode())
        data = b"".join(self._blocks)
        self._blocks = []
        return self._answered((Result(data),) if single else decode_results(data))

    def _answered(self, results: tuple[Result, ...]) -> Outcome:
        self.state = State.OPEN
        if len(results) != len(self._requested):
            return Failed(ProtocolError(f"{len(results)} results", f"{len(self._requested)}, one for each attribute"))
        return Answered(results)


def _refusal(response: Aare) -> str:
    reason = f"diagnostic {response.diagnostic}"
    if not response.by_provider and response.diagnostic in Diagnostic._value2member_map_:
        reason = f"{Diagnostic(response.diagnostic).name.lower().replace('_', ' ')} ({reason})"
    lasting = "for good" if response.result == 1 else "for now"
    return f"The meter refuses the association {lasting}: {reason}. Check client address, password and mechanism."
