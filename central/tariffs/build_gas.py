"""Packages of gas: the documented price lists of 2015 and 2017. Later prices are not public."""

from typing import Any

from central.tariffs.build_deadlines import DEADLINE_SOURCES, GAS, GAS_SERIES, GAS_SERIES_SOURCE
from central.tariffs.build_estimation import GAS_ESTIMATION
from central.tariffs.build_parts import (
    ENERGY_TAX_SOURCE,
    GAS_ROUNDING,
    VAT,
    energy_tax,
    payment_term,
    rule,
    table,
    with_parameters,
)
from central.tariffs.build_verification import GAS_VERIFICATION, VERIFICATION_SOURCE
from central.tariffs.model import FORMAT

GAS_SOURCES: dict[str, Any] = {
    "gasnet-2017": {"title": "Ceník distribuce GasNet 2017", "note": "pásma podle přepočtené roční spotřeby"},
    "vat-act": {"title": "Zákon č. 235/2004 Sb., o dani z přidané hodnoty"},
    "product": {"title": "Předpoklad produktu", "note": "není doložen veřejným zdrojem"},
}

MONTHS = [f"{month:02d}" for month in range(1, 13)]
"""The months as factors by month name them in the place of a band."""
NAMED_MONTHS = {month: {"cs": f"měsíc {int(month)}", "en": f"month {int(month)}"} for month in MONTHS}
_CAPACITIES = [f"daily_capacity{kind}_thousand_m3" for kind in ("", "_month", "_sliding")]
_OF_YEARLY_PRICE = {"base": "gas_capacity_year", "instalments": "12", "optional": "yes"}

GAS_RULES: list[dict[str, Any]] = [
    rule(
        "gas_energy",
        1001,
        "Distribuované množství plynu",
        "Distributed gas",
        "gas_energy",
        {"quantity": "energy_mwh"},
        "gasnet-2017",
        note="The meaning of rate code 1001 is inferred from the messages of the market operator.",
        mark="inferred",
    ),
    rule(
        "gas_fixed",
        1002,
        "Stálý měsíční plat",
        "Fixed monthly payment",
        "gas_fixed_month",
        {},
        "gasnet-2017",
        note="Consumption bands up to 63 MWh a year.",
        mark="inferred",
    ),
    rule(
        "gas_capacity_year",
        1019,
        "Denní rezervovaná distribuční kapacita",
        "Daily reserved distribution capacity",
        "gas_capacity_instalment",
        {"quantity": "daily_capacity_thousand_m3", "instalments": "12"},
        "gasnet-2017",
        note="Consumption over 63 MWh a year; a twelfth of the yearly price each month is inferred.",
        mark="inferred",
    ),
    rule(
        "gas_capacity_month",
        1022,
        "Měsíční denní rezervovaná distribuční kapacita",
        "Monthly daily reserved distribution capacity",
        "gas_capacity_instalment",
        {"quantity": "daily_capacity_month_thousand_m3", "factor": "gas_month_factor", **_OF_YEARLY_PRICE},
        "product",
        note="That yearly capacity may be topped up by monthly one is documented, its price is not: a twelfth of the "
        "yearly price x the factor of the month.",
        mark="assumed",
    ),
    rule(
        "gas_capacity_sliding",
        1021,
        "Klouzavá denní rezervovaná distribuční kapacita",
        "Sliding daily reserved distribution capacity",
        "gas_capacity_instalment",
        {"quantity": "daily_capacity_sliding_thousand_m3", "factor": "gas_sliding_factor", **_OF_YEARLY_PRICE},
        "product",
        note="That yearly capacity may be topped up by sliding one is documented, its price and rate code are not: a "
        "twelfth of the yearly price x the factor of the month.",
        mark="assumed",
    ),
    rule(
        "gas_capacity_excess",
        1998,
        "Překročení denní rezervované distribuční kapacity",
        "Exceeded daily reserved distribution capacity",
        "gas_capacity_excess",
        {
            "measured": "max_daily_taken_thousand_m3+daily_taken_23h_thousand_m3+daily_taken_25h_thousand_m3",
            "reserved": "+".join(_CAPACITIES),
            "quantity": "daily_capacity_thousand_m3",
            "multiplier": "1",
            "base": "gas_capacity_year",
            "factor": "gas_month_factor",
            "instalments": "12",
            "change_days": "hours",
        },
        "product",
        note="Evaluated by gas day, the highest day of a month billed once at the monthly price of capacity x a "
        "multiplier: assumed, as are the multiplier and the rate code. change_days: on the days of clock changes the "
        "agreed capacity is 23/24 and 25/24 of what is agreed (price decision 4/2019, point 1.5, documented for 2019); "
        "a package without this parameter compares all days with the whole.",
        mark="assumed",
    ),
    rule(
        "gas_market_operator",
        1023,
        "Činnost operátora trhu",
        "Market operator",
        "gas_market_operator",
        {"quantity": "energy_mwh"},
        "gasnet-2017",
        note="CZK for each MWh distributed. Where the package has no price, nothing is billed and a remark says so.",
        mark="inferred",
    ),
]


