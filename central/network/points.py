"""Measuring points, boards and logical meters: create, find, require, revise."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, select, text, update
from sqlalchemy.exc import IntegrityError

from central.network.point_tables import board, logical_meter, measuring_point
from central.network.tables import channel
from central.platform.errors import NotFound, Refused
from central.platform.reconcile import Outcome, ids_of, reconcile

Spec = Mapping[str, Any]


def create_boards(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create boards (desky) and cabinets: `name`, `kind`, `place`, `within` by name; what is named comes first."""
    inserted = unchanged = 0
    for level in _levels(specs):
        ids = ids_of(connection, board, "board", "name", (spec.get("within") for spec in level))
        rows = [
            {
                "name": spec["name"],
                "kind": spec["kind"],
                "place": spec.get("place", ""),
                "within": ids.get(spec.get("within")),
            }
            for spec in level
        ]
        outcome = reconcile(connection, board, "board", ("name",), rows)
        inserted, unchanged = inserted + outcome.inserted, unchanged + outcome.unchanged
    return Outcome(inserted, unchanged)


def _levels(specs: Sequence[Spec]) -> list[list[Spec]]:
    """The boards so that what one stands in is in a level before it."""
    levels: list[list[Spec]] = []
    depths: dict[Any, int] = {}
    for spec in specs:
        depth = depths.get(spec.get("within"), -1) + 1
        depths[spec["name"]] = depth
        if depth == len(levels):
            levels.append([])
        levels[depth].append(spec)
    return levels


def create_points(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create measuring points (měřicí místa) with a logical meter each: `name`, `commodity`, `several`, `place`,
    `board` by name.
    """
    boards = ids_of(connection, board, "board", "name", (spec.get("board") for spec in specs))
    rows = [
        {
            "name": spec["name"],
            "commodity": spec["commodity"],
            "several": spec.get("several", False),
            "place": spec.get("place", ""),
            "board": boards.get(spec.get("board")),
        }
        for spec in specs
    ]
    outcome = reconcile(connection, measuring_point, "measuring point", ("name",), rows)
    meters: list[Spec] = [
        {"name": spec["name"], "measuring_point": spec["name"], "commodity": spec["commodity"]} for spec in specs
    ]
    create_logical_meters(connection, meters)
    return outcome


def create_logical_meters(connection: Connection, specs: Sequence[Spec]) -> Outcome:
    """Create logical meters (logická měřidla): `name`, `measuring_point` by name, `commodity`."""
    ids = ids_of(connection, measuring_point, "measuring point", "name", (spec["measuring_point"] for spec in specs))
    rows = [{**spec, "measuring_point": ids[spec["measuring_point"]]} for spec in specs]
    return reconcile(connection, logical_meter, "logical meter", ("name",), rows)


def require_board(connection: Connection, name: str) -> RowMapping:
    """A board by name, or NotFound."""
    found = connection.execute(select(board).where(board.c.name == name)).mappings().first()
    if found is None:
        raise NotFound("board_not_found", f"There is no board {name}; create it first or correct it.")
    return found


def require_point(connection: Connection, name: str, *, lock: bool = False) -> RowMapping:
    """A measuring point by name, or NotFound."""
    query = select(measuring_point).where(measuring_point.c.name == name)
    found = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if found is None:
        raise NotFound(
            "measuring_point_not_found", f"There is no measuring point {name}; create it first or correct it."
        )
    return found


def point_ids(connection: Connection, names: Iterable[str]) -> dict[str, int]:
    """Ids of measuring points by name; NotFound names the first that does not exist."""
    return ids_of(connection, measuring_point, "measuring point", "name", names)


def revise_point(connection: Connection, name: str, *, several: bool, board_name: str | None, place: str) -> RowMapping:
    """Change what is said of a measuring point; one where two meters hang at a time must go on allowing it."""
    row = require_point(connection, name, lock=True)
    board_id = None if board_name is None else require_board(connection, board_name)["id"]
    if row["several"] and not several:
        for first, second in connection.execute(_TOGETHER, {"point": row["id"]}):
            raise Refused(
                "several_meters",
                f"At the measuring point {name} the meters {first} and {second} hang at the same time; remove one of "
                "them before the place allows one only.",
            )
    try:
        connection.execute(
            update(measuring_point)
            .where(measuring_point.c.id == row["id"])
            .values(several=several, board=board_id, place=place)
        )
    except IntegrityError as error:
        raise Refused("several_meters", f"More than one meter hangs at the measuring point {name}.") from error
    return require_point(connection, name)


def find_logical_meters(connection: Connection, point: str) -> list[dict[str, Any]]:
    """Logical meters of a measuring point, each with the ids of its channels."""
    query = (
        select(logical_meter.c.name, logical_meter.c.commodity, channel.c.id)
        .join(measuring_point, measuring_point.c.id == logical_meter.c.measuring_point)
        .outerjoin(channel, channel.c.logical_meter == logical_meter.c.id)
        .where(measuring_point.c.name == point)
        .order_by(logical_meter.c.name, channel.c.id)
    )
    found: dict[str, dict[str, Any]] = {}
    for name, commodity, identifier in connection.execute(query):
        meter = found.setdefault(name, {"name": name, "commodity": commodity, "channels": []})
        if identifier is not None:
            meter["channels"].append(identifier)
    return list(found.values())


_TOGETHER = text("""
    SELECT a.meter, b.meter FROM mounting a JOIN mounting b
        ON b.measuring_point = a.measuring_point AND b.id > a.id AND b.valid && a.valid
    WHERE a.measuring_point = :point ORDER BY a.id, b.id LIMIT 1
""")
