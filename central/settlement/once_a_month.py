"""What is evaluated once a calendar month stays one, whatever packages, payers and runs the month falls into. Pure.

A month's maximum, over-run or surcharge is what all its parts together come to; a run bills of it what its own parts
come to, as far as living lines of other runs do not bill it already. So all runs together bill it once, in any order.
It is counted in what the component is billed by (kW, MW); a surcharge, and a group of which only the higher payment is
billed, in Kč.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal

from central.settlement.case import Case, rounded
from central.settlement.formulas import ALL_FORMULAS, ONCE_A_MONTH
from central.settlement.formulas_maximum import LAST
from central.settlement.law import Law
from central.settlement.marks import Assumption, czech
from central.settlement.model import Beside, CannotPriceError, Finding, Line
from central.settlement.prices import BillingRule

Outcome = tuple[BillingRule, Law, Line]

SETTLED_BEFORE = Assumption(
    "assumed",
    "Část měsíce je vyúčtována dříve: měsíční maximum se hodnotí jednou za celý měsíc a účtuje se z něj jen to, co už "
    "vyúčtováno není (předpoklad).",
    "A part of the month was billed before: the month's maximum is evaluated once for the whole month, and what is "
    "billed already is not billed again (assumed).",
)
FINE = Decimal("0.000001")
COARSE = Decimal("0.001")
NONE = (Decimal(0), Decimal(0))


@dataclass
class Month:
    """What all parts of a month together come to, settled ones too, by component: quantity, and amount in Kč.

    `unknown`: why what was settled before cannot be evaluated today.
    """

    highest: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    unknown: CannotPriceError | None = None

    def note(self, component: str, quantity: Decimal, amount: Decimal) -> None:
        """Of one component the highest quantity counts, with its amount."""
        if quantity > self.highest[component][0]:
            self.highest[component] = (quantity, amount)


@dataclass
class Months:
    """The months of a point that settled parts stand in, by what is evaluated in them."""

    beside: Beside
    of: dict[tuple[str, date], Month] = field(default_factory=dict)

    def evaluate(self, rule: BillingRule, law: Law, cases: Sequence[Case], lines: list[Line]) -> list[Line]:
        """Note what a rule comes to over whole months; its own lines, or the months' where the last one pays."""
        months = {part.first.replace(day=1) for part in self.beside.parts} | {month for _, month in self.beside.billed}
        whole = [case for case in cases if case.month in months]
        if not whole:
            return lines
        for month in {case.month for case in whole}:
            self._month(rule, law, month).highest.setdefault(rule.component, NONE)
        own = [case for case in whole if not case.part.settled]
        opened = [replace(case, part=replace(case.part, settled=False)) for case in whole]
        try:
            outcomes = ALL_FORMULAS[rule.formula](rule, opened)
        except CannotPriceError as error:
            for month in {case.month for case in whole}:
                self._month(rule, law, month).unknown = error
            return lines
        together = [line for line in outcomes if isinstance(line, Line)]
        for line in together:
            self._month(rule, law, line.first.replace(day=1)).note(rule.component, line.quantity, line.amount)
        if rule.parameters.get("at_change") != LAST:
            return lines
        payers = {(case.part.item, case.part.payer) for case in own}
        others = [line for line in lines if line.first.replace(day=1) not in months]
        return [*others, *(line for line in together if (line.item, line.payer) in payers)]

    def bill(self, rule: BillingRule, law: Law, line: Line) -> Line | Finding:
        """What is left of a month's payment for a line; told as a finding where nothing is.

        Raises CannotPriceError where something of it is billed and the month cannot be evaluated: what is left is not
        known then.
        """
        month = line.first.replace(day=1)
        if rule.parameters.get("at_change") == LAST and month in self.beside.goes_on:
            return Finding(line.component, f"{line.name}: měsíc pokračuje, účtuje se poslednímu plátci v něm.")
        found = self.of.get((_key(rule, law), month))
        if found is None or line.is_information:
            return line
        before = [self.beside.billed.get((each, month), NONE) for each in found.highest]
        if found.unknown is not None:
            if not any(quantity or amount for quantity, amount in before):
                return line
            raise CannotPriceError(
                line.component,
                f"{line.name}: část měsíce {month:%Y-%m} je vyúčtována a celý měsíc nelze dnes vyhodnotit "
                f"({found.unknown.reason}), zbytek k účtování proto není znám. Doplňte, co chybí, nebo zrušte podklady "
                "té části a zúčtujte měsíc celý.",
                line.first,
            ) from found.unknown
        if _in_money(rule, law):
            due, billed = (
                max(amount for _, amount in found.highest.values()),
                sum((amount for _, amount in before), Decimal(0)),
            )
            left, unit = min(line.amount, max(due - billed, Decimal(0))), "Kč"
            whole = left == line.amount
        else:
            due, billed = found.highest[line.component][0], sum((quantity for quantity, _ in before), Decimal(0))
            left, unit = min(line.quantity, max(due - billed, Decimal(0))), line.unit
            whole = left == line.quantity
        if whole:
            return line
        told = f"z {czech(due)} {unit} za celý měsíc je {czech(billed)} {unit} vyúčtováno v jiné jeho části"
        if not left:
            return Finding(line.component, f"{line.name} {czech(line.amount)} Kč se neúčtuje: {told}.", "assumed")
        step = law.step("amount")
        quantity, amount = left, rounded(left * line.unit_price, step)
        if _in_money(rule, law):
            quantity, amount = _quantity_of(left, line.unit_price, step), left
        inputs = {"unit": unit, "month": str(due), "billed": str(billed)}
        return _reduced(line, quantity.normalize() + 0, amount, told, inputs)

    def _month(self, rule: BillingRule, law: Law, month: date) -> Month:
        return self.of.setdefault((_key(rule, law), month), Month())


