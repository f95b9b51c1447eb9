"""A month in which something changes: who pays, who takes, what is agreed; and runs that are stopped or made again."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text

from central.platform.database import transaction
from central.settlement.runs import approve_run
from central.settlement.scope import Scope
from central.workflow import settle_month
from central.workflow.prepare import prepare
from central.workflow.settle_month import Period, settle
from tests.system.billing.site import CLERK, MONTH, NOW, POINTS, BilledSite, settle_march
from tests.system.billing.test_pins_and_states import first_point, quantities

INPUTS = """
    SELECT i.id, i.contract_item, i.facts, i.quantities, i.readings,
           (lower(i.valid) AT TIME ZONE 'Europe/Prague')::date::text AS first,
           (upper(i.valid) AT TIME ZONE 'Europe/Prague')::date::text AS end
      FROM settlement_input i WHERE i.run = :run ORDER BY i.supply_point, lower(i.valid)
"""
BASES = """
    SELECT b.input, b.payer, b.customer, b.component, b.quantity, b.amount
      FROM billing_basis b WHERE b.run = :run ORDER BY b.id
"""
SUPPLIERS = """
    INSERT INTO party (code, name, street, city, postal_code, roles)
    SELECT code, code, 'x', 'x', '602 00', ARRAY['supplier'] FROM (VALUES ('S1'), ('S2')) AS given (code);
    INSERT INTO contract (number, kind, customer, payer, valid)
    SELECT 'R/' || code, 'framework', id, id, '[2026-01-01,)'::daterange FROM party WHERE code IN ('S1', 'S2');
    UPDATE contract_item SET valid = daterange(lower(valid), '2026-03-01') WHERE supply_point = {point};
    INSERT INTO contract_item (contract, supply_point, prices, rate, breaker_phases, breaker_amps, valid, kind)
    SELECT c.id, i.supply_point, i.prices, i.rate, i.breaker_phases, i.breaker_amps, given.valid, 'framework'
      FROM contract_item i
     CROSS JOIN (VALUES ('R/S1', '[2026-03-01,2026-03-11)'::daterange), ('R/S2', '[2026-03-11,)'))
        AS given (number, valid)
      JOIN contract c ON c.number = given.number
     WHERE i.supply_point = {point} AND upper(i.valid) = '2026-03-01';
    UPDATE supply_point SET since = '2026-03-11' WHERE id = {point};
    INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
           voltage_level, metering_type, category, load_profile_class, operator, supplier, state)
    SELECT id, commodity, '[,2026-03-11)', name, object, street, city, postal_code, voltage_level, metering_type,
           category, load_profile_class, operator, (SELECT id FROM party WHERE code = 'S1'), state
      FROM supply_point WHERE id = {point};
    UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S2') WHERE id = {point};
"""
SOLD_BY = "UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = :code) WHERE id = :point"
STATE = """
    INSERT INTO register_reading (at, batch_id, value, evidence_channel, quality, marks)
    SELECT '2026-03-10 23:00Z', r.batch_id, r.value + 123, r.evidence_channel, 0, 0
      FROM register_reading r
      JOIN channel_mapping m ON m.evidence_channel = r.evidence_channel
      JOIN channel c ON c.id = m.channel
     WHERE c.supply_point = {point} AND c.direction = 'JT' ORDER BY r.at LIMIT 1
"""
TAKEN = """
    SELECT sum(v) * 0.000001
      FROM day_profile p JOIN channel c ON c.id = p.channel CROSS JOIN LATERAL unnest(p.values) v
     WHERE c.supply_point = :point AND c.direction = 'A+' AND c.kind = 'interval'
       AND p.day >= CAST(:first AS date) AND p.day < CAST(:end AS date)
"""
NEW_CUSTOMER = """
    UPDATE contract SET since = '2026-03-16' WHERE id = {contract};
    INSERT INTO contract_past (contract, valid, customer, payer, due_days, payment, statement_months, advance_months,
           advance_spread)
    SELECT id, '[,2026-03-16)', customer, payer, due_days, payment, statement_months, advance_months, advance_spread
      FROM contract WHERE id = {contract};
    UPDATE contract SET customer = {other}, payer = {other} WHERE id = {contract};
