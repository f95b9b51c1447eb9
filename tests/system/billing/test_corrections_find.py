"""Every fact that pricing reads: changed after invoicing, it puts the line on the list with the right difference.

One invoiced month serves all: each change is made, looked at and rolled back in a transaction of its own. The right
difference is what the ordinary settlement of the changed month bills more, VAT included.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from sqlalchemy import Connection, text

from central.invoicing import trace
from central.invoicing.trace_back import lines_of_day
from central.platform.database import transaction
from central.settlement.runs import approve_run
from central.settlement.scope import Scope
from central.tariffs.install import Consent, install
from central.tariffs.load import load_content
from central.tariffs.seal import seal
from central.workflow.corrections import look
from central.workflow.prepare import prepare
from central.workflow.settle_month import Period, settle
from central.workflow.update_bases import update_bases
from deploy.stack.local import LocalStack
from tests.system.billing.site import CLERK, MONTH, NOW, BilledSite, billed_site, settle_march
from tests.system.billing.walk_facts import ALLOCATION, BEFORE, ENTRY_FACTS, FACTS, OTHERS, POINTS, PROFILE

END = MONTH.replace(month=4)


@pytest.fixture(scope="module")
def invoiced(stack: LocalStack, filled_template: str) -> Iterator[tuple[BilledSite, dict[str, tuple[int, int]]]]:
    """The model site with services and a price list, its March invoiced; and the points by name: (point, item)."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with billed_site(stack.create_database(name, template=filled_template)) as site:
        with transaction(site.engine) as connection:
            prepare(connection, CLERK, NOW)
            lowered_by_sharing(connection)
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
            named = {which: item for which, (_, item) in points.items()}
            named |= {f"{which}_point": point for which, (point, _) in points.items()}
            for statement in BEFORE.format(**named, others=OTHERS).split(";"):
                connection.execute(text(statement))
            made = settle_march(connection, site.clock)
            assert made.omitted == 0
            run = made.id
            approve_run(connection, run, CLERK, NOW)
            connection.execute(
                text("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run AND service <> 'purchase'"),
                {"run": run},
            )
            entry = connection.execute(text("SELECT supply_point, id FROM contract_item WHERE kind = 'purchase'")).one()
            points["entry"] = (entry.supply_point, entry.id)
        yield site, points
    stack.drop_database(name)


def lowered_by_sharing(connection: Connection) -> None:
    """A package by which shared energy lowers a component: no released one does that."""
    rules = connection.execute(
        text("SELECT content -> 'rules' FROM package WHERE active AND name = 'cz-electricity-2026'")
    ).scalar_one()
    for rule in rules:
        if rule["component"] == "system_services":
            rule["parameters"]["lowered_by"] = "shared_energy_mwh"
    with_package(connection, version="2026.800", rules=rules)


def with_package(connection: Connection, version: str = "2026.900", **changes: Any) -> None:
    """A newer version of the electricity package in force, with other prices or VAT."""
    content = connection.execute(
        text("SELECT content FROM package WHERE active AND name = 'cz-electricity-2026'")
    ).scalar_one()
    content = {**content, **changes, "version": version}
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


