"""Validity in days: half-open ranges, their ends as dates."""

from datetime import date
from typing import Any

from sqlalchemy import ColumnElement, Date, func
from sqlalchemy.dialects.postgresql import Range

from central.platform.errors import BadInput


def starts(valid: ColumnElement[Any]) -> ColumnElement[Any]:
    """The first day of a range (NULL: from the beginning)."""
    return func.lower(valid, type_=Date())


def ends(valid: ColumnElement[Any]) -> ColumnElement[Any]:
    """The day on which a range ends, exclusive (NULL: open)."""
    return func.upper(valid, type_=Date())


def validity(what: str, start: date, end: date | None) -> Range[date]:
    """The half-open range of two days, or BadInput when it would be empty."""
    if end is not None and end <= start:
        raise BadInput("validity", f"The {what} ends {end}, not after its start {start}; the end is exclusive.")
    return Range(start, end, bounds="[)")
