"""What the operator does at the turn of each month of the year: advances, payments, readings and bills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from shared.metering_day import MeteringDay, month_days
from shared.quantities import Commodity
from tests.system.billing import year_bills as bills
from tests.system.billing.year_desk import WHY, Desk
from tests.system.billing.year_ledger import Ledger
from tests.system.billing.year_site import ACCOUNTS, hall_file, read_state
from tests.system.payments_rig import Line

D = Decimal
BAKERY_MWH = {"until": "1.4", "since": "1.6"}
"""What the bakery used in the quarter of its change of supplier, until 16 May and since."""


def first_of(month: int) -> date:
    """The first day of a month of 2026; 13 is January 2027."""
    return date(2026 + (month - 1) // 12, (month - 1) % 12 + 1, 1)


@dataclass
class Debt:
    """An invoice that waits for the next day of payments."""

    party: str
    symbol: str
    amount: Decimal


@dataclass
class Year:
    """The desk with the test's ledger beside it."""

    desk: Desk
    ledger: Ledger = field(default_factory=Ledger)
    debts: list[Debt] = field(default_factory=list)
    missed: dict[str, Any] = field(default_factory=dict)
    """The advance that was not paid."""

    # Advances and payments

    def propose(self, contract: str, start: date) -> dict[str, Any]:
        """Put the predicted advances of twelve months into the contract's calendar."""
        order = {"contract": contract, "start": start.isoformat()}
        proposal: dict[str, Any] = self.desk.post("advance-proposals", order)
        self.desk.post("advance-proposals/accept", {**order, **WHY, "digest": proposal["digest"]})
        return proposal

    def send_advances(self, month: int) -> dict[str, dict[str, Any]]:
        """Prescribe and send what calendars ask for in a month; the advances by payer."""
        since, until = first_of(month).isoformat(), first_of(month + 1).isoformat()
        made = self.desk.post("advances/prescribe", {"since": since, "until": until})
        numbers = self.desk.post("advances/send", {"until": until}, 201)["advances"]
        assert (made["made"], made["removed"], made["left_alone"]) == (len(numbers), 0, 0)
        sent = self.desk.get("advances", limit=1000, state="sent")
        return {row["payer_code"]: row for row in sent if row["number"] in numbers}

    def line(self, party: str, amount: Decimal, symbol: str, day: date) -> Line:
        """A movement of a party's account at the bank, and its place in the ledger."""
        self.ledger.of(party).paid += amount
        return Line(f"{amount:.2f}", symbol, ACCOUNTS[party], name=party, day=day)

    def pay_advance(self, advance: dict[str, Any], day: date) -> Line:
        party, amount = advance["payer_code"], D(advance["amount"])
        self.ledger.advance(party, amount)
        return self.line(party, amount, advance["number"], day)

    def pay_debts(self, day: date) -> list[Line]:
        lines = [self.line(debt.party, debt.amount, debt.symbol, day) for debt in self.debts if debt.amount > 0]
        self.debts = []
        return lines

    # Settlement and bills

    def contract(self, number: str) -> int:
        return int(self.desk.sql("SELECT id FROM contract WHERE number = :number", number=number))

    def update(self, order: dict[str, Any]) -> None:
        """Settle what is ordered and approve it; nothing is left out."""
        for done in self.desk.post("bases/update", {**WHY, **order})["updates"]:
            self.approve(done["run"])

    def approve(self, run: int) -> None:
        assert not self.desk.rows("SELECT reason FROM settlement_omission WHERE run = :run", run=run)
        self.desk.post(f"settlement/runs/{run}/approve", {})

    def document(self, number: str) -> dict[str, Any]:
        """An issued document; what is to be paid of it waits for the next day of payments."""
        found: dict[str, Any] = self.desk.get(f"invoices/{number}")
        found["payer_code"] = self.desk.sql("SELECT code FROM party WHERE id = :id", id=found["payer"])
        self.debts.append(Debt(found["payer_code"], found["variable_symbol"], D(found["payable"])))
        return found

    def bill(self, *contracts: str) -> list[dict[str, Any]]:
        """Look at what would be issued, then issue exactly that."""
        shown = self.desk.post("invoices/preview", {"contracts": contracts})
        issued = self.desk.post("invoices", {"contracts": contracts, "token": shown["token"]})
        assert issued["left_out"] == []
        documents = [self.document(number) for number in issued["invoices"]]
        assert [each["gross"] for each in documents] == [each["gross"] for each in shown["documents"]]
        return documents

    def read_hall(self, month: int, meter: str = "M3", days: slice = slice(None)) -> None:
        """Import quarter-hours of a month of the hall."""
        first = first_of(month)
        wanted: Sequence[MeteringDay] = list(month_days(Commodity.ELECTRICITY, first.year, first.month))[days]
        name = f"{meter}-{wanted[0].date}.csv"
        assert self.desk.send("imports/VN", hall_file(wanted, meter), name=name)["state"] == "imported"
        self.desk.serve()

    def bill_hall(self, month: int) -> None:
        first, end = first_of(month), first_of(month + 1)
        order = {"month": f"{first:%Y-%m}", "scope": {"contracts": [self.contract("H/1")]}}
        self.approve(self.desk.post("settlement/runs", order, 201)["id"])
        (document,) = self.bill("H/1")
        self.ledger.take(document, "HUT", bills.hall(first, end))

    def read_quarter(self, month: int) -> None:
        """The states of both low-voltage points of the suppliers at the end of a quarter."""
        quarters = (month - 1) // 3
        read_state(self.desk, "M4", first_of(month), 1_000 + 300_000 * quarters)
        read_state(self.desk, "M5", first_of(month), 1_000 + 100_000 * quarters)
        self.desk.serve()

    def bill_quarter(self, month: int) -> None:
        """Collective invoices of the suppliers for the quarter that ends with a month's beginning."""
        end = first_of(month).isoformat()
        contracts = ["R/S1"] if month == 4 else ["R/S1", "R/S2"]
        calendars = [row for number in contracts for row in self.desk.get(f"contracts/{number}/calendar")]
        rows = [row["id"] for row in calendars if row["end"] == end]
        assert len(rows) == len(contracts)
        self.update({"calendar_rows": rows})
        documents = {each["payer_code"]: each for each in self.bill(*contracts)}
        expected = collective(month)
        assert {party: each["kind"] for party, each in documents.items()} == dict.fromkeys(expected, "collective")
        for party, lines in expected.items():
            self.ledger.take(documents[party], party, lines)


def collective(month: int) -> dict[str, list[bills.Line]]:
    """What each supplier is billed for the quarter before a month: of the bakery its own days alone."""
    system = bills.SYSTEM_BEFORE if month <= 7 else bills.SYSTEM_AFTER
    cafe = bills.low(bills.CAFE, Fraction(3), [("1", system)])
    bakery = bills.low(bills.BAKERY, Fraction(3), [("3", system)])
    if month == 4:
        return {"S1": [*bakery, *cafe]}
    if month == 7:
        begun = Fraction(1) + Fraction(15, 31)
        before = bills.low(bills.BAKERY, begun, [(BAKERY_MWH["until"], system)])
        since = bills.low(bills.BAKERY, 3 - begun, [(BAKERY_MWH["since"], system)], after=begun)
        return {"S1": [*before, *cafe], "S2": since}
    return {"S1": cafe, "S2": bakery}
