"""Load-profile classes (TDD) of what points consumed: the point's own class, else the one of its rate at the time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Connection, text

from central.readings.registers.boundary import Classes, ClassSpan
from central.readings.states import LONGEST_PERIOD
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

_ITEMS = text("""
    -- rates of the points over the time, oldest first
    SELECT i.supply_point, i.rate, sp.load_profile_class, lower(i.valid) AS since, upper(i.valid) AS until
      FROM contract_item i JOIN supply_point sp ON sp.id = i.supply_point
     WHERE i.supply_point = ANY (:points) AND i.valid && daterange(:first, :last)
     ORDER BY i.supply_point, lower(i.valid)
""")


class RateClasses(Protocol):
    """A legislative package, as far as it knows which class a rate belongs to."""

    def load_profile_class(self, rate: str) -> str | None:
        """The class of a distribution rate; None where the package does not say."""
        ...


def read_classes(
    connection: Connection,
    channels: Mapping[int, Sequence[int]],
    first: datetime,
    last: datetime,
    packages: Sequence[RateClasses],
) -> Classes:
    """The classes of state channels, given by supply point, as far before `first` and after `last` as the ends of a
    register's period may lie; one query."""
    if not channels:
        return {}
    bounds = {"first": (first - LONGEST_PERIOD).date(), "last": (last + LONGEST_PERIOD).date()}
    spans: dict[int, list[ClassSpan]] = defaultdict(list)
    for row in connection.execute(_ITEMS, {"points": list(channels), **bounds}):
        name = row.load_profile_class or _of_rate(row.rate, packages)
        since, until = row.since or bounds["first"], row.until or bounds["last"]
        if since < until:
            spans[row.supply_point].append(ClassSpan(_begin(since), _begin(until), name))
    return {channel: spans[point] for point, own in channels.items() for channel in own}


def _of_rate(rate: str | None, packages: Sequence[RateClasses]) -> str | None:
    if rate is None:
        return None
    return next((name for package in packages if (name := package.load_profile_class(rate)) is not None), None)


def _begin(day: date) -> datetime:
    return MeteringDay(Commodity.ELECTRICITY, day).start
