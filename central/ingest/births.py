"""Answers to births: the incarnation, high-water marks of evidence, and holes that nobody can fill any more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg

from shared.wire import Birth, Welcome, WireError, unsigned_epoch

Connection = psycopg.Connection[tuple[Any, ...]]
Range = tuple[int, int]

MOST_CLOSED: Final = 10_000
"""Numbers that one birth may close in an epoch; what is left is closed at the next one."""
CLOSED_TOLD: Final = "7 days"
"""How long a closed hole is told with every welcome: the first one may not have arrived."""

_EPOCHS: Final = b"""
    WITH RECURSIVE known (epoch) AS (
        SELECT min(epoch) FROM batch WHERE edge = %(edge)s
        UNION ALL
        SELECT (SELECT min(b.epoch) FROM batch b WHERE b.edge = %(edge)s AND b.epoch > known.epoch)
        FROM known WHERE known.epoch IS NOT NULL
    )
    SELECT known.epoch, coalesce(e.upto, 0)
    FROM known LEFT JOIN edge_epoch e ON e.edge = %(edge)s AND e.epoch = known.epoch
    WHERE known.epoch IS NOT NULL AND e.finished_at IS NULL
"""

_GAPS: Final = b"""
    SELECT before + 1, seq - 1
    FROM (SELECT seq, lag(seq, 1, %(lower)s) OVER (ORDER BY seq) AS before
          FROM batch WHERE edge = %(edge)s AND epoch = %(epoch)s AND seq > %(lower)s) AS numbers
    WHERE seq > before + 1
    ORDER BY 1
"""

_CLOSE: Final = b"""
    INSERT INTO batch (edge, epoch, seq, received_at, evidence_channels, consolidated_at, closed)
    SELECT %(edge)s, %(epoch)s, seq, %(at)s, '{}', %(at)s, true
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS seq
    ORDER BY seq
    ON CONFLICT (edge, epoch, seq) DO NOTHING
    RETURNING seq
"""

_REPORT: Final = b"""
    INSERT INTO edge_event (at, edge, device, kind, data, received_at) VALUES (%s, %s, '', 'hole_closed', %s::jsonb, %s)
"""

_FINISH: Final = b"""
    INSERT INTO edge_epoch (edge, epoch, upto, finished_at)
    SELECT %(edge)s, %(epoch)s, max(seq), %(at)s FROM batch WHERE edge = %(edge)s AND epoch = %(epoch)s
    ON CONFLICT (edge, epoch) DO UPDATE SET upto = excluded.upto, finished_at = excluded.finished_at
"""

_TOLD: Final = b"""
    SELECT epoch, seq FROM batch
    WHERE edge = %s AND closed AND received_at > %s::timestamptz - %s::interval
    ORDER BY epoch, seq LIMIT %s
"""

# What came from a file is no reason not to read the meter.
# The newest eight blocks: one that was read again may begin late and end early.
_MARKS: Final = b"""
    SELECT e.device, e.register, (extract(epoch FROM mark.at) * 1000)::bigint
    FROM evidence_channel e
    CROSS JOIN LATERAL (
        SELECT max(newest.start + newest.step * cardinality(newest.values) * interval '1 millisecond') AS at
        FROM (SELECT b.start, b.step, b.values FROM block b
              WHERE b.evidence_channel = e.id
                AND NOT EXISTS (SELECT FROM batch f JOIN import_source s ON s.code = f.edge WHERE f.id = b.batch_id)
              ORDER BY b.start DESC LIMIT 8) AS newest
        WHERE e.kind = 'interval'
        UNION ALL
        (SELECT r.at FROM register_reading r
         WHERE e.kind = 'state' AND r.evidence_channel = e.id
           AND NOT EXISTS (SELECT FROM batch f JOIN import_source s ON s.code = f.edge WHERE f.id = r.batch_id)
         ORDER BY r.at DESC LIMIT 1)
    ) AS mark
    WHERE e.concentrator = %s AND mark.at IS NOT NULL
    ORDER BY e.device, e.register
