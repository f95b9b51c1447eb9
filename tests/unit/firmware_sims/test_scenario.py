"""A scenario that is not right is refused with a sentence that names file, place, value and what was expected."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firmware_sims.scenario import ScenarioError, load_scenario, parse_scenario

Site = dict[str, Any]


def meter(site: Site, line: int, number: int) -> Site:
    found: Site = site["lines"][line]["meters"][number]
    return found


def test_a_right_scenario_is_read(site: Site, tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(json.dumps(site))
    scenario = load_scenario(path)
    assert [each.id for each in scenario.meters] == ["LU-1", "LU-2", "FVE-1", "PM-1", "VST-1", "NN-5"]


BROKEN: list[tuple[str, Callable[[Site], object], list[str]]] = [
    ("unknown at the top", lambda s: s.update(sed=1), ["its top", '"sed"', "given as 1", "origin, lines"]),
    (
        "unknown in a line",
        lambda s: s["lines"][2].update(bauds=9600),
        ["at lines[2]", '"bauds"', "given as 9600", "baud, bits_per_character"],
    ),
    (
        "unknown in a meter",
        lambda s: meter(s, 0, 1).update(tarif={}),
        ["lines[0].meters[1]", '"tarif"', "given as {}", "tariff"],
    ),
    (
        "unknown in a load",
        lambda s: meter(s, 2, 0)["channels"][0]["load"].update(mean=1),
        ["lines[2].meters[0].channels[0].load", '"mean"', "kind, mean_w, seed"],
    ),
    (
        "unknown in an address",
        lambda s: meter(s, 0, 0)["address"].update(phys=1),
        ["lines[0].meters[0].address", '"phys"', "server, physical, wport"],
    ),
    (
        "a key too short",
        lambda s: meter(s, 0, 0).update(security={"1": {"encryption_key": "00", "authentication_key": "11" * 16}}),
        ["lines[0].meters[0].security", '"00"'],
    ),
    (
        "a counter that is none",
        lambda s: meter(s, 0, 0).update(
            security={"1": {"encryption_key": "00" * 16, "authentication_key": "11" * 16, "counter": "43.1"}}
        ),
        ["lines[0].meters[0].security.1.counter", '"43.1" is no OBIS code'],
    ),
    (
        "a mechanism without its password",
        lambda s: meter(s, 0, 0).update(
            security={"1": {"encryption_key": "00" * 16, "authentication_key": "11" * 16, "mechanism": "low"}}
        ),
        ["lines[0].meters[0].security.1.mechanism", "none for the client 1"],
    ),
    ("wrong type", lambda s: s["lines"][0].update(baud="fast"), ["lines[0].baud", "Expected `int`", '"fast"']),
    ("no zone", lambda s: s.update(origin="2026-01-01T00:00:00"), ["at origin", "2026-01-01T00:00:00"]),
    ("not a full hour", lambda s: s.update(origin="2026-01-01T00:15:00+01:00"), ["at origin", "full hour"]),
    ("unknown kind", lambda s: s["lines"][0].update(kind="usb"), ["lines[0].kind", "'usb'"]),
    (
        "unknown meter in a sum",
        lambda s: meter(s, 1, 2)["channels"][0]["load"]["of"].append("LU-9"),
        ["lines[1].meters[2].channels[0].load.of", '"LU-9"'],
    ),
    (
        "foreign register in a reactive load",
        lambda s: meter(s, 0, 0)["channels"][2]["load"].update(of="1-0:9.29.0"),
        ['"1-0:9.29.0"', "LU-1", "1-0:1.29.0"],
    ),
    (
        "mode E at a speed that it does not have",
        lambda s: s["lines"][0].update(opening="mode-e"),
        ["lines[0].baud", "115200 cannot be offered", "9600, 19200"],
    ),
    (
        "mode E before Modbus",
        lambda s: s["lines"][2].update(opening="mode-e"),
        ["lines[2].opening", "mode-e opens HDLC", "modbus-rtu"],
    ),
    (
        "a DLMS meter on a line of mode C",
        lambda s: s["lines"][0].update(protocol="iec62056-21"),
        ["lines[0].meters[0].model", "iec62056-21 only"],
    ),
    (
        "a dead meter that is not there",
        lambda s: s["lines"][0].update(faults={"dead": [{"meter": "LU-9"}]}),
        ["lines[0].faults.dead[0].meter", '"LU-9"', "hdlc-1"],
    ),
    (
        "a restart without a zone",
        lambda s: s["lines"][0].update(faults={"restarts": [{"meter": "LU-1", "at": "2026-03-01T00:00:00"}]}),
        ["lines[0].faults.restarts[0].at"],
    ),
    ("a TCP line that echoes", lambda s: s["lines"][1].update(faults={"echo": True}), ["lines[1].faults.echo", "pty"]),
    ("a share above all", lambda s: s["lines"][0].update(faults={"lost": 1001}), ["lines[0].faults.lost", "1001"]),
    (
        "an unknown fault",
        lambda s: s["lines"][0].update(faults={"lots": 1}),
        ["lines[0].faults", '"lots"', "truncated"],
    ),
    ("no OBIS", lambda s: meter(s, 0, 0)["channels"][0].update(register="import"), ['"import"', "OBIS"]),
    ("wrong model", lambda s: s["lines"][2].update(protocol="hdlc"), ["lines[2].meters[0].model", "dlms"]),
    ("two at one address", lambda s: meter(s, 0, 1)["address"].update(physical=17), ["hdlc-1", "LU-2"]),
    ("two of one id", lambda s: meter(s, 0, 1).update(id="LU-1"), ["lines[0].meters[1].id", '"LU-1"']),
    ("no wPort", lambda s: meter(s, 1, 0).update(address={"server": 1}), ["lines[1].meters[0].address", "wport"]),
    ("odd switching times", lambda s: meter(s, 0, 1)["tariff"].update(nt_hours=["22:00"]), ["nt_hours", "22:00"]),
    (
        "a switching time inside a quarter-hour",
        lambda s: meter(s, 0, 1)["tariff"].update(nt_hours=["22:05", "06:00"]),
        ["tariff.nt_hours[0]", "22:05"],
    ),
    (
        "more than a float32 holds",
        lambda s: meter(s, 2, 0)["channels"][0].update(initial=9_000_000),
        ["initial", "9000000", "float32"],
    ),
    ("a Modbus model on HDLC", lambda s: meter(s, 2, 0).update(model="sdm640"), ["lines[2].meters[0]", "'sdm640'"]),
    (
        "a state of a Modbus meter",
        lambda s: meter(s, 2, 0)["channels"][0].update(state="1-0:1.8.0"),
        ["channels[0].state", "is a state itself"],
    ),
    (
        "a quantity that the model does not have",
        lambda s: meter(s, 2, 0).update(unavailable=["voltage-L4"]),
        ["lines[2].meters[0].unavailable", '"voltage-L4"', "voltage-L3"],
    ),
    (
        "a SunSpec model of another meter",
        lambda s: meter(s, 2, 0).update(sunspec_model=203),
        ["lines[2].meters[0].sunspec_model", "203", "no SunSpec meter"],
    ),
    (
        "a lost row between two",
        lambda s: meter(s, 0, 0).update(data_faults={"lost": {"ends": ["2026-03-01T00:20:00+01:00"]}}),
        ["lines[0].meters[0].data_faults.lost.ends[0]", "2026-03-01T00:20:00+01:00", "0:15:00"],
    ),
    (
        "an unknown data fault",
        lambda s: meter(s, 0, 0).update(data_faults={"late": {"shares": 3}}),
        ["lines[0].meters[0].data_faults.late", '"shares"', "share, ends"],
    ),
    (
        "a share of rows above all",
        lambda s: meter(s, 0, 0).update(data_faults={"invalid": {"share": 1001}}),
        ["lines[0].meters[0].data_faults.invalid.share", "1001"],
    ),
    (
        "a cut of power within another",
        lambda s: meter(s, 0, 0).update(
            data_faults={
                "power_cuts": [
                    {"at": "2026-03-01T00:00:00Z", "seconds": 60},
                    {"at": "2026-03-01T00:00:59Z", "seconds": 60},
                ]
            }
        ),
        ["lines[0].meters[0].data_faults.power_cuts[1].at", "00:00:59", "is at 2026-03-01T00:01:00"],
    ),
    (
        "a mode C meter whose clock stops",
        lambda s: s["lines"][0].update(
            protocol="iec62056-21",
            meters=[
                {
                    "id": "E-1",
                    "model": "iec62056-21",
                    "channels": [{"register": "1-0:1.29.0", "load": {"kind": "constant", "mean_w": 1}}],
                    "data_faults": {"power_cuts": [{"at": "2026-03-01T00:00:00Z", "seconds": 60, "clock_stops": True}]},
                }
            ],
        ),
        ["lines[0].meters[0].data_faults.power_cuts[0].clock_stops", "mode C"],
    ),
    (
        "an initial state beyond the digits",
        lambda s: meter(s, 0, 0).update(digits=5),
        ["lines[0].meters[0].channels[0].initial", "123456", "5 digits of LU-1"],
    ),
    (
        "an initial state beyond the digits of a Modbus meter",
        lambda s: meter(s, 2, 0).update(digits=6),
        ["lines[2].meters[0].channels[0].initial", "1234567", "6 digits of NN-5"],
    ),
    ("gas load for electricity", lambda s: meter(s, 1, 1).update(commodity="electricity"), ["PM-1", "heating"]),
]


@pytest.mark.parametrize(("change", "words"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_wrong_scenario_is_refused(site: Site, change: Callable[[Site], object], words: list[str]) -> None:
    change(site)
    with pytest.raises(ScenarioError) as refused:
        parse_scenario(json.dumps(site).encode(), "site.json")
    for word in ["site.json", *words]:
        assert word in str(refused.value)


def test_what_is_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"site\.json is not JSON"):
        parse_scenario(b"{", "site.json")
    with pytest.raises(ScenarioError, match="cannot be read"):
        load_scenario(tmp_path / "none.json")
