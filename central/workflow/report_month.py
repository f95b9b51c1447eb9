"""Reports a closed month to the market operator: interval data of every supply point metered as A or B.

Collects the newest day profiles and hands them to the market room as plain data. A point with a missing value gets no
message: it is listed as incomplete. Repeating it changes nothing while the profiles are the same versions.

Where a point is metered behind its transformer, the energy it took is told with the surcharge for losses, as it is
billed (`central/settlement/loss.py` says how whole units are made of it).
"""

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, select, text

from central.market.cdsdata import INTERVAL_DATA, Series
from central.market.errors import OutboundError
from central.market.format_package import FormatPackage, package_at
from central.market.interval_report import Planned, PointMonth, Reported, keep, plan
from central.market.interval_writer import IntervalWriter, Sheet, interval_writer
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
POINTS_AT_ONCE: Final = 100
"""Points whose profiles are in memory together: 100 x 4 x 2,976 values with their quality are 7 MB."""
STORED_AT_ONCE: Final = 50
"""Messages that go into the outbox together: 50 of half a megabyte."""


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
    made: list[Reported] = field(default_factory=list)
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
    to_production: bool = False,
) -> MonthReport:
    """Make the messages of `month` (its first day) in the caller's transaction.

    `sender` is the EAN under which we report, by default the one of each point's operator. `again` repeats as a new
    version what was rejected or never answered although its profiles did not change; `to_production`, what only a
    sandbox was told. Raises Refused while the month is not over.
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
    with interval_writer(_count(connection, month, end_day)) as writer:
        report = report_period(
            connection, writer, month, end_day, at, by, sender=sender, again=again, to_production=to_production
        )
    counts = {
        "made": len(report.made),
        "unchanged": len(report.unchanged),
        "incomplete": len(report.incomplete),
        "package": package_at(at).name,
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
    writer: IntervalWriter,
    first_day: date,
    end_day: date,
    at: datetime,
    by: Person | str,
    *,
    sender: str | None = None,
    again: bool = False,
    to_production: bool = False,
    duties: Mapping[str, DutyOf] | None = None,
) -> MonthReport:
    """Make the messages of the metering days [first_day, end_day), which are over; the caller locked the generation.

    With `duties` by EAN only of these points, each message for its duty.
    """
    package = package_at(at)
    report = MonthReport(first_day)
    last = last_messages(connection, INTERVAL_DATA, first_day, end_day)
    points = _points(connection, sender, first_day, end_day)
    if duties is not None:
        points = [point for point in points if point.ean in duties]
    pass_ = _Pass(connection, package, at, by.name if isinstance(by, Person) else by, report)
    waiting: deque[Planned] = deque()

    def sheets() -> Iterator[Sheet]:
        for collected in _collected(pass_, points, first_day, end_day):
            duty = duties[collected.ean] if duties is not None else None
            before = last.get(collected.ean)
            planned = plan(
                package, collected, before, at, again=again, to_production=to_production,
                duty=duty.id if duty else None, deadline=duty.deadline if duty else None,
            )  # fmt: skip
            if planned is not None:
                waiting.append(planned)
                yield planned.sheet
            elif before is not None:
                report.unchanged.append(collected.ean)
                report.standing[collected.ean] = before.id

    ready: list[tuple[Planned, bytes]] = []
    for written in writer.write(sheets()):
        planned = waiting.popleft()
        if isinstance(written, OutboundError):
            report.incomplete.append(Incomplete(planned.month.ean, written.message))
            continue
        ready.append((planned, written))
        if len(ready) == STORED_AT_ONCE:
            pass_.store(ready)
            ready = []
    pass_.store(ready)
    return report


@dataclass(frozen=True, slots=True)
class _Pass:
    connection: Connection
    package: FormatPackage
    at: datetime
    person: str
    report: MonthReport

    def store(self, ready: Sequence[tuple[Planned, bytes]]) -> None:
        if ready:
            self.report.made += keep(self.connection, self.package, ready, self.at, self.person)


def _collected(pass_: _Pass, points: Sequence[_Point], first_day: date, end_day: date) -> Iterator[PointMonth]:
    """The points' data, read for many points at once; those that lack something are reported instead."""
    for first in range(0, len(points), POINTS_AT_ONCE):
        some = points[first : first + POINTS_AT_ONCE]
        channels = _channels(pass_.connection, pass_.package, some)
        wanted = [item.id for listed in channels.values() for item in listed]
        profiles = read_newest(pass_.connection, Commodity.ELECTRICITY, wanted, first_day, end_day)
        rows = {number: row for row, number in enumerate(profiles.channels)}
        for point in some:
            collected = _collect(point, channels.get(point.id, []), profiles, rows)
            if isinstance(collected, Incomplete):
                pass_.report.incomplete.append(collected)
            else:
                yield collected


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


def _count(connection: Connection, first_day: date, end_day: date) -> int:
    return len(connection.execute(POINTS, {"first": first_day, "end": end_day, "types": list(METERING_TYPES)}).all())


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


def _collect(
    point: _Point, channels: Sequence[_Channel], profiles: Profiles, rows: Mapping[int, int]
) -> PointMonth | Incomplete:
    """The point's month as the market room wants it, or why it cannot be told."""
    if point.sender is None:
        return Incomplete(point.ean, "The operator of this point has no EAN: fill it in at its party.")
    if not channels:
        return Incomplete(point.ean, "The point has no interval channel: assign one to it.")
    directions = [item.direction for item in channels]
    if doubled := sorted({direction for direction in directions if directions.count(direction) > 1}):
        return Incomplete(point.ean, f"The point has more than one channel {', '.join(doubled)}: only one can be told.")
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
    first_day, end_day = profiles.days[0].date, profiles.days[-1].next.date
    days = [day.date.isoformat() for day in profiles.days]
    return PointMonth(
        supply_point=point.id,
        ean=point.ean,
        sender=point.sender,
        first_day=first_day,
        end_day=end_day,
        series=[
            Series(
                item.direction,
                item.unit,
                item.exponent,
                first_day,
                end_day,
                told,
                profiles.quality[row] if profiles.quality[row].any() else None,
            )
            for item, row, told in zip(channels, chosen, values, strict=True)
        ],
        versions=[
            [item.id, day, version]
            for item, row in zip(channels, chosen, strict=True)
            for day, version in zip(days, profiles.versions[row].tolist(), strict=True)
        ],
        corrections=[f"loss {term.percent:f} % {term.first} {term.end}" for term in point.losses],
    )


def _with_losses(profiles: Profiles, row: int, losses: Sequence[LossTerm]) -> NDArray[np.int32]:
    return raised(profiles.values[row], [day.date for day in profiles.days], profiles.offset, losses)
