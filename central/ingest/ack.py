"""Acknowledgements: what the database has committed of an edge's numbers, whoever committed it."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import psycopg

from shared.wire import Ack, signed_epoch

Connection = psycopg.Connection[tuple[Any, ...]]

MOST_EPOCHS: Final = 20_000
"""Lower bounds kept in memory; the others are read from the database when they are needed."""
MOST_RANGES: Final = 1_000
"""Ranges and refusals in one acknowledgement. An edge has at most 64 numbers open, so this is never near."""
KEEP_EVERY: Final = 256
"""A lower bound is written to the database when it has risen by this much."""
_PAGE: Final = 4_096

_LOWER: Final = b"SELECT upto FROM edge_epoch WHERE edge = %s AND epoch = %s"
# LIMIT keeps the planner on the index (edge, epoch, seq) however old its statistics are.
_COMMITTED: Final = b"""
    SELECT seq FROM batch WHERE edge = %s AND epoch = %s AND seq > %s ORDER BY seq LIMIT %s
"""
_REFUSED: Final = b"""
    SELECT seq, index, reason_code FROM quarantine
    WHERE edge = %s AND epoch = %s AND seq > %s ORDER BY seq, index LIMIT %s
"""
_KEEP_LOWER: Final = b"""
    INSERT INTO edge_epoch (edge, epoch, upto) VALUES (%s, %s, %s)
    ON CONFLICT (edge, epoch) DO UPDATE SET upto = greatest(edge_epoch.upto, excluded.upto)
"""


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Ascending numbers as inclusive ranges."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] >= number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


class AckBook:
    """Makes acknowledgements and remembers, per edge and epoch, up to where everything is committed.

    A remembered bound stays true as long as the database lives; `forget` when the connection was lost, because it may
    be another one.
    """

    def __init__(self) -> None:
        self._lower: OrderedDict[tuple[str, int], int] = OrderedDict()
        self._kept: dict[tuple[str, int], int] = {}

    def forget(self) -> None:
        """Trust nothing remembered."""
        self._lower.clear()
        self._kept.clear()

    def acknowledge(
        self, connection: Connection, touched: Mapping[tuple[str, int], Iterable[int]], incarnation: str
    ) -> list[tuple[str, Ack]]:
        """An acknowledgement for each edge and epoch (unsigned) of which numbers were received just now.

        Refused blocks are named for the numbers received and all above the bound: what an edge has not confirmed by
        then it hears again with its resend.
        """
        answers = []
        for (edge, epoch), received in touched.items():
            before = self._lower_bound(connection, edge, epoch)
            upto, beyond = self._committed(connection, edge, epoch, before)
            self._remember(edge, epoch, upto)
            floor = min([before, *(number - 1 for number in received)])
            refused = connection.execute(_REFUSED, [edge, signed_epoch(epoch), floor, MOST_RANGES]).fetchall()
            answers.append((edge, Ack(epoch, upto, beyond[:MOST_RANGES], [tuple(row) for row in refused], incarnation)))
        self._keep(connection, touched)
        return answers

    def _lower_bound(self, connection: Connection, edge: str, epoch: int) -> int:
        place = (edge, epoch)
        if place not in self._lower:
            row = connection.execute(_LOWER, [edge, signed_epoch(epoch)]).fetchone()
            self._lower[place] = self._kept[place] = int(row[0]) if row else 0
        return self._lower[place]

    def _committed(
        self, connection: Connection, edge: str, epoch: int, lower: int
    ) -> tuple[int, list[tuple[int, int]]]:
        """The highest n with 1..n committed, and the ranges beyond."""
        upto, beyond, place = lower, list[tuple[int, int]](), lower
        while True:
            rows = connection.execute(_COMMITTED, [edge, signed_epoch(epoch), place, _PAGE]).fetchall()
            found = beyond + ranges(int(row[0]) for row in rows)
            if found and found[0][0] == upto + 1:
                upto = found.pop(0)[1]
            beyond = _joined(found)
            if len(rows) < _PAGE or len(beyond) > MOST_RANGES:
                return upto, beyond
            place = int(rows[-1][0])

    def _remember(self, edge: str, epoch: int, upto: int) -> None:
        self._lower[edge, epoch] = upto
        self._lower.move_to_end((edge, epoch))
        while len(self._lower) > MOST_EPOCHS:
            oldest, _ = self._lower.popitem(last=False)
            self._kept.pop(oldest, None)

    def _keep(self, connection: Connection, touched: Iterable[tuple[str, int]]) -> None:
        risen = [place for place in touched if self._lower.get(place, 0) - self._kept.get(place, 0) >= KEEP_EVERY]
        if not risen:
            return
        rows = sorted((edge, signed_epoch(epoch), self._lower[edge, epoch]) for edge, epoch in risen)
        with connection.transaction(), connection.cursor() as cursor:
            # Only a hint for the next start: not worth waiting for the disk.
            cursor.execute("SET LOCAL synchronous_commit = off")
            cursor.executemany(_KEEP_LOWER, rows)
        self._kept |= {place: self._lower[place] for place in risen}


def _joined(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges of which neighbours touch at the border of a page, put together."""
    joined: list[tuple[int, int]] = []
    for first, last in found:
        if joined and joined[-1][1] == first - 1:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined
