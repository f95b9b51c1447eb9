"""Build the packages that the product ships: `python -m central.tariffs.build LOW HIGH FOLDER SIGN_KEY`.

LOW and HIGH are JSON files in the raw shape of the published price tables (low voltage: rate -> breaker bands and
JT/VT/NT per operator; high voltage: operator -> level -> four prices). The output is committed; building again from the
same input with the same key gives the same bytes. SIGN_KEY is the file of a private key; its public half is listed in
`central.tariffs.seal.PRODUCT_KEYS`.
"""

import json
import re
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

from central.tariffs import build_classes
from central.tariffs.build_estimation import DECREE, ELECTRICITY_ESTIMATION, GAS_ESTIMATION
from central.tariffs.build_rules import (
    BREAKER_BANDS,
    ELECTRICITY_GROUPS,
    ELECTRICITY_ROUNDING,
    ELECTRICITY_RULES,
    ELECTRICITY_SOURCES,
    GAS_RULES,
    GAS_SOURCES,
)
from central.tariffs.build_verification import ELECTRICITY_VERIFICATION, GAS_VERIFICATION, VERIFICATION_SOURCE
from central.tariffs.load import load_content
from central.tariffs.model import FORMAT
from central.tariffs.seal import seal
from shared.control.keys import read_key_file

OPERATORS = {
    "CEZ": "ČEZ Distribuce, a. s.",
    "EGD": "EG.D, s.r.o.",
    "PRE": "PREdistribuce, a.s.",
    "UCED": "UCED Chomutov s.r.o.",
    "SV": "SV servisní, s.r.o.",
}

_FLAT = re.compile(r"do\s+3x(\d+)\s*A(?: a do 1x25 A)? včetně$")
_PER_AMPERE = re.compile(r"nad (\d)x(\d+) A za každou 1\s*A$")
_HOURS = re.compile(r"po dobu (\d+) hodin")


def number(raw: Any) -> str:
    """A price as a plain decimal string: 66.0 -> "66", 2418.4 -> "2418.4"."""
    return format(Decimal(str(raw)).normalize(), "f")


