"""Reports a closed month to the market operator: interval data of every supply point metered as A or B.

Collects the newest day profiles and hands them to the market room as plain data. A point with a missing value gets no
message: it is listed as incomplete. Repeating it changes nothing while the profiles are the same versions.

Where a point is metered behind its transformer, the energy it took is told with the surcharge for losses, as it is
billed (`central/settlement/loss.py` says how whole units are made of it).
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
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
from central.readings.profiles import Profiles, read_newest
from central.settlement.loss import LossTerm, raised
from shared.clock import Clock
from shared.metering_day import month_bounds, next_month
from shared.quantities import MISSING_VALUE, Commodity, Kind, Quality

METERING_TYPES: Final = ("A", "B")
TAKEN: Final = "A+"
"""The direction that losses of the customer's transformer are added to."""
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
    standing: dict[str, int] = field(default_factory=dict)
    """The message that tells an unchanged point already, by EAN."""


@dataclass(frozen=True, slots=True)
class _Point:
    id: int
    ean: str
    sender: str | None
    losses: Sequence[LossTerm] = ()


@dataclass(frozen=True, slots=True)
class _Channel:
    id: int
    direction: str
    unit: str
    exponent: int


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
    report = report_period(connection, month, end_day, at, by, sender=sender, again=again)
    counts = {
        "made": len(report.made),
        "unchanged": len(report.unchanged),
        "incomplete": len(report.incomplete),
        "package": package_valid_on(at.date()).name,
    }
    audit.record(connection, by, "market.report_month", f"month/{month:%Y-%m}", counts, at)
    return report


@dataclass(frozen=True, slots=True)
class DutyOf:
    """The duty that a point's message fulfils, and until when."""

    id: int
    deadline: datetime | None


def report_period(
    connection: Connection,
    first_day: date,
    end_day: date,
    at: datetime,
    by: Person | str,
    *,
    sender: str | None = None,
    again: bool = False,
    duties: Mapping[str, DutyOf] | None = None,
) -> MonthReport:
    """Make the messages of the metering days [first_day, end_day), which are over; the caller locked the generation.

    With `duties` by EAN only of these points, each message for its duty.
    """
    package = package_valid_on(at.date())
    person = by.name if isinstance(by, Person) else by
    report = MonthReport(first_day)
    last = last_messages(connection, INTERVAL_DATA, first_day, end_day)
    points = _points(connection, sender, first_day, end_day)
    if duties is not None:
        points = [point for point in points if point.ean in duties]
    for first in range(0, len(points), POINTS_AT_ONCE):
        some = points[first : first + POINTS_AT_ONCE]
        channels = _channels(connection, package, some)
        wanted = [item.id for listed in channels.values() for item in listed]
        profiles = read_newest(connection, Commodity.ELECTRICITY, wanted, first_day, end_day)
        for point in some:
            collected = _collect(point, channels.get(point.id, []), profiles)
            if isinstance(collected, Incomplete):
                report.incomplete.append(collected)
                continue
            duty = duties[point.ean] if duties is not None else None
            try:
                made = report_point(
                    connection, package, collected, last.get(point.ean), at, person, again=again,
                    duty=duty.id if duty else None, deadline=duty.deadline if duty else None,
                )  # fmt: skip
            except OutboundError as error:
                report.incomplete.append(Incomplete(point.ean, error.message))
                continue
            if made is None:
                report.unchanged.append(point.ean)
                report.standing[point.ean] = last[point.ean].id
            else:
                report.made.append(Made(point.ean, made.number, made.version))
    return report


POINTS = text("""
    -- electricity points with a profile to report, as they stand at the end of the month
    SELECT id, ean, ean13 FROM (
        SELECT DISTINCT ON (sp.id) sp.id, sp.ean, sp.metering_type, operator.ean13
          FROM supply_point_valid sp JOIN party operator ON operator.id = sp.operator
         WHERE sp.commodity = 'electricity' AND sp.valid && daterange(:first, :end)
           AND sp.state IN ('connected', 'suspended')
         ORDER BY sp.id, lower(sp.valid) DESC NULLS LAST) point
     WHERE metering_type = ANY (:types)
     ORDER BY ean
""")


