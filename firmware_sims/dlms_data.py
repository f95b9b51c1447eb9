"""A scenario's DLMS meters on the simulation's truth: type plate, registers, load profile, event log."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from firmware_sims.dlms.meter import (
    BufferCoding,
    ClockSpec,
    EventRow,
    IntegerType,
    MBusSpec,
    MeterSecurity,
    MeterSpec,
    ProfileRow,
    ProfileSpec,
    RegisterSpec,
    TimeStyle,
)
from firmware_sims.events import events_of, power_events
from firmware_sims.scenario_check import ACTIVE_IMPORT, TARIFF_STATE
from firmware_sims.scenario_model import Channel, DlmsMeter, Iec62056Meter, MBusMeter, Security
from firmware_sims.truth import NT_STATE, VT_STATE, Truth
from shared.clock import Clock
from shared.dlms.acse import Mechanism
from shared.dlms.amr_status import SUMMER_TIME
from shared.dlms.ciphering import AUTHENTICATED, ENCRYPTED, Keys
from shared.identifiers import Obis
from shared.metering_day import PRAGUE, STEP, month_bounds
from shared.quantities import Commodity

_W, _WH, _VARH, _M3, _M3_WATER = 27, 30, 32, 14, 13
"""COSEM unit codes (shared.dlms.units); 14 is corrected volume, what a volume converter counts."""
_MECHANISMS: Final = {"none": Mechanism.NONE, "low": Mechanism.LOW, "gmac": Mechanism.HIGH_GMAC}
_PROTECTIONS: Final = {
    "none": 0,
    "authenticated": AUTHENTICATED,
    "encrypted": ENCRYPTED,
    "authenticated-encrypted": AUTHENTICATED | ENCRYPTED,
}
MAXIMUM_DEMAND: Final = Obis(1, 0, 1, 6, 0)
"""Highest quarter-hour average of active import in this month, with its time."""
DEMAND: Final = Obis(1, 0, 1, 4, 0)
_MEDIUM: Final = {"gas": 3, "water": 7}
_HOUR: Final = timedelta(hours=1)
_GAS_SCALER: Final = -3
_PROFILE: Final = {Commodity.ELECTRICITY: "1-0:99.1.0", Commodity.GAS: "7-0:99.99.3"}
_REACTIVE: Final = (3, 4, 5, 6, 7, 8)
"""Value group C of reactive quantities."""
_UINT32_HEADROOM: Final = 2**31
"""A register that starts above this is sent in 64 bits, so that it does not overflow while it is looked at."""


def meter_spec(meter: DlmsMeter) -> MeterSpec:
    """The meter as its type plate and its parameters say."""
    step = STEP[meter.commodity]
    profile = ProfileSpec(
        obis=Obis.parse(meter.profile or _PROFILE[meter.commodity]),
        period_s=step // timedelta(seconds=1),
        channels=tuple(_register(meter, channel, channel.register) for channel in meter.channels),
        entries=meter.memory_days * (timedelta(days=1) // step),
        coding=BufferCoding(meter.coding),
        columns=meter.columns,
        ranges=meter.ranges,
    )
    states: list[RegisterSpec] = []
    for channel in meter.channels:
        if channel.state is not None:
            states.append(_register(meter, channel, channel.state))
        if meter.tariff is not None and channel.state == TARIFF_STATE:
            states += [_register(meter, channel, VT_STATE), _register(meter, channel, NT_STATE)]
    if _has_demand(meter):
        states += [
            RegisterSpec(MAXIMUM_DEMAND, _W, 0, IntegerType.UINT32, class_id=4),
            RegisterSpec(DEMAND, _W, 0, IntegerType.UINT32, class_id=5),
        ]
    behind = tuple(
        MBusSpec(each.channel, each.serial, _MEDIUM[each.medium], _M3 if each.medium == "gas" else _M3_WATER)
        for each in meter.mbus
    )
    serial = serial_of(meter)
    return MeterSpec(
        serial=serial,
        logical_name=f"RZV{serial[-13:]:0>13}",
        registers=tuple(states),
        profiles=(profile, *(_mbus_profile(each, meter.memory_days) for each in behind)),
        clock=_clock(meter),
        switch_mode=meter.switch_mode,
        mbus=behind,
        time_style=TimeStyle(meter.time_style),
        passwords={client: password.encode() for client, password in meter.passwords.items()},
        security={client: _security(security) for client, security in meter.security.items()},
        system_title=system_title(meter),
        general_blocks=meter.general_blocks,
        max_pdu=meter.max_pdu,
        max_information=meter.max_information,
        max_window=meter.max_window,
    )


def system_title(meter: DlmsMeter) -> bytes:
    """As the scenario says, or RZV and the serial number."""
    if meter.system_title is not None:
        return bytes.fromhex(meter.system_title)
    digits = "".join(each for each in serial_of(meter) if each.isdigit())
    return b"RZV" + (int(digits or "0") % 2**40).to_bytes(5)


def _clock(meter: DlmsMeter) -> ClockSpec:
    cuts = meter.data_faults.power_cuts if meter.data_faults is not None else ()
    stops = tuple((cut.at, cut.back) for cut in cuts if cut.clock_stops)
    return ClockSpec(meter.clock_offset_s, meter.clock_drift_ppm, meter.clock_shifts, stops)


def _security(security: Security) -> MeterSecurity:
    keys = Keys(bytes.fromhex(security.encryption_key), bytes.fromhex(security.authentication_key))
    return MeterSecurity(
        keys,
        security.suite,
        _MECHANISMS[security.mechanism],
        _PROTECTIONS[security.protection],
        Obis.parse(security.counter),
        Obis.parse(security.association),
        security.last_counter,
    )


def _mbus_profile(behind: MBusSpec, memory_days: int) -> ProfileSpec:
    return ProfileSpec(
        obis=behind.profile,
        period_s=3600,
        channels=(RegisterSpec(behind.value, behind.unit, _GAS_SCALER, IntegerType.UINT32, class_id=4),),
        entries=memory_days * 24,
        status=Obis(0, behind.channel, 96, 10, 3),
    )


def _has_demand(meter: DlmsMeter) -> bool:
    return meter.commodity is Commodity.ELECTRICITY and any(c.register == ACTIVE_IMPORT[0] for c in meter.channels)


def serial_of(meter: DlmsMeter | Iec62056Meter) -> str:
    """Serial number on the type plate: as the scenario gives it, or the digits of the meter's id."""
    digits = "".join(re.findall("[0-9]", meter.id))
    return meter.serial or digits or meter.id.encode("ascii", "replace").decode()


