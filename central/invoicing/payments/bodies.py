"""What the routes of payments take: parts of bodies, with their bounds."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, Field, StringConstraints

Amount = Annotated[Decimal, Field(gt=0, max_digits=14, decimal_places=2)]
Fee = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]
Percent = Annotated[Decimal, Field(gt=0, max_digits=8, decimal_places=4)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Why = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,10}$")]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Id = Annotated[int, Field(ge=1, le=2**63 - 1)]
PathId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Days = Annotated[int, Field(ge=0, le=3650)]
Day = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]


class Body(BaseModel, extra="forbid"):
    """A body that takes nothing unknown."""


class Reason(Body):
    """Why it is done."""

    reason: Why


class AnywayOrder(Body):
    """Repeated movements of a statement, by their place in it, that are none."""

    places: Annotated[list[Annotated[int, Field(ge=1, lt=2**31)]], Field(min_length=1, max_length=1000)]
    reason: Why


class ItemShare(Body):
    """An item and what of the payment goes to it; without an amount as far as both go."""

    receivable: Id
    amount: Amount | None = None


class AllocateOrder(Body):
    """Items of one payer that a payment settles."""

    items: Annotated[list[ItemShare], Field(min_length=1, max_length=1000)]


class AssignOrder(Body):
    """Whose payment it is: a party by its code, and a contract account of it."""

    payer: Line
    account: Line | None = None
    reason: Why


class SplitPart(Body):
    """A part of a payment: whose, by contract account, party or the symbol under which it owes."""

    amount: Amount
    variable_symbol: Symbol | None = None
    account: Line | None = None
    payer: Line | None = None


class SplitOrder(Body):
    """The parts, which sum to the payment."""

    parts: Annotated[list[SplitPart], Field(min_length=1, max_length=20_000)]
    reason: Why


class SettleOrder(Body):
    """A party's free money settles its items due by the day, over all contract accounts."""

    payer: Line
    seller: Line
    until: Day


class RefundSource(Body):
    """A credit: what is left of a payment, or a credit note."""

    kind: Literal["payment", "credit"]
    id: Id
    amount: Amount | None = None


class RefundOrder(Body):
    """Refund credits of one payer; without an account to the one that the money came from."""

    sources: Annotated[list[RefundSource], Field(min_length=1, max_length=1000)]
    iban: Annotated[str, StringConstraints(max_length=40, pattern=r"^[^\x00]*$")] | None = None
    reason: Why


class BankOrder(Body):
    """A file for the bank of ordered refunds; without `refunds` of all."""

    seller: Line
    form: Literal["abo", "pain001"]
    due: Day
    refunds: Annotated[list[Id], Field(min_length=1, max_length=20_000)] | None = None


class MeetOrder(Body):
    """The movement of the bank that executed a refund, or brought it back."""

    payment: Id
    reason: Why


class SetOffOrder(Body):
    """Set a party's credits off against its debts; `only` these items, or debts due `until` a day."""

    seller: Line
    payer: Line
    currency: Currency = "CZK"
    only: Annotated[list[Id], Field(min_length=2, max_length=10_000)] | None = None
    until: Day | None = None
    reason: Why


class RemindOrder(Body):
    """Make the letters that are due; without `payers` for all."""

    payers: Annotated[list[Line], Field(min_length=1, max_length=10_000)] | None = None


class LevelIn(Body):
    """One level of reminders."""

    level: Annotated[int, Field(ge=1, le=20)]
    days_after_due: Days
    fee: Fee
    penalty_daily_percent: Percent | None = None
    pay_within_days: Days
    wording: Why


class LevelsOrder(Body):
    """All levels of reminders."""

    levels: Annotated[list[LevelIn], Field(max_length=20)]
    reason: Why


class RuleIn(Body):
    """One rule of matching."""

    rule: Literal["exact", "symbol", "account"]
    active: bool


class RulesOrder(Body):
    """All rules of matching, in their order."""

    rules: Annotated[list[RuleIn], Field(min_length=3, max_length=3)]
    reason: Why


class ExportOrder(Body):
    """Hand a period of a seller to the accounting; `until` is exclusive."""

    seller: Line
    since: Day
    until: Day