def month_factors(component: str) -> dict[str, Any]:
    """A factor of the price of capacity for each month; none is public, so that all of them are 1."""
    return table(
        component,
        "1",
        ["band"],
        "product",
        [[month, "1"] for month in MONTHS],
        mark="assumed",
        note="No factor of a month is public; 1 leaves a twelfth of the yearly price.",
    )


def gas_2017_example() -> dict[str, Any]:
    """The documented price list of GasNet for 2017, usable as an example where no later prices are public."""
    bands = (("0", "1.89"), ("1.89", "7.56"), ("7.56", "15"), ("15", "25"), ("25", "45"), ("45", "63"), ("63", None))
    names = [f"{over}-{up_to}" if up_to else f">{over}" for over, up_to in bands]
    energy = ("452.61", "242.52", "220.14", "200.12", "172.68", "141.26", "120.44")
    fixed = ("67.89", "100.97", "115.07", "140.10", "197.27", "315.11")
    return {
        "format": FORMAT,
        "name": "cz-gas-2017-example",
        "version": "2017.4",
        "scope": "cz-gas",
        "commodity": "gas",
        "title": {
            "cs": "Ceny distribuce plynu 2017 (příklad)",
            "en": "Prices of gas distribution 2017 (example)",
        },
        "valid": ["2017-01-01", "2028-01-01"],
        "example": True,
        "notes": [
            "Documented for 2017 only; used as an example for later days, because no later prices are public.",
            "The market operator's price of 2017 was not found (2.16 CZK/MWh in 2015, 2.13 in a list without a year): "
            "its rule bills nothing and says so until a package has the price.",
            "Factors of months and the multiplier of exceeded daily capacity were not found; both are 1, assumed.",
            "The formula above 630 MWh a year was not found; the fixed yearly price per daily capacity is used.",
        ],
        "sources": {**GAS_SOURCES, **VERIFICATION_SOURCE, **DEADLINE_SOURCES, **ENERGY_TAX_SOURCE, **GAS_SERIES_SOURCE},
        "binding": True,
        "operators": {"GASNET": "GasNet, s.r.o."},
        "vat": VAT,
        "rounding": GAS_ROUNDING,
        "rules": GAS_RULES,
        "groups": [],
        "tables": [
            table(
                "gas_energy",
                "CZK/MWh",
                ["operator", "band"],
                "gasnet-2017",
                [["GASNET", name, price] for name, price in zip(names, energy, strict=True)],
            ),
            table(
                "gas_fixed",
                "CZK/month",
                ["operator", "band"],
                "gasnet-2017",
                [["GASNET", name, price] for name, price in zip(names, fixed, strict=False)],
            ),
            table(
                "gas_capacity_year",
                "CZK/1000 m3/year",
                ["operator", "band"],
                "gasnet-2017",
                [["GASNET", names[-1], "115933.79"]],
            ),
            month_factors("gas_month_factor"),
            month_factors("gas_sliding_factor"),
            payment_term(),
            energy_tax("gas"),
            table(
                "calorific_value",
                "kWh/m3",
                ["operator"],
                "product",
                [["GASNET", "10.6512"]],
                mark="assumed",
                note="An example; the operator publishes the value of each month and area.",
            ),
        ],
        "rates": {},
        "breaker_bands": [],
        "named_bands": NAMED_MONTHS,
        "consumption_bands": {
            "GASNET": [
                {"name": name, "over": over, "up_to": up_to} for name, (over, up_to) in zip(names, bands, strict=True)
            ]
        },
        "estimation_orders": GAS_ESTIMATION,
        "verification_periods": GAS_VERIFICATION,
        "deadlines": GAS,
        "series": GAS_SERIES,
    }