"""


@dataclass(slots=True)
class Answer:
    """The welcome, and what is to be acknowledged along with it."""

    welcome: Welcome
    held: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    """By edge and epoch (unsigned): the first number of each held range."""
    closed_now: int = 0
    """Numbers closed by this birth."""


def answer_birth(connection: Connection, edge: str, birth: Birth, at: datetime, incarnation: str) -> Answer:
    """Close what nobody holds, and say what central has. `connection` is in autocommit mode. Raises WireError."""
    held = _checked(edge, birth)
    closed_now = close_holes(connection, edge, birth, held, at) if birth.incarnation in ("", incarnation) else 0
    marks = [(str(device), str(register), int(ms)) for device, register, ms in connection.execute(_MARKS, [edge])]
    answer = Answer(Welcome(incarnation, marks, _told(connection, edge, at)), closed_now=closed_now)
    for epoch, spans in held.items():
        answer.held[edge, epoch] = [first for first, _ in spans]
    return answer


def _checked(edge: str, birth: Birth) -> dict[int, list[Range]]:
    held: dict[int, list[Range]] = {}
    for epoch, first, last in birth.held:
        if not (0 <= epoch < 2**64 and 1 <= first <= last < 2**62):
            raise WireError(
                "birth", f"The birth of {edge} holds {first} to {last} of epoch {epoch}: that is no range of numbers."
            )
        held.setdefault(epoch, []).append((first, last))
    return {epoch: sorted(spans) for epoch, spans in held.items()}


def close_holes(connection: Connection, edge: str, birth: Birth, held: dict[int, list[Range]], at: datetime) -> int:
    """Close the numbers of ended epochs that neither central nor the edge has; returns how many.

    Only epochs other than the birth's own: those get no new numbers any more, so a birth that is old by the time it
    is read (a retained one) is right about them. A number of the running epoch may have been given since.
    """
    closed = 0
    with connection.transaction():
        for stored, lower in connection.execute(_EPOCHS, {"edge": edge}).fetchall():
            epoch = unsigned_epoch(stored)
            if epoch == birth.epoch:
                continue
            names = {"edge": edge, "epoch": stored, "lower": lower, "at": at}
            gaps = [(int(first), int(last)) for first, last in connection.execute(_GAPS, names).fetchall()]
            open_ranges = limited(subtract(gaps, held.get(epoch, [])), MOST_CLOSED)
            for first, last in open_ranges:
                closed += _close(connection, names, first, last, epoch)
            if epoch not in held and not connection.execute(_GAPS, names).fetchone():
                connection.execute(_FINISH, names)
    return closed


def _close(connection: Connection, names: dict[str, Any], first: int, last: int, epoch: int) -> int:
    numbers = connection.execute(_CLOSE, {**names, "first": first, "last": last}).fetchall()
    if numbers:
        data = msgspec.json.encode({"epoch": f"{epoch:016x}", "first": first, "last": last}).decode()
        connection.execute(_REPORT, [names["at"], names["edge"], data, names["at"]])
    return len(numbers)


def _told(connection: Connection, edge: str, at: datetime) -> list[tuple[int, int, int]]:
    rows = connection.execute(_TOLD, [edge, at, CLOSED_TOLD, MOST_CLOSED]).fetchall()
    told: list[tuple[int, int, int]] = []
    for stored, seq in rows:
        epoch = unsigned_epoch(stored)
        if told and told[-1][0] == epoch and told[-1][2] == seq - 1:
            told[-1] = (epoch, told[-1][1], seq)
        else:
            told.append((epoch, seq, seq))
    return told


def subtract(ranges: Iterable[Range], taken: Sequence[Range]) -> list[Range]:
    """Inclusive ranges without the numbers of `taken` (ascending)."""
    left: list[Range] = []
    for first, last in ranges:
        for taken_first, taken_last in taken:
            if taken_last < first or taken_first > last:
                continue
            if first < taken_first:
                left.append((first, taken_first - 1))
            first = taken_last + 1
        if first <= last:
            left.append((first, last))
    return left


def limited(ranges: Iterable[Range], most: int) -> list[Range]:
    """The first `most` numbers of ranges."""
    kept: list[Range] = []
    for first, last in ranges:
        if most <= 0:
            break
        last = min(last, first + most - 1)
        kept.append((first, last))
        most -= last - first + 1
    return kept
