"""The registry through its interface: validity, tags, previews, rules, states, numbers."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from typing import Any

import pytest
from sqlalchemy import text

from central.platform.database import make_engine, transaction
from central.settlement.document import tenure_document
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.registry import read_facts
from central.settlement.scope import Scope, points_in
from central.tariffs.load import load_file, shipped_files
from central.workflow.settle_month import in_force
from shared.metering_day import next_month
from tests.system.registry_rig import EAN, GAS, PLACE, WHY, Api, api, furnish

POINT = f"/v1/supply-points/{EAN}"
CONTRACT = "/v1/contracts/S/1"
CAPACITY = f"{POINT}/reserved-capacity"


@pytest.fixture
async def it(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as opened:
        await furnish(opened)
        yield opened


async def test_facts_have_validity_and_a_history(it: Api) -> None:
    changed = await it.act(POINT, "revise", {"since": "2026-04-01", "metering_type": "A", "supplier": "SUP"})
    assert (changed["metering_type"], changed["since"]) == ("A", "2026-04-01")
    await it.act(POINT, "revise", {"since": "2026-02-01", "metering_type": "C1", "name": "Hala 2"})
    held = [
        (each["since"], each["facts"]["metering_type"], each["facts"]["name"])
        for each in await it.get(f"{POINT}/versions")
    ]
    assert held == [(None, "B", "Hala"), ("2026-02-01", "C1", "Hala 2"), ("2026-04-01", "A", "Hala 2")]
    events = await it.get(f"{POINT}/history")
    assert [event["act"] for event in events] == ["supply_point.revise", "supply_point.revise", "supply_point.create"]
    assert (events[0]["person"], events[0]["why"]) == ("Anna", "dohodnuto")
    assert len(events[0]["before"]["versions"]) == 2
    assert len(events[0]["after"]["versions"]) == 3
    party = (await it.get("/v1/parties?code=C1"))[0]["id"]
    await it.act(f"/v1/parties/{party}", "revise", {"since": "2026-03-01", "name": "Nová firma", "dic": "CZ1"})
    shown = await it.get(f"/v1/parties/{party}")
    assert (shown["name"], "CZ1" in shown["warnings"][0]) == ("Nová firma", True)
    assert [each["facts"]["name"] for each in await it.get(f"/v1/parties/{party}/versions")] == [
        "Firma C1",
        "Nová firma",
    ]
    await it.act(CONTRACT, "revise", {"since": "2026-06-01", "payer": "SUP", "due_days": 30})
    assert (await it.get(CONTRACT))["payer_name"] == "Firma SUP"
    assert [each["facts"]["due_days"] for each in await it.get(f"{CONTRACT}/versions")] == [14, 30]


async def test_a_lost_update_is_refused_and_a_change_without_a_tag_too(it: Api) -> None:
    seen = await it.etag(POINT)
    body = {**WHY, "since": "2026-06-01", "name": "Jiná"}
    assert (await it.post(f"{POINT}/revise", body, 428))["code"] == "if_match_missing"
    await it.post(f"{POINT}/revise", body, 200, seen)
    refused = await it.post(f"{POINT}/revise", body, 412, seen)
    assert EAN in refused["message"]
    # Two at once with the same tag: one is first, the other has lost.
    seen = await it.etag(POINT)
    answers = await asyncio.gather(
        *(
            it.client.post(f"{POINT}/revise", json={**body, "name": f"Hala {n}"}, headers={"If-Match": seen})
            for n in range(4)
        )
    )
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_overviews_filter_sort_and_page(it: Api) -> None:
    series = {"code": "E", "purpose": "ean18", "prefix": "8591824009417", "digits": 4, "first": 100, "last": 104}
    await it.post("/v1/number-series", series)
    base = {"series": "E", "object": "B", "commodity": "electricity", "operator": "LDS", "voltage_level": "NN", **PLACE}
    for n in range(5):
        await it.post("/v1/supply-points", {**base, "name": f"Dílna č. {n}", "planned_mwh": n})
    answer = await it.client.get("/v1/supply-points?voltage_level=NN&sort=-planned_mwh&limit=2&offset=1")
    assert [row["name"] for row in answer.json()] == ["Dílna č. 3", "Dílna č. 2"]
    assert answer.headers["X-Total-Count"] == "5"
    assert "offset=3" in answer.headers["Link"]
    assert len(await it.get("/v1/supply-points?q=DILNA")) == 5
    assert len(await it.get("/v1/supply-points?name=~dilna&planned_mwh=>=3")) == 2
    assert len(await it.get("/v1/supply-points?operator_code=LDS&area_code=A1")) == 1
    everything = len(await it.get("/v1/supply-points"))
    assert await it.get("/v1/supply-points?operator_code=NOBODY") == []
    assert await it.get("/v1/supply-points?operator_code=!LDS") == []
    assert (
        len(await it.get("/v1/supply-points?operator_code=LDS&operator_code=NOBODY&sort=operator_code")) == everything
    )
    assert len(await it.get("/v1/supply-points?operator_code=LDS&sort=-operator_code")) == everything
    assert len(await it.get("/v1/supply-points?planned_mwh=")) == 1
    assert [row["code"] for row in await it.get("/v1/parties?role=balance_responsible")] == ["SUP"]
    assert [row["number"] for row in await it.get("/v1/contracts?customer_code=C1&valid_from=>=2026-01-01")] == ["S/1"]
    assert len(await it.get("/v1/contract-items?ean=" + EAN)) == 1
    for query in ("colour=red", "sort=colour", "voltage_level=XX", "planned_mwh=many", "limit=0", "name=%00"):
        await it.get(f"/v1/supply-points?{query}", 422)


async def test_numbers_have_no_holes_and_end_with_their_range(it: Api) -> None:
    series = {"code": "E", "purpose": "ean18", "prefix": "8591824009418", "digits": 4, "first": 1, "last": 6}
    await it.post("/v1/number-series", series)
    base = {"name": "x", "object": "B", "commodity": "electricity", "operator": "LDS", "voltage_level": "NN", **PLACE}
    taken = await it.post("/v1/supply-points", {**base, "ean": "859182400941800023"})
    answers = await asyncio.gather(
        *(it.client.post("/v1/supply-points", json={**base, "series": "E"}) for _ in range(4)),
        *(it.client.post("/v1/supply-points", json={**base, "series": "E", "operator": "X"}) for _ in range(3)),
    )
    assert sorted(answer.status_code for answer in answers) == [201] * 4 + [404] * 3
    drawn = sorted(answer.json()["ean"][:17] for answer in answers if answer.status_code == 201)
    assert drawn == [f"859182400941800{n:02d}" for n in (1, 3, 4, 5)], taken
    await it.post("/v1/supply-points", {**base, "series": "E"})
    refused = await it.post("/v1/supply-points", {**base, "series": "E"}, 409)
    assert (refused["code"], "6" in refused["message"]) == ("series_exhausted", True)
    gas = {**base, "commodity": "gas", "voltage_level": None}
    assert (await it.post("/v1/supply-points", {**gas, "series": "E"}, 422))["code"] == "series"
    await it.post("/v1/number-series", {**series, "code": "G", "purpose": "eic", "prefix": "27ZG517Z", "digits": 7})
    of_gas = {"pressure_level": "medium", "gas_group": "3"}
    refused = await it.post("/v1/supply-points", {**base, **of_gas, "ean": taken["ean"]}, 422)
    assert refused["code"] == "pressure_level"
    drawn_gas = await it.post("/v1/supply-points", {**gas, **of_gas, "series": "G"})
    assert (len(drawn_gas["ean"]), drawn_gas["pressure_level"], drawn_gas["gas_group"]) == (len(GAS), "medium", "3")
    (found,) = (await it.client.get("/v1/supply-points?pressure_level=medium&gas_group=3")).json()
    assert found["ean"] == drawn_gas["ean"]
    wrong = [{"prefix": "85918240094"}, {"prefix": "859182400941X"}, {"first": 7}, {"last": 10_000}]
    for n, change in enumerate(wrong):
        await it.post("/v1/number-series", {**series, "code": f"W{n}", **change}, 422)
    eic = {**series, "code": "W9", "purpose": "eic", "prefix": "27ŽG517Z", "digits": 7}
    assert "0-9" in (await it.post("/v1/number-series", eic, 422))["message"]


async def test_a_point_goes_through_its_states(it: Api) -> None:
    await it.act(POINT, "connect", {"on": "2026-05-01"}, 409)
    await it.act(POINT, "suspend", {"on": "2026-05-01"})
    refused = await it.act(POINT, "resume", {"on": "2026-04-01"}, 409)
    assert "2026-05-01" in refused["message"]
    await it.act(POINT, "resume", {"on": "2026-05-03"})
    refused = await it.act(POINT, "end", {"on": "2026-07-01"}, 409)
    assert (refused["code"], "S/1" in refused["message"]) == ("still_contracted", True)
    await it.act(CONTRACT, "close", {"on": "2026-07-01"})
    assert (await it.act(POINT, "end", {"on": "2026-07-01"}))["state"] == "ended"
    await it.act(POINT, "resume", {"on": "2026-08-01"}, 409)
    await it.post(f"{POINT}/paint", {**WHY, "on": "2026-08-01"}, 422)


async def test_reserved_capacity_is_ordered_by_the_rules(it: Api) -> None:
    order = {**WHY, "kind": "year", "kw": "350", "valid_from": "2026-06-01"}
    rows = await it.post(CAPACITY, order)
    assert [(row["kw"], row["valid_from"], row["valid_to"]) for row in rows] == [
        ("300.000", "2026-01-01", "2026-06-01"),
        ("350.000", "2026-06-01", None),
    ]
    for change, named in (
        ({"kw": "401"}, "400 kW"),
        ({"kw": "340", "valid_from": "2027-05-01"}, "2027-06-01"),
        ({"kind": "month", "valid_from": "2026-05-01", "valid_to": "2026-06-01", "kw": "10"}, "2026-04-30"),
        ({"valid_from": "2026-07-02"}, "2026-07-02"),
    ):
        refused = await it.post(CAPACITY, {**order, **change}, 409)
        assert refused["code"] == "reserved_capacity"
        assert named in refused["message"], refused
        assert EAN in refused["message"]
    # To end a yearly capacity is to lower it to nothing; what was ordered anew as it was is no change.
    etag = await it.etag(CAPACITY)
    present = next(row["id"] for row in rows if row["valid_to"] is None)
    refused = await it.post(f"{CAPACITY}/{present}/close", {**WHY, "on": "2027-05-01"}, 409, etag)
    assert (refused["code"], "2027-06-01" in refused["message"]) == ("reserved_capacity", True)
    shown = await it.post(f"{CAPACITY}/{present}/close?preview=true", {**WHY, "on": "2027-06-01"}, 200, etag)
    assert shown["preview"] is True
    assert await it.get(CAPACITY) == rows
    month = {**order, "kind": "month", "valid_from": "2026-06-01", "valid_to": "2026-07-01", "kw": "50"}
    rows = await it.post(CAPACITY, month)
    refused = await it.post(CAPACITY, month, 409)
    assert (refused["code"], "overlaps that of 50.000 kW" in refused["message"]) == ("overlap", True)
    monthly = next(row["id"] for row in rows if row["kind"] == "month")
    await it.post(f"{CAPACITY}/{monthly}/close", {**WHY, "on": "2026-06-15"}, 428)
    etag = await it.etag(CAPACITY)
    await it.post(f"{CAPACITY}/{monthly}/close", {**WHY, "on": "2026-06-15"}, 200, etag)
    await it.post(f"{CAPACITY}/{monthly}/close", {**WHY, "on": "2026-06-15"}, 412, etag)
    assert {rule["mark"] for rule in await it.get("/v1/registry/rules")} == {"documented", "inferred"}
    (item,) = await it.get("/v1/contract-items?ean=" + EAN)
    refused = await it.act(
        f"/v1/contract-items/{item['id']}", "revise", {"since": "2026-06-01", "reserved_input_kw": "320"}, 422
    )
    assert "320" in refused["message"]


async def test_another_customer_may_lower_the_capacity(it: Api) -> None:
    lower = {**WHY, "kind": "year", "kw": "200", "valid_from": "2026-06-01"}
    await it.post(CAPACITY, lower, 409)
    await it.act(CONTRACT, "revise", {"since": "2026-05-15", "customer": "C2"})
    rows = await it.post(CAPACITY, lower)
    assert [(row["kw"], row["valid_from"]) for row in rows] == [("300.000", "2026-01-01"), ("200.000", "2026-06-01")]
    # The first customer again: that is another change.
    await it.act(CONTRACT, "revise", {"since": "2026-06-15", "customer": "C1"})
    assert len(await it.post(CAPACITY, {**lower, "kw": "100", "valid_from": "2026-07-01"})) == 3


async def test_items_are_split_by_a_change_and_closed(it: Api) -> None:
    (item,) = await it.get(CONTRACT + "/items")
    path = f"/v1/contract-items/{item['id']}"
    amendment = await it.post(CONTRACT + "/amendments", {"subject": "vyšší příkon", "effective": "2026-07-01"})
    assert amendment["number"] == 1
    body = {"since": "2026-07-01", "reserved_input_kw": "500", "amendment": 1}
    assert (await it.act(path, "revise?preview=true", body))["touched"] == []
    made = await it.act(path, "revise", body)
    assert (made["valid_from"], made["amendment"]) == ("2026-07-01", amendment["id"])
    held = [(row["reserved_input_kw"], row["valid_from"], row["valid_to"]) for row in await it.get(CONTRACT + "/items")]
    assert held == [("400.000", "2026-01-01", "2026-07-01"), ("500.000", "2026-07-01", None)]
    await it.act(path, "revise", {"since": "2026-08-01", "prices": "EGD"}, 422)
    await it.act(path, "close", {"on": "2025-01-01"}, 409)
    second = {"supply_point": EAN, "prices": "CEZ", "valid_from": "2026-09-01"}
    refused = await it.post(CONTRACT + "/items", second, 409)
    assert refused["code"] == "overlap"
    assert f"item of {EAN} under contract S/1 from 2026-09-01 to open overlaps that under" in refused["message"]
    await it.act(f"/v1/contract-items/{made['id']}", "close", {"on": "2026-09-01"})
    await it.post(CONTRACT + "/items", second)
    await it.act(f"/v1/contract-items/{made['id']}", "remove", {}, 204)
    assert (await it.act(CONTRACT, "close", {"on": "2026-08-01"}, 409))["code"] == "item_later"
    # A connection contract goes beside distribution, a second contract of the same service does not.
    other = {"number": "P/1", "kind": "connection", "customer": "C1", "valid_from": "2026-01-01"}
    await it.post("/v1/contracts", {**other, "items": [{"supply_point": EAN, "prices": "CEZ"}]})
    same = {**other, "number": "R/1", "kind": "framework", "payer": "SUP"}
    assert (await it.post("/v1/contracts", {**same, "items": [second]}, 409))["code"] == "overlap"
    refused = await it.post("/v1/contracts", {**same, "payer": "C1", "items": []}, 409)
    assert (refused["code"], "supplier" in refused["message"]) == ("role", True)
    twice = {**other, "number": "P/2", "valid_from": "2019-01-01", "valid_to": "2020-01-01"}
    item = {"supply_point": EAN, "prices": "CEZ", "valid_from": "2018-01-01"}
    assert (await it.post("/v1/contracts", {**twice, "items": [item]}, 422))["code"] == "validity"


async def test_a_contract_ends_and_goes_on_with_its_items_and_calendar(it: Api) -> None:
    body = {**WHY, "start": "2026-01-01", "end": "2027-01-01"}
    await it.act(CONTRACT, "revise", {"since": "2026-01-01", "statement_months": 12})
    await it.post(CONTRACT + "/calendar/generate", body, 200)
    assert (await it.act(CONTRACT, "extend", {"to": None}, 409))["code"] == "validity"
    await it.act(CONTRACT, "close", {"on": "2026-09-15"})
    rows = await it.get("/v1/payment-calendar?contract_number=S/1&sort=-start&limit=2")
    assert [(row["start"], row["end"], row["annual_due"]) for row in rows] == [
        ("2026-09-01", "2026-09-15", True),
        ("2026-08-01", "2026-09-01", False),
    ]
    (line,) = await it.get("/v1/payment-calendar?start=<2026-04-01&end=>2026-03-01&contract_kind=distribution")
    (row,) = [row for row in await it.get(CONTRACT + "/calendar") if row["id"] == line["id"]]
    assert {**row, "contract_number": "S/1"}.items() <= line.items()
    await it.act(CONTRACT, "extend", {"to": "2026-09-01"}, 409)
    await it.post(CONTRACT + "/extend", {**WHY, "to": "2027-01-01"}, 428)
    assert (await it.act(CONTRACT, "extend?preview=true", {"to": "2027-01-01"}))["after"]["valid"][1] == "2027-01-01"
    assert (await it.act(CONTRACT, "extend", {"to": "2027-01-01"}))["valid_to"] == "2027-01-01"
    assert [item["valid_to"] for item in await it.get(CONTRACT + "/items")] == ["2027-01-01"]
    (event, *_) = await it.get(CONTRACT + "/history")
    assert (event["act"], event["before"]["valid"][1], event["why"]) == ("contract.extend", "2026-09-15", "dohodnuto")


async def test_payment_calendar_and_periods(it: Api) -> None:
    await it.act(
        CONTRACT,
        "revise",
        {"since": "2026-04-01", "statement_months": 12, "advance_months": 1, "advance_amount": "900"},
    )
    body = {**WHY, "start": "2026-01-01", "end": "2027-01-01"}
    rows = await it.post(CONTRACT + "/calendar/generate", body, 200)
    assert len(rows) == 12
    assert [row["regular_due"] for row in rows[:4]] == [True, True, True, False]
    assert sum(row["advance_due"] for row in rows) == 9
    assert rows[11]["annual_due"]
    june = next(row for row in rows if row["start"] == "2026-06-01")
    path = f"/v1/payment-calendar/{june['id']}/revise"
    await it.post(path, {**WHY, "annual_due": True}, 428)
    await it.post(path, {**WHY, "annual_due": True, "advance_due": False}, 200, june["etag"])
    await it.post(path, {**WHY, "annual_due": True}, 412, june["etag"])
    rows = await it.post(CONTRACT + "/calendar/generate", body, 200)
    assert [row["start"] for row in rows if row["annual_due"]] == ["2026-06-01", "2026-12-01"]
    await it.post(CONTRACT + "/calendar/generate", {**body, "start": "2020-01-01", "end": "2021-01-01"}, 422)
    for month, checks in (("2026-01-01", True), ("2026-02-01", True)):
        await it.post("/v1/processing-periods", {"month": month, "active": True, "active_for_checks": checks})
    await it.post("/v1/processing-periods", {"month": "2026-02-02"}, 422)
    await it.post("/v1/processing-periods", {"month": "2026-02-01"}, 409)
    await it.act("/v1/processing-periods/2026-01-01", "revise", {"active": True})
    periods = [
        (row["month"], row["active"], row["active_for_checks"]) for row in await it.get("/v1/processing-periods")
    ]
    assert periods == [("2026-02-01", False, True), ("2026-01-01", True, True)]


async def test_parts_of_parties(it: Api) -> None:
    party = f"/v1/parties/{(await it.get('/v1/parties?code=C1'))[0]['id']}"
    address = {"kind": "mailing", "valid_from": "2026-01-01", **PLACE}
    made = await it.post(f"{party}/addresses", address)
    refused = await it.post(f"{party}/addresses", {**address, "valid_from": "2026-02-01"}, 409)
    assert (refused["code"], "valid 2026-01-01 to open" in refused["message"]) == ("overlap", True)
    await it.post(f"{party}/addresses/{made['id']}/close", {**WHY, "on": "2026-02-01"}, 428)
    await it.post(f"{party}/addresses/{made['id']}/close", {**WHY, "on": "2026-02-01"}, 200, made["etag"])
    await it.post(f"{party}/addresses", {**address, "valid_from": "2026-02-01"})
    account = {"purpose": "refund", "valid_from": "2026-01-01", "czech_number": "19-2000145399/0800"}
    stored = await it.post(f"{party}/accounts", account)
    assert stored["facts"]["iban"] == "CZ6508000000192000145399"
    for change in (
        {"czech_number": "18-2000145399/0800"},
        {"iban": "CZ7908000000002000145399"},
        {"czech_number": None},
    ):
        await it.post(f"{party}/accounts", {**account, **change}, 422)
    contact = {"name": "Jana", "matter": "fakturace", "email": "j@example.com", "valid_from": "2026-01-01"}
    await it.post(f"{party}/contacts", contact)
    await it.post(f"{party}/contacts", {**contact, "email": None}, 422)
    series = {"code": "SU", "purpose": "contract_account", "prefix": "9", "digits": 9, "first": 1, "last": 99}
    await it.post("/v1/number-series", series)
    made = await it.post(f"{party}/contract-accounts", {"series": "SU", "name": "hlavní", "valid_from": "2026-01-01"})
    assert made["facts"]["number"] == "9000000001"
    await it.act(CONTRACT, "revise", {"since": "2026-06-01", "account": "9000000001"})
    assert (await it.get(f"{party}/history"))[0]["act"] == "party.add_part"


async def test_objects_form_a_tree_without_cycles_and_networks_have_their_parties(it: Api) -> None:
    await it.post("/v1/parties", {"code": "LDS2", "name": "Jiný", "roles": ["operator"], **PLACE})
    for code, kind, parent in (("S", "site", None), ("B", "building", "S"), ("F", "flat", "B")):
        await it.post("/v1/objects", {"code": code, "name": code, "kind": kind, "parent": parent})
    refused = await it.act("/v1/objects/S", "revise", {"parent": "F"}, 409)
    assert (refused["code"], "S" in refused["message"] and "F" in refused["message"]) == ("cycle", True)
    assert [row["code"] for row in await it.get("/v1/objects?within=B")] == ["B", "F"]
    await it.act(POINT, "revise", {"since": "2026-06-01", "site_object": "F"})
    wrong = {
        "code": "A2",
        "name": "x",
        "commodity": "gas",
        "licensee": "C1",
        "superior": "DSO",
        "valid_from": "2026-01-01",
    }
    assert (await it.post("/v1/network-areas", wrong, 409))["code"] == "role"
    refused = await it.act("/v1/network-areas/A1", "revise", {"valid_to": "2026-12-31"}, 409)
    assert (refused["code"], EAN in refused["message"]) == ("in_use", True)
    assert (await it.act("/v1/network-areas/A1", "revise", {"superior": "C1"}, 409))["code"] == "role"
    assert (await it.act("/v1/network-areas/A1", "revise", {"name": "Celý areál"}))["name"] == "Celý areál"
    await it.post("/v1/network-areas/A1/revise", {**WHY, "name": "x"}, 428)
    events = [event["act"] for event in await it.get("/v1/network-areas/A1/history")]
    assert events == ["network_area.revise", "network_area.create"]
    for change, code, said in (
        ({"operator": "DSO"}, "role", "as its operator a party with the role operator; DSO is superior"),
        ({"supplier": "C1"}, "role", "as its supplier a party with the role supplier; C1 is customer"),
        ({"operator": "LDS2"}, "area", f"{EAN} is run by LDS2, the network A1 by LDS"),
    ):
        refused = await it.act(POINT, "revise", {"since": "2026-06-01", **change}, 409)
        assert (refused["code"], said in refused["message"]) == (code, True), refused


WRONG: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("revise", {"since": "2026-06-01", "voltage_level": None}, "voltage_level"),
    ("revise", {"since": "2026-06-01", "name": None}, "incomplete"),
    ("revise", {"since": "0001-01-01", "name": "x"}, "input"),
    ("revise", {"since": "2026-06-01", "planned_mwh": "-1"}, "out_of_rule"),
    ("revise", {"since": "2026-06-01", "planned_mwh": "1e30"}, "out_of_range"),
    ("revise", {"since": "2026-06-01", "why": ""}, "input"),
    ("suspend", {"on": "9999-12-31"}, "input"),
)


async def test_wrong_changes_of_a_point_are_refused_and_leave_it(it: Api) -> None:
    before = await it.etag(POINT)
    for act, body, code in WRONG:
        assert (await it.act(POINT, act, body, 422))["code"] == code, body
    assert await it.etag(POINT) == before


BASIS = """
INSERT INTO settlement_run (number, period, statement, scope, state, packages, digest, made_at, made_by, approved_at,
                            approved_by)
