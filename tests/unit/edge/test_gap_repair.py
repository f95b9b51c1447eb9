"""Whatever befalls meter, concentrator and central: in the end central has every reading that the meter holds, once
(more only marked as re-read), nothing else, and the meter was asked only for what was missing, the newest first.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.blocks import ms
from tests.unit.edge.examples import MARCH
from tests.unit.edge.gap_world import STEP_MS, World
from tests.unit.edge.stepped_loop import SteppedLoop

Step = tuple[Any, ...]
FLAGS = st.sampled_from(["meter", "broker", "deaf", "mute"])
STEPS = st.one_of(
    st.tuples(st.just("time"), st.integers(1, 30)),
    st.tuples(st.just("time"), st.integers(1, 30)),
    st.tuples(st.just("toggle"), FLAGS),
    st.tuples(st.just("hole"), st.integers(-40, 30), st.integers(1, 9)),
    st.tuples(st.just("fill"), st.integers(0, 9)),
    st.tuples(st.just("kill"), st.one_of(st.none(), st.integers(0, 60))),
    st.tuples(st.just("lose outbox")),
    st.tuples(st.just("restore"), st.integers(1, 4)),
    st.tuples(st.just("close")),
    st.tuples(st.just("prune")),
)


async def befall(world: World, step: Step) -> None:
    match step:
        case "time", hours:
            world.clock.advance(timedelta(hours=hours))
        case "toggle", "meter":
            world.meter.reachable = not world.meter.reachable
        case "toggle", "broker":
            world.broker_is(not world.broker.up)
        case "toggle", "deaf":
            world.deaf = not world.deaf
        case "toggle", "mute":
            world.mute = not world.mute
        case "hole", hours, count:
            # Rows that the meter has yet to capture: what it held once, it holds.
            now = (world.clock.now_ms() - ms(MARCH)) // STEP_MS
            first = max(now, now + 4 * hours)
            world.meter.left_out.update(ms(MARCH) + n * STEP_MS for n in range(first, first + count))
        case "fill", place:
            found = sorted(world.meter.left_out)
            world.meter.left_out.difference_update(found[place : place + 5])
        case "kill", statements:
            await world.kill(statements)
        case ("lose outbox",):
            await world.lose_outbox()
        case "restore", steps_ago:
            world.restore(steps_ago)
        case ("close",):
            await world.close_number()
        case ("prune",):
            await world.prune()


async def story(folder: Path, steps: Sequence[tuple[Step, float]]) -> World:
    world = World(folder)
    await world.begin_life()
    await world.settle(5.0)
    for step, seconds in steps:
        await befall(world, step)
        await world.settle(seconds)
    await world.be_well()
    await world.end_life()
    return world


def tell(steps: Sequence[tuple[Step, float]]) -> World:
    """How it ends."""
    with TemporaryDirectory() as folder, asyncio.Runner(loop_factory=SteppedLoop) as runner:
        world = runner.run(story(Path(folder), steps))
    world.check()
    return world


@settings(max_examples=50)
@given(st.lists(st.tuples(STEPS, st.sampled_from([0.02, 0.12, 1.0, 20.0])), min_size=3, max_size=16))
def test_every_reading_of_the_meter_arrives_once(steps: list[tuple[Step, float]]) -> None:
    tell(steps)
