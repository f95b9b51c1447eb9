"""Collections of meters (kolekce měřidel): trees whose nodes have validity, for settlement or for records.

A node is named within its collection; where it is measured it has a channel, or in a collection for records a meter. A
node stands below its parent, which must be in the tree for as long; moving a node ends its row and begins another.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.network.channels import require_channel
from central.network.collection_tables import collection, collection_node
from central.network.meters import require_meter
from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused

DEFAULT_TOLERANCE = Decimal("0.03")
DEFAULT_TOLERANCE_MARK = "assumed"
"""Losses of 1 to 5 % of what enters a node are usual in local networks; no rule sets a number."""
_FOREVER = date.max


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a tree on the days [first, end)."""

    id: int
    name: str
    parent: str | None
    channel: int | None
    meter: str | None
    sign: int
    tolerance: Decimal | None
    first: date
    end: date

    def overlaps(self, first: date, end: date) -> bool:
        """Whether it is in the tree on one of these days."""
        return self.first < end and first < self.end


def find_collections(connection: Connection) -> Sequence[RowMapping]:
    """All of them, by code."""
    return connection.execute(select(collection).order_by(collection.c.code)).mappings().all()


def require_collection(connection: Connection, code: str) -> RowMapping:
    """A collection by its code, or NotFound."""
    found = connection.execute(select(collection).where(collection.c.code == code)).mappings().first()
    if found is None:
        raise NotFound("collection_not_found", f"There is no collection {code}; create it first or correct the code.")
    return found


def create_collection(connection: Connection, code: str, name: str, purpose: str) -> int:
    """An empty tree; `purpose` is "settlement" or "records"."""
    values = {"code": code, "name": name, "purpose": purpose}
    try:
        number: int = connection.execute(insert(collection).values(values).returning(collection.c.id)).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    return number


def nodes_between(connection: Connection, identifier: int, first: date, end: date) -> list[Node]:
    """Nodes that are in the tree on one of the days [first, end), by name and validity."""
    table = collection_node.c
    query = select(collection_node).where(table.collection == identifier, table.valid.op("&&")(Range(first, end)))
    return [_node(row) for row in connection.execute(query.order_by(table.node, table.valid))]


def channels_above(connection: Connection, code: str, name: str, first: date, end: date) -> set[int]:
    """Channels of a node and of those above it on the days [first, end): their balances move with it."""
    parents: dict[str, set[str]] = {}
    channels: dict[str, set[int]] = {}
    for node in nodes_between(connection, require_collection(connection, code)["id"], first, end):
        parents.setdefault(node.name, set()).update([node.parent] if node.parent is not None else [])
        channels.setdefault(node.name, set()).update([node.channel] if node.channel is not None else [])
    seen: set[str] = set()
    waiting = {name}
    while waiting:
        seen |= waiting
        waiting = {parent for each in waiting for parent in parents.get(each, ())} - seen
    return {channel for each in seen for channel in channels.get(each, ())}


def add_node(
    connection: Connection,
    code: str,
    name: str,
    *,
    since: date,
    until: date | None = None,
    parent: str | None = None,
    channel: int | None = None,
    meter: str | None = None,
    sign: int = 1,
    tolerance: Decimal | None = None,
) -> int:
    """Put a node into the tree; Refused where it, its channel or its meter is in it already, or below itself."""
    tree = _lock(connection, code)
    end = until or _FOREVER
    if end <= since:
        raise BadInput(
            "validity", f"The node {name} would end {end}, not after its start {since}; the end is exclusive."
        )
    if channel is not None and meter is not None:
        raise BadInput("collection_node", f"The node {name} is given a channel and a meter; give one of them.")
    if channel is not None and require_channel(connection, channel)["kind"] != "interval":
        raise BadInput(
            "collection_node", f"Channel {channel} of the node {name} has states; a balance needs intervals."
        )
    if meter is not None:
        require_meter(connection, meter)
        if tree["purpose"] == "settlement":
            raise BadInput(
                "collection_node", f"The collection {code} is for settlement: give the channel, not the meter."
            )
    nodes = nodes_between(connection, tree["id"], since, end)
    _check_parent(nodes, name, parent, since, end)
    values = {
        "collection": tree["id"],
        "node": name,
        "parent": parent,
        "channel": channel,
        "meter": meter,
        "sign": sign,
        "tolerance": tolerance,
        "valid": Range(since, until),
    }
    try:
        number: int = connection.execute(
            insert(collection_node).values(values).returning(collection_node.c.id)
        ).scalar_one()
    except IntegrityError as error:
        raise explain(error) from error
    return number


