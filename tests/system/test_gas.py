"""Gas over the API: areas, calorific values and their versions, import, conversions, energy of a channel."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.testing import HOUR, Evidence, GivenBlock, make_channel, make_meter, map_channel
from shared.metering_day import days_between
from shared.quantities import Commodity
from shared.testing import ManualClock

ANNA, BOB = "token-of-anna-0123", "token-of-bob-01234"
FIRST, END = date(2026, 3, 27), date(2026, 3, 30)
PERIOD = f"from={FIRST}&to={END}"
CSV = "area;day;value\nGN1;2026-03-27;10,4\nGN1;2026-03-28;10,5\nGN1;2026-03-29;10,6\n"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 4, 2, tzinfo=UTC))


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [
        {"token": ANNA, "name": "Anna", "rights": ["read", "operate", "admin"]},
        {"token": BOB, "name": "Bob", "rights": ["read"]},
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


def measured(engine: Engine, clock: ManualClock, litres_an_hour: int = 2_000) -> int:
    """A gas channel with three gas days, the 28th having 23 hours; returns its id."""
    with transaction(engine) as connection:
        register = make_meter(connection, "G1", commodity="gas", exponent=-3)
        channel = make_channel(connection, "PG", commodity="gas", exponent=-3)
        map_channel(connection, register, channel, "[2025-01-01 00:00+00,)")
        evidence = Evidence(connection)
        for day in days_between(Commodity.GAS, FIRST, END):
            evidence.batch(GivenBlock(register, day.start, [litres_an_hour] * day.length, HOUR))
    consolidate_once(engine, clock)
    return channel


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def with_area(client: httpx.AsyncClient) -> None:
    await post(client, "/v1/gas/areas", {"id": "GN1", "name": "Vlčí Důl", "source": "web of the distributor"})


async def send_file(client: httpx.AsyncClient, content: str) -> httpx.Response:
    return await client.post(
        "/v1/gas/calorific-values/import",
        files={"file": ("hs.csv", content.encode())},
        data={"source": "GasNet 3/2026"},
    )


async def test_volume_becomes_energy_with_everything_it_stands_on(
    client: httpx.AsyncClient, database_url: str, clock: ManualClock
) -> None:
    engine = make_engine(database_url)
    channel = measured(engine, clock)
    await with_area(client)
    assert (await send_file(client, CSV)).json() == {"added": 3, "corrected": 0, "unchanged": 0}
    assert (await client.get(f"/v1/gas/channels/{channel}/energy?{PERIOD}")).json()["code"] == "gas_term_missing"
    computed = {"temperature_k": "288.15", "gauge_kpa": "2", "compressibility": "1", "altitude_m": "300"}
    conversion = {
        "channel": channel,
        "area": "GN1",
        "first": "2026-01-01",
        "source": "protocol 7",
        "reason": "new meter",
    }
    made = await post(client, "/v1/gas/conversions", {**conversion, "kind": "computed", **computed})
    assert (made["k"], len(made["assumed"])) == ("0.99047619", 2)
    told = (await client.get(f"/v1/gas/channels/{channel}/energy?{PERIOD}&rounding=mwh")).json()
    # 48 m3 x 10.4, 46 m3 x 10.5 (23 hours), 48 m3 x 10.6, all x (98.36 + 2) / 101.325
    exact = Decimal("1491") * Decimal("100.36") / Decimal("101.325")
    assert (told["energy"], told["unit"]) == (str((exact / 1000).quantize(Decimal("0.001"))), "MWh")
    assert (told["volume_m3"], told["calorific_value_kwh_m3"]) == ("142.000", "10.500000")
    assert [(day["day"], day["volume_m3"]) for day in told["days"]] == [
        ("2026-03-27", "48.000"),
        ("2026-03-28", "46.000"),
        ("2026-03-29", "48.000"),
    ]
    assert {day["calorific_source"] for day in told["days"]} == {"GasNet 3/2026"}
    assert len(told["assumed"]) == 2

    closed = await post(client, f"/v1/gas/conversions/{made['id']}/close", {"end": "2026-03-29", "reason": "EVC"}, 200)
    assert closed["end"] == "2026-03-29"
    missing = await client.get(f"/v1/gas/channels/{channel}/energy?{PERIOD}")
    assert missing.status_code == 409 and "gas day 2026-03-29" in missing.json()["message"]
    converter = {**conversion, "first": "2026-03-29", "kind": "converter"}
    await post(client, "/v1/gas/conversions", converter)
    overlap = await post(client, "/v1/gas/conversions", {**converter, "first": "2026-05-01"}, 409)
    assert overlap["code"] == "overlap"
    told = (await client.get(f"/v1/gas/channels/{channel}/energy?{PERIOD}")).json()
    assert [day["volume_coefficient"] for day in told["days"]] == ["0.99047619", "0.99047619", "1.00000000"]
    mean = (await client.get("/v1/gas/calorific-mean?area=GN1&from=2026-03-01")).json()
    assert (mean["value"], mean["incomplete"]) == (None, [channel]), "other days of the month have no volume"
    acts = [act["act"] for act in (await client.get("/v1/audit")).json() if act["act"].startswith("gas_conversion")]
    assert sorted(acts) == ["gas_conversion.assign", "gas_conversion.assign", "gas_conversion.close"]
    engine.dispose()


async def test_a_correction_is_a_version_and_a_bad_file_changes_nothing(client: httpx.AsyncClient) -> None:
    await with_area(client)
    await send_file(client, CSV)
    bad = await send_file(client, CSV.replace("10,5", "37,8").replace("10,6", "x") + "GN1;2026-03-30;10,7\n")
    assert bad.status_code == 422
    assert "line 3: the value must be between" in bad.json()["message"] and "line 4" in bad.json()["message"]
    values = f"/v1/gas/calorific-values?area=GN1&{PERIOD}"
    assert [row["value"] for row in (await client.get(values)).json()] == ["10.400000", "10.500000", "10.600000"]
    given = {
        "values": [{"area": "GN1", "first": "2026-03-28", "value": "10.55"}],
        "source": "call",
        "reason": "typing error",
    }
    assert await post(client, "/v1/gas/calorific-values", given) == {"added": 0, "corrected": 1, "unchanged": 0}
    assert await post(client, "/v1/gas/calorific-values", given) == {"added": 0, "corrected": 0, "unchanged": 1}
    rows = [row for row in (await client.get(f"{values}&all_versions=true")).json() if row["first"] == "2026-03-28"]
    assert [(row["version"], row["value"], row["kind"], row["made_by"]) for row in rows] == [
        (1, "10.500000", "imported", "Anna"),
        (2, "10.550000", "entered", "Anna"),
    ]
    assert rows[1]["reason"] == "typing error"


async def test_a_months_mean_holds_for_days_without_their_own_value(
    client: httpx.AsyncClient, database_url: str, clock: ManualClock
) -> None:
    engine = make_engine(database_url)
    channel = measured(engine, clock)
    await with_area(client)
    conversion = {"channel": channel, "area": "GN1", "first": "2026-01-01", "source": "EVC", "reason": "new"}
    await post(client, "/v1/gas/conversions", {**conversion, "kind": "converter"})
    assert (await send_file(client, "area,day,value\nGN1,2026-03,10.5\nGN1,2026-03-28,10.8\n")).status_code == 201
    told = (await client.get(f"/v1/gas/channels/{channel}/energy?{PERIOD}")).json()
    assert [(day["calorific_period"], day["calorific_value_kwh_m3"]) for day in told["days"]] == [
        ("month", "10.500000"),
        ("day", "10.800000"),
        ("month", "10.500000"),
    ]
    engine.dispose()


REFUSED: list[tuple[str, dict[str, Any], int, str | None]] = [
    (
        "calorific-values",
        {"values": [{"area": "NO", "first": "2026-03-01", "value": "10"}]},
        404,
        "gas_area_not_found",
    ),
    (
        "calorific-values",
        {"values": [{"area": "GN1", "first": "2026-03-01", "value": "38"}]},
        422,
        "calorific_value",
    ),
    ("calorific-values", {"values": [{"area": "GN1", "first": "2026-03-01", "value": "NaN"}]}, 422, None),
    (
        "calorific-values",
        {"values": [{"area": "GN1", "first": "2026-03-02", "value": "10", "period": "month"}]},
        422,
        "calorific_value",
    ),
    ("conversions", {"channel": 999_999, "area": "GN1", "kind": "converter"}, 404, "channel_not_found"),
    ("conversions?preview=true", {"channel": 999_999, "area": "GN1", "kind": "converter"}, 404, "channel_not_found"),
    ("conversions", {"channel": 1, "area": "GN1", "kind": "fixed"}, 422, "gas_conversion"),
    ("conversions", {"channel": 1, "area": "GN1", "kind": "converter", "coefficient": "1"}, 422, "gas_conversion"),
    ("conversions", {"channel": 1, "area": "GN1", "kind": "fixed", "coefficient": "990"}, 422, "gas_conversion"),
    ("areas", {"id": "GN1", "name": "again"}, 409, "exists"),
]


async def test_what_is_refused(client: httpx.AsyncClient) -> None:
    await with_area(client)
    for path, given, status, code in REFUSED:
        body = {
            "source": "s",
            **({"first": "2026-01-01", "reason": "r"} if path.startswith("conversions") else {}),
            **given,
        }
        answer = await client.post(f"/v1/gas/{path}", json=body)
        assert answer.status_code == status, (body, answer.text)
        assert code is None or answer.json()["code"] == code, (body, answer.text)
        reader = await client.post(f"/v1/gas/{path}", json=body, headers={"Authorization": f"Bearer {BOB}"})
        assert reader.status_code == 403 or status == 422


SETTLED = """
INSERT INTO party (code, name, roles, street, city, postal_code) VALUES ('LDS', 'L', '{operator}', 's', 'c', '51741');
INSERT INTO supply_point (ean, name, object, street, city, postal_code, commodity, operator)
    SELECT '27ZG517Z0000009N', 'n', 'o', 's', 'c', '51741', 'gas', id FROM party;
