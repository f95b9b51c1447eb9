"""Settle a period: packages in force, facts of the points, what was measured, and the run that holds it all.

Points are taken in chunks from the database to the written bases, so that memory does not grow with their number; one
transaction holds them all.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from central.platform.collecting import cycles_kept
from central.platform.errors import BadInput, Refused
from central.platform.identity import Person
from central.readings.edits.service import waiting_edits
from central.readings.profiles import read_newest
from central.readings.vee.work import unvalidated
from central.settlement.beside import read_beside
from central.settlement.books import BookInForce
from central.settlement.classes import read_classes
from central.settlement.counting import read_counts
from central.settlement.evidence import StretchKey, Wanted, read_states
from central.settlement.exempt import read_without_exempt
from central.settlement.facts import RESERVED_OUTPUT, ChannelFacts, PointFacts, Span
from central.settlement.measured import DaySums, RegisterPeriod, sum_days
from central.settlement.model import CannotPriceError
from central.settlement.quantities import LOW_VOLTAGE, Measured, Waiting, registers_of
from central.settlement.registry import read_facts
from central.settlement.scope import Scope, points_in
from central.settlement.settle import settle_points
from central.settlement.statements import statement_type as type_of
from central.settlement.turns import hold_decisions
from central.settlement.write import RunMade, RunOrder, RunWriter
from central.tariffs.install import packages_in_force
from central.tariffs.package import Package
from shared.clock import Clock
from shared.metering_day import next_month
from shared.quantities import Commodity

CHUNK = 1_000
"""Points of a month from facts to written bases at a time: profiles of 1,000 are 75 MB; of longer periods fewer."""
MONTH_DAYS = 31
LONGEST_DAYS = 800
"""Days of a period at most."""
STATEMENTS = ("regular", "preliminary", "accrual", "annual", "final")
"""Statements that runs are made for; corrective bases stand in the place of others and are made from them."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days [first, end) that are settled."""

    first: date
    end: date

    @classmethod
    def of_month(cls, first: date) -> "Period":
        """The month that begins on `first`."""
        return cls(first, next_month(first.year, first.month))

    def __str__(self) -> str:
        return f"{self.first} to {self.end}"


