"""Every fact that pricing reads: changed after invoicing, it puts the line on the list with the right difference.

One invoiced month serves all: each change is made, looked at and rolled back in a transaction of its own. The right
difference is what the ordinary settlement of the changed month bills more, VAT included.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from central.platform.database import transaction
from central.settlement.runs import approve_run
from central.settlement.scope import Scope
from central.tariffs.install import Consent, install
from central.tariffs.load import load_content
from central.tariffs.seal import seal
from central.workflow.corrections import look
from central.workflow.prepare import prepare
from central.workflow.settle_month import Period, settle
from deploy.stack.local import LocalStack
from tests.system.billing.site import CLERK, MONTH, NOW, BilledSite, billed_site, settle_march

END = MONTH.replace(month=4)
POINTS = {
    "high": "sp.voltage_level = 'VN' AND sp.point_type = 'consumption'",
    "low": "i.rate = 'C25d'",
    "single": "i.rate = 'D02d'",
    "gas": "sp.commodity = 'gas'",
}
"""One point each, the first by EAN."""
BEFORE = """
INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)
VALUES ('NAJEM', 3001, 'Nájem', 'Rent', 'měs', 21), ('PLOCHA', 3002, 'Úklid', 'Cleaning', 'měs', 21);
INSERT INTO own_service_price (service, price, source, valid) SELECT id, 100, 'ceník', '[2026-01-01,)' FROM own_service;
INSERT INTO contract_service (contract_item, service, quantity, fixed, valid)
SELECT {high}, id, 'fixed', 2, '[2026-01-01,)' FROM own_service WHERE code = 'NAJEM';
INSERT INTO contract_service (contract_item, service, quantity, valid)
SELECT {low}, id, 'area', '[2026-01-01,)' FROM own_service WHERE code = 'PLOCHA';
INSERT INTO site_object (code, name, kind, area_m2) VALUES ('BYT', 'Byt', 'flat', 50);
UPDATE supply_point SET site_object = (SELECT id FROM site_object WHERE code = 'BYT') WHERE id = {low_point};
INSERT INTO own_price_list (code, name, commodity) VALUES ('NN', 'Ceník NN', 'electricity');
INSERT INTO own_price (price_list, component, rate, price, source, valid)
SELECT id, component, '', price, 'ceník', '[2026-01-01,)'
  FROM own_price_list, (VALUES ('fixed', 90), ('vt', 3100), ('nt', 2400)) AS prices (component, price);
INSERT INTO item_price_list (contract_item, price_list, valid)
SELECT {low}, id, '[2026-01-01,)' FROM own_price_list;
INSERT INTO gas_area (id, name, source) VALUES ('OBLAST', 'Oblast', 'test');
INSERT INTO gas_conversion (channel, area, kind, valid, coefficient, source)
SELECT id, 'OBLAST', 'fixed', '[2026-01-01,)', 1.02, 'test' FROM channel
 WHERE supply_point = {gas_point} AND direction = 'V' AND kind = 'interval';
INSERT INTO calorific_value (area, period, first, version, value, kind, source, reason, made_at, made_by)
SELECT 'OBLAST', 'day', day, 1, 11.1, 'entered', 'test', 'test', '2026-04-01', 'test'
  FROM generate_series(DATE '2026-03-01', DATE '2026-03-31', '1 day') AS day
"""


@dataclass(frozen=True)
class Fact:
    """A fact: whose point it is of, how it changes, and components that must be among what is found."""

    whose: str
    change: str
    touches: frozenset[str]


def fact(whose: str, change: str, *touches: str) -> Fact:
    return Fact(whose, change, frozenset(touches))


ITEM = "UPDATE contract_item SET {} WHERE id = :item"
CONDITION = (
    "INSERT INTO point_condition (supply_point, kind, percent, choice, source, valid)"
    " VALUES (:point, '{}', {}, NULL, 'posudek', '[2026-03-01,)')"
)
CAPACITY = "UPDATE reserved_capacity SET kw = kw + 7 WHERE supply_point = :point AND kind = '{}'"
PROFILE = """
    INSERT INTO day_profile (
           channel, day, version, step_ms, "values", quality, missing, batches, digest, made_at, made_by)
    SELECT channel, day, version + 1, step_ms, "values"[1:10] || ("values"[11] + 90000) || "values"[12:], quality,
           missing, batches, decode(md5("values"::text), 'hex'), made_at, 'test'
      FROM day_profile
     WHERE day = '2026-03-10' AND channel = (
           SELECT id FROM channel WHERE supply_point = :point AND direction = '{}' AND kind = 'interval')
     ORDER BY version DESC LIMIT 1
