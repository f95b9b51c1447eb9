"""Plans of configurations: pure, from what the registry says."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.network.lines import listens
from central.network.meter_templates import device_of, registers_of, shipped_meter_templates
from central.network.plan import PlannedBus, PlannedMeter, device, differences, plan, with_keys, wrong_in
from central.network.transformers import ratio
from central.platform.errors import BadInput
from edge.config import parse_config
from shared.device_templates import shipped_templates

LINKS: dict[str, dict[str, Any]] = {
    "hdlc": {"kind": "serial", "path": "/dev/ttyS1", "baud": 9600},
    "modbus-rtu": {"kind": "serial", "path": "/dev/ttyS2", "baud": 19200},
}
LOCAL = {"mqtt": {"host": "x"}, "outbox": {"path": "/x"}, "edge": "K1", "number": 1}


def planned(name: str, **more: Any) -> PlannedMeter:
    template = shipped_meter_templates()[name]
    facts: dict[str, Any] = {
        "id": "M1",
        "serial": "123",
        "commodity": template.commodity,
        "address": {"server": 1, "physical": 17} if "dlms" in name else {"unit": 1},
        "template": name,
        "device": device_of(name, template),
        "check_serial": template.check_serial,
        "overrides": {},
        "since": datetime(2026, 3, 5, 12, tzinfo=UTC),
        "keys": {},
    }
    return PlannedMeter(**facts | more)


def bus(meter: PlannedMeter) -> PlannedBus:
    protocol = "hdlc" if "dlms" in meter.template else "modbus-rtu"
    return PlannedBus("b", protocol, LINKS[protocol], 0, [meter])


@pytest.mark.parametrize("name", sorted(shipped_meter_templates()))
def test_every_shipped_template_makes_a_configuration_that_the_agent_takes(name: str) -> None:
    whole = plan([bus(planned(name)), PlannedBus("empty", "hdlc", LINKS["hdlc"], 0, [])], {})
    assert wrong_in(whole, "K1") == []
    config = parse_config(json.dumps({**LOCAL, **whole}).encode(), "test")
    assert [(line.name, meter.id) for line, meter in config.devices()] == [("b", "M1")]


def test_there_is_a_meter_template_for_every_device_template() -> None:
    assert shipped_meter_templates().keys() == shipped_templates().keys()
    for name, template in shipped_meter_templates().items():
        fed = [each.facts.feeds for each in registers_of(name, template) if each.facts.feeds]
        assert fed
        assert len(set(fed)) == len(fed), "one register for each channel"


def test_a_meter_is_read_from_the_metering_day_of_its_mounting_on() -> None:
    night = datetime(2026, 3, 5, 3, tzinfo=UTC)
    assert device(planned("dlms-electricity-profile", since=night))["profile"]["since"] == "2026-03-04T23:00:00+00:00"
    # The gas day begins at six.
    assert device(planned("dlms-gas", since=night))["profile"]["since"] == "2026-03-04T05:00:00+00:00"


def test_what_is_overridden_wins_and_null_takes_away() -> None:
    found = device(planned("dlms-electricity-profile", overrides={"retries": 5, "states": None}))
    assert found["retries"] == 5
    assert "states" not in found
    assert found["profile"]["obis"] == "1-0:99.1.0"


def test_a_fault_is_named_by_bus_and_meter() -> None:
    whole = plan([bus(planned("sdm630", overrides={"retries": 99}))], {})
    (wrong,) = wrong_in(whole, "K1")
    assert wrong.startswith("at retries of M1 on the bus b: ")
    # What the schema lets through, the concentrator's own rules do not.
    (wrong,) = wrong_in(plan([bus(planned("sdm630", address={"unit": 250}))], {}), "K1")
    assert wrong == "at address of M1 on the bus b: a Modbus meter needs only unit, from 1 to 247; found 250."
    (wrong,) = wrong_in(plan([PlannedBus("b", "hdlc", LINKS["hdlc"], 0, [planned("sdm630")])], {}), "K1")
    assert wrong.startswith("at model of M1 on the bus b: sdm630 speaks ")
    (wrong,) = wrong_in(plan([], {"uplink": {"window": 0}}), "K1")
    assert wrong.startswith("at uplink.window: ")


def test_keys_stand_by_name_until_they_are_put_in() -> None:
    security = {"client_title": "525A560000000001"}
    template = {**shipped_templates()["dlms-electricity-profile"], "security": security}
    whole = plan([bus(planned("dlms-electricity-profile", device=template, keys={"security.encryption_key": 3}))], {})
    opened = with_keys(whole, lambda meter, field, version: f"{meter} {field} {version}")
    assert opened["buses"][0]["devices"][0]["security"]["encryption_key"] == "M1 security.encryption_key 3"
    (wrong,) = wrong_in(whole, "K1")
    assert "authentication_key" in wrong, "a key that is missing is said"


def test_differences_name_meters_not_places_in_lists() -> None:
    one, other = planned("sdm630"), planned("sdm630", id="M2", address={"unit": 2})
    before = plan([PlannedBus("b", "modbus-rtu", LINKS["modbus-rtu"], 0, [one])], {})
    both = plan([PlannedBus("b", "modbus-rtu", LINKS["modbus-rtu"], 0, [one, other])], {})
    (difference,) = differences(before, both)
    assert (difference["place"], difference["before"]) == ("buses.b.devices.M2", None)
    moved = plan([PlannedBus("b", "modbus-rtu", LINKS["modbus-rtu"], 0, [planned("sdm630", address={"unit": 9})])], {})
    assert list(differences(before, moved)) == [{"place": "buses.b.devices.M1.address.unit", "before": 1, "after": 9}]


json_values = st.recursive(
    st.none() | st.integers(0, 5) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_two_differ_where_there_are_differences(before: Any, after: Any) -> None:
    assert list(differences(before, before)) == []
    assert bool(list(differences(before, after))) is (before != after)


@pytest.mark.parametrize(
    ("protocol", "one", "other", "same"),
    [
        ("hdlc", {"server": 1, "physical": 17, "client": 16}, {"server": 1, "physical": 17, "client": 1}, True),
        ("hdlc", {"server": 1, "physical": 17}, {"server": 1, "physical": 18}, False),
        ("dlms-wrapper", {"server": 1}, {"server": 1}, True),
        ("modbus-rtu", {"unit": 1}, {"unit": 1}, True),
        ("modbus-tcp", {"unit": 1}, {"unit": 2}, False),
        ("iec62056-21", {"device": "123"}, {"device": "124"}, False),
        ("iec62056-21", {}, {}, True),
    ],
)
def test_an_address_is_where_a_meter_listens(protocol: str, one: Any, other: Any, same: bool) -> None:
    assert (listens(protocol, one) == listens(protocol, other)) is same
    assert listens(protocol, one, 1) != listens(protocol, one, 2)


def transformer(kind: str, serial: str, primary: int, secondary: int) -> dict[str, Any]:
    return {"kind": kind, "serial": serial, "primary_value": primary, "secondary_value": secondary}


@pytest.mark.parametrize(
    ("transformers", "expected"),
    [
        ([], 1),
        ([transformer("MTP", "1", 100, 5)], 20),
        ([transformer("MTP", n, 250, 5) for n in "123"], 50),
        # VN metering: 100/5 A and 22000/100 V.
        ([transformer("MTP", "1", 100, 5), transformer("MTN", "2", 22_000, 100)], 4_400),
        # 7.5 x 220: whole only together.
        ([transformer("MTP", "1", 75, 10), transformer("MTN", "2", 22_000, 100)], 1_650),
    ],
)
def test_the_multiplier_is_the_product_of_the_ratios(transformers: list[dict[str, Any]], expected: int) -> None:
    assert ratio(transformers, "P1") == expected


@pytest.mark.parametrize(
    ("transformers", "said"),
    [
        ([transformer("MTP", "1", 75, 10)], "multiply by 15/2"),
        ([transformer("MTP", "1", 100, 5), transformer("MTP", "2", 150, 5)], "1 has 100/5"),
    ],
)
def test_a_ratio_that_cannot_be_is_refused(transformers: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        ratio(transformers, "P1")
