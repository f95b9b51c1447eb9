"""Line part of the edge benchmark: the agent's bus, driver and serial link against simulated meters on a paced line.

The limit is what the octets that went over the wire take at least, with turnarounds and silent intervals; see
README.md. A run fails if the simulators' line saw a gap below t3.5 or a collision, if a figure is above the limit, or
if a value differs from the truth.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final

from edge.bus.owner import Bus, Priority, Turn
from edge.device_state import DeviceState
from edge.drivers.port import DayPart
from firmware_sims.half_duplex import LineSpeed
from shared.metering_day import MeteringDay, day_of
from shared.quantities import Commodity
from tests.bench.parts import line_rig as rig
from tests.bench.parts import profile_meter
from tests.bench.parts.forty_registers import COUNT, require_truth
from tests.bench.parts.line_rig import Running, Spent, device
from tests.bench.parts.simulators import NOW, Simulators, simulators

REQUESTS: Final = {9600: 60, 19200: 100}
RTU_ANSWER_OVERHEAD: Final = 5
ROUND: Final = 30
INFORMATION: Final = (128, 512, 2030)
DEAD: Final = 17
DEAD_TIMEOUT_S: Final = 0.5
"""Shorter than it usually is, so that the periods in which a dead meter is asked pass in seconds; its share of the time
does not depend on it.
"""
DEAD_PERIODS: Final = 2
DEAD_LONGEST_S: Final = 120.0

Work = Callable[[Turn], Awaitable[None]]


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


def profile(number: int) -> Mapping[str, float]:
    """Share of the limit that is reached in reading 96 rows of 4 channels at 9600 Bd, session included in both."""
    figures: dict[str, float] = {}
    for information in INFORMATION:
        with simulators([profile_meter.line()]) as sims:
            spent, counts = rig.run(_read_profile(sims, information))
        limit = counts["octets_in"] + counts["octets_out"], counts["answers"]
        limit_s = limit[0] * profile_meter.CHARACTER_S + limit[1] * profile_meter.TURNAROUND_S
        rig.require_kept_rules(counts, answers=1)
        figures[f"profile_{information}_efficiency"] = rig.checked_limit(limit_s, spent.wall) / spent.wall
        figures[f"profile_{information}_s"] = spent.wall
        figures[f"profile_{information}_octets"] = limit[0]
        figures[f"profile_{information}_turnarounds"] = limit[1]
    return figures


def dead_meter(number: int) -> Mapping[str, float]:
    """Share of the readings of 29 living meters that one dead one costs, from its first failure on, while the bus
    never rests; over whole periods from one vain attempt to the next.
    """
    units = list(range(1, ROUND + 1))
    faults = {"dead": [{"meter": device(DEAD)}]}
    line = rig.rtu_line(9600, [rig.sdm630(unit) for unit in units], turnaround_ms=30) | {"faults": faults}
    with simulators([line]) as sims:
        figures, counts = rig.run(_poll_with_a_dead_one(sims, units))
    rig.require_kept_rules(counts, answers=ROUND)
    return figures


def _read_units(units: list[int], baud: int, turnaround_ms: float) -> tuple[Spent, float]:
    """Read `units` in that order, all of them waiting in the bus's queue; gives the time taken and the limit."""
    meters = [rig.sdm630(unit) for unit in sorted(set(units))]
    line = rig.rtu_line(baud, meters, turnaround_ms)
    with simulators([line]) as sims:
        spent, counts = rig.run(_ask_all(sims, units, baud))
    rig.require_kept_rules(counts, answers=len(units))
    if counts["octets_out"] != len(units) * (RTU_ANSWER_OVERHEAD + 2 * COUNT):
        raise RuntimeError(f"{counts['octets_out']} octets came back; the requests were not of {COUNT} registers.")
    speed = LineSpeed(baud, rig.RTU_BITS, turnaround_ms / 1000, silent_gaps=True)
    limit_s = rig.rtu_limit_s(counts["octets_in"] + counts["octets_out"], len(units), speed)
    return spent, rig.checked_limit(limit_s, spent.wall)


