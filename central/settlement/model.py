"""What goes into pricing one supply point for one month, and what comes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal
from typing import Any

from central.settlement.marks import DOCUMENTED, Assumption, weakest
from central.settlement.prices import PriceBook, PriceValue

QUANTITIES = frozenset(
    {
        "reserved_capacity_year_kw",
        "reserved_capacity_month_kw",
        "reserved_input_kw",
        "reserved_output_kw",
        "max_quarter_hour_kw",
        "max_quarter_hour_output_kw",
        "energy_mwh",
        "energy_vt_mwh",
        "energy_nt_mwh",
        "reactive_taken_mvarh",
        "reactive_delivery_mvarh",
        "volume_m3",
        "volume_coefficient",
        "calorific_value_kwh_m3",
        "daily_capacity_thousand_m3",
        "daily_capacity_month_thousand_m3",
        "daily_capacity_sliding_thousand_m3",
        "max_daily_taken_thousand_m3",
        "daily_taken_23h_thousand_m3",
        "daily_taken_25h_thousand_m3",
        "max_quarter_hour_without_exempt_kw",
        "energy_returned_mwh",
        "evaluated_energy_mwh",
        "evaluated_reactive_taken_mvarh",
        "unmetered_w",
        "shared_energy_mwh",
    }
)
"""Names that rules of packages and quotes may use for quantities; the unit is the end of the name."""

Quantities = Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class TariffPoint:
    """What of a supply point and its contract item decides the price.

    `operator` is the key of the price list (regional distributor), `level` VVN, VN, NN or None for gas, `rate` the
    distribution rate (low voltage), `annual_mwh` the converted annual consumption (gas). `tariff_choice` is what the
    customer chose where the law leaves a choice ("single_component"). `capacity_exempt`: no reserved capacity is paid
    (§ 54a(2)). `network_entry`: the entry of a local network. `storage`: "storage" or "pumped".
    `loss_coefficient`: what energy and power are multiplied by where metered behind the customer's transformer.
    """

    operator: str
    level: str | None = None
    rate: str | None = None
    breaker_phases: int | None = None
    breaker_amperes: Decimal | None = None
    annual_mwh: Decimal | None = None
    tariff_choice: str | None = None
    capacity_exempt: bool = False
    network_entry: bool = False
    storage: str | None = None
    loss_coefficient: Decimal | None = None

    def has(self, trait: str) -> bool:
        """Whether a rule's `only_if` or `not_if` finds the trait: a choice, an exemption, or "rate:C60d"."""
        if trait == "capacity_exempt":
            return self.capacity_exempt
        if trait == "network_entry":
            return self.network_entry
        if trait == "storage":
            return self.storage is not None
        if trait.startswith("rate:"):
            return self.rate == trait.removeprefix("rate:")
        return self.tariff_choice == trait


@dataclass(frozen=True, slots=True)
class Line:
    """One priced component: `amount` = `quantity` x `unit_price`, rounded half up once.

    `first` and `end` are the days that it covers (half-open), `item` and `payer` whose part of the period it is.
    `code` is the rate code (číslo sazby). A line is only information where its legal price is 0: it gives no billing
    basis. `why` says in Czech how the number came about, `inputs` holds the same for programs. `assumptions`: what it
    stands on that is not documented for the settled time. `service` is one of `tables.SERVICES`; `vat_percent` None:
    that of the package.
    """

    component: str
    first: date
    end: date
    item: int
    payer: int
    code: int
    name: str
    name_en: str
    quantity: Decimal
    unit: str
    unit_price: Decimal
    price_unit: str
    amount: Decimal
    why: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()
    service: str = "distribution"
    vat_percent: Decimal | None = None

    @property
    def is_information(self) -> bool:
        return self.unit_price == 0

    def cancelled(self) -> "Line":
        """The line that takes this one back: quantity and amount negative, the price as it was."""
        return replace(self, quantity=-self.quantity, amount=-self.amount)

    @property
    def mark(self) -> str:
        """How sure the line is: that of the least sure thing it stands on."""
        return weakest(self.assumptions)


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact of the settlement that gives no line: a component not evaluated, or evaluated without a payment.

    `mark` says how sure the rule is that it follows from. `lacks`: the quantity without a value that it tells of.
    """

    component: str
    text: str
    mark: str = DOCUMENTED
    lacks: str = ""


@dataclass(frozen=True, slots=True)
class Priced:
    """The month of one point: lines in the order of the package's rules, and findings."""

    lines: tuple[Line, ...]
    findings: tuple[Finding, ...]

    @property
    def net(self) -> Decimal:
        return sum((line.amount for line in self.lines), Decimal("0.00"))


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a point's period in which nothing changes that decides a price or who pays.

    `first` and `end` are days, half-open. `item` is the contract item, `payer` the party that pays: the same item may
    have two, where the supplier of a framework contract changes. `agreed` are the item's values, `measured` the part's
    own energy and its own highest quarter-hour; both by the names in `QUANTITIES`. The parts of one point follow each
    other by days; above low voltage no part crosses the border of a month. `priced_on` is the day that prices are taken
    from where it is not the first one: a past period by another year's package. `settled`: an approved run holds it; it
    gives no lines, and decides with the others what is of the month.
    """

    first: date
    end: date
    item: int
    point: TariffPoint
    agreed: Quantities
    measured: Quantities
    prices: PriceBook
    payer: int = 0
    priced_on: date | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Beside:
    """What stands beside the parts that are priced, in their months.

    `parts` are those that approved runs hold. `billed` is what living lines on those days bill by component and first
    day of the month: quantity, and amount in Kč. `goes_on` are months that have supplied days after the priced parts
    which no run holds.
    """

    parts: tuple[Part, ...] = ()
    billed: Mapping[tuple[str, date], tuple[Decimal, Decimal]] = field(default_factory=dict)
    goes_on: frozenset[date] = frozenset()


ALONE = Beside()
"""Whole months, nothing of which is settled."""


class CannotPriceError(Exception):
    """The point cannot be priced: it alone is left out, with the component, the day and a sentence that says why."""

    def __init__(self, component: str, reason: str, day: date | None = None) -> None:
        super().__init__(f"{component}: {reason}")
        self.component = component
        self.reason = reason
        self.day = day


def half_up(value: Decimal, step: Decimal) -> Decimal:
    """Round half up to a step of a power of ten, for example Decimal("0.01")."""
    return value.quantize(step, rounding=ROUND_HALF_UP)


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a step of a power of ten."""
    return value.quantize(step, rounding=ROUND_FLOOR)


def described(price: PriceValue) -> dict[str, Any]:
    """A price as the inputs of a line tell it."""
    return {
        "component": price.component,
        "value": str(price.value),
        "unit": price.unit,
        "source": price.source,
        "mark": price.mark,
        "keys": dict(price.keys),
        "example": price.example,
    }
