"""The life of billing bases through the API: updated, compared, made by hand, deleted, taken back, settled annually."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from fastapi.testclient import TestClient

from central.platform.hooks import HOOKS
from tests.system.billing.site import READER_TOKEN, BilledSite

WHY = {"why": "stížnost zákazníka"}


def post(client: TestClient, path: str, status: int, **body: Any) -> Any:
    answer = client.post(f"/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def bases(client: TestClient, **wanted: Any) -> list[dict[str, Any]]:
    answer = client.get("/v1/bases", params={"limit": 1_000, **wanted})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()
    return found


def total(lines: Sequence[Mapping[str, Any]]) -> Decimal:
    return sum((Decimal(line["amount"]) for line in lines), Decimal(0))


def high_voltage(site: BilledSite) -> list[int]:
    """Two points that are billed by profiles."""
    found: list[int] = site.one("""
        SELECT (array_agg(id ORDER BY ean))[1:2] FROM supply_point
         WHERE point_type = 'consumption' AND voltage_level = 'VN'
    """)
    return found


def two_points_of_a_contract(site: BilledSite) -> tuple[int, int, str]:
    """The two, put under the first one's contract (its number), which is for March and stated once a year."""
    one, other = high_voltage(site)
    number: str = site.one("SELECT c.number FROM contract c JOIN contract_item i ON i.contract = c.id"
                           " WHERE i.supply_point = :p", p=one)  # fmt: skip
    for change in (
        "UPDATE contract_item SET contract = (SELECT id FROM contract WHERE number = :number) WHERE supply_point = :p",
        "UPDATE contract_item SET valid = '[2026-03-01,2026-04-01)' WHERE contract = (SELECT id FROM contract"
        " WHERE number = :number) AND (:p > 0)",
        "UPDATE contract SET statement_months = 12, valid = '[2026-03-01,2026-04-01)' WHERE number = :number"
        " AND (:p > 0)",
    ):
        site.do(change, number=number, p=other)
    return one, other, number


def new_version(site: BilledSite, point: int, direction: str = "A+", by: int = -5_000) -> None:
    """A newer profile of 10 March: its first quarter-hour is lower, the month's maximum stays."""
    site.do(
        """
        INSERT INTO day_profile (channel, day, version, values, quality, method, step_ms, missing, made_at, made_by,
                                 batches, digest, base_digest, late)
        SELECT p.channel, p.day, p.version + 1, ARRAY[p.values[1] + :by] || p.values[2:], p.quality, p.method,
               p.step_ms, p.missing, p.made_at, 'test', p.batches, decode(md5(random()::text), 'hex'), NULL, false
          FROM day_profile p JOIN channel c ON c.id = p.channel
         WHERE c.supply_point = :point AND c.direction = :direction AND p.day = '2026-03-10'
           AND p.version = (SELECT max(version) FROM day_profile WHERE channel = p.channel AND day = p.day)
        """,
        point=point, direction=direction, by=by,
    )  # fmt: skip


def settle_and_approve(client: TestClient, points: list[int], statement: str = "regular") -> int:
    run: int = post(client, "/settlement/runs", 201, month="2026-03", statement=statement, points=points)["id"]
    post(client, f"/settlement/runs/{run}/approve", 200)
    return run


def update(client: TestClient, points: list[int], **other: Any) -> dict[str, Any]:
    order = {"month": "2026-03", "points": points, **WHY, **other}
    (done,) = post(client, "/bases/update", 200, **order)["updates"]
    return dict(done)


