"""Build the packages that the product ships: `python -m central.tariffs.build LOW HIGH FOLDER SIGN_KEY`.

LOW and HIGH are JSON files in the raw shape of the published price tables (low voltage: rate -> breaker bands and
JT/VT/NT per operator; high voltage: operator -> level -> four prices). The output is committed. A file whose content is
what is built stays as it is, with the signature it has, so that a release signs only what it changed; what changed
needs a new version. SIGN_KEY is the file of a private key; its public half is in `central.tariffs.seal.PRODUCT_KEYS`.
"""

import json
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from central.tariffs import build_classes
from central.tariffs.build_2027 import electricity_2027
from central.tariffs.build_deadlines import DEADLINE_SOURCES, ELECTRICITY, LOAD_PROFILES, reserved_capacity
from central.tariffs.build_estimation import DECREE, ELECTRICITY_ESTIMATION
from central.tariffs.build_gas import gas_2015, gas_2017_example
from central.tariffs.build_parts import ENERGY_TAX_SOURCE, ROUNDING, VAT, energy_tax, number, payment_term, table
from central.tariffs.build_rules import (
    BREAKER_BANDS,
    ELECTRICITY_GROUPS,
    ELECTRICITY_RULES,
    ELECTRICITY_SOURCES,
)
from central.tariffs.build_verification import ELECTRICITY_VERIFICATION, VERIFICATION_SOURCE
from central.tariffs.build_years import electricity_2021, electricity_2025
from central.tariffs.load import PackageInvalidError, bare, canonical, load_content, parse_object
from central.tariffs.model import FORMAT
from central.tariffs.seal import seal
from central.tariffs.source import spelled
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


def electricity_2026(low: dict[str, Any], high: dict[str, Any]) -> dict[str, Any]:
    """The electricity package of 2026 from the raw price tables."""
    return {
        "format": FORMAT,
        "name": "cz-electricity-2026",
        "version": "2026.4",
        "scope": "cz-electricity",
        "commodity": "electricity",
        "title": {
            "cs": "Regulované ceny elektřiny 2026",
            "en": "Regulated prices of electricity 2026",
        },
        "valid": ["2026-01-01", "2027-01-01"],
        "example": False,
        "binding": True,
        "notes": [
            "Power factor: the surcharge outside the neutral band is not in the package, because the zones valid "
            "since 2021 were not found in a public source.",
            "Rate C60d (unmetered takes): the payment stands for breaker, energy and system services, assumed.",
            "Point 4.34 as amended by 1/2026 (entries of local networks with exempt points) is a rule of its own from "
            "1 June 2026; its wording was not available.",
        ],
        "sources": {
            **ELECTRICITY_SOURCES,
            **build_classes.SOURCES,
            **DECREE,
            **VERIFICATION_SOURCE,
            **DEADLINE_SOURCES,
            **ENERGY_TAX_SOURCE,
        },
        "operators": OPERATORS,
        "vat": VAT,
        "rounding": ROUNDING,
        "rules": ELECTRICITY_RULES,
        "groups": ELECTRICITY_GROUPS,
        "tables": [*_common_tables(high), *high_tables(high), *build_classes.tables(low), *low_tables(low)],
        "rates": {rate: rate_of(raw) for rate, raw in low.items()},
        "breaker_bands": BREAKER_BANDS,
        "consumption_bands": {},
        "estimation_orders": ELECTRICITY_ESTIMATION,
        "verification_periods": ELECTRICITY_VERIFICATION,
        "deadlines": [*ELECTRICITY, *reserved_capacity("cv-13-2025")],
        "steps": [],
        "series": LOAD_PROFILES,
    }


