"""The bills of the year worked out by hand: typed prices, Decimal, and none of the product's functions.

Prices are ČEZ Distribuce 2026 as in `by_hand`; from 1 July system services cost what the test's package says. A line is
(rate code, amount without VAT), rounded half up to 0.01 once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

D = Decimal
Line = tuple[int, Decimal]
PRAGUE = ZoneInfo("Europe/Prague")

BREAKER, JT, SYSTEM, INFRASTRUCTURE, CAPACITY, NETWORKS, RENT = 12, 13, 15, 9, 6, 7, 3701
SYSTEM_BEFORE, SYSTEM_AFTER = D("164.24"), D("200.00")
INFRASTRUCTURE_MONTH, RENT_MONTH = D("12.87"), D("35.00")
CAPACITY_MONTH, NETWORKS_MWH = D("25256.50"), D("106.22")
"""100 kW of yearly reserved capacity at 252,565 Kč/MW/month."""
HOUSE = (D("256"), D("2078.58"))
SHOP = (D("361"), D("2263.19"))
BAKERY = (D("462"), D("2263.19"))
CAFE = (D("105"), D("3124.85"))
"""Breaker a month, and energy a MWh: D02d 3x25 A, C02d 3x25 A, C02d 3x32 A, C01d 3x16 A."""


def cents(value: Decimal | Fraction) -> Decimal:
    exact = D(value.numerator) / D(value.denominator) if isinstance(value, Fraction) else value
    return exact.quantize(D("0.01"), rounding=ROUND_HALF_UP)


def low(
    prices: tuple[Decimal, Decimal],
    months: Fraction,
    mwh: Sequence[tuple[str, Decimal]],
    *,
    rent: bool = False,
    after: Fraction = Fraction(0),
) -> list[Line]:
    """A low-voltage bill of `months`: (energy, price of system services) by part.

    `after`: months of the same billing that another payer has before: what both pay sums to the whole, so this one
    pays the difference of two rounded sums.
    """

    def monthly(price: Decimal) -> Decimal:
        exact = Fraction(price)
        return cents(exact * (months + after)) - cents(exact * after)

    total = sum((D(energy) for energy, _ in mwh), D(0))
    lines = [(BREAKER, monthly(prices[0])), (JT, cents(total * prices[1])), (INFRASTRUCTURE, monthly(D("12.87")))]
    lines += [(SYSTEM, cents(D(energy) * price)) for energy, price in mwh]
    if rent:
        lines.append((RENT, monthly(RENT_MONTH)))
    return lines


def hall_mwh(first: date, end: date, *, changed: int = 0) -> Decimal:
    """What the hall takes: 5 kWh a quarter-hour, 15 from 6 to 18 o'clock; `changed` kWh are added."""
    at = datetime(first.year, first.month, first.day, tzinfo=PRAGUE).astimezone(UTC)
    until = datetime(end.year, end.month, end.day, tzinfo=PRAGUE).astimezone(UTC)
    kwh = 0
    while at < until:
        kwh += 15 if 6 <= at.astimezone(PRAGUE).hour < 18 else 5
        at += timedelta(minutes=15)
    return D(kwh + changed) / 1000


def hall(first: date, end: date, *, changed: int = 0) -> list[Line]:
    """A month of the hall, which stays within its reserved capacity."""
    mwh = hall_mwh(first, end, changed=changed)
    system = SYSTEM_BEFORE if first < date(2026, 7, 1) else SYSTEM_AFTER
    return [
        (CAPACITY, CAPACITY_MONTH), (NETWORKS, cents(mwh * NETWORKS_MWH)), (SYSTEM, cents(mwh * system)),
        (INFRASTRUCTURE, INFRASTRUCTURE_MONTH), (RENT, RENT_MONTH),
    ]  # fmt: skip


def negative(lines: Sequence[Line]) -> list[Line]:
    return [(rate, -amount) for rate, amount in lines]


def net(lines: Sequence[Line]) -> Decimal:
    return sum((amount for _, amount in lines), D("0.00"))
