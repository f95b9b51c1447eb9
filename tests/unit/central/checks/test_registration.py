"""Check 1008: connected days, acts told and what became of them, points without acts, what the operator says else."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from central.checks import told as statuses
from central.checks.blocks import Finding
from central.checks.framework import GAS
from central.checks.standard.registration import BEGINNING, CHANGE, OTHER_DATA, Registered, Registration
from central.checks.standard.registration import END as ENDED
from central.checks.standard.registration import REGISTRATION as REG
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Registration()
FIRST, END = date(2026, 3, 1), date(2026, 4, 1)
FOREVER = 2_147_483_648
EVER = (BEGINNING, FOREVER)
BEGUN = date(2026, 1, 12)
A, H, V = statuses.ACCEPTED, statuses.BY_HAND, statuses.RESERVED
W, U, R = statuses.WAITING, statuses.UNSENT, statuses.REJECTED


def judge(
    *acts: tuple[int, int, date],
    live: tuple[tuple[date | int, date | int], ...] = (EVER,),
    since: date | None = None,
    different: tuple[tuple[int, date], ...] = (),
    entry: bool = False,
    point: int = 1,
    **basis: Any,
) -> list[Finding]:
    """What is said of a basis of March at a point with acts (which, status, day); duties from 20, messages from 50."""
    names = ("supply_point", "duty", "message", "day", "status", "act")
    rows = [
        dict(zip(names, (point, 20 + place, 50 + place, day, status, act), strict=True))
        for place, (act, status, day) in enumerate(acts)
    ]
    lived = [{"supply_point": 1, "is_entry": int(entry), "first": first, "end_": end} for first, end in live]
    began = [] if since is None else [{"commodity": basis.get("commodity", 0), "day": since}]
    said = [{"supply_point": point, "proposal": 70, "since": day, "fact": fact} for fact, day in different]
    read = Registered(
        frame(lived, ("supply_point", "is_entry", "first", "end_")),
        frame(rows, names),
        frame(began, ("commodity", "day")),
        frame(said, ("supply_point", "proposal", "since", "fact")),
    )
    return told(CHECK, CHECK.verdict(bases(basis), read, {}))


def results(found: list[Finding]) -> list[Result]:
    return [each.result for each in found]


@pytest.mark.parametrize("commodity", [0, GAS])
@pytest.mark.parametrize(
    ("act", "status", "expected", "said"),
    [
        (REG, A, Result.OK, "registration of 2026-01-12, accepted"),
        (REG, H, Result.INFO, "Handed over to OTE outside messages"),
        (REG, V, Result.INFO, "with reservation"),
        (REG, W, Result.WARNING, "Waits to be accepted by OTE"),
        (REG, U, Result.ERROR, "Not sent to OTE"),
        (REG, R, Result.ERROR, "OTE rejected"),
        (CHANGE, A, Result.OK, "change of 2026-01-12, accepted"),
        (CHANGE, V, Result.INFO, "with reservation"),
        (CHANGE, W, Result.WARNING, "Waits to be accepted by OTE"),
        (CHANGE, U, Result.WARNING, "Not sent to OTE"),
        (CHANGE, R, Result.ERROR, "OTE rejected"),
        (ENDED, W, Result.WARNING, "end of 2026-01-12"),
    ],
)
def test_what_became_of_the_last_act(commodity: int, act: int, status: int, expected: Result, said: str) -> None:
    (finding,) = judge((act, status, BEGUN), commodity=commodity)
    assert (finding.result, said in finding.text.en) == (expected, True)
    assert {("message", "market_message", 50), ("duty", "market_duty", 20)} == set(finding.links)


@pytest.mark.parametrize(
    ("acts", "expected"),
    [
        ([(REG, R, date(2026, 1, 1)), (CHANGE, A, date(2026, 2, 1))], Result.OK),
        ([(REG, R, date(2026, 1, 1)), (CHANGE, A, FIRST)], Result.OK),
        ([(REG, R, date(2026, 1, 1)), (CHANGE, A, date(2026, 3, 2))], Result.ERROR),
        ([(REG, U, date(2026, 1, 1)), (CHANGE, U, date(2026, 2, 1))], Result.ERROR),
        ([(REG, W, date(2026, 1, 1)), (CHANGE, W, date(2026, 2, 1))], Result.WARNING),
        ([(REG, A, date(2026, 1, 1)), (CHANGE, W, date(2026, 2, 1))], Result.WARNING),
        ([(REG, A, date(2026, 1, 1)), (CHANGE, R, date(2026, 3, 31))], Result.ERROR),
        ([(REG, A, date(2026, 1, 1)), (CHANGE, R, END)], Result.OK),
        ([(REG, A, date(2026, 1, 1)), (CHANGE, V, date(2026, 3, 15))], Result.INFO),
    ],
)
def test_of_the_acts_that_concern_the_interval_the_worst_counts(
    acts: list[tuple[int, int, date]], expected: Result
) -> None:
    assert results(judge(*acts)) == [expected]


@pytest.mark.parametrize(
    ("first", "since", "expected", "said"),
    [
        (BEGINNING, None, Result.OK, "from the beginning"),
        (BEGINNING, BEGUN, Result.OK, "from the beginning"),
        (BEGUN, None, Result.INFO, "no record of the registration of the point connected since 2026-01-12"),
        (BEGUN, date(2026, 1, 13), Result.INFO, "no record"),
        (BEGUN, BEGUN, Result.ERROR, "its registration was not told to OTE"),
        (BEGUN, date(2025, 1, 1), Result.ERROR, "connected since 2026-01-12"),
    ],
)
def test_a_point_without_acts(first: date | int, since: date | None, expected: Result, said: str) -> None:
    (finding,) = judge(live=((first, FOREVER),), since=since)
    assert (finding.result, said in finding.text.en) == (expected, True)


def test_telling_of_the_other_commodity_says_nothing() -> None:
    read = Registered(
        frame([{"supply_point": 1, "is_entry": 0, "first": BEGUN, "end_": FOREVER}],
              ("supply_point", "is_entry", "first", "end_")),
        frame([], ("supply_point", "duty", "message", "day", "status", "act")),
        frame([{"commodity": 0, "day": date(2025, 1, 1)}], ("commodity", "day")),
        frame([], ("supply_point", "proposal", "since", "fact")),
    )  # fmt: skip
    assert results(told(CHECK, CHECK.verdict(bases({"commodity": GAS}), read, {}))) == [Result.INFO]


@pytest.mark.parametrize(
    ("live", "days"),
    [
        ([(BEGINNING, date(2026, 3, 31))], 30),
        ([(date(2026, 3, 2), FOREVER)], 30),
        ([(BEGINNING, date(2026, 3, 10)), (date(2026, 3, 20), FOREVER)], 21),
        ([(BEGINNING, FIRST)], 0),
        ([(BEGINNING, date(2026, 3, 10)), (date(2026, 3, 10), FOREVER)], None),
        ([(FIRST, END)], None),
    ],
)
def test_days_on_which_the_point_is_not_connected(live: list[tuple[date | int, date | int]], days: int | None) -> None:
    found = judge((REG, A, date(2025, 1, 1)), live=tuple(live))
    assert found[-1].result is Result.OK
    errors = [each.text.en for each in found if each.result is Result.ERROR]
    assert [f"on only {days} of the 31 days" in each for each in errors] == ([] if days is None else [True])


def test_a_point_that_never_was_connected() -> None:
    assert results(judge(live=())) == [Result.ERROR]


@pytest.mark.parametrize(
    ("fact", "since", "expected"),
    [
        (0, date(2026, 3, 31), Result.ERROR),
        (1, date(2026, 1, 1), Result.ERROR),
        (2, date(2026, 3, 1), Result.ERROR),
        (3, date(2026, 3, 1), Result.ERROR),
        (OTHER_DATA, date(2026, 3, 1), Result.WARNING),
        (0, END, None),
    ],
)
def test_what_the_market_operator_says_otherwise(fact: int, since: date, expected: Result | None) -> None:
    found = judge((REG, A, BEGUN), different=((fact, since),))
    assert results(found) == [Result.OK, *([] if expected is None else [expected])]
    if expected is not None:
        assert ("proposal", "market_proposal", 70) in found[1].links


def test_services_that_need_no_registration_entries_and_other_points_are_not_judged() -> None:
    assert judge((REG, R, BEGUN), service=2) == []
    assert judge((REG, R, BEGUN), service=3) == []
    assert judge((REG, R, BEGUN), entry=True) == []
    assert results(judge((REG, R, BEGUN), different=((0, BEGUN),), point=2)) == [Result.OK]
    assert results(judge((REG, R, BEGUN), service=1)) == [Result.ERROR]
