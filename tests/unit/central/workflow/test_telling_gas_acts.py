"""Which acts of a day at a gas point are told, by which record, and what is refused."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.market.duties.rules import rules
from central.market.payloads.gas_master_data import problems
from central.workflow.telling.gas_acts import GasFacts, acts_of, category_of, lacking, record
from central.workflow.telling.gas_registry import CODE, WHYS

BOILER = GasFacts(
    eic="27ZG600Z0012345N", name="Kotelna 1", point_type="consumption", state="connected", metering_type="C4",
    household=False, tdd_class="5", planned_mwh=Decimal("48.2"), operator="8591824556207", supplier="8591824000106",
    area="LDS1", pressure="low", group="GRP1", customer="Pekárna s.r.o.", customer_number="12345679", category="low",
)  # fmt: skip
HALL = replace(BOILER, metering_type="A", category="large", tdd_class=None, daily_m3=Decimal(1300))
DAY = date(2026, 3, 15)


@pytest.mark.parametrize(
    ("before", "now", "exchanged", "expected"),
    [
        (None, {}, False, ["gas_registration"]),
        ({"state": "requested"}, {}, False, ["gas_registration"]),
        (None, {"state": "requested"}, False, []),
        ({}, {"state": "ended"}, False, ["gas_end"]),
        ({}, None, False, ["gas_end"]),
        ({"state": "requested"}, {"state": "ended"}, False, []),
        ({}, {"state": "suspended"}, False, ["gas_suspension"]),
        ({"state": "suspended"}, {}, False, ["gas_resumption"]),
        ({}, {"supplier": "8591824000113"}, False, ["gas_change_of_supplier"]),
        ({}, {}, True, ["gas_exchange"]),
        ({}, {"daily_m3": Decimal(30)}, False, ["gas_change_of_capacity"]),
        ({}, {"planned_mwh": Decimal(50), "supplier": None}, True, [
            "gas_change_of_supplier", "gas_exchange", "gas_change",
        ]),
        ({}, {"category": "medium"}, False, ["gas_change"]),
        ({}, {"pressure": "medium"}, False, ["gas_change"]),
        ({"group": "1"}, {"group": "2"}, False, ["gas_change"]),
        ({}, {}, False, []),
    ],
)  # fmt: skip
def test_acts_are_what_differs_from_the_day_before(
    before: dict[str, Any] | None, now: dict[str, Any] | None, exchanged: bool, expected: list[str]
) -> None:
    was = None if before is None else replace(BOILER, **before)
    stands = None if now is None else replace(BOILER, **now)
    acts = acts_of(was, stands, exchanged=exchanged)
    assert acts == expected
    assert set(acts) <= set(WHYS)


def test_every_act_is_told_by_the_gas_message() -> None:
    assert {rules()[why].code for why in WHYS} == {CODE}
    assert {rules()[why].mark for why in WHYS} == {"assumed"}


@pytest.mark.parametrize(
    ("facts", "metering", "category"),
    [
        (BOILER, ("C", "yearly"), "MO"),
        (replace(BOILER, category="medium"), ("CM", "monthly"), "SO"),
        (replace(BOILER, category=None, household=True, metering_type="C1"), ("C", "yearly"), "DOM"),
        (replace(HALL, metering_type="B"), ("B", "monthly"), "VO"),
        (HALL, ("A", "daily"), "VO"),
    ],
)
def test_a_registration_holds_what_the_operator_asks_for(
    facts: GasFacts, metering: tuple[str, str], category: str
) -> None:
    data = record(["gas_registration"], facts, DAY)
    (point,) = data.points
    assert problems(data) == []
    assert (point.opm, point.action, point.first_day) == (facts.eic, "register", DAY)
    assert point.network is not None
    assert (point.network.pressure, point.group) == ("low", "GRP1")
    assert point.metering is not None
    assert (point.metering.kind, point.metering.reading_cycle) == metering
    assert point.consumption is not None
    assert (point.consumption.category, point.consumption.planned_annual_kwh) == (category, 48_200)
    assert point.consumption.reserved_daily_m3 == facts.daily_m3
    assert point.customer is not None
    assert point.customer.company_number == (None if facts.household else "12345679")


@pytest.mark.parametrize(("act", "action"), [("gas_end", "cancel"), ("gas_exchange", "change")])
def test_the_action_follows_from_the_act(act: str, action: str) -> None:
    data = record([act], BOILER, DAY)
    assert data.points[0].action == action
    assert problems(data) == []


def test_a_suspension_has_its_reading_and_no_planned_consumption() -> None:
    suspended = replace(BOILER, state="suspended")
    data = record(["gas_suspension", "gas_change"], suspended, DAY, Decimal("10233.4"))
    (point,) = data.points
    assert problems(data) == []
    assert point.action == "suspend"
    assert (point.suspensions[0].first_day, point.suspensions[0].reading_m3) == (DAY, Decimal("10233.4"))
    assert point.consumption is not None
    assert point.consumption.planned_annual_kwh == 0
    unread = problems(record(["gas_suspension"], suspended, DAY))
    assert unread == [f"The gas supply point {BOILER.eic} is to be suspended from 2026-03-15 without the reading of "
                      "its begin."]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"operator": None}, "has no EAN"),
        ({"metering_type": None}, "has no metering type"),
        ({"category": None}, "has no category"),
    ],
)
def test_what_is_lacking_is_a_sentence(change: dict[str, Any], named: str) -> None:
    assert named in (lacking(replace(BOILER, **change)) or "")


def test_nothing_is_lacking_of_what_is_whole() -> None:
    assert [lacking(each) for each in (BOILER, HALL, replace(BOILER, category=None, household=True))] == [None] * 3
    assert category_of(replace(BOILER, category="household")) == "DOM"