async def _ask_all(sims: Simulators, units: list[int], baud: int) -> tuple[Spent, Mapping[str, int]]:
    async with rig.rtu_bus(sims, baud, rig.rtu_devices(units)) as running:
        bus, jobs = running.bus, _reading_jobs(sims, running)
        # The line comes up, and what is made at the first reading is made.
        await bus.submit(device(units[0]), Priority.LIVE, jobs[device(units[0])])
        with rig.counted(sims, "rtu") as counts:
            spent = Spent()
            await asyncio.gather(*(bus.submit(device(unit), Priority.LIVE, jobs[device(unit)]) for unit in units))
            spent.stop()
    return spent, counts


async def _read_profile(sims: Simulators, information: int) -> tuple[Spent, Mapping[str, int]]:
    yesterday = day_of(Commodity.ELECTRICITY, NOW - timedelta(days=1))
    async with rig.hdlc_bus(sims, profile_meter.BAUD, [profile_meter.device(information)]) as running:
        (state,) = running.devices.values()
        # Scalers and captured objects are asked once in a meter's life: here, with a day that is not yet.
        await running.bus.submit(state.config.id, Priority.BACKFILL, _day_job(state, yesterday.next.next.next, None))
        with rig.counted(sims, "hdlc") as counts:
            spent = Spent()
            job = _day_job(state, yesterday, profile_meter.truth(sims.truth, yesterday))
            await running.bus.submit(state.config.id, Priority.BACKFILL, job)
            spent.stop()
    return spent, counts


def _day_job(state: DeviceState, day: MeteringDay, expected: Mapping[str, list[int]] | None) -> Work:
    config = state.config.profile
    assert config is not None

    async def work(turn: Turn) -> None:
        async with state.driver.session(turn.line) as meter:
            rows = await meter.read_day(config, DayPart.whole(day))
        if expected is not None and {name: list(values) for name, values in rows.columns.items()} != expected:
            raise RuntimeError(f"The load profile of {day.date} differs from the truth.")

    return work


async def _poll_with_a_dead_one(sims: Simulators, units: list[int]) -> tuple[Mapping[str, float], Mapping[str, int]]:
    devices = [each | {"timeout_s": DEAD_TIMEOUT_S} for each in rig.rtu_devices(units)]
    async with rig.rtu_bus(sims, 9600, devices) as running:
        bus, jobs = running.bus, _reading_jobs(sims, running)
        living = [device(unit) for unit in units if unit != DEAD]
        await bus.submit(living[0], Priority.LIVE, jobs[living[0]])
        with rig.counted(sims, "rtu") as counts:
            spent = Spent()
            await asyncio.gather(*(bus.submit(name, Priority.LIVE, jobs[name]) for name in living))
            spent.stop()
            reads, took_s = await _poll(bus, jobs, living)
    undisturbed = reads * spent.wall / len(living)
    return {"dead_meter_cost": 1 - undisturbed / took_s, "dead_meter_window_s": took_s}, counts


async def _poll(bus: Bus, jobs: Mapping[str, Work], living: list[str]) -> tuple[int, float]:
    """Ask all for ever; gives the readings of the living, and the seconds, of whole periods of the dead one."""
    reads, attempts = 0, list[float]()
    over = asyncio.Event()

    async def live(name: str) -> None:
        nonlocal reads
        while not over.is_set():
            await bus.submit(name, Priority.LIVE, jobs[name])
            if attempts and not over.is_set():
                reads += 1

    async def dead(turn: Turn) -> None:
        attempts.append(time.monotonic())
        if len(attempts) > DEAD_PERIODS:
            over.set()
        await jobs[device(DEAD)](turn)

    async def try_the_dead() -> None:
        while not over.is_set():
            await asyncio.gather(bus.submit(device(DEAD), Priority.LIVE, dead), return_exceptions=True)

    async with asyncio.timeout(DEAD_LONGEST_S):
        await asyncio.gather(try_the_dead(), *map(live, living))
    return reads, attempts[DEAD_PERIODS] - attempts[0]


def _reading_jobs(sims: Simulators, running: Running) -> dict[str, Work]:
    """By device, the job that reads its registers and compares them with the truth."""

    def job(state: DeviceState) -> Work:
        assert state.config.states is not None
        registers, driver = state.config.states.registers, state.driver
        energy = sims.truth.state_at(state.config.id, "import", NOW)

        async def work(turn: Turn) -> None:
            async with driver.session(turn.line) as meter:
                require_truth(await meter.read_states(registers), energy)

        return work

    return {name: job(state) for name, state in running.devices.items()}
