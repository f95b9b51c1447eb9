"""Periodic activities (pravidelné aktivity) and reading rounds: which work comes due, made into orders once each."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.network.maintenance.order_states import OrderState
from central.network.maintenance.tables import activity, reading_group, reading_group_member
from central.network.maintenance.work_orders import Work, create_orders
from central.network.point_tables import measuring_point
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from shared.metering_day import PRAGUE


def months_later(day: date, months: int) -> date:
    """The same day of a later month, or its last day where it is shorter."""
    month = day.year * 12 + day.month - 1 + months
    first = date(month // 12, month % 12 + 1, 1)
    last = (date((month + 1) // 12, (month + 1) % 12 + 1, 1) - timedelta(days=1)).day
    return first.replace(day=min(day.day, last))


def occurrences(next_due: date, every_months: int, until: date) -> list[date]:
    """The due days from `next_due` up to and with `until`, each counted from the first, so that 31 stays 31."""
    found: list[date] = []
    while (due := months_later(next_due, len(found) * every_months)) <= until:
        found.append(due)
    return found


# A group's members of the due day, in the order of the way; the meter that hangs there then, if there is one.
_ROUND = text("""
    SELECT a.id AS activity, a.kind, a.name, a.instructions, CAST(:due AS date) AS due, m.measuring_point,
           p.name AS point, hanging.meter, m.route_order, CAST(NULL AS integer) AS element
    FROM activity a
    JOIN reading_group_member m ON m.reading_group = a.reading_group AND m.valid @> CAST(:due AS date)
    JOIN measuring_point p ON p.id = m.measuring_point
    LEFT JOIN LATERAL (
        SELECT min(o.meter) AS meter FROM mounting o
        WHERE o.measuring_point = p.id AND o.valid @> CAST(:at AS timestamptz)
    ) hanging ON true
    WHERE a.id = :activity
    ORDER BY m.route_order, p.name
""")
# Meters that hang somewhere and whose newest verification ends within the activity's lead; samples only where they
# are drawn, exchanges only where no test of samples can extend the group any more.
_EXPIRING = text("""
    SELECT a.id AS activity, a.kind, a.name, a.instructions, v.until AS due, o.measuring_point, p.name AS point,
           v.meter, 0 AS route_order, CAST(NULL AS integer) AS element
    FROM activity a
    JOIN (
        SELECT DISTINCT ON (meter) meter, until, drawn, sampling_group
        FROM meter_verification ORDER BY meter, verified_on DESC
    ) v ON v.until <= CAST(:today AS date) + a.lead_days
    JOIN mounting o ON o.meter = v.meter AND o.valid @> CAST(:now AS timestamptz)
    JOIN measuring_point p ON p.id = o.measuring_point
    LEFT JOIN sampling_group g ON g.id = v.sampling_group
    WHERE a.id = :activity
      AND CASE a.kind
          WHEN 'sampling' THEN v.drawn AND g.tested_on IS NULL
          WHEN 'exchange' THEN g.id IS NULL OR g.tested_on IS NOT NULL
          ELSE true END
      AND NOT EXISTS (
          SELECT FROM work_order w
          WHERE w.meter = v.meter AND w.kind = a.kind AND w.state NOT IN ('done', 'failed', 'cancelled'))
    ORDER BY v.until, p.name
""")


def make_due_orders(connection: Connection, person: Person, now: datetime) -> list[int]:
    """Orders for all active activities that come due within their lead; nothing is made twice. Gives their ids."""
    today = now.astimezone(PRAGUE).date()
    query = select(activity).where(activity.c.active).order_by(activity.c.id).with_for_update()
    made: list[int] = []
    for row in connection.execute(query).mappings().all():
        if row["next_due"] is None:
            parameters = {"activity": row["id"], "today": today, "now": now}
            works = [_work(each) for each in connection.execute(_EXPIRING, parameters).mappings()]
            made += create_orders(connection, _not_made(connection, works), OrderState.PROPOSED, person, now)
            continue
        dues = occurrences(row["next_due"], row["every_months"], today + timedelta(days=row["lead_days"]))
        for due in dues:
            works = _round(connection, row, due)
            made += create_orders(connection, _not_made(connection, works), OrderState.PLANNED, person, now)
        if dues:
            following = months_later(row["next_due"], len(dues) * row["every_months"])
            connection.execute(update(activity).where(activity.c.id == row["id"]).values(next_due=following))
    return made


def _round(connection: Connection, row: RowMapping, due: date) -> list[Work]:
    if row["kind"] == "inspection":
        return [
            Work(
                "inspection",
                row["name"],
                due,
                row["instructions"],
                element=row["element"],
                activity=row["id"],
                activity_due=due,
            )
        ]
    at = datetime.combine(due, datetime.min.time(), PRAGUE)
    found = connection.execute(_ROUND, {"activity": row["id"], "due": due, "at": at}).mappings()
    return [_work(each) for each in found]


def _work(row: RowMapping) -> Work:
    return Work(
        kind=row["kind"],
        title=f"{row['name']}: {row['point']}",
        due=row["due"],
        instructions=row["instructions"],
        measuring_point=row["measuring_point"],
        meter=row["meter"],
        element=row["element"],
        activity=row["activity"],
        activity_due=row["due"],
        route_order=row["route_order"],
    )


def _not_made(connection: Connection, works: Sequence[Work]) -> list[Work]:
    """Those that no order was made for yet."""
    if not works:
        return []
    known = connection.execute(
        text("""
            SELECT activity_due, meter, measuring_point, element FROM work_order
            WHERE activity = :activity AND state <> 'cancelled' AND activity_due = ANY(:dues)
        """),
        {"activity": works[0].activity, "dues": sorted({work.activity_due for work in works if work.activity_due})},
    ).all()
    made = {tuple(row) for row in known}
    return [work for work in works if (work.activity_due, work.meter, work.measuring_point, work.element) not in made]


def create_activity(connection: Connection, facts: Mapping[str, Any], person: Person, now: datetime) -> RowMapping:
    """A new activity; `facts` are the table's columns, `reading_group` by name."""
    values = dict(facts)
    if values.get("reading_group") is not None:
        values["reading_group"] = require_reading_group(connection, values["reading_group"])
    rounds = values["kind"] in ("reading", "inspection")
    if rounds != (values.get("every_months") is not None) or rounds != (values.get("next_due") is not None):
        raise BadInput(
            "activity_round",
            f"The activity {values['name']!r} of the kind {values['kind']} "
            + (
                "needs every_months and next_due."
                if rounds
                else "follows the expiry of meters: no every_months, no due."
            ),
        )
    if (values["kind"] == "reading") != (values.get("reading_group") is not None):
        raise BadInput("activity_subject", f"The activity {values['name']!r}: readings, and only they, have a group.")
    if connection.execute(select(activity.c.id).where(activity.c.name == values["name"])).first() is not None:
        raise Refused("activity_exists", f"There is an activity {values['name']!r} already.")
    row = connection.execute(insert(activity).values(**values).returning(activity)).mappings().one()
    audit.record(connection, person, "activity.create", f"activity/{row['id']}", {}, now, after=dict(row))
    return row


