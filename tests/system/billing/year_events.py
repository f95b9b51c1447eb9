"""What happens in the year beside its turn: what goes wrong, what changes, and how the year is closed."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from tests.system.billing import year_bills as bills
from tests.system.billing.year_acts import Year, first_of
from tests.system.billing.year_desk import WHY
from tests.system.billing.year_site import ACCOUNTS, BAKERY, HALL, LOW, bind, dearer_package, publish, read_state
from tests.system.payments_rig import Line

D = Decimal
OVERPAID = D("300.00")


def turn(year: Year, month: int) -> None:
    """The second day of a month: what is over is read and billed, then the month's advances are sent."""
    if month in (4, 7, 10):
        year.read_quarter(month)
        year.bill_quarter(month)
    if month == 7:
        price_change(year)
    if month == 10:
        year.read_hall(9, "M6", slice(15, None))
    elif month > 1:
        year.read_hall(month - 1, "M3" if month < 10 else "M6")
    if month > 1:
        year.bill_hall(month - 1)
    if month == 5:
        remind(year)
    if month == 6:
        year.propose("R/S1", first_of(6))
        year.propose("R/S2", first_of(6))
    if month == 11:
        set_off(year)


def pay(year: Year, month: int, advances: dict[str, dict[str, Any]]) -> None:
    """The middle of a month: the bank's statement with invoices and advances, some of them not as asked for."""
    day = date(2026, month, 15)
    lines, wrong = year.pay_debts(day), 0
    for party, advance in advances.items():
        amount = D(advance["amount"])
        match month, party:
            case 2, "DILNA":
                year.ledger.unknown += amount
                lines.append(Line(f"{amount}", "99990000", "1000000005/2700", name="KDOSI", day=day))
                wrong = 1
            case 3, "NOVAK":
                year.ledger.advance(party, amount)
                lines.append(year.line(party, amount + OVERPAID, advance["number"], day))
            case 4, "NOVAK":  # nothing comes; what was overpaid in March goes to it
                year.ledger.advance(party, OVERPAID)
                year.missed = advance
            case _:
                lines.append(year.pay_advance(advance, day))
    booked = year.desk.bank(lines)
    assert (booked["payments"], booked["parked"], booked["repeated"]) == (len(lines), wrong, 0)


def wrong_symbol(year: Year) -> None:
    """A payment that nobody knows is assigned by hand, and settles the advance that it was meant for."""
    desk = year.desk
    desk.on(date(2026, 2, 20))
    (parked,) = desk.get("payments", state="parked")
    assert parked["parked"] == "unknown_symbol"
    desk.post(f"payments/{parked['id']}/assign", {"payer": "DILNA", "reason": "podle jména"})
    (item,) = desk.get("receivables", payer_code="DILNA", is_open="true")
    desk.post(f"payments/{parked['id']}/allocate", {"items": [{"receivable": item["id"]}]})
    amount = D(parked["amount"])
    year.ledger.unknown -= amount
    year.ledger.of("DILNA").paid += amount
    year.ledger.advance("DILNA", amount)


def remind(year: Year) -> None:
    """The advance of April is reminded of, with a fee, and paid."""
    desk = year.desk
    levels = [{"level": 1, "days_after_due": 7, "fee": "50", "pay_within_days": 10, "wording": "Prosíme o úhradu."}]
    assert desk.client.put("/v1/reminder-levels", json={"levels": levels, "reason": "ceník"}).is_success
    desk.post("reminders", {}, 201)
    (letter,) = desk.get("reminders")
    rest = D(year.missed["amount"]) - OVERPAID
    assert (letter["payer_code"], D(letter["amount"])) == ("NOVAK", rest + 50)
    year.ledger.of("NOVAK").fees += D(50)
    year.ledger.hold(desk)
    year.ledger.advance("NOVAK", rest)
    desk.bank([year.line("NOVAK", rest + 50, year.missed["number"], date(2026, 5, 2))])
    year.ledger.hold(desk)


def supplier_change(year: Year) -> None:
    """From 16 May the bakery's services are combined with the other supplier's."""
    desk = year.desk
    read_state(desk, "M4", date(2026, 5, 16), 441_000, "change_of_supplier")
    (item,) = [each for each in desk.get("contracts/R/S1/items") if each["ean"] == BAKERY]
    desk.act(f"contract-items/{item['id']}", "close", {"on": "2026-05-16"})
    contract = {"number": "R/S2", "kind": "framework", "customer": "S2", "valid_from": "2026-05-16",
                "statement_months": 3, "advance_months": 1, "advance_amount": "1500",
                "items": [{"supply_point": BAKERY, "prices": "CEZ", **LOW[BAKERY]}]}  # fmt: skip
    desk.post("contracts", contract)
    desk.act(f"supply-points/{BAKERY}", "revise", {"since": "2026-05-16", "supplier": "S2"})


