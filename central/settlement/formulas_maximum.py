"""Formulas on the highest quarter-hour of a calendar month: evaluated once a month, whoever pays in its parts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial

from central.settlement.case import KILO, Case, by_month
from central.settlement.lines import Share, lines_of
from central.settlement.marks import Assumption, czech
from central.settlement.model import Finding, Line
from central.settlement.prices import BillingRule, PriceValue

_Pricing = Callable[[Case], tuple[PriceValue, Decimal, Decimal | None]]

AT_MAXIMUM = "maximum"
LAST = "last"
SPLIT_MONTH = {
    AT_MAXIMUM: Assumption(
        "assumed",
        "Plátce se v měsíci změnil: měsíční maximum se účtuje tomu, kdo platil v jeho čase (předpoklad).",
        "The payer changed in the month: its maximum is billed to who paid at that time (assumed).",
    ),
    LAST: Assumption(
        "assumed",
        "Plátce se v měsíci změnil: měsíční maximum se účtuje poslednímu z nich (předpoklad).",
        "The payer changed in the month: its maximum is billed to the last of them (assumed).",
    ),
}
ZERO = "zero"
NOTHING_RESERVED = Assumption(
    "assumed",
    "Nic není rezervováno: za rezervovanou se bere nula, překročením je celé naměřené maximum (předpoklad).",
    "Nothing is reserved: zero is taken for it, the whole measured maximum exceeds it (assumed).",
)
ENTRY_WITHOUT_EXEMPT = Assumption(
    "assumed",
    "Maximum vstupu do lokální sítě je bez odběru účastníků, kteří rezervovanou kapacitu neplatí "
    "(výměr č. 1/2026, bod 4.34; znění nebylo k dispozici).",
    "The maximum of the local network's entry is without participants who pay no reserved capacity "
    "(price decision 1/2026, point 4.34; its wording was not available).",
)


def excess_over_reserved(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """kW of the month's highest quarter-hour above what is reserved x multiplier x base price per kW.

    Where nothing is agreed in the month, the whole maximum is above it if parameter `reserved_if_none` is "zero"; else
    that is told and not billed.
    """
    outcomes: list[Line | Finding] = []
    for month in by_month(cases):
        for case in month:
            case.required(rule, rule.parameters["measured"])
        outcomes += _excess(rule, month, partial(excess_price, rule))
    return outcomes


def excess_price(rule: BillingRule, case: Case) -> tuple[PriceValue, Decimal, Decimal | None]:
    """The base price of an excess, what a kW of it costs, and the multiplier between them."""
    component = rule.parameters["base"]
    if not case.quantity(f"{component}_kw"):
        # an older decision takes another base in a month without the first one
        component = rule.parameters.get("base_if_none", component)
    base = case.law.require(rule, component, case.day, case.point)
    multiplier = Decimal(rule.parameters["multiplier"])
    return base, multiplier * base.value / KILO, multiplier


def fixed_excess_over_reserved(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """kW of the month's highest quarter-hour above what is reserved x a fixed price per kW; nothing without power.

    Power without any agreed value is told and not billed, and so is an agreed value without a meter of that power.
    """

    def priced(case: Case) -> tuple[PriceValue, Decimal, Decimal | None]:
        price = case.law.require(rule, rule.component, case.day, case.point)
        return price, price.value, None

    outcomes: list[Line | Finding] = []
    for month in by_month(cases):
        powers = [case.quantity(rule.parameters["measured"]) for case in month]
        measured = [case for case, power in zip(month, powers, strict=True) if power]
        if measured:
            outcomes += _excess(rule, measured, priced, month)
        elif any(power is None and _reserved(rule, case) for case, power in zip(month, powers, strict=True)):
            text = f"{rule.name.cs}: čtvrthodinový výkon se v místě neměří, překročení se nevyhodnocuje."
            outcomes.append(Finding(rule.component, text))
    return outcomes


def _reserved(rule: BillingRule, case: Case) -> Decimal | None:
    return case.summed(rule.parameters["reserved"])


def maximum_of(rule: BillingRule, case: Case) -> tuple[Decimal | None, bool]:
    """The part's highest quarter-hour in kW, and whether it is that of a network's entry without exempt participants.

    Parameter `measured_at_entry` switches the latter on for network entries that have it measured.
    """
    name = rule.parameters.get("measured_at_entry")
    if name is not None and case.point.network_entry and case.quantity(name) is not None:
        return case.quantity(name), True
    return case.quantity(rule.parameters["measured"]), False


def payer_of(rule: BillingRule, month: Sequence[Case], at_maximum: Case) -> tuple[Case, tuple[Assumption, ...]]:
    """The part whose payer a month's maximum is billed to, as parameter `at_change` says; assumed where it matters."""
    payers = {(case.part.item, case.part.payer) for case in month}
    way = rule.parameters.get("at_change", AT_MAXIMUM)
    chosen = month[-1] if way == LAST else at_maximum
    return chosen, (SPLIT_MONTH[way],) if len(payers) > 1 else ()


