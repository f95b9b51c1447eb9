"""Mounting, removal and exchange of meters through the API, with what each refuses."""

import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from central.platform.database import make_engine, transaction
from central.platform.errors import BadInput
from central.platform.identity import SYSTEM
from central.readings.consolidate import consolidate_once
from central.readings.testing import Evidence, GivenBlock
from central.workflow.load_site import load_site
from central.workflow.site_file import read_site
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity
from shared.testing import ManualClock
from tests.system.network_rig import EAN, Api, api

DAY = MeteringDay(Commodity.ELECTRICITY, date(2026, 3, 2))
NOW = datetime(2026, 3, 5, 12, tzinfo=UTC)
MOUNTED_AT, EXCHANGED_AT = "2026-03-01T00:00:00+01:00", "2026-03-02T12:00:00+01:00"
BUS = {"name": "b1", "protocol": "hdlc", "link": {"kind": "serial", "path": "/dev/ttyS1", "baud": 9600}}
TEMPLATE = "dlms-electricity-profile"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    made = make_engine(database_url)
    yield made
    made.dispose()


@pytest.fixture
async def central(
    database_url: str, clock: ManualClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Api]:
    async with api(database_url, clock, tmp_path, monkeypatch) as opened:
        await opened.supply_point()
        await opened.meters("M1", "M2", "M3")
        await opened.post("/v1/concentrators/K1/buses", BUS)
        for name in ("P1", "P2"):
            await opened.post("/v1/measuring-points", {"name": name, "commodity": "electricity"})
        yield opened


def mounted(meter: str, state: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "meter": meter,
        "template": TEMPLATE,
        "states": [{"register": "1-0:1.8.0", "value": state}],
        "attachment": {"concentrator": "K1", "bus": "b1", "address": {"server": 1, "physical": 17}},
        **more,
    }


def removed(meter: str, state: int, **more: Any) -> dict[str, Any]:
    return {"meter": meter, "states": [{"register": "1-0:1.8.0", "value": state}], **more}


async def mount(central: Api, meter: str = "M1", at: str = MOUNTED_AT, **more: Any) -> Any:
    part = mounted(meter, 1_000, supply_point=EAN, seals=[{"number": f"S-{meter}"}], **more)
    return await central.post("/v1/measuring-points/P1/mounting", {"at": at, "reason": "montáž", "mounted": part})


def exchange(at: str = EXCHANGED_AT, final: int = 9_000, **more: Any) -> dict[str, Any]:
    return {
        "at": at,
        "reason": "cejch",
        "removed": removed("M1", final, seals=["S-M1"]),
        "mounted": mounted("M2", 5, seals=[{"number": "S-M2"}], **more),
    }


async def feeds(central: Api, direction: str) -> list[tuple[str, str, int, str, str | None]]:
    name = direction.replace("+", "%2B")
    (channel,) = await central.get(f"/v1/channels?point=P1&direction={name}")
    rows = await central.get(f"/v1/mappings?channel={channel['id']}")
    return [(row["meter"], row["register"], row["multiplier"], row["since"], row["until"]) for row in rows]


