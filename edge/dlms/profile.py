"""From the rows of a profile buffer to columns: starts of intervals in UTC, quality flags, values.

Pure functions. Meters stamp the *end* of an interval; a null-data stamp means one capture period after the row before,
a null-data status the same as before. A null-data value stays None: it is never guessed.
"""

from dataclasses import dataclass
from datetime import tzinfo
from itertools import pairwise
from typing import Any, Final

from edge.dlms.errors import ProtocolError
from shared.dlms.amr_status import FLAGS
from shared.dlms.axdr import BitString
from shared.dlms.datetime12 import STATUS_INVALID, UNSPECIFIED_STATUS, decode_datetime
from shared.dlms.errors import DecodeError
from shared.dlms.selection import CaptureObject, decode_capture_object
from shared.identifiers import Obis
from shared.metering_day import PRAGUE
from shared.quantities import Flag

REGISTER_CLASSES: Final = frozenset((3, 4))
"""Register and extended register: attribute 2 is the value, 3 scaler and unit."""
VALUE_ATTRIBUTE: Final = 2
LONGEST_GRID_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class ClockConvention:
    """How the meter writes and takes time stamps."""

    zone: tzinfo = PRAGUE
    """Zone of stamps without deviation, and of those we send: UTC for a meter that runs on it."""
    reversed_deviation: bool = False
    """Deviation in the sense of older books: from UTC to local time."""
    send_deviation: bool = True
    """False for meters that take only stamps with unspecified deviation."""


@dataclass(frozen=True, slots=True)
class ProfileLayout:
    """What a profile captures (attributes 3 and 4)."""

    captured: tuple[CaptureObject, ...]
    period_ms: int
    clock: int
    """Position of the time stamp among the captured objects."""
    status: int | None
    """Position of the AMR status, if captured."""

    @property
    def registers(self) -> dict[int, CaptureObject]:
        """Captured register values by position."""
        return {
            position: each
            for position, each in enumerate(self.captured)
            if each.class_id in REGISTER_CLASSES and each.attribute == VALUE_ATTRIBUTE
        }


@dataclass(frozen=True, slots=True)
class ProfileColumn:
    """One channel of a profile. `values` run parallel to `ProfileRows.start_ms`; None where the meter sent no value."""

    obis: Obis
    scaler: int
    unit: str
    values: list[int | None]


@dataclass(frozen=True, slots=True)
class ProfileRows:
    """Rows of a load profile; rows that the meter does not hold are simply not there."""

    period_ms: int
    start_ms: list[int]
    """Beginning of each interval, UTC ms, ascending, each once."""
    flags: list[int]
    """Quality mask per row (shared.quantities.Flag)."""
    columns: dict[Obis, ProfileColumn]
    repeated: int = 0
    """Rows left out because their interval was captured twice; the one kept is flagged INCOMPLETE if they differ."""
    irregular: tuple[int, ...] = ()
    """Stamps (UTC ms) of rows left out because they end inside an interval, as after setting the clock."""


def profile_layout(capture_objects: Any, period_s: Any) -> ProfileLayout:
    """From decoded attributes 3 and 4. Raises ProtocolError."""
    if not isinstance(capture_objects, list) or not isinstance(period_s, int):
        raise ProtocolError(f"capture objects {capture_objects!r:.100}, period {period_s!r:.20}", "a list and a number")
    try:
        captured = tuple(decode_capture_object(each) for each in capture_objects)
    except DecodeError as error:
        raise ProtocolError(f"capture objects that cannot be read ({error})", "four fields each") from None
    clocks = [position for position, each in enumerate(captured) if each.class_id == 8 and each.attribute == 2]
    if not clocks:
        raise ProtocolError("a profile without clock among its capture objects", "one that captures 0-0:1.0.0")
    if period_s <= 0:
        raise ProtocolError(f"a profile with capture period {period_s} s", "one that is captured periodically")
    statuses = [position for position, each in enumerate(captured) if _is_status(each)]
    return ProfileLayout(captured, period_s * 1000, clocks[0], statuses[0] if statuses else None)


def _is_status(captured: CaptureObject) -> bool:
    """0-x:96.10.y, the AMR profile status."""
    name = captured.logical_name
    return captured.class_id == 1 and name[0] == 0 and name[2] == 96 and name[3] == 10


