"""Versions of virtual meters' days: made when a version of an input is, from the newest of all inputs.

Work is taken under the lock of the formulas, so one process computes at a time. All virtual meters above what changed
are computed in one pass in the order of their needs; a version is made only where the content differs.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Engine, text

from central.readings.assemble import Days
from central.readings.calendar import number_of, to_ms
from central.readings.closing import closed_days
from central.readings.digest import day_digest
from central.readings.formulas.compute import Evaluated, compute
from central.readings.formulas.store import above, lock
from central.readings.method import Method
from central.readings.node_balance import parents_of
from central.readings.rows import ProfileWriter, driver
from central.readings.vee.work import enqueue
from shared.clock import Clock
from shared.metering_day import PRAGUE
from shared.quantities import MISSING_VALUE

MADE_BY = "formula"
ROWS = 2_000
"""Rows of the work list taken at a time."""
RUN = 31
"""Days computed at once."""

_TAKE = text("""
    DELETE FROM formula_work
    WHERE id IN (SELECT id FROM formula_work WHERE due <= :now ORDER BY id LIMIT :rows FOR UPDATE SKIP LOCKED)
    RETURNING day, channels
""")
_COMMODITIES = text("SELECT id, commodity FROM channel WHERE id = ANY(:channels)")
_NEWEST = text("""
    SELECT DISTINCT ON (channel, day) channel, day, version, digest FROM day_profile
    WHERE channel = ANY(:channels) AND day >= :first AND day < :end
    ORDER BY channel, day, version DESC
