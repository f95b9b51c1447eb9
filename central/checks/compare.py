"""Compare a run with an earlier one: which subjects of which check show another result now, are new, or are gone."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select

from central.checks.blocks import unpack
from central.checks.frame import Numbers
from central.checks.framework import Findings, Subject
from central.checks.results import newest_run
from central.checks.tables import check_block
from central.checks.verdict import Result


@dataclass(frozen=True, slots=True)
class Difference:
    """A subject whose result of a check differs; None: no result in that run."""

    check: int
    about: Subject
    subject: int
    before: Result | None
    after: Result | None


def compare_runs(connection: Connection, earlier: int, later: int, limit: int) -> list[Difference]:
    """Differences by check, kind of subject and subject, `limit` at most."""
    before = _worst(connection, newest_run(connection, earlier))
    after = _worst(connection, newest_run(connection, later))
    found: list[Difference] = []
    for key in sorted(before.keys() | after.keys()):
        for difference in _differences(key, before.get(key, _NONE), after.get(key, _NONE)):
            if len(found) >= limit:
                return found
            found.append(difference)
    return found


_Worst = tuple[Numbers, NDArray[np.int8]]
_NONE: _Worst = (np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int8))


def _worst(connection: Connection, run: int) -> dict[tuple[int, str], _Worst]:
    """The worst result of each subject, by check and kind of subject."""
    columns = (check_block.c.check_number, check_block.c.about, check_block.c.packed)
    query = select(*columns).where(check_block.c.run == run).order_by(check_block.c.check_number, check_block.c.part)
    parts: dict[tuple[int, str], list[Findings]] = {}
    for row in connection.execute(query):
        parts.setdefault((row.check_number, row.about), []).append(unpack(row.packed))
    worst = {}
    for key, found in parts.items():
        subjects = np.concatenate([each.subjects for each in found])
        results = np.concatenate([each.results for each in found])
        order = np.lexsort((results, subjects))
        last = np.flatnonzero(np.concatenate((subjects[order][1:] != subjects[order][:-1], [True])))
        worst[key] = subjects[order][last], results[order][last]
    return worst


def _differences(key: tuple[int, str], before: _Worst, after: _Worst) -> Iterator[Difference]:
    subjects = np.union1d(before[0], after[0])
    was, now = _spread(subjects, before), _spread(subjects, after)
    for place in np.flatnonzero(was != now).tolist():
        yield Difference(key[0], Subject(key[1]), int(subjects[place]), _result(was[place]), _result(now[place]))


def _spread(subjects: Numbers, worst: _Worst) -> NDArray[np.int8]:
    results = np.zeros(len(subjects), dtype=np.int8)
    results[np.searchsorted(subjects, worst[0])] = worst[1]
    return results


def _result(number: np.int8) -> Result | None:
    return Result(int(number)) if number else None