def test_what_edc_says_comes_before_what_we_compute(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    site, points = invoiced
    with site.engine.connect() as connection:
        connection.execute(text(ALLOCATION.format(10, "computed", 2)), {"point": points["low"][0]})
        assert judged(site, connection, points["low"][0]) == (None, Decimal(0), Decimal(0))
        connection.rollback()


def test_a_change_of_sharing_says_so_as_the_cause(invoiced: tuple[BilledSite, dict[str, tuple[int, int]]]) -> None:
    site, points = invoiced
    with site.engine.connect() as connection:
        connection.execute(text(ALLOCATION.format(10, "edc", 2)), {"point": points["low"][0]})
        found, net, _ = judged(site, connection, points["low"][0])
        assert [cause["kind"] for cause in found.causes] == ["sharing"]
        (line,) = found.lines
        # 48.00 kWh instead of 9.60
        assert Decimal(line["correct"]["quantity"]) - Decimal(line["billed"]["quantity"]) == Decimal("-0.038")
        assert net < 0
        connection.rollback()


def test_shared_energy_under_a_line_is_traced_to_where_it_is_from(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    site, points = invoiced
    asked = {"point": points["low"][0]}
    with site.engine.connect() as connection:
        measurements = connection.execute(
            text(
                "SELECT measurements FROM billing_basis WHERE supply_point = :point AND component = 'system_services'"
            ),
            asked,
        ).scalar_one()
        (source,) = (each for each in measurements if each["kind"] == "sharing")
        connection.execute(text(ALLOCATION.format(10, "edc", 2)), asked)  # a newer one is not what was billed
        traced = trace._measurement(connection, source, {}, None)
        other_day = trace._measurement(connection, source, {}, MONTH)
        connection.rollback()
    assert [
        (day["day"], day["source"], day["version"], day["shared_kwh"], day["origin"]) for day in traced["days"]
    ] == [("2026-03-10", "edc", 1, "9.60", "test")]
    assert other_day["days"] == []


def test_nothing_changed_is_nothing_found(invoiced: tuple[BilledSite, dict[str, tuple[int, int]]]) -> None:
    site, points = invoiced
    with site.engine.connect() as connection:
        for point in (point for which, (point, _) in points.items() if which != "entry"):
            found, net, vat = judged(site, connection, point)
            assert (found, net, vat) == (None, Decimal(0), Decimal(0))
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


def test_every_fact_of_an_entry_is_found_by_an_update(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    site, points = invoiced
    point, item = points["entry"]
    period, scope = Period.of_month(MONTH), Scope([point])
    with site.engine.connect() as connection:
        done = update_bases(connection, period, "regular", scope, "beze změny", site.clock, CLERK)
        assert (done.updated.run, done.updated.replaced, done.updated.left_out) == (None, 0, ())
        assert look(connection, MONTH, END, site.clock, [point]).open == 0
        connection.rollback()
        for name, each in ENTRY_FACTS.items():
            asked = {key: value for key, value in (("point", point), ("item", item)) if f":{key}" in each.change}
            assert connection.execute(text(each.change), asked).rowcount, name
            done = update_bases(connection, period, "regular", scope, name, site.clock, CLERK)
            rows = connection.execute(
                text("SELECT DISTINCT component, service FROM billing_basis WHERE supply_point = :p"
                     " AND state = 'cancelled' AND replaced_by = :run"),
                {"p": point, "run": done.updated.run},
            ).all()  # fmt: skip
            assert each.touches <= {row.component for row in rows}, (name, rows)
            assert {row.service for row in rows} == {"purchase"}, name
            connection.rollback()


def test_a_supplier_without_its_framework_contract_is_told(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    """Whom to bill is not known: nothing is judged, and the point is named with what to mend."""
    site, points = invoiced
    point = points["framed"][0]
    with site.engine.connect() as connection:
        connection.execute(
            text("UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S2') WHERE id = :p"),
            {"p": point},
        )
        told = look(connection, MONTH, END, site.clock, [point])
        assert told.open == 0
        assert [("S2" in each["reason"], "R/S1" in each["reason"]) for each in told.left_out] == [(True, True)]
        connection.rollback()


def test_a_day_leads_to_services_that_another_point_is_billed_for(
    invoiced: tuple[BilledSite, dict[str, tuple[int, int]]],
) -> None:
    """A channel, a formula and a node count services of the low-voltage point by channels of others."""
    site, points = invoiced
    with site.engine.connect() as connection:
        measured, left = (
            connection.execute(text(f"SELECT id FROM ({OTHERS}) o WHERE place = {place}")).scalar_one()
            for place in (2, 3)
        )
        connection.execute(
            text("""
                WITH billed AS (
                    SELECT b.*, row_number() OVER (ORDER BY b.id) AS line FROM billing_basis b
                     WHERE b.supply_point = :point AND b.service <> 'purchase' AND b.state = 'invoiced'),
                made AS (
                    INSERT INTO invoice (number, kind, document_type, state, supplier, payer, issue_date, tax_date,
                        due_date, variable_symbol, currency, net, vat, gross, deducted, payable, vat_rows, language,
                        issued_at, issued_by)
                    SELECT '2600000001', 'regular', 1, 'issued', min(seller), min(payer), '2026-04-02', '2026-03-31',
                           '2026-04-16', '2600000001', 'CZK', 0, 0, 0, 0, 0, '[]', 'cs', now(), 'x' FROM billed
                    RETURNING id)
                INSERT INTO invoice_line (invoice, line_no, basis, supply_point, rate, name, quantity, unit, unit_price,
                       price_unit, amount, vat_percent, information)
                SELECT made.id, b.line, b.id, b.supply_point, b.rate, b.name, b.quantity, b.unit, b.unit_price,
                       b.price_unit, b.amount, b.vat_percent, false FROM billed b CROSS JOIN made
            """),
            {"point": points["low"][0]},
        )
        day = MONTH.replace(day=10)
        found = {channel: lines_of_day(connection, channel, day) for channel in (measured, left)}
        services = {channel: {line["component"] for line in lines} for channel, lines in found.items()}
        assert services == {
            measured: {"service:KANAL", "service:UZEL", "service:VZOREC"},
            left: {"service:UZEL"},
        }
        assert {line["version"] for lines in found.values() for line in lines} == {1}
        assert lines_of_day(connection, measured, END) == []
        connection.rollback()
