"""A mode C meter: what it shows in a readout, and what it answers to commands. Texts only; the line is in line.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from firmware_sims.dlms.meter import ProfileRow
from shared.dlms.amr_status import FLAGS
from shared.identifiers import Obis
from shared.iec62056.data_sets import data_sets, format_data_set, full_code, names, reduced_code
from shared.iec62056.errors import DecodeError
from shared.iec62056.messages import Identification
from shared.iec62056.profile_text import ColumnHead, format_part, status_of
from shared.iec62056.stamps import MeterTime, decode_stamp, encode_stamp, season_of
from shared.metering_day import PRAGUE

SETTABLE: Final = ("0.9.1", "0.9.2", "C003")
ERROR: Final = "ERROR"
_HOUR_S: Final = 3600


class IecData(Protocol):
    """Where the meter's data come from; as `firmware_sims.dlms.meter.MeterData`."""

    def now(self) -> datetime:
        """What the meter's clock shows."""

    def rows(self, profile: Obis, after: datetime, until: datetime) -> Sequence[ProfileRow]:
        """Rows whose interval ended in (after, until], oldest first."""

    def register(self, obis: Obis) -> int:
        """Present value of a register."""


@dataclass(frozen=True, slots=True)
class IecRegister:
    """A register: `unit` as the meter writes it, three decimals."""

    obis: Obis
    unit: str


@dataclass(frozen=True, slots=True)
class IecMeterSpec:
    """A meter as its type plate and its parameters say."""

    serial: str
    identification: Identification
    registers: tuple[IecRegister, ...]
    channels: tuple[IecRegister, ...]
    profile: Obis
    period_s: int
    entries: int
    password: str | None = field(default=None, repr=False)
    full_codes: bool = False
    kept: MeterTime = MeterTime.SEASON
    mean_power: bool = False
    """The load profile captures mean power (1.5.0, kW) instead of energy (1.29.0, kWh)."""
    wrong_check_every: int = 0
    """Each so many-th data message has a wrong block check character the first time; 0 is none."""


class IecMeter:
    """What one meter says. `kept` stamps end intervals, as is usual."""

    def __init__(self, spec: IecMeterSpec, data: IecData) -> None:
        self.spec = spec
        self._data = data
        self._correction = timedelta(0)
        """What the clock was set by."""

    def readout(self) -> str:
        """Standard readout, with one earlier value of each register: those must not be taken for the present ones."""
        lines = ["F.F(00)", format_data_set("0.0.0", self.spec.serial), *self._clock_sets()]
        for register in self.spec.registers:
            value = self._data.register(register.obis)
            lines.append(self._register(register, value))
            lines.append(f"{self._code(register.obis)}*01({_thousandths(value // 2)}*{register.unit})")
        return "".join(f"{line}\r\n" for line in lines) + "!\r\n"

    def answer(self, text: str) -> str:
        """Answer to a read command with the data set `text`, such as `1.8.0()`."""
        sets = data_sets(text)
        if len(sets) != 1:
            return f"({ERROR})"
        code, value = sets[0].code, sets[0].values[0].text
        if names(code, self.spec.profile):
            return self._profile(reduced_code(self.spec.profile), value)
        for register in self.spec.registers:
            if names(code, register.obis):
                return self._register(register, self._data.register(register.obis))
        for line in self._clock_sets():
            if line.startswith(f"{code}("):
                return line
        return f"{code}({ERROR})"

    def write(self, text: str) -> bool:
        """Carry out a write command; False if it is refused. Only the clock can be set."""
        sets = data_sets(text)
        if len(sets) != 1 or sets[0].code not in SETTABLE:
            return False
        digits = sets[0].values[0].text
        shown = self._now().astimezone(PRAGUE)
        whole = {
            "0.9.1": shown.strftime("%y%m%d") + digits[-6:],
            "0.9.2": digits[-6:] + shown.strftime("%H%M%S"),
            "C003": digits,
        }[sets[0].code]
        try:
            wanted = decode_stamp(season_of(shown, self.spec.kept) + whole[-12:]).instant(self.spec.kept)
        except DecodeError:
            return False
        self._correction += wanted - self._now()
        return True

    def _now(self) -> datetime:
        return self._data.now() + self._correction

    def _clock_sets(self) -> list[str]:
        stamp = encode_stamp(self._now(), self.spec.kept)
        return [format_data_set("0.9.1", stamp[0] + stamp[7:]), format_data_set("0.9.2", stamp[0] + stamp[1:7])]

    def _code(self, obis: Obis) -> str:
        return full_code(obis) if self.spec.full_codes else reduced_code(obis)

    def _register(self, register: IecRegister, value: int) -> str:
        return format_data_set(self._code(register.obis), _thousandths(value), register.unit)

    def _profile(self, code: str, wanted: str) -> str:
        first, _, last = wanted.partition(";")
        step = timedelta(seconds=self.spec.period_s)
        until = self._data.now()
        after = until - self.spec.entries * step
        try:
            if first:
                after = max(after, decode_stamp(first).instant(self.spec.kept) - timedelta(seconds=1))
            if last:
                until = min(until, decode_stamp(last).instant(self.spec.kept))
        except DecodeError:
            return f"{code}({ERROR})"
        rows = self._data.rows(self.spec.profile, after, until) if after < until else []
        return "".join(self._parts(code, rows)) or f"{code}({ERROR})"

    def _parts(self, code: str, rows: Sequence[ProfileRow]) -> Iterator[str]:
        """A new header after midnight, a gap, a change of status or of summer time."""
        spec = self.spec
        heads = [
            ColumnHead(self._code(channel.obis) if not spec.mean_power else f"{channel.obis.c}.5", self._unit(channel))
            for channel in spec.channels
        ]
        for under in self._runs(rows):
            status = status_of(FLAGS[under[0].status])
            values = [[self._cell(value) for value in row.values] for row in under]
            yield format_part(code, encode_stamp(under[0].end, spec.kept), status, spec.period_s, heads, values)

    def _runs(self, rows: Sequence[ProfileRow]) -> Iterator[list[ProfileRow]]:
        step = timedelta(seconds=self.spec.period_s)
        run: list[ProfileRow] = []
        for row in rows:
            if run and (row.end - run[-1].end != step or self._heading(row) != self._heading(run[-1])):
                yield run
                run = []
            run.append(row)
        if run:
            yield run

    def _heading(self, row: ProfileRow) -> tuple[object, ...]:
        """What stands in the header of a row."""
        begin = row.end - timedelta(seconds=self.spec.period_s)
        return row.status, begin.astimezone(PRAGUE).date(), season_of(row.end, self.spec.kept)

    def _unit(self, channel: IecRegister) -> str:
        return channel.unit.removesuffix("h") if self.spec.mean_power else channel.unit

    def _cell(self, value: int) -> str:
        return _thousandths(value * _HOUR_S // self.spec.period_s if self.spec.mean_power else value, whole=1)


def _thousandths(value: int, whole: int = 6) -> str:
    """An integer of Wh as kWh."""
    return f"{value // 1000:0{whole}d}.{value % 1000:03d}"
