"""Settle a month: packages in force, facts of the points, what was measured, and the run that holds it all."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from central.platform.errors import Refused
from central.platform.identity import Person
from central.readings.profiles import Profiles
from central.readings.vee.work import unvalidated
from central.settlement.classes import read_classes
from central.settlement.evidence import interval_channels, read_profiles, read_states, state_channels
from central.settlement.facts import PointFacts, read_facts
from central.settlement.measured import sum_profiles
from central.settlement.prices import PriceBook
from central.settlement.runs import RunMade, write_run
from central.settlement.settle import BookFinder, Measured, settle_points
from central.tariffs.install import packages_in_force
from central.tariffs.package import Package
from shared.clock import Clock
from shared.metering_day import month_bounds, next_month
from shared.quantities import Commodity


def settle_month(
    connection: Connection, month: date, clock: Clock, person: Person | str, points: list[int] | None = None
) -> RunMade:
    """Settle every consumption point that no approved run holds for `month` (its first day); `points` limits them.

    Everything is read and written in the caller's transaction. What cannot be settled is listed in the run with its
    reason. Raises Refused where there is nothing to settle or no package is in force.
    """
    now = clock.now()
    packages = packages_in_force(connection, month, next_month(month.year, month.month))
    if not packages:
        raise Refused(
            "no_package",
            f"No legislative package is in force for the whole of {month:%Y-%m}; install one and settle again.",
        )
    facts = read_facts(connection, month, points)
    if not facts:
        raise Refused(
            "nothing_to_settle",
            f"There is no supply point left to settle for {month:%Y-%m}: approved runs hold all of them.",
        )
    measured = read_measured(connection, month, facts, packages)
    settled, omitted = settle_points(facts, measured, finder(packages), now)
    return write_run(
        connection,
        month,
        [described(package) for package in packages],
        {package.name: package.vat_percent for package in packages},
        settled,
        omitted,
        measured,
        person,
        now,
    )


def read_measured(
    connection: Connection, month: date, facts: list[PointFacts], packages: Sequence[Package]
) -> Measured:
    """Profiles and states of the month for all points, in one query a kind."""
    profiles: dict[Commodity, Profiles] = {}
    for commodity in Commodity:
        profiles[commodity] = read_profiles(connection, commodity, month, interval_channels(facts, commodity))
    start, stop = month_bounds(Commodity.ELECTRICITY, month.year, month.month)
    return Measured(
        sums={channel: total for profile in profiles.values() for channel, total in sum_profiles(profile).items()},
        profiles=profiles,
        states=read_states(connection, start, stop, state_channels(facts), read_classes(connection, facts, packages)),
        unvalidated=unvalidated(
            connection,
            [channel.id for point in facts for channel in point.channels],
            month,
            next_month(month.year, month.month),
        ),
    )


def finder(packages: list[Package]) -> BookFinder:
    """Finds the package of a commodity that knows a price list (operator)."""
    known: dict[tuple[str, str], PriceBook] = {
        (package.commodity, operator): package for package in packages for operator in package.file.operators
    }

    def book_of(commodity: Commodity, operator: str) -> PriceBook | None:
        return known.get((commodity.value, operator))

    return book_of


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
