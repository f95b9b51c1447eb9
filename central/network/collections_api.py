"""Routes of collections of meters: trees and their nodes."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from central.network import collections
from central.network.changed import tell_changed
from central.platform import audit
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter(tags=["network"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Day = Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2400, 1, 1))]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]
Tolerance = Annotated[Decimal, Field(ge=0, le=1, max_digits=5, decimal_places=4)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Collection(_Body):
    """A tree of meters, for settlement (nodes have channels) or for records (channels or meters)."""

    code: Annotated[str, Field(pattern=r"^[\w.-]{1,60}$")]
    name: Name
    purpose: Literal["settlement", "records"]


class NodeIn(_Body):
    """A node from `since` to before `until`. `tolerance` is the part of what enters that may be lost, as 0.03; `sign`
    -1 is for a child that delivers into the node."""

    node: Name
    parent: Name | None = None
    channel: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    meter: Name | None = None
    sign: Literal[1, -1] = 1
    tolerance: Tolerance | None = None
    since: Day
    until: Day | None = None


class NodeRevision(_Body):
    """What is different from `since` on; what is left out stays."""

    since: Day
    parent: Name | None = None
    channel: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    meter: Name | None = None
    sign: Literal[1, -1] = 1
    tolerance: Tolerance | None = None
    reason: Reason


class NodeClosing(_Body):
    """The node leaves the tree before `end`."""

    end: Day
    reason: Reason


class NodeOut(BaseModel):
    """A node as stored, with the tolerance that holds and whether it was given or is assumed."""

    node: str
    parent: str | None
    channel: int | None
    meter: str | None
    sign: int
    tolerance: Decimal
    tolerance_mark: str
    since: date
    until: date | None


@router.get("/collections", summary="Collections of meters")
def find_collections(connection: Db, _: Reader) -> list[Collection]:
    """By code."""
    return [
        Collection(code=row["code"], name=row["name"], purpose=row["purpose"])
        for row in collections.find_collections(connection)
    ]


@router.post("/collections", status_code=201, summary="Create a collection")
def create_collection(connection: Db, person: Operator, clock: Now, body: Collection) -> Collection:
    """An empty tree; refused when the code is in use."""
    collections.create_collection(connection, body.code, body.name, body.purpose)
    audit.record(connection, person, "collection.create", f"collection/{body.code}", body.model_dump(), clock.now())
    return body


@router.get("/collections/{code}/nodes", summary="The tree on a day")
def find_nodes(
    connection: Db, _: Reader, code: str, day: Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2400, 1, 1))]
) -> list[NodeOut]:
    """By name."""
    tree = collections.require_collection(connection, code)
    return [_out(node) for node in collections.nodes_between(connection, tree["id"], day, day + timedelta(days=1))]


@router.post("/collections/{code}/nodes", status_code=201, summary="Put a node into a tree")
def add_node(connection: Db, person: Operator, clock: Now, code: str, body: NodeIn) -> NodeOut:
    """Refused where node, channel or meter is in the tree already, the parent is not, or it would be below itself."""
    facts = body.model_dump(exclude={"node"})
    number = collections.add_node(connection, code, body.node, **facts)
    _tell(connection, code, set(), body.node, body.since, body.until, clock.now())
    subject = f"collection/{code}/{body.node}"
    audit.record(connection, person, "collection_node.add", subject, body.model_dump(mode="json"), clock.now())
    return _found(connection, code, number, body.since)


@router.post("/collections/{code}/nodes/{node}/revise", status_code=201, summary="Move or change a node from a day on")
def revise_node(connection: Db, person: Operator, clock: Now, code: str, node: str, body: NodeRevision) -> NodeOut:
    """Only the fields that are given change; null takes a parent, channel, meter or tolerance away."""
    changes = body.model_dump(include=body.model_fields_set - {"since", "reason"})
    before = collections.channels_above(connection, code, node, body.since, date.max)
    number = collections.revise_node(connection, code, node, body.since, changes)
    _tell(connection, code, before, node, body.since, None, clock.now())
    details = body.model_dump(mode="json", include=body.model_fields_set)
    audit.record(
        connection, person, "collection_node.revise", f"collection/{code}/{node}", details, clock.now(), why=body.reason
    )
    return _found(connection, code, number, body.since)


@router.post("/collections/{code}/nodes/{node}/close", summary="Take a node out of a tree")
def close_node(connection: Db, person: Operator, clock: Now, code: str, node: str, body: NodeClosing) -> dict[str, Any]:
    """Refused while others stand below it."""
    before = collections.channels_above(connection, code, node, body.end, date.max)
    collections.close_node(connection, code, node, body.end)
    _tell(connection, code, before, node, body.end, None, clock.now())
    details = body.model_dump(mode="json")
    audit.record(
        connection, person, "collection_node.close", f"collection/{code}/{node}", details, clock.now(), why=body.reason
    )
    return {"node": node, "until": body.end}


def _tell(
    connection: Db, code: str, before: set[int], node: str, since: date, until: date | None, now: datetime
) -> None:
    """The node and all above it have another balance from now on, where they stood and where they stand."""
    after = collections.channels_above(connection, code, node, since, until or date.max)
    tell_changed(connection, before | after, since, until, f"collection {code}", now)


def _found(connection: Db, code: str, number: int, day: date) -> NodeOut:
    tree = collections.require_collection(connection, code)
    nodes = collections.nodes_between(connection, tree["id"], day, day + timedelta(days=1))
    return _out(next(node for node in nodes if node.id == number))


def _out(node: collections.Node) -> NodeOut:
    given = node.tolerance is not None
    return NodeOut(
        node=node.name,
        parent=node.parent,
        channel=node.channel,
        meter=node.meter,
        sign=node.sign,
        tolerance=node.tolerance if node.tolerance is not None else collections.DEFAULT_TOLERANCE,
        tolerance_mark="given" if given else collections.DEFAULT_TOLERANCE_MARK,
        since=node.first,
        until=None if node.end == date.max else node.end,
    )
