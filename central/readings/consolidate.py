"""Consolidation: blocks of batches that nobody has consolidated yet become versions of day profiles.

A day is open while it is not over, or incomplete and before its deadline; version 1 is made when it is complete or at
the deadline; later blocks make a new version only when the content differs. Everything is set-based: a fixed number of
queries per transaction, whatever the number of channels and days.

Many processes may do this at once. Each works on one snapshot (REPEATABLE READ); whoever is second to write a version
of the same day fails on the primary key and starts over with a new snapshot, this time alone. The process that takes
the last committed batch of a day sees all blocks of that day, so the newest version is always made from everything.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import structlog
from psycopg import errors
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from central.platform.arrays import date_array, int_array
from central.readings.assemble import Assembled, Days, assemble, day_keys
from central.readings.calendar import Ints, date_of, number_of, to_ms
from central.readings.closing import closed_days
from central.readings.digest import day_digest
from central.readings.edits.overlay import overlay_edits
from central.readings.late_mappings import finish_late_mappings, take_late_mappings
from central.readings.open_days import forget, remember, remember_running, take_due
from central.readings.rows import ProfileWriter, read_blocks
from central.readings.taken import take_batches
from central.readings.touched import days_of, join_days, join_mappings, mappings_of, spans_of, touched_days
from central.readings.vee.evidence_rules import NAMES as EVIDENCE_RULES
from central.readings.vee.evidence_rules import judge_evidence
from central.readings.vee.findings import store
from central.readings.vee.work import enqueue_days, enqueue_states
from shared.clock import Clock
from shared.metering_day import PRAGUE

BATCHES = 1_000
OPEN_DAYS = 20_000
DEADLINE = time(10, 0)
MADE_BY = "consolidation"
_TRIES = 4
# LOCK TABLE is the one statement that waits before the snapshot is taken. Passes run beside one another; one that
# collided waits for those that run and holds off those that come. Readers are not in the way of either.
_TOGETHER = text("LOCK TABLE open_day IN ROW EXCLUSIVE MODE")
_ALONE = text("LOCK TABLE open_day IN EXCLUSIVE MODE")
_COLLISIONS = (errors.UniqueViolation, errors.SerializationFailure, errors.DeadlockDetected)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What one pass did."""

    batches: int = 0
    mappings: int = 0
    """New mappings whose earlier blocks were looked for."""
    versions: int = 0
    corrections: int = 0
    """Versions above 1."""
    unchanged: int = 0
    open: int = 0
    values: int = 0
    misaligned: int = 0
    overflowed: int = 0

    @property
    def worked(self) -> bool:
        """Whether there was anything to do; if so, ask again."""
        return bool(self.batches or self.mappings or self.versions or self.unchanged)


def consolidate_once(
    engine: Engine, clock: Clock, *, batches: int = BATCHES, open_days: int = OPEN_DAYS, deadline: time = DEADLINE
) -> Report:
    """Take up to `batches` unconsolidated batches and `open_days` days that have come due, in one transaction.

    Fewer batches when they touch many days, so that the memory of a pass is bounded.

    `deadline` is the local time on the day after a metering day. Collisions with other processes are tried again.
    """
    for attempt in range(_TRIES):
        try:
            with (
                engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
                connection.begin(),
            ):
                connection.execute(_ALONE if attempt else _TOGETHER)
                return _consolidate(connection, clock.now(), batches, open_days, deadline)
        except DBAPIError as error:
            if not isinstance(error.orig, _COLLISIONS) or attempt == _TRIES - 1:
                raise
        except _COLLISIONS:  # raised by COPY, which goes past SQLAlchemy
            if attempt == _TRIES - 1:
                raise
        _log.info("consolidation met another process", attempt=attempt + 1)
    raise AssertionError("unreachable: the last attempt returns or raises")


