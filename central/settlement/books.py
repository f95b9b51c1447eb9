"""The price books of a period as settlement takes them: which one holds for a price list on a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from central.settlement.prices import PriceBook
from shared.quantities import Commodity


@dataclass(frozen=True, slots=True)
class BookInForce:
    """A price book with the price lists (operators) that it knows, and the days on which a value of it changes."""

    book: PriceBook
    commodity: Commodity
    operators: frozenset[str]
    borders: tuple[date, ...] = ()

    def holds(self, commodity: Commodity, operator: str, day: date) -> bool:
        """Whether it has the price list on that day."""
        first, end = self.book.valid
        return self.commodity is commodity and operator in self.operators and first <= day < end


def find_book(books: Iterable[BookInForce], commodity: Commodity, operator: str, day: date) -> PriceBook | None:
    """The book of a price list on a day; of two, the first."""
    return next((each.book for each in books if each.holds(commodity, operator, day)), None)


def price_borders(books: Sequence[BookInForce], commodity: Commodity) -> list[date]:
    """The days on which a price of the commodity may change."""
    days = {day for each in books if each.commodity is commodity for day in (*each.borders, *each.book.valid)}
    return sorted(days)
