"""Check 1007: accepted, with reservation, waiting, not sent, rejected, told in part, not told; the worst counts."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from central.checks import told as statuses
from central.checks.blocks import Finding
from central.checks.framework import GAS
from central.checks.standard.accepted_by_ote import Accepted, AcceptedByOte
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = AcceptedByOte()
MARCH = (date(2026, 3, 1), date(2026, 4, 1))
NAMES = ("supply_point", "duty", "message", "status", "first", "end_")
A, H, V = statuses.ACCEPTED, statuses.BY_HAND, statuses.RESERVED
W, U, R = statuses.WAITING, statuses.UNSENT, statuses.REJECTED


def judge(
    *duties: tuple[int, date, date], measured: bool = True, point: int = 1, basis: dict[str, Any] | None = None
) -> list[Finding]:
    """What is said of a basis of March; duties from 20 on, with messages from 50 on but where none was made."""
    rows = [
        {"supply_point": point, "duty": 20 + place, "message": None if status in (H, U) else 50 + place,
         "status": status, "first": first, "end_": end}
        for place, (status, first, end) in enumerate(duties)
    ]  # fmt: skip
    read = Accepted(frame([{"basis": 1}] if measured else [], ("basis",)), frame(rows, NAMES))
    return told(CHECK, CHECK.verdict(bases(basis or {}), read, {}))


@pytest.mark.parametrize("commodity", [0, GAS])
@pytest.mark.parametrize(
    ("status", "expected", "said"),
    [
        (A, Result.OK, "from 2026-03-01 to 2026-04-01 were accepted by OTE (messages: 1)"),
        (H, Result.INFO, "handed over to OTE outside messages (1 of 1"),
        (V, Result.INFO, "accepted 1 of 1 messages of measured data with reservation"),
        (W, Result.WARNING, "1 of 1 messages of measured data wait"),
        (U, Result.WARNING, "not sent to OTE: 1 of 1"),
        (R, Result.ERROR, "rejected 1 of 1"),
    ],
)
def test_a_month_that_is_told_whole(commodity: int, status: int, expected: Result, said: str) -> None:
    (finding,) = judge((status, *MARCH), basis={"commodity": commodity})
    assert (finding.result, said in finding.text.en) == (expected, True)
    assert (("message", "market_message", 50) in finding.links) is (status not in (H, U))
    assert ("duty", "market_duty", 20) in finding.links


def test_of_days_told_one_by_one_the_worst_counts_and_names_the_first() -> None:
    days = [(date(2026, 3, 1) + timedelta(days=day), date(2026, 3, 2) + timedelta(days=day)) for day in range(31)]
    assert [each.result for each in judge(*((A, *day) for day in days))] == [Result.OK]
    some = [(R if place in (9, 20) else W if place == 3 else A, *day) for place, day in enumerate(days)]
    (finding,) = judge(*some)
    assert finding.result is Result.ERROR
    assert "rejected 2 of 31" in finding.text.en
    assert "from 2026-03-10" in finding.text.en
    assert ("message", "market_message", 59) in finding.links


@pytest.mark.parametrize(
    ("status", "expected", "said"),
    [
        (A, Result.INFO, "only 17 of the 31 days"),
        (V, Result.INFO, "only 17 of the 31 days"),
        (W, Result.WARNING, "wait"),
        (R, Result.ERROR, "rejected"),
    ],
)
def test_a_part_of_the_interval(status: int, expected: Result, said: str) -> None:
    (finding,) = judge((status, date(2026, 3, 15), date(2026, 4, 1)))
    assert (finding.result, said in finding.text.en) == (expected, True)


@pytest.mark.parametrize(
    "duties",
    [[], [(R, date(2026, 2, 1), date(2026, 3, 1))], [(R, date(2026, 4, 1), date(2026, 5, 1))]],
)
def test_nothing_told_is_an_information(duties: list[tuple[int, date, date]]) -> None:
    (finding,) = judge(*duties)
    assert (finding.result, finding.links) == (Result.INFO, ())
    assert "are not told to OTE" in finding.text.en


def test_duties_of_another_point_do_not_count() -> None:
    assert [each.result for each in judge((R, *MARCH), point=2)] == [Result.INFO]


def test_a_basis_without_measurements_shows_nothing() -> None:
    assert judge((R, *MARCH), measured=False) == []