"""
STATE = """
    INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
    SELECT at, (SELECT max(id) + 1 FROM batch), value + 90000, evidence_channel, 0, 0
      FROM register_reading
     WHERE at >= '2026-03-31' AND evidence_channel IN (
           SELECT m.evidence_channel FROM channel_mapping m JOIN channel c ON c.id = m.channel
            WHERE c.supply_point = :point AND c.direction = '{}')
"""
MAPPING = """
    UPDATE channel_mapping SET multiplier = multiplier * 2
     WHERE channel IN (SELECT id FROM channel WHERE supply_point = :point AND direction = 'VT')
"""

FACTS: Mapping[str, Fact] = {
    "profile of energy": fact("high", PROFILE.format("A+"), "use_of_networks", "system_services"),
    "profile of reactive power": fact("high", PROFILE.format("R-"), "unsolicited_reactive"),
    "profile of gas": fact("gas", PROFILE.format("V"), "gas_energy"),
    "state of the high tariff": fact("low", STATE.format("VT"), "energy_vt", "supply_vt", "electricity_tax"),
    "state of the low tariff": fact("low", STATE.format("NT"), "energy_nt", "supply_nt"),
    "state of a single tariff": fact("single", STATE.format("JT"), "energy_jt"),
    "multiplier of a register": fact("low", MAPPING, "energy_vt"),
    "price list": fact("high", ITEM.format("prices = 'EGD'"), "use_of_networks", "reserved_capacity_year"),
    "rate": fact("low", ITEM.format("rate = 'C26d'"), "breaker"),
    "breaker current": fact("low", ITEM.format("breaker_amps = breaker_amps + 40"), "breaker"),
    "breaker phases": fact("low", ITEM.format("breaker_phases = 1, breaker_amps = 25"), "breaker"),
    "reserved input": fact("high", ITEM.format("reserved_input_kw = 20"), "excess_reserved_input"),
    "planned consumption of gas": fact("gas", ITEM.format("annual_mwh = 1"), "gas_energy"),
    "yearly capacity": fact("high", CAPACITY.format("year"), "reserved_capacity_year"),
    "payer": fact(
        "high",
        "UPDATE contract SET payer = (SELECT min(p.id) FROM party p WHERE p.id <> payer AND 'customer' = ANY (p.roles))"
        " WHERE id = (SELECT contract FROM contract_item WHERE id = :item)",
        "use_of_networks",
    ),
    "customer": fact(
        "high",
        "UPDATE contract SET customer = (SELECT min(p.id) FROM party p WHERE p.id <> customer"
        " AND 'customer' = ANY (p.roles)) WHERE id = (SELECT contract FROM contract_item WHERE id = :item)",
        "use_of_networks",
    ),
    "no contract item": fact(
        "high", ITEM.format("valid = '[2025-01-01,2026-03-01)'"), "use_of_networks", "service:NAJEM"
    ),
    "unmetered power": fact(
        "single", ITEM.format("rate = 'C60d', unmetered_w = 100, breaker_phases = NULL, breaker_amps = NULL")
    ),
    "monthly capacity": fact("high", CAPACITY.format("month"), "reserved_capacity_month"),
    "calorific value": fact(
        "gas",
        "INSERT INTO calorific_value (area, period, first, version, value, kind, source, reason, made_at, made_by)"
        " SELECT area, period, first, version + 1, value + 1, kind, source, reason, made_at, made_by"
        "   FROM calorific_value v WHERE version = (SELECT max(version) FROM calorific_value n WHERE n.area = v.area"
        "                                              AND n.period = v.period AND n.first = v.first)",
        "gas_energy",
    ),
    "conversion of gas": fact(
        "gas",
        "UPDATE gas_conversion SET kind = 'fixed', coefficient = 1.5, temperature_k = NULL, gauge_kpa = NULL,"
        " compressibility = NULL, altitude_m = NULL, barometric_kpa = NULL"
        " WHERE channel IN (SELECT id FROM channel WHERE supply_point = :point)",
        "gas_energy",
    ),
    "daily capacity of gas": fact(
        "gas", ITEM.format("gas_daily_capacity_m3 = coalesce(gas_daily_capacity_m3, 0) + 100"), "gas_capacity_year"
    ),
    "monthly capacity of gas": fact(
        "gas",
        "INSERT INTO gas_capacity (supply_point, kind, m3_a_day, valid)"
        " VALUES (:point, 'month', 500, '[2026-03-01,2026-04-01)')",
    ),
    "exemption from capacity": fact("high", CONDITION.format("capacity_exempt", "NULL"), "reserved_capacity_year"),
    "single-component price": fact("high", CONDITION.format("single_component", "NULL"), "reserved_capacity_year"),
    "losses of a transformer": fact("high", CONDITION.format("loss", "4"), "use_of_networks", "system_services"),
    "exemption from tax": fact("low", CONDITION.format("tax_exempt", "NULL"), "electricity_tax"),
    "price of a service": fact("high", "UPDATE own_service_price SET price = 120", "service:NAJEM"),
    "VAT of a service": fact("high", "UPDATE own_service SET vat_percent = 12", "service:NAJEM"),
    "quantity of a service": fact(
        "high", "UPDATE contract_service SET fixed = 3 WHERE contract_item = :item", "service:NAJEM"
    ),
    "end of a service": fact("high", "DELETE FROM contract_service WHERE contract_item = :item", "service:NAJEM"),
    "area of an object": fact("low", "UPDATE site_object SET area_m2 = 51 WHERE area_m2 = 50", "service:PLOCHA"),
    "price of energy": fact("low", "UPDATE own_price SET price = price + 10 WHERE component = 'vt'", "supply_vt"),
    "end of a price list": fact("low", "DELETE FROM item_price_list", "supply_vt", "supply_fixed", "electricity_tax"),
    "another channel": fact(
        "high",
        "INSERT INTO settled_from (contract_item, direction, channel, valid) SELECT :item, 'A+', c.id, '[2026-03-01,)'"
        "  FROM channel c JOIN supply_point sp ON sp.id = c.supply_point"
        " WHERE c.direction = 'A+' AND c.kind = 'interval' AND sp.voltage_level = 'VN'"
        "   AND sp.point_type = 'consumption' AND sp.id <> :point ORDER BY c.id LIMIT 1",
        "use_of_networks",
    ),
    "operator": fact(
        "high",
        "UPDATE supply_point SET operator = (SELECT min(id) FROM party p WHERE p.id <> operator) WHERE id = :point",
        "use_of_networks",
    ),
    "level": fact("high", "UPDATE supply_point SET voltage_level = 'VVN' WHERE id = :point", "use_of_networks"),
    "disconnection": fact("high", "UPDATE supply_point SET state = 'ended' WHERE id = :point", "use_of_networks"),
}


@pytest.fixture(scope="module")
def invoiced(stack: LocalStack, filled_template: str) -> Iterator[tuple[BilledSite, dict[str, tuple[int, int]]]]:
    """The model site with services and a price list, its March invoiced; and the points by name: (point, item)."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as site:
        with transaction(site.engine) as connection:
            prepare(connection, CLERK, NOW)
            chosen = {
                which: connection.execute(
                    text(
                        "SELECT sp.id, i.id FROM contract_item i JOIN supply_point sp ON sp.id = i.supply_point"
                        f" WHERE {condition} ORDER BY sp.ean LIMIT 1"
                    )
                ).one()
                for which, condition in POINTS.items()
            }
            points = {which: (row[0], row[1]) for which, row in chosen.items()}
            named = {"high": points["high"][1], "low": points["low"][1], "low_point": points["low"][0]}
            named["gas_point"] = points["gas"][0]
            for statement in BEFORE.format(**named).split(";"):
                connection.execute(text(statement))
            made = settle_march(connection, site.clock)
            assert made.omitted == 0
            run = made.id
            approve_run(connection, run, CLERK, NOW)
            connection.execute(text("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run"), {"run": run})
        yield site, points
    stack.drop_database(name)