def require_activity(connection: Connection, identifier: int, *, locked: bool = False) -> RowMapping:
    """An activity, or NotFound."""
    query = select(activity).where(activity.c.id == identifier)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        raise NotFound("activity_not_found", f"There is no activity {identifier}.")
    return row


def revise_activity(
    connection: Connection, row: RowMapping, changes: Mapping[str, Any], person: Person, now: datetime
) -> RowMapping:
    """Another lead, instructions, next due day, or switched on and off; its kind and subject stay."""
    revised = (
        connection.execute(update(activity).where(activity.c.id == row["id"]).values(**changes).returning(activity))
        .mappings()
        .one()
    )
    subject = f"activity/{row['id']}"
    audit.record(connection, person, "activity.revise", subject, {}, now, before=dict(row), after=dict(revised))
    return revised


def require_reading_group(connection: Connection, name: str) -> int:
    """The id of a reading group, or NotFound."""
    found = connection.execute(select(reading_group.c.id).where(reading_group.c.name == name)).scalar()
    if found is None:
        raise NotFound("reading_group_not_found", f"There is no reading group {name!r}.")
    return int(found)


def create_reading_group(connection: Connection, name: str, person: Person, now: datetime) -> int:
    """A new reading group (odečtová skupina) without points."""
    if connection.execute(select(reading_group.c.id).where(reading_group.c.name == name)).first() is not None:
        raise Refused("reading_group_exists", f"There is a reading group {name!r} already.")
    identifier: int = connection.execute(
        insert(reading_group).values(name=name).returning(reading_group.c.id)
    ).scalar_one()
    audit.record(connection, person, "reading_group.create", f"reading_group/{name}", {}, now)
    return identifier


def put_on_round(
    connection: Connection, group: str, points: Sequence[str], since: date, person: Person, now: datetime
) -> int:
    """These measuring points are read with the group from a day on, in this order; they leave the groups before."""
    identifier = require_reading_group(connection, group)
    rows = connection.execute(
        select(measuring_point.c.name, measuring_point.c.id).where(measuring_point.c.name.in_(points))
    ).all()
    ids: dict[str, int] = {row.name: row.id for row in rows}
    unknown = [name for name in points if name not in ids]
    if unknown:
        raise NotFound("measuring_point_not_found", f"No such measuring points: {', '.join(unknown[:10])}.")
    if len(set(points)) != len(points):
        raise BadInput("points", f"A measuring point is named twice in the round of {group}.")
    member = reading_group_member
    later = connection.execute(
        select(member.c.measuring_point).where(
            member.c.measuring_point.in_(ids.values()), func.lower(member.c.valid) >= since
        )
    ).all()
    if later:
        names = {number: name for name, number in ids.items()}
        raise Refused(
            "round_overlap",
            f"The measuring point {names[later[0].measuring_point]} is put on a round from {since} or later already; "
            "choose a later day.",
        )
    connection.execute(
        update(member)
        .where(member.c.measuring_point.in_(ids.values()), member.c.valid.contains(since))
        .values(valid=func.daterange(func.lower(member.c.valid), since))
    )
    connection.execute(
        insert(member),
        [
            {
                "reading_group": identifier,
                "measuring_point": ids[name],
                "route_order": place,
                "valid": Range(since, None),
            }
            for place, name in enumerate(points, start=1)
        ],
    )
    details = {"points": list(points), "since": since.isoformat()}
    audit.record(connection, person, "reading_group.put", f"reading_group/{group}", details, now)
    return len(points)