def settle(
    connection: Connection,
    period: Period,
    statement: str,
    scope: Scope,
    clock: Clock,
    person: Person | str,
    statement_type: int | None = None,
) -> RunMade:
    """Settle the consumption points of a scope for a period, as far as no approved run of the statement holds them.

    Everything is read and written in the caller's transaction. What cannot be settled is listed in the run with its
    reason, and taken by the next run once it is mended. `statement_type` is that of the bases where it is not the usual
    one of the statement (`statements.statement_type`).

    Raises BadInput for an impossible period, NotFound for an
    unknown scope, Refused where there is nothing to settle or no package is in force.
    """
    _require(period, statement)
    hold_decisions(connection)
    now = clock.now()
    packages = packages_in_force(connection, period.first, period.end)
    if not packages:
        raise Refused(
            "no_package",
            f"No legislative package is in force from {period}; install one and settle again.",
        )
    books = [in_force(package) for package in packages]
    kind = type_of(statement, settled_annually=False) if statement_type is None else statement_type
    order = RunOrder(period.first, period.end, statement, kind, scope.document())
    points = points_in(connection, scope, period.first, period.end)
    writer: RunWriter | None = None
    size = max(1, CHUNK * MONTH_DAYS // max(MONTH_DAYS, (period.end - period.first).days))
    for low in range(0, len(points), size):
        with cycles_kept():
            chunk = points[low : low + size]
            facts = read_facts(connection, chunk, period.first, period.end, books, order.statement_type)
            if scope.contracts is not None:
                facts = [point for point in facts if point.problem or any(map(scope.takes, point.contracts))]
            if not facts:
                continue
            if writer is None:
                described_all = [described(package) for package in packages]
                writer = RunWriter(connection, order, described_all, person, now)
            measured = read_measured(connection, period, facts, packages)
            settled, omitted = settle_points(facts, measured, now)
            # the whole point is priced, for what is of the month; only what is under the scope's contracts is written
            writer.add([each for each in settled if scope.takes(each.tenure.last.item.contract)], omitted, measured)
    if writer is None:
        raise Refused(
            "nothing_to_settle",
            f"There is no supply point left to settle from {period}: approved runs hold all of them.",
        )
    return writer.finish()


def _require(period: Period, statement: str) -> None:
    if period.end <= period.first:
        raise BadInput("period", f"The period {period} has no day; its end is exclusive and must be later.")
    if (period.end - period.first).days > LONGEST_DAYS:
        raise BadInput("period", f"The period {period} is longer than {LONGEST_DAYS} days; settle shorter ones.")
    if statement not in STATEMENTS:
        raise BadInput(
            "statement",
            f"A run is made for {', '.join(STATEMENTS)}, not {statement}; corrections are made from what they correct.",
        )


def read_measured(
    connection: Connection, period: Period, facts: Sequence[PointFacts], packages: Sequence[Package]
) -> Measured:
    """Profiles and states of some points, in a few queries."""
    days: dict[Commodity, DaySums] = {}
    for commodity in Commodity:
        channels = _profiled(facts, commodity)
        if channels:
            days[commodity] = sum_days(read_newest(connection, commodity, channels, period.first, period.end))
    own = [channel.id for point in facts for channel in point.channels]

    def waiting_of(channels: Sequence[int]) -> dict[int, Waiting]:
        return _waiting(connection, channels, period)

    return Measured(
        days,
        _states(connection, facts, packages),
        waiting_of(own),
        read_counts(connection, facts, period.first, period.end, waiting_of).count,
        read_without_exempt(connection, facts, period.first, period.end),
        read_beside(connection, facts),
    )


def _profiled(facts: Iterable[PointFacts], commodity: Commodity) -> list[int]:
    """The interval channels of points that are billed by profiles (high voltage, gas), of others that an item is
    settled from, and of what low voltage gives under a reserved output; two points may be settled from one."""
    return sorted(
        {
            channel.id
            for point in facts
            if point.commodity is commodity
            for channel in _used(point)
            if channel.kind == "interval"
        }
    )


def _used(point: PointFacts) -> Iterable[ChannelFacts]:
    if any(span.version.level != LOW_VOLTAGE for span in point.spans):
        return point.channels
    if not any(RESERVED_OUTPUT in span.agreed for span in point.spans):
        return point.record.others.values()
    return [*point.record.others.values(), *(each for each in point.record.channels if each.direction == "A-")]


def _states(
    connection: Connection, facts: Sequence[PointFacts], packages: Sequence[Package]
) -> dict[StretchKey, list[RegisterPeriod]]:
    """The states of the registers that the low-voltage parts are billed by, at the borders of each part."""
    wanted: list[Wanted] = []
    channels: dict[int, list[int]] = defaultdict(list)
    for point in facts:
        for span in point.spans:
            for register in _registers(span):
                channel = point.channel_of(span, register, "state")
                if channel is not None and channel.kind == "state":
                    wanted.append(Wanted(channel, point.instant(span.first), point.instant(span.end)))
                    if channel.id not in channels[point.supply_point]:
                        channels[point.supply_point].append(channel.id)
    if not wanted:
        return {}
    first, last = min(each.since for each in wanted), max(each.until for each in wanted)
    return read_states(connection, wanted, read_classes(connection, channels, first, last, packages))


def _registers(span: Span) -> Sequence[str]:
    if span.version.level != LOW_VOLTAGE:
        return ()
    try:
        return registers_of(span)
    except CannotPriceError:  # told when the point is settled
        return ()


def _waiting(connection: Connection, channels: Sequence[int], period: Period) -> dict[int, Waiting]:
    """What must not be settled yet: an edit that waits for a second person, validation that is still to be done."""
    waiting = {
        channel: Waiting("edit", "v nichž ruční úprava čeká na schválení druhou osobou", day)
        for channel, day in waiting_edits(connection, channels, period.first, period.end).items()
    }
    for channel, day in unvalidated(connection, channels, period.first, period.end).items():
        waiting[channel] = Waiting("validation", "které čekají na ověření", day)
    return waiting


def in_force(package: Package) -> BookInForce:
    """A package as settlement takes it: price lists, and the days on which one of its values changes."""
    operators = frozenset(package.file.operators)
    return BookInForce(package, Commodity(package.commodity), operators, tuple(sorted(package.borders)))


def described(package: Package) -> dict[str, Any]:
    """What a run keeps of a package: enough to find it, to check it, and to date its invoices."""
    term = package.find_price("payment_term", package.valid[0])
    return {
        "name": package.name,
        "version": package.version,
        "checksum": package.checksum,
        "commodity": package.commodity,
        "title": package.file.title.cs,
        "example": package.example,
        "vat_percent": str(package.vat_percent),
        "payment_term_days": None if term is None else int(term.value),
    }
