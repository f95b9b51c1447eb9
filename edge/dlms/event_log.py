"""Event logs (class 7 without capture period): what is new since they were last read.

New rows are known by their place behind those that were read last, not by their time: a clock that is set back writes
events that are older than those before them, and none of these must be lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from edge.dlms.errors import AccessDeniedError, ProtocolError
from edge.dlms.layout import ClockConvention, ProfileLayout
from edge.dlms.read_profile import BUFFER, ENTRIES_IN_USE, PROFILE_CLASS, Getter, layout_of
from shared.dlms.axdr import BitString
from shared.dlms.get import AttributeDescriptor
from shared.dlms.selection import EntrySelection
from shared.identifiers import Obis

SORT_METHOD: Final = 5
NEWEST_FIRST: Final = 2
"""Sort method last in, first out."""
FIRST_ROWS: Final = 16
"""Rows that are asked for at first; more each time, until the known ones are among them."""
ANCHOR: Final = 4
"""So many rows are remembered: one alone may occur twice."""
CODE_OBJECTS: Final = (96, 11)
"""Groups C and D of an event code, 0-x:96.11.y."""


class LoggedEvent(NamedTuple):
    """A row of an event log."""

    at_ms: int | None
    """UTC; None for a stamp that names no instant."""
    code: int | None
    """None if the log has no code among its columns."""
    values: tuple[tuple[str, int | str], ...] = ()
    """Further columns, by OBIS."""


Anchor = tuple[LoggedEvent, ...]
"""The rows that were read last, oldest first."""


@dataclass(frozen=True, slots=True)
class NewEvents:
    """Rows that were not read before, oldest first."""

    events: list[LoggedEvent]
    anchor: Anchor
    """To be remembered for the next time."""
    overrun: bool = False
    """None of the remembered rows is in the log any more: it turned over, and events may be lost."""


_anchors = msgspec.json.Decoder(Anchor)


def encode_anchor(anchor: Anchor) -> str:
    """As text, to be kept."""
    return msgspec.json.encode(anchor).decode()


def decode_anchor(text: str | None) -> Anchor:
    """Inverse of `encode_anchor`; empty for what cannot be read: the log is then read from its beginning."""
    try:
        return _anchors.decode(text) if text is not None else ()
    except (msgspec.DecodeError, UnicodeError):
        return ()


async def read_new_events(meter: Getter, log: Obis, anchor: Anchor) -> NewEvents:
    """What `log` holds behind the rows of `anchor`; all of it if the anchor is empty."""
    layout = await layout_of(meter, log, periodic=False)
    in_use, newest_first = await _state(meter, log)
    rows: list[LoggedEvent] = []
    count = FIRST_ROWS if anchor else in_use
    while in_use:
        count = min(count, in_use)
        try:
            rows = await _newest(meter, log, layout, in_use, count, newest_first)
        except AccessDeniedError:  # no access by entry: all of it
            buffer = await meter.get(PROFILE_CLASS, log, BUFFER)
            rows, count = _events(buffer, layout, meter.settings.convention, newest_first), in_use
        if count == in_use or behind(rows, anchor) is not None:
            break
        count *= 4
    found = behind(rows, anchor)
    if found is None:
        # What was remembered is in the log no more, and is forgotten: otherwise an emptied log would overrun each time.
        return NewEvents(rows, tuple(rows[-ANCHOR:]), overrun=True)
    fresh = rows[found:]
    return NewEvents(fresh, (*anchor, *fresh)[-ANCHOR:])


def behind(rows: Sequence[LoggedEvent], anchor: Anchor) -> int | None:
    """Place in `rows` behind the rows of `anchor`; None if they are not there. The newest place, if there are several.

    Rows before the first may be cut off: as much of the anchor's end as `rows` can hold must be there.
    """
    if not anchor:
        return 0
    for end in range(len(rows), 0, -1):
        size = min(len(anchor), end)
        # A log of few rows that turned over has lost the beginning of the anchor, too.
        if tuple(rows[end - size : end]) == anchor[-size:]:
            return end
    return None


async def _state(meter: Getter, log: Obis) -> tuple[int, bool]:
    """Rows in use, and whether the newest comes first."""
    descriptors = [AttributeDescriptor(PROFILE_CLASS, log.bytes, each) for each in (ENTRIES_IN_USE, SORT_METHOD)]
    in_use, method = await meter.get_list(descriptors)
    if type(in_use) is not int:
        raise ProtocolError(f"the entries in use {in_use!r:.40} of {log}", "a number")
    return in_use, method == NEWEST_FIRST


async def _newest(
    meter: Getter, log: Obis, layout: ProfileLayout, in_use: int, count: int, newest_first: bool
) -> list[LoggedEvent]:
    places = EntrySelection(1, count) if newest_first else EntrySelection(in_use - count + 1, 0)
    buffer = await meter.get(PROFILE_CLASS, log, BUFFER, places)
    return _events(buffer, layout, meter.settings.convention, newest_first)


def _events(buffer: Any, layout: ProfileLayout, convention: ClockConvention, newest_first: bool) -> list[LoggedEvent]:
    width = len(layout.captured)
    if not isinstance(buffer, list) or not all(isinstance(row, tuple) and len(row) == width for row in buffer):
        raise ProtocolError("rows of an event log that do not match its capture objects", f"rows of {width} cells")
    names = [str(Obis.from_bytes(each.logical_name)) for each in layout.captured]
    code = next((place for place, each in enumerate(layout.captured) if _is_code(each.logical_name)), None)
    events = []
    for row in buffer:
        try:
            at_ms = convention.decode(row[layout.clock]).ms
        except ProtocolError:
            at_ms = None
        number = row[code] if code is not None and isinstance(row[code], int) else None
        others = tuple(
            (names[place], _plain(cell))
            for place, cell in enumerate(row)
            if place not in (layout.clock, code) and cell is not None
        )
        events.append(LoggedEvent(at_ms, number, others))
    return events[::-1] if newest_first else events


def _is_code(name: bytes) -> bool:
    return (name[2], name[3]) == CODE_OBJECTS


def _plain(cell: Any) -> int | str:
    match cell:
        case int():
            return int(cell)
        case bytes():
            return cell.hex()
        case BitString():
            return cell.octets.hex()
    return str(cell)[:100]
