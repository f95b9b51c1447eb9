"""One meter, its concentrator (collector, bus, outbox, uplink: the agent's own) and a model of central; what may befall
them, and what must hold of every request to the meter.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from edge import inspect
from edge.blocks import ms
from edge.bus.line import Line
from edge.bus.owner import Bus
from edge.bus.testing import ScriptedLink
from edge.bus.timing import LineTiming
from edge.collector import Collector
from edge.config import ProfileConfig, UplinkConfig
from edge.device_state import DeviceState
from edge.drivers.port import DayPart, ProfileDay
from edge.drivers.testing import FakeMeter
from edge.errors import DeviceSilentError
from edge.outbox.outbox import Outbox
from edge.outbox.store import OutboxStore
from edge.schedule import DeviceProgress
from edge.timeline import ASK_AFTER_MS
from edge.uplink.link import Message
from edge.uplink.testing import CentralModel, FakeBroker
from edge.uplink.uplink import Identity, Uplink
from shared.quantities import Kind
from shared.wire import MARK_REREAD, Block, Welcome, ack_topic, encode_message
from tests.unit.edge.examples import MARCH, device
from tests.unit.edge.stepped_loop import AtOnce, SteppedClock

EDGE: Final = "CONC-1"
STEP_MS: Final = 900_000
REQUEST_S: Final = 0.05
ASKED_MOST: Final = 300
HEARD_MOST: Final = 600
"""More than any story needs: an agent that does the same thing for ever fails, and does not hang."""
BEGIN: Final = MARCH + timedelta(hours=30)
SETTINGS: Final = UplinkConfig(
    window=8, batch_blocks=4, resend_first_s=1.0, resend_most_s=4.0, reconnect_most_s=1.0, welcome_wait_s=4.0
)
Row = tuple[str, int]
"""Register, and beginning of the interval."""


class KilledError(Exception):
    """The process is gone."""


class MortalStore(OutboxStore):
    """Once `steps_left` statements are done, it does nothing any more."""

    steps_left: int | None = None

    def _step(self) -> None:
        if self.steps_left is not None:
            if self.steps_left <= 0:
                raise KilledError
            self.steps_left -= 1

    def _execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        self._step()
        cursor = super()._execute(sql, parameters)
        self._step()
        return cursor

    def _executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        self._step()
        super()._executemany(sql, rows)
        self._step()


@dataclass
class Asked:
    """One request for rows."""

    session: int
    start: int
    end: int
    now_ms: int
    needless: bool
    """Its first or its last row was in evidence or in the outbox, in all registers."""
    excused: bool
    """The concentrator could not know."""
    answered: bool


@dataclass
class Meter(FakeMeter):
    """Takes its time; notes what it is asked for."""

    world: "World" = field(kw_only=True)
    reachable: bool = True

    async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
        if len(self.world.asked) == ASKED_MOST:
            raise DeviceSilentError("no answer any more")
        self.world.note_request(part)
        await asyncio.sleep(REQUEST_S)
        if not self.reachable:
            raise DeviceSilentError("no answer")
        return await super().read_day(profile, part)


class World:
    """Verbs are what befalls it; `settle` lets the agent work for so many seconds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SteppedClock(BEGIN)
        self.config = device("LU-1")
        self.meter = Meter(self.clock, world=self)
        self.meter.fault = self._answer
        self.central = CentralModel()
        self.broker = FakeBroker()
        self.broker.listeners.append(self._central_hears)
        self.deaf = self.mute = False
        self.backups: list[tuple[dict[Any, bytes], set[Any]]] = []
        self.asked: list[Asked] = []
        self.heard = 0
        self.files = 0
        self.lives = 0
        self.lost_something = False
        """An outbox was lost, central restored or a number closed: re-reading may be needless."""
        self._tasks: list[asyncio.Task[None]] = []

    # -- the agent

    @property
    def path(self) -> Path:
        return self.folder / f"outbox-{self.files}.sqlite"

    async def begin_life(self) -> None:
        self.lives += 1
        self.store = MortalStore(self.path)
        self.store._execute("PRAGMA synchronous = OFF")  # a killed process, not a power cut: the kernel lives on
        self.outbox = outbox = Outbox(self.store, AtOnce(1))
        loop = asyncio.get_running_loop()
        bus = Bus("hdlc", Line(ScriptedLink(), LineTiming(), loop.time))
        progress = (await outbox.progress()).get("LU-1", DeviceProgress())
        state = DeviceState(self.config, bus, self.meter, progress)
        identity = Identity(EDGE, 2**63 + self.lives, "test", 1)
        self.uplink = uplink = Uplink(
            identity, SETTINGS, self.broker, outbox, self.clock, [self.config], lambda: collector.days_changed()
        )
        await uplink.prepare()
        begun = loop.time()
        collector = Collector(
            {"LU-1": state},
            outbox,
            self.clock,
            may_read_profiles=lambda: uplink.acquainted or loop.time() - begun >= SETTINGS.welcome_wait_s,
            acquainted=lambda: uplink.acquainted,
            keeps_up=lambda: uplink.keeps_up,
        )
        self.device = state
        self._tasks = [asyncio.create_task(run()) for run in (bus.run, uplink.run, collector.run)]

    async def end_life(self) -> None:
        """As by SIGKILL: nothing is written or said any more."""
        self.store.steps_left = 0
        self.broker.break_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.store.close()

    async def settle(self, seconds: float) -> None:
        self.backups.append((dict(self.central.committed), set(self.central.closed)))
        await asyncio.sleep(seconds)

    # -- what befalls

    async def kill(self, statements: int | None) -> None:
        """At once, or after so many statements to the outbox."""
        if statements is not None:
            self.store.steps_left = statements
            await asyncio.sleep(3.0)
        await self.end_life()
        await self.begin_life()

    async def lose_outbox(self) -> None:
        await self.end_life()
        self.files += 1
        self.lost_something = True
        await self.begin_life()

    def restore(self, steps_ago: int) -> None:
        """Central's database is again what it was."""
        committed, closed = self.backups[-min(steps_ago, len(self.backups))]
        self.central.committed, self.central.closed = dict(committed), set(closed)
        self.central.incarnation += "'"
        self.lost_something = True

    async def close_number(self) -> None:
        """Central closes a number that the outbox holds and that never came."""
        held = [each for each in self.store.held() if (EDGE, each) not in self.central.committed]
        if held:
            self.central.closed.add((EDGE, held[0]))
            self.lost_something = True
            told = Welcome(self.central.incarnation, [], [(held[0].epoch, held[0].seq, held[0].seq)])
            if not self.mute:
                self.broker.accept(Message(ack_topic(EDGE), encode_message(told)))

    async def prune(self) -> None:
        """What central has acknowledged is not kept any longer."""
        await self.outbox.prune(self.clock.now_ms() + 1, 10**9)

    def broker_is(self, up: bool) -> None:
        self.broker.up = up
        if not up:
            self.broker.break_connections()

    async def be_well(self) -> None:
        """Nothing befalls any more, for longer than the meter's longest hole is waited for."""
        self.meter.reachable, self.deaf, self.mute = True, False, False
        # While the clock stands still, a last row that is missing would be waited for without end.
        self.meter.left_out.discard(self.clock.now_ms() // STEP_MS * STEP_MS - STEP_MS)
        self.broker_is(False)  # a concentrator that heard nothing for long connects anew
        self.broker_is(True)
        await self.until_quiet()
        for hours in (ASK_AFTER_MS[-1] // 3_600_000 + 1, 1):
            self.clock.advance(timedelta(hours=hours))
            await self.until_quiet()

    async def until_quiet(self) -> None:
        for _ in range(400):
            await asyncio.sleep(5.0)
            assert len(self.asked) < ASKED_MOST, "it asks the meter for ever"
            counts = self.outbox.counts
            idle = not (counts.pending or counts.unacked or counts.reoffered)
            known = self.uplink.acquainted and self.uplink.status.incarnation == self.central.incarnation
            fresh = self.device.looked_at is not None and self.device.looked_at >= self.clock.now()
            nothing = not (self.device.live or self.device.backfill or self.device.due.rows or self.device.due.days)
            if idle and known and fresh and nothing:
                return
        raise AssertionError(f"not quiet: {self.outbox.counts}, due {self.device.due}, {self.uplink.status}")

    def _answer(self) -> None:
        if not self.meter.reachable:
            raise DeviceSilentError("no answer")

    def _central_hears(self, message: Message) -> None:
        if self.deaf or not message.topic.endswith(("/data", "/state")):
            return
        self.heard += 1
        assert self.heard < HEARD_MOST, "it sends for ever"
        for answer in self.central.hear(message):
            if not self.mute:
                self.broker.accept(answer)

    # -- what must hold

    def note_request(self, part: DayPart) -> None:
        start, end = ms(part.start), ms(part.end)
        safe = set(rows_of(self.central.blocks(EDGE)))
        safe.update(rows_of(each.block for each in inspect.committed_blocks(self.path) if not each.acked))
        edges = start, end - STEP_MS
        assert self.config.profile is not None
        registers = [each.register for each in self.config.profile.registers]
        needless = any(all((name, at) in safe for name in registers) for at in edges)
        excused = self.lost_something and not self.uplink.acquainted
        self.asked.append(
            Asked(self.meter.sessions, start, end, self.clock.now_ms(), needless, excused, self.meter.reachable)
        )

    def marked(self) -> int:
        """Values in evidence of the first register that are marked as re-read."""
        blocks = [block for block in self.central.blocks(EDGE) if block.marks & MARK_REREAD]
        return sum(name == self._registers()[0] for name, _ in rows_of(blocks))

    def asked_again(self) -> int:
        """Rows that the meter was asked for more than once, while it could be reached."""
        times = Counter(at for each in self.asked if each.answered for at in range(each.start, each.end, STEP_MS))
        return sum(count > 1 for count in times.values())

    def check(self) -> None:
        self._check_evidence()
        self._check_requests()

    def _check_evidence(self) -> None:
        found: Counter[Row] = Counter()
        first_hand: Counter[Row] = Counter()
        for block in self.central.blocks(EDGE):
            for (name, at), value in rows_of([block]).items():
                assert value == at // 60_000, "value of another interval"
                found[name, at] += 1
                first_hand[name, at] += not block.marks & MARK_REREAD
        held = {(name, at) for name in self._registers() for at in self._held()}
        assert held <= set(found), f"lost: {sorted(held - set(found))[:5]}"
        assert set(found) <= held, "the meter never held it"
        assert max(first_hand.values()) == 1, f"doubled: {[row for row, n in first_hand.items() if n > 1][:5]}"
        if not self.lost_something:
            assert max(found.values()) == 1, "re-read although nothing was lost"

    def _check_requests(self) -> None:
        for each in self.asked:
            assert not each.needless or each.excused, f"asked for what was there: {each}"
        for before, after in zip(self.asked, self.asked[1:], strict=False):
            if before.session == after.session:
                assert after.end <= before.start, "newest first"

    def _registers(self) -> list[str]:
        assert self.config.profile is not None
        return [each.register for each in self.config.profile.registers]

    def _held(self) -> list[int]:
        end: datetime = self.clock.now()
        return [at for at in range(ms(MARCH), ms(end) - STEP_MS + 1, STEP_MS) if at not in self.meter.left_out]


def rows_of(blocks: Iterable[Block]) -> dict[Row, int]:
    """Values of intervals, by register and beginning."""
    return {
        (block.key.register, block.start_ms + n * block.step_ms): value
        for block in blocks
        if block.key.kind is Kind.INTERVAL
        for n, value in enumerate(block.values)
    }
