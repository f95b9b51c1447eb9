"""Numbers of documents without holes: the series' row stays locked until the issuing transaction ends."""

from datetime import date

from sqlalchemy import Column, Connection, Select, select, update
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.kinds import kinds
from central.invoicing.tables import advance, advance_document, invoice, invoice_series
from central.platform.errors import Refused

DIGITS = 7
"""After two digits of the year and the kind's prefix: ten together, the length of a variable symbol."""


class NumberSeries:
    """Gives the numbers of one year's series of a kind within one transaction: 2600000001, 2600000002, ...

    A rollback gives none; a second issuer of the kind waits for the first one's end.
    """

    def __init__(self, connection: Connection, kind: str, issue_date: date) -> None:
        self._connection = connection
        self.series = f"{issue_date.year % 100:02d}{kinds()[kind].prefix}"
        connection.execute(insert(invoice_series).values(series=self.series, last=0).on_conflict_do_nothing())
        self._last: int = connection.execute(
            select(invoice_series.c.last).where(invoice_series.c.series == self.series).with_for_update()
        ).scalar_one()

    def take(self, count: int) -> list[str]:
        """The next `count` numbers, written down as given. Refused where one is used already, or none is left."""
        first, self._last = self._last + 1, self._last + count
        if self._last >= 10**DIGITS:
            raise Refused(
                "series_full",
                f"The number series {self.series} ends at {10**DIGITS - 1}; {count} more numbers do not fit into it.",
            )
        self._connection.execute(
            update(invoice_series).where(invoice_series.c.series == self.series).values(last=self._last)
        )
        numbers = [f"{self.series}{number:0{DIGITS}d}" for number in range(first, self._last + 1)]
        if numbers:
            self._refuse_used(numbers[0], numbers[-1])
        return numbers

    def _refuse_used(self, first: str, last: str) -> None:
        number = min(
            (
                found
                for column in (invoice.c.number, advance.c.number, advance_document.c.number)
                if (found := self._connection.execute(_first(column, first, last)).scalar()) is not None
            ),
            default=None,
        )
        if number is not None:
            raise Refused(
                "number_used",
                f"The number {number} of the series {self.series} is used already, though the series has not given it: "
                "set the series behind its last document.",
            )


def _first(column: Column[str], first: str, last: str) -> Select[str]:
    return select(column).where(column.between(first, last)).order_by(column).limit(1)
