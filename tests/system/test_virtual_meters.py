"""Virtual meters over a real database: from the formula's text to versions that settlement reads like any other."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from central.api.app import create_app
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings
from central.readings.consolidate import consolidate_once
from central.readings.formulas.work import Computed, compute_once
from central.readings.profiles import read_newest
from central.readings.testing import HOUR, Evidence, GivenBlock, make_channel, make_meter, map_channel
from shared.metering_day import MeteringDay
from shared.quantities import Commodity, Flag, Quality
from shared.testing import ManualClock

DEADLINE = time(10, 0)
SPRING = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 29))
DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 30))
TOKEN = "token-of-anna-0123"
SINCE = "2026-01-01"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 3, 31, 12, tzinfo=UTC))


@pytest.fixture
def engine(database_url: str) -> Any:
    opened = make_engine(database_url, name="test")
    yield opened
    opened.dispose()


@pytest.fixture
async def client(
    database_url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    people = [{"token": TOKEN, "name": "Anna", "rights": ["read", "operate"]}]
    monkeypatch.setenv("ROZVODNA_TOKENS", json.dumps(people))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", database_url)
    app = create_app(Settings())
    app.dependency_overrides[get_clock] = lambda: clock
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://central", headers=headers) as opened:
        yield opened
    app.state.engine.dispose()


async def post(client: httpx.AsyncClient, path: str, body: dict[str, Any], status: int = 201) -> Any:
    answer = await client.post(f"/v1{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def get(client: httpx.AsyncClient, path: str) -> Any:
    answer = await client.get(f"/v1{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def feed(engine: Engine, names: list[str]) -> tuple[dict[str, int], dict[str, int]]:
    """Channels of these points, each with a meter; ids of channels and of registers."""
    channels, registers = {}, {}
    with transaction(engine) as connection:
        for name in names:
            registers[name] = make_meter(connection, name)
            channels[name] = make_channel(connection, name)
            map_channel(connection, registers[name], channels[name], "[2026-01-01,)")
    return channels, registers


def deliver(engine: Engine, clock: ManualClock, *blocks: GivenBlock, seq: int = 0) -> None:
    with transaction(engine) as connection:
        Evidence(connection, seq=seq).batch(*blocks)
    consolidate_once(engine, clock, deadline=DEADLINE)


def compute(engine: Engine, clock: ManualClock) -> Computed:
    return compute_once(engine, clock, deadline=DEADLINE)


async def test_losses_of_a_site_from_text_to_versions(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    channels, registers = feed(engine, ["TS", "Hala A", "Hala B"])
    with transaction(engine) as connection:
        losses, sold, price = (make_channel(connection, name) for name in ("Ztráty", "Hala AB", "Podíl"))
    await post(client, "/formula-coefficients", {"name": "podíl", "value": "0.5", "since": SINCE, "source": "test"})
    formula = {"channel": sold, "text": '"Hala A" A+ + "Hala B" A+', "since": SINCE, "reason": "prodej"}
    await post(client, "/formulas", formula)
    formula = {"channel": losses, "text": '"TS" A+ - "Hala AB" A+', "since": SINCE, "reason": "bilance"}
    stored = await post(client, "/formulas", formula)
    assert stored["since"] == SINCE and stored["until"] is None and stored["made_by"] == "Anna"
    formula = {"channel": price, "text": 'max(0, "Ztráty" A+) x podíl', "since": SINCE, "reason": "podíl"}
    await post(client, "/formulas", formula)

    # 92 quarter-hours, then 96 of which one is marked doubtful at Hala B.
    flags = [0] * 96
    flags[7] = int(Flag.DATA_INVALID)
    deliver(
        engine,
        clock,
        *(GivenBlock(registers["TS"], day.start, [101] * day.length) for day in (SPRING, DAY)),
        *(GivenBlock(registers["Hala A"], day.start, [60] * day.length) for day in (SPRING, DAY)),
        GivenBlock(registers["Hala B"], SPRING.start, [40] * 92),
        GivenBlock(registers["Hala B"], DAY.start, [40] * 96, flags=flags),
    )
    # Before a version is made, the value is computed when it is asked for.
    shown = await get(client, f"/channels/{losses}/profile?from=2026-03-29&to=2026-03-31")
    assert [day["version"] for day in shown["days"]] == [None, None]
    assert shown["days"][0]["values"] == [1] * 92
    made = compute(engine, clock)
    assert made.versions == 6
    assert compute(engine, clock) == Computed()
    shown = await get(client, f"/channels/{losses}/profile?from=2026-03-29&to=2026-03-31")
    assert [(day["version"], len(day["values"])) for day in shown["days"]] == [(1, 92), (1, 96)]
    qualities = shown["days"][1]["quality"]
    assert qualities[7] == Quality.PROVISIONAL and set(qualities[:7] + qualities[8:]) == {Quality.MEASURED}
    with engine.connect() as connection:
        newest = read_newest(connection, Commodity.ELECTRICITY, [price], DAY.date, DAY.next.date, with_method=True)
    assert newest.values.tolist() == [[1] * 96]  # 0.5 Wh, half away from zero
    assert newest.method is not None and set(newest.method.flat) == {10}

    # A new version of an input makes a new version of what needs it, and names what it was made from.
    deliver(engine, clock, GivenBlock(registers["Hala A"], DAY.start, [61] * 96), seq=9)
    assert compute(engine, clock).versions == 3
    traced = await get(client, f"/channels/{losses}/days/2026-03-30/trace")
    assert traced["version"] == 2 and traced["made_by"] == "formula"
    assert traced["formula"]["formula"] == '"TS" A+ - "Hala AB" A+'
    assert traced["formula"]["inputs"] == [
        {"channel": channels["TS"], "version": 1},
        {"channel": sold, "version": 2},
    ]
    first = await client.get(f"/v1/channels/{losses}/days/2026-03-30/trace", params={"version": 1})
    assert first.json()["formula"]["inputs"][1] == {"channel": sold, "version": 1}

    # The formula itself is revised from a day on, and from its first day on.
    body = {"text": '2 x ("TS" A+ - "Hala AB" A+)', "since": "2026-03-30", "reason": "oprava"}
    await post(client, f"/formulas/{losses}/revise", body)
    compute(engine, clock)
    shown = await get(client, f"/channels/{losses}/profile?from=2026-03-29&to=2026-03-31")
    assert [day["values"][0] for day in shown["days"]] == [1, 0]
    body = {"text": '"TS" A+', "since": SINCE, "reason": "oprava"}
    await post(client, f"/formulas/{losses}/revise", body)
    versions = await get(client, f"/formulas?channel={losses}")
    assert [(v["since"], v["until"]) for v in versions] == [
        ("2026-03-30", None),
        (SINCE, "2026-03-30"),
        (None, None),
    ]
    # And the coefficient.
    body = {"name": "podíl", "value": "3", "since": "2026-03-30", "source": "test"}
    await post(client, "/formula-coefficients", body)
    compute(engine, clock)
    day = "from=2026-03-29&to=2026-03-31"
    shown = await get(client, f"/channels/{price}/profile?{day}")
    assert [day["values"][0] for day in shown["days"]] == [51, 0]  # 50.5 Wh rounded; 3 x 0

    told = await get(client, f"/formulas/{losses}/explain?day=2026-03-30&index=3")
    assert told["value"] == 0 and told["sources"][-1]["inputs"][0]["channel"] == channels["TS"]
    assert [(part["depth"], part["part"], part["value"]) for part in told["parts"]] == [
        (0, "product", "0"),
        (1, "2", "2"),
        (1, "sum", "0"),
        (2, '"TS" A+', "101"),
        (2, '"Hala AB" A+', "101"),
    ]
    needs = await get(client, f"/formulas/{channels['Hala A']}/dependencies?day=2026-03-30")
    assert needs["needs"] == [] and {n["channel"] for n in needs["needed_by"]} == {losses, sold, price}
    needs = await get(client, f"/formulas/{price}/dependencies?day=2026-03-30")
    assert {n["channel"] for n in needs["needs"]} == {losses, sold, price}

    closed = await client.post(f"/v1/formulas/{price}/close", json={"end": "2026-03-30", "reason": "konec"})
    assert closed.status_code == 200 and closed.json()["until"] == "2026-03-30"
    compute(engine, clock)
    values = await get(client, f"/formulas/{price}/values?day=2026-03-30")
    assert values["values"] == [None] * 96 and set(values["reasons"].values()) == {"formula"}
    with engine.connect() as connection:
        acts = connection.execute(text("SELECT act FROM audit WHERE act LIKE 'formula%' ORDER BY id")).scalars().all()
    assert acts.count("formula.create") == 3 and acts.count("formula.revise") == 2 and acts[-1] == "formula.close"


async def test_what_is_refused(client: httpx.AsyncClient, engine: Engine, clock: ManualClock) -> None:
    channels, _ = feed(engine, ["P", "Q"])
    with transaction(engine) as connection:
        one, two, three = (make_channel(connection, name) for name in ("V1", "V2", "V3"))
        reactive = connection.execute(
            text("""INSERT INTO channel (point, direction, commodity, unit, exponent, kind, step_ms)
                    VALUES ('P', 'R+', 'electricity', 'varh', 0, 'interval', 900000) RETURNING id""")
        ).scalar_one()
        gas = make_channel(connection, "Plyn", commodity="gas")

    async def refused(body: dict[str, Any], status: int, code: str) -> str:
        answer = await client.post("/v1/formulas", json={"since": SINCE, "reason": "zkouška", **body})
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        message: str = answer.json()["message"]
        return message

    told = await refused({"channel": one, "text": '"P" A+ +\n "P" R+'}, 422, "formula_unit")
    assert told == "Line 2, column 2: Wh and varh cannot be added or subtracted."
    told = await refused({"channel": reactive, "text": '"P" A+'}, 422, "formula_unit")
    assert "gives Wh; the channel P R+ is in varh" in told
    told = await refused({"channel": one, "text": '"P" A+ - "X" A+'}, 422, "formula_channel")
    assert told == 'Line 1, column 10: There is no interval channel "X" A+.'
    await refused({"channel": one, "text": '"P" A+ * "Q" A+'}, 422, "formula_unit")
    await refused({"channel": one, "text": '"P" A+ *'}, 422, "formula")
    await refused({"channel": one, "text": '"P" A+ * k'}, 422, "formula_coefficient")
    await refused({"channel": gas, "text": '"P" A+'}, 422, "formula_channel")
    await refused({"channel": one, "text": '"P" A+' + ' / "P" A+ * "P" A+' * 200}, 422, "formula_size")
    await refused({"channel": channels["P"], "text": '"Q" A+'}, 409, "overlap")
    await refused({"channel": 999_999, "text": '"Q" A+'}, 404, "channel_not_found")
    told = await refused({"channel": one, "text": '"V1" A+ + "P" A+'}, 409, "formula_cycle")
    assert "V1 A+ needs V1 A+" in told
    body = {"since": SINCE, "reason": "zkouška"}
    await post(client, "/formulas", {**body, "channel": one, "text": '"V2" A+ + "P" A+', "until": "2026-02-01"})
    await post(client, "/formulas", {**body, "channel": two, "text": '"V3" A+ x 2'})
    # No day has both formulas: February is no cycle, January would be.
    await post(client, "/formulas", {**body, "channel": three, "text": '"V1" A+ x 2', "since": "2026-02-01"})
    told = await refused({"channel": three, "text": '"V1" A+', "until": "2026-02-01"}, 409, "formula_cycle")
    assert told.endswith("from 2026-01-01 on: V3 A+ needs V1 A+ needs V2 A+ needs V3 A+.")
    await refused({"channel": two, "text": '"P" A+'}, 409, "overlap")
    await post(client, f"/formulas/{one}/revise", {**body, "since": "2026-05-01", "text": '"P" A+'}, 409)
    mapping = {"meter": "Q", "register": "r", "point": "V1", "direction": "A+", "since": "2025-01-01T00:00:00Z"}
    answer = await client.post("/v1/mappings", json={**mapping, "until": "2025-02-01T00:00:00Z"})
    assert answer.status_code == 409 and "formula" in answer.json()["message"]
    coefficient = {"name": "k", "value": "0.97", "since": SINCE, "source": "zkouška"}
    await post(client, "/formula-coefficients", coefficient)
    await post(client, "/formula-coefficients", {**coefficient, "unit": "Wh/m3"}, 409)
    for name in ("x", "min", "1k", "k k", 'k"', ""):
        await post(client, "/formula-coefficients", {**coefficient, "name": name}, 422)
    for value in ("NaN", "1e40", "0.0000000000001"):
        await post(client, "/formula-coefficients", {**coefficient, "value": value}, 422)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM formula")).scalar_one() == 3
    checked = await post(client, "/formulas/check", {"channel": one, "text": '"P" A+ x k'}, 200)
    assert checked["inputs"] == [channels["P"]]
    await post(client, "/formulas/check", {"channel": two, "text": '"V2" A+', "day": "2026-03-01"}, 409)


async def test_gas_hours_waiting_for_the_deadline_and_preview(
    client: httpx.AsyncClient, engine: Engine, clock: ManualClock
) -> None:
    day = MeteringDay(Commodity.GAS, date(2026, 3, 28))
    assert day.length == 23
    with transaction(engine) as connection:
        registers = [make_meter(connection, name, commodity="gas") for name in ("G1", "G2")]
        inputs = [make_channel(connection, name, commodity="gas") for name in ("G1", "G2")]
        for register, channel in zip(registers, inputs, strict=True):
            map_channel(connection, register, channel, "[2026-01-01,)")
        total = make_channel(connection, "Plyn celkem", commodity="gas")
    formula = {"channel": total, "text": '"G1" V + "G2" V', "since": SINCE, "reason": "součet"}
    await post(client, "/formulas", formula)
    clock.set(day.end + timedelta(hours=1))
    deliver(engine, clock, GivenBlock(registers[0], day.start, [5] * 23, step=HOUR))
    report = compute(engine, clock)
    assert (report.versions, report.waiting) == (0, 1)
    values = await get(client, f"/formulas/{total}/values?day=2026-03-28")
    assert values["values"] == [None] * 23 and set(values["reasons"].values()) == {"input"}
    body = {"channel": total, "text": '"G1" V x 2', "day": "2026-03-28"}
    assert (await post(client, "/formulas/check", body, 200))["values"] == [10] * 23
    clock.set(day.end + timedelta(days=1))
    assert compute(engine, clock).versions == 1
    deliver(engine, clock, GivenBlock(registers[1], day.start, [7] * 23, step=HOUR), seq=5)
    assert compute(engine, clock).versions == 1
    shown = await get(client, f"/channels/{total}/profile?from=2026-03-28&to=2026-03-29")
    assert shown["days"][0]["version"] == 2 and shown["days"][0]["values"] == [12] * 23
