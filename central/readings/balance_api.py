"""Routes of balances: what entered the nodes of a collection, what their children measured, what was lost."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from central.network.collections import nodes_between, require_collection
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person, require
from central.platform.web import Db
from central.readings.formulas.exact import QUALITY_OF_RANK
from central.readings.node_balance import NodeBalance, balance_nodes

router = APIRouter(tags=["readings"])

Reader = Annotated[Person, Depends(require("read"))]
LONGEST = 400


class BalanceDayOut(BaseModel):
    """A day of a node. Intervals in which the node or a child has no value stand in no sum; `missing` counts them,
    `negative` those in which the children measured more than entered. `quality` is the worst of the day."""

    day: date
    parent: int
    children: int
    losses: int
    share: float | None
    missing: int
    negative: int
    quality: int
    within: bool | None
    """Whether the losses are within the tolerance; null for a day that is not complete or has nothing."""


class NodeBalanceOut(BaseModel):
    """A node over the period, in unit x 10^exponent; children + losses = parent."""

    node: str
    channel: int
    unit: str
    exponent: int
    tolerance: Decimal
    tolerance_mark: str
    parent: int
    children: int
    losses: int
    missing: int
    days: list[BalanceDayOut]


@router.get("/collections/{code}/balance", summary="Balance of a collection's nodes")
def get_balance(
    connection: Db,
    _: Reader,
    code: str,
    first: Annotated[date, Query(alias="from", description="first metering day", ge=date(1990, 1, 1))],
    end: Annotated[date, Query(alias="to", description="the day after the last one", lt=date(2400, 1, 1))],
    node: Annotated[str | None, Query(description="only this node")] = None,
) -> list[NodeBalanceOut]:
    """By day, from the newest versions: what entered, what the children measured, losses, missing, worst quality."""
    if not 0 < (end - first).days <= LONGEST:
        raise BadInput("period", f"The period {first} to {end} must have 1 to {LONGEST} days; its end is exclusive.")
    tree = require_collection(connection, code)
    nodes = nodes_between(connection, tree["id"], first, end)
    if node is not None and node not in {each.name for each in nodes}:
        raise NotFound("collection_node_not_found", f"The collection {code} has no node {node} from {first} to {end}.")
    only = None if node is None else {each.channel for each in nodes if each.name == node and each.channel is not None}
    return [_out(each) for each in balance_nodes(connection, nodes, first, end, only)]


def _out(balance: NodeBalance) -> NodeBalanceOut:
    shares = balance.share
    days = []
    for place in np.flatnonzero(balance.there).tolist():
        share = None if np.isnan(shares[place]) else float(shares[place])
        judged = share is not None and not balance.missing[place]
        days.append(
            BalanceDayOut(
                day=balance.days[place].date,
                parent=int(balance.parent[place]),
                children=int(balance.children[place]),
                losses=int(balance.losses[place]),
                share=share,
                missing=int(balance.missing[place]),
                negative=int(balance.negative[place]),
                quality=int(QUALITY_OF_RANK[balance.rank[place]]),
                within=abs(share) <= balance.tolerance if judged and share is not None else None,
            )
        )
    return NodeBalanceOut(
        node=balance.node,
        channel=balance.channel,
        unit=balance.unit,
        exponent=balance.exponent,
        tolerance=balance.tolerance,
        tolerance_mark=balance.tolerance_mark,
        parent=int(balance.parent.sum()),
        children=int(balance.children.sum()),
        losses=int(balance.losses.sum()),
        missing=int(balance.missing.sum()),
        days=days,
    )
