"""Fields that a column may be: of which thing, of what form. One way to read a text, and one to write a value."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from central.network.line_tables import PROTOCOLS
from central.network.register_tables import MOST_DIGITS
from central.network.registers import LARGEST_MULTIPLIER
from central.platform.errors import BadInput
from central.registry.contract_tables import CHARACTERISTICS, CONTRACT_KINDS, GAS_CATEGORIES, PAYMENTS
from central.registry.form import iban_of
from central.registry.party_tables import COMMODITIES, ROLES
from central.registry.point_tables import CATEGORIES, METERING_TYPES, POINT_TYPES, PRESSURE_LEVELS, VOLTAGE_LEVELS
from shared.metering_day import PRAGUE

LONGEST_TEXT: Final = 500
FIRST_DAY: Final = date(1990, 1, 1)
LAST_DAY: Final = date(2200, 1, 1)


class Form(StrEnum):
    """How a value is written."""

    TEXT = "text"
    WHOLE = "whole number"
    DECIMAL = "number"
    DAY = "day"
    INSTANT = "instant"
    BOOLEAN = "boolean"
    ROLES = "roles"
    ICO = "company number"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its name `section.fact`; `needed` whenever anything of its section is given."""

    name: str
    form: Form = Form.TEXT
    needed: bool = False
    choices: tuple[str, ...] = ()
    default: Any = None
    low: int = 0
    high: int = 10**9

    @property
    def section(self) -> str:
        """Of which thing."""
        return self.name.partition(".")[0]

    @property
    def fact(self) -> str:
        """Which of its facts."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True)
class Writing:
    """How numbers and days are written in a file."""

    decimal_sign: str = ","
    date_format: str = "%d.%m.%Y"


def _texts(section: str, names: str, needed: str = "") -> list[Field]:
    return [Field(f"{section}.{name}", needed=True) for name in needed.split()] + [
        Field(f"{section}.{name}") for name in names.split()
    ]


def _numbers(section: str, names: str) -> list[Field]:
    return [Field(f"{section}.{name}", Form.DECIMAL) for name in names.split()]


FIELDS: Final[Mapping[str, Field]] = {
    field.name: field
    for field in (
        *_texts("party", "dic ean13 eic licence registration email phone superior"),
        *_texts("party", "", "code name street city postal_code"),
        Field("party.roles", Form.ROLES, needed=True, choices=ROLES),
        Field("party.ico", Form.ICO),
        Field("party.iban", Form.ACCOUNT),
        Field("party.country", default="CZ"),
        Field("party.vat_payer", Form.BOOLEAN, default=True),
        *_texts("supply_point", "supplier load_profile_class area site_object temperature_zone"),
        *_texts("supply_point", "", "ean name object street city postal_code operator"),
        Field("supply_point.commodity", needed=True, choices=COMMODITIES),
        Field("supply_point.point_type", choices=POINT_TYPES, default="consumption"),
        Field("supply_point.voltage_level", choices=VOLTAGE_LEVELS),
        Field("supply_point.metering_type", choices=METERING_TYPES),
        Field("supply_point.category", choices=CATEGORIES, default="business"),
        Field("supply_point.planned_mwh", Form.DECIMAL),
        Field("supply_point.pressure_level", choices=PRESSURE_LEVELS),
        Field("supply_point.gas_group"),
        *_texts("contract", "payer account", "number customer"),
        Field("contract.kind", needed=True, choices=CONTRACT_KINDS),
        Field("contract.valid_from", Form.DAY, needed=True),
        Field("contract.valid_to", Form.DAY),
        Field("contract.due_days", Form.WHOLE, default=14, high=365),
        Field("contract.payment", choices=PAYMENTS, default="transfer"),
        *_texts("item", "rate", "prices"),
        Field("item.breaker_phases", Form.WHOLE, choices=("1", "3")),
        Field("item.breaker_amps", Form.WHOLE, low=1, high=100_000),
        Field("item.breaker_characteristic", choices=CHARACTERISTICS),
        *_numbers("item", "reserved_input_kw reserved_output_kw annual_mwh gas_daily_capacity_m3"),
        *_numbers("item", "reserved_capacity_year_kw reserved_capacity_month_kw"),
        *_numbers("item", "gas_capacity_month_m3 gas_capacity_sliding_m3"),
        Field("item.gas_category", choices=GAS_CATEGORIES),
        *_numbers("item", "unmetered_w"),
        Field("item.unmetered_flat", Form.BOOLEAN),
        Field("item.valid_from", Form.DAY),
        Field("item.valid_to", Form.DAY),
        *_texts("concentrator", "name place", "id"),
        *_texts("bus", "host", "name"),
        Field("bus.protocol", choices=PROTOCOLS),
        Field("bus.port", Form.WHOLE, low=1, high=65_535),
        *_texts("board", "", "name"),
        *_texts("measuring_point", "place", "name"),
        *_texts("meter", "place", "id serial model template"),
        Field("meter.commodity", needed=True, choices=COMMODITIES),
        Field("meter.since", Form.INSTANT, needed=True),
        Field("meter.address", Form.WHOLE, high=65_535),
        Field("meter.channel", Form.WHOLE, default=0, high=255),
        Field("meter.multiplier", Form.WHOLE, default=1, low=1, high=LARGEST_MULTIPLIER),
        Field("meter.digits", Form.WHOLE, low=1, high=MOST_DIGITS),
    )
}
"""All fields by name. `meter.multiplier` is the constant of the instrument transformers, `meter.digits` what is on the
face of the registers that deliver states (else the template says it)."""

_TRUE: Final = {"ano", "a", "true", "1", "yes", "ja"}
_FALSE: Final = {"ne", "n", "false", "0", "no"}
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")


def read_value(field: Field, text: str, writing: Writing) -> Any:
    """The value that a text stands for. ValueError says what was expected.

    Days may be written as the mapping says or in ISO form (as cells of workbooks come); an instant without a time is
    the beginning of the day in Prague.
    """
    value = _READERS[field.form](field, text, writing)
    if field.choices and field.form is not Form.ROLES and str(value) not in field.choices:
        raise ValueError(f"one of {', '.join(field.choices)}")
    return value


def write_value(field: Field, value: Any, writing: Writing) -> str:
    """The text that `read_value` takes back."""
    match value:
        case None:
            return ""
        case bool():
            return "ano" if value else "ne"
        case Decimal():
            plain = f"{value:f}"
            return (plain.rstrip("0").rstrip(".") if "." in plain else plain).replace(".", writing.decimal_sign)
        case datetime():
            local = value.astimezone(PRAGUE)
            time = "" if (local.hour, local.minute, local.second) == (0, 0, 0) else f"{local:%H:%M:%S}"
            return f"{local.date():{writing.date_format}} {time}".strip()
        case date():
            return f"{value:{writing.date_format}}"
        case list() | tuple():
            return ", ".join(value)
        case _:
            return str(value)


def _text(_field: Field, text: str, _writing: Writing) -> str:
    if len(text) > LONGEST_TEXT or "\0" in text:
        raise ValueError(f"at most {LONGEST_TEXT} characters")
    return text


def _plain_number(text: str, writing: Writing) -> str:
    for space in (" ", "\u00a0", "\u202f"):
        text = text.replace(space, "")
    return text.replace(writing.decimal_sign, ".") if writing.decimal_sign != "." else text


def _whole(field: Field, text: str, writing: Writing) -> int:
    number = re.sub(r"\.0*$", "", _plain_number(text, writing))
    if not re.fullmatch(r"-?[0-9]{1,12}", number) or not field.low <= int(number) <= field.high:
        raise ValueError(f"a whole number from {field.low} to {field.high}")
    return int(number)


def _decimal(_field: Field, text: str, writing: Writing) -> Decimal:
    number = _plain_number(text, writing)
    if not re.fullmatch(r"[0-9]{1,8}(\.[0-9]{0,3}0*)?", number):
        raise ValueError(f"a number such as 1234{writing.decimal_sign}5, with at most 3 decimal places")
    return Decimal(number)


def _day(_field: Field, text: str, writing: Writing) -> date:
    try:
        found = date.fromisoformat(text[:10]) if _DAY.match(text) else _parsed(text, writing.date_format).date()
    except ValueError:
        raise ValueError(f"a day such as {date(2026, 3, 31):{writing.date_format}}") from None
    if not FIRST_DAY <= found < LAST_DAY:
        raise ValueError(f"a day from {FIRST_DAY} to {LAST_DAY}")
    return found


def _instant(field: Field, text: str, writing: Writing) -> datetime:
    head, _, time = text.replace("T", " ").partition(" ")
    day = _day(field, head, writing)
    form = next((form for form in ("%H:%M:%S", "%H:%M") if time.count(":") == form.count(":")), None)
    try:
        at = _parsed(time, form).time() if time and form else datetime.min.time()
        if time and not form:
            raise ValueError(time)
    except ValueError:
        raise ValueError(f"an instant such as {date(2026, 3, 31):{writing.date_format}} 10:30") from None
    return datetime.combine(day, at, PRAGUE)


def _parsed(text: str, form: str) -> datetime:
    return datetime.strptime(text, form).replace(tzinfo=PRAGUE)


def _boolean(_field: Field, text: str, _writing: Writing) -> bool:
    word = text.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("ano or ne")
    return word in _TRUE


def _roles(field: Field, text: str, _writing: Writing) -> list[str]:
    roles = sorted({role.strip() for role in text.split(",")} - {""})
    if not roles or not set(roles) <= set(field.choices):
        raise ValueError(f"one or several of {', '.join(field.choices)}")
    return roles


def _ico(_field: Field, text: str, _writing: Writing) -> str:
    """Spreadsheets drop leading zeros."""
    return text.zfill(8) if text.isascii() and text.isdigit() else text[:LONGEST_TEXT]


def _account(_field: Field, text: str, _writing: Writing) -> str:
    """An IBAN, or a Czech account number."""
    if "/" not in text:
        return text.replace(" ", "")[:LONGEST_TEXT]
    try:
        return iban_of(text.replace(" ", ""))
    except BadInput:
        raise ValueError("an IBAN or an account number such as 19-2000145399/0800 with right check digits") from None


_READERS: Final[dict[Form, Callable[[Field, str, Writing], Any]]] = {
    Form.TEXT: _text,
    Form.WHOLE: _whole,
    Form.DECIMAL: _decimal,
    Form.DAY: _day,
    Form.INSTANT: _instant,
    Form.BOOLEAN: _boolean,
    Form.ROLES: _roles,
    Form.ICO: _ico,
    Form.ACCOUNT: _account,
}
