"""Interval values as the octets of their elements, a whole profile at once: numbers are spelled by columns of digits.

A profile of a month is 2,976 elements that differ in the period and the value only. What does not change is laid out
once, with room for the values; octets 0 are room that a value left empty, and are taken out at the end.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from central.market.envelope import utc_text
from central.market.errors import OutboundError
from shared.metering_day import MeteringDay

Octets = NDArray[np.uint8]

_ZERO: Final = ord("0")
_LARGEST: Final = np.iinfo(np.int64).max
_MOST_DIGITS: Final = 18
"""Ten to this power is the largest that a value is divided by."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What all elements of a profile share: codes of the value type, the unit and the resolution."""

    value_type: str
    unit: str
    resolution: str


@dataclass(frozen=True, slots=True)
class _Skeleton:
    """The elements with empty room for every value at `values` (n, width) and every status at `statuses` (n, room)."""

    octets: Octets
    values: NDArray[np.intp]
    statuses: NDArray[np.intp]


def profile_octets(
    heading: Heading, days: tuple[MeteringDay, ...], numbers: Octets, statuses: tuple[Octets, ...] = ()
) -> bytes:
    """Profile elements of `days` with the values `numbers` (see `spelled`).

    `statuses` is () or holds one array of (n, room): the status attribute of every value, empty where it has none.
    """
    room = statuses[0].shape[1] if statuses else 0
    skeleton = _skeleton(heading, days, numbers.shape[1], room)
    octets = skeleton.octets.copy()
    octets[skeleton.values] = numbers
    for each in statuses:
        octets[skeleton.statuses] = each
    return octets.tobytes().translate(None, b"\0")


@lru_cache(maxsize=64)
def _skeleton(heading: Heading, days: tuple[MeteringDay, ...], width: int, room: int) -> _Skeleton:
    parts: list[bytes] = []
    values: list[int] = []
    length = 0
    for day in days:
        opened = (
            f'<Profile value-type="{heading.value_type}" unit="{heading.unit}" resolution="{heading.resolution}"'
            f' date-time-from="{utc_text(day.start)}" date-time-to="{utc_text(day.end)}">\n'
        ).encode()
        parts.append(opened)
        length += len(opened)
        for period in range(1, day.length + 1):
            before = f'<Data period="{period}" value="'.encode()
            parts += [before, b"\0" * width, b'"', b"\0" * room, b"/>\n"]
            values.append(length + len(before))
            length += len(before) + width + 1 + room + 3
        parts.append(b"</Profile>\n")
        length += len(parts[-1])
    begins = np.array(values, np.intp)[:, None]
    return _Skeleton(
        np.frombuffer(b"".join(parts), np.uint8),
        begins + np.arange(width),
        begins + width + 1 + np.arange(room),
    )


def status_octets(quality: NDArray[Any], letters: dict[int, str | None]) -> tuple[Octets, ...]:
    """The status attributes of values by their quality, as `profile_octets` takes them; () where no value has one."""
    attributes = {mark: f' status="{letter}"'.encode() for mark, letter in letters.items() if letter is not None}
    used = {mark: attributes[mark] for mark in np.unique(quality).tolist() if mark in attributes}
    if not used:
        return ()
    found = np.zeros((len(quality), max(map(len, used.values()))), np.uint8)
    for mark, attribute in used.items():
        found[quality == mark, : len(attribute)] = np.frombuffer(attribute, np.uint8)
    return (found,)


def spelled(values: NDArray[np.int64], exponent: int, decimals: int) -> Octets:
    """`values` (n, none negative) x 10^`exponent` as decimal numbers, exactly: (n, width) of ASCII, 0 where nothing is.

    OutboundError where one has more than `decimals` places, or more digits than a whole number of 64 bits.
    """
    places = max(-exponent, 0)
    if exponent > 0:
        if exponent > _MOST_DIGITS or (len(values) and int(values.max()) > _LARGEST // 10**exponent):
            raise _too_large(int(values.max()), exponent)
        values = values * 10**exponent
    elif places > decimals:
        values, places = _shortened(values, exponent, places - decimals), decimals
    whole, fraction = np.divmod(values, 10**places) if places else (values, values[:0])
    digits = len(str(int(whole.max()))) if len(whole) else 1
    width = digits + (places + 1 if places else 0)
    found = np.empty((len(values), width), np.uint8)
    _fill(found[:, :digits], whole)
    for place in range(1, digits):
        # a digit stands where the number reaches it; the last one always does
        found[whole < 10**place, digits - 1 - place] = 0
    if places:
        found[:, digits] = ord(".")
        _fill(found[:, digits + 1 :], fraction)
    return found


def _fill(columns: Octets, numbers: NDArray[np.int64]) -> None:
    """The digits of numbers, the last in the last column."""
    # 32-bit divisions take a third of the time of those of 64 bits
    left = numbers.astype(np.uint32) if len(numbers) and numbers.max() < 2**32 else numbers.astype(np.uint64)
    for place in range(columns.shape[1] - 1, -1, -1):
        tens = left // 10
        columns[:, place] = left - tens * 10 + _ZERO
        left = tens


def _shortened(values: NDArray[np.int64], exponent: int, lost: int) -> NDArray[np.int64]:
    """Values without their last `lost` digits, which must be 0."""
    power = 10 ** min(lost, _MOST_DIGITS)
    shorter, rest = np.divmod(values, power)
    if lost > _MOST_DIGITS:
        shorter, rest = np.zeros_like(values), values
    if rest.any():
        value = int(values[np.flatnonzero(rest)[0]])
        raise OutboundError(
            "too_precise",
            f"The value {value} x 10^{exponent} needs more than {-exponent - lost} decimal places: send it in a "
            "smaller unit.",
        )
    return shorter


def _too_large(value: int, exponent: int) -> OutboundError:
    return OutboundError(
        "too_large", f"The value {value} x 10^{exponent} has more digits than are sent: give it in a larger unit."
    )
