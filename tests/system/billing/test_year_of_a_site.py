"""A year of a model site through the API, every haléř accounted for.

Monthly advances, a change of supplier, a move-out, a change of prices, a failed meter, a complaint, and the close of
the year. The year is lived once; after each act the ledger that the test keeps by itself is held against the product.
"""

from __future__ import annotations

import csv
import io
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from typing import Any

import pytest
from lxml import etree

from central.invoicing.account import iban_of
from central.invoicing.isdoc import problems_of
from deploy.stack.local import LocalStack
from tests.system.billing.year_acts import Year, collective, first_of
from tests.system.billing.year_bills import HOUSE, SYSTEM_AFTER, hall, low, net
from tests.system.billing.year_desk import Desk, open_desk
from tests.system.billing.year_events import (
    close_year,
    complaint,
    failed_meter,
    move_out,
    pay,
    supplier_change,
    turn,
    wrong_symbol,
)
from tests.system.billing.year_site import ACCOUNTS, BAKERY, CAFE, build

D = Decimal
EVENTS = {2: wrong_symbol, 5: supplier_change, 8: move_out, 9: failed_meter, 10: complaint}
"""What happens after the day of payments of a month."""


@dataclass(frozen=True)
class Lived:
    """The year when it is over, with what the year-end work made, by kind and contract."""

    year: Year
    closed: dict[str, dict[str, dict[str, Any]]]

    @property
    def desk(self) -> Desk:
        return self.year.desk


def live(desk: Desk) -> Lived:
    year = Year(desk)
    build(desk)
    for contract in ("N/1", "D/1", "R/S1"):
        year.propose(contract, first_of(1))
    for month in range(1, 13):
        desk.on(date(2026, month, 2))
        turn(year, month)
        advances = year.send_advances(month)
        year.ledger.hold(desk)
        desk.on(date(2026, month, 16))
        pay(year, month, advances)
        year.ledger.hold(desk)
        if month in EVENTS:
            EVENTS[month](year)
            year.ledger.hold(desk)
    return Lived(year, close_year(year))


@pytest.fixture(scope="module")
def lived(stack: LocalStack, migrated_template: str) -> Iterator[Lived]:
    name = f"year_{uuid.uuid4().hex[:12]}"
    with open_desk(stack.create_database(name, template=migrated_template)) as desk:
        yield live(desk)
    stack.drop_database(name)


def test_nobody_owes_anything_and_what_is_left_of_advances_is_known(lived: Lived) -> None:
    accounts = lived.year.ledger.accounts
    assert {party: account.owes for party, account in accounts.items()} == dict.fromkeys(accounts, D("0.00"))
    assert {party for party, account in accounts.items() if account.left} <= {"S1", "S2"}


def test_bases_come_to_the_documents(lived: Lived) -> None:
    desk, ledger = lived.desk, lived.year.ledger
    billed = desk.sql("SELECT sum(amount) FROM billing_basis WHERE state = 'invoiced'")
    (documents,) = desk.rows(
        "SELECT count(*) AS issued, sum(net) AS net, sum(vat) AS vat, sum(gross) AS gross FROM invoice"
    )
    assert billed == documents.net == ledger.sum("net")
    assert (documents.vat, documents.gross) == (ledger.sum("vat"), ledger.sum("billed"))
    assert documents.issued == len(ledger.documents) == 23
    # nothing waits to be invoiced but accruals and what cancels them, and these come to nothing
    waiting = desk.rows(
        "SELECT array_agg(DISTINCT statement_type ORDER BY statement_type) AS types, sum(amount) AS amount "
        "FROM billing_basis WHERE state <> 'invoiced'"
    )
    assert [(row.types, row.amount) for row in waiting] == [([4, 11, 16], D("0.00"))]


def test_every_received_advance_is_taxed_and_deducted_once(lived: Lived) -> None:
    desk, ledger = lived.desk, lived.year.ledger
    deposits = desk.get("advances/deposits", limit=1000)
    documents = {row["number"]: row for row in desk.get("advances/documents", limit=1000)}
    assert sorted(row["document"] for row in deposits) == sorted(documents)
    for row in deposits:
        taxed = documents[row["document"]]
        assert (taxed["document_type"], taxed["payer_code"], taxed["tax_date"]) == (5, row["payer_code"],
                                                                                    row["received_on"])  # fmt: skip
        assert (taxed["gross"], taxed["vat"]) == (row["amount"], row["vat"])
    by_party: dict[str, list[Decimal]] = defaultdict(list)
    for row in sorted(deposits, key=lambda row: (row["received_on"], row["id"])):
        by_party[row["payer_code"]].append(D(row["vat"]))
    kept = {party: account for party, account in ledger.accounts.items() if account.deposits}
    assert by_party == {party: [each.vat for each in account.deposits] for party, account in kept.items()}
    taken = desk.rows("""
        SELECT d.id, d.amount, d.deducted, coalesce(sum(t.amount), 0) AS amounts, coalesce(sum(t.vat), 0) AS vat, d.vat
               AS whole
          FROM advance_deposit d LEFT JOIN advance_deduction t ON t.deposit = d.id AND t.undone_at IS NULL
         GROUP BY d.id""")
    assert all(row.amounts == row.deducted and (row.vat == row.whole or row.deducted < row.amount) for row in taken)
    assert sum(row.vat for row in taken) == ledger.sum("deducted_vat")


