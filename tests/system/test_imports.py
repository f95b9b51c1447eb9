"""Files of other systems become evidence: previewed, imported once, refused whole, revoked; the real database."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, func, select, text

from central.api.app import create_app
from central.ingest.tables import batch, block, register_reading
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.closing import close_days
from central.readings.consolidate import consolidate_once
from central.readings.profiles import read_newest
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from shared.metering_day import PRAGUE, MeteringDay
from shared.quantities import MISSING_VALUE, Commodity
from shared.testing import ManualClock

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
ANNA, BOB, OTHER = "token-of-anna-0123", "token-of-bob-01234", "token-of-other-012"
ALWAYS = "[2025-01-01 00:00+00,)"
MAPPING = {
    "format": "csv",
    "layout": "wide",
    "time": {"columns": ["Datum", "Čas"], "format": "%d.%m.%Y %H:%M"},
    "unit": "Wh",
    "exponent": 3,
}


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 12, 5, tzinfo=UTC))


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [
        {"token": ANNA, "name": "Anna", "rights": ["read", "operate", "admin"]},
        {"token": BOB, "name": "Bob", "rights": ["read"]},
        {"token": OTHER, "name": "Jiná centrála", "rights": ["import"]},
    ]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {ANNA}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


@pytest.fixture
def engine(database_url: str) -> Any:
    made = make_engine(database_url)
    yield made
    made.dispose()


async def call(client: httpx.AsyncClient, method: str, path: str, status: int, **given: Any) -> Any:
    answer = await client.request(method, path, **given)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


async def make_source(client: httpx.AsyncClient, code: str = "CIZI", mapping: object = MAPPING) -> None:
    body = {"code": code, "name": "Cizí odečty", "mapping": mapping}
    await call(client, "POST", "/v1/import-sources", 201, json=body)


def table(day: MeteringDay, columns: dict[str, list[str]]) -> bytes:
    """A Czech table of one day, stamps at the beginning of intervals."""
    lines = [";".join(["Datum", "Čas", *columns])]
    for index in range(day.length):
        local = day.instant(index).astimezone(PRAGUE)
        lines.append(";".join([f"{local:%d.%m.%Y;%H:%M}", *(column[index] for column in columns.values())]))
    return ("\r\n".join(lines) + "\r\n").encode()


def ramp(day: MeteringDay, first: int = 0) -> list[str]:
    return [f"{(first + n) // 1000},{(first + n) % 1000:03d}" for n in range(day.length)]


def evidence_count(engine: Engine) -> tuple[int, int, int]:
    with engine.connect() as connection:
        counts = [
            connection.execute(select(func.count()).select_from(each)).scalar_one()
            for each in (batch, block, register_reading)
        ]
    return counts[0], counts[1], counts[2]


def make_fed_channel(engine: Engine, meter: str, register: str, point: str, commodity: str = "electricity") -> int:
    """A channel fed for ever by a register that is there already."""
    with transaction(engine) as connection:
        query = text("SELECT id FROM evidence_channel WHERE device = :meter AND register = :register")
        number = connection.execute(query, {"meter": meter, "register": register}).scalar_one()
        channel = make_channel(connection, point, commodity=commodity)
        map_channel(connection, number, channel, ALWAYS)
    return channel


def newest(engine: Engine, channel: int, day: MeteringDay) -> tuple[list[int], int]:
    with engine.connect() as connection:
        found = read_newest(connection, day.commodity, [channel], day.date, day.next.date)
    return found.values[0].tolist(), int(found.versions[0, 0])


async def test_from_preview_to_profile_and_back(client: httpx.AsyncClient, engine: Engine, clock: ManualClock) -> None:
    await make_source(client)
    content = table(DAY, {"Hala": ramp(DAY), "Dílna": ramp(DAY, 5000)})
    shown = await call(client, "POST", "/v1/import-sources/CIZI/files?name=brezen.csv", 201, content=content)
    assert (shown["state"], shown["summary"]["unknown_count"], shown["summary"]["values"]) == ("previewed", 2, 0)
    assert shown["summary"]["unknown"][0] == {
        "key": "Hala",
        "values": 96,
        "meter": "CIZI:Hala",
        "register": "value",
        "commodity": "electricity",
        "unit": "Wh",
        "exponent": 0,
        "kind": "interval",
        "step_s": 900,
    }
    path = f"/v1/import-files/{shown['id']}"
    refused = await call(client, "POST", f"{path}/import", 422, json={})
    assert "Hala, Dílna" in refused["message"]
    assert evidence_count(engine) == (0, 0, 0)

    bound = await call(client, "POST", f"{path}/registers", 200, json={})
    assert [each["meter"] for each in bound] == ["CIZI:Dílna", "CIZI:Hala"]
    channel = make_fed_channel(engine, "CIZI:Hala", "value", "P1")
    again = await call(client, "POST", "/v1/import-sources/CIZI/files?name=brezen.csv", 201, content=content)
    assert again["id"] == shown["id"]
    series = {each["key"]: each for each in again["summary"]["series"]}
    assert (series["Hala"]["new"], series["Hala"]["conflicts"]) == (96, 0)
    assert datetime.fromisoformat(series["Hala"]["first"]) == DAY.start

    done = await call(client, "POST", f"{path}/import", 200, json={})
    assert (done["state"], done["imported_by"], done["repeated"]) == ("imported", "Anna", False)
    assert evidence_count(engine) == (1, 2, 0)
    consolidate_once(engine, clock)
    assert newest(engine, channel, DAY) == (list(range(96)), 1)
    trace = await call(client, "GET", f"/v1/channels/{channel}/days/{DAY.date}/trace", 200)
    assert [(each["file"], each["file_name"]) for each in trace["batches"]] == [(shown["id"], "brezen.csv")]
    assert [each["meter"] for each in trace["registers"]] == ["CIZI:Hala"]

    once_more = await call(client, "POST", f"{path}/import", 200, json={})
    assert (once_more["repeated"], once_more["id"]) == (True, shown["id"])
    preview = await call(client, "POST", "/v1/import-sources/CIZI/files", 201, content=content)
    assert (preview["repeated"], preview["state"]) == (True, "imported")
    assert evidence_count(engine) == (1, 2, 0)
    (source,) = await call(client, "GET", "/v1/import-sources", 200)
    assert (source["last_success_file"], source["imported"], source["waiting"]) == (shown["id"], 1, 0)
    assert datetime.fromisoformat(source["last_success"]) == clock.now()

    revoked = await call(client, "POST", f"{path}/revoke", 200, json={"reason": "jiné měřidlo"})
    assert (revoked["state"], revoked["reason"]) == ("revoked", "jiné měřidlo")
    consolidate_once(engine, clock)
    assert newest(engine, channel, DAY) == ([MISSING_VALUE] * 96, 2)
    assert evidence_count(engine) == (1, 2, 0)
    await call(client, "POST", f"{path}/revoke", 409, json={"reason": "x"})
    refused = await call(client, "POST", "/v1/imports/CIZI", 409, content=content)
    assert "jiné měřidlo" in refused["message"]

    third = await call(client, "POST", f"{path}/import", 200, json={})
    assert (third["state"], third["id"] > shown["id"]) == ("imported", True)
    consolidate_once(engine, clock)
    assert newest(engine, channel, DAY) == (list(range(96)), 3)
    assert (await client.get(f"{path}/content")).content == content
    acts = [each["act"] for each in await call(client, "GET", f"/v1/audit?subject=import_file/{shown['id']}", 200)]
    assert sorted(acts) == ["import_file.import", "import_file.receive", "import_file.revoke"]


async def test_one_bad_line_imports_nothing_and_is_named(client: httpx.AsyncClient, engine: Engine) -> None:
    await make_source(client)
    with transaction(engine) as connection:
        make_meter(connection, "M1")
    bindings = {"bindings": [{"key": "Hala", "meter": "M1", "register": "r"}]}
    await call(client, "PUT", "/v1/import-sources/CIZI/bindings", 200, json=bindings)
    values = ramp(DAY)
    values[10] = "1.5x"
    content = table(DAY, {"Hala": values})
    answer = await call(client, "POST", "/v1/imports/CIZI?name=a.csv", 422, content=content)
    assert "line 12, column Hala: '1.5x', expected a number" in answer["message"]
    assert (answer["code"], answer["file"]["state"]) == ("faulty_file", "previewed")
    assert evidence_count(engine) == (0, 0, 0)
    (kept,) = await call(client, "GET", "/v1/import-files?state=previewed", 200)
    assert kept["summary"]["problem_count"] == 1
    done = await call(client, "POST", f"/v1/import-files/{kept['id']}/import", 200, json={"good_lines": True})
    assert done["summary"]["values"] == 95
    assert evidence_count(engine) == (1, 2, 0)  # the hole cuts the day into two blocks


async def test_what_is_present_is_told_from_what_is_new(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    await make_source(client)
    with transaction(engine) as connection:
        register = make_meter(connection, "M1")
        channel = make_channel(connection, "P1")
        map_channel(connection, register, channel, ALWAYS)
        Evidence(connection).batch(GivenBlock(register, DAY.start, [0, 1, 2, 99]))
    bindings = {"bindings": [{"key": "Hala", "meter": "M1", "register": "r"}]}
    await call(client, "PUT", "/v1/import-sources/CIZI/bindings", 200, json=bindings)
    content = table(DAY, {"Hala": ramp(DAY)})
    shown = await call(client, "POST", "/v1/import-sources/CIZI/files", 201, content=content)
    (series,) = shown["summary"]["series"]
    assert (series["values"], series["new"], series["same"], series["conflicts"]) == (96, 92, 3, 1)
    assert shown["summary"]["closed_days"] == 0
    with transaction(engine) as connection:
        close_days(connection, "a settlement run", [channel], DAY.date, DAY.next.date, clock.now())
    shown = await call(client, "POST", "/v1/import-sources/CIZI/files", 201, content=content)
    assert shown["summary"]["closed_days"] == 1
    assert datetime.fromisoformat(series["first_conflict"]) == DAY.instant(3)
    await call(client, "POST", "/v1/imports/CIZI", 201, content=content)
    consolidate_once(engine, clock)
    assert newest(engine, channel, DAY) == (list(range(96)), 1)
    file = (await call(client, "GET", "/v1/import-files", 200))[0]
    await call(client, "POST", f"/v1/import-files/{file['id']}/revoke", 200, json={"reason": "omyl"})
    consolidate_once(engine, clock)
    assert newest(engine, channel, DAY) == ([0, 1, 2, 99] + [MISSING_VALUE] * 92, 2)


async def test_another_head_end_may_repeat_itself(client: httpx.AsyncClient, engine: Engine) -> None:
    await make_source(client)
    with transaction(engine) as connection:
        make_meter(connection, "M1")
    bindings = {"bindings": [{"key": "Hala", "meter": "M1", "register": "r"}]}
    await call(client, "PUT", "/v1/import-sources/CIZI/bindings", 200, json=bindings)
    content, other = table(DAY, {"Hala": ramp(DAY)}), table(DAY.next, {"Hala": ramp(DAY)})
    headers = {"Idempotency-Key": "2026-03-02", "Authorization": f"Bearer {OTHER}"}
    first = await call(client, "POST", "/v1/imports/CIZI", 201, content=content, headers=headers)
    second = await call(client, "POST", "/v1/imports/CIZI", 200, content=content, headers=headers)
    third = await call(client, "POST", "/v1/imports/CIZI", 200, content=content)
    assert second == third == {**first, "repeated": True}
    refused = await call(client, "POST", "/v1/imports/CIZI", 409, content=other, headers=headers)
    assert refused["code"] == "idempotency_key"
    assert evidence_count(engine)[:2] == (1, 1)
    await call(client, "POST", "/v1/imports/CIZI", 403, content=other, headers={"Authorization": f"Bearer {BOB}"})
    await call(client, "POST", "/v1/imports/CIZI", 401, content=other, headers={"Authorization": "Bearer x"})
    await call(client, "POST", "/v1/imports/NIKDO", 404, content=other)


CHANGES = [
    (Commodity.ELECTRICITY, date(2026, 3, 29), 92),
    (Commodity.ELECTRICITY, date(2026, 10, 25), 100),
    (Commodity.GAS, date(2026, 3, 28), 23),
    (Commodity.GAS, date(2026, 10, 24), 25),
]


async def test_days_of_clock_changes_come_whole(client: httpx.AsyncClient, engine: Engine, clock: ManualClock) -> None:
    for place, (commodity, day, length) in enumerate(CHANGES):
        gas, source, meter = commodity is Commodity.GAS, f"Z{place}", f"M{place}"
        values = {"unit": "m3", "exponent": 0, "step_s": 3600} if gas else {}
        await make_source(client, source, {**MAPPING, **values})
        with transaction(engine) as connection:
            register = make_meter(connection, meter, commodity=commodity)
            channel = make_channel(connection, meter, commodity=commodity)
            map_channel(connection, register, channel, ALWAYS)
        bindings = {"bindings": [{"key": "Hala", "meter": meter, "register": "r"}]}
        await call(client, "PUT", f"/v1/import-sources/{source}/bindings", 200, json=bindings)
        whole = MeteringDay(commodity, day)
        numbers = [str(n) for n in range(length)] if gas else ramp(whole)
        await call(client, "POST", f"/v1/imports/{source}", 201, content=table(whole, {"Hala": numbers}))
        consolidate_once(engine, clock)
        assert newest(engine, channel, whole) == (list(range(length)), 1)


async def test_sources_and_mappings_keep_their_versions(client: httpx.AsyncClient) -> None:
    await make_source(client)
    revised = {"mapping": {**MAPPING, "decimal_sign": "."}, "reason": "jiný oddělovač"}
    source = await call(client, "POST", "/v1/import-sources/CIZI/mappings", 201, json=revised)
    assert source["mapping_version"] == 2
    versions = await call(client, "GET", "/v1/import-sources/CIZI/mappings", 200)
    assert [(each["version"], each["body"]["decimal_sign"]) for each in versions] == [(1, ","), (2, ".")]
    body = {"code": "CIZI", "name": "x", "mapping": MAPPING}
    await call(client, "POST", "/v1/import-sources", 409, json=body)
    await call(client, "POST", "/v1/import-sources", 422, json={**body, "code": "a/b"})
    await call(client, "POST", "/v1/import-sources", 422, json={"code": "EDC", "name": "x", "shipped": "nothing"})
    await call(client, "POST", "/v1/import-sources", 201, json={"code": "EDC", "name": "x", "shipped": "edc"})
    for wrong in ({"zone": "Mars/Base"}, {"format": "%q"}, {"columns": []}):
        mapping = {**MAPPING, "time": {**MAPPING["time"], **wrong}}  # type: ignore[dict-item]
        answer = await client.post("/v1/import-sources", json={**body, "code": "B", "mapping": mapping})
        assert (answer.status_code, answer.json()["code"]) == (422, "input")
    unknown = {"bindings": [{"key": "a", "meter": "M9", "register": "r"}]}
    await call(client, "PUT", "/v1/import-sources/CIZI/bindings", 404, json=unknown)
    await call(client, "DELETE", "/v1/import-sources/CIZI/bindings?key=a", 404)


async def test_states_are_compared_and_imported(client: httpx.AsyncClient, engine: Engine, clock: ManualClock) -> None:
    mapping = {
        "format": "csv",
        "layout": "long",
        "delimiter": ",",
        "decimal_sign": ".",
        "time": {"columns": ["at"]},
        "key": ["ean", "obis"],
        "value": "stav",
        "kind": "state",
        "quality": "q",
        "qualities": {"M": "measured", "N": "substitute", "-": "missing"},
    }
    await make_source(client, mapping=mapping)
    with transaction(engine) as connection:
        register, channel = make_meter(connection, "M1", kind="state"), make_channel(connection, "P1", kind="state")
        map_channel(connection, register, channel, "[2020-01-01,)")
        Evidence(connection).state(register, DAY.start, 12345)
    consolidate_once(engine, clock)
    bindings = {"bindings": [{"key": "859/1.8.0", "meter": "M1", "register": "r"}]}
    await call(client, "PUT", "/v1/import-sources/CIZI/bindings", 200, json=bindings)
    lines = ["ean,obis,at,stav,q", "859,1.8.0,2026-03-02T00:00:00+01:00,12345,M", "859,1.8.0,2026-03-03,12400,N"]
    content = "\n".join([*lines, "859,1.8.0,2026-03-04,,-"]).encode()
    done = await call(client, "POST", "/v1/imports/CIZI", 201, content=content)
    (series,) = done["summary"]["series"]
    assert (series["kind"], series["new"], series["same"], done["summary"]["empty"]) == ("state", 1, 1, 1)
    with engine.connect() as connection:
        rows = connection.execute(select(register_reading.c.value, register_reading.c.quality)).all()
    assert sorted(map(tuple, rows)) == [(12345, 0), (12345, 0), (12400, 256)]
    # Rules that look at states judge their days: when they come, and when the file is taken back.
    file = done
    for _ in range(2):
        with transaction(engine) as connection:
            connection.execute(text("DELETE FROM vee_work"))
        consolidate_once(engine, clock)
        with engine.connect() as connection:
            work = connection.execute(text("SELECT channels, first, last FROM vee_work")).all()
        assert [tuple(row) for row in work] == [([channel], date(2026, 3, 1), date(2026, 3, 3))]
        if file["state"] == "imported":
            revoke = f"/v1/import-files/{done['id']}/revoke"
            file = await call(client, "POST", revoke, 200, json={"reason": "jiné měřidlo"})


SPOILT = {
    "csv": (MAPPING, table(DAY, {"Hala": ramp(DAY)})),
    "mscons": (
        {"format": "mscons"},
        b"UNB+UNOC:3+S+R'UNH+1+MSCONS'LOC+172+859'LIN+1'QTY+220:1.5'DTM+163:202603010000:203'DTM+164:202603010015:203'",
    ),
    "edc": ({"format": "edc"}, b"Datum;Cas od;Cas do;IN-859182400941700019-D\n05.02.2025;11:00;11:15;0,03\n"),
    "cdsdata": ({"format": "cdsdata"}, b'<CDSDATA xmlns="http://www.ote-cr.cz/schema/cds/data" id="1"/>'),
    "xlsx": ({**MAPPING, "format": "xlsx"}, b"PK\3\4" + bytes(60)),
}


async def test_spoilt_files_are_refused_with_a_reason_and_leave_no_evidence(
    client: httpx.AsyncClient, engine: Engine
) -> None:
    random = Random(20260302)
    statuses = set()
    for name, (mapping, content) in SPOILT.items():
        await make_source(client, name, mapping)
        spoilt = [b"", b"\0", b"\xff" * 50, b"<!DOCTYPE x>", "Datum;Čas;\udcff".encode("utf-16", "surrogatepass")]
        for _ in range(12):
            place = random.randrange(len(content))
            spoilt.append(
                content[:place] + random.randbytes(random.randrange(6)) + content[place + random.randrange(9) :]
            )
        for each in spoilt:
            file = f"/v1/import-sources/{name}/files?name=%00%ED%B3%BF"
            for path, allowed in ((file, {201, 422}), (f"/v1/imports/{name}", {422})):
                answer = await client.post(path, content=each)
                assert answer.status_code in allowed, (each, answer.text)
                statuses.add(answer.status_code)
    assert statuses == {201, 422}
    assert evidence_count(engine) == (0, 0, 0)  # no series is bound, so even what is readable is not imported
