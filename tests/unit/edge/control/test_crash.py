"""Killed at any step of a command, the agent does it once at most and never says what it does not know."""

import asyncio
import json
import multiprocessing
import os
import signal
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from edge.control.journal import Journal
from edge.drivers.port import Switch
from shared.control.messages import CommandResult, Disconnect
from shared.testing import ManualClock
from tests.unit.edge.control.test_commands import ISSUED, NOW, SwitchedMeter, rig
from tests.unit.edge.control_examples import command

ORDER = command(Disconnect(device="LU-1"), issued=ISSUED)
FORK = multiprocessing.get_context("fork")


def die() -> None:
    """As a power cut: nothing is closed, nothing is told."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass
class MeterOnDisk(SwitchedMeter):
    """Its breaker outlives the agent; it may kill the agent before or after it moves."""

    path: Path = field(default_factory=Path)
    kill: str = ""

    @property
    def moves(self) -> list[str]:
        return self.path.read_text().split() if self.path.exists() else []

    async def read_switch(self) -> Switch:
        return Switch(closed=not self.moves, control="disconnected" if self.moves else "connected")

    async def disconnect(self) -> None:
        if self.kill == "before the act":
            die()
        with self.path.open("a") as file:
            file.write("disconnect\n")
        if self.kill == "after the act":
            die()


async def live(folder: Path, kill: str) -> dict[str, Any]:
    """A life of the agent that gets the command; gives the last answer."""
    meter = MeterOnDisk(ManualClock(NOW), path=folder / "meter", kill=kill)
    async with rig(folder, meter) as found:
        begin, end = found.journal.begin, found.journal.end

        async def dying_begin(*arguments: Any) -> None:
            if kill == "before it is noted":
                die()
            await begin(*arguments)

        async def dying_end(result: CommandResult) -> None:
            if kill == "before the result is noted":
                die()
            await end(result)
            if kill == "after the result is noted":
                die()

        found.journal.begin, found.journal.end = dying_begin, dying_end
        await found.commands.finish_begun()
        await found.give(ORDER, times=2)
        last = await found.last_word()
        await found.give(ORDER)
        assert found.answers[-1] == last or last.outcome == "accepted"
        return {"outcome": found.answers[-1].outcome, "data": found.answers[-1].data}


def in_a_process(folder: Path, kill: str) -> int | None:
    def run() -> None:
        answer = asyncio.run(live(folder, kill))
        (folder / "answer").write_text(json.dumps(answer))

    process = FORK.Process(target=run)
    process.start()
    process.join(30)
    return process.exitcode


@pytest.mark.parametrize(
    ("kill", "moves", "outcome"),
    [
        ("before it is noted", 1, "done"),
        ("before the act", 0, "unknown"),
        ("after the act", 1, "unknown"),
        ("before the result is noted", 1, "unknown"),
        ("after the result is noted", 1, "done"),
        ("", 1, "done"),
    ],
)
def test_killed_at_any_step_it_is_done_once_at_most(tmp_path: Path, kill: str, moves: int, outcome: str) -> None:
    killed = in_a_process(tmp_path, kill)
    assert killed == (-signal.SIGKILL if kill else 0)
    assert in_a_process(tmp_path, "") == 0
    answer = json.loads((tmp_path / "answer").read_text())
    assert answer["outcome"] == outcome
    assert answer["data"] == {"closed": moves == 0, "control": "disconnected" if moves else "connected"}
    assert len(MeterOnDisk(ManualClock(NOW), path=tmp_path / "meter").moves) == moves
    assert in_a_process(tmp_path, "") == 0, "and whoever asks a third time gets the same"
    assert json.loads((tmp_path / "answer").read_text()) == answer
    assert len(MeterOnDisk(ManualClock(NOW), path=tmp_path / "meter").moves) == moves


async def test_what_is_noted_is_there_for_the_next_life(tmp_path: Path) -> None:
    first = await Journal.open(tmp_path / "commands.sqlite")
    await first.begin("c-1", ORDER, ISSUED + 300_000, ISSUED)
    second = await Journal.open(tmp_path / "commands.sqlite")
    assert [entry.id for entry in await second.unfinished()] == ["c-1"]
    await first.close()
    await second.close()
    assert timedelta(0) < NOW - NOW.replace(minute=0)
