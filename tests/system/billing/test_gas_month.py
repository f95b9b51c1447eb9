"""A month of a gas point through the API: above its daily capacity, with capacity beside the yearly one, and with a new
customer in the middle of it.
"""

from decimal import Decimal
from typing import Any

from starlette.testclient import TestClient

from tests.system.billing.site import BilledSite
from tests.system.billing.test_parts_of_a_month import BASES, INPUTS, NEW_CUSTOMER, do_each, rows

WHY = {"why": "dohodnuto"}
YEARLY = Decimal("115933.79")
TAKEN = """
    SELECT b.start, (SELECT sum(value) FROM unnest(b.values) AS value) AS litres, cardinality(b.values) AS hours
      FROM block b
      JOIN channel_mapping m ON m.evidence_channel = b.evidence_channel
      JOIN channel c ON c.id = m.channel
     WHERE c.supply_point = :point AND c.direction = 'V' ORDER BY b.start
"""
"""What flowed on each gas day, from the evidence itself."""


def revise(client: TestClient, ean: str, **change: Any) -> None:
    (item,) = [each for each in client.get(f"/v1/contract-items?ean={ean}").json() if each["valid_to"] is None]
    path = f"/v1/contract-items/{item['id']}"
    etag = client.get(path).headers["ETag"]
    answer = client.post(
        f"{path}/revise?confirmed=true", json={**WHY, "since": "2026-03-01", **change}, headers={"If-Match": etag}
    )
    assert answer.status_code == 200, answer.text


def settle(site: BilledSite, client: TestClient, point: int, **period: str) -> int:
    site.validate()
    order = {"scope": {"points": [point]}, **(period or {"month": "2026-03"})}
    made = client.post("/v1/settlement/runs", json=order)
    assert (made.status_code, made.json().get("omitted")) == (201, 0), made.text
    return int(made.json()["id"])


def excess_of(site: BilledSite, run: int) -> list[Any]:
    return [row for row in rows(site, BASES, run=run) if row.component == "gas_capacity_excess"]


def highest(taken: list[Any], capacity: str) -> Decimal:
    """Thousand m3 of the day that was highest above its capacity, which is 23/24 on the day of 23 hours."""
    reserved = Decimal(capacity)
    above = [
        Decimal(day.litres) / 1_000_000 - (reserved * day.hours / 24).quantize(Decimal("0.000001")) for day in taken
    ]
    return max(above)


