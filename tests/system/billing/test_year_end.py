"""Year-end on a real database: annual statements, accruals and their cancelling, contract by contract, carried on."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_advances import CONTRACT, ok
from tests.system.billing.test_bases import two_points_of_a_contract
from tests.system.payments_rig import Line, abo

WHY = {"why": "roční uzávěrka"}
BORDERS = (1, 3, 6, 8, 11, 13, 16, 18, 21, 23, 26, 28)
"""First days of twelve periods: only March is measured, so all of the contract lie in it."""


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


def test_points_that_are_billed_until_different_days_are_accrued_each_from_its_own(site: BilledSite) -> None:
    """One contract of two points: each has a run of its own, and all that is made of both is listed and cancelled."""
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    billed, unbilled, number = two_points_of_a_contract(site)
    with site.client() as client:
        order = {"points": [billed], "statement": "preliminary", "from": "2026-03-01", "to": "2026-03-16", **WHY}
        for done in ok(client.post("/v1/bases/update", json=order))["updates"]:
            ok(client.post(f"/v1/settlement/runs/{done['run']}/approve", json={}))
        ok(client.post("/v1/invoices", json={"contracts": [number]}), 201)

        work = ok(client.post("/v1/year-ends", json={"year": 2026, "kind": "accrual", **WHY}), 201)["id"]
        keep_only(site, work, [number])
        assert ok(client.post(f"/v1/year-ends/{work}/continue", json={}))["done"] == 1
        made = listing(client, work)[number]
        assert len(made["runs"]) == 2
        assert (made["since"], made["until"]) == ("2026-03-01", "2026-04-01")
        accrued = Decimal(made["net"])
        starts = """
            SELECT array_agg(DISTINCT supply_point || ' ' || (lower(valid) AT TIME ZONE 'Europe/Prague')::date)
              FROM billing_basis WHERE statement_type = 11
        """
        assert sorted(site.one(starts)) == sorted([f"{unbilled} 2026-03-01", f"{billed} 2026-03-16"])
        assert site.one("SELECT sum(amount) FROM billing_basis WHERE statement_type = 11") == accrued > 0

        storno = ok(client.post("/v1/year-ends", json={"year": 2026, "kind": "accrual_cancel", **WHY}), 201)["id"]
        assert ok(client.post(f"/v1/year-ends/{storno}/continue", json={}))["done"] == 1
        assert Decimal(listing(client, storno)[number]["net"]) == -accrued
        assert site.one("SELECT sum(amount) FROM billing_basis WHERE statement_type IN (11, 16)") == 0


def test_twelve_advances_are_paid_taxed_and_deducted(site: BilledSite, leaver: str) -> None:
    for place, (first, amount) in enumerate(zip(BORDERS, range(15_000, 15_012), strict=True)):
        end = f"2026-03-{BORDERS[place + 1]:02d}" if place < 11 else "2026-04-01"
        site.do(
            "INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due, advance_amount, "
            "advance_on) SELECT id, daterange(CAST(:first AS date), CAST(:end AS date)), true, false, :last, :amount, "
            "CAST(:first AS date) FROM contract WHERE number = :number",
            first=f"2026-03-{first:02d}", end=end, last=place == 11, amount=amount, number=leaver,
        )  # fmt: skip
    own = site.one("SELECT p.iban FROM party p JOIN supply_point sp ON sp.operator = p.id LIMIT 1")
    account = f"{int(own[8:14])}-{int(own[14:])}"
    with site.client() as client:
        order = {"since": "2026-03-01", "until": "2026-04-01"}
        assert ok(client.post("/v1/advances/prescribe", json=order))["made"] == 12
        numbers = ok(client.post("/v1/advances/send", json={"until": "2026-04-01"}), 201)["advances"]
        # eleven are paid in full, half of the last one is not
        lines = [Line(str(amount), number) for amount, number in zip(range(15_000, 15_011), numbers, strict=False)]
        booked = client.post("/v1/bank-statements", content=abo([*lines, Line("7505.50", numbers[11])], own=account))
        assert ok(booked, 201)["payments"] == 12
        paid = sum(range(15_000, 15_011)) + Decimal("7505.50")
        assert site.one("SELECT sum(amount) FROM advance_deposit") == paid
        documents = ok(client.get("/v1/advances/documents"))
        assert len(documents) == 12
        assert sum(Decimal(each["gross"]) for each in documents) == paid
        assert documents[0]["vat"] == "2603.31"  # 15000 x 21 / 121 = 2603.306
        taxed = sum(Decimal(each["vat"]) for each in documents)

        work = ok(client.post("/v1/year-ends", json={"year": 2026, "kind": "annual", **WHY}), 201)
        assert ok(client.post(f"/v1/year-ends/{work['id']}/continue", json={}))["done"] == 1

        (bill,) = [row for row in ok(client.get("/v1/invoices")) if row["kind"] == "annual"]
        assert Decimal(bill["deducted"]) == paid
        assert Decimal(bill["gross"]) - paid == Decimal(bill["payable"]) < 0
        assert site.one("SELECT sum(vat) FROM advance_deduction") == taxed
        assert site.one("SELECT sum(amount - deducted) FROM advance_deposit") == 0
        assert site.one("SELECT array_agg(DISTINCT state) FROM advance") == ["deducted"]
        # what is left is the customer's, and nothing else is open
        assert site.one("SELECT sum(rest) FROM receivable WHERE is_open") == Decimal(bill["payable"])
        isdoc = client.get(f"/v1/invoices/{bill['number']}/isdoc").text
        assert isdoc.count("<TaxedDeposit>") == 12
        credit = ok(client.get("/v1/receivables?kind=credit"))[0]
        order = {"sources": [{"kind": "credit", "id": credit["id"]}], "reason": "přeplatek ročního vyúčtování"}
        refund = ok(client.post("/v1/refunds", json=order), 201)
        assert Decimal(refund["amount"]) == -Decimal(bill["payable"])

        # all its lines are corrected (another takes it); cancelled, it gives the advances back all the same, and
        # the accounting is told their VAT once in both forms
        ok(client.post(f"/v1/refunds/{refund['id']}/cancel", json={"reason": "omyl"}))
        site.do(
            "UPDATE contract SET customer = (SELECT min(p.id) FROM party p WHERE p.id <> customer AND 'customer' ="
            " ANY (p.roles)) WHERE number = :number",
            number=leaver,
        )
        ok(client.post("/v1/corrections/look", json={"from": "2026-03-01", "to": "2026-04-01"}))
        found = [each["id"] for each in ok(client.get("/v1/corrections", params={"state": "open"}))]
        ordered = ok(client.post("/v1/corrections/order", json={"corrections": found, "why": "jiný odběratel"}), 201)
        (corrective,) = ok(client.post("/v1/invoices", json={"run": ordered["runs"][0]}), 201)["invoices"]
        numbers = {"numbers": [bill["number"], corrective]}
        states = "SELECT array_agg(state ORDER BY id) FROM invoice WHERE number = ANY (:numbers)"
        assert site.one(states, **numbers) == ["corrected", "issued"]
        (storno,) = ok(client.post(f"/v1/invoices/{bill['number']}/cancel", json={"reason": "omyl"}), 201)["invoices"]
        assert site.one(states, **numbers) == ["cancelled", "cancelled"]
        assert ok(client.get(f"/v1/invoices/{storno}"))["original"]["number"] == corrective
        assert site.one("SELECT deducted FROM invoice WHERE number = :n", n=storno) == -paid
        assert site.one("SELECT sum(deducted) FROM advance_deposit") == 0
        assert site.one("SELECT count(*) FROM receivable WHERE is_open AND kind <> 'advance'") == 0
        seller = site.one("SELECT p.code FROM party p JOIN invoice i ON i.supplier = p.id LIMIT 1")
        period = {"seller": seller, "since": "2026-01-01", "until": "2028-01-01"}
        made = ok(client.post("/v1/journal-exports", json=period), 201)
        packed = etree.fromstring(client.get(f"/v1/journal-exports/{made['id']}/pohoda").content)
        told = {
            item.get("id"): sum(Decimal(each.text or "") for each in item.iter("{*}priceHighVAT"))
            for item in packed.iter("{*}dataPackItem")
        }
        assert told[bill["number"]] == Decimal(bill["vat"]) - taxed
        assert sum(told.values()) == taxed
