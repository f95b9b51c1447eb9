"""Numbers of invoices without holes: the series' row stays locked until the issuing transaction ends."""

from collections.abc import Iterator
from datetime import date

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.tables import invoice_series

DIGITS = 8
"""After two digits of the year: ten together, the length of a variable symbol."""


class NumberSeries:
    """Gives the numbers of one year's series within one transaction: 2600000001, 2600000002, ...

    `kind` is a digit after the year that a kind of documents has (5 an advance, 6 the tax document of a received one,
    7 its credit note). A rollback gives none; a second issuer waits for the first one's end.
    """

    def __init__(self, connection: Connection, issue_date: date, kind: str = "") -> None:
        self._connection = connection
        self.series = f"{issue_date.year % 100:02d}{kind}"
        self._digits = DIGITS - len(kind)
        connection.execute(insert(invoice_series).values(series=self.series, last=0).on_conflict_do_nothing())
        self._last: int = connection.execute(
            select(invoice_series.c.last).where(invoice_series.c.series == self.series).with_for_update()
        ).scalar_one()

    def take(self, count: int) -> Iterator[str]:
        """The next `count` numbers, written down as given."""
        first, self._last = self._last + 1, self._last + count
        if self._last >= 10**self._digits:
            raise OverflowError(f"The number series {self.series} has no more than {10**self._digits - 1} numbers.")
        self._connection.execute(
            update(invoice_series).where(invoice_series.c.series == self.series).values(last=self._last)
        )
        return (f"{self.series}{number:0{self._digits}d}" for number in range(first, self._last + 1))