async def test_a_channel_goes_on_over_an_exchange(central: Api) -> None:
    await central.call("PUT", "/v1/concentrators/K1/management", {"reason": "z evidence"})
    first = await mount(central)
    assert (first["kind"], first["mounted"], first["removed"]) == ("mounting", "M1", None)
    photo = await central.client.post("/v1/documents", files={"file": ("štítek.png", PNG, "image/png")})
    body = {**exchange(), "documents": [{"document": photo.json()["id"]}]}

    act = await central.post("/v1/measuring-points/P1/exchange", body)
    assert (act["kind"], act["removed"], act["mounted"], act["made_by"]) == ("exchange", "M1", "M2", "Anna")
    at = "2026-03-02T11:00:00Z"
    assert await feeds(central, "A+") == [
        ("M1", "1-0:1.29.0", 1, "2026-02-28T23:00:00Z", at),
        ("M2", "1-0:1.29.0", 1, at, None),
    ]
    assert [row[0] for row in await feeds(central, "JT")] == ["M1", "M2"]
    point = await central.get("/v1/measuring-points/P1")
    assert [(row["meter"], row["until"]) for row in point["mountings"]] == [("M1", at), ("M2", None)]
    assert [(row["number"], row["removed_at"]) for row in point["seals"]] == [("S-M2", None), ("S-M1", at)]
    states = await central.get("/v1/meter-states?meter=M1")
    assert [(row["kind"], row["value"]) for row in states] == [("exchange", 9_000), ("initial", 1_000)]
    # Photo and protocol stay with the act.
    assert [(each["role"], each["media_type"]) for each in act["documents"]] == [
        ("photo", "image/png"),
        ("protocol", "application/pdf"),
    ]
    protocol = act["documents"][1]
    octets = (await central.client.get(f"/v1/documents/{protocol['id']}/content")).content
    assert octets.startswith(b"%PDF-")
    assert hashlib.sha256(octets).hexdigest() == protocol["sha256"]
    assert await central.get(f"/v1/meter-acts/{act['id']}") == act
    listed = await central.get("/v1/meter-acts?measuring_point=P1&kind=exchange")
    assert [row["id"] for row in listed] == [act["id"]]
    # The concentrator reads the new meter at the old address.
    shown = await central.get("/v1/concentrators/K1/generated-configuration")
    assert [each["id"] for each in shown["configuration"]["buses"][0]["devices"]] == ["M2"]
    assert (shown["number"], shown["differences"]) == (3, [])
    (record,) = [each for each in await central.get("/v1/audit") if each["act"] == "meter.exchange"]
    assert record["details"]["removed"]["meter"] == "M1"


async def test_states_and_instants_that_cannot_be_are_refused(central: Api, engine: Engine) -> None:
    path = "/v1/measuring-points/P1/exchange"
    await mount(central)
    refusals: list[tuple[dict[str, Any], int, str]] = [
        (exchange(at="2026-03-06T12:00:00+01:00"), 422, "ahead of now"),
        (exchange(at="0001-01-01T00:00:00+05:00"), 422, "between 1990 and 2200"),
        (exchange(at="2026-02-28T12:00:00+01:00"), 409, "M1 was mounted at P1 at 2026-02-28T23:00:00"),
        (exchange(final=999), 409, "below the state before it, 1000 (initial"),
        ({**exchange(), "removed": removed("M3", 1)}, 409, "M3 does not hang at P1: it was never mounted"),
        ({**exchange(), "removed": {"meter": "M1"}}, 422, "M1 needs a state of the register 1-0:1.8.0"),
        ({**exchange(), "mounted": mounted("M2", template="sdm630")}, 409, "has no register for it"),
        ({**exchange(), "mounted": mounted("M2", template="dlms-gas")}, 409, "of gas"),
        ({**exchange(), "mounted": {**mounted("M2"), "states": []}}, 422, "M2 needs a state"),
        ({**exchange(), "mounted": mounted("M9")}, 404, "M9"),
        ({**exchange(), "documents": [{"document": 7}]}, 404, "no document 7"),
    ]
    for body, status, said in refusals:
        answer = await central.post(path, body, status)
        assert said in answer["message"], (said, answer)
    # All or nothing: after ten refusals everything is as it was.
    assert [row[4] for row in await feeds(central, "A+")] == [None]
    point = await central.get("/v1/measuring-points/P1")
    assert [(row["meter"], row["until"]) for row in point["mountings"]] == [("M1", None)]
    with transaction(engine) as connection:
        assert connection.execute(text("SELECT count(*) FROM meter_act")).scalar_one() == 1
        assert connection.execute(text("SELECT count(*) FROM document")).scalar_one() == 1


async def test_a_second_meter_and_an_address_in_use_are_refused_with_both_sides(central: Api) -> None:
    await mount(central)
    second = {"at": EXCHANGED_AT, "reason": "x", "mounted": mounted("M2")}
    refused = await central.post("/v1/measuring-points/P1/mounting", second, 409)
    assert refused["code"] == "second_meter"
    assert "M1 hangs there" in refused["message"]
    refused = await central.post("/v1/measuring-points/P2/mounting", second, 409)
    assert refused["code"] == "address_in_use"
    elsewhere = {"at": EXCHANGED_AT, "reason": "x", "mounted": mounted("M1")}
    refused = await central.post("/v1/measuring-points/P2/mounting", elsewhere, 409)
    assert refused["code"] == "mounted_elsewhere"


