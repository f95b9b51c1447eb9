"""Supply topology: elements with states, what feeds what, which points hang behind an element."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.element_states import ElementState, advance
from central.network.point_tables import measuring_point
from central.network.points import require_point
from central.network.topology_tables import element_supply, network_element, network_element_step, point_supply
from central.platform.constraints import explain
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person

Spec = Mapping[str, Any]


def create_element(connection: Connection, spec: Spec, since: date, reason: str, person: Person) -> RowMapping:
    """Create a node, feeder or transformer: `name`, `kind`, `state`, `project`, `place`, `rated_kva`."""
    try:
        identifier = connection.execute(
            insert(network_element).values({**spec, "state_since": since}).returning(network_element.c.id)
        ).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    _remember(connection, identifier, spec["state"], since, spec.get("project", ""), reason, person)
    return require_element(connection, spec["name"])


def require_element(connection: Connection, name: str, *, lock: bool = False) -> RowMapping:
    """An element by name, or NotFound."""
    query = select(network_element).where(network_element.c.name == name)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound("element_not_found", f"There is no network element {name}; create it first or correct it.")
    return found


def find_steps(connection: Connection, name: str) -> Sequence[RowMapping]:
    """States that an element had, oldest first, with dates and projects."""
    identifier = require_element(connection, name)["id"]
    query = select(network_element_step).where(network_element_step.c.element == identifier)
    return connection.execute(query.order_by(network_element_step.c.id)).mappings().all()


def advance_element(
    connection: Connection, name: str, state: str, since: date, project: str, reason: str, person: Person
) -> RowMapping:
    """Bring an element into its next state from a date on.

    Refused where the table of states has no such step, the date is before the present state's, or an element that is
    to be withdrawn still feeds something.
    """
    row = require_element(connection, name, lock=True)
    wanted = advance(name, row["state"], state)
    if since < row["state_since"]:
        raise Refused(
            "element_date",
            f"The element {name} is {row['state']} since {row['state_since']}; it cannot be {wanted} from {since}, "
            "before that.",
        )
    if wanted is ElementState.WITHDRAWN:
        fed = connection.execute(_FED, {"element": row["id"], "since": since}).scalar()
        if fed is not None:
            raise Refused("still_feeds", f"The element {name} feeds {fed} from {since} on; feed that from elsewhere.")
    connection.execute(
        update(network_element)
        .where(network_element.c.id == row["id"])
        .values(state=wanted, state_since=since, project=project)
    )
    _remember(connection, row["id"], wanted, since, project, reason, person)
    return require_element(connection, name)


def feed_element(connection: Connection, name: str, fed_from: str, since: datetime) -> None:
    """From `since` on `name` is fed from `fed_from`; what fed it until then ends. No element feeds itself, however
    far round.
    """
    connection.execute(_ONE_AT_A_TIME)
    element = require_element(connection, name, lock=True)
    source = _usable(connection, fed_from)
    if source["id"] == element["id"] or element["id"] in _above(connection, source["id"], since):
        raise Refused("supply_circle", f"{fed_from} is fed from {name}; {name} cannot be fed from {fed_from}.")
    _end_and_begin(
        connection, element_supply, "element", element["id"], f"the supply of {name}", {"fed_from": source["id"]}, since
    )


def supply_point(connection: Connection, name: str, element: str | None, parent: str | None, since: datetime) -> None:
    """From `since` on a measuring point hangs behind `element` and behind the meter of the point `parent`."""
    connection.execute(_ONE_AT_A_TIME)
    point = require_point(connection, name, lock=True)
    parent_id = None
    if parent is not None:
        parent_id = require_point(connection, parent)["id"]
        parents = connection.execute(_PARENTS, {"point": parent_id, "at": since}).scalars().all()
        if point["id"] in {parent_id, *parents}:
            raise Refused("supply_circle", f"{parent} hangs behind {name}; {name} cannot hang behind {parent}.")
    values = {"element": None if element is None else _usable(connection, element)["id"], "parent": parent_id}
    _end_and_begin(connection, point_supply, "measuring_point", point["id"], f"the supply of {name}", values, since)


def points_behind(connection: Connection, element: int, at: datetime) -> Sequence[RowMapping]:
    """Measuring points that an element feeds at an instant, whatever lies between: `id`, `name`."""
    return connection.execute(_BEHIND, {"element": element, "at": at}).mappings().all()


def find_supply(connection: Connection, point: str) -> Sequence[RowMapping]:
    """What a measuring point hangs and hung behind, oldest first."""
    above = measuring_point.alias("above")
    query = (
        select(
            network_element.c.name.label("element"),
            above.c.name.label("parent"),
            func.lower(point_supply.c.valid).label("since"),
            func.upper(point_supply.c.valid).label("until"),
        )
        .join(measuring_point, measuring_point.c.id == point_supply.c.measuring_point)
        .outerjoin(network_element, network_element.c.id == point_supply.c.element)
        .outerjoin(above, above.c.id == point_supply.c.parent)
        .where(measuring_point.c.name == point)
        .order_by(func.lower(point_supply.c.valid))
    )
    return connection.execute(query).mappings().all()


def _usable(connection: Connection, name: str) -> RowMapping:
    row = require_element(connection, name)
    if row["state"] == ElementState.WITHDRAWN:
        raise Refused("withdrawn", f"The element {name} is withdrawn since {row['state_since']}; it feeds nothing.")
    return row


def _above(connection: Connection, element: int, at: datetime) -> set[int]:
    return set(connection.execute(_ABOVE, {"element": element, "at": at}).scalars())


def _end_and_begin(
    connection: Connection,
    table: Any,
    key: str,
    identifier: int,
    what: str,
    values: Mapping[str, Any],
    since: datetime,
) -> None:
    """The open row of `key` ends at `since` and another begins; Refused where one begins later."""
    rows = connection.execute(
        select(table.c.id, func.lower(table.c.valid).label("since"), func.upper(table.c.valid).label("until")).where(
            table.c[key] == identifier, table.c.valid.op("&&")(Range(since, None, bounds="[)"))
        )
    ).all()
    for row in rows:
        if row.since >= since:
            raise Refused(
                "later_supply",
                f"A change of {what} at {row.since.isoformat()} is stored; another cannot begin at "
                f"{since.isoformat()}, not after that.",
            )
        connection.execute(update(table).where(table.c.id == row.id).values(valid=Range(row.since, since, bounds="[)")))
    connection.execute(insert(table).values({key: identifier, **values, "valid": Range(since, None, bounds="[)")}))


def _remember(
    connection: Connection, element: int, state: str, since: date, project: str, reason: str, person: Person
) -> None:
    connection.execute(
        insert(network_element_step).values(
            element=element, state=state, since=since, project=project, person=person.name, reason=reason
        )
    )


# Circles are looked for in what is committed: two changes at once could close one together.
_ONE_AT_A_TIME = text("LOCK TABLE element_supply IN SHARE ROW EXCLUSIVE MODE")

_ABOVE = text("""
    WITH RECURSIVE above (id) AS (
        SELECT fed_from FROM element_supply WHERE element = :element AND valid && tstzrange(:at, NULL)
        UNION
        SELECT s.fed_from FROM above JOIN element_supply s ON s.element = above.id AND s.valid && tstzrange(:at, NULL)
    ) SELECT id FROM above
