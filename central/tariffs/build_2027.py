"""The tariff structure announced for 2027 (nová tarifní struktura), with its informative prices: not binding.

Above low voltage, reserved input and the month's maximum power taken are paid instead of reserved capacity, by the
tariff T1 or T2 that is lower in the month. Prices are those of the informative text of May 2026, "as if in 2026".
"""

from typing import Any

from central.tariffs.build_deadlines import DEADLINE_SOURCES, ELECTRICITY
from central.tariffs.build_parts import ENERGY_TAX_SOURCE, ROUNDING, VAT, energy_tax, number, payment_term, rule, table
from central.tariffs.build_rules import ELECTRICITY_RULES, ELECTRICITY_SOURCES, HIGH

_SOURCE = "nts-informative"
_DERIVED = {"UCED": "1023", "SV": "713"}
"""Prices of exceeded input that the text does not print: 4 times the price of reserved input in T1, by the kW."""
_TARIFFS = {
    "tariffs": "T1+T2",
    "reserved": "reserved_input_kw",
    "measured": "max_quarter_hour_kw",
    "reserved_price": "nts_input",
    "measured_price": "nts_maximum",
    "floor": "0.6",
    "storage": "storage_limit",
    "not_if": "single_component",
}


def electricity_2027(high: dict[str, Any]) -> dict[str, Any]:
    """The package from the raw table of informative prices (operator -> level -> seven values)."""
    prices = {
        (operator, level): values
        for operator, levels in high["nts_informative"].items()
        for level, values in levels.items()
    }
    return {
        "format": 2,
        "name": "cz-electricity-2027-informative",
        "version": "2027.1",
        "scope": "cz-electricity",
        "commodity": "electricity",
        "title": {
            "cs": "Nová tarifní struktura 2027 (informativní, nezávazné)",
            "en": "Tariff structure of 2027 (informative, not binding)",
        },
        "valid": ["2027-01-01", "2028-01-01"],
        "example": False,
        "binding": False,
        "notes": [
            "Nothing is settled by this package until the operator says so; it serves quotes and what-if.",
            "Low voltage is not in it: its structure does not change, its prices of 2027 are not announced.",
            "System services, POZE, non-network infrastructure and reactive energy are those of 2026, assumed.",
            "The floor of reserved input at entries of local networks is from the regulator's calculator; the legal "
            "wording was not seen. Limits of the storage coefficient are preliminary.",
        ],
        "sources": {
            _SOURCE: {
                "title": "Informativní cenový výměr ERÚ k nové tarifní struktuře (květen 2026)",
                "note": "ceny „jako v roce 2026“; body 4.8 a 4.10; nezávazné",
            },
            **{key: ELECTRICITY_SOURCES[key] for key in ("cv-13-2025", "cv-15-2025", "cr-2021", "act-165-2012")},
            **{key: ELECTRICITY_SOURCES[key] for key in ("vat-act", "product")},
            **DEADLINE_SOURCES,
            **ENERGY_TAX_SOURCE,
        },
        "operators": {
            "CEZ": "ČEZ Distribuce, a. s.",
            "EGD": "EG.D, s.r.o.",
            "PRE": "PREdistribuce, a.s.",
            "UCED": "UCED Chomutov s.r.o.",
            "SV": "SV servisní, s.r.o.",
        },
        "vat": VAT,
        "rounding": ROUNDING,
        "rules": _rules(),
        "groups": [],
        "tables": [
            *_prices(prices),
            *_storage(),
            *_as_in_2026(high),
            payment_term(),
            energy_tax("electricity", mark="assumed"),
        ],
        "rates": {},
        "breaker_bands": [],
        "consumption_bands": {},
        "named_bands": {
            "T1": {"cs": "Tarif T1", "en": "Tariff T1"},
            "T2": {"cs": "Tarif T2", "en": "Tariff T2"},
            **{
                f"{kind} {limit}": {"cs": f"{cs}, mez {limit}", "en": f"{en}, limit {limit}"}
                for kind, cs, en in (
                    ("storage", "Akumulace", "Storage"),
                    ("pumped", "Přečerpávací elektrárna", "Pumped storage"),
                )
                for limit in ("U1", "U2")
            },
        },
        "estimation_orders": [],
        "verification_periods": [],
        "deadlines": ELECTRICITY,
        "steps": [],
        "series": [],
    }


