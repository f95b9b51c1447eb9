"""The agent: puts the parts together and keeps them running."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog

from edge.attend import Attendant
from edge.collector import Collector
from edge.config import EdgeConfig, PageConfig
from edge.control.office import Office
from edge.control.standing import Standing
from edge.errors import ConfigError, OutboxError
from edge.live.reading import LiveReading
from edge.notify import Notifier
from edge.outbox.model import Deposit
from edge.outbox.outbox import Outbox
from edge.plant import Plant
from edge.push.listener import PushListener
from edge.status import compose, keep_status, status_path, write_status
from edge.supervise import supervise
from edge.uplink.link import BrokerLink
from edge.uplink.uplink import Identity, Uplink
from edge.watch import keep_watch, snapshot
from shared.clock import Clock
from shared.wire import Record

if TYPE_CHECKING:
    from edge.page.server import StatusServer

AGENT: Final = "rozvodna-edge 0.1.0"
HOUSEKEEPING_S: Final = 5.0
MEGABYTE: Final = 1_000_000


class Agent:
    """One concentrator. `run()` until cancelled; then everything is closed in order."""

    def __init__(self, config: EdgeConfig, clock: Clock, link: BrokerLink, standing: Standing | None = None) -> None:
        self.plant = Plant(config, clock, on_task=self._watch)
        self._standing = standing
        self.clock = clock
        self.epoch = secrets.randbits(64)
        self.has_room = True
        self._link = link
        self._notifier = Notifier()
        self._ended: asyncio.Future[str] | None = None
        self._log = structlog.get_logger("edge.agent")

    @property
    def config(self) -> EdgeConfig:
        """The configuration that runs."""
        return self.plant.config

    def _watch(self, task: "asyncio.Task[None]") -> None:
        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled():
                self._end(f"supervised task {task.get_name()}")

        task.add_done_callback(ended)

    def _end(self, name: str) -> None:
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(name)

    def _start(self, name: str, run: Callable[[], Awaitable[None]]) -> "asyncio.Task[None]":
        task = asyncio.create_task(supervise(name, run), name=name)
        self._watch(task)
        return task

    async def run(self) -> None:
        """Read, keep and deliver, for ever. Raises `OutboxError` if the outbox cannot be opened."""
        outbox = await Outbox.open(self.config.outbox.path)
        try:
            for name, progress in (await outbox.progress()).items():
                if name in self.plant.devices:
                    self.plant.devices[name].progress = progress
            if self._standing is not None:
                self._standing.store.started(self.config.number)
            await self._run_with(outbox)
        finally:
            await outbox.close()

    async def _run_with(self, outbox: Outbox) -> None:
        begun = self.clock.monotonic()
        wait_s = self.config.uplink.welcome_wait_s
        office: Office | None = None
        if self._standing is not None:
            office = Office(self._standing, self.plant, self.clock, self._end)
        uplink = Uplink(
            Identity(self.config.edge, self.epoch, AGENT, self.config.number),
            self.config.uplink,
            self._link,
            outbox,
            self.clock,
            [device for _, device in self.config.devices()],
            on_days_changed=lambda: collector.days_changed(),
            on_message=office.desk.topics if office else None,
        )
        await uplink.prepare()
        collector = Collector(
            self.plant.devices,
            outbox,
            self.clock,
            may_read_profiles=lambda: uplink.acquainted or self.clock.monotonic() - begun >= wait_s,
            acquainted=lambda: uplink.acquainted,
            has_room=lambda: self.has_room,
            keeps_up=lambda: uplink.keeps_up,
        )
        live = LiveReading(
            self.plant.devices,
            outbox,
            self.clock,
            has_room=lambda: self.has_room,
            keeps_up=lambda: uplink.keeps_up,
        )
        path = status_path(self.config.outbox.path)
        page: StatusServer | None = None

        def current() -> dict[str, Any]:
            whole = compose(
                self.config,
                self.epoch,
                self.clock.now(),
                self.plant.devices,
                self.plant.buses,
                outbox.counts,
                uplink.status,
                has_room=self.has_room,
            )
            return {**whole, "live": live.status()}

        if self.config.page is not None:
            page = _status_server(self.config.page, current)
            try:
                page.start()
            except ConfigError as error:
                # Meters are read also where nobody can look.
                self._log.error("no status page", reason=str(error))
        await self._note_start(outbox)
        self._log.info("agent starts", config=self.config.number, epoch=f"{self.epoch:016x}", agent=AGENT)
        self._ended = asyncio.get_running_loop().create_future()
        uplink_task = self._start("uplink", uplink.run)
        self.plant.start()
        readers = [
            self._start("collector", collector.run),
            self._start("live", live.run),
            self._start(
                "attendant", Attendant(self.plant.devices, outbox, self.clock, has_room=lambda: self.has_room).run
            ),
            self._start("push", PushListener(lambda: self.plant.config, outbox, self.clock).run),
            self._start("housekeeping", lambda: self._keep_house(outbox)),
            self._start("status", lambda: keep_status(path, self.clock, current)),
            self._start("watch", lambda: keep_watch(lambda: snapshot(self.clock.now_ms(), current()), outbox)),
        ]
        if office is not None:
            run_office = partial(office.run, collector, outbox, uplink, current)
            readers.append(self._start("control", run_office))
        try:
            self._notifier.ready()
            name = await self._ended
            raise RuntimeError(f"The {name} ended: an error of the agent's own.")
        finally:
            self._notifier.stopping()
            # Meters first, so that nothing new comes while the uplink says goodbye.
            for task in readers:
                task.cancel()
            await asyncio.gather(self.plant.stop(), *readers, return_exceptions=True)
            uplink_task.cancel()
            await asyncio.gather(uplink_task, return_exceptions=True)
            if office is not None and not self._ended.done():
                office.stopped()
            if page is not None:
                page.stop()
            _write_last(path, current())
            self._log.info("agent stopped")

    async def _note_start(self, outbox: Outbox) -> None:
        data: dict[str, str | int | float | None] = {"agent": AGENT, "config": self.config.number}
        record = Record("agent-started", "", self.clock.now_ms(), data)
        try:
            await outbox.deposit(Deposit(records=[record]))
        except OutboxError as error:
            self._log.error("start not stored", reason=str(error))

    async def _keep_house(self, outbox: Outbox) -> None:
        while True:
            await self._make_room(outbox)
            # Here, because this proves that the event loop and the outbox's thread both work.
            self._notifier.alive(f"{outbox.counts.pending} blocks wait, {outbox.counts.unacked} batches under way")
            await asyncio.sleep(HOUSEKEEPING_S)

    async def _make_room(self, outbox: Outbox) -> None:
        """Keep the outbox within its disk budget: what central has goes first, then what is worth least. When only
        billing data are left, meters are not read until there is room: those with a memory keep their rows, and what
        nobody samples of the others is counted as a gap.
        """
        settings = self.config.outbox
        budget = settings.budget_mb * MEGABYTE
        before = self.clock.now_ms() - timedelta(days=settings.keep_days) // timedelta(milliseconds=1)
        gone = await outbox.prune(before, budget)
        if gone:
            self._log.info("acknowledged batches dropped", batches=gone)
        for dropped in await outbox.drop_pending(budget, self.clock.now_ms()):
            self._log.error("outbox is full: data dropped", worth=dropped.worth.name.lower(), count=dropped.count)
        used = await outbox.used_bytes()
        has_room = used <= budget
        if has_room == self.has_room:
            return
        kind = "outbox-has-room" if has_room else "outbox-full"
        record = Record(kind, "", self.clock.now_ms(), {"budget_bytes": budget, "used_bytes": used})
        await outbox.deposit(Deposit(records=[record]))
        self.has_room = has_room
        if has_room:
            self._log.info("outbox has room again; meters are read")
        else:
            self._log.error("outbox is full of billing data; meters are not read", budget_mb=settings.budget_mb)


def _status_server(config: PageConfig, current: Callable[[], dict[str, Any]]) -> "StatusServer":
    from edge.page.server import StatusServer  # 13 MB with what it needs: only where it is configured

    return StatusServer(config, current)


def _write_last(path: Path, status: dict[str, Any]) -> None:
    try:
        write_status(path, status)
    except OSError as error:
        structlog.get_logger("edge.agent").warning("status not written", path=str(path), reason=str(error))
