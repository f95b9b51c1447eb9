"""Check 1001 on the model site: its March settled whole, and then with what can be wrong."""

from __future__ import annotations

from typing import Any

from central.checks.bases import Scope
from central.checks.run import run_checks
from central.checks.standard.completeness import Completeness
from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, MONTH, NOW, POINTS, BilledSite, settle_march


def check(site: BilledSite) -> dict[str, int]:
    with transaction(site.engine) as connection:
        made = run_checks(connection, Scope(month=MONTH), "manual", CLERK, NOW, (Completeness(),))
    assert made.parts[1001]["failed"] is None, made.parts
    return made.results


def told(site: BilledSite, **asked: Any) -> list[dict[str, Any]]:
    with site.client() as client:
        rows: list[dict[str, Any]] = client.get(f"/v1/checks/periods/{MONTH}/points", params=asked).json()
    return rows


CANCEL = """
    UPDATE billing_basis SET state = 'cancelled', cancelled_at = made_at, cancelled_by = 'test', cancelled_why = 'test'
"""
AGAIN = """
    INSERT INTO billing_basis
           (supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name, quantity,
            unit, unit_price, price_unit, amount, vat_percent, valid, statement_type, measurements, why, state,
            fingerprint, reason, made_at, made_by)
    SELECT supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name, quantity,
           unit, unit_price, price_unit, amount, vat_percent, valid, statement_type, '[]', why, 'approved', fingerprint,
           'test', made_at, made_by
      FROM billing_basis WHERE supply_point = :point AND rate = 13
    RETURNING id
"""


def test_a_month_is_billed_whole_or_says_why(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        settle_march(connection, site.clock)
    site.do("UPDATE check_definition SET active = number = 1001")
    site.do("UPDATE billing_basis SET state = 'approved'")
    results = check(site)
    assert (results["ok"], results["warning"], results["error"]) == (POINTS, POINTS, 0)
    assert {each["text"]["en"].split(":")[0] for each in told(site, result="warning")} == {"Take-off without supplier"}
    site.do("UPDATE supply_point SET supplier = operator")
    whole = {"info": 0, "ok": POINTS, "warning": 0, "error_cancelled": 0, "error": 0}
    assert check(site) == whole
    happened = site.one("SELECT min(id) FROM billing_basis WHERE rate IN (10, 17, 27, 2001)")
    rate = site.one("SELECT rate FROM billing_basis WHERE id = :basis", basis=happened)
    site.do(f"{CANCEL} WHERE id = :basis", basis=happened)
    assert check(site) == whole | {"ok": POINTS - 1, "error": 1}
    (excess,) = told(site, result="error")
    assert f"(rate {rate}): in the time from 2026-03-01 " in excess["text"]["en"]
    assert "settlement_input" in {link["kind"] for link in excess["links"]}
    site.do("UPDATE billing_basis SET state = 'approved', cancelled_at = NULL, cancelled_by = NULL,"
            " cancelled_why = NULL WHERE id = :basis", basis=happened)  # fmt: skip
    low = site.one("SELECT array_agg(DISTINCT supply_point) FROM billing_basis WHERE rate = 13")[:5]
    lacking, twice, bare, ended, unpaid = low
    row = site.one(
        """
        INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
        SELECT contract, '[2026-03-01,2026-04-01)', false, true, false FROM contract_item WHERE supply_point = :point
        RETURNING id
    """,
        point=lacking,
    )
    site.do(f"{CANCEL} WHERE supply_point = :point AND rate = 15", point=lacking)
    again = site.one(AGAIN, point=twice)
    site.do(f"{CANCEL} WHERE supply_point = :point", point=bare)
    site.do("UPDATE contract_item SET valid = daterange(lower(valid), '2026-03-11') WHERE supply_point = :point",
            point=ended)  # fmt: skip
    site.do("""
        UPDATE contract SET valid = daterange(lower(valid), '2026-03-21')
         WHERE id = (SELECT contract FROM contract_item WHERE supply_point = :point)
    """, point=unpaid)  # fmt: skip
    assert check(site) == whole | {"ok": POINTS - 5, "error": 6}
    said = {each["subject"]: each for each in told(site, result="error")}
    assert set(said) == set(low)
    assert said[lacking]["text"]["en"].startswith("Systémové služby / ")
    assert "(rate 15) is on no basis for 31 days from 2026-03-01" in said[lacking]["text"]["en"]
    assert "(rate 13) is on two bases for 31 days" in said[twice]["text"]["en"]
    assert again in {link["id"] for link in said[twice]["links"] if link["kind"] == "billing_basis"}
    assert said[bare]["text"]["en"].startswith("31 days from 2026-03-01 are on no basis")
    assert "21 days from 2026-03-11 without a contract item" in said[ended]["text"]["en"]
    assert "no payer for 11 days from 2026-03-21" in said[unpaid]["text"]["en"]
    assert said[bare]["ean"] == site.one("SELECT ean FROM supply_point WHERE id = :point", point=bare)
    with site.client() as client:
        (on_row,) = client.get(f"/v1/checks/rows/{row}").json()
        assert (on_row["check"], on_row["result"], on_row["group"]) == (1001, "error", "regular")
        (about,) = client.get(f"/v1/checks/points/{bare}").json()
        assert about["text"] == said[bare]["text"]
        log = client.get(f"/v1/checks/runs/{about['run']}/log").json()
        assert f"{about['ean']}: {about['text']['en']}" in [each["text"]["en"] for each in log]
        assert client.get("/v1/checks/periods/2026-02-01/points").status_code == 404
    assert site.one("SELECT regular FROM row_verdict WHERE calendar_row = :row", row=row) == 5
    site.do(f"{CANCEL} WHERE id = :again", again=again)
    assert check(site)["error"] == 5
    assert site.one("SELECT result FROM row_finding WHERE calendar_row = :row", row=row) == 5
