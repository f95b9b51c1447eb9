"""Findings in the database: stored by sets after a run of rules, listed, counted, confirmed or overruled."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, func, select, text, update

from central.network.tables import channel
from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.platform.overview import Column, Kind, Overview
from central.readings.calendar import Ints, date_of
from central.readings.vee.rule import Findings
from central.readings.vee_tables import FINDING_STATES, finding
from central.registry.tables import supply_point

_DECIDABLE = ("open", "confirmed", "overruled")

# What is found again keeps its number, its state and who decided it; only one that was gone opens again. Rows that
# would not change are left alone.
_STORE = text("""
    INSERT INTO finding AS f (channel, day, rule, severity, first_index, last_index, measured, allowed, evidence,
                              state, found_at, changed_at)
    SELECT channel, day, rule, severity, first_index, last_index, measured, allowed, evidence::jsonb,
           'open', :now, :now
    FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[]), CAST(:rules AS text[]),
                CAST(:severities AS smallint[]), CAST(:firsts AS smallint[]), CAST(:lasts AS smallint[]),
                CAST(:measured AS float8[]), CAST(:limits AS float8[]), CAST(:evidence AS text[]))
        AS found (channel, day, rule, severity, first_index, last_index, measured, allowed, evidence)
    ORDER BY channel, day, rule
    ON CONFLICT (channel, day, rule) DO UPDATE SET
        severity = EXCLUDED.severity, first_index = EXCLUDED.first_index, last_index = EXCLUDED.last_index,
        measured = EXCLUDED.measured, allowed = EXCLUDED.allowed, evidence = EXCLUDED.evidence,
        changed_at = EXCLUDED.changed_at,
        found_at = CASE f.state WHEN 'gone' THEN EXCLUDED.found_at ELSE f.found_at END,
        decided_by = CASE f.state WHEN 'gone' THEN NULL ELSE f.decided_by END,
        decided_at = CASE f.state WHEN 'gone' THEN NULL ELSE f.decided_at END,
        reason = CASE f.state WHEN 'gone' THEN NULL ELSE f.reason END,
        state = CASE f.state WHEN 'gone' THEN 'open' ELSE f.state END
    WHERE f.state = 'gone'
       OR (f.severity, f.first_index, f.last_index, f.measured, f.allowed, f.evidence)
          IS DISTINCT FROM
          (EXCLUDED.severity, EXCLUDED.first_index, EXCLUDED.last_index, EXCLUDED.measured, EXCLUDED.allowed,
           EXCLUDED.evidence)
""")
_GONE = text("""
    UPDATE finding f SET state = 'gone', changed_at = :now
    FROM unnest(CAST(:channels AS integer[]), CAST(:days AS date[])) AS judged (channel, day)
    WHERE f.channel = judged.channel AND f.day = judged.day AND f.day BETWEEN :first AND :last
      AND f.rule = ANY(:rules) AND f.state IN ('open', 'confirmed')
      AND NOT EXISTS (
          SELECT FROM unnest(CAST(:found_channels AS integer[]), CAST(:found_days AS date[]),
                             CAST(:found_rules AS text[])) AS found (channel, day, rule)
          WHERE found.channel = f.channel AND found.day = f.day AND found.rule = f.rule)
""")
_ANY = text("""
    SELECT DISTINCT channel, day FROM finding
    WHERE channel = ANY(CAST(:channels AS integer[])) AND day BETWEEN :first AND :last
      AND rule = ANY(:rules) AND state IN ('open', 'confirmed')
