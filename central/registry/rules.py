"""Rules of form for what enters the registry: check digits, and which facts belong together."""

from collections.abc import Mapping
from typing import Any

from stdnum import iban
from stdnum.exceptions import ValidationError

from central.platform.errors import BadInput
from shared.identifiers import IdentifierError, parse_ean13, parse_ean18, parse_eic

Spec = Mapping[str, Any]


def check_party(spec: Spec) -> None:
    """EAN 13, EIC, IČO (modulo 11) and IBAN have right check digits."""
    _identifier(spec, "ean13", parse_ean13)
    _identifier(spec, "eic", parse_eic)
    ico = spec.get("ico")
    if ico is not None and spec.get("country", "CZ") == "CZ" and not is_ico(ico):
        raise BadInput("ico", f"The IČO {ico!r} of {spec['name']} must have 8 digits, the last a check digit.")
    account = spec.get("iban")
    if account is not None:
        try:
            iban.validate(account)
        except ValidationError:
            raise BadInput(
                "iban", f"The IBAN {account!r} of {spec['name']} has a wrong form or check digits."
            ) from None


def check_supply_point(spec: Spec) -> None:
    """EAN 18 for electricity, EIC for gas; voltage level for electricity only."""
    if spec["commodity"] == "electricity":
        _identifier(spec, "ean", parse_ean18)
        if spec.get("voltage_level") is None:
            raise BadInput("voltage_level", f"The electricity supply point {spec['ean']} needs a voltage level.")
    else:
        _identifier(spec, "ean", parse_eic)
        if spec.get("voltage_level") is not None:
            raise BadInput("voltage_level", f"The gas supply point {spec['ean']} cannot have a voltage level.")


def check_contract_item(spec: Spec) -> None:
    """Breaker whole or not at all; reserved capacities together at most the reserved input (price decision, 4.18)."""
    point = spec["supply_point"]
    if (spec.get("breaker_phases") is None) != (spec.get("breaker_amps") is None):
        raise BadInput("breaker", f"The item of {point} needs both the breaker's phases and its amps, or neither.")
    year, month = spec.get("reserved_capacity_year_kw"), spec.get("reserved_capacity_month_kw")
    reserved = (year or 0) + (month or 0)
    limit = spec.get("reserved_input_kw")
    if limit is not None and reserved > limit:
        raise BadInput(
            "reserved_capacity",
            f"The item of {point} reserves {reserved} kW (yearly {year or 0}, monthly {month or 0}), more than its "
            f"reserved input of {limit} kW; lower the capacity or agree a higher input.",
        )


def is_ico(text: str) -> bool:
    """Whether a text is a Czech company number (IČO): 8 digits, weighted sum modulo 11."""
    if len(text) != 8 or not text.isascii() or not text.isdigit():
        return False
    weighted = sum(int(digit) * weight for digit, weight in zip(text, range(8, 1, -1), strict=False))
    return int(text[7]) == (11 - weighted % 11) % 10


def _identifier(spec: Spec, field: str, parse: Any) -> None:
    value = spec.get(field)
    if value is None:
        return
    try:
        parse(value)
    except IdentifierError as error:
        raise BadInput(field, str(error)) from None
