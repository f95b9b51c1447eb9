"""Numbers of set-offs, orders, refunds and reminders: series without holes, a prefix and a year each."""

from datetime import date
from typing import Final

from sqlalchemy import Connection, select, update
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.tables import invoice_series

SET_OFF: Final = "ZAP"
ORDER: Final = "PP"
REFUND: Final = "VRA"
REMINDER: Final = "UPO"
FEE: Final = "POP"
PENALTY: Final = "POK"
_DIGITS: Final = 6


def draw_numbers(connection: Connection, prefix: str, day: date, count: int) -> list[str]:
    """The next `count` numbers, ZAP26000001, ...; the series stays locked until the transaction ends."""
    series = f"{prefix}{day.year % 100:02d}"
    connection.execute(insert(invoice_series).values(series=series, last=0).on_conflict_do_nothing())
    last: int = connection.execute(
        select(invoice_series.c.last).where(invoice_series.c.series == series).with_for_update()
    ).scalar_one()
    connection.execute(update(invoice_series).where(invoice_series.c.series == series).values(last=last + count))
    return [f"{series}{number:0{_DIGITS}d}" for number in range(last + 1, last + count + 1)]
