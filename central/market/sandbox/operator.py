"""The operator in the sandbox: takes messages from any way, decides, keeps, and has the answers delivered."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

import structlog

from central.market.envelope import Envelope, Participant, parse_instant, read_envelope, utc_text
from central.market.errors import InboundError, MarketError
from central.market.format_package import FormatPackage
from central.market.gas import edigas
from central.market.response import ACCEPTED_CODE, Reason, Response, write_response
from central.market.sandbox.journal import Entry, Journal, JournalReason
from central.market.sandbox.judge import ACCEPTED, MOST_REASONS, Judgement, judge
from central.market.sandbox.memory import Memory, facts_of
from central.market.sandbox.scenario import Rule, Rules, Scenario
from central.market.sandbox.ways import AwayError, Way
from central.market.xml import parse_untrusted

log = structlog.get_logger("central.market.sandbox")

TRIES = 8
FIRST_PAUSE_S = 0.25


class NoReceiptError(Exception):
    """By the scenario the sender hears nothing of what became of its message."""


class Sandbox:
    """Takes deliveries one after the other and answers each in its own task, by the way by which it came."""

    def __init__(
        self,
        package: FormatPackage,
        scenario: Scenario,
        journal: Journal,
        ways: Mapping[str, Way],
        now: Callable[[], datetime],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._package = package
        self._scenario = scenario
        entries = journal.entries
        self._rules = Rules(scenario, ((entry.code, entry.opms) for entry in entries))
        self._memory = Memory(scenario, (fact for entry in entries for fact in entry.facts))
        self.journal = journal
        self.ways = ways
        self.answered = 0
        self._now = now
        self._sleep = sleep
        self._one_at_a_time = asyncio.Lock()
        self._answers: set[asyncio.Task[None]] = set()

    async def take(self, content: bytes, way: str = "http") -> str:
        """Judge, keep, and have the answer sent; the receipt.

        InboundError if nobody could be answered or the scenario refuses it for good, NoReceiptError if the scenario
        loses the receipt.
        """
        judgement = await asyncio.to_thread(judge, self._package, content, self._scenario)
        async with self._one_at_a_time:
            envelope = judgement.envelope
            rule, delay = self._rules.take(envelope.id, envelope.code, judgement.opms)
            if rule.refuse is not None:
                raise InboundError("refused_by_scenario", rule.refuse)
            if rule.lose == "message":
                log.info("message lost by the scenario", message=envelope.id)
                return "receipt-of-nothing"
            entries = [self._keep(judgement, rule, content, way) for _ in range(2 if rule.doubled else 1)]
        if rule.lose != "answer":
            for entry in entries:
                self._start(self._answer(entry, delay, rule.copies))
        if rule.lose == "receipt":
            raise NoReceiptError(f"the scenario loses the receipt of {envelope.id}")
        return entries[0].receipt

    def bring(self, content: bytes, way: str) -> str:
        """Have a message of the operator's own delivered (a request, a claim, a finding); its id.

        InboundError for what is no message of the format package, or a way that is not there.
        """
        root = parse_untrusted(content)
        _, envelope = read_envelope(root, self._package)
        if way not in self.ways:
            raise InboundError(
                "no_way", f"There is no way {way!r} to the participant; there are: {', '.join(self.ways)}."
            )
        self._memory.learn(facts_of(root, envelope.code))
        self._start(self._deliver(way, content, envelope.id, envelope.code))
        return envelope.id

    async def settled(self) -> None:
        """Until everything that is on its way was delivered or given up."""
        while self._answers:
            await asyncio.gather(*self._answers)

    def _keep(self, judgement: Judgement, rule: Rule, content: bytes, way: str) -> Entry:
        envelope = judgement.envelope
        digest = hashlib.sha256(content).hexdigest()
        number = self.journal.next_number
        receipt = f"receipt-{number:06d}"
        opms = sorted(judgement.opms)
        first = self.journal.find(envelope.sender.id, envelope.id)
        if first is not None and first.digest == digest:
            entry = Entry(
                number, first.sender, first.id, first.code, digest, opms, receipt, first.answer_id, first.answer_at,
                first.reasons, first.number, way,
            )  # fmt: skip
        else:
            reasons = self._reasons(judgement, rule, is_used=first is not None)
            accepted = all(self._package.reason_types[reason.type].state != "rejected" for reason in reasons)
            answer_id = f"{self._answer_code(envelope.code)}-{number:06d}-{digest[:8]}"
            at = utc_text(self._now().replace(microsecond=0))
            entry = Entry(
                number, envelope.sender.id, envelope.id, envelope.code, digest, opms, receipt, answer_id, at,
                [JournalReason(reason.type, reason.code, reason.text) for reason in reasons], None, way,
                list(judgement.facts) if accepted else [],
            )  # fmt: skip
        self.journal.add(entry, content)
        self._memory.learn(entry.facts)
        return entry

    def _reasons(self, judgement: Judgement, rule: Rule, *, is_used: bool) -> list[Reason]:
        if is_used:
            text = f"message id {judgement.envelope.id} was already used for another content"
            return [Reason("A02", "S104", text)]
        if not judgement.is_accepted:
            return list(judgement.reasons)
        found = list(self._memory.reasons(judgement.facts))[:MOST_REASONS]
        if any(reason.type != "A03" for reason in found):
            return found
        if rule.answer == "accept":
            return [Reason(rule.reason_type, rule.reason or ACCEPTED_CODE, rule.sentence)]
        if rule.answer is not None:
            return [Reason(rule.reason_type, rule.reason or "S900", rule.sentence)]
        return found or [ACCEPTED]

    def response_xml(self, entry: Entry) -> bytes:
        """The answer to a delivery, to meter data of gas an APERAK; the same bytes for every repeat of it."""
        rules = self._package.envelope
        envelope = Envelope(
            id=entry.answer_id,
            code=self._answer_code(entry.code),
            at=parse_instant(entry.answer_at),
            sender=Participant(rules.market_operator),
            receiver=Participant(entry.sender),
            references=(entry.id,),
            language=rules.language,
        )
        response = Response(envelope, [Reason(reason.type, reason.code, reason.text) for reason in entry.reasons])
        if entry.code == edigas.CODE:
            return edigas.write_aperak(self._package, response)
        return write_response(self._package, response)

    def _answer_code(self, code: str) -> str:
        """The code that answers `code`; for a code that the package does not know, that of any other answer."""
        answers = {kind.code: kind.answer_code for kind in self._package.data.messages}
        return answers.get(code) or next(answer for answer in answers.values() if answer is not None)

    def _start(self, work: "Awaitable[None]") -> None:
        task = asyncio.ensure_future(work)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)

    async def _answer(self, entry: Entry, delay_s: float, copies: int) -> None:
        await self._sleep(delay_s)
        try:
            content = self.response_xml(entry)
        except MarketError:
            log.exception("answer cannot be written", message=entry.id, number=entry.number)
            return
        for _ in range(copies):
            await self._deliver(entry.way, content, entry.answer_id, self._answer_code(entry.code))

    async def _deliver(self, way: str, content: bytes, message_id: str, code: str) -> None:
        pause = FIRST_PAUSE_S
        for attempt in range(1, TRIES + 1):
            try:
                said = await self.ways[way].deliver(content, message_id, code)
            except AwayError as error:
                log.warning("delivery failed", message=message_id, attempt=attempt, said=str(error))
                await self._sleep(pause)
                pause *= 2
            except Exception:
                log.exception("delivery failed for good", message=message_id)
                return
            else:
                self.answered += 1
                log.info("delivered", message=message_id, way=way, said=said)
                return
        log.error("delivery given up", message=message_id)
