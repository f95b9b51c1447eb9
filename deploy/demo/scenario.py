"""Renders the model site into the scenario of the simulated meters (schema: `firmware_sims.scenario_model`)."""

import random
from pathlib import Path
from typing import Any, Final

from deploy.demo.render import GAS_REGISTER, PROFILE_OBIS, STATE_REGISTERS, commodity_of
from deploy.demo.site import SEED, Metering, Point, Site
from shared.quantities import Commodity

ORIGIN: Final = "2026-01-01T00:00:00+01:00"
TURNAROUND_MS: Final = 5
PROTOCOLS: Final = {
    "hdlc-1": "hdlc",
    "hdlc-2": "hdlc",
    "rtu-1": "modbus-rtu",
    "dlms-tcp": "dlms-wrapper",
    "modbus-tcp": "modbus-tcp",
}
NIGHT_TARIFF: Final = ["22:15", "06:15"]
PV_PEAK_W: Final = 250_000
LOSS_PERMILLE: Final = 12
"""Losses between the entry and the sub-meters."""


def render_scenario(site: Site, links: dict[str, dict[str, Any]], truth: Path) -> dict[str, Any]:
    """The scenario of all lines that carry meters of the site; `links` as for the concentrators."""
    lines: dict[str, dict[str, Any]] = {}
    for point in site.points:
        name = point.bus.name
        line = lines.setdefault(name, _line(name, links[name]))
        line["meters"].append(_meter(site, point))
    return {
        "seed": SEED,
        "origin": ORIGIN,
        "truth": str(truth),
        "statistics": str(truth.with_name("lines.json")),
        "lines": list(lines.values()),
    }


def _line(name: str, link: dict[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"name": name, "protocol": PROTOCOLS[name], "meters": []}
    if link["kind"] == "serial":
        return line | {
            "kind": "pty",
            "link": link["path"],
            "baud": link["baud"],
            "bits_per_character": 10 if PROTOCOLS[name] == "hdlc" else 11,
            "turnaround_ms": TURNAROUND_MS,
        }
    return line | {"kind": "tcp", "host": link["host"], "port": link["port"]}


def _meter(site: Site, point: Point) -> dict[str, Any]:
    draw = random.Random(point.seed)  # noqa: S311 - made-up states, not secrets
    if point.metering is Metering.SINGLE_TARIFF:
        channel = {"register": "import", "load": _load(point), "initial": draw.randrange(100_000, 3_900_000)}
        return {"model": "sdm630", "id": point.meter, "unit": point.bus.address, "channels": [channel]}
    hdlc = point.bus.name.startswith("hdlc")
    meter: dict[str, Any] = {
        "model": "dlms",
        "id": point.meter,
        "commodity": str(commodity_of(point)),
        "profile": PROFILE_OBIS[commodity_of(point)],
        "address": {"server": 1, "physical": point.bus.address} if hdlc else {"wport": point.bus.address},
        "channels": _channels(site, point, draw),
    }
    if point.metering is Metering.TWO_TARIFF:
        meter["tariff"] = {"nt_hours": NIGHT_TARIFF}
    return meter


def _channels(site: Site, point: Point, draw: random.Random) -> list[dict[str, Any]]:
    flat = point.metering is Metering.TWO_TARIFF
    initial = draw.randrange(2_000_000, 90_000_000) if flat else draw.randrange(100_000_000, 900_000_000)
    if commodity_of(point) is Commodity.GAS:
        return [{"register": GAS_REGISTER, "state": STATE_REGISTERS["V"], "load": _load(point), "initial": initial}]
    taken: dict[str, Any] = {"kind": "constant", "mean_w": 0}
    given: dict[str, Any] = {"kind": "constant", "mean_w": 0}
    if point.metering is Metering.ENTRY:
        behind = [other.meter for other in site.points if other is not point and other.metering is not Metering.GAS]
        taken = {"kind": "sum", "of": behind, "side": "import", "loss_permille": LOSS_PERMILLE}
        given = {"kind": "sum", "of": behind, "side": "export", "loss_permille": LOSS_PERMILLE}
    elif point.metering is Metering.PRODUCTION:
        taken = {"kind": "constant", "mean_w": 120}
        given = {"kind": "pv", "peak_w": PV_PEAK_W, "seed": point.seed}
    else:
        taken = _load(point)
    active = {"register": "1-0:1.29.0", "state": STATE_REGISTERS["A+"], "load": taken, "initial": initial}
    if point.metering is Metering.TWO_TARIFF:
        return [active]
    factor = draw.randrange(962, 990)
    share = draw.choice([0, 0, 25, 60])
    return [
        active,
        {"register": "1-0:2.29.0", "state": "1-0:2.8.0", "load": given, "initial": initial // 50},
        {
            "register": "1-0:3.29.0",
            "load": {"kind": "inductive", "of": "1-0:1.29.0", "power_factor_permille": factor, "seed": point.seed},
        },
        {"register": "1-0:4.29.0", "load": {"kind": "capacitive", "of": "1-0:1.29.0", "share_permille": share}},
    ]


def _load(point: Point) -> dict[str, Any]:
    if point.load == "heating":
        return {"kind": "heating", "mean_dm3_h": point.mean, "seed": point.seed}
    return {"kind": point.load, "mean_w": point.mean, "seed": point.seed}
