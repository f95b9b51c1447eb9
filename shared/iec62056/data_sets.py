"""Data sets of a readout: `OBIS(value*unit)`, their codes in full and reduced form, their numbers and units."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from shared.identifiers import Obis
from shared.iec62056.errors import DecodeError
from shared.quantities import Unit

_TOKEN: Final = re.compile(r"\(([^()\r\n]*)\)|([^()\r\n!]+)|(\r?\n)|(.)", re.DOTALL)
_CODE: Final = re.compile(r"(?:(\d{1,3})-(\d{1,3}):)?(\d{1,3}|[CFLP])\.(\d{1,3}|F)(?:\.(\d{1,3}))?(?:[*&](\d{1,3}))?")
_NUMBER: Final = re.compile(r"([+-]?)(\d{1,18})(?:\.(\d{0,9}))?")
_LETTERS: Final = {"C": 96, "F": 97, "L": 98, "P": 99}
"""Value groups that reduced codes write as letters (IEC 62056-61)."""
_LETTER_OF: Final = {number: letter for letter, number in _LETTERS.items()}
_ANY_STORAGE: Final = 255

_UNITS: Final = {
    **{
        prefix + name: (unit, exponent)
        for prefix, exponent in (("", 0), ("K", 3), ("M", 6), ("G", 9))
        for name, unit in (
            ("WH", Unit.WH),
            ("VARH", Unit.VARH),
            ("VAH", Unit.VAH),
            ("W", Unit.W),
            ("VAR", Unit.VAR),
            ("VA", Unit.VA),
            ("V", Unit.V),
            ("A", Unit.A),
        )
    },
    "M3": (Unit.M3, 0),
    "HZ": (Unit.HZ, 0),
    "": (Unit.ONE, 0),
}


class Value(NamedTuple):
    """One value as it stands between parentheses."""

    text: str
    unit: str = ""


class Number(NamedTuple):
    """mantissa x 10^exponent."""

    mantissa: int
    exponent: int


@dataclass(frozen=True, slots=True)
class DataSet:
    """A code and its values, as the meter writes them."""

    code: str
    values: tuple[Value, ...]


def data_sets(text: str) -> list[DataSet]:
    """All data sets of a readout or an answer. A line that is no data set is left out, and values after it, up to the
    next code, too: they are never given to another code.
    """
    found: list[DataSet] = []
    for code, values in _groups(text):
        if code is not None and values:
            found.append(DataSet(code, tuple(values)))
    return found


def _groups(text: str) -> Iterator[tuple[str | None, list[Value]]]:
    code: str | None = ""
    values: list[Value] = []
    spoilt = False  # until the end of the line
    for match in _TOKEN.finditer(text):
        group, name, end, stray = match.groups()
        if end is not None:
            spoilt = False
        elif spoilt or stray == "!":
            continue
        elif group is not None:
            value, _, unit = group.partition("*")
            values.append(Value(value.strip(), unit.strip()))
        else:
            yield code, values
            code, values = (None if stray else name.strip()), []
            spoilt = stray is not None
    yield code, values


def format_data_set(code: str, value: str, unit: str = "") -> str:
    """As it stands in a message."""
    return f"{code}({value}*{unit})" if unit else f"{code}({value})"


def reduced_code(obis: Obis) -> str:
    """C.D.E, with letters for the abstract groups; a load profile has the customary P.01."""
    if obis.c == _LETTERS["P"]:
        return f"P.{obis.d:02d}"
    return f"{_LETTER_OF.get(obis.c, obis.c)}.{obis.d}.{obis.e}"


def full_code(obis: Obis) -> str:
    """A-B:C.D.E."""
    return f"{obis.a}-{obis.b}:{obis.c}.{obis.d}.{obis.e}"


def names(code: str, obis: Obis) -> bool:
    """Whether the meter's `code`, full or reduced, means `obis`. Groups A and B that it does not write are not
    compared; a missing E is 0; a stored (earlier) value, `*01` or `&01`, is another register than the present one.
    """
    match = _CODE.fullmatch(code)
    if match is None:
        return False
    a, b, c, d, e, f = match.groups()
    storage = _ANY_STORAGE if f is None else int(f)
    return (
        (a is None or (int(a), int(b)) == (obis.a, obis.b))
        and (int(c) if c.isdigit() else _LETTERS[c]) == obis.c
        and d.isdigit()
        and int(d) == obis.d
        and int(e or 0) == obis.e
        and storage == obis.f
    )


def number(text: str) -> Number:
    """A decimal number. Raises `DecodeError`."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        raise DecodeError(f"{text[:40]!r} is no number; expected digits with at most one point.")
    sign, whole, fraction = match[1], match[2], match[3] or ""
    mantissa = int(whole + fraction)
    return Number(-mantissa if sign == "-" else mantissa, -len(fraction))


def unit_of(text: str) -> tuple[Unit, int]:
    """Unit and power of ten of a meter's unit (kWh is Wh and 3), whatever its case. Raises `DecodeError`."""
    found = _UNITS.get(text.strip().upper())
    if found is None:
        raise DecodeError(f"{text[:20]!r} is no unit that is known; expected one such as kWh, kvarh, kW or m3.")
    return found