def with_package(connection: Connection, **changes: Any) -> None:
    """A newer version of the electricity package in force, with other prices or VAT."""
    content = connection.execute(
        text("SELECT content FROM package WHERE active AND name = 'cz-electricity-2026'")
    ).scalar_one()
    content = {**content, **changes, "version": "2026.900"}
    install(connection, load_content(seal(content, None), "test"), CLERK, NOW, Consent(unsigned="zkouška"))


def dearer(connection: Connection, component: str) -> None:
    content = connection.execute(
        text("SELECT content FROM package WHERE active AND name = 'cz-electricity-2026'")
    ).scalar_one()
    for table in content["tables"]:
        if table["component"] == component:
            table["rows"] = [[*row[:-1], str(Decimal(row[-1]) + 1)] for row in table["rows"]]
    with_package(connection, tables=content["tables"])


def money(connection: Connection, condition: str, **values: Any) -> tuple[Decimal, Decimal]:
    """Net and VAT of bases, by rates."""
    rows = connection.execute(
        text(f"SELECT vat_percent, sum(amount) FROM billing_basis WHERE {condition} GROUP BY 1"), values
    ).all()
    vat = [(amount * percent / 100).quantize(Decimal("0.01"), ROUND_HALF_UP) for percent, amount in rows]
    return sum((amount for _, amount in rows), Decimal(0)), sum(vat, Decimal(0))


