"""Whatever befalls meter, concentrator and central: in the end central has every reading that the meter holds, once
(more only marked as re-read), nothing else, and the meter was asked only for what was missing, the newest first.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
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
    st.tuples(st.just("hole"), st.integers(0, 30), st.integers(1, 9)),
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
            first = now + 4 * hours
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


WORK = ("time", 20), 20.0
RESTORED: Sequence[tuple[Step, float]] = [
    *(WORK, WORK, (("prune",), 1.0), (("restore", 2), 0.02)),
    *2 * [(("toggle", "broker"), 0.0)],
]


DEAF, MUTE, METER = ((("toggle", each), 1.0) for each in ("deaf", "mute", "meter"))
KILLED = ("kill", None), 20.0
STORIES: dict[str, tuple[Sequence[tuple[Step, float]], int, int]] = {
    "nothing": ([WORK, WORK], 0, 0),
    "meter out of reach": ([METER, WORK, WORK, METER], 0, 0),
    "nobody hears": ([DEAF, WORK, KILLED, WORK], 0, 0),
    "acknowledgements lost": ([MUTE, WORK, KILLED, WORK], 0, 0),
    "hole filled later": ([(("hole", 1, 4), 1.0), WORK, (("time", 2), 20.0), (("fill", 0), 1.0)], 0, 4),
    "hole for ever": ([(("hole", 1, 4), 1.0), WORK, WORK], 0, 4),
    "outbox lost, all in evidence": ([WORK, (("lose outbox",), 20.0), WORK], 0, 0),
    "outbox lost with what nobody heard": ([WORK, DEAF, WORK, (("lose outbox",), 0.02), DEAF], 80, 80),
    "central restored, batches kept": ([WORK, WORK, (("restore", 1), 1.0), WORK], 0, 0),
    "central restored, batches gone": ([WORK, WORK, (("prune",), 1.0), (("restore", 2), 1.0), WORK], 80, 80),
    "number closed that is held": ([WORK, DEAF, WORK, (("close",), 1.0), DEAF], 80, 0),
}
"""Each with the intervals that are marked as re-read in the end, and those that the meter was asked for again."""


@pytest.mark.parametrize("name", STORIES)
def test_only_what_was_lost_is_read_again(name: str) -> None:
    steps, marked, asked_again = STORIES[name]
    world = tell(steps)
    assert (world.marked(), world.asked_again()) == (marked, asked_again)


@pytest.mark.parametrize("statements", range(0, 60, 3))
def test_killed_while_a_restored_database_is_noted(statements: int) -> None:
    tell([*RESTORED, (("kill", statements), 1.0)])
