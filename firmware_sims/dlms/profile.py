"""Buffers of class 7 objects: the load profile and the event log, whole, by range of time, by entry."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from firmware_sims.dlms.meter import BufferCoding, EventRow, IntegerType, MeterData, ProfileRow, ProfileSpec
from shared.dlms import axdr
from shared.dlms.datetime12 import decode_datetime
from shared.dlms.errors import DecodeError
from shared.dlms.selection import CaptureObject, EntrySelection, RangeSelection, Selection
from shared.identifiers import Obis
from shared.metering_day import PRAGUE

CLOCK_COLUMN: Final = CaptureObject(8, Obis(0, 0, 1, 0, 0).bytes, 2)
_BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)
EXTENDED_REGISTER: Final = 4
_TICK: Final = timedelta(milliseconds=10)  # resolution of a COSEM time stamp

Cells = list[bytes]

ENCODERS: Final[dict[IntegerType, Callable[[int], bytes]]] = {
    IntegerType.INT32: axdr.int32,
    IntegerType.UINT32: axdr.uint32,
    IntegerType.INT64: axdr.int64,
    IntegerType.UINT64: axdr.uint64,
}


class ProfileBuffer(ABC):
    """What all class 7 objects have in common. Rows are lists of encoded cells, parallel to `captured`."""

    def __init__(self, obis: Obis, captured: tuple[CaptureObject, ...], period_s: int, entries: int) -> None:
        self.obis = obis
        self.captured = captured
        self.period_s = period_s
        self.entries = entries

    @abstractmethod
    def _rows(self, after: datetime, until: datetime) -> list[tuple[datetime, Cells]]:
        """Rows stamped in (after, until] that the memory holds, oldest first; the stamp's cell is left empty."""

    @abstractmethod
    def _finish(self, rows: Sequence[tuple[datetime, Cells]]) -> Iterable[Cells]:
        """The rows with the stamps' cells filled."""

    def entries_in_use(self) -> int:
        """Number of rows held."""
        return len(self._rows(_BEGINNING, datetime.max.replace(tzinfo=UTC)))

    def buffer(self, selection: Selection | None) -> bytes:
        """Attribute 2. Raises ValueError for a selection that cannot be served."""
        rows: list[tuple[datetime, Cells]]
        columns: Sequence[int]
        match selection:
            case None:
                rows, columns = self._rows(_BEGINNING, datetime.max.replace(tzinfo=UTC)), range(len(self.captured))
            case RangeSelection():
                rows, columns = self._range(selection)
            case EntrySelection():
                rows, columns = self._entries(selection)
        return self._written([[cells[column] for column in columns] for cells in self._finish(rows)])

    def _written(self, rows: list[Cells]) -> bytes:
        """The buffer as sent."""
        return axdr.array(axdr.structure(*cells) for cells in rows)

    def _range(self, selection: RangeSelection) -> tuple[list[tuple[datetime, Cells]], Sequence[int]]:
        if selection.restricting[:3] != CLOCK_COLUMN[:3]:
            raise ValueError("Rows are restricted by the clock only.")
        try:
            first, last = (decode_datetime(each, PRAGUE).instant for each in (selection.first, selection.last))
        except DecodeError as error:
            raise ValueError(str(error)) from None
        columns = [self.captured.index(column) for column in selection.columns]  # ValueError: not captured
        return self._rows(first - _TICK, last), columns or range(len(self.captured))

    def _entries(self, selection: EntrySelection) -> tuple[list[tuple[datetime, Cells]], Sequence[int]]:
        last_column = selection.last_column or len(self.captured)
        if not 1 <= selection.first_column <= last_column <= len(self.captured) or selection.first < 1:
            raise ValueError("Entries and columns are counted from 1.")
        rows = self._rows(_BEGINNING, datetime.max.replace(tzinfo=UTC))
        last = selection.last or len(rows)
        return rows[selection.first - 1 : last], range(selection.first_column - 1, last_column)