def test_the_suppliers_advances_have_a_part_for_each_supply_point(lived: Lived) -> None:
    desk = lived.desk
    parts = {}
    for row in desk.get("advances", payer_code="S1", limit=1000):
        shown = desk.get(f"advances/{row['id']}")
        assert sum(D(part["amount"]) for part in shown["parts"]) == D(row["amount"])
        parts[row["start"]] = {part["ean"]: D(part["amount"]) for part in shown["parts"]}
    # planned 12 and 4 MWh: three quarters and one, until the bakery goes on 16 May
    assert [len(parts[f"2026-{month:02d}-01"]) for month in range(1, 13)] == [2] * 5 + [1] * 7
    assert parts["2026-01-01"] == {BAKERY: D("3742.50"), CAFE: D("1247.50")}
    (advance,) = desk.get("advances", payer_code="S1", start="2026-01-01")
    isdoc = desk.client.get(f"/v1/advances/{advance['id']}/isdoc")
    assert problems_of(isdoc.content) == []


def test_numbers_have_no_holes(lived: Lived) -> None:
    tables = ("invoice", "advance", "advance_document", "reminder", "refund", "set_off", "payment_order")
    for table in tables:
        numbers = sorted(str(number) for (number,) in lived.desk.rows(f"SELECT number FROM {table}"))
        assert numbers, table
        for series, group in groupby(numbers, key=lambda number: number[: len(number) - 5]):
            assert [int(number[-5:]) for number in group] == list(range(1, numbers_of(numbers, series) + 1)), series


def numbers_of(numbers: list[str], series: str) -> int:
    return sum(1 for number in numbers if number[: len(number) - 5] == series)


def test_the_journal_says_the_same(lived: Lived) -> None:
    desk, ledger = lived.desk, lived.year.ledger
    sums: dict[str, Decimal] = defaultdict(lambda: D("0.00"))
    pohoda = D("0.00")
    for since, until in (("2026-01-01", "2027-01-01"), ("2027-01-01", "2027-02-01")):
        made = desk.post("journal-exports", {"seller": "LDS", "since": since, "until": until}, 201)
        content = desk.client.get(f"/v1/journal-exports/{made['id']}/csv").content.decode("utf-8-sig")
        for row in csv.DictReader(io.StringIO(content), delimiter=";"):
            amount = D(row["částka"].replace(",", "."))
            sums[row["MD"]] += amount
            sums[row["D"]] -= amount
        packed = etree.fromstring(desk.client.get(f"/v1/journal-exports/{made['id']}/pohoda").content)
        pohoda += sum(D(each.text or "") for each in packed.iter("{*}priceLowVAT", "{*}priceHighVAT"))
    assert pohoda == -sums["343000"]
    left_vat = ledger.sum("advances_vat") - ledger.sum("deducted_vat")
    assert {account: amount for account, amount in sums.items() if amount} == {
        "221000": ledger.money,
        "602000": -ledger.sum("net"),
        "343000": -(ledger.sum("vat") + left_vat),
        "324000": -ledger.sum("left"),
        "324900": left_vat,
        "648000": -ledger.sum("fees"),
    }
    # what is asked for in advance stands beside the balance and is closed by the end of the year
    beside = {"751000", "799000"}
    assert set(sums) == beside | {
        "221000", "261000", "311000", "324000", "324900", "343000", "388000", "602000", "648000",
    }  # fmt: skip


def test_the_close_accrues_what_is_not_billed_and_takes_it_back(lived: Lived) -> None:
    accrued, back = lived.closed["accrual"], lived.closed["accrual_cancel"]
    expected = {
        "H/1": net(hall(first_of(12), first_of(13))),
        "N/1": net(low(HOUSE, Fraction(6), [("3.5", SYSTEM_AFTER)], rent=True)),
        "R/S1": net(collective(13)["S1"]),
        "R/S2": net(collective(13)["S2"]),
    }
    assert {number: D(row["net"]) for number, row in accrued.items() if row["runs"]} == expected
    assert {number: -D(row["net"]) for number, row in back.items()} == expected
    assert accrued["D/1"]["runs"] == []


