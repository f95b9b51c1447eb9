"""The consumption diagram (odběrový diagram): reserved capacities of a point, found, ordered by the rules, closed."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import DATERANGE, Range

from central.platform.errors import NotFound, Refused
from central.registry.capacity_rules import Held, Order, Standing, judge, judge_end
from central.registry.contract_tables import contract_item
from central.registry.point_tables import reserved_capacity
from central.registry.validity import ends, starts

CUSTOMER_SINCE = text("""
    -- the first day of the point's present customer, if another one was before
    SELECT min(lower(ci.valid)) FILTER (WHERE c.customer = last.customer) AS since,
           count(DISTINCT c.customer) AS customers
      FROM contract_item ci JOIN contract c ON c.id = ci.contract
     CROSS JOIN LATERAL (SELECT c2.customer FROM contract_item i2 JOIN contract c2 ON c2.id = i2.contract
                          WHERE i2.supply_point = :point AND contract_services(i2.kind) @> 1 AND lower(i2.valid) <= :on
                          ORDER BY lower(i2.valid) DESC NULLS LAST LIMIT 1) last
     WHERE ci.supply_point = :point AND contract_services(ci.kind) @> 1
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
    customer = connection.execute(CUSTOMER_SINCE, {"point": point, "on": on}).one()
    return Standing(
        yearly=held["year"],
        monthly=held["month"],
        inputs=[Held(kw, start, end) for kw, start, end in inputs],
        customer_since=customer.since if customer.customers > 1 else None,
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
        end = _make_room(connection, point, order.start, end)
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


def _make_room(connection: Connection, point: int, start: date, end: date | None) -> date | None:
    """End the yearly row that holds on `start`; the end of the new row, where a later one begins before `end`."""
    table = reserved_capacity
    mine = (table.c.supply_point == point) & (table.c.kind == "year")
    connection.execute(delete(table).where(mine & (starts(table.c.valid) == start)))
    connection.execute(
        update(table)
        .where(mine & table.c.valid.contains(start))
        .values(valid=func.daterange(starts(table.c.valid), start, type_=DATERANGE()))
    )
    following = connection.execute(
        select(func.min(starts(table.c.valid))).where(mine & (starts(table.c.valid) > start))
    ).scalar()
    return min((day for day in (following, end) if day is not None), default=None)


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
