"""A bill that is taken back is billed again, through the API to the haléř: updated, settled anew, invoiced."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient

from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_bases import bases, high_voltage, post, settle_and_approve, total, update
from tests.system.billing.test_one_month_in_several_runs import PEAK, RESERVED, excess, settle
from tests.system.billing.test_parts_of_a_month import do_each

OVER = "excess_reserved_capacity"
OVER_RUN = ("2026-02-28", "150", "422.7345", "63410.18")
"""450 kW were taken on 20 March, 300 are reserved: 150 x 1.5 x 281.823."""
MARCH = {"from": "2026-03-01", "to": "2026-04-01"}


@pytest.fixture
def point(site: BilledSite) -> int:
    """A high-voltage point that took more than it had reserved."""
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
    chosen = high_voltage(site)[0]
    do_each(site, RESERVED, point=chosen)
    site.do(PEAK, point=chosen, day="2026-03-20", wh=112_500)
    return chosen


def invoice(client: TestClient, run: int) -> str:
    (number,) = post(client, "/invoices", 201, run=run)["invoices"]
    return str(number)


def cancel(client: TestClient, number: str) -> None:
    post(client, f"/invoices/{number}/cancel", 201, reason="chybný odběratel")


def approve(client: TestClient, run: int) -> None:
    post(client, f"/settlement/runs/{run}/approve", 200)


def said(lines: Sequence[dict[str, Any]]) -> list[tuple[str, ...]]:
    """What lines bill, whatever their rows."""
    told = ("component", "valid_from", "valid_to", "quantity", "unit_price", "amount")
    return sorted(tuple(str(line[name]) for name in told) for line in lines)


def living(site: BilledSite, point: int) -> Decimal:
    net: Decimal = site.one(
        "SELECT sum(amount) FROM billing_basis WHERE supply_point = :p AND state <> 'cancelled'", p=point
    )
    return net


def look(client: TestClient) -> Any:
    return post(client, "/corrections/look", 200, **MARCH)


def test_a_cancelled_invoice_is_updated_and_billed_again(site: BilledSite, point: int) -> None:
    with site.client() as client:
        first = settle_and_approve(client, [point])
        before = bases(client, run=first)
        cancel(client, invoice(client, first))
        assert living(site, point) == 0
        assert look(client)["open"] == 0  # nothing is billed, so nothing is billed wrongly

        done = update(client, [point])
        second = done["run"]
        assert (done["added"], done["replaced"], done["left_out"]) == (len(before), 0, [])
        assert said(bases(client, run=second)) == said(before)
        assert excess(client, second) == [OVER_RUN]
        approve(client, second)
        again = invoice(client, second)
        assert living(site, point) == total(before)
        assert look(client)["open"] == 0
        assert update(client, [point])["run"] is None

        # and once more: what was cancelled and what stands are told apart
        site.do("UPDATE reserved_capacity SET kw = 310 WHERE supply_point = :p AND kind = 'year'", p=point)
        assert look(client)["open"] == 1
        cancel(client, again)
        assert look(client)["open"] == 0
        third = settle(client, month="2026-03", scope={"points": [point]})["id"]
        assert excess(client, third) == [("2026-02-28", "140", "422.7345", "59182.83")]
        approve(client, third)
        invoice(client, third)
        assert living(site, point) == total(bases(client, run=third))


def test_a_part_of_a_month_is_settled_anew_and_the_over_run_is_billed_once(site: BilledSite, point: int) -> None:
    site.do(PEAK, point=point, day="2026-03-10", wh=100_000)
    here = {"scope": {"points": [point]}}
    halves = ({"from": "2026-03-01", "to": "2026-03-16", **here}, {"from": "2026-03-16", "to": "2026-04-01", **here})
    with site.client() as client:
        runs, numbers = [], []
        for half in halves:
            runs.append(settle(client, **half)["id"])
            approve(client, runs[-1])
            numbers.append(invoice(client, runs[-1]))
        billed = [total([line for line in bases(client, run=run) if line["component"] == OVER])
                  for run in runs]  # fmt: skip
        assert sum(billed) == Decimal(OVER_RUN[-1])
        before = living(site, point)
        for number, half in zip(numbers, halves, strict=True):
            cancel(client, number)
            anew = settle(client, **half)["id"]
            approve(client, anew)
            invoice(client, anew)
            assert living(site, point) == before
        over = "SELECT sum(amount) FROM billing_basis WHERE component = :component AND state <> 'cancelled'"
        assert site.one(over, component=OVER) == Decimal(OVER_RUN[-1])


def test_lines_cancelled_by_hand_free_their_bill_and_hold_it_when_the_cancelling_ones_are_deleted(
    site: BilledSite, point: int
) -> None:
    with site.client() as client:
        first = settle_and_approve(client, [point])
        invoice(client, first)
        lines = [line["id"] for line in bases(client, run=first)]
        rest = post(client, "/bases/cancel", 201, bases=lines[1:], reason="spor")["made"]
        # one line lives: the others are listed to be corrected, the days are not free
        assert look(client)["open"] == 1
        post(client, "/settlement/runs", 409, month="2026-03", points=[point])
        last = post(client, "/bases/cancel", 201, bases=lines[:1], reason="spor")["made"]
        assert look(client)["open"] == 0
        draft = settle(client, month="2026-03", scope={"points": [point]})["id"]
        assert said(bases(client, run=draft)) == said(bases(client, run=first))
        refused = post(client, f"/bases/{last[0]}/delete", 409, why="přece jen platí")
        assert refused["code"] == "time_settled_anew"
        post(client, f"/settlement/runs/{draft}/discard", 200, why="přece jen platí")
        for made in (*last, *rest):
            post(client, f"/bases/{made}/delete", 204, why="přece jen platí")
        assert look(client)["open"] == 0
        post(client, "/settlement/runs", 409, month="2026-03", points=[point])


def test_a_corrected_bill_is_free_when_its_correction_is_cancelled_too(site: BilledSite, point: int) -> None:
    with site.client() as client:
        first = settle_and_approve(client, [point])
        original = invoice(client, first)
        site.do("UPDATE reserved_capacity SET kw = 310 WHERE supply_point = :p AND kind = 'year'", p=point)
        assert look(client)["open"] == 1
        (found,) = client.get("/v1/corrections", params={"state": "open"}).json()
        (run,) = post(client, "/corrections/order", 201, corrections=[found["id"]], why="chybná kapacita")["runs"]
        correction = invoice(client, run)
        right = living(site, point)
        assert update(client, [point])["run"] is None
        corrective = [line["id"] for line in bases(client, run=run, statement_type=8)]
        whole = [line["id"] for line in bases(client, run=first) if line["id"] not in _taken_back(site, run)]
        post(client, "/bases/cancel", 201, bases=whole, reason="vše znovu")
        post(client, "/settlement/runs", 409, month="2026-03", points=[point])
        post(client, "/bases/cancel", 201, bases=corrective, reason="vše znovu")
        assert living(site, point) == 0
        anew = settle(client, month="2026-03", scope={"points": [point]})["id"]
        approve(client, anew)
        invoice(client, anew)
        assert living(site, point) == right
        assert original != correction


def _taken_back(site: BilledSite, run: int) -> list[int]:
    taken: list[int] = site.one(
        "SELECT array_agg(original) FROM billing_basis WHERE run = :run AND statement_type = 7", run=run
    )
    return taken


def test_what_is_deleted_whole_before_it_is_invoiced_is_settled_anew(site: BilledSite, point: int) -> None:
    with site.client() as client:
        first = settle_and_approve(client, [point])
        before = bases(client, run=first)
        for line in before:
            post(client, f"/bases/{line['id']}/delete", 204, why="chybný odečet")
        second = settle_and_approve(client, [point])
        assert said(bases(client, run=second)) == said(before)
        assert excess(client, second) == [OVER_RUN]


SAID = """
    SELECT string_agg(concat_ws(' ', kind, state), ', ' ORDER BY id) FROM invoice