VALUES ('R-1', '[2026-03-01,2026-04-01)', 'regular', '{}', 'approved', '[]', 'x', now(), 'x', now(), 'x');
INSERT INTO billing_basis (run, supply_point, contract_item, contract, customer, payer, seller, service, rate,
                           component, name, quantity, unit, unit_price, price_unit, amount, vat_percent, valid,
                           statement_type, measurements, why, state, fingerprint, made_at, made_by)
SELECT 1, ci.supply_point, ci.id, ci.contract, c.customer, c.payer, c.payer, 'distribution', 7, 'use', 'x', 1, 'MWh', 1,
       'x', 1, 21, tstzrange('2026-03-01 00:00+01', '2026-04-01 00:00+02'), 0, '[]', '{}', 'approved', 'x', now(), 'x'
  FROM contract_item ci JOIN contract c ON c.id = ci.contract;
"""


async def test_what_a_change_of_the_past_touches_is_shown_before_it_is_made(it: Api, database_url: str) -> None:
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        connection.execute(text(BASIS))
    engine.dispose()
    body = {"since": "2026-02-15", "metering_type": "A"}
    seen = await it.act(POINT, "revise?preview=true", body)
    (touched,) = seen["touched"]
    assert (touched["kind"], touched["count"], touched["since"], touched["until"]) == (
        "billing_basis", 1, "2026-03-01", "2026-04-01",
    )  # fmt: skip
    assert touched["examples"] == ["R-1"]
    assert len(await it.get(f"{POINT}/versions")) == 1
    refused = await it.act(POINT, "revise", body, 409)
    assert (refused["code"], "R-1" in refused["message"]) == ("touches", True)
    await it.act(POINT, "revise?confirmed=true", body)
    assert "R-1" in (await it.get(f"{POINT}/history"))[0]["details"]["touched"][0]
    # From the day on which it ends nothing is touched; what is billed beyond an end stays.
    await it.act(POINT, "revise", {"since": "2026-04-01", "metering_type": "B"})
    (item,) = await it.get(CONTRACT + "/items")
    for path, act, day in (
        (CONTRACT, "close?confirmed=true", {"on": "2026-03-10"}),
        (f"/v1/contract-items/{item['id']}", "close?confirmed=true", {"on": "2026-03-10"}),
        (f"/v1/contract-items/{item['id']}", "remove", {}),
    ):
        refused = await it.act(path, act, day, 409)
        assert refused["code"] == "still_needed"
        assert "R-1" in refused["message"]
        assert EAN in refused["message"]
    await it.act(CONTRACT, "close", {"on": str(date(2026, 4, 1))})


async def test_settlement_sees_a_month_as_it_was(it: Api, database_url: str) -> None:
    await it.act(POINT, "revise", {"since": "2026-04-01", "metering_type": "A"})
    await it.act(CONTRACT, "revise", {"since": "2026-04-01", "payer": "SUP"})
    await it.post(CAPACITY, {**WHY, "kind": "year", "kw": "350", "valid_from": "2026-06-01"})
    requested = {"ean": "859182400941800023", "name": "x", "object": "x", "commodity": "electricity", "operator": "LDS"}
    await it.post("/v1/supply-points", {**requested, "voltage_level": "NN", "state": "requested", **PLACE})
    # A connection contract agrees no more input beside the one that is agreed, and is not settled.
    other = {"number": "P/1", "kind": "connection", "customer": "C2", "valid_from": "2026-01-01"}
    await it.post("/v1/contracts", {**other, "items": [{"supply_point": EAN, "prices": "CEZ"}]})
    await it.act(POINT, "revise", {"since": "2026-08-15", "voltage_level": "NN"})
    engine = make_engine(database_url)
    seen = {}
    books = [in_force(load_file(path, FORMULA_SHAPES)) for path in shipped_files()]
    with engine.connect() as connection:
        points = points_in(connection, Scope(), date(2026, 1, 1), date(2027, 1, 1))
        for month in (3, 4, 6, 8):
            first = date(2026, month, 1)
            (facts,) = read_facts(connection, points, first, next_month(2026, month), books)
            (tenure,) = facts.tenures()
            document = tenure_document(facts, tenure)
            levels = [span.version.level for span in tenure.spans]
            capacity = int(tenure.last.agreed["reserved_capacity_year_kw"])
            told = (document["supply_point"]["metering_type"], document["contract"]["payer"]["code"], capacity)
            seen[month] = (*told, levels)
            assert (facts.ean, tenure.last.agreed["reserved_input_kw"]) == (EAN, 400)
    engine.dispose()
    assert seen == {
        3: ("B", "C1", 300, ["VN"]),
        4: ("A", "SUP", 300, ["VN"]),
        6: ("A", "SUP", 350, ["VN"]),
        8: ("A", "SUP", 350, ["VN", "NN"]),
    }
