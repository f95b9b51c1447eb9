"""Rows, tables and rules as package files spell them, and what every shipped package of a commodity shares."""

from decimal import Decimal
from typing import Any

ROUNDING: dict[str, Any] = {
    kind: {"step": step, "source": "product", "mark": "assumed"}
    for kind, step in (
        ("amount", "0.01"),
        ("energy_mwh", "0.001"),
        ("reactive_mvarh", "0.001"),
        ("power_mw", "0.001"),
        ("months", "0.000001"),
        ("power_mw_months", "0.000000001"),
    )
}
GAS_ROUNDING: dict[str, Any] = {
    **{kind: ROUNDING[kind] for kind in ("amount", "energy_mwh", "months")},
    "unit_price": {"step": "0.000001", "source": "product", "mark": "assumed"},
}
VAT: dict[str, Any] = {"percent": "21", "source": "vat-act", "mark": "documented"}


def number(raw: Any) -> str:
    """A price as a plain decimal string: 66.0 -> "66", 2418.4 -> "2418.4"."""
    return format(Decimal(str(raw)).normalize(), "f")


def table(
    component: str,
    unit: str,
    keys: list[str],
    source: str,
    rows: list[list[str]],
    mark: str = "documented",
    note: str = "",
) -> dict[str, Any]:
    """A table of values."""
    return {
        "component": component,
        "unit": unit,
        "keys": keys,
        "source": source,
        "mark": mark,
        "note": note,
        "rows": rows,
    }


ENERGY_TAX_SOURCE: dict[str, Any] = {
    "energy-tax": {
        "title": "Zákon č. 261/2007 Sb., daň z elektřiny a daň ze zemního plynu",
        "note": "sazba je doložena; že ji účtuje dodavatel, je předpoklad",
    }
}


def energy_tax(commodity: str, *, mark: str = "documented") -> dict[str, Any]:
    """The tax on electricity or gas, charged by who supplies."""
    rate = {"electricity": "28.30", "gas": "30.60"}[commodity]
    return table(f"{commodity}_tax", "CZK/MWh", [], "energy-tax", [[rate]], mark=mark)


def payment_term() -> dict[str, Any]:
    """Days from issue to the due date."""
    note = "Days from issue to the due date where the contract says nothing else."
    return table("payment_term", "day", [], "product", [["14"]], mark="assumed", note=note)


def rule(
    component: str,
    code: int | None,
    cs: str,
    en: str,
    formula: str,
    parameters: dict[str, str],
    source: str,
    *,
    levels: list[str] | None = None,
    registers: list[str] | None = None,
    mark: str = "documented",
    group: str | None = None,
    note: str = "",
    valid: list[str] | None = None,
) -> dict[str, Any]:
    """A rule."""
    return {
        "component": component,
        "code": code,
        "name": {"cs": cs, "en": en},
        "formula": formula,
        "parameters": parameters,
        "levels": levels or [],
        "registers": registers or [],
        "group": group,
        "source": source,
        "mark": mark,
        "note": note,
        **({} if valid is None else {"valid": valid}),
    }


def with_parameters(rule: dict[str, Any], source: str, mark: str, note: str = "", **parameters: str) -> dict[str, Any]:
    """A rule of another year: the same formula under another source and mark, with some parameters changed."""
    return {
        **rule,
        "parameters": {**rule["parameters"], **parameters},
        "source": source,
        "mark": mark,
        "note": note or rule["note"],
    }