"""


FIRST_HALF, SECOND_HALF = ("2026-03-01", "2026-03-16"), ("2026-03-16", "2026-04-01")
# ČEZ at VN, 360 kW a year and 20 kW a month, 43.279857 and 46.796753 MWh taken, 0.057127 and 0.060758 MVArh given back
HALVES = (
    [
        ("reserved_capacity_year", "0.174193548", "43995.19"),  # 0.360 MW x 15/31 x 252565
        ("reserved_capacity_month", "0.009677419", "2727.32"),  # 0.020 MW x 15/31 x 281823
        ("use_of_networks", "43.280", "4597.20"),  # x 106.22
        ("system_services", "43.280", "7108.31"),  # x 164.24
        ("nonnetwork_infrastructure", "0.483871", "6.23"),  # 15/31 x 12.87
        ("unsolicited_reactive", "0.057", "25.08"),  # x 440
    ],
    [
        ("reserved_capacity_year", "0.185806452", "46928.21"),  # 0.360 x 252565 = 90923.40, less 43995.19
        ("reserved_capacity_month", "0.010322581", "2909.14"),  # 0.020 x 281823 = 5636.46, less 2727.32
        ("use_of_networks", "46.797", "4970.78"),  # 90.077 x 106.22 = 9567.98, less 4597.20
        ("system_services", "46.797", "7685.94"),  # 90.077 x 164.24 = 14794.25, less 7108.31
        ("nonnetwork_infrastructure", "0.516129", "6.64"),  # 12.87 less 6.23
        ("unsolicited_reactive", "0.061", "26.84"),  # 0.118 x 440 = 51.92, less 25.08
    ],
)


def rows(site: BilledSite, statement: str, **parameters: Any) -> list[Any]:
    with transaction(site.engine) as connection:
        return list(connection.execute(text(statement), parameters).all())


def run_of(site: BilledSite, points: list[int] | None = None) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        return settle_march(connection, site.clock, points).id


def lines_of(found: Sequence[Any], identifier: int) -> list[tuple[str, str, str]]:
    """What an input bills: component, quantity, amount."""
    return [(row.component, str(row.quantity), str(row.amount)) for row in found if row.input == identifier]


def taken_mwh(site: BilledSite, point: int, first: str, end: str) -> Decimal:
    """What the newest profiles of a point hold over days, summed by the database."""
    found: Decimal = site.one(TAKEN, point=point, first=first, end=end)
    return found.normalize()


def do_each(site: BilledSite, script: str, **parameters: Any) -> None:
    for statement in script.format(**parameters).split(";\n"):
        if statement.strip():
            site.do(statement)


def test_each_supplier_pays_for_its_days_of_a_month(site: BilledSite) -> None:
    point = first_point(site, "JT", "state")
    whole = run_of(site, [point])
    consumed = Decimal(quantities(site, whole, point)["energy_mwh"])
    amounts = {row.component: row.amount for row in rows(site, BASES, run=whole)}
    do_each(site, SUPPLIERS, point=point)
    do_each(site, STATE, point=point)
    run = run_of(site, [point])
    first, second = rows(site, INPUTS, run=run)
    assert [(each.first, each.end) for each in (first, second)] == [
        ("2026-03-01", "2026-03-11"),
        ("2026-03-11", "2026-04-01"),
    ]
    codes = [each.facts["contract"]["payer"]["code"] for each in (first, second)]
    assert codes == ["S1", "S2"] == [each.facts["supply_point"]["supplier"]["code"] for each in (first, second)]
    exponent = site.one("SELECT exponent FROM channel WHERE supply_point = :p AND direction = 'JT'", p=point)
    energies = [Decimal(each.quantities["energy_mwh"]) for each in (first, second)]
    assert energies[0] == Decimal(123).scaleb(exponent - 6)
    assert sum(energies) == consumed
    ends = [each.readings[0]["periods"][0] for each in (first, second)]
    assert ends[0]["to"]["value"] == ends[1]["from"]["value"]
    split = rows(site, BASES, run=run)
    payers = {row.input: row.payer for row in split}
    assert payers == {each.id: each.facts["contract"]["payer"]["id"] for each in (first, second)}
    for component, amount in amounts.items():
        parts = [row.amount for row in split if row.component == component]
        assert (len(parts), sum(parts)) == (2, amount), component
    # C02d of ČEZ, 3x25 A, 242.21 kWh: 361; 0.242 x 2263.19 = 547.69; 0.242 x 164.24 = 39.75; 12.87
    assert consumed == Decimal("0.24221")
    assert [str(amount) for amount in amounts.values()] == ["361.00", "547.69", "39.75", "12.87"]
    # 10/31 of a month: 0.322581 x 361 = 116.45, x 12.87 = 4.15; 1.23 kWh: 0.001 x 2263.19 = 2.26, x 164.24 = 0.16
    assert lines_of(split, first.id) == [
        ("breaker", "0.322581", "116.45"),
        ("energy_jt", "0.001", "2.26"),
        ("system_services", "0.001", "0.16"),
        ("nonnetwork_infrastructure", "0.322581", "4.15"),
    ]
    # what is left of the whole: 1 - 0.322581, 361 - 116.45, 547.69 - 2.26, 39.75 - 0.16, 12.87 - 4.15
    assert lines_of(split, second.id) == [
        ("breaker", "0.677419", "244.55"),
        ("energy_jt", "0.241", "545.43"),
        ("system_services", "0.241", "39.59"),
        ("nonnetwork_infrastructure", "0.677419", "8.72"),
    ]
    second_contract = Scope(contracts=[second.facts["contract"]["id"]])
    with transaction(site.engine) as connection:
        made = settle(connection, Period.of_month(MONTH), "regular", second_contract, site.clock, CLERK)
    (alone,) = rows(site, INPUTS, run=made.id)
    assert (alone.first, alone.facts["contract"]["payer"]["code"]) == ("2026-03-11", "S2")
    with transaction(site.engine) as connection:
        assert approve_run(connection, run, CLERK, NOW) == len(split)


def test_a_supplier_that_is_not_the_contracts_leaves_the_point_out_until_it_is_mended(site: BilledSite) -> None:
    point = first_point(site, "JT", "state")
    do_each(site, SUPPLIERS, point=point)
    site.do(
        "UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S1') WHERE id = :point", point=point
    )
    run = run_of(site)
    (left_out,) = rows(site, "SELECT * FROM settlement_omission WHERE run = :run", run=run)
    assert (left_out.supply_point, left_out.component, str(left_out.day)) == (point, "supplier", "2026-03-11")
    assert "dodavatele S1" in left_out.reason
    assert "R/S2 je však s S2" in left_out.reason
    with transaction(site.engine) as connection:
        approve_run(connection, run, CLERK, NOW)
    site.do(
        "UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S2') WHERE id = :point", point=point
    )
    again = run_of(site)
    assert [row.first for row in rows(site, INPUTS, run=again)] == ["2026-03-01", "2026-03-11"]
    assert site.one("SELECT count(*) FROM settlement_omission WHERE run = :run", run=again) == 0


def test_a_new_customer_in_the_middle_of_a_month_at_high_voltage(site: BilledSite) -> None:
    point = first_point(site, "A+", "interval")
    whole_run = run_of(site, [point])
    whole, amounts = quantities(site, whole_run, point), rows(site, BASES, run=whole_run)
    contract = site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
    other = site.one("SELECT max(id) FROM party WHERE 'customer' = ANY (roles)")
    before = site.one("SELECT customer FROM contract WHERE id = :contract", contract=contract)
    assert other != before
    do_each(site, NEW_CUSTOMER, contract=contract, other=other)
    run = run_of(site, [point])
    first, second = rows(site, INPUTS, run=run)
    assert (first.contract_item, first.end, second.first) == (second.contract_item, "2026-03-16", "2026-03-16")
    energies = [Decimal(each.quantities["energy_mwh"]) for each in (first, second)]
    assert sum(energies) == Decimal(whole["energy_mwh"])
    peaks = [Decimal(each.quantities["max_quarter_hour_kw"]) for each in (first, second)]
    assert max(peaks) == Decimal(whole["max_quarter_hour_kw"])
    split = rows(site, BASES, run=run)
    assert {row.input: (row.customer, row.payer) for row in split} == {
        first.id: (before, before),
        second.id: (other, other),
    }
    for component in ("reserved_capacity_year", "use_of_networks", "system_services"):
        expected = [row.amount for row in amounts if row.component == component]
        parts = [row.amount for row in split if row.component == component]
        assert (len(parts), sum(parts)) == (2, sum(expected)), component
    expected = [taken_mwh(site, point, *days) for days in (FIRST_HALF, SECOND_HALF)]
    assert energies == expected == [Decimal("43.279857"), Decimal("46.796753")]
    assert lines_of(split, first.id) == HALVES[0]
    assert lines_of(split, second.id) == HALVES[1]
    pinned = site.one("SELECT profiles -> 0 FROM settlement_input WHERE id = :id", id=second.id)
    assert (pinned["first"], len(pinned["versions"])) == ("2026-03-16", 16)


COLLECTION = """
    INSERT INTO collection (code, name, purpose) VALUES ('K', 'K', 'settlement');
    INSERT INTO collection_node (collection, node, parent, channel, meter, valid)
    SELECT k.id, given.node, given.parent, CASE WHEN given.by_channel THEN c.id END,
           CASE WHEN NOT given.by_channel THEN e.device END, '[2026-01-01,)'
      FROM collection k
     CROSS JOIN (VALUES ('hall', NULL, 1, true), ('office', 'hall', 2, false), ('yard', NULL, 3, true))
        AS given (node, parent, place, by_channel)
      JOIN (SELECT id, row_number() OVER (ORDER BY id) AS place FROM channel WHERE direction = 'JT') c USING (place)
      JOIN channel_mapping m ON m.channel = c.id
      JOIN evidence_channel e ON e.id = m.evidence_channel
     WHERE k.code = 'K';