def _consolidate(connection: Connection, now: datetime, batch_limit: int, day_limit: int, deadline: time) -> Report:
    taken = take_batches(connection, batch_limit)
    due = take_due(connection, now, day_limit)
    late = take_late_mappings(connection)
    if not taken.ids and not len(due[0]) and not late.ids:
        return Report()
    spans = taken.spans
    mappings = join_mappings(
        mappings_of(connection, evidence=np.union1d(spans.evidence, late.spans.evidence).tolist()),
        mappings_of(connection, channels=np.unique(due[0]).tolist()),
    )
    due_days = days_of(*due, mappings)
    unfed = ~np.isin(day_keys(*due), due_days.keys)
    forget(connection, due[0][unfed], due[1][unfed])  # nothing feeds these channels any more
    late_days = touched_days(late.spans, mappings)
    days = join_days([touched_days(spans, mappings), due_days, late_days])
    over = days.start_ms + days.length * days.step_ms <= to_ms(now)
    remember_running(connection, days.take(~over))
    over_days = days.take(over)
    fresh = np.array(taken.ids, np.int64)
    whole = assemble(over_days, read_blocks(connection, spans_of(over_days, mappings)), mappings, fresh)
    # What a person entered lies over what was delivered and under what is estimated.
    overlay_edits(connection, whole, now)
    known = (whole.missing < over_days.length) & np.isin(over_days.keys, late_days.keys)
    revoked_days = touched_days(taken.revoked, mappings)
    wanted = whole.fresh | known | np.isin(over_days.keys, np.union1d(due_days.keys, revoked_days.keys))
    report = _make_versions(connection, whole, np.flatnonzero(wanted), now, deadline)
    enqueue_states(connection, spans)
    finish_late_mappings(connection, late, now)
    if taken.ids:
        connection.execute(
            text("UPDATE batch SET consolidated_at = :now WHERE id = ANY(:ids)"), {"now": now, "ids": taken.ids}
        )
    if whole.misaligned or whole.overflowed:
        _log.warning("values left out of profiles", misaligned=whole.misaligned, overflowed=whole.overflowed)
    return Report(len(taken.ids), len(late.ids), *report, whole.misaligned, whole.overflowed)


def _make_versions(
    connection: Connection, whole: Assembled, rows: Ints, now: datetime, deadline: time
) -> tuple[int, int, int, int, int]:
    """Decide the days at these places: a first version, a new version, unchanged, or still open.

    Returns numbers of versions, of those above 1, of unchanged and open days, and of values in the new versions.
    """
    days = whole.days
    closes_at = {number: _deadline(number, deadline) for number in np.unique(days.number[rows]).tolist()}
    stored = _newest(connection, days.take(rows))
    late = dict(zip(rows.tolist(), closed_days(connection, days.take(rows)).tolist(), strict=True))
    used, keys = whole.batches(), days.keys
    ranked = np.maximum.reduceat(whole.quality, whole.offset[:-1]) > 0 if len(days) else np.zeros(0, np.bool_)
    writer = ProfileWriter(now, MADE_BY)
    closed, made, corrections, unchanged, values = [], [], 0, 0, 0
    still_open: list[tuple[int, date, datetime]] = []
    for row in rows.tolist():
        channel, number = int(days.channel[row]), int(days.number[row])
        missing = int(whole.missing[row])
        version, digest = stored.get(int(keys[row]), (0, b""))
        if missing and not version and now < closes_at[number]:
            still_open.append((channel, date_of(number), closes_at[number]))
            continue
        closed.append(row)
        part = slice(int(whole.offset[row]), int(whole.offset[row + 1]))
        content = whole.values[part]
        quality = whole.quality[part] if ranked[row] else None
        method = None if whole.method is None else whole.method[part]
        if method is not None and not method.any():
            method = None
        step = int(days.step_ms[row])
        new = day_digest(channel, number, step, content, quality, method)
        if new == digest:
            unchanged += 1
            continue
        corrections += version > 0
        values += len(content) - missing
        made.append(row)
        writer.add(
            channel, number, version + 1, step, content, quality, method, missing, used[row], new, late=late[row]
        )
    writer.write(connection)
    written = days.take(np.array(made, np.int64))
    enqueue_days(connection, written.channel, written.number, MADE_BY)
    judged = np.array(closed, np.int64)
    done = days.take(judged)
    store(connection, judge_evidence(whole, judged), done.channel, done.number, EVIDENCE_RULES, now)
    forget(connection, done.channel, done.number)
    remember(connection, still_open)
    return writer.count, corrections, unchanged, len(still_open), values


def _deadline(number: int, deadline: time) -> datetime:
    return datetime.combine(date_of(number) + timedelta(days=1), deadline, PRAGUE)


def _newest(connection: Connection, days: Days) -> dict[int, tuple[int, bytes]]:
    """Version and base digest of the newest versions, by key: an estimate over the same base is no new content."""
    if not len(days):
        return {}
    rows = connection.execute(
        text("""
            -- one look into the index a day; as a join, many days of a large table are hashed whole
            SELECT wanted.channel, wanted.day, p.version, p.digest
            FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[])) AS wanted (channel, day)
            CROSS JOIN LATERAL (
                SELECT p.version, coalesce(p.base_digest, p.digest) AS digest
                FROM day_profile p
                WHERE p.channel = wanted.channel AND p.day = wanted.day AND p.day BETWEEN :first AND :last
                ORDER BY p.version DESC LIMIT 1
            ) p
        """),
        {
            "channels": int_array(days.channel),
            "days": date_array(days.number),
            "first": date_of(int(days.number.min())),
            "last": date_of(int(days.number.max())),
        },
    ).all()
    channels = np.array([row.channel for row in rows], np.int64)
    keys = day_keys(channels, np.array([number_of(row.day) for row in rows], np.int64))
    return {key: (row.version, bytes(row.digest)) for key, row in zip(keys.tolist(), rows, strict=True)}