def test_the_annual_statement_ends_the_year_and_begins_the_next(lived: Lived) -> None:
    annual = lived.closed["annual"]
    assert sorted(annual) == ["D/1", "N/1"]
    # the workshop left in August and is settled for good already
    final = lived.desk.sql("SELECT i.number FROM invoice i JOIN party p ON p.id = i.payer WHERE p.code = 'DILNA'")
    assert (annual["D/1"]["runs"], annual["D/1"]["reason"]) == ([], f"Vyúčtováno dokladem {final}.")
    types = lived.desk.rows(
        "SELECT statement_type, sum(amount) AS amount FROM billing_basis WHERE run = :run AND state = 'invoiced'"
        " GROUP BY 1 ORDER BY 1",
        run=annual["N/1"]["runs"][-1]["id"],
    )
    assert [(row.statement_type, row.amount) for row in types] == [(5, D("-8551.68")), (6, D("18349.93"))]
    assert D(annual["N/1"]["net"]) == D("9798.25")
    # 6.5 MWh of last year by days at the prices of their months, breaker and infrastructure: 21 687.2 Kč with VAT;
    # the meter's rent: 12 x 35 Kč and VAT, 508.2 Kč
    rows = [row for row in lived.desk.get("contracts/N/1/calendar") if row["start"] >= "2027"]
    assert [row["advance_amount"] for row in rows] == ["1850.00"] * 12
    (row,) = lived.desk.rows("SELECT count(*) AS sent FROM advance WHERE period && '[2027-01-01,2028-01-01)'")
    assert row.sent == 0


def test_traces_lead_from_a_line_to_the_readings_and_back(lived: Lived) -> None:
    desk = lived.desk
    annual = desk.sql("SELECT number FROM invoice WHERE kind = 'annual' ORDER BY id DESC LIMIT 1")
    lines = {line["line_no"]: line for line in desk.get(f"invoices/{annual}")["lines"]}
    (energy,) = [number for number, line in lines.items() if line["rate"] == 13 and D(line["amount"]) > 0]
    trace = desk.get(f"invoices/{annual}/lines/{energy}/trace")
    periods = [period for source in trace["measurements"] for period in source["periods"]]
    assert [(period["from"]["value"], period["to"]["value"]) for period in periods] == [
        (1_000, 301_000), (301_000, 651_000),
    ]  # fmt: skip
    assert periods[-1]["to"]["trace"]["entered_by"] == "Provozní"
    payments = {each["payment"] for each in trace["invoice"]["deductions"]}
    paid = [desk.get(f"payments/{payment}") for payment in payments]
    assert {row["counter_account"] for row in paid} == {iban_of(ACCOUNTS["NOVAK"])}
    # the negative line leads to the preliminary bill that it takes back
    (negative,) = [number for number, line in lines.items() if line["rate"] == 13 and D(line["amount"]) < 0]
    original = desk.get(f"invoices/{annual}/lines/{negative}/trace")["related"]["original"]
    shown = desk.get(f"invoices/{original['invoice']}/lines/{original['line']}/trace")
    assert [each["invoice"] for each in shown["related"]["followed_by"]] == [annual]
    # of the corrected month: the line of March to the file that it was read from, and to what corrected it
    march, correction = desk.rows(
        "SELECT number FROM invoice WHERE kind = 'regular' AND tax_date = '2026-03-31' "
        "UNION ALL SELECT number FROM invoice WHERE kind = 'corrective'"
    )
    (networks,) = [line["line_no"] for line in desk.get(f"invoices/{march.number}")["lines"] if line["rate"] == 7]
    client = desk.get(f"invoices/{march.number}/lines/{networks}/trace", day="2026-03-17")
    ((day,),) = [source["days"] for source in client["measurements"]]
    assert (day["version"], day["newest_version"], day["batches"][0]["file_name"]) == (1, 2, "M3-2026-03-01.csv")
    assert {each["invoice"] for each in client["related"]["followed_by"]} == {correction.number}
    assert [each["number"] for each in client["invoice"]["followed_by"]] == [correction.number]
    # and back: a state names the run that billed it
    (first, *_) = desk.get("meter-states", meter="M1")
    assert first["locked_by"] == lived.closed["accrual"]["N/1"]["runs"][0]["number"]
