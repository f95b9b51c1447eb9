"""Look for causes of service cases: silence, events of meters, findings, expiries; open, propose work, close again.

One statement a rule: all present causes are merged into the open cases, what is not a cause any more is closed. One
open case per cause, whatever process looks and how often.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from central.network.maintenance.activities import make_due_orders
from central.network.maintenance.cases import close_cases, find_rules
from central.network.maintenance.order_states import OrderState
from central.network.maintenance.work_orders import Work, create_orders
from central.platform.identity import SYSTEM, Person
from shared.metering_day import PRAGUE

GONE: Final = "the cause is gone"
FINDING_DAYS: Final = 30
"""Days back in which findings are counted."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What one look did."""

    opened: int
    closed: int
    orders: int


# The last thing that each register of a meter in use delivered. A meter behind a concentrator that is away, or in an
# outage, has another cause than itself; one of an import source is as silent as the source's files are far apart.
_LOST_METER = """
    SELECT 'lost_meter/' || m.id AS cause, m.id AS meter, m.concentrator, last.heard AS since,
           jsonb_build_object('hours', :hours, 'last', last.heard) AS evidence
    FROM meter m
    JOIN LATERAL (
        SELECT max(greatest(lower(cm.valid),
            (SELECT b.start + b.step * cardinality(b."values") * interval '1 millisecond' FROM block b
             WHERE b.evidence_channel = e.id
               AND NOT EXISTS (SELECT FROM batch f WHERE f.id = b.batch_id AND f.revoked_at IS NOT NULL)
             ORDER BY b.start DESC LIMIT 1),
            (SELECT r.at FROM register_reading r
             WHERE r.evidence_channel = e.id
               AND NOT EXISTS (SELECT FROM batch f WHERE f.id = r.batch_id AND f.revoked_at IS NOT NULL)
             ORDER BY r.at DESC LIMIT 1)
        )) AS heard
        FROM evidence_channel e
        JOIN channel_mapping cm ON cm.evidence_channel = e.id AND cm.valid @> CAST(:now AS timestamptz)
        WHERE e.device = m.id
    ) last ON last.heard < CAST(:now AS timestamptz) - :hours * interval '1 hour'
    WHERE NOT EXISTS (SELECT FROM concentrator_state s WHERE s.concentrator = m.concentrator AND NOT s.online)
      AND NOT EXISTS (SELECT FROM import_source i WHERE i.code = m.concentrator)
      AND NOT EXISTS (
          SELECT FROM mounting o
          JOIN outage_point p ON p.measuring_point = o.measuring_point
          JOIN outage u ON u.id = p.outage AND u.valid @> CAST(:now AS timestamptz) AND u.cancelled_at IS NULL
          WHERE o.meter = m.id AND o.valid @> CAST(:now AS timestamptz))
"""
_LOST_CONCENTRATOR = """
    SELECT 'lost_concentrator/' || s.concentrator AS cause, CAST(NULL AS text) AS meter, s.concentrator,
           s.heard_at AS since, jsonb_build_object('hours', :hours, 'last', s.heard_at) AS evidence
    FROM concentrator_state s
    WHERE NOT s.online AND s.heard_at < CAST(:now AS timestamptz) - :hours * interval '1 hour'
"""
# Events after the last case of the same cause was closed; rows of an event log, or events of the agent.
_METER_EVENT = """
    SELECT 'meter_event/' || m.id || '/' || coalesce(v.data ->> 'log', v.kind) AS cause, m.id AS meter, m.concentrator,
           min(v.at) AS since,
           jsonb_build_object('count', count(*), 'last', max(v.at), 'codes',
               (jsonb_agg(DISTINCT v.data -> 'code'))) AS evidence
    FROM edge_event v
    JOIN meter m ON m.id = v.device AND m.concentrator = v.edge
    WHERE v.at > CAST(:now AS timestamptz) - :days * interval '1 day'
      AND (v.kind = ANY(CAST(:events AS text[]))
           OR v.kind = 'meter-event' AND v.data ->> 'log' = ANY(CAST(:logs AS text[])))
      AND NOT EXISTS (
          SELECT FROM service_case c
          WHERE c.cause = 'meter_event/' || m.id || '/' || coalesce(v.data ->> 'log', v.kind)
            AND c.state = 'closed' AND c.closed_at >= v.received_at)
    GROUP BY m.id, m.concentrator, coalesce(v.data ->> 'log', v.kind)
"""
_FINDING = """
    SELECT 'finding/' || e.device || '/' || f.rule AS cause, e.device AS meter, e.concentrator,
           min(f.found_at) AS since,
           jsonb_build_object('rule', f.rule, 'days', count(DISTINCT f.day), 'first', min(f.day), 'last', max(f.day),
               'channels', jsonb_agg(DISTINCT f.channel)) AS evidence
    FROM finding f
    JOIN channel_mapping m ON m.channel = f.channel AND m.valid @> CAST(:now AS timestamptz)
    JOIN evidence_channel e ON e.id = m.evidence_channel
    WHERE f.state IN ('open', 'confirmed') AND f.severity >= :severity
      AND f.day > CAST(:today AS date) - CAST(:finding_days AS integer)
    GROUP BY e.device, e.concentrator, f.rule
    HAVING count(DISTINCT f.day) >= :days
"""
_EXPIRY = """
    SELECT 'expiry/' || v.meter AS cause, v.meter, m.concentrator,
           CAST(v.until - CAST(:days AS integer) AS timestamp) AT TIME ZONE 'Europe/Prague' AS since,
           jsonb_build_object('until', v.until, 'kind', v.kind, 'verified_on', v.verified_on) AS evidence
    FROM (
        SELECT DISTINCT ON (meter) meter, kind, verified_on, until
        FROM meter_verification ORDER BY meter, verified_on DESC
    ) v
    JOIN meter m ON m.id = v.meter
    WHERE v.until < CAST(:today AS date) + CAST(:days AS integer)
      AND EXISTS (SELECT FROM mounting o WHERE o.meter = v.meter AND o.valid @> CAST(:now AS timestamptz))
"""
CAUSES: Final = {
    "lost_meter": _LOST_METER,
    "lost_concentrator": _LOST_CONCENTRATOR,
    "meter_event": _METER_EVENT,
    "finding": _FINDING,
    "expiry": _EXPIRY,
}

