"""Sharing of electricity over a real database: keys with validity, shared by hand, the portal's files both ways."""

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr
from sqlalchemy import Engine, select, text, update

from central.api.app import create_app
from central.network.tables import channel as channel_table
from central.platform.clock import get_clock
from central.platform.database import make_engine, transaction
from central.platform.settings import Settings, TokenSetting
from central.readings.consolidate import consolidate_once
from central.readings.testing import Evidence, GivenBlock, make_channel, make_meter, map_channel
from central.readings.transfer.edc_reader import read_edc
from central.readings.transfer.mapping import EdcMapping
from central.registry.tables import supply_point
from central.workflow.housekeeping.service import share_energy
from shared.identifiers import make_ean18
from shared.metering_day import MeteringDay, days_between
from shared.quantities import Commodity
from shared.testing import ManualClock

DAYS: list[MeteringDay] = days_between(Commodity.ELECTRICITY, date(2026, 10, 24), date(2026, 10, 26))
"""The second one has 100 quarter-hours."""
CLOCK = ManualClock(DAYS[-1].end + timedelta(hours=20))
PERIOD = {"from": "2026-10-24", "to": "2026-10-26"}
ROOF, FLAT, SHOP = (make_ean18(f"859182400900{number:05d}") for number in (1, 2, 3))
PLACE = {"street": "Dlouhá 1", "city": "Brno", "postal_code": "602 00"}
WH = {ROOF: 1009, FLAT: 100, SHOP: 5000}
"""Wh in each quarter-hour; EDC counts in 0.01 kWh, rounded down: 100, 10, 500."""


@pytest.fixture
def api(database_url: str) -> Iterator[TestClient]:
    rights = frozenset({"read", "operate"})
    token = TokenSetting(token=SecretStr("sharing-token-of-operator"), name="Operátor", rights=rights)
    app = create_app(Settings(database_url=database_url, tokens=(token,)))
    app.dependency_overrides[get_clock] = lambda: CLOCK
    with TestClient(app, headers={"Authorization": "Bearer sharing-token-of-operator"}) as client:
        yield client


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()


