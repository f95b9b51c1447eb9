"""The law by which a month to come is priced: packages in force then, else earlier ones as if they held on."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from central.settlement.books import BookInForce
from central.tariffs.install import packages_in_force
from central.tariffs.package import Package, index_tables
from central.workflow.settle_month import in_force
from shared.quantities import Commodity

Held = TypeVar("Held", bound=msgspec.Struct)


class Law:
    """Packages by month, commodity and price list; months that no package reaches yet take the year before."""

    MOST_YEARS_BACK = 3

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._books: dict[tuple[int, int], list[BookInForce]] = {}

    def of(self, commodity: Commodity, prices: str, month: date) -> tuple[list[BookInForce], date] | None:
        """The books as they hold in `month`, and the month whose prices these are; None where there are none."""
        for years in range(min(self.MOST_YEARS_BACK + 1, month.year)):
            books = [book for book in self._of_year(month.year, years) if prices in book.operators]
            if any(book.holds(commodity, prices, month) for book in books):
                return books, month.replace(year=month.year - years)
        return None

    def _of_year(self, year: int, back: int) -> Sequence[BookInForce]:
        if (year, back) not in self._books:
            first = date(year - back, 1, 1)
            packages = packages_in_force(self._connection, first, first.replace(year=first.year + 1))
            self._books[year, back] = [in_force(moved(package, back)) for package in packages]
        return self._books[year, back]


def moved(package: Package, years: int) -> Package:
    """The package as if all its days were `years` later."""
    if not years:
        return package
    file = package.file
    told = msgspec.structs.replace(
        file,
        valid=tuple(_later(day, years) for day in file.valid),
        tables=[_held_later(table, years) for table in file.tables],
        steps=[_held_later(steps, years) for steps in file.steps],
        rules=[_held_later(rule, years) for rule in file.rules],
    )
    # settlement keeps what it made of a package by its checksum, and this one says something else
    return replace(package, file=told, checksum=f"{package.checksum}+{years}", index=index_tables(told))


def _held_later(held: Held, years: int) -> Held:
    valid: tuple[str, str] | None = getattr(held, "valid", None)
    if valid is None:
        return held
    return msgspec.structs.replace(held, valid=tuple(_later(day, years) for day in valid))


def _later(day: str, years: int) -> str:
    """The same day of a later year; 29 February is the day after the 28th where there is none."""
    given = date.fromisoformat(day)
    leap = (given.month, given.day) == (2, 29)
    later = (given - timedelta(days=leap)).replace(year=given.year + years)
    return (later + timedelta(days=leap)).isoformat()
