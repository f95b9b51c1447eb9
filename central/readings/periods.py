"""Periods that one request may ask for."""

from datetime import date

from central.platform.errors import BadInput

YEARS = (1990, 2400)
"""Years that one may ask for: beyond them the calendar's arithmetic or the database's ends."""
LONGEST = 400
"""Days that one request may ask for."""


def check_period(first: date, end: date) -> None:
    """Refuse what is no period, ends outside of the calendar, or is too long for one answer."""
    if not YEARS[0] <= first.year <= end.year <= YEARS[1]:
        raise BadInput("period", f"The period {first} to {end} must lie in the years {YEARS[0]} to {YEARS[1]}.")
    if not 0 < (end - first).days <= LONGEST:
        raise BadInput(
            "period", f"The period {first} to {end} must have 1 to {LONGEST} days; its end is exclusive. Ask in parts."
        )
