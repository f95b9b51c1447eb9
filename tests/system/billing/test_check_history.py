"""Check 1003 on the model site: March against lines of a year before, through the API."""

from __future__ import annotations

from central.checks.bases import Scope
from central.checks.run import run_checks
from central.checks.standard.deviation import Deviation
from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite, settle_march

YEAR_BEFORE = """
    INSERT INTO billing_basis
           (supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name, quantity,
            unit, unit_price, price_unit, amount, vat_percent, valid, statement_type, measurements, why, state,
            fingerprint, reason, made_at, made_by)
    SELECT supply_point, contract_item, contract, customer, payer, seller, service, rate, component, name,
           quantity * CASE id WHEN :less THEN 0.5 ELSE 1 END, unit, unit_price, price_unit, amount, vat_percent,
           tstzrange(((lower(valid) AT TIME ZONE 'Europe/Prague') - interval '1 year') AT TIME ZONE 'Europe/Prague',
                     ((upper(valid) AT TIME ZONE 'Europe/Prague') - interval '1 year') AT TIME ZONE 'Europe/Prague'),
           statement_type, '[]', why, 'invoiced', fingerprint, 'test', made_at, made_by
      FROM billing_basis
     WHERE rate IN (7, 13, 1001) AND id <> :without
    RETURNING id
"""


def test_a_quantity_far_from_last_years_is_a_warning_with_a_link_to_it(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        settle_march(connection, site.clock)
    site.do("UPDATE check_definition SET active = number = 1003")
    many = site.one("SELECT count(*) FROM billing_basis WHERE rate IN (7, 13, 14, 1001)")
    without = site.one("SELECT count(*) FROM billing_basis WHERE rate = 14") + 1
    doubled, new = (site.one(f"SELECT {end}(id) FROM billing_basis WHERE rate = 13") for end in ("min", "max"))
    site.do(YEAR_BEFORE, less=doubled, without=new)
    with transaction(site.engine) as connection:
        made = run_checks(connection, Scope(), "manual", CLERK, NOW, (Deviation(),))
    assert made.parts[1003]["failed"] is None
    assert made.results == {"info": without, "ok": many - without - 1, "warning": 1, "error_cancelled": 0, "error": 0}
    with site.client() as client:
        (told,) = client.get("/v1/checks/results?result=warning").json()
    assert told["basis"] == doubled
    assert "The deviation of 100 % is outside 50 %" in told["text"]["en"]
    (link,) = told["links"]
    assert site.one("SELECT state FROM billing_basis WHERE id = :id", id=link["id"]) == "invoiced"
    assert site.one("SELECT rate FROM billing_basis WHERE id = :id", id=link["id"]) == 13
