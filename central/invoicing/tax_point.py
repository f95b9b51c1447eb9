"""How the consumption of a statement is known: read, computed, or none at all; and the days among which its tax point
is chosen. Pure.

Law 235/2004, section 21: the tax point is the day of the reading, or of knowing the consumption. What holds is data
(kinds.json). Inferred is what counts as read: a state or profile that nobody made up; one estimated or substitute
value in it, and the whole was known only when it was settled.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.kinds import CANCELLING, TAKES_BACK, Consumption
from shared.metering_day import PRAGUE
from shared.quantities import Flag

MADE_UP = frozenset({"split", "estimate"})
"""Kinds of register states that nobody read."""
GAS_DAY = timedelta(hours=6)
INSTANT = timedelta(microseconds=1)


def consumption_of(points: Iterable[tuple[PointInput, Sequence[BasisRow]]]) -> list[Consumption]:
    """What each point's lines stand on; lines that take others back count where there is nothing else."""
    of_points = list(points)
    billing = [
        (given, billed)
        for given, rows in of_points
        if (billed := [row for row in rows if row.statement_type not in TAKES_BACK | CANCELLING])
    ]
    return [_consumption(given, rows) for given, rows in billing or of_points]


def _consumption(given: PointInput, bases: Sequence[BasisRow]) -> Consumption:
    gas = given.facts["supply_point"]["commodity"] == "gas"
    last = _day_ended(given.end, gas=gas)
    ends = [period["to"] for reading in given.readings for period in reading["periods"] if period.get("to") is not None]
    if ends and any(row.measured for row in bases):
        at = max(datetime.fromisoformat(state["at"]) for state in ends)
        latest = [state for state in ends if datetime.fromisoformat(state["at"]) == at]
        computed = any(map(_made_up, latest))
        reading = min(_day_ended(at, gas=gas), last)
    else:
        computed, reading = False, last
    made = [row.made_at for row in bases if row.made_at is not None]
    computed = computed or any(row.computed for row in bases)
    return Consumption(
        how="computed" if computed else "read" if any(row.measured for row in bases) else "none",
        reading=reading,
        knowing=max(made).astimezone(PRAGUE).date() if made else last,
        last_metering=last,
    )


def _made_up(state: Mapping[str, Any]) -> bool:
    return state.get("kind") in MADE_UP or bool(state.get("quality", 0) & Flag.SUBSTITUTED)


def _day_ended(at: datetime, *, gas: bool) -> date:
    """The metering day that an instant lies in; one on a border ends the day before."""
    return (at.astimezone(PRAGUE).replace(tzinfo=None) - (GAS_DAY if gas else timedelta(0)) - INSTANT).date()
