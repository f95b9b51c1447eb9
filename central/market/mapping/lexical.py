"""Single values as text and back: written strictly, read as tolerantly as leaves no doubt."""

import re
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from central.market.envelope import parse_instant, utc_text
from central.market.errors import InboundError, OutboundError
from central.market.format_package import FormatPackage
from central.market.mapping.model import Value
from shared.identifiers import IdentifierError, parse_ean13, parse_ean18, parse_eic
from shared.metering_day import PRAGUE

LONGEST: Final = 4000
"""Characters of a single value that are read; and the most that an unbounded string may have when written."""
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,20}(?:\.[0-9]{0,15})?|\.[0-9]{1,15})")
_IDENTIFIERS: Final[dict[str, Callable[[str], str]]] = {"ean13": parse_ean13, "ean18": parse_ean18, "eic": parse_eic}


def to_text(package: FormatPackage, spec: Value, value: Any, where: str) -> str:
    """The value as it is written; OutboundError names the field in `where`, the value and what was expected."""
    match spec.type:
        case "string":
            return _string(spec, value, where)
        case "code":
            return _code(package, spec, value, where)
        case "ean13" | "ean18" | "eic":
            try:
                return _IDENTIFIERS[spec.type](value)
            except (IdentifierError, TypeError) as error:
                raise _wrong(where, spec, value, str(error)) from None
        case "date":
            if isinstance(value, datetime) or not isinstance(value, date):
                raise _wrong(where, spec, value, "a day")
            return value.isoformat()
        case "month":
            if not isinstance(value, date) or value.day != 1:
                raise _wrong(where, spec, value, "the first day of a month")
            return f"{value:%Y-%m}" if value.year >= 1000 else f"{value.year:04d}-{value.month:02d}"
        case "instant" | "local_instant":
            return _instant(spec, value, where)
        case "integer":
            if isinstance(value, bool) or not isinstance(value, int) or abs(value) >= 10**18:
                raise _wrong(where, spec, value, "a whole number below 10^18")
            return str(value)
        case "decimal":
            return _decimal(spec, value, where)
        case "boolean":
            if not isinstance(value, bool):
                raise _wrong(where, spec, value, "true or false")
            return "true" if value else "false"
        case "flag":
            if value is not True:
                raise _wrong(where, spec, value, "true or nothing")
            return "true"


def from_text(package: FormatPackage, spec: Value, text: str, where: str) -> Any:
    """The value of its text; InboundError names where it stands, the text and what was expected.

    Identifiers are taken as they come: a wrong check digit of somebody else's number is for their business process to
    find. Codes of a list come back as our own name; one that the list lacks is refused.
    """
    if len(text) > LONGEST:
        raise InboundError("value_too_long", f"{where} has {len(text)} characters; at most {LONGEST} are read.")
    text = text.strip() if spec.type != "string" else text
    match spec.type:
        case "string" | "ean13" | "ean18" | "eic":
            return text
        case "code":
            for listed in package.code_list(str(spec.codes)):
                if text == listed.code or text in listed.aliases:
                    return listed.ours
            raise InboundError(
                "unknown_code",
                f"{where} is {text[:40]!r}, which the code list {spec.codes} of {package.name} does not have.",
            )
        case "date":
            return _read_day(text, where)
        case "month":
            return _read_day(f"{text}-01" if len(text) == 7 else text[:8] + "01", where)
        case "instant" | "local_instant":
            return parse_instant(text)
        case "integer":
            if not _INTEGER.fullmatch(text):
                raise InboundError("bad_integer", f"{where} is {text[:40]!r}, expected a whole number.")
            return int(text)
        case "decimal":
            if not _DECIMAL.fullmatch(text):
                raise InboundError("bad_number", f"{where} is {text[:40]!r}, expected a decimal number with a point.")
            return Decimal(text)
        case "boolean":
            if text not in {"true", "false", "1", "0"}:
                raise InboundError("bad_flag", f"{where} is {text[:40]!r}, expected true, false, 1 or 0.")
            return text in {"true", "1"}
        case "flag":
            if text in {"false", "0"}:
                raise InboundError(
                    "bad_flag",
                    f"{where} is {text!r}, and it means yes by standing there: it cannot be told which holds.",
                )
            return True


def _string(spec: Value, value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise _wrong(where, spec, value, "a text")
    most = spec.length or LONGEST
    if len(value) > most or not value.strip():
        raise _wrong(where, spec, value[:80], f"a text of 1 to {most} characters")
    return value


def _code(package: FormatPackage, spec: Value, value: Any, where: str) -> str:
    listed = package.code_list(str(spec.codes))
    for entry in listed:
        if value == entry.ours:
            return entry.code
    known = ", ".join(str(entry.ours) for entry in listed)
    raise _wrong(where, spec, value, f"one of {known} (code list {spec.codes} of {package.name})")


def _instant(spec: Value, value: Any, where: str) -> str:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise _wrong(where, spec, value, "an instant with a zone")
    if spec.type == "instant":
        return utc_text(value)
    if value.microsecond:
        raise _wrong(where, spec, value, "whole seconds")
    return value.astimezone(PRAGUE).isoformat()


def _decimal(spec: Value, value: Any, where: str) -> str:
    places = spec.places or 0
    if not isinstance(value, Decimal) or not value.is_finite() or abs(value) >= Decimal(10) ** 18:
        raise _wrong(where, spec, value, "a decimal number below 10^18")
    if value < 0 and not spec.signed:
        raise _wrong(where, spec, value, "a number that is not negative")
    try:
        exact = value.quantize(Decimal(1).scaleb(-places)) == value
    except InvalidOperation:
        exact = False
    if not exact:
        raise _wrong(where, spec, value, f"at most {places} places behind the point")
    text = f"{value:f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"-0", ""} else text


def _read_day(text: str, where: str) -> date:
    # An xsd:date may carry a zone; a day of ours has none.
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise InboundError("bad_day", f"{where} is {text[:40]!r}, expected a day like 2026-03-31.") from None


def _wrong(where: str, spec: Value, value: Any, expected: str) -> OutboundError:
    return OutboundError("bad_value", f"{where} (attribute {spec.name}) is {value!r}, expected {expected}.")
