"""A year settled by several annual runs, of which one is cancelled and planned again, and the calendar that follows."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_advances import CONTRACT, ok
from tests.system.billing.test_bases import post, settle_and_approve, two_points_of_a_contract
from tests.system.billing.test_corrections import attach

D = Decimal
WHY = {"why": "roční uzávěrka"}
BORDER = "2026-03-16"
"""The end of the first of two annual statements: their rows lie in March, because only March is measured."""
SETUP = (
    # quarterly from April on: the statements of March are the only annual ones of the year
    "UPDATE contract SET statement_months = 3, advance_months = 1, advance_amount = 1000 WHERE number = :number",
    "UPDATE contract SET valid = daterange('2026-03-01', upper(valid)) WHERE number = :number",
    "UPDATE contract_item SET valid = daterange('2026-03-01', upper(valid))"
    " WHERE contract = (SELECT id FROM contract WHERE number = :number)",
    """INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
       SELECT c.id, daterange(CAST(p.first AS date), CAST(p.stop AS date)), false, false, true
         FROM contract c, (VALUES ('2026-03-01', '2026-03-16'), ('2026-03-16', '2026-04-01')) AS p (first, stop)
        WHERE c.number = :number""",
)
DOCUMENTS = "SELECT array_agg(number ORDER BY id) FROM invoice WHERE kind = 'annual' AND state <> 'cancelled'"
BILLED = """
    SELECT coalesce(sum(b.amount), 0) FROM billing_basis b WHERE b.state = 'invoiced'
       AND (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date >= CAST(:first AS date)
       AND (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date <= CAST(:stop AS date)
"""


@pytest.mark.parametrize("cancelled", [0, 1])
def test_the_one_annual_statement_that_was_cancelled_is_made_again(site: BilledSite, cancelled: int) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    number = site.one(CONTRACT)
    for change in SETUP:
        site.do(change, number=number)

    def billed() -> list[Decimal]:
        days = ("2026-03-01", BORDER, "2026-04-01")
        return [site.one(BILLED, first=first, stop=stop) for first, stop in pairwise(days)]

    with site.client() as client:

        def advances() -> list[Decimal]:
            rows = ok(client.get(f"/v1/contracts/{number}/calendar"))
            return [D(row["advance_amount"]) for row in rows if row["start"] >= "2026-04-01" and row["advance_due"]]

        order = {"year": 2026, "kind": "annual", **WHY}
        work = post(client, "/year-ends", 201, **order)["id"]
        assert post(client, f"/year-ends/{work}/continue", 200) == {"done": 1, "failed": 0, "waiting": 0}
        documents, first, predicted = site.one(DOCUMENTS), billed(), advances()
        assert len(documents) == 2
        assert all(first)
        assert (len(predicted), min(predicted) > 1_000) == (12, True)

        # April's advance is asked for by now, and somebody has written other amounts for all months
        site.do("UPDATE payment_calendar SET advance_amount = 70 WHERE advance_due")
        post(client, "/advances/prescribe", 200, since="2026-04-01", until="2026-05-01", contracts=[number])
        assert len(post(client, "/advances/send", 201, until="2026-05-01")["advances"]) == 1
        post(client, f"/invoices/{documents[cancelled]}/cancel", 201, reason="omyl")
        assert post(client, "/year-ends", 201, **order)["waiting"] == 1
        assert post(client, f"/year-ends/{work}/continue", 200) == {"done": 1, "failed": 0, "waiting": 0}
        again = site.one(DOCUMENTS)
        assert (len(again), len(set(again) - set(documents))) == (2, 1)
        assert billed() == first
        assert advances() == [D(70), *predicted[1:]]
        # nothing is left to do: planned once more, nobody waits
        assert post(client, "/year-ends", 201, **order)["waiting"] == 0


def test_a_point_that_is_settled_by_hand_keeps_no_other_of_its_contract_from_its_statement(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    by_hand, left, number = two_points_of_a_contract(site)
    with site.client() as client:
        post(client, f"/contracts/{number}/calendar/generate", 200, start="2026-01-01", end="2027-01-01", **WHY)
        post(client, "/invoices", 201, run=settle_and_approve(client, [by_hand], "annual"))
        (document,) = site.one(DOCUMENTS)
        work = post(client, "/year-ends", 201, year=2026, kind="annual", **WHY)["id"]
        assert post(client, f"/year-ends/{work}/continue", 200) == {"done": 1, "failed": 0, "waiting": 0}
        (row,) = ok(client.get(f"/v1/year-ends/{work}/contracts"))
        assert (len(row["runs"]), row["reason"]) == (1, f"Vyúčtováno dokladem {document}.")
        points = "SELECT array_agg(DISTINCT supply_point) FROM billing_basis WHERE state = 'invoiced'"
        assert sorted(site.one(points)) == sorted([by_hand, left])
        # all are settled by now: whatever is planned, nothing is left
        assert post(client, "/year-ends", 201, year=2026, kind="annual", **WHY)["waiting"] == 0


def test_what_the_database_refuses_of_one_contract_holds_up_no_other(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    first = site.one(CONTRACT)
    item = "SELECT i.id FROM contract_item i JOIN contract c ON c.id = i.contract WHERE c.number = :n"
    attach(site, site.one(item, n=first))
    site.do("UPDATE contract_service SET fixed = 99999999999")
    both = "SELECT id FROM contract WHERE number IN (:n, (SELECT min(number) FROM contract WHERE number > :n))"
    for change in (
        f"UPDATE contract SET valid = '[2026-03-01,2026-04-01)' WHERE id IN ({both})",
        f"UPDATE contract_item SET valid = '[2026-03-01,2026-04-01)' WHERE contract IN ({both})",
        f"INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)"
        f" SELECT id, '[2026-03-01,2026-04-01)', false, false, true FROM contract WHERE id IN ({both})",
    ):
        site.do(change, n=first)
    with site.client() as client:
        work = post(client, "/year-ends", 201, year=2026, kind="annual", **WHY)["id"]
        assert post(client, f"/year-ends/{work}/continue", 200) == {"done": 1, "failed": 1, "waiting": 0}
        failed, done = ok(client.get(f"/v1/year-ends/{work}/contracts"))
        assert (failed["contract"], failed["state"], done["state"]) == (first, "failed", "done")
        assert "numeric field overflow" in failed["reason"]
        assert site.one("SELECT count(*) FROM settlement_run") == 1
