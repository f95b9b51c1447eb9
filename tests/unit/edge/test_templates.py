"""Templates: what a device takes from one, what it overrides, how errors name it."""

import copy
import json
from typing import Any

import pytest

from edge.config import EdgeConfig, check_config
from edge.errors import ConfigError
from shared.device_templates import merged, shipped_templates
from shared.edge_config.judge import DEVICE_FIELDS
from shared.edge_config.templates import OWN, expand
from tests.unit.edge.examples import config_data

REGISTER = {"item": "import", "unit": "Wh", "exponent": 1, "register": "1-0:1.8.0"}
METER = {"model": "sdm630", "states": {"at": "quarter-hour", "registers": [REGISTER]}, "retries": 1}


def with_devices(bus: int, devices: list[dict[str, Any]], templates: dict[str, Any] | None = None) -> dict[str, Any]:
    data = copy.deepcopy(config_data())
    data["buses"][bus]["devices"] = devices
    return data | ({"templates": templates} if templates is not None else {})


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"b": {"c": 9}}, {"a": 1, "b": {"c": 9, "d": 3}}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1, "b": 2}, {"a": None}, {"b": 2}),
        ({"a": 1}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
    ],
)
def test_a_device_lies_over_its_template_as_a_merge_patch(below: Any, above: Any, result: Any) -> None:
    assert merged(below, above) == result


def test_expansion_leaves_what_it_was_given_alone() -> None:
    data = with_devices(1, [{"id": "EA-1", "template": "here", "address": {"unit": 7}}], {"here": METER})
    before = json.dumps(data)
    found = expand(data, {}, DEVICE_FIELDS)
    assert json.dumps(data) == before
    assert found.data["buses"][1]["devices"][0] == {
        **METER, "id": "EA-1", "template": "here", "address": {"unit": 7}
    }  # fmt: skip
    assert found.origins == {"buses[1].devices[0]": ("here", frozenset(METER))}


def test_a_template_of_the_configuration_comes_before_a_shipped_one() -> None:
    found = expand(
        with_devices(1, [{"id": "EA-1", "template": "sdm630"}], {"sdm630": {"retries": 9}}),
        {"sdm630": {"retries": 1}},
        DEVICE_FIELDS,
    )
    assert found.data["buses"][1]["devices"][0]["retries"] == 9


@pytest.mark.parametrize("name", sorted(shipped_templates()))
def test_shipped_templates_make_devices(name: str) -> None:
    template = shipped_templates()[name]
    assert set(template) <= DEVICE_FIELDS - OWN
    device: dict[str, Any] = {"id": "X-1", "template": name}
    bus = {"dlms": 2}.get(template["model"], 1)
    if bus == 1:
        device["address"] = {"unit": 3}
    if "profile" in template:
        device["profile"] = {"since": "2026-03-01T06:00:00+01:00"}
    config: EdgeConfig = check_config(with_devices(bus, [device]), "test.json")
    made = next(device for _, device in config.devices() if device.id == "X-1")
    assert made.model == template["model"]
    assert made.template == name


@pytest.mark.parametrize(
    ("device", "templates", "sentence"),
    [
        (
            {"template": "sdm999"},
            {},
            r"at buses\[1\]\.devices\[0\]\.template: there is no template 'sdm999'; there are abb-b23, ",
        ),
        (
            {"template": "here"},
            {"here": {**METER, "retries": "two"}},
            r"devices\[0\]\.retries \(from the template 'here'\): Expected `int`, got `str`; found \"two\"",
        ),
        (
            {"template": "sdm630", "states": {"at": "hour"}},
            {},
            r"states\.at \(over the template 'sdm630'\): Invalid enum value 'hour'; found \"hour\"",
        ),
        (
            {"template": "sdm630", "address": {"unit": 300}},
            {},
            r"address \(over the template 'sdm630'\): a Modbus meter needs only unit, from 1 to 247; found 300",
        ),
        ({"template": "sdm630"}, {"x": {"id": "Y"}}, r"at templates\.x\.id: a template has no field 'id'"),
        ({"template": "sdm630"}, {"x": 5}, r"at templates\.x: a template is an object"),
    ],
)
def test_a_mistake_is_told_with_template_and_place(
    device: dict[str, Any], templates: dict[str, Any], sentence: str
) -> None:
    data = with_devices(1, [{"id": "EA-1", "address": {"unit": 1}, **device}], templates)
    with pytest.raises(ConfigError, match=rf"The configuration test\.json, .*{sentence}"):
        check_config(data, "test.json")


@pytest.mark.parametrize("data", [5, [], {"templates": 3}, {"buses": [7, {"devices": [1]}]}])
def test_what_is_no_configuration_is_left_to_who_checks_shapes(data: Any) -> None:
    assert expand(data, {}, DEVICE_FIELDS).data == data
    with pytest.raises(ConfigError, match="The configuration test"):
        check_config(data, "test")
