"""A scenario's DLMS meters on the simulation's truth: type plate, registers, load profile, event log."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from firmware_sims.dlms.meter import (
    BufferCoding,
    EventRow,
    IntegerType,
    MeterSecurity,
    MeterSpec,
    ProfileRow,
    ProfileSpec,
    RegisterSpec,
    TimeStyle,
)
from firmware_sims.events import events_of
from firmware_sims.scenario_check import TARIFF_STATE
from firmware_sims.scenario_model import Channel, DlmsMeter, Iec62056Meter, Security
from firmware_sims.truth import NT_STATE, VT_STATE, Truth
from shared.clock import Clock
from shared.dlms.acse import Mechanism
from shared.dlms.amr_status import SUMMER_TIME
from shared.dlms.ciphering import AUTHENTICATED, ENCRYPTED, Keys
from shared.identifiers import Obis
from shared.metering_day import PRAGUE, STEP
from shared.quantities import Commodity

_WH, _VARH, _M3 = 30, 32, 14
"""COSEM unit codes (shared.dlms.units); 14 is corrected volume, what a volume converter counts."""
_MECHANISMS: Final = {"none": Mechanism.NONE, "low": Mechanism.LOW, "gmac": Mechanism.HIGH_GMAC}
_PROTECTIONS: Final = {
    "none": 0,
    "authenticated": AUTHENTICATED,
    "encrypted": ENCRYPTED,
    "authenticated-encrypted": AUTHENTICATED | ENCRYPTED,
}
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
    serial = serial_of(meter)
    return MeterSpec(
        serial=serial,
        logical_name=f"RZV{serial[-13:]:0>13}",
        registers=tuple(states),
        profiles=(profile,),
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

    def now(self) -> datetime:
        return self._clock.now()

    def rows(self, profile: Obis, after: datetime, until: datetime) -> Sequence[ProfileRow]:
        first = max(self._begin(after), self._truth.origin)
        last = self._begin(until)
        if first >= last:
            return []
        columns = [
            self._truth.interval_values(self._meter.id, channel.register, first, last)
            for channel in self._meter.channels
        ]
        ends = (first + k * self._step for k in range(1, len(columns[0]) + 1))
        return [ProfileRow(end, _status(end), values) for end, *values in zip(ends, *columns, strict=True)]

    def register(self, obis: Obis) -> int:
        now = self.now()
        if (interval := self._intervals.get(obis)) is None:
            return self._truth.state_at(self._meter.id, str(obis), now)
        # An interval register shows the last interval that is over.
        end = self._begin(now)
        if end <= self._truth.origin:
            return 0
        return self._truth.interval_values(self._meter.id, interval, end - self._step, end)[0]

    def events(self, after: datetime, until: datetime) -> Sequence[EventRow]:
        return [event for event in events_of(self._meter.id, self._truth.origin, until) if event.at > after]

    def _begin(self, instant: datetime) -> datetime:
        """Beginning of the interval in which `instant` lies."""
        return instant - (instant - self._truth.origin) % self._step


def _status(end: datetime) -> int:
    """AMR status octet of a row: summer time by the clock at the capture."""
    return SUMMER_TIME if end.astimezone(PRAGUE).dst() else 0
