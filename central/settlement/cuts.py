"""Cut a period wherever something changes. Pure; days are half-open, None is without a bound."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Generic, TypeVar

from shared.metering_day import next_month

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Held(Generic[T_co]):
    """A fact and the days on which it holds."""

    since: date | None
    until: date | None
    fact: T_co

    def on(self, day: date) -> bool:
        """Whether it holds on the day."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)


def fact_on(held: Sequence[Held[T_co]], day: date) -> T_co | None:
    """The fact that holds on a day; None where none does."""
    for each in held:
        if each.on(day):
            return each.fact
    return None


def merged(held: Iterable[Held[T_co]], key: Callable[[T_co], U]) -> list[Held[U]]:
    """The timeline of a key of the facts: neighbours of equal keys made one."""
    found: list[Held[U]] = []
    for each in held:
        value = key(each.fact)
        last = found[-1] if found else None
        if last is not None and last.until is not None and last.until == each.since and last.fact == value:
            found[-1] = Held(last.since, each.until, value)
        else:
            found.append(Held(each.since, each.until, value))
    return found


def cut(first: date, end: date, *timelines: Iterable[Held[object]], at: Iterable[date] = ()) -> list[tuple[date, date]]:
    """The stretches of [first, end) within which no timeline changes, further cut `at` these days."""
    borders = {first, end}
    for timeline in timelines:
        for held in timeline:
            for day in (held.since, held.until):
                if day is not None and first < day < end:
                    borders.add(day)
    borders.update(day for day in at if first < day < end)
    return list(pairwise(sorted(borders)))


def month_borders(first: date, end: date) -> list[date]:
    """The first days of months strictly between two days."""
    found, day = [], next_month(first.year, first.month)
    while day < end:
        found.append(day)
        day = next_month(day.year, day.month)
    return found
