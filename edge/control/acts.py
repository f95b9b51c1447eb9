"""What commands do at meters and lines. Each act calls `begin` when it is about to change something, and not before."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import date, timedelta
from typing import Any, Final, TypeVar

import msgspec

from edge.blocks import ms, profile_read
from edge.bus.owner import Priority, Turn
from edge.captured import not_taken_yet
from edge.collector import Collector
from edge.control.clock_policy import NeedsOrder, SetNow, WaitUntil, judge_clock
from edge.control.events import Events
from edge.control.judge import RefusedError
from edge.device_state import DeviceState, on_the_line
from edge.drivers.port import ClockSession, DayPart, MeterSession, StateReading, SwitchSession
from edge.errors import DeviceError, DeviceRefusedError, EdgeError, LineDownError
from edge.outbox.model import Deposit, Lane, RegisterStretch
from edge.outbox.outbox import Outbox
from edge.plant import Plant
from edge.schedule import RowsDue, RowsWanted
from edge.timeline import Known, Stretch
from shared.clock import EPOCH, Clock
from shared.control.messages import (
    Command,
    Disconnect,
    FillRange,
    ReadNow,
    Reconnect,
    RestartBus,
    SendDiagnostics,
    SetClock,
)
from shared.metering_day import MeteringDay, day_of
from shared.quantities import Kind
from shared.wire import MARK_REREAD, Block, Key

DAYS_MOST: Final = 400
"""Days that one command may ask for."""
VALUES_MOST: Final = 5_000
"""Values that travel in a result; all of them travel as blocks."""

Begin = Callable[[], Awaitable[None]]
Data = dict[str, object]
T = TypeVar("T")


class Acts:
    """`do` raises `RefusedError` where nothing was done, else what meters and lines raise."""

    def __init__(
        self,
        plant: Plant,
        collector: Collector,
        outbox: Outbox,
        events: Events,
        clock: Clock,
        status: Callable[[], Mapping[str, Any]],
    ) -> None:
        self._plant = plant
        self._collector = collector
        self._outbox = outbox
        self._events = events
        self._clock = clock
        self._status = status

    def certain(self, error: EdgeError) -> bool:
        """Whether, after this error, the meter has surely not obeyed."""
        return isinstance(error, DeviceRefusedError)

    async def do(self, command: Command, begin: Begin) -> Data:
        """Do what the command says; gives what it found."""
        match command.work:
            case ReadNow(device=name, first=None, last=None):
                return await self._read_states(self._device(command, name), begin)
            case ReadNow(device=name, first=first, last=last):
                return await self._read_days(self._device(command, name), first or last, last or first, command, begin)
            case FillRange(device=name, first=first, last=last):
                return await self._fill(self._device(command, name), first, last, command, begin)
            case SetClock(device=name):
                return await self._set_clock(self._device(command, name), command, begin)
            case Disconnect(device=name):
                return await self._switch(self._device(command, name), begin, lambda meter: meter.disconnect())
            case Reconnect(device=name):
                return await self._switch(self._device(command, name), begin, lambda meter: meter.reconnect())
            case RestartBus(bus=name):
                if name not in self._plant.running:
                    known = ", ".join(self._plant.running)
                    raise RefusedError(command.id, f"There is no bus {name!r} here; there are {known}.")
                await begin()
                await self._plant.restart(name)
                return {}
            case SendDiagnostics():
                await begin()
                return {"status": dict(self._status()), "configuration": without_secrets(self._plant.config)}

    async def read_back(self, command: Command) -> Data:
        """What the meter shows of the thing that the command was about."""
        match command.work:
            case Disconnect(device=name) | Reconnect(device=name):

                async def look(meter: MeterSession) -> Data:
                    return (await _switchable(meter).read_switch())._asdict()

                return await self._converse(self._device(command, name), look)
            case SetClock(device=name):

                async def look_at_clock(meter: MeterSession) -> Data:
                    return {"drift_ms": _ms(await _with_clock(meter).read_clock() - self._clock.now())}

                return await self._converse(self._device(command, name), look_at_clock)
            case _:
                return {}

    # -- reading

    async def _read_states(self, device: DeviceState, begin: Begin) -> Data:
        states = device.config.states
        if states is None:
            raise RefusedError("", f"The device {device.config.id} has no states in the configuration; name days.")

        async def read(meter: MeterSession) -> list[StateReading]:
            await begin()
            return await meter.read_states(states.registers)

        readings = await self._converse(device, read, Priority.ON_DEMAND)
        self._collector.succeeded(device)
        fresh, marks = await not_taken_yet(self._outbox, device.config.id, readings)
        blocks = [
            Block(
                Key(device.config.id, r.register.register, r.register.unit, r.register.exponent, Kind.STATE),
                r.at_ms,
                0,
                [r.value],
                marks=0 if r in fresh else MARK_REREAD,
            )
            for r in readings
        ]
        await self._outbox.deposit(Deposit(blocks=blocks, lane=Lane.LIVE, remember=marks))
        return {"states": [_shown(block) for block in blocks]}

    async def _read_days(
        self, device: DeviceState, first: date | None, last: date | None, command: Command, begin: Begin
    ) -> Data:
        assert first is not None and last is not None
        days = self._days(command, device, first, last)
        profile = device.config.profile
        assert profile is not None
        registers = [register.register for register in profile.registers]
        found: list[Block] = []
        for day in days:

            async def read(meter: MeterSession, day: MeteringDay = day) -> list[Block]:
                await begin()
                rows = await meter.read_day(profile, DayPart.whole(day))
                # They may be in evidence already, or come again with back-fill: marked as re-read.
                wanted = (RowsWanted((ms(day.start), ms(day.end)), again=True),)
                due = RowsDue(day, dict.fromkeys(registers, wanted))
                return profile_read(device.config, due, rows, self._clock.now_ms()).blocks

            # A session for each day: who is more urgent comes in between.
            blocks = await self._converse(device, read, Priority.ON_DEMAND)
            self._collector.succeeded(device)
            await self._outbox.deposit(Deposit(blocks=blocks, lane=Lane.LIVE))
            found += blocks
        shown = found if sum(len(block.values) for block in found) <= VALUES_MOST else []
        return {"days": len(days), "blocks": len(found), "profile": [_shown(block) for block in shown]}

    async def _fill(self, device: DeviceState, first: date, last: date, command: Command, begin: Begin) -> Data:
        """Back-fill reads the days again, marked as re-read, when their turn comes."""
        days = self._days(command, device, first, last)
        profile = device.config.profile
        assert profile is not None
        await begin()
        again = Stretch(ms(days[0].start), ms(days[-1].end), Known.AGAIN)
        await self._outbox.read_again(
            [RegisterStretch(device.config.id, register.register, again) for register in profile.registers]
        )
        self._collector.days_changed()
        return {"days": len(days)}

    def _days(self, command: Command, device: DeviceState, first: date, last: date) -> list[MeteringDay]:
        profile = device.config.profile
        if profile is None:
            raise RefusedError(command.id, f"The device {device.config.id} has no profile in the configuration.")
        begins = day_of(profile.commodity, profile.since)
        begins = begins if begins.start >= profile.since else begins.next
        ends = day_of(profile.commodity, self._clock.now()).date - timedelta(days=1)
        if not begins.date <= first <= last <= ends or (last - first).days >= DAYS_MOST:
            raise RefusedError(
                command.id,
                f"The days {first} to {last} of {device.config.id} must lie within {begins.date} to {ends} and be at "
                f"most {DAYS_MOST}.",
            )
        return [MeteringDay(profile.commodity, first + timedelta(days=n)) for n in range((last - first).days + 1)]

    # -- changing

    async def _switch(self, device: DeviceState, begin: Begin, act: Callable[[SwitchSession], Awaitable[None]]) -> Data:
        async def switch(meter: MeterSession) -> Data:
            switchable = _switchable(meter)
            await begin()
            await act(switchable)
            try:
                return (await switchable.read_switch())._asdict()
            except (DeviceError, LineDownError) as error:
                # It has said that it obeyed; what it does not show afterwards does not undo that.
                return {"read_back": f"The meter could not be asked: {error}"}

        return await self._converse(device, switch)

    async def _set_clock(self, device: DeviceState, command: Command, begin: Begin) -> Data:
        assert isinstance(command.work, SetClock)
        over_boundary = command.work.over_boundary

        async def set_clock(meter: MeterSession) -> tuple[SetNow, int | None] | WaitUntil | NeedsOrder:
            clock = _with_clock(meter)
            shown = await clock.read_clock()
            verdict = judge_clock(shown, self._clock.now(), over_boundary=over_boundary)
            if not isinstance(verdict, SetNow):
                return verdict
            await begin()
            await clock.set_clock(self._clock.now())
            try:
                return verdict, _ms(await clock.read_clock() - self._clock.now())
            except (DeviceError, LineDownError):
                return verdict, None  # it was set all the same, and each correction is told

        while True:
            verdict = await self._converse(device, set_clock)
            match verdict:
                case WaitUntil(at):
                    if ms(at) >= command.expires:
                        raise RefusedError(
                            command.id,
                            f"The clock of {device.config.id} can be set without stepping over a quarter-hour only "
                            f"from {at.isoformat()} on, after the command's expiry.",
                        )
                    await self._clock.sleep_until(at)
                case NeedsOrder(drift):
                    raise RefusedError(
                        command.id,
                        f"The clock of {device.config.id} is {drift.total_seconds():+.0f} s off: setting it steps over "
                        "a quarter-hour boundary. Order it with over_boundary.",
                    )
                case SetNow(drift, crosses), left:
                    data: dict[str, int | str | float | None] = {
                        "drift_ms": _ms(drift), "left_ms": left, "boundaries": crosses, "command": command.id
                    }  # fmt: skip
                    await self._events.note("clock-set", device.config.id, data)
                    return {**data}

    # -- lines

    def _device(self, command: Command, name: str) -> DeviceState:
        device = self._plant.devices.get(name)
        if device is None or device.leaving:
            raise RefusedError(command.id, f"There is no device {name!r} in the configuration of this concentrator.")
        return device

    async def _converse(
        self, device: DeviceState, talk: Callable[[MeterSession], Awaitable[T]], priority: Priority = Priority.COMMAND
    ) -> T:
        async def work(turn: Turn) -> T:
            with on_the_line(device):
                async with device.driver.session(turn.line) as meter:
                    return await talk(meter)

        return await device.bus.submit(device.config.id, priority, work)


def _switchable(meter: MeterSession) -> SwitchSession:
    if not isinstance(meter, SwitchSession):
        raise DeviceRefusedError("This kind of meter has no breaker that can be switched from here.")
    return meter


def _with_clock(meter: MeterSession) -> ClockSession:
    if not isinstance(meter, ClockSession):
        raise DeviceRefusedError("This kind of meter has no clock that can be read and set from here.")
    return meter


def without_secrets(config: msgspec.Struct) -> Any:
    """A configuration as plain data, sealed secrets left out."""
    return _without_sealed(msgspec.to_builtins(config))


def _without_sealed(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: "(left out)" if key == "sealed" else _without_sealed(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_without_sealed(each) for each in data]
    return data


def _shown(block: Block) -> Data:
    at = (EPOCH + timedelta(milliseconds=block.start_ms)).isoformat()
    found: Data = {
        "register": block.key.register,
        "unit": block.key.unit,
        "exponent": block.key.exponent,
        "start": at,
        "values": list(block.values),
    }
    return found | ({"step_s": block.step_ms // 1000} if block.step_ms else {})


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
