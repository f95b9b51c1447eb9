"""CDSDATA 121: interval data (data průběhového měření) of one or more supply points, written without floats.

Our layout (assumed, see the format package): Location per supply point, Profile per value type and metering day, Data
per period 1..92/96/100. The writer is templated: a month of one point with 4 profiles is 11,900 Data elements. The
reader is in `cdsdata_reader`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from central.market.envelope import Envelope, closing, opening, quote, utc_text
from central.market.errors import OutboundError
from central.market.format_data import MessageUnit
from central.market.format_package import FormatPackage
from central.market.xml import XmlLimits, parse_untrusted, schema_errors
from shared.identifiers import IdentifierError, parse_ean18
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Quality

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


def decimal_text(value: int, exponent: int, decimals: int) -> str:
    """`value` x 10^`exponent` as a decimal number, exactly; OutboundError if it has more than `decimals` places.

    >>> decimal_text(12345, -3, 5)
    '12.345'
    """
    if exponent >= 0:
        return str(value * 10**exponent)
    places = -exponent
    if places > decimals:
        value, lost = divmod(value, 10 ** (places - decimals))
        if lost:
            raise OutboundError(
                "too_precise",
                f"The value {value * 10 ** (places - decimals) + lost} x 10^{exponent} needs more than {decimals} "
                "decimal places: send it in a smaller unit.",
            )
        places = decimals
    whole, fraction = divmod(abs(value), 10**places)
    return f"{'-' if value < 0 else ''}{whole}.{fraction:0{places}d}"


def write_interval_data(package: FormatPackage, message: IntervalData) -> bytes:
    """The message as UTF-8, valid by the package's schema; OutboundError where the data do not allow it."""
    if not message.locations:
        raise OutboundError(
            "empty", f"The message {message.envelope.id} has no supply point: there is nothing to send."
        )
    parts = [opening(package, message.envelope)]
    for location in message.locations:
        parts.extend(_location(package, location))
    parts.append(closing(package, message.envelope))
    content = "".join(parts).encode()
    if errors := schema_errors(package.schema(FORMAT), parse_untrusted(content, XmlLimits(size_bytes=len(content)))):
        raise OutboundError(
            "schema", f"The message {message.envelope.id} does not satisfy the schema of {FORMAT}: {'; '.join(errors)}."
        )
    return content


def _location(package: FormatPackage, location: Location) -> Iterator[str]:
    try:
        parse_ean18(location.opm)
    except IdentifierError as error:
        raise OutboundError("bad_ean", str(error)) from None
    if not location.profiles:
        raise OutboundError("empty", f"The supply point {location.opm} has no profile: there is nothing to send.")
    yield f'<Location opm-id={quote(location.opm)} version="{location.version}">\n'
    for profile in location.profiles:
        yield from _profile(package, location.opm, profile)
    yield "</Location>\n"


def _profile(package: FormatPackage, opm: str, profile: Profile) -> Iterator[str]:
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
    for day in profile.days:
        resolution = package.resolutions.get(int(day.day.step.total_seconds()))
        if resolution is None:
            raise OutboundError("resolution", f"The package {package.name} has no resolution of {day.day.step}.")
        yield (
            f'<Profile value-type="{value_type.code}" unit="{unit.code}" resolution="{resolution}"'
            f' date-time-from="{utc_text(day.day.start)}" date-time-to="{utc_text(day.day.end)}">\n'
        )
        yield "".join(_data(package, opm, profile, unit, day))
        yield "</Profile>\n"


def _data(package: FormatPackage, opm: str, profile: Profile, unit: MessageUnit, day: ProfileDay) -> Iterable[str]:
    what = f"{profile.direction} of {opm} on {day.day.date.isoformat()}"
    if len(day.values) != day.day.length:
        raise OutboundError("wrong_length", f"{what} has {len(day.values)} values, expected {day.day.length}.")
    if min(day.values) < 0:
        period = next(index for index, value in enumerate(day.values, 1) if value < 0)
        if day.values[period - 1] == MISSING_VALUE:
            raise OutboundError("missing_value", f"{what} has no value in period {period}: complete the profile first.")
        raise OutboundError("negative_value", f"{what} has {day.values[period - 1]} in period {period}, expected >= 0.")
    exponent = profile.exponent - unit.exponent
    numbers = _numbers(day.values, exponent, package.data.decimals)
    if day.quality is None:
        return [f'<Data period="{index}" value="{number}"/>\n' for index, number in enumerate(numbers, 1)]
    if len(day.quality) != len(day.values):
        raise OutboundError("wrong_length", f"{what} has {len(day.quality)} qualities for {len(day.values)} values.")
    marks = [_status(package, what, quality) for quality in day.quality]
    return [
        f'<Data period="{index}" value="{number}"{mark}/>\n'
        for index, (number, mark) in enumerate(zip(numbers, marks, strict=True), 1)
    ]


def _numbers(values: Sequence[int], exponent: int, decimals: int) -> Sequence[str]:
    if exponent == -3 <= decimals:  # Wh in KWH, nearly every value: twice as fast as the general way
        return [f"{value // 1000}.{value % 1000:03d}" for value in values]
    return [decimal_text(value, exponent, decimals) for value in values]


def _status(package: FormatPackage, what: str, quality: int) -> str:
    try:
        letter = package.letters[Quality(quality)]
    except (ValueError, KeyError):
        raise OutboundError(
            "not_sendable",
            f"{what} has a value of quality {quality}, which may not be sent: complete the profile first.",
        ) from None
    return "" if letter is None else f' status="{letter}"'