def _common_tables(high: dict[str, Any]) -> list[dict[str, Any]]:
    high_low = ("VVN", "VN")
    overrun = high["overrun_export_kw_month"]
    return [
        table("system_services", "CZK/MWh", [], "cv-13-2025", [[number(high["system_services"])]]),
        table(
            "nonnetwork_infrastructure",
            "CZK/OPM/month",
            [],
            "cv-13-2025",
            [[number(high["nonnetwork_infrastructure_month"])]],
        ),
        table(
            "poze",
            "CZK/MW/month",
            ["level"],
            "cv-15-2025",
            [[level, number(high["poze_mw_month"])] for level in high_low],
        ),
        payment_term(),
        energy_tax("electricity"),
        table("poze_ampere", "CZK/A/month", ["level"], "cv-15-2025", [["NN", "0"]]),
        table("poze_cap", "CZK/MWh", [], "act-165-2012", [[number(high["poze_cap_mwh"])]]),
        table(
            "unsolicited_reactive",
            "CZK/MVArh",
            [],
            "cr-2021",
            [["440"]],
            mark="inferred",
            note="Documented for 2021; a public calculator of 2026 still has it.",
        ),
        table(
            "excess_reserved_output",
            "CZK/kW/month",
            ["level"],
            "cv-13-2025",
            [[level, number(price)] for level, price in overrun.items()],
        ),
    ]


def high_tables(high: dict[str, Any]) -> list[dict[str, Any]]:
    """Tables of capacity and energy above low voltage, of the raw prices by operator and level."""
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
        tables.append(table(component, unit, ["operator", "level"], "cv-13-2025", rows))
    return tables


def low_tables(low: dict[str, Any]) -> list[dict[str, Any]]:
    """Tables of breakers, energy and unmetered takes, of the raw prices by rate."""
    breaker = [
        [rate, operator, _band_name(label), number(price)]
        for rate, raw in low.items()
        for label, prices in raw["breaker"].items()
        for operator, price in prices.items()
    ]
    tables = [table("breaker", "CZK/month", ["rate", "operator", "band"], "cv-14-2025", breaker)]
    for register in ("JT", "VT", "NT"):
        rows = [
            [rate, operator, number(price)]
            for rate, raw in low.items()
            for operator, price in raw.get(register, {}).items()
        ]
        tables.append(table(f"energy_{register.lower()}", "CZK/MWh", ["rate", "operator"], "cv-14-2025", rows))
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
    return table(component, unit, ["rate", "operator"], "cv-14-2025", rows)


def rate_of(raw: dict[str, Any]) -> dict[str, Any]:
    """A low-voltage rate of the raw tables as packages list it."""
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


def contents(low: dict[str, Any], high: dict[str, Any]) -> list[dict[str, Any]]:
    """Every package that ships, unsealed."""
    rates = {rate: rate_of(raw) for rate, raw in low.items()}
    return [
        electricity_2026(low, high),
        electricity_2025(rates, build_classes.tables(low)),
        electricity_2021(),
        electricity_2027(high),
        gas_2017_example(),
        gas_2015(),
    ]


def main(arguments: Iterable[str]) -> int:
    """Write the shipped packages to a folder, signed; the paths of the raw tables and of the key are given."""
    low_path, high_path, folder, key = (Path(argument) for argument in arguments)
    low = json.loads(low_path.read_text(encoding="utf-8"))
    high = json.loads(high_path.read_text(encoding="utf-8"))
    private = read_key_file(key)
    for content in contents(low, high):
        path = folder / f"{content['name']}.json"
        if not _stands(path, content):
            sealed = seal(content, private)
            load_content(sealed, content["name"])
            path.write_text(spelled(sealed), encoding="utf-8")
    return 0


def _stands(path: Path, content: Mapping[str, Any]) -> bool:
    """Whether the file holds this content already. Raises PackageInvalidError where its version has another content."""
    if not path.is_file():
        return False
    present = parse_object(path.read_bytes(), str(path))
    if canonical(bare(present)) == canonical(content):
        return True
    if present.get("version") == content["version"]:
        raise PackageInvalidError(
            f"{path} is version {content['version']} with another content, and what is built bears the same version. "
            "Raise the version, or remove the file where that version was never released."
        )
    return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
