"""What the checks read, chunk by chunk: ahead of the verdicts, by connections of its own, where there can be any."""

import time
from collections.abc import Generator, Iterable, Iterator, Sequence
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
"""What so many checks have read waits for their verdicts at most: 1 to 50 MB each in a full chunk."""
CHUNKS_AHEAD: Final = 1
"""So many chunks of bases wait at most for the checks to read for them: 32 MB each."""
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

    def reads(
        self, chunks: Iterable[Frame], connection: Connection, parts: Sequence[Part]
    ) -> Generator[Read | Chunk, None, None]:
        """The same for all chunks; then what the checks of a whole month read, with or without bases."""
        for bases in chunks:
            yield from self.chunk(connection, bases, parts)
        nobody = np.zeros(0, dtype=np.int64)
        for part in parts:
            if part.check.definition.once and self.month is not None:
                asked = Asked(connection, nobody, self.today, self.month)
                yield _read(part, None, nobody.astype(np.bool_), _NOTHING, asked)


@contextmanager
def second_readers(connection: Connection, scope: Scope) -> Iterator[list[Connection]]:
    """Two connections that see what this transaction sees, for reading ahead: one the bases, one what the checks
    compare them with. None where the scope is not worth it, or the transaction has written what nobody else sees."""
    if scope.bases is not None or scope.rows is not None:
        yield []
        return
    with same_snapshot(connection, 2) as readers:
        for reader in readers:
            # the cores are busy already, and workers that lay columns together do more than one process would
            reader.exec_driver_sql("SET LOCAL max_parallel_workers_per_gather = 0")
        yield readers


@contextmanager
def all_reads(
    reader: Reader, connection: Connection, readers: Sequence[Connection], scope: Scope, parts: Sequence[Part]
) -> Iterator[Iterator[Read | Chunk]]:
    """What the checks read of a scope, in their order; ahead where there are connections for it."""
    if not readers:
        yield reader.reads(read_chunks(connection, scope), connection, parts)
        return
    of_bases, of_checks = readers
    with (
        closing(ahead(read_chunks(of_bases, scope), CHUNKS_AHEAD)) as chunks,
        closing(ahead(reader.reads(chunks, of_checks, parts), AHEAD)) as reads,
    ):
        yield reads


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
