"""The month's invoices worked out by hand: from what the simulated meters truly measured, with nothing of central's.

Prices are typed from the regulator's tables (ČEZ Distribuce 2026; GasNet 2017), formulas from the price decisions.
Decimal throughout; a line is rounded half up to 0.01, VAT is taken once of their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal

from deploy.demo.site import Metering, Point
from firmware_sims.truth import Truth

D = Decimal
START = datetime(2026, 2, 28, 23, 0, tzinfo=UTC)
"""Midnight of 1 March in Prague (UTC+1)."""
END = datetime(2026, 3, 31, 22, 0, tzinfo=UTC)
"""Midnight of 1 April in Prague (UTC+2): 743 hours later, 2,972 quarter-hours."""
GAS_START = datetime(2026, 3, 1, 5, 0, tzinfo=UTC)
GAS_END = datetime(2026, 4, 1, 4, 0, tzinfo=UTC)
"""Six o'clock on 1 March and on 1 April: 743 hours."""

VAT = D("0.21")
YEARLY_CAPACITY, MONTHLY_CAPACITY, NETWORKS = D("252565"), D("281823"), D("106.22")
SYSTEM_SERVICES, INFRASTRUCTURE, REACTIVE = D("164.24"), D("12.87"), D("440")
BREAKER = {
    ("C02d", 3, 25): D("361"),
    ("C02d", 3, 32): D("462"),
    ("C01d", 3, 16): D("105"),
    ("C03d", 3, 63): D("5162"),
    ("C25d", 3, 32): D("675"),
    ("D25d", 3, 25): D("269"),
    ("D45d", 3, 25): D("555"),
    ("D57d", 3, 20): D("444"),
    ("D02d", 3, 25): D("256"),
    ("D01d", 1, 25): D("50"),
}
ENERGY = {
    "C01d": {"JT": D("3124.85")},
    "C02d": {"JT": D("2263.19")},
    "C03d": {"JT": D("993.15")},
    "D01d": {"JT": D("2666.66")},
    "D02d": {"JT": D("2078.58")},
    "C25d": {"VT": D("2208.39"), "NT": D("116.5")},
    "D25d": {"VT": D("2252.45"), "NT": D("116.5")},
    "D45d": {"VT": D("754.77"), "NT": D("116.5")},
    "D57d": {"VT": D("754.77"), "NT": D("116.5")},
}
GAS_ENERGY, GAS_CAPACITY_YEAR, CALORIFIC_VALUE = D("120.44"), D("115933.79"), D("10.6512")
REGISTER = {"VT": "1-0:1.8.1", "NT": "1-0:1.8.2"}


@dataclass(frozen=True)
class Bill:
    """Lines as (rate code, quantity, amount), and the sums."""

    lines: list[tuple[int, Decimal, Decimal]]
    maximum_kw: Decimal | None = None

    @property
    def net(self) -> Decimal:
        return sum((amount for _, _, amount in self.lines), D("0.00"))

    @property
    def vat(self) -> Decimal:
        return cents(self.net * VAT)

    @property
    def gross(self) -> Decimal:
        return self.net + self.vat


def cents(value: Decimal) -> Decimal:
    return value.quantize(D("0.01"), rounding=ROUND_HALF_UP)


def thousandths(value: Decimal) -> Decimal:
    return value.quantize(D("0.001"), rounding=ROUND_HALF_UP)


def bill(truth: Truth, point: Point) -> Bill:
    """What the point owes for March 2026."""
    if point.metering is Metering.PROFILE:
        return _high_voltage(truth, point)
    if point.metering is Metering.GAS:
        return _gas(truth, point)
    return _low_voltage(truth, point)


def _line(rate: int, quantity: Decimal, price: Decimal) -> tuple[int, Decimal, Decimal]:
    return rate, quantity, cents(quantity * price)


def _high_voltage(truth: Truth, point: Point) -> Bill:
    taken = truth.interval_values(point.meter, "1-0:1.29.0", START, END)
    inductive = truth.interval_values(point.meter, "1-0:3.29.0", START, END)
    capacitive = truth.interval_values(point.meter, "1-0:4.29.0", START, END)
    assert len(taken) == 2_972
    assert sum(inductive) * 1000 // sum(taken) <= 328, "inside the neutral band of the power factor"
    energy, maximum = D(sum(taken)) / 1_000_000, D(max(taken)) * 4 / 1000
    yearly, monthly, agreed_input = (
        D(value or 0)
        for value in (point.reserved_capacity_year_kw, point.reserved_capacity_month_kw, point.reserved_input_kw)
    )
    lines = [_line(6, yearly / 1000, YEARLY_CAPACITY)]
    if monthly:
        lines.append(_line(5, monthly / 1000, MONTHLY_CAPACITY))
    measured = thousandths(maximum / 1000) * 1000
    over_capacity, over_input = max(D(0), measured - yearly - monthly), max(D(0), measured - agreed_input)
    excesses = [
        _line(17, over_capacity, D("1.5") * MONTHLY_CAPACITY / 1000),
        _line(27, over_input, 4 * MONTHLY_CAPACITY / 1000),
    ]
    highest = max(excesses, key=lambda line: line[2])
    if highest[2]:
        lines.append(highest)
    lines.append(_line(7, thousandths(energy), NETWORKS))
    lines.append(_line(15, thousandths(energy), SYSTEM_SERVICES))
    lines.append(_line(9, D(1), INFRASTRUCTURE))
    if fed_back := thousandths(D(sum(capacitive)) / 1_000_000):
        lines.append(_line(10, fed_back, REACTIVE))
    return Bill(lines, maximum)


def _low_voltage(truth: Truth, point: Point) -> Bill:
    assert point.rate is not None
    assert point.breaker is not None
    lines = [_line(12, D(1), BREAKER[point.rate, *point.breaker])]
    total = D(0)
    for tariff, price in ENERGY[point.rate].items():
        # an SDM630 shows 10 Wh
        register, size = (REGISTER[tariff], 1) if tariff in REGISTER else ("import", 10)
        first, last = (truth.state_at(point.meter, register, at) for at in (START, END))
        energy = thousandths(D((last - first) * size) / 1_000_000)
        total += energy
        lines.append(_line(14 if tariff == "NT" else 13, energy, price))
    lines.append(_line(15, total, SYSTEM_SERVICES))
    lines.append(_line(9, D(1), INFRASTRUCTURE))
    return Bill(lines)


def _gas(truth: Truth, point: Point) -> Bill:
    hours = truth.interval_values(point.meter, "7-0:13.29.0", GAS_START, GAS_END)
    assert len(hours) == 743
    assert point.annual_mwh is not None
    assert point.annual_mwh > 63, "priced by capacity"
    energy = thousandths(D(sum(hours)) / 1000 * CALORIFIC_VALUE / 1000)
    capacity = D(point.daily_capacity_m3 or 0) / 1000
    return Bill([_line(1001, energy, GAS_ENERGY), (1019, capacity, cents(capacity * GAS_CAPACITY_YEAR / 12))])
