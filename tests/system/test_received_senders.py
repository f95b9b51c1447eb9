"""Who may move what: only parties and the market operator are heard, and two senders may use the same number."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from msgspec.structs import replace

from central.market.payloads.billing_data import BillingData
from central.market.payloads.claims import Claim, ClaimAnswer, Claims
from central.market.payloads.supplier_switch import ChangeOfSupplier, Statement, SupplierSwitch
from tests.system.market_desk import NEW_SUPPLIER, Desk, message, open_desk
from tests.unit.central.market.content_examples import BILLED, OPERATOR, POINT, SUPPLIER

STRANGER = "8591824111115"


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with open_desk(database_url) as opened:
        yield opened


@pytest.mark.parametrize(("sender", "stands"), [(STRANGER, "D2026-17"), (SUPPLIER, None), (OPERATOR, None)])
def test_billing_data_are_cancelled_by_their_sender_or_the_market_operator(
    desk: Desk, sender: str, stands: str | None
) -> None:
    desk.bring(message("XD1", BillingData(documents=[BILLED]), "IN-1", SUPPLIER))
    nothing: dict[str, Any] = {"tariffs": [], "meters": [], "values": []}
    cancels = replace(BILLED, segment="cancel", number="X-1", concerns=BILLED.number, **nothing)
    desk.bring(message("XD1", BillingData(documents=[cancels]), "IN-2", sender))
    query = {"point": POINT, "first": "2026-03-01", "stop": "2026-04-01"}
    standing = desk.call("GET", "/received-tariffs/standing", params=query)
    assert {each["document"] for each in standing} == ({stands} if stands else set())


def test_a_claim_of_ours_is_answered_by_whom_it_went_to(desk: Desk) -> None:
    body = {"point": POINT, "first_day": "2026-03-01", "end_day": "2026-04-01", "kind": "metering", "text": "Jinak."}
    number = desk.call("POST", "/market/claims", 201, json=body | {"receiver": SUPPLIER})["message"]
    desk.send()
    claim = desk.get(f"/messages/{number}")["subject"]
    answers = Claims(answers=[ClaimAnswer(claim=claim, result="accept")])
    assert desk.bring(message("XC3", answers, "IN-1", STRANGER)) == "kept"
    (kept,) = desk.get("/received", outcome="kept")
    assert f"{STRANGER} is no party of" in kept["why"]
    (process,) = desk.get("/processes", scenario="claim")
    assert process["state"] == "sent"
    assert desk.bring(message("XC3", answers, "IN-2", SUPPLIER)) == "applied"
    assert desk.get(f"/processes/{process['id']}")["state"] == "recognised"


def test_a_request_is_withdrawn_by_a_party_of_it(desk: Desk) -> None:
    change = ChangeOfSupplier(
        request="REQ-7", opm=POINT, kind="standard", first_day=date(2026, 4, 8), new_supplier=NEW_SUPPLIER,
        balance_party=NEW_SUPPLIER, old_supplier=SUPPLIER,
    )  # fmt: skip
    assert desk.bring(message("XS1", SupplierSwitch(changes=[change]), "IN-1")) == "proposed"
    said = Statement(request="REQ-7", party="old_supplier", result="reject", reason="withdrawal")
    assert desk.bring(message("XS1", SupplierSwitch(statements=[said]), "IN-2", STRANGER)) == "kept"
    (process,) = desk.get("/processes", scenario="supplier_change")
    assert process["state"] == "asked"
    assert desk.bring(message("XS1", SupplierSwitch(statements=[said]), "IN-3", NEW_SUPPLIER)) == "applied"
    assert desk.get(f"/processes/{process['id']}")["state"] == "withdrawn"


def test_two_senders_may_claim_under_the_same_number(desk: Desk) -> None:
    claim = Claim(
        claim="1/2026", opm=POINT, kind="billing", first_day=date(2026, 1, 1), last_day=date(2026, 1, 31), state="new",
        text="Částka.",
    )  # fmt: skip
    for number, sender in enumerate([SUPPLIER, NEW_SUPPLIER, SUPPLIER, NEW_SUPPLIER]):
        assert desk.bring(message("XC3", Claims(claims=[claim]), f"IN-{number}", sender)) == "proposed"
    waiting = desk.get("/proposals", state="waiting", kind="claim")
    assert [each["proposed"]["sender"] for each in waiting] == [SUPPLIER, NEW_SUPPLIER], "each once"
    processes = desk.get("/processes", scenario="claim_received")
    assert [each["reference"] for each in processes] == ["1/2026", f"1/2026 ({NEW_SUPPLIER})"]
    assert all(each["deadline"] for each in processes)
    taken = desk.post(f"/proposals/{waiting[1]['id']}/take", {"why": "uznáno"})
    stated = taken["result"]["market_message"]
    assert desk.get(f"/messages/{stated}")["receiver"] == NEW_SUPPLIER
