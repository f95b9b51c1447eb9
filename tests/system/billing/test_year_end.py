"""Year-end on a real database: annual statements, accruals and their cancelling, contract by contract, carried on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_advances import CONTRACT, ok

WHY = {"why": "roční uzávěrka"}


@pytest.fixture
def leaver(site: BilledSite) -> str:
    """A contract that held in March 2026 only, settled annually."""
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    number: str = site.one(CONTRACT)
    site.do(
        "UPDATE contract SET statement_months = 12, valid = daterange('2026-03-01', '2026-04-01') "
        "WHERE number = :number",
        number=number,
    )
    site.do(
        "UPDATE contract_item SET valid = daterange('2026-03-01', '2026-04-01') "
        "WHERE contract = (SELECT id FROM contract WHERE number = :number)",
        number=number,
    )
    return number


def other(site: BilledSite, number: str) -> str:
    """Another contract, of which nothing was measured beside March."""
    found: str = site.one(
        "SELECT c.number FROM contract c JOIN contract_item ci ON ci.contract = c.id WHERE c.number > :number "
        "ORDER BY c.number LIMIT 1",
        number=number,
    )
    return found


def keep_only(site: BilledSite, work: int, numbers: list[str]) -> None:
    site.do(
        "DELETE FROM year_end_contract WHERE year_end = :work AND contract NOT IN "
        "(SELECT id FROM contract WHERE number = ANY (:numbers))",
        work=work,
        numbers=numbers,
    )


def listing(client: Any, work: int) -> dict[str, Any]:
    return {row["contract"]: row for row in ok(client.get(f"/v1/year-ends/{work}/contracts"))}


def test_annual_statements_go_contract_by_contract_and_can_be_carried_on(site: BilledSite, leaver: str) -> None:
    stuck = other(site, leaver)
    with site.client() as client:
        calendar = {"start": "2026-01-01", "end": "2027-01-01", **WHY}
        site.do("UPDATE contract SET statement_months = 12 WHERE number = :number", number=stuck)
        for number in (leaver, stuck):
            assert client.post(f"/v1/contracts/{number}/calendar/generate", json=calendar).status_code in (200, 201)
        order = {"year": 2026, "kind": "annual", **WHY}
        work = ok(client.post("/v1/year-ends", json=order), 201)
        assert (work["waiting"], work["done"], work["failed"]) == (2, 0, 0)
        assert ok(client.post("/v1/year-ends", json=order), 201)["id"] == work["id"]
        unfinished = client.post("/v1/year-ends", json={**order, "kind": "accrual"})
        assert (unfinished.status_code, unfinished.json()["code"]) == (409, "annual_unfinished")

        first = ok(client.post(f"/v1/year-ends/{work['id']}/continue", json={"limit": 1}))
        assert first == {"done": 1, "failed": 0, "waiting": 1}
        second = ok(client.post(f"/v1/year-ends/{work['id']}/continue", json={"limit": 5}))
        assert second == {"done": 0, "failed": 1, "waiting": 0}
        assert ok(client.post(f"/v1/year-ends/{work['id']}/continue", json={}))["done"] == 0

        made = listing(client, work["id"])
        assert (made[leaver]["state"], made[leaver]["since"], made[leaver]["until"]) == (
            "done", "2026-03-01", "2026-04-01",
        )  # fmt: skip
        assert made[stuck]["state"] == "failed"
        assert "cannot be settled whole for 2026" in made[stuck]["reason"]
        net, vat = Decimal(made[leaver]["net"]), Decimal(made[leaver]["vat"])
        assert net > 0
        assert site.one("SELECT net FROM invoice") == net
        assert abs(site.one("SELECT vat FROM invoice") - vat) <= Decimal("0.01")
        # what failed left nothing behind
        assert site.one("SELECT count(*) FROM settlement_run") == 1


def test_what_is_not_invoiced_is_accrued_and_the_accrual_cancelled(site: BilledSite, leaver: str) -> None:
    with site.client() as client:
        none = client.post("/v1/year-ends", json={"year": 2026, "kind": "accrual_cancel", **WHY})
        assert (none.status_code, none.json()["code"]) == (409, "nothing_accrued")
        work = ok(client.post("/v1/year-ends", json={"year": 2026, "kind": "accrual", **WHY}), 201)
        keep_only(site, work["id"], [leaver])
        assert ok(client.post(f"/v1/year-ends/{work['id']}/continue", json={})) == {
            "done": 1, "failed": 0, "waiting": 0,
        }  # fmt: skip
        accrued = Decimal(listing(client, work["id"])[leaver]["net"])
        assert accrued > 0
        assert site.one("SELECT count(*) FROM invoice") == 0

        storno = ok(client.post("/v1/year-ends", json={"year": 2026, "kind": "accrual_cancel", **WHY}), 201)
        assert storno["waiting"] == 1
        assert ok(client.post(f"/v1/year-ends/{storno['id']}/continue", json={}))["done"] == 1
        assert Decimal(listing(client, storno["id"])[leaver]["net"]) == -accrued
        assert client.post("/v1/year-ends/999/continue", json={}).status_code == 404
        works = ok(client.get("/v1/year-ends"))
        assert [(each["kind"], each["done"]) for each in works] == [("accrual_cancel", 1), ("accrual", 1)]
