"""Sources and their runs: put, find, ask for a run; what is due by schedule, and what became of a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as insert_or

from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.external.breaker import Breaker, State
from central.platform.external.tables import external_fetch, external_run, external_source, external_taking
from central.platform.identity import Person
from shared.metering_day import PRAGUE

SCHEDULE: Final = "schedule"
MOST_WAITING: Final = 100
"""Runs that may wait for one source."""
MOST_ATTEMPTS: Final = 12
LONGEST_WAIT: Final = timedelta(hours=1)


_LEFT = text("""
    SELECT string_agg(t.error, ' ' ORDER BY f.id) FROM external_fetch f JOIN external_taking t ON t.fetch_id = f.id
    WHERE f.run = :run AND t.outcome = 'taken'
""")


@dataclass(frozen=True, slots=True)
class Schedule:
    """Every so many minutes, or daily at a local time; neither: only when a person asks."""

    every_minutes: int | None = None
    daily_at: time | None = None

    def next(self, last: datetime | None, now: datetime) -> datetime | None:
        """When the next run is due after the one of `last`; never run: now."""
        if self.every_minutes is None and self.daily_at is None:
            return None
        if last is None or last > now:  # a clock that was set back does not stop the runs
            return now
        if self.every_minutes is not None:
            return last + timedelta(minutes=self.every_minutes)
        day = last.astimezone(PRAGUE).date()
        at = datetime.combine(day, self.daily_at or time(), PRAGUE)
        if at <= last:
            at = datetime.combine(day + timedelta(days=1), self.daily_at or time(), PRAGUE)
        return at.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Source:
    """A source as an operator sets it up."""

    code: str
    adapter: str
    name: str
    addresses: tuple[str, ...]
    settings: Mapping[str, Any]
    schedule: Schedule
    active: bool


def wait_after(attempts: int) -> timedelta:
    """How long a run waits after so many failed attempts: a minute, doubling up to an hour."""
    return min(timedelta(minutes=1 << min(max(attempts - 1, 0), 10)), LONGEST_WAIT)


def put_source(connection: Connection, source: Source, person: Person, reason: str, at: datetime) -> None:
    """A new source, or other settings of one; its adapter stays what it is (Refused). The breaker is left alone."""
    before = connection.execute(
        select(external_source).where(external_source.c.code == source.code).with_for_update()
    ).mappings().one_or_none()  # fmt: skip
    if before is not None and before["adapter"] != source.adapter:
        raise Refused(
            "other_adapter",
            f"The source {source.code} is read by {before['adapter']}, not {source.adapter}: make another source.",
        )
    values = {
        "name": source.name,
        "addresses": list(source.addresses),
        "settings": dict(source.settings),
        "every_minutes": source.schedule.every_minutes,
        "daily_at": source.schedule.daily_at,
        "active": source.active,
        "changed_at": at,
        "changed_by": person.name,
    }
    new = {"code": source.code, "adapter": source.adapter, "breaker": State.CLOSED.value, "failures": 0}
    connection.execute(
        insert_or(external_source).values(**new, **values).on_conflict_do_update(index_elements=["code"], set_=values)
    )
    shown = ("name", "addresses", "settings", "every_minutes", "daily_at", "active")
    audit.record(
        connection,
        person,
        "external_source.put",
        f"external_source/{source.code}",
        {"adapter": source.adapter},
        at,
        before=None if before is None else {name: _told(before[name]) for name in shown},
        after={name: _told(values[name]) for name in shown},
        why=reason,
    )


def _told(value: Any) -> Any:
    return value.isoformat() if isinstance(value, time) else value


def require_source(connection: Connection, code: str) -> RowMapping:
    """A source by its code; NotFound."""
    found = connection.execute(select(external_source).where(external_source.c.code == code)).mappings().one_or_none()
    if found is None:
        raise NotFound(
            "external_source_not_found", f"There is no external source {code}; see GET /v1/external/sources."
        )
    return found


def breaker_of(row: RowMapping) -> Breaker:
    """The breaker that a source's row holds."""
    return Breaker(State(row["breaker"]), row["failures"], row["opened_at"])


def ask_run(
    connection: Connection, code: str, parameters: Mapping[str, Any], person: Person, reason: str, at: datetime
) -> int:
    """Put a run into the queue and give its id; nothing is fetched here. Refused for one that is not active."""
    source = require_source(connection, code)
    if not source["active"]:
        raise Refused("source_inactive", f"The source {code} is not active; set it active first.")
    waiting = select(func.count()).where(external_run.c.source == code, external_run.c.state == "waiting")
    if connection.execute(waiting).scalar_one() >= MOST_WAITING:
        raise Refused("too_many_runs", f"{MOST_WAITING} runs of {code} wait already; ask again when they are done.")
    run = _open(connection, code, parameters, person.name, reason, at, scheduled=False)
    details = {"run": run, "parameters": dict(parameters)}
    audit.record(connection, person, "external_run.ask", f"external_source/{code}", details, at, why=reason)
    return run


def _open(
    connection: Connection,
    code: str,
    parameters: Mapping[str, Any],
    person: str,
    reason: str,
    at: datetime,
    *,
    scheduled: bool,
) -> int:
    values = {
        "source": code,
        "parameters": dict(parameters),
        "scheduled": scheduled,
        "state": "waiting",
        "attempts": 0,
        "not_before": at,
        "asked_at": at,
        "asked_by": person,
        "reason": reason,
    }
    return int(connection.execute(insert(external_run).values(**values).returning(external_run.c.id)).scalar_one())


