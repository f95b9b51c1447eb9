"""A month that several runs settle, through the API: a final and the rest; contracts for network and for supply."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from fastapi.testclient import TestClient

from tests.system.billing.site import NOW, BilledSite
from tests.system.billing.test_bases import bases, high_voltage, post, update
from tests.system.billing.test_parts_of_a_month import NEW_CUSTOMER, do_each
from tests.system.billing.test_pins_and_states import first_point

SINCE = {"valid_from": "2026-03-01"}
WHY = {"why": "smlouva"}
EXCESS = "excess_reserved_capacity"
RESERVED = """
    UPDATE reserved_capacity SET kw = 300 WHERE supply_point = {point} AND kind = 'year';
    DELETE FROM reserved_capacity WHERE supply_point = {point} AND kind = 'month';
    UPDATE contract_item SET reserved_input_kw = 1000, prices = 'CEZ' WHERE supply_point = {point}
"""
PEAK = """
    INSERT INTO day_profile (channel, day, version, values, quality, method, step_ms, missing, made_at, made_by,
                             batches, digest, base_digest, late)
    SELECT p.channel, p.day, p.version + 1, ARRAY[CAST(:wh AS integer)] || p.values[2:], p.quality, p.method, p.step_ms,
           p.missing, p.made_at, 'test', p.batches, decode(md5(random()::text), 'hex'), NULL, false
      FROM day_profile p JOIN channel c ON c.id = p.channel
     WHERE c.supply_point = :point AND c.direction = 'A+' AND c.kind = 'interval' AND p.day = CAST(:day AS date)
       AND p.version = (SELECT max(version) FROM day_profile WHERE channel = p.channel AND day = p.day)