LOSSES = text("""
    -- surcharges for transformer losses within the month
    SELECT supply_point, percent, greatest(lower(valid), :first) AS first,
           least(coalesce(upper(valid), :end), :end) AS stop
      FROM point_condition
     WHERE kind = 'loss' AND supply_point = ANY (:points) AND valid && daterange(:first, :end)
     ORDER BY supply_point, lower(valid)
""")


def _points(connection: Connection, sender: str | None, first_day: date, end_day: date) -> list[_Point]:
    period = {"first": first_day, "end": end_day}
    rows = connection.execute(POINTS, {**period, "types": list(METERING_TYPES)}).all()
    losses: dict[int, list[LossTerm]] = defaultdict(list)
    for row in connection.execute(LOSSES, {**period, "points": [number for number, *_ in rows]}):
        losses[row.supply_point].append(LossTerm(row.percent, row.first, row.stop))
    return [_Point(number, ean, sender or operator, losses.get(number, ())) for number, ean, operator in rows]


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


def _collect(point: _Point, channels: Sequence[_Channel], profiles: Profiles) -> PointMonth | Incomplete:
    """The point's month as the market room wants it, or why it cannot be told."""
    if point.sender is None:
        return Incomplete(point.ean, "The operator of this point has no EAN: fill it in at its party.")
    if not channels:
        return Incomplete(point.ean, "The point has no interval channel: assign one to it.")
    directions = [item.direction for item in channels]
    if doubled := sorted({direction for direction in directions if directions.count(direction) > 1}):
        return Incomplete(point.ean, f"The point has more than one channel {', '.join(doubled)}: only one can be told.")
    rows = {number: row for row, number in enumerate(profiles.channels)}
    chosen = [rows[item.id] for item in channels]
    lacking = (profiles.values[chosen] == MISSING_VALUE) | (profiles.quality[chosen] == Quality.MISSING)
    if missing := int(lacking.sum()):
        first = int(np.searchsorted(profiles.offset, lacking.any(axis=0).argmax(), side="right")) - 1
        why = f"{missing} values are missing, the first on {profiles.days[first].date}."
        return Incomplete(point.ean, why, missing)
    try:
        values = [
            _with_losses(profiles, row, point.losses if item.direction == TAKEN else ())
            for item, row in zip(channels, chosen, strict=True)
        ]
    except OverflowError as error:
        return Incomplete(point.ean, str(error))
    return PointMonth(
        supply_point=point.id,
        ean=point.ean,
        sender=point.sender,
        first_day=profiles.days[0].date,
        end_day=profiles.days[-1].next.date,
        profiles=[
            Profile(item.direction, item.unit, item.exponent, list(_days(profiles, row, told)))
            for item, row, told in zip(channels, chosen, values, strict=True)
        ],
        versions=[
            ProfileVersion(item.id, day.date, int(version))
            for item, row in zip(channels, chosen, strict=True)
            for day, version in zip(profiles.days, profiles.versions[row], strict=True)
        ],
        corrections=[f"loss {term.percent:f} % {term.first} {term.end}" for term in point.losses],
    )


def _with_losses(profiles: Profiles, row: int, losses: Sequence[LossTerm]) -> NDArray[np.int32]:
    return raised(profiles.values[row], [day.date for day in profiles.days], profiles.offset, losses)


def _days(profiles: Profiles, row: int, values: NDArray[np.int32]) -> Iterator[ProfileDay]:
    for place, day in enumerate(profiles.days):
        columns = slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        quality = profiles.quality[row, columns]
        told = quality.tolist() if quality.any() else None
        yield ProfileDay(day, values[columns].tolist(), told)
