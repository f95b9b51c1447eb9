"""A scenario's mode C meters on the simulation's truth."""

from datetime import timedelta
from typing import Final

from firmware_sims.dlms_data import serial_of
from firmware_sims.iec62056.meter import IecMeterSpec, IecRegister
from firmware_sims.scenario_check import TARIFF_STATE
from firmware_sims.scenario_model import DlmsMeter, Iec62056Meter
from firmware_sims.truth import NT_STATE, VT_STATE
from shared.identifiers import Obis
from shared.iec62056.messages import BAUD_CODES, Identification
from shared.metering_day import STEP
from shared.quantities import Commodity

MANUFACTURER: Final = "RZV"
_PROFILE: Final = Obis(1, 0, 99, 1, 0)
_REACTIVE: Final = (3, 4, 5, 6, 7, 8)


def identification_of(serial: str, baud: int, *, hdlc: bool = False) -> Identification:
    """What a simulated meter says of itself."""
    return Identification(MANUFACTURER, BAUD_CODES[baud], f"SIM{serial[-12:]}", "\\2" if hdlc else "")


def address_of(meter: Iec62056Meter | DlmsMeter) -> str:
    """Address in the opening request."""
    device = meter.device if isinstance(meter, Iec62056Meter) else meter.address.device
    return device or serial_of(meter)


def iec_meter_spec(meter: Iec62056Meter) -> IecMeterSpec:
    """The meter as its type plate and its parameters say."""
    step = STEP[meter.commodity]
    states: list[IecRegister] = []
    for channel in meter.channels:
        if channel.state is not None:
            states.append(_register(meter, channel.state))
        if meter.tariff is not None and channel.state == TARIFF_STATE:
            states += [_register(meter, VT_STATE), _register(meter, NT_STATE)]
    serial = serial_of(meter)
    return IecMeterSpec(
        serial=serial,
        identification=identification_of(serial, meter.baud),
        registers=tuple(states),
        channels=tuple(_register(meter, channel.register) for channel in meter.channels),
        profile=_PROFILE,
        period_s=step // timedelta(seconds=1),
        entries=meter.memory_days * (timedelta(days=1) // step),
        password=meter.password,
        full_codes=meter.full_codes,
        kept=meter.clock,
        mean_power=meter.mean_power,
        wrong_check_every=meter.wrong_check_every,
    )


def _register(meter: Iec62056Meter, obis: str) -> IecRegister:
    name = Obis.parse(obis)
    if meter.commodity is Commodity.GAS:
        return IecRegister(name, "m3")
    return IecRegister(name, "kvarh" if name.c in _REACTIVE else "kWh")
