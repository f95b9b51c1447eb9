"""What is known of a register's past, as stretches of time: pure.

A timeline is ascending and its stretches do not overlap; equal neighbours are one. So a register that has been read for
years is one stretch, and what is in none is what nobody has asked for yet. All bounds are ms UTC, half-open.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

HOUR_MS: Final = 3_600_000
ASK_AFTER_MS: Final = (HOUR_MS, 6 * HOUR_MS, 24 * HOUR_MS, 72 * HOUR_MS, 168 * HOUR_MS)
"""A hole is asked for again so long after it was last asked for; after that the meter is believed."""

Span = tuple[int, int]
"""Beginning and end."""


class Known(StrEnum):
    """What the outbox knows of a stretch."""

    READ = "read"
    """In the outbox or in evidence."""
    AGAIN = "again"
    """Lost on the way to central, or perhaps there already: to be read, and marked as re-read."""
    HOLE = "hole"
    """Asked for, and the meter did not hold it."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Part of a timeline. A hole was asked for `asked` times and is due at `ask_ms` again, or never if None."""

    start_ms: int
    end_ms: int
    known: Known
    asked: int = 0
    ask_ms: int | None = None


Timeline = list[Stretch]


def hole(start_ms: int, end_ms: int, asked: int, now_ms: int) -> Stretch:
    """A hole that was asked for in vain at `now_ms`, the `asked`-th time."""
    ask_ms = now_ms + ASK_AFTER_MS[asked - 1] if asked <= len(ASK_AFTER_MS) else None
    return Stretch(start_ms, end_ms, Known.HOLE, asked, ask_ms)


def paint(timeline: Timeline, stretch: Stretch) -> Timeline:
    """`timeline` with `stretch` in the place of whatever was there."""
    begin = bisect_left(timeline, stretch.start_ms, key=lambda each: each.end_ms)
    end = bisect_right(timeline, stretch.end_ms, lo=begin, key=lambda each: each.start_ms)
    touched = timeline[begin:end]
    fresh = [stretch]
    if touched and touched[0].start_ms < stretch.start_ms:
        fresh.insert(0, replace(touched[0], end_ms=stretch.start_ms))
    if touched and touched[-1].end_ms > stretch.end_ms:
        fresh.append(replace(touched[-1], start_ms=stretch.end_ms))
    joined: Timeline = []
    for each in fresh:
        if joined and replace(joined[-1], start_ms=0, end_ms=0) == replace(each, start_ms=0, end_ms=0):
            joined[-1] = replace(joined[-1], end_ms=each.end_ms)
        else:
            joined.append(each)
    return timeline[:begin] + joined + timeline[end:]


def wanted(
    timeline: Sequence[Stretch], start_ms: int, end_ms: int, now_ms: int
) -> Iterator[tuple[Span, Stretch | None]]:
    """What is to be asked for in [start_ms, end_ms), oldest first: a span, and the stretch (again, or a hole that is
    due) that it is part of, None where nothing is known.
    """
    at = start_ms
    for each in timeline[bisect_right(timeline, start_ms, key=lambda each: each.end_ms) :]:
        if each.start_ms >= end_ms:
            break
        if each.start_ms > at:
            yield (at, each.start_ms), None
        at = max(at, each.start_ms)
        until = min(each.end_ms, end_ms)
        if each.known is Known.AGAIN or (each.known is Known.HOLE and _is_due(each, now_ms)):
            yield (at, until), each
        at = until
    if at < end_ms:
        yield (at, end_ms), None


def _is_due(hole: Stretch, now_ms: int) -> bool:
    """Whether a hole is to be asked for. One that would be due later than any ever is was found by a clock that was
    ahead, perhaps before its rows were captured.
    """
    return hole.ask_ms is not None and not now_ms < hole.ask_ms <= now_ms + ASK_AFTER_MS[-1]


def next_ask(timeline: Iterable[Stretch], now_ms: int) -> int | None:
    """When, after `now_ms`, the next hole is due."""
    return min((each.ask_ms for each in timeline if each.ask_ms is not None and each.ask_ms > now_ms), default=None)


def reconciled(timeline: Timeline, window: Span, covered: Iterable[Span], *, doubtful: bool) -> Timeline:
    """`timeline` when only `covered` is sure to be in evidence or held. In `window`, what was read and is not covered
    is to be read again; where nothing is known, too, if it is `doubtful` (a lost outbox may have sent it).
    """
    result = timeline
    for known in [each for each in timeline if each.known is Known.READ]:
        start, end = max(known.start_ms, window[0]), min(known.end_ms, window[1])
        if start < end:
            result = paint(result, Stretch(start, end, Known.AGAIN))
    if doubtful:
        for (start, end), stretch in list(wanted(result, *window, 0)):
            if stretch is None:
                result = paint(result, Stretch(start, end, Known.AGAIN))
    for start, end in covered:
        if start < end:
            result = paint(result, Stretch(start, end, Known.READ))
    return result
