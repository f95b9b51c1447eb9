"""Price one supply point for a period: every rule of the package over the parts it applies to, then the groups."""

from collections.abc import Sequence
from datetime import date

from central.settlement.case import Case, cases_of
from central.settlement.formulas import ALL_FORMULAS, OF_WHOLE_MONTHS, ONCE_A_MONTH
from central.settlement.law import Law
from central.settlement.marks import DOCUMENTED, czech
from central.settlement.model import ALONE, Beside, CannotPriceError, Finding, Line, Part, Priced, TariffPoint
from central.settlement.once_a_month import Months, Outcome, one_a_month
from central.settlement.prices import BillingRule, PriceBook

NOT_BILLED = {
    "capacity_exempt": "místo rezervovanou kapacitu ani její překročení neplatí (§ 54a odst. 2 zákona č. 165/2012 Sb.)",
    "single_component": "místo má jednosložkovou cenu za službu sítí, která tuto složku nahrazuje",
}
"""Why a component that a point's trait takes away is not billed; other traits take away without a word."""


def price_parts(parts: Sequence[Part], beside: Beside = ALONE) -> Priced:
    """The lines of a point for the period that its parts make up, in the order of each package's rules.

    `beside` is what is settled already of the parts' months: it gives no lines, and counts in what is of a month.

    Pure: the same parts always give the same lines. Raises CannotPriceError where a price, a fact or a rule is missing,
    or where the parts do not follow each other.
    """
    _check(parts)
    outcomes: list[Outcome] = []
    findings: list[Finding] = []
    months = Months(beside)
    together = sorted((*parts, *beside.parts), key=_first) if beside.parts else parts
    for law, rules in _rules(cases_of(together)):
        for rule, cases in rules:
            applicable = [case for case in cases if _applies(rule, case)] if _is_gated(rule) else cases
            whole = applicable
            if beside.parts:
                cases, applicable = _own(cases), _own(applicable)
            if len(applicable) < len(cases):
                findings += _not_billed(rule, cases)
            seen = whole if rule.formula in OF_WHOLE_MONTHS else applicable
            lines: list[Line] = []
            for outcome in ALL_FORMULAS[rule.formula](rule, seen) if applicable else ():
                if isinstance(outcome, Finding):
                    findings.append(outcome)
                else:
                    lines.append(outcome)
            if (beside.parts or beside.billed) and rule.formula in ONCE_A_MONTH:
                lines = months.evaluate(rule, law, whole, lines)
            outcomes += [(rule, law, line) for line in lines]
    kept, set_aside = one_a_month(outcomes)
    chosen, lower = _choose(kept)
    priced: list[Line] = []
    for rule, law, line in chosen:
        billed = months.bill(rule, law, line) if rule.formula in ONCE_A_MONTH else line
        if isinstance(billed, Finding):
            findings.append(billed)
        else:
            priced.append(billed)
    return Priced(lines=tuple(priced), findings=tuple(dict.fromkeys((*findings, *set_aside, *lower))))


def _first(part: Part) -> date:
    return part.first


def _own(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if not case.part.settled]


def _check(parts: Sequence[Part]) -> None:
    if not parts:
        raise CannotPriceError("period", "Období místa nemá žádnou část.")
    end = parts[0].first
    for part in parts:
        if part.first < end or part.end <= part.first:
            raise CannotPriceError(
                "period",
                f"Části období na sebe nenavazují: {part.first.isoformat()} až {part.end.isoformat()} po "
                f"{end.isoformat()}.",
                part.first,
            )
        end = part.end


def _rules(cases: Sequence[Case]) -> list[tuple[Law, list[tuple[BillingRule, list[Case]]]]]:
    """By package, the rules in its order with the parts that each covers by level and rate."""
    books: list[tuple[Law, list[tuple[BillingRule, list[Case]]]]] = []
    for case in cases:
        covered = next((known for law, known in books if law is case.law), None)
        if covered is None:
            covered = []
            books.append((case.law, covered))
        rules = case.law.rules(case.point)
        at = -1
        for rule in rules:
            found = next((index for index, (known, _) in enumerate(covered) if known is rule), None)
            if found is None:
                while at + 1 < len(covered) and not any(covered[at + 1][0] is other for other in rules):
                    at += 1
                at += 1
                covered.insert(at, (rule, [case]))
            else:
                at = found
                covered[at][1].append(case)
    return books


def applicable_rules(case: Case) -> list[BillingRule]:
    """The rules that bill a part, without those that its point's traits take away."""
    return [rule for rule in case.law.rules(case.point) if _applies(rule, case)]


def counts_whole_months(case: Case) -> bool:
    """Whether something is evaluated of a part that is one for the whole month, as its maximum is."""
    return any(
        rule.formula in OF_WHOLE_MONTHS | ONCE_A_MONTH
        and ("measured" not in rule.parameters or case.quantity(rule.parameters["measured"]) is not None)
        for rule in applicable_rules(case)
    )


def _is_gated(rule: BillingRule) -> bool:
    return rule.valid is not None or "only_if" in rule.parameters or "not_if" in rule.parameters


def applies(rule: BillingRule, point: TariffPoint, day: date) -> bool:
    """Whether the day and the point's traits let the rule bill it: all of `only_if`, none of `not_if`."""
    if rule.valid is not None and not rule.valid[0] <= day.isoformat() < rule.valid[1]:
        return False
    only, never = rule.parameters.get("only_if"), rule.parameters.get("not_if")
    if only is not None and not all(point.has(trait) for trait in only.split("+")):
        return False
    return never is None or not any(point.has(trait) for trait in never.split("+"))


def _applies(rule: BillingRule, case: Case) -> bool:
    return applies(rule, case.point, case.day)


def _not_billed(rule: BillingRule, cases: Sequence[Case]) -> list[Finding]:
    traits = rule.parameters.get("not_if", "").split("+")
    return [
        Finding(rule.component, f"{rule.name.cs} se neúčtuje: {NOT_BILLED[trait]}.", rule.mark)
        for trait in traits
        if trait in NOT_BILLED and any(case.point.has(trait) for case in cases)
    ]


def _choose(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Finding]]:
    """Of a group that bills only the higher payment, keep that one of each month and tell of the others."""
    highest: dict[tuple[str, date], Line] = {}
    for rule, law, line in outcomes:
        if rule.group and law.book.takes_only_higher(rule.group):
            key = (rule.group, line.first.replace(day=1))
            if key not in highest or line.amount > highest[key].amount:
                highest[key] = line
    lines: list[Outcome] = []
    findings: list[Finding] = []
    for rule, law, line in outcomes:
        winner = highest.get((rule.group or "", line.first.replace(day=1)))
        if winner is None or line is winner:
            lines.append((rule, law, line))
        else:
            findings.append(
                Finding(
                    line.component,
                    f"{line.name} {czech(line.amount)} Kč se neúčtuje: souběžně {winner.name} "
                    f"{czech(winner.amount)} Kč, účtuje se jen vyšší z plateb{_doubt(rule, law.book)}.",
                    DOCUMENTED if rule.group is None else law.book.group_mark(rule.group),
                )
            )
    return lines, findings


def _doubt(rule: BillingRule, prices: PriceBook) -> str:
    sure = rule.group is None or prices.group_mark(rule.group) == DOCUMENTED
    return "" if sure else " (výklad souběhu je odvozen, neověřen)"
