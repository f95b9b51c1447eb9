"""Reads load profiles: by range of the clock, by entry, with the columns that are wanted only.

Meters differ: some refuse a choice of columns, or take it and send all; some send more rows than were asked for, or the
whole buffer. What comes back is filtered to what was asked.
"""

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Protocol

from edge.dlms.entries import find_rows
from edge.dlms.errors import AccessDeniedError, ProtocolError
from edge.dlms.layout import SCALER_OF, ProfileLayout, profile_layout
from edge.dlms.port import LinkSettings, MeterFacts
from edge.dlms.profile import ProfileRows, StampedRows, rows_between, stamped_rows
from shared.dlms.get import AttributeDescriptor
from shared.dlms.selection import EntrySelection, RangeSelection, Selection
from shared.dlms.units import unit_text
from shared.identifiers import Obis
from shared.metering_day import occurs_twice

PROFILE_CLASS: Final = 7
BUFFER: Final = 2
CAPTURE_OBJECTS: Final = 3
CAPTURE_PERIOD: Final = 4
ENTRIES_IN_USE: Final = 7
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


class Getter(Protocol):
    """What this module needs of a session with a meter (`DlmsReader`)."""

    facts: MeterFacts
    settings: LinkSettings

    async def get(self, class_id: int, obis: Obis, attribute: int, selection: Selection | None = None) -> Any:
        """One attribute, decoded."""

    async def get_list(self, attributes: list[AttributeDescriptor]) -> list[Any]:
        """Several attributes, decoded."""


class Actor(Getter, Protocol):
    """The same, of a session that also changes what the meter holds."""

    async def set(self, class_id: int, obis: Obis, attribute: int, value: bytes) -> None:
        """Write one attribute, an encoded value."""

    async def action(self, class_id: int, obis: Obis, method: int, parameter: bytes | None = None) -> Any:
        """Invoke a method."""


async def read_profile(
    meter: Getter, obis: Obis, start: datetime, end: datetime, registers: Collection[Obis] = ()
) -> ProfileRows:
    """Rows of a load profile whose interval begins in [start, end), aware instants; of `registers` only if named."""
    start_ms, end_ms = ms_of(start), ms_of(end)
    layout = await layout_of(meter, obis)
    await learn_scalers(meter, layout)
    # Meters stamp the end: the first row wanted is stamped one period after `start`, the last at `end`.
    period = timedelta(milliseconds=layout.period_ms)
    first = start + period
    part = layout.only(registers) if registers else layout
    if len(part.captured) == len(layout.captured) or obis in meter.facts.whole_rows:
        part = layout
    if meter.settings.profile_access == "entry":
        stamped = await _by_entry(meter, obis, layout, ms_of(first), end_ms)
        return rows_between(stamped, layout, meter.facts.scalers, start_ms, end_ms)
    zone = meter.settings.convention.zone
    # A stamp of the doubled hour may not say which of the two it means: rows around it tell.
    while occurs_twice(first, zone):
        first -= period
    last = end
    while occurs_twice(last, zone):
        last += period
    buffer, found = await _by_range(meter, obis, layout, part, first, last)
    stamped = stamped_rows(buffer, found, meter.settings.convention, null_repeats=meter.settings.null_repeats)
    return rows_between(stamped, found, meter.facts.scalers, start_ms, end_ms)


async def _by_range(
    meter: Getter, obis: Obis, layout: ProfileLayout, part: ProfileLayout, first: datetime, last: datetime
) -> tuple[Any, ProfileLayout]:
    """The buffer, and the layout that its rows have."""
    convention = meter.settings.convention
    restricting = layout.captured[layout.clock]
    stamps = convention.encode(first), convention.encode(last)
    if part is layout:
        return await meter.get(PROFILE_CLASS, obis, BUFFER, RangeSelection(restricting, *stamps)), layout
    try:
        buffer = await meter.get(PROFILE_CLASS, obis, BUFFER, RangeSelection(restricting, *stamps, part.captured))
    except AccessDeniedError:
        # Perhaps the columns are what it does not like. If so, they are not asked for again.
        buffer = await meter.get(PROFILE_CLASS, obis, BUFFER, RangeSelection(restricting, *stamps))
        meter.facts.whole_rows.add(obis)
        return buffer, layout
    ignored = isinstance(buffer, list) and bool(buffer) and _width(buffer[0]) == len(layout.captured)
    if ignored:
        meter.facts.whole_rows.add(obis)
    return buffer, layout if ignored else part


async def _by_entry(meter: Getter, obis: Obis, layout: ProfileLayout, first_ms: int, last_ms: int) -> StampedRows:
    async def fetch(first: int, last: int) -> StampedRows:
        buffer = await meter.get(PROFILE_CLASS, obis, BUFFER, EntrySelection(first, last))
        return stamped_rows(buffer, layout, meter.settings.convention, null_repeats=meter.settings.null_repeats)

    in_use = await meter.get(PROFILE_CLASS, obis, ENTRIES_IN_USE)
    if type(in_use) is not int:
        raise ProtocolError(f"the entries in use {in_use!r:.40} of {obis}", "a number")
    return await find_rows(fetch, in_use, layout.period_ms, first_ms, last_ms)


async def layout_of(meter: Getter, obis: Obis, *, periodic: bool = True) -> ProfileLayout:
    """What the profile captures; asked once."""
    layout = meter.facts.layouts.get(obis)
    if layout is None:
        descriptors = [
            AttributeDescriptor(PROFILE_CLASS, obis.bytes, attribute) for attribute in (CAPTURE_OBJECTS, CAPTURE_PERIOD)
        ]
        layout = profile_layout(*await meter.get_list(descriptors), periodic=periodic)
        meter.facts.layouts[obis] = layout
    return layout


async def learn_scalers(meter: Getter, layout: ProfileLayout) -> None:
    """Read scalers and units of a profile's values that are not known yet."""
    unknown = {
        Obis.from_bytes(each.logical_name): AttributeDescriptor(
            each.class_id, each.logical_name, SCALER_OF[each.class_id, each.attribute]
        )
        for each in layout.registers.values()
        if Obis.from_bytes(each.logical_name) not in meter.facts.scalers
    }
    if not unknown:
        return
    values = await meter.get_list(list(unknown.values()))
    for obis, value in zip(unknown, values, strict=True):
        meter.facts.scalers[obis] = scaler_unit(obis, value)


def scaler_unit(obis: Obis, value: Any) -> tuple[int, str]:
    """From a decoded attribute `scaler_unit`. Raises ProtocolError."""
    match value:
        case (int(scaler), int(unit)):
            return scaler, unit_text(unit)
    raise ProtocolError(f"scaler and unit {value!r:.60} of {obis}", "a structure of scaler and unit")


def ms_of(at: datetime) -> int:
    """UTC ms since 1970. Raises ValueError for an instant without a zone."""
    if at.tzinfo is None:
        raise ValueError(f"A profile is read between aware instants; {at.isoformat()} has no zone.")
    return (at - _EPOCH) // _MILLISECOND


def _width(row: Any) -> int:
    return len(row) if isinstance(row, tuple) else 0