def _rules() -> list[dict[str, Any]]:
    kept = {"system_services", "poze", "nonnetwork_infrastructure", "unsolicited_reactive", "power_factor"}
    others = [
        {**each, "levels": HIGH, "mark": "assumed", "note": "As in 2026: assumed."}
        for each in ELECTRICITY_RULES
        if each["component"] in kept | {"excess_reserved_output"}
    ]
    return [
        rule(
            "nts_input_payment",
            2101,
            "Rezervovaný příkon",
            "Reserved input",
            "lower_tariff_reserved_input",
            _TARIFFS,
            _SOURCE,
            levels=HIGH,
            mark="inferred",
            note="Points 4.8 and 4.10 of the informative text. The rate code is the product's own.",
        ),
        rule(
            "nts_maximum_payment",
            2102,
            "Maximální odebraný výkon",
            "Maximum power taken",
            "lower_tariff_maximum_power",
            _TARIFFS,
            _SOURCE,
            levels=HIGH,
            mark="inferred",
            note="The rate code is the product's own.",
        ),
        rule(
            "excess_reserved_input",
            27,
            "Překročení rezervovaného příkonu",
            "Exceeded reserved input",
            "fixed_excess_over_reserved",
            {"measured": "max_quarter_hour_kw", "reserved": "reserved_input_kw"},
            _SOURCE,
            levels=HIGH,
            mark="inferred",
            note="On top of the maximum, from data that no storage coefficient reduces.",
        ),
        rule(
            "use_of_networks",
            7,
            "Použití sítí",
            "Use of networks",
            "per_mwh",
            {"quantity": "energy_mwh", "not_if": "single_component"},
            _SOURCE,
            levels=HIGH,
            mark="inferred",
        ),
        rule(
            "single_component",
            26,
            "Jednosložková cena za službu sítí",
            "Single-component price of the network service",
            "per_mwh",
            {"quantity": "energy_mwh", "only_if": "single_component"},
            _SOURCE,
            levels=HIGH,
            mark="inferred",
            note="For use below 600 hours a year, chosen for 12 months.",
        ),
        *others,
    ]


def _prices(prices: dict[tuple[str, str], list[Any]]) -> list[dict[str, Any]]:
    inputs, maxima, networks, single, excess = [], [], [], [], []
    for (operator, level), (input_1, input_2, maximum_1, maximum_2, use, one, over) in prices.items():
        where = [operator, level]
        inputs += [[*where, "T1", number(input_1)], [*where, "T2", number(input_2)]]
        maxima += [[*where, "T1", number(maximum_1)], [*where, "T2", number(maximum_2)]]
        networks.append([*where, number(round(use, 2))])
        single.append([*where, number(one)])
        if over is not None:
            excess.append([*where, number(over)])
    derived = [[operator, "VN", price] for operator, price in _DERIVED.items() if (operator, "VN") in prices]
    banded, placed = ["operator", "level", "band"], ["operator", "level"]
    return [
        table("nts_input", "CZK/MW/month", banded, _SOURCE, inputs),
        table("nts_maximum", "CZK/MW/month", banded, _SOURCE, maxima),
        table("use_of_networks", "CZK/MWh", placed, _SOURCE, networks),
        table("single_component", "CZK/MWh", placed, _SOURCE, single),
        table("excess_reserved_input", "CZK/kW/month", placed, _SOURCE, excess),
        table(
            "excess_reserved_input",
            "CZK/kW/month",
            placed,
            _SOURCE,
            derived,
            mark="inferred",
            note="Not printed: 4 times the price of reserved input in T1.",
        ),
    ]


def _storage() -> list[dict[str, Any]]:
    limits = {"storage": {"VVN": ("0.60", "0.70"), "VN": ("0.60", "0.75")}}
    limits["pumped"] = dict.fromkeys(("VVN", "VN"), ("0.50", "0.70"))
    rows = [
        [level, f"{kind} {name}", value]
        for kind, levels in limits.items()
        for level, values in levels.items()
        for name, value in zip(("U1", "U2"), values, strict=True)
    ]
    note = "Preliminary."
    return [table("storage_limit", "1", ["level", "band"], _SOURCE, rows, mark="inferred", note=note)]


def _as_in_2026(high: dict[str, Any]) -> list[dict[str, Any]]:
    note = "The value of 2026: assumed."
    services = [[number(high["system_services"])]]
    infrastructure = [[number(high["nonnetwork_infrastructure_month"])]]
    support = [[level, number(high["poze_mw_month"])] for level in HIGH]
    output = [[level, number(price)] for level, price in high["overrun_export_kw_month"].items()]
    return [
        table("system_services", "CZK/MWh", [], "cv-13-2025", services, "assumed", note),
        table("nonnetwork_infrastructure", "CZK/OPM/month", [], "cv-13-2025", infrastructure, "assumed", note),
        table("poze", "CZK/MW/month", ["level"], "cv-15-2025", support, "assumed", note),
        table("poze_cap", "CZK/MWh", [], "act-165-2012", [[number(high["poze_cap_mwh"])]], "assumed", note),
        table("unsolicited_reactive", "CZK/MVArh", [], "cr-2021", [["440"]], "assumed", note),
        table("excess_reserved_output", "CZK/kW/month", ["level"], "cv-13-2025", output, "assumed", note),
    ]
