"""Requests and claims in both directions, and points that others suspend or end: through the API on a real database."""

from __future__ import annotations

from datetime import date
from typing import Any

from msgspec.structs import replace
from sqlalchemy import insert, select, update

from central.market.cdsdata import IntervalData, Location, Profile, ProfileDay, write_interval_data
from central.market.cdsdata_reader import read_interval_data
from central.market.messages import Draft, Subject, create
from central.market.payloads.claims import Claim, ClaimAnswer, Claims
from central.market.payloads.master_data import MasterData, Suspension
from central.market.payloads.requests import AskedPoint, DataRequest
from central.platform.database import transaction
from central.registry.tables import supply_point
from shared.metering_day import MeteringDay
from shared.quantities import Commodity
from tests.system.market_desk import NOW, PACKAGE, Desk, message, open_desk
from tests.unit.central.market.content_examples import OPERATOR, POINT, POINT_DATA, SUPPLIER, US
from tests.unit.central.market.examples import envelope
from tests.unit.central.market.gas_examples import GAS_POINT

DAYS = [MeteringDay(Commodity.ELECTRICITY, date(2026, 3, number)) for number in (1, 2)]


def tell(desk: Desk, version: int, values: list[int]) -> None:
    """A message of ours that told two days of the point."""
    profiles = [Profile("A+", "Wh", 0, [ProfileDay(day, values) for day in DAYS])]
    sent = IntervalData(envelope(f"TOLD-{version}", US), [Location(POINT, version, profiles)])
    xml = write_interval_data(PACKAGE, sent)
    draft = Draft(
        f"TOLD-{version}", "121", PACKAGE.name, PACKAGE.digest, US, OPERATOR, Subject("supply_point", POINT),
        date(2026, 3, 1), date(2026, 3, 3), version, xml, {},
    )  # fmt: skip
    with transaction(desk.engine) as db:
        create(db, draft, NOW, "test")


def answer_told(desk: Desk, version: int, kind: str = "A01") -> None:
    """It goes out and is answered."""
    desk.send()
    assert desk.bring(desk.answer(f"TOLD-{version}", f"R-TOLD-{version}", kind)) == "applied"


def request(first: int, last: int, **more: Any) -> DataRequest:
    return DataRequest(
        locations=[AskedPoint(opm=POINT, first_day=date(2026, 3, first), last_day=date(2026, 3, last), **more)]
    )


def test_what_is_asked_for_goes_out(database_url: str) -> None:
    with open_desk(database_url) as desk:
        tell(desk, 1, [1] * 96)
        assert desk.bring(message("XR1", request(2, 2), "ASK-0")) == "proposed", "what has not left was not told"
        answer_told(desk, 1)
        tell(desk, 2, [2] * 96)
        answer_told(desk, 2)
        tell(desk, 3, [3] * 96)
        answer_told(desk, 3, "A02")
        tell(desk, 4, [4] * 96)
        assert desk.bring(message("XR1", request(2, 2), "ASK-1")) == "applied"
        (answer,) = [each for each in desk.get("/messages")["messages"] if each["subject_kind"] == "request"]
        assert (answer["subject"], answer["receiver"], answer["first_day"]) == (
            f"ASK-1/{POINT}", OPERATOR, "2026-03-02",
        )  # fmt: skip
        told = read_interval_data(PACKAGE, desk.xml(answer["id"]).encode())
        assert told.envelope.references == ("ASK-1",)
        (profile,) = told.locations[0].profiles
        assert [(day.day.date, set(day.values)) for day in profile.days] == [(date(2026, 3, 2), {2})]
        assert desk.bring(message("XR1", request(1, 5), "ASK-2")) == "proposed"
        (_, waits) = desk.get("/proposals", state="waiting", kind="data_asked")
        assert "Of 5 days" in waits["why"], "what was not told cannot go out: a person sees it"
        assert desk.bring(message("XR3", request(1, 2), "ASK-3", SUPPLIER)) == "proposed"
        proposal = desk.get("/proposals", state="waiting", kind="data_asked")[-1]
        decision = {"why": "je dodavatel"}
        lacks = desk.post(f"/proposals/{proposal['id']}/take", decision, status=409)
        assert "no load-profile class" in lacks["message"], "nothing leaves that is not right"
        with transaction(desk.engine) as db:
            facts = {"load_profile_class": "4", "temperature_zone": "1", "planned_mwh": 12}
            db.execute(update(supply_point).values(facts))
        taken = desk.post(f"/proposals/{proposal['id']}/take", decision)
        number = taken["result"]["market_message"]
        assert desk.get(f"/messages/{number}")["receiver"] == SUPPLIER
        assert 'distribution-rate="C02d"' in desk.xml(number)


