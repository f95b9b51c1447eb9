"""Writes messages of interval data; many of them are held against their schema by processes, 9 ms of a core each."""

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from central.market.cdsdata import FORMAT, Series, compose_series, invalid
from central.market.envelope import Envelope
from central.market.errors import OutboundError
from central.market.format_package import load_package
from central.market.interval_checker import Checkers, checkers
from central.market.xml import own_errors

PROCESSES: Final = 3
"""At most, and one more than there are cores: while one waits for its next message the others go on."""
POOL_FROM: Final = 50
"""So many messages are worth the half a second that the processes need to begin."""
AHEAD: Final = 64
"""Messages that are being checked while one is stored: half a megabyte each."""


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
    """Checks in this process, or by processes."""

    def __init__(self, checkers: Checkers | None) -> None:
        self._checkers = checkers

    def write(self, sheets: Iterable[Sheet]) -> Iterator[Written]:
        """The messages in the order of their sheets, which are taken a few ahead only."""
        coming: deque[tuple[Sheet, Written, Future[list[str]] | None]] = deque()
        for sheet in sheets:
            coming.append(self._begin(sheet))
            if len(coming) > (AHEAD if self._checkers else 0):
                yield _finish(*coming.popleft())
        while coming:
            yield _finish(*coming.popleft())

    def _begin(self, sheet: Sheet) -> tuple[Sheet, Written, Future[list[str]] | None]:
        package = load_package(sheet.package)
        schema = package.schema(FORMAT)
        try:
            content = compose_series(package, sheet.envelope, sheet.opm, sheet.version, sheet.series)
        except OutboundError as error:
            return sheet, error, None
        if self._checkers is not None:
            return sheet, content, self._checkers.errors(sheet.package, FORMAT, content)
        errors = own_errors(schema, content)
        return sheet, invalid(sheet.envelope, errors) if errors else content, None


def _finish(sheet: Sheet, written: Written, checked: Future[list[str]] | None) -> Written:
    errors = checked.result() if checked is not None else ()
    return invalid(sheet.envelope, errors) if errors else written


@contextmanager
def interval_writer(count: int) -> Iterator[IntervalWriter]:
    """A writer of about `count` messages."""
    if count < POOL_FROM:
        yield IntervalWriter(None)
        return
    with checkers(min(PROCESSES, (os.cpu_count() or 1) + 1)) as some:
        yield IntervalWriter(some)