INSERT INTO contract (number, kind, customer, payer, valid)
    SELECT 'S-1', 'distribution', id, id, '[2026-01-01,)' FROM party;
INSERT INTO contract_item (contract, supply_point, prices, valid)
    SELECT c.id, s.id, 'GN', '[2026-01-01,)' FROM contract c, supply_point s;
UPDATE channel SET supply_point = (SELECT id FROM supply_point);
INSERT INTO settlement_run (number, period, statement, scope, state, packages, digest, made_at, made_by, approved_at,
                            approved_by)
    VALUES ('R-1', '[2026-03-01,2026-04-01)', 'regular', '{}', 'approved', '[]', 'x', now(), 'x', now(), 'x');
INSERT INTO billing_basis (run, supply_point, contract_item, contract, customer, payer, seller, service, rate,
                           component, name, quantity, unit, unit_price, price_unit, amount, vat_percent, valid,
                           statement_type, measurements, why, state, fingerprint, made_at, made_by)
    SELECT r.id, i.supply_point, i.id, i.contract, p.id, p.id, p.id, 'distribution', 7, 'use', 'x', 1, 'MWh', 1, 'x', 1,
           21, tstzrange('2026-03-01 06:00+01', '2026-04-01 06:00+02'), 0, '[]', '{}', 'approved', 'x', now(), 'x'
    FROM settlement_run r, contract_item i, party p;
