"""CDSGASMASTERDATA received (what a query brought, a supplier assigned): what it says of the facts of our registry.

The difference waits to be taken as that of electricity does, see `points`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from central.market.payloads.gas_master_data import GasPointData

_CATEGORIES: Final = {"DOM": "household", "MO": "business", "SO": "business", "VO": "business"}
_NOT_INTERVAL: Final = "C4"
"""The registry's type of a point that the market of gas calls C or CM, unless it has another one of type C."""
_KWH: Final = Decimal(1000)


def told_of(point: GasPointData, row: Mapping[str, Any]) -> dict[str, Any]:
    """By fact of the registry what the message says; None where it says nothing. `row` is the point as it is here.

    The planned consumption of a suspended point is 0 only while it is suspended, so that is no fact.
    """
    taken = point.consumption
    planned = None if taken is None or taken.planned_annual_kwh is None else taken.planned_annual_kwh / _KWH
    suppliers = [each for each in point.parties if each.role == "supplier"]
    latest = max(suppliers, key=lambda each: each.first_day, default=None)
    return {
        "metering_type": _metering_type(point, row),
        "category": _CATEGORIES[taken.category] if taken else None,
        "load_profile_class": taken.tdd_class if taken else None,
        "pressure_level": point.network.pressure if point.network else None,
        "gas_group": point.group,
        "planned_mwh": None if planned == 0 and row["state"] == "suspended" else planned,
        "supplier_ean": latest.id if latest else None,
    }


def _metering_type(point: GasPointData, row: Mapping[str, Any]) -> str | None:
    if point.metering is None:
        return None
    if point.metering.kind in ("A", "B"):
        return point.metering.kind
    here: str | None = row["metering_type"]
    return here if here is not None and here.startswith("C") else _NOT_INTERVAL
