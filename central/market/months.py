"""Months as a request names them."""

from datetime import date

from central.platform.errors import BadInput


def month_of(text: str) -> date:
    """The first day of `2026-03`; BadInput."""
    try:
        return date.fromisoformat(f"{text}-01" if len(text) == 7 else "")
    except ValueError:
        raise BadInput("bad_month", f"The month {text[:20]!r} must look like 2026-03.") from None


def data_month_of(text: str) -> date:
    """As `month_of`, of a month that can have meter data."""
    month = month_of(text)
    if not 1990 <= month.year <= 2999:
        raise BadInput("bad_month", f"The month {text} has no meter data; expected one from 1990-01 to 2999-12.")
    return month
