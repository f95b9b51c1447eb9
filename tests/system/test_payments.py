"""Payments on the real database, through the API: statements matched and read again, what is parked solved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import IntegrityError, OperationalError

from central.invoicing.advances.hooks import listen
from central.invoicing.payments.letters import letter
from central.invoicing.payments.matching import lock_payments
from central.invoicing.payments.receivables import NewReceivable, close_by, open_receivable, settle_corrected
from central.platform.database import transaction
from central.platform.hooks import HOOKS
from central.platform.identity import Person
from tests.system.payments_rig import CUSTOMER_ACCOUNT, OWN, Desk, Line, abo, camt, open_desk


@pytest.fixture
def desk(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Desk]:
    with open_desk(database_url, monkeypatch, tmp_path) as opened:
        yield opened


def test_statements_are_matched_and_read_again_without_effect(desk: Desk) -> None:
    whole = desk.open("NOVAK", "1210.00", "2600000001")
    later = desk.open("NOVAK", "500.00", "2600000002", date(2026, 3, 31))
    earlier = desk.open("NOVAK", "300.00", "2600000002", date(2026, 3, 10))
    content = abo(
        [Line("1210.00", "2600000001"), Line("650.00", "2600000002"), Line("99.00", "42"), Line("-20.00"), Line("5.00")]
    )
    booked = desk.send(content)
    assert booked["result"] == "booked"
    assert (booked["payments"], booked["repeated"], booked["parked"]) == (5, 0, 3)
    assert booked["matched"]["by_rule"] == {"exact": 1, "symbol": 2, "account": 0}
    assert [desk.rest(item) for item in (whole, earlier, later)] == ["0.00", "0.00", "150.00"]
    parked = {row["parked"]: row["amount"] for row in desk.get("/v1/payments", state="parked")}
    assert parked == {"unknown_symbol": "99.00", "outgoing": "-20.00", "no_symbol": "5.00"}
    again = desk.send(content)
    assert (again["result"], again["file"], again["payments"]) == ("known", booked["file"], 0)
    # The same movements once more, in the other form: told by their content.
    other = desk.send(
        camt([Line("1210.00", "2600000001"), Line("650.00", "2600000002"), Line("7.00", "2600000002")], version="08")
    )
    assert (other["payments"], other["repeated"]) == (1, 2)
    assert desk.rest(later) == "143.00"
    assert desk.get("/v1/bank-statements", form="abo")[0]["number"] == "1"
    assert desk.client.get(f"/v1/bank-files/{booked['file']}").content == content
    desk.require_balance()


def test_equal_payments_of_one_day_are_two_and_their_references_tell_which(desk: Desk) -> None:
    desk.open("NOVAK", "100.00", "11")
    same = Line("100.00", "11")
    assert desk.send(camt([same, same]))["payments"] == 2
    assert desk.send(camt([same, same, same], number=2))["payments"] == 1
    named = Line("50.00", "11", reference="R1")
    assert desk.send(camt([named], number=3))["payments"] == 1
    assert desk.send(camt([named, Line("50.00", "11", reference="R2")], number=4))["payments"] == 1
    assert desk.sql("SELECT count(*) FROM payment") == 5
    assert desk.get("/v1/saldo", party="NOVAK")[0]["saldo"] == "-300.00"


BAD = [
    (abo([Line("10.00")], new="1011.00"), "statement_sum"),
    (camt([Line("10.00")], new="1009.99"), "statement_sum"),
    (abo([Line("10.00")], own="19-999"), "unknown_account"),
    (camt([Line("10.00")], iban=CUSTOMER_ACCOUNT), "unknown_account"),
    (b"hello", "statement_form"),
    (b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "b">]><Document>&a;</Document>', "camt_doctype"),
    (b"<Document>", "camt_xml"),
    (b"", "statement_form"),
]


def test_a_bad_statement_is_refused_and_nothing_is_booked(desk: Desk) -> None:
    assert [desk.send(content, status=422)["code"] for content, _ in BAD] == [code for _, code in BAD]
    assert desk.sql("SELECT count(*) FROM bank_file") == 0
    assert desk.sql("SELECT count(*) FROM bank_statement") == 0
    assert desk.sql("SELECT count(*) FROM payment") == 0
    assert desk.sql("SELECT count(*) FROM audit WHERE act = 'bank_statement.book'") == 0
    # what no database text can hold is no reason to fail: it is booked without it
    owed = desk.open("NOVAK", "10.00", "41")
    assert desk.send(abo([Line("10.00", "41", name="JAN\x00NOVAK")]))["payments"] == 1
    assert desk.rest(owed) == "0.00"
    assert desk.sql("SELECT counter_name FROM payment") == "JAN NOVAK"


def test_what_is_parked_is_solved_by_hand_and_never_booked_twice(desk: Desk) -> None:
    mine = desk.open("NOVAK", "100.00", "21")
    hers = desk.open("DVORAK", "60.00", "22", account="7002")
    euro = desk.open("NOVAK", "10.00", "23", currency="EUR")
    desk.send(abo([Line("160.00", "999"), Line("10.00", "23"), Line("5.00", "24", currency="0978"), Line("30.00")]))
    by_reason = {row["parked"]: row["id"] for row in desk.get("/v1/payments", state="parked")}
    assert sorted(by_reason) == ["no_symbol", "other_currency", "unknown_symbol"]
    assert desk.sql("SELECT count(*) FROM payment WHERE payer IS NULL AND rest = amount") == 4
    assert desk.sql("SELECT count(*) FROM allocation") == 0
    assert (desk.rest(mine), desk.rest(hers), desk.rest(euro)) == ("100.00", "60.00", "10.00")
    payment = by_reason["unknown_symbol"]
    wrong = {"parts": [{"amount": "100.00", "variable_symbol": "21"}], "reason": "seznam správce"}
    assert desk.post(f"/v1/payments/{payment}/split", wrong, 409)["code"] == "split_sum"
    right = {"parts": [*wrong["parts"], {"amount": "60.00", "account": "7002"}], "reason": "seznam správce"}
    parts = desk.post(f"/v1/payments/{payment}/split", right)
    assert len(parts["payments"]) == 2
    assert (desk.rest(mine), desk.rest(hers)) == ("0.00", "0.00")
    assert desk.post(f"/v1/payments/{payment}/split", right, 409)["code"] == "payment_state"
    # Released: both sides are open, and matching keeps off.
    allocation = desk.get(f"/v1/receivables/{mine}")["allocations"][0]["id"]
    desk.post(f"/v1/allocations/{allocation}/release", {"reason": "spor"})
    assert desk.post(f"/v1/allocations/{allocation}/release", {"reason": "spor"}, 409)["code"] == "released"
    desk.post("/v1/payments/match")
    assert desk.rest(mine) == "100.00"
    part = parts["payments"][0]
    assert desk.post(f"/v1/payments/{part}/allocate", {"items": [{"receivable": euro}]}, 409)["code"] == "other_side"
    too_much = {"items": [{"receivable": mine, "amount": "100.01"}]}
    assert desk.post(f"/v1/payments/{part}/allocate", too_much, 409)["code"] == "too_much"
    desk.post(f"/v1/payments/{part}/allocate", {"items": [{"receivable": mine}]})
    assert desk.rest(mine) == "0.00"
    other = by_reason["no_symbol"]
    desk.post(f"/v1/payments/{other}/outside", {"reason": "úrok"})
    desk.post(f"/v1/payments/{other}/back", {"reason": "omyl"})
    desk.post(f"/v1/payments/{other}/assign", {"payer": "NOVAK", "account": "7001", "reason": "zavolal"})
    assert {row["account"]: row["saldo"] for row in desk.get("/v1/saldo", party="NOVAK")}["7001"] == "-30.00"
    desk.require_balance()
    acts = desk.sql("SELECT string_agg(DISTINCT act, ' ' ORDER BY act) FROM audit")
    for act in ("allocation.release", "bank_statement.book", "payment.allocate", "payment.assign", "payment.split"):
        assert act in acts


def test_the_account_takes_an_overpayment_for_what_is_due_and_the_rest_is_credit(desk: Desk) -> None:
    paid = desk.open("NOVAK", "100.00", "31", account="7001")
    due = desk.open("NOVAK", "40.00", "32", date(2026, 3, 16), account="7001")
    not_due = desk.open("NOVAK", "40.00", "33", date(2026, 4, 15), account="7001")
    elsewhere = desk.open("NOVAK", "40.00", "34", date(2026, 1, 1), account="7003")
    by_number = desk.open("DVORAK", "70.00", "35", date(2026, 3, 1), account="7002")
    desk.send(camt([Line("150.00", "31"), Line("75.00", "7002")]))
    assert [desk.rest(item) for item in (paid, due, not_due, elsewhere, by_number)] == [
        "0.00", "0.00", "40.00", "40.00", "0.00",
    ]  # fmt: skip
    assert desk.get("/v1/saldo", party="DVORAK") == [
        {"account": "7002", "currency": "CZK", "debts": "0.00", "past_due": "0.00", "credits": "0.00",
         "money": "5.00", "saldo": "-5.00"}
    ]  # fmt: skip
    desk.post("/v1/payments/settle", {"payer": "NOVAK", "seller": "LDS", "until": "2026-03-31"})
    assert (desk.rest(elsewhere), desk.rest(not_due)) == ("30.00", "40.00")
    desk.require_balance()


def test_an_allocation_to_an_advance_is_told_and_so_is_its_release(desk: Desk) -> None:
    heard: list[tuple[str, Any]] = []
    for topic in ("payment.allocated", "payment.released"):
        HOOKS.subscribe(topic, "advances", lambda _, event, topic=topic: heard.append((topic, event)))  # type: ignore[misc]
    advance = desk.open("NOVAK", "250.00", "41", kind="advance", advance=7)
    desk.send(camt([Line("250.00", "41")]))
    allocation = desk.get(f"/v1/receivables/{advance}")["allocations"][0]["id"]
    desk.post(f"/v1/allocations/{allocation}/release", {"reason": "spor"})
    listen(HOOKS)
    assert heard[1][1]["why"] == "spor"
    assert [topic for topic, _ in heard] == ["payment.allocated", "payment.released"]
    told = heard[0][1]["allocations"]
    assert [(row["advance"], row["amount"], row["received_on"]) for row in told] == [
        (7, Decimal("250.00"), date(2026, 3, 16))
    ]


def test_a_credit_is_received_for_an_advance_when_that_is_asked_for(desk: Desk) -> None:
    heard: list[Any] = []
    HOOKS.subscribe("payment.allocated", "advances", lambda _, event: heard.append(event))
    desk.send(camt([Line("250.00", "7001")]))
    desk.open("NOVAK", "250.00", "41", kind="advance", advance=7, account="7001")
    desk.do("UPDATE receivable SET issued_on = '2026-03-18', due = '2026-03-19'")
    desk.post("/v1/payments/match")
    listen(HOOKS)
    # nothing was known to be supplied for it on the 16th, when it came: its tax is of the 18th
    assert [row["received_on"] for event in heard for row in event["allocations"]] == [date(2026, 3, 18)]


def test_a_refund_goes_back_where_it_came_from_and_meets_its_movements(desk: Desk) -> None:
    desk.open("NOVAK", "100.00", "51")
    desk.send(camt([Line("130.00", "51")]))
    payment = desk.get("/v1/payments", variable_symbol="51")[0]["id"]
    refund = desk.post("/v1/refunds", {"sources": [{"kind": "payment", "id": payment}], "reason": "přeplatek"}, 201)
    assert (refund["iban"], refund["amount"], refund["state"]) == (CUSTOMER_ACCOUNT, "30.00", "ordered")
    again = {"sources": [{"kind": "payment", "id": payment}], "reason": "přeplatek"}
    assert desk.post("/v1/refunds", again, 409)["code"] == "too_much"
    order = desk.post("/v1/payment-orders", {"seller": "LDS", "form": "abo", "due": "2026-03-23"}, 201)
    file = desk.client.get(f"/v1/payment-orders/{order['id']}/file").content
    assert b"\r\n000000-2000145399 3000 51 08000000 0 AV:VRATKA 51\r\n" in file
    assert file.endswith(b"3 +\r\n5 +\r\n")
    went = desk.send(abo([Line("-30.00", "51", day=date(2026, 3, 23))], number=2))
    assert went["matched"]["refunds"] == 1
    assert desk.get("/v1/refunds")[0]["state"] == "executed"
    # The bank sends it back, under a symbol that names an item: by hand.
    desk.send(abo([Line("30.00", "0", day=date(2026, 3, 25))], number=3))
    back = desk.get("/v1/payments", parked="no_symbol")[0]["id"]
    done = desk.post(f"/v1/refunds/{refund['id']}/return", {"payment": back, "reason": "účet zrušen"})
    assert done["state"] == "returned"
    assert desk.get(f"/v1/payments/{payment}")["rest"] == "30.00"
    new = desk.post("/v1/refunds", {**again, "iban": OWN}, 201)
    assert desk.post(f"/v1/refunds/{new['id']}/cancel", {"reason": "omyl"})["state"] == "cancelled"
    assert desk.post(f"/v1/refunds/{new['id']}/cancel", {"reason": "omyl"}, 409)["code"] == "refund_state"
    assert desk.get(f"/v1/payments/{payment}")["rest"] == "30.00"
    desk.require_balance()


def test_a_payment_that_looks_like_a_returned_refund_is_not_taken_for_one(desk: Desk) -> None:
    desk.open("NOVAK", "1000.00", "51")
    early = Line("1000.00", "52", day=date(2026, 3, 16))
    desk.send(camt([Line("2000.00", "51"), early]))
    payment = desk.get("/v1/payments", variable_symbol="51")[0]["id"]
    desk.post("/v1/refunds", {"sources": [{"kind": "payment", "id": payment}], "reason": "dvakrát"}, 201)
    late = {"seller": "LDS", "form": "pain001", "due": "2026-03-19"}
    assert desk.post("/v1/payment-orders", late, 422)["code"] == "due"
    desk.post("/v1/payment-orders", {**late, "due": "2026-03-23"}, 201)
    old = Line("1000.00", "51", day=date(2026, 3, 18))
    sent = desk.send(camt([old, Line("-1000.00", "51", day=date(2026, 3, 23))], number=2))
    assert desk.get("/v1/refunds")[0]["state"] == "executed"
    assert sent["matched"]["refunds"] == 1
    # What came before the refund went is no return; what comes later and could pay an item is for a person to tell.
    item = desk.open("NOVAK", "2000.00", "51", date(2026, 4, 15))
    desk.send(camt([Line("1000.00", "51", day=date(2026, 4, 10))], number=3))
    assert desk.get("/v1/refunds")[0]["state"] == "executed"
    waiting = desk.get("/v1/payments", state="parked", variable_symbol="51")
    assert [row["booked_on"] for row in waiting] == ["2026-04-10"]
    desk.post(f"/v1/payments/{waiting[0]['id']}/allocate", {"items": [{"receivable": item}]})
    assert desk.rest(item) == "0.00"
    # Where nothing is asked for under the symbol it is the refund that comes back.
    desk.send(camt([Line("1000.00", "51", day=date(2026, 4, 11))], number=4))
    assert desk.get("/v1/refunds")[0]["state"] == "returned"
    desk.require_balance()


def test_a_payment_of_one_party_that_pays_another_leaves_the_contract_account_of_the_first(desk: Desk) -> None:
    desk.send(camt([Line("10.00", "7001")]))
    payment = desk.get("/v1/payments", variable_symbol="7001")[0]["id"]
    hers = desk.open("DVORAK", "10.00", "22", account="7002")
    desk.post(f"/v1/payments/{payment}/allocate", {"items": [{"receivable": hers}]})
    owner = "SELECT a.number FROM payment p JOIN contract_account a ON a.id = p.account AND a.party = p.payer"
    assert desk.sql(f"{owner} WHERE p.id = :id", id=payment) == "7002"


def test_credits_are_set_off_as_a_document(desk: Desk) -> None:
    debt = desk.open("NOVAK", "100.00", "61")
    credit = desk.open("NOVAK", "-30.00", "62", kind="credit")
    desk.open("NOVAK", "20.00", "63", date(2026, 3, 1))
    order = {"seller": "LDS", "payer": "NOVAK", "reason": "dohoda"}
    made = desk.post("/v1/set-offs", {**order, "only": [debt, credit]}, 201)
    assert (made["total"], desk.rest(debt), desk.rest(credit)) == ("30.00", "70.00", "0.00")
    assert desk.client.get(f"/v1/set-offs/{made['id']}/pdf").content.startswith(b"%PDF")
    assert desk.post("/v1/set-offs", order, 409)["code"] == "nothing_to_set_off"
    assert desk.post("/v1/set-offs", {**order, "only": [debt, 999_999]}, 409)["code"] == "not_open"
    desk.require_balance()


def _document(
    desk: Desk, connection: Connection, symbol: str, amount: str, original: int | None = None
) -> tuple[int, int]:
    """A document and its open item."""
    insert = """
        INSERT INTO invoice (number, kind, document_type, state, supplier, payer, issue_date, tax_date, due_date,
            variable_symbol, net, vat, gross, deducted, payable, currency, vat_rows, language, issued_at, issued_by,
            original, reason)
        VALUES (:number, 'regular', 1, 'issued', :seller, :payer, '2026-03-01', '2026-02-28', '2026-03-05', '1',
            :amount, 0, :amount, 0, :amount, 'CZK', '[]', 'cs', now(), 'x', :original, :reason) RETURNING id"""
    sides = {"seller": desk.parties["LDS"], "payer": desk.parties["NOVAK"]}
    values = {"number": symbol, "amount": amount, "original": original, "reason": original and "oprava", **sides}
    document: int = connection.execute(text(insert), values).scalar_one()
    new = NewReceivable(
        kind="credit" if amount < "0" else "invoice", number=symbol, variable_symbol=symbol, invoice=document,
        issued_on=date(2026, 3, 1), due=date(2026, 3, 5), amount=Decimal(amount), **sides,
    )  # fmt: skip
    return document, open_receivable(connection, new)


def test_what_corrects_a_correction_is_set_off_against_the_first_document(desk: Desk) -> None:
    person = Person("Jana", frozenset())
    with transaction(desk.engine) as connection:
        first, debt = _document(desk, connection, "91", "1000.00")
        second, credit = _document(desk, connection, "92", "-300.00", first)
        assert settle_corrected(connection, [(second, first)], person, desk.clock.now()) == 1
        # two documents of one act, both about the correction; what the original does not owe any more stays free
        third, more = _document(desk, connection, "93", "-200.00", second)
        fourth, most = _document(desk, connection, "94", "-600.00", second)
        assert settle_corrected(connection, [(third, second), (fourth, second)], person, desk.clock.now()) == 2
    assert [desk.rest(item) for item in (debt, credit, more, most)] == ["0.00", "0.00", "0.00", "-100.00"]
    desk.require_balance()


def test_a_cancelled_document_of_which_a_part_was_paid(desk: Desk) -> None:
    with transaction(desk.engine) as connection:
        original, debt = _document(desk, connection, "91", "1000.00")
        cancelling, credit = _document(desk, connection, "92", "-1000.00")
    desk.send(camt([Line("400.00", "91")]))
    assert [row["number"] for row in desk.get("/v1/reminders/due")] == ["91"]
    with transaction(desk.engine) as connection:
        person = Person("Jana", frozenset())
        assert settle_corrected(connection, [(cancelling, original)], person, desk.clock.now()) == 1
    # 600 were not paid and are asked for no more; what was paid is the credit note's rest, and all that is given back
    assert (desk.rest(debt), desk.rest(credit)) == ("0.00", "-400.00")
    assert desk.get("/v1/reminders/due") == []
    refund = desk.post("/v1/refunds", {"sources": [{"kind": "credit", "id": credit}], "reason": "storno"}, 201)
    assert (refund["amount"], refund["iban"]) == ("400.00", CUSTOMER_ACCOUNT)
    desk.require_balance()


def test_one_credit_is_refunded_once_though_two_ask_at_the_same_time(desk: Desk) -> None:
    desk.send(camt([Line("130.00", "7001")]))
    payment = desk.get("/v1/payments", variable_symbol="7001")[0]["id"]
    order = {"sources": [{"kind": "payment", "id": payment}], "reason": "přeplatek"}
    with ThreadPoolExecutor(4) as pool:
        asked = list(pool.map(lambda _: desk.client.post("/v1/refunds", json=order).status_code, range(4)))
    assert sorted(asked) == [201, 409, 409, 409]
    assert desk.sql("SELECT sum(amount) FROM refund") == Decimal("130.00")
    # an order for the bank holds it once, too
    bank = {"seller": "LDS", "form": "abo", "due": "2026-03-23"}
    with ThreadPoolExecutor(2) as pool:
        sent = list(pool.map(lambda _: desk.client.post("/v1/payment-orders", json=bank).status_code, range(2)))
    assert sorted(sent) == [201, 409]
    # one payment of two statements in one moment: booked once, matched once
    item = desk.open("DVORAK", "70.00", "55")
    files = [form([Line("70.00", "55")], number=9, old="500.00") for form in (abo, camt)]
    with ThreadPoolExecutor(2) as pool:
        assert sorted(each["payments"] for each in pool.map(desk.send, files)) == [0, 1]
    assert (desk.rest(item), desk.sql("SELECT count(*) FROM payment WHERE symbol = 55")) == ("0.00", 1)
    desk.require_balance()


def test_what_is_closed_waits_for_whoever_matches(desk: Desk) -> None:
    item = desk.open("NOVAK", "100.00", "51")
    person, now = Person("Jana", frozenset()), desk.clock.now()
    with transaction(desk.engine) as matching:
        lock_payments(matching)
        with pytest.raises(OperationalError, match="lock timeout"), transaction(desk.engine) as other:
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            close_by(other, [item], "odpis", person, now)
    with transaction(desk.engine) as connection:
        assert close_by(connection, [item], "odpis", person, now) == Decimal("100.00")


def test_a_movement_from_before_its_refund_has_nothing_to_do_with_it(desk: Desk) -> None:
    out = Line("-30.00", "7001", day=date(2026, 3, 18))
    desk.send(abo([Line("130.00", "7001"), out, Line("30.00", "0", day=date(2026, 3, 18))]))
    payment = desk.get("/v1/payments", variable_symbol="7001", state="booked")[0]["id"]
    early = {way: desk.get("/v1/payments", parked=way)[0]["id"] for way in ("outgoing", "no_symbol")}
    source = {"kind": "payment", "id": payment, "amount": "30.00"}
    refund = desk.post("/v1/refunds", {"sources": [source], "reason": "přeplatek"}, 201)["id"]
    desk.post("/v1/payment-orders", {"seller": "LDS", "form": "abo", "due": "2026-03-23"}, 201)
    # paid out by hand on the 18th, ordered on the 20th: the bank will pay a second time, and that one executes it
    assert desk.post("/v1/payments/match")["refunds"] == 0
    why = {"reason": "podle výpisu"}
    assert desk.post(f"/v1/refunds/{refund}/execute", {"payment": early["outgoing"], **why}, 409)["code"] == (
        "other_payment"
    )
    went = Line("-30.00", "7001", day=date(2026, 3, 23))
    assert desk.send(abo([went], number=2, old="1130.00"))["matched"]["refunds"] == 1
    refused = desk.post(f"/v1/refunds/{refund}/return", {"payment": early["no_symbol"], **why}, 409)
    assert "2026-03-23 or later" in refused["message"]
    assert desk.get("/v1/refunds")[0]["state"] == "executed"


def test_one_statement_in_two_forms_that_say_different_things_is_booked_once(desk: Desk) -> None:
    item = desk.open("NOVAK", "100.00", "51")
    desk.send(abo([Line("100.00", "51"), Line("250.00", "0", counter="0/0000"), Line("-20.00", "0")]))
    # the other form knows the account of one and the symbol of another
    again = desk.send(camt([Line("100.00", "51"), Line("250.00", "77"), Line("-20.00", "308")]))
    assert (again["payments"], again["repeated"]) == (0, 3)
    # one tells a batch as a sum, the other one its movements
    day = date(2026, 3, 17)
    desk.send(abo([Line("150.00", "88", day=day)], number=2, old="1330.00"))
    parts = [Line("100.00", "61", day=day), Line("50.00", "62", day=day)]
    again = desk.send(camt(parts, number=2, old="1330.00"))
    assert (again["payments"], again["repeated"]) == (0, 2)
    assert desk.sql("SELECT count(*) FROM payment") == 4
    assert desk.rest(item) == "0.00"


def test_reminders_climb_the_levels_with_fee_and_penalty(desk: Desk) -> None:
    item = desk.open("NOVAK", "1000.00", "71", date(2026, 3, 10), account="7001")
    desk.open("DVORAK", "1000.00", "72", date(2026, 3, 15))
    levels = [
        {"level": 1, "days_after_due": 7, "fee": "0", "pay_within_days": 5, "wording": "Prosíme o úhradu."},
        {"level": 2, "days_after_due": 20, "fee": "50", "penalty_daily_percent": "0.05", "pay_within_days": 5,
         "wording": "Podruhé."},
    ]  # fmt: skip
    answer = desk.client.put("/v1/reminder-levels", json={"levels": levels, "reason": "ceník"})
    assert answer.status_code == 200, answer.text
    assert [row["number"] for row in desk.get("/v1/reminders/due")] == ["71"]
    first = desk.post("/v1/reminders", {}, 201)["reminders"]
    assert desk.post("/v1/reminders", {}, 201)["reminders"] == []
    assert desk.client.get(f"/v1/reminders/{first[0]}/pdf").content.startswith(b"%PDF")
    desk.clock.advance(timedelta(days=11))
    second = desk.post("/v1/reminders", {"payers": ["NOVAK"]}, 201)["reminders"]
    row = desk.get("/v1/reminders", level="2")[0]
    # 21 days at 0.05 % of 1000 = 10.50, and the fee
    assert (row["id"], row["amount"]) == (second[0], "1060.50")
    assert desk.rest(item) == "1000.00"
    assert {row["kind"]: row["rest"] for row in desk.get("/v1/receivables", account_number="7001")} == {
        "invoice": "1000.00", "fee": "50.00", "penalty": "10.50",
    }  # fmt: skip


def test_a_later_reminder_asks_for_earlier_fees_and_penalties_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open("NOVAK", "1000.00", "71", date(2026, 3, 10), account="7001")
    wording = {"penalty_daily_percent": "0.1", "pay_within_days": 5, "wording": "Prosíme o úhradu."}
    levels = [
        {"level": 1, "days_after_due": 10, "fee": "50", **wording},
        {"level": 2, "days_after_due": 20, "fee": "100", **wording},
    ]
    assert desk.client.put("/v1/reminder-levels", json={"levels": levels, "reason": "ceník"}).status_code == 200
    letters: list[dict[str, Any]] = []

    def kept(connection: Connection, **content: Any) -> tuple[bytes, str]:
        letters.append(content)
        return letter(connection, **content)

    monkeypatch.setattr("central.invoicing.payments.reminders.letter", kept)
    desk.post("/v1/reminders", {}, 201)
    desk.clock.advance(timedelta(days=11))
    desk.open("NOVAK", "10.00", "74", date(2026, 3, 1))  # of no account: a letter of its own, without these fees
    desk.post("/v1/reminders", {}, 201)
    amounts = {(row["level"], row["amount"]) for row in desk.get("/v1/reminders")}
    # 20 March: 10 days at 0.1 % of 1000; 31 March: 11 more days of it, of nothing else
    assert amounts == {(1, "1060.00"), (2, "1171.00"), (1, "60.30")}
    (second,) = [each for each in letters if each["title"] == "2. upomínka"]
    names = [(row[0].rsplit(" ", 1)[0] if row[2] else row[0], row[2], row[3]) for row in second["rows"]]
    assert names == [
        ("71", "21", "1\u00a0000,00 Kč"),
        ("Poplatek za upomínku", "6", "50,00 Kč"),
        ("Smluvní pokuta", "6", "10,00 Kč"),
        ("Poplatek za upomínku", "", "100,00 Kč"),
        ("Smluvní pokuta", "", "11,00 Kč"),
    ]
    assert "*AM:1171.00*" in second["payment"]
    assert desk.sql("SELECT sum(rest) FROM receivable WHERE account IS NOT NULL") == Decimal("1171.00")


def test_no_item_is_charged_twice_for_a_level_or_a_day(desk: Desk) -> None:
    old = desk.open("NOVAK", "1000.00", "71", date(2026, 3, 1), account="7001")
    wording = {"fee": "0", "pay_within_days": 5, "wording": "Prosíme o úhradu."}
    levels = [
        {"level": 1, "days_after_due": 5, **wording},
        {"level": 2, "days_after_due": 10, "penalty_daily_percent": "0.1", **wording},
        {"level": 3, "days_after_due": 20, "penalty_daily_percent": "0.1", **wording},
    ]
    assert desk.client.put("/v1/reminder-levels", json={"levels": levels, "reason": "ceník"}).status_code == 200
    desk.post("/v1/reminders", {}, 201)
    young = desk.open("NOVAK", "1000.00", "73", date(2026, 3, 12), account="7001")
    charges = []
    for days in (1, 2, 10, 20):
        desk.clock.advance(timedelta(days=days))
        made = desk.post("/v1/reminders", {}, 201)["reminders"]
        charges.append(desk.sql("SELECT sum(r.amount) FROM reminder m JOIN receivable r ON r.id = m.penalty"
                                " WHERE m.id = ANY (:made)", made=made))  # fmt: skip
    # 21 March: `old` (level 2) 20 days, `young` (level 1) nothing; 23 March: 2 more days, and the 11 of `young`;
    # 2 April: `young` (level 3) 10 more days; then there is no further level.
    assert charges == [Decimal("20.00"), Decimal("13.00"), Decimal("10.00"), None]
    for item in (old, young):
        assert desk.sql("SELECT array_agg(level ORDER BY level) FROM reminder_item WHERE receivable = :i", i=item) == [
            1, 2, 3,
        ]  # fmt: skip


def test_the_database_refuses_more_than_either_side_has(desk: Desk) -> None:
    item = desk.open("NOVAK", "100.00", "81")
    other = desk.open("DVORAK", "100.00", "82")
    desk.send(camt([Line("150.00", "81")]))
    insert = """
        INSERT INTO allocation (payment, receivable, amount, rule, made_on, made_at, made_by)
        SELECT p.id, :item, :amount, 'by hand', '2026-03-20', now(), 'x' FROM payment p"""
    for values in ({"item": item, "amount": 1}, {"item": other, "amount": 1}):
        with pytest.raises(IntegrityError), transaction(desk.engine) as connection:
            connection.execute(text(insert), values)
    for statement in ("UPDATE allocation SET amount = 1", "DELETE FROM allocation"):
        with pytest.raises(IntegrityError), transaction(desk.engine) as connection:
            connection.execute(text(statement))
    desk.require_balance()


def test_pieces_of_a_day_are_booked_once_and_a_repeated_movement_anyway(desk: Desk) -> None:
    item = desk.open("NOVAK", "300.00", "11")
    same = Line("100.00", "11")
    assert desk.send(camt([same]))["payments"] == 1
    assert desk.send(camt([same], number=2, old="1100.00"))["payments"] == 1
    whole = desk.send(camt([same, same], number=3))
    assert (whole["payments"], whole["repeated"]) == (0, 2)
    # ABO has a reference for one of the two equal movements; each stored one is found once.
    other = desk.send(abo([Line("100.00", "11", reference="5"), same, same], number=4))
    assert (other["payments"], other["repeated"]) == (1, 2)
    assert desk.rest(item) == "0.00"
    statement = whole["statements"][0]
    order = {"places": [2], "reason": "banka potvrdila dvě platby"}
    assert len(desk.get(f"/v1/bank-statements/{statement}")["repeated"]) == 2
    made = desk.post(f"/v1/bank-statements/{statement}/book", order)
    assert desk.get(f"/v1/payments/{made['payments'][0]}")["amount"] == "100.00"
    assert [row["place"] for row in desk.get(f"/v1/bank-statements/{statement}")["repeated"]] == [1]
    assert desk.post(f"/v1/bank-statements/{statement}/book", order, 409)["code"] == "not_repeated"
    assert desk.post("/v1/bank-statements/9999/book", order, 404)["code"] == "statement_not_found"
    assert desk.sql("SELECT why FROM audit WHERE act = 'payment.book_anyway'") == order["reason"]
    # Read again after that, it is known, movement by movement.
    again = desk.send(camt([same, same], number=3).replace(b"<MsgId>M", b"<MsgId>N"))
    assert (again["payments"], again["repeated"]) == (0, 2)
    assert desk.sql("SELECT count(*) FROM payment") == 4


def test_a_symbol_that_is_an_account_number_books_no_other_currency(desk: Desk) -> None:
    desk.open("DVORAK", "10.00", "12", account="7002", currency="EUR")
    desk.send(abo([Line("5.00", "7001", currency="0978"), Line("6.00", "7002", currency="0978")]))
    parked = {row["variable_symbol"]: row["parked"] for row in desk.get("/v1/payments", state="parked")}
    assert parked == {"7001": "other_currency"}
    desk.post("/v1/payments/match")
    assert desk.get("/v1/payments", state="parked")[0]["parked"] == "other_currency"
    # what is parked is kept whole, is nobody's and pays nothing
    kept = "SELECT format('%s %s %s %s', amount, currency, rest, payer IS NULL) FROM payment WHERE state = 'parked'"
    assert desk.sql(kept) == "5.00 EUR 5.00 t"
    assert desk.sql("SELECT sum(amount) FROM allocation") == Decimal("6.00")