def profile_rows(
    buffer: Any,
    layout: ProfileLayout,
    units: dict[Obis, tuple[int, str]],
    start_ms: int,
    end_ms: int,
    convention: ClockConvention,
) -> ProfileRows:
    """Rows of a decoded buffer whose interval begins in [start_ms, end_ms). `units`: scaler and unit by register.

    Raises ProtocolError for rows that do not fit the layout.
    """
    width = len(layout.captured)
    if not isinstance(buffer, list) or not all(isinstance(row, tuple) and len(row) == width for row in buffer):
        raise ProtocolError("a buffer whose rows do not match the capture objects", f"rows of {width} cells")
    cells = list(zip(*buffer, strict=True)) if buffer else [()] * width
    stamps, invalid = _stamps(cells[layout.clock], layout.period_ms, convention)
    flags = [0] * len(buffer) if layout.status is None else _flags(cells[layout.status])
    for row in invalid:
        flags[row] |= Flag.CLOCK_INVALID
    period = layout.period_ms
    # Longer periods (days, months) follow the local calendar, not a grid in UTC.
    grid = period if period <= LONGEST_GRID_MS else 1
    irregular = tuple(stamp for stamp in stamps if stamp % grid and start_ms < stamp <= end_ms)
    wanted = [row for row, stamp in enumerate(stamps) if start_ms <= stamp - period < end_ms and not stamp % grid]
    kept, repeated = _once(wanted, stamps, flags, buffer, layout)
    as_they_came = kept is wanted and len(kept) == len(buffer)
    columns: dict[Obis, ProfileColumn] = {}
    for position, captured in layout.registers.items():
        obis = Obis.from_bytes(captured.logical_name)
        values = cells[position]
        if not set(map(type, values)) <= {int, type(None)}:
            raise ProtocolError(f"values of {obis} that are not integers", "integers with a scaler")
        scaler, unit = units[obis]
        columns[obis] = ProfileColumn(
            obis, scaler, unit, list(values) if as_they_came else [values[row] for row in kept]
        )
    return ProfileRows(
        period, [stamps[row] - period for row in kept], [flags[row] for row in kept], columns, repeated, irregular
    )


def _stamps(cells: tuple[Any, ...], period_ms: int, convention: ClockConvention) -> tuple[list[int], list[int]]:
    """UTC ms of each row's stamp, and the rows whose clock was invalid."""
    stamps: list[int] = []
    invalid: list[int] = []
    before: int | None = None
    zone, reversed_deviation = convention.zone, convention.reversed_deviation
    for row, cell in enumerate(cells):
        if cell is None:
            if before is None:
                raise ProtocolError("a first row without time stamp", "a full one in the first row")
            before += period_ms
        else:
            try:
                before, status = decode_datetime(cell, zone, after_ms=before, reversed_deviation=reversed_deviation)
            except (DecodeError, TypeError) as error:
                raise ProtocolError(f"a time stamp that cannot be read ({error})", "12 octets") from None
            if status & STATUS_INVALID and status != UNSPECIFIED_STATUS:
                invalid.append(row)
        stamps.append(before)
    return stamps, invalid


def _flags(cells: tuple[Any, ...]) -> list[int]:
    flags: list[int] = []
    mask = 0
    for cell in cells:
        if isinstance(cell, BitString):
            mask = FLAGS[cell.octets[0]] if cell.octets else 0
        elif isinstance(cell, int):
            mask = FLAGS[cell & 0xFF]
        elif cell is not None:
            raise ProtocolError(f"a profile status {cell!r:.40}", "one octet or bits")
        flags.append(mask)
    return flags


def _once(
    wanted: list[int], stamps: list[int], flags: list[int], buffer: list[Any], layout: ProfileLayout
) -> tuple[list[int], int]:
    """The rows in ascending order, each interval once, and how many were dropped.

    Of a repeated capture the first stays; if the repetition says something else, neither is the whole interval.
    """
    ordered = all(stamps[a] < stamps[b] for a, b in pairwise(wanted))
    if ordered:
        return wanted, 0
    registers = list(layout.registers)
    by_stamp: dict[int, int] = {}
    for row in wanted:
        first = by_stamp.setdefault(stamps[row], row)
        if first != row and any(buffer[first][each] != buffer[row][each] for each in registers):
            flags[first] |= Flag.INCOMPLETE
    return [by_stamp[stamp] for stamp in sorted(by_stamp)], len(wanted) - len(by_stamp)
