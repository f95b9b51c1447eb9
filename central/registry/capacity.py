"""The consumption diagram (odběrový diagram): reserved capacities of a point, found, ordered by the rules, closed."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import NotFound, Refused
from central.registry.capacity_rules import Held, Order, Standing, judge, judge_end
from central.registry.contract_tables import contract_item
from central.registry.following import make_room
from central.registry.point_tables import reserved_capacity
from central.registry.validity import ends, starts

CUSTOMER_SINCE = text("""
    -- the first day of who is the point's customer on a day, if another one was before: by its items and by the
    -- versions of their contracts
    WITH items AS (
        SELECT contract, valid FROM contract_item WHERE supply_point = :point AND contract_services(kind) @> 1
    ), held AS (
        SELECT p.customer, lower(p.valid * i.valid) AS since
          FROM items i JOIN contract_past p ON p.contract = i.contract
        UNION ALL
        SELECT c.customer, lower(daterange(c.since, NULL) * i.valid) FROM items i JOIN contract c ON c.id = i.contract
    ), present AS (
        SELECT customer FROM held WHERE since <= :on ORDER BY since DESC LIMIT 1
    ), other AS (
        SELECT max(held.since) AS since FROM held JOIN present ON present.customer <> held.customer
         WHERE held.since <= :on
    )
    SELECT min(held.since) FROM held JOIN present ON present.customer = held.customer
      JOIN other ON held.since > other.since
""")


CONTRACTED = text("""
    -- whether the point is distributed to on a day
    SELECT EXISTS (SELECT FROM contract_item WHERE supply_point = :point AND contract_services(kind) @> 1
                                               AND valid @> CAST(:on AS date))
""")


def find_capacities(connection: Connection, point: int) -> Sequence[RowMapping]:
    """The rows of a point's diagram by kind and time, validity as two dates."""
    columns = [column for column in reserved_capacity.c if column.name not in ("valid", "supply_point")]
    query = (
        select(
            *columns,
            starts(reserved_capacity.c.valid).label("valid_from"),
            ends(reserved_capacity.c.valid).label("valid_to"),
        )
        .where(reserved_capacity.c.supply_point == point)
        .order_by(reserved_capacity.c.kind.desc(), starts(reserved_capacity.c.valid).nulls_first())
    )
    return connection.execute(query).mappings().all()


def standing_of(connection: Connection, point: int, on: date) -> Standing:
    """What the rules judge an order of `on` by."""
    held: dict[str, list[Held]] = {"year": [], "month": []}
    for row in find_capacities(connection, point):
        held[row["kind"]].append(Held(row["kw"], row["valid_from"], row["valid_to"]))
    items = contract_item.c
    inputs = connection.execute(
        select(items.reserved_input_kw, starts(items.valid), ends(items.valid)).where(
            items.supply_point == point, items.reserved_input_kw.is_not(None)
        )
    )
    customer_since = connection.execute(CUSTOMER_SINCE, {"point": point, "on": on}).scalar()
    return Standing(
        yearly=held["year"],
        monthly=held["month"],
        inputs=[Held(kw, start, end) for kw, start, end in inputs],
        customer_since=customer_since,
    )


def order_capacity(connection: Connection, point: int, order: Order) -> None:
    """Store an order that the rules allow; Refused with the sentences of those that do not.

    A yearly capacity holds until the next one: the present row ends where the new one begins, later rows stay and end
    it. A monthly one may not overlap another.
    """
    sentences = judge(order, standing_of(connection, point, order.start))
    if sentences:
        raise Refused("reserved_capacity", " ".join(sentences))
    end = order.end
    if order.kind == "year":
        end = make_room(connection, reserved_capacity, {"supply_point": point, "kind": "year"}, order.start, end)
    else:
        _require_free_months(connection, point, order)
    connection.execute(
        insert(reserved_capacity).values(
            supply_point=point,
            kind=order.kind,
            kw=order.kw,
            valid=Range(order.start, end, bounds="[)"),
            ordered_on=order.ordered_on,
            via_supplier=order.via_supplier,
        )
    )


def _require_free_months(connection: Connection, point: int, order: Order) -> None:
    for row in find_capacities(connection, point):
        start, stop = row["valid_from"], row["valid_to"]
        ends_before = stop is not None and stop <= order.start
        begins_after = order.end is not None and start is not None and start >= order.end
        if row["kind"] == "month" and not ends_before and not begins_after:
            raise Refused(
                "overlap",
                f"The monthly reserved capacity of {order.ean} from {order.start} to {order.end} overlaps that of "
                f"{row['kw']:f} kW from {start} to {stop or 'open'}; order for other months, or end that one.",
            )


def close_capacity(connection: Connection, point: int, ean: str, identifier: int, on: date) -> RowMapping:
    """End a row of the diagram on a day within its validity; returns the row as it was.

    Refused where that lowers what may not be lowered yet, as long as the point is under a distribution contract then.
    """
    found = next((row for row in find_capacities(connection, point) if row["id"] == identifier), None)
    if found is None:
        raise NotFound("capacity_not_found", f"The supply point {ean} has no reserved capacity {identifier}.")
    start, end = found["valid_from"], found["valid_to"]
    if (start is not None and on <= start) or (end is not None and on >= end):
        raise Refused(
            "validity",
            f"The reserved capacity of {ean} of {found['kw']:f} kW holds {start} to {end or 'open'}: it cannot be "
            f"closed on {on}; choose a day between.",
        )
    if connection.execute(CONTRACTED, {"point": point, "on": on}).scalar_one():
        ending = Order(ean, found["kind"], Decimal(), on, None, on, via_supplier=False)
        sentences = judge_end(ending, standing_of(connection, point, on))
        if sentences:
            raise Refused("reserved_capacity", " ".join(sentences))
    connection.execute(
        update(reserved_capacity)
        .where(reserved_capacity.c.id == identifier)
        .values(valid=Range(start, on, bounds="[)"))
    )
    return found
