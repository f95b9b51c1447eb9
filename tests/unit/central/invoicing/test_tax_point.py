"""The tax point of a statement: the day of the reading, or of knowing what was not read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from central.invoicing.compose import About, Terms, compose
from central.invoicing.compose_rows import BasisRow, PointInput
from central.invoicing.kinds import FILE, kinds
from central.invoicing.tax_point import consumption_of
from shared.metering_day import month_bounds
from shared.quantities import Commodity, Flag
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, bases, high_voltage, low_voltage

ISSUED = Terms(date(2026, 4, 8), 14)
SETTLED = datetime(2026, 4, 1, 22, 30, tzinfo=UTC)
"""2 April in Prague."""
LAST, KNOWN = date(2026, 3, 31), date(2026, 4, 2)
END = datetime(2026, 3, 31, 22, tzinfo=UTC)
NEGATIVE, CANCELS = 5, 7


def rows(point: int = 1, **said: Any) -> list[BasisRow]:
    return [replace(row, **{"made_at": SETTLED, "measured": True, **said}) for row in bases(point)]


def by_state(at: datetime, **said: Any) -> PointInput:
    given = low_voltage()
    (period,) = given.readings[0]["periods"]
    ends = {"from": period["from"], "to": {**period["to"], "at": at.isoformat(), "kind": "remote", **said}}
    return replace(given, readings=[{**given.readings[0], "periods": [{**period, **ends}]}])


def tax_point(*points: tuple[PointInput, list[BasisRow]], kind: str = "regular") -> date | None:
    return compose("1", SUPPLIER, FIRM, points, ISSUED, About(kind=kind)).tax_date


@pytest.mark.parametrize(
    ("given", "said", "expected"),
    [
        (high_voltage(), {}, LAST),  # a profile is read to its last day
        (high_voltage(), {"computed": True}, KNOWN),
        (by_state(END), {}, LAST),  # a state at midnight is of the day that it ends
        (by_state(datetime(2026, 3, 28, 13, tzinfo=UTC)), {}, date(2026, 3, 28)),
        (by_state(END + timedelta(seconds=7)), {}, LAST),
        (by_state(END, kind="estimate"), {}, KNOWN),
        (by_state(END, kind="customer"), {}, LAST),
        (by_state(END, kind="split", quality=int(Flag.SUBSTITUTED)), {}, KNOWN),
        (by_state(END, quality=int(Flag.SUBSTITUTED | Flag.LATE)), {}, KNOWN),
        (by_state(END, quality=int(Flag.LATE)), {}, LAST),
        (by_state(END, kind="estimate"), {"measured": False}, LAST),  # what is not billed by the state
        (high_voltage(), {"measured": False}, LAST),  # made by hand: nothing was taken
    ],
)
def test_the_day_of_the_reading_or_of_knowing(given: PointInput, said: dict[str, Any], expected: date) -> None:
    assert tax_point((given, rows(given.supply_point, **said))) == expected


def test_the_latest_of_several_points_holds_and_a_correction_has_its_issue() -> None:
    points = (high_voltage(), rows()), (high_voltage(3), rows(3, computed=True))
    assert [tax_point(*points, kind=kind) for kind in ("collective", "annual", "corrective")] == [
        KNOWN, KNOWN, ISSUED.issue_date,
    ]  # fmt: skip


def test_what_is_taken_back_says_nothing_beside_what_is_billed() -> None:
    back = rows(computed=True, statement_type=NEGATIVE)
    assert tax_point((high_voltage(), [*back, *rows()]), kind="annual") == LAST
    assert tax_point((high_voltage(), back), (high_voltage(3), rows(3)), kind="annual") == LAST
    assert tax_point((high_voltage(), back), kind="annual") == KNOWN
    (alone,) = consumption_of([(high_voltage(), rows(statement_type=CANCELS))])
    assert (alone.how, alone.reading, alone.knowing, alone.last_metering) == ("read", LAST, KNOWN, LAST)


def test_a_gas_day_ends_at_six() -> None:
    start, end = month_bounds(Commodity.GAS, 2026, 3)
    given = high_voltage()
    facts = {**given.facts, "supply_point": {**given.facts["supply_point"], "commodity": "gas"}}
    (month,) = consumption_of([(replace(given, facts=facts, start=start, end=end), rows())])
    assert (month.reading, month.last_metering) == (LAST, LAST)


def test_which_day_holds_is_data_with_its_mark() -> None:
    assert {kind for kind, rules in kinds().items() if rules.tax_point == "consumption"} == {
        "regular", "annual", "collective",
    }  # fmt: skip
    assert all((rules.tax_point_mark is None) == (rules.tax_point == "consumption") for rules in kinds().values())
    assert '"read": {"day": "reading", "mark": "documented"}' in FILE.read_text()
