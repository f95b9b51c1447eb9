"""What an agent runs on its lines: buses with their tasks, devices with their drivers; made from a configuration and
changed while it runs.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

import structlog

from edge.bus.lengths import RULES
from edge.bus.line import Line
from edge.bus.link import make_link
from edge.bus.owner import Bus
from edge.bus.station import Station
from edge.bus.timing import line_timing
from edge.collector import Collector
from edge.config import BusConfig, DeviceConfig, EdgeConfig, SerialLink
from edge.control.difference import difference
from edge.device_state import DeviceState
from edge.drivers.dlms import DlmsDriver
from edge.drivers.iec62056 import Iec62056Driver
from edge.drivers.keyring import KeyReader, KeyRing, counters_path, key_reader, read_meter_key
from edge.drivers.modbus import ModbusDriver
from edge.drivers.port import MeterDriver
from edge.errors import LineDownError, OutboxError
from edge.live.modbus_tcp import ModbusPoller
from edge.modbus.exchange import Exchange
from edge.schedule import DeviceProgress
from edge.supervise import supervise
from shared.clock import Clock

PROGRESS_RETRY_S: Final = 1.0
LATE_S: Final = 2.0
"""A Modbus answer that is so much later than the longest time-out comes no more."""

Progress = Callable[[], Awaitable[Mapping[str, DeviceProgress]]]


@dataclass(slots=True)
class RunningBus:
    """A bus, what its devices share, and its task once it runs."""

    bus: Bus
    exchange: Exchange
    protocol: str
    phase_ms: int = 0
    task: "asyncio.Task[None] | None" = None


def make_bus(config: BusConfig, clock: Clock) -> RunningBus:
    """The bus that `config` describes, without devices; its link is not open."""
    slowest = max((device.timeout_s for device in config.devices), default=0.0)
    exchange = Exchange(tcp=config.protocol == "modbus-tcp", late_window=LATE_S + slowest)
    timing = line_timing(config.protocol, config.link.baud)
    if isinstance(config.link, SerialLink) and (config.link.parity != "N" or config.link.stop_bits == 2):
        timing = line_timing(config.protocol, config.link.baud, character_bits=11)
    missing = RULES.get(config.protocol, lambda heard: 0)
    link = make_link(config.link)
    line = Line(link, timing, clock.monotonic, echo=config.link.echo, missing=missing, name=config.name)
    bus = Bus(config.name, line, exchange.reset, reset_on_fault=config.protocol == "dlms-wrapper")
    if exchange.tcp:
        bus.tenant = ModbusPoller(link, exchange, clock)
    if config.protocol == "modbus-rtu":
        bus.late_s = exchange.late_window
    return RunningBus(bus, exchange, config.protocol, config.phase_ms)


def make_device(
    config: DeviceConfig,
    running: RunningBus,
    clock: Clock,
    keyring: KeyRing | None = None,
    read_key: KeyReader = read_meter_key,
) -> DeviceState:
    """A device on a bus; raises `ConfigError` where a file that it names cannot be used."""
    driver: MeterDriver
    if config.model == "dlms":
        driver = DlmsDriver(config, running.protocol, clock, keyring, read_key)
    elif running.protocol == "iec62056-21":
        driver = Iec62056Driver(config, clock)
    else:
        driver = ModbusDriver(config, running.exchange, clock)
    phase = timedelta(milliseconds=running.phase_ms + config.phase_ms)
    return DeviceState(config, running.bus, driver, DeviceProgress(), phase)


def seat(device: DeviceState) -> None:
    """Tell the device's bus how to treat it. Apart from making it: a device that is made may yet be refused."""
    config = device.config
    device.bus.stations[config.id] = Station(config.min_gap_ms / 1000, config.timeout_min_s)


@dataclass(slots=True)
class Prepared:
    """A configuration whose new parts are made and do not run yet."""

    config: EdgeConfig
    stopped: tuple[str, ...]
    removed: tuple[str, ...]
    buses: dict[str, RunningBus]
    devices: dict[str, DeviceState]


