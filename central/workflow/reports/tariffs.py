"""Tariff statistics (tarifní statistika): points, energy and revenue of distribution by rate (sazba) or level. Pure.

Points of low voltage stand under their distribution rate, others under their level. What was billed is the sum of all
billing bases, so that what was taken back by another line stands in no sum.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

from central.workflow.reports.cells import Found, Key

OTHER: Final = "other"
"""What has a rate that the definition does not know, or none."""


@dataclass(frozen=True, slots=True)
class Billed:
    """Lines of one component under a rate: their quantity and net amount; `waiting` lines are not approved yet and
    stand in neither."""

    rate: str | None
    component: str
    quantity: Decimal
    amount: Decimal
    lines: int
    waiting: int


def statistics(
    points: Mapping[str | None, int],
    billed: Iterable[Billed],
    components: Mapping[str, Sequence[str]],
    known: Sequence[str],
) -> dict[Key, Found]:
    """By rate and column: points, what `components` sum up by column, amount.

    `known` are the rates that have a row; everything else stands under "other". A rate of which nothing was found
    stands not there at all.
    """
    found: dict[Key, Found] = {}
    counted: dict[str, int] = defaultdict(int)
    for rate, number in points.items():
        counted[_row(rate, known)] += number
    for row, number in counted.items():
        found[row, "points"] = Found(Decimal(number), "points connected on the last day")
    lines: dict[str, list[Billed]] = defaultdict(list)
    for each in billed:
        lines[_row(each.rate, known)].append(each)
    for row, several in lines.items():
        for column, names in components.items():
            some = [each for each in several if each.component in names]
            if some:
                found[row, column] = _summed(some, [each.quantity for each in some])
        found[row, "amount"] = _summed(several, [each.amount for each in several])
    return found


def _row(rate: str | None, known: Sequence[str]) -> str:
    return rate if rate is not None and rate in known else OTHER


def _summed(several: Sequence[Billed], values: Sequence[Decimal]) -> Found:
    lines, waiting = sum(each.lines for each in several), sum(each.waiting for each in several)
    rates = sorted({each.rate or "without a rate" for each in several})
    text = f"{lines} billing bases of {', '.join(rates)}"
    if waiting:
        text += f"; {waiting} more are not approved and not counted"
    with localcontext(prec=40):
        total = sum(values, Decimal(0))
    return Found(total, text, {"lines": lines, "waiting": waiting, "rates": rates})
