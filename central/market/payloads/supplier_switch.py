"""CDSSWITCH: a change of supplier (změna dodavatele) asked for, and what the distributor says to it (vyjádření PDS).

Documented: the types R1, S4 and P1, the statement of the distributor and its times (to R1 by 10:15, to S4 by 15:00 of
the last day before; to P1 silence is consent). Types S1 and S2, the format's name and the layout are ours; the
operator's own messages probably belong to its master data family.
"""

from collections.abc import Iterator
from datetime import date
from typing import Final, Literal

import msgspec

from central.market.payloads.days import backward

FORMAT: Final = "CDSSWITCH"


class ChangeOfSupplier(msgspec.Struct, frozen=True, kw_only=True):
    """A request (žádost): S1 standard, S2 fast, S4 after an unauthorised take, R1 new connection, P1 prolongation.

    `balance_party` is the EAN of the new balance party (subjekt zúčtování).
    """

    request: str
    opm: str
    kind: Literal["standard", "fast", "after_unauthorised", "new_connection", "prolongation"]
    first_day: date
    new_supplier: str
    balance_party: str
    last_day: date | None = None
    old_supplier: str | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """Consent or refusal (souhlas, nesouhlas) of a party to a request; a refusal says why."""

    request: str
    party: Literal["distributor", "balance_party", "old_supplier"]
    result: Literal["accept", "reject"]
    reason: Literal["withdrawal", "not_connected", "no_contract", "interrupted", "other_request", "other"] | None = None
    text: str | None = None


class SupplierSwitch(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: requests, statements or both."""

    changes: list[ChangeOfSupplier] = []
    statements: list[Statement] = []


def problems(data: SupplierSwitch) -> list[str]:
    """What the other side would refuse, one sentence each."""
    if not data.changes and not data.statements:
        return ["The message has neither a request nor a statement."]
    return [*_of_changes(data.changes), *_of_statements(data.statements)]


def _of_changes(changes: list[ChangeOfSupplier]) -> Iterator[str]:
    for change in changes:
        yield from backward(f"The supply asked for by {change.request} at {change.opm}", change)
        if change.kind in {"standard", "fast"} and change.old_supplier == change.new_supplier:
            yield f"The request {change.request} changes the supplier {change.new_supplier} to itself."


def _of_statements(statements: list[Statement]) -> Iterator[str]:
    for statement in statements:
        what = f"The statement on the request {statement.request}"
        if statement.result == "reject" and statement.reason is None:
            yield f"{what} is a refusal without a reason."
        if statement.result == "accept" and statement.reason is not None:
            yield f"{what} is a consent and has the reason {statement.reason} of a refusal."
        if statement.reason == "other" and statement.text is None:
            yield f"{what} has another reason and no text that names it."
