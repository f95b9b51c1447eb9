"""Price one supply point for one month: every rule of the package that applies, then the groups' choice."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from central.settlement.gas import ALL_FORMULAS
from central.settlement.marks import DOCUMENTED, czech
from central.settlement.model import (
    CannotPriceError,
    Case,
    Finding,
    Line,
    Part,
    Priced,
    Quantities,
    TariffPoint,
    half_up,
)
from central.settlement.prices import BillingRule, PriceBook
from shared.metering_day import next_month


def price_parts(parts: Sequence[Part]) -> Priced:
    """The lines of a point for the period that its parts make up, in the order of the package's rules.

    Pure: the same parts always give the same lines. Raises CannotPriceError where a price, a fact or a rule is missing.
    """
    if len(parts) != 1:
        raise CannotPriceError("period", f"Období z {len(parts)} částí tato verze neumí.")
    (part,) = parts
    case = Case(part=part, quantities=_with_total({**part.agreed, **part.measured}, part.prices))
    registers: Sequence[str] = ()
    if part.point.level == "NN":
        registers = _registers(part.point, part.prices)
    outcomes: list[tuple[BillingRule, Line]] = []
    findings: list[Finding] = []
    for rule in part.prices.rules(part.point.level, registers):
        for outcome in ALL_FORMULAS[rule.formula](rule, case):
            if isinstance(outcome, Finding):
                findings.append(outcome)
            else:
                outcomes.append((rule, outcome))
    lines, set_aside = _choose(outcomes, part.prices)
    return Priced(lines=tuple(lines), findings=(*findings, *set_aside))


def price_month(point: TariffPoint, quantities: Quantities, day: date, prices: PriceBook) -> Priced:
    """The lines of a point for the whole month that `day` lies in; see `price_parts`."""
    first = day.replace(day=1)
    end = next_month(day.year, day.month)
    return price_parts([Part(first, end, 0, point, {}, quantities, prices)])


def _choose(outcomes: list[tuple[BillingRule, Line]], prices: PriceBook) -> tuple[list[Line], list[Finding]]:
    """Of a group that bills only the higher payment, keep that one and tell of the others."""
    highest: dict[str, Line] = {}
    for rule, line in outcomes:
        group = rule.group
        if group and prices.takes_only_higher(group) and (group not in highest or line.amount > highest[group].amount):
            highest[group] = line
    lines: list[Line] = []
    findings: list[Finding] = []
    for rule, line in outcomes:
        winner = highest.get(rule.group or "")
        if winner is None or line is winner:
            lines.append(line)
        else:
            findings.append(
                Finding(
                    line.component,
                    f"{line.name} {czech(line.amount)} Kč se neúčtuje: souběžně {winner.name} "
                    f"{czech(winner.amount)} Kč, účtuje se jen vyšší z plateb{_doubt(rule, prices)}.",
                    DOCUMENTED if rule.group is None else prices.group_mark(rule.group),
                )
            )
    return lines, findings


def _registers(point: TariffPoint, prices: PriceBook) -> Sequence[str]:
    registers = prices.rate_registers(point.rate or "")
    if registers is None:
        raise CannotPriceError(
            "rate", f"Sazba {point.rate or '(nezadána)'} není v balíčku {prices.name} {prices.version}."
        )
    return registers


def _doubt(rule: BillingRule, prices: PriceBook) -> str:
    sure = rule.group is None or prices.group_mark(rule.group) == DOCUMENTED
    return "" if sure else " (výklad souběhu je odvozen, neověřen)"


def _with_total(quantities: Quantities, prices: PriceBook) -> Quantities:
    """The total energy of two tariffs is the sum of what is billed in each.

    Rounded of itself, it could differ by a step from the sum of the lines above it.
    """
    if "energy_vt_mwh" not in quantities:
        return quantities
    step = prices.rounding_step("energy_mwh")
    tariffs = (quantities["energy_vt_mwh"], quantities.get("energy_nt_mwh", Decimal(0)))
    return {**quantities, "energy_mwh": sum((half_up(energy, step) for energy in tariffs), Decimal(0))}
