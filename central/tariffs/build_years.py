"""Packages of electricity for 2025 and 2021, as far as their values are documented.

A component without a price keeps its rule: whoever would have to pay it is left out with a sentence, so that no bill
leaves it out in silence.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from central.tariffs.build_deadlines import DEADLINE_SOURCES, ELECTRICITY, LOAD_PROFILES, reserved_capacity
from central.tariffs.build_parts import (
    ENERGY_TAX_SOURCE,
    ROUNDING,
    VAT,
    energy_tax,
    payment_term,
    table,
    with_parameters,
)
from central.tariffs.build_rules import (
    BREAKER_BANDS,
    ELECTRICITY_GROUPS,
    ELECTRICITY_RULES,
    ELECTRICITY_SOURCES,
    HIGH,
    NO_CAPACITY,
)

_REGIONAL = {"CEZ": "ČEZ Distribuce, a. s.", "EGD": "EG.D, a.s.", "PRE": "PREdistribuce, a.s."}

_D_2025: Mapping[tuple[str, ...], tuple[tuple[str, str, str], ...]] = {
    # rates: (VT or JT, NT) of ČEZ, EG.D, PRE in CZK/MWh
    ("D01d",): (("CEZ", "2803.18", ""), ("EGD", "2694.79", ""), ("PRE", "1823.39", "")),
    ("D02d",): (("CEZ", "2099.63", ""), ("EGD", "2171.45", ""), ("PRE", "1405.58", "")),
    ("D25d", "D27d"): (("CEZ", "2267.11", "206"), ("EGD", "2123.08", "222.64"), ("PRE", "1539.98", "114.44")),
    ("D26d",): (("CEZ", "1046", "206"), ("EGD", "958.21", "222.64"), ("PRE", "739.91", "114.44")),
    ("D35d", "D45d", "D56d", "D57d"): (
        ("CEZ", "721.45", "206"),
        ("EGD", "718.76", "222.64"),
        ("PRE", "296.85", "114.44"),
    ),
    ("D61d",): (("CEZ", "3282.6", "206"), ("EGD", "3178.99", "222.64"), ("PRE", "2199.27", "114.44")),
}

_SURCHARGE = """
0 0, 0.347 1.12, 0.380 2.26, 0.411 3.43, 0.441 4.63, 0.471 5.85, 0.499 7.10, 0.527 8.37, 0.554 9.68, 0.581 11.02,
0.607 12.38, 0.633 13.79, 0.660 15.22, 0.686 16.69, 0.711 18.19, 0.737 19.74, 0.764 21.32, 0.790 22.94, 0.816 24.61,
0.842 26.32, 0.869 28.07, 0.896 29.87, 0.923 31.72, 0.950 33.63, 0.978 35.58, 1.008 37.59, 1.035 39.66, 1.064 41.80,
1.093 43.99, 1.124 46.25, 1.154 48.58, 1.186 50.99, 1.217 53.47, 1.250 56.03, 1.282 58.67, 1.317 61.40, 1.351 64.23,
1.387 67.15, 1.424 70.18, 1.461 73.31, 1.495 76.56, 1.533 79.92, 1.580 83.42, 1.621 87.05, 1.664 90.82, 1.710 94.70,
1.756 100
"""
"""From tg phi: surcharge in percent; the printed table used until about 2020, three slips of its copy corrected."""


def electricity_2025(rates: Mapping[str, Any], classes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """2025: use of networks, POZE, common prices, energy of household rates; yearly capacity of one list only.

    `rates` and the tables of load-profile `classes` are those of 2026.
    """
    decision, transcript = "cv-11-2024", "transcript-2025"
    return {
        "format": 2,
        "name": "cz-electricity-2025",
        "version": "2025.2",
        "scope": "cz-electricity",
        "commodity": "electricity",
        "title": {
            "cs": "Regulované ceny elektřiny 2025 (neúplné)",
            "en": "Regulated prices of electricity 2025 (incomplete)",
        },
        "valid": ["2025-01-01", "2026-01-01"],
        "example": False,
        "binding": True,
        "notes": [
            "Not found: breaker prices, business rates, monthly capacity, yearly capacity but ČEZ at VN. A point that "
            "needs one of them is left out.",
            "Multipliers of over-runs were not found for 2025; those of 2026 are assumed.",
            "Classes of rates and the list of rates are those of 2026.",
        ],
        "sources": {
            decision: {
                "title": "Cenový výměr ERÚ č. 11/2024",
                "note": "ERV 13/2024; body 4.42, 5.1.1 a ceny",
            },
            transcript: {"title": "Sazby distribuce NN 2025 (veřejný opis)", "note": "jen sazby D, bez jističů"},
            **{key: ELECTRICITY_SOURCES[key] for key in ("cr-2021", "act-165-2012", "vat-act", "product")},
            "decree-541-2005": _CLASSES,
            **DEADLINE_SOURCES,
            **ENERGY_TAX_SOURCE,
        },
        "operators": _REGIONAL,
        "vat": VAT,
        "rounding": ROUNDING,
        "rules": _rules_2025(decision, transcript),
        "groups": [{**group, "source": "product", "mark": "assumed"} for group in ELECTRICITY_GROUPS],
        "tables": [
            table("system_services", "CZK/MWh", [], decision, [["170.92"]]),
            table("nonnetwork_infrastructure", "CZK/OPM/month", [], decision, [["10.84"]]),
            table("poze", "CZK/MW/month", ["level"], decision, [[level, "115880.79"] for level in HIGH]),
            table("poze_ampere", "CZK/A/month", ["level"], decision, [["NN", "84.7"]]),
            table("poze_cap", "CZK/MWh", [], "act-165-2012", [["495"]]),
            payment_term(),
            energy_tax("electricity"),
            table(
                "unsolicited_reactive",
                "CZK/MVArh",
                [],
                "cr-2021",
                [["440"]],
                mark="inferred",
                note="Documented for 2021; a public calculator of 2026 still has it.",
            ),
            table("reserved_capacity_year", "CZK/MW/month", ["operator", "level"], decision, [["CEZ", "VN", "237309"]]),
            table(
                "use_of_networks",
                "CZK/MWh",
                ["operator", "level"],
                decision,
                [
                    ["CEZ", "VVN", "45.35"],
                    ["CEZ", "VN", "87.41"],
                    ["EGD", "VN", "79.91"],
                    ["PRE", "VN", "44.5"],
                ],
            ),
            *classes,
            *_energy_2025(transcript, rates),
        ],
        "rates": dict(rates),
        "breaker_bands": BREAKER_BANDS,
        "consumption_bands": {},
        "estimation_orders": [],
        "verification_periods": [],
        "deadlines": [*ELECTRICITY, *reserved_capacity(decision, "assumed")],
        "steps": [],
        "series": LOAD_PROFILES,
    }


def electricity_2021() -> dict[str, Any]:
    """2021: capacity of ČEZ at VN, reactive energy, over-run of twice the yearly price; the power factor's formula."""
    decision = "cr-2021"
    return {
        "format": 2,
        "name": "cz-electricity-2021",
        "version": "2021.2",
        "scope": "cz-electricity",
        "commodity": "electricity",
        "title": {
            "cs": "Regulované ceny elektřiny 2021 (neúplné)",
            "en": "Regulated prices of electricity 2021 (incomplete)",
        },
        "valid": ["2021-01-01", "2022-01-01"],
        "example": False,
        "binding": True,
        "notes": [
            "Documented: yearly and monthly capacity of ČEZ at VN, unsolicited reactive energy, the cap of POZE, "
            "multipliers of over-runs. A point that needs another price is left out.",
            "Power factor: the formula is that of 2021 (point 4.53), the surcharges are those of the table used until "
            "about 2020; the five zones of 2021 and the price of electricity in the formula were not found.",
            "Low voltage is not in the package.",
        ],
        "sources": {
            decision: {
                "title": "Cenové rozhodnutí ERÚ pro rok 2021",
                "note": "body 4.17 až 4.38, 4.53",
            },
            "table-2020": {"title": "Tabulka přirážek za účiník (do roku 2020)", "note": "s opravou tří chyb opisu"},
            **{key: ELECTRICITY_SOURCES[key] for key in ("act-165-2012", "vat-act", "product")},
            "decree-541-2005": _CLASSES,
            **DEADLINE_SOURCES,
            **ENERGY_TAX_SOURCE,
        },
        "operators": _REGIONAL,
        "vat": VAT,
        "rounding": ROUNDING,
        "rules": _rules_2021(decision),
        "groups": [{**group, "source": "product", "mark": "assumed"} for group in ELECTRICITY_GROUPS],
        "tables": [
            table("reserved_capacity_year", "CZK/MW/month", ["operator", "level"], decision, [["CEZ", "VN", "177031"]]),
            table(
                "reserved_capacity_month", "CZK/MW/month", ["operator", "level"], decision, [["CEZ", "VN", "197921"]]
            ),
            table("unsolicited_reactive", "CZK/MVArh", [], decision, [["440"]]),
            table("poze_cap", "CZK/MWh", [], "act-165-2012", [["495"]]),
            payment_term(),
            energy_tax("electricity"),
        ],
        "rates": {},
        "breaker_bands": [],
        "consumption_bands": {},
        "estimation_orders": [],
        "verification_periods": [],
        "deadlines": [*ELECTRICITY, *reserved_capacity(decision, "assumed")],
        "steps": [
            {
                "component": "power_factor_surcharge",
                "unit": "%",
                "of": "tg_phi",
                "source": "table-2020",
                "mark": "assumed",
                "note": "Used until about 2020; for 2021 assumed.",
                "rows": [row.split() for row in _SURCHARGE.replace("\n", " ").split(",")],
            }
        ],
        "series": LOAD_PROFILES,
    }