def electricity_2026(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """The electricity package of 2026 from the raw price tables."""
    return {
        "format": FORMAT,
        "name": "cz-electricity-2026",
        "version": "2026.3",
        "scope": "cz-electricity",
        "commodity": "electricity",
        "title": {
            "cs": "Regulované ceny elektřiny 2026",
            "en": "Regulated prices of electricity 2026",
        },
        "valid": ["2026-01-01", "2027-01-01"],
        "example": False,
        "notes": [
            "Power factor: the surcharge outside the neutral band is not in the package, because the zones valid "
            "since 2021 were not found in a public source.",
            "Rates C60d (unmetered) have prices but no rule yet.",
            "Point 4.34 of the price decision as amended by 1/2026 (local network entries with exempt points) has "
            "no rule yet.",
        ],
        "sources": {**ELECTRICITY_SOURCES, **build_classes.SOURCES, **DECREE, **VERIFICATION_SOURCE},
        "operators": OPERATORS,
        "vat": {"percent": "21", "source": "vat-act", "mark": "documented"},
        "rounding": ELECTRICITY_ROUNDING,
        "rules": ELECTRICITY_RULES,
        "groups": ELECTRICITY_GROUPS,
        "tables": [*_common_tables(high), *_high_tables(high), *build_classes.tables(low), *_low_tables(low)],
        "rates": {rate: _rate(raw) for rate, raw in low.items()},
        "breaker_bands": BREAKER_BANDS,
        "consumption_bands": {},
        "estimation_orders": ELECTRICITY_ESTIMATION,
        "verification_periods": ELECTRICITY_VERIFICATION,
    }


def _common_tables(high: dict[str, Any]) -> list[dict[str, Any]]:
    high_low = ("VVN", "VN")
    overrun = high["overrun_export_kw_month"]
    return [
        _table("system_services", "CZK/MWh", [], "cv-13-2025", [[number(high["system_services"])]]),
        _table(
            "nonnetwork_infrastructure",
            "CZK/OPM/month",
            [],
            "cv-13-2025",
            [[number(high["nonnetwork_infrastructure_month"])]],
        ),
        _table(
            "poze",
            "CZK/MW/month",
            ["level"],
            "cv-15-2025",
            [[level, number(high["poze_mw_month"])] for level in high_low],
        ),
        _payment_term(),
        _table("poze_ampere", "CZK/A/month", ["level"], "cv-15-2025", [["NN", "0"]]),
        _table("poze_cap", "CZK/MWh", [], "act-165-2012", [[number(high["poze_cap_mwh"])]]),
        _table(
            "unsolicited_reactive",
            "CZK/MVArh",
            [],
            "cr-2021",
            [["440"]],
            mark="inferred",
            note="Documented for 2021; a public calculator of 2026 still has it.",
        ),
        _table(
            "excess_reserved_output",
            "CZK/kW/month",
            ["level"],
            "cv-13-2025",
            [[level, number(price)] for level, price in overrun.items()],
        ),
    ]


def _high_tables(high: dict[str, Any]) -> list[dict[str, Any]]:
    components = {
        "rk_rocni": ("reserved_capacity_year", "CZK/MW/month"),
        "rk_mesicni": ("reserved_capacity_month", "CZK/MW/month"),
        "pouziti_siti": ("use_of_networks", "CZK/MWh"),
        "jednoslozkova": ("single_component", "CZK/MWh"),
    }
    tables = []
    for position, raw_field in enumerate(high["dso_fields"]):
        component, unit = components[raw_field]
        rows = [
            [operator, level, number(prices[position])]
            for operator, levels in high["dso"].items()
            for level, prices in levels.items()
        ]
        tables.append(_table(component, unit, ["operator", "level"], "cv-13-2025", rows))
    return tables


def _low_tables(low: dict[str, Any]) -> list[dict[str, Any]]:
    breaker = [
        [rate, operator, _band_name(label), number(price)]
        for rate, raw in low.items()
        for label, prices in raw["breaker"].items()
        for operator, price in prices.items()
    ]
    tables = [_table("breaker", "CZK/month", ["rate", "operator", "band"], "cv-14-2025", breaker)]
    for register in ("JT", "VT", "NT"):
        rows = [
            [rate, operator, number(price)]
            for rate, raw in low.items()
            for operator, price in raw.get(register, {}).items()
        ]
        tables.append(_table(f"energy_{register.lower()}", "CZK/MWh", ["rate", "operator"], "cv-14-2025", rows))
    tables.append(_unmetered(low, "unmetered_10w", "CZK/10 W/month", "za každých"))
    tables.append(_unmetered(low, "unmetered_flat", "CZK/month", "stálým"))
    return tables


def _unmetered(low: dict[str, Any], component: str, unit: str, words: str) -> dict[str, Any]:
    rows = [
        [rate, operator, number(price)]
        for rate, raw in low.items()
        for label, prices in raw.get("other", [])
        if words in label
        for operator, price in prices.items()
    ]
    return _table(component, unit, ["rate", "operator"], "cv-14-2025", rows)


def _rate(raw: dict[str, Any]) -> dict[str, Any]:
    hours = _HOURS.search(raw["name"])
    registers = [register for register in ("JT", "VT", "NT") if register in raw]
    return {
        "name": " ".join(raw["name"].split()),
        "registers": registers,
        "low_tariff_hours": int(hours.group(1)) if hours else None,
    }


def _band_name(label: str) -> str:
    text = " ".join(label.split())
    if match := _PER_AMPERE.search(text):
        return f"{match.group(1)}x>{match.group(2)}"
    if match := _FLAT.search(text):
        return f"3x{match.group(1)}"
    raise ValueError(f"The breaker band {label} is not understood; 'do 3x10 A ... včetně' or 'za každou 1 A' expected.")


def gas_2017_example() -> dict[str, Any]:
    """The documented price list of GasNet for 2017, usable as an example where no later prices are public."""
    bands = (("0", "1.89"), ("1.89", "7.56"), ("7.56", "15"), ("15", "25"), ("25", "45"), ("45", "63"), ("63", None))
    names = [f"{over}-{up_to}" if up_to else f">{over}" for over, up_to in bands]
    energy = ("452.61", "242.52", "220.14", "200.12", "172.68", "141.26", "120.44")
    fixed = ("67.89", "100.97", "115.07", "140.10", "197.27", "315.11")
    return {
        "format": FORMAT,
        "name": "cz-gas-2017-example",
        "version": "2017.3",
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
            "The market operator's payment of 2017 was not found; there is no rule for it.",
            "The formula above 630 MWh a year was not found; the fixed yearly price per daily capacity is used.",
        ],
        "sources": {**GAS_SOURCES, **VERIFICATION_SOURCE},
        "operators": {"GASNET": "GasNet, s.r.o."},
        "vat": {"percent": "21", "source": "vat-act", "mark": "documented"},
        "rounding": {
            "amount": {"step": "0.01", "source": "product", "mark": "assumed"},
            "energy_mwh": {"step": "0.001", "source": "product", "mark": "assumed"},
            "unit_price": {"step": "0.000001", "source": "product", "mark": "assumed"},
        },
        "rules": GAS_RULES,
        "groups": [],
        "tables": [
            _table(
                "gas_energy",
                "CZK/MWh",
                ["operator", "band"],
                "gasnet-2017",
                [["GASNET", name, price] for name, price in zip(names, energy, strict=True)],
            ),
            _table(
                "gas_fixed",
                "CZK/month",
                ["operator", "band"],
                "gasnet-2017",
                [["GASNET", name, price] for name, price in zip(names, fixed, strict=False)],
            ),
            _table(
                "gas_capacity_year",
                "CZK/1000 m3/year",
                ["operator", "band"],
                "gasnet-2017",
                [["GASNET", names[-1], "115933.79"]],
            ),
            _payment_term(),
            _table(
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
        "consumption_bands": {
            "GASNET": [
                {"name": name, "over": over, "up_to": up_to} for name, (over, up_to) in zip(names, bands, strict=True)
            ]
        },
        "estimation_orders": GAS_ESTIMATION,
        "verification_periods": GAS_VERIFICATION,
    }


def _payment_term() -> dict[str, Any]:
    note = "Days from issue to the due date where the contract says nothing else."
    return _table("payment_term", "day", [], "product", [["14"]], mark="assumed", note=note)


def _table(
    component: str,
    unit: str,
    keys: list[str],
    source: str,
    rows: list[list[str]],
    mark: str = "documented",
    note: str = "",
) -> dict[str, Any]:
    return {
        "component": component,
        "unit": unit,
        "keys": keys,
        "source": source,
        "mark": mark,
        "note": note,
        "rows": rows,
    }


def spelled(content: dict[str, Any]) -> str:
    """The package as text: indented, with one row of values on a line, so that a change of one price is one line."""
    text = json.dumps(content, indent=1, ensure_ascii=False)
    return re.sub(r"\[\s+((?:\"[^\"]*\"(?:,\s+)?)+)\s+\]", lambda match: _one_line(match.group(1)), text) + "\n"


def _one_line(items: str) -> str:
    return "[" + re.sub(r",\s+", ", ", items.strip()) + "]"


def main(arguments: Iterable[str]) -> int:
    """Write the shipped packages to a folder, signed; the paths of the raw tables and of the key are given."""
    low_path, high_path, folder, key = (Path(argument) for argument in arguments)
    low = json.loads(low_path.read_text(encoding="utf-8"))
    high = json.loads(high_path.read_text(encoding="utf-8"))
    private = read_key_file(key)
    for content in (electricity_2026(low, high), gas_2017_example()):
        sealed = seal(content, private)
        load_content(sealed, content["name"])
        (folder / f"{content['name']}.json").write_text(spelled(sealed), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
