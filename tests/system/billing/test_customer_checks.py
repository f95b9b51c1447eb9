"""Customer checks through the interface: made, changed, switched on, run, and none of them breaks a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from central.checks.bases import Scope
from central.checks.customer.columns import COLUMNS
from central.checks.run import CheckRunMade, run_checks
from central.platform.database import transaction
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, READER_TOKEN, BilledSite, settle_march
from tests.system.customer_code import install

ADDRESS = "/v1/checks/customer"
FORM: dict[str, Any] = {
    "name": {"cs": "Částka podkladu", "en": "Amount of the basis"},
    "conditions": [
        {
            "when": "amount <> round(quantity * price, 2)",
            "severity": "error",
            "text": {"cs": "částka {amount}", "en": "amount {amount} of {quantity} {unit} at {price}"},
        }
    ],
    "otherwise": {"severity": "ok", "text": {"cs": "částka souhlasí", "en": "the amount is right"}},
}
ON = {"active": True, "groups": ["regular", "accrual", "annual"], "statements": ["regular"], "output": "all"}


def settled(site: BilledSite) -> int:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)
        return settle_march(connection, site.clock).id


def check(site: BilledSite, run: int) -> CheckRunMade:
    with transaction(site.engine) as connection:
        return run_checks(connection, Scope(run=run), "manual", CLERK, NOW)


def test_a_declared_check_is_made_switched_on_run_and_changed(site: BilledSite) -> None:
    run = settled(site)
    with site.client() as client:
        created = client.post(ADDRESS, json={"check": FORM, "why": "domluveno"})
        assert (created.status_code, created.json()) == (201, {"number": 100_001, "version": 1})
        definition = {each["number"]: each for each in client.get("/v1/checks/definitions").json()}[100_001]
        assert (definition["active"], definition["kind"]) == (False, "customer")
        assert definition["rule"]["en"] == "for amount <> round(quantity * price, 2): error; otherwise: ok"
        assert 100_001 not in check(site, run).parts

        assert client.put("/v1/checks/definitions/100001", json=ON).status_code == 204
        basis = site.one("SELECT max(id) FROM billing_basis WHERE rate = 9")
        site.do("UPDATE billing_basis SET amount = amount + 1 WHERE id = :basis", basis=basis)
        made = check(site, run)
        assert made.parts[100_001]["results"] == {
            "info": 0, "ok": made.bases - 1, "warning": 0, "error_cancelled": 0, "error": 1
        }  # fmt: skip
        (told,) = client.get("/v1/checks/results?check=100001&result=error").json()
        assert (told["basis"], told["verdict"]) == (basis, "error")
        assert told["text"]["en"].startswith("amount 13.87 of 1 měs at 12.87")

        seen = client.get(f"{ADDRESS}/100001")
        assert (seen.json()["version"], seen.json()["active"], seen.json()["document"]["name"]) == (
            1, True, FORM["name"]
        )  # fmt: skip
        milder = {**FORM, "conditions": [{**FORM["conditions"][0], "severity": "warning"}]}
        order = {"check": milder, "why": "jen varovat"}
        tag = {"If-Match": seen.headers["ETag"]}
        assert client.put(f"{ADDRESS}/100001", json=order).status_code == 428
        assert client.put(f"{ADDRESS}/100001", json=order, headers=tag).json() == {"number": 100_001, "version": 2}
        assert client.put(f"{ADDRESS}/100001", json=order, headers=tag).status_code == 412
        assert client.get(f"/v1/checks/bases/{basis}").json()[0]["result"] == "error"
        assert check(site, run).parts[100_001]["results"]["warning"] == 1
        (listed,) = client.get(ADDRESS).json()
        assert (listed["version"], listed["why"]) == (2, "jen varovat")
        assert [each["version"] for each in client.get(f"{ADDRESS}/100001").json()["versions"]] == [2, 1]

        assert client.put("/v1/checks/definitions/100001", json={**ON, "active": False}).status_code == 204
        assert 100_001 not in check(site, run).parts
        assert client.get(f"/v1/checks/bases/{basis}").json()[0]["result"] == "warning"
    versions = "SELECT array_agg(version ORDER BY run) FROM check_part WHERE check_number = 100001"
    assert site.one(versions) == [1, 2]
    acts = "SELECT array_agg(act || ' ' || person ORDER BY id) FROM audit WHERE subject = 'check/100001'"
    assert [act.split()[0] for act in site.one(acts)] == [
        "customer_check.create", "check.revise", "customer_check.revise", "check.revise"
    ]  # fmt: skip


def test_columns_that_are_compared_are_read_in_sets(site: BilledSite) -> None:
    run = settled(site)
    names = list(COLUMNS)
    numbers = {"quantity": "previous_quantity", "amount": "year_before_amount"}
    said = " ".join(f"{{{name}}}" for name in names)
    form = {
        **FORM,
        "conditions": [
            {"when": f"{ours} <> {theirs} or item_breaker > 25 A and point_voltage_level = 'NN' "
                     "or received_lines > 0", "severity": "info", "text": {"cs": said, "en": said}}
            for ours, theirs in numbers.items()
        ],
        "otherwise": None,
    }  # fmt: skip
    with site.client() as client:
        offered = client.get(f"{ADDRESS}/columns").json()
        assert [each["name"] for each in offered["columns"]] == names
        assert {"MWh", "Kč/kWh", "%", "days"} <= set(offered["units"])
        assert client.post(ADDRESS, json={"check": form, "why": "srovnání"}).status_code == 201
        assert client.put("/v1/checks/definitions/100001", json=ON).status_code == 204
        made = check(site, run)
        part = made.parts[100_001]
        assert part["failed"] is None
        assert part["results"]["info"] > 0
        assert part["results"]["warning"] > 0
        told = client.get("/v1/checks/results?check=100001&result=info").json()
        assert all("NN" in each["text"]["en"] for each in told)
        assert any("could not run" in each["text"]["en"]
                   for each in client.get("/v1/checks/results?check=100001&result=warning").json())  # fmt: skip


def test_what_is_not_sound_is_refused_and_nothing_is_stored(site: BilledSite) -> None:
    settled(site)
    odd = {**FORM, "conditions": [{**FORM["conditions"][0], "when": "amount > quantity"}]}
    with site.client() as client:
        refused = client.post(ADDRESS, json={"check": odd, "why": "x"})
        assert refused.status_code == 422
        assert refused.json()["message"].startswith("In condition 1: Line 1, column 8: What is in Kč cannot be")
        assert client.post(ADDRESS, json={"check": {**FORM, "name": 1}, "why": "x"}).status_code == 422
        assert client.get(f"{ADDRESS}/100001").status_code == 404
        assert client.put(f"{ADDRESS}/100001", json={"check": FORM, "why": "x"}).status_code == 404
        assert client.get(f"{ADDRESS}/6").status_code == 422
    with site.client(READER_TOKEN) as reader:
        assert reader.post(ADDRESS, json={"check": FORM, "why": "x"}).status_code == 403
        assert reader.get(ADDRESS).json() == []
    assert site.one("SELECT count(*) FROM check_definition WHERE kind = 'customer'") == 0


def test_a_stored_check_that_this_release_cannot_read_is_a_warning(site: BilledSite) -> None:
    run = settled(site)
    with site.client() as client:
        client.post(ADDRESS, json={"check": FORM, "why": "x"})
        client.put("/v1/checks/definitions/100001", json=ON)
        site.do("""
            UPDATE customer_check
               SET document = jsonb_set(document, '{conditions,0,when}', '"tariff = 5"')
        """)
        made = check(site, run)
        assert made.parts[100_001]["results"]["warning"] == made.bases
        assert made.parts[6]["results"]["ok"] == made.bases
        said = client.get("/v1/checks/results?check=100001").json()[0]["text"]["en"]
        assert said.startswith(
            "Check 100001 could not run: In condition 1: Line 1, column 1: There is no column 'tariff'"
        )
        assert client.get("/v1/checks/definitions").status_code == 200
        assert client.get(f"{ADDRESS}/100001").status_code == 200


def test_code_of_a_package_runs_and_cannot_break_a_run(
    site: BilledSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = settled(site)
    install(tmp_path, "Cheap", "Failing", "Endless")
    monkeypatch.syspath_prepend(str(tmp_path))
    with site.client() as client:
        known = {each["number"]: each for each in client.get("/v1/checks/definitions").json()}
        assert [known[number]["active"] for number in (200_001, 200_002, 200_003)] == [False] * 3
        assert (known[200_001]["rule"]["en"], known[200_001]["parameters"][0]["value"]) == (
            "price below the limit", "0.5"
        )  # fmt: skip
        for number in (200_001, 200_002, 200_003):
            wish = {**ON, "parameters": {"limit": "20", "time_limit_s": "1" if number == 200_003 else "30"}}
            assert client.put(f"/v1/checks/definitions/{number}", json=wish).status_code == 204
        shown = client.get(f"{ADDRESS}/200001")
        order = {"check": FORM, "why": "x"}
        assert client.put(
            f"{ADDRESS}/200001", json=order, headers={"If-Match": shown.headers["ETag"]}
        ).status_code == 409  # fmt: skip
        assert (
            client.put("/v1/checks/definitions/200003", json={**wish, "parameters": {"time_limit_s": "0"}}).status_code
            == 422
        )
        made = check(site, run)
        parts = made.parts
        assert parts[6]["results"]["ok"] == made.bases
        assert parts[200_001]["failed"] is None
        assert parts[200_001]["results"]["error"] == site.one(
            "SELECT count(*) FROM billing_basis WHERE unit_price < 20"
        )
        assert parts[200_002]["failed"] == "ZeroDivisionError: division of {1} by zero"
        assert parts[200_003]["failed"] == "it took longer than 1 s and was stopped"
        for number in (200_002, 200_003):
            assert parts[number]["results"] == {
                "info": 0, "ok": 0, "warning": made.bases, "error_cancelled": 0, "error": 0
            }  # fmt: skip
        said = client.get("/v1/checks/results?check=200003").json()[0]["text"]["cs"]
        assert said == "Kontrola 200003 se nemohla provést: it took longer than 1 s and was stopped."
        assert client.get(f"/v1/checks/runs/{made.id}/log?limit=10000").status_code == 200