def _register(meter: DlmsMeter, channel: Channel, obis: str) -> RegisterSpec:
    name = Obis.parse(obis)
    wide = IntegerType.UINT64 if channel.initial > _UINT32_HEADROOM else IntegerType.UINT32
    if meter.commodity is Commodity.GAS:
        return RegisterSpec(name, _M3, _GAS_SCALER, wide)
    return RegisterSpec(name, _VARH if name.c in _REACTIVE else _WH, 0, wide)


class TruthMeterData:
    """`firmware_sims.dlms.meter.MeterData` on the simulation's truth."""

    def __init__(self, meter: DlmsMeter | Iec62056Meter, truth: Truth, clock: Clock) -> None:
        self._meter, self._truth, self._clock = meter, truth, clock
        self._step = STEP[meter.commodity]
        self._intervals = {Obis.parse(channel.register): channel.register for channel in meter.channels}
        behind = meter.mbus if isinstance(meter, DlmsMeter) else ()
        self._behind = {Obis(0, each.channel, 24, 3, 0): each for each in behind}
        self._behind |= {Obis(0, each.channel, 24, 2, 1): each for each in behind}

    def now(self) -> datetime:
        return self._clock.now()

    def rows(self, profile: Obis, after: datetime, until: datetime) -> Sequence[ProfileRow]:
        if (behind := self._behind.get(profile)) is not None:
            return self._rows_behind(behind, after, until)
        first = max(self._begin(after), self._truth.origin)
        last = self._begin(until)
        if first >= last:
            return []
        columns = [
            self._truth.interval_values(self._meter.id, channel.register, first, last)
            for channel in self._meter.channels
        ]
        ends = (first + k * self._step for k in range(1, len(columns[0]) + 1))
        rows = [ProfileRow(end, _status(end), values) for end, *values in zip(ends, *columns, strict=True)]
        return self._held(self._meter.id, rows)

    def register(self, obis: Obis) -> int:
        now = self.now()
        if (behind := self._behind.get(obis)) is not None:
            return self._state_behind(behind, _last_read(behind, now))
        if obis == MAXIMUM_DEMAND:
            return self._maximum(now)[0]
        if obis == DEMAND:
            return self._average(self._begin(now))
        if (interval := self._intervals.get(obis)) is None:
            return self._truth.state_at(self._meter.id, str(obis), now)
        # An interval register shows the last interval that is over.
        end = self._begin(now)
        if end <= self._truth.origin:
            return 0
        return self._truth.interval_values(self._meter.id, interval, end - self._step, end)[0]

    def captured_at(self, obis: Obis) -> datetime:
        now = self.now()
        if (behind := self._behind.get(obis)) is not None:
            return _last_read(behind, now)
        return self._maximum(now)[1] if obis == MAXIMUM_DEMAND else self._begin(now)

    def _rows_behind(self, behind: MBusMeter, after: datetime, until: datetime) -> list[ProfileRow]:
        end = max(_full_hour(after), self._truth.origin) + _HOUR
        rows: list[ProfileRow] = []
        while end <= until:
            read_at = end - timedelta(seconds=behind.read_before_s)
            rows.append(ProfileRow(end, 0, [self._state_behind(behind, read_at)], read_at))
            end += _HOUR
        return self._held(behind.id, rows)

    def _held(self, meter: str, rows: list[ProfileRow]) -> list[ProfileRow]:
        """What the memory holds of `rows` by now, as often as it holds it."""
        if self._meter.data_faults is None:
            return rows
        now = self.now()
        held: list[ProfileRow] = []
        for row in rows:
            capture = self._truth.capture(meter, row.end)
            if capture is not None and capture.at <= now:
                held += [row._replace(status=row.status | capture.status)] * capture.times
        return held

    def _state_behind(self, behind: MBusMeter, at: datetime) -> int:
        return self._truth.state_at(behind.id, behind.channels[0].register, at)

    def _average(self, end: datetime) -> int:
        """W over the interval that ends at `end`."""
        if end <= self._truth.origin:
            return 0
        (energy,) = self._truth.interval_values(self._meter.id, ACTIVE_IMPORT[0], end - self._step, end)
        return energy * (_HOUR // self._step)

    def _maximum(self, now: datetime) -> tuple[int, datetime]:
        """The highest average of this month, W, and the end of its interval."""
        local = now.astimezone(PRAGUE)
        first = max(month_bounds(Commodity.ELECTRICITY, local.year, local.month)[0], self._truth.origin)
        last = self._begin(now)
        if last <= first:
            return 0, first
        values = self._truth.interval_values(self._meter.id, ACTIVE_IMPORT[0], first, last)
        highest = max(range(len(values)), key=values.__getitem__)
        return values[highest] * (_HOUR // self._step), first + (highest + 1) * self._step

    def events(self, after: datetime, until: datetime) -> Sequence[EventRow]:
        events = events_of(self._meter.id, self._truth.origin, until)
        faults = self._meter.data_faults
        if faults is not None:
            events += [event for event in power_events(faults.power_cuts) if event.at <= until]
        return sorted(event for event in events if event.at > after)

    def _begin(self, instant: datetime) -> datetime:
        """Beginning of the interval in which `instant` lies."""
        return instant - (instant - self._truth.origin) % self._step


def _full_hour(instant: datetime) -> datetime:
    return instant.replace(minute=0, second=0, microsecond=0)


def _last_read(behind: MBusMeter, now: datetime) -> datetime:
    """When the meter behind was read last."""
    ahead = timedelta(seconds=behind.read_before_s)
    return _full_hour(now + ahead) - ahead


def _status(end: datetime) -> int:
    """AMR status octet of a row: summer time by the clock at the capture."""
    return SUMMER_TIME if end.astimezone(PRAGUE).dst() else 0
