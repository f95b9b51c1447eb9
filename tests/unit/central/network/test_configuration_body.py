"""The body of a configuration before it is accepted: shape, secrets, what is added."""

import base64
import copy
import json
from typing import Any

import pytest

from central.network.configuration_body import LARGEST, complete
from central.platform.errors import BadInput
from tests.unit.edge.examples import config_data, sdm630


def seal(secret: bytes, field: str) -> bytes:
    return f"{field}:".encode() + secret[::-1]


def body(**changes: Any) -> dict[str, Any]:
    return {"buses": copy.deepcopy(config_data()["buses"]), **changes}


LINE = {"name": "tcp-1", "protocol": "modbus-tcp", "devices": []}


def with_device(device: dict[str, Any], bus: int = 1) -> dict[str, Any]:
    data = body()
    data["buses"][bus]["devices"] = [device]
    return data


def test_edge_and_number_are_given_and_the_rest_is_as_it_came() -> None:
    assert json.loads(complete(body(), "CONC-1", 7, seal)) == {**body(), "edge": "CONC-1", "number": 7}
    assert json.loads(complete(body(edge="CONC-1", number=7), "CONC-1", 7, seal))["number"] == 7


@pytest.mark.parametrize(
    "device",
    [
        sdm630("EA-1", 1),
        {"id": "EA-1", "template": "sdm630", "address": {"unit": 1}},
        {
            "id": "LU-9",
            "template": "dlms-gas",
            "address": {"server": 1, "physical": 17},
            "profile": {"since": "2026-03-01T06:00:00+01:00"},
            "states": None,
        },
    ],
)
def test_devices_alone_and_over_templates_are_taken(device: dict[str, Any]) -> None:
    bus = 0 if device["id"] == "LU-9" else 1
    assert json.loads(complete(with_device(device, bus), "CONC-1", 1, seal))["buses"][bus]["devices"] == [device]


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "The configuration of CONC-1, at the top level: 'buses' is a required property."),
        (body(bused=1), "at the top level: Additional properties are not allowed ('bused' was unexpected)"),
        (body(edge="CONC-2"), "says edge 'CONC-2'; it is 'CONC-1', or leave it out"),
        (body(number=3), "says number 3; it is 7"),
        (body(buses=[{"name": "x"}]), "at buses[0]: 'link' is a required property"),
        (with_device({"id": "X", "address": {"unit": 1}}), "at buses[1].devices[0]: 'model' is a required property"),
        # What only the rules know, which the concentrator judges by as well.
        (with_device({"id": "X", "template": "sdm630", "address": {"unit": 250}}), "from 1 to 247; found 250"),
        (with_device({"id": "X", "template": "sdm360", "address": {"unit": 1}}), "there is no template 'sdm360'"),
        (with_device({"id": "X", "template": 5}), "at buses[1].devices[0].template: 5 is not"),
        (with_device({**sdm630("X", 1), "timeout_s": "2"}), "devices[0].timeout_s: '2' is not of type 'number'"),
        (
            with_device({**sdm630("X", 1), "address": {"unit": 1, "client": 0}}),
            "address.client: 0 is less than the minimum",
        ),
        (
            body(buses=[{**LINE, "link": {"kind": "tcp", "host": "h", "port": 70_000}}]),
            "at buses[0].link.port: 70000 is greater than",
        ),
        (with_device({"template": "sdm630", "id": "X", "retry": 1}), "devices[0]: Additional properties are not"),
    ],
)
def test_what_is_wrong_is_told_with_place_value_and_expectation(data: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        complete(data, "CONC-1", 7, seal)
    assert sentence in caught.value.message


def test_a_secret_is_sealed_for_its_place_and_stands_nowhere() -> None:
    data = with_device(
        {"id": "X", "template": "t", "password": {"secret": "hex:00ff"}, "keys": [{"secret": "text:ab"}]}
    )
    with pytest.raises(BadInput) as caught:  # there are no such fields: what is told shows what was sealed
        complete(data, "CONC-1", 7, seal)
    assert "00ff" not in caught.value.message and "text:" not in caught.value.message
    sealed: list[tuple[bytes, str]] = []

    def note(secret: bytes, field: str) -> bytes:
        sealed.append((secret, field))
        return secret

    with pytest.raises(BadInput):
        complete(data, "CONC-1", 7, note)
    assert sealed == [(b"\x00\xff", "X.password"), (b"ab", "X.keys[0]")]
    assert base64.b64encode(seal(b"ab", "X/k")) == b"WC9rOmJh"


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [("hex:0g1", "is no hexadecimal text"), ("quite plain", "must be text that begins"), (5, "must be text")],
)
def test_a_secret_that_is_none_is_refused_and_not_repeated(secret: Any, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        complete(with_device({"id": "X", "password": {"secret": secret}}), "CONC-1", 7, seal)
    assert sentence in caught.value.message
    assert "0g1" not in caught.value.message and "plain" not in caught.value.message


def test_a_secret_outside_of_devices_is_refused() -> None:
    with pytest.raises(BadInput, match=r"There is a secret at templates\.t\.password"):
        complete(body(templates={"t": {"password": {"secret": "text:x"}}}), "CONC-1", 7, seal)


def test_what_is_too_deep_or_too_large_is_refused() -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    with pytest.raises(BadInput, match="deeper than 40"):
        complete(body(templates=deep), "CONC-1", 7, seal)
    with pytest.raises(BadInput, match=f"at most {LARGEST}"):
        complete(body(templates={"t": {"model": "x" * LARGEST}}), "CONC-1", 7, seal)


@pytest.mark.parametrize(
    "security",
    [
        {"client_title": "525A560000000001", "encryption_key": "5EC4E7", "authentication_key": {"file": "k"}},
        {"client_title": "525A560000000001", "encryption_key": {"sealed": ["5EC4E7"]}, "authentication_key": {}},
        {"encryption_key": {"key": "5EC4E7"}},
        ["5EC4E7"],
    ],
)
def test_a_key_that_stands_in_the_wrong_place_is_not_repeated(security: Any) -> None:
    device = {"id": "X", "model": "dlms", "address": {"server": 1}, "security": security}
    with pytest.raises(BadInput) as caught:
        complete(with_device(device), "CONC-1", 7, seal)
    assert "devices[0].security" in caught.value.message
    assert "5EC4E7" not in caught.value.message
