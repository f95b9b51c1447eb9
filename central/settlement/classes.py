"""Load-profile classes (TDD) of what points consumed: the point's own class, else the one of its rate at the time."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol

from sqlalchemy import Connection, text

from central.readings.registers.boundary import Classes, ClassSpan
from central.readings.states import LONGEST_PERIOD
from central.settlement.evidence import state_channels
from central.settlement.facts import PointFacts
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


def read_classes(connection: Connection, points: Sequence[PointFacts], packages: Sequence[RateClasses]) -> Classes:
    """The classes of the points' state channels, as far back and forth as the ends of a period may lie; one query."""
    billed = [point for point in points if state_channels([point])]
    if not billed:
        return {}
    first, last = min(point.start for point in billed), max(point.end for point in billed)
    bounds = {"first": (first - LONGEST_PERIOD).date(), "last": (last + LONGEST_PERIOD).date()}
    spans: dict[int, list[ClassSpan]] = defaultdict(list)
    for row in connection.execute(_ITEMS, {"points": [point.supply_point for point in billed], **bounds}):
        name = row.load_profile_class or _of_rate(row.rate, packages)
        since, until = row.since or bounds["first"], row.until or bounds["last"]
        if since < until:
            spans[row.supply_point].append(ClassSpan(_begin(since), _begin(until), name))
    return {channel.id: spans[point.supply_point] for point in billed for channel in state_channels([point])}


def _of_rate(rate: str | None, packages: Sequence[RateClasses]) -> str | None:
    if rate is None:
        return None
    return next((name for package in packages if (name := package.load_profile_class(rate)) is not None), None)


def _begin(day: date) -> datetime:
    return MeteringDay(Commodity.ELECTRICITY, day).start
