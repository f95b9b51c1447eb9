"""Reads CDSDATA 121 as tolerantly as is safe: any prefix, unknown attributes stepped over, numbers exact."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lxml import etree

from central.market.cdsdata import FORMAT, IntervalData, Location, Profile, ProfileDay
from central.market.envelope import children, parse_instant, read_envelope, required
from central.market.errors import InboundError
from central.market.format_data import MessageUnit
from central.market.format_package import FormatPackage
from central.market.xml import DEFAULT_LIMITS, XmlLimits, parse_untrusted
from shared.metering_day import MeteringDay, day_of
from shared.quantities import Commodity, Quality

_DECIMAL: Final = re.compile(r"([+-]?)([0-9]*)(?:\.([0-9]*))?")

_Number = tuple[int, int]
"""Digits as an integer and the number of decimal places among them."""


def read_interval_data(package: FormatPackage, content: bytes, limits: XmlLimits = DEFAULT_LIMITS) -> IntervalData:
    """The message of its bytes, any prefix; InboundError where it cannot be understood.

    Consecutive days of one value type become one profile again, its exponent by the most decimal places that occur.
    """
    return read_interval_root(package, parse_untrusted(content, limits))


def read_interval_root(package: FormatPackage, root: etree._Element) -> IntervalData:
    """As `read_interval_data`, of what `parse_untrusted` has parsed already."""
    format_name, envelope = read_envelope(root, package)
    if format_name != FORMAT:
        raise InboundError("unknown_format", f"The message {envelope.id} is {format_name}, expected {FORMAT}.")
    namespace = package.format(FORMAT).namespace
    locations = [_read_location(package, namespace, element) for element in children(root, namespace, "Location")]
    return IntervalData(envelope, locations)


@dataclass(frozen=True, slots=True)
class _ReadDay:
    day: MeteringDay
    values: list[_Number]
    quality: list[int]


def _read_location(package: FormatPackage, namespace: str, element: etree._Element) -> Location:
    opm = required(element, "opm-id")
    found: dict[str, list[_ReadDay]] = {}
    units: dict[str, MessageUnit] = {}
    for profile in children(element, namespace, "Profile"):
        value_type = package.value_types_by_code.get(required(profile, "value-type"))
        unit = package.units.get(required(profile, "unit"))
        if value_type is None or unit is None:
            raise InboundError(
                "unknown_code",
                f"A profile of {opm} has value type {profile.get('value-type')} in {profile.get('unit')}; "
                f"the package {package.name} does not know it.",
            )
        if units.setdefault(value_type.direction, unit) != unit:
            raise InboundError("mixed_units", f"The profiles {value_type.code} of {opm} are in different units.")
        found.setdefault(value_type.direction, []).append(_read_day(package, namespace, opm, profile))
    profiles = [_joined(direction, units[direction], days) for direction, days in found.items()]
    try:
        version = int(element.get("version", "1"))
    except ValueError:
        raise InboundError("bad_version", f"The version {element.get('version')!r} of {opm} is not a number.") from None
    return Location(opm, version, profiles)


def _read_day(package: FormatPackage, namespace: str, opm: str, profile: etree._Element) -> _ReadDay:
    start = parse_instant(required(profile, "date-time-from"))
    end = parse_instant(required(profile, "date-time-to"))
    day = _metering_day(start)
    if (day.start, day.end) != (start, end) or package.resolutions.get(int(day.step.total_seconds())) != profile.get(
        "resolution"
    ):
        raise InboundError(
            "not_a_day",
            f"A profile of {opm} runs from {start.isoformat()} to {end.isoformat()} by {profile.get('resolution')}, "
            f"expected the metering day {day.start.isoformat()} to {day.end.isoformat()} in quarter-hours.",
        )
    values: list[_Number | None] = [None] * day.length
    quality = [int(Quality.MEASURED)] * day.length
    for data in children(profile, namespace, "Data"):
        index = _period(required(data, "period"), opm, day) - 1
        if values[index] is not None:
            raise InboundError("doubled_period", f"Period {index + 1} of {opm} on {day.date} stands twice.")
        values[index] = _number(required(data, "value"), opm)
        letter = data.get("status")
        if letter not in package.qualities:
            raise InboundError(
                "unknown_status", f"Period {index + 1} of {opm} on {day.date} has the status {letter!r}."
            )
        quality[index] = int(package.qualities[letter])
    complete = [value for value in values if value is not None]
    if len(complete) != day.length:
        raise InboundError("missing_period", f"{opm} on {day.date} has {len(complete)} periods, expected {day.length}.")
    return _ReadDay(day, complete, quality)


def _metering_day(start: datetime) -> MeteringDay:
    try:
        return day_of(Commodity.ELECTRICITY, start.astimezone(UTC))
    except OverflowError:
        raise InboundError("bad_instant", f"The instant {start.isoformat()} has no metering day.") from None


def _period(text: str, opm: str, day: MeteringDay) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= day.length or len(text) > 9:
        raise InboundError(
            "bad_period", f"{opm} on {day.date} has the period {text[:20]!r}, expected 1 to {day.length}."
        )
    return int(text)


def _number(text: str, opm: str) -> _Number:
    found = _DECIMAL.fullmatch(text.strip())
    if not found or not (found[2] or found[3]) or len(text) > 40:
        raise InboundError("bad_number", f"A value of {opm} is {text[:40]!r}, expected a decimal number.")
    digits = int((found[2] or "") + (found[3] or ""))
    return (-digits if found[1] == "-" else digits), len(found[3] or "")


def _joined(direction: str, unit: MessageUnit, days: list[_ReadDay]) -> Profile:
    most = max((places for day in days for _, places in day.values), default=0)
    return Profile(
        direction,
        unit.base,
        unit.exponent - most,
        [
            ProfileDay(
                day.day,
                [digits * 10 ** (most - places) for digits, places in day.values],
                day.quality if any(day.quality) else None,
            )
            for day in days
        ],
    )
