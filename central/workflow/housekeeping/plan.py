"""Which pieces of old data may go, and why the others stay. Pure.

A piece (chunk) holds all channels of a stretch of time and goes as a whole. It stays while any of it is younger than
its table's rule, stands under an approved settlement run within the retention of invoices, or is not worked off yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

MARGIN = timedelta(days=1)
"""Around what a run settled: states are read soon after its end, and metering days are not days of UTC."""

UNBILLED = frozenset({"edge_event"})
"""Tables that no bill and no work to be done stands on: age alone decides."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch [start, end) of a table; `name` is its chunk, or empty where rows are deleted."""

    target: str
    name: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """What must not go: stretches that approved runs stand on, and work that is not done.

    `undone_from`: the earliest instant of which batches, open days or validation are still to be worked off (None:
    nothing is); `mappings_undone`: mappings of which earlier blocks are still to be looked for, wherever these are.
    """

    pinned: Sequence[tuple[datetime, datetime]]
    undone_from: datetime | None
    mappings_undone: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """A piece that is old enough, and whether it goes; `why` says what keeps it."""

    piece: Piece
    drop: bool
    why: str


def judge(pieces: Sequence[Piece], keep_days: Mapping[str, int | None], held: Held, now: datetime) -> list[Verdict]:
    """A verdict on every piece that its table's rule calls old; tables without a rule keep everything."""
    verdicts = []
    for piece in sorted(pieces, key=lambda each: (each.target, each.start)):
        days = keep_days.get(piece.target)
        if days is None or piece.end > now - timedelta(days=days):
            continue
        why = _kept_for(piece, held)
        verdicts.append(Verdict(piece, why == "", why or f"older than {days} days"))
    return verdicts


def _kept_for(piece: Piece, held: Held) -> str:
    if piece.target in UNBILLED:
        return ""
    for start, end in held.pinned:
        if piece.start < end + MARGIN and start - MARGIN < piece.end:
            return f"stands under an approved settlement run of {start:%Y-%m-%d} to {end:%Y-%m-%d}"
    if held.mappings_undone:
        return "mappings are not worked off yet, and may need earlier blocks"
    if held.undone_from is not None and piece.end > held.undone_from - MARGIN:
        return f"work since {held.undone_from.isoformat()} is not done yet"
    return ""
