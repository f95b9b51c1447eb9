"""The parts of the shipped packages that no price table holds: sources, rules, bands, rounding."""

from typing import Any

from central.tariffs.build_parts import rule

ELECTRICITY_SOURCES: dict[str, Any] = {
    "cv-13-2025": {
        "title": "Cenový výměr ERÚ č. 13/2025",
        "note": "28. 11. 2025, ERV 17/2025; napěťové hladiny VVN a VN a ostatní regulované ceny; ve znění č. 1/2026",
    },
    "cv-14-2025": {"title": "Cenový výměr ERÚ č. 14/2025", "note": "ERV 18/2025; napěťová hladina NN"},
    "cv-15-2025": {"title": "Cenový výměr ERÚ č. 15/2025", "note": "29. 12. 2025; cena na podporu POZE 0 Kč"},
    "cr-2021": {"title": "Cenové rozhodnutí ERÚ pro rok 2021", "note": "poslední doložená hodnota"},
    "act-165-2012": {"title": "Zákon č. 165/2012 Sb., § 28a", "note": "omezení platby na podporu POZE podle spotřeby"},
    "vat-act": {"title": "Zákon č. 235/2004 Sb., o dani z přidané hodnoty"},
    "product": {"title": "Předpoklad produktu", "note": "není doložen veřejným zdrojem"},
}

ELECTRICITY_GROUPS: list[dict[str, Any]] = [
    {
        "name": "excess_taken",
        "take": "higher",
        "source": "cv-13-2025",
        "mark": "inferred",
        "note": "Capacity and input exceeded in one month: only the higher payment; the exact scope was not seen.",
    }
]

HIGH = ["VVN", "VN"]
NO_CAPACITY = (
    "Where no capacity at all is agreed in a month, zero stands for it and the whole maximum exceeds: assumed, "
    "reserved_if_none told only tells it."
)
_NOT_METERED = "rate:C60d+rate:C60d_VO"
"""Rates of unmetered takes: their payment stands for breaker and energy."""