def judged(site: BilledSite, connection: Connection, point: int) -> tuple[Any, Decimal, Decimal]:
    """What is found of a point, and how much more net and VAT the ordinary settlement bills now."""
    told = look(connection, MONTH, END, site.clock, [point])
    assert told.left_out == (), told
    found = connection.execute(text("SELECT * FROM correction WHERE supply_point = :p"), {"p": point}).one_or_none()
    before = money(connection, "supply_point = :p AND service <> 'purchase'", p=point)
    connection.execute(text("UPDATE settlement_input SET approved = false WHERE supply_point = :p"), {"p": point})
    still = connection.execute(text("SELECT state <> 'ended' FROM supply_point WHERE id = :p"), {"p": point})
    after = (Decimal(0), Decimal(0))
    if still.scalar_one():
        run = settle_march(connection, site.clock, [point]).id
        after = money(connection, "run = :run AND service <> 'purchase'", run=run)
    return found, after[0] - before[0], after[1] - before[1]


def expect(site: BilledSite, connection: Connection, point: int, touches: frozenset[str]) -> str | None:
    """What is wrong with what was found, in a sentence; None where it is right."""
    found, net, vat = judged(site, connection, point)
    if found is None:
        return f"nothing found; net differs by {net}"
    missing = touches - {line["component"] for line in found.lines}
    if missing:
        return f"{sorted(missing)} not among {sorted({line['component'] for line in found.lines})}"
    if found.correct - found.billed != net:
        return f"difference {found.correct - found.billed}, settled anew {net}"
    if abs(found.correct_vat - found.billed_vat - vat) > Decimal("0.02"):
        return f"VAT {found.correct_vat - found.billed_vat}, settled anew {vat}"
    return None


def test_every_fact_that_pricing_reads_is_found(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    site, points = invoiced
    wrong: dict[str, str] = {}
    for name, each in FACTS.items():
        point, item = points[each.whose]
        with site.engine.connect() as connection:
            asked = {key: value for key, value in (("point", point), ("item", item)) if f":{key}" in each.change}
            changed = connection.execute(text(each.change), asked).rowcount
            try:
                problem = expect(site, connection, point, each.touches) if changed else "nothing was changed"
            except AssertionError as error:
                problem = str(error)
            if problem is not None:
                wrong[name] = problem
            connection.rollback()
    assert not wrong, "\n".join(f"{name}: {what}" for name, what in wrong.items())


@pytest.mark.parametrize("component", ["system_services", "reserved_capacity_year"])
def test_a_value_of_the_package_is_found(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]], component: str
) -> None:
    site, points = invoiced
    with site.engine.connect() as connection:
        dearer(connection, component)
        assert expect(site, connection, points["high"][0], frozenset({component})) is None
        connection.rollback()


