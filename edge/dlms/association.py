"""Client's side of an application association, logical names: AARQ to RLRE, and GET, SET, ACTION between them.

    state     | ours                                 | the meter's
    IDLE      | open -> OPENING                      |
    OPENING   |                                      | AARE accepted -> OPEN, refused -> IDLE
    OPEN      | get, set, action -> WAITING, release |
    WAITING   |                                      | answer or exception -> OPEN, block -> WAITING
    RELEASING |                                      | RLRE -> IDLE

What the meter sends in a state without such a message, or with another invoke id, is not taken for the answer.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import Final

from edge.dlms.errors import AssociationRefusedError, DlmsError, MisuseError, NotOfferedError, ProtocolError
from edge.dlms.exchange import ActionExchange, Exchange, GetExchange, SetExchange
from edge.dlms.outcomes import Continue, Failed, Opened, Outcome, Released
from shared.dlms.acse import Aare, Aarq, Diagnostic, Mechanism, Rlre, Rlrq
from shared.dlms.action import MethodDescriptor
from shared.dlms.apdu import ExceptionResponse, Response, ServiceResponse, decode_response
from shared.dlms.errors import DecodeError
from shared.dlms.get import CONFIRMED, HIGH_PRIORITY, INVOKE_ID_MASK, AttributeDescriptor
from shared.dlms.initiate import Conformance, InitiateRequest
from shared.dlms.initiate import decode_response as decode_initiate

PROPOSED: Final = (
    Conformance.GET
    | Conformance.SET
    | Conformance.ACTION
    | Conformance.SELECTIVE_ACCESS
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_GET
    | Conformance.BLOCK_SET
    | Conformance.BLOCK_ACTION
)
MAX_PDU: Final = 0xFFFF
"""Largest message we take: the meter's own limit decides."""


class State(Enum):
    """See the table above."""

    IDLE = auto()
    OPENING = auto()
    OPEN = auto()
    WAITING = auto()
    RELEASING = auto()


class Association:
    """One association. Requests return the message to send; `receive` says what a message means for the request.

    Requests raise `NotOfferedError` for what the meter did not grant when the association was opened.
    """

    def __init__(self, password: bytes | None = None) -> None:
        self.state = State.IDLE
        self.stale = 0
        """Messages that were whole but no answer to what was asked."""
        self.conformance = 0
        self._password = password
        self._limit = MAX_PDU
        self._invoke = 0
        self._exchange: Exchange | None = None

    def open(self) -> bytes:
        """AARQ."""
        self._require(State.IDLE, "open")
        self.state = State.OPENING
        initiate = InitiateRequest(PROPOSED, MAX_PDU).encode()
        if self._password is None:
            return Aarq(initiate).encode()
        return Aarq(initiate, mechanism=Mechanism.LOW, authentication=self._password).encode()

    def get(self, *attributes: AttributeDescriptor) -> bytes:
        """GET of one attribute, or of several at once."""
        self._require(State.OPEN, "read")
        self._offered(Conformance.GET, "GET")
        self._offered_list(attributes)
        return self._begin(GetExchange(self._next_invoke(), attributes))

    def set(self, *writes: tuple[AttributeDescriptor, bytes]) -> bytes:
        """SET of one attribute to an encoded value, or of several at once."""
        self._require(State.OPEN, "write")
        self._offered(Conformance.SET, "SET")
        self._offered_list(writes)
        exchange = SetExchange(self._next_invoke(), writes, self._limit)
        if exchange.long:
            self._offered(Conformance.BLOCK_SET, f"SET of more than {self._limit} octets")
        return self._begin(exchange)

    def action(self, *calls: tuple[MethodDescriptor, bytes | None]) -> bytes:
        """ACTION: one method with its encoded parameter (None where it takes none), or several at once."""
        self._require(State.OPEN, "act")
        self._offered(Conformance.ACTION, "ACTION")
        self._offered_list(calls)
        exchange = ActionExchange(self._next_invoke(), calls, self._limit)
        if exchange.long:
            self._offered(Conformance.BLOCK_ACTION, f"ACTION of more than {self._limit} octets")
        return self._begin(exchange)

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

    def _next_invoke(self) -> int:
        self._invoke = (self._invoke + 1) & INVOKE_ID_MASK
        return HIGH_PRIORITY | CONFIRMED | self._invoke

    def _begin(self, exchange: Exchange) -> bytes:
        self.state = State.WAITING
        self._exchange = exchange
        return exchange.begin()

    def _offered(self, service: Conformance, what: str) -> None:
        if not self.conformance & service:
            raise NotOfferedError(f"The meter does not offer {what} to this client; it granted {self.conformance:06x}.")

    def _offered_list(self, items: Sequence[object]) -> None:
        if len(items) > 1:
            self._offered(Conformance.MULTIPLE_REFERENCES, "requests with a list")

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
                return self._receive_service(response)

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
        self._limit = granted.max_pdu or MAX_PDU  # 0: no limit
        return Opened(granted.conformance, granted.max_pdu)

    def _receive_service(self, response: ServiceResponse) -> Outcome | None:
        assert self._exchange is not None
        outcome = self._exchange.receive(response)
        if outcome is not None and not isinstance(outcome, Continue):
            self.state = State.OPEN
        return outcome


def _refusal(response: Aare) -> str:
    reason = f"diagnostic {response.diagnostic}"
    if not response.by_provider and response.diagnostic in Diagnostic._value2member_map_:
        reason = f"{Diagnostic(response.diagnostic).name.lower().replace('_', ' ')} ({reason})"
    lasting = "for good" if response.result == 1 else "for now"
    return f"The meter refuses the association {lasting}: {reason}. Check client address, password and mechanism."
