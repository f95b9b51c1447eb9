"""An export of EDC's portal against what we compute by the keys: column by column, quarter-hour by quarter-hour."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from central.readings.sharing.export import Export, read_export
from central.readings.sharing.portal import columns_of
from central.readings.sharing.shared_energy import Lack, shared_energy


@dataclass(frozen=True, slots=True)
class ColumnCompared:
    """A column of the export: quarter-hours in it, how many differ from ours and where first, both sums (0.01 kWh).

    `is_known` is False for a member or pair that the group does not have here; `finer` counts values with more than
    two decimals of a kWh, which the portal never writes.
    """

    name: str
    is_known: bool
    quarters: int
    differing: int
    first_difference: datetime | None
    theirs: int
    ours: int
    finer: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The whole export over its days (half-open), with columns of ours that it lacks and members without values."""

    first: date
    end: date
    columns: list[ColumnCompared]
    missing: list[str]
    lacking: list[Lack]


def compare_export(connection: Connection, code: str, content: bytes) -> Compared:
    """The export against ours; BadInput where it cannot be read or is too long, NotFound without the group."""
    export = read_export(content)
    parsed, first, end = export.parsed, export.first, export.end
    shared = shared_energy(connection, code, first, end)
    start_ms = int(shared.days[0].start.timestamp() * 1000)
    step_ms = int(shared.days[0].step.total_seconds() * 1000)
    ours = columns_of(shared)
    columns = [
        _column(export, place, name, ours.get(name), start_ms, step_ms) for place, name in enumerate(parsed.keys)
    ]
    given = {_layout(name) for name in parsed.keys}
    missing = [name for name in ours if name not in parsed.keys and _layout(name) in given]
    return Compared(first, end, columns, missing, shared.lacking)


def _layout(name: str) -> str:
    return "all" if name.startswith(("IN-", "OUT-")) else "pairs"


def _column(
    export: Export, place: int, name: str, ours: NDArray[np.int64] | None, start_ms: int, step_ms: int
) -> ColumnCompared:
    at, theirs, finer = export.column(place)
    if ours is None:
        return ColumnCompared(name, False, len(at), 0, None, int(theirs.sum()), 0, finer)
    mine = ours[(at - start_ms) // step_ms]
    differs: NDArray[np.bool_] = mine != theirs
    where: Sequence[int] = np.flatnonzero(differs)[:1].tolist()
    instant = datetime.fromtimestamp(int(at[where[0]]) / 1000, UTC) if where else None
    return ColumnCompared(name, True, len(at), int(differs.sum()), instant, int(theirs.sum()), int(mine.sum()), finer)