def test_an_update_replaces_what_changed_and_keeps_the_rest(site: BilledSite) -> None:
    changed, unchanged = high_voltage(site)
    with site.client() as client:
        first = settle_and_approve(client, [changed, unchanged])
        before = {line["id"]: line for line in bases(client, run=first)}
        by_capacity = next(i for i, line in before.items() if line["ean"] == ean(site, changed) and line["rate"] == 6)
        site.do("UPDATE basis_verdict SET result = 5 WHERE basis = :basis", basis=by_capacity)
        post(client, f"/checks/bases/{by_capacity}/cancel-error", 204)
        nothing = update(client, [changed, unchanged])
        assert (nothing["run"], nothing["replaced"], nothing["added"], nothing["removed"]) == (None, 0, 0, 0)
        assert nothing["kept"] == len(before)
        assert {line["id"]: line for line in bases(client, run=first)} == before
        assert site.one("SELECT count(*) FROM settlement_run") == 1

        new_version(site, changed)
        done = update(client, [changed, unchanged])
        second = done["run"]
        assert second is not None
        assert done["replaced"] == len(bases(client, state="cancelled")) > 0
        assert (done["added"], done["removed"], done["left_out"]) == (0, 0, [])
        # the other point stays in its run, approved as it was
        assert {line["ean"] for line in bases(client, run=first, state="approved")} == {ean(site, unchanged)}
        # what changed follows the energy; the capacity keeps its row, its run is the new one, its cancelled error lives
        after = {line["id"]: line for line in bases(client, run=second)}
        assert {line["state"] for line in after.values()} == {"new"}
        assert {line["component"] for line in after.values() if line["id"] not in before} == {
            line["component"] for line in bases(client, state="cancelled")
        }
        assert by_capacity in after
        assert site.one("SELECT result FROM basis_verdict WHERE basis = :basis", basis=by_capacity) == 4
        cancelled = bases(client, state="cancelled")[0]
        assert (cancelled["cancelled_by"], cancelled["cancelled_why"]) == ("Fakturantka", WHY["why"])

        compared = client.get(f"/v1/settlement/runs/{first}/compare/{second}").json()
        (point,) = compared["points"]
        assert point["ean"] == ean(site, changed)
        assert compared["only_in_first"] == [ean(site, unchanged)]
        (cause,) = point["causes"]
        assert (cause["kind"], cause["details"]["days"]) == (
            "profile", [{"day": "2026-03-10", "first": 1, "second": 2}],
        )  # fmt: skip
        assert {line["component"] for line in point["lines"]} == {
            line["component"] for line in bases(client, state="cancelled")
        }
        assert Decimal(compared["difference"]) == total(bases(client, run=second)) - total(
            [line for line in before.values() if line["ean"] == ean(site, changed)]
        )
        # approved and invoiced, a newer profile changes nothing here: it is for a correction
        post(client, f"/settlement/runs/{second}/approve", 200)
        site.do("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run", run=second)
        new_version(site, changed)
        left = update(client, [changed])
        assert left["run"] is None
        assert [each["ean"] for each in left["left_out"]] == [ean(site, changed)]
        assert {line["id"] for line in bases(client, state="invoiced")} == set(after)
        late = client.get(f"/v1/settlement/runs/{second}").json()["late"]
        assert {row["newest_version"] for row in late} == {3}
        assert client.get(f"/v1/settlement/runs/{first}").json()["late"] == []


