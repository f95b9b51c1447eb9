"""What master data of a gas point say of our registry: differences, and what is none."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.market.payloads.gas_master_data import GasConsumption, GasMetering, GasPointData
from central.market.payloads.master_data import PointParty
from central.workflow.received.points import difference

HERE: dict[str, Any] = {
    "state": "connected", "metering_type": "C1", "category": "business", "load_profile_class": "5",
    "planned_mwh": Decimal("48.200"), "supplier_ean": "8591824000106",
}  # fmt: skip
DAY = date(2026, 3, 15)


def point(**facts: Any) -> GasPointData:
    return GasPointData(opm="27ZG600Z0012345N", action="change", first_day=DAY, **facts)


@pytest.mark.parametrize(
    ("facts", "here", "expected"),
    [
        ({}, {}, {}),
        ({"metering": GasMetering(kind="CM")}, {}, {}),
        ({"metering": GasMetering(kind="C")}, {"metering_type": "A"}, {"metering_type": "C4"}),
        ({"metering": GasMetering(kind="B")}, {}, {"metering_type": "B"}),
        ({"consumption": GasConsumption(category="MO", tdd_class="5", planned_annual_kwh=48_200)}, {}, {}),
        ({"consumption": GasConsumption(category="DOM")}, {}, {"category": "household"}),
        ({"consumption": GasConsumption(category="SO", planned_annual_kwh=0)}, {"state": "suspended"}, {}),
        ({"consumption": GasConsumption(category="SO", planned_annual_kwh=0)}, {}, {"planned_mwh": Decimal(0)}),
        (
            {"parties": [
                PointParty(role="supplier", id="8591824009802", first_day=DAY),
                PointParty(role="supplier", id="8591824000106", first_day=date(2025, 1, 1)),
            ]},
            {},
            {"supplier_ean": "8591824009802"},
        ),
    ],
)  # fmt: skip
def test_differences_are_facts_that_the_message_says_otherwise(
    facts: dict[str, Any], here: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = difference(point(**facts), HERE | here)
    assert {name: each["to"] for name, each in found.items()} == expected