""")


@dataclass(frozen=True, slots=True)
class Computed:
    """What one pass did."""

    work: int = 0
    days: int = 0
    """Days of virtual meters that were computed."""
    versions: int = 0
    waiting: int = 0
    """Days that wait for an input until their deadline."""


def compute_once(engine: Engine, clock: Clock, *, deadline: time, rows: int = ROWS) -> Computed:
    """Take due work and make versions, in one transaction. `deadline` is the local time on the day after a metering
    day: until then a day waits for inputs that have no version."""
    with engine.begin() as connection:
        lock(connection)
        now = clock.now()
        taken: dict[date, set[int]] = defaultdict(set)
        work = connection.execute(_TAKE, {"now": now, "rows": rows}).all()
        for row in work:
            taken[row.day].update(row.channels)
        total = Computed(len(work))
        for run in _runs(sorted(taken)):
            total = _compute_run(connection, {day: taken[day] for day in run}, now, deadline, total)
        return total


def _runs(days: list[date]) -> list[list[date]]:
    """Consecutive days together, at most RUN."""
    runs: list[list[date]] = []
    for day in days:
        if runs and len(runs[-1]) < RUN and day == runs[-1][-1] + timedelta(days=1):
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def _compute_run(
    connection: Connection, changed: dict[date, set[int]], now: datetime, deadline: time, total: Computed
) -> Computed:
    first, end = min(changed), max(changed) + timedelta(days=1)
    moved = set().union(*changed.values())
    wanted = above(connection, moved, first, end)
    # The validation looks at a node when a version of its own is made; its balance moves with its children, too.
    parents = parents_of(connection, moved | set(wanted), first, end)
    enqueue(connection, parents, first, max(changed), "balance")
    by_commodity: dict[str, list[int]] = defaultdict(list)
    for row in connection.execute(_COMMODITIES, {"channels": wanted}):
        by_commodity[row.commodity].append(row.id)
    for channels in by_commodity.values():
        computed = compute(connection, channels, first, end, open_days=False)
        made, waiting = _store(connection, computed, channels, now, deadline)
        count = total.days + len(channels) * len(changed)
        total = Computed(total.work, count, total.versions + made, total.waiting + waiting)
    return total


def _store(
    connection: Connection, computed: Evaluated, channels: list[int], now: datetime, deadline: time
) -> tuple[int, int]:
    """Write the versions that are new; returns their number, and that of the days that wait."""
    profiles = computed.profiles
    first, end = profiles.days[0].date, profiles.days[-1].next.date
    stored = {
        (row.channel, row.day): (row.version, bytes(row.digest))
        for row in connection.execute(_NEWEST, {"channels": channels, "first": first, "end": end})
    }
    writer = ProfileWriter(now, MADE_BY, followed=False)
    sources: list[tuple[int, date, int, int, list[int], list[int]]] = []
    waiting: dict[date, list[int]] = defaultdict(list)
    known, complete = _known(computed)
    row_of = {channel: row for row, channel in enumerate(profiles.channels)}
    versions = profiles.versions.copy()
    for (channel, day), (version, _) in stored.items():
        versions[row_of[channel], (day - first).days] = version
    late = _late(connection, computed, channels)
    for place, metering_day in enumerate(profiles.days):
        day, part = metering_day.date, slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        if metering_day.end > now:
            continue
        closes = datetime.combine(day + timedelta(days=1), deadline, PRAGUE)
        holding = [each for each in computed.formulas if each.first <= day < each.end and each.channel in late]
        ended = [channel for channel in channels if (channel, day) in stored]
        for channel in sorted({*(each.channel for each in holding), *ended}):
            row = row_of[channel]
            old, digest = stored.get((channel, day), (0, b""))
            if not known[row, place] and not old:
                continue
            if not complete[row, place] and not old and now < closes:
                waiting[day].append(channel)
                continue
            values, quality = profiles.values[row, part], profiles.quality[row, part]
            missing = values == MISSING_VALUE
            method = np.where(missing, Method.NONE, Method.FORMULA).astype(np.int16)
            kept: NDArray[np.int16] | None = quality if quality.any() else None
            step_ms = int(metering_day.step.total_seconds() * 1000)
            new = day_digest(channel, number_of(day), step_ms, values, kept, method)
            if new == digest:
                continue
            versions[row, place] = old + 1
            writer.add(
                channel, number_of(day), old + 1, step_ms, values, kept, method if method.any() else None,
                int(missing.sum()), np.empty(0, np.int64), new, late=bool(late[channel][place]),
            )  # fmt: skip
    for place, metering_day in enumerate(profiles.days):
        for each in computed.formulas:
            row = row_of[each.channel]
            old = stored.get((each.channel, metering_day.date), (0, b""))[0]
            if versions[row, place] > old and each.first <= metering_day.date < each.end:
                used = [number for number in sorted(set(each.inputs.values())) if versions[row_of[number], place]]
                pins = [int(versions[row_of[number], place]) for number in used]
                sources.append((each.channel, metering_day.date, int(versions[row, place]), each.id, used, pins))
    writer.write(connection)
    _write_sources(connection, sources)
    _wait(connection, waiting, deadline)
    return writer.count, sum(len(each) for each in waiting.values())


def _known(computed: Evaluated) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """By channel and day: whether any input down to the registers has a version, and whether all have."""
    profiles = computed.profiles
    row_of = {channel: row for row, channel in enumerate(profiles.channels)}
    some, every = profiles.versions > 0, profiles.versions > 0
    depth = {each.channel for each in computed.formulas}
    # As many rounds as the longest chain; each round is a pass over the formulas.
    for _ in range(len(depth)):
        before = some.copy(), every.copy()
        for each in computed.formulas:
            rows = [row_of[used] for used in each.inputs.values()]
            days = np.array([each.first <= day.date < each.end for day in profiles.days])
            row = row_of[each.channel]
            some[row] = np.where(days, some[rows].any(axis=0) if rows else True, some[row])
            every[row] = np.where(days, every[rows].all(axis=0), every[row])
        if (before[0] == some).all() and (before[1] == every).all():
            break
    return some, every


def _late(connection: Connection, computed: Evaluated, channels: list[int]) -> dict[int, NDArray[np.bool_]]:
    """By channel, which days are closed."""
    days, count = computed.profiles.days, len(computed.profiles.days)
    ordered = sorted(channels)
    numbers = np.tile(np.array([number_of(day.date) for day in days], np.int64), len(ordered))
    starts = np.tile(np.array([to_ms(day.start) for day in days], np.int64), len(ordered))
    lengths = np.tile(np.array([day.length for day in days], np.int64), len(ordered))
    asked = Days(np.repeat(np.array(ordered, np.int64), count), numbers, starts, lengths, lengths)
    closed = closed_days(connection, asked).reshape(len(ordered), count)
    return dict(zip(ordered, closed, strict=True))


def _write_sources(connection: Connection, sources: list[tuple[int, date, int, int, list[int], list[int]]]) -> None:
    query = "COPY formula_source (channel, day, version, formula, inputs, versions) FROM STDIN"
    with driver(connection).cursor() as cursor, cursor.copy(query) as copy:
        for source in sources:
            copy.write_row(source)


def _wait(connection: Connection, waiting: dict[date, list[int]], deadline: time) -> None:
    rows = [
        {"day": day, "channels": channels, "due": datetime.combine(day + timedelta(days=1), deadline, PRAGUE)}
        for day, channels in waiting.items()
    ]
    if rows:
        connection.execute(
            text("INSERT INTO formula_work (day, channels, due) VALUES (:day, CAST(:channels AS integer[]), :due)"),
            rows,
        )
