"""Finds rows by their place in the buffer, for meters that cannot be asked for a range of time.

Places count from 1. The stamps of the first and the last row say which way the buffer runs; capture period and stamps
then say about where the wanted rows are. Holes, repeated captures and rows that come while we read only move the guess:
what is read is checked by its stamps, and reading goes on until both ends are reached.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from edge.dlms.errors import ProtocolError
from edge.dlms.profile import StampedRows

MARGIN: Final = 2
"""Rows read beyond the guess at both ends: a row may be captured between two requests."""
MOST_READS: Final = 32
"""After so many requests the buffer is no longer believed."""

Fetch = Callable[[int, int], Awaitable[StampedRows]]
"""Rows at the places from first to last, both included."""


async def find_rows(fetch: Fetch, in_use: int, period_ms: int, first_ms: int, last_ms: int) -> StampedRows:
    """Rows stamped from `first_ms` to `last_ms` (UTC, both included), with perhaps some more around them; ascending.

    Raises ProtocolError for a buffer whose stamps make no sense, and what `fetch` raises.
    """
    if in_use <= 0:
        return StampedRows([], [])
    newest, oldest = await _ends(fetch, in_use)
    if newest is None or oldest is None:
        return StampedRows([], [])
    ascending = oldest <= newest
    oldest, newest = min(oldest, newest), max(oldest, newest)
    if last_ms < oldest or first_ms > newest:
        return StampedRows([], [])

    async def ordered(age_from: int, age_to: int) -> StampedRows:
        """Rows by age, 0 the newest, from `age_from` (older) to `age_to`."""
        if ascending:
            return await fetch(in_use - age_from, in_use - age_to)
        return _reversed(await fetch(age_to + 1, age_from + 1))

    older = min((newest - first_ms) // period_ms + MARGIN, in_use - 1)
    younger = max((newest - last_ms) // period_ms - MARGIN, 0)
    younger = min(younger, older)
    rows = await ordered(older, younger)
    for _ in range(MOST_READS):
        if not rows.stamps:
            return rows
        if rows.stamps[0] >= first_ms and older < in_use - 1:
            # More rows than the calendar has: repeated captures. A row's overlap lets none slip between two requests.
            more = min(older + max((rows.stamps[0] - first_ms) // period_ms, 1) + MARGIN, in_use - 1)
            rows = _joined(await ordered(more, older), rows)
            older = more
        elif rows.stamps[-1] <= last_ms and younger > 0:
            # Fewer rows than the calendar has: holes.
            more = max(younger - max((last_ms - rows.stamps[-1]) // period_ms, 1) - MARGIN, 0)
            rows = _joined(rows, await ordered(younger, more))
            younger = more
        else:
            return rows
    raise ProtocolError(f"a buffer of {in_use} entries in which no order can be found", "entries in the order of time")


async def _ends(fetch: Fetch, in_use: int) -> tuple[int | None, int | None]:
    """Stamps at the last and at the first place."""
    last = (await fetch(in_use, in_use)).stamps
    first = (await fetch(1, 1)).stamps
    return (last[-1] if last else None), (first[0] if first else None)


def _reversed(rows: StampedRows) -> StampedRows:
    return StampedRows(
        rows.stamps[::-1], rows.flags[::-1], {position: cells[::-1] for position, cells in rows.cells.items()}
    )


def _joined(older: StampedRows, younger: StampedRows) -> StampedRows:
    """Both, with the rows that end `older` and begin `younger` only once. Repeated captures stay as they are."""
    kept = len(older.stamps)
    for shared in range(min(kept, len(younger.stamps), 2 * MARGIN), 0, -1):
        if _slice(older, kept - shared, kept) == _slice(younger, 0, shared):
            kept -= shared
            break
    return StampedRows(
        older.stamps[:kept] + younger.stamps,
        older.flags[:kept] + younger.flags,
        {position: [*cells[:kept], *younger.cells.get(position, ())] for position, cells in older.cells.items()},
    )


def _slice(rows: StampedRows, first: int, last: int) -> StampedRows:
    cells = {position: list(each[first:last]) for position, each in rows.cells.items()}
    return StampedRows(rows.stamps[first:last], rows.flags[first:last], cells)
