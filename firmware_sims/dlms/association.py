"""Application layer of a simulated meter: one client's association with its state, messages in, messages out.

state      | AARQ accepted | AARQ refused | RLRQ | GET, SET, ACTION | anything else
IDLE       | ASSOCIATED    | IDLE         | IDLE | exception        | exception
ASSOCIATED | ASSOCIATED    | IDLE         | IDLE | its answer       | exception
"""

from collections import deque
from enum import Enum, auto
from typing import Final

from firmware_sims.dlms.general_blocks import GeneralBlocks
from firmware_sims.dlms.meter import MeterSecurity
from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms.security import CounterRefusedError, ServerSecurity
from firmware_sims.dlms.services import Services
from shared.dlms import axdr
from shared.dlms.acse import AARQ_TAG, RLRQ_TAG, Aare, Aarq, Context, Diagnostic, Mechanism, Rlre, Rlrq
from shared.dlms.action import ActionRequest, ActionResponse, ActionResult, MethodDescriptor, MethodResult
from shared.dlms.apdu import DECIPHERING_ERROR, INVOCATION_COUNTER_ERROR, ExceptionResponse, decode_request
from shared.dlms.ciphering import GENERAL_OVERHEAD, TITLE_SIZE
from shared.dlms.errors import CipherError, DecodeError
from shared.dlms.general_block import GENERAL_BLOCK_TAG, decode_general_block
from shared.dlms.initiate import Conformance, InitiateResponse
from shared.dlms.initiate import decode_request as decode_initiate

OFFERED: Final = (
    Conformance.GET
    | Conformance.SET
    | Conformance.ACTION
    | Conformance.SELECTIVE_ACCESS
    | Conformance.MULTIPLE_REFERENCES
    | Conformance.BLOCK_GET
    | Conformance.BLOCK_SET
    | Conformance.BLOCK_ACTION
)
NOT_ALLOWED: Final = ExceptionResponse(state=1, service=1).encode()
NOT_SUPPORTED: Final = ExceptionResponse(state=2, service=2).encode()
_EXCEPTION: Final = NOT_ALLOWED[:1]
_GENERAL_BLOCK: Final = bytes((GENERAL_BLOCK_TAG,))
_WITHOUT_END: Final = 1 << 30
"""Limit of the services where general block transfer takes long messages apart."""
_PLAIN_REQUESTS: Final = (bytes((AARQ_TAG,)), bytes((RLRQ_TAG,)))


class State(Enum):
    """See the table above."""

    IDLE = auto()
    PROVING = auto()
    ASSOCIATED = auto()


