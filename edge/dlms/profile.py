"""From the rows of a profile buffer to columns: starts of intervals in UTC, quality flags, values.

Pure functions. Meters stamp the *end* of an interval; a null-data stamp means one capture period after the row before,
a null-data status the same as before. A null-data value stays None unless the meter is known to write so what did not
change: it is never guessed. A delta counts from the last value above it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from edge.dlms.errors import ProtocolError
from edge.dlms.layout import ClockConvention, ProfileLayout
from shared.dlms.amr_status import FLAGS
from shared.dlms.axdr import BitString, Delta
from shared.dlms.datetime12 import STATUS_INVALID, UNSPECIFIED_STATUS
from shared.identifiers import Obis
from shared.quantities import Flag

LONGEST_GRID_MS: Final = 3_600_000
_PLAIN: Final = {int, type(None)}
_COMPRESSED: Final = {int, Delta, type(None)}


@dataclass(frozen=True, slots=True)
class ProfileColumn:
    """One channel of a profile. `values` run parallel to `ProfileRows.start_ms`; None where the meter sent no value."""

    obis: Obis
    scaler: int
    unit: str
    values: list[int | None]
    captured_ms: list[int | None] | None = None
    """The values' own times (UTC ms), where the profile captures them: M-Bus values."""


@dataclass(frozen=True, slots=True)
class ProfileRows:
    """Rows of a load profile; rows that the meter does not hold are simply not there."""

    period_ms: int
    start_ms: list[int]
    """Beginning of each interval, UTC ms, ascending, each once."""
    flags: list[int]
    """Quality mask per row (shared.quantities.Flag)."""
    columns: dict[Obis, ProfileColumn]
    repeated: tuple[int, ...] = ()
    """Stamps (UTC ms) of rows left out because their interval was captured before; the one kept is flagged INCOMPLETE
    if they differ.
    """
    irregular: tuple[int, ...] = ()
    """Stamps (UTC ms) of rows left out because they end inside an interval, as after setting the clock."""


@dataclass(frozen=True, slots=True)
class StampedRows:
    """Rows as the meter sent them, nothing left implicit: columns of absolute values below stamps in UTC."""

    stamps: list[int]
    flags: list[int]
    cells: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    """Values (int or None) and capture times (UTC ms or None) by position in the layout."""


def profile_rows(
    buffer: Any,
    layout: ProfileLayout,
    units: dict[Obis, tuple[int, str]],
    start_ms: int,
    end_ms: int,
    convention: ClockConvention,
    *,
    null_repeats: bool = False,
) -> ProfileRows:
    """Rows of a decoded buffer whose interval begins in [start_ms, end_ms). `units`: scaler and unit by register.

    `null_repeats`: a null-data value is the one above it. Raises ProtocolError for rows that do not fit the layout.
    """
    stamped = stamped_rows(buffer, layout, convention, null_repeats=null_repeats)
    return rows_between(stamped, layout, units, start_ms, end_ms)


def stamped_rows(
    buffer: Any, layout: ProfileLayout, convention: ClockConvention, *, null_repeats: bool = False
) -> StampedRows:
    """The rows of a decoded buffer. Raises ProtocolError for rows that do not fit the layout."""
    width = len(layout.captured)
    if not isinstance(buffer, list) or not all(isinstance(row, tuple) and len(row) == width for row in buffer):
        raise ProtocolError("a buffer whose rows do not match the capture objects", f"rows of {width} cells")
    columns: list[tuple[Any, ...]] = list(zip(*buffer, strict=True)) if buffer else [()] * width
    stamps, invalid = _stamps(columns[layout.clock], layout.period_ms, convention)
    flags = [0] * len(buffer) if layout.status is None else _flags(columns[layout.status])
    for row in invalid:
        flags[row] |= Flag.CLOCK_INVALID
    cells: dict[int, Sequence[Any]] = {}
    for position, captured in layout.registers.items():
        cells[position] = _values(columns[position], Obis.from_bytes(captured.logical_name), null_repeats)
    for position in layout.capture_times.values():
        cells[position] = _times(columns[position], convention)
    return StampedRows(stamps, flags, cells)


