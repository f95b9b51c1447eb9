"""Received invoices of every origin and billing data of others, through the API on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from central.market.payloads.billing_data import BillingData
from central.market.payloads.gas_billing import AgreedC, FixedPayment, GasBilling, GasBillings
from tests.system.market_desk import Desk, message, open_desk
from tests.unit.central.market.content_examples import BILLED, PAYLOADS, POINT, SUPPLIER
from tests.unit.central.market.gas_examples import BEGIN, BILLED_C, END, GAS_POINT
from tests.unit.central.workflow.isdoc_examples import isdoc


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    with open_desk(database_url) as opened:
        yield opened


BY_HAND: dict[str, Any] = {
    "issuer": SUPPLIER, "number": "F-77", "kind": "regular", "commodity": "electricity", "first_day": "2026-03-01",
    "end_day": "2026-04-01", "issued": "2026-04-05", "point": POINT, "net": "374.20", "vat": "78.58",
    "gross": "452.78",
    "items": [
        {"description": "distribuce VT", "rate": 13, "quantity": "0.1", "unit": "MWh", "unit_price": "1000",
         "net": "100.00"},
        {"description": "jistič", "rate": 12, "quantity": "1", "unit": "měs", "unit_price": "274", "net": "274.20"},
    ],
}  # fmt: skip


def test_invoices_come_as_messages_by_isdoc_and_by_hand_and_each_once(desk: Desk) -> None:
    assert desk.bring(message("127", PAYLOADS["127"], "IN-1")) == "applied"
    assert desk.bring(message("GP6", GasBillings(documents=[BILLED_C]), "IN-2", SUPPLIER)) == "applied"
    made = desk.call("POST", "/received-invoices", 201, json=BY_HAND)
    assert [(each["rate"], each["point_code"]) for each in made["items"]] == [(13, POINT), (12, POINT)]
    assert made["problems"] == ["The item 2 (jistič) of the invoice F-77 says 274.20, its quantity x price is 274.00."]
    assert made["currency"] == "CZK"
    assert desk.call("POST", "/received-invoices", 409, json=BY_HAND)["code"] == "exists"
    wrong = desk.call("POST", "/received-invoices", 422, json=BY_HAND | {"number": "F-78", "net": "1.00"})
    assert wrong["code"] == "total"
    content = isdoc()
    where = {"first": "2026-02-01", "stop": "2026-03-01", "point": POINT}
    imported = desk.call("POST", "/received-invoices/isdoc", 201, params=where, content=content)
    assert (imported["source"], imported["number"], imported["issuer"]) == ("isdoc", "FV-2026-15", SUPPLIER)
    assert desk.call("POST", "/received-invoices/isdoc", 409, params=where, content=content)["code"] == "exists"
    for bad in (b"<Invoice/>", b'<!DOCTYPE a [<!ENTITY b "c">]><Invoice>&b;</Invoice>', b"no xml", b"\0"):
        desk.call("POST", "/received-invoices/isdoc", 422, params=where, content=bad)
    rows = desk.call("GET", "/received-invoices", params={"source": "!message", "sort": "id"})
    assert [(row["source"], row["number"]) for row in rows] == [("hand", "F-77"), ("isdoc", "FV-2026-15")]
    items = desk.call("GET", "/received-invoices/items", params={"rate": "1019", "commodity": "gas"})
    (item,) = [each for each in items if each["number"] == BILLED_C.number]
    assert (item["code"], item["unit_price"], item["effect"], item["net"], item["point_code"]) == (
        "Period.Capacity_Price", "118432.5", "0.5", "734.28", GAS_POINT,
    )  # fmt: skip
    removal = {"why": "omyl"}
    desk.call("POST", f"/received-invoices/{rows[0]['id']}/remove", 204, json=removal)
    assert desk.call("POST", f"/received-invoices/{item['invoice']}/remove", 409, json=removal)["code"] == "evidence"
    assert desk.call("GET", f"/received-invoices/{rows[0]['id']}", 404)["code"] == "received_invoice_not_found"


def test_gas_documents_follow_each_other_whatever_was_cancelled(desk: Desk) -> None:
    """A year was billed, cancelled and billed again as half of it: the next document follows the half."""
    middle = BEGIN.replace(month=7)
    rent = FixedPayment(rent=Decimal(100), effect=Decimal(6))
    half, rest = (
        GasBilling(
            number=number, segment="regular", opm=GAS_POINT, start=start, end=end, net=Decimal(600),
            agreed_c=[AgreedC(start=start, end=end, payment=rent)],
        )
        for number, start, end in (("G-2", BEGIN, middle), ("G-3", middle, END))
    )  # fmt: skip
    gone = replace(BILLED_C, cancelled=True)
    for place, document in enumerate((BILLED_C, gone, half, rest)):
        assert desk.bring(message("GP6", GasBillings(documents=[document]), f"IN-{place}", SUPPLIER)) == "applied"
    rows = desk.call("GET", "/received-invoices", params={"sort": "id"})
    assert [(row["number"], row["kind"], row["net"]) for row in rows] == [
        ("2026000031", "regular", "7200.91"), ("2026000031/storno", "cancel", "-7200.91"), ("G-2", "regular", "600"),
        ("G-3", "regular", "600"),
    ]  # fmt: skip
    told = desk.call("GET", f"/received-invoices/{rows[3]['id']}")["problems"]
    assert not [one for one in told if "the one before ends" in one], told


def test_billing_data_that_differ_from_the_registry_wait_and_change_it_when_taken(desk: Desk) -> None:
    assert desk.bring(message("XD1", BillingData(documents=[BILLED]), "IN-1")) == "proposed"
    first, second = desk.get("/proposals", state="waiting", kind="tariff_change")
    assert first["proposed"]["changes"] == {"rate": {"from": "C02d", "to": "C25d"}}
    assert second["proposed"]["changes"] == {"breaker_amps": {"from": 25, "to": "32"}}
    again = replace(BILLED, number="D2026-18")
    assert desk.bring(message("XD1", BillingData(documents=[again]), "IN-2")) == "applied", "both wait already"
    taken = desk.post(f"/proposals/{first['id']}/take", {"why": "podle DUF", "confirmed": True})
    assert (taken["result"]["contract"], taken["result"]["changed"]) == ("S-1", ["rate"])
    taken = desk.post(f"/proposals/{second['id']}/take", {"why": "podle DUF", "confirmed": True})
    assert taken["result"]["changed"] == ["breaker_amps"]
    held = desk.call("GET", "/contract-items", params={"ean": POINT, "sort": "valid_from"})
    assert [(row["rate"], row["breaker_amps"], row["valid_from"]) for row in held] == [
        ("C02d", 25, "2025-01-01"), ("C25d", 25, "2026-03-01"), ("C25d", 32, "2026-03-15"),
    ]  # fmt: skip
    nothing: dict[str, Any] = {"tariffs": [], "meters": [], "values": []}
    cancels = replace(BILLED, segment="cancel", number="D2026-19", concerns="D2026-18", **nothing)
    other = replace(BILLED, number="D2026-20", tariffs=[replace(BILLED.tariffs[0], breaker_amps=Decimal(40))])
    assert desk.bring(message("XD1", BillingData(documents=[cancels, other]), "IN-3")) == "proposed"
    query = {"point": POINT, "first": "2026-03-01", "stop": "2026-04-01"}
    standing = desk.call("GET", "/received-tariffs/standing", params=query)
    assert [(each["document"], each["first"], each["stop"], each["breaker_amps"]) for each in standing] == [
        ("D2026-20", "2026-03-01", "2026-03-15", "40"), ("D2026-17", "2026-03-15", "2026-04-01", "32"),
    ]  # fmt: skip
    (waiting,) = desk.get("/proposals", state="waiting", kind="tariff_change")
    desk.post(f"/proposals/{waiting['id']}/refuse", {"why": "jistič je 25 A, ověřeno"})
    more = replace(other, number="D2026-21")
    assert desk.bring(message("XD1", BillingData(documents=[more]), "IN-4")) == "applied"
    told = desk.get("/received", outcome="applied")[-1]
    assert "jistič je 25 A, ověřeno" in told["why"]
    spans = desk.call("GET", "/received-tariffs", params={"point_code": POINT, "document": "D2026-19"})
    assert [(each["concerns"], each["rate"], each["message_id"]) for each in spans] == [("D2026-18", None, "IN-3")]
    assert (spans[0]["first_day"], spans[0]["end_day"]) == ("2026-03-01", "2026-04-01")
