"""CDSDATA 121: interval data (data průběhového měření) of one or more supply points, written without floats.

Our layout (assumed, see the format package): Location per supply point, Profile per value type and metering day, Data
per period 1..92/96/100. A month of one point with 4 profiles is 11,900 Data elements: `interval_text` writes them a
profile at once. The reader is in `cdsdata_reader`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.market.envelope import Envelope, closing, opening, quote
from central.market.errors import OutboundError
from central.market.format_package import FormatPackage
from central.market.interval_text import Heading, profile_octets, spelled, status_octets
from central.market.xml import own_errors
from shared.identifiers import IdentifierError, parse_ean18
from shared.metering_day import MeteringDay, days_between
from shared.quantities import MISSING_VALUE, Commodity

FORMAT: Final = "CDSDATA"
INTERVAL_DATA: Final = "121"


@dataclass(frozen=True, slots=True)
class ProfileDay:
    """Values of one metering day in unit x 10^exponent of the profile; `quality` None when all are measured."""

    day: MeteringDay
    values: Sequence[int]
    quality: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One direction (A+, A-, R+, R-) of a point; `unit` Wh or varh x 10^`exponent`; days ascending."""

    direction: str
    unit: str
    exponent: int
    days: Sequence[ProfileDay]


@dataclass(frozen=True, slots=True)
class Location:
    """A supply point (OPM) with its profiles; `version` grows with every correction."""

    opm: str
    version: int
    profiles: Sequence[Profile]


@dataclass(frozen=True, slots=True)
class IntervalData:
    """A whole message."""

    envelope: Envelope
    locations: Sequence[Location]


@dataclass(frozen=True, slots=True)
class Series:
    """One direction of a point over the metering days [first, end), as arrays over all their intervals.

    `quality` is None when all values are measured.
    """

    direction: str
    unit: str
    exponent: int
    first: date
    end: date
    values: NDArray[np.int32]
    quality: NDArray[np.int16] | None = None


@dataclass(frozen=True, slots=True)
class _Packed:
    """A profile of either kind: its days and what stands in all of them, one after another."""

    profile: Profile | Series
    days: tuple[MeteringDay, ...]
    values: NDArray[np.int64]
    quality: NDArray[np.int64] | None


def write_interval_data(package: FormatPackage, message: IntervalData) -> bytes:
    """The message as UTF-8, valid by the package's schema; OutboundError where the data do not allow it."""
    if not message.locations:
        raise OutboundError(
            "empty", f"The message {message.envelope.id} has no supply point: there is nothing to send."
        )
    written = [
        _location(package, each.opm, each.version, [_packed(each.opm, profile) for profile in each.profiles])
        for each in message.locations
    ]
    content = _composed(package, message.envelope, written)
    if errors := own_errors(package.schema(FORMAT), content):
        raise invalid(message.envelope, errors)
    return content


def compose_series(
    package: FormatPackage, envelope: Envelope, opm: str, version: int, series: Sequence[Series]
) -> bytes:
    """As `write_interval_data`, a message of one point from arrays; not held against the schema yet."""
    days = [_days(each.first, each.end) for each in series]
    packed = [
        _Packed(
            each,
            of,
            each.values.astype(np.int64),
            None if each.quality is None else each.quality.astype(np.int64),
        )
        for each, of in zip(series, days, strict=True)
    ]
    return _composed(package, envelope, [_location(package, opm, version, packed)])


def invalid(envelope: Envelope, errors: Sequence[str]) -> OutboundError:
    """Why a message that the schema does not allow must not leave."""
    return OutboundError(
        "schema", f"The message {envelope.id} does not satisfy the schema of {FORMAT}: {'; '.join(errors)}."
    )


def _composed(package: FormatPackage, envelope: Envelope, locations: Sequence[bytes]) -> bytes:
    return b"".join([opening(package, envelope).encode(), *locations, closing(package, envelope).encode()])


@lru_cache(maxsize=64)
def _days(first: date, end: date) -> tuple[MeteringDay, ...]:
    return tuple(days_between(Commodity.ELECTRICITY, first, end))