class MeterAssociation:
    """The meter's side towards one client."""

    def __init__(self, meter: CosemMeter, client: int) -> None:
        self.state = State.IDLE
        self.services = Services(meter, meter.spec.max_pdu)
        self._meter = meter
        self._client = client
        self._general: GeneralBlocks | None = None
        self._stream: deque[bytes] = deque()
        agreed = meter.spec.security.get(client)
        self._security = (
            ServerSecurity(agreed, meter.counters[client], meter.spec.system_title) if agreed is not None else None
        )

    def receive(self, apdu: bytes) -> bytes:
        """The answer to one message; where it is a stream of blocks the first of them, and `more` the others."""
        return self._send(self._blocks_of(apdu))

    def more(self) -> bytes | None:
        """The next message that follows the last one without being asked for."""
        return self._stream.popleft() if self._stream else None

    def _send(self, messages: list[bytes]) -> bytes:
        self._stream = deque(messages)
        return self._stream.popleft() if self._stream else NOT_ALLOWED

    def _blocks_of(self, apdu: bytes) -> list[bytes]:
        """The answer as messages of what the client takes."""
        if apdu[:1] != _GENERAL_BLOCK:
            answer = self._receive_whole(apdu)
            return [answer] if self._general is None else self._general.give(answer, in_blocks=False)
        if self._general is None or self.state is State.IDLE:
            return [NOT_ALLOWED]
        try:
            taken = self._general.take(decode_general_block(apdu))
        except DecodeError:
            return [NOT_SUPPORTED]
        if isinstance(taken, list):
            return taken
        return self._general.give(self._receive_whole(taken), in_blocks=True)

    def _receive_whole(self, apdu: bytes) -> bytes:
        try:
            if self._security is None or apdu[:1] in _PLAIN_REQUESTS:
                return self._answer(apdu)
            request = self._security.open(apdu)
            if request is None and self._security.agreed.policy:
                return NOT_ALLOWED
            answer = self._answer(apdu if request is None else request)
            return answer if answer[:1] == _EXCEPTION else self._security.close(answer)
        except CounterRefusedError as refused:
            return ExceptionResponse(1, INVOCATION_COUNTER_ERROR, refused.expected).encode()
        except CipherError:
            return ExceptionResponse(1, DECIPHERING_ERROR).encode()
        except DecodeError:
            return NOT_SUPPORTED

    def _answer(self, apdu: bytes) -> bytes:
        request = decode_request(apdu)
        match request:
            case Aarq():
                return self._associate(request).encode()
            case Rlrq():
                self.state = State.IDLE
                return Rlre().encode()
            case ActionRequest(invoke, method, proof) if self.state is State.PROVING and self._proves(method):
                return ActionResponse(invoke, self._prove(proof)).encode()
            case _ if self.state is not State.ASSOCIATED:
                return NOT_ALLOWED
            case _:
                return self.services.receive(request)

    def _associate(self, request: Aarq) -> Aare:
        self.state, self._general = State.IDLE, None
        security, user_information = self._security, request.user_information
        diagnostic = self._objection(request)
        if diagnostic is not Diagnostic.NONE:
            return Aare(b"", result=1, diagnostic=diagnostic)
        if security is not None:
            security.begin(request.calling_title, request.authentication)
            if security.agreed.policy:
                opened = security.open(user_information)
                if opened is None:
                    return Aare(b"", result=1, diagnostic=Diagnostic.AUTHENTICATION_FAILURE)
                user_information = opened
        proposed = decode_initiate(user_information)
        spec = self._meter.spec
        offered = OFFERED | (Conformance.GENERAL_BLOCK_TRANSFER if spec.general_blocks else 0)
        if security is not None and security.agreed.general:
            offered |= Conformance.GENERAL_PROTECTION
        conformance = proposed.conformance & offered
        limit = min(spec.max_pdu, proposed.max_pdu or 0xFFFF)
        room = limit - (GENERAL_OVERHEAD if security is not None and security.agreed.policy else 0)
        if conformance & Conformance.GENERAL_BLOCK_TRANSFER:
            self._general, room = GeneralBlocks(spec.general_blocks, limit), _WITHOUT_END
        self.services = Services(self._meter, room)
        granted = InitiateResponse(conformance, spec.max_pdu).encode()
        if security is None:
            self.state = State.ASSOCIATED
            return Aare(granted)
        security.dedicated_key = proposed.dedicated_key
        high = request.mechanism == Mechanism.HIGH_GMAC
        self.state = State.PROVING if high else State.ASSOCIATED
        return Aare(
            security.close(granted),
            diagnostic=Diagnostic.AUTHENTICATION_REQUIRED if high else Diagnostic.NONE,
            context=request.context,
            mechanism=request.mechanism if high else Mechanism.NONE,
            authentication=security.challenge if high else b"",
            responding_title=security.title,
        )

    def _proves(self, method: MethodDescriptor) -> bool:
        return self._security is not None and method == (15, self._security.agreed.association.bytes, 1)

    def _prove(self, parameter: bytes | None) -> MethodResult:
        """Passes 3 and 4 of HLS."""
        assert self._security is not None
        proof = None if parameter is None else axdr.decode(parameter)
        if not isinstance(proof, bytes) or not self._security.accepts(proof):
            self.state = State.IDLE
            return MethodResult(ActionResult.OTHER_REASON)
        self.state = State.ASSOCIATED
        return MethodResult(data=axdr.octet_string(self._security.proof()))

    def _objection(self, request: Aarq) -> Diagnostic:
        if self._security is not None:
            return _secured_objection(request, self._security.agreed, self._meter.spec.passwords.get(self._client))
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


def _secured_objection(request: Aarq, agreed: MeterSecurity, password: bytes | None) -> Diagnostic:
    if request.context != (Context.LOGICAL_NAMES_CIPHERED if agreed.policy else Context.LOGICAL_NAMES):
        return Diagnostic.CONTEXT_NOT_SUPPORTED
    if request.mechanism != agreed.mechanism:
        return Diagnostic.MECHANISM_NOT_RECOGNISED
    if len(request.calling_title) != TITLE_SIZE:
        return Diagnostic.AUTHENTICATION_FAILURE
    if request.mechanism == Mechanism.HIGH_GMAC:
        return Diagnostic.NONE if 8 <= len(request.authentication) <= 64 else Diagnostic.AUTHENTICATION_FAILURE
    if request.mechanism == Mechanism.LOW and request.authentication != password:
        return Diagnostic.AUTHENTICATION_FAILURE
    return Diagnostic.NONE
