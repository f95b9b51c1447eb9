"""Rows as plain JSON data: what audit keeps and what tags of records are made from."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.dialects.postgresql import Range


def plain(value: Any) -> Any:
    """The value as JSON data: decimals as texts without trailing zeros, dates and instants in ISO form, ranges as
    [lower, upper], mappings and lists by their parts. What JSON knows stays; other things become their text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return spelled(value)
        case date() | datetime():
            return value.isoformat()
        case Range():
            return [plain(value.lower), plain(value.upper)]
        case Mapping():
            return {str(name): plain(part) for name, part in value.items()}
        case list() | tuple() | set() | frozenset():
            return [plain(part) for part in value]
        case _:
            return str(value)


def spelled(value: Decimal) -> str:
    """A decimal in digits, without an exponent and without zeros that say nothing: 400.000 is "400"."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
