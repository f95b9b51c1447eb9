"""What the simulated meters have really measured: the memory of the simulation, and what a demo compares against.

Pure and deterministic: intervals come from the load curves, states are the initial state plus all intervals since the
scenario's origin. Series are computed once, as far as asked, and kept.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from firmware_sims.data_faults import Capture, DataFaults, RowFaults, shown
from firmware_sims.loads import model
from firmware_sims.loads.curves import capacitive, independent_curve, inductive
from firmware_sims.loads.local_time import local_time
from firmware_sims.loads.noise import Ints
from firmware_sims.maps.schema import register_map
from firmware_sims.scenario_check import ACTIVE_EXPORT, ACTIVE_IMPORT, TARIFF_STATE
from firmware_sims.scenario_model import (
    Channel,
    DlmsMeter,
    Iec62056Meter,
    MBusMeter,
    Meter,
    ModbusMeter,
    Scenario,
    Tariff,
)
from shared.metering_day import STEP

VT_STATE: Final = "1-0:1.8.1"
"""High tariff (vysoký tarif)."""
NT_STATE: Final = "1-0:1.8.2"
"""Low tariff (nízký tarif)."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHUNK: Final = 32 * 96
"""Intervals that are computed at a time: a month of quarter-hours."""


class UnknownRegisterError(KeyError):
    """A meter or register that the scenario does not have."""


