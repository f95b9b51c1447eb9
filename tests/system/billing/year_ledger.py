"""The ledger that the year is held against: what each party was billed, paid in advance, paid and got back.

It is kept by the test in Decimal from what the test itself knows; nothing in it asks the product. `hold` then compares
it with what the product says, to the haléř.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.system.billing.year_bills import Line, cents, net
from tests.system.billing.year_desk import Desk

D = Decimal
ZERO = D("0.00")


@dataclass
class Deposit:
    """A received advance: its VAT from inside, and what bills took of both."""

    amount: Decimal
    taken: Decimal = ZERO

    @property
    def vat(self) -> Decimal:
        return cents(self.amount * 21 / 121)

    def vat_of(self, taken: Decimal) -> Decimal:
        """The VAT in the first `taken` of it."""
        return cents(self.vat * taken / self.amount)


@dataclass
class Account:
    """Sums of one party with the operator; VAT is at 21 % throughout."""

    billed: Decimal = ZERO
    net: Decimal = ZERO
    vat: Decimal = ZERO
    fees: Decimal = ZERO
    paid: Decimal = ZERO
    refunded: Decimal = ZERO
    deposits: list[Deposit] = field(default_factory=list)
    """Of what was paid: what came for advances, in the order of their months."""
    deducted_vat: Decimal = ZERO

    @property
    def advanced(self) -> Decimal:
        return sum((each.amount for each in self.deposits), ZERO)

    @property
    def deducted(self) -> Decimal:
        return sum((each.taken for each in self.deposits), ZERO)

    @property
    def left(self) -> Decimal:
        """Received advances that no bill has deducted yet."""
        return self.advanced - self.deducted

    @property
    def advances_vat(self) -> Decimal:
        return sum((each.vat for each in self.deposits), ZERO)

    @property
    def owes(self) -> Decimal:
        """What the party owes beside its advances; negative: what it is owed."""
        return self.billed + self.fees - self.deducted - (self.paid - self.advanced) + self.refunded

    def deduct(self, amount: Decimal) -> Decimal:
        """Take off the oldest deposits; the VAT in what was taken."""
        vat = ZERO
        for each in self.deposits:
            taken = min(each.amount - each.taken, amount)
            vat += each.vat_of(each.taken + taken) - each.vat_of(each.taken)
            each.taken += taken
            amount -= taken
        assert amount == 0
        self.deducted_vat += vat
        return vat


@dataclass
class Ledger:
    accounts: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    documents: list[str] = field(default_factory=list)
    unknown: Decimal = ZERO
    """Came, and nobody knows from whom."""

    def of(self, party: str) -> Account:
        return self.accounts[party]

    def sum(self, name: str) -> Decimal:
        """One sum of all parties."""
        return sum((getattr(each, name) for each in self.accounts.values()), ZERO)

    @property
    def money(self) -> Decimal:
        """What the bank account has grown by."""
        return self.sum("paid") - self.sum("refunded") + self.unknown

    def advance(self, party: str, amount: Decimal) -> None:
        """What came went to an advance: taxed from inside, each payment by itself."""
        self.of(party).deposits.append(Deposit(amount))

    def take(
        self, document: Any, party: str, lines: Sequence[Line], *, settles: bool = False, before: Sequence[Line] = ()
    ) -> None:
        """An issued document against the bill that was worked out by hand.

        A bill that settles the time takes all that was paid in advance, another one no more than it bills. `before` are
        lines of the documents that it takes lines back of: together they say the VAT of what stands.
        """
        account = self.of(party)
        printed = sorted((line["rate"], D(line["amount"])) for line in document["lines"] if line["basis"] is not None)
        assert printed == sorted(lines), document["number"]
        bases = net(lines)
        vat = cents((net(before) + bases) * 21 / 100) - cents(net(before) * 21 / 100)
        gross = bases + vat
        deducted = account.left if settles else max(ZERO, min(gross, account.left))
        said = {name: D(document[name]) for name in ("net", "vat", "gross", "deducted", "payable")}
        assert said == {"net": bases, "vat": vat, "gross": gross, "deducted": deducted, "payable": gross - deducted}
        assert [(D(row["percent"]), D(row["base"]), D(row["vat"])) for row in document["vat_rows"]] == [
            (D(21), bases, vat)
        ]
        assert document["payer_code"] == party
        deducted_vat = account.deduct(deducted)
        assert sum(D(each["vat"]) for each in document["deductions"]) == deducted_vat
        account.billed += gross
        account.net += bases
        account.vat += vat
        self.documents.append(document["number"])

    def hold(self, desk: Desk) -> None:
        """The product's open items, free money and received advances come to what the ledger says, party by party."""
        open_items: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for row in desk.get("receivables", limit=1000, is_open="true"):
            if row["kind"] != "advance":
                open_items[row["payer_code"]] += D(row["rest"])
        free: dict[str | None, Decimal] = defaultdict(lambda: ZERO)
        for row in desk.get("payments", limit=1000):
            if D(row["amount"]) > 0:
                free[row["payer_code"]] += D(row["rest"])
        left: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for row in desk.get("advances/deposits", limit=1000):
            assert row["released_on"] is None
            left[row["payer_code"]] += D(row["amount"]) - D(row["deducted"])
        for party, account in self.accounts.items():
            assert open_items[party] - free[party] == account.owes, party
            assert left[party] == account.left, party
        assert free[None] == self.unknown
        assert desk.sql("SELECT coalesce(sum(amount), 0) FROM payment WHERE parent IS NULL") == self.money
