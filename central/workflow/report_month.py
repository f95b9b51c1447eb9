"""Reports a closed month to the market operator: interval data of every supply point metered as A or B.

Collects the newest day profiles and hands them to the market room as plain data. A point with a missing value gets no
message: it is listed as incomplete. Repeating it changes nothing while the profiles are the same versions.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from sqlalchemy import Connection, select, text

from central.market.cdsdata import INTERVAL_DATA, Profile, ProfileDay
from central.market.errors import OutboundError
from central.market.format_package import FormatPackage, package_valid_on
from central.market.interval_report import PointMonth, ProfileVersion, report_point
from central.market.messages import last_messages, lock_generation
from central.network.tables import channel
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person
from central.registry.tables import party, supply_point
from shared.clock import Clock
from shared.metering_day import MeteringDay, month_bounds, month_days, next_month
from shared.quantities import MISSING_VALUE, Commodity, Kind, Quality

METERING_TYPES: Final = ("A", "B")
POINTS_AT_ONCE: Final = 50
"""Points whose profiles are in memory together: 50 x 4 x 2,976 values are about 30 MB of Python integers."""


@dataclass(frozen=True, slots=True)
class Made:
    """A message made for a point: its number in the database and its version."""

    ean: str
    number: int
    version: int


@dataclass(frozen=True, slots=True)
class Incomplete:
    """A point that got no message, why, and how many values are missing."""

    ean: str
    why: str
    missing: int = 0


@dataclass(slots=True)
class MonthReport:
    """What became of every point."""

    month: date
    made: list[Made] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    incomplete: list[Incomplete] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Point:
    id: int
    ean: str
    sender: str | None


@dataclass(frozen=True, slots=True)
class _Channel:
    id: int
    direction: str
    unit: str
    exponent: int


@dataclass(frozen=True, slots=True)
class _Day:
    version: int
    values: list[int]
    quality: list[int] | None

    @property
    def missing(self) -> int:
        """How many values are missing, by value or by quality."""
        if self.quality is None:
            return self.values.count(MISSING_VALUE)
        pairs = zip(self.values, self.quality, strict=True)
        return sum(value == MISSING_VALUE or mark == Quality.MISSING for value, mark in pairs)


def report_month(
    connection: Connection,
    month: date,
    clock: Clock,
    by: Person | str,
    *,
    sender: str | None = None,
    again: bool = False,
) -> MonthReport:
    """Make the messages of `month` (its first day) in the caller's transaction.

    `sender` is the EAN under which we report, by default the one of each point's operator. `again` repeats as a new
    version what was rejected or never answered although its profiles did not change. Raises Refused while the month
    is not over.
    """
    at = clock.now()
    end_day = next_month(month.year, month.month)
    month = month.replace(day=1)
    over = month_bounds(Commodity.ELECTRICITY, month.year, month.month)[1]
    if at < over:
        raise Refused(
            "month_not_over",
            f"The month {month:%Y-%m} is not over: it can be reported from {over.isoformat()} on.",
        )
    lock_generation(connection)
    package = package_valid_on(at.date())
    person = by.name if isinstance(by, Person) else by
    report = MonthReport(month)
    last = last_messages(connection, INTERVAL_DATA, month, end_day)
    days = month_days(Commodity.ELECTRICITY, month.year, month.month)
    points = _points(connection, sender)
    for first in range(0, len(points), POINTS_AT_ONCE):
        some = points[first : first + POINTS_AT_ONCE]
        channels = _channels(connection, package, some)
        profiles = _profiles(connection, [item.id for listed in channels.values() for item in listed], month, end_day)
        for point in some:
            collected = _collect(point, channels.get(point.id, []), profiles, days)
            if isinstance(collected, Incomplete):
                report.incomplete.append(collected)
                continue
            try:
                made = report_point(connection, package, collected, last.get(point.id), at, person, again=again)
            except OutboundError as error:
                report.incomplete.append(Incomplete(point.ean, error.message))
                continue
            if made is None:
                report.unchanged.append(point.ean)
            else:
                report.made.append(Made(point.ean, made.number, made.version))
    counts = {
        "made": len(report.made),
        "unchanged": len(report.unchanged),
        "incomplete": len(report.incomplete),
        "package": package.name,
    }
    audit.record(connection, by, "market.report_month", f"month/{month:%Y-%m}", counts, at)
    return report


def _points(connection: Connection, sender: str | None) -> list[_Point]:
    rows = connection.execute(
        select(supply_point.c.id, supply_point.c.ean, party.c.ean13)
        .join(party, party.c.id == supply_point.c.operator)
        .where(
            supply_point.c.commodity == Commodity.ELECTRICITY,
            supply_point.c.metering_type.in_(METERING_TYPES),
        )
        .order_by(supply_point.c.ean)
    )
    return [_Point(number, ean, sender or operator) for number, ean, operator in rows]


def _channels(connection: Connection, package: FormatPackage, points: Sequence[_Point]) -> dict[int, list[_Channel]]:
    """By point: its interval channels, in the order of the package's value types."""
    order = list(package.value_types)
    rows = connection.execute(
        select(channel.c.supply_point, channel.c.id, channel.c.direction, channel.c.unit, channel.c.exponent).where(
            channel.c.supply_point.in_([point.id for point in points]),
            channel.c.kind == Kind.INTERVAL,
            channel.c.commodity == Commodity.ELECTRICITY,
            channel.c.direction.in_(order),
        )
    )
    found: dict[int, list[_Channel]] = defaultdict(list)
    for number, *rest in rows:
        found[number].append(_Channel(*rest))
    for listed in found.values():
        listed.sort(key=lambda item: (order.index(item.direction), item.id))
    return found


