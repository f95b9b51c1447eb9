"""What calorific values and conversions touch: settlement of the points that lie in their area or on their channel."""

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Connection, text

from central.platform.hooks import Change
from central.readings.gas.calorific import GivenValue
from central.readings.gas.coefficient import Conversion
from shared.metering_day import next_month

_IN_AREAS = text("""
    SELECT DISTINCT c.supply_point FROM gas_conversion g JOIN channel c ON c.id = g.channel
    WHERE g.area = ANY(:areas) AND g.valid && daterange(:since, :until) AND c.supply_point IS NOT NULL ORDER BY 1
""")
_OF_CHANNEL = text("SELECT supply_point FROM channel WHERE id = :channel AND supply_point IS NOT NULL")


def change_of_values(connection: Connection, values: Sequence[GivenValue]) -> Change | None:
    """Storing these values, as one change from their first gas day to their last; None where there is none.

    The points are all that lie in one of the areas within that time, also where a value of theirs stays.
    """
    if not values:
        return None
    areas = sorted({one.area for one in values})
    since, until = min(one.first for one in values), max(_end(one) for one in values)
    points = connection.execute(_IN_AREAS, {"areas": areas, "since": since, "until": until}).scalars()
    name = ", ".join(areas)
    return Change(
        "calorific_value", name, name, "revise", since, until, frozenset({"value"}), supply_points=tuple(points)
    )


def change_of_conversion(connection: Connection, conversion: Conversion, since: date) -> Change:
    """A conversion's beginning to hold, or holding no longer, from the gas day `since` until its end."""
    points = connection.execute(_OF_CHANNEL, {"channel": conversion.channel}).scalars()
    name = f"of channel {conversion.channel} ({conversion.kind}, {conversion.area})"
    return Change("gas_conversion", conversion.id, name, "revise", since, conversion.end, supply_points=tuple(points))


def _end(value: GivenValue) -> date:
    if value.period == "month":
        return next_month(value.first.year, value.first.month)
    return value.first + timedelta(days=1)