def test_the_rate_of_vat_of_the_package_is_found(invoiced: tuple[BilledSite, dict[str, tuple[int, int]]]) -> None:
    site, points = invoiced
    with site.engine.connect() as connection:
        vat = connection.execute(
            text("SELECT content -> 'vat' FROM package WHERE active AND name = 'cz-electricity-2026'")
        ).scalar_one()
        with_package(connection, vat={**vat, "percent": "12"})
        found, net, vat_more = judged(site, connection, points["high"][0])
        assert net == found.correct - found.billed == 0
        assert vat_more == found.correct_vat - found.billed_vat < 0
        assert {"use_of_networks", "reserved_capacity_year"} <= {line["component"] for line in found.lines}
        # the operator's own service has a rate of its own
        assert "service:NAJEM" not in {line["component"] for line in found.lines}
        connection.rollback()


def test_nothing_changed_is_nothing_found(invoiced: tuple[BilledSite, dict[str, tuple[int, int]]]) -> None:
    site, points = invoiced
    with site.engine.connect() as connection:
        for point, _ in points.values():
            assert judged(site, connection, point) == (None, 0, 0)
        connection.rollback()


def test_what_if_prices_supply_taxes_and_own_services_too(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    site, points = invoiced
    march = {"from": "2026-03-01", "to": "2026-04-01"}
    with site.client() as client:
        for which, change in (("low", {"breaker": "3x63"}), ("high", {"reserved_capacity_year_kw": 1000})):
            point = points[which][0]
            answer = client.post("/v1/settlement/what-if", json={"supply_point": point, **march, **change})
            assert answer.status_code == 200, answer.text
            told = answer.json()
            with transaction(site.engine) as connection:
                net, vat = money(connection, "supply_point = :p AND state = 'invoiced'", p=point)
            assert (Decimal(told["as_is"]["net"]), Decimal(told["as_is"]["vat"])) == (net, vat)
            assert Decimal(told["difference"]) == Decimal(told["what_if"]["net"]) - net != 0
            own = {"low": {"supply_vt", "electricity_tax", "service:PLOCHA"}, "high": {"service:NAJEM"}}
            for side in ("as_is", "what_if"):
                assert own[which] <= {line["component"] for line in told[side]["lines"]}


def test_days_that_a_run_of_another_period_holds_are_left_to_that(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    """Settled in two runs the month's maximum is of each part; judged anew it is so again."""
    site, points = invoiced
    point = points["high"][0]
    with site.engine.connect() as connection:
        connection.execute(text("UPDATE settlement_input SET approved = false WHERE supply_point = :p"), {"p": point})
        connection.execute(
            text("UPDATE billing_basis SET state = 'cancelled', cancelled_at = made_at, cancelled_by = 'test',"
                 " cancelled_why = 'test' WHERE supply_point = :p"),
            {"p": point},
        )  # fmt: skip
        halves = (Period(MONTH, MONTH.replace(day=16)), Period.of_month(MONTH))
        runs = [settle(connection, halves[0], "regular", Scope([point]), site.clock, CLERK)]
        approve_run(connection, runs[0].id, CLERK, NOW)
        runs.append(settle(connection, halves[1], "regular", Scope([point]), site.clock, CLERK))
        approve_run(connection, runs[1].id, CLERK, NOW)
        for run in runs:
            connection.execute(text("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run"), {"run": run.id})
        told = look(connection, MONTH, END, site.clock, [point])
        assert (told.open, told.gone, told.left_out) == (0, 0, ())
        connection.execute(text(PROFILE.format("A+")), {"point": point})
        assert look(connection, MONTH, END, site.clock, [point]).open == 1
        period = connection.execute(text("SELECT upper(period) FROM correction WHERE state = 'open'")).scalar_one()
        assert period == halves[0].end
        connection.rollback()
