"""COSEM units (Blue Book, enumeration `unit` of class 3) that meters of electricity and gas use."""

from typing import Final

UNITS: Final = {
    9: "°C",
    13: "m3",
    14: "m3",  # corrected (converted) volume
    15: "m3/h",
    16: "m3/h",  # corrected
    22: "Pa",
    23: "bar",
    25: "J",
    27: "W",
    28: "VA",
    29: "var",
    30: "Wh",
    31: "VAh",
    32: "varh",
    33: "A",
    35: "V",
    44: "Hz",
    255: "1",
}
"""Text by code."""


def unit_text(code: int) -> str:
    """The unit's sign; a code that is not in the table keeps its number, so that nothing is mistaken for another."""
    return UNITS.get(code, f"unit-{code}")