def open_due(connection: Connection, now: datetime) -> list[int]:
    """Open the runs that are due by schedule, of sources of which none waits; their ids."""
    rows = connection.execute(text("""
        SELECT s.* FROM external_source s
        WHERE s.active AND NOT EXISTS (
            SELECT FROM external_run r WHERE r.source = s.code AND r.scheduled AND r.state = 'waiting')
        ORDER BY s.code FOR UPDATE
    """)).mappings()  # fmt: skip
    opened = []
    for row in rows.all():
        due = Schedule(row["every_minutes"], row["daily_at"]).next(row["scheduled_at"], now)
        if due is not None and due <= now:
            opened.append(_open(connection, row["code"], {}, SCHEDULE, "by schedule", now, scheduled=True))
            chosen = update(external_source).where(external_source.c.code == row["code"])
            connection.execute(chosen.values(scheduled_at=now))
    return opened


def waiting_runs(connection: Connection, now: datetime) -> Sequence[RowMapping]:
    """Runs of active sources that may be tried now, the oldest first."""
    query = (
        select(external_run)
        .join(external_source, external_source.c.code == external_run.c.source)
        .where(external_run.c.state == "waiting", external_run.c.not_before <= now, external_source.c.active)
        .order_by(external_run.c.id)
        .limit(1_000)
    )
    return connection.execute(query).mappings().all()


def end_run(connection: Connection, run: RowMapping, now: datetime) -> None:
    """All parts of a run were taken: it is done, and its source's breaker closed. What was left out stays said."""
    left = connection.execute(_LEFT, {"run": run["id"]}).scalar()
    connection.execute(
        update(external_run)
        .where(external_run.c.id == run["id"])
        .values(state="done", attempts=run["attempts"] + 1, ended_at=now, error=left)
    )
    _move(connection, run["source"], lambda breaker: breaker.succeeded(), {"succeeded_at": now, "error": left})


def refuse_run(connection: Connection, run: RowMapping, error: str, now: datetime) -> None:
    """What came is well and cannot be stored, which another attempt does not mend: the run ends, the breaker stays."""
    connection.execute(
        update(external_run)
        .where(external_run.c.id == run["id"])
        .values(state="failed", attempts=run["attempts"] + 1, ended_at=now, error=error)
    )
    _move(connection, run["source"], lambda breaker: breaker.succeeded(), {"failed_at": now, "error": error})


def fail_run(connection: Connection, run: RowMapping, error: str, now: datetime) -> None:
    """A part could not be had: the run is tried again later, at most so many times, and the breaker counts it."""
    attempts = run["attempts"] + 1
    values: dict[str, Any] = {"attempts": attempts, "error": error, "not_before": now + wait_after(attempts)}
    if attempts >= MOST_ATTEMPTS:
        values |= {"state": "failed", "ended_at": now}
    connection.execute(update(external_run).where(external_run.c.id == run["id"]).values(**values))
    _move(connection, run["source"], lambda breaker: breaker.failed(now), {"failed_at": now, "error": error})


def admit(connection: Connection, code: str, now: datetime) -> bool:
    """Whether the breaker lets a run through now; one whose pause is over becomes half open."""
    row = require_source(connection, code)
    if not breaker_of(row).admits(now):
        return False
    _move(connection, code, lambda breaker: breaker.look(now), {})
    return True


def _move(connection: Connection, code: str, how: Callable[[Breaker], Breaker], also: Mapping[str, Any]) -> None:
    query = select(external_source).where(external_source.c.code == code).with_for_update()
    breaker = how(breaker_of(connection.execute(query).mappings().one()))
    connection.execute(
        update(external_source)
        .where(external_source.c.code == code)
        .values(breaker=breaker.state.value, failures=breaker.failures, opened_at=breaker.opened_at, **also)
    )


def find_sources(connection: Connection) -> Sequence[RowMapping]:
    """All sources by code, with how many runs wait and when the first of them may be tried."""
    return connection.execute(text("""
        SELECT s.*, w.waiting, w.first AS waiting_since FROM external_source s
        CROSS JOIN LATERAL (
            SELECT count(*) AS waiting, min(not_before) AS first FROM external_run r
            WHERE r.source = s.code AND r.state = 'waiting'
        ) w ORDER BY s.code
    """)).mappings().all()  # fmt: skip


def next_run(row: RowMapping, now: datetime) -> datetime | None:
    """When a source of `find_sources` is asked next; None: not by itself."""
    if not row["active"]:
        return None
    scheduled = Schedule(row["every_minutes"], row["daily_at"]).next(row["scheduled_at"], now)
    planned = [at for at in (row["waiting_since"], scheduled) if at is not None]
    if not planned:
        return None
    reopens = breaker_of(row).reopens_at()
    return min(planned) if reopens is None else max(min(planned), reopens)


def find_runs(connection: Connection, code: str, limit: int) -> Sequence[RowMapping]:
    """The runs of a source, the latest first."""
    query = select(external_run).where(external_run.c.source == code).order_by(external_run.c.id.desc()).limit(limit)
    return connection.execute(query).mappings().all()


def find_fetches(connection: Connection, code: str, limit: int) -> Sequence[RowMapping]:
    """The attempts to fetch from a source and what was made of them, the latest first."""
    taking = external_taking
    query = (
        select(
            external_fetch,
            taking.c.outcome,
            taking.c.records,
            taking.c.added,
            taking.c.changed,
            taking.c.error.label("reading_error"),
        )
        .outerjoin(taking, taking.c.fetch_id == external_fetch.c.id)
        .where(external_fetch.c.source == code)
        .order_by(external_fetch.c.id.desc())
        .limit(limit)
    )
    return connection.execute(query).mappings().all()
