"""Orders of estimation in the database: installed from legislative packages, found for a time."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import Refused
from central.readings.estimation.order import ANY_TYPE, EstimationOrder, EstimationStep, OrderInForce
from central.readings.estimation.pending import try_all_again
from central.readings.estimation_tables import estimation_order


def install_orders(
    connection: Connection,
    package: str,
    version: str,
    valid: tuple[date, date],
    orders: Sequence[EstimationOrder],
    at: datetime,
) -> None:
    """Let these orders take the place of those that an earlier version of the package installed.

    What was estimated stays; days that wait are tried again. Refused where another package says something else for
    the same commodity, metering type, class and time.
    """
    table = estimation_order.c
    connection.execute(update(estimation_order).where(table.package == package, table.active).values(active=False))
    rows = [
        _row(package, version, order, *key, _validity(order, valid), at) for order in orders for key in _keys(order)
    ]
    for row in rows:
        _refuse_other(connection, row)
    if rows:
        connection.execute(insert(estimation_order), rows)
        try_all_again(connection)


def orders_in_force(connection: Connection, first: date, end: date) -> list[OrderInForce]:
    """The active orders that hold on a day from `first` to before `end`."""
    rows = connection.execute(
        select(estimation_order).where(estimation_order.c.active, estimation_order.c.valid.overlaps(Range(first, end)))
    ).mappings()
    return [
        OrderInForce(
            row["commodity"],
            row["metering_type"],
            row["class"],
            row["valid"].lower,
            row["valid"].upper,
            tuple(msgspec.convert(row["steps"]["steps"], list[EstimationStep])),
            row["most_estimated_days"],
            row["within_days"],
            row["steps"]["scale_to_states"],
        )
        for row in rows
    ]


def find_orders(connection: Connection) -> list[dict[str, Any]]:
    """The active orders with their source and mark, as the interface shows them."""
    table = estimation_order.c
    rows = connection.execute(
        select(
            table.package,
            table.package_version,
            table.commodity,
            table.metering_type,
            table["class"],
            func.lower(table.valid).label("first"),
            func.upper(table.valid).label("end"),
            table.steps,
            table.most_estimated_days,
            table.within_days,
            table.source,
            table.mark,
        )
        .where(table.active)
        .order_by(table.commodity, table["class"], table.metering_type, table.valid)
    ).mappings()
    return [{**row, **row["steps"]} for row in rows]


def _keys(order: EstimationOrder) -> list[tuple[str, str]]:
    types = order.metering_types or [ANY_TYPE]
    return [(metering_type, name) for metering_type in types for name in order.classes]


def _validity(order: EstimationOrder, valid: tuple[date, date]) -> Range[date]:
    first, end = valid if order.valid is None else (date.fromisoformat(day) for day in order.valid)
    return Range(first, end)


def _row(
    package: str,
    version: str,
    order: EstimationOrder,
    metering_type: str,
    channel_class: str,
    valid: Range[date],
    at: datetime,
) -> dict[str, Any]:
    return {
        "package": package,
        "package_version": version,
        "commodity": order.commodity,
        "metering_type": metering_type,
        "class": channel_class,
        "valid": valid,
        "steps": {"steps": msgspec.to_builtins(order.steps), "scale_to_states": order.scale_to_states},
        "most_estimated_days": order.most_estimated_days,
        "within_days": order.within_days,
        "source": order.source,
        "mark": order.mark,
        "active": True,
        "installed_at": at,
    }


def _refuse_other(connection: Connection, row: dict[str, Any]) -> None:
    table = estimation_order.c
    other = connection.execute(
        select(table.package).where(
            table.active,
            table.commodity == row["commodity"],
            table.metering_type == row["metering_type"],
            table["class"] == row["class"],
            table.valid.overlaps(row["valid"]),
        )
    ).scalar()
    if other is not None:
        raise Refused(
            "estimation_order_overlaps",
            f"Package {row['package']} sets an order of estimation for {row['commodity']} {row['class']} "
            f"{row['metering_type'] or 'of any type'}, but {other} has one in that time.",
        )
