"""The VAT of a commodity on a day, as the legislative packages say."""

from datetime import date
from decimal import Decimal

from sqlalchemy import Connection, text

from central.platform.errors import Refused

RATES = text("""
    -- by commodity: the VAT of the package in force on a day, else of the last one before it
    SELECT DISTINCT ON (commodity) commodity, content -> 'vat' ->> 'percent' AS percent
      FROM package
     WHERE active AND lower(valid) <= :day
     ORDER BY commodity, valid @> CAST(:day AS date) DESC, upper(valid) DESC
""")


class VatRates:
    """VAT in percent by commodity and day; each day is read once."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[date, dict[str, Decimal]] = {}

    def on(self, commodity: str, day: date) -> Decimal:
        """Percent that holds for `commodity` on `day`, or Refused where no package says.

        A day after the end of the last package has that one's rate: advances of a year are asked for before its law is
        out.
        """
        percent = self.find(commodity, day)
        if percent is None:
            raise Refused(
                "no_package",
                f"No legislative package for {commodity} says the VAT of {day}; install the package of that time.",
            )
        return percent

    def find(self, commodity: str, day: date) -> Decimal | None:
        """The same, or None where no package says."""
        if day not in self._known:
            rows = self._connection.execute(RATES, {"day": day})
            self._known[day] = {row.commodity: Decimal(row.percent) for row in rows}
        return self._known[day].get(commodity)
