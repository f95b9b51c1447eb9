"""From a meter's texts to the terms of the configuration: pure. Raises `DeviceGarbledError` where they do not agree."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Final

from edge.config import ProfileConfig, ProfileRegister, StateRegister
from edge.drivers.port import ProfileDay, rescaled
from edge.errors import DeviceGarbledError
from shared.clock import EPOCH
from shared.identifiers import Obis
from shared.iec62056.data_sets import DataSet, Number, names, number, unit_of
from shared.iec62056.errors import DecodeError
from shared.iec62056.profile_text import ColumnHead, ProfilePart, flags_of
from shared.iec62056.stamps import MeterTime
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import Flag, Unit

_ENERGY_OF: Final = {Unit.W: Unit.WH, Unit.VAR: Unit.VARH, Unit.VA: Unit.VAH}
_MILLISECOND: Final = timedelta(milliseconds=1)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)

Row = tuple[int, list[int | None]]
"""Flags and values."""


def state_value(sets: Iterable[DataSet], register: StateRegister, *, unnamed: bool = False) -> int:
    """The present value of `register` among `sets`, in its unit and exponent. `unnamed`: the meter answered to a
    question for this register alone, so a value without code is its.
    """
    obis = Obis.parse(register.obis or "")
    found = [each for each in sets if names(each.code, obis) or (unnamed and not each.code)]
    if not found:
        raise DeviceGarbledError(f"The register {register.obis} is not among what the meter sent.")
    if any(each.values != found[0].values for each in found):
        codes = ", ".join(each.code for each in found)
        raise DeviceGarbledError(f"The meter sent different values for {register.obis}: {codes}.")
    value = found[0].values[0]
    what = f"The register {register.obis}"
    try:
        mantissa, exponent = number(value.text)
        unit, power = unit_of(value.unit)
    except DecodeError as error:
        raise DeviceGarbledError(f"{what}: {error}") from None
    if unit != register.unit:
        raise DeviceGarbledError(f"{what} is in {value.unit or 'no unit'}, but the configuration says {register.unit}.")
    return rescaled(mantissa, exponent + power, register.exponent, what)


def profile_day(
    parts: Sequence[ProfilePart],
    profile: ProfileConfig,
    day: MeteringDay,
    kept: MeterTime,
    *,
    stamps_begin: bool = False,
) -> ProfileDay:
    """The rows of `day` among `parts`, whatever else the meter sent. `kept` tells what its stamps mean,
    `stamps_begin` that they are the beginnings of intervals.

    An interval that was captured twice is taken once, and flagged INCOMPLETE if the two differ. A row that does not
    lie on the capture period's grid, and what follows it under the same header, has no place in a day and is left out.
    """
    rows: dict[datetime, Row] = {}
    after: datetime | None = None
    beginnings: list[datetime] = []
    for part in parts:
        if part.period_s != profile.step_s:
            raise DeviceGarbledError(
                f"The profile {profile.obis} captures every {part.period_s} s, but step_s is {profile.step_s}; "
                "set the configuration to what the meter does."
            )
        columns = [_column(part.columns, register, profile.obis) for register in profile.registers]
        step = timedelta(seconds=part.period_s)
        stamp, certain = _instant(part, kept, after, step)
        begin = stamp if stamps_begin else stamp - step
        if (begin - EPOCH) % step:
            continue
        flags = flags_of(part.status) | (0 if certain else int(Flag.CLOCK_INVALID))
        for n, cells in enumerate(part.rows):
            start = begin + n * step
            beginnings.append(start)
            after = stamp + n * step
            if day.start <= start < day.end:
                values = [
                    _value(cells[place], part.columns[place], register, part.period_s)
                    for place, register in zip(columns, profile.registers, strict=True)
                ]
                _keep(rows, start, flags | _season(start), values)
    if beginnings and not rows:
        raise DeviceGarbledError(
            f"The meter was asked for {day.date} and sent rows from {min(beginnings).isoformat()} to "
            f"{max(beginnings).isoformat()}: not an answer to the question."
        )
    starts = sorted(rows)
    return ProfileDay(
        day,
        [(start - EPOCH) // _MILLISECOND for start in starts],
        [rows[start][0] for start in starts],
        {register.register: [rows[start][1][n] for start in starts] for n, register in enumerate(profile.registers)},
    )


def _instant(part: ProfilePart, kept: MeterTime, after: datetime | None, step: timedelta) -> tuple[datetime, bool]:
    """The stamp of a part in UTC, and whether there is no doubt: an hour that comes twice leaves one, unless the row
    before tells.
    """
    first, second = (part.stamp.instant(kept, after=bound) for bound in (None, _NEVER))
    if first == second:
        return first, True
    if after is None:
        return first, False
    return (second, True) if first < after else (first, first - after == step)


def _season(start: datetime) -> int:
    return int(Flag.DST) if start.astimezone(PRAGUE).dst() else 0


def _keep(rows: dict[datetime, Row], start: datetime, flags: int, values: list[int | None]) -> None:
    before = rows.get(start)
    if before is None:
        rows[start] = flags, values
    elif before[1] != values:
        rows[start] = before[0] | int(Flag.INCOMPLETE), before[1]


def _column(columns: Sequence[ColumnHead], register: ProfileRegister, profile: str) -> int:
    obis = Obis.parse(register.obis)
    found = [place for place, column in enumerate(columns) if names(column.code, obis)]
    if len(found) == 1:
        return found[0]
    captured = ", ".join(column.code for column in columns)
    how_many = "does not capture" if not found else "captures more than once"
    raise DeviceGarbledError(f"The profile {profile} {how_many} {register.obis}; it captures {captured}.")


def _value(cell: Number | None, column: ColumnHead, register: ProfileRegister, period_s: int) -> int | None:
    """A cell in the register's unit and exponent; mean power becomes the energy of its interval, exactly."""
    what = f"{column.code} of the profile"
    try:
        unit, power = unit_of(column.unit)
    except DecodeError as error:
        raise DeviceGarbledError(f"{what}: {error}") from None
    if cell is None:
        return None
    mantissa, exponent = cell.mantissa, cell.exponent + power
    if unit == register.unit:
        return rescaled(mantissa, exponent, register.exponent, what)
    if _ENERGY_OF.get(unit) != register.unit:
        raise DeviceGarbledError(f"{what} is in {column.unit}, but the configuration says {register.unit}.")
    energy = mantissa * Fraction(period_s, 3600) * Fraction(10) ** (exponent - register.exponent)
    if energy.denominator != 1:
        raise DeviceGarbledError(
            f"{what} is {mantissa} x 10^{exponent} {unit} over {period_s} s, which is no whole number of "
            f"10^{register.exponent} {register.unit}; set its exponent to {exponent - 2} in the configuration."
        )
    return energy.numerator
