"""The rules of the checks' framework, one test each, through the interface on a settled month."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import Any, ClassVar

import pytest
from sqlalchemy import event

from central.checks.bases import Scope
from central.checks.frame import Frame
from central.checks.framework import Check, Definition, Findings, Kind, Subject, Text, Value, findings
from central.checks.run import run_checks
from central.checks.standard import STANDARD
from central.checks.standard.unit_price import UnitPriceNotZero
from central.checks.verdict import GROUPS, Result
from central.invoicing.issue import issue_invoices
from central.invoicing.selection import Selection
from central.platform.database import transaction
from central.platform.errors import Refused
from tests.system.billing.site import CLERK, NOW, BilledSite

MONTH = "2026-03-01"
EVERY = ["regular", "accrual", "annual"]
RESULT = "SELECT result FROM basis_verdict WHERE basis = :basis"


@pytest.fixture
def client(settled_site: BilledSite) -> Iterator[Any]:
    with settled_site.client() as opened:
        yield opened


def switch(client: Any, number: int, *, active: bool = True, **changes: Any) -> None:
    """Set a check, for all groups and statements where nothing else is said."""
    wish = {"active": active, "groups": EVERY, "statements": ["regular", "annual"], "output": "all", **changes}
    answer = client.put(f"/v1/checks/definitions/{number}", json=wish)
    assert answer.status_code == 204, answer.text


def run(client: Any, **order: Any) -> dict[str, Any]:
    answer = client.post("/v1/checks/runs", json=order)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def free(site: BilledSite, rate: int = 9) -> int:
    """A basis whose price is 0: in error by check 6."""
    basis: int = site.one("SELECT max(id) FROM billing_basis WHERE rate = :rate", rate=rate)
    site.do("UPDATE billing_basis SET unit_price = 0 WHERE id = :basis", basis=basis)
    return basis


def row_of(site: BilledSite, basis: int) -> int:
    found: int = site.one(
        "SELECT r.id FROM payment_calendar r JOIN billing_basis b ON b.contract = r.contract WHERE b.id = :basis",
        basis=basis,
    )
    return found


def activate(client: Any, month: str) -> None:
    body = {"month": month, "active": False, "active_for_checks": True}
    assert client.post("/v1/processing-periods", json=body).status_code == 201


def test_each_manual_run_takes_its_statement_types_of_what_is_not_invoiced(
    settled_site: BilledSite, client: Any
) -> None:
    types = [statement for group in GROUPS.values() for statement in sorted(group)]
    settled_site.do(
        """
        UPDATE billing_basis b SET statement_type = n.type, original = b.id, reason = 'x'
          FROM unnest(CAST(:types AS integer[])) WITH ORDINALITY AS n (type, place)
         WHERE b.id = (SELECT min(id) FROM billing_basis) + 2 * n.place
        """,
        types=types,
    )
    settled_site.do(
        "UPDATE billing_basis SET state = 'invoiced' WHERE id % 2 = (SELECT (min(id) + 1) % 2 FROM billing_basis)"
    )
    settled_site.do(
        "UPDATE billing_basis SET state = 'invoiced' WHERE id > (SELECT min(id) FROM billing_basis) + :last",
        last=2 * len(types),
    )
    settled_site.do("UPDATE billing_basis SET state = 'invoiced' WHERE id = (SELECT min(id) FROM billing_basis)")
    for group, taken in GROUPS.items():
        made = run(client, month=MONTH, groups=[group])
        told = client.get("/v1/checks/results", params={"run": made["id"]}).json()
        looked_at = [
            settled_site.one("SELECT statement_type FROM billing_basis WHERE id = :basis", basis=each["subject"])
            for each in told
        ]
        assert sorted(looked_at) == sorted(taken)
    assert run(client, month="2026-04-01")["bases"] == 0


def test_a_basis_shows_the_worst_of_all_checks_that_ran_on_it(settled_site: BilledSite, client: Any) -> None:
    basis = free(settled_site)
    settled_site.do("UPDATE billing_basis SET quantity = 0 WHERE id = :basis", basis=basis)
    switch(client, 10)
    run(client, month=MONTH)
    told = client.get(f"/v1/checks/bases/{basis}").json()
    assert [(each["check"], each["result"]) for each in told] == [(6, "warning"), (10, "ok")]
    (shown,) = client.get(f"/v1/checks/bases?basis={basis}").json()
    assert (shown["result"], shown["colour"]) == ("warning", "orange")
    assert shown["text"] == told[0]["text"]


def test_a_basis_that_no_check_applies_to_shows_none(settled_site: BilledSite, client: Any) -> None:
    gas = "SELECT count(*) FROM billing_basis b JOIN supply_point p ON p.id = b.supply_point WHERE commodity = 'gas'"
    switch(client, 6, active=False)
    switch(client, 1)
    run(client, month=MONTH)
    none = client.get("/v1/checks/bases?result=none&limit=1000").json()
    assert len(none) >= settled_site.one(gas) > 0
    assert {each["colour"] for each in none} == {"black"}


def test_a_calendar_row_has_three_columns_whatever_the_point(settled_site: BilledSite, client: Any) -> None:
    bases = [free(settled_site, rate) for rate in (9, 15)]
    target = row_of(settled_site, bases[0])
    contract = settled_site.one("SELECT contract FROM payment_calendar WHERE id = :row", row=target)
    settled_site.do(
        "UPDATE billing_basis SET contract = :contract, statement_type = CASE id WHEN :one THEN 4 ELSE 6 END "
        "WHERE id IN (:one, :other)",
        contract=contract, one=bases[0], other=bases[1],
    )  # fmt: skip
    run(client, month=MONTH)
    (shown,) = [each for each in client.get("/v1/checks/rows?limit=1000").json() if each["row"] == target]
    assert (shown["regular"], shown["accrual"], shown["annual"]) == ("ok", "error", "error")


def test_a_row_tells_what_it_was_told_without_a_basis_and_with_all_of_them(
    settled_site: BilledSite, client: Any
) -> None:
    basis = free(settled_site, 7)
    row = row_of(settled_site, basis)
    switch(client, 1)
    settled_site.do(
        "UPDATE billing_basis SET state = 'cancelled', cancelled_at = made_at, cancelled_by = 'x', cancelled_why = 'x'"
        " WHERE rate IN (5, 6)"
    )
    run(client, month=MONTH)
    alone = client.get(f"/v1/checks/rows/{row}").json()
    everything = client.get(f"/v1/checks/rows/{row}?all=true").json()
    assert {each["about"] for each in alone} <= {"calendar_row"}
    assert everything[: len(alone)] == alone
    assert len(alone) > 0
    assert basis in [each["subject"] for each in everything if each["result"] == "error"]
    mine = "SELECT count(*) FROM billing_basis b JOIN payment_calendar r ON r.contract = b.contract WHERE r.id = :row"
    assert len({each["subject"] for each in everything if each["about"] == "basis"}) <= settled_site.one(mine, row=row)
    assert client.get("/v1/checks/rows/999999999?all=true").json() == []
    settled_site.do(
        "UPDATE billing_basis SET state = 'new', cancelled_at = NULL, cancelled_by = NULL, cancelled_why = NULL"
        " WHERE rate IN (5, 6)"
    )
    run(client, month=MONTH)
    assert client.get(f"/v1/checks/rows/{row}").json() == []


def test_what_a_check_does_not_say_any_more_is_not_told(settled_site: BilledSite, client: Any) -> None:
    basis = free(settled_site)
    switch(client, 4)
    run(client, bases=[basis])
    assert [each["check"] for each in client.get(f"/v1/checks/bases/{basis}").json()] == [6, 4]
    settled_site.do("UPDATE billing_basis SET rate = 18 WHERE id = :basis", basis=basis)  # not in the list of 4
    run(client, bases=[basis])
    assert [each["check"] for each in client.get(f"/v1/checks/bases/{basis}").json()] == [6]
    switch(client, 6, active=False)
    run(client, bases=[basis])
    assert [each["result"] for each in client.get(f"/v1/checks/bases/{basis}").json()] == ["error"]


def test_an_object_shows_the_latest_active_month_over_all_contracts(settled_site: BilledSite, client: Any) -> None:
    basis = free(settled_site)
    run(client, month=MONTH)
    thing = settled_site.one(
        "SELECT p.object FROM supply_point p JOIN billing_basis b ON b.supply_point = p.id WHERE b.id = :basis",
        basis=basis,
    )
    shown = "SELECT to_char(month, 'YYYY-MM') || ' ' || result FROM object_verdict WHERE object = :thing"
    activate(client, "2026-02-01")
    assert settled_site.one(shown, thing=thing) == "2026-02 0"
    activate(client, MONTH)
    assert settled_site.one(shown, thing=thing) == "2026-03 5"
    other = "(SELECT min(c.id) FROM contract c, billing_basis b WHERE b.id = :basis AND c.id <> b.contract)"
    settled_site.do(f"UPDATE billing_basis SET contract = {other} WHERE id = :basis", basis=basis)
    run(client, bases=[basis])
    assert settled_site.one(shown, thing=thing) == "2026-03 5"
    activate(client, "2026-04-01")
    assert settled_site.one(shown, thing=thing) == "2026-04 0"


def test_what_is_shown_is_not_recomputed_by_a_basis_made_by_hand_nor_by_an_inactive_period(
    settled_site: BilledSite, client: Any
) -> None:
    basis = free(settled_site)
    row = row_of(settled_site, basis)
    run(client, month=MONTH)
    activate(client, "2026-02-01")
    activate(client, MONTH)
    shown = """
        SELECT (SELECT regular FROM row_verdict WHERE calendar_row = :row) || ' ' ||
               (SELECT max(result) FROM object_verdict)
    """
    assert settled_site.one(shown, row=row) == "5 5"
    settled_site.do("UPDATE basis_verdict SET result = 2 WHERE basis = :basis", basis=basis)
    ean, contract = settled_site.one(
        "SELECT p.ean || ' ' || c.number FROM billing_basis b JOIN supply_point p ON p.id = b.supply_point "
        "JOIN contract c ON c.id = b.contract WHERE b.id = :basis", basis=basis
    ).split(" ", 1)  # fmt: skip
    order = {"ean": ean, "contract": contract, "from": MONTH, "to": "2026-04-01", "rate": 9, "name": "x",
             "quantity": 1, "unit": "ks", "unit_price": 1, "reason": "ručně"}  # fmt: skip
    assert client.post("/v1/bases", json=order).status_code == 201
    assert settled_site.one(shown, row=row) == "5 5"
    tag = client.get(f"/v1/processing-periods/{MONTH}").headers["ETag"]
    change = {"active_for_checks": False, "why": "uzavřeno"}
    assert client.post(
        f"/v1/processing-periods/{MONTH}/revise", json=change, headers={"If-Match": tag}
    ).status_code == 200  # fmt: skip
    assert settled_site.one(shown, row=row) == "5 5"
    settled_site.do("UPDATE billing_basis SET unit_price = 12.87 WHERE id = :basis", basis=basis)
    run(client, bases=[basis])
    month = """
        SELECT to_char(o.month, 'YYYY-MM') || ' ' || r.regular
          FROM billing_basis b JOIN supply_point p ON p.id = b.supply_point JOIN object_verdict o ON o.object = p.object
          JOIN row_verdict r ON r.calendar_row = :row
         WHERE b.id = :basis
    """
    assert settled_site.one(month, basis=basis, row=row) == "2026-02 2"


def test_errors_are_cancelled_in_bulk_with_who_and_when(settled_site: BilledSite, client: Any) -> None:
    bases = [free(settled_site, rate) for rate in (9, 15)]
    run(client, month=MONTH)
    good = settled_site.one("SELECT min(basis) FROM basis_verdict WHERE result = 2")
    assert client.post("/v1/checks/cancel-errors", json={"bases": [*bases, good]}).status_code == 409
    assert settled_site.one("SELECT count(*) FROM basis_verdict WHERE result = 4") == 0
    assert client.post("/v1/checks/cancel-errors", json={"bases": bases}).json() == {"cancelled": 2}
    shown = client.get("/v1/checks/bases?result=error_cancelled").json()
    assert [(each["colour"], each["cancelled_by"]) for each in shown] == [("pink", CLERK.name)] * 2
    assert {each["cancelled_at"] for each in shown} == {NOW.isoformat().replace("+00:00", "Z")}
    told = client.get("/v1/checks/results?result=error").json()
    assert {(each["cancelled_by"], each["verdict"]) for each in told} == {(CLERK.name, "error_cancelled")}
    acts = "SELECT array_agg(DISTINCT person || ' ' || act) FROM audit WHERE act LIKE 'check.cancel%'"
    assert settled_site.one(acts) == [f"{CLERK.name} check.cancel_error"]


class OfRows(UnitPriceNotZero):
    """Finds an error of the first row, whatever its bases are."""

    definition: ClassVar[Definition] = replace(UnitPriceNotZero.definition, number=19, messages=(Text("řádek", "row"),))

    def verdict(self, bases: Frame, read: Any, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        rows = bases["calendar_row"][bases["calendar_row"] > 0]
        return [findings(rows[:1], Result.ERROR, 0, about=Subject.CALENDAR_ROW, group="regular")]


def test_an_error_of_a_row_without_a_basis_forbids_until_it_is_cancelled(settled_site: BilledSite, client: Any) -> None:
    switch(client, 6, active=False)
    switch(client, 19, statements=[])
    assert client.put("/v1/checks/settings/prevent-invoicing", json={"value": "forbid"}).status_code == 204
    month = Scope(month=date.fromisoformat(MONTH))
    with transaction(settled_site.engine) as connection:
        run_checks(connection, month, "manual", CLERK, NOW, [OfRows()])
    row = settled_site.one("SELECT calendar_row FROM row_finding")
    settlement = approved(settled_site, client)
    refused = client.post("/v1/invoices", json={"run": settlement}).json()
    assert refused["code"] == "checks_in_error"
    assert f"0 bases and 1 calendar rows are in error. calendar row {row} of contract" in refused["message"]

    cancel = f"/v1/checks/rows/{row}/cancel-errors?group=regular"
    assert client.post(cancel).json() == {"cancelled": 1}
    assert client.post(cancel).status_code == 409
    with transaction(settled_site.engine) as connection:
        run_checks(connection, month, "manual", CLERK, NOW, [OfRows()])
    assert settled_site.one("SELECT regular FROM row_verdict WHERE calendar_row = :row", row=row) == 4, "it stays so"
    kept = "SELECT result || ' ' || cancelled_by FROM row_finding"
    assert settled_site.one(kept) == f"4 {CLERK.name}"

    restore = f"/v1/checks/rows/{row}/restore-errors?group=regular"
    assert client.post(restore).json() == {"restored": 1}
    assert client.post(restore).status_code == 409
    assert client.post("/v1/invoices", json={"run": settlement}).status_code == 409
    client.post(cancel)
    assert client.post("/v1/invoices", json={"run": settlement}).status_code == 201


class OfPoint(OfRows):
    """Finds an error of the first point's row, and names the point."""

    def verdict(self, bases: Frame, read: Any, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        point = {"supply_point": Value(Kind.LINK, bases["supply_point"][:1], ("supply_point",))}
        about: dict[str, Any] = {"about": Subject.CALENDAR_ROW, "group": "regular"}
        return [findings(bases["calendar_row"][:1], Result.ERROR, 0, point, **about)]


class OfPointToo(OfPoint):
    """Another check that finds it."""

    definition: ClassVar[Definition] = replace(OfPoint.definition, number=16)


def approved(site: BilledSite, client: Any) -> int:
    """The month's run, approved."""
    settlement: int = site.one("SELECT max(id) FROM settlement_run")
    client.post(f"/v1/settlement/runs/{settlement}/approve", json={})
    assert site.one("SELECT state FROM settlement_run WHERE id = :run", run=settlement) == "approved"
    return settlement


def two_on_a_row(site: BilledSite, client: Any) -> int:
    """The first two points under one contract, so on one row; the month's run, approved."""
    site.do("""
        WITH two AS (SELECT supply_point, (min(contract) OVER ())  AS contract
                       FROM (SELECT DISTINCT supply_point, contract FROM billing_basis ORDER BY 1 LIMIT 2) b)
        UPDATE billing_basis b SET contract = two.contract, customer = c.customer, payer = c.payer
          FROM two JOIN contract c ON c.id = two.contract WHERE b.supply_point = two.supply_point
    """)
    return approved(site, client)


@pytest.mark.parametrize(("check", "left_out"), [(OfPoint(), 1), (OfRows(), 2)])
def test_an_error_of_a_row_leaves_out_the_point_that_it_names_or_all_of_the_row(
    settled_site: BilledSite, client: Any, check: Check, left_out: int
) -> None:
    switch(client, 6, active=False)
    switch(client, 19, statements=[])
    settlement = two_on_a_row(settled_site, client)
    with transaction(settled_site.engine) as connection:
        run_checks(connection, Scope(month=date.fromisoformat(MONTH)), "manual", CLERK, NOW, [check])
    answer = client.post("/v1/invoices", json={"run": settlement}).json()
    points = sorted(settled_site.one("SELECT array_agg(DISTINCT supply_point) FROM billing_basis"))
    assert [each["supply_point"] for each in answer["left_out"]] == points[:left_out]
    assert {each["basis"] for each in answer["left_out"]} == {None}
    assert answer["left_out"][0]["reason"].endswith(": řádek")
    invoiced = "SELECT count(DISTINCT supply_point) FROM billing_basis WHERE state = 'invoiced'"
    assert settled_site.one(invoiced) == len(points) - left_out


def test_a_cancelled_error_of_a_row_leaves_nobody_out(settled_site: BilledSite, client: Any) -> None:
    for number in (6, 16, 19):
        switch(client, number, active=number != 6, statements=[])
    settlement = two_on_a_row(settled_site, client)
    month = Scope(month=date.fromisoformat(MONTH))
    with transaction(settled_site.engine) as connection:
        run_checks(connection, month, "manual", CLERK, NOW, [OfRows()])
    row = settled_site.one("SELECT calendar_row FROM row_finding")
    assert client.post(f"/v1/checks/rows/{row}/cancel-errors?group=regular").json() == {"cancelled": 1}
    with transaction(settled_site.engine) as connection:
        run_checks(connection, month, "manual", CLERK, NOW, [OfRows(), OfPointToo()])
    answer = client.post("/v1/invoices", json={"run": settlement}).json()
    assert [each["supply_point"] for each in answer["left_out"]] == [
        settled_site.one("SELECT min(supply_point) FROM billing_basis")
    ]


@pytest.mark.parametrize("prevent", ["leave_out", "forbid"])
def test_an_error_of_the_row_does_not_keep_a_wrong_invoice_from_being_cancelled(
    settled_site: BilledSite, client: Any, prevent: str
) -> None:
    switch(client, 6, active=False)
    switch(client, 19, statements=[])
    settlement = two_on_a_row(settled_site, client)
    left = settled_site.one("SELECT min(supply_point) FROM billing_basis")
    others = settled_site.one("SELECT array_agg(id) FROM billing_basis WHERE supply_point <> :left", left=left)
    with transaction(settled_site.engine) as connection:
        issue_invoices(connection, Selection(run=settlement, bases=others), CLERK, NOW)
        run_checks(connection, Scope(month=date.fromisoformat(MONTH)), "manual", CLERK, NOW, [OfRows()])
    wrong = """
        SELECT i.number FROM invoice i JOIN invoice_line l ON l.invoice = i.id JOIN billing_basis b ON b.id = l.basis
          JOIN payment_calendar r ON r.contract = b.contract JOIN row_finding f ON f.calendar_row = r.id LIMIT 1
    """
    number = settled_site.one(wrong)
    assert client.put("/v1/checks/settings/prevent-invoicing", json={"value": prevent}).status_code == 204
    assert client.post("/v1/invoices", json={"run": settlement}).json().get("numbers") is None
    assert client.post(f"/v1/invoices/{number}/cancel", json={"reason": "omyl"}).status_code == 201


def test_an_error_of_another_basis_leaves_its_point_out(settled_site: BilledSite, client: Any) -> None:
    settlement = approved(settled_site, client)
    basis = free(settled_site)
    run(client, month=MONTH)
    others = settled_site.one("SELECT array_agg(id) FROM billing_basis WHERE id <> :basis", basis=basis)
    with transaction(settled_site.engine) as connection:
        issued = issue_invoices(connection, Selection(run=settlement, bases=others), CLERK, NOW)
    assert [each["basis"] for each in issued.left_out] == [basis]
    assert issued.numbers


def test_an_error_of_another_basis_of_the_row_forbids(settled_site: BilledSite, client: Any) -> None:
    """What is invoiced is right; beside it on the row something waits that is not."""
    assert client.put("/v1/checks/settings/prevent-invoicing", json={"value": "forbid"}).status_code == 204
    settlement = approved(settled_site, client)
    basis = free(settled_site)
    run(client, month=MONTH)
    others = settled_site.one("SELECT array_agg(id) FROM billing_basis WHERE id <> :basis", basis=basis)
    with transaction(settled_site.engine) as connection, pytest.raises(Refused) as refused:
        issue_invoices(connection, Selection(run=settlement, bases=others), CLERK, NOW)
    assert f"1 bases and 0 calendar rows are in error. basis {basis} of" in refused.value.message


def test_a_check_has_a_group_and_parameters_of_its_own(settled_site: BilledSite, client: Any) -> None:
    switch(client, 4, parameters={"which": "foreign_operator"})
    (four,) = [each for each in client.get("/v1/checks/definitions").json() if each["number"] == 4]
    assert (four["group"], four["parameters"][0]["value"]) == ("Aktualizace fakturačních podkladů", "foreign_operator")
    wish = {"active": True, "groups": EVERY, "statements": ["regular"], "output": "all"}
    for odd in ({"which": "some"}, {"other": "1"}):
        assert client.put("/v1/checks/definitions/4", json={**wish, "parameters": odd}).status_code == 422
    made = run(client, month=MONTH)
    kept = "SELECT parameters ->> 'which' FROM check_part WHERE run = :run AND check_number = 4"
    assert settled_site.one(kept, run=made["id"]) == "foreign_operator"
    acts = "SELECT array_agg(act) FROM audit WHERE subject = 'check/4'"
    assert settled_site.one(acts) == ["check.revise"]


@contextmanager
def counted(site: BilledSite) -> Iterator[list[str]]:
    """The statements that the database is given, but for the driver's own COPY."""
    said: list[str] = []

    def hear(*given: Any) -> None:
        said.append(given[2])

    event.listen(site.engine, "before_cursor_execute", hear)
    yield said
    event.remove(site.engine, "before_cursor_execute", hear)


def test_a_run_is_a_pass_over_sets_never_a_query_for_a_basis(
    settled_site: BilledSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    copied = __import__("central.checks.frame", fromlist=["copy_out"])

    def count(connection: Any, statement: str, parameters: Any) -> bytes:
        read.append(statement)
        answer: bytes = original(connection, statement, parameters)
        return answer

    original = copied.copy_out
    monkeypatch.setattr(copied, "copy_out", count)
    settled_site.do("UPDATE check_definition SET active = true")
    numbers = []
    few = settled_site.one("SELECT array_agg(id) FROM (SELECT id FROM billing_basis ORDER BY id LIMIT 3) b")
    for bases in (few, None):
        read.clear()
        with transaction(settled_site.engine) as connection, counted(settled_site) as said:
            made = run_checks(connection, Scope(bases=bases), "manual", CLERK, NOW)
        blocks = settled_site.one("SELECT count(*) FROM check_block WHERE run = :run", run=made.id)
        numbers.append((made.bases, len(read) + len(said) - blocks))
    (small, fewer), (large, more) = numbers
    assert large > 50 * small
    assert more - fewer < 60


def test_every_standard_check_is_explained_in_both_languages(settled_site: BilledSite, client: Any) -> None:
    told = {each["number"]: each for each in client.get("/v1/checks/definitions").json()}
    checks: tuple[Check, ...] = STANDARD
    assert sorted(told) == sorted(check.definition.number for check in checks)
    for check in checks:
        shown = told[check.definition.number]
        assert (shown["kind"], shown["name"]["cs"]) == ("standard", check.definition.name.cs)
        assert shown["rule"]["cs"]
        assert shown["rule"]["en"]


EXAMPLE = """
    -- one contract with two items, each for a flat, and a basis of August 2013 for each
    INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, voltage_level, metering_type,
                              operator)
    SELECT '8591824' || lpad((900 + n)::text, 11, '0'), 'Byt ' || n, 'Byt č. 0' || n || '/363', 'Dlouhá 363', 'Brno',
           '602 00', 'electricity', 'NN', 'C1', (SELECT min(operator) FROM supply_point)
      FROM generate_series(1, 2) n;
    INSERT INTO contract (number, kind, customer, payer, valid)
    SELECT 'S/2013/363', kind, customer, payer, '[2013-01-01,)' FROM contract WHERE kind = 'distribution' LIMIT 1;
    INSERT INTO contract_item (contract, supply_point, prices, rate, breaker_phases, breaker_amps, valid, kind,
                               operator)
    SELECT c.id, p.id, 'CEZ', 'D02d', 3, 25, '[2013-01-01,)', c.kind, p.operator
      FROM contract c, supply_point p WHERE c.number = 'S/2013/363' AND p.object LIKE 'Byt č. 0_/363';
    INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
    SELECT id, '[2013-08-01,2013-09-01)', false, true, false FROM contract WHERE number = 'S/2013/363';
    INSERT INTO billing_basis (supply_point, contract_item, contract, customer, payer, seller, service, rate, component,
                               name, quantity, unit, unit_price, price_unit, amount, vat_percent, valid,
                               statement_type, measurements, why, state, fingerprint, reason, made_at, made_by)
    SELECT i.supply_point, i.id, c.id, c.customer, c.payer, i.operator, 'distribution', 12, 'breaker', 'Jistič', 1,
           'měs', CASE p.object WHEN 'Byt č. 01/363' THEN 0 ELSE 99 END, 'Kč/měs', 99, 21,
           tstzrange('2013-08-01 00:00 Europe/Prague', '2013-09-01 00:00 Europe/Prague'), 0, '[]', '{}', 'approved', '',
           'podle zdroje', now(), 'test'
      FROM contract_item i JOIN contract c ON c.id = i.contract JOIN supply_point p ON p.id = i.supply_point
     WHERE c.number = 'S/2013/363'
"""


def test_the_example_of_period_2013_08(settled_site: BilledSite, client: Any) -> None:
    for statement in EXAMPLE.split(";\n"):
        settled_site.do(statement)
    activate(client, "2013-08-01")
    made = run(client, month="2013-08-01", groups=["regular"])
    assert (made["bases"], made["results"]["error"], made["results"]["ok"]) == (2, 1, 1)
    (row,) = client.get("/v1/checks/rows?contract=S/2013/363").json()
    assert (row["start"], row["regular"], row["accrual"], row["annual"]) == ("2013-08-01", "error", "none", "none")
    objects = {each["object"]: each for each in client.get("/v1/checks/objects?object=~/363").json()}
    assert {name: (each["result"], each["colour"], each["month"]) for name, each in objects.items()} == {
        "Byt č. 01/363": ("error", "red", "2013-08-01"),
        "Byt č. 02/363": ("ok", "green", "2013-08-01"),
    }
    (told,) = client.get("/v1/checks/results?result=error").json()
    assert (told["result_cs"], told["verdict"]) == ("chyba", "error")


def test_a_parameter_of_another_version_stops_its_check_only(settled_site: BilledSite, client: Any) -> None:
    switch(client, 6)
    switch(client, 1003)
    settled_site.do("""UPDATE check_definition SET parameters = '{"against": "decade"}' WHERE number = 1003""")
    made = run(client)
    parts = {each["check"]: each for each in made["checks"]}
    assert parts[6]["failed"] is None
    assert parts[1003]["failed"].startswith("a parameter cannot be what it is set to: one of year_or_months, year")
    assert parts[1003]["results"]["warning"] == parts[1003]["bases"] > 0
    assert parts[1003]["results"]["ok"] == 0