def price_change(year: Year) -> None:
    """From 1 July system services cost more; the household gets a preliminary bill of the first half of the year."""
    desk = year.desk
    package = dearer_package("2026.900", "2026-07-01", "system_services", f"{bills.SYSTEM_AFTER}")
    publish(desk, package)
    read_state(desk, "M1", first_of(7), 301_000)
    read_state(desk, "M2", first_of(7), 401_000)
    desk.serve()
    half = {"from": "2026-01-01", "to": "2026-07-01", "statement": "preliminary"}
    year.update({"contracts": [year.contract("N/1")], **half})
    (document,) = year.bill("N/1")
    year.ledger.take(document, "NOVAK", first_half())


def first_half() -> list[bills.Line]:
    return bills.low(bills.HOUSE, Fraction(6), [("3", bills.SYSTEM_BEFORE)], rent=True)


def move_out(year: Year) -> None:
    """The workshop leaves on 20 August: its final bill with its advances, and what is too much back to its account."""
    desk = year.desk
    desk.on(date(2026, 8, 21))
    read_state(desk, "M2", date(2026, 8, 20), 501_000, "change_of_customer")
    desk.act("contracts/D/1", "close", {"on": "2026-08-20"})
    desk.serve()
    year.approve(desk.post("settlement/final", {"contract": year.contract("D/1"), "end": "2026-08-20", **WHY})["run"])
    (document,) = year.bill("D/1")
    months = 7 + Fraction(19, 31)
    lines = bills.low(bills.SHOP, months, [("4", bills.SYSTEM_BEFORE), ("1", bills.SYSTEM_AFTER)])
    year.ledger.take(document, "DILNA", lines, settles=True)
    year.ledger.hold(desk)
    assert year.ledger.of("DILNA").left == 0
    too_much = -year.ledger.of("DILNA").owes
    (credit,) = desk.get("receivables", kind="credit", is_open="true")
    order = {"sources": [{"kind": "credit", "id": credit["id"]}], "reason": "přeplatek konečného vyúčtování"}
    refund = desk.post("refunds", order, 201)
    assert (D(refund["amount"]), refund["iban"]) == (too_much, "CZ0820100000002600123454")
    desk.post("payment-orders", {"seller": "LDS", "form": "abo", "due": "2026-08-24"}, 201)
    year.ledger.of("DILNA").refunded += too_much
    went = Line(f"-{too_much}", refund["variable_symbol"], ACCOUNTS["DILNA"], day=date(2026, 8, 24))
    assert desk.bank([went])["matched"]["refunds"] == 1
    assert desk.get("refunds")[0]["state"] == "executed"
    assert {row["state"] for row in desk.get("advances", contract_number="D/1")} == {"deducted"}


def failed_meter(year: Year) -> None:
    """The hall's meter died on 10 September: three days are estimated, another meter hangs since the 13th."""
    desk = year.desk
    year.read_hall(9, "M3", slice(9))
    spec = {"id": "M6", "serial": "SM6", "model": "dlms", "commodity": "electricity", "concentrator": "K1"}
    desk.post("meters", spec)
    mounted = {"meter": "M6", "template": "dlms-electricity-profile", "directions": ["A+", "JT"],
               "supply_point": HALL, "states": [{"register": "1-0:1.8.0", "value": 0}]}  # fmt: skip
    removed = {"meter": "M3", "states": [{"register": "1-0:1.8.0", "value": 242_880_000}]}
    body = {"at": "2026-09-13T00:00:00+02:00", "reason": "porucha", "removed": removed, "mounted": mounted}
    act = desk.post("measuring-points/P-M3/exchange", body, 201)
    assert [each["role"] for each in act["documents"]] == ["protocol"]
    protocol = desk.client.get(f"/v1/documents/{act['documents'][0]['id']}/content")
    assert protocol.content.startswith(b"%PDF")
    bind(desk, "M6")
    year.read_hall(9, "M6", slice(12, 15))
    desk.miss()
    estimated = desk.rows("""
        SELECT day, version, made_by FROM day_profile p
         WHERE made_by = 'estimation' AND NOT EXISTS (
               SELECT FROM day_profile n WHERE n.channel = p.channel AND n.day = p.day AND n.version > p.version)
         ORDER BY day""")
    assert [row.day for row in estimated] == [date(2026, 9, day) for day in (10, 11, 12)]


