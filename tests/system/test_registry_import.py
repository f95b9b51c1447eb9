"""Files of customers, supply points and meters: checked by line and column, imported whole, exported and back."""

import csv
import io
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from central.platform.database import make_engine, transaction
from central.workflow.registry_import.mapping import SHIPPED
from central.workflow.registry_import.writing import write_records
from deploy.sites.generate import generate
from deploy.sites.tables import records
from tests.system.registry_rig import Api, api

FILES = ("customers", "supply-points", "meters")
SITE = generate(60, seed=7)


def table(name: str) -> bytes:
    mapping = SHIPPED[name]
    return write_records(records(SITE, mapping.content), mapping)


def changed(content: bytes, change: Callable[[list[dict[str, str]]], None]) -> bytes:
    """The table after a change of its rows."""
    reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig")), delimiter=";")
    rows = list(reader)
    change(rows)
    target = io.StringIO()
    writer = csv.DictWriter(target, list(reader.fieldnames or ()), delimiter=";")
    writer.writeheader()
    writer.writerows(rows)
    return target.getvalue().encode()


async def send(it: Api, content: bytes, mapping: str, act: str = "", status: int | None = None) -> Any:
    answer = await it.client.post(f"/v1/registry-imports{act}?mapping={mapping}&name={mapping}.csv", content=content)
    if status is not None:
        assert answer.status_code == status, answer.text
    return answer.json()


def counts(database_url: str) -> dict[str, int]:
    tables = (
        "party",
        "supply_point",
        "contract",
        "contract_item",
        "meter",
        "mounting",
        "attachment",
        "channel_mapping",
    )
    engine = make_engine(database_url)
    with transaction(engine) as connection:
        found = {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}
    engine.dispose()
    return found


@pytest.fixture
async def it(database_url: str) -> AsyncIterator[Api]:
    async with api(database_url) as opened:
        yield opened


async def test_a_site_goes_in_by_its_tables_and_out_and_in_again_without_a_change(it: Api, database_url: str) -> None:
    for name in FILES:
        checked = await send(it, table(name), name, "/check", 200)
        assert checked["problems"] == []
        made = await send(it, table(name), name, "", 201)
        assert made["counts"] == checked["counts"]
        assert not made["repeated"]
    stored = counts(database_url)
    assert stored["supply_point"] == stored["meter"] == stored["mounting"] == stored["attachment"] == 60
    assert stored["contract_item"] == sum(len(contract.items) for contract in SITE.contracts)
    assert stored["channel_mapping"] == len(SITE.mappings)
    # The same octets: no change, and the same answer.
    again = await send(it, table("meters"), "meters", "", 200)
    assert (again["repeated"], again["counts"]) == (True, made["counts"])
    # What is exported, in both formats, is imported as what is there already; and comes out the same.
    for name in (*FILES, *(f"{name}-xlsx" for name in FILES)):
        exported = await it.client.get(f"/v1/registry-exports/{name}")
        assert exported.status_code == 200, exported.text
        back = await send(it, exported.content, name, "", 201)
        assert all(each["inserted"] == 0 for each in back["counts"].values()), back
        assert back["rows"] == {"customers": len(SITE.parties)}.get(name.removesuffix("-xlsx"), 60)
    assert counts(database_url) == stored
    listed = await it.get("/v1/registry-imports")
    assert [row["mapping"] for row in listed[-3:]] == ["meters", "supply-points", "customers"]
    assert (await it.get(f"/v1/registry-imports/{made['id']}"))["imported_by"] == "Anna"


async def test_all_faults_are_named_by_line_and_column_and_nothing_is_changed(it: Api, database_url: str) -> None:
    await send(it, table("customers"), "customers", "", 201)
    before = counts(database_url)

    def spoil(rows: list[dict[str, str]]) -> None:
        rows[1]["EAN/EIC"] = rows[1]["EAN/EIC"][:-1] + str((int(rows[1]["EAN/EIC"][-1]) + 1) % 10)
        rows[3]["smlouva od"] = "31.2.2026"
        rows[3]["kategorie"] = "firma"
        rows[4]["zákazník"] = "Z9999999"
        rows[5]["rezervovaný příkon kW"], rows[5]["roční kapacita kW"] = "100", "100,5"
        rows[6]["napětí"] = ""
        rows[7]["název místa"] = ""
        rows.append(dict(rows[8]))
        rows.append({**rows[9], "název místa": "Jiné jméno", "číslo smlouvy": "S/9"})

    faulty = changed(table("supply-points"), spoil)
    checked = await send(it, faulty, "supply-points", "/check", 200)
    found = {(each["line"], each["column"]): each["message"] for each in checked["problems"]}
    assert set(found) == {
        (3, "EAN/EIC"),
        (5, "smlouva od"),
        (5, "kategorie"),
        (6, "zákazník"),
        (7, "roční kapacita kW"),
        (8, "napětí"),
        (9, "název místa"),
        (62, None),
        (63, "název místa"),
    }, checked["problems"]
    assert "'31.2.2026'" in found[5, "smlouva od"]
    assert "31.03.2026" in found[5, "smlouva od"]
    assert "check digit" in found[3, "EAN/EIC"]
    assert "Z9999999" in found[6, "zákazník"]
    assert "100.5 kW" in found[7, "roční kapacita kW"]
    assert "line 10" in found[62, None]
    assert "line 11" in found[63, "název místa"]
    refused = await send(it, faulty, "supply-points", "", 422)
    assert refused["problems"] == checked["problems"]
    assert refused["problem_count"] == 9
    assert counts(database_url) == before
    assert len(await it.get("/v1/registry-imports")) == 1


