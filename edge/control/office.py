"""The control side of a running agent: puts desk, configurator and commands together."""

from collections.abc import Callable, Mapping
from typing import Any

import structlog

from edge.collector import Collector
from edge.config import EdgeConfig
from edge.control.acts import Acts
from edge.control.commands import Commands
from edge.control.configurator import Configurator
from edge.control.desk import Desk
from edge.control.events import Events
from edge.control.journal import Journal, journal_path
from edge.control.standing import Standing
from edge.outbox.outbox import Outbox
from edge.plant import Plant, Prepared
from edge.uplink.link import Message
from edge.uplink.uplink import Uplink
from shared.clock import Clock
from shared.control.messages import Result, encode_result
from shared.wire import result_topic


class Office:
    """Make it before the uplink, which needs `desk.topics`; then `run` is its task."""

    def __init__(self, standing: Standing, plant: Plant, clock: Clock, on_fatal: Callable[[str], None]) -> None:
        self.desk = Desk(standing.local.edge)
        self._standing = standing
        self._plant = plant
        self._clock = clock
        self._on_fatal = on_fatal
        self._notes = list(standing.chosen.notes)

    def stopped(self) -> None:
        """The agent was stopped in order: the configuration is not to blame."""
        try:
            self._standing.store.settled()
        except OSError as error:
            structlog.get_logger("edge.control").error("configuration not called good", reason=error.strerror)

    async def run(
        self, collector: Collector, outbox: Outbox, uplink: Uplink, status: Callable[[], Mapping[str, Any]]
    ) -> None:
        """For ever, until cancelled."""
        local, central, clock = self._standing.local, self._standing.central, self._clock
        events = Events(outbox, clock)

        def answer(result: Result) -> None:
            uplink.tell(Message(result_topic(local.edge), encode_result(result)))

        host = _Host(self._plant, collector, outbox, uplink, self._on_fatal)
        configurator = Configurator(local, central, self._standing.store, host, events, clock, answer)
        while self._notes:
            await configurator.passed_over(*self._notes.pop(0))
        journal = await Journal.open(journal_path(local.outbox.path))
        try:
            await journal.prune(clock.now_ms())
            acts = Acts(self._plant, collector, outbox, events, clock, status)
            commands = Commands(local.edge, central, journal, acts, events, clock, uplink.tell)
            await self.desk.run(configurator, commands)
        finally:
            await journal.close()


class _Host:
    """See `edge.control.configurator.Host`."""

    def __init__(
        self, plant: Plant, collector: Collector, outbox: Outbox, uplink: Uplink, on_fatal: Callable[[str], None]
    ) -> None:
        self._plant = plant
        self._collector = collector
        self._outbox = outbox
        self._uplink = uplink
        self._on_fatal = on_fatal

    @property
    def config(self) -> EdgeConfig:
        return self._plant.config

    def prepare(self, config: EdgeConfig) -> Prepared:
        return self._plant.prepare(config)

    async def change(self, prepared: Prepared) -> None:
        try:
            await self._plant.change(prepared, self._collector, self._outbox.progress)
        except Exception as error:
            # Half a change is no state to go on from: the next start takes the configuration as a whole.
            self._on_fatal(f"change of configuration ({error!r})")
            raise
        config = prepared.config
        self._uplink.reconfigured(config.number, config.uplink, [device for _, device in config.devices()])
