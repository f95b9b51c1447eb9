"""Who pays is changed for the past: who was billed gets a document about that, whom it concerns now a statement."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from fastapi.testclient import TestClient

from central.invoicing.isdoc import problems_of
from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_bases import high_voltage, post, settle_and_approve
from tests.system.billing.test_document_shapes import ANOTHER, issue
from tests.system.billing.test_parts_of_a_month import STATE, do_each
from tests.system.billing.test_pins_and_states import first_point

D = Decimal
ONE_SUPPLIER = """
    INSERT INTO party (code, name, street, city, postal_code, roles)
    SELECT code, code, 'x', 'x', '602 00', ARRAY['supplier'] FROM (VALUES ('S1'), ('S2')) AS given (code);
    INSERT INTO contract (number, kind, customer, payer, valid)
    SELECT 'R/' || code, 'framework', id, id, '[2026-01-01,)'::daterange FROM party WHERE code IN ('S1', 'S2');
    UPDATE contract_item SET kind = 'framework', contract = (SELECT id FROM contract WHERE number = 'R/S1')
     WHERE supply_point IN ({cut}, {moved});
    UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S1') WHERE id IN ({cut}, {moved});
"""
ANOTHER_SUPPLIER = """
    UPDATE contract_item SET contract = (SELECT id FROM contract WHERE number = 'R/S2') WHERE supply_point = {moved};
    UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S2') WHERE id = {moved};
    UPDATE contract_item SET valid = daterange(lower(valid), '2026-03-11') WHERE supply_point = {cut};
    INSERT INTO contract_item (contract, supply_point, prices, rate, breaker_phases, breaker_amps, valid, kind)
    SELECT (SELECT id FROM contract WHERE number = 'R/S2'), supply_point, prices, rate, breaker_phases, breaker_amps,
           '[2026-03-11,)', kind
      FROM contract_item WHERE supply_point = {cut};
    UPDATE supply_point SET since = '2026-03-11' WHERE id = {cut};
    INSERT INTO supply_point_past (supply_point, commodity, valid, name, object, street, city, postal_code,
           voltage_level, metering_type, category, load_profile_class, operator, supplier, state)
    SELECT id, commodity, '[,2026-03-11)', name, object, street, city, postal_code, voltage_level, metering_type,
           category, load_profile_class, operator, supplier, state
      FROM supply_point WHERE id = {cut};
    UPDATE supply_point SET supplier = (SELECT id FROM party WHERE code = 'S2') WHERE id = {cut};
"""
ANOTHER_PAYER = """
    UPDATE contract SET payer = (SELECT id FROM party WHERE code = 'S2')
     WHERE id = (SELECT contract FROM contract_item WHERE supply_point = {paid})
"""


BILLED_BEFORE = "SELECT payer FROM contract WHERE id = (SELECT contract FROM contract_item WHERE supply_point = :paid)"
STANDS = "SELECT sum(amount) FROM billing_basis WHERE payer = :payer AND supply_point = ANY (:points)"
LOOK = {"from": "2026-03-01", "to": "2026-04-01"}


def correct(client: TestClient) -> list[str]:
    """Find what changed, order it, and issue what comes of it."""
    post(client, "/corrections/look", 200, **LOOK)
    found = [each["id"] for each in client.get("/v1/corrections", params={"state": "open"}).json()]
    ordered = post(client, "/corrections/order", 201, corrections=found, why="jiný plátce")
    return [number for run in ordered["runs"] for number in issue(client, run=run)]


def test_who_was_billed_gets_it_back_and_who_pays_now_a_statement_of_his_own(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    cut = first_point(site, "JT", "state")
    points = {"cut": cut, "moved": site.one(ANOTHER, point=cut, place=0), "paid": high_voltage(site)[0]}
    before: int = site.one(BILLED_BEFORE, paid=points["paid"])
    do_each(site, ONE_SUPPLIER, **points)
    s1, s2 = (site.one("SELECT id FROM party WHERE code = :code", code=code) for code in ("S1", "S2"))
    with site.client() as client:
        first = issue(client, run=settle_and_approve(client, list(points.values())))
        do_each(site, ANOTHER_SUPPLIER, **points)
        do_each(site, ANOTHER_PAYER, **points)
        do_each(site, STATE, point=cut)
        about = correct(client)
        rest = issue(client, run=settle_and_approve(client, [cut]))
        told = {number: client.get(f"/v1/invoices/{number}").json() for number in (*first, *about, *rest)}
        post(client, "/corrections/look", 200, **LOOK)
        left = client.get("/v1/corrections", params={"state": "open"}).json()
        # days that a run of their own settles are rounded by themselves: to a haléř of what one run would bill
        assert all(abs(D(each["gross_difference"])) <= D("0.01") for each in left)
        for number in about:
            assert problems_of(client.get(f"/v1/invoices/{number}/isdoc").content) == []
    assert [(told[number]["payer"], told[number]["state"]) for number in first] == [
        (before, "cancelled"), (s1, "corrected"),
    ]  # fmt: skip
    made = [(each["payer"], each["kind"], each["original"]) for each in (told[number] for number in about)]
    assert {(payer, kind, original and original["number"]) for payer, kind, original in made} == {
        (before, "cancelling", first[0]),
        (s1, "corrective", first[1]),
        (s2, "regular", None),
        (s2, "collective", None),
    }
    assert [(told[number]["payer"], told[number]["kind"]) for number in rest] == [(s2, "collective")]
    for payer in (before, s1, s2):
        documents = [each for each in told.values() if each["payer"] == payer]
        net, vat, due = (sum((D(each[name]) for each in documents), D(0)) for name in ("net", "vat", "payable"))
        assert net == site.one(STANDS, payer=payer, points=list(points.values()))
        assert payer == s2 or vat == (net * D("0.21")).quantize(D("0.01"), rounding=ROUND_HALF_UP)
        assert due == net + vat == site.one("SELECT sum(rest) FROM receivable WHERE payer = :payer", payer=payer)
    # a new payer's statement tells what any statement does
    names = {
        kind: {line["name"] for line in told[number]["lines"]} for number in about for kind in [told[number]["kind"]]
    }
    assert any("POZE" in name for name in names["regular"] & names["collective"])
    assert not any("POZE" in name for name in names["corrective"])
