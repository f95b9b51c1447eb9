"""Selective access to the buffer of a profile (class 7, attribute 2): by range of a restricting object, by entry."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from shared.dlms import axdr
from shared.dlms.errors import DecodeError

BY_RANGE: Final = 1
BY_ENTRY: Final = 2


class CaptureObject(NamedTuple):
    """An attribute that a profile captures: also names the restricting object and the columns of a selection."""

    class_id: int
    logical_name: bytes
    attribute: int
    data_index: int = 0

    def encode(self) -> bytes:
        return axdr.structure(
            axdr.uint16(self.class_id),
            axdr.octet_string(self.logical_name),
            axdr.int8(self.attribute),
            axdr.uint16(self.data_index),
        )


def decode_capture_object(value: Any) -> CaptureObject:
    """From a decoded structure. Raises DecodeError."""
    match value:
        case (int(class_id), bytes(name), int(attribute), int(data_index)) if len(name) == 6:
            return CaptureObject(class_id, name, attribute, data_index)
    raise DecodeError(f"A capture object is (class, logical name, attribute, data index), not {value!r:.200}.")


@dataclass(frozen=True, slots=True)
class RangeSelection:
    """Rows whose `restricting` column lies from `first` to `last`, both included; no columns means all."""

    restricting: CaptureObject
    first: bytes
    """12 octets, COSEM date-time."""
    last: bytes
    columns: tuple[CaptureObject, ...] = ()

    def encode(self) -> bytes:
        """Selector and its parameters."""
        return bytes((BY_RANGE,)) + axdr.structure(
            self.restricting.encode(),
            axdr.octet_string(self.first),
            axdr.octet_string(self.last),
            axdr.array(column.encode() for column in self.columns),
        )


@dataclass(frozen=True, slots=True)
class EntrySelection:
    """Rows `first` to `last` of the buffer, counted from 1 = oldest; 0 as last means the newest. Columns likewise."""

    first: int
    last: int
    first_column: int = 1
    last_column: int = 0

    def encode(self) -> bytes:
        """Selector and its parameters."""
        return bytes((BY_ENTRY,)) + axdr.structure(
            axdr.uint32(self.first),
            axdr.uint32(self.last),
            axdr.uint16(self.first_column),
            axdr.uint16(self.last_column),
        )


Selection = RangeSelection | EntrySelection


def decode_selection(selector: int, value: Any) -> Selection:
    """From the selector and its decoded parameters. Raises DecodeError."""
    match selector, value:
        case 1, (restricting, bytes(first), bytes(last), list(columns)):
            return RangeSelection(
                decode_capture_object(restricting), first, last, tuple(decode_capture_object(each) for each in columns)
            )
        case 2, (int(first), int(last), int(first_column), int(last_column)):
            return EntrySelection(first, last, first_column, last_column)
    raise DecodeError(f"The selective access {selector} with {value!r:.200} is neither a range (1) nor entries (2).")