"""


async def test_a_late_correction_shows_the_settled_months_that_it_touches(
    client: httpx.AsyncClient, database_url: str, clock: ManualClock
) -> None:
    engine = make_engine(database_url)
    channel = measured(engine, clock)
    await with_area(client)
    assert (await send_file(client, CSV)).status_code == 201
    conversion = {"channel": channel, "area": "GN1", "first": "2026-01-01", "source": "EVC", "reason": "new"}
    stored = await post(client, "/v1/gas/conversions", {**conversion, "kind": "converter"})
    with transaction(engine) as connection:
        connection.execute(text(SETTLED))
    for query in ("", "?preview=true"):
        nowhere = {**conversion, "area": "NO", "kind": "converter", "first": "2025-01-01", "end": "2025-02-01"}
        assert (await post(client, f"/v1/gas/conversions{query}", nowhere, 404))["code"] == "gas_area_not_found"
    path = "/v1/gas/calorific-values"
    given = {"source": "correction", "values": [{"area": "GN1", "first": "2026-03-28", "value": "10.7"}]}
    seen = await post(client, f"{path}?preview=true", given, 200)
    assert [(each["kind"], each["count"], each["examples"]) for each in seen["touched"]] == [
        ("billing_basis", 1, ["R-1"])
    ]
    refused = await post(client, path, given, 409)
    assert (refused["code"], "R-1" in refused["message"], "GN1" in refused["message"]) == ("touches", True, True)
    listed = f"{path}?area=GN1&from=2026-03-28&to=2026-03-29&all_versions=true"
    assert len((await client.get(listed)).json()) == 1, "nothing was stored yet"
    changed = CSV.replace("10,5", "10,9")
    assert (await send_file(client, changed)).json()["code"] == "touches"
    assert (await send_file(client, CSV)).json() == {"added": 0, "corrected": 0, "unchanged": 3}
    # The gas day of 31 March ends on 1 April at 06:00: the next one is not settled.
    april = {"source": "x", "values": [{"area": "GN1", "first": "2026-04-01", "value": "10.7"}]}
    assert (await post(client, path, april))["added"] == 1
    assert (await post(client, f"{path}?confirmed=true", given))["corrected"] == 1
    act = next(act for act in (await client.get("/v1/audit")).json() if act["act"] == "calorific_value.store")
    assert "R-1" in act["details"]["touched"][0]

    close = f"/v1/gas/conversions/{stored['id']}/close"
    ended = {"end": "2026-03-29", "reason": "EVC"}
    assert (await post(client, f"{close}?preview=true", ended, 200))["touched"][0]["examples"] == ["R-1"]
    assert (await post(client, close, ended, 409))["code"] == "touches"
    await post(client, f"{close}?confirmed=true", ended, 200)
    following = {**conversion, "first": "2026-03-29", "kind": "fixed", "coefficient": "0.99"}
    assert (await post(client, "/v1/gas/conversions", following, 409))["code"] == "touches"
    await post(client, "/v1/gas/conversions?confirmed=true", following)
    engine.dispose()


async def test_the_mean_of_an_area_takes_a_changed_conversion_and_names_who_moved(
    client: httpx.AsyncClient, database_url: str, clock: ManualClock
) -> None:
    engine = make_engine(database_url)
    channel = measured(engine, clock)
    with transaction(engine) as connection:
        moved = make_channel(connection, "PM", commodity="gas", exponent=-3)
        for day in days_between(Commodity.GAS, date(2026, 3, 1), FIRST):
            register = connection.execute(text("SELECT id FROM evidence_channel")).scalar_one()
            Evidence(connection, seq=100 + day.date.day).batch(GivenBlock(register, day.start, [0] * day.length, HOUR))
        last = list(days_between(Commodity.GAS, END, date(2026, 4, 1)))
        Evidence(connection, seq=99).batch(*(GivenBlock(register, d.start, [1_000] * d.length, HOUR) for d in last))
    while consolidate_once(engine, clock).worked:
        pass
    await with_area(client)
    assert (await send_file(client, CSV + "GN1;2026-03;10\n")).status_code == 201
    common = {"area": "GN1", "source": "x", "reason": "x", "kind": "fixed"}
    for first, end, k in (("2026-01-01", "2026-03-28", "1"), ("2026-03-28", None, "0.5")):
        row = {**common, "channel": channel, "first": first, "end": end, "coefficient": k}
        await post(client, "/v1/gas/conversions", row)
    await post(client, "/v1/gas/conversions", {**common, "channel": moved, "first": "2026-03-10", "coefficient": "1"})
    mean = (await client.get("/v1/gas/calorific-mean?area=GN1&from=2026-03-01")).json()
    # converted: 48 m3 at 10.4, 23 at 10.5, 24 at 10.6, and two days of 12 at the month's 10
    exact = (Decimal("499.2") + Decimal("241.5") + Decimal("254.4") + 240) / (48 + 23 + 24 + 24)
    assert Decimal(mean["value"]) == exact.quantize(Decimal("0.0001"))
    assert (mean["channels"], mean["incomplete"], mean["partly"]) == (1, [], [moved])
    engine.dispose()
