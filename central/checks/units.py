"""What prices are for, in one measure: so that a price of a megawatt-hour is compared with one of a kilowatt-hour."""

from collections.abc import Mapping
from typing import Final

_Measure = tuple[str, int]
"""A dimension, and how many of its smallest units the price is for."""

_OURS: Final[Mapping[str, _Measure]] = {
    "MWh": ("energy", 1_000), "kWh": ("energy", 1), "MVArh": ("reactive energy", 1_000),
    "kVArh": ("reactive energy", 1), "MW": ("power", 1_000), "kW": ("power", 1), "A": ("current", 1),
    "m³": ("volume", 1), "tis. m³": ("daily capacity", 1), "měs": ("point and month", 1), "Kč": ("crowns", 1),
}  # fmt: skip
KNOWN: Final = tuple(_OURS)
"""Units that the quantity of a basis may be in."""
_THEIRS: Final[Mapping[str, _Measure]] = {
    "MWH": ("energy", 1_000), "KWH": ("energy", 1), "MVARH": ("reactive energy", 1_000),
    "KVARH": ("reactive energy", 1), "MW": ("power", 1_000), "KW": ("power", 1), "A": ("current", 1),
    "MW_MONTH": ("power and month", 1_000), "KW_MONTH": ("power and month", 1), "A_MONTH": ("current and month", 1),
    "OPM_MONTH": ("point and month", 1), "MONTH": ("point and month", 1), "PAYMENT": ("point and month", 1),
    "1000M3_DAY": ("daily capacity", 1), "M3": ("volume", 1), "CZK": ("crowns", 1),
}  # fmt: skip
OF_MESSAGES: Final = tuple(_THEIRS)
"""Units of messages whose measure is known, in capitals."""
_MONTHLY: Final = "/měs"


def of_basis(unit: str, price_unit: str) -> _Measure | None:
    """What the unit price of a basis is for; None: unknown. A payment for a month of power is not one for power."""
    found = _OURS.get(unit)
    if found is None or not price_unit.endswith(_MONTHLY) or found[0] not in ("power", "current"):
        return found
    return f"{found[0]} and month", found[1]


def of_message(unit: str) -> _Measure | None:
    """What the unit price of an item of a received invoice is for; None: unknown."""
    return _THEIRS.get(unit.upper())
