"""CDSGASPOF GP6: billing data of gas distribution (podklady pro fakturaci distribuce plynu), sent to the supplier.

Documented (a public consumer of the message): the elements from `invoice` down to the containers, all attributes, the
segments, the reasons of a correction and the formulas of the lines. Inferred: units. Assumed: the names of the elements
that hold the records within a container (any name is read), one commodity line for all days of A/B, and that a
cancelling may repeat the amounts of what it cancels with either sign.

Periods are instants, half-open. A body has the variant of metering C and CM (`distributed`, `meters_c`, `agreed_c`) or
that of A and B (`daily`, `meters`, `agreed`).
"""

from datetime import datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

from central.market.payloads.billing_data import CorrectionReason, Segment

FORMAT: Final = "CDSGASPOF"


class DistributedEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """C: energy of a sub-period in kWh, price of distribution and of the market operator in CZK/kWh."""

    start: datetime
    end: datetime
    energy_kwh: Decimal
    unit_price: Decimal
    operator_price: Decimal


class ConvertedVolume(msgspec.Struct, frozen=True, kw_only=True):
    """C: volume in m3 x conversion factor (přepočtový koeficient) x calorific value (spalné teplo, kWh/m3) = energy."""

    start: datetime
    end: datetime
    volume_m3: Decimal
    factor: Decimal
    calorific_value: Decimal
    energy_mwh: Decimal


class GasMeterC(msgspec.Struct, frozen=True, kw_only=True):
    """C: a gas meter (plynoměr) with its state in m3 at the first reading; the list of reading types is not known."""

    start: datetime
    end: datetime
    meter: str
    first_state: Decimal
    first_reading: datetime | None = None
    last_reading: datetime | None = None
    reading_type: str | None = None
    volumes: list[ConvertedVolume] = []


class CapacityC(msgspec.Struct, frozen=True, kw_only=True):
    """C: payment for capacity: m3/day, CZK per 1000 m3 and year, part of a year."""

    volume: Decimal
    price: Decimal
    effect: Decimal


class FixedPayment(msgspec.Struct, frozen=True, kw_only=True):
    """C: fixed payment (stálý plat) in CZK and its part."""

    rent: Decimal
    effect: Decimal


class AgreedC(msgspec.Struct, frozen=True, kw_only=True):
    """C: what is paid for a sub-period whatever is taken."""

    start: datetime
    end: datetime
    capacity: CapacityC | None = None
    payment: FixedPayment | None = None


class GasDayEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: energy of a gas day in kWh; the day is given by its begin, 6:00."""

    day: datetime
    energy_kwh: Decimal


class DailyEnergy(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: energies by gas days with the prices of distribution and of the market operator in CZK/kWh."""

    unit_price: Decimal
    operator_price: Decimal
    days: list[GasDayEnergy] = []


class MeteredGasDay(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: converted volume in m3 x calorific value in kWh/m3 = energy in kWh."""

    day: datetime
    volume_m3: Decimal
    calorific_value: Decimal
    energy_kwh: Decimal


class GasMeter(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: a gas meter and its days."""

    start: datetime
    end: datetime
    meter: str
    first_state: Decimal
    days: list[MeteredGasDay] = []


class Overrun(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: exceeding of the reserved daily capacity: m3, CZK per 1000 m3, factor of the month."""

    size: Decimal
    unit_price: Decimal
    month_factor: Decimal


class AgreedCapacity(msgspec.Struct, frozen=True, kw_only=True):
    """A/B: reserved daily capacity: m3/day, CZK per 1000 m3 and year, part of a year (and the same in percent)."""

    size: Decimal
    price: Decimal
    effect: Decimal
    effect_percent: Decimal | None = None
    start: datetime | None = None
    end: datetime | None = None
    overruns: list[Overrun] = []


class GasBilling(msgspec.Struct, frozen=True, kw_only=True):
    """A document (`invoice`) of one supply point; `concerns` is the number of what it cancels or corrects (SCNumber).

    `net` and `gross` are CZK without and with VAT, `yearly_kwh` the recalculated annual consumption. `cancelled` stands
    (as True) in a document that has been cancelled, and nowhere else.
    """

    net: Decimal
    start: datetime
    end: datetime
    segment: Segment
    opm: str
    document: str | None = None
    version: str | None = None
    gross: Decimal | None = None
    cancelled: Literal[True] | None = None
    yearly_kwh: Decimal | None = None
    number: str | None = None
    further_number: str | None = None
    correction_reason: CorrectionReason | None = None
    claim: str | None = None
    concerns: str | None = None
    distributed: list[DistributedEnergy] = []
    meters_c: list[GasMeterC] = []
    agreed_c: list[AgreedC] = []
    daily: DailyEnergy | None = None
    meters: list[GasMeter] = []
    agreed: list[AgreedCapacity] = []


class GasBillings(msgspec.Struct, frozen=True, kw_only=True):
    """The payload."""

    documents: list[GasBilling]
