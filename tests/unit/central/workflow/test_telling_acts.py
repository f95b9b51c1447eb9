"""Which acts of a day are told, and by which record."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.market.payloads.master_data import problems
from central.workflow.telling.acts import PointFacts, acts_of, lacking, record

HOUSE = PointFacts(
    ean="859182400900000013", name="Byt 1", point_type="consumption", state="connected", level="NN",
    metering_type="C4", household=True, tdd_class="4", temperature_zone="3", planned_mwh=Decimal("2.5"),
    operator="8591824900017", supplier="8591824000106", area="LDS1", customer="Jan Novák", customer_number="12345678",
    rate="D25d", breaker_phases=3, breaker_amps=25,
)  # fmt: skip
DAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("before", "now", "exchanged", "expected"),
    [
        (None, {}, False, ["registration"]),
        ({"state": "requested"}, {}, False, ["registration"]),
        (None, {"state": "requested"}, False, []),
        ({}, {"state": "ended"}, False, ["end"]),
        ({"state": "requested"}, {"state": "ended"}, False, []),
        ({}, {"state": "suspended"}, False, ["suspension"]),
        ({"state": "suspended"}, {}, False, ["resumption"]),
        ({}, {"supplier": "8591824000113"}, False, ["change_of_supplier"]),
        ({}, {}, True, ["exchange"]),
        ({}, {"rate": "D02d", "breaker_amps": 20}, False, ["change_of_rate", "change_of_breaker"]),
        ({}, {"year_kw": Decimal(100)}, False, ["change_of_capacity"]),
        ({}, {"planned_mwh": Decimal(3)}, False, ["change"]),
        ({}, {}, False, []),
    ],
)
def test_acts_are_what_differs_from_the_day_before(
    before: dict[str, Any] | None, now: dict[str, Any], exchanged: bool, expected: list[str]
) -> None:
    was = None if before is None else replace(HOUSE, **before)
    assert acts_of(was, replace(HOUSE, **now), exchanged=exchanged) == expected


def test_a_registration_holds_what_the_operator_asks_for() -> None:
    data = record(["registration"], HOUSE, DAY)
    (point,) = data.points
    assert problems(data) == []
    assert (point.action, point.kind, point.first_day) == ("register", "take_off", DAY)
    assert point.metering is not None and (point.metering.kind, point.metering.category) == ("C", "C4")
    assert point.consumption is not None
    assert (point.consumption.category, point.consumption.planned_annual_kwh) == ("MOO", 2500)
    assert point.customer is not None and point.customer.company_number is None, "no more about a person than is asked"


@pytest.mark.parametrize(
    ("acts", "action"), [(["suspension"], "suspend"), (["end"], "cancel"), (["change_of_rate"], "change")]
)
def test_the_action_follows_from_the_acts(acts: list[str], action: str) -> None:
    data = record(acts, HOUSE, DAY)
    assert data.points[0].action == action
    assert problems(data) == []


def test_powers_are_told_in_megawatts() -> None:
    hall = replace(HOUSE, level="VN", metering_type="A", household=False, year_kw=Decimal(250), input_kw=Decimal(400))
    point = record(["change_of_capacity"], hall, DAY).points[0]
    assert point.consumption is not None
    assert (point.consumption.category, point.consumption.reserved_year_mw) == ("VO", Decimal("0.25"))
    assert point.consumption.reserved_input_mw == Decimal("0.4")


def test_what_is_lacking_is_a_sentence() -> None:
    assert lacking(HOUSE) is None
    assert "has no EAN" in (lacking(replace(HOUSE, operator=None)) or "")
    assert "no metering type" in (lacking(replace(HOUSE, metering_type=None)) or "")