def over_payers_days(lines: Sequence[Line], month: Sequence[Case], chosen: Case) -> list[Line]:
    """The lines over the days of the month that the chosen part's payer pays for without a break."""
    low = high = month.index(chosen)
    while low > 0 and _together(month[low - 1], month[low]):
        low -= 1
    while high + 1 < len(month) and _together(month[high], month[high + 1]):
        high += 1
    return [replace(line, first=month[low].part.first, end=month[high].part.end) for line in lines]


def _together(one: Case, following: Case) -> bool:
    before, after = one.part, following.part
    return (before.item, before.payer, before.end) == (after.item, after.payer, after.first)


def _excess(
    rule: BillingRule, measured: Sequence[Case], priced: _Pricing, month: Sequence[Case] | None = None
) -> list[Line | Finding]:
    """The highest excess of the month's parts; where the reserved value changes, each against its own."""
    month = month or measured
    from_zero = rule.parameters.get("reserved_if_none") == ZERO and all(_reserved(rule, case) is None for case in month)
    worst: tuple[Decimal, Case, Decimal, Decimal, bool] | None = None
    for case in measured:
        reserved = Decimal(0) if from_zero else _reserved(rule, case)
        maximum, without_exempt = maximum_of(rule, case)
        if reserved is None or maximum is None:
            continue
        kilowatts = case.megawatts(maximum) * KILO
        excess = max(Decimal(0), kilowatts - reserved)
        if worst is None or excess > worst[0]:
            worst = (excess, case, kilowatts, reserved, without_exempt)
    if worst is None:
        return [Finding(rule.component, f"{rule.name.cs}: nic není rezervováno, překročení se nevyhodnocuje.")]
    excess, case, kilowatts, reserved, without_exempt = worst
    if not excess:
        return []
    price, unit_price, multiplier = priced(case)
    chosen, assumed = payer_of(rule, month, case)
    share = Share(
        chosen,
        excess.normalize() + 0,
        price,
        unit_price,
        multiplier=multiplier,
        also=(
            *assumed,
            *((ENTRY_WITHOUT_EXEMPT,) if without_exempt else ()),
            *((NOTHING_RESERVED,) if from_zero else ()),
        ),
        text=f"maximum {czech(plain(kilowatts))} kW, rezervováno {czech(plain(reserved))} kW",
        inputs={"maximum_kw": str(plain(kilowatts)), "reserved_kw": str(plain(reserved))},
    )
    lines = over_payers_days(lines_of(rule, [share], "kW", kind="power_mw"), month, chosen)
    if not from_zero:
        return list(lines)
    text = (
        f"{rule.name.cs}: v měsíci {case.month:%m/%Y} není nic rezervováno; překročením je celé maximum "
        f"{czech(plain(kilowatts))} kW (předpoklad)."
    )
    return [*lines, Finding(rule.component, text, NOTHING_RESERVED.mark)]


def plain(value: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent."""
    return value.normalize() + 0
