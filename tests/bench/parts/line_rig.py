"""A bus of the agent on a line of simulated meters, in the event loop that the agent runs in; and the line's limits."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from edge.bus.owner import Bus
from edge.config import BusConfig
from edge.device_state import DeviceState
from edge.logs import set_up_logs
from edge.plant import make_bus, make_device, seat
from firmware_sims.half_duplex import LineSpeed
from shared.event_loop import precise_event_loop
from tests.bench.parts.forty_registers import STATES
from tests.bench.parts.simulators import Simulators

T = TypeVar("T")

RTU_BITS: Final = 11
"""8E1 on a wire; 8N2 here, because a pseudo-terminal knows no parity."""


class Spent:
    """Wall and processor seconds of a piece of work."""

    def __init__(self) -> None:
        self.begun, self.used = time.monotonic(), time.process_time()

    def stop(self) -> None:
        """The work is done."""
        self.wall, self.processor = time.monotonic() - self.begun, time.process_time() - self.used


def rtu_limit_s(octets: int, exchanges: int, speed: LineSpeed) -> float:
    """What `octets` in `exchanges` one after another take at least: a silent interval within and between them."""
    return octets * speed.character_s + exchanges * (speed.turnaround_s + 2 * speed.gap_s) - speed.gap_s


def checked_limit(limit_s: float, took_s: float) -> float:
    """`limit_s`; raises RuntimeError if it was undercut, because then something is not on the wire as it should."""
    if took_s < limit_s:
        raise RuntimeError(f"It took {took_s:.4f} s where the wire allows {limit_s:.4f} s at least.")
    return limit_s


def require_kept_rules(counts: Mapping[str, int], answers: int) -> None:
    """Raise RuntimeError if the line saw the master break the rules, or not all that was asked."""
    broken = {key: counts[key] for key in ("short_gaps", "collisions", "octets_unread") if counts[key]}
    if broken or counts["answers"] < answers:
        raise RuntimeError(f"The line saw {broken or 'no fault'} and {counts['answers']} answers of {answers}.")


def device(unit: int) -> str:
    """Id of a meter, in the scenario and in the configuration."""
    return f"NN-{unit}"


def sdm630(unit: int) -> dict[str, Any]:
    """A meter of the scenario."""
    load = {"kind": "retail", "mean_w": 3000, "seed": unit}
    channels = [{"register": "import", "load": load, "initial": 1000 * unit}]
    return {"id": device(unit), "model": "sdm630", "unit": unit, "channels": channels}


def rtu_line(baud: int, meters: list[dict[str, Any]], turnaround_ms: float) -> dict[str, Any]:
    """A line of the scenario, called rtu."""
    return {
        "name": "rtu",
        "kind": "pty",
        "protocol": "modbus-rtu",
        "baud": baud,
        "bits_per_character": RTU_BITS,
        "turnaround_ms": turnaround_ms,
        "meters": meters,
    }


def rtu_devices(units: list[int]) -> list[dict[str, Any]]:
    """The meters as the agent's configuration has them."""
    return [
        {"id": device(unit), "model": "sdm630", "address": {"unit": unit}, "states": STATES}
        for unit in sorted(set(units))
    ]


@dataclass(frozen=True, slots=True)
class Running:
    """A bus whose task runs, and its devices."""

    bus: Bus
    devices: Mapping[str, DeviceState]


@contextmanager
def counted(sims: Simulators, line: str) -> Iterator[Mapping[str, int]]:
    """Gives what the line counts between entry and exit; it is there after the exit."""
    before = sims.counts(line)
    counts: dict[str, int] = {}
    yield counts
    counts |= {key: value - before[key] for key, value in sims.counts(line).items() if isinstance(value, int)}


def rtu_bus(sims: Simulators, baud: int, devices: list[dict[str, Any]]) -> AbstractAsyncContextManager[Running]:
    """The agent's bus on the simulators' line called rtu."""
    return _bus(sims, "rtu", {"baud": baud, "stop_bits": 2}, "modbus-rtu", devices)


def hdlc_bus(sims: Simulators, baud: int, devices: list[dict[str, Any]]) -> AbstractAsyncContextManager[Running]:
    """The agent's bus on the simulators' line called hdlc."""
    return _bus(sims, "hdlc", {"baud": baud}, "hdlc", devices)


@asynccontextmanager
async def _bus(
    sims: Simulators, line: str, speed: dict[str, Any], protocol: str, devices: list[dict[str, Any]]
) -> AsyncIterator[Running]:
    link = {"kind": "serial", "path": str(sims.folder / line), **speed}
    config = msgspec.convert({"name": line, "link": link, "protocol": protocol, "devices": devices}, BusConfig)
    running = make_bus(config, sims.clock)
    devices = {each.id: make_device(each, running, sims.clock) for each in config.devices}
    for each in devices.values():
        seat(each)
    task = asyncio.create_task(running.bus.run())
    try:
        yield Running(running.bus, devices)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def run(work: Awaitable[T]) -> T:
    """Run `work` as the agent's process runs: same event loop, same logs."""

    async def main() -> T:
        return await work

    set_up_logs("bench", logging.WARNING)
    with asyncio.Runner(loop_factory=precise_event_loop) as runner:
        return runner.run(main())