_MERGE = """
    WITH causes AS ({causes})
    INSERT INTO service_case (kind, cause, state, severity, meter, concentrator, measuring_point, since, opened_at,
                              seen_at, evidence)
    SELECT :kind, c.cause, 'open', :severity_of_rule, c.meter, c.concentrator, hanging.measuring_point, c.since, :now,
           :now, c.evidence
    FROM causes c
    LEFT JOIN LATERAL (
        SELECT min(o.measuring_point) AS measuring_point FROM mounting o
        WHERE o.meter = c.meter AND o.valid @> CAST(:now AS timestamptz)
    ) hanging ON true
    ORDER BY c.cause
    ON CONFLICT (cause) WHERE state <> 'closed'
    DO UPDATE SET seen_at = excluded.seen_at, evidence = excluded.evidence, severity = excluded.severity
    RETURNING id, (xmax = 0) AS opened
"""
_NOT_SEEN = text("""
    SELECT id FROM service_case
    WHERE kind = :kind AND state <> 'closed' AND id <> ALL(CAST(:seen AS integer[]))
    ORDER BY id
""")
# What happened at a meter stays a cause until somebody did the work that the case asked for.
_HANDLED = text("""
    SELECT c.id FROM service_case c
    WHERE c.kind = 'meter_event' AND c.state <> 'closed' AND EXISTS (
        SELECT FROM work_order w
        WHERE w.service_case = c.id AND w.state = 'done'
          AND w.finished_at >= CAST(c.evidence ->> 'last' AS timestamptz))
    ORDER BY c.id
""")
# Open cases that no order follows: not those whose last order a person cancelled; a day after work that did not help.
_UNFOLLOWED = text("""
    SELECT c.id, c.kind, c.cause, c.meter, c.concentrator, c.measuring_point, r.name, r.order_kind, r.due_days
    FROM service_case c
    JOIN service_rule r ON r.kind = c.kind AND r.active
    LEFT JOIN LATERAL (
        SELECT state, finished_at FROM work_order w WHERE w.service_case = c.id ORDER BY w.id DESC LIMIT 1
    ) newest ON true
    WHERE c.state = 'open' AND (
        newest.state IS NULL
        OR newest.state IN ('done', 'failed') AND newest.finished_at < CAST(:now AS timestamptz) - interval '1 day')
    ORDER BY c.id
""")
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtext('service_cases'))")


def look(connection: Connection, now: datetime, person: Person = SYSTEM) -> Looked:
    """Merge present causes into the cases, close what is gone, propose orders, make those of periodic activities."""
    connection.execute(_ONE_AT_A_TIME)
    opened = closed = 0
    for rule in find_rules(connection):
        if not rule["active"]:
            continue
        rows = connection.execute(text(_MERGE.format(causes=CAUSES[rule["kind"]])), _parameters(rule, now)).all()
        opened += sum(row.opened for row in rows)
        if rule["kind"] == "meter_event":
            identifiers = connection.execute(_HANDLED).scalars().all()
        else:
            seen = {"kind": rule["kind"], "seen": [row.id for row in rows]}
            identifiers = connection.execute(_NOT_SEEN, seen).scalars().all()
        close_cases(connection, identifiers, GONE, person, now)
        closed += len(identifiers)
    orders = _propose(connection, person, now) + len(make_due_orders(connection, person, now))
    return Looked(opened, closed, orders)


def _parameters(rule: RowMapping, now: datetime) -> dict[str, Any]:
    return {
        **rule["parameters"],
        "kind": rule["kind"],
        "severity_of_rule": rule["severity"],
        "now": now,
        "today": now.astimezone(PRAGUE).date(),
        "finding_days": FINDING_DAYS,
    }


def _propose(connection: Connection, person: Person, now: datetime) -> int:
    today = now.astimezone(PRAGUE).date()
    works = [
        Work(
            kind=row.order_kind,
            title=f"{row.name}: {row.meter or row.concentrator}",
            due=today + timedelta(days=row.due_days),
            measuring_point=row.measuring_point,
            meter=row.meter,
            concentrator=row.concentrator,
            service_case=row.id,
        )
        for row in connection.execute(_UNFOLLOWED, {"now": now})
    ]
    return len(create_orders(connection, works, OrderState.PROPOSED, person, now))
