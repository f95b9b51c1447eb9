"""Retention: rules by table, what a run of housekeeping would drop, and the run itself."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, delete, select, text
from sqlalchemy.dialects.postgresql import insert

from central.ingest.tables import edge_event
from central.platform import audit
from central.platform.errors import BadInput
from central.platform.identity import Person
from central.platform.tables import retention_rule
from central.workflow.housekeeping.plan import Held, Piece, Verdict, judge

TARGETS = ("block", "register_reading", "day_profile", "edge_event")
SHORTEST = 62
"""Days that everything is kept: a month is settled and corrected in them."""
LONGEST = 36_525
EVENTS_AT_ONCE = 100_000
"""Rows of events that one run deletes; the next one goes on."""

_CHUNKS = text("""
    SELECT hypertable_name AS target, chunk_name AS name, range_start AS start, range_end AS end
    FROM timescaledb_information.chunks
    WHERE hypertable_schema = current_schema() AND hypertable_name = ANY(:targets)
""")
_PINNED = text("""
    SELECT DISTINCT lower(i.valid) AS start, upper(i.valid) AS end
    FROM settlement_input i JOIN settlement_run r ON r.id = i.run
    WHERE r.approved_at > :since
      AND (i.approved OR EXISTS (SELECT FROM billing_basis b WHERE b.input = i.id AND b.state = 'invoiced'))
    ORDER BY 1
""")
_UNDONE = text("""
    SELECT least(
        (SELECT min(first_start) FROM batch WHERE consolidated_at IS NULL),
        (SELECT min(day) FROM open_day)::timestamptz,
        (SELECT min(first) FROM vee_work)::timestamptz
    ) AS since, EXISTS (SELECT FROM channel_mapping WHERE consolidated_at IS NULL) AS mappings
""")
# New evidence, mappings and runs wait until the old pieces are gone; readers do not.
_ALONE = text("LOCK TABLE batch, channel_mapping, settlement_input, settlement_run IN SHARE MODE")
_DROP = {
    "block": text("SELECT drop_chunks('block', CAST(:end AS timestamptz), CAST(:start AS timestamptz))"),
    "register_reading": text(
        "SELECT drop_chunks('register_reading', CAST(:end AS timestamptz), CAST(:start AS timestamptz))"
    ),
    "day_profile": text("SELECT drop_chunks('day_profile', CAST(:end AS date), CAST(:start AS date))"),
}


def find_rules(connection: Connection) -> Mapping[str, int | None]:
    """Days that each table is kept; None: for ever, which also holds where nothing was decided."""
    rows = connection.execute(select(retention_rule.c.target, retention_rule.c.keep_days))
    return dict.fromkeys(TARGETS) | {row.target: row.keep_days for row in rows}


def set_rule(
    connection: Connection, target: str, keep_days: int | None, person: Person | str, reason: str, at: datetime
) -> None:
    """Decide how long a table is kept (None: for ever)."""
    if target not in TARGETS:
        raise BadInput("target", f"There is no retention of {target!r}; tables with one are {', '.join(TARGETS)}.")
    if keep_days is not None and not SHORTEST <= keep_days <= LONGEST:
        raise BadInput("keep_days", f"{target} can be kept {SHORTEST} to {LONGEST} days or for ever, not {keep_days}.")
    before = find_rules(connection)[target]
    values = {
        "keep_days": keep_days,
        "changed_at": at,
        "changed_by": person.name if isinstance(person, Person) else person,
        "reason": reason,
    }
    connection.execute(
        insert(retention_rule)
        .values(target=target, **values)
        .on_conflict_do_update(index_elements=["target"], set_=values)
    )
    details = {"before": before, "keep_days": keep_days, "reason": reason}
    audit.record(connection, person, "retention.set", f"retention/{target}", details, at)


def plan(connection: Connection, now: datetime, pinned_years: int) -> list[Verdict]:
    """What a run would drop and what it would keep although it is old; changes nothing."""
    rules = find_rules(connection)
    undone = connection.execute(_UNDONE).one()
    held = Held(_pinned(connection, now, pinned_years), undone.since, undone.mappings)
    return judge(_pieces(connection, rules, now), rules, held, now)


def run(connection: Connection, now: datetime, pinned_years: int, person: Person | str) -> list[Verdict]:
    """Drop what may go, in the caller's transaction, and record it; returns all verdicts."""
    connection.execute(text("SET LOCAL lock_timeout = '10s'"))
    connection.execute(_ALONE)
    verdicts = plan(connection, now, pinned_years)
    for verdict in verdicts:
        piece = verdict.piece
        if not verdict.drop:
            continue
        if piece.target == "edge_event":
            _delete_events(connection, piece.end)
        else:
            connection.execute(_DROP[piece.target], {"start": piece.start, "end": piece.end})
        details = {
            "from": piece.start.isoformat(),
            "to": piece.end.isoformat(),
            "chunk": piece.name,
            "why": verdict.why,
        }
        audit.record(connection, person, "housekeeping.drop", f"retention/{piece.target}", details, now)
    kept = sum(not verdict.drop for verdict in verdicts)
    audit.record(
        connection, person, "housekeeping.run", "retention", {"dropped": len(verdicts) - kept, "kept": kept}, now
    )
    return verdicts


def _pinned(connection: Connection, now: datetime, years: int) -> Sequence[tuple[datetime, datetime]]:
    since = now - timedelta(days=years * 366)
    return [(row.start, row.end) for row in connection.execute(_PINNED, {"since": since})]


def _pieces(connection: Connection, rules: Mapping[str, int | None], now: datetime) -> list[Piece]:
    pieces = [
        Piece(row.target, row.name, row.start, row.end)
        for row in connection.execute(_CHUNKS, {"targets": [target for target in TARGETS if target != "edge_event"]})
    ]
    keep_days = rules["edge_event"]
    if keep_days is not None:
        limit = (now - timedelta(days=keep_days)).astimezone(UTC)
        first = connection.execute(text("SELECT min(at) FROM edge_event WHERE at < :limit"), {"limit": limit}).scalar()
        if first is not None:
            pieces.append(Piece("edge_event", "", first, limit))
    return pieces


def _delete_events(connection: Connection, end: datetime) -> None:
    old = select(edge_event.c.id).where(edge_event.c.at < end).order_by(edge_event.c.id).limit(EVENTS_AT_ONCE)
    connection.execute(delete(edge_event).where(edge_event.c.id.in_(old)))
