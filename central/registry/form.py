"""Rules of form for what enters the registry: check digits, and which facts belong together."""

import re
from collections.abc import Mapping
from typing import Any

from stdnum import iban
from stdnum.eu import vat
from stdnum.exceptions import ValidationError

from central.platform.errors import BadInput
from shared.identifiers import IdentifierError, parse_ean13, parse_ean18, parse_eic

Spec = Mapping[Any, Any]


def check_party(spec: Spec) -> list[str]:
    """EAN 13, EIC, Czech IČO (modulo 11) and IBAN have right check digits: else BadInput.

    Returns warnings about what cannot be decided: a DIČ or an id of another country that looks wrong is kept.
    """
    warnings: list[str] = []
    _identifier(spec, "ean13", parse_ean13)
    _identifier(spec, "eic", parse_eic)
    ico, dic = spec.get("ico"), spec.get("dic")
    country = spec.get("country") or "CZ"
    if ico is not None and not is_ico(ico):
        if country == "CZ":
            raise BadInput("ico", f"The IČO {ico!r} of {spec['name']} must have 8 digits, the last a check digit.")
        warnings.append(f"The company number {ico!r} of {spec['name']} ({country}) could not be checked.")
    if dic is not None and not is_dic(dic):
        warnings.append(f"The DIČ {dic!r} of {spec['name']} has a wrong form or check digits; it was stored as given.")
    if spec.get("iban") is not None:
        check_iban(spec["iban"], spec["name"])
    return warnings


def check_iban(account: str, whose: str) -> None:
    """An IBAN with right check digits; a Czech one also with a right account number (modulo 11)."""
    try:
        iban.validate(account)
    except ValidationError:
        raise BadInput("iban", f"The IBAN {account!r} of {whose} has a wrong form or check digits.") from None


def iban_of(number: str) -> str:
    """The IBAN of a Czech account number `[prefix-]number/bank`, whose two parts have check digits (modulo 11)."""
    found = _CZECH_ACCOUNT.fullmatch(number)
    if found is None:
        raise BadInput("account", f"The account number {number!r} must look like 19-2000145399/0800.")
    prefix, base, bank = found[1] or "", found[2], found[3]
    for part in (prefix, base):
        if part and not _account_part_holds(part):
            raise BadInput("account", f"The account number {number} has a wrong check digit in {part!r}.")
    digits = f"{bank}{prefix:0>6}{base:0>10}"
    check = 98 - int(digits + "123500") % 97  # CZ is 12 35, then 00
    return f"CZ{check:02d}{digits}"


_CZECH_ACCOUNT = re.compile(r"(?:([0-9]{1,6})-)?([0-9]{2,10})/([0-9]{4})")


def _account_part_holds(part: str) -> bool:
    """Weights 1, 2, 4, 8, 5, 10, 9, 7, 3, 6 from the right, sum divisible by 11 (decree 169/2011 Sb.)."""
    weights = (1, 2, 4, 8, 5, 10, 9, 7, 3, 6)
    return sum(int(digit) * weight for digit, weight in zip(reversed(part), weights, strict=False)) % 11 == 0


def check_supply_point(spec: Spec) -> None:
    """EAN 18 for electricity, EIC for gas; voltage level for electricity only, pressure and group for gas only."""
    if spec["commodity"] == "electricity":
        _identifier(spec, "ean", parse_ean18)
        if spec.get("voltage_level") is None:
            raise BadInput("voltage_level", f"The electricity supply point {spec['ean']} needs a voltage level.")
        for name, called in (("pressure_level", "pressure level"), ("gas_group", "group of gas")):
            if spec.get(name) is not None:
                raise BadInput(name, f"The electricity supply point {spec['ean']} cannot have a {called}.")
    else:
        _identifier(spec, "ean", parse_eic)
        if spec.get("voltage_level") is not None:
            raise BadInput("voltage_level", f"The gas supply point {spec['ean']} cannot have a voltage level.")


def check_contract_item(spec: Spec) -> None:
    """Breaker whole or not at all; reserved capacities together at most the reserved input (price decision, 4.18).

    What is not metered has its installed power or is paid flat, under a distribution rate.
    """
    point = spec["supply_point"]
    if (spec.get("breaker_phases") is None) != (spec.get("breaker_amps") is None):
        raise BadInput("breaker", f"The item of {point} needs both the breaker's phases and its amps, or neither.")
    if spec.get("breaker_characteristic") is not None and spec.get("breaker_amps") is None:
        raise BadInput("breaker", f"The item of {point} has a breaker characteristic and no breaker; give its amps.")
    watts, flat = spec.get("unmetered_w"), spec.get("unmetered_flat")
    if watts is not None and flat:
        raise BadInput(
            "unmetered", f"The item of {point} has an unmetered power of {watts} W and is paid flat; give one of them."
        )
    if (watts is not None or flat) and spec.get("rate") is None:
        raise BadInput("unmetered", f"The item of {point} is not metered and has no rate; give it one, such as C60d.")
    for name in ("gas_capacity_month_m3", "gas_capacity_sliding_m3"):
        if spec.get(name) is not None and spec.get("gas_daily_capacity_m3") is None:
            raise BadInput(
                name,
                f"The item of {point} has {name} {spec[name]} and no yearly daily capacity; it adds to that of a gas "
                "point, so give gas_daily_capacity_m3 too.",
            )
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


def is_dic(text: str) -> bool:
    """Whether a text is a Czech tax number (DIČ), "CZ" and digits with right check digits, or one of another country of
    the EU in its form."""
    return bool(vat.is_valid(text))


def _identifier(spec: Spec, field: str, parse: Any) -> None:
    value = spec.get(field)
    if value is None:
        return
    try:
        parse(value)
    except IdentifierError as error:
        raise BadInput(field, str(error)) from None
