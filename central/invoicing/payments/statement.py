"""A bank statement (výpis z účtu) as its reader gives it, and whether it adds up; no database, no files."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from central.platform.errors import BadInput

MOST_AMOUNT: Final = Decimal(10) ** 12
"""An amount or a balance is below this: what a numeric(14, 2) holds."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]+")
_SPACES: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Item:
    """One booked movement; `amount` is positive where money came in.

    `counter_account` is an IBAN where it can be one, else as the bank wrote it. Symbols have no leading zeros.
    `reference` is the bank's own name of the movement. `reversal`: it takes an earlier movement back (storno).
    """

    place: int
    booked_on: date
    amount: Decimal
    currency: str | None
    value_on: date | None = None
    counter_account: str | None = None
    counter_name: str = ""
    variable_symbol: str | None = None
    constant_symbol: str | None = None
    specific_symbol: str | None = None
    message: str = ""
    reference: str | None = None
    reversal: bool = False


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of one account. `account` is an IBAN, or the 16 digits (prefix, number) that ABO has.

    `debit` and `credit` are the turnovers that the bank states, None where it states none; `currency` is None where the
    form does not say it (ABO). `pending` entries are not booked yet by the bank and therefore not among the items.
    """

    form: str
    account: str
    number: str
    first_day: date | None
    last_day: date
    currency: str | None
    old_balance: Decimal
    new_balance: Decimal
    debit: Decimal | None
    credit: Decimal | None
    items: list[Item]
    pending: int = 0


def require_sums(statement: Statement) -> None:
    """BadInput with the numbers where old balance + movements is not the new balance, or turnovers are not theirs."""
    named = f"Statement {statement.number} of account {statement.account} of {statement.last_day}"
    came = sum((item.amount for item in statement.items if item.amount > 0), Decimal(0))
    went = -sum((item.amount for item in statement.items if item.amount < 0), Decimal(0))
    expected = statement.old_balance + came - went
    if expected != statement.new_balance:
        raise BadInput(
            "statement_sum",
            f"{named} does not add up: the old balance {statement.old_balance} + {came} received - {went} paid gives "
            f"{expected}, and its new balance is {statement.new_balance}. Nothing was booked; ask the bank for a whole "
            "file.",
        )
    # A reversal may be counted on its own side or taken off the other one: banks do both.
    back_in = sum((item.amount for item in statement.items if item.reversal and item.amount > 0), Decimal(0))
    back_out = -sum((item.amount for item in statement.items if item.reversal and item.amount < 0), Decimal(0))
    for word, stated, gross, taken in (
        ("credit", statement.credit, came, back_in + back_out),
        ("debit", statement.debit, went, back_in + back_out),
    ):
        if stated is not None and stated not in (gross, gross - taken):
            raise BadInput(
                "statement_turnover",
                f"{named} does not add up: its movements make a {word} turnover of {gross}, and it states {stated}. "
                "Nothing was booked; ask the bank for a whole file.",
            )


def clean(text: str | None) -> str:
    """Text of a bank without control characters, spaces at the ends and repeated ones."""
    if text and text.isprintable() and "  " not in text:  # the usual one, in a tenth of the time
        return text.strip()
    return _SPACES.sub(" ", _CONTROL.sub(" ", text or "")).strip()


def symbol(text: str | None) -> str | None:
    """A symbol without leading zeros; None where there is none (or it is 0)."""
    digits = (text or "").strip().lstrip("0")
    return digits if digits.isascii() and digits.isdigit() and len(digits) <= 10 else None
