"""The model site is the one that was asked for, the same each time, and its three renderings agree."""

import json
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from stdnum.cz import dic

from central.workflow import site_file
from deploy.demo import identities, render
from deploy.demo.scenario import render_scenario
from deploy.demo.site import CONC_ESTATE, CONC_SUBSTATION, Metering, build_site
from edge.config import parse_config
from firmware_sims.scenario import parse_scenario
from firmware_sims.truth import Truth
from shared.identifiers import parse_ean18, parse_eic
from shared.metering_day import MeteringDay, month_bounds
from shared.quantities import Commodity

LINKS: dict[str, dict[str, Any]] = {
    "hdlc-1": {"kind": "serial", "path": "/run/hdlc-1", "baud": 115_200},
    "hdlc-2": {"kind": "serial", "path": "/run/hdlc-2", "baud": 115_200},
    "rtu-1": {"kind": "serial", "path": "/run/rtu-1", "baud": 19_200},
    "dlms-tcp": {"kind": "tcp", "host": "127.0.0.1", "port": 4059},
    "modbus-tcp": {"kind": "tcp", "host": "127.0.0.1", "port": 5020},
}
SITE = build_site()


def test_it_has_what_the_issue_says() -> None:
    assert Counter(point.metering for point in SITE.points) == {
        Metering.ENTRY: 1,
        Metering.PROFILE: 6,
        Metering.TWO_TARIFF: 20,
        Metering.SINGLE_TARIFF: 20,
        Metering.PRODUCTION: 1,
        Metering.GAS: 1,
    }
    buses = Counter((point.bus.concentrator, point.bus.name) for point in SITE.points)
    assert buses[CONC_SUBSTATION, "rtu-1"] == 10
    assert buses[CONC_ESTATE, "modbus-tcp"] == 10
    assert buses[CONC_ESTATE, "dlms-tcp"] == 20
    assert max(buses[CONC_SUBSTATION, name] for name in ("hdlc-1", "hdlc-2")) <= 5
    assert len({(point.bus.concentrator, point.bus.name, point.bus.address) for point in SITE.points}) == 49
    assert len(render.central_site(SITE).contracts) == 47


def test_it_is_the_same_each_time() -> None:
    assert build_site() == SITE
    assert build_site(seed=1) != SITE


def test_check_digits_are_right() -> None:
    for point in SITE.points:
        if point.metering is Metering.GAS:
            parse_eic(point.id)
        else:
            parse_ean18(point.id)
        if point.customer.ico:
            assert dic.is_valid(f"CZ{point.customer.ico}"), point.customer
    assert len({point.id for point in SITE.points}) == 49


@pytest.mark.parametrize("number", [1, 2_841_000, 8_999_999])
def test_a_company_number_has_its_check_digit(number: int) -> None:
    assert dic.is_valid("CZ" + identities.ico(number))


def test_the_site_file_keeps_its_schema() -> None:
    site = render.central_site(SITE)
    assert site_file.read_site(site_file.write_site(site)) == site


@pytest.mark.parametrize("concentrator", [CONC_SUBSTATION, CONC_ESTATE])
def test_concentrators_take_their_configuration(concentrator: str) -> None:
    config = render.edge_config(SITE, concentrator, LINKS, {"host": "127.0.0.1"}, Path("/run/outbox.sqlite"))
    parsed = parse_config(json.dumps(config).encode(), "demo")
    devices = {device.id for _, device in parsed.devices()}
    assert devices == {point.meter for point in SITE.points if point.bus.concentrator == concentrator}


def test_the_simulated_meters_look_like_a_real_site() -> None:
    truth = Truth(parse_scenario(json.dumps(render_scenario(SITE, LINKS, Path("/run/truth.jsonl"))).encode()))
    start, end = month_bounds(Commodity.ELECTRICITY, 2026, 3)
    entry = SITE.of(Metering.ENTRY)[0]
    behind = [point for point in SITE.points if point.metering not in (Metering.ENTRY, Metering.GAS)]
    taken = 0
    for point in behind:
        if point.metering is Metering.SINGLE_TARIFF:
            taken += 10 * sum(truth.interval_values(point.meter, "import", start, end))
        else:
            taken += sum(truth.interval_values(point.meter, "1-0:1.29.0", start, end))
    [plant] = SITE.of(Metering.PRODUCTION)
    made = sum(truth.interval_values(plant.meter, "1-0:2.29.0", start, end))
    bought = sum(truth.interval_values(entry.meter, "1-0:1.29.0", start, end))
    assert 0 < bought - (taken - made) < taken // 50, "losses of up to 2 %"
    for point in SITE.of(Metering.PROFILE):
        highest = max(truth.interval_values(point.meter, "1-0:1.29.0", start, end)) * 4 / 1000
        assert highest < (point.reserved_input_kw or 0), point.name
    night = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 10))
    assert truth.interval_values(plant.meter, "1-0:2.29.0", night.instant(0), night.instant(16)) == [0] * 16