ELECTRICITY_RULES: list[dict[str, Any]] = [
    rule(
        "reserved_capacity_year",
        6,
        "Roční rezervovaná kapacita",
        "Yearly reserved capacity",
        "per_mw_month",
        {"quantity": "reserved_capacity_year_kw", "not_if": "single_component+capacity_exempt"},
        "cv-13-2025",
        levels=HIGH,
    ),
    rule(
        "reserved_capacity_month",
        5,
        "Měsíční rezervovaná kapacita",
        "Monthly reserved capacity",
        "per_mw_month",
        {"quantity": "reserved_capacity_month_kw", "not_if": "single_component+capacity_exempt"},
        "cv-13-2025",
        levels=HIGH,
    ),
    *(
        rule(
            "excess_reserved_capacity",
            17,
            "Překročení rezervované kapacity",
            "Exceeded reserved capacity",
            "excess_over_reserved",
            {
                "measured": "max_quarter_hour_kw",
                "reserved": "reserved_capacity_year_kw+reserved_capacity_month_kw",
                "multiplier": "1.5",
                "base": "reserved_capacity_month",
                "reserved_if_none": "zero",
                "not_if": "single_component+capacity_exempt",
                **parameters,
            },
            "cv-13-2025",
            levels=HIGH,
            group="excess_taken",
            note=note,
            valid=valid,
        )
        for valid, parameters, note in (
            (
                ["2026-01-01", "2026-06-01"],
                {},
                f"Point 4.24: 1.5 times the monthly price. Not with the single-component price: assumed. {NO_CAPACITY}",
            ),
            (
                ["2026-06-01", "2027-01-01"],
                {"measured_at_entry": "max_quarter_hour_without_exempt_kw"},
                "As amended by 1/2026, point 4.34: the entry of a local network is evaluated without participants who "
                "pay no reserved capacity. Its wording was not seen; take out measured_at_entry to switch it off. "
                f"{NO_CAPACITY}",
            ),
        )
    ),
    rule(
        "excess_reserved_input",
        27,
        "Překročení rezervovaného příkonu",
        "Exceeded reserved input",
        "excess_over_reserved",
        {
            "measured": "max_quarter_hour_kw",
            "reserved": "reserved_input_kw",
            "multiplier": "4",
            "base": "reserved_capacity_month",
        },
        "cv-13-2025",
        levels=HIGH,
        group="excess_taken",
        note="Points 4.35 and 4.36: 4 times the monthly price.",
    ),
    rule(
        "excess_reserved_output",
        2001,
        "Překročení rezervovaného výkonu",
        "Exceeded reserved output",
        "fixed_excess_over_reserved",
        {"measured": "max_quarter_hour_output_kw", "reserved": "reserved_output_kw"},
        "cv-13-2025",
        levels=[*HIGH, "NN"],
        note="The rate code is the product's own.",
    ),
    rule(
        "use_of_networks",
        7,
        "Použití sítí",
        "Use of networks",
        "per_mwh",
        {"quantity": "energy_mwh", "not_if": "single_component"},
        "cv-13-2025",
        levels=HIGH,
    ),
    rule(
        "single_component",
        26,
        "Jednosložková cena za službu sítí",
        "Single-component price of the network service",
        "per_mwh",
        {"quantity": "energy_mwh", "only_if": "single_component"},
        "cv-13-2025",
        levels=HIGH,
        note="Instead of yearly and monthly capacity and of the use of networks, where the customer chose it.",
    ),
    rule(
        "breaker",
        12,
        "Měsíční plat za příkon (jistič)",
        "Monthly payment for the breaker",
        "breaker_band",
        {"not_if": _NOT_METERED},
        "cv-14-2025",
        levels=["NN"],
    ),
    rule(
        "energy_jt",
        13,
        "Distribuované množství elektřiny JT",
        "Distributed electricity, single tariff",
        "per_mwh",
        {"quantity": "energy_mwh"},
        "cv-14-2025",
        levels=["NN"],
        registers=["JT"],
    ),
    rule(
        "energy_vt",
        13,
        "Distribuované množství elektřiny VT",
        "Distributed electricity, high tariff",
        "per_mwh",
        {"quantity": "energy_vt_mwh"},
        "cv-14-2025",
        levels=["NN"],
        registers=["VT", "NT"],
    ),
    rule(
        "energy_nt",
        14,
        "Distribuované množství elektřiny NT",
        "Distributed electricity, low tariff",
        "per_mwh",
        {"quantity": "energy_nt_mwh"},
        "cv-14-2025",
        levels=["NN"],
        registers=["VT", "NT"],
    ),
    rule(
        "system_services",
        15,
        "Systémové služby",
        "System services",
        "per_mwh",
        {"quantity": "energy_mwh", "not_if": _NOT_METERED},
        "cv-13-2025",
        levels=[*HIGH, "NN"],
        note="Unmetered takes have no energy to bill it by: left out is assumed.",
    ),
    rule(
        "poze",
        8,
        "Podpora elektřiny z podporovaných zdrojů (POZE)",
        "Support of renewable sources (POZE)",
        "capped_per_mw",
        {
            "quantity": "reserved_input_kw",
            "otherwise": "reserved_capacity_year_kw+reserved_capacity_month_kw",
            "cap": "poze_cap",
            "energy": "energy_mwh",
        },
        "cv-15-2025",
        levels=HIGH,
        note="Reserved capacity where no reserved input is agreed: assumed.",
    ),
    rule(
        "poze_ampere",
        8,
        "Podpora elektřiny z podporovaných zdrojů (POZE)",
        "Support of renewable sources (POZE)",
        "capped_per_ampere",
        {"cap": "poze_cap", "energy": "energy_mwh", "not_if": _NOT_METERED},
        "cv-15-2025",
        levels=["NN"],
    ),
    rule(
        "nonnetwork_infrastructure",
        9,
        "Provoz nesíťové infrastruktury",
        "Operation of the non-network infrastructure",
        "per_point_month",
        {},
        "cv-13-2025",
        levels=[*HIGH, "NN"],
    ),
    rule(
        "unsolicited_reactive",
        10,
        "Nevyžádaná dodávka jalové energie",
        "Unsolicited delivery of reactive energy",
        "per_mvarh",
        {"quantity": "reactive_delivery_mvarh"},
        "cr-2021",
        levels=HIGH,
        mark="inferred",
    ),
    rule(
        "power_factor",
        None,
        "Účiník",
        "Power factor",
        "power_factor",
        {"reactive": "reactive_taken_mvarh", "energy": "energy_mwh", "limit": "0.328", "step": "0.001"},
        "cr-2021",
        levels=HIGH,
        mark="inferred",
        note="tg phi rounded down to three decimals; above the limit (cos phi 0.95) the surcharge's zones are unknown.",
    ),
    *(
        rule(
            "unmetered_10w",
            12,
            "Měsíční plat za neměřený odběr (za každých i započatých 10 W)",
            "Monthly payment of an unmetered take (each started 10 W)",
            "per_started_unit_month",
            {"quantity": "unmetered_w", "unit": "10", "only_if": f"rate:{rate}", **flat},
            "cv-14-2025",
            levels=["NN"],
            mark="inferred",
            note="The rate code is that of the breaker's payment: inferred. Public lighting has no flat payment.",
        )
        for rate, flat in (("C60d", {"not_if": "unmetered_flat"}), ("C60d_VO", {}))
    ),
    rule(
        "unmetered_flat",
        12,
        "Stálý měsíční plat za neměřený odběr",
        "Flat monthly payment of an unmetered take",
        "per_point_month",
        {"only_if": "rate:C60d+unmetered_flat"},
        "cv-14-2025",
        levels=["NN"],
        mark="inferred",
        note="The rate code is that of the breaker's payment: inferred.",
    ),
]

BREAKER_BANDS: list[dict[str, Any]] = [
    {"name": "3x10", "phases": 3, "over": "0", "up_to": "10", "single_phase_up_to": "25"},
    *(
        {"name": f"3x{up_to}", "phases": 3, "over": over, "up_to": up_to}
        for over, up_to in (
            ("10", "16"),
            ("16", "20"),
            ("20", "25"),
            ("25", "32"),
            ("32", "40"),
            ("40", "50"),
            ("50", "63"),
            ("63", "80"),
            ("80", "100"),
            ("100", "125"),
            ("125", "160"),
        )
    ),
    {"name": "3x>63", "phases": 3, "over": "63", "per_ampere": True},
    {"name": "3x>160", "phases": 3, "over": "160", "per_ampere": True},
    {"name": "1x>25", "phases": 1, "over": "25", "per_ampere": True},
]