def ask(api: TestClient, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = api.request(method, f"/v1/sharing{path}", **more)
    assert answer.status_code == status, answer.text
    return answer.json()


def key(producer: str, consumer: str, percent: str) -> dict[str, str]:
    return {"producer": producer, "consumer": consumer, "percent": percent}


@pytest.fixture
def site(api: TestClient, engine: Engine) -> None:
    """A roof, a flat and a shop with two days of profiles; the shop lacks one quarter-hour of the first day."""
    answer = api.post("/v1/parties", json={"code": "LDS", "name": "Provozovatel", "role": "operator", **PLACE})
    assert answer.status_code == 201, answer.text
    for ean in WH:
        point = {"ean": ean, "name": ean, "object": "A", "commodity": "electricity", "operator": "LDS", **PLACE}
        answer = api.post("/v1/supply-points", json={**point, "voltage_level": "NN"})
        assert answer.status_code == 201, answer.text
    with transaction(engine) as connection:
        points = {row.ean: row.id for row in connection.execute(select(supply_point.c.ean, supply_point.c.id))}
        for ean, value in WH.items():
            direction = "A-" if ean == ROOF else "A+"
            register, channel = make_meter(connection, ean), make_channel(connection, ean)
            tied = {"supply_point": points[ean], "direction": direction}
            connection.execute(update(channel_table).where(channel_table.c.id == channel).values(**tied))
            map_channel(connection, register, channel, "[2020-01-01,)")
            blocks = [GivenBlock(register, day.start, [value] * day.length) for day in DAYS]
            if ean == SHOP:
                first = DAYS[0]
                blocks[0] = GivenBlock(register, first.instant(1), [value] * (first.length - 1))
            Evidence(connection, seq=10 * channel).batch(*blocks)
    consolidate_once(engine, CLOCK)


def test_a_group_shares_by_its_keys_of_each_day_and_the_portal_s_files_agree(site: None, api: TestClient) -> None:
    ask(api, "POST", "/groups", 201, json={"code": "SK-1", "name": "Střecha", "kind": "house"})
    halves = {"first": "2026-10-01", "reason": "smlouva", "keys": [key(ROOF, FLAT, "50"), key(ROOF, SHOP, "50")]}
    ask(api, "PUT", "/groups/SK-1/keys", json=halves)
    all_to_shop = {"first": "2026-10-25", "reason": "změna", "keys": [key(ROOF, SHOP, "33.33")]}
    ask(api, "PUT", "/groups/SK-1/keys", json=all_to_shop)
    held = ask(api, "GET", "/groups/SK-1/keys")
    assert [(row["consumer"], row["percent"], row["first"], row["end"]) for row in held] == [
        (FLAT, "50.00", "2026-10-01", "2026-10-25"),
        (SHOP, "50.00", "2026-10-01", "2026-10-25"),
        (SHOP, "33.33", "2026-10-25", None),
    ]
    assert [row["percent"] for row in ask(api, "GET", "/groups/SK-1/keys", params={"on": "2026-10-25"})] == ["33.33"]

    # First day: 100 units in a quarter-hour; the flat takes its 10, the shop 50+20+10+5+2 in five rounds; in the one
    # where the shop is unknown it takes nothing. Second day: 33+22+14+10+6 of 100 units, in 100 quarter-hours.
    found = ask(api, "GET", "/groups/SK-1/shared", params=PERIOD)
    assert {row["consumer"]: row["shared_kwh"] for row in found["pairs"]} == {
        FLAT: "9.60",
        SHOP: f"{(95 * 87 + 100 * (33 + 22 + 14 + 10 + 6)) / 100:.2f}",
    }
    (roof,) = found["producers"]
    assert (roof["kwh"], roof["shared_kwh"]) == ("196.00", f"{9.60 + (95 * 87 + 8500) / 100:.2f}")
    assert [(row["ean"], row["kwh"]) for row in found["consumers"]] == [(FLAT, "9.60"), (SHOP, "975.00")]
    assert found["lacking"] == [{"ean": SHOP, "missing": 1, "day": "2026-10-24"}]

    for layout in ("all", "pairs"):
        answer = api.get("/v1/sharing/groups/SK-1/export", params={**PERIOD, "layout": layout})
        assert answer.status_code == 200
        parsed = read_edc(answer.content, EdcMapping(format="edc"))
        assert (parsed.problems.count, len(parsed)) == (0, 196 * len(parsed.keys))
        compared = ask(api, "POST", "/groups/SK-1/comparison", files={"file": ("export.csv", answer.content)})
        assert len(compared["columns"]) == {"all": 6, "pairs": 2}[layout]
        assert all(column["differing"] == 0 and column["is_known"] for column in compared["columns"])
        assert compared["missing"] == []

    # Another number in one quarter-hour is found, with where it is.
    wrong = answer.content.replace(b"24.10.2026;12:00;12:15;0,10;0,87", b"24.10.2026;12:00;12:15;0,10;0,88")
    assert wrong != answer.content
    compared = ask(api, "POST", "/groups/SK-1/comparison", files={"file": ("export.csv", wrong)})
    (column,) = [column for column in compared["columns"] if column["differing"]]
    assert column["name"] == f"{ROOF}-{SHOP}"
    assert (column["differing"], column["first_difference"]) == (1, "2026-10-24T10:00:00Z")
    assert float(column["theirs_kwh"]) - float(column["ours_kwh"]) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ([key(ROOF, FLAT, "60"), key(ROOF, SHOP, "40.01")], "100.01 % together"),
        ([key(ROOF, FLAT, "50"), key(ROOF, FLAT, "1")], "is given twice"),
        ([key(ROOF, make_ean18("85918240090099999"), "50")], "There is no supply point"),
        ([key(ROOF, FLAT, "0.001")], "decimal"),
        ([key(ROOF, f"85918240090{n:07d}", "1") for n in range(11)], "at most 11"),
    ],
)
def test_keys_that_edc_would_refuse(site: None, api: TestClient, keys: list[Any], sentence: str) -> None:
    ask(api, "POST", "/groups", 201, json={"code": "SK-1", "name": "Střecha", "kind": "grid"})
    answer = ask(api, "PUT", "/groups/SK-1/keys", 422, json={"first": "2026-10-01", "reason": "x", "keys": keys})
    assert sentence in str(answer)
    assert ask(api, "GET", "/groups/SK-1/keys") == []


