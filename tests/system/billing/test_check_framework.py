"""The framework of the checks on a real database: settings, log, cancelling, what a failing check does."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import ClassVar

import numpy as np
import pytest

from central.checks.bases import Scope
from central.checks.cancelling import cancel_errors, restore_error
from central.checks.frame import Frame
from central.checks.framework import Asked, Check, Definition, Findings, Subject, Text, findings
from central.checks.install import install_standard_checks
from central.checks.parts import INVOICING
from central.checks.results import process_log
from central.checks.run import RECHECK, CheckRunMade, run_checks
from central.checks.settings import CheckSettings, revise_settings
from central.checks.standard import STANDARD
from central.checks.standard.unit_price import UnitPriceNotZero
from central.platform.database import transaction
from central.platform.errors import NotFound, Refused
from central.workflow.prepare import prepare
from deploy.checks_command import main as command
from tests.system.billing.site import CLERK, NOW, BilledSite, settle_march

ALL = ["regular", "accrual", "annual"]


def settled(site: BilledSite) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        return settle_march(connection, site.clock).id


def check(site: BilledSite, scope: Scope, checks: Sequence[Check] = STANDARD) -> CheckRunMade:
    with transaction(site.engine) as connection:
        return run_checks(connection, scope, "manual", CLERK, NOW, checks)


def zero_price(site: BilledSite) -> int:
    basis: int = site.one("SELECT max(id) FROM billing_basis WHERE rate = 9")
    site.do("UPDATE billing_basis SET unit_price = 0 WHERE id = :basis", basis=basis)
    return basis


def verdict(site: BilledSite, basis: int) -> int:
    result: int = site.one("SELECT result FROM basis_verdict WHERE basis = :basis", basis=basis)
    return result


def set_check(
    site: BilledSite,
    *,
    active: bool = True,
    groups: list[str] | None = None,
    statements: list[str] | None = None,
    output: str = "all",
) -> None:
    with transaction(site.engine) as connection:
        settings = CheckSettings(active, groups or ALL, statements or ["regular", "annual"], output)
        revise_settings(connection, 6, settings, CLERK, NOW)


def test_a_new_database_begins_with_its_first_set_active_and_a_later_check_arrives_inactive(site: BilledSite) -> None:
    settled(site)
    assert site.one("SELECT array_agg(number) FROM check_definition WHERE active") == [6]
    site.do("DELETE FROM check_definition")
    site.do("""
        INSERT INTO check_definition
               (number, kind, name_cs, name_en, check_group, active, groups, statements, output, slot)
        VALUES (1, 'standard', 'a', 'b', 'c', false, '{regular}', '{regular}', 'all', 0)
    """)
    with transaction(site.engine) as connection:
        assert install_standard_checks(connection) == [check.definition.number for check in STANDARD[1:]]
    assert site.one("SELECT count(*) FROM check_definition WHERE active") == 0


def test_a_cancelled_error_stays_until_it_is_restored(site: BilledSite) -> None:
    run = settled(site)
    basis = zero_price(site)
    assert check(site, Scope(run=run)).results["error"] == 1
    assert verdict(site, basis) == 5
    with transaction(site.engine) as connection:
        cancel_errors(connection, [basis], CLERK, NOW)
    assert verdict(site, basis) == 4
    site.do("UPDATE billing_basis SET unit_price = 12.87 WHERE id = :basis", basis=basis)
    assert check(site, Scope(run=run)).results["error"] == 0
    assert verdict(site, basis) == 4
    with pytest.raises(Refused, match="only an error can be cancelled"), transaction(site.engine) as connection:
        cancel_errors(connection, [basis], CLERK, NOW)
    with transaction(site.engine) as connection:
        restore_error(connection, basis, CLERK, NOW)
    assert verdict(site, basis) == 5
    check(site, Scope(bases=[basis]))
    assert verdict(site, basis) == 2
    with pytest.raises(NotFound, match="does not exist or has not been checked"), site.engine.begin() as connection:
        cancel_errors(connection, [0], CLERK, NOW)
    acts = "SELECT array_agg(act ORDER BY id) FROM audit WHERE subject = :subject"
    assert site.one(acts, subject=f"billing_basis/{basis}") == ["check.cancel_error", "check.restore_error"]


def test_invoicing_runs_only_the_checks_of_its_statement(site: BilledSite) -> None:
    run = settled(site)
    set_check(site, statements=["annual"])
    with transaction(site.engine) as connection:
        made = run_checks(connection, Scope(run=run), INVOICING, CLERK, NOW)
    assert sum(made.results.values()) == 0
    assert check(site, Scope(run=run)).results["ok"] > 0
    set_check(site, statements=["regular"])
    with transaction(site.engine) as connection:
        assert run_checks(connection, Scope(run=run), INVOICING, CLERK, NOW).results["ok"] > 0


def test_an_inactive_check_leaves_earlier_results(site: BilledSite) -> None:
    run = settled(site)
    basis = zero_price(site)
    check(site, Scope(run=run))
    set_check(site, active=False)
    made = check(site, Scope(run=run))
    assert sum(made.results.values()) == 0
    assert verdict(site, basis) == 5


def test_groups_output_variant_and_an_empty_set(site: BilledSite) -> None:
    run = settled(site)
    zero_price(site)
    set_check(site, output="errors")
    made = check(site, Scope(run=run))
    with transaction(site.engine) as connection:
        log = process_log(connection, made.id, 1_000)
    assert [result for _, _, result, _ in log] == [5]
    set_check(site, groups=["annual"])
    made = check(site, Scope(run=run))
    with transaction(site.engine) as connection:
        ((number, basis, result, said),) = process_log(connection, made.id, 1_000)
        assert (number, basis, result, said.en) == (6, None, 1, "There is no basis to check.")
        with pytest.raises(NotFound):
            process_log(connection, 0, 1_000)


class Broken(UnitPriceNotZero):
    """A check that fails inside."""

    definition: ClassVar[Definition] = Definition(
        6, Text("Rozbitá", "Broken"), Text("", ""), "", tuple(ALL), ("regular",), (Text("{odd}", "{odd}"),)
    )

    def verdict(self, bases: Frame, read: None, parameters: object) -> list[Findings]:
        raise ZeroDivisionError("division of {1} by zero")


class Odd(Broken):
    """A check that answers about bases that nobody asked about."""

    def verdict(self, bases: Frame, read: None, parameters: object) -> list[Findings]:
        return [findings(bases["id"] + 1_000_000, 2, 0)]


class Aborting(Broken):
    """A check whose query the database refuses."""

    def read(self, asked: Asked, bases: Frame) -> None:
        asked.frame("SELECT 1 / 0 AS one", ("one",))


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (Broken(), "division of {1} by zero"),
        (Odd(), "bases that it was not asked about"),
        (Aborting(), "division by zero"),
    ],
)
def test_a_check_that_fails_is_a_warning_and_never_ok(site: BilledSite, broken: Broken, reason: str) -> None:
    made = check(site, Scope(run=settled(site)), (broken,))
    assert made.results["warning"] == made.bases > 0
    assert made.results["ok"] == 0
    with site.client() as client:
        told = client.get("/v1/checks/results").json()
    assert len(told) == made.bases
    (said,) = {each["text"]["en"] for each in told}
    assert said.startswith("Check 6 could not run: ")
    assert reason in said
    assert {each["verdict"] for each in told} == {"warning"}


def test_every_standard_check_runs_over_the_month(site: BilledSite) -> None:
    run = settled(site)
    site.do("UPDATE check_definition SET active = true")
    made = check(site, Scope(run=run))
    assert set(made.parts) == {each.definition.number for each in STANDARD}
    assert [part["failed"] for part in made.parts.values()] == [None] * len(STANDARD)
    told = {number: part["results"] for number, part in made.parts.items()}
    bases = made.bases
    assert told[6]["ok"] == told[10]["ok"] == bases > 0
    assert (told[2]["ok"] > 0, told[2]["error"]) == (True, 0)
    assert told[1]["ok"] == site.one("SELECT count(*) FROM billing_basis WHERE rate IN (5, 6)")
    assert sum(told[9].values()) >= bases


def test_the_command_tells_what_each_check_found_and_how_long_it_took(
    site: BilledSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settled(site)
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", site.url)
    site.do("""
        INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
        SELECT DISTINCT contract, daterange('2026-03-01', '2026-04-01'), false, true, false FROM billing_basis
    """)
    assert command(["run", "--period", "2026-03", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["bases"] == site.one("SELECT count(*) FROM billing_basis") > 0
    (only,) = told["checks"]
    assert (only["check"], only["name"], only["failed"]) == (6, "Unit price not zero", None)
    assert (only["results"]["ok"], only["seconds"] > 0) == (told["bases"], True)
    zero_price(site)
    assert command(["run", "--period", "2026-03", "--group", "regular"]) == 1
    assert "6 Unit price not zero: ok" in capsys.readouterr().out
    assert command(["run", "--period", "2026-04"]) == 0
    assert "0 bases" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        command(["run", "--period", "2026-13"])
    assert "'2026-13' is no month; one such as 2026-03 is expected." in capsys.readouterr().err


class OfRows(UnitPriceNotZero):
    """A check that has something to say about rows without a basis, and looks at a month."""

    definition: ClassVar[Definition] = Definition(
        6, Text("Řádky", "Rows"), Text("", ""), "", tuple(ALL), ("regular",), (Text("řádek", "row"),)
    )

    def verdict(self, bases: Frame, read: None, parameters: object) -> list[Findings]:
        rows = np.unique(bases["calendar_row"])
        return [findings(rows[:1], 5, 0, about=Subject.CALENDAR_ROW, group="annual"), findings(bases["id"], 2, 0)]


def test_rows_and_objects_show_the_worst_and_periods_decide(site: BilledSite) -> None:
    run = settled(site)
    basis = zero_price(site)
    site.do("""
        INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)
        SELECT DISTINCT contract, daterange('2026-03-01', '2026-04-01'), false, true, false FROM billing_basis
    """)
    shown = "SELECT regular || ' ' || accrual || ' ' || annual FROM row_verdict WHERE calendar_row = :row"
    mine = site.one(
        """
        SELECT r.id FROM payment_calendar r JOIN billing_basis b ON b.contract = r.contract WHERE b.id = :basis
    """,
        basis=basis,
    )
    objects = "SELECT max(result) FROM object_verdict"
    check(site, Scope(run=run))
    assert site.one(shown, row=mine) == "5 0 0"
    assert site.one(objects) is None
    with site.client() as client:
        period = {"month": "2026-03-01", "active": False, "active_for_checks": True}
        assert client.post("/v1/processing-periods", json=period).status_code == 201
        assert site.one(objects) == 5
        worst = client.get("/v1/checks/objects?result=error").json()
        assert [each["colour"] for each in worst] == ["red"]
        assert {each["result"] for each in client.get("/v1/checks/objects").json()} >= {"error", "ok"}
        assert client.get("/v1/checks/rows?regular=error").json()[0]["row"] == mine
        cancelled = client.post(f"/v1/checks/rows/{mine}/cancel-errors?group=regular").json()
        assert cancelled == {"cancelled": 1}
        assert client.post(f"/v1/checks/rows/{mine}/cancel-errors?group=annual").status_code == 409
        assert client.post("/v1/checks/rows/999999/cancel-errors?group=annual").status_code == 404
    assert site.one(shown, row=mine) == "4 0 0"
    assert site.one(objects) == 4
    with transaction(site.engine) as connection:
        restore_error(connection, basis, CLERK, NOW)
    assert (site.one(shown, row=mine), site.one(objects)) == ("5 0 0", 5)
    with site.client() as client:
        assert client.post(f"/v1/bases/{basis}/delete", json={"why": "cena nula"}).status_code == 204
    assert (site.one(shown, row=mine), site.one(objects)) == ("2 0 0", 2)
    check(site, Scope(month=date(2026, 3, 1)), (OfRows(),))
    told = site.one("SELECT calendar_row FROM row_finding")
    assert site.one(shown, row=told) == "2 0 5"
    check(site, Scope(rows=[told]))
    assert site.one(shown, row=told) == "2 0 0"


def test_a_run_is_compared_and_a_recheck_changes_nothing(site: BilledSite) -> None:
    run = settled(site)
    basis = zero_price(site)
    first = check(site, Scope(run=run))
    with transaction(site.engine) as connection:
        cancel_errors(connection, [basis], CLERK, NOW)
    site.do("UPDATE billing_basis SET unit_price = 12.87 WHERE id = :basis", basis=basis)
    with transaction(site.engine) as connection:
        again = run_checks(connection, Scope(run=run, cancelled=True), RECHECK, CLERK, NOW)
    assert again.bases == first.bases
    assert verdict(site, basis) == 4
    with site.client() as client:
        (difference,) = client.get(f"/v1/checks/runs/{again.id}/compare/{first.id}").json()
        assert difference == {"check": 6, "about": "basis", "subject": basis, "before": "error", "after": "ok"}
        (told,) = client.get(f"/v1/checks/bases/{basis}").json()
        assert (told["run"], told["result"]) == (first.id, "error")
        kinds = [each["kind"] for each in client.get("/v1/checks/runs").json()]
        assert kinds[:2] == ["recheck", "manual"]


def test_settings_through_the_interface(site: BilledSite) -> None:
    settled(site)
    with site.client() as client:
        definitions = {each["number"]: each for each in client.get("/v1/checks/definitions").json()}
        assert sorted(definitions) == [check.definition.number for check in STANDARD]
        definition = definitions[6]
        assert (definition["number"], definition["active"], definition["name"]["cs"]) == (
            6,
            True,
            "Kontrola nenulové jednotkové ceny",
        )
        wish = {"active": False, "groups": ["regular"], "statements": ["regular"], "output": "errors"}
        assert client.put("/v1/checks/definitions/6", json=wish).status_code == 204
        assert [each["number"] for each in client.get("/v1/checks/definitions").json() if each["active"]] == []
        assert client.put("/v1/checks/definitions/6", json={**wish, "groups": ["weekly"]}).status_code == 422
        assert client.put("/v1/checks/definitions/5", json=wish).status_code == 404
        assert client.get("/v1/checks/settings/prevent-invoicing").json() == {"value": "leave_out"}
        assert client.put("/v1/checks/settings/prevent-invoicing", json={"value": "forbid"}).status_code == 204
        assert client.get("/v1/checks/settings/prevent-invoicing").json() == {"value": "forbid"}
        basis = zero_price(site)
        assert client.post("/v1/checks/bases/999999999/cancel-error").status_code == 404
        assert client.post(f"/v1/checks/bases/{basis}/restore-error").status_code == 404