def revise_node(connection: Connection, code: str, name: str, since: date, changes: dict[str, Any]) -> int:
    """From `since` on the node has other facts (parent, channel, meter, sign, tolerance), for as long as it has now."""
    tree = _lock(connection, code)
    holds = _require_node(connection, tree, name, since)
    facts = {field: getattr(holds, field) for field in ("parent", "channel", "meter", "sign", "tolerance")}
    until = None if holds.end == _FOREVER else holds.end
    _end(connection, holds, since)
    return add_node(connection, code, name, since=since, until=until, **{**facts, **changes})


def close_node(connection: Connection, code: str, name: str, end: date) -> None:
    """The node leaves the tree before `end`; Refused while nodes stand below it from then on."""
    tree = _lock(connection, code)
    holds = _require_node(connection, tree, name, end)
    below = [node for node in nodes_between(connection, tree["id"], end, holds.end) if node.parent == name]
    if below:
        names = ", ".join(sorted({node.name for node in below})[:5])
        raise Refused(
            "collection_node", f"Below the node {name} stand {names} on or after {end}; move or close them first."
        )
    _end(connection, holds, end)


def _lock(connection: Connection, code: str) -> RowMapping:
    """One change of a tree at a time: parents and cycles are checked over all of it."""
    tree = require_collection(connection, code)
    connection.execute(text("SELECT 1 FROM collection WHERE id = :id FOR UPDATE"), {"id": tree["id"]})
    return tree


def _end(connection: Connection, node: Node, end: date) -> None:
    table = collection_node
    if end <= node.first:
        connection.execute(table.delete().where(table.c.id == node.id))
    else:
        connection.execute(update(table).where(table.c.id == node.id).values(valid=Range(node.first, end)))


def _require_node(connection: Connection, tree: RowMapping, name: str, day: date) -> Node:
    table = collection_node.c
    query = select(collection_node).where(table.collection == tree["id"], table.node == name, table.valid.contains(day))
    row = connection.execute(query).first()
    if row is None:
        raise NotFound("collection_node_not_found", f"The collection {tree['code']} has no node {name} on {day}.")
    return _node(row)


def _check_parent(nodes: Sequence[Node], name: str, parent: str | None, since: date, end: date) -> None:
    """The parent is there all the time, and no day has the node above itself."""
    if parent is None:
        return
    if parent == name:
        raise Refused("collection_cycle", f"The node {name} would stand below itself: {name} below {name}.")
    covered = since
    for node in sorted((each for each in nodes if each.name == parent), key=lambda each: each.first):
        covered = max(covered, node.end) if node.first <= covered else covered
    if covered < end:
        until = "for ever" if end == _FOREVER else f"until {end}"
        raise Refused("collection_parent", f"The parent {parent} is not in the tree from {covered} on; needed {until}.")
    for day in sorted({since, *(node.first for node in nodes if node.first > since)}):
        above = {node.name: node.parent for node in nodes if node.first <= day < node.end}
        path: list[str] = [name]
        at: str | None = parent
        while at is not None and at not in path:
            path.append(at)
            at = above.get(at)
        if at == name:
            raise Refused("collection_cycle", f"The node would stand below itself: {' below '.join([*path, name])}.")


def _node(row: Any) -> Node:
    return Node(
        row.id, row.node, row.parent, row.channel, row.meter, row.sign, row.tolerance, row.valid.lower,
        row.valid.upper or _FOREVER,
    )  # fmt: skip
