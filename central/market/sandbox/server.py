"""The sandbox's HTTP side: takes messages with a receipt, decides, and calls back with the RESPONSE."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from fastapi.responses import Response as HttpResponse

from central.market.envelope import Envelope, Participant, parse_instant, utc_text
from central.market.errors import InboundError
from central.market.format_package import FormatPackage
from central.market.response import Reason, Response, write_response
from central.market.sandbox.journal import Entry, Journal, JournalReason
from central.market.sandbox.judge import Judgement, judge
from central.market.sandbox.scenario import Rule, Rules, Scenario
from central.market.xml import DEFAULT_LIMITS

log = structlog.get_logger("central.market.sandbox")

CALLBACK_TRIES = 8
FIRST_PAUSE_S = 0.25
FINAL_REFUSALS = {409, 413, 422}
"""Our side read the answer and does not want it: repeating is of no use. Anything else may be mended meanwhile."""
_SCENARIO_TYPES = {"accept": ("A01", "0200"), "reserve": ("A03", "S900"), "reject": ("A02", "S900")}


@dataclass(frozen=True, slots=True)
class Callback:
    """Where answers go, and the bearer token that opens that door."""

    url: str
    token: str


class Sandbox:
    """Takes deliveries one after the other and answers each in its own task."""

    def __init__(
        self,
        package: FormatPackage,
        scenario: Scenario,
        journal: Journal,
        callback: Callback,
        now: Callable[[], datetime],
    ) -> None:
        self._package = package
        self._scenario = scenario
        self._rules = Rules(scenario.rules)
        self.journal = journal
        self._callback = callback
        self._now = now
        self._one_at_a_time = asyncio.Lock()
        self._answers: set[asyncio.Task[None]] = set()

    async def take(self, content: bytes) -> Entry:
        """Judge, keep, and have the answer sent; InboundError if nobody could be answered."""
        judgement = await asyncio.to_thread(judge, self._package, content, self._scenario)
        async with self._one_at_a_time:
            envelope = judgement.envelope
            rule = self._rules.take(envelope.id, envelope.code, set(judgement.opms))
            entry = self._entry(judgement, rule, hashlib.sha256(content).hexdigest())
            await asyncio.to_thread(self.journal.add, entry, content)
        if not rule.lose:
            delay = self._scenario.delay_s if rule.delay_s is None else rule.delay_s
            task = asyncio.create_task(self._answer(entry, delay, rule.copies))
            self._answers.add(task)
            task.add_done_callback(self._answers.discard)
        return entry

    def _entry(self, judgement: Judgement, rule: Rule, digest: str) -> Entry:
        envelope = judgement.envelope
        number = self.journal.next_number
        first = self.journal.find(envelope.sender.id, envelope.id)
        reasons = judgement.reasons
        if first is not None and first.digest != digest:
            text = f"message id {envelope.id} was already used for another content"
            reasons = (Reason("A02", "S104", text),)
        elif rule.answer is not None and judgement.is_accepted:
            kind, code = _SCENARIO_TYPES[rule.answer]
            reasons = (Reason(kind, code, rule.text),)
        is_repeat = first is not None and first.digest == digest
        return Entry(
            number=number,
            sender=envelope.sender.id,
            id=envelope.id,
            code=envelope.code,
            digest=digest,
            opms=sorted(judgement.opms),
            receipt=f"receipt-{number:06d}",
            answer_id=first.answer_id if first and is_repeat else f"X21-{number:06d}-{digest[:8]}",
            answer_at=first.answer_at if first and is_repeat else utc_text(self._now().replace(microsecond=0)),
            reasons=first.reasons
            if first and is_repeat
            else [JournalReason(reason.type, reason.code, reason.text) for reason in reasons],
            repeats=first.number if first and is_repeat else None,
        )

    def response_xml(self, entry: Entry) -> bytes:
        """The RESPONSE to a delivery; the same bytes for every repeat of it."""
        rules = self._package.envelope
        answer_code = self._answer_code(entry.code)
        envelope = Envelope(
            id=entry.answer_id,
            code=answer_code,
            at=parse_instant(entry.answer_at),
            sender=Participant(rules.market_operator),
            receiver=Participant(entry.sender),
            references=(entry.id,),
            language=rules.language,
        )
        reasons = [Reason(reason.type, reason.code, reason.text) for reason in entry.reasons]
        return write_response(self._package, Response(envelope, reasons))

    def _answer_code(self, code: str) -> str:
        """The code that answers `code`; for a code that the package does not know, that of any other answer."""
        answers = {kind.code: kind.answer_code for kind in self._package.data.messages}
        return answers.get(code) or next(answer for answer in answers.values() if answer is not None)

    async def _answer(self, entry: Entry, delay_s: float, copies: int) -> None:
        await asyncio.sleep(delay_s)
        try:
            content = self.response_xml(entry)
            for _ in range(copies):
                await self._call_back(entry, content)
        except Exception:
            log.exception("answer failed", message=entry.id, number=entry.number)

    async def _call_back(self, entry: Entry, content: bytes) -> None:
        headers = {"Content-Type": "application/xml", "Authorization": f"Bearer {self._callback.token}"}
        pause = FIRST_PAUSE_S
        async with httpx.AsyncClient(timeout=30.0, trust_env=False) as client:
            for attempt in range(1, CALLBACK_TRIES + 1):
                try:
                    reply = await client.post(self._callback.url, content=content, headers=headers)
                    if reply.status_code < 400 or reply.status_code in FINAL_REFUSALS:
                        log.info("answered", message=entry.id, number=entry.number, status=reply.status_code)
                        return
                    said = f"HTTP {reply.status_code}"
                except httpx.HTTPError as error:
                    said = f"{type(error).__name__} {error}"
                log.warning("call-back failed", message=entry.id, attempt=attempt, said=said)
                await asyncio.sleep(pause)
                pause *= 2
        log.error("answer given up", message=entry.id, number=entry.number)


def create_app(sandbox: Sandbox) -> FastAPI:
    """The sandbox's routes: POST /messages; GET /received, /received/{number}, /health for tests and people."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        sandbox.journal.close()

    app = FastAPI(title="Sandbox of OTE", version="1", lifespan=lifespan)

    @app.post("/messages", status_code=202)
    async def take(request: Request) -> JSONResponse:
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > DEFAULT_LIMITS.size_bytes:
                return _refusal(413, "xml_too_large", f"More than {DEFAULT_LIMITS.size_bytes} bytes are not taken.")
        try:
            entry = await sandbox.take(bytes(content))
        except InboundError as error:
            return _refusal(400, error.code, error.message)
        return JSONResponse({"receipt": entry.receipt}, 202)

    @app.get("/received")
    async def received() -> list[dict[str, Any]]:
        return [
            {
                "number": entry.number,
                "id": entry.id,
                "code": entry.code,
                "sender": entry.sender,
                "opms": entry.opms,
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


def _refusal(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"code": code, "message": message}, status)