async def test_what_is_billed_is_not_removed(central: Api, engine: Engine) -> None:
    await mount(central)
    removal = {"at": EXCHANGED_AT, "reason": "zrušení", "removed": removed("M1", 9_000)}
    refused = await central.post("/v1/measuring-points/P1/removal", removal, 409)
    assert refused["code"] == "still_billed"
    assert f"supply point {EAN}, which the contract S/1 bills without end" in refused["message"]
    with transaction(engine) as connection:
        connection.execute(text("UPDATE contract_item SET valid = '[2026-01-01,2026-03-02)'"))
    act = await central.post("/v1/measuring-points/P1/removal", removal)
    assert (act["kind"], act["mounted"]) == ("removal", None)
    assert [row[4] for row in await feeds(central, "A+")] == ["2026-03-02T11:00:00Z"]
    # Put up again elsewhere, with the faces and states of before.
    again = {"at": "2026-03-03T00:00:00+01:00", "reason": "x", "mounted": mounted("M1", 9_000)}
    await central.post("/v1/measuring-points/P2/mounting", again)


async def test_an_exchange_before_a_billed_state_is_refused(central: Api, engine: Engine) -> None:
    await mount(central)
    state = {"meter": "M1", "register": "1-0:1.8.0", "kind": "own", "at": "2026-03-03T00:00:00+01:00", "value": 9_500}
    await central.post("/v1/meter-states", state)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE meter_state SET locked_by = 'Z/7', locked_at = now() WHERE kind = 'own'"))
    refused = await central.post("/v1/measuring-points/P1/exchange", exchange(), 409)
    assert refused["code"] == "later_state"
    assert "billed by run Z/7" in refused["message"]


async def test_transformers_multiply_and_their_exchange_splits_the_mappings(central: Api, engine: Engine) -> None:
    def set_of(primary: int, serial: str, since: str) -> dict[str, Any]:
        one = {"kind": "MTP", "model": "CLA", "primary_value": primary, "secondary_value": 5}
        phases = [{**one, "phase": f"L{n}", "serial": f"{serial}{n}"} for n in (1, 2, 3)]
        return {"since": since, "transformers": phases, "reason": "nepřímé měření"}

    path = "/v1/measuring-points/P1/transformers"
    await central.post(path, set_of(100, "A", MOUNTED_AT))
    act = await mount(central)
    assert act["facts"]["ratio"] == 20
    assert [row[2] for row in await feeds(central, "A+")] == [20]
    versions = await central.get("/v1/register-versions?meter=M1")
    assert [row["multiplier"] for row in versions] == [20]

    # By hand only with what the transformers make.
    other = {"meter": "M3", "register": "x", "unit": "Wh", "kind": "interval"}
    await central.post("/v1/evidence-channels", other)
    await central.post(
        "/v1/channels", {"point": "P1", "direction": "A-", "commodity": "electricity", "unit": "Wh"}, 409
    )
    channel = {"point": "P1", "direction": "V", "commodity": "electricity", "unit": "Wh"}
    await central.post("/v1/channels", channel)
    mapping = {"meter": "M3", "register": "x", "point": "P1", "direction": "V", "since": MOUNTED_AT}
    refused = await central.post("/v1/mappings", {**mapping, "multiplier": 10}, 409)
    assert "multiplies by 10; the instrument transformers at P1 multiply by 20" in refused["message"]
    await central.post("/v1/mappings", {**mapping, "multiplier": 20})

    refused = await central.post("/v1/measuring-points/P2/transformers", set_of(100, "A", EXCHANGED_AT), 409)
    assert "hangs at P1" in refused["message"]
    again = """
        INSERT INTO instrument_transformer (measuring_point, kind, phase, model, serial, primary_value,
                                            secondary_value, accuracy_class, valid)
        SELECT {}, kind, phase, model, {}, primary_value, secondary_value, accuracy_class, valid
        FROM instrument_transformer LIMIT 1
    """
    for point, serial, constraint in (
        ("measuring_point", "'Z9'", "instrument_transformer_phase_valid_excl"),
        ("(SELECT id FROM measuring_point WHERE name = 'P2')", "serial", "instrument_transformer_serial_valid_excl"),
    ):
        with pytest.raises(IntegrityError, match=constraint), transaction(engine) as connection:
            connection.execute(text(again.format(point, serial)))
    changed = await central.post(path, set_of(250, "B", EXCHANGED_AT))
    assert changed["multiplier"] == 50
    at = "2026-03-02T11:00:00Z"
    assert await feeds(central, "A+") == [
        ("M1", "1-0:1.29.0", 20, "2026-02-28T23:00:00Z", at),
        ("M1", "1-0:1.29.0", 50, at, None),
    ]
    versions = await central.get("/v1/register-versions?meter=M1")
    assert [row["multiplier"] for row in versions] == [20, 50]
    spanning = {**mapping, "direction": "V", "multiplier": 20, "until": "2026-03-04T00:00:00+01:00"}
    refused = await central.post("/v1/mappings", {**spanning, "since": "2026-03-01T01:00:00+01:00"}, 409)
    assert refused["code"] in ("transformer_change", "overlap")
    uneven = set_of(75, "C", "2026-03-04T00:00:00+01:00")
    uneven["transformers"][0]["primary_value"] = 80
    refused = await central.post(path, uneven, 422)
    assert "all phases must have the same ratio" in refused["message"]


