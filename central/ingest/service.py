"""The ingest service: from the broker into the database, as fast as both go, and never past an error in silence.

While one transaction is being stored by a thread, the next is prepared by another and the loop goes on receiving.
Messages are confirmed to the broker after their commit; while the database is away, they stay there or at the edge,
because nothing is acknowledged. Any number of processes may share the stream.
"""

import asyncio
import contextlib
import os
import signal
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import structlog

from central.ingest.broker import FIRST_WAIT_S, LONGEST_WAIT_S, Subscriber
from central.ingest.committer import Committer, Outcome, Preparer, is_outage, refuse_message
from central.ingest.decode import Prepared
from central.ingest.message import Message
from central.ingest.metrics import Counters, write_status
from central.platform.broker import parse_mqtt_url
from central.platform.clock import get_clock
from central.platform.settings import Settings
from shared.clock import Clock
from shared.wire import (
    Ack,
    Answer,
    Birth,
    Evidence,
    Welcome,
    WireError,
    ack_topic,
    decode_birth,
    edge_of_topic,
    encode_message,
)

log = structlog.get_logger("central.ingest")

T = TypeVar("T")

MOST_MESSAGES: Final = 500
"""Messages in one transaction: half of what may be under way, so that the next one fills meanwhile."""
MOST_WAITING_OCTETS: Final = 64 * 1024 * 1024
"""Bodies that wait for a transaction; what comes beyond is left to the edge's resend."""
STATUS_EVERY_S: Final = 2.0
STATUS_LOGGED_EVERY: Final = 30