def _packed(opm: str, profile: Profile) -> _Packed:
    """The days of a profile as arrays; OutboundError where a day is not whole."""
    for day in profile.days:
        what = _what(opm, profile, day.day)
        if len(day.values) != day.day.length:
            raise OutboundError("wrong_length", f"{what} has {len(day.values)} values, expected {day.day.length}.")
        if day.quality is not None and len(day.quality) != len(day.values):
            raise OutboundError(
                "wrong_length", f"{what} has {len(day.quality)} qualities for {len(day.values)} values."
            )
    try:
        values = np.array([value for day in profile.days for value in day.values], np.int64)
    except OverflowError:
        largest = max(abs(value) for day in profile.days for value in day.values)
        raise OutboundError(
            "too_large", f"{profile.direction} of {opm} has the value {largest}, which is more than is sent."
        ) from None
    quality = None
    if any(day.quality is not None for day in profile.days):
        quality = np.array([mark for day in profile.days for mark in day.quality or [0] * len(day.values)], np.int64)
    return _Packed(profile, tuple(day.day for day in profile.days), values, quality)


def _location(package: FormatPackage, opm: str, version: int, profiles: Sequence[_Packed]) -> bytes:
    try:
        parse_ean18(opm)
    except IdentifierError as error:
        raise OutboundError("bad_ean", str(error)) from None
    if not profiles:
        raise OutboundError("empty", f"The supply point {opm} has no profile: there is nothing to send.")
    head = f'<Location opm-id={quote(opm)} version="{version}">\n'.encode()
    return b"".join([head, *(_profile(package, opm, each) for each in profiles), b"</Location>\n"])


def _profile(package: FormatPackage, opm: str, packed: _Packed) -> bytes:
    profile = packed.profile
    value_type = package.value_types.get(profile.direction)
    if value_type is None:
        raise OutboundError(
            "unknown_direction",
            f"The direction {profile.direction!r} of {opm} has no value type in the package {package.name}; "
            f"it has {', '.join(package.value_types)}.",
        )
    unit = package.units[value_type.unit]
    if unit.base != profile.unit:
        raise OutboundError(
            "wrong_unit", f"{profile.direction} of {opm} is in {profile.unit}, expected {unit.base} for {unit.code}."
        )
    if not packed.days:
        return b""
    step = packed.days[0].step
    resolution = package.resolutions.get(int(step.total_seconds()))
    if resolution is None or any(day.step != step for day in packed.days):
        raise OutboundError("resolution", f"The package {package.name} has no resolution of {step}.")
    if packed.values.min() < 0:
        raise _negative(opm, packed)
    numbers = spelled(packed.values, profile.exponent - unit.exponent, package.data.decimals)
    statuses = () if packed.quality is None else _statuses(package, opm, packed, packed.quality)
    return profile_octets(Heading(value_type.code, unit.code, resolution), packed.days, numbers, statuses)


def _negative(opm: str, packed: _Packed) -> OutboundError:
    place = int(np.flatnonzero(packed.values < 0)[0])
    what, period = _place(opm, packed, place)
    if packed.values[place] == MISSING_VALUE:
        return OutboundError("missing_value", f"{what} has no value in period {period}: complete the profile first.")
    return OutboundError("negative_value", f"{what} has {packed.values[place]} in period {period}, expected >= 0.")


def _statuses(
    package: FormatPackage, opm: str, packed: _Packed, quality: NDArray[np.int64]
) -> tuple[NDArray[np.uint8], ...]:
    letters = {int(mark): letter for mark, letter in package.letters.items()}
    unknown = ~np.isin(quality, list(letters))
    if unknown.any():
        place = int(np.flatnonzero(unknown)[0])
        raise OutboundError(
            "not_sendable",
            f"{_place(opm, packed, place)[0]} has a value of quality {quality[place]}, which may not be sent: complete "
            "the profile first.",
        )
    return status_octets(quality, letters)


def _place(opm: str, packed: _Packed, place: int) -> tuple[str, int]:
    """Which profile of which day a value stands in, and its period."""
    for day in packed.days:
        if place < day.length:
            return _what(opm, packed.profile, day), place + 1
        place -= day.length
    raise AssertionError("a value lies in one of the days")


def _what(opm: str, profile: Profile | Series, day: MeteringDay) -> str:
    return f"{profile.direction} of {opm} on {day.date.isoformat()}"
