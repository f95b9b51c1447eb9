"""Gas: energy from volume, and the formulas of gas distribution."""

from collections.abc import Sequence
from decimal import Decimal

from central.settlement.case import Case, by_month, rounded
from central.settlement.formulas_basic import ONE_MONTH, over_months
from central.settlement.formulas_maximum import over_payers_days, payer_of, plain
from central.settlement.lines import Share, lines_of
from central.settlement.marks import Assumption, czech, of_price
from central.settlement.model import CannotPriceError, Finding, Line, half_up
from central.settlement.prices import BillingRule, PriceValue

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
        price = case.law.require(rule, rule.component, case.day, case.point, _band(rule, case))
        energy, assumed, inputs = _energy(rule, case)
        exact += energy
        whole = rounded(exact, case.law.step("energy_mwh"))
        shares.append(Share(case, whole - billed, price, price.value, also=assumed, inputs=inputs))
        billed = whole
    return lines_of(rule, shares, "MWh", kind="energy_mwh")


def gas_fixed_month(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The fixed monthly payment of a band, by days in a part of a month; bands priced by capacity have none."""
    shares = []
    for case in cases:
        price = case.law.find(rule.component, case.day, case.point, _band(rule, case))
        if price is not None:
            shares.append(Share(case, over_months(case, ONE_MONTH), price, price.value, timed=ONE_MONTH))
    return lines_of(rule, shares, "měs", step="months")


def gas_capacity_instalment(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """An instalment of the yearly price of daily capacity; bands with a fixed payment have none.

    `factor` names a dated factor of the yearly price (monthly and sliding capacity); without agreed capacity such a
    rule gives nothing.
    """
    shares = []
    for case in cases:
        found = _capacity_price(rule, case)
        if found is None:
            continue
        capacity = case.quantity(rule.parameters["quantity"])
        if not capacity and "optional" in rule.parameters:
            continue
        if capacity is None:
            raise CannotPriceError(
                rule.component, f"{rule.name.cs}: položka smlouvy nemá denní rezervovanou kapacitu.", case.day
            )
        price, yearly, text = found
        multiplier = None
        if "factor" in rule.parameters:
            factor = case.law.require(rule, rule.parameters["factor"], case.day, case.point, f"{case.month:%m}")
            multiplier = factor.value
            yearly *= multiplier
        unit_price = half_up(yearly / Decimal(rule.parameters["instalments"]), case.law.step("unit_price"))
        shares.append(
            Share(
                case,
                over_months(case, capacity),
                price,
                unit_price,
                basis=(capacity, case.month),
                multiplier=multiplier,
                timed=capacity,
                text=text,
            )
        )
    return lines_of(rule, shares, "tis. m³", step="months", kind="unit_price")


def gas_capacity_excess(rule: BillingRule, cases: Sequence[Case]) -> Sequence[Line | Finding]:
    """The month's highest gas day above the reserved daily capacity x multiplier x base price; once a month."""
    outcomes: list[Line | Finding] = []
    for month in by_month(cases):
        worst: tuple[Decimal, Case, Decimal, Decimal] | None = None
        for case in month:
            measured = case.quantity(rule.parameters["measured"])
            reserved = case.summed(rule.parameters["reserved"])
            if measured is not None and reserved is not None and (worst is None or measured - reserved > worst[0]):
                worst = (measured - reserved, case, measured, reserved)
        if worst is None or worst[0] <= 0:
            continue
        excess, case, measured, reserved = worst
        found = _capacity_price(rule, case)
        if found is None:
            continue
        price, yearly, _ = found
        multiplier = Decimal(rule.parameters["multiplier"])
        unit_price = half_up(yearly * multiplier / Decimal(rule.parameters["instalments"]), case.law.step("unit_price"))
        chosen, assumed = payer_of(rule, month, case)
        text = f"nejvyšší plynárenský den {czech(measured)} tis. m³, rezervováno {czech(reserved)} tis. m³"
        share = Share(chosen, plain(excess), price, unit_price, multiplier=multiplier, also=assumed, text=text)
        outcomes += over_payers_days(lines_of(rule, [share], "tis. m³", kind="unit_price"), month, chosen)
    return outcomes


def _capacity_price(rule: BillingRule, case: Case) -> tuple[PriceValue, Decimal, str] | None:
    """The yearly price of daily capacity by the first of the rule's `forms` that the band has.

    "const": the band's price; "ln": a + b x ln(K) from `<base>_a` and `<base>_b`, K the agreed thousand m3 a day;
    "table": the row of `<base>_table` that begins at or below K. The component of the price is parameter `base`, or
    the rule's own. With the price: what it comes to, and what tells how.
    """
    base = rule.parameters.get("base", rule.component)
    band = _band(rule, case)
    capacity = case.quantity(rule.parameters["quantity"]) if "quantity" in rule.parameters else None
    for form in rule.parameters.get("forms", "const").split("+"):
        if form == "const":
            price = case.law.find(base, case.day, case.point, band)
            if price is not None:
                return price, price.value, ""
        elif capacity:
            if form == "ln":
                first = case.law.find(f"{base}_a", case.day, case.point, band)
                slope = case.law.find(f"{base}_b", case.day, case.point, band)
                if first is not None and slope is not None:
                    value = half_up(first.value + slope.value * capacity.ln(), case.law.step("unit_price"))
                    text = f"{czech(first.value)} + {czech(slope.value)} × ln({czech(capacity)}) = {czech(value)}"
                    return first, value, text
            else:
                row = case.law.find_step(f"{base}_table", case.day, capacity)
                if row is not None:
                    return row, row.value, ""
    return None


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


def _band(rule: BillingRule, case: Case) -> str:
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
