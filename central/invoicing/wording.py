"""The words, numbers and dates of documents in one language; all of them come from texts/<language>.json."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

import msgspec

from shared.metering_day import PRAGUE

TEXTS = Path(__file__).parent / "texts"
SPACE = "\N{NO-BREAK SPACE}"


class Wording(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What texts/<language>.json says; `rates` and `units` are given where they differ from the stored names."""

    language: str
    thousands: str
    decimal: str
    day: str
    month: str
    currency: Mapping[str, str]
    titles: Mapping[str, str]
    notes: Mapping[str, str]
    commodities: Mapping[str, str]
    facts: Mapping[str, str]
    registers: Mapping[str, str]
    rates: Mapping[str, str]
    units: Mapping[str, str]
    unsure: str
    payment_message: Mapping[str, str]
    labels: Mapping[str, str]

    def number(self, value: Decimal, decimals: int | None = None) -> str:
        """A number as it is written; with `decimals` at least that many places (never fewer than it has)."""
        if decimals is not None:
            exponent = value.as_tuple().exponent
            places = max(decimals, -exponent if isinstance(exponent, int) else 0)
            value = value.quantize(Decimal(1).scaleb(-places))
        whole, point, rest = f"{value:,f}".partition(".")
        return whole.replace(",", self.thousands) + (self.decimal + rest if point else "")

    def money(self, value: Decimal) -> str:
        """An amount with two decimals."""
        return self.number(value, 2)

    def day_of(self, value: date) -> str:
        """31. 3. 2026 in Czech, 2026-03-31 in English."""
        return self.day.format(d=value.day, m=value.month, y=value.year)

    def month_of(self, value: date) -> str:
        """3/2026 in Czech, 2026-03 in English."""
        return self.month.format(m=value.month, y=value.year)

    def instant(self, value: datetime) -> str:
        """31. 3. 2026 14:15 in local time."""
        local = value.astimezone(PRAGUE)
        return f"{self.day_of(local.date())}{SPACE}{local:%H:%M}"

    def rate(self, rate: int | None, name: str) -> str:
        """The name of a rate; the stored one where the language has no other."""
        return self.rates.get(str(rate), name)

    def unit(self, unit: str) -> str:
        """A unit; the stored one where the language has no other."""
        return self.units.get(unit, unit)


def trimmed(value: Decimal) -> Decimal:
    """Without trailing zeros behind the point, and never with an exponent."""
    return value.normalize() + 0


@cache
def wording(language: str) -> Wording:
    """The wording of a language that is shipped ("cs", "en")."""
    return msgspec.json.decode((TEXTS / f"{language}.json").read_bytes(), type=Wording)
