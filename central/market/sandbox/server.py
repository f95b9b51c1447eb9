"""The sandbox's servers: one for people and for plain messages on this machine, one for SOAP over mutual TLS."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.responses import Response as HttpResponse

from central.market.channels import wss
from central.market.channels.callback import fault_code, limited_body
from central.market.channels.certificates import Counterparty
from central.market.channels.keys import OwnKey
from central.market.channels.soap import acknowledgement
from central.market.errors import InboundError
from central.market.sandbox.operator import NoReceiptError, Sandbox
from central.market.xml import DEFAULT_LIMITS

SOAP_PATH = "/ote"


def create_app(sandbox: Sandbox) -> FastAPI:
    """For this machine: POST /messages; POST /bring; GET /received, /received/{number}, /health."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        sandbox.journal.close()

    app = FastAPI(title="Sandbox of OTE", version="1", lifespan=lifespan)

    @app.post("/messages", status_code=202)
    async def take(request: Request) -> JSONResponse:
        if "http" not in sandbox.ways:
            return _refusal(409, "no_way", "This sandbox was started without a way for plain answers (--callback).")
        content = await _content(request)
        if content is None:
            return _too_large()
        try:
            return JSONResponse({"receipt": await sandbox.take(content)}, 202)
        except InboundError as error:
            return _refusal(400, error.code, error.message)
        except NoReceiptError as error:
            return _refusal(503, "no_receipt", str(error))

    @app.post("/bring", status_code=202)
    async def bring(request: Request, way: str = "soap") -> JSONResponse:
        """Deliver a message of the operator's own to the participant, as it is."""
        content = await _content(request)
        if content is None:
            return _too_large()
        try:
            return JSONResponse({"id": sandbox.bring(content, way)}, 202)
        except InboundError as error:
            return _refusal(422, error.code, error.message)

    @app.get("/received")
    async def received() -> list[dict[str, Any]]:
        return [
            {
                "number": entry.number,
                "id": entry.id,
                "code": entry.code,
                "sender": entry.sender,
                "opms": entry.opms,
                "way": entry.way,
                "repeats": entry.repeats,
                "reasons": [{"type": r.type, "code": r.code, "text": r.text} for r in entry.reasons],
            }
            for entry in sandbox.journal.entries
        ]

    @app.get("/received/{number}")
    async def received_xml(number: int) -> HttpResponse:
        if not 1 <= number < sandbox.journal.next_number:
            return _refusal(404, "delivery_not_found", f"There is no delivery {number}.")
        return HttpResponse(sandbox.journal.xml(number), media_type="application/xml")

    @app.get("/health")
    async def health() -> dict[str, int]:
        return {"received": len(sandbox.journal.entries)}

    return app


def create_soap_app(sandbox: Sandbox, key: OwnKey, participant: Counterparty, now: Callable[[], datetime]) -> FastAPI:
    """The operator's web services: what the participant signed is taken, and the receipt is signed."""
    app = FastAPI(title="Web services of the sandbox", docs_url=None, redoc_url=None, openapi_url=None)

    def fault(code: str, text: str) -> HttpResponse:
        # signed: only such a one decides what becomes of a message
        octets = wss.seal_fault(wss.Fault(code, text), key, now())
        return HttpResponse(octets, 500, media_type="text/xml; charset=utf-8")

    @app.post(f"{SOAP_PATH}/{{service}}")
    async def take(service: str, request: Request) -> HttpResponse:
        content, is_whole = await limited_body(request)
        if not is_whole:
            return fault("Client", f"{service} does not take as much.")
        try:
            opened = wss.open_envelope(content, participant, now())
            receipt = await sandbox.take(opened.payload, "soap")
        except InboundError as error:
            return fault(fault_code(error.code), f"{error.code}: {error.message}")
        except NoReceiptError as error:
            return HttpResponse(str(error), 503)
        reply = wss.seal_envelope(acknowledgement(receipt), key, now())
        return HttpResponse(reply, media_type="text/xml; charset=utf-8")

    return app


async def _content(request: Request) -> bytes | None:
    content = bytearray()
    async for chunk in request.stream():
        content += chunk
        if len(content) > DEFAULT_LIMITS.size_bytes:
            return None
    return bytes(content)


def _too_large() -> JSONResponse:
    return _refusal(413, "xml_too_large", f"More than {DEFAULT_LIMITS.size_bytes} bytes are not taken.")


def _refusal(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status)
