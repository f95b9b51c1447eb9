"""The agent: puts the parts together and keeps them running."""

import asyncio
import secrets
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import structlog

from edge.bus.line import Line
from edge.bus.link import make_link
from edge.bus.owner import Bus
from edge.bus.timing import line_timing
from edge.collector import Collector, DeviceState
from edge.config import BusConfig, EdgeConfig, SerialLink
from edge.drivers.dlms import DlmsDriver
from edge.drivers.modbus import ModbusDriver
from edge.drivers.port import MeterDriver
from edge.modbus.exchange import Exchange
from edge.outbox.outbox import Outbox
from edge.schedule import DeviceProgress
from edge.status import compose, keep_status, status_path, write_status
from edge.supervise import supervise
from edge.uplink.link import BrokerLink
from edge.uplink.uplink import Identity, Uplink
from shared.clock import Clock

AGENT: Final = "rozvodna-edge 0.1.0"
HOUSEKEEPING_S: Final = 5.0
MEGABYTE: Final = 1_000_000


class Agent:
    """One concentrator. `run()` until cancelled; then everything is closed in order."""

    def __init__(self, config: EdgeConfig, clock: Clock, link: BrokerLink) -> None:
        self.config = config
        self.clock = clock
        self.epoch = secrets.randbits(64)
        self.buses: dict[str, Bus] = {}
        self.devices: dict[str, DeviceState] = {}
        self.has_room = True
        self._link = link
        self._log = structlog.get_logger("edge.agent")
        for bus in config.buses:
            self._add_bus(bus)

    def _add_bus(self, config: BusConfig) -> None:
        exchange = Exchange(tcp=config.protocol == "modbus-tcp")
        timing = line_timing(config.protocol, config.link.baud)
        if isinstance(config.link, SerialLink) and (config.link.parity != "N" or config.link.stop_bits == 2):
            timing = line_timing(config.protocol, config.link.baud, character_bits=11)
        line = Line(make_link(config.link), timing, self.clock.monotonic)
        bus = Bus(config.name, line, exchange.reset, reset_on_fault=config.protocol == "dlms-wrapper")
        self.buses[config.name] = bus
        for device in config.devices:
            driver: MeterDriver
            if device.model == "dlms":
                driver = DlmsDriver(device, config.protocol, self.clock)
            else:
                driver = ModbusDriver(device, exchange, self.clock)
            self.devices[device.id] = DeviceState(device, bus, driver, DeviceProgress())

    async def run(self) -> None:
        """Read, keep and deliver, for ever. Raises `OutboxError` if the outbox cannot be opened."""
        outbox = await Outbox.open(self.config.outbox.path)
        try:
            for name, progress in (await outbox.progress()).items():
                if name in self.devices:
                    self.devices[name].progress = progress
            await self._run_with(outbox)
        finally:
            await outbox.close()

    async def _run_with(self, outbox: Outbox) -> None:
        begun = self.clock.monotonic()
        wait_s = self.config.uplink.welcome_wait_s
        uplink = Uplink(
            Identity(self.config.edge, self.epoch, AGENT, self.config.number),
            self.config.uplink,
            self._link,
            outbox,
            self.clock,
            [device for _, device in self.config.devices()],
            on_days_changed=lambda: collector.days_changed(),
        )
        await uplink.prepare()
        collector = Collector(
            self.devices,
            outbox,
            self.clock,
            may_read_profiles=lambda: uplink.acquainted or self.clock.monotonic() - begun >= wait_s,
            acquainted=lambda: uplink.acquainted,
            has_room=lambda: self.has_room,
        )
        path = status_path(self.config.outbox.path)

        def current() -> dict[str, Any]:
            return compose(
                self.config,
                self.epoch,
                self.clock.now(),
                self.devices,
                self.buses,
                outbox.counts,
                uplink.status,
                has_room=self.has_room,
            )

        self._log.info("agent starts", config=self.config.number, epoch=f"{self.epoch:016x}", agent=AGENT)
        uplink_task = asyncio.create_task(supervise("uplink", uplink.run), name="uplink")
        readers = [
            asyncio.create_task(supervise(f"bus {name}", bus.run), name=f"bus {name}")
            for name, bus in self.buses.items()
        ]
        readers.append(asyncio.create_task(supervise("collector", collector.run)))
        readers.append(asyncio.create_task(supervise("housekeeping", lambda: self._keep_house(outbox))))
        readers.append(asyncio.create_task(supervise("status", lambda: keep_status(path, self.clock, current))))
        try:
            # Unlike gather, wait leaves the order of stopping to us.
            done, _ = await asyncio.wait([uplink_task, *readers], return_when=asyncio.FIRST_COMPLETED)
            raise RuntimeError(f"The supervised task {done.pop().get_name()} ended: an error of the agent's own.")
        finally:
            # Meters first, so that nothing new comes while the uplink says goodbye.
            for group in (readers, [uplink_task]):
                for task in group:
                    task.cancel()
                await asyncio.gather(*group, return_exceptions=True)
            _write_last(path, current())
            self._log.info("agent stopped")

    async def _keep_house(self, outbox: Outbox) -> None:
        settings = self.config.outbox
        budget = settings.budget_mb * MEGABYTE
        while True:
            before = self.clock.now_ms() - timedelta(days=settings.keep_days) // timedelta(milliseconds=1)
            gone = await outbox.prune(before, budget)
            if gone:
                self._log.info("acknowledged batches dropped", batches=gone)
            has_room = await outbox.used_bytes() <= budget
            if has_room != self.has_room:
                self.has_room = has_room
                if has_room:
                    self._log.info("outbox has room again; meters are read")
                else:
                    self._log.error("outbox is full of unacknowledged data; meters are not read", budget_mb=budget)
            await asyncio.sleep(HOUSEKEEPING_S)


def _write_last(path: Path, status: dict[str, Any]) -> None:
    try:
        write_status(path, status)
    except OSError as error:
        structlog.get_logger("edge.agent").warning("status not written", path=str(path), reason=str(error))