_CLASSES = {
    "title": "Vyhláška č. 541/2005 Sb., příloha (třídy typových diagramů dodávky)",
    "note": "písmena sazeb byla v dostupném opisu zčásti nečitelná",
}


def _energy_2025(source: str, known: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows: dict[str, list[list[str]]] = {"energy_jt": [], "energy_vt": [], "energy_nt": []}
    for rates, prices in _D_2025.items():
        for rate in filter(known.__contains__, rates):
            for operator, first, low in prices:
                rows["energy_vt" if low else "energy_jt"].append([rate, operator, first])
                if low:
                    rows["energy_nt"].append([rate, operator, low])
    return [table(component, "CZK/MWh", ["rate", "operator"], source, entries) for component, entries in rows.items()]


_NOT_2025 = {"single_component", "unmetered_10w", "unmetered_flat", "excess_reserved_output"}
_ASSUMED_2025 = {"excess_reserved_capacity", "excess_reserved_input"}


def _rules_2025(decision: str, transcript: str) -> list[dict[str, Any]]:
    rules = []
    for rule in _of_one_time(_NOT_2025):
        source = {"cv-13-2025": decision, "cv-15-2025": decision, "cv-14-2025": transcript}.get(
            rule["source"], rule["source"]
        )
        assumed = rule["component"] in _ASSUMED_2025
        note = "The multiplier was not found for 2025; that of 2026 is assumed." if assumed else rule["note"]
        if "reserved_if_none" in rule["parameters"]:
            note = f"{note} {NO_CAPACITY}"
        rules.append(with_parameters(rule, source, "assumed" if assumed else rule["mark"], note))
    return rules


def _rules_2021(decision: str) -> list[dict[str, Any]]:
    rules = []
    low = {"breaker", "energy_jt", "energy_vt", "energy_nt", "poze_ampere"}
    for rule in _of_one_time(_NOT_2025 | low):
        component = rule["component"]
        changed = {**rule, "levels": HIGH}
        if component == "excess_reserved_capacity":
            note = (
                f"Point 4.23: twice the yearly price; the monthly one where no yearly capacity is agreed. {NO_CAPACITY}"
            )
            parameters = {
                "multiplier": "2",
                "base": "reserved_capacity_year",
                "base_if_none": "reserved_capacity_month",
            }
            rules.append(with_parameters(changed, decision, "documented", note, **parameters))
        elif component == "excess_reserved_input":
            note = "Points 4.30 and 4.31: 4 times the monthly price."
            rules.append(with_parameters(changed, decision, "documented", note))
        elif component == "nonnetwork_infrastructure":
            names = {"cs": "Činnost operátora trhu", "en": "Market operator's activity"}
            rules.append(with_parameters({**changed, "name": names}, decision, "documented"))
        elif component == "power_factor":
            parameters = {
                "zones": "power_factor_surcharge",
                "capacity_price": "reserved_capacity_year",
                "networks_price": "use_of_networks",
                "electricity_price": "electricity_in_power_factor",
            }
            note = "Point 4.53, a sum; that the capacity price in it is the yearly one is assumed."
            coded = {**changed, "code": 11}
            rules.append(with_parameters(coded, decision, "assumed", note, **parameters))
        else:
            mark = "assumed" if component in ("use_of_networks", "system_services", "poze") else "documented"
            rules.append(with_parameters(changed, decision, mark))
    return rules


def _of_one_time(without: set[str]) -> list[dict[str, Any]]:
    """The rules of 2026 before its amendments, without some, and without their validity in 2026."""
    return [
        {key: value for key, value in rule.items() if key != "valid"}
        for rule in ELECTRICITY_RULES
        if rule["component"] not in without and "measured_at_entry" not in rule["parameters"]
    ]
