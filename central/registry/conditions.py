"""Conditions of supply points that change their price: found, set from a day on, ended."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, RowMapping

from central.platform.errors import BadInput, NotFound
from central.registry.condition_tables import point_condition
from central.registry.following import add_row, end_row, find_rows

COMMITMENT_MONTHS = 12
"""Months for which the single-component price is chosen (2026 and the structure announced for 2027)."""

_ELECTRICITY_ONLY = ("loss", "capacity_exempt", "single_component", "storage")
_ABOVE_LOW_VOLTAGE = ("capacity_exempt", "single_component", "storage")


def find_conditions(connection: Connection, point: int) -> Sequence[RowMapping]:
    """All that a point has or had, in the order of time."""
    return find_rows(connection, point_condition, {"supply_point": point})


def check_condition(point: RowMapping, kind: str, given: Mapping[str, Any]) -> None:
    """BadInput where a condition lacks its value, has one of another kind, or is not for such a point."""
    ean = point["ean"]
    for wanted, name in (("loss", "percent"), ("storage", "choice")):
        if (kind == wanted) != (given.get(name) is not None):
            has = "needs" if kind == wanted else "has no"
            raise BadInput("condition", f"The condition {kind} of {ean} {has} {name}; {wanted} alone is given one.")
    if kind in _ELECTRICITY_ONLY and point["commodity"] != "electricity":
        raise BadInput(
            "condition", f"The condition {kind} is for electricity; {ean} is a point of {point['commodity']}."
        )
    if kind in _ABOVE_LOW_VOLTAGE and point["voltage_level"] == "NN":
        raise BadInput("condition", f"The condition {kind} is for high voltage; {ean} is at the level NN.")


def set_condition(
    connection: Connection, point: int, kind: str, given: Mapping[str, Any], start: date, end: date | None
) -> None:
    """Store a condition from `start` on; the one of its kind before it ends there, a later one ends it."""
    add_row(connection, point_condition, {"supply_point": point, "kind": kind}, given, start, end)


def require_condition(connection: Connection, point: RowMapping, identifier: int) -> RowMapping:
    """A condition of a point, or NotFound."""
    for row in find_conditions(connection, point["id"]):
        if row["id"] == identifier:
            return row
    raise NotFound("condition_not_found", f"The supply point {point['ean']} has no condition {identifier}.")


def end_condition(connection: Connection, point: RowMapping, row: RowMapping, on: date) -> None:
    """End a condition on a day; on its first day it is taken away."""
    end_row(connection, point_condition, row, f"The condition {row['kind']} of {point['ean']}", on)


def warnings_of(point: RowMapping, rows: Sequence[Mapping[Any, Any]]) -> list[str]:
    """Sentences about choices that end before their commitment does; they are told, not refused."""
    return [
        f"The single-component price of {point['ean']} from {row['valid_from']} ends on {row['valid_to']}, before "
        f"{COMMITMENT_MONTHS} months are over: the distributor may insist on {_committed(row['valid_from'])}."
        for row in rows
        if row["kind"] == "single_component"
        and row["valid_to"] is not None
        and row["valid_to"] < _committed(row["valid_from"])
    ]


def _committed(start: date) -> date:
    day = 28 if (start.month, start.day) == (2, 29) else start.day
    return date(start.year + COMMITMENT_MONTHS // 12, start.month, day)
