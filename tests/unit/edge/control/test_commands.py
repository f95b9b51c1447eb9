"""Commands on meters in memory: done once however often they come, and never silently twice after a crash."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge import inspect
from edge.collector import Collector
from edge.control import commands as commands_module
from edge.control.acts import Acts, without_secrets
from edge.control.commands import Commands
from edge.control.events import Events
from edge.control.journal import KEPT_MS, Journal, JournalError
from edge.drivers.port import Switch
from edge.drivers.testing import FakeMeter
from edge.errors import DeviceRefusedError, DeviceSilentError
from edge.outbox.outbox import Outbox
from edge.plant import Plant
from edge.timeline import Known, Stretch
from edge.uplink.link import Message
from shared.control.messages import (
    Act,
    CommandResult,
    Disconnect,
    FillRange,
    ReadNow,
    Reconnect,
    RestartBus,
    SendDiagnostics,
    SetClock,
    decode_result,
)
from shared.quantities import Kind
from shared.testing import ManualClock
from shared.wire import MARK_REREAD
from tests.unit.edge.control_examples import FORGER, MARCH_MS, PUBLIC, command, local_config
from tests.unit.edge.examples import MARCH

NOW = MARCH + timedelta(days=3, minutes=7)
ISSUED = MARCH_MS + 3 * 86_400_000 + 7 * 60_000


@dataclass
class SwitchedMeter(FakeMeter):
    """With a breaker and a clock that is `drift` ahead. `hold` lets the breaker wait."""

    closed: bool = True
    acts: list[str] = field(default_factory=list)
    drift: timedelta = timedelta(seconds=30)
    mute: list[Exception] = field(default_factory=list)
    """What is raised instead of showing breaker or clock, once the meter has obeyed."""
    hold: asyncio.Event | None = None
    after: list[Exception] = field(default_factory=list)
    """What is raised after the breaker has moved."""

    async def read_switch(self) -> Switch:
        self.fault()
        if self.mute and self.acts:
            raise self.mute[0]
        return Switch(self.closed, "connected" if self.closed else "disconnected")

    async def _move(self, act: str, closed: bool) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.acts.append(act)
        self.closed = closed
        if self.after:
            raise self.after.pop()

    async def disconnect(self) -> None:
        await self._move("disconnect", closed=False)

    async def reconnect(self) -> None:
        await self._move("reconnect", closed=True)

    async def read_clock(self) -> datetime:
        if self.mute and self.acts:
            raise self.mute[0]
        return self.clock.now() + self.drift

    async def set_clock(self, at: datetime) -> None:
        self.acts.append("set_clock")
        self.drift = at - self.clock.now()


class Rig:
    """A plant of meters in memory with commands; `answers` are the results that central would hear."""

    def __init__(self, folder: Path, outbox: Outbox, journal: Journal, meter: SwitchedMeter) -> None:
        self.folder = folder
        self.clock = ManualClock(NOW)
        self.outbox = outbox
        self.journal = journal
        self.meter = meter
        self.told: list[Message] = []
        self.plant = Plant(local_config(), self.clock)
        for name, device in self.plant.devices.items():
            device.driver = meter if name == "LU-1" else FakeMeter(self.clock)
        for running in self.plant.running.values():
            running.bus.line.link = _OpenLink()
        self.collector = Collector(self.plant.devices, outbox, self.clock)
        events = Events(outbox, self.clock)
        acts = Acts(self.plant, self.collector, outbox, events, self.clock, lambda: {"buses": {}})
        self.commands = Commands("CONC-1", PUBLIC, journal, acts, events, self.clock, self.told.append)

    async def give(self, message: bytes, times: int = 1, response_topic: str = "rzv/1/CONC-1/result") -> None:
        for _ in range(times):
            await self.commands.take(
                Message("rzv/1/CONC-1/command", message, response_topic=response_topic, correlation=b"c-1")
            )

    async def order(self, work: Act, **options: Any) -> CommandResult:
        """Give a command and wait for its last word."""
        await self.give(command(work, issued=options.pop("issued", ISSUED), **options))
        return await self.last_word()

    async def last_word(self) -> CommandResult:
        async with asyncio.timeout(5):
            while self.commands._at_work:
                await asyncio.sleep(0.001)
        return self.answers[-1]

    @property
    def answers(self) -> list[CommandResult]:
        found = [decode_result(message.payload) for message in self.told]
        return [each for each in found if isinstance(each, CommandResult)]

    def events(self, kind: str = "command") -> list[dict[str, Any]]:
        records = inspect.committed_records(self.folder / "outbox.sqlite")
        return [dict(record.data) for record in records if record.kind == kind]


class _OpenLink:
    """A link that is open and says nothing."""

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def write(self, data: bytes) -> None: ...
    async def read(self, timeout: float) -> bytes:
        raise TimeoutError


@asynccontextmanager
async def rig(folder: Path, meter: SwitchedMeter | None = None) -> AsyncIterator[Rig]:
    outbox, journal = await Outbox.open(folder / "outbox.sqlite"), await Journal.open(folder / "commands.sqlite")
    found = Rig(folder, outbox, journal, meter or SwitchedMeter(ManualClock(NOW)))
    found.meter.clock = found.clock
    found.plant.start()
    try:
        yield found
    finally:
        await found.commands.stop()
        await found.plant.stop()
        await journal.close()
        await outbox.close()


async def test_a_breaker_moves_once_though_the_order_comes_thrice(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        found.meter.hold = asyncio.Event()
        await found.give(command(Disconnect(device="LU-1"), issued=ISSUED), times=2)
        found.meter.hold.set()
        done = await found.last_word()
        await found.give(command(Disconnect(device="LU-1"), issued=ISSUED))
        assert [answer.outcome for answer in found.answers] == ["accepted", "accepted", "done", "done"]
        assert found.answers[3] == done
        assert done.data == {"closed": False, "control": "disconnected"}
        assert found.meter.acts == ["disconnect"]
        assert {(m.topic, m.correlation) for m in found.told} == {("rzv/1/CONC-1/result", b"c-1")}
        assert [event["outcome"] for event in found.events()] == ["done"]
        again = await found.order(Reconnect(device="LU-1"), identifier="c-2")
        assert again.data["closed"] is True


async def test_another_order_under_a_used_id_is_refused(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        await found.order(Disconnect(device="LU-1"))
        refused = await found.order(Reconnect(device="LU-1"))
        assert (refused.outcome, found.meter.acts) == ("refused", ["disconnect"])
        assert "was used for another command" in refused.reason


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (command(Disconnect(device="LU-1"), private=FORGER, issued=ISSUED), "is trusted here"),
        (command(Disconnect(device="LU-1"), edge="CONC-2", issued=ISSUED), "is for CONC-2"),
        (command(Disconnect(device="LU-1"), issued=ISSUED - 301_000), "expired 1 s ago"),
        (command(Disconnect(device="LU-1"), issued=ISSUED + 901_000), "in the future"),
        (command(Disconnect(device="LU-1"), issued=ISSUED).replace(b"LU-1", b"LU-2"), "changed on the way, or forged"),
        (b"\x95\x01", "no signed message"),
        (b"", "no signed message"),
    ],
)
async def test_a_bad_order_is_refused_with_an_event_and_nothing_is_done(
    tmp_path: Path, message: bytes, reason: str
) -> None:
    async with rig(tmp_path) as found:
        await found.give(message, times=3)
        assert [answer.outcome for answer in found.answers] == ["refused"] * 3
        assert reason in found.answers[0].reason
        (event,) = found.events("command-refused")
        assert reason in event["reason"]
        assert found.meter.sessions == 0
        assert await found.journal.unfinished() == []


async def test_answers_go_below_our_own_id_only(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        for n, topic in enumerate(("rzv/1/CONC-2/result", "rzv/1/CONC-1/data", "")):
            await found.give(command(SendDiagnostics(), identifier=f"c-{n}", issued=ISSUED), response_topic=topic)
            await found.last_word()
        assert {message.topic for message in found.told} == {"rzv/1/CONC-1/result"}


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (Disconnect(device="XX-1"), "There is no device 'XX-1'"),
        (RestartBus(bus="bus-9"), "There is no bus 'bus-9' here; there are hdlc-1"),
        (FillRange(device="EA-1", first=MARCH.date(), last=MARCH.date()), "EA-1 has no profile"),
        (FillRange(device="LU-1", first=date(2026, 3, 2), last=date(2026, 3, 9)), "must lie"),
        (ReadNow(device="LU-1", first=date(2026, 2, 1)), "must lie within 2026-03-01 to 2026-03-03"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_here_is_refused(tmp_path: Path, work: Act, reason: str) -> None:
    async with rig(tmp_path) as found:
        refused = await found.order(work)
        assert refused.outcome == "refused"
        assert reason in refused.reason


async def test_a_range_that_is_to_be_filled_is_due_again_and_will_be_marked(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        filled = await found.order(FillRange(device="LU-1", first=date(2026, 3, 1), last=date(2026, 3, 2)))
        assert (filled.outcome, filled.data) == ("done", {"days": 2})
        again = Stretch(MARCH_MS, MARCH_MS + 2 * 86_400_000, Known.AGAIN)
        assert (await found.outbox.progress())["LU-1"].registers == {"1-0:1.29.0": [again], "1-0:3.29.0": [again]}
        assert found.meter.sessions == 0, "back-fill reads it, when its turn comes"


async def test_an_order_that_expires_in_the_queue_is_not_done(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        await found.plant.stop(["hdlc-1"])
        found.plant.running["hdlc-1"].bus.state = found.plant.running["rtu-1"].bus.state
        await found.give(command(Disconnect(device="LU-1"), issued=ISSUED))
        found.clock.advance(timedelta(seconds=301))
        found.plant.start(["hdlc-1"])
        refused = await found.last_word()
        assert (refused.outcome, found.meter.acts) == ("refused", [])
        assert "expired" in refused.reason


async def test_a_meter_that_cannot_be_reached_failed_and_one_that_fell_silent_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with rig(tmp_path) as found:

        def silent() -> None:
            raise DeviceSilentError("Nobody there.")

        found.meter.fault = silent
        failed = await found.order(Disconnect(device="LU-1"))
        assert (failed.outcome, failed.reason, found.meter.acts) == ("failed", "Nobody there.", [])
        found.meter.fault = lambda: None
        assert await found.order(Disconnect(device="LU-1")) == failed, "a copy does nothing after the last word"
        assert found.meter.acts == []
        assert (await found.order(Disconnect(device="LU-1"), identifier="c-4")).outcome == "done"
        found.meter.after = [DeviceSilentError("No answer.")]
        unknown = await found.order(Reconnect(device="LU-1"), identifier="c-2")
        assert (unknown.outcome, unknown.reason) == ("unknown", "No answer.")
        assert unknown.data == {"closed": True, "control": "connected"}
        found.meter.after = [DeviceRefusedError("It says no.")]
        refused = await found.order(Disconnect(device="LU-1"), identifier="c-3")
        assert (refused.outcome, refused.reason) == ("failed", "It says no.")


async def test_begun_when_the_agent_died_it_is_found_out_and_not_done_again(tmp_path: Path) -> None:
    message = command(Disconnect(device="LU-1"), issued=ISSUED)
    async with rig(tmp_path) as before:
        await before.journal.begin("c-1", message, ISSUED + 300_000, ISSUED)
    async with rig(tmp_path) as found:
        await found.commands.finish_begun()
        await found.give(message)
        unknown = await found.last_word()
        await found.give(message)
        assert [answer.outcome for answer in found.answers] == ["accepted", "unknown", "unknown"]
        assert unknown.data == {"closed": True, "control": "connected"}
        assert "agent ended" in unknown.reason
        assert found.meter.acts == []
        assert [event["outcome"] for event in found.events()] == ["unknown"]


async def test_a_meter_that_cannot_say_what_it_did_is_asked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands_module, "READ_BACK_EVERY_S", 0.001)
    message = command(Disconnect(device="LU-1"), issued=ISSUED)
    faults = [DeviceSilentError("Busy.")] * 2

    def fault() -> None:
        if faults:
            raise faults.pop()

    async with rig(tmp_path, SwitchedMeter(ManualClock(NOW), fault=fault)) as found:
        await found.journal.begin("c-1", message, ISSUED + 300_000, ISSUED)
        await found.give(message)
        assert (await found.last_word()).data["closed"] is True
        assert not faults


async def test_a_reading_that_was_begun_is_simply_done_again(tmp_path: Path) -> None:
    message = command(ReadNow(device="EA-1"), issued=ISSUED)
    async with rig(tmp_path) as found:
        await found.journal.begin("c-1", message, ISSUED + 300_000, ISSUED)
        await found.give(message)
        assert (await found.last_word()).outcome == "done"


async def test_a_reading_that_was_begun_and_is_too_late_now_has_failed(tmp_path: Path) -> None:
    message = command(ReadNow(device="EA-1"), issued=ISSUED - 300_000)
    async with rig(tmp_path) as found:
        await found.journal.begin("c-1", message, ISSUED, ISSUED - 300_000)
        await found.give(message)
        failed = await found.last_word()
        assert (failed.outcome, failed.reason) == (
            "failed",
            "The agent ended while the command was at work, and its time passed.",
        )
        await found.give(message)
        assert found.answers[-1] == failed


async def test_without_its_journal_nothing_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with rig(tmp_path) as found:

        async def full(*_: object) -> None:
            raise JournalError("The disk is full.")

        monkeypatch.setattr(found.journal, "begin", full)
        await found.give(command(Disconnect(device="LU-1"), issued=ISSUED))
        await found.last_word()
        assert found.meter.acts == []
        assert [answer.outcome for answer in found.answers] == ["accepted"], "central asks again"


async def test_states_are_read_at_once_and_arrive_as_a_block_and_in_the_result(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        done = await found.order(ReadNow(device="EA-1"))
        (block,) = [each.block for each in inspect.committed_blocks(tmp_path / "outbox.sqlite")]
        assert (block.key.kind, block.start_ms, list(block.values)) == (Kind.STATE, ISSUED, [ISSUED // 60_000])
        shown = {"register": "1-0:1.8.0", "unit": "Wh", "exponent": 1, "start": NOW.isoformat()}
        assert done.data["states"] == [{**shown, "values": list(block.values)}]
        assert found.plant.devices["EA-1"].last_success == NOW


async def test_days_are_read_at_once_and_marked_as_read_again(tmp_path: Path) -> None:
    day = date(2026, 3, 2)
    async with rig(tmp_path) as found:
        done = await found.order(ReadNow(device="LU-1", first=day, last=day + timedelta(days=1)))
        blocks = [each.block for each in inspect.committed_blocks(tmp_path / "outbox.sqlite")]
        assert len(blocks) == done.data["blocks"] == 4
        assert all(block.marks & MARK_REREAD and len(block.values) == 96 for block in blocks)
        assert sum(len(each["values"]) for each in done.data["profile"]) == 4 * 96
        assert found.plant.devices["LU-1"].last_success == NOW


async def test_a_clock_is_set_with_an_event(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        done = await found.order(SetClock(device="LU-1"))
        assert done.data == {"drift_ms": 30_000, "left_ms": 0, "boundaries": 0, "command": "c-1"}
        assert found.events("clock-set") == [done.data]


@pytest.mark.parametrize("error", [DeviceRefusedError("Not for you."), DeviceSilentError("No answer.")])
async def test_what_the_meter_has_done_is_done_though_it_does_not_show_it(tmp_path: Path, error: Exception) -> None:
    async with rig(tmp_path) as found:
        found.meter.mute = [error]
        opened = await found.order(Disconnect(device="LU-1"))
        assert (opened.outcome, found.meter.closed) == ("done", False)
        assert opened.data == {"read_back": f"The meter could not be asked: {error}"}
        found.meter.acts.clear()
        moved = await found.order(SetClock(device="LU-1"), identifier="c-2")
        assert (moved.outcome, found.meter.drift) == ("done", timedelta(0))
        (event,) = found.events("clock-set")
        assert event == moved.data == {
            "drift_ms": 30_000, "left_ms": None, "boundaries": 0, "command": "c-2",
        }  # fmt: skip


async def test_a_clock_near_a_boundary_waits_for_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        found.clock.set(NOW + timedelta(minutes=7, seconds=50))
        await found.give(command(SetClock(device="LU-1"), issued=ISSUED + 470_000))
        await asyncio.sleep(0.02)
        assert found.meter.acts == []
        found.clock.set(NOW + timedelta(minutes=8, seconds=5))
        assert (await found.last_word()).data["boundaries"] == 0
        assert found.meter.acts == ["set_clock"]


async def test_a_clock_that_is_far_off_needs_an_order_for_it(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        found.meter.drift = timedelta(hours=-1)
        refused = await found.order(SetClock(device="LU-1"))
        assert refused.outcome == "refused" and "Order it with over_boundary" in refused.reason
        done = await found.order(SetClock(device="LU-1", over_boundary=True), identifier="c-2")
        assert done.data["boundaries"] == 4
        assert found.events("clock-set")[0]["boundaries"] == 4


async def test_a_bus_is_restarted_and_diagnostics_are_sent(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        task = found.plant.running["rtu-1"].task
        assert (await found.order(RestartBus(bus="rtu-1"))).outcome == "done"
        assert found.plant.running["rtu-1"].task is not task
        sent = await found.order(SendDiagnostics(), identifier="c-2")
        assert sent.data["status"] == {"buses": {}}
        assert sent.data["configuration"]["edge"] == "CONC-1"


async def test_a_meter_without_breaker_or_clock_says_so(tmp_path: Path) -> None:
    async with rig(tmp_path) as found:
        for n, work in enumerate((Disconnect(device="EA-1"), SetClock(device="EA-1"))):
            failed = await found.order(work, identifier=f"c-{n}")
            assert failed.outcome == "failed" and "This kind of meter has no" in failed.reason


class Sealing(msgspec.Struct):
    """As keys stand in a configuration."""

    keys: dict[str, Any]


def test_diagnostics_leave_secrets_out() -> None:
    config = Sealing({"lls": [{"sealed": "AAAA"}], "file": {"file": "/etc/key"}})
    assert without_secrets(config) == {"keys": {"lls": [{"sealed": "(left out)"}], "file": {"file": "/etc/key"}}}


async def test_the_journal_forgets_what_is_long_past(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "commands.sqlite")
    await journal.begin("old", b"m", 1, 1)
    await journal.begin("open", b"m", 3 * KEPT_MS, 1)
    await journal.end(CommandResult(id="old", outcome="done", at=2))
    await journal.end(CommandResult(id="old", outcome="failed", at=3))
    entry = await journal.find("old")
    assert entry is not None and entry.result is not None and entry.result.outcome == "done", "a result stands"
    assert await journal.prune(2 * KEPT_MS) == 1
    assert await journal.find("old") is None
    assert [each.id for each in await journal.unfinished()] == ["open"]
    await journal.close()
    with pytest.raises(JournalError):
        await Journal.open(tmp_path)
