"""Line part of the edge benchmark: the agent's bus, driver and serial link against simulated meters on a paced line.

The limit is what the octets that went over the wire take at least, with turnarounds and silent intervals; see
README.md. A run fails if the simulators' line saw a gap below t3.5 or a collision, or if a figure is above the limit.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from edge.bus.owner import Bus, Priority, Turn
from edge.collector import DeviceState
from edge.config import BusConfig
from edge.logs import set_up_logs
from edge.plant import make_bus, make_device
from firmware_sims.half_duplex import LineSpeed
from shared.event_loop import precise_event_loop
from tests.bench.parts.forty_registers import COUNT, STATES, require_truth
from tests.bench.parts.simulators import NOW, Simulators, simulators

T = TypeVar("T")

RTU_BITS: Final = 11
"""8E1 on a wire; 8N2 here, because a pseudo-terminal knows no parity."""
REQUESTS: Final = {9600: 60, 19200: 100}
RTU_ANSWER_OVERHEAD: Final = 5
ROUND: Final = 30


class _Spent:
    """Wall and processor seconds of a piece of work."""

    def __init__(self) -> None:
        self.begun, self.used = time.monotonic(), time.process_time()

    def stop(self) -> None:
        self.wall, self.processor = time.monotonic() - self.begun, time.process_time() - self.used


def rtu(number: int) -> Mapping[str, float]:
    """Share of the limit that is reached in reading 40 registers of one unit after another, turnaround 20 ms."""
    figures: dict[str, float] = {}
    for baud, requests in REQUESTS.items():
        spent, limit = _read_units([(unit % 4) + 1 for unit in range(requests)], baud, turnaround_ms=20)
        figures[f"rtu_{baud}_efficiency"] = limit / spent.wall
        figures[f"rtu_{baud}_cpu_ms_per_request"] = 1000 * spent.processor / requests
    return figures


def round_of_30(number: int) -> Mapping[str, float]:
    """Seconds for one round over 30 meters, 40 registers each, at 9600 Bd, turnaround 30 ms."""
    spent, limit = _read_units(list(range(1, ROUND + 1)), 9600, turnaround_ms=30)
    return {"round_30x40_s": spent.wall, "round_limit_s": limit}


def _read_units(units: list[int], baud: int, turnaround_ms: float) -> tuple[_Spent, float]:
    """Read `units` in that order, all of them waiting in the bus's queue; gives the time taken and the limit."""
    meters = [sdm630(unit) for unit in sorted(set(units))]
    line = rtu_line(baud, meters, turnaround_ms)
    with simulators([line]) as sims:
        spent, counts = run(_ask_all(sims, units, baud))
    require_kept_rules(counts, answers=len(units))
    if counts["octets_out"] != len(units) * (RTU_ANSWER_OVERHEAD + 2 * COUNT):
        raise RuntimeError(f"{counts['octets_out']} octets came back; the requests were not of {COUNT} registers.")
    speed = LineSpeed(baud, RTU_BITS, turnaround_ms / 1000, silent_gaps=True)
    return spent, checked_limit(rtu_limit_s(counts["octets_in"] + counts["octets_out"], len(units), speed), spent.wall)


async def _ask_all(sims: Simulators, units: list[int], baud: int) -> tuple[_Spent, dict[str, int]]:
    async with running_bus(sims, "rtu", "modbus-rtu", baud, stop_bits=2, devices=rtu_devices(units)) as running:
        bus, jobs = running.bus, reading_jobs(sims, running)
        # The line comes up, and what is made at the first reading is made.
        await bus.submit(device(units[0]), Priority.LIVE, jobs[device(units[0])])
        before = sims.counts("rtu")
        spent = _Spent()
        await asyncio.gather(*(bus.submit(device(unit), Priority.LIVE, jobs[device(unit)]) for unit in units))
        spent.stop()
    after = sims.counts("rtu")
    return spent, {key: value - before[key] for key, value in after.items() if isinstance(value, int)}


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


@asynccontextmanager
async def running_bus(
    sims: Simulators, line: str, protocol: str, baud: int, stop_bits: int, devices: list[dict[str, Any]]
) -> AsyncIterator[Running]:
    """The agent's bus with its devices on `line` of the simulators."""
    link = {"kind": "serial", "path": str(sims.folder / line), "baud": baud, "stop_bits": stop_bits}
    config = msgspec.convert({"name": line, "link": link, "protocol": protocol, "devices": devices}, BusConfig)
    running = make_bus(config, sims.clock)
    devices = {each.id: make_device(each, running, sims.clock) for each in config.devices}
    task = asyncio.create_task(running.bus.run())
    try:
        yield Running(running.bus, devices)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def reading_jobs(sims: Simulators, bus: Running) -> dict[str, Callable[[Turn], Awaitable[None]]]:
    """By device, the job that reads its registers and compares them with the truth."""

    def job(state: DeviceState) -> Callable[[Turn], Awaitable[None]]:
        assert state.config.states is not None
        registers, driver = state.config.states.registers, state.driver
        energy = sims.truth.state_at(state.config.id, "import", NOW)

        async def work(turn: Turn) -> None:
            async with driver.session(turn.line) as meter:
                require_truth(await meter.read_states(registers), energy)

        return work

    return {name: job(state) for name, state in bus.devices.items()}


def run(work: Awaitable[T]) -> T:
    """Run `work` as the agent's process runs: same event loop, same logs."""

    async def main() -> T:
        return await work

    set_up_logs("bench", logging.WARNING)
    with asyncio.Runner(loop_factory=precise_event_loop) as runner:
        return runner.run(main())
