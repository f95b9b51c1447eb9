"""A work order that asks for an act on a meter is carried out by it: it ends with the act as its result."""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from sqlalchemy import Connection, RowMapping, insert, select

from central.network.maintenance import work_orders
from central.network.maintenance.order_states import OrderState
from central.network.point_tables import measuring_point
from central.platform.errors import Refused
from central.platform.identity import Person
from central.workflow.work_order_tables import work_order_document

ANSWERS: Final = MappingProxyType(
    {
        "mounting": ("mounting",),
        "removal": ("removal", "sampling"),
        "exchange": ("exchange", "verification", "sampling", "repair"),
    }
)
"""Kinds of orders that an act on a meter carries out: a meter whose validity ends, or that is ill, is exchanged."""


def require_order_for(
    connection: Connection, number: str, act: str, place: RowMapping, meters: Sequence[str]
) -> RowMapping:
    """The order, locked. Refused, naming both sides, unless it is under way and asks for such an act at this place."""
    order = work_orders.require_order(connection, number, locked=True)
    if order["state"] != OrderState.UNDER_WAY:
        raise Refused("order_state", f"The work order {number} is {order['state']}; an act ends it while under way.")
    if order["kind"] not in ANSWERS[act]:
        raise Refused(
            "order_kind",
            f"The work order {number} is for {order['kind']}, the act is {act}; it carries out {_kinds(act)}.",
        )
    if order["measuring_point"] not in (None, place["id"]):
        other = select(measuring_point.c.name).where(measuring_point.c.id == order["measuring_point"])
        raise Refused(
            "order_place",
            f"The work order {number} is about the measuring point {connection.execute(other).scalar_one()}, the act "
            f"about {place['name']}.",
        )
    if order["meter"] is not None and order["meter"] not in meters:
        raise Refused(
            "order_meter",
            f"The work order {number} is about the meter {order['meter']}, the act about {' and '.join(meters)}.",
        )
    return order


def finish_by_act(
    connection: Connection,
    order: RowMapping,
    act: RowMapping,
    documents: Sequence[tuple[int, str]],
    person: Person,
    now: datetime,
) -> None:
    """End the order with the act as its result; the act's documents are the order's too."""
    for document, role in documents:
        connection.execute(insert(work_order_document).values(work_order=order["id"], document=document, role=role))
    result = f"Akt {act['id']} ({act['kind']}): {act['reason']}"
    work_orders.finish(connection, order, result, True, person, now)


def _kinds(act: str) -> str:
    return " or ".join(ANSWERS[act])