def _of_2015(given: dict[str, Any], source: str) -> dict[str, Any]:
    """A rule as the list of 2015 has it: its energy prices have the market operator inside."""
    if given["component"] == "gas_market_operator":
        return with_parameters(given, source, "documented", included_in="gas_energy")
    return with_parameters(given, given["source"] if given["source"] == "product" else source, given["mark"])


def gas_2015() -> dict[str, Any]:
    """The documented price list of RWE GasNet for 2015, and the bands of another distributor without prices."""
    bands = (
        ("0", "1.89", "412.77", "65.05"),
        ("1.89", "7.56", "234.74", "93.09"),
        ("7.56", "15", "211.85", "107.51"),
        ("15", "25", "193.75", "130.14"),
        ("25", "45", "167.74", "184.33"),
        ("45", "63", "137.38", "298.16"),
        ("63", "630", "117.55", None),
    )
    others = [(str(over), str(over + 5)) for over in range(15, 55, 5)]
    source = "rwe-gasnet-2015"
    return {
        "format": FORMAT,
        "name": "cz-gas-2015",
        "version": "2015.2",
        "scope": "cz-gas",
        "commodity": "gas",
        "title": {"cs": "Ceny distribuce plynu 2015", "en": "Prices of gas distribution 2015"},
        "valid": ["2015-01-01", "2016-01-01"],
        "example": False,
        "binding": True,
        "notes": [
            "Energy prices include the market operator's 2.16 CZK/MWh, as they were printed.",
            "Over 630 MWh a year the formula was not found: such points are left out.",
            "Factors of months and the multiplier of exceeded daily capacity were not found; both are 1, assumed.",
            "EON: bands of another distributor as far as they were documented (15 to 55 MWh); its prices were not, so "
            "its points are left out.",
        ],
        "sources": {
            source: {"title": "Ceník RWE GasNet 2015", "note": "převzat z ceníku obchodníka, ceny včetně poplatku OTE"},
            "garance-plus": {"title": "Ceník GARANCE+", "note": "pásma distributora typu E.ON; rok není doložen"},
            **{key: GAS_SOURCES[key] for key in ("vat-act", "product")},
            **DEADLINE_SOURCES,
            **ENERGY_TAX_SOURCE,
            **GAS_SERIES_SOURCE,
        },
        "operators": {"GASNET": "RWE GasNet, s.r.o.", "EON": "E.ON Distribuce, a.s. (plyn)"},
        "vat": VAT,
        "rounding": GAS_ROUNDING,
        "rules": [_of_2015(each, source) for each in GAS_RULES],
        "groups": [],
        "tables": [
            table(
                "gas_energy",
                "CZK/MWh",
                ["operator", "band"],
                source,
                [["GASNET", f"{over}-{up_to}", price] for over, up_to, price, _ in bands],
                note="Including 2.16 CZK/MWh of the market operator.",
            ),
            table(
                "gas_fixed",
                "CZK/month",
                ["operator", "band"],
                source,
                [["GASNET", f"{over}-{up_to}", fixed] for over, up_to, _, fixed in bands if fixed is not None],
            ),
            table(
                "gas_capacity_year",
                "CZK/1000 m3/year",
                ["operator", "band"],
                source,
                [["GASNET", "63-630", "108075.16"]],
            ),
            table(
                "gas_market_operator",
                "CZK/MWh",
                ["operator"],
                source,
                [["GASNET", "2.16"]],
                note="Inside the printed prices of distributed gas.",
            ),
            month_factors("gas_month_factor"),
            month_factors("gas_sliding_factor"),
            payment_term(),
            energy_tax("gas"),
        ],
        "rates": {},
        "breaker_bands": [],
        "named_bands": NAMED_MONTHS,
        "consumption_bands": {
            "GASNET": [{"name": f"{over}-{up_to}", "over": over, "up_to": up_to} for over, up_to, _, _ in bands],
            "EON": [{"name": f"{over}-{up_to}", "over": over, "up_to": up_to} for over, up_to in others],
        },
        "estimation_orders": [],
        "verification_periods": [],
        "deadlines": GAS,
        "series": GAS_SERIES,
    }
