"""Application layer of a simulated meter: one client's association with its state, messages in, messages out.

state      | AARQ accepted | AARQ refused | RLRQ | GET, SET, ACTION | anything else
IDLE       | ASSOCIATED    | IDLE         | IDLE | exception        | exception
ASSOCIATED | ASSOCIATED    | IDLE         | IDLE | its answer       | exception
"""

from enum import Enum, auto
from typing import Final

from firmware_sims.dlms.objects import CosemMeter
from firmware_sims.dlms.services import Services
from shared.dlms.acse import Aare, Aarq, Context, Diagnostic, Mechanism, Rlre, Rlrq
from shared.dlms.apdu import ExceptionResponse, decode_request
from shared.dlms.errors import DecodeError
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


class State(Enum):
    """See the table above."""

    IDLE = auto()
    ASSOCIATED = auto()


class MeterAssociation:
    """The meter's side towards one client."""

    def __init__(self, meter: CosemMeter, client: int) -> None:
        self.state = State.IDLE
        self.services = Services(meter, meter.spec.max_pdu)
        self._meter = meter
        self._client = client

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
                case _:
                    return self.services.receive(request)
        except DecodeError:
            return NOT_SUPPORTED

    def _associate(self, request: Aarq) -> Aare:
        self.state = State.IDLE
        proposed = decode_initiate(request.user_information)
        diagnostic = self._objection(request)
        if diagnostic is not Diagnostic.NONE:
            return Aare(b"", result=1, diagnostic=diagnostic)
        self.state = State.ASSOCIATED
        self.services = Services(self._meter, min(self._meter.spec.max_pdu, proposed.max_pdu or 0xFFFF))
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
