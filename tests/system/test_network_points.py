"""Measuring points, topology and outages: through the API, and their constraints against the database directly."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from central.network import mountings
from central.network.outages import outages_of
from central.platform.database import make_engine, transaction
from central.platform.errors import Refused
from central.platform.migrations import configuration, upgrade
from central.readings.vee.content_rules import RULES
from central.readings.vee.inputs import read_exempt
from central.readings.vee.testing import make_chunk
from shared.testing import ManualClock
from tests.system.network_rig import Api, api

NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
EARLY, LATE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
async def central(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Api]:
    async with api(database_url, ManualClock(NOW), tmp_path, monkeypatch) as opened:
        yield opened


def refused_by(engine: Engine, statement: str, constraint: str) -> None:
    with pytest.raises(IntegrityError, match=constraint), transaction(engine) as connection:
        connection.execute(text(statement))


async def test_points_stand_on_boards_and_are_revised_by_who_has_seen_them(central: Api) -> None:
    await central.post("/v1/boards", {"name": "RH1", "kind": "cabinet", "place": "suterén"})
    await central.post("/v1/boards", {"name": "D1", "within": "RH1"})
    await central.post("/v1/boards", {"name": "D2", "within": "RH9"}, 404)
    assert [(row["name"], row["within"]) for row in await central.get("/v1/boards?within=RH1")] == [("D1", "RH1")]
    point = await central.post("/v1/measuring-points", {"name": "Hala A/1", "commodity": "electricity", "board": "D1"})
    assert point["logical_meters"] == [{"name": "Hala A/1", "commodity": "electricity", "channels": []}]
    await central.post("/v1/measuring-points", {"name": "Hala A/1", "commodity": "electricity"}, 409)
    path = "/v1/measuring-points/Hala A/1"
    tag = await central.tag(path)
    body = {"several": True, "board": "D1", "place": "vlevo", "reason": "dvě měřidla"}
    await central.call("PATCH", path, body, 428)
    assert (await central.call("PATCH", path, body, 200, tag))["several"] is True
    assert (await central.call("PATCH", path, body, 412, tag))["code"] == "changed_meanwhile"
    answer = await central.client.get("/v1/measuring-points?board=D1&q=vlevo&sort=-name")
    assert ([row["name"] for row in answer.json()], answer.headers["x-total-count"]) == (["Hala A/1"], "1")
    (act,) = [each for each in await central.get("/v1/audit") if each["act"] == "measuring_point.revise"]
    assert act["person"] == "Anna"


async def test_a_channel_brings_its_point_and_logical_meter_into_being(central: Api) -> None:
    channel = {"point": "P9", "direction": "A+", "commodity": "electricity", "unit": "Wh"}
    made = await central.post("/v1/channels", channel)
    point = await central.get("/v1/measuring-points/P9")
    assert point["logical_meters"] == [{"name": "P9", "commodity": "electricity", "channels": [made["id"]]}]
    meters = await central.post(
        "/v1/measuring-points/P9/logical-meters", {"name": "P9 sdílení", "measuring_point": "P9"}
    )
    assert [each["name"] for each in meters] == ["P9", "P9 sdílení"]


async def test_a_place_allows_one_active_meter_unless_it_says_otherwise(central: Api, engine: Engine) -> None:
    await central.meters("M1", "M2", "M3")
    await central.meters("G1", commodity="gas")
    for name in ("P1", "P2"):
        await central.post("/v1/measuring-points", {"name": name, "commodity": "electricity"})
    with transaction(engine) as connection:
        mountings.mount(connection, "M1", "P1", EARLY)
    for meter, point, said in [
        ("M2", "P1", "P1 allows one active meter, and M1 hangs there"),
        ("M1", "P2", "M1 hangs at P1"),
        ("G1", "P2", "G1 measures gas"),
    ]:
        with pytest.raises(Refused, match=said), transaction(engine) as connection:
            mountings.mount(connection, meter, point, LATE)
    insert = """
        INSERT INTO mounting (meter, measuring_point, several, valid)
        SELECT '{}', id, several, '[2026-02-01,)' FROM measuring_point WHERE name = '{}'
    """
    refused_by(engine, insert.format("M2", "P1"), "mounting_measuring_point_valid_excl")
    refused_by(engine, insert.format("M1", "P2"), "mounting_meter_valid_excl")
    # Nobody can say that a mounting is where several are allowed while its point says otherwise.
    lie = insert.replace("several, '[", "true, '[").format("M2", "P1")
    refused_by(engine, lie, "mounting_measuring_point_fkey")

    path = "/v1/measuring-points/P1"
    body = {"several": True, "reason": "kontrolní měřidlo"}
    await central.call("PATCH", path, body, 200, await central.tag(path))
    with transaction(engine) as connection:
        mountings.mount(connection, "M2", "P1", LATE)
    refused = await central.call("PATCH", path, {**body, "several": False}, 409, await central.tag(path))
    assert "M1 and M2 hang at the same time" in refused["message"]
    refused_by(engine, "UPDATE measuring_point SET several = false", "mounting_measuring_point_valid_excl")
    with transaction(engine) as connection:
        mountings.dismount(connection, "M1", "P1", LATE)
        mountings.mount(connection, "M1", "P2", LATE)
    assert [row["until"] for row in await central.get(f"{path}/mountings")] == ["2026-02-01T00:00:00Z", None]


async def test_seals_are_used_once(central: Api, engine: Engine) -> None:
    await central.post("/v1/measuring-points", {"name": "P1", "commodity": "electricity"})
    await central.post("/v1/measuring-points", {"name": "P2", "commodity": "electricity"})
    seal = {"number": "A 001", "kind": "terminal", "at": "2026-03-01T10:00:00Z"}
    await central.post("/v1/measuring-points/P1/seals", seal)
    refused = await central.post("/v1/measuring-points/P2/seals", seal, 409)
    assert "was put on at P1" in refused["message"]
    off = {"at": "2026-03-02T10:00:00Z", "reason": "revize"}
    await central.post("/v1/measuring-points/P2/seals/A 001/removal", off, 409)
    early = {**off, "at": "2026-02-02T10:00:00Z"}
    refused = await central.post("/v1/measuring-points/P1/seals/A 001/removal", early, 409)
    assert "before that" in refused["message"]
    taken = await central.post("/v1/measuring-points/P1/seals/A 001/removal", off, 200)
    assert taken["removed_by"] == "Anna"
    await central.post("/v1/measuring-points/P1/seals/A 001/removal", off, 409)
    await central.post("/v1/measuring-points/P2/seals", seal, 409)
    refused_by(
        engine,
        "INSERT INTO seal (number, kind, measuring_point, mounted_at, mounted_by) "
        "SELECT number, kind, measuring_point, mounted_at, 'x' FROM seal",
        "seal_number_key",
    )


async def test_elements_go_through_their_states_and_feed_one_another(central: Api, engine: Engine) -> None:
    for name, kind in [("VN", "node"), ("T1", "transformer"), ("V1", "feeder"), ("V2", "feeder")]:
        element = {"name": name, "kind": kind, "since": "2025-06-01", "project": "P-12", "reason": "výstavba"}
        await central.post("/v1/network-elements", element)
    path = "/v1/network-elements/T1/states"
    step = {"state": "built", "since": "2025-09-01", "project": "P-12", "reason": "kolaudace"}
    tag = await central.tag("/v1/network-elements/T1")
    await central.call("POST", path, step, 428)
    refused = await central.call("POST", path, {**step, "state": "in_service"}, 409, tag)
    assert "planned; after that comes built or withdrawn" in refused["message"]
    await central.call("POST", path, step, 200, tag)
    await central.call("POST", path, step, 412, tag)
    tag = await central.tag("/v1/network-elements/T1")
    early = {**step, "state": "in_service", "since": "2025-08-01"}
    assert "before that" in (await central.call("POST", path, early, 409, tag))["message"]
    assert [each["state"] for each in await central.get(path)] == ["planned", "built"]

    feed = {"since": "2026-01-01T00:00:00Z", "reason": "zapojení"}
    for name, source in [("T1", "VN"), ("V1", "T1"), ("V2", "T1")]:
        await central.post(f"/v1/network-elements/{name}/supply", {**feed, "fed_from": source}, 200)
    refused = await central.post("/v1/network-elements/VN/supply", {**feed, "fed_from": "V1"}, 409)
    assert refused["code"] == "supply_circle"
    for name in ("P1", "P2", "P3", "P4"):
        await central.post("/v1/measuring-points", {"name": name, "commodity": "electricity"})
    await central.post("/v1/measuring-points/P1/supply", {**feed, "element": "V1"}, 200)
    await central.post("/v1/measuring-points/P2/supply", {**feed, "parent": "P1"}, 200)
    await central.post("/v1/measuring-points/P3/supply", {**feed, "element": "V2"}, 200)
    refused = await central.post("/v1/measuring-points/P1/supply", {**feed, "parent": "P2"}, 409)
    assert "P2 hangs behind P1" in refused["message"]
    assert await central.get("/v1/network-elements/T1/measuring-points") == ["P1", "P2", "P3"]
    assert await central.get("/v1/network-elements/V1/measuring-points?at=2025-12-31T00:00:00Z") == []
    # Fed from elsewhere since February.
    moved = {**feed, "since": "2026-02-01T00:00:00Z", "fed_from": "VN"}
    await central.post("/v1/network-elements/V2/supply", moved, 200)
    assert await central.get("/v1/network-elements/T1/measuring-points") == ["P1", "P2"]
    assert await central.get("/v1/network-elements/T1/measuring-points?at=2026-01-31T00:00:00Z") == ["P1", "P2", "P3"]
    refused = await central.post("/v1/network-elements/V2/supply", {**moved, "since": "2026-01-15T00:00:00Z"}, 409)
    assert refused["code"] == "later_supply"
    tag = await central.tag("/v1/network-elements/T1")
    gone = {**step, "state": "withdrawn", "since": "2026-03-01"}
    assert "feeds V1" in (await central.call("POST", path, gone, 409, tag))["message"]
    refused_by(
        engine,
        "INSERT INTO element_supply (element, fed_from, valid) "
        "SELECT element, fed_from, '[2026-02-15,)' FROM element_supply WHERE upper_inf(valid)",
        "element_supply_element_valid_excl",
    )
    refused_by(
        engine,
        "INSERT INTO point_supply (measuring_point, element, valid) "
        "SELECT measuring_point, element, '[2026-02-15,)' FROM point_supply WHERE element IS NOT NULL",
        "point_supply_measuring_point_valid_excl",
    )


async def test_an_outage_hits_points_by_topology_and_by_hand_and_is_asked_for_by_channel(
    central: Api, engine: Engine
) -> None:
    element = {"name": "V1", "kind": "feeder", "state": "in_service", "since": "2025-06-01", "reason": "x"}
    await central.post("/v1/network-elements", element)
    ids = {}
    for name in ("P1", "P2", "P3"):
        channel = {"point": name, "direction": "A+", "commodity": "electricity", "unit": "Wh"}
        ids[name] = (await central.post("/v1/channels", channel))["id"]
    feed = {"since": "2026-01-01T00:00:00Z", "reason": "x", "element": "V1"}
    await central.post("/v1/measuring-points/P1/supply", feed, 200)
    outage = {"planned": True, "cause": "výměna kabelu", "start": "2026-03-02T08:00:00Z"}
    refused = await central.post("/v1/outages", outage, 422)
    assert refused["code"] == "outage_points"
    made = await central.post("/v1/outages", {**outage, "element": "V1", "points": ["P2"]})
    assert made["points"] == [
        {"measuring_point": "P1", "named_by": "topology"},
        {"measuring_point": "P2", "named_by": "hand"},
    ]

    def asked() -> list[tuple[int, int, int]]:
        with transaction(engine) as connection:
            found = outages_of(
                connection, list(ids.values()), datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 3, tzinfo=UTC)
            )
        hours = (found.to_ms - found.from_ms) // 3_600_000
        return list(
            zip(found.channel.tolist(), (found.from_ms // 3_600_000 % 24).tolist(), hours.tolist(), strict=True)
        )

    assert asked() == [(ids["P1"], 8, 16), (ids["P2"], 8, 16)], "it goes on: to the end of what is asked for"
    # What the validation asks: only days wholly without supply may be zero.
    zero = next(rule for rule in RULES if rule.name == "zero")
    chunk = replace(make_chunk(zero, [[0] * 3 * 96] * 3, date(2026, 3, 1)), channels=np.array(list(ids.values())))
    with transaction(engine) as connection:
        assert read_exempt(connection, chunk)[:, -3:].tolist() == [
            [False, False, True],
            [False, False, True],
            [False] * 3,
        ]

    path = f"/v1/outages/{made['id']}"
    end = {"cause": "výměna kabelu", "start": "2026-03-02T08:00:00Z", "end": "2026-03-02T10:00:00Z", "reason": "konec"}
    await central.call("PATCH", path, {**end, "points": ["P2"]}, 428)
    tag = await central.tag(path)
    await central.call("PATCH", path, {**end, "points": ["P2"]}, 200, tag)
    await central.call("PATCH", path, {**end, "points": ["P2"]}, 412, tag)
    assert asked() == [(ids["P1"], 8, 2), (ids["P2"], 8, 2)]
    with transaction(engine) as connection:
        work = connection.execute(text("SELECT channels, first, last FROM vee_work WHERE reason = 'outage'")).all()
    assert (sorted(work[0].channels), work[0].first) == (sorted([ids["P1"], ids["P2"]]), date(2026, 3, 2))
    backwards = {**end, "end": "2026-03-02T07:00:00Z", "points": []}
    await central.call("PATCH", path, backwards, 422, await central.tag(path))
    await central.post(f"{path}/cancellation", {"reason": "odloženo"}, 428)
    await central.call("POST", f"{path}/cancellation", {"reason": "odloženo"}, 412, tag)
    await central.call("POST", f"{path}/cancellation", {"reason": "odloženo"}, 200, await central.tag(path))
    assert asked() == []
    await central.call("POST", f"{path}/cancellation", {"reason": "odloženo"}, 409, await central.tag(path))
    assert [row["id"] for row in await central.get("/v1/outages?planned=true&element=V1")] == [made["id"]]


OLD_METERS = """
    INSERT INTO concentrator (id, name, place) VALUES ('K1', '1', 'x');
    INSERT INTO meter (id, serial, model, commodity, concentrator)
        SELECT 'M' || n, n, 'm', 'electricity', 'K1' FROM generate_series(1, 4) n;
    INSERT INTO evidence_channel (concentrator, device, register, unit, exponent, kind, step_ms)
        SELECT 'K1', 'M' || n, r, 'Wh', 0, 'interval', 900000 FROM generate_series(1, 4) n, unnest(ARRAY['+', '-']) r;
    INSERT INTO channel_mapping (evidence_channel, channel, valid)
        SELECT e.id, c.id, given.valid::tstzrange
        FROM (VALUES ('M1', '+', 'P1', 'A+', '[2026-01-01,2026-02-01)'), ('M2', '+', 'P1', 'A+', '[2026-02-01,)'),
                     ('M3', '-', 'P1', 'A-', '[2026-03-01,)'), ('M4', '+', 'P1', 'A-', '[2026-01-01,2026-02-01)'),
                     ('M4', '-', 'P2', 'A+', '[2026-01-01,)')) AS given (meter, register, point, direction, valid)
        JOIN evidence_channel e ON e.device = given.meter AND e.register = given.register
        JOIN channel c ON c.point = given.point AND c.direction = given.direction