def test_what_is_not_invoiced_of_a_bill_is_updated_beside_what_is(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    with site.client() as client:
        run = settle_and_approve(client, [point])
        before = {line["component"]: line for line in bases(client, run=run)}
        billed = {"use_of_networks", "reserved_capacity_year"}
        site.do(
            "UPDATE billing_basis SET state = 'invoiced' WHERE run = :run AND component = ANY (:billed)",
            run=run, billed=sorted(billed),
        )  # fmt: skip
        same = update(client, [point])
        assert (same["run"], same["kept"], same["left_out"]) == (None, len(before) - 2, [])

        new_version(site, point)
        done = update(client, [point])
        assert done["run"] is not None
        assert (done["replaced"], done["added"], done["removed"], done["left_out"]) == (1, 0, 0, [])
        after = {line["component"]: line for line in bases(client, run=done["run"])}
        assert after.keys() == before.keys() - billed
        assert {name for name in after if after[name]["id"] != before[name]["id"]} == {"system_services"}
        assert {line["component"] for line in bases(client, state="invoiced")} == billed
        # a run beside it would bill the invoiced lines twice
        post(client, f"/settlement/runs/{done['run']}/discard", 200, **WHY)
        twice = post(client, "/settlement/runs", 201, month="2026-03", points=[point])["id"]
        refused = post(client, f"/settlement/runs/{twice}/approve", 409)
        assert refused["code"] == "billed_already"
        assert ean(site, point) in refused["message"]
        post(client, f"/settlement/runs/{twice}/discard", 200, **WHY)
        again = update(client, [point])
        assert {line["component"] for line in bases(client, run=again["run"])} == after.keys()
        post(client, f"/settlement/runs/{again['run']}/approve", 200)
        # what changed under the invoiced line is to be corrected, it alone
        looked = post(client, "/corrections/look", 200, **{"from": "2026-03-01", "to": "2026-04-01"})
        assert looked["open"] == 1
        (found,) = client.get("/v1/corrections").json()
        assert [line["component"] for line in found["lines"]] == ["use_of_networks"]


def test_days_billed_in_part_and_others_are_not_updated_together(site: BilledSite) -> None:
    """Half of March is settled, its energy invoiced. An update of all March would lose the other half's energy."""
    point = high_voltage(site)[0]
    half = {"from": "2026-03-01", "to": "2026-03-16", "scope": {"points": [point]}}
    with site.client() as client:
        run = post(client, "/settlement/runs", 201, **half)["id"]
        post(client, f"/settlement/runs/{run}/approve", 200)
        site.do(
            "UPDATE billing_basis SET state = 'invoiced' WHERE run = :run AND component = 'use_of_networks'", run=run
        )
        order = {"month": "2026-03", "points": [point], **WHY}
        refused = post(client, "/bases/update", 409, **order)
        assert refused["code"] == "billed_in_part"
        assert ean(site, point) in refused["message"]
        assert site.one("SELECT count(*) FROM settlement_input WHERE run = :run AND approved", run=run) == 1
        # each by itself is right: nothing changes in the half that is billed, the other one is settled by a run
        (same,) = post(
            client, "/bases/update", 200, points=[point], **{"from": "2026-03-01", "to": "2026-03-16"}, **WHY
        )["updates"]
        assert same["run"] is None
        rest = post(client, "/settlement/runs", 201, month="2026-03", scope={"points": [point]})["id"]
        post(client, f"/settlement/runs/{rest}/approve", 200)
        energy = "SELECT sum(quantity) FROM billing_basis WHERE component = 'use_of_networks' AND run = ANY (:runs)"
        halves = site.one(energy, runs=[run, rest])
        taken = """
            SELECT sum(value) / 1e6 FROM (
                SELECT DISTINCT ON (p.channel, p.day) p.values FROM day_profile p JOIN channel c ON c.id = p.channel
                 WHERE c.supply_point = :point AND c.direction = 'A+' AND c.kind = 'interval'
                   AND p.day >= '2026-03-01' AND p.day < '2026-04-01'
                 ORDER BY p.channel, p.day, p.version DESC) newest, unnest(newest.values) AS value
        """
        assert abs(halves - site.one(taken, point=point)) < Decimal("0.002"), "all that was taken is billed"


def ean(site: BilledSite, point: int) -> str:
    found: str = site.one("SELECT ean FROM supply_point WHERE id = :point", point=point)
    return found


def test_bases_are_made_by_hand_deleted_cancelled_and_drafts_thrown_away(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    contract = site.one(
        "SELECT c.number FROM contract_item i JOIN contract c ON c.id = i.contract WHERE i.supply_point = :point",
        point=point,
    )
    order = {
        "ean": ean(site, point), "contract": contract, "from": "2026-03-01", "to": "2026-04-01", "service": "other",
        "rate": 999, "name": "Mimořádný odečet", "quantity": "2", "unit": "ks", "unit_price": "150.125",
        "reason": "na žádost zákazníka",
    }  # fmt: skip
    with site.client() as client:
        basis = post(client, "/bases", 201, **order)["id"]
        made = client.get(f"/v1/bases/{basis}").json()
        assert (made["amount"], made["vat_percent"], made["state"], made["run"]) == (
            "300.25",
            "21.00",
            "approved",
            None,
        )
        assert made["why"]["text"] == "Zadáno ručně: na žádost zákazníka"
        assert post(client, "/bases", 422, **order, statement_type=7)["code"] == "statement_type"
        assert post(client, "/bases", 422, **order, statement_type=8)["code"] == "original"
        assert post(client, "/bases", 422, **{**order, "to": "2026-03-01"})["code"] == "period"
        assert post(client, "/bases", 404, **{**order, "contract": "žádná"})["code"] == "contract_item_not_found"
        assert post(client, "/bases/cancel", 409, bases=[basis], reason="omyl")["code"] == "basis_not_invoiced"
        post(client, f"/bases/{basis}/delete", 204, **WHY)
        assert client.get(f"/v1/bases/{basis}").json()["cancelled_why"] == WHY["why"]
        assert post(client, f"/bases/{basis}/delete", 409, **WHY)["code"] == "basis_cancelled"
        acts = "SELECT array_agg(act ORDER BY id) FROM audit WHERE subject = :subject"
        assert site.one(acts, subject=f"billing_basis/{basis}") == ["basis.make", "basis.delete"]

        run = settle_and_approve(client, [point])
        site.do("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run", run=run)
        invoiced = bases(client, run=run)
        ids = [line["id"] for line in invoiced]
        assert post(client, f"/bases/{ids[0]}/delete", 409, **WHY)["code"] == "basis_invoiced"
        opposite = post(client, "/bases/cancel", 201, bases=ids, reason="chybný odečet")["made"]
        cancelling = bases(client, statement_type=7)
        assert sorted(line["id"] for line in cancelling) == opposite
        assert total(cancelling) + total(invoiced) == 0
        assert {(line["original"], line["reason"]) for line in cancelling} == {(i, "chybný odečet") for i in ids}
        assert post(client, "/bases/cancel", 409, bases=ids, reason="znovu")["code"] == "basis_cancelled"
        assert post(client, "/bases/cancel", 409, bases=opposite, reason="znovu")["code"] == "statement_type"

        draft = post(client, "/settlement/runs", 201, month="2026-03", statement="accrual", points=[point])["id"]
        thrown = post(client, f"/settlement/runs/{draft}/discard", 200, **WHY)
        assert thrown["billing_bases"] == len(bases(client, run=draft, state="cancelled")) > 0
        assert post(client, f"/settlement/runs/{draft}/approve", 409)["code"] == "run_not_draft"
    with site.client(READER_TOKEN) as reader:
        assert reader.post("/v1/bases", json=order).status_code == 403


def test_an_annual_statement_takes_back_what_was_billed_preliminarily(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    contract = site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
    site.do("UPDATE contract SET statement_months = 12 WHERE id = :contract", contract=contract)
    site.do("DELETE FROM payment_calendar WHERE contract = :contract", contract=contract)
    for period, annual in (("[2026-02-01,2026-03-01)", True), ("[2026-03-01,2026-04-01)", True)):
        site.do(
            "INSERT INTO payment_calendar (contract, period, advance_due, regular_due, annual_due)"
            " VALUES (:contract, CAST(:period AS daterange), false, false, :annual)",
            contract=contract, period=period, annual=annual,
        )  # fmt: skip
    row = site.one("SELECT max(id) FROM payment_calendar WHERE contract = :contract", contract=contract)
    with site.client() as client:
        # nothing is invoiced: March is accrued, and the accrual is cancelled to the haléř when April opens
        site.do("UPDATE contract SET valid = '[2026-03-01,)' WHERE id = :contract", contract=contract)
        site.do("UPDATE contract_item SET valid = '[2026-03-01,)' WHERE contract = :contract", contract=contract)
        order = {"until": "2026-04-01", "contracts": [contract], **WHY}
        (accrued,) = post(client, "/settlement/accrual", 201, **order)["updates"]
        assert accrued["added"] == len(bases(client, run=accrued["run"], statement_type=11)) > 0
        post(client, f"/settlement/runs/{accrued['run']}/cancel-accrual", 409, **WHY)
        post(client, f"/settlement/runs/{accrued['run']}/approve", 200)
        made = post(client, f"/settlement/runs/{accrued['run']}/cancel-accrual", 201, **WHY)["made"]
        assert sorted(line["id"] for line in bases(client, statement_type=16)) == made
        assert total(bases(client, statement_type=16)) + total(bases(client, statement_type=11)) == 0
        (again,) = post(client, "/settlement/accrual", 201, **order)["updates"]
        assert (again["added"], again["removed"]) == (accrued["added"], 0)

        run = settle_and_approve(client, [point], "preliminary")
        site.do("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run", run=run)
        preliminary = bases(client, run=run)
        assert {line["statement_type"] for line in preliminary} == {2}
        new_version(site, point, by=200_000)
        shown = client.get(f"/v1/payment-calendar/{row}/bases").json()
        assert shown["due"] == {"statement": "annual", "first": "2026-03-01", "end": "2026-04-01"}
        assert shown["groups"]["regular"]["amount"] == str(total(preliminary))

        done = post(client, "/bases/update", 200, calendar_rows=[row], **WHY)
        (annual,) = done["updates"]
        assert (annual["statement"], annual["negative"], done["idle_rows"]) == ("annual", len(preliminary), [])
        final, negative = (bases(client, run=annual["run"], statement_type=kind) for kind in (6, 5))
        assert total(negative) == -total(preliminary)
        assert total(final) != total(preliminary)
        assert {line["original"] for line in negative} == {line["id"] for line in preliminary}
        post(client, f"/settlement/runs/{annual['run']}/approve", 200)
        (same,) = post(client, "/bases/update", 200, calendar_rows=[row], **WHY)["updates"]
        assert (same["run"], same["kept"]) == (None, len(final))
        # a later change replaces the final lines; the negative ones stay the same rows under the new run
        new_version(site, point, by=-5_000)
        (later,) = post(client, "/bases/update", 200, calendar_rows=[row], **WHY)["updates"]
        assert later["replaced"] > 0
        moved = bases(client, run=later["run"], statement_type=5)
        assert {line["id"] for line in moved} == {line["id"] for line in negative}
        assert client.get(f"/v1/payment-calendar/{row}/bases").json()["groups"]["annual"]["types"]["5"] == str(
            total(negative)
        )


def test_what_is_billed_preliminarily_after_the_year_was_settled_is_taken_back_too(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    annual = {"statement": "annual"}
    with site.client() as client:
        late = post(client, "/settlement/runs", 201, month="2026-03", statement="preliminary", points=[point])["id"]
        final = settle_and_approve(client, [point], "annual")
        assert update(client, [point], **annual)["run"] is None
        post(client, f"/settlement/runs/{late}/approve", 200)
        preliminary = bases(client, run=late)
        site.do("UPDATE billing_basis SET state = 'invoiced' WHERE run IN (:final, :late)", final=final, late=late)
        done = update(client, [point], **annual)
        negative = bases(client, run=done["run"])
        assert {line["original"] for line in negative} == {line["id"] for line in preliminary}
        assert {(line["statement_type"], line["state"]) for line in negative} == {(5, "new")}
        assert (done["negative"], total(negative)) == (len(preliminary), -total(preliminary))
        approved = post(client, f"/settlement/runs/{done['run']}/approve", 200)
        assert approved["billing_bases"] == len(negative)
        assert update(client, [point], **annual)["run"] is None
        # what is taken back is corrected no more, the final lines are
        site.do("UPDATE billing_basis SET state = 'invoiced' WHERE run = :run", run=done["run"])
        new_version(site, point)
        post(client, "/corrections/look", 200, **{"from": "2026-03-01", "to": "2026-04-01"})
        assert [found["statement_type"] for found in client.get("/v1/corrections").json()] == [6]


def test_the_annual_statement_through_runs_takes_back_every_sign(site: BilledSite) -> None:
    """Preliminary lines (2), their cancelling (12) and correction (9), then 5 and 6 of one annual run, invoiced."""
    point = high_voltage(site)[0]
    looked = {"from": "2026-03-01", "to": "2026-04-01"}
    with site.client() as client:
        run = settle_and_approve(client, [point], "preliminary")
        post(client, "/invoices", 201, run=run)
        new_version(site, point, by=400_000)
        assert post(client, "/corrections/look", 200, **looked)["open"] == 1
        (found,) = client.get("/v1/corrections").json()
        (corrective,) = post(client, "/corrections/order", 201, corrections=[found["id"]], **WHY)["runs"]
        post(client, "/invoices", 201, run=corrective)
        before = bases(client, state="invoiced")
        assert {line["statement_type"] for line in before} == {2, 9, 12}
        # the year turns out lower than what was billed
        new_version(site, point, by=-900_000)
        made = post(client, "/settlement/runs", 201, month="2026-03", statement="annual", points=[point])
        annual = made["id"]
        negative, final = (bases(client, run=annual, statement_type=kind) for kind in (5, 6))
        assert len(negative) == len(before)
        assert made["billing_bases"] == len(negative) + len(final)
        opposite = {line["original"]: line for line in negative}
        for line in before:
            other = opposite[line["id"]]
            assert Decimal(other["amount"]) == -Decimal(line["amount"])
            assert Decimal(other["quantity"]) == -Decimal(line["quantity"])
            assert Decimal(other["unit_price"]) == Decimal(line["unit_price"]) > 0
        assert {Decimal(line["amount"]) > 0 for line in negative} == {True, False}
        assert all(Decimal(line["amount"]) > 0 for line in final)
        post(client, f"/settlement/runs/{annual}/approve", 200)
        assert total(bases(client)) == total(final) < total(before)
        (number,) = post(client, "/invoices", 201, run=annual)["invoices"]
        bill = site.one("SELECT net FROM invoice WHERE number = :number", number=number)
        assert bill == total(final) - total(before) < 0
        assert site.one("SELECT sum(net) FROM invoice") == total(final)


def test_whoever_listens_is_told_which_bases_hold_no_more(site: BilledSite) -> None:
    changed, other = high_voltage(site)
    heard: list[Mapping[str, Any]] = []
    with site.client() as client:
        HOOKS.subscribe("bases.cancelled", "test", lambda _, event: heard.append(event))
        run = settle_and_approve(client, [changed, other])
        basis = bases(client, run=run, ean=ean(site, other))[0]["id"]
        post(client, f"/bases/{basis}/delete", 204, **WHY)
        new_version(site, changed)
        done = update(client, [changed])
        replaced = {line["id"] for line in bases(client, state="cancelled")} - {basis}
        drafted = [line["id"] for line in bases(client, run=done["run"])]
        post(client, f"/settlement/runs/{done['run']}/discard", 200, **WHY)
        rest = sorted(line["id"] for line in bases(client, run=run, state="approved"))
        site.do("UPDATE billing_basis SET state = 'invoiced' WHERE id = ANY (:rest)", rest=rest)
        made = post(client, "/bases/cancel", 201, bases=rest, reason="omyl")["made"]
        HOOKS.subscribe("bases.cancelled", "test", lambda *_: None)
        common = {"by": "Fakturantka", "at": site.clock.now()}
        assert heard == [
            {"bases": [basis], "opposites": [], "run": None, **WHY, **common},
            {"bases": sorted(replaced), "opposites": [], "run": done["run"], **WHY, **common},
            {"bases": sorted(drafted), "opposites": [], "run": done["run"], **WHY, **common},
            {"bases": rest, "opposites": made, "run": None, "why": "omyl", **common},
        ]


def test_a_leaver_is_settled_to_the_day_on_which_the_contract_ends(site: BilledSite) -> None:
    point = high_voltage(site)[0]
    contract = site.one("SELECT contract FROM contract_item WHERE supply_point = :point", point=point)
    order = {"contract": contract, "end": "2026-03-16", **WHY}
    heard: list[Mapping[str, Any]] = []
    with site.client() as client:
        HOOKS.subscribe("settlement.final", "test", lambda _, event: heard.append(event))
        assert post(client, "/settlement/final", 409, **order)["code"] == "contract_goes_on"
        for table, key in (("contract_item", "contract"), ("contract", "id")):
            site.do(
                f"UPDATE {table} SET valid = daterange('2026-03-01', '2026-03-16') WHERE {key} = :contract",
                contract=contract,
            )
        done = post(client, "/settlement/final", 201, **order)
        assert (done["from"], done["to"], done["negative"], done["left_out"]) == ("2026-03-01", "2026-03-16", 0, [])
        lines = bases(client, run=done["run"])
        assert done["added"] == len(lines) > 0
        assert {line["statement_type"] for line in lines} == {0}
        assert max(line["valid_to"] for line in lines) == "2026-03-15T23:00:00Z"
        post(client, f"/settlement/runs/{done['run']}/approve", 200)
        assert [event["run"] for event in heard] == [done["run"]]
        HOOKS.subscribe("settlement.final", "test", lambda *_: None)
