"""An annual statement cancelled, made again and corrected: all documents of the year say the VAT of what stands."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import text

from central.platform.database import transaction
from tests.system.billing.site import BilledSite
from tests.system.billing.test_bases import new_version, post
from tests.system.billing.test_year_end import WHY, keep_only, leaver

__all__ = ["leaver"]

D = Decimal
WEEKS = (("2026-03-01", "2026-03-08"), ("2026-03-08", "2026-03-16"), ("2026-03-16", "2026-04-01"))
SERVICE = """
    -- a service with a VAT of its own, and supply alone beside the network contract
    WITH service AS (
        INSERT INTO own_service (code, rate, name_cs, name_en, unit, vat_percent)
        VALUES ('VODA', 3003, 'Voda', 'Water', 'm3', 12) RETURNING id),
    price AS (
        INSERT INTO own_service_price (service, price, source, valid)
        SELECT id, 33.33, 'ceník', '[2026-01-01,)' FROM service),
    list AS (
        INSERT INTO own_price_list (code, name, commodity) VALUES ('NN', 'Ceník NN', 'electricity') RETURNING id),
    prices AS (
        INSERT INTO own_price (price_list, component, rate, price, source, valid)
        SELECT id, component, '', price, 'ceník', '[2026-01-01,)'
          FROM list, (VALUES ('fixed', 90), ('energy', 3000)) AS p (component, price)),
    billed AS (
        SELECT ci.id, ci.supply_point, c.customer, c.payer FROM contract_item ci JOIN contract c ON c.id = ci.contract
         WHERE c.number = :number),
    alone AS (
        INSERT INTO contract (number, kind, customer, payer, valid)
        SELECT 'ZVLAST', 'supply', customer, payer, '[2026-03-01,2026-04-01)'::daterange FROM billed RETURNING id),
    item AS (
        INSERT INTO contract_item (contract, supply_point, prices, valid, kind)
        SELECT alone.id, billed.supply_point, 'CEZ', '[2026-03-01,2026-04-01)', 'supply' FROM alone, billed
        RETURNING id),
    listed AS (
        INSERT INTO item_price_list (contract_item, price_list, valid)
        SELECT item.id, list.id, '[2026-01-01,)' FROM item, list)
    INSERT INTO contract_service (contract_item, service, quantity, fixed, valid)
    SELECT billed.id, service.id, 'fixed', 1.1, '[2026-01-01,)' FROM service, billed
"""
VAT = """
    SELECT (each ->> 'percent')::numeric AS percent, sum((each ->> 'base')::numeric) AS base,
           sum((each ->> 'vat')::numeric) AS vat
      FROM invoice i CROSS JOIN LATERAL jsonb_array_elements(i.vat_rows) each GROUP BY 1 ORDER BY 1
"""


def require_one_vat(site: BilledSite) -> dict[Decimal, Decimal]:
    """The bases by rate of all documents together, whose VAT is that of these to the haléř."""
    with transaction(site.engine) as connection:
        rows = connection.execute(text(VAT)).all()
    for row in rows:
        assert row.vat == (row.base * row.percent / 100).quantize(D("0.01"), ROUND_HALF_UP)
    return {row.percent: row.base for row in rows}


def test_documents_of_a_year_say_one_vat(site: BilledSite, leaver: str) -> None:
    site.do(SERVICE, number=leaver)
    contract = site.one("SELECT id FROM contract WHERE number = :n", n=leaver)
    with site.client() as client:

        def annual() -> dict[str, Any]:
            work = post(client, "/year-ends", 201, year=2026, kind="annual", **WHY)
            assert work["waiting"] == 1
            assert post(client, f"/year-ends/{work['id']}/continue", 200) == {"done": 1, "failed": 0, "waiting": 0}
            (row,) = client.get(f"/v1/year-ends/{work['id']}/contracts").json()
            assert D(row["vat"]) == site.one("SELECT vat FROM invoice ORDER BY id DESC LIMIT 1")
            return dict(row)

        for first, end in WEEKS:
            order = {"contracts": [contract], "statement": "preliminary", "from": first, "to": end, **WHY}
            for done in post(client, "/bases/update", 200, **order)["updates"]:
                post(client, f"/settlement/runs/{done['run']}/approve", 200)
            post(client, "/invoices", 201, contracts=[leaver])
        calendar = {"start": "2026-01-01", "end": "2027-01-01", **WHY}
        post(client, f"/contracts/{leaver}/calendar/generate", 200, **calendar)
        annual()
        billed = require_one_vat(site)
        assert set(billed) == {D(12), D(21)}
        # cancelled, the preliminary bills stand again; planned again, it is made again
        number = site.one("SELECT number FROM invoice WHERE kind = 'annual'")
        post(client, f"/invoices/{number}/cancel", 201, reason="omyl")
        assert post(client, "/year-ends", 201, year=2026, kind="annual", **WHY)["waiting"] == 1
        assert len(annual()["runs"]) == 1
        assert require_one_vat(site) == billed
        # a newer measurement corrects it, and VAT follows that of the whole year
        new_version(site, site.one("SELECT supply_point FROM contract_item WHERE contract = :c", c=contract))
        post(client, "/corrections/look", 200, **{"from": "2026-03-01", "to": "2026-04-01"})
        (found,) = client.get("/v1/corrections", params={"state": "open"}).json()
        post(client, "/corrections/order", 201, corrections=[found["id"]], why="oprava měření")
        post(client, "/invoices", 201, contracts=[leaver])
        assert site.one("SELECT kind FROM invoice ORDER BY id DESC LIMIT 1") == "corrective"
        corrected = require_one_vat(site)
        assert (corrected[D(12)], corrected[D(21)] - billed[D(21)]) == (billed[D(12)], D(found["difference"]))

        # supply alone is accrued for the close, too, and who leaves it is settled
        work = post(client, "/year-ends", 201, year=2026, kind="accrual", **WHY)["id"]
        keep_only(site, work, ["ZVLAST"])
        assert post(client, f"/year-ends/{work}/continue", 200)["done"] == 1
        (accrued,) = client.get(f"/v1/year-ends/{work}/contracts").json()
        alone = site.one("SELECT id FROM contract WHERE number = 'ZVLAST'")
        run = post(client, "/settlement/final", 201, contract=alone, end="2026-04-01", **WHY)["run"]
        final = site.one("SELECT sum(amount) FROM billing_basis WHERE run = :run", run=run)
        assert D(accrued["net"]) == final > 0
