"""DLMS meters: one association a session; profiles and registers through `edge.dlms.reader`."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from edge.bus.line import Line
from edge.config import Conventions, DeviceConfig, ProfileConfig, StateRegister
from edge.dlms.clock import set_clock
from edge.dlms.counters import InvocationCounter
from edge.dlms.discovery import Discovery, discover
from edge.dlms.errors import (
    AccessDeniedError,
    AssociationRefusedError,
    CounterLostError,
    CounterRefusedError,
    DlmsError,
    NoAnswerError,
    NotOfferedError,
    ProtocolError,
)
from edge.dlms.event_log import decode_anchor, encode_anchor, read_new_events
from edge.dlms.reader import ClockConvention, DlmsReader, LinkSettings, MeterFacts, ProfileRows
from edge.dlms.security import SecuritySettings
from edge.dlms.switch import ControlState, disconnect, read_disconnector, reconnect
from edge.drivers.behind import sampled_within
from edge.drivers.keyring import KeyReader, KeyRing, read_meter_key
from edge.drivers.password import read_password
from edge.drivers.port import DayPart, EventsRead, MeterEvent, MeterSession, ProfileDay, StateReading, Switch, rescaled
from edge.errors import DeviceGarbledError, DeviceMismatchError, DeviceRefusedError, DeviceSilentError, LineDownError
from edge.iec62056.opening import mode_e_opening, opened
from shared.clock import EPOCH, Clock
from shared.identifiers import Obis
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Kind
from shared.wire import Record

LOGICAL_DEVICE_NAME: Final = Obis(0, 0, 42, 0, 0)


def profile_day(device: str, profile: ProfileConfig, day: MeteringDay, rows: ProfileRows) -> ProfileDay:
    """The reader's rows in the terms of the configuration: wire names, units, exponents. Raises `DeviceGarbledError`
    where meter and configuration disagree.
    """
    step_ms = profile.step_s * 1000
    if rows.period_ms != step_ms:
        raise DeviceGarbledError(
            f"The profile {profile.obis} captures every {rows.period_ms // 1000} s, but step_s is {profile.step_s}; "
            "set the configuration to what the meter does."
        )
    columns: dict[str, Sequence[int | None]] = {}
    own_times: dict[str, Sequence[int | None]] = {}
    for register in profile.registers:
        column = rows.columns.get(Obis.parse(register.obis))
        if column is None:
            captured = ", ".join(str(obis) for obis in rows.columns)
            raise DeviceGarbledError(
                f"The profile {profile.obis} does not capture {register.obis}; it captures {captured}."
            )
        what = f"{register.obis} of the profile {profile.obis}"
        _same_unit(register.unit, column.unit, what)
        values = column.values
        if column.captured_ms is not None:
            if register.kind is not Kind.STATE:
                raise DeviceGarbledError(f'{what} is a counter with its own time; call its kind "state".')
            own_times[register.register] = column.captured_ms
            values = sampled_within(values, column.captured_ms, rows.start_ms, step_ms)
        columns[register.register] = [
            None if value is None else rescaled(value, column.scaler, register.exponent, what) for value in values
        ]
    records = [
        Record(kind, device, stamps[0], {"profile": profile.obis, "count": len(stamps), "until": stamps[-1]})
        for kind, stamps in (("repeated-capture", rows.repeated), ("capture-off-grid", sorted(rows.irregular)))
        if stamps
    ]
    return ProfileDay(day, rows.start_ms, rows.flags, columns, own_times, records)


def _same_unit(wanted: str, found: str, what: str) -> None:
    if wanted != found:
        raise DeviceGarbledError(f"{what} is in {found}, but the configuration says {wanted}.")


class DlmsSession:
    """An open association with one meter."""

    def __init__(self, device: DeviceConfig, reader: DlmsReader, clock: Clock) -> None:
        self._device = device
        self._reader = reader
        self._clock = clock

    async def read_states(self, registers: Sequence[StateRegister]) -> list[StateReading]:
        readings = []
        with _errors():
            for register in registers:
                found = await self._reader.read_register(Obis.parse(register.obis or ""), register.class_id)
                at_ms = self._clock.now_ms() if found.at is None else (found.at - EPOCH) // timedelta(milliseconds=1)
                _same_unit(register.unit, found.unit, f"The register {register.obis}")
                value = rescaled(found.value, found.scaler, register.exponent, f"The register {register.obis}")
                readings.append(StateReading(register, value, at_ms, captured=found.at is not None))
        return readings

    async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
        with _errors():
            wanted = {Obis.parse(register.obis) for register in profile.registers}
            rows = await self._reader.read_profile(Obis.parse(profile.obis), part.start, part.end, wanted)
        return profile_day(self._device.id, profile, part.day, rows)

    async def read_clock(self) -> datetime:
        with _errors():
            return (await self._reader.read_clock()).at

    async def set_clock(self, at: datetime) -> None:
        with _errors():
            await set_clock(self._reader, at)

    async def read_switch(self) -> Switch:
        with _errors():
            found = await read_disconnector(self._reader, self._disconnector)
        known = found.control in ControlState._value2member_map_
        control = ControlState(found.control).name.lower() if known else f"state {found.control}"
        return Switch(found.connected, control)

    async def disconnect(self) -> None:
        with _errors():
            await disconnect(self._reader, self._disconnector)

    async def reconnect(self) -> None:
        with _errors():
            await reconnect(self._reader, self._disconnector)

    async def read_events(self, log: str, mark: str | None) -> EventsRead:
        with _errors():
            found = await read_new_events(self._reader, Obis.parse(log), decode_anchor(mark))
        return EventsRead([MeterEvent(*event) for event in found.events], encode_anchor(found.anchor), found.overrun)

    async def discover(self) -> Discovery:
        """All that the meter has (edge.discover)."""
        with _errors():
            return await discover(self._reader)

    async def recognise(self) -> None:
        """Raises `DeviceMismatchError` if the meter is not the one that the configuration states."""
        expected = self._device.identity
        if expected is None:
            return
        stated = expected.stated()
        differ: dict[str, tuple[str, str]] = {}
        with _errors():
            for fact, obis in (("logical_name", LOGICAL_DEVICE_NAME), ("serial", Obis.parse(expected.serial_obis))):
                if fact not in stated:
                    continue
                shown = text_of(await self._reader.get(1, obis, 2))
                if shown != stated[fact]:
                    differ[fact] = stated[fact], shown
        if differ:
            told = "; ".join(f"{fact} {shown!r}, expected {value!r}" for fact, (value, shown) in differ.items())
            raise DeviceMismatchError(
                f"The meter is not {self._device.id}: it shows {told}. It is not read; check the line and the address, "
                "or correct the identity in the configuration.",
                differ,
            )

    @property
    def _disconnector(self) -> Obis:
        return Obis.parse(self._device.switch)


def text_of(value: object) -> str:
    """A name or number that a data object shows: as text, or in hexadecimal where it is none."""
    if isinstance(value, bytes):
        text = value.rstrip(b"\0").decode("latin-1")
        return text if text.isprintable() else value.hex()
    return str(value)


_REFUSALS: Final = (
    AccessDeniedError,
    AssociationRefusedError,
    CounterLostError,
    CounterRefusedError,
    NotOfferedError,
)


class _errors:  # noqa: N801 - reads as a statement
    """Turns what the reader raises into the agent's families of errors."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, LineDownError):
            return
        if isinstance(error, NoAnswerError):
            raise DeviceSilentError(str(error)) from error
        if isinstance(error, _REFUSALS):
            raise DeviceRefusedError(str(error)) from error
        if isinstance(error, DlmsError):
            raise DeviceGarbledError(str(error)) from error
        if isinstance(error, TimeoutError):
            raise DeviceSilentError("The meter did not answer.") from error
        if isinstance(error, OSError | EOFError):
            raise LineDownError(f"The line broke: {error}.") from error


