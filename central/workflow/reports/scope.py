"""What a report is about: a licence holder's network, or one area of it, in a calendar month or year."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final, Literal

from central.platform.errors import BadInput
from shared.metering_day import MeteringDay, next_month
from shared.quantities import Commodity

FIRST_YEAR: Final = 2000
LAST_YEAR: Final = 2999


@dataclass(frozen=True, slots=True)
class Scope:
    """Points of operator `operator` (a party's id) in network area `area` (None: all), on the days [first, end)."""

    operator: int
    area: int | None
    first: date
    end: date

    @property
    def begin(self) -> datetime:
        """The instant at which the first day begins."""
        return _midnight(self.first)

    @property
    def finish(self) -> datetime:
        """The instant at which the last day ends."""
        return _midnight(self.end)


def period_of(text: str, kind: Literal["month", "year"]) -> tuple[date, date]:
    """Days [first, end) of `2026-03` or `2026`; BadInput says which of them the definition wants."""
    expected = "a month such as 2026-03" if kind == "month" else "a year such as 2026"
    try:
        if len(text) != (7 if kind == "month" else 4) or not text.isascii():
            raise ValueError
        first = date.fromisoformat(f"{text}-01" if kind == "month" else f"{text}-01-01")
    except ValueError:
        raise BadInput("period", f"The period {text[:20]!r} must be {expected}.") from None
    if not FIRST_YEAR <= first.year <= LAST_YEAR:
        raise BadInput("period", f"The period {text} must lie in the years {FIRST_YEAR} to {LAST_YEAR}.")
    end = next_month(first.year, first.month) if kind == "month" else date(first.year + 1, 1, 1)
    return first, end


def period_text(first: date, end: date) -> str:
    """`2026-03` or `2026`, as `period_of` reads it."""
    return f"{first:%Y-%m}" if end - first < timedelta(days=32) else f"{first:%Y}"


def _midnight(day: date) -> datetime:
    return MeteringDay(Commodity.ELECTRICITY, day).start