def complaint(year: Year) -> None:
    """In March a quarter of a day was counted too high: found as it is edited, corrected with a document of its own."""
    desk = year.desk
    desk.on(date(2026, 10, 20))
    channel = desk.sql(
        "SELECT c.id FROM channel c JOIN supply_point sp ON sp.id = c.supply_point"
        " WHERE sp.ean = :ean AND c.direction = 'A+' AND c.kind = 'interval'",
        ean=HALL,
    )
    # two hours of the afternoon at a third: 80 kWh less
    edit = {"channel": channel, "day": "2026-03-17", "first": 40, "values": [5_000] * 8}
    seen = desk.post("edits/preview", edit)
    desk.post("edits", {**edit, "reason": "reklamace 12/2026", "based_on": seen["version"]})
    desk.serve()
    looked = desk.post("corrections/look", {"from": "2026-01-01", "to": "2026-10-01"})
    assert (looked["open"], looked["left_out"]) == (1, [])
    (found,) = desk.get("corrections", state="open")
    assert (found["ean"], found["period_from"]) == (HALL, "2026-03-01")
    order = {"corrections": [found["id"]], "why": "reklamace 12/2026 uznána"}
    desk.post("corrections/order", order, 201)
    (document,) = year.bill("H/1")
    changed = {bills.NETWORKS, bills.SYSTEM}
    was = bills.negative(bills.hall(first_of(3), first_of(4)))
    now = bills.hall(first_of(3), first_of(4), changed=-80)
    lines = [line for line in (*was, *now) if line[0] in changed]
    year.ledger.take(document, "HUT", lines, before=bills.negative(was))
    march = desk.sql("SELECT number FROM invoice WHERE kind = 'regular' AND tax_date = '2026-03-31'")
    said = (document["document_type"], document["original"]["number"], document["reason"])
    assert said == (2, march, "reklamace 12/2026 uznána")
    # 80 kWh by 106.22 and 164.24 Kč/MWh: 8.50 and 13.14 less, each line rounded by itself, and 21 %
    assert (D(document["net"]), D(found["difference"])) == (D("-21.63"), D("-21.63"))


def set_off(year: Year) -> None:
    """What the correction gave back is set off against the invoice of October."""
    credit = -sum((D(row["rest"]) for row in year.desk.get("receivables", kind="credit", is_open="true")), D(0))
    order = {"seller": "LDS", "payer": "HUT", "reason": "zápočet opravného dokladu"}
    made = year.desk.post("set-offs", order, 201)
    assert D(made["total"]) == credit == D("26.17")
    (debt,) = [debt for debt in year.debts if debt.party == "HUT" and debt.amount > 0]
    debt.amount -= credit


def close_year(year: Year) -> dict[str, dict[str, dict[str, Any]]]:
    """January: accruals for the close and their opposite, the last bills, the annual statement, and its payment."""
    desk = year.desk
    desk.on(date(2027, 1, 2))
    year.read_hall(12, "M6")
    year.read_quarter(13)
    read_state(desk, "M1", first_of(13), 651_000)
    desk.serve()
    done = {"accrual": work(year, "accrual")}
    year.ledger.hold(desk)
    done["accrual_cancel"] = work(year, "accrual_cancel")
    year.ledger.hold(desk)
    year.bill_hall(12)
    year.bill_quarter(13)
    done["annual"] = work(year, "annual")
    number = desk.sql("SELECT number FROM invoice WHERE kind = 'annual' ORDER BY id DESC LIMIT 1")
    whole = [("3", bills.SYSTEM_BEFORE), ("3.5", bills.SYSTEM_AFTER)]
    final = bills.low(bills.HOUSE, Fraction(12), whole, rent=True)
    lines = [*bills.negative(first_half()), *final]
    year.ledger.take(year.document(number), "NOVAK", lines, settles=True, before=first_half())
    year.ledger.hold(desk)
    desk.on(date(2027, 1, 16))
    desk.bank(year.pay_debts(date(2027, 1, 15)))
    year.ledger.hold(desk)
    return done


def work(year: Year, kind: str) -> dict[str, dict[str, Any]]:
    """Year-end work of a kind, to its end; what was made by contract."""
    planned = year.desk.post("year-ends", {"year": 2026, "kind": kind, **WHY}, 201)
    went = year.desk.post(f"year-ends/{planned['id']}/continue", {})
    assert (went["failed"], went["waiting"]) == (0, 0)
    return {row["contract"]: row for row in year.desk.get(f"year-ends/{planned['id']}/contracts")}