"""


def settle(client: TestClient, status: int = 201, **order: Any) -> Any:
    return post(client, "/settlement/runs", status, **order)


def approve(client: TestClient, run: int, status: int = 200) -> Any:
    return post(client, f"/settlement/runs/{run}/approve", status)


def excess(client: TestClient, run: int) -> list[tuple[str, str, str, str]]:
    """What a run bills of exceeded capacity: first day, kW, price, amount."""
    return [
        (line["valid_from"][:10], line["quantity"], line["unit_price"], line["amount"])
        for line in bases(client, run=run)
        if line["component"] == EXCESS and line["state"] != "cancelled"
    ]


def test_a_final_within_the_month_and_then_the_rest_of_it_bill_one_over_run(site: BilledSite) -> None:
    """300 kW are reserved. The leaver took 400 kW on 10 March, the stayer 450 kW on 20 March.

    A kW above is 1.5 x 281.823 = 422.7345 Kč. The leaver's 100 kW are 42273.45 Kč; the month's 150 kW are 63410.175 =
    63410.18 Kč, of which 21136.73 Kč are left: 50 kW.
    """
    point = high_voltage(site)[0]
    do_each(site, RESERVED, point=point)
    for day, watt_hours in (("2026-03-10", 100_000), ("2026-03-20", 112_500)):
        site.do(PEAK, point=point, day=day, wh=watt_hours)
    contract = site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
    other = site.one("SELECT max(id) FROM party WHERE 'customer' = ANY (roles)")
    do_each(site, NEW_CUSTOMER, contract=contract, other=other)
    here = {"scope": {"points": [point]}}
    of_leaver = {"from": "2026-03-01", "to": "2026-03-16", "statement": "final", **here}
    of_stayer = {"from": "2026-03-16", "to": "2026-04-01", **here}
    leavers = [("2026-02-28", "100", "422.7345", "42273.45")]
    stayers = [("2026-03-15", "50", "422.7345", "21136.73")]
    with site.client() as client:
        # in one run all of it is the stayer's, who paid when it was measured
        together = settle(client, month="2026-03", **here)["id"]
        assert excess(client, together) == [("2026-03-15", "150", "422.7345", "63410.18")]
        early = settle(client, **of_stayer)["id"]
        assert excess(client, early) == [("2026-03-15", "150", "422.7345", "63410.18")]
        site.clock.set(NOW + timedelta(hours=1))
        left = settle(client, **of_leaver)["id"]
        assert excess(client, left) == leavers
        approve(client, left)
        # a draft that did not know of the final would bill the over-run twice
        refused = approve(client, early, 409)
        assert refused["code"] == "month_settled_meanwhile"
        assert "maximum and over-run are evaluated once" in refused["message"]
        rest = settle(client, month="2026-03", **here)["id"]
        assert excess(client, rest) == stayers
        line = next(line for line in bases(client, run=rest) if line["component"] == EXCESS)
        why = client.get(f"/v1/bases/{line['id']}").json()["why"]
        assert "z 63410,18 Kč za celý měsíc je 42273,45 Kč vyúčtováno v jiné jeho části" in why["text"]
        assert why["of_month"] == {"unit": "Kč", "month": "63410.18", "billed": "42273.45"}
        alone = settle(client, **of_stayer)["id"]
        assert excess(client, alone) == stayers
        site.clock.set(NOW + timedelta(hours=2))
        approve(client, rest)
        for draft in (together, early, alone):
            post(client, f"/settlement/runs/{draft}/discard", 200, why="zkouška")
        # later runs of either part change nothing, also where the final is invoiced
        days = {"from": "2026-03-01", "to": "2026-03-16", "points": [point]}
        for order in (days, {"month": "2026-03", "points": [point]}):
            (done,) = post(client, "/bases/update", 200, **order, why="kontrola")["updates"]
            assert (done["run"], done["replaced"], done["added"], done["removed"]) == (None, 0, 0, 0), done
            assert (excess(client, left), excess(client, rest)) == (leavers, stayers)
            if order is days:
                assert post(client, "/invoices", 201, run=left)["invoices"]
        # the stayer took 360 kW at most: less than the leaver's 400, so nothing of the month is left for him
        site.do(PEAK, point=point, day="2026-03-20", wh=90_000)
        done = update(client, [point])
        assert (done["removed"], excess(client, done["run"])) == (1, [])
        assert excess(client, left) == leavers
        # nor does a look for corrections find anything at the leaver, until his own profile is another one
        march = {"from": "2026-03-01", "to": "2026-04-01"}
        assert post(client, "/corrections/look", 200, **march)["open"] == 0
        site.do(PEAK, point=point, day="2026-03-10", wh=105_000)
        assert post(client, "/corrections/look", 200, **march)["open"] == 1
        (found,) = client.get("/v1/corrections").json()
        changed = {line["component"]: line["difference"] for line in found["lines"]}
        # 20 kW more
        assert changed[EXCESS] == "8454.69"


def test_contracts_for_network_and_for_supply_are_settled_and_approved_in_any_order(site: BilledSite) -> None:
    """Each contract item of a point has its own approved days; supply is 1 month and the month's energy."""
    points = [first_point(site, "JT", "state"), *high_voltage(site)]
    eans = {point: site.one("SELECT ean FROM supply_point WHERE id = :point", point=point) for point in points}
    seller = site.one("SELECT code FROM party WHERE 'customer' = ANY (roles) ORDER BY id LIMIT 1")
    network: dict[int, int] = {
        point: site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
        for point in points
    }
    supply: dict[int, int] = {}
    with site.client() as client:
        post(client, "/own-price-lists", 201, code="NN26", name="Ceník", commodity="electricity")
        for component, price in (("fixed", "150"), ("energy", "3000")):
            listed = {"component": component, "price": price, "source": "ceník 1", **SINCE, **WHY}
            post(client, "/own-price-lists/NN26/prices", 201, **listed)
        for point, ean in eans.items():
            items = [{"supply_point": ean, "prices": "CEZ"}]
            given = {"number": f"D/{point}", "kind": "supply", "customer": seller, **SINCE, "items": items}
            post(client, "/contracts", 201, **given)
            item = site.one("SELECT id FROM contract_item WHERE supply_point = :p AND kind = 'supply'", p=point)
            supply[point] = site.one("SELECT contract FROM contract_item WHERE id = :item", item=item)
            given = {"price_list": "NN26", **SINCE, **WHY}
            post(client, f"/contract-items/{item}/price-lists?confirmed=true", 201, **given)

        def run_of(*contracts: int) -> int:
            made = settle(client, month="2026-03", scope={"contracts": [*contracts]})
            assert (made["settled"], made["omitted"]) == (len({*contracts} & {*network.values()}) or 1, 0)
            number: int = made["id"]
            return number

        def services(run: int) -> set[str]:
            return {line["service"] for line in bases(client, run=run)}

        one, two, three = points
        approved: list[int] = []
        # network first, supply second
        for contract, service in ((network[one], "distribution"), (supply[one], "supply")):
            run = run_of(contract)
            assert services(run) == {service}
            approve(client, run)
            approved.append(run)
        # supply first, network second, both drafts made before either is approved
        drafts = [run_of(supply[two]), run_of(network[two])]
        assert [services(run) for run in drafts] == [{"supply"}, {"distribution"}]
        for run in drafts:
            approve(client, run)
            approved.append(run)
        # together
        made = settle(client, month="2026-03", points=[one, two, three])["id"]
        assert services(made) == {"distribution", "supply"}
        assert {line["ean"] for line in bases(client, run=made)} == {eans[three]}
        approve(client, made)
        approved.append(made)
        nothing = {"month": "2026-03", "points": points}
        assert settle(client, 409, **nothing)["code"] == "nothing_to_settle"
        for point in points:
            lines = [line for line in bases(client, ean=eans[point]) if line["state"] == "approved"]
            sold = {line["component"]: line for line in lines if line["service"] == "supply"}
            taken = sum(
                (Decimal(line["quantity"]) for line in lines if line["component"] == "system_services"), Decimal(0)
            )
            assert (sold["supply_fixed"]["quantity"], sold["supply_fixed"]["amount"]) == ("1", "150.00")
            assert Decimal(sold["supply_energy"]["quantity"]) == taken > 0
            assert Decimal(sold["supply_energy"]["amount"]) == taken * 3000
        # an update of one contract leaves the other as it stands
        (done,) = post(client, "/bases/update", 200, month="2026-03", contracts=[supply[one]], **WHY)["updates"]
        assert (done["run"], done["left_out"]) == (None, [])
        for run in approved:
            assert post(client, "/invoices", 201, run=run)["invoices"]
    unbilled = "SELECT count(*) FROM billing_basis WHERE state = 'approved'"
    assert site.one(unbilled) == 0
