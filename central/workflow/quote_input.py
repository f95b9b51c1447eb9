"""The input of a quote: one JSON object, read into values that pricing knows. Every refusal is a sentence."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from central.platform.errors import BadInput
from central.settlement.model import TariffPoint
from shared.quantities import Commodity

LARGEST = 1_000_000
"""Octets of an input; one of all fields and ten years has less than a hundredth of it."""
LONGEST_MONTHS = 120
HIGHEST = Decimal(10) ** 9
"""No quantity of one point comes near it in any of the units."""
LEVELS = ("VVN", "VN", "NN")

_NUMBER = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")

_COMMON = {"commodity", "prices", "period"}
_CHOICES = {"tariff_choice", "capacity_exempt", "network_entry", "storage", "loss_coefficient"}
_AGREED = {
    "high": {
        "reserved_capacity_year_kw",
        "reserved_capacity_month_kw",
        "reserved_input_kw",
        "reserved_output_kw",
    },
    "low": {"reserved_output_kw", "unmetered_w"},
    "gas": {
        "daily_capacity_thousand_m3",
        "daily_capacity_month_thousand_m3",
        "daily_capacity_sliding_thousand_m3",
    },
}
_SPREAD = {
    "high": {
        "energy_mwh",
        "energy_returned_mwh",
        "reactive_taken_mvarh",
        "reactive_delivery_mvarh",
        "evaluated_energy_mwh",
        "evaluated_reactive_taken_mvarh",
    },
    "low": {"energy_mwh", "energy_vt_mwh", "energy_nt_mwh"},
    "gas": {"energy_mwh", "volume_m3"},
}
"""What is measured over the period: given for all of it, or as a list with one value for each calendar month."""
_HELD = {
    "high": {"max_quarter_hour_kw", "max_quarter_hour_output_kw", "max_quarter_hour_without_exempt_kw"},
    "low": {"max_quarter_hour_output_kw"},
    "gas": {"volume_coefficient", "calorific_value_kwh_m3", "max_daily_taken_thousand_m3"},
}
"""What holds in each calendar month: one value for all of them, or a list with one for each."""
_OTHERS = {"high": {"level"} | _CHOICES, "low": {"level", "rate", "breaker"} | _CHOICES, "gas": {"annual_mwh"}}
_NEEDED = {"high": ("energy_mwh", "max_quarter_hour_kw"), "low": ("rate",), "gas": ()}

_NOT_ZERO = ("volume_coefficient", "calorific_value_kwh_m3")
"""Physical factors: with nothing for one of them every volume would be no energy."""

CHOICES = ("single_component", "unmetered_flat")
"""What a customer may choose where the law leaves a choice."""


class QuoteError(BadInput):
    """The input cannot be quoted; the sentence names the field, its value and what is expected."""

    def __init__(self, message: str) -> None:
        super().__init__("quote_invalid", message)


@dataclass(frozen=True, slots=True)
class QuoteInput:
    """A point and its period; `spread` quantities are of the whole period or by month, `held` hold in each month."""

    commodity: Commodity
    point: TariffPoint
    first: date
    end: date
    agreed: Mapping[str, Decimal]
    spread: Mapping[str, Sequence[Decimal]]
    held: Mapping[str, Sequence[Decimal]]
    months: int


def read_quote(octets: bytes) -> QuoteInput:
    """The input of a quote from the octets of its file; raises QuoteError."""
    return quote_input(_parse(octets))


def quote_input(given: Mapping[str, Any]) -> QuoteInput:
    """The input of a quote from decoded JSON; raises QuoteError."""
    commodity = Commodity(_one_of(given, "commodity", tuple(each.value for each in Commodity)))
    level = None if commodity is Commodity.GAS else _one_of(given, "level", LEVELS)
    kind = "gas" if level is None else "low" if level == "NN" else "high"
    _refuse_unknown(given, kind, level)
    operator = _text(given, "prices")
    first, end, months = _period(given)
    for name in _NEEDED[kind]:
        if name not in given:
            raise QuoteError(f"Field {name} is missing: a quote at {level} needs {', '.join(_NEEDED[kind])}.")
    if kind == "gas" and "volume_m3" not in given and "energy_mwh" not in given:
        raise QuoteError("Field volume_m3 is missing: a quote of gas needs volume_m3, or energy_mwh in its place.")
    return QuoteInput(
        commodity=commodity,
        point=_point(given, operator, level),
        first=first,
        end=end,
        agreed={name: _number(name, given[name]) for name in sorted(_AGREED[kind]) if name in given},
        spread={name: _numbers(name, given[name], months) for name in sorted(_SPREAD[kind]) if name in given},
        held=_held(given, kind, months),
        months=months,
    )


def _parse(octets: bytes) -> dict[str, Any]:
    if len(octets) > LARGEST:
        raise QuoteError(f"The input has {len(octets)} octets; at most {LARGEST} are expected.")
    try:
        content = json.loads(
            octets.decode("utf-8"),
            parse_float=Decimal,
            parse_int=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_no_twice,
        )
    except UnicodeDecodeError as error:
        raise QuoteError(f"The input is not UTF-8 (octet {error.start}); save it in this encoding.") from error
    except (json.JSONDecodeError, RecursionError) as error:
        raise QuoteError(f"The input is not JSON: {error}.") from error
    except InvalidOperation as error:
        raise QuoteError("The input has a number that no decimal can hold.") from error
    if not isinstance(content, dict):
        raise QuoteError("The input must be one JSON object with the fields commodity, prices, period and quantities.")
    return content


def _no_constant(name: str) -> Any:
    raise QuoteError(f"The input has {name}; only finite numbers can be priced.")


def _no_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise QuoteError(f"Field {name} stands in the input twice; keep one of them.")
        found[name] = value
    return found


def _refuse_unknown(given: Mapping[str, Any], kind: str, level: str | None) -> None:
    known = _COMMON | _OTHERS[kind] | _AGREED[kind] | _SPREAD[kind] | _HELD[kind]
    unknown = sorted(set(given) - known)
    if unknown:
        what = "gas" if level is None else f"electricity at {level}"
        raise QuoteError(
            f"Field {unknown[0]!r} is not one of a quote of {what}; there are: {', '.join(sorted(known))}."
        )


def _point(given: Mapping[str, Any], operator: str, level: str | None) -> TariffPoint:
    phases, amperes = _breaker(given)
    annual = _number("annual_mwh", given["annual_mwh"]) if "annual_mwh" in given else None
    coefficient = None
    if "loss_coefficient" in given:
        coefficient = _number("loss_coefficient", given["loss_coefficient"])
        if not Decimal(1) <= coefficient <= 2:
            raise QuoteError(f"Field loss_coefficient is {coefficient}; expected between 1 and 2, for example 1.04.")
    return TariffPoint(
        operator=operator,
        level=level,
        rate=_text(given, "rate") if "rate" in given else None,
        breaker_phases=phases,
        breaker_amperes=amperes,
        annual_mwh=annual,
        tariff_choice=_one_of(given, "tariff_choice", CHOICES) if "tariff_choice" in given else None,
        capacity_exempt=_flag(given, "capacity_exempt"),
        network_entry=_flag(given, "network_entry"),
        storage=_one_of(given, "storage", ("storage", "pumped")) if "storage" in given else None,
        loss_coefficient=coefficient,
    )


def _breaker(given: Mapping[str, Any]) -> tuple[int | None, Decimal | None]:
    if "breaker" not in given:
        return None, None
    text = given["breaker"]
    found = re.fullmatch(r"([13])[x×]([0-9]{1,5}(?:\.[0-9]{1,3})?)", text) if isinstance(text, str) else None
    if found is None or not Decimal(found[2]):
        raise QuoteError(f'Field breaker is {_told(text)}; expected phases and amperes, for example "3x63".')
    return int(found[1]), Decimal(found[2])


def _period(given: Mapping[str, Any]) -> tuple[date, date, int]:
    period = _present(given, "period")
    if not isinstance(period, list) or len(period) != 2:
        raise QuoteError(
            f'Field period is {_told(period)}; expected two days, the second not in it: ["2026-01-01", "2026-02-01"].'
        )
    first, end = (_day(text) for text in period)
    if end <= first:
        raise QuoteError(f"Field period ends {end.isoformat()}, not after its first day {first.isoformat()}.")
    last = end.toordinal() - 1
    months = (date.fromordinal(last).year - first.year) * 12 + date.fromordinal(last).month - first.month + 1
    if months > LONGEST_MONTHS:
        raise QuoteError(f"Field period has {months} months; at most {LONGEST_MONTHS} can be quoted.")
    return first, end, months


def _day(text: Any) -> date:
    try:
        if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            raise ValueError
        day = date.fromisoformat(text)
    except ValueError as error:
        raise QuoteError(f'Field period has the day {_told(text)}; expected one like "2026-01-01".') from error
    if not 1990 <= day.year <= 2999:
        raise QuoteError(f"Field period has the day {text}; expected one from 1990 on.")
    return day


def _numbers(name: str, value: Any, months: int) -> Sequence[Decimal]:
    """One number, or one for each calendar month that the period touches."""
    if not isinstance(value, list):
        return (_number(name, value),)
    if len(value) != months:
        raise QuoteError(
            f"Field {name} has {len(value)} values; the period touches {months} calendar months, give one for each."
        )
    return tuple(_number(name, each) for each in value)


def _held(given: Mapping[str, Any], kind: str, months: int) -> dict[str, Sequence[Decimal]]:
    held = {name: _numbers(name, given[name], months) for name in sorted(_HELD[kind]) if name in given}
    for name in _NOT_ZERO:
        if not all(held.get(name, (Decimal(1),))):
            raise QuoteError(f"Field {name} is {_told(given[name])}; expected more than 0.")
    return held


def _number(name: str, value: Any) -> Decimal:
    number = None
    if isinstance(value, Decimal):
        number = value
    elif isinstance(value, int | str) and not isinstance(value, bool) and _NUMBER.fullmatch(str(value)):
        number = Decimal(value)
    if number is None or not number.is_finite():
        raise QuoteError(f"Field {name} is {_told(value)}; expected a number, for example 118.456.")
    if number < 0 or number > HIGHEST:
        raise QuoteError(f"Field {name} is {_told(value)}; expected a number between 0 and {HIGHEST:f}.")
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -12:
        raise QuoteError(f"Field {name} is {_told(value)}; at most 12 decimals are expected.")
    # written without an exponent, as it will be printed
    return number if exponent <= 0 else number.quantize(Decimal(1))


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name, False)
    if not isinstance(value, bool):
        raise QuoteError(f"Field {name} is {_told(value)}; expected true or false.")
    return value


def _one_of(given: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = _present(given, name)
    if value not in known or not isinstance(value, str):
        raise QuoteError(f"Field {name} is {_told(value)}; expected one of {', '.join(known)}.")
    return value


def _text(given: Mapping[str, Any], name: str) -> str:
    value = _present(given, name)
    if not isinstance(value, str) or not value or len(value) > 40:
        raise QuoteError(f"Field {name} is {_told(value)}; expected a text.")
    return value


def _present(given: Mapping[str, Any], name: str) -> Any:
    if given.get(name) is None:
        raise QuoteError(f"Field {name} is missing.")
    return given[name]


def _told(value: Any) -> str:
    text = str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:60]}..."
