"""What the checks read, chunk by chunk: ahead of the verdicts, on a second connection, where there can be one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from central.checks.bases import COLUMNS, Scope, read_chunks
from central.checks.frame import Frame, Numbers
from central.checks.framework import Asked, CouldNotRunError
from central.checks.parts import Part, chosen_of
from central.platform.ahead import ahead
from central.platform.snapshot import same_snapshot
from central.readings.rows import driver

AHEAD: Final = 4
"""What so many checks have read waits for their verdicts at most: 10 to 100 MB each in a full chunk."""
_NOTHING: Final = Frame({name: np.zeros(0, dtype=np.int64) for name in COLUMNS}, {"unit": (), "price_unit": ()})


class Chunk:
    """Bases that are checked together."""

    def __init__(self, bases: Frame) -> None:
        self.bases = bases
        self.points: Numbers = np.unique(bases["supply_point"])
        self._order = np.argsort(bases["id"])
        self._ordered = bases["id"][self._order]

    def places(self, ids: Numbers) -> NDArray[np.intp]:
        """Where bases stand in it."""
        return self._order[np.searchsorted(self._ordered, ids)]


@dataclass(frozen=True, slots=True)
class Read:
    """What one check compares bases with: those of a chunk that it looks at, or none for one of a whole month."""

    part: Part
    chunk: Chunk | None
    chosen: NDArray[np.bool_]
    """Which bases of the chunk it looks at."""
    bases: Frame
    asked: Asked
    found: Any
    failed: Exception | None
    """Why it could not read."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Reader:
    """What every check of a run is asked for, beside bases."""

    today: date
    month: date | None
    together: Numbers

    def chunk(self, connection: Connection, bases: Frame, parts: Sequence[Part]) -> Iterator[Read | Chunk]:
        """What each check reads for a chunk, and the chunk when all have."""
        chunk = Chunk(bases)
        asked = Asked(connection, chunk.points, self.today, self.month, self.together)
        for part in parts:
            if not part.check.definition.once and (chosen := chosen_of(part, bases)).any():
                yield _read(part, chunk, chosen, bases.take(chosen), asked)
        yield chunk

    def reads(self, connection: Connection, scope: Scope, parts: Sequence[Part]) -> Iterator[Read | Chunk]:
        """The same for all chunks of a scope; then what the checks of a whole month read, with or without bases."""
        for bases in read_chunks(connection, scope):
            yield from self.chunk(connection, bases, parts)
        nobody = np.zeros(0, dtype=np.int64)
        for part in parts:
            if part.check.definition.once and self.month is not None:
                asked = Asked(connection, nobody, self.today, self.month)
                yield _read(part, None, nobody.astype(np.bool_), _NOTHING, asked)


@contextmanager
def second_reader(connection: Connection, scope: Scope) -> Iterator[Connection | None]:
    """A connection that sees what this transaction sees, for reading ahead; None where the scope is not worth it, or
    the transaction has written what nobody else sees."""
    if scope.bases is not None or scope.rows is not None:
        yield None
        return
    with same_snapshot(connection) as second:
        yield second


@contextmanager
def in_turn(reads: Iterator[Read | Chunk], second: Connection | None) -> Iterator[Iterator[Read | Chunk]]:
    """The reads one after another, made ahead where they have a connection of their own."""
    if second is None:
        yield reads
        return
    with closing(ahead(reads, AHEAD)) as made:
        yield made


def _read(part: Part, chunk: Chunk | None, chosen: NDArray[np.bool_], bases: Frame, asked: Asked) -> Read:
    begun = time.perf_counter()
    found, failed = None, None
    try:
        if part.unfit is not None:
            raise CouldNotRunError(part.unfit)
        with asked.connection.begin_nested():
            found = part.check.read(asked, bases)
    except Exception as error:
        # whatever goes wrong inside one check must not stop the others; without a connection none can go on
        if driver(asked.connection).closed:
            raise
        failed = error
    return Read(part, chunk, chosen, bases, asked, found, failed, time.perf_counter() - begun)
