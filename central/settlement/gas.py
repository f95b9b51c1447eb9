"""Gas: energy from volume, and the formulas of distributed gas, fixed payments and the market operator."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from central.settlement.case import Case, rounded
from central.settlement.formulas_basic import ONE_MONTH, over_months
from central.settlement.lines import Share, lines_of
from central.settlement.marks import Assumption, czech, czech_unit, of_price
from central.settlement.model import CannotPriceError, Finding, Line, half_up
from central.settlement.prices import BillingRule

NO_CONVERSION = Assumption(
    "assumed",
    "Objemový koeficient 1 je předpoklad: pro měřicí místo není zadán způsob přepočtu.",
    "The volume coefficient 1 is assumed: no way of conversion is given for the metering point.",
)
NO_CALORIFIC_VALUE = Assumption(
    "assumed",
    "Spalné teplo je z legislativního balíčku: pro oblast a dny není zadáno.",
    "The calorific value is from the legislative package: none is given for the area and days.",
)
TERM_STEP = Decimal("0.0001")
"""To what the means of coefficient and calorific value are rounded on a bill."""


def energy_mwh(volume_m3: Decimal, coefficient: Decimal, calorific_value: Decimal, step: Decimal) -> Decimal:
    """E = V x k x Hs, in MWh, rounded half up once.

    `volume_m3` as measured, `coefficient` k to 15 °C and 101.325 kPa (1 behind a converter), `calorific_value` Hs in
    kWh/m3 (decree 108/2011, annex 1).
    """
    return half_up(volume_m3 * coefficient * calorific_value / 1000, step)


def gas_energy(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """Distributed energy in MWh x its price, by the band of annual consumption where the price has bands.

    Energy of several parts is rounded cumulatively: V x k x Hs is rounded once, however the period is cut.
    """
    shares = []
    exact, billed = Decimal(0), Decimal(0)
    for case in cases:
        price = case.law.require(rule, rule.component, case.day, case.point, band_of(rule, case))
        energy, assumed, inputs = _energy(rule, case)
        exact += energy
        whole = rounded(exact, case.law.step("energy_mwh"))
        shares.append(Share(case, whole - billed, price, price.value, also=assumed, inputs=inputs))
        billed = whole
    return [_with_terms(line, shares) for line in lines_of(rule, shares, "MWh", kind="energy_mwh")]


def gas_market_operator(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The market operator's price for each MWh distributed, as far as the package knows it.

    `included_in` names the component whose printed price has it inside: then it is told and not billed again. A
    package without its price tells that too: the price is a matter of the operator's own package.
    """
    billed: list[Case] = []
    findings: list[Finding] = []
    for case in cases:
        price = case.law.find(rule.component, case.day, case.point, band_of(rule, case))
        if price is None:
            text = (
                f"{rule.name.cs}: balíček {case.law.book.name} {case.law.book.version} nemá cenu, složka se neúčtuje."
            )
            findings.append(Finding(rule.component, text, rule.mark))
        elif "included_in" in rule.parameters:
            text = f"{rule.name.cs}: {czech(price.value)} {czech_unit(price.unit)} je v ceně za distribuované množství."
            findings.append(Finding(rule.component, text, price.mark))
        else:
            billed.append(case)
    return [*(gas_energy(rule, billed) if billed else ()), *dict.fromkeys(findings)]


def lacking(rule: BillingRule, case: Case, name: str) -> Finding:
    """What tells that a part's component is not evaluated because it lacks a quantity: its name and the days."""
    last = case.part.end - timedelta(days=1)
    text = (
        f"{rule.name.cs}: chybí veličina {name} od {case.part.first.isoformat()} do {last.isoformat()}, "
        "složka se za tyto dny nevyhodnocuje."
    )
    return Finding(rule.component, text, rule.mark, lacks=name)


def gas_fixed_month(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The fixed monthly payment of a band, by days in a part of a month; bands priced by capacity have none."""
    shares = []
    for case in cases:
        price = case.law.find(rule.component, case.day, case.point, band_of(rule, case))
        if price is not None:
            shares.append(Share(case, over_months(case, ONE_MONTH), price, price.value, timed=ONE_MONTH))
    return lines_of(rule, shares, "měs", step="months")


def _energy(rule: BillingRule, case: Case) -> tuple[Decimal, tuple[Assumption, ...], dict[str, str]]:
    """Exact MWh of a part, what it is assumed by, and its terms."""
    energy = case.quantity(rule.parameters["quantity"])
    volume = case.quantity("volume_m3")
    coefficient = case.quantity("volume_coefficient")
    calorific_value = case.quantity("calorific_value_kwh_m3")
    assumed: list[Assumption] = []
    if energy is None:
        if volume is None:
            raise CannotPriceError(rule.component, f"{rule.name.cs}: chybí objem ani energie.", case.day)
        if coefficient is None:
            coefficient = Decimal(1)
            assumed.append(NO_CONVERSION)
        if calorific_value is None:
            stored = case.law.require(rule, "calorific_value", case.day, case.point)
            calorific_value = stored.value
            assumed += of_price(stored, "Spalné teplo", "The calorific value") or [NO_CALORIFIC_VALUE]
        energy = volume * coefficient * calorific_value / 1000
    told = {"volume_m3": volume, "volume_coefficient": coefficient, "calorific_value_kwh_m3": calorific_value}
    return energy, tuple(assumed), {name: str(value) for name, value in told.items() if value is not None}


def _with_terms(line: Line, shares: Sequence[Share]) -> Line:
    """A line of several parts tells the volume of all of them and means of its terms, as V x k x Hs has them."""
    covered = [
        share.inputs
        for share in shares
        if line.first <= share.case.part.first < line.end
        and (share.case.part.item, share.case.part.payer) == (line.item, line.payer)
    ]
    if len(covered) < 2 or any("volume_m3" not in terms for terms in covered):
        return line
    volumes = [Decimal(terms["volume_m3"]) for terms in covered]
    told: dict[str, str] = {"volume_m3": str(sum(volumes))}
    weights = volumes
    for name in ("volume_coefficient", "calorific_value_kwh_m3"):
        if all(name in terms for terms in covered):
            values = [Decimal(terms[name]) for terms in covered]
            whole = sum(weights, Decimal(0))
            weighted = [value * weight for value, weight in zip(values, weights, strict=True)]
            mean = values[0] if len(set(values)) == 1 or not whole else half_up(sum(weighted) / whole, TERM_STEP)
            told[name] = str(mean)
            weights = weighted
    return replace(line, inputs={**line.inputs, **told})


def band_of(rule: BillingRule, case: Case) -> str:
    """The band of a part's annual consumption; raises CannotPriceError where there is none."""
    annual = case.point.annual_mwh
    if annual is None:
        raise CannotPriceError(
            rule.component, f"{rule.name.cs}: chybí přepočtená roční spotřeba v položce smlouvy.", case.day
        )
    band = case.law.consumption_band(case.point.operator, annual)
    if band is None:
        raise CannotPriceError(
            rule.component, f"Ceník {case.point.operator} nemá pásmo pro roční spotřebu {annual} MWh.", case.day
        )
    return band