def rows_between(
    stamped: StampedRows,
    layout: ProfileLayout,
    units: dict[Obis, tuple[int, str]],
    start_ms: int,
    end_ms: int,
) -> ProfileRows:
    """Those whose interval begins in [start_ms, end_ms), ascending, each interval once."""
    stamps, period = stamped.stamps, layout.period_ms
    # Longer periods (days, months) follow the local calendar, not a grid in UTC.
    grid = period if period <= LONGEST_GRID_MS else 1
    irregular = tuple(stamp for stamp in stamps if stamp % grid and start_ms < stamp <= end_ms)
    wanted = [row for row, stamp in enumerate(stamps) if start_ms <= stamp - period < end_ms and not stamp % grid]
    registers = layout.registers
    flags = stamped.flags.copy()
    kept, repeated = _once(wanted, stamps, flags, [stamped.cells[position] for position in registers])
    times = layout.capture_times
    columns: dict[Obis, ProfileColumn] = {}
    for position, captured in registers.items():
        obis = Obis.from_bytes(captured.logical_name)
        values = stamped.cells[position]
        own = [stamped.cells[times[obis]][row] for row in kept] if obis in times else None
        columns[obis] = ProfileColumn(obis, *units[obis], [values[row] for row in kept], own)
    return ProfileRows(
        period, [stamps[row] - period for row in kept], [flags[row] for row in kept], columns, repeated, irregular
    )


def _stamps(cells: Sequence[Any], period_ms: int, convention: ClockConvention) -> tuple[list[int], list[int]]:
    """UTC ms of each row's stamp, and the rows whose clock was invalid."""
    stamps: list[int] = []
    invalid: list[int] = []
    before: int | None = None
    for row, cell in enumerate(cells):
        if cell is None:
            if before is None:
                raise ProtocolError("a first row without time stamp", "a full one in the first row")
            before += period_ms
        else:
            before, status = convention.decode(cell, before)
            if status & STATUS_INVALID and status != UNSPECIFIED_STATUS:
                invalid.append(row)
        stamps.append(before)
    return stamps, invalid


def _flags(cells: Sequence[Any]) -> list[int]:
    flags: list[int] = []
    mask = 0
    for cell in cells:
        if isinstance(cell, BitString):
            mask = FLAGS[cell.octets[0]] if cell.octets else 0
        elif isinstance(cell, int) and not isinstance(cell, Delta):
            mask = FLAGS[cell & 0xFF]
        elif cell is not None:
            raise ProtocolError(f"a profile status {cell!r:.40}", "one octet or bits")
        flags.append(mask)
    return flags


def _values(cells: Sequence[Any], obis: Obis, null_repeats: bool) -> Sequence[int | None]:
    kinds = set(map(type, cells))
    if kinds <= _PLAIN and not (null_repeats and None in cells):
        return cells
    if not kinds <= _COMPRESSED:
        raise ProtocolError(f"values of {obis} that are not integers", "integers with a scaler")
    values: list[int | None] = []
    before: int | None = None
    for cell in cells:
        if cell is None:
            values.append(before if null_repeats else None)
            continue
        if type(cell) is Delta:
            if before is None:
                raise ProtocolError(f"a first value of {obis} that is a difference ({cell!r})", "a whole value first")
            before += cell
        else:
            before = cell
        values.append(before)
    return values


def _times(cells: Sequence[Any], convention: ClockConvention) -> list[int | None]:
    """Capture times; None where there is none, or one that names no instant (a channel that never delivered)."""
    times: list[int | None] = []
    for cell in cells:
        try:
            times.append(None if cell is None else convention.decode(cell).ms)
        except ProtocolError:
            times.append(None)
    return times


def _once(
    wanted: list[int], stamps: list[int], flags: list[int], columns: list[Sequence[Any]]
) -> tuple[list[int], tuple[int, ...]]:
    """The rows in ascending order, each interval once, and the stamps of those that were dropped.

    Of a repeated capture the first stays; if the repetition says something else, neither is the whole interval.
    """
    if all(stamps[a] < stamps[b] for a, b in pairwise(wanted)):
        return wanted, ()
    by_stamp: dict[int, int] = {}
    repeated: list[int] = []
    for row in wanted:
        first = by_stamp.setdefault(stamps[row], row)
        if first == row:
            continue
        repeated.append(stamps[row])
        if any(column[first] != column[row] for column in columns):
            flags[first] |= Flag.INCOMPLETE
    return [by_stamp[stamp] for stamp in sorted(by_stamp)], tuple(sorted(repeated))
