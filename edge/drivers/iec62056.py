"""Meters of IEC 62056-21 mode C: states by readout or register by register, load profile by P.01."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from edge.bus.line import Line
from edge.config import DeviceConfig, Iec62056Config, ProfileConfig, StateRegister
from edge.drivers.password import read_password
from edge.drivers.port import DayPart, MeterSession, ProfileDay, StateReading
from edge.errors import DeviceGarbledError, DeviceRefusedError
from edge.iec62056.clock import DATE_CODE, TIME_CODE, clock_instant, clock_texts
from edge.iec62056.reader import Iec62056Reader
from edge.iec62056.rows import profile_day, state_value
from edge.iec62056.settings import MeterSettings
from shared.clock import Clock
from shared.identifiers import Obis
from shared.iec62056.data_sets import data_sets, full_code, reduced_code
from shared.iec62056.errors import DecodeError
from shared.iec62056.profile_text import error_of, profile_parts
from shared.iec62056.stamps import encode_stamp
from shared.metering_day import PRAGUE, occurs_twice


class Iec62056Session:
    """Opens readout or programming mode as it is asked."""

    def __init__(self, reader: Iec62056Reader, driver: "Iec62056Driver") -> None:
        self._reader = reader
        self._driver = driver
        self._habits = driver.habits

    async def read_states(self, registers: Sequence[StateRegister]) -> list[StateReading]:
        if self._habits.states_by == "registers":
            return [await self._read_state(register) for register in registers]
        text, at_ms = await self._readout()
        sets = data_sets(text)
        return [StateReading(register, state_value(sets, register), at_ms) for register in registers]

    async def _readout(self) -> tuple[str, int]:
        """The readout, begun anew where it came damaged, and when the meter put it together."""
        left = self._driver.retries
        while True:
            await self._reader.begin_readout()
            at_ms = self._driver.clock.now_ms()
            try:
                return await self._reader.readout(), at_ms
            except DeviceGarbledError:
                if left == 0:
                    raise
                left -= 1

    async def _read_state(self, register: StateRegister) -> StateReading:
        obis = Obis.parse(register.obis or "")
        code = full_code(obis) if self._habits.codes == "full" else reduced_code(obis)
        text = await self._ask(f"{code}()")
        at_ms = self._driver.clock.now_ms()
        if (error := error_of(text)) is not None:
            raise DeviceRefusedError(f"The meter does not give {code}: {error}.")
        return StateReading(register, state_value(data_sets(text), register, unnamed=True), at_ms)

    async def read_day(self, profile: ProfileConfig, part: DayPart) -> ProfileDay:
        habits, step = self._habits, part.day.step
        begins = habits.stamps == "begin"
        first, last = (part.start, part.end - step) if begins else (part.start + step, part.end)
        # A stamp of the doubled hour may not say which of the two it means: rows around it tell.
        while occurs_twice(first, PRAGUE):
            first -= step
        while occurs_twice(last, PRAGUE):
            last += step
        code = reduced_code(Obis.parse(profile.obis))
        stamps = ";".join(encode_stamp(at, habits.clock, habits.range) for at in (first, last))
        text = await self._ask(f"{code}({stamps})")
        if (error := error_of(text)) is not None:
            # Meters answer so to a range without rows, and to one that they do not understand.
            if error != "ERROR" or not self._driver.has_given_rows:
                raise DeviceRefusedError(
                    f"The meter answers {error} to {code}({stamps}): it holds nothing of that time, or does not take "
                    "stamps of this form (iec62056.range)."
                )
            text = ""
        try:
            parts = profile_parts(text, code)
        except DecodeError as problem:
            raise DeviceGarbledError(f"The load profile {profile.obis} cannot be read: {problem}") from None
        found = profile_day(parts, profile, part.day, habits.clock, stamps_begin=begins)
        self._driver.has_given_rows |= bool(found.start_ms)
        return found

    async def read_clock(self) -> datetime:
        """The meter's clock, aware."""
        values = []
        for code in (DATE_CODE, TIME_CODE):
            sets = data_sets(await self._ask(f"{code}()"))
            if len(sets) != 1 or sets[0].code not in ("", code) or not sets[0].values:
                raise DeviceGarbledError(f"The meter did not answer with {code}.")
            values.append(sets[0].values[0].text)
        try:
            return clock_instant(values[0], values[1], self._habits.clock)
        except DecodeError as problem:
            raise DeviceGarbledError(f"The meter's clock cannot be read: {problem}") from None

    async def set_clock(self, at: datetime) -> None:
        """Write the meter's clock; whether and when that is right, the caller decides."""
        await self._reader.enter()
        for text in clock_texts(at, self._habits.clock, both=self._habits.clock_set == "C003"):
            await self._reader.write("W5", text)

    async def _ask(self, text: str) -> str:
        await self._reader.enter()
        return await self._reader.ask(self._habits.read_command, text)


class Iec62056Driver:
    """One meter. Keeps between sessions whether its load profile has ever been read."""

    def __init__(self, device: DeviceConfig, clock: Clock) -> None:
        self.habits = device.iec62056 or Iec62056Config()
        self.clock = clock
        self.retries = device.retries
        self.has_given_rows = False
        password = read_password(device)
        self._settings = MeterSettings(
            address=device.address.device or "",
            password=None if password is None else password.decode("ascii", "replace"),
            software_parity=self.habits.software_parity,
            opening_baud=self.habits.opening_baud,
            baud=self.habits.baud,
            timeout_s=device.timeout_s,
            retries=device.retries,
        )

    @asynccontextmanager
    async def session(self, line: Line) -> AsyncIterator[MeterSession]:
        """Opens nothing yet: what is asked decides the mode."""
        reader = Iec62056Reader(line, self._settings)
        try:
            yield Iec62056Session(reader, self)
        finally:
            await reader.leave()
