"""Load-profile classes (třídy TDD) of distribution rates: installed from legislative packages."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date

from sqlalchemy import Connection, delete, insert
from sqlalchemy.dialects.postgresql import Range

from central.readings.estimation.pending import try_all_again
from central.readings.load_profile_tables import load_profile_rate
from shared.quantities import Commodity


@dataclass(frozen=True, slots=True)
class RateClass:
    """A distribution rate belongs to a load-profile class in the gas or metering days of `valid` (end exclusive)."""

    rate: str
    name: str
    valid: tuple[date, date]
    source: str
    mark: str


def install_rate_classes(
    connection: Connection, package: str, commodity: Commodity, classes: Sequence[RateClass]
) -> None:
    """Let these take the place of those that an earlier version of the package installed; waiting days are tried again.

    Refused by the database (409) where another package says something of the same rate and time.
    """
    connection.execute(delete(load_profile_rate).where(load_profile_rate.c.package == package))
    rows = [
        {
            **{name: value for name, value in asdict(each).items() if name != "name"},
            "package": package,
            "commodity": commodity.value,
            "class": each.name,
            "valid": Range(*each.valid),
        }
        for each in classes
    ]
    if rows:
        connection.execute(insert(load_profile_rate), rows)
        try_all_again(connection)
