"""Samples of one series as octets, row after row, and their columns as integers of the wire: pure.

A row is kept as the meter sent it and understood only when its block is cut: a column at a time costs a fraction of
what a sample at a time would (docs/decisions/live-series.md).
"""

import struct
from array import array
from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol, cast

from edge.config import StateRegister
from edge.drivers.modbus import PlannedRead
from edge.modbus.plan import PDU_HEAD
from shared.quantities import MISSING_VALUE

INT32_MOST: Final = 2**31 - 1

Values = Sequence[int | None]
"""Of one register, a value a row; None where the meter had none or the wire cannot carry it."""


class Columns(Protocol):
    """Takes rows apart."""

    def columns(self, answers: bytes) -> list[Sequence[int | None]]:
        """The values in `answers`, by register."""


class Part(NamedTuple):
    """A piece of each row: `size` octets, from which `decoder` makes the registers at `places`."""

    size: int
    decoder: Columns
    places: Sequence[int]


class RowFormat:
    """What a row of `registers` holds."""

    def __init__(self, registers: Sequence[StateRegister], parts: Sequence[Part]) -> None:
        self.registers = tuple(registers)
        self.size = sum(part.size for part in parts)
        """Octets of a row."""
        self._parts = tuple(parts)

    def columns(self, rows: bytes) -> list[Values]:
        """The values of each register; an array where the wire can carry them all."""
        found: list[Values] = [()] * len(self.registers)
        begin = 0
        for part in self._parts:
            octets = rows
            if len(self._parts) > 1:
                octets = b"".join(rows[row : row + part.size] for row in range(begin, len(rows), self.size))
            for place, column in zip(part.places, part.decoder.columns(octets), strict=True):
                found[place] = _on_the_wire(column)
            begin += part.size
        return found


class _Integers:
    def __init__(self, count: int) -> None:
        self._layout = struct.Struct(f">{count}q")

    def columns(self, answers: bytes) -> list[Sequence[int | None]]:
        return list(zip(*self._layout.iter_unpack(answers), strict=True))


def integer_rows(registers: Sequence[StateRegister]) -> RowFormat:
    """Rows of values that are integers in the register's unit and exponent already (see `integer_row`)."""
    count = len(registers)
    return RowFormat(registers, [Part(8 * count, _Integers(count), range(count))])


def integer_row(values: Sequence[int]) -> bytes:
    """One row; what has no place in 64 bits becomes a value that the wire cannot carry, hence none."""
    return struct.pack(f">{len(values)}q", *(max(-(2**63), min(value, 2**63 - 1)) for value in values))


def modbus_rows(registers: Sequence[StateRegister], plan: Sequence[PlannedRead]) -> RowFormat:
    """Rows that are the registers' octets of the answers to a plan's requests, one after the other."""
    parts = []
    for read in plan:
        if read.request.octets is None:
            raise ValueError(f"The answer to {read.request.what} has no fixed length.")
        parts.append(Part(read.request.octets - PDU_HEAD, read.decoder, read.places))
    return RowFormat(registers, parts)


def _on_the_wire(values: Sequence[int | None]) -> Values:
    try:
        column = array("i", cast(Sequence[int], values))  # None raises TypeError
    except (TypeError, OverflowError):
        return [_usable(value) for value in values]
    return column if min(column) != MISSING_VALUE else [_usable(value) for value in column]


def _usable(value: int | None) -> int | None:
    return value if value is not None and MISSING_VALUE < value <= INT32_MOST else None