@dataclass(slots=True)
class Plant:
    """Buses and devices by name; `devices` is the collector's own mapping."""

    config: EdgeConfig
    clock: Clock
    running: dict[str, RunningBus] = field(default_factory=dict)
    devices: dict[str, DeviceState] = field(default_factory=dict)
    on_task: Callable[["asyncio.Task[None]"], None] = lambda task: None
    keyring: KeyRing = field(init=False)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)
    """Restarts and changes: two at a time would start a bus twice, and its line would have two owners."""

    def __post_init__(self) -> None:
        self.keyring = KeyRing(counters_path(self.config.outbox.path), self.clock)
        read_key = key_reader(self.config)
        for config in self.config.buses:
            running = self.running[config.name] = make_bus(config, self.clock)
            for device in config.devices:
                made = self.devices[device.id] = make_device(device, running, self.clock, self.keyring, read_key)
                seat(made)

    @property
    def buses(self) -> dict[str, Bus]:
        """The buses by name."""
        return {name: running.bus for name, running in self.running.items()}

    def start(self, names: Iterable[str] | None = None) -> None:
        """Let buses own their lines; all of them, or those named."""
        for name in self.running if names is None else names:
            running = self.running[name]
            running.task = asyncio.create_task(supervise(f"bus {name}", running.bus.run), name=f"bus {name}")
            self.on_task(running.task)

    async def stop(self, names: Iterable[str] | None = None) -> None:
        """Close lines; their waiting jobs are refused."""
        tasks = [running.task for name in (names or list(self.running)) if (running := self.running[name]).task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def restart(self, name: str) -> None:
        """Close one line and open it again; its devices stay. Raises `LineDownError` if it has gone meanwhile."""
        async with self._one_at_a_time:
            if name not in self.running:
                raise LineDownError(f"There is no bus {name} any more: another configuration runs.")
            await self.stop([name])
            self.start([name])

    def prepare(self, config: EdgeConfig) -> Prepared:
        """Make what `config` brings. Raises `ConfigError`, and then nothing has changed."""
        change = difference(self.config, config)
        read_key = key_reader(config)
        buses = {bus.name: make_bus(bus, self.clock) for bus in change.started}
        devices = {
            device.id: make_device(device, buses[bus.name], self.clock, self.keyring, read_key)
            for bus in change.started
            for device in bus.devices
        }
        for name, device in change.added:
            devices[device.id] = make_device(device, self.running[name], self.clock, self.keyring, read_key)
        return Prepared(config, change.stopped, change.removed, buses, devices)

    async def change(self, prepared: Prepared, collector: Collector, progress: Progress) -> None:
        """Take out what goes, then put in what comes; buses and devices that stay notice nothing."""
        async with self._one_at_a_time:
            await self._change(prepared, collector, progress)

    async def _change(self, prepared: Prepared, collector: Collector, progress: Progress) -> None:
        stopped = [self.running[name].bus for name in prepared.stopped]
        leaving = [name for name, device in self.devices.items() if device.bus in stopped or name in prepared.removed]
        collector.detach(leaving)
        if prepared.stopped:
            await self.stop(prepared.stopped)
        left = [self.devices[name] for name in leaving]
        await collector.released(leaving)
        for device in left:
            device.bus.stations.pop(device.config.id, None)
        for name in prepared.stopped:
            del self.running[name]
        self.running |= prepared.buses
        self.config = prepared.config
        if prepared.devices:
            # Only now: what leaving devices still deposited counts for those that come under the same name.
            known = await _patiently(progress)
            for name, device in prepared.devices.items():
                device.progress = known.get(name, device.progress)
                seat(device)
            collector.admit(prepared.devices)
        self.start(prepared.buses)


async def _patiently(progress: Progress) -> Mapping[str, DeviceProgress]:
    while True:
        try:
            return await progress()
        except OutboxError as error:
            structlog.get_logger("edge.plant").error("progress not read", reason=str(error))
            await asyncio.sleep(PROGRESS_RETRY_S)
