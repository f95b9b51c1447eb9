"""From bases to invoices through the interface with every standard check on: refused while an error lives, cancelled by
a named person, issued; all of it in the audit."""

from __future__ import annotations

from typing import Any

from central.checks.standard import STANDARD
from tests.system.billing.site import CLERK, READER_TOKEN, SETTLER_TOKEN, BilledSite

EVERY = ["regular", "accrual", "annual"]
SETTLER = "Zúčtovatelka"


def test_nothing_wrong_is_invoiced_unless_a_named_person_says_so(site: BilledSite) -> None:
    numbers = [check.definition.number for check in STANDARD]
    with site.client() as clerk, site.client(SETTLER_TOKEN) as settler, site.client(READER_TOKEN) as reader:
        assert clerk.post("/v1/prepare").status_code == 200
        for number in numbers:
            wish = {"active": True, "groups": EVERY, "statements": ["regular", "annual"], "output": "all"}
            assert clerk.put(f"/v1/checks/definitions/{number}", json=wish).status_code == 204
        prevent = "/v1/checks/settings/prevent-invoicing"
        assert clerk.put(prevent, json={"value": "forbid"}).status_code == 204
        assert reader.put(prevent, json={"value": "do_not"}).status_code == 403

        made = settler.post("/v1/settlement/runs", json={"month": "2026-03"}).json()
        automatic = settler.get("/v1/checks/runs").json()[0]
        assert (automatic["kind"], automatic["bases"], automatic["made_by"]) == (
            "automatic", made["billing_bases"], SETTLER
        )  # fmt: skip
        assert settler.post(f"/v1/settlement/runs/{made['id']}/approve", json={}).status_code == 200
        first = errors(settler)

        free = site.one("SELECT min(id) FROM billing_basis WHERE rate = 12")
        site.do("UPDATE billing_basis SET unit_price = 0, amount = 0 WHERE id = :basis", basis=free)
        assert free not in errors(settler)  # what is shown is what was checked
        refused = clerk.post("/v1/invoices", json={"run": made["id"]})
        assert (refused.status_code, refused.json()["code"]) == (409, "checks_in_error")
        assert site.one("SELECT count(*) FROM invoice") == 0

        checked = settler.post("/v1/checks/runs", json={"run": made["id"]}).json()
        assert {each["check"]: each["failed"] for each in checked["checks"]} == dict.fromkeys(numbers)
        in_error = errors(settler)
        assert {free, *first} <= set(in_error)
        told = settler.get(f"/v1/checks/bases/{free}").json()
        assert (told[0]["check"], told[0]["result_cs"]) == (6, "chyba")
        named = clerk.post("/v1/invoices", json={"run": made["id"]}).json()["message"]
        assert f"{len(in_error)} bases and 0 calendar rows are in error" in named
        assert f"basis {in_error[0]} of" in named

        assert reader.post(f"/v1/checks/bases/{free}/cancel-error").status_code == 403
        assert settler.post("/v1/checks/cancel-errors", json={"bases": in_error}).json() == {"cancelled": len(in_error)}
        issued = clerk.post("/v1/invoices", json={"run": made["id"]})
        assert issued.status_code == 201, issued.text
        assert issued.json()["left_out"] == []
        assert clerk.get("/v1/checks/runs").json()[0]["kind"] == "invoicing"
        assert {each["cancelled_by"] for each in clerk.get("/v1/checks/bases?result=error_cancelled").json()} == {
            SETTLER
        }

    acts = [(act["person"], act["act"]) for act in audited(site)]
    assert acts.count((CLERK.name, "check.revise")) == len(numbers)
    assert (CLERK.name, "check.prevent_invoicing") in acts
    assert acts.count((SETTLER, "check.cancel_error")) == len(in_error)
    story = [act for act in acts if act[1] in ("settlement.run", "settlement.approve", "check.run", "invoice.issue")]
    assert story == [
        (SETTLER, "settlement.run"),
        (SETTLER, "check.run"),
        (SETTLER, "settlement.approve"),
        (SETTLER, "check.run"),
        (CLERK.name, "check.run"),
        (CLERK.name, "invoice.issue"),
    ]


def errors(client: Any) -> list[int]:
    """The bases that show a live error, by number."""
    shown = client.get("/v1/checks/bases?result=error&limit=1000&sort=basis").json()
    return [each["basis"] for each in shown]


def audited(site: BilledSite) -> list[dict[str, Any]]:
    """The record of acts, the oldest first."""
    with site.client() as client:
        found: list[dict[str, Any]] = client.get("/v1/audit?limit=1000").json()
    return found[::-1]
