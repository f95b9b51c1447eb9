"""Degree days (denostupně): how cold months were against normal, as the operator keeps them for predictions."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.advances.tables import degree_day
from central.platform import audit
from central.platform.errors import BadInput
from central.platform.identity import Person


@dataclass(frozen=True, slots=True)
class DegreeDays:
    """Normal and actual degree days of a month (its first day) in a temperature zone ("": points without one)."""

    zone: str
    month: date
    normal: Decimal
    actual: Decimal
    source: str


def put_degree_days(connection: Connection, given: Sequence[DegreeDays], person: Person, now: datetime) -> None:
    """Store months; one that is there takes the new values. BadInput for one given twice or not by its first day."""
    seen: set[tuple[str, date]] = set()
    for each in given:
        if each.month.day != 1:
            raise BadInput("month", f"The month {each.month} is not named by its first day.")
        if (each.zone, each.month) in seen:
            raise BadInput("month_twice", f"The month {each.month} of zone {each.zone!r} is given twice; give it once.")
        seen.add((each.zone, each.month))
    new = insert(degree_day)
    taken = {name: new.excluded[name] for name in ("normal", "actual", "source")}
    connection.execute(
        new.on_conflict_do_update(index_elements=["zone", "month"], set_=taken), [asdict(each) for each in given]
    )
    details = {"months": len(given), "zones": sorted({each.zone for each in given})[:20]}
    audit.record(connection, person, "degree_days.put", "degree_days", details, now)


def find_degree_days(connection: Connection, zone: str) -> Sequence[RowMapping]:
    """All months of a zone, the newest first."""
    query = select(degree_day).where(degree_day.c.zone == zone).order_by(degree_day.c.month.desc())
    return connection.execute(query).mappings().all()
