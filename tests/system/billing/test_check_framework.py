"""The framework of the checks on a real database: settings, log, cancelling, what a failing check does."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from central.checks.framework import BasisColumns, Definition, Text, Verdicts
from central.checks.install import install_standard_checks
from central.checks.results import cancel_error, process_log, restore_error
from central.checks.run import INVOICING, CheckRunMade, Scope, run_checks
from central.checks.settings import CheckSettings, revise_settings
from central.checks.standard import STANDARD, UnitPriceNotZero
from central.platform.database import transaction
from central.platform.errors import NotFound, Refused
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite, settle_march

ALL = ["regular", "accrual", "annual"]


def settled(site: BilledSite) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        return settle_march(connection, site.clock).id


def check(site: BilledSite, scope: Scope, checks: object = STANDARD) -> CheckRunMade:
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
        INSERT INTO check_definition VALUES (1, 'standard', 'a', 'b', 'c', false, '{regular}', '{regular}', 'all')
    """)
    with transaction(site.engine) as connection:
        assert install_standard_checks(connection) == [6]
    assert site.one("SELECT count(*) FROM check_definition WHERE active") == 0


def test_a_cancelled_error_stays_until_it_is_restored(site: BilledSite) -> None:
    run = settled(site)
    basis = zero_price(site)
    assert check(site, Scope(run=run)).results["error"] == 1
    assert verdict(site, basis) == 5
    with transaction(site.engine) as connection:
        cancel_error(connection, basis, CLERK, NOW)
    assert verdict(site, basis) == 4
    site.do("UPDATE billing_basis SET unit_price = 12.87 WHERE id = :basis", basis=basis)
    assert check(site, Scope(run=run)).results["error"] == 0
    assert verdict(site, basis) == 4
    with pytest.raises(Refused, match="only an error can be cancelled"), transaction(site.engine) as connection:
        cancel_error(connection, basis, CLERK, NOW)
    with transaction(site.engine) as connection:
        restore_error(connection, basis, CLERK, NOW)
    assert verdict(site, basis) == 5
    check(site, Scope(bases=[basis]))
    assert verdict(site, basis) == 2
    with pytest.raises(NotFound, match="does not exist or has not been checked"), site.engine.begin() as connection:
        cancel_error(connection, 0, CLERK, NOW)
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
        log = process_log(connection, made.id)
    assert [entry.result for entry in log] == [5]
    set_check(site, groups=["annual"])
    made = check(site, Scope(run=run))
    with transaction(site.engine) as connection:
        (entry,) = process_log(connection, made.id)
        assert (entry.result, entry.basis, entry.text_en) == (1, None, "There is no basis to check.")
        with pytest.raises(NotFound):
            process_log(connection, 0)


class Broken(UnitPriceNotZero):
    """A check that fails inside."""

    definition: ClassVar[Definition] = Definition(
        6, Text("Rozbitá", "Broken"), Text("", ""), "", tuple(ALL), ("regular",)
    )

    def verdict(self, bases: BasisColumns) -> Verdicts:
        raise ZeroDivisionError("division by zero")


class Short(Broken):
    """A check that answers for fewer bases than it was asked about."""

    def verdict(self, bases: BasisColumns) -> Verdicts:
        return Verdicts(np.zeros(1, dtype=np.int8), [Text("", "")])


@pytest.mark.parametrize(("broken", "reason"), [(Broken(), "division by zero"), (Short(), "1 results for")])
def test_a_check_that_fails_is_a_warning_and_never_ok(site: BilledSite, broken: Broken, reason: str) -> None:
    made = check(site, Scope(run=settled(site)), (broken,))
    assert made.results["warning"] == made.bases > 0
    assert made.results["ok"] == 0
    said = site.one("SELECT DISTINCT text_en FROM check_result")
    assert said.startswith("Check 6 could not run: ")
    assert reason in said


def test_settings_through_the_interface(site: BilledSite) -> None:
    settled(site)
    with site.client() as client:
        (definition,) = client.get("/v1/checks/definitions").json()
        assert (definition["number"], definition["active"], definition["name"]["cs"]) == (
            6,
            True,
            "Kontrola nenulové jednotkové ceny",
        )
        wish = {"active": False, "groups": ["regular"], "statements": ["regular"], "output": "errors"}
        assert client.put("/v1/checks/definitions/6", json=wish).status_code == 204
        assert client.get("/v1/checks/definitions").json()[0]["active"] is False
        assert client.put("/v1/checks/definitions/6", json={**wish, "groups": ["weekly"]}).status_code == 422
        assert client.put("/v1/checks/definitions/5", json=wish).status_code == 404
        assert client.get("/v1/checks/settings/prevent-invoicing").json() == {"value": "leave_out"}
        assert client.put("/v1/checks/settings/prevent-invoicing", json={"value": "forbid"}).status_code == 204
        assert client.get("/v1/checks/settings/prevent-invoicing").json() == {"value": "forbid"}
        basis = zero_price(site)
        assert client.post("/v1/checks/bases/0/cancel-error").status_code == 404
        assert client.post(f"/v1/checks/bases/{basis}/restore-error").status_code == 404