"""
CONTENT = """
    SELECT md5(string_agg(concat_ws('|', supply_point, contract_item, statement_type, valid, package, facts, digest,
           quantities, profiles, readings, information, findings), E'\\n' ORDER BY supply_point, valid))
           || (SELECT md5(string_agg(concat_ws('|', supply_point, contract, customer, payer, seller, service, rate,
               name, quantity, unit, unit_price, amount, vat_percent, valid, measurements, why, fingerprint), E'\\n'
               ORDER BY supply_point, id)) FROM billing_basis WHERE run = :run)
           || (SELECT digest FROM settlement_run WHERE id = :run)
      FROM settlement_input WHERE run = :run
"""


def test_a_run_is_the_same_in_chunks_of_any_size_and_a_broken_one_leaves_nothing(
    site: BilledSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = run_of(site)
    monkeypatch.setattr(settle_month, "CHUNK", 10)
    second = run_of(site)
    assert site.one(CONTENT, run=first) == site.one(CONTENT, run=second)
    counts = "SELECT (SELECT count(*) FROM settlement_run) + (SELECT count(*) FROM settlement_input)" \
             " + (SELECT count(*) FROM billing_basis)"  # fmt: skip
    before = site.one(counts)
    written: list[int] = []

    def broken(*given: Any) -> Any:
        if len(written) == 3:
            raise RuntimeError("the power is gone")
        written.append(1)
        return settle_points(*given)

    settle_points = settle_month.settle_points
    monkeypatch.setattr(settle_month, "settle_points", broken)
    with pytest.raises(RuntimeError, match="the power is gone"):
        run_of(site)
    assert len(written) == 3
    assert site.one(counts) == before
    monkeypatch.setattr(settle_month, "settle_points", settle_points)
    assert site.one(CONTENT, run=run_of(site)) == site.one(CONTENT, run=first)


def test_a_part_of_a_month_then_the_rest_of_it(site: BilledSite) -> None:
    point = first_point(site, "A+", "interval")
    with site.client() as client:
        half = {"from": "2026-03-01", "to": "2026-03-16", "statement": "final", "scope": {"points": [point]}}
        made = client.post("/v1/settlement/runs", json=half)
        assert made.status_code == 201, made.text
        assert client.post(f"/v1/settlement/runs/{made.json()['id']}/approve", json={}).status_code == 200
        kept = client.get(f"/v1/settlement/runs/{made.json()['id']}").json()
        assert (kept["period_from"], kept["period_to"], kept["statement"]) == ("2026-03-01", "2026-03-16", "final")
        rest = client.post("/v1/settlement/runs", json={"month": "2026-03", "scope": {"points": [point]}}).json()
        (found,) = rows(site, INPUTS, run=rest["id"])
        assert (found.first, found.end) == ("2026-03-16", "2026-04-01")
        halves = [(made.json()["id"], FIRST_HALF, HALVES[0]), (rest["id"], SECOND_HALF, HALVES[1])]
        for run, days, expected in halves:
            (entry,) = rows(site, INPUTS, run=run)
            assert Decimal(entry.quantities["energy_mwh"]) == taken_mwh(site, point, *days)
            assert lines_of(rows(site, BASES, run=run), entry.id) == expected
        do_each(site, COLLECTION)
        part = {"month": "2026-03", "scope": {"collection": "K", "node": "hall"}}
        below = client.post("/v1/settlement/runs", json=part).json()
        whole = client.post("/v1/settlement/runs", json={"month": "2026-03", "scope": {"collection": "K"}}).json()
        assert (below["settled"], whole["settled"]) == (2, 3)
        kept = client.get(f"/v1/settlement/runs/{below['id']}").json()
        assert kept["settled"] == 2
        refused: tuple[tuple[dict[str, Any], int], ...] = (
            ({"month": "2026-03", "from": "2026-03-01", "to": "2026-03-05"}, 422),
            ({"from": "2026-03-01"}, 422),
            ({"from": "2026-03-05", "to": "2026-03-05"}, 422),
            ({"month": "2026-03", "points": [point], "scope": {"points": [point]}}, 422),
            ({"month": "2026-03", "statement": "corrective"}, 422),
            ({"month": "2026-03", "scope": {"area": "nowhere"}}, 404),
            ({"month": "2026-03", "scope": {"collection": "nothing"}}, 404),
            ({"month": "2026-03", "scope": {"collection": "K", "node": "nowhere"}}, 404),
            ({"month": "2026-03", "scope": {"node": "hall"}}, 422),
            ({"month": "2026-03", "scope": {"contracts": [999_999]}}, 409),
        )
        for order, status in refused:
            assert client.post("/v1/settlement/runs", json=order).status_code == status, order


def test_an_edit_that_waits_for_a_second_person_holds_its_point_back(site: BilledSite) -> None:
    point = first_point(site, "A+", "interval")
    site.do(
        """
        INSERT INTO profile_edit (channel, day, intervals, values, before, based_on, changed, reason, state,
               needs_second, proposed_at, proposed_by)
        SELECT id, '2026-03-09', '[3,4)', '{1}', '{2}', 1, 1, 'odečet', 'proposed', true, :now, 'A' FROM channel
         WHERE supply_point = :point AND direction = 'A+' AND kind = 'interval'
        """,
        point=point,
        now=NOW,
    )
    run = run_of(site)
    (left_out,) = rows(site, "SELECT * FROM settlement_omission WHERE run = :run", run=run)
    assert (left_out.supply_point, left_out.component, str(left_out.day)) == (point, "edit", "2026-03-09")
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run", run=run) == POINTS - 1
    site.do("UPDATE profile_edit SET state = 'refused', decided_by = 'B', decided_at = :now", now=NOW)
    with transaction(site.engine) as connection:
        made = settle(connection, Period.of_month(MONTH), "regular", Scope(), site.clock, CLERK)
    assert (made.settled, made.omitted) == (POINTS, 0)