async def test_faults_against_what_is_stored_name_both_sides(it: Api) -> None:
    for name in FILES:
        await send(it, table(name), name, "", 201)

    def meters(rows: list[dict[str, str]]) -> None:
        second, same_address, moved = dict(rows[0]), dict(rows[1]), dict(rows[2])
        second |= {"měřidlo": "NEW1", "výrobní číslo": "1"}
        second |= dict.fromkeys(("sběrnice", "protokol", "adresa převodníku", "port převodníku", "EAN/EIC"), "")
        same_address |= {"měřidlo": "NEW2", "výrobní číslo": "2", "měřicí místo": "MM-NEW2", "EAN/EIC": ""}
        moved |= {"měřicí místo": "MM-NEW3", "EAN/EIC": "", "typ": "OTHER"}
        rows[:] = [second, same_address, moved]

    checked = await send(it, changed(table("meters"), meters), "meters", "/check", 200)
    found = {each["line"]: each["message"] for each in checked["problems"]}
    assert set(found) == {2, 3, 4}, checked
    assert "MM0000001 allows one active meter" in found[2]
    assert "M0000001" in found[2]
    assert "is that of M0000002" in found[3]
    assert "NEW2" in found[3]
    assert "model" in found[4]
    assert "OTHER" in found[4]

    def terms(rows: list[dict[str, str]]) -> None:
        rows[:] = [{**rows[1], "číslo smlouvy": "NEW", "položka od": "01.06.2026"}]

    overlapping = changed(table("supply-points"), terms)
    refused = await send(it, overlapping, "supply-points", "", 422)
    assert refused["problems"][0]["line"] == 2
    assert "overlap" in refused["problems"][0]["message"]


async def test_a_saved_mapping_has_codes_constants_and_versions(it: Api) -> None:
    body: dict[str, Any] = {
        "content": "parties",
        "delimiter": ",",
        "encoding": "windows-1250",
        "columns": {
            "party.code": {"column": "id"},
            "party.name": {"column": "jméno"},
            "party.roles": {"column": "typ", "codes": {"O": "customer", "D": "supplier"}},
            "party.ico": {"column": "ič"},
            "party.iban": {"column": "účet"},
        },
        "constants": {"party.street": "Náves 1", "party.city": "Říčky", "party.postal_code": "517 61"},
    }
    path = "/v1/registry-mappings/old-system"
    saved = await it.client.put(path, json={"mapping": body, "reason": "převod"})
    assert (saved.status_code, saved.json()["version"]) == (200, 1)
    assert (await it.client.put(path, json={"mapping": body, "reason": "ještě"})).json()["version"] == 2
    wrong = {**body, "columns": {**body["columns"], "meter.id": {"column": "x"}}}
    assert (await it.client.put(path, json={"mapping": wrong, "reason": "chyba"})).status_code == 422
    shipped = await it.client.put("/v1/registry-mappings/customers", json={"mapping": body, "reason": "nejde"})
    assert shipped.status_code == 409
    content = "id,jméno,typ,ič,účet\nX1,Žižka,O,19,19-2000145399/0800\n".encode("windows-1250")
    made = await send(it, content, "old-system", "", 201)
    assert (made["mapping_version"], made["counts"]["parties"]) == (2, {"inserted": 1, "unchanged": 0})
    party = (await it.get("/v1/parties?code=X1"))[0]
    assert (party["ico"], party["city"], party["roles"]) == ("00000019", "Říčky", ["customer"])
    assert party["iban"] == "CZ6508000000192000145399"
    events = await it.get("/v1/registry-imports")
    assert events[0]["sha256"] == made["sha256"]
    wrong_code = "id,jméno,typ,ič,účet\nX2,Nová,Z,20,1/0800\n".encode("windows-1250")
    found = await send(it, wrong_code, "old-system", "/check", 200)
    assert {each["column"] for each in found["problems"]} == {"typ", "účet"}
    assert {each["line"] for each in found["problems"]} == {2}


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        (b"", 422, "header"),
        (b"\xff\xfe\x00", 422, "encoding"),
        ("kód zákazníka;název\n".encode(), 422, "column"),
        (b"PK\x03\x04 no table", 422, "column"),
    ],
)
async def test_what_is_no_table_is_refused(it: Api, content: bytes, status: int, code: str) -> None:
    assert (await send(it, content, "customers", "", status))["code"] == code
    answer: httpx.Response = await it.client.post("/v1/registry-imports?mapping=customers-xlsx", content=content)
    assert (answer.status_code, answer.json()["code"]) == (422, "xlsx")
    assert (await send(it, content, "nothing", "", 404))["code"] == "registry_mapping_not_found"