"""
LEFT = """
    SELECT concat_ws(' ', sum(net), sum(vat), sum(gross), sum(payable),
                     (SELECT count(*) FROM receivable WHERE is_open)) FROM invoice
"""


def test_a_corrected_invoice_is_cancelled_with_what_stands_of_its_correction(site: BilledSite, point: int) -> None:
    with site.client() as client:
        first = settle_and_approve(client, [point])
        original = invoice(client, first)
        right = living(site, point)
        site.do("UPDATE reserved_capacity SET kw = 310 WHERE supply_point = :p AND kind = 'year'", p=point)
        look(client)
        (found,) = client.get("/v1/corrections", params={"state": "open"}).json()
        (run,) = post(client, "/corrections/order", 201, corrections=[found["id"]], why="chybná kapacita")["runs"]
        refused = post(client, f"/invoices/{original}/cancel", 409, reason="oprava ještě čeká")
        assert refused["code"] == "basis_cancelled"
        correction = invoice(client, run)
        assert 0 < len(_taken_back(site, run)) < len(bases(client, run=first))

        made = post(client, f"/invoices/{original}/cancel", 201, reason="chybný odběratel")["invoices"]
        assert len(made) == 2
        abouts = [client.get(f"/v1/invoices/{number}").json()["original"]["number"] for number in made]
        assert sorted(abouts) == sorted([original, correction])
        assert living(site, point) == 0
        assert site.one(SAID) == "regular cancelled, corrective cancelled, cancelling issued, cancelling issued"
        assert site.one(LEFT) == "0.00 0.00 0.00 0.00 0"
        for number in (original, correction, *made):
            post(client, f"/invoices/{number}/cancel", 409, reason="znovu")

        # its days are free; and of a correction alone what it bills is taken back, no more
        site.do("UPDATE reserved_capacity SET kw = 300 WHERE supply_point = :p AND kind = 'year'", p=point)
        second = settle_and_approve(client, [point])
        original = invoice(client, second)
        assert living(site, point) == right
        site.do("UPDATE reserved_capacity SET kw = 310 WHERE supply_point = :p AND kind = 'year'", p=point)
        look(client)
        (found,) = client.get("/v1/corrections", params={"state": "open"}).json()
        (run,) = post(client, "/corrections/order", 201, corrections=[found["id"]], why="chybná kapacita")["runs"]
        correction = invoice(client, run)
        cancel(client, correction)
        taken = set(_taken_back(site, run))
        assert living(site, point) == total([line for line in bases(client, run=second) if line["id"] not in taken])
        assert site.one("SELECT state FROM invoice WHERE number = :n", n=correction) == "cancelled"

        # what it bills no more is found missing, and billed by a correction of the document that stands
        assert look(client)["open"] == 1
        (found,) = client.get("/v1/corrections", params={"state": "open"}).json()
        (run,) = post(client, "/corrections/order", 201, corrections=[found["id"]], why="přece jen 310 kW")["runs"]
        third = invoice(client, run)
        told = client.get(f"/v1/invoices/{third}").json()
        assert (told["kind"], told["original"]["number"]) == ("corrective", original)
        assert look(client)["open"] == 0
