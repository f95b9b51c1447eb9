"""A configuration is refused whole, with file, place, value and expectation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.config import SerialLink, TcpLink, load_config, parse_config
from edge.errors import ConfigError
from tests.unit.edge.examples import config_data

Spoil = Callable[[dict[str, Any]], object]

PUSHED = {"obis": "0-0:96.11.0", "class_id": 1}
SECURITY: dict[str, Any] = {
    "client_title": "525A560000000000",
    "encryption_key": {"file": "guek"},
    "authentication_key": {"file": "gak"},
}


def live(data: dict[str, Any]) -> dict[str, Any]:
    """EA-1 gets a live series."""
    register = {"item": "power-L1", "unit": "W", "register": "power"}
    series: dict[str, Any] = {"period_ms": 1000, "registers": [register]}
    data["buses"][1]["devices"][0]["live"] = series
    return series


def test_a_live_series() -> None:
    data = config_data()
    live(data).update(period_ms=10)
    assert [device.id for _, device in parse_config(json.dumps(data).encode(), "x").devices() if device.live] == [
        "EA-1"
    ]


def test_a_right_configuration_is_read() -> None:
    config = parse_config(json.dumps(config_data()).encode(), "x.json")
    assert [device.id for _, device in config.devices()] == ["LU-1", "EA-1", "EA-2", "GA-1"]
    assert isinstance(config.buses[0].link, SerialLink)
    assert isinstance(config.buses[2].link, TcpLink)
    assert config.uplink.window == 64


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda c: c.update(colour="red"), ["at the top level", "unknown field `colour`"]),
        (lambda c: c.update(number="one"), ["at number", "Expected `int`", 'found "one"']),
        (lambda c: c.update(edge="a/b"), ["at edge", "'a/b'"]),
        (lambda c: c["buses"][0]["link"].update(baud="fast"), ["at buses[0].link.baud", 'found "fast"']),
        (lambda c: c["buses"][1].update(name="hdlc-1"), ["at buses[1].name", "twice"]),
        (lambda c: c["buses"][2].update(protocol="modbus-tcp"), ["buses[2].devices[0].model", "dlms speaks"]),
        (
            lambda c: c["buses"][2].update(link={"kind": "serial", "path": "x", "baud": 9600}),
            ["buses[2].link.kind", "runs on tcp"],
        ),
        (lambda c: c["buses"][1]["devices"][1].update(id="LU-1"), ["buses[1].devices[1].id", "buses[0].devices[0]"]),
        (
            lambda c: c["buses"][1]["devices"][0]["address"].update(unit=248),
            ["buses[1].devices[0].address", "1 to 247", "found 248"],
        ),
        (lambda c: c["buses"][0]["devices"][0]["address"].pop("server"), ["devices[0].address", "server"]),
        (lambda c: c["buses"][0]["devices"][0]["profile"].update(step_s=60), ["profile.step_s", "60 must be 900"]),
        (
            lambda c: c["buses"][0]["devices"][0]["profile"].update(since="2026-03-01T00:00:00"),
            ["profile.since", "has no zone"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0]["profile"]["registers"][1].update(register="1-0:1.29.0"),
            ["profile.registers", "1-0:1.29.0 is there twice"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0]["states"]["registers"][0].update(obis="1.8.0"),
            ["states.registers[0].obis", "1.8.0"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0]["states"]["registers"][0].update(item="imports"),
            ["states.registers[0].item", "no item 'imports'", "it has voltage-L1"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0]["states"]["registers"][0].update(item="voltage-L1", unit="V"),
            ["states.registers[0].item", "voltage-L1 is no counter"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0]["states"]["registers"][0].update(unit="m3"),
            ["states.registers[0].unit", "m3 differs from the map's Wh"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(identity={"code": "1"}),
            ["buses[0].devices[0].identity", "known by serial or logical_name, not by code"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(event_logs=["99.98"]),
            ["buses[0].devices[0].event_logs[0]", "99.98"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0].update(event_logs=["0-0:99.98.0"]),
            ["devices[0].event_logs", "has none that are read"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(address={"server": 1, "physical": 128, "size": 2}),
            ["devices[0].address", "does not fit into 2 octets"],
        ),
        (
            lambda c: c["buses"][2]["devices"][0].update(address={"server": 1, "size": 4}),
            ["buses[2].devices[0].address.size", "means nothing to the wrapper"],
        ),
        (
            lambda c: [
                c["buses"][b]["devices"][0].update(push={"objects": [PUSHED], "source": "192.0.2.1"}) for b in (0, 2)
            ],
            ["push.source of GA-1", "192.0.2.1 is that of LU-1 too"],
        ),
        (
            lambda c: [
                c["buses"][b]["devices"][0].update(
                    push={"objects": [PUSHED]}, security=SECURITY | {"meter_title": title}
                )
                for b, title in ((0, "525a560000000001"), (2, "525A560000000001"))
            ],
            ["security.meter_title of GA-1", "is that of LU-1 too"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(push={"objects": [PUSHED]}),
            ["buses[0].devices[0].push.source", "not given"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(
                push={"objects": [PUSHED], "source": "192.0.2.1"}, security=SECURITY
            ),
            ["buses[0].devices[0].push", "security.meter_title; give it"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(
                push={"objects": [PUSHED]},
                security=SECURITY | {"meter_title": "525A560000000001", "protection": "encrypted"},
            ),
            ["buses[0].devices[0].push", "anybody could forge a push"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(clock={"tolerance_s": 0}),
            ["devices[0].clock.tolerance_s", ">= 1.0", "found 0"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(word_order="low-first"),
            ["buses[0].devices[0].word_order", "a DLMS meter has no registers"],
        ),
        (lambda c: c["buses"][1]["devices"][0].update(identity={}), ["devices[0].identity", "nothing is stated"]),
        (
            lambda c: c["buses"][1]["devices"][0].update(model="umg96rm", identity={"serial": "1"}),
            ["devices[0].identity.serial", "no register is known where a umg96rm keeps it"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0].update(word_order="middle"),
            ["devices[0].word_order", "Invalid enum value 'middle'"],
        ),
        (lambda c: c["buses"][1].update(phase_ms=60_000), ["buses[1].devices[0].phase_ms", "60000", "0 to 59999"]),
        (lambda c: c["buses"][1]["devices"][0].update(phase_ms=-1), ["buses[1].devices[0].phase_ms", "-1"]),
        (lambda c: c["buses"][1]["devices"][0].update(min_gap_ms=-1), ["min_gap_ms", "-1 must be from 0"]),
        (lambda c: c["buses"][1]["devices"][0].update(timeout_s=0), ["devices[0].timeout_s", "above 0"]),
        (lambda c: c["buses"][1]["devices"][0].update(timeout_min_s=0), ["devices[0].timeout_min_s", "above 0"]),
        (lambda c: c["buses"][1]["devices"][0].pop("states"), ["devices[0]", "neither profile, states nor live"]),
        (lambda c: c["mqtt"].update(port=70_000), ["mqtt.port", "<= 65535", "found 70000"]),
        (lambda c: c["buses"][1]["link"].update(baud=0), ["buses[1].link.baud", ">= 50", "found 0"]),
        (lambda c: c["outbox"].update(budget_mb=-1), ["outbox.budget_mb", ">= 1", "found -1"]),
        (lambda c: c.update(uplink={"batch_blocks": 0}), ["uplink.batch_blocks", ">= 1", "found 0"]),
        (lambda c: c.update(uplink={"window": 65}), ["uplink.window", "<= 64", "found 65"]),
        (lambda c: c.update(page={"port": 70_000}), ["page.port", "<= 65535", "found 70000"]),
        (lambda c: c.update(templates=[]), ["templates", "list", "by name"]),
        (lambda c: c["buses"][0]["devices"][0].update(id=""), ["devices[0].id", "length >= 1"]),
        (lambda c: c["buses"][0]["devices"][0].update(id="LU\n1"), ["devices[0].id", "matching regex"]),
        (lambda c: c["buses"][0]["devices"][0].update(information=4000), ["devices[0].information", "<= 2030"]),
        (lambda c: c["buses"][0]["devices"][0]["address"].update(client=128), ["address.client", "<= 127"]),
        (
            lambda c: c["buses"][0]["devices"][0]["profile"].update(since="0001-01-01T00:00:00+01:00"),
            ["profile.since", "from 2000 on"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0].update(clock={"automatic": True}),
            ["buses[1].devices[0].clock", "does not heed it; remove it"],
        ),
        (
            lambda c: c["buses"][1]["devices"][0].update(password_file="/etc/password"),
            ["buses[1].devices[0].password_file", "does not heed it"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(address={"server": 300}),
            ["buses[0].devices[0].address", "300 without a physical address must be 0 to 127"],
        ),
        (
            lambda c: c["buses"][0]["devices"][0].update(
                push={"objects": [{"obis": "0-0:42.0.0", "class_id": 1}], "source": "meter.example"}
            ),
            ["buses[0].devices[0].push.source", "'meter.example' must be an IP address"],
        ),
        (lambda c: c["buses"][0]["devices"][0].update(password_file="a\0b"), ["password_file", "matching regex"]),
        (lambda c: live(c).update(period_ms=7), ["live.period_ms", "7 must divide an hour and be from 10 to 900000"]),
        (lambda c: live(c).update(period_ms=0), ["live.period_ms", "0 must divide an hour"]),
        (lambda c: live(c).update(block_values=1001), ["live.block_values", "1001 must be from 1 to 1000"]),
        (lambda c: live(c).update(block_s=0), ["live.block_s", "0 must be above 0"]),
        (lambda c: live(c).update(registers=[]), ["live.registers", "the list is empty"]),
        (lambda c: live(c)["registers"][0].update(unit="V"), ["live.registers[0].unit", "V differs from the map's W"]),
        (
            lambda c: live(c)["registers"][0].update(register="1-0:1.8.0"),
            ["live.registers", "1-0:1.8.0 is in the profile or the states too"],
        ),
    ],
)
def test_a_wrong_one_is_refused_with_place_and_value(spoil: Spoil, expected: list[str]) -> None:
    data = config_data()
    spoil(data)
    with pytest.raises(ConfigError) as caught:
        parse_config(json.dumps(data).encode(), "conc.json")
    sentence = str(caught.value)
    assert "conc.json" in sentence
    for part in expected:
        assert part in sentence, sentence


def test_all_problems_are_told_at_once() -> None:
    data = config_data()
    data["buses"][0]["devices"][0]["profile"]["step_s"] = 60
    data["buses"][1]["devices"][0]["address"]["unit"] = 0
    with pytest.raises(ConfigError) as caught:
        parse_config(json.dumps(data).encode(), "conc.json")
    assert len(str(caught.value).splitlines()) == 2


def test_no_json_and_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"conc\.json is not JSON"):
        parse_config(b"{", "conc.json")
    with pytest.raises(ConfigError, match=r"nowhere\.json cannot be read"):
        load_config(tmp_path / "nowhere.json")