"""


def test_points_of_an_older_database_become_entities_and_names_again(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0015")
    engine = make_engine(empty_database_url)
    with transaction(engine) as connection:
        for point, direction in [("P1", "A+"), ("P1", "A-"), ("P2", "A+")]:
            connection.execute(
                text(
                    "INSERT INTO channel (point, direction, commodity, unit, exponent, kind, step_ms) "
                    "VALUES (:point, :direction, 'electricity', 'Wh', 0, 'interval', 900000)"
                ),
                {"point": point, "direction": direction},
            )
        connection.execute(text(OLD_METERS))
    upgrade(empty_database_url, "0016")
    with transaction(engine) as connection:
        found = connection.execute(
            text("""
                SELECT p.name, l.name, count(*) FROM channel c JOIN logical_meter l ON l.id = c.logical_meter
                JOIN measuring_point p ON p.id = l.measuring_point AND p.name = c.point GROUP BY 1, 2 ORDER BY 1
            """)
        ).all()
        hung = connection.execute(
            text("""
                SELECT o.meter, p.name, o.several, lower(o.valid)::date::text, upper(o.valid)::date::text
                FROM mounting o JOIN measuring_point p ON p.id = o.measuring_point ORDER BY 1
            """)
        ).all()
    assert [tuple(row) for row in found] == [("P1", "P1", 2), ("P2", "P2", 1)]
    # M1 was exchanged for M2; M3 came beside it; M4 feeds two points, so nobody knows where it hangs.
    assert [tuple(row) for row in hung] == [
        ("M1", "P1", True, "2026-01-01", "2026-02-01"),
        ("M2", "P1", True, "2026-02-01", None),
        ("M3", "P1", True, "2026-03-01", None),
    ]
    with engine.connect() as connection:
        config = configuration()
        config.attributes["connection"] = connection
        command.downgrade(config, "0015")
        connection.commit()
    with transaction(engine) as connection:
        points = connection.execute(text("SELECT point FROM channel ORDER BY id")).scalars().all()
    engine.dispose()
    assert points == ["P1", "P1", "P2"]
