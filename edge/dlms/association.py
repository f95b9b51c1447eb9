"""Client's side of an application association, logical names: AARQ to RLRE, and GET, SET, ACTION between them.

    state     | ours                                 | the meter's
    IDLE      | open -> OPENING                      |
    OPENING   |                                      | AARE accepted -> OPEN (HLS: PROVING), refused -> IDLE
    PROVING   |                                      | its proof -> OPEN, anything else -> IDLE
    OPEN      | get, set, action -> WAITING, release |
    WAITING   |                                      | answer or exception -> OPEN, block -> WAITING
    RELEASING |                                      | RLRE -> IDLE

What the meter sends in a state without such a message, or with another invoke id, is not taken for the answer. In a
ciphered association everything but AARE, RLRE and exceptions must be ciphered (edge/dlms/security.py).
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto
from typing import Final

from edge.dlms.errors import (
    AssociationRefusedError,
    CounterRefusedError,
    DlmsError,
    MisuseError,
    NotOfferedError,
    ProtocolError,
)
from edge.dlms.exchange import MAX_ANSWER, ActionExchange, Exchange, GetExchange, SetExchange, Step
from edge.dlms.general_transfer import GeneralTransfer
from edge.dlms.outcomes import Continue, Failed, Invoked, Opened, Outcome, Released
from edge.dlms.security import REPLY_TO_HLS, ClientSecurity
from shared.dlms import axdr
from shared.dlms.acse import AARE_TAG, RLRE_TAG, Aare, Aarq, Context, Diagnostic, Mechanism, Rlre, Rlrq
from shared.dlms.action import MethodDescriptor, MethodResult
from shared.dlms.apdu import (
    DECIPHERING_ERROR,
    EXCEPTION_TAG,
    INVOCATION_COUNTER_ERROR,
    ExceptionResponse,
    Response,
    ServiceResponse,
    decode_response,
)
from shared.dlms.errors import DecodeError
from shared.dlms.general_block import GENERAL_BLOCK_TAG
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
_NEVER_CIPHERED: Final = tuple(bytes((tag,)) for tag in (AARE_TAG, RLRE_TAG, EXCEPTION_TAG))


class State(Enum):
    """See the table above."""

    IDLE = auto()
    OPENING = auto()
    PROVING = auto()
    OPEN = auto()
    WAITING = auto()
    RELEASING = auto()


_GENERAL_BLOCK: Final = bytes((GENERAL_BLOCK_TAG,))
_ANSWERABLE: Final = (State.PROVING, State.WAITING)


class Association:
    """One association. Requests return the message to send; `receive` says what a message means for the request.

    Requests raise `NotOfferedError` for what the meter did not grant when the association was opened.
    """

    def __init__(
        self, password: bytes | None = None, security: ClientSecurity | None = None, general_blocks: int = 0
    ) -> None:
        """`general_blocks` is how many blocks of general block transfer we take in a stream; 0 does not propose it."""
        self.state = State.IDLE
        self.stale = 0
        """Messages that were whole but no answer to what was asked."""
        self.conformance = 0
        self._password = password
        self._security = security
        self._limit = MAX_PDU
        self._general_blocks = general_blocks
        self._transfer: GeneralTransfer | None = None
        self._invoke = 0
        self._exchange: Exchange | None = None
        self._opening = Opened(0, 0)

    def open(self) -> bytes:
        """AARQ. Raises DlmsError if no invocation counter can be had for it."""
        self._require(State.IDLE, "open")
        security, self._transfer = self._security, None
        proposed = PROPOSED | (Conformance.GENERAL_BLOCK_TRANSFER if self._general_blocks else 0)
        if security is None:
            initiate = InitiateRequest(proposed, MAX_PDU).encode()
            aarq = Aarq(initiate)
        else:
            security.begin()
            proposed |= Conformance.GENERAL_PROTECTION if security.settings.general else 0
            initiate = InitiateRequest(proposed, MAX_PDU, dedicated_key=security.dedicated_key).encode()
            aarq = Aarq(
                security.protect_initiate(initiate),
                context=Context.LOGICAL_NAMES_CIPHERED if security.ciphered else Context.LOGICAL_NAMES,
                mechanism=security.settings.mechanism,
                authentication=security.challenge,
                calling_title=security.settings.client_title,
            )
        if self._password is not None:
            aarq = replace(aarq, mechanism=Mechanism.LOW, authentication=self._password)
        self.state = State.OPENING
        return aarq.encode()

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
            outcome = self._receive_blocks(apdu) if apdu[:1] == _GENERAL_BLOCK else self._receive_whole(apdu)
        except DlmsError as error:
            outcome = self._failed(error)
        except DecodeError as error:
            outcome = self._failed(ProtocolError(f"a message that cannot be read ({error})", "a valid one"))
        if outcome is None:
            self.stale += 1
        return outcome

    def repeat(self) -> bytes | None:
        """What to send again after silence, where that cannot do harm; None if there is nothing of the kind."""
        return None if self._transfer is None or self.state not in _ANSWERABLE else self._transfer.repeat()

    def _receive_whole(self, apdu: bytes) -> Outcome | None:
        return self._receive(decode_response(self._opened(apdu)))

    def _receive_blocks(self, apdu: bytes) -> Outcome | None:
        if self._transfer is None or self.state not in _ANSWERABLE:
            return None
        step = self._transfer.receive(apdu)
        match step:
            case bytes():
                return self._receive_whole(step)
            case Failed(error):
                return self._failed(error)
        return step

    def _opened(self, apdu: bytes) -> bytes:
        """The plain message, which in a ciphered association only a few may be from the start."""
        if self._security is None or apdu[:1] in _NEVER_CIPHERED or self.state in (State.IDLE, State.OPENING):
            return apdu
        return self._security.unprotect(apdu, proving=self.state is State.PROVING)

    def _closed(self, apdu: bytes, *, proving: bool = False) -> bytes:
        """The request as it is sent: protected, and the first block of it where the meter does not take it whole."""
        closed = apdu if self._security is None else self._security.protect(apdu, proving=proving)
        return closed if self._transfer is None else self._transfer.begin(closed)

    def _next_invoke(self) -> int:
        self._invoke = (self._invoke + 1) & INVOKE_ID_MASK
        return HIGH_PRIORITY | CONFIRMED | self._invoke

    def _begin(self, exchange: Exchange) -> bytes:
        apdu = self._closed(exchange.begin())
        self.state = State.WAITING
        self._exchange = exchange
        return apdu

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
        elif self.state in (State.OPENING, State.PROVING, State.RELEASING):
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
            case ExceptionResponse():
                return self._failed(_exception(response))
            case _:
                # Only the id must agree: some meters do not echo the priority bit.
                if self.state not in _ANSWERABLE or response.invoke & INVOKE_ID_MASK != self._invoke:
                    return None
                return self._receive_service(response)

    def _receive_aare(self, response: Aare) -> Outcome:
        if response.result:
            self.state = State.IDLE
            return Failed(AssociationRefusedError(_refusal(response)))
        security, user_information = self._security, response.user_information
        if security is not None:
            security.meet(response.responding_title)
            user_information = security.unprotect(user_information, proving=True)
        granted = decode_initiate(user_information)
        if not granted.conformance & Conformance.GET:
            self.state = State.IDLE
            return Failed(AssociationRefusedError("The meter grants the association but no service GET to read with."))
        self.conformance = granted.conformance
        if security is not None:
            security.grant_general(bool(granted.conformance & Conformance.GENERAL_PROTECTION))
        limit = granted.max_pdu or MAX_PDU  # 0 says that the meter knows none
        self._limit = limit - (security.overhead if security is not None else 0)
        if self._general_blocks and granted.conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            self._transfer = GeneralTransfer(self._general_blocks, limit)
            self._limit = MAX_ANSWER
        self._opening = Opened(granted.conformance, granted.max_pdu)
        if security is None or security.settings.mechanism != Mechanism.HIGH_GMAC:
            self.state = State.OPEN
            return self._opening
        return self._prove(security, response.authentication)

    def _prove(self, security: ClientSecurity, challenge: bytes) -> Outcome:
        """Third pass of HLS: our proof, which asks for the meter's."""
        proof = axdr.octet_string(security.proof(challenge))
        method = MethodDescriptor(15, security.settings.association.bytes, REPLY_TO_HLS)
        exchange = ActionExchange(self._next_invoke(), ((method, proof),), self._limit)
        apdu = self._closed(exchange.begin(), proving=True)
        self.state, self._exchange = State.PROVING, exchange
        return Continue(apdu)

    def _receive_proof(self, outcome: Step) -> Outcome:
        """Fourth pass of HLS."""
        assert self._security is not None
        match outcome:
            case Invoked((MethodResult(0, bytes(data), 0),)):
                answer = axdr.decode(data)
                self._security.verify(answer if isinstance(answer, bytes) else b"")
                self.state = State.OPEN
                return self._opening
            case Invoked((MethodResult(result),)):
                error: DlmsError = AssociationRefusedError(
                    f"The meter does not accept the client's proof (action result {result}). Check system title, "
                    "encryption key and authentication key."
                )
            case _:
                error = ProtocolError("an answer in parts or lists", "its proof")
        self.state = State.IDLE
        return Failed(error)

    def _receive_service(self, response: ServiceResponse) -> Outcome | None:
        assert self._exchange is not None
        outcome = self._exchange.receive(response)
        if outcome is None:
            return None
        if self.state is State.PROVING:
            return self._receive_proof(outcome)
        if isinstance(outcome, Continue):
            return Continue(self._closed(outcome.apdu))
        self.state = State.OPEN
        return outcome


def _exception(response: ExceptionResponse) -> DlmsError:
    what = f"an exception (state error {response.state}, service error {response.service})"
    if response.service == INVOCATION_COUNTER_ERROR:
        return CounterRefusedError(response.counter)
    if response.service == DECIPHERING_ERROR:
        return AssociationRefusedError("The meter cannot decipher the client's message. Check keys and system title.")
    return ProtocolError(what, "an answer to the request")


def _refusal(response: Aare) -> str:
    reason = f"diagnostic {response.diagnostic}"
    if not response.by_provider and response.diagnostic in Diagnostic._value2member_map_:
        reason = f"{Diagnostic(response.diagnostic).name.lower().replace('_', ' ')} ({reason})"
    lasting = "for good" if response.result == 1 else "for now"
    return f"The meter refuses the association {lasting}: {reason}. Check client address, password and mechanism."