def test_points_are_suspended_and_ended_as_others_say(database_url: str) -> None:
    with open_desk(database_url) as desk:
        days: dict[str, Any] = {"first_day": date(2026, 3, 10), "last_day": date(2026, 3, 20)}
        told = replace(POINT_DATA, action="suspend", **days, parties=[], suspensions=[Suspension(**days)])
        assert desk.bring(message("XM1", MasterData(points=[told]), "IN-1")) == "proposed"
        (proposal,) = desk.get("/proposals", state="waiting")
        taken = desk.post(f"/proposals/{proposal['id']}/take", {"why": "pozastaveno", "confirmed": True})
        assert taken["result"]["acts"] == ["suspend", "resume"]
        ends = replace(POINT_DATA, action="cancel", first_day=date(2026, 6, 1), last_day=None, parties=[])
        assert desk.bring(message("XM1", MasterData(points=[ends]), "IN-2")) == "proposed"
        proposal = desk.get("/proposals", state="waiting")[0]
        refused = desk.post(f"/proposals/{proposal['id']}/take", {"why": "zrušeno", "confirmed": True}, status=409)
        assert refused["code"] == "still_contracted", "the proposal still waits"
        versions = desk.call("GET", f"/supply-points/{POINT}/versions")
        assert [(each["since"], each["facts"]["state"]) for each in versions[-2:]] == [
            ("2026-03-10", "suspended"), ("2026-03-21", "connected"),
        ]  # fmt: skip


def test_claims_go_both_ways(database_url: str) -> None:
    with open_desk(database_url) as desk:
        days = {"point": POINT, "first_day": "2026-03-01", "end_day": "2026-04-01"}
        body = {**days, "kind": "metering", "text": "Jinak."}
        number = desk.call("POST", "/market/claims", 201, json=body)["message"]
        assert desk.send() == [number]
        sent = desk.get(f"/messages/{number}")
        assert desk.bring(desk.answer(sent["message_id"], "R-1")) == "applied"
        (process,) = desk.get("/processes", scenario="claim")
        assert (process["state"], process["subject"]) == ("delivered", sent["subject"])
        answer = ClaimAnswer(claim=sent["subject"], result="reject", reason="data_right", text="Odečet platí.")
        assert desk.bring(message("XC3", Claims(answers=[answer]), "IN-1")) == "applied"
        assert desk.get(f"/processes/{process['id']}")["state"] == "turned_down"
        with transaction(desk.engine) as db:
            row = dict(db.execute(select(supply_point)).mappings().one())
            gas = {name: row[name] for name in ("name", "object", "street", "city", "postal_code", "operator", "since")}
            db.execute(
                insert(supply_point).values(
                    **gas, ean=GAS_POINT, commodity="gas", voltage_level=None, metering_type=None
                )
            )
        claim = Claim(
            claim="R-31", opm=GAS_POINT, kind="billing", first_day=date(2026, 1, 1), last_day=date(2026, 1, 31),
            state="new", text="Spalné teplo.",
        )  # fmt: skip
        assert desk.bring(message("XG9", Claims(claims=[claim]), "IN-2")) == "proposed"
        (proposal,) = desk.get("/proposals", state="waiting", kind="gas_claim")
        taken = desk.post(f"/proposals/{proposal['id']}/take", {"why": "uznáno"})
        stated = desk.get(f"/messages/{taken['result']['market_message']}")
        assert (stated["message_code"], stated["process"]) == ("XG7", proposal["process"])
        ask = {**days, "what": "profiles"}
        asked = desk.call("POST", "/market/requests", 201, json=ask)["message"]
        assert desk.get(f"/messages/{asked}")["message_code"] == "XR1"
        assert desk.call("POST", "/market/requests", 422, json=ask | {"end_day": "2026-02-01"})["code"] == "days"
