"""Two persons decide at once about the same month or the same bill: the second sees what the first decided."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from central.checks import shown
from central.invoicing.cancel import cancel_invoice
from central.invoicing.delivery.printing import make_batch
from central.invoicing.payments.matching import LOCK
from central.platform.database import transaction
from central.platform.errors import DomainError
from central.settlement.cancelling import cancel_bases
from central.settlement.runs import approve_run
from central.settlement.scope import Scope
from central.workflow.settle_month import Period
from central.workflow.settle_month import settle as settle_period
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_bases import bases, high_voltage, post
from tests.system.billing.test_one_month_in_several_runs import (
    NEW_CUSTOMER,
    PEAK,
    RESERVED,
    approve,
    do_each,
    excess,
    settle,
)

LATER: datetime = NOW + timedelta(hours=1)
WAITING = """
    SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
     WHERE NOT l.granted AND a.datname = current_database()
"""

PAYMENTS_ARE_FREE = text(f"SELECT pg_try_advisory_xact_lock({LOCK})")
"""The lock of `lock_payments`, taken where nobody holds it."""


@contextmanager
def meanwhile(site: BilledSite, act: Callable[[Connection], Any]) -> Iterator[list[Any]]:
    """`act` in another transaction, which is seen to wait before the body ends; then its result, or its error."""
    found: list[Any] = []

    def run() -> None:
        try:
            with transaction(site.engine) as connection:
                found.append(act(connection))
        except DomainError as error:
            found.append(error)

    other = threading.Thread(target=run)
    other.start()
    until = time.monotonic() + 60
    while not site.one(WAITING):
        assert other.is_alive() and time.monotonic() < until, f"it did not wait: {found}"
        time.sleep(0.01)
    yield found
    other.join()


def test_two_parts_of_a_month_are_not_approved_without_each_other(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    do_each(site, RESERVED, point=point)
    contract = site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
    other = site.one("SELECT max(id) FROM party WHERE 'customer' = ANY (roles)")
    do_each(site, NEW_CUSTOMER, contract=contract, other=other)
    here = {"scope": {"points": [point]}}
    with site.client() as client:
        leaver = settle(client, **{"from": "2026-03-01", "to": "2026-03-16"}, statement="final", **here)["id"]
        stayer = settle(client, **{"from": "2026-03-16", "to": "2026-04-01"}, **here)["id"]
    first = site.engine.connect()
    approve_run(first, leaver, CLERK, LATER)
    with meanwhile(site, lambda connection: approve_run(connection, stayer, CLERK, LATER)) as found:
        first.commit()
    first.close()
    assert [error.code for error in found] == ["month_settled_meanwhile"]
    assert site.one("SELECT state FROM settlement_run WHERE id = :run", run=stayer) == "draft"


def exceeded_by_two(site: BilledSite) -> int:
    """A point of 300 kW, of which the leaver took 400 kW on 10 March, who stays 450 kW on 20 March."""
    point = high_voltage(site)[0]
    do_each(site, RESERVED, point=point)
    for day, watt_hours in (("2026-03-10", 100_000), ("2026-03-20", 112_500)):
        site.do(PEAK, point=point, day=day, wh=watt_hours)
    contract = site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
    other = site.one("SELECT max(id) FROM party WHERE 'customer' = ANY (roles)")
    do_each(site, NEW_CUSTOMER, contract=contract, other=other)
    return int(point)


LEAVERS = {"from": "2026-03-01", "to": "2026-03-16", "statement": "final"}
STAYERS = {"from": "2026-03-16", "to": "2026-04-01"}


def test_a_settlement_waits_for_an_approval_under_way_and_counts_it(site: BilledSite) -> None:
    point = exceeded_by_two(site)
    here = {"scope": {"points": [point]}}
    with site.client() as client:
        leaver = settle(client, **LEAVERS, **here)["id"]
    first = site.engine.connect()
    approve_run(first, leaver, CLERK, NOW)  # the clocks of both acts are equal
    period = Period(date(2026, 3, 16), date(2026, 4, 1))
    with meanwhile(
        site, lambda connection: settle_period(connection, period, "regular", Scope([point]), site.clock, CLERK)
    ) as found:
        first.commit()
    first.close()
    (made,) = found
    with site.client() as client:
        assert excess(client, made.id) == [("2026-03-15", "50", "422.7345", "21136.73")]
        assert approve(client, made.id)["state"] == "approved"


def test_a_draft_that_left_something_to_a_part_taken_back_since_is_not_approved(site: BilledSite) -> None:
    point = exceeded_by_two(site)
    here = {"scope": {"points": [point]}}
    with site.client() as client:
        leaver = settle(client, **LEAVERS, **here)["id"]
        approve(client, leaver)
        post(client, "/invoices", 201, run=leaver)
        draft = settle(client, **STAYERS, **here)["id"]
        assert excess(client, draft) == [("2026-03-15", "50", "422.7345", "21136.73")]
        with site.engine.begin() as connection:
            cancel_bases(connection, [line["id"] for line in bases(client, run=leaver)], "omyl", CLERK, LATER)
        refused = approve(client, draft, 409)
        assert refused["code"] == "month_settled_meanwhile"
        assert "something was taken back or billed" in refused["message"]
        anew = settle(client, **STAYERS, **here)["id"]
        assert excess(client, anew) == [("2026-03-15", "150", "422.7345", "63410.18")]
        assert approve(client, anew)["state"] == "approved"


def test_a_final_counts_what_the_other_payer_is_billed_preliminarily(site: BilledSite) -> None:
    point = exceeded_by_two(site)
    here = {"scope": {"points": [point]}}
    with site.client() as client:
        stayer = settle(client, **STAYERS, statement="preliminary", **here)["id"]
        assert excess(client, stayer) == [("2026-03-15", "150", "422.7345", "63410.18")]
        approve(client, stayer)
        leaver = settle(client, **LEAVERS, **here)["id"]
        assert excess(client, leaver) == []
        assert approve(client, leaver)["state"] == "approved"


def test_the_last_lines_of_a_bill_taken_back_by_two_free_its_days(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    with site.client() as client:
        run = settle(client, month="2026-03", scope={"points": [point]})["id"]
        post(client, f"/settlement/runs/{run}/approve", 200)
        post(client, "/invoices", 201, run=run)
        lines = [line["id"] for line in bases(client, run=run)]
    assert len(lines) > 1
    first = site.engine.connect()
    cancel_bases(first, lines[:1], "omyl", CLERK, LATER)
    with meanwhile(site, lambda connection: cancel_bases(connection, lines[1:], "omyl", CLERK, LATER)) as found:
        first.commit()
    first.close()
    assert len(found[0]) == len(lines) - 1
    assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run AND approved", run=run) == 0
    with site.client() as client:
        assert settle(client, month="2026-03", scope={"points": [point]})["id"] > run


def test_who_cancels_and_who_prints_lock_in_one_order(site: BilledSite) -> None:
    """Each waits before it holds what the other one wants: else the database would have to end one of them."""
    point = high_voltage(site)[0]
    with site.client() as client:
        run = settle(client, month="2026-03", scope={"points": [point]})["id"]
        post(client, f"/settlement/runs/{run}/approve", 200)
        (number,) = post(client, "/invoices", 201, run=run)["invoices"]
        post(client, "/deliveries", 201, kind="print", numbers=[number])
    document = text("SELECT id FROM invoice WHERE number = :n FOR UPDATE NOWAIT")
    queued = text("SELECT id FROM delivery WHERE number = :n FOR UPDATE NOWAIT")
    with site.engine.connect() as first:
        first.execute(document, {"n": number})
        with meanwhile(site, lambda connection: make_batch(connection, CLERK, LATER)) as printed:
            assert first.execute(queued, {"n": number}).one()
            first.rollback()
        assert printed[0]["documents"] == 1
        shown.take_turn(first)
        with meanwhile(site, lambda connection: cancel_invoice(connection, number, "omyl", CLERK, LATER)) as cancelled:
            assert first.execute(PAYMENTS_ARE_FREE).scalar()
            assert first.execute(document, {"n": number}).one()
            first.rollback()
    assert len(cancelled[0].numbers) == 1
    assert site.one("SELECT state FROM invoice WHERE number = :n", n=number) == "cancelled"