def one_a_month(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Finding]]:
    """Where packages or levels change within a month, the highest line of a component in it, of equal ones the first.

    The maximum is the month's; prices are those of the day that it was measured on.
    """
    highest: dict[tuple[str, date], Line] = {}
    for rule, _, line in outcomes:
        if rule.formula in ONCE_A_MONTH:
            key = (line.component, line.first.replace(day=1))
            if key not in highest or line.quantity > highest[key].quantity:
                highest[key] = line
    kept: list[Outcome] = []
    findings: list[Finding] = []
    for rule, law, line in outcomes:
        winner = highest.get((line.component, line.first.replace(day=1))) if rule.formula in ONCE_A_MONTH else None
        if winner is None or winner is line:
            kept.append((rule, law, line))
        else:
            text = (
                f"{line.name} {czech(line.quantity)} {line.unit} od {line.first} se neúčtuje: měsíc má jedno maximum, "
                f"účtuje se {czech(winner.quantity)} {winner.unit} od {winner.first}."
            )
            findings.append(Finding(line.component, text, line.mark))
    return kept, findings


def _key(rule: BillingRule, law: Law) -> str:
    """What is one in a month: a group that bills only the higher payment, else the component."""
    return rule.group if rule.group and law.book.takes_only_higher(rule.group) else rule.component


def _in_money(rule: BillingRule, law: Law) -> bool:
    return _key(rule, law) != rule.component or rule.formula.startswith("power_factor")


def _quantity_of(amount: Decimal, unit_price: Decimal, step: Decimal) -> Decimal:
    """The quantity that an amount is at a unit price, as rough as it comes out exact."""
    exact = amount / unit_price
    rough = rounded(exact, COARSE)
    return rough if rounded(rough * unit_price, step) == amount else rounded(exact, FINE)


def _reduced(line: Line, quantity: Decimal, amount: Decimal, told: str, inputs: Mapping[str, str]) -> Line:
    return replace(
        line,
        quantity=quantity,
        amount=amount,
        why=f"{czech(quantity)} {line.unit} × {czech(line.unit_price)} = {czech(amount)} Kč; {told}; díl: {line.why}",
        inputs={
            **line.inputs,
            "mark": "assumed",
            "assumptions": [*line.inputs["assumptions"], SETTLED_BEFORE.document()],
            "of_month": dict(inputs),
        },
        assumptions=(*line.assumptions, SETTLED_BEFORE),
    )
