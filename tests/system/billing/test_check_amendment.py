"""Check 19 on the model site: an item that came under an amendment without naming it, and one that nothing bills."""

from __future__ import annotations

from central.checks.bases import Scope
from central.checks.run import run_checks
from central.checks.standard.amendment import Amendment
from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite, settle_march

FRESH_POINT = """
    WITH fresh AS (
        INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level,
                                  metering_type, operator)
        SELECT '859182400999999993', 'Nové', 'Nové', street, city, postal_code, commodity, voltage_level,
               metering_type, operator
          FROM supply_point WHERE commodity = 'electricity' AND point_type = 'consumption' LIMIT 1
        RETURNING id
    )
    INSERT INTO contract_item (contract, supply_point, prices, rate, valid, kind)
    SELECT i.contract, fresh.id, i.prices, i.rate, '[2026-03-10,)', i.kind
      FROM contract_item i CROSS JOIN fresh WHERE i.id = :item
    RETURNING id
"""


def test_items_that_do_not_belong_to_the_amendment_in_force(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        settle_march(connection, site.clock)
    item = site.one("SELECT min(contract_item) FROM billing_basis WHERE rate = 7")
    contract = site.one("SELECT contract FROM contract_item WHERE id = :item", item=item)
    others = site.one("SELECT count(*) FROM billing_basis WHERE contract <> :contract", contract=contract)
    mine = site.one("SELECT count(*) FROM billing_basis WHERE contract_item = :item", item=item)
    rest = site.one("SELECT count(*) FROM billing_basis") - others - mine
    row = site.one(
        """
        INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
        VALUES (:contract, '[2026-03-01,2026-04-01)', false, true, false) RETURNING id
    """,
        contract=contract,
    )
    unbilled = site.one(FRESH_POINT, item=item)
    start = "2025-12-15"
    site.do(
        "INSERT INTO contract_amendment (contract, number, subject, effective) VALUES (:contract, 1, 'test', :start)",
        contract=contract,
        start=start,
    )
    moved = "UPDATE contract_item SET valid = daterange(:start, upper(valid)) WHERE id = :item"
    site.do(moved, start=start, item=item)
    site.do("UPDATE contract_item SET valid = daterange('2020-01-01', upper(valid)) WHERE contract = :contract AND "
            "id NOT IN (:item, :unbilled)", contract=contract, item=item, unbilled=unbilled)  # fmt: skip
    site.do("UPDATE check_definition SET active = number = 19")
    with transaction(site.engine) as connection:
        made = run_checks(connection, Scope(), "manual", CLERK, NOW, (Amendment(),))
    assert made.parts[19]["failed"] is None
    # without the row: of a point without a meter, so a warning
    assert made.results == {"info": 0, "ok": others + rest, "warning": 1, "error_cancelled": 0, "error": mine}
    with site.client() as client:
        told = client.get("/v1/checks/results?result=error").json()
        assert {each["links"][0]["id"] for each in told} == {item}
        (alone,) = client.get(f"/v1/checks/rows/{row}").json()
        assert (alone["result"], alone["group"], alone["links"][0]["id"]) == ("warning", "regular", unbilled)
    site.do("""
        UPDATE contract_item i SET amendment = a.id FROM contract_amendment a
         WHERE a.contract = i.contract AND lower(i.valid) >= a.effective
    """)
    with transaction(site.engine) as connection:
        made = run_checks(connection, Scope(), "manual", CLERK, NOW, (Amendment(),))
    assert made.results["ok"] == others + rest + mine
    assert made.results["error"] == made.results["warning"] == 0
