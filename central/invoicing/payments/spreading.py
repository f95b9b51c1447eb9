"""How money is spread over items: oldest due first, each as far as the money goes. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Due:
    """An open item: its id, the day on which it is due, and what is left of it (more than 0)."""

    id: int
    due: date
    rest: Decimal


def spread(money: Decimal, items: Sequence[Due]) -> tuple[list[tuple[int, Decimal]], Decimal]:
    """(item, part) for each item that gets some of the money, and what is left of the money."""
    parts: list[tuple[int, Decimal]] = []
    for item in sorted(items, key=lambda item: (item.due, item.id)):
        if money <= 0:
            break
        part = min(money, item.rest)
        parts.append((item.id, part))
        money -= part
    return parts, money


def net(credits: Sequence[Due], debts: Sequence[Due]) -> list[tuple[int, int, Decimal]]:
    """(credit, debt, part): credits and debts in their order against each other, until one side is used up."""
    parts: list[tuple[int, int, Decimal]] = []
    left = {debt.id: debt.rest for debt in debts}
    for credit in sorted(credits, key=lambda item: (item.due, item.id)):
        open_debts = [Due(debt.id, debt.due, left[debt.id]) for debt in debts if left[debt.id] > 0]
        taken, _ = spread(credit.rest, open_debts)
        for debt, part in taken:
            parts.append((credit.id, debt, part))
            left[debt] -= part
    return parts
