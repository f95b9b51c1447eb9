"""Output at low voltage, months without capacity, the power factor's mask, unmetered takes: through the API."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fastapi.testclient import TestClient

from central.platform.database import transaction
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.model import half_up
from central.tariffs.install import Consent, install
from central.tariffs.load import load_content
from central.tariffs.seal import seal
from central.workflow.prepare import prepare
from tests.system.billing.site import CLERK, NOW, BilledSite
from tests.system.billing.test_pins_and_states import first_point
from tests.system.registry_rig import PLACE, WHY
from tests.unit.central.settlement.packages import ELECTRICITY

EANS = ("859182400941779909", "859182400941779916", "859182400941779923")


def ok(answer: Any, status: int = 200) -> Any:
    assert answer.status_code == status, answer.text
    return answer.json()


def ready(site: BilledSite) -> None:
    with transaction(site.engine) as connection:
        prepare(connection, CLERK, NOW)


def run(client: TestClient, *points: int) -> dict[str, Any]:
    """A run of March of some points: id, counts, bases by component."""
    made = ok(client.post("/v1/settlement/runs", json={"month": "2026-03", "points": list(points)}), 201)
    bases = ok(client.get("/v1/bases", params={"run": made["id"], "limit": 1_000}))
    return {**made, "bases": {each["component"]: each for each in bases}}


def findings(client: TestClient, made: dict[str, Any], component: str) -> list[str]:
    path = f"/v1/settlement/runs/{made['id']}/findings"
    return [each["text"] for each in ok(client.get(path, params={"component": component}))]


def test_output_at_low_voltage_is_billed_above_what_is_reserved(site: BilledSite) -> None:
    ready(site)
    high, low = first_point(site, "A-", "interval"), first_point(site, "JT", "state")
    with site.client() as client:
        site.do("UPDATE contract_item SET reserved_output_kw = 0.1 WHERE supply_point = :p", p=low)
        made = run(client, low)
        assert "excess_reserved_output" not in made["bases"]
        assert findings(client, made, "excess_reserved_output") == [
            "Překročení rezervovaného výkonu: čtvrthodinový výkon se v místě neměří, překročení se nevyhodnocuje."
        ]
        # the meter gets a channel of what is given, with its day profiles
        moved = "UPDATE channel SET supply_point = :low, exponent = 2 WHERE supply_point = :high AND direction = 'A-'"
        site.do(moved, low=low, high=high)
        made = run(client, low)
        basis = made["bases"]["excess_reserved_output"]
        assert (basis["rate"], basis["unit_price"], basis["unit"]) == (2001, "1131", "kW")
        why = ok(client.get(f"/v1/bases/{basis['id']}/why"))
        told = {each["name"]: each for each in why["inputs"]}
        power = Decimal(told["max_quarter_hour_output_kw"]["value"])
        assert Decimal(basis["quantity"]) == half_up(power, Decimal(1)) - Decimal("0.1")
        assert told["max_quarter_hour_output_kw"]["sources"][0]["versions"]
        assert "nejvyšší čtvrthodina dodávky" in why["text"]["cs"]
        assert ok(client.post(f"/v1/settlement/runs/{made['id']}/approve", json={}))["state"] == "approved"


def test_a_month_without_capacity_and_the_mask_of_the_power_factor(site: BilledSite) -> None:
    ready(site)
    point = first_point(site, "R+", "interval")
    with site.client() as client:
        whole = run(client, point)
        assert not [text for text in findings(client, whole, "power_factor") if "z intervalů" in text]
        site.do("DELETE FROM reserved_capacity WHERE supply_point = :p", p=point)
        made = run(client, point)
        (told,) = findings(client, made, "excess_reserved_capacity")
        assert "v měsíci 03/2026 není nic rezervováno; překročením je celé maximum" in told
        basis = made["bases"].get("excess_reserved_capacity") or made["bases"]["excess_reserved_input"]
        assert Decimal(basis["amount"]) > 0
        ok(client.post(f"/v1/settlement/runs/{made['id']}/discard", json=WHY))
        masked = run_masked(site, client, point)
        document = site.one("SELECT quantities FROM settlement_input WHERE run = :run", run=masked["id"])
        assert 0 < Decimal(document["evaluated_energy_mwh"]) < Decimal(document["energy_mwh"])
        assert 0 < Decimal(document["evaluated_reactive_taken_mvarh"]) < Decimal(document["reactive_taken_mvarh"])
        (told,) = findings(client, masked, "power_factor")
        assert "z intervalů working hours:6-10" in told
        assert client.get("/v1/settlement/runs/999999/findings").status_code == 404


def run_masked(site: BilledSite, client: TestClient, point: int) -> dict[str, Any]:
    """A run by a newer package whose power factor is of the mornings of working days."""
    content = {**ELECTRICITY.content, "version": "2026.900"}
    content["rules"] = [
        {**rule, "parameters": {**rule["parameters"], "intervals": "working hours:6-10"}}
        if rule["component"] == "power_factor"
        else rule
        for rule in content["rules"]
    ]
    bare = seal(content, None)
    with transaction(site.engine) as connection:
        install(connection, load_content(bare, "masked", FORMULA_SHAPES), CLERK, NOW, Consent(unsigned="zkouška"))
    return run(client, point)


def test_an_unmetered_take_from_the_registry_to_why(site: BilledSite) -> None:
    ready(site)
    with site.client() as client:
        operator = site.one("SELECT p.code FROM supply_point s JOIN party p ON p.id = s.operator LIMIT 1")
        customer = site.one("SELECT code FROM party WHERE 'customer' = ANY (roles) LIMIT 1")
        point = {"name": "Reklama", "object": "A", "commodity": "electricity", "operator": operator, **PLACE}
        for ean in EANS:
            ok(client.post("/v1/supply-points", json={**point, "ean": ean, "voltage_level": "NN"}), 201)
        items = [
            {"supply_point": EANS[0], "prices": "CEZ", "rate": "C60d", "unmetered_w": "95"},
            {"supply_point": EANS[1], "prices": "CEZ", "rate": "C60d", "unmetered_flat": True},
            {"supply_point": EANS[2], "prices": "CEZ", "rate": "C60d"},
        ]
        contract = {"number": "N/1", "kind": "distribution", "customer": customer, "valid_from": "2026-01-01"}
        contract |= {"statement_months": 12, "advance_months": 1, "advance_amount": "400"}
        for wrong in ({"unmetered_w": "95", "unmetered_flat": True}, {"rate": None, "unmetered_w": "95"}):
            refused = client.post("/v1/contracts", json={**contract, "items": [{**items[0], **wrong}]})
            assert (refused.status_code, refused.json()["code"]) == (422, "unmetered")
        ok(client.post("/v1/contracts", json={**contract, "items": items}), 201)
        ids = [site.one("SELECT id FROM supply_point WHERE ean = :ean", ean=ean) for ean in EANS]
        made = ok(client.post("/v1/settlement/runs", json={"month": "2026-03", "points": ids}), 201)
        assert (made["settled"], made["omitted"]) == (2, 1)
        (left,) = ok(client.get(f"/v1/settlement/runs/{made['id']}"))["omissions"]
        assert left["ean"] == EANS[2]
        assert "chybí veličina unmetered_w" in left["reason"]
        assert ok(client.get(f"/v1/settlement/runs/{made['id']}/findings")) == []
        bases = ok(client.get("/v1/bases", params={"run": made["id"], "limit": 100}))
        amounts = {(each["ean"], each["component"]): each["amount"] for each in bases}
        assert amounts == {
            (EANS[0], "unmetered_10w"): "653.50",
            (EANS[1], "unmetered_flat"): "65.35",
            **{(ean, "nonnetwork_infrastructure"): "12.87" for ean in EANS[:2]},
        }
        (basis,) = [each["id"] for each in bases if each["component"] == "unmetered_10w"]
        why = ok(client.get(f"/v1/bases/{basis}/why"))
        assert "instalovaný příkon ve W 95" in why["text"]["cs"]
        assert "installed power in W 95" in why["text"]["en"]
        # 40 W from 11 March on, and no open point is left once the power of the third one is known
        found = {each["ean"]: each for each in ok(client.get("/v1/contract-items", params={"contract_number": "N/1"}))}
        assert Decimal(found[EANS[0]]["unmetered_w"]) == 95
        assert found[EANS[1]]["unmetered_flat"] is True
        for ean, since, watts in ((EANS[0], "2026-03-11", "40"), (EANS[2], "2026-01-01", "10")):
            path = f"/v1/contract-items/{found[ean]['id']}"
            etag = client.get(path).headers["ETag"]
            body = {"since": since, "unmetered_w": watts, **WHY}
            ok(client.post(f"{path}/revise?confirmed=true", json=body, headers={"If-Match": etag}))
        again = ok(client.post("/v1/settlement/runs", json={"month": "2026-03", "points": ids}), 201)
        assert again["omitted"] == 0
        bases = ok(client.get("/v1/bases", params={"run": again["id"], "limit": 100, "component": "unmetered_10w"}))
        assert sorted(each["amount"] for each in bases) == ["177.08", "210.81", "65.35"]
        ok(client.post(f"/v1/settlement/runs/{again['id']}/approve", json={}))
        # advances of a year: nothing is measured and nothing planned, what is installed is known
        order = {"contract": "N/1", "start": "2026-07-01", "spread": "expected"}
        points = ok(client.post("/v1/advance-proposals", json=order))["points"]
        assert {(each["ean"], Decimal(each["net"])) for each in points if each["month"] == "2026-07-01"} == {
            (EANS[0], Decimal("274.27")),
            (EANS[1], Decimal("78.22")),
            (EANS[2], Decimal("78.22")),
        }