class Truth:
    """All that the meters of a scenario have measured."""

    def __init__(self, scenario: Scenario) -> None:
        self._seed = scenario.seed
        self._origin = scenario.origin.astimezone(UTC)
        self._meters: dict[str, Meter | MBusMeter] = {meter.id: meter for meter in scenario.meters}
        self._row_faults: dict[str, RowFaults] = {}
        for meter in scenario.meters:
            if isinstance(meter, DlmsMeter):
                self._meters |= {behind.id: behind for behind in meter.mbus}
            if isinstance(meter, DlmsMeter | Iec62056Meter) and meter.data_faults is not None:
                self._row_faults |= _row_faults(meter, meter.data_faults)
        self._series: dict[tuple[str, str], _Series] = {}

    @property
    def origin(self) -> datetime:
        """Before it, no interval is known."""
        return self._origin

    def interval_values(self, meter: str, register: str, start: datetime, end: datetime) -> list[int]:
        """Quantities of the intervals in [start, end), in the register's unit (Wh, varh, dm3; steps of a Modbus meter).

        `register` is a channel's interval register, its state register, or a tariff's state register. Both bounds lie
        on interval borders, `start` not before the origin (`ValueError` otherwise).
        """
        found = self._find(meter, register)
        first, last = found.index(start), found.index(end)
        if first < found.first or last < first:
            raise ValueError(
                f"Intervals of {meter} {register} from {start.isoformat()} to {end.isoformat()} are not known:"
                f" they begin at {self._origin.isoformat()}, and the end must not be before the start."
            )
        totals = self._totals(found, last)[first - found.first : last - found.first + 1] // found.divisor
        values: list[int] = np.diff(totals).tolist()
        return values

    def state_at(self, meter: str, register: str, instant: datetime) -> int:
        """What the register shows at `instant`; inside an interval it grows evenly. Before the origin: the initial. It
        begins again at 0 where the meter's `digits` are full.

        `register` as in `interval_values`.
        """
        return shown(self.counted_at(meter, register, instant), self._find(meter, register).meter.digits)

    def counted_at(self, meter: str, register: str, instant: datetime) -> int:
        """As `state_at`, of a register with room for all that was counted."""
        found = self._find(meter, register)
        step_us = found.step // timedelta(microseconds=1)
        passed, part = divmod((instant - self._origin) // timedelta(microseconds=1), step_us)
        if passed < 0:
            return found.initial
        totals = self._totals(found, found.first + passed + (part > 0))
        total = int(totals[passed])
        if part:
            total += (int(totals[passed + 1]) - total) * part // step_us
        return found.initial + total // found.divisor

    def capture(self, meter: str, end: datetime) -> Capture | None:
        """How the row that ends at `end` comes into the meter's load profile; None if it never does. Of a meter on
        M-Bus: into its profile in the meter before it.
        """
        if meter not in self._meters:
            raise UnknownRegisterError(f'There is no meter "{meter}" in the scenario.')
        faults = self._row_faults.get(meter)
        return Capture(end) if faults is None else faults.capture(end)

    def interval_at(self, meter: str, register: str, instant: datetime) -> tuple[int, timedelta]:
        """Quantity of the interval that is running at `instant`, in Wh, varh or dm3, and its length."""
        found = self._find(meter, register)
        index = max((instant - _EPOCH) // found.step, found.first)
        totals = self._totals(found, index + 1)
        return int(totals[index - found.first + 1] - totals[index - found.first]), found.step

    def _find(self, meter_id: str, register: str) -> "_Series":
        series = self._series.get((meter_id, register))
        if series is None:
            meter = self._meters.get(meter_id)
            if meter is None:
                raise UnknownRegisterError(f'There is no meter "{meter_id}" in the scenario.')
            series = self._series[meter_id, register] = self._make(meter, register)
        return series

    def _make(self, meter: Meter | MBusMeter, register: str) -> "_Series":
        step = STEP[meter.commodity]
        first = (self._origin - _EPOCH) // step
        for channel in meter.channels:
            if register in (channel.register, channel.state):
                divisor = register_map(meter.map_name).step_wh if isinstance(meter, ModbusMeter) else 1
                return _Series(meter, channel, step, first, divisor, channel.initial)
            if not isinstance(meter, ModbusMeter | MBusMeter) and meter.tariff and channel.state == TARIFF_STATE:
                low = _initial_nt(channel, meter.tariff)
                if register == NT_STATE:
                    return _Series(meter, channel, step, first, 1, low, meter.tariff, low_tariff=True)
                if register == VT_STATE:
                    return _Series(meter, channel, step, first, 1, channel.initial - low, meter.tariff)
        raise UnknownRegisterError(f'The meter {meter.id} has no register "{register}".')

    def _totals(self, series: "_Series", last: int) -> Ints:
        """Running totals of a series, [k] that of its first k intervals, at least up to interval `last`."""
        while series.first + len(series.totals) - 1 < last:
            start = series.first + len(series.totals) - 1
            index = np.arange(start, start + _CHUNK, dtype=np.int64)
            values = self._quantities(series.meter, series.channel, series.step, index)
            if series.tariff is not None:
                low = in_low_tariff(series.tariff, local_time(index * (series.step // timedelta(minutes=1))).minute)
                values = np.where(low == series.low_tariff, values, 0)
            grown = np.cumsum(np.concatenate((series.totals[-1:], values)))
            series.totals = np.concatenate((series.totals[:-1], grown))
        return series.totals

    def _quantities(self, meter: Meter | MBusMeter, channel: Channel, step: timedelta, index: Ints) -> Ints:
        """Wh, varh or dm3 of the intervals of `index`."""
        load = channel.load
        minutes = step // timedelta(minutes=1)
        if isinstance(load, model.Sum):
            net = np.zeros(len(index), dtype=np.int64)
            for id in load.of:
                for behind in self._meters[id].channels:
                    if behind.register in ACTIVE_IMPORT:
                        taken = self._quantities(self._meters[id], behind, step, index)
                        net += taken + taken * load.loss_permille // 1000
                    elif behind.register in ACTIVE_EXPORT:
                        net -= self._quantities(self._meters[id], behind, step, index)
            return np.maximum(net if load.side == "import" else -net, 0)
        if isinstance(load, model.Inductive | model.Capacitive):
            active = next(other for other in meter.channels if other.register == load.of)
            quantities = self._quantities(meter, active, step, index)
            if isinstance(load, model.Inductive):
                return inductive(load, quantities, index)
            return capacitive(load, quantities, minutes, index)
        return independent_curve(load, self._seed, minutes, index)


class _Series:
    """One register's running totals since the origin, grown in chunks."""

    def __init__(
        self,
        meter: Meter | MBusMeter,
        channel: Channel,
        step: timedelta,
        first: int,
        divisor: int,
        initial: int,
        tariff: Tariff | None = None,
        *,
        low_tariff: bool = False,
    ) -> None:
        self.meter, self.channel, self.step, self.first = meter, channel, step, first
        self.divisor, self.initial, self.tariff, self.low_tariff = divisor, initial, tariff, low_tariff
        self.totals: Ints = np.zeros(1, dtype=np.int64)

    def index(self, instant: datetime) -> int:
        """Number of the interval that begins at `instant`."""
        index, rest = divmod(instant - _EPOCH, self.step)
        if rest:
            raise ValueError(
                f"No interval of {self.meter.id} {self.channel.register} begins at {instant.isoformat()};"
                f" they have {self.step // timedelta(minutes=1)} minutes."
            )
        return index


def _row_faults(meter: DlmsMeter | Iec62056Meter, faults: DataFaults) -> dict[str, RowFaults]:
    """By meter: the one of the scenario, and those behind it, which share its power."""
    found = {meter.id: RowFaults(meter.id, faults, STEP[meter.commodity])}
    if isinstance(meter, DlmsMeter):
        # What was not read from the meter behind in time cannot be captured afterwards.
        cuts = DataFaults(power_cuts=tuple(replace(cut, keeps_rows=False) for cut in faults.power_cuts))
        found |= {behind.id: RowFaults(behind.id, cuts, STEP[behind.commodity]) for behind in meter.mbus}
    return found


def in_low_tariff(tariff: Tariff, minute: Ints) -> NDArray[np.bool_]:
    """Whether each local minute of the day lies in the low tariff (boolean array)."""
    low = np.zeros(len(minute), dtype=bool)
    times = [int(text[:2]) * 60 + int(text[3:]) for text in tariff.nt_hours]
    for begin, end in zip(times[::2], times[1::2], strict=True):
        inside = (minute >= begin) & (minute < end) if begin < end else (minute >= begin) | (minute < end)
        low |= inside
    return low


def _initial_nt(channel: Channel, tariff: Tariff) -> int:
    return channel.initial * 2 // 5 if tariff.initial_nt is None else tariff.initial_nt


def interval_values(scenario: Scenario, meter: str, register: str, start: datetime, end: datetime) -> list[int]:
    """`Truth.interval_values` for one question; keep a `Truth` for many."""
    return Truth(scenario).interval_values(meter, register, start, end)


def state_at(scenario: Scenario, meter: str, register: str, instant: datetime) -> int:
    """`Truth.state_at` for one question; keep a `Truth` for many."""
    return Truth(scenario).state_at(meter, register, instant)