def test_what_cannot_be_shared_says_why(site: None, api: TestClient) -> None:
    ask(api, "GET", "/groups/none/shared", 404, params=PERIOD)
    ask(api, "POST", "/groups", 201, json={"code": "SK-1", "name": "Střecha", "kind": "grid"})
    ask(api, "POST", "/groups", 409, json={"code": "SK-1", "name": "Střecha", "kind": "grid"})
    assert ask(api, "GET", "/groups/SK-1/shared", params=PERIOD)["pairs"] == []
    backwards = {"first": "2026-10-01", "reason": "x", "keys": [key(FLAT, ROOF, "50")]}
    ask(api, "PUT", "/groups/SK-1/keys", json=backwards)
    answer = ask(api, "GET", "/groups/SK-1/shared", 409, params=PERIOD)
    assert f"The member {FLAT} has 0 interval channels A-" in str(answer)
    ask(api, "POST", "/groups/SK-1/comparison", 422, files={"file": ("x.csv", b"nothing")})


def test_allocations_are_kept_in_versions_and_edc_comes_before_ours(site: None, api: TestClient) -> None:
    ask(api, "POST", "/groups", 201, json={"code": "SK-1", "name": "Střecha", "kind": "house"})
    ask(api, "PUT", "/groups/SK-1/keys", json={"first": "2026-10-24", "reason": "x", "keys": [key(ROOF, FLAT, "5")]})
    days = {"first": "2026-10-24", "end": "2026-10-26", "reason": "měsíc"}

    def held(ean: str) -> list[tuple[str, str, int, str]]:
        rows = ask(api, "GET", "/groups/SK-1/allocations", params={**PERIOD, "ean": ean})
        return [(row["day"], row["source"], row["version"], row["shared_kwh"]) for row in rows]

    made = ask(api, "POST", "/groups/SK-1/computations", 201, json=days)
    assert (made["added"], made["unchanged"], made["unknown"], made["incomplete"]) == (4, 0, [], [])
    # 5 % of 100 units, then of what is left: 5 and 4, and the flat needs 10
    assert held(FLAT) == [("2026-10-24", "computed", 1, "9.60"), ("2026-10-25", "computed", 1, "10.00")]
    again = ask(api, "POST", "/groups/SK-1/computations", 201, json=days)
    assert (again["added"], again["unchanged"]) == (0, 4)

    theirs = api.get("/v1/sharing/groups/SK-1/export", params={**PERIOD, "layout": "pairs"}).content
    theirs = theirs.replace(b"24.10.2026;12:00;12:15;0,10", b"24.10.2026;12:00;12:15;0,04")
    lines = theirs.splitlines(keepends=True)
    ask(api, "PUT", "/groups/SK-1/keys", json={"first": "2026-10-25", "reason": "konec", "keys": []})
    for count in (2, 0):
        file = {"file": ("Export-dat.csv", b"".join(lines[:-1]))}
        stored = ask(api, "POST", "/groups/SK-1/allocations", 201, files=file, data={"reason": "EDC"})
        assert (stored["added"], [each["missing"] for each in stored["incomplete"]]) == (count, [1, 1])
    assert held(FLAT) == [("2026-10-24", "edc", 1, "9.54"), ("2026-10-25", "computed", 1, "10.00")]

    # Nobody shares on the second day any more: ours says so in a new version.
    assert ask(api, "POST", "/groups/SK-1/computations", 201, json=days)["added"] == 2
    assert held(FLAT) == [("2026-10-24", "edc", 1, "9.54"), ("2026-10-25", "computed", 2, "0.00")]

    unknown = make_ean18("85918240090099999").encode()
    file = {"file": ("x.csv", theirs.replace(FLAT.encode(), unknown))}
    stored = ask(api, "POST", "/groups/SK-1/allocations", 201, files=file, data={"reason": "EDC"})
    assert stored["unknown"] == [unknown.decode()]
    for path in ("allocations", "computations"):
        sent: dict[str, Any] = {"json": days} if path == "computations" else {"files": file, "data": {"reason": "x"}}
        answer = ask(api, "POST", f"/groups/SK-9/{path}", 404, **sent)
        assert "There is no sharing group SK-9" in str(answer)


