"""The uplink's task: connects, is born, numbers and sends batches, hears central. Never touches a bus.

At most `window` numbered batches are unacknowledged. A batch gets its number when it is first sent, on disk before the
publish; it is sent again until central acknowledges it. What a database that was restored has forgotten is offered
again when its new incarnation is heard of.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from edge.config import DeviceConfig, UplinkConfig
from edge.errors import BrokerDownError, OutboxError
from edge.outbox.model import Address, BatchState, Lane
from edge.outbox.outbox import Outbox
from edge.supervise import end_if_cancelled
from edge.uplink.births import CLAIM_MARGIN, birth, claimed
from edge.uplink.link import FAILURE_FROM, BrokerLink, BrokerSession, Message
from edge.uplink.pace import BackfillPace
from edge.uplink.resend import Resends
from edge.uplink.welcome import Pages, profile_registers, profiles_since, window
from shared.clock import Clock
from shared.wire import (
    Ack,
    Evidence,
    Welcome,
    WireError,
    ack_topic,
    data_topic,
    decode_message,
    encode_birth,
    state_topic,
    user_properties,
)

TOLD_MOST = 1_000
"""Results that wait for the broker."""
PATIENCE_S = 5.0
"""Numbers that are all out mean a backlog only when central has said nothing for so long: after an outage the batches
of before it are out at once, and answered in a moment.
"""
STABLE_S = 10.0
"""A session that lasted so long begins the back-off anew."""


@dataclass(slots=True)
class UplinkStatus:
    """What the uplink did since the agent's start."""

    connected: bool = False
    sessions: int = 0
    published: int = 0
    publish_refused: int = 0
    """Publishes that the broker answered with a refusal (0x87 not authorised, ...)."""
    acknowledgements: int = 0
    blocks_refused: int = 0
    welcomes: int = 0
    incarnation: str = ""
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who publishes: concentrator, epoch of this start, version of the agent, configuration it runs."""

    edge: str
    epoch: int
    agent: str
    config_number: int


class Uplink:
    """`run()` is its task. `on_days_changed` is called when rows are to be read again, or need not be read."""

    def __init__(
        self,
        identity: Identity,
        settings: UplinkConfig,
        link: BrokerLink,
        outbox: Outbox,
        clock: Clock,
        devices: Sequence[DeviceConfig],
        on_days_changed: Callable[[], None] = lambda: None,
        on_message: Mapping[str, Callable[[Message], None]] | None = None,
    ) -> None:
        self.status = UplinkStatus()
        self.acquainted = False
        """Whether this outbox has heard from central what is in evidence."""
        self._identity = identity
        self._settings = settings
        self._link = link
        self._outbox = outbox
        self._clock = clock
        self._devices = devices
        self._on_days_changed = on_days_changed
        self._on_message = on_message or {}
        self._told: deque[Message] = deque()
        self._reborn = False
        self._wake = asyncio.Event()
        self._resends = Resends(settings)
        self._bodies: dict[Address, bytes] = {}
        self._next_seq = 1
        self._claim_end = 0
        self._linger_until: float | None = None
        self._publishing: set[asyncio.Task[None]] = set()
        self._publish_error: BaseException | None = None
        self._pages = Pages()
        self._pace = BackfillPace(settings.window)
        self._heard_at = float("-inf")
        """When central last answered, or else the session began."""
        self._live: set[Address] = set()
        """Batches under way that hold live data only."""
        self._log = structlog.get_logger("edge.uplink")
        outbox.on_change(self._wake.set)

    @property
    def keeps_up(self) -> bool:
        """Whether what is read now is on its way to central in a moment: the broker is there, and there are numbers to
        be had, or soon will be. What is read while this does not hold is a backlog, behind which later live data must
        not stand.
        """
        if not self.status.connected:
            return False
        free = self._outbox.counts.unacked < self._settings.window
        return free or self._clock.monotonic() - self._heard_at < PATIENCE_S

    async def prepare(self) -> None:
        """Take from the outbox what earlier starts knew."""
        self.status.incarnation = await self._outbox.meta("incarnation") or ""
        self.acquainted = await self._outbox.meta("acquainted") is not None

    def tell(self, message: Message) -> None:
        """Send `message` as soon as the broker is there. What is too much is dropped: central asks again."""
        if len(self._told) < TOLD_MOST:
            self._told.append(message)
        self._wake.set()

    def reconfigured(self, number: int, settings: UplinkConfig, devices: Sequence[DeviceConfig]) -> None:
        """Another configuration runs: the birth says so; the pace holds from the next connection on."""
        self._identity = replace(self._identity, config_number=number)
        self._settings, self._devices = settings, devices
        self._reborn = True
        self._wake.set()

    async def run(self) -> None:
        """For ever, until cancelled; then the birth says offline. Call `prepare` before."""
        delay = self._settings.reconnect_first_s
        while True:
            begun = self._clock.monotonic()
            try:
                await self._session()
            except (BrokerDownError, OutboxError) as error:
                self._failed(str(error))
            except Exception as error:
                # A fault of ours must not end the uplink: the readings are safe in the outbox meanwhile.
                self._log.error("uplink failed", exc_info=error)
                self._failed(repr(error))
            # What breaks while we are being cancelled (a disconnect that fails) may hide the cancellation.
            end_if_cancelled()
            if self._clock.monotonic() - begun > STABLE_S:
                delay = self._settings.reconnect_first_s
            await asyncio.sleep(delay * random.uniform(0.7, 1.3))  # noqa: S311 - spreads reconnects, keeps no secret
            delay = min(delay * 2, self._settings.reconnect_most_s)

    def _failed(self, reason: str) -> None:
        self.status.connected = False
        if reason != self.status.last_error:
            self._log.warning("uplink down", reason=reason)
        self.status.last_error = reason

    async def _session(self) -> None:
        edge = self._identity.edge
        will = Message(state_topic(edge), await self._birth_body(online=False), retain=True)
        async with self._link.session(will, [ack_topic(edge), *self._on_message]) as session:
            self._heard_at = self._clock.monotonic()
            self.status.connected = True
            self.status.sessions += 1
            self._resends = Resends(self._settings)
            try:
                await self._be_born(session)
                self._log.info("uplink up", epoch=f"{self._identity.epoch:016x}")
                await self._converse(session)
            except asyncio.CancelledError:
                await self._say_goodbye(session)
                raise
            finally:
                self.status.connected = False

    async def _converse(self, session: BrokerSession) -> None:
        """Listen and send until one of them fails; raises what it raised. (Not a TaskGroup: that of Python 3.11 leaves
        the task marked as cancelled when a child fails, so that a true cancellation cannot be told from it.)
        """
        tasks = [asyncio.create_task(each(session)) for each in (self._listen, self._send, self._inquire)]
        self._publishing = set()
        self._publish_error = None
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in [*tasks, *self._publishing]:
                task.cancel()
            await asyncio.gather(*tasks, *self._publishing, return_exceptions=True)

    async def _birth_body(self, *, online: bool, claim: bool = True) -> bytes:
        held = await self._outbox.held_ranges()
        if claim:
            held = claimed(held, self._identity.epoch, self._next_seq)
        return encode_birth(
            birth(
                online=online,
                epoch=self._identity.epoch,
                held=held,
                incarnation=self.status.incarnation,
                agent=self._identity.agent,
                config_number=self._identity.config_number,
                clock=self._clock,
                ask=0 if self.acquainted else profiles_since(self._devices),
            )
        )

    async def _be_born(self, session: BrokerSession) -> None:
        body = await self._birth_body(online=True)
        self._claim_end = claimed([], self._identity.epoch, self._next_seq)[0][2]
        code = await session.publish(Message(state_topic(self._identity.edge), body, retain=True))
        if code >= FAILURE_FROM:
            self.status.publish_refused += 1
            self._log.error("broker refused the birth", code=hex(code), topic=state_topic(self._identity.edge))

    async def _say_goodbye(self, session: BrokerSession) -> None:
        try:
            async with asyncio.timeout(2.0):
                body = await self._birth_body(online=False, claim=False)
                await session.publish(Message(state_topic(self._identity.edge), body, retain=True))
        except (BrokerDownError, TimeoutError) as error:
            self._log.warning("could not say goodbye", reason=str(error))

    # -- sending

    async def _send(self, session: BrokerSession) -> None:
        while True:
            self._wake.clear()
            if self._publish_error is not None:
                raise self._publish_error
            if self._reborn:
                self._reborn = False
                await self._be_born(session)
            while self._told:
                await self._say(session, self._told[0])
                self._told.popleft()
            now = self._clock.monotonic()
            await self._fill(session, now)
            for address in self._resends.due(now):
                self._resends.sending(address)
                task = asyncio.create_task(self._publish(session, address))
                self._publishing.add(task)
                task.add_done_callback(self._published)
            instants = [at for at in (self._resends.next_due(), self._linger_until) if at is not None]
            timeout = max(0.0, min(instants) - self._clock.monotonic()) if instants else None
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _say(self, session: BrokerSession, message: Message) -> None:
        code = await session.publish(message)
        if code >= FAILURE_FROM:
            self.status.publish_refused += 1
            self._log.error("broker refused a result", code=hex(code), topic=message.topic)

    async def _fill(self, session: BrokerSession, now: float) -> None:
        window = self._settings.window
        counts = self._outbox.counts
        if counts.unacked + counts.reoffered > len(self._resends) and len(self._resends) < window:
            # No more than are wanted: a restored database is offered many thousands again, in as many rounds.
            held = await self._outbox.held(BatchState.UNACKED, window)
            held += await self._outbox.held(BatchState.REOFFERED, window)
            self._resends.add(held[:window], now)
        while counts.unacked < window:
            last_lane = Lane.BACKFILL if counts.unacked - len(self._live) < self._pace.window else Lane.LIVE
            waiting = counts.pending if last_lane is Lane.BACKFILL else counts.pending_live
            if not waiting:
                self._linger_until = None  # nothing waits for company any more
                break
            if not self._may_number(waiting, now):
                break
            batch = await self._outbox.number(
                self._identity.epoch, self._settings.batch_blocks, self._settings.batch_bytes, last_lane
            )
            counts = self._outbox.counts
            if batch is None:
                break
            if batch.lane is Lane.LIVE:
                self._live.add(batch.address)
            self._next_seq = batch.address.seq + 1
            self._bodies[batch.address] = batch.body
            self._resends.add([batch.address], now)
            if self._next_seq + CLAIM_MARGIN > self._claim_end:
                await self._be_born(session)
        else:
            self._linger_until = None

    def _may_number(self, pending: int, now: float) -> bool:
        if pending >= self._settings.batch_blocks:
            self._linger_until = None
            return True
        if self._linger_until is None:
            self._linger_until = now + self._settings.linger_s
        if now < self._linger_until:
            return False
        self._linger_until = None
        return True

    async def _publish(self, session: BrokerSession, address: Address) -> None:
        body = self._bodies.pop(address, None) or await self._outbox.body(address)
        if body is None:
            self._resends.forget([address])
            return
        edge = self._identity.edge
        properties = user_properties(edge, address.epoch, address.seq)
        code = await session.publish(Message(data_topic(edge), body, properties))
        now = self._clock.monotonic()
        if code >= FAILURE_FROM:
            self.status.publish_refused += 1
            self._resends.refused(address, now)
            self._log.error("broker refused a batch", code=hex(code), seq=address.seq, topic=data_topic(edge))
        else:
            self.status.published += 1
            self._resends.sent(address, now)

    def _published(self, task: "asyncio.Task[None]") -> None:
        self._publishing.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._publish_error = task.exception()
        self._wake.set()

    # -- hearing

    async def _inquire(self, session: BrokerSession) -> None:
        """Ask again for what is in evidence if the answer got lost."""
        while True:
            await asyncio.sleep(self._settings.welcome_wait_s)
            if not self.acquainted:
                await self._be_born(session)

    async def _listen(self, session: BrokerSession) -> None:
        while True:
            message = await session.receive()
            if message.topic in self._on_message:
                self._on_message[message.topic](message)
                continue
            try:
                answer = decode_message(message.payload)
            except WireError as error:
                self._log.warning("message not understood", topic=message.topic, reason=str(error))
                continue
            if isinstance(answer, Ack):
                await self._acknowledged(session, answer)
            elif isinstance(answer, Evidence):
                await self._heard_evidence(session, answer)
            else:
                await self._welcomed(session, answer)
            self._wake.set()

    async def _acknowledged(self, session: BrokerSession, ack: Ack) -> None:
        self.status.acknowledgements += 1
        self._heard_at = self._clock.monotonic()
        await self._note_incarnation(session, ack.incarnation)
        done = await self._outbox.acknowledge(ack.epoch, ack.upto, ack.beyond, ack.refused, self._clock.now_ms())
        now = self._clock.monotonic()
        for address in done.batches:
            self._live.discard(address)
            waited = self._resends.waited(address, now)
            if waited is not None:
                self._pace.answered(waited, now)
        self._resends.forget(done.batches)
        for seq, place, reason in done.refused:
            self.status.blocks_refused += 1
            self._log.error("central refused a block", seq=seq, place=place, reason=reason)

    async def _welcomed(self, session: BrokerSession, welcome: Welcome) -> None:
        self.status.welcomes += 1
        await self._note_incarnation(session, welcome.incarnation)
        closed = await self._outbox.closed(welcome.closed)
        for span in closed.numbers:
            self._resends.forget([address for address in self._resends.addresses() if _within(address, span)])
            self._live = {address for address in self._live if not _within(address, span)}
            self._log.warning("central closed numbers", epoch=f"{span[0]:016x}", first=span[1], last=span[2])
        if closed.numbers:
            self._log.warning("what was in them", blocks_read_again=len(closed.lost), queued_anew=closed.requeued)
        if closed.lost:
            self._on_days_changed()
        if closed.unknown:
            self.acquainted = False
            await self._be_born(session)
        if not self.acquainted and not profile_registers(self._devices):
            await self._outbox.remember("acquainted", "yes")
            self.acquainted = True
        self._resends.hurry(self._clock.monotonic())

    async def _heard_evidence(self, session: BrokerSession, page: Evidence) -> None:
        await self._note_incarnation(session, page.incarnation)
        if self.acquainted or not self._pages.take(page):
            return
        steps = profile_registers(self._devices)
        evidence = self._pages.evidence(steps)
        doubtful = await self._outbox.reconcile({each: each in evidence for each in steps}, evidence, window(page))
        self.acquainted = True
        self._on_days_changed()
        self._log.info("central said what it has", registers=len(evidence), doubtful_h=doubtful // 3_600_000)

    async def _note_incarnation(self, session: BrokerSession, incarnation: str) -> None:
        known = self.status.incarnation
        if not incarnation or incarnation == known:
            return
        offered = await self._outbox.offer_again(incarnation)
        # Only now: were it noted before and this interrupted, nobody would offer anything until the next start.
        self.status.incarnation = incarnation
        self.acquainted = self.acquainted and not known
        if known:
            self._log.warning("central has another database", before=known, now=incarnation, offered_again=offered)
            await self._be_born(session)


def _within(address: Address, span: tuple[int, int, int]) -> bool:
    return address.epoch == span[0] and span[1] <= address.seq <= span[2]