""")

_PARENTS = text("""
    WITH RECURSIVE above (id) AS (
        SELECT parent FROM point_supply
        WHERE measuring_point = :point AND parent IS NOT NULL AND valid && tstzrange(:at, NULL)
        UNION
        SELECT s.parent FROM above JOIN point_supply s ON s.measuring_point = above.id
        WHERE s.parent IS NOT NULL AND s.valid && tstzrange(:at, NULL)
    ) SELECT id FROM above
""")

# Points behind an element: at elements that it feeds, and behind meters of such points.
_BEHIND = text("""
    WITH RECURSIVE fed (id) AS (
        SELECT CAST(:element AS integer)
        UNION
        SELECT s.element FROM fed JOIN element_supply s ON s.fed_from = fed.id
            AND s.valid @> CAST(:at AS timestamptz)
    ), hit (id) AS (
        SELECT s.measuring_point FROM point_supply s JOIN fed ON fed.id = s.element
        WHERE s.valid @> CAST(:at AS timestamptz)
        UNION
        SELECT s.measuring_point FROM hit JOIN point_supply s ON s.parent = hit.id
        WHERE s.valid @> CAST(:at AS timestamptz)
    )
    SELECT p.id, p.name FROM hit JOIN measuring_point p ON p.id = hit.id ORDER BY p.name
""")

_FED = text("""
    SELECT coalesce(e.name, p.name) FROM (
        SELECT element, NULL::integer AS point FROM element_supply
        WHERE fed_from = :element AND valid && tstzrange(CAST(:since AS timestamptz), NULL)
        UNION ALL
        SELECT NULL, measuring_point FROM point_supply
        WHERE element = :element AND valid && tstzrange(CAST(:since AS timestamptz), NULL)
    ) AS fed
    LEFT JOIN network_element e ON e.id = fed.element LEFT JOIN measuring_point p ON p.id = fed.point
    ORDER BY 1 LIMIT 1
""")