async def test_days_after_an_exchange_that_was_told_late_are_made_again(
    central: Api, engine: Engine, clock: ManualClock
) -> None:
    await mount(central)
    (channel,) = await central.get("/v1/channels?point=P1&direction=A%2B")

    def profile() -> list[int]:
        while consolidate_once(engine, clock).worked:
            pass
        with transaction(engine) as connection:
            row = connection.execute(
                text("SELECT values FROM day_profile WHERE channel = :c AND day = :d ORDER BY version DESC LIMIT 1"),
                {"c": channel["id"], "d": DAY.date},
            ).one()
        return list(row.values)

    evidence_of(engine, "M1", [7] * 96)
    assert profile() == [7] * 96
    await central.post("/v1/measuring-points/P1/exchange", exchange())
    before = profile()
    assert before[:48] == [7] * 48
    assert set(before[48:]) == {MISSING_VALUE}, "after the exchange the old meter counts no more"
    evidence_of(engine, "M2", [9] * 96)
    assert profile() == [7] * 48 + [9] * 48


def evidence_of(engine: Engine, meter: str, values: list[int]) -> None:
    with transaction(engine) as connection:
        register = connection.execute(
            text("SELECT id FROM evidence_channel WHERE device = :meter AND register = '1-0:1.29.0'"), {"meter": meter}
        ).scalar_one()
        Evidence(connection, "K1", seq=values[0]).batch(GivenBlock(register, DAY.start, values))


