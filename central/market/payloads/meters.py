"""States of registers (stavy číselníků) in messages, and the arithmetic between two of them."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Final, Literal

import msgspec

from central.market.payloads.days import Span, backward, outside

Register = Literal["high", "low", "single"]
"""High tariff (VT), low tariff (NT), one tariff."""
ReadingReason = Literal[
    "change_of_supplier",
    "periodic",
    "extraordinary",
    "exchange",
    "change_of_price",
    "change_of_rate",
    "start",
    "end",
]
"""Důvod odečtu; CHS, the change of a supplier, is documented."""
ReadingType = Literal["read", "self_read", "estimated", "agreed"]
EnergyUnit = Literal["KWH", "MWH", "KVARH", "MVARH"]
Unit = Literal["KWH", "MWH", "KVARH", "MVARH", "KW", "MW", "A", "MONTH", "MW_MONTH", "A_MONTH", "OPM_MONTH", "CZK"]

_REGISTER_ENDS: Final = tuple(Decimal(10) ** digits for digits in range(3, 10))
"""Where a register of 3 to 9 digits begins anew."""


class MeterPeriod(msgspec.Struct, frozen=True, kw_only=True):
    """A register (číselník) over days: states at their begin and end, and the consumption in `unit`.

    The consumption is the difference of the states times the multiplier (násobitel), exactly; a register that began
    anew at zero in between has gone through a power of ten.
    """

    meter: str
    register: Register
    first_day: date
    last_day: date
    first_state: Decimal
    last_state: Decimal
    multiplier: Decimal
    consumption: Decimal
    unit: EnergyUnit
    reason: ReadingReason
    kind: ReadingType | None = None


def problems_of_meters(what: str, meters: list[MeterPeriod], whole: Span) -> Iterator[str]:
    """Days beyond the document's own, and consumption that the states do not give."""
    for meter in meters:
        this = f"The register {meter.register} of the meter {meter.meter} in {what}"
        yield from backward(this, meter)
        yield from outside(this, meter, whole)
        difference = meter.last_state - meter.first_state
        expected = difference * meter.multiplier
        anew = [
            (difference + end) * meter.multiplier
            for end in _REGISTER_ENDS
            if difference < 0 and end > meter.first_state
        ]
        if meter.consumption not in {expected, *anew}:
            yield (
                f"{this} goes from {meter.first_state} to {meter.last_state} with the multiplier {meter.multiplier}: "
                f"that is {expected}, not {meter.consumption}."
            )
