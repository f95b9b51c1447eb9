"""Security of a DLMS meter in the configuration: refused with place, value and expectation, keys never shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from edge.config import EdgeConfig, KeySource, parse_config
from edge.errors import ConfigError
from tests.unit.edge.examples import config_data

SECURITY: dict[str, Any] = {
    "client_title": "525A560000000001",
    "encryption_key": {"file": "guek"},
    "authentication_key": {"file": "gak"},
}


def parsed(device: dict[str, Any], **security: Any) -> EdgeConfig:
    data = config_data()
    data["buses"][0]["devices"][0].update(device, security={**SECURITY, **security})
    return parse_config(json.dumps(data).encode(), "x.json")


def test_the_usual_security() -> None:
    security = parsed({}).buses[0].devices[0].security
    assert security is not None
    assert (security.suite, security.mechanism, security.protection) == (0, "gmac", "authenticated-encrypted")
    assert security.encryption_key == KeySource(file="guek")


@pytest.mark.parametrize(
    ("device", "security", "expected"),
    [
        ({}, {"client_title": "RZV"}, ["security.client_title: 'RZV' must be 8 octets"]),
        ({}, {"meter_title": "525A56000000000g"}, ["security.meter_title", "16 hexadecimal digits"]),
        ({}, {"encryption_key": {}}, ["security.encryption_key: a key comes from one place"]),
        ({}, {"authentication_key": {"file": "a", "sealed": "b"}}, ["security.authentication_key", "one place"]),
        ({}, {"dedicated": True, "protection": "authenticated"}, ["security.dedicated", "is authenticated;"]),
        ({}, {"protection": "none", "mechanism": "none"}, ["security.protection", "secures nothing"]),
        ({}, {"mechanism": "low"}, ["security.mechanism: low and no password_file"]),
        ({"password_file": "p"}, {}, ["security.mechanism: gmac and a password_file"]),
        ({}, {"association": "40.0.0"}, ["security.association", "40.0.0"]),
        ({}, {"counter": "x"}, ["security.counter", "x"]),
        ({}, {"counter": "0-0:43.1.0"}, ["security.counter_client: 16 must be", "so not 16 itself"]),
        ({}, {"counter": "0-0:43.1.0", "counter_client": 0}, ["security.counter_client: 0 must be"]),
        ({"general_blocks": 64}, {}, ["devices[0].general_blocks: 64 must be from 0"]),
        ({}, {"suite": 2}, ["buses[0].devices[0].security.suite", "found 2"]),
        ({}, {"policy": "x"}, ["buses[0].devices[0].security", "unknown field `policy`"]),
    ],
)
def test_a_wrong_one_is_refused(device: dict[str, Any], security: dict[str, Any], expected: list[str]) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(device, **security)
    assert all(part in str(error.value) for part in expected), str(error.value)


def test_a_key_in_the_wrong_place_is_not_repeated() -> None:
    key = "000102030405060708090A0B0C0D0E0F"
    spoils: list[Callable[[], EdgeConfig]] = [
        lambda: parsed({}, encryption_key=key),
        lambda: parsed({}, encryption_key={"file": 17, "sealed": key}),
        lambda: parsed({}, encryption_key={"key": key}),
    ]
    for spoil in spoils:
        with pytest.raises(ConfigError, match="security") as error:
            spoil()
        assert key not in str(error.value)


def test_other_models_have_none() -> None:
    data = config_data()
    data["buses"][1]["devices"][0]["security"] = SECURITY
    with pytest.raises(ConfigError, match="a sdm630 knows no DLMS security"):
        parse_config(json.dumps(data).encode(), "x.json")
