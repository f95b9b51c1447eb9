"""Text of a load profile (P.01): parts with a header each, and rows of values. VDEW specification 2.1 for meters with
load profile; makers' manuals agree on the form and differ in the width of the status.

    P.01(1260301001500)(00)(15)(2)(1.29.0)(kWh)(3.29.0)(kvarh)
    (0.125)(0.031)
    (0.127)(0.029)

A meter begins a new part when its status changes, after a gap, and (most) at midnight.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from shared.iec62056.data_sets import Number, number
from shared.iec62056.errors import DecodeError
from shared.iec62056.stamps import Stamp, decode_stamp
from shared.quantities import Flag

MOST_COLUMNS: Final = 64
_ERROR: Final = re.compile(r"\s*(?:[^()\r\n]*)\((ER[A-Z0-9 .:_-]{0,40})\)\s*")
_PIECE: Final = re.compile(r"\(([^()\r\n]*)\)|([^()\s!]+)")
_NO_VALUE: Final = re.compile(r"\s*|-+|\*+|\?+")

FATAL: Final = 0x01
RESERVE_EXHAUSTED: Final = 0x02
DISTURBED: Final = 0x04
SEASON_CHANGED: Final = 0x08
RESET: Final = 0x10
CLOCK_SET: Final = 0x20
POWER_RETURNED: Final = 0x40
POWER_FAILED: Final = 0x80
"""Bits of the status octet (the lowest of wider ones)."""

_MEANING: Final = {
    FATAL: Flag.CRITICAL,
    RESERVE_EXHAUSTED: Flag.CLOCK_INVALID,
    DISTURBED: Flag.DATA_INVALID,
    CLOCK_SET: Flag.CLOCK_ADJUSTED,
    POWER_RETURNED: Flag.POWER_DOWN,
    POWER_FAILED: Flag.POWER_DOWN,
}


@dataclass(frozen=True, slots=True)
class ColumnHead:
    """A captured register as the header names it."""

    code: str
    unit: str


@dataclass(frozen=True, slots=True)
class ProfilePart:
    """Consecutive rows under one header; `stamp` is the first row's."""

    stamp: Stamp
    status: int
    period_s: int
    columns: tuple[ColumnHead, ...]
    rows: tuple[tuple[Number | None, ...], ...]


def flags_of(status: int) -> int:
    """Quality mask (shared.quantities.Flag) of a status word."""
    return sum(int(flag) for flag in {flag for bit, flag in _MEANING.items() if status & bit})


def status_of(flags: int) -> int:
    """Status octet for a quality mask; a power failure is told by the row in which it ended."""
    return sum(bit for bit, flag in _MEANING.items() if flags & flag and bit != POWER_FAILED)


def error_of(text: str) -> str | None:
    """The code if the answer is an error message such as `P.01(ERROR)` or `(ER05)`."""
    match = _ERROR.fullmatch(text)
    return None if match is None else match[1].strip()


def profile_parts(text: str, code: str) -> list[ProfilePart]:
    """The parts of the profile `code` in a meter's answer. Raises `DecodeError` where the text does not fit its own
    headers: a value is never given to another column or row.
    """
    parts: list[ProfilePart] = []
    groups: list[str] = []
    begun = False
    for match in _PIECE.finditer(text):
        group, name = match.groups()
        if group is not None:
            if not begun:
                raise DecodeError(f"The value ({group[:40]}) stands before any header; expected {code}(...) first.")
            groups.append(group)
            continue
        if not _same_code(name, code):
            raise DecodeError(f"{name[:40]!r} stands in the answer; expected {code}.")
        if begun:
            parts.append(_part(groups))
        begun, groups = True, []
    if begun:
        parts.append(_part(groups))
    return parts


def _same_code(name: str, code: str) -> bool:
    """P.01 is P.1 to some."""
    head, _, number_text = name.partition(".")
    wanted, _, wanted_number = code.partition(".")
    return head == wanted and number_text.lstrip("0") == wanted_number.lstrip("0")


def _part(groups: Sequence[str]) -> ProfilePart:
    if len(groups) < 4:
        raise DecodeError(f"A header has {len(groups)} fields; expected stamp, status, period and number of values.")
    stamp = decode_stamp(groups[0].strip())
    status = _integer(groups[1], "status", 16, 1 << 64)
    period_s = _integer(groups[2], "period", 10, 1440) * 60
    count = _integer(groups[3], "number of values", 10, MOST_COLUMNS)
    if period_s == 0 or count == 0:
        raise DecodeError(f"A header tells {count} values every {period_s} s; expected at least one of each.")
    first = 4 + 2 * count
    if len(groups) < first:
        raise DecodeError(f"A header announces {count} values and names fewer.")
    columns = tuple(ColumnHead(groups[n].strip(), groups[n + 1].strip()) for n in range(4, first, 2))
    values = groups[first:]
    if len(values) % count:
        raise DecodeError(f"{len(values)} values stand under a header of {count}; the last row is not whole.")
    cells = [_cell(value, columns[n % count]) for n, value in enumerate(values)]
    rows = tuple(tuple(cells[n : n + count]) for n in range(0, len(cells), count))
    return ProfilePart(stamp, status, period_s, columns, rows)


def _integer(text: str, what: str, base: int, below: int) -> int:
    text = text.strip()
    digits = "0123456789abcdefABCDEF"[: 10 if base == 10 else 22]
    if not text or len(text) > 16 or text.strip(digits) or (value := int(text, base)) > below:
        raise DecodeError(f"The {what} of a header is {text[:40]!r}; expected at most {below} in base {base}.")
    return value


def _cell(text: str, column: ColumnHead) -> Number | None:
    value, _, unit = text.partition("*")
    if _NO_VALUE.fullmatch(text):
        return None
    if unit and unit.strip().lower() != column.unit.lower():
        raise DecodeError(f"A value of {column.code} is in {unit[:20]}, but its header says {column.unit}.")
    return number(value.strip())


def format_part(
    code: str, stamp: str, status: int, period_s: int, columns: Sequence[ColumnHead], rows: Sequence[Sequence[str]]
) -> str:
    """A part as a meter writes it; values are ready texts."""
    heads = "".join(f"({column.code})({column.unit})" for column in columns)
    lines = "".join("".join(f"({value})" for value in row) + "\r\n" for row in rows)
    return f"{code}({stamp})({status:02X})({period_s // 60:02d})({len(columns)}){heads}\r\n{lines}"