def test_the_housekeeping_service_computes_by_itself_and_one_bad_group_keeps_no_other(
    site: None, api: TestClient, engine: Engine
) -> None:
    for code, consumer in (("SK-0", ROOF), ("SK-1", FLAT)):
        ask(api, "POST", "/groups", 201, json={"code": code, "name": "x", "kind": "house"})
        producer = FLAT if consumer == ROOF else ROOF  # the flat delivers nothing: it has no channel for that
        keys = [key(producer, consumer, "5")]
        ask(api, "PUT", f"/groups/{code}/keys", json={"first": "2026-10-24", "reason": "x", "keys": keys})
    now = DAYS[-1].end + timedelta(days=1, hours=2)
    for _ in range(2):
        share_energy(engine, now)
        found = {
            code: [
                (row["ean"], row["day"], row["version"], row["made_by"])
                for row in ask(api, "GET", f"/groups/{code}/allocations", params=PERIOD)
            ]
            for code in ("SK-0", "SK-1")
        }
        assert found["SK-0"] == []
        assert found["SK-1"] == [
            (ean, f"2026-10-{day}", 1, found["SK-1"][0][3]) for day in (24, 25) for ean in (ROOF, FLAT)
        ]
    with transaction(engine) as connection:
        records = connection.execute(text("SELECT count(*) FROM audit WHERE act = 'sharing.allocate'")).scalar_one()
    assert records == 1
    # the sharing is taken back from its first day on: what was allocated by it goes, once
    ask(api, "PUT", "/groups/SK-1/keys", json={"first": "2026-10-24", "reason": "omyl", "keys": []})
    for _ in range(2):
        share_energy(engine, now)
        held = ask(api, "GET", "/groups/SK-1/allocations", params=PERIOD)
        assert {(row["ean"], row["version"], Decimal(row["shared_kwh"])) for row in held} == {
            (ROOF, 2, 0),
            (FLAT, 2, 0),
        }


def test_a_value_below_zero_is_told_with_its_place(site: None, api: TestClient, engine: Engine) -> None:
    ask(api, "POST", "/groups", 201, json={"code": "SK-1", "name": "Střecha", "kind": "house"})
    ask(api, "PUT", "/groups/SK-1/keys", json={"first": "2026-10-24", "reason": "x", "keys": [key(ROOF, FLAT, "5")]})
    with transaction(engine) as connection:
        connection.execute(
            text(
                'INSERT INTO day_profile (channel, day, version, step_ms, "values", quality, missing, batches, digest,'
                "                         made_at, made_by)"
                ' SELECT channel, day, version + 1, p.step_ms, "values"[1:48] || -5 || "values"[50:], quality, missing,'
                "        batches, '\\x00', made_at, 'test'"
                "   FROM day_profile p JOIN channel c ON c.id = channel JOIN supply_point sp ON sp.id = c.supply_point"
                "  WHERE sp.ean = :ean AND day = '2026-10-24'"
            ),
            {"ean": FLAT},
        )
    answer = ask(api, "GET", "/groups/SK-1/shared", 409, params=PERIOD)
    assert f"The member {FLAT} has -5 x 10^0 Wh at 2026-10-24 12:00" in str(answer)