async def test_a_site_file_brings_points_lines_and_mountings_once(central: Api, engine: Engine) -> None:
    site = {
        "name": "malá",
        "concentrators": [{"id": "K2", "name": "2", "place": "x"}],
        "meters": [{"id": "M7", "serial": "7", "model": "dlms", "commodity": "electricity", "concentrator": "K2"}],
        "boards": [{"name": "RH2", "kind": "cabinet"}, {"name": "D7", "within": "RH2"}],
        "measuring_points": [{"name": "P7", "commodity": "electricity", "board": "D7"}],
        "mountings": [{"meter": "M7", "measuring_point": "P7", "since": MOUNTED_AT}],
        "buses": [{**BUS, "concentrator": "K2"}],
        "attachments": [
            {
                "meter": "M7",
                "concentrator": "K2",
                "bus": "b1",
                "address": {"server": 1, "physical": 17},
                "template": TEMPLATE,
                "since": MOUNTED_AT,
            }
        ],
    }

    def load() -> dict[str, tuple[int, int]]:
        with transaction(engine) as connection:
            outcomes = load_site(connection, read_site(json.dumps(site).encode()), SYSTEM, NOW)
        counted = {name: (each.inserted, each.unchanged) for name, each in outcomes.items()}
        return {name: each for name, each in counted.items() if any(each)}

    assert set(load().values()) == {(1, 0), (2, 0)}
    assert {inserted for inserted, _ in load().values()} == {0}
    shown = await central.get("/v1/concentrators/K2/generated-configuration")
    assert [each["id"] for each in shown["configuration"]["buses"][0]["devices"]] == ["M7"]
    assert shown["problems"] == []
    site["mountings"] = [{"meter": "M7", "measuring_point": "P7", "since": "2026-04-01T00:00:00"}]
    with pytest.raises(BadInput, match="without an offset"):
        load()


async def work_order(central: Api, begin: bool = True, **more: Any) -> str:
    body = {"kind": "exchange", "title": "výměna", "due": "2026-03-31", "measuring_point": "P1", "meter": "M1", **more}
    number: str = (await central.post("/v1/work-orders", body))["number"]
    path = f"/v1/work-orders/{number}"
    await central.call(
        "POST", f"{path}/assign", {"assignee": "Novák", "on": "2026-03-05"}, 200, await central.tag(path)
    )
    if begin:
        await central.call("POST", f"{path}/begin", None, 200, await central.tag(path))
    return number


async def test_a_work_order_is_carried_out_by_the_act(central: Api) -> None:
    await mount(central)
    path = "/v1/measuring-points/P1/exchange"
    refusals: list[tuple[dict[str, Any], str, str]] = [
        ({"begin": False}, "order_state", "is assigned"),
        ({"kind": "removal"}, "order_kind", "is for removal, the act is exchange"),
        ({"measuring_point": "P2", "meter": None}, "order_place", "about the measuring point P2, the act about P1"),
        ({"meter": "M3"}, "order_meter", "about the meter M3, the act about M1 and M2"),
    ]
    for order, code, said in refusals:
        refused = await central.post(path, {**exchange(), "work_order": await work_order(central, **order)}, 409)
        assert (refused["code"], said in refused["message"]) == (code, True), refused
    unknown = await central.post(path, {**exchange(), "work_order": "P-2026-999999"}, 404)
    assert unknown["code"] == "work_order_not_found"

    number = await work_order(central)
    # An act that is refused leaves its order as it was.
    await central.post(path, {**exchange(final=1), "work_order": number}, 409)
    assert (await central.get(f"/v1/work-orders/{number}"))["state"] == "under_way"
    act = await central.post(path, {**exchange(), "work_order": number})
    assert act["work_order"] == number
    done = await central.get(f"/v1/work-orders/{number}")
    assert (done["state"], done["result"]) == ("done", f"Akt {act['id']} (exchange): cejch")
    assert [row["id"] for row in await central.get(f"/v1/meter-acts?work_order={number}")] == [act["id"]]
    # Once it is done it carries out nothing more.
    again = {**exchange(at="2026-03-03T12:00:00+01:00"), "removed": removed("M2", 20), "mounted": mounted("M3")}
    assert (await central.post(path, {**again, "work_order": number}, 409))["code"] == "order_state"


async def test_what_measures_and_is_settled_is_listed_by_pages(central: Api) -> None:
    await mount(central)
    for what, filtered in (
        ("channels", "point=P1"),
        ("mappings", "meter=M1"),
        ("evidence-channels", "meter=M1&sort=-register"),
    ):
        answer = await central.client.get(f"/v1/{what}?{filtered}&limit=1")
        assert answer.status_code == 200, answer.text
        assert (len(answer.json()), int(answer.headers["X-Total-Count"]) > 1) == (1, True)
        assert 'rel="next"' in answer.headers["Link"]
        assert await central.get(f"/v1/{what}?{filtered.replace('1', '9')}") == []
        await central.get(f"/v1/{what}?colour=red", 422)