class DlmsDriver:
    """One DLMS meter; keeps between sessions what stays true of it (scalers, captured objects)."""

    def __init__(
        self,
        device: DeviceConfig,
        protocol: str,
        clock: Clock,
        keyring: KeyRing | None = None,
        read_key: KeyReader = read_meter_key,
    ) -> None:
        if device.address.server is None:
            raise ValueError(f"The device {device.id} has no server address; check the configuration first.")
        security: SecuritySettings | None = None
        self._security = device.security
        self._counter: InvocationCounter | None = None
        if device.security is not None:
            if keyring is None:
                raise ValueError(f"The device {device.id} needs keys, but there is no key ring to take them from.")
            security, self._counter = keyring.settings(device, device.security, read_key)
        self._must_look = device.security is not None and device.security.counter is not None
        self._settings = LinkSettings(
            protocol=protocol,
            client=device.address.client,
            server=device.address.server,
            physical=device.address.physical,
            address_size=device.address.size,
            information=device.information,
            window=device.window,
            password=read_password(device),
            security=security,
            general_blocks=device.general_blocks,
            response_timeout=device.timeout_s,
            retries=device.retries,
            convention=convention_of(device.conventions),
            profile_access=device.conventions.profile_access,
            null_repeats=device.conventions.null_values == "repeated",
        )
        self._opening = mode_e_opening(device)
        self._facts = MeterFacts()
        self._device = device
        self._clock = clock

    @asynccontextmanager
    async def session(self, line: Line) -> AsyncIterator[MeterSession]:
        """Associates on entry, releases on exit."""
        with _errors():
            await self._look_at_counter(line)
        async with opened(line, self._opening):
            await line.flush()
            patience = line.response_timeout(self._settings.response_timeout)
            reader = DlmsReader(line, replace(self._settings, response_timeout=patience), self._facts)
            with _errors():
                try:
                    await reader.open()
                except CounterRefusedError as refused:
                    self._heed(refused)
                    raise
            try:
                session = DlmsSession(self._device, reader, self._clock)
                # Each time: whoever exchanges a meter does not wait for us to be away.
                await session.recognise()
                yield session
            finally:
                with _errors():
                    await reader.close()

    async def _look_at_counter(self, line: Line) -> None:
        """Once after a start, and whenever the meter refuses ours: what counter has it seen from us?"""
        if not self._must_look or self._counter is None or self._security is None or self._security.counter is None:
            return
        public = replace(self._settings, client=self._security.counter_client, password=None, security=None)
        # A session of its own: after it, a meter behind mode E must be woken again.
        async with opened(line, self._opening):
            await line.flush()
            async with DlmsReader(line, public) as reader:
                seen = await reader.get(1, Obis.parse(self._security.counter), 2)
        if type(seen) is not int:
            raise ProtocolError(f"the invocation counter {seen!r:.60}", "an integer")
        self._counter.follow(seen)
        self._must_look = False

    def _heed(self, refused: CounterRefusedError) -> None:
        if self._counter is not None and refused.expected is not None:
            self._counter.follow(refused.expected - 1)
        self._must_look = self._security is not None and self._security.counter is not None


def convention_of(conventions: Conventions) -> ClockConvention:
    """How the meter writes and takes time."""
    return ClockConvention(
        zone=UTC if conventions.time == "utc" else PRAGUE,
        reversed_deviation=conventions.deviation == "from-utc",
        send_deviation=conventions.deviation != "none",
    )