class LoadProfile(ProfileBuffer):
    """Load profile: clock, status if any, values of the channels."""

    def __init__(self, data: MeterData, spec: ProfileSpec, stamp: Callable[[datetime], bytes]) -> None:
        captured = [CLOCK_COLUMN]
        if spec.status is not None:
            captured.append(CaptureObject(1, spec.status.bytes, 2))
        for channel in spec.channels:
            captured.append(CaptureObject(channel.class_id, channel.obis.bytes, 2))
            if channel.class_id == EXTENDED_REGISTER:
                captured.append(CaptureObject(EXTENDED_REGISTER, channel.obis.bytes, 5))
        super().__init__(spec.obis, tuple(captured), spec.period_s, spec.entries)
        self._data = data
        self._spec = spec
        self._stamp = stamp
        self._first_value = 1 + (spec.status is not None)

    def _range(self, selection: RangeSelection) -> tuple[list[tuple[datetime, Cells]], Sequence[int]]:
        if not self._spec.ranges:
            raise ValueError("This meter gives rows by entry only.")
        return super()._range(selection if self._spec.columns else replace(selection, columns=()))

    def _rows(self, after: datetime, until: datetime) -> list[tuple[datetime, Cells]]:
        now = self._data.now()
        after = max(after, now - timedelta(seconds=self.period_s * self.entries))
        until = min(until, now)
        if after >= until:
            return []
        return [(row.end, self._cells(row)) for row in self._data.rows(self.obis, after, until)]

    def _cells(self, row: ProfileRow) -> Cells:
        cells = [b""]
        if self._spec.status is not None:
            cells.append(axdr.uint8(row.status))
        for channel, value in zip(self._spec.channels, row.values, strict=True):
            cells.append(ENCODERS[channel.type](value))
            if channel.class_id == EXTENDED_REGISTER:
                cells.append(axdr.octet_string(self._stamp(row.captured or row.end)))
        return cells

    def _finish(self, rows: Sequence[tuple[datetime, Cells]]) -> Iterable[Cells]:
        period = timedelta(seconds=self.period_s)
        shortened = self._spec.coding in (BufferCoding.NULL, BufferCoding.DELTA)
        before: datetime | None = None
        whole_before: Cells = []
        for end, cells in rows:
            cells[0] = axdr.octet_string(self._stamp(end))
            whole = cells.copy()
            if shortened and before is not None:
                if end - before == period:
                    cells[0] = axdr.NULL
                if self._spec.status is not None and cells[1] == whole_before[1]:
                    cells[1] = axdr.NULL
                if self._spec.coding is BufferCoding.DELTA:
                    for place in range(self._first_value, len(cells)):
                        cells[place] = _difference(whole[place], whole_before[place])
            before, whole_before = end, whole
            yield cells

    def _written(self, rows: list[Cells]) -> bytes:
        if self._spec.coding is not BufferCoding.COMPACT or not rows:
            return super()._written(rows)
        # Of a stamp (octet-string of 12) the type date-time takes the same octets without a length.
        stamped = [
            [bytes((axdr.Tag.DATE_TIME,)) + cell[2:] if _is_stamp(cell) else cell for cell in row] for row in rows
        ]
        description = bytes((axdr.Tag.STRUCTURE, len(stamped[0]), *(cell[0] for cell in stamped[0])))
        return axdr.compact_array(description, b"".join(cell[1:] for row in stamped for cell in row))


def _is_stamp(cell: bytes) -> bool:
    return cell[:2] == bytes((axdr.Tag.OCTET_STRING, 12))


def _difference(cell: bytes, before: bytes) -> bytes:
    """The value of `cell` as a difference to that of `before`, if 16 bits hold it."""
    if _is_stamp(cell):
        return cell
    difference = axdr.decode(cell) - axdr.decode(before)
    return axdr.delta_int16(difference) if -(2**15) <= difference < 2**15 else cell


class EventLog(ProfileBuffer):
    """An event log: clock and event code, one row an event (capture period 0), in the order of recording."""

    def __init__(
        self,
        obis: Obis,
        entries: int,
        logged: Callable[[], Sequence[EventRow]],
        stamp: Callable[[datetime], bytes],
    ) -> None:
        self.code = Obis(0, 0, 96, 11, obis.e)
        super().__init__(obis, (CLOCK_COLUMN, CaptureObject(1, self.code.bytes, 2)), 0, entries)
        self._logged = logged
        self._stamp = stamp

    def _rows(self, after: datetime, until: datetime) -> list[tuple[datetime, Cells]]:
        kept = self._logged()[-self.entries :]
        return [(event.at, [b"", axdr.uint16(event.code)]) for event in kept if after < event.at <= until]

    def _finish(self, rows: Sequence[tuple[datetime, Cells]]) -> Iterable[Cells]:
        for at, cells in rows:
            cells[0] = axdr.octet_string(self._stamp(at))
            yield cells
