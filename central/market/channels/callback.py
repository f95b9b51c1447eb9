"""The call-back service: the market operator calls it with answers and messages; a server of its own.

It is the only door that is open to the outside, so it serves nothing else: no token, no page, no other route. Mutual
TLS is kept by the server itself (uvicorn asks for a certificate of the trusted authorities before a request is read);
who sent a message says its WS-Security signature. Names of the services are documented, the rest is assumed.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

import structlog
from fastapi import Depends, FastAPI, Request, Response
from sqlalchemy import Connection, Engine

from central.market.channels import archive, quota, wss
from central.market.channels.allowed import Environment
from central.market.channels.certificates import Counterparty, fingerprint
from central.market.channels.keys import OwnKey, in_force
from central.market.channels.port import LARGEST, Direction, Exchanged, Incoming, Verdict
from central.market.channels.receive import Read, Taken, take
from central.market.channels.soap import acknowledgement
from central.market.errors import InboundError
from central.platform.database import transaction
from central.platform.errors import DomainError

PATH: Final = "/ote/{service}"
SERVICES: Final = frozenset(
    {
        "CDSCallbackService",
        "MarketCallbackService",
        "ReportCallbackService",
        "CommonCallbackService",
        "ScheduleCallbackService",
        "CDSGasCallbackService",
        "CDSEdigasCallbackService",
    }
)
"""Documented names of the services that a participant hosts."""
REPEATABLE: Final = frozenset(
    {
        "wrong_signature",
        "untrusted_certificate",
        "timestamp",
        "certificate_not_valid",
        "certificate_usage",
        "nobody_named",
        "revocation_unknown",
        "no_anchor",
    }
)
"""Refusals that a change of settings or of time may mend: the caller may try again."""
KEPT_OF_TOO_LARGE: Final = 64 * 1024
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class CallbackSetting:
    """The channel that what comes is archived under, our keys, who may call."""

    channel: str
    environment: Environment
    keys: Sequence[OwnKey] = field(repr=False)
    counterparty: Counterparty
    rules: wss.Rules = wss.USUAL_RULES
    services: frozenset[str] = SERVICES


async def limited_body(request: Request) -> tuple[bytes, bool]:
    """The request's body up to the largest taken, and whether that is all of it."""
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > LARGEST:
            return bytes(content[:KEPT_OF_TOO_LARGE]), False
    return bytes(content), True


def create_callback_app(engine: Engine, setting: CallbackSetting, now: Callable[[], datetime], read: Read) -> FastAPI:
    """The server's only route; what comes is archived, read and answered in one transaction."""
    app = FastAPI(title="Rozvodna call-back", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post(PATH)
    def take_call(service: str, body: Annotated[tuple[bytes, bool], Depends(limited_body)]) -> Response:
        if service not in setting.services:
            return _fault("Client", "There is no such service here.", 404)
        content, is_whole = body
        incoming = open_call(content, is_whole=is_whole, setting=setting, at=now())
        try:
            with transaction(engine) as connection:
                taken = take(connection, incoming, now(), read)
                if taken.verdict is Verdict.REFUSED and taken.number is None:
                    return _fault("Server", "Too many calls of strangers came today; try again later.", 503)
                reply, status = answer(incoming, taken, setting, now())
                if _is_reply_kept(connection, incoming, taken, reply, now()):
                    archive.keep(connection, _replied(incoming, taken, reply, setting, now()))
        except Exception:
            # a fault of ours, whichever: nothing was taken, and the caller shall try again
            _log.exception("market call-back failed", service=service)
            return _fault("Server", "It could not be taken now; try again.", 500)
        _log.info("market call-back", service=service, verdict=taken.verdict, number=taken.number)
        return Response(reply, status, media_type="text/xml; charset=utf-8")

    return app


def open_call(content: bytes, *, is_whole: bool, setting: CallbackSetting, at: datetime) -> Incoming:
    """What was called with, opened as far as it can be."""
    refusal: tuple[str, str]
    if not is_whole:
        refusal = "soap_too_large", f"More than {LARGEST} octets are not taken; the beginning is kept."
        return _refused(setting, content, refusal)
    try:
        opened = wss.open_envelope(content, setting.counterparty, at, setting.rules)
    except InboundError as error:
        return _refused(setting, content, (error.code, error.message))
    except Exception as error:
        # what a stranger's octets make a parser raise is a refusal, kept like any other
        why = f"The call cannot be read ({type(error).__name__}): it is kept as it came."
        return _refused(setting, content, ("soap_unreadable", why))
    return Incoming(
        setting.channel,
        setting.environment,
        opened.identity,
        setting.counterparty.code,
        content,
        opened.identity,
        opened.payload,
        certificate=fingerprint(opened.signer),
    )


def _refused(setting: CallbackSetting, content: bytes, refusal: tuple[str, str]) -> Incoming:
    identity = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return Incoming(setting.channel, setting.environment, identity, "?", content, "", refusal=refusal)


def answer(incoming: Incoming, taken: Taken, setting: CallbackSetting, at: datetime) -> tuple[bytes, int]:
    """The signed reply to what was taken, now or before; a fault to what is refused, with SOAP's status 500.

    The fault is signed where we have a key: that we have none must not hinder a refusal from being kept.
    """
    if taken.verdict is not Verdict.REFUSED and incoming.refusal is None:
        key = in_force(setting.keys, "sign", at)
        return wss.seal_envelope(acknowledgement(incoming.identity), key, at, setting.rules), 200
    code = incoming.refusal[0] if incoming.refusal else "refused"
    fault = wss.Fault(fault_code(code), taken.why or "refused")
    try:
        return wss.seal_fault(fault, in_force(setting.keys, "sign", at), at, setting.rules), 500
    except DomainError:
        return wss.fault_envelope(fault), 500


def fault_code(refusal: str) -> str:
    """Server where the caller may try again, Client where the call itself is at fault."""
    return "Server" if refusal in REPEATABLE else "Client"


def _is_reply_kept(connection: Connection, incoming: Incoming, taken: Taken, reply: bytes, at: datetime) -> bool:
    """Whether the archive keeps our reply: whoever calls with the same again must not fill it."""
    is_repeat = taken.is_again or taken.verdict is Verdict.DUPLICATE
    return not is_repeat or quota.admit(connection, incoming.channel, "refused", len(reply), at)


def _replied(incoming: Incoming, taken: Taken, reply: bytes, setting: CallbackSetting, at: datetime) -> Exchanged:
    return Exchanged(
        Direction.OUT,
        setting.channel,
        setting.environment,
        at,
        incoming.peer,
        f"reply to {incoming.identity}",
        reply,
        Verdict.REPLY,
        why=f"reply to number {taken.number}",
    )


def _fault(code: str, text: str, status: int) -> Response:
    return Response(wss.fault_envelope(wss.Fault(code, text)), status, media_type="text/xml; charset=utf-8")
