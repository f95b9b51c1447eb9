"""Daily capacity of gas points beside the yearly one of their contract items: found, ordered, closed."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, insert, select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError

from central.platform.constraints import explain
from central.platform.errors import BadInput, NotFound, Refused
from central.registry.contract_tables import contract_item
from central.registry.following import end_row
from central.registry.point_tables import gas_capacity
from central.registry.validity import ends, starts

MONTH = "month"
"""Kind of capacity that holds in whole calendar months; "sliding" begins and ends on any day."""


def find_gas_capacities(connection: Connection, point: int) -> Sequence[RowMapping]:
    """The rows of a point by kind and time, validity as two dates."""
    rows = gas_capacity.c
    query = (
        select(rows.id, rows.kind, rows.m3_a_day, starts(rows.valid).label("valid_from"),
               ends(rows.valid).label("valid_to"))
        .where(rows.supply_point == point)
        .order_by(rows.kind, starts(rows.valid))
    )  # fmt: skip
    return connection.execute(query).mappings().all()


def check_days(what: str, kind: str, start: date, end: date | None) -> date:
    """The end of a capacity; BadInput where it has none, is not after the start, or a month is not whole."""
    if end is None or end <= start:
        raise BadInput("validity", f"The {kind} capacity of {what} holds from {start} to {end or 'open'}; give an end "
                                   "after its start.")  # fmt: skip
    if kind == MONTH and (start.day, end.day) != (1, 1):
        raise BadInput(
            "validity",
            f"The monthly capacity of {what} holds from {start} to {end}; it begins and ends on the first of a month.",
        )
    return end


def order_gas_capacity(
    connection: Connection, point: RowMapping, kind: str, m3_a_day: Decimal, start: date, end: date | None
) -> None:
    """Store a capacity of a gas point; refused where one of its kind holds in that time, or a day has no item.

    The caller holds a lock of the point.
    """
    ean = point["ean"]
    if point["commodity"] != "gas":
        raise Refused("commodity", f"The supply point {ean} is of {point['commodity']}; only gas has a daily capacity.")
    until = check_days(ean, kind, start, end)
    for row in find_gas_capacities(connection, point["id"]):
        if row["kind"] == kind and row["valid_from"] < until and start < row["valid_to"]:
            raise Refused(
                "overlap",
                f"The {kind} capacity of {ean} from {start} to {until} overlaps that of {row['m3_a_day']:f} m3 a day "
                f"from {row['valid_from']} to {row['valid_to']}; order for other days, or end that one.",
            )
    agreed = select(contract_item.c.id).where(
        contract_item.c.supply_point == point["id"],
        contract_item.c.gas_daily_capacity_m3.is_not(None),
        contract_item.c.valid.overlaps(Range(start, until, bounds="[)")),
    )
    if connection.execute(agreed.limit(1)).first() is None:
        raise Refused(
            "not_contracted",
            f"No contract item of {ean} agrees a yearly daily capacity between {start} and {until}; {kind} capacity "
            "adds to it, so agree that first.",
        )
    new = {"supply_point": point["id"], "kind": kind, "m3_a_day": m3_a_day, "valid": Range(start, until, bounds="[)")}
    try:
        connection.execute(insert(gas_capacity).values(new))
    except IntegrityError as error:
        raise explain(error) from error


def close_gas_capacity(connection: Connection, point: RowMapping, identifier: int, on: date) -> None:
    """End a capacity on a day within its validity; on its first day it is taken away."""
    ean = point["ean"]
    rows = find_gas_capacities(connection, point["id"])
    found = next((row for row in rows if row["id"] == identifier), None)
    if found is None:
        raise NotFound("capacity_not_found", f"The supply point {ean} has no daily capacity {identifier}.")
    if found["kind"] == MONTH and on.day != 1:
        raise BadInput("validity", f"The monthly capacity of {ean} ends on the first of a month, not on {on}.")
    end_row(connection, gas_capacity, found, f"The {found['kind']} capacity of {ean}", on)