""")


def store(
    connection: Connection,
    found: Sequence[Findings],
    judged_channels: Ints,
    judged_numbers: Ints,
    rules: Sequence[str],
    now: datetime,
) -> int:
    """Make the findings of these rules on the judged days exactly those that were found; returns how many hold.

    What is found again stays as it is; what no longer holds is gone, unless it was overruled. `judged_channels` and
    `judged_numbers` are pairs.
    """
    columns = _columns(found)
    if columns["channels"]:
        connection.execute(_STORE, {**columns, "now": now})
    if len(judged_channels):
        _close_gone(connection, columns, judged_channels, judged_numbers, rules, now)
    return len(columns["channels"])


def _close_gone(
    connection: Connection,
    columns: Mapping[str, list[Any]],
    judged_channels: Ints,
    judged_numbers: Ints,
    rules: Sequence[str],
    now: datetime,
) -> None:
    span = {
        "first": date_of(int(judged_numbers.min())),
        "last": date_of(int(judged_numbers.max())),
        "rules": list(rules),
    }
    standing = connection.execute(_ANY, {**span, "channels": int_array(np.unique(judged_channels))}).all()
    if not standing:
        return
    judged = set(zip(judged_channels.tolist(), map(date_of, judged_numbers.tolist()), strict=True))
    looked_at = [(row.channel, row.day) for row in standing if (row.channel, row.day) in judged]
    if not looked_at:
        return
    connection.execute(
        _GONE,
        {
            **span,
            "now": now,
            "channels": [pair[0] for pair in looked_at],
            "days": [pair[1] for pair in looked_at],
            "found_channels": columns["channels"],
            "found_days": columns["days"],
            "found_rules": columns["rules"],
        },
    )


def _columns(found: Sequence[Findings]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "channels",
            "days",
            "rules",
            "severities",
            "firsts",
            "lasts",
            "measured",
            "limits",
            "evidence",
        )
    }
    for part in found:
        columns["channels"] += part.channel.tolist()
        columns["days"] += [date_of(number) for number in part.day.tolist()]
        columns["rules"] += [part.rule] * len(part)
        columns["severities"] += part.severity.tolist()
        columns["firsts"] += part.first.tolist()
        columns["lasts"] += part.last.tolist()
        columns["measured"] += _numbers(part.measured)
        columns["limits"] += _numbers(part.limit)
        columns["evidence"] += [json.dumps(document, sort_keys=True) for document in part.evidence]
    return columns


def _numbers(values: Any) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _column(name: str, kind: Kind, choices: tuple[str, ...] = ()) -> Column:
    return Column(name, finding.c[name], kind, choices)


_WITH_POINTS = finding.outerjoin(channel, channel.c.id == finding.c.channel).outerjoin(
    supply_point, supply_point.c.id == channel.c.supply_point
)
FINDINGS = Overview(
    "findings",
    finding,
    finding.c.id,
    (
        _column("id", Kind.INTEGER),
        _column("channel", Kind.INTEGER),
        Column("point", channel.c.point),
        Column("ean", supply_point.c.ean),
        _column("day", Kind.DATE),
        _column("rule", Kind.TEXT),
        _column("severity", Kind.INTEGER),
        _column("first_index", Kind.INTEGER),
        _column("last_index", Kind.INTEGER),
        _column("measured", Kind.DECIMAL),
        _column("allowed", Kind.DECIMAL),
        Column("evidence", finding.c.evidence, sortable=False),
        _column("state", Kind.CHOICE, FINDING_STATES),
        _column("found_at", Kind.INSTANT),
        _column("changed_at", Kind.INSTANT),
        _column("decided_by", Kind.TEXT),
        _column("decided_at", Kind.INSTANT),
        _column("reason", Kind.TEXT),
    ),
    (("day", True),),
    _WITH_POINTS,
)
"""Findings as people list, filter and sort them."""


def count_findings(connection: Connection, first: date, end: date) -> Sequence[Row[Any]]:
    """Numbers of findings by rule, severity and state."""
    table = finding.c
    query = (
        select(table.rule, table.severity, table.state, func.count().label("count"))
        .where(table.day >= first, table.day < end)
        .group_by(table.rule, table.severity, table.state)
        .order_by(table.rule, table.severity, table.state)
    )
    return connection.execute(query).all()


def require_finding(connection: Connection, identifier: int, *, lock: bool = False) -> Row[Any]:
    """The finding as the overview shows it, or NotFound; `lock` holds it until the transaction ends."""
    query = select(*(column.sql.label(column.name) for column in FINDINGS.columns)).select_from(_WITH_POINTS)
    query = query.where(finding.c.id == identifier)
    row = connection.execute(query.with_for_update(of=finding) if lock else query).one_or_none()
    if row is None:
        raise NotFound("finding_not_found", f"There is no finding {identifier}; see GET /v1/findings.")
    return row


def confirm(connection: Connection, identifier: int, person: Person, at: datetime, reason: str | None) -> Row[Any]:
    """A person says that the finding is right; the day's values are to be mended or estimated."""
    return _decide(connection, identifier, "confirmed", person, at, reason)


def overrule(connection: Connection, identifier: int, person: Person, at: datetime, reason: str) -> Row[Any]:
    """A person says, with a reason, that the values are right nevertheless; a re-run does not open it again."""
    if not reason.strip():
        raise BadInput("reason", f"Finding {identifier} is overruled with a reason only; say why the values are right.")
    return _decide(connection, identifier, "overruled", person, at, reason)


def _decide(
    connection: Connection, identifier: int, state: str, person: Person, at: datetime, reason: str | None
) -> Row[Any]:
    row = require_finding(connection, identifier, lock=True)
    if row.state not in _DECIDABLE:
        raise Refused(
            "finding_gone",
            f"Finding {identifier} ({row.rule}, channel {row.channel}, {row.day}) no longer holds; "
            "there is nothing to decide.",
        )
    if row.state == state:
        raise Refused(
            f"finding_{state}",
            f"Finding {identifier} was {state} by {row.decided_by} at {row.decided_at.isoformat()} already.",
        )
    connection.execute(
        update(finding)
        .where(finding.c.id == identifier)
        .values(state=state, decided_by=person.name, decided_at=at, reason=reason, changed_at=at)
    )
    details = {"rule": row.rule, "channel": row.channel, "day": row.day.isoformat(), "was": row.state, "reason": reason}
    audit.record(connection, person, f"finding.{state}", f"finding/{identifier}", details, at)
    return require_finding(connection, identifier)