class Ingest:
    """One ingest process."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        preparer: Preparer | None = None,
        committer: Committer | None = None,
    ) -> None:
        url = settings.database_url
        self.counters = Counters()
        self._preparer = preparer or Preparer(url, clock)
        self._committer = committer or Committer(url, clock)
        self._greeter = Committer(url, clock)
        self._subscriber = Subscriber(
            parse_mqtt_url(settings.mqtt_url), self._take, self._take_birth, lambda: self._status_due.set()
        )
        self._status_file = settings.home / "status" / f"ingest-{os.getpid()}.json"
        self._waiting: deque[Message] = deque()
        self._waiting_octets = 0
        self._arrived = asyncio.Event()
        self._births: dict[str, Birth] = {}
        self._online: dict[str, Birth] = {}
        self._birth_came = asyncio.Event()
        self._incarnation = ""
        self._preparing = ThreadPoolExecutor(1, "prepare")
        self._committing = ThreadPoolExecutor(1, "commit")
        self._greeting = ThreadPoolExecutor(1, "greet")
        self._sending: set[asyncio.Task[None]] = set()
        self._status_due = asyncio.Event()
        self._stopping = False

    async def run(self) -> None:
        """Work until `stop`; a transaction that was begun is finished."""
        helpers = [asyncio.create_task(work) for work in (self._subscriber.run(), self._greet(), self._report())]
        try:
            await self._work()
        finally:
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
            for pool in (self._preparing, self._committing, self._greeting):
                pool.shutdown(wait=False, cancel_futures=True)
            self._status_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """End after the present transaction."""
        self._stopping = True
        self._arrived.set()

    # Data

    def _take(self, message: Message) -> None:
        if self._waiting_octets > MOST_WAITING_OCTETS:
            # Never acknowledged to the edge, so it comes again; confirmed, so that the broker's window stays open.
            self.counters.shed += 1
            self._subscriber.confirm([message])
            return
        self._waiting.append(message)
        self._waiting_octets += len(message.body)
        self._arrived.set()

    async def _work(self) -> None:
        storing: asyncio.Task[None] | None = None
        while not self._stopping:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
                continue
            messages = [self._waiting.popleft() for _ in range(min(len(self._waiting), MOST_MESSAGES))]
            prepared, taken = await self._prepare(messages)
            self._waiting.extendleft(reversed(messages[taken:]))
            self._waiting_octets -= sum(len(message.body) for message in messages[:taken])
            if storing is not None:
                await storing
            storing = asyncio.create_task(self._store(prepared))
        if storing is not None:
            await storing
        await asyncio.gather(*self._sending, return_exceptions=True)

    async def _prepare(self, messages: list[Message]) -> tuple[Prepared | list[Message], int]:
        """A transaction; or the messages themselves if one of them cannot even be prepared."""

        def prepare() -> tuple[Prepared, int]:
            return self._preparer.prepare(messages)

        try:
            return await self._until_it_works(self._preparing, prepare, self._preparer.drop)
        except Exception as error:  # whatever one message did to the decoder must not end the service
            log.error("ingest.prepare_failed", messages=len(messages), error=repr(error))
            return messages, len(messages)

    async def _store(self, prepared: Prepared | list[Message]) -> None:
        if isinstance(prepared, list):
            await self._bisect(prepared, RuntimeError("it cannot be prepared"))
            return
        try:
            await self._commit(prepared)
        except Exception as error:  # the same for the database: find the message that it does not take
            log.error("ingest.commit_failed", messages=len(prepared.messages), error=repr(error))
            await self._bisect(prepared.messages, error)

    async def _commit(self, prepared: Prepared) -> None:
        outcome = await self._until_it_works(
            self._committing, lambda: self._committer.commit(prepared), self._committer.drop
        )
        self._committed(prepared.messages, outcome)

    async def _bisect(self, messages: list[Message], error: Exception) -> None:
        """Store the halves; the message that alone fails goes to quarantine as it came."""
        self.counters.bisections += 1
        if len(messages) == 1:
            log.error("ingest.message_refused", topic=messages[0].topic, error=repr(error))
            refused = refuse_message(messages[0], error)
            outcome = await self._until_it_works(
                self._committing, lambda: self._committer.commit(refused), self._committer.drop, lambda _: True
            )
            self._committed(messages, outcome)
            return
        middle = len(messages) // 2
        for half in (messages[:middle], messages[middle:]):
            left = half
            while left:
                prepared, taken = await self._prepare(left)
                try:
                    if isinstance(prepared, list):
                        raise RuntimeError("it cannot be prepared")
                    await self._commit(prepared)
                except Exception as again:  # found below, in the end
                    await self._bisect(left[:taken], again)
                left = left[taken:]

    def _committed(self, messages: list[Message], outcome: Outcome) -> None:
        self.counters.add(len(messages), outcome.stored)
        for code, count in outcome.stored.refused.items():
            log.warning("ingest.refused", reason=code, count=count)
        self._subscriber.confirm(messages)
        self._send(outcome.answers)
        self._follow_incarnation(outcome.incarnation)

    async def _until_it_works(
        self,
        pool: ThreadPoolExecutor,
        work: Callable[[], T],
        drop: Callable[[], None],
        try_again: Callable[[Exception], bool] = is_outage,
    ) -> T:
        """Do it in its thread; after an outage wait, connect anew and do it again."""
        wait = FIRST_WAIT_S
        while True:
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, work)
            except Exception as error:
                if not try_again(error):
                    raise
                self.counters.database_retries += 1
                log.warning("ingest.database_lost", error=str(error).strip(), again_in_s=wait)
                await asyncio.get_running_loop().run_in_executor(pool, drop)
                await self._pause(wait)
                wait = min(2 * wait, LONGEST_WAIT_S)

    async def _pause(self, seconds: float) -> None:
        if self._stopping:
            raise asyncio.CancelledError  # nothing is lost: what is not committed was not acknowledged
        await asyncio.sleep(seconds)

    # Answers

    def _send(self, answers: Iterable[tuple[str, Answer]]) -> None:
        """Publish without waiting: an answer that gets lost is given again when the edge repeats itself."""
        for edge, answer in answers:
            self.counters.acknowledgements += isinstance(answer, Ack)
            self._in_background(self._publish(ack_topic(edge), encode_message(answer)))

    async def _publish(self, topic: str, body: bytes) -> None:
        await self._subscriber.publish(topic, body)

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    # Births

    def _take_birth(self, topic: str, body: bytes) -> None:
        try:
            edge, birth = edge_of_topic(topic), decode_birth(body)
        except WireError as error:
            if body:  # an empty body clears a retained birth
                self.counters.births_unreadable += 1
                log.warning("ingest.birth_unreadable", topic=topic, error=str(error))
            return
        if not birth.online:
            self._online.pop(edge, None)
            return
        self.counters.births += 1
        self._online[edge] = self._births[edge] = birth
        self._birth_came.set()

    async def _greet(self) -> None:
        while True:
            await self._birth_came.wait()
            self._birth_came.clear()
            while self._births:
                edge, birth = self._births.popitem()
                await self._welcome(edge, birth)

    async def _welcome(self, edge: str, birth: Birth) -> None:
        def work() -> tuple[Welcome, list[tuple[str, Ack]], int, list[Evidence]]:
            return *self._greeter.welcome(edge, birth), self._greeter.evidence(edge, birth)

        try:
            welcome, answers, closed, pages = await self._until_it_works(self._greeting, work, self._greeter.drop)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # a birth that makes no sense must not silence the others
            self.counters.births_unreadable += 1
            log.error("ingest.birth_failed", edge=edge, error=repr(error))
            return
        if closed:
            log.warning("ingest.hole_closed", edge=edge, numbers=closed)
            self.counters.holes_closed += closed
        self._send([(edge, welcome), *answers, *((edge, page) for page in pages)])
        self._follow_incarnation(welcome.incarnation)

    def _follow_incarnation(self, incarnation: str) -> None:
        """A new life of the database: every edge that is there must hear of it, or it would not offer again."""
        if self._incarnation and incarnation != self._incarnation:
            log.warning("ingest.new_incarnation", before=self._incarnation, now=incarnation)
            self._births |= self._online
            self._birth_came.set()
        self._incarnation = incarnation

    # Status

    async def _report(self) -> None:
        turn = 0
        while True:
            status = self.counters.status(
                waiting=len(self._waiting),
                broker_connected=self._subscriber.connected,
                broker_connections=self._subscriber.connections,
                edges_online=len(self._online),
                incarnation=self._incarnation,
            )
            with contextlib.suppress(OSError):  # a full or read-only disk must not stop ingest
                write_status(self._status_file, status)
            if turn % STATUS_LOGGED_EVERY == 0:
                log.info("ingest.status", **status)
            turn += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(STATUS_EVERY_S):
                    await self._status_due.wait()
            self._status_due.clear()


def main(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""

    async def serve() -> None:
        ingest = Ingest(settings, get_clock())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ingest.stop)
        await ingest.run()

    with contextlib.suppress(asyncio.CancelledError):
        asyncio.run(serve())