_NEWEST_PROFILES: Final = text("""
    SELECT DISTINCT ON (channel, day) channel, day, version, "values", quality
    FROM day_profile
    WHERE channel = ANY(:channels) AND day >= :first_day AND day < :end_day
    ORDER BY channel, day, version DESC
""")


def _profiles(
    connection: Connection, channels: Sequence[int], first_day: date, end_day: date
) -> dict[tuple[int, date], _Day]:
    """The newest version of every day of these channels."""
    rows = connection.execute(
        _NEWEST_PROFILES, {"channels": list(channels), "first_day": first_day, "end_day": end_day}
    )
    return {(number, day): _Day(version, values, quality) for number, day, version, values, quality in rows}


def _collect(
    point: _Point,
    channels: Sequence[_Channel],
    profiles: dict[tuple[int, date], _Day],
    days: Sequence[MeteringDay],
) -> PointMonth | Incomplete:
    """The point's month as the market room wants it, or why it cannot be told."""
    if point.sender is None:
        return Incomplete(point.ean, "The operator of this point has no EAN: fill it in at its party.")
    if not channels:
        return Incomplete(point.ean, "The point has no interval channel: assign one to it.")
    directions = [item.direction for item in channels]
    if doubled := sorted({direction for direction in directions if directions.count(direction) > 1}):
        return Incomplete(point.ean, f"The point has more than one channel {', '.join(doubled)}: only one can be told.")
    missing = 0
    first_missing: date | None = None
    for item in channels:
        for day in days:
            found = profiles.get((item.id, day.date))
            lacking = day.length if found is None else found.missing
            missing += lacking
            if lacking and (first_missing is None or day.date < first_missing):
                first_missing = day.date
    if missing:
        return Incomplete(point.ean, f"{missing} values are missing, the first on {first_missing}.", missing)
    return PointMonth(
        supply_point=point.id,
        ean=point.ean,
        sender=point.sender,
        first_day=days[0].date,
        end_day=days[-1].next.date,
        profiles=[
            Profile(
                item.direction,
                item.unit,
                item.exponent,
                [
                    ProfileDay(day, profiles[item.id, day.date].values, profiles[item.id, day.date].quality)
                    for day in days
                ],
            )
            for item in channels
        ],
        versions=[
            ProfileVersion(item.id, day.date, profiles[item.id, day.date].version) for item in channels for day in days
        ],
    )
