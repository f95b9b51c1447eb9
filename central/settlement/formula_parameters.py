"""Which parameters each formula takes, so that a package with a wrong rule is refused when it is read.

The same table in words: docs/decisions/rules-as-data.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from central.settlement.interval_mask import parse_mask
from central.settlement.model import QUANTITIES

NUMBER = "a positive decimal"
QUANTITY = "a quantity"
SUM = "quantities a+b"
NAME = "a name"
NAMES = "names a+b"
MONTH_OR_PERIOD = "month or period"
AT_CHANGE = "maximum or last"
INTERVALS = "all, or words of months:1+2, working, hours:6-10+17-20"
ZERO_OR_TOLD = "zero or told"
CHANGE_DAYS = "hours"
SHARED = "shared_energy_mwh"
LOWERED = "energy_mwh"
"""What shared energy can lower: the tariff of a shared quarter-hour is not known."""
FORMS = "const, ln, table joined by +"


@dataclass(frozen=True, slots=True)
class FormulaShape:
    """The parameters of one formula by name, with what each must be; every rule may have `only_if` and `not_if`."""

    required: Mapping[str, str]
    optional: Mapping[str, str]

    def problems(self, parameters: Mapping[str, str]) -> list[str]:
        """What is wrong with the parameters of a rule, in sentences without a subject."""
        known = {**self.required, **self.optional, "only_if": NAMES, "not_if": NAMES}
        found = [f"lacks the parameter {name}" for name in self.required if name not in parameters]
        for name, value in parameters.items():
            if name not in known:
                found.append(f"has the parameter {name}; known ones are {', '.join(sorted(known))}")
            elif not _is(known[name], value):
                found.append(f"has {name} {value!r}; {known[name]} is expected")
        if "lowered_by" in parameters and LOWERED not in (parameters.get("quantity"), parameters.get("energy")):
            found.append(f"is lowered by {parameters['lowered_by']}; that is known for {LOWERED} only, not by tariff")
        return found


_MAXIMUM = {"at_change": AT_CHANGE, "measured_at_entry": QUANTITY}
_TARIFFS = FormulaShape(
    {"tariffs": NAMES, "reserved": QUANTITY, "measured": QUANTITY, "reserved_price": NAME, "measured_price": NAME},
    {"floor": NUMBER, "storage": NAME, **_MAXIMUM},
)
_POWER_FACTOR = FormulaShape(
    {"reactive": QUANTITY, "energy": QUANTITY, "step": NUMBER, "limit": NUMBER},
    {
        **dict.fromkeys(("zones", "capacity_price", "networks_price", "electricity_price"), NAME),
        "intervals": INTERVALS,
        "price_level": NAME,
        "at_change": AT_CHANGE,
    },
)
_CAPPED = {"cap": NAME, "energy": QUANTITY}
_CAPPED_BY = {"per": MONTH_OR_PERIOD, "lowered_by": SHARED}

FORMULA_SHAPES: Mapping[str, FormulaShape] = {
    "per_mw_month": FormulaShape({"quantity": QUANTITY}, {}),
    "per_mwh": FormulaShape({"quantity": QUANTITY}, {"lowered_by": SHARED}),
    "per_mvarh": FormulaShape({"quantity": QUANTITY}, {}),
    "per_point_month": FormulaShape({}, {}),
    "per_started_unit_month": FormulaShape({"quantity": QUANTITY, "unit": NUMBER}, {}),
    "breaker_band": FormulaShape({}, {}),
    "capped_per_mw": FormulaShape({"quantity": QUANTITY, "otherwise": SUM, **_CAPPED}, _CAPPED_BY),
    "capped_per_ampere": FormulaShape(_CAPPED, _CAPPED_BY),
    "excess_over_reserved": FormulaShape(
        {"measured": QUANTITY, "reserved": SUM, "multiplier": NUMBER, "base": NAME},
        {"base_if_none": NAME, "reserved_if_none": ZERO_OR_TOLD, **_MAXIMUM},
    ),
    "fixed_excess_over_reserved": FormulaShape({"measured": QUANTITY, "reserved": SUM}, _MAXIMUM),
    "lower_tariff_reserved_input": _TARIFFS,
    "lower_tariff_maximum_power": _TARIFFS,
    "power_factor": _POWER_FACTOR,
    "power_factor_neutral_band": _POWER_FACTOR,
    "gas_energy": FormulaShape({"quantity": QUANTITY}, {}),
    "gas_fixed_month": FormulaShape({}, {}),
    "gas_market_operator": FormulaShape({"quantity": QUANTITY}, {"included_in": NAME}),
    "gas_capacity_instalment": FormulaShape(
        {"quantity": QUANTITY, "instalments": NUMBER},
        {"base": NAME, "forms": FORMS, "factor": NAME, "optional": NAME},
    ),
    "gas_capacity_excess": FormulaShape(
        {"measured": SUM, "reserved": SUM, "multiplier": NUMBER, "instalments": NUMBER},
        {
            "quantity": QUANTITY,
            "base": NAME,
            "forms": FORMS,
            "factor": NAME,
            "change_days": CHANGE_DAYS,
            "at_change": AT_CHANGE,
        },
    ),
}
"""By formula name; a test compares them with `formulas.ALL_FORMULAS`."""

_CHOICES = {
    MONTH_OR_PERIOD: {"month", "period"},
    AT_CHANGE: {"maximum", "last"},
    ZERO_OR_TOLD: {"zero", "told"},
    FORMS: {"const", "ln", "table"},
    CHANGE_DAYS: {"hours"},
    SHARED: {SHARED},
}


def _is(kind: str, value: str) -> bool:
    parts = value.split("+")
    if kind == NUMBER:
        try:
            number = Decimal(value)
        except InvalidOperation:
            return False
        return number.is_finite() and Decimal(0) < number < 1_000_000
    if kind == QUANTITY:
        return value in QUANTITIES
    if kind == SUM:
        return set(parts) <= QUANTITIES
    if kind == INTERVALS:
        try:
            parse_mask(value)
        except ValueError:
            return False
        return True
    if kind in _CHOICES:
        return set(parts) <= _CHOICES[kind] and (kind == FORMS or len(parts) == 1)
    return all(part.strip() == part != "" for part in parts) and (kind == NAMES or len(parts) == 1)
