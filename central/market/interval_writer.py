"""Writes messages of interval data, many of them by worker processes: checking one takes 10 ms of a core."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from central.market.cdsdata import Series, write_series
from central.market.envelope import Envelope
from central.market.errors import OutboundError
from central.market.format_package import FormatPackage, find_in, folders, load_package
from central.platform.workers import worker_pool

WORKERS: Final = 2
POOL_FROM: Final = 150
"""So many messages are worth the second that a worker needs to begin."""
BATCH: Final = 8
"""Messages handed to a worker at once: 3 MB of them come back."""
AHEAD: Final = 8
"""Batches that are being written while one is stored: what comes back too early only takes memory."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a message of one point is written from; `package` is the name of the format package."""

    package: str
    envelope: Envelope
    opm: str
    version: int
    series: Sequence[Series]


Written = bytes | OutboundError
"""The message, or why it must not leave."""


class IntervalWriter:
    """Writes in this process, or by a pool."""

    def __init__(self, pool: ProcessPoolExecutor | None) -> None:
        self._pool = pool

    def write(self, sheets: Iterable[Sheet]) -> Iterator[Written]:
        """The messages in the order of their sheets, which are taken a few ahead only."""
        if self._pool is None:
            for sheet in sheets:
                yield from _write_all([sheet])
            return
        coming: deque[Future[list[Written]]] = deque()
        left = iter(sheets)
        while some := list(islice(left, BATCH)):
            coming.append(self._pool.submit(_write_all, some))
            if len(coming) > AHEAD:
                yield from coming.popleft().result()
        while coming:
            yield from coming.popleft().result()


@contextmanager
def interval_writer(count: int) -> Iterator[IntervalWriter]:
    """A writer of about `count` messages."""
    if count < POOL_FROM:
        yield IntervalWriter(None)
        return
    with worker_pool(WORKERS, _prepare, (folders(),)) as pool:
        yield IntervalWriter(pool)


def _prepare(known: Sequence[Path]) -> None:
    find_in(known)


def _write_all(sheets: Sequence[Sheet]) -> list[Written]:
    packages = {name: load_package(name) for name in {sheet.package for sheet in sheets}}
    return [_write(packages[sheet.package], sheet) for sheet in sheets]


def _write(package: FormatPackage, sheet: Sheet) -> Written:
    try:
        return write_series(package, sheet.envelope, sheet.opm, sheet.version, sheet.series)
    except OutboundError as error:
        return error