def test_a_month_above_the_daily_capacity_then_capacity_ordered_for_it(site: BilledSite) -> None:
    point = site.one("SELECT id FROM supply_point WHERE commodity = 'gas'")
    ean = site.one("SELECT ean FROM supply_point WHERE id = :point", point=point)
    taken = rows(site, TAKEN, point=point)
    assert sorted({day.hours for day in taken}) == [23, 24]
    with site.client() as client:
        assert excess_of(site, settle(site, client, point)) == []
        revise(client, ean, gas_daily_capacity_m3="180")
        run = settle(site, client, point)
        (line,) = excess_of(site, run)
        assert line.quantity == highest(taken, "0.18") > 0
        unit = (YEARLY / 12).quantize(Decimal("0.000001"))
        assert line.amount == (line.quantity * unit).quantize(Decimal("0.01"), "ROUND_HALF_UP")
        (told,) = rows(
            site, "SELECT id, why FROM billing_basis WHERE run = :run AND component = 'gas_capacity_excess'", run=run
        )
        why = client.get(f"/v1/bases/{told.id}/why").json()["text"]["cs"]
        assert "nejvyšší plynárenský den" in why
        assert "sjednáno na ten den v tis. m³" in why
        assert Decimal(told.why["reserved_thousand_m3"]) == Decimal("0.18") * int(told.why["hours"]) / 24
        kept = rows(site, INPUTS, run=run)[0]
        whole = max(Decimal(day.litres) / 1_000_000 for day in taken if day.hours == 24)
        assert Decimal(kept.quantities["max_daily_taken_thousand_m3"]) == whole
        assert "daily_taken_23h_at" in kept.quantities

        path = f"/v1/supply-points/{ean}/gas-capacity"
        order = {**WHY, "kind": "month", "m3_a_day": "30", "valid_from": "2026-03-01", "valid_to": "2026-04-01"}
        refused: tuple[tuple[dict[str, Any], int], ...] = (
            ({"m3_a_day": "0"}, 422),
            ({"valid_to": "2026-03-01"}, 422),
            ({"valid_from": "2026-03-02"}, 422),
            ({"kind": "year"}, 422),
            ({"valid_from": "1995-03-01", "valid_to": "1995-04-01"}, 409),
        )
        for change, status in refused:
            answer = client.post(f"{path}?confirmed=true", json={**order, **change})
            assert answer.status_code == status, (change, answer.text)
        electric = site.one("SELECT min(ean) FROM supply_point WHERE commodity = 'electricity'")
        assert client.post(f"/v1/supply-points/{electric}/gas-capacity", json=order).status_code == 409
        assert client.post("/v1/supply-points/27ZG000000000000/gas-capacity", json=order).status_code == 404
        made = client.post(f"{path}?confirmed=true", json=order)
        assert made.status_code == 201, made.text
        again = client.post(f"{path}?confirmed=true", json=order)
        assert (again.status_code, again.json()["code"]) == (409, "overlap")
        sliding = {**order, "kind": "sliding", "m3_a_day": "5", "valid_from": "2026-03-11", "valid_to": "2026-03-21"}
        assert client.post(f"{path}?confirmed=true", json=sliding).status_code == 201

        run = settle(site, client, point)
        (line,) = excess_of(site, run)
        parts = [highest(taken[:10], "0.21"), highest(taken[10:20], "0.215"), highest(taken[20:], "0.21")]
        assert line.quantity == max(parts)
        billed = {row.component: row for row in rows(site, BASES, run=run)}
        assert (billed["gas_capacity_month"].quantity, billed["gas_capacity_month"].amount) == (
            Decimal("0.03"),
            Decimal("289.83"),
        )
        # 10 of 31 days of 0.005 thousand m3
        assert billed["gas_capacity_sliding"].amount == Decimal("15.58")
        assert billed["gas_capacity_year"].amount == Decimal("1739.01")

        shown = client.get(path)
        monthly = next(row["id"] for row in shown.json() if row["kind"] == "month")
        ending = {**WHY, "on": "2026-03-01"}
        assert client.post(f"{path}/{monthly}/close?confirmed=true", json=ending).status_code == 428
        tag = {"If-Match": shown.headers["ETag"]}
        closed = client.post(f"{path}/{monthly}/close?confirmed=true", json=ending, headers=tag)
        assert (closed.status_code, [row["kind"] for row in closed.json()]) == (200, ["sliding"])
        acts = [act["act"] for act in client.get("/v1/audit").json() if act["act"].startswith("gas_capacity")]
        assert sorted(acts) == ["gas_capacity.end_capacity", "gas_capacity.order", "gas_capacity.order"]


def test_a_new_customer_in_the_middle_of_a_gas_month(site: BilledSite) -> None:
    point = site.one("SELECT id FROM supply_point WHERE commodity = 'gas'")
    ean = site.one("SELECT ean FROM supply_point WHERE id = :point", point=point)
    taken = rows(site, TAKEN, point=point)
    with site.client() as client:
        revise(client, ean, gas_daily_capacity_m3="180")
        whole = {row.component: row.amount for row in rows(site, BASES, run=settle(site, client, point))}
        contract = site.one("SELECT min(contract) FROM contract_item WHERE supply_point = :point", point=point)
        before = site.one("SELECT customer FROM contract WHERE id = :contract", contract=contract)
        other = site.one("SELECT max(id) FROM party WHERE 'customer' = ANY (roles) AND id <> :id", id=before)
        do_each(site, NEW_CUSTOMER, contract=contract, other=other)
        run = settle(site, client, point)
        split = rows(site, BASES, run=run)
        for component in ("gas_energy", "gas_capacity_year"):
            shares = [row for row in split if row.component == component]
            assert [row.payer for row in shares] == [before, other], component
            assert sum(row.amount for row in shares) == whole[component]
        (line,) = excess_of(site, run)
        halves = [(highest(taken[:15], "0.18"), before), (highest(taken[15:], "0.18"), other)]
        assert (line.quantity, line.payer) == max(halves)
        assert line.amount == whole["gas_capacity_excess"]
        left = settle(site, client, point, **{"from": "2026-03-01", "to": "2026-03-16", "statement": "final"})
        (own,) = excess_of(site, left)
        assert (own.quantity, own.payer) == halves[0]
