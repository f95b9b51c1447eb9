"""Check 1006: valid, without limit, ending soon, in part, expired, unknown; borders, exchange of a meter."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from central.checks.blocks import Finding
from central.checks.frame import Frame
from central.checks.framework import GAS
from central.checks.standard.verification import ALWAYS, Verification, Verified
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Verification()
FIRST, END = date(2026, 3, 1), date(2026, 4, 1)
MEASURED = (1, 5, FIRST, END)
"""Basis, channel, first and end of what was measured."""
ALWAYS_USED = (5, 0, date(2020, 1, 1), date(2099, 1, 1))


def verified(since: date, until: date, meter: int = 0, number: int = 9) -> tuple[int, int, date, date]:
    """A verification of a meter, `until` its last day."""
    return meter, number, since, until + timedelta(days=1)


def judge(
    *verifications: tuple[int, int, date, date | int],
    measured: tuple[tuple[int, int, date, date], ...] = (MEASURED,),
    uses: tuple[tuple[int, int, date, date], ...] = (ALWAYS_USED,),
    days: str = "60",
    **basis: Any,
) -> list[Finding]:
    def columns(names: tuple[str, ...], rows: tuple[tuple[Any, ...], ...]) -> Frame:
        return frame([dict(zip(names, row, strict=True)) for row in rows], names)

    fed = columns(("channel", "meter", "first", "end_"), uses)
    read = Verified(
        columns(("basis", "channel", "first", "end_"), measured),
        Frame(fed.columns, {"meter": ("EM-1", "EM-2")}),
        columns(("meter", "verification", "first", "end_"), verifications),
    )
    return told(CHECK, CHECK.verdict(bases(basis), read, {"days_ahead": Decimal(days)}))


SINCE = date(2020, 5, 4)


@pytest.mark.parametrize("commodity", [0, GAS])
@pytest.mark.parametrize(
    ("verifications", "days", "expected", "said"),
    [
        ([(SINCE, date(2032, 12, 31))], "60", Result.OK, "holds until 2032-12-31"),
        ([(SINCE, date(2026, 5, 30))], "60", Result.OK, "holds until 2026-05-30"),
        ([(SINCE, date(2026, 5, 29))], "60", Result.WARNING, "holds only until 2026-05-29"),
        ([(SINCE, date(2026, 3, 31))], "1", Result.WARNING, "holds only until 2026-03-31"),
        ([(SINCE, date(2026, 3, 31))], "0", Result.OK, "holds until 2026-03-31"),
        ([(SINCE, date(2032, 12, 31))], "1e40", Result.WARNING, "holds only until 2032-12-31"),
        ([(SINCE, date(2026, 3, 30))], "60", Result.WARNING, "on only 30 of 31 days"),
        ([(SINCE, FIRST)], "60", Result.WARNING, "on only 1 of 31 days"),
        ([(SINCE, date(2026, 2, 28))], "60", Result.ERROR, "ended on 2026-02-28"),
        ([(SINCE, date(2025, 12, 31))], "60", Result.ERROR, "ended on 2025-12-31"),
        ([(SINCE, date(2025, 12, 31)), (date(2026, 3, 11), date(2038, 12, 31))], "60", Result.WARNING, "only 21 of 31"),
        ([(SINCE, date(2025, 12, 31)), (date(2025, 12, 1), date(2038, 12, 31))], "60", Result.OK, "until 2038-12-31"),
        ([(SINCE, date(2026, 3, 9)), (date(2026, 3, 10), date(2038, 12, 31))], "60", Result.OK, "until 2038-12-31"),
        ([(END, date(2038, 12, 31))], "60", Result.INFO, "No verification of meter EM-1"),
        ([], "60", Result.INFO, "No verification of meter EM-1"),
    ],
)
def test_every_row(
    commodity: int, verifications: list[tuple[date, date]], days: str, expected: Result, said: str
) -> None:
    (finding,) = judge(*(verified(*each) for each in verifications), days=days, commodity=commodity)
    assert finding.result is expected
    assert said in finding.text.en
    assert "EM-1" in finding.text.cs
    assert ("channel", "channel", 5) in finding.links
    assert (("verification", "meter_verification", 9) in finding.links) is (expected is not Result.INFO)


def test_a_verification_without_limit() -> None:
    (finding,) = judge((0, 9, SINCE, ALWAYS))
    assert (finding.result, finding.text.en) == (Result.OK, "The verification of meter EM-1 holds without limit.")
    (since_then,) = judge((0, 9, date(2026, 3, 11), ALWAYS))
    assert since_then.result is Result.WARNING


def test_at_an_exchange_each_meter_is_judged_by_its_own_days() -> None:
    day = date(2026, 3, 11)
    found = judge(
        verified(SINCE, date(2025, 12, 31)), verified(date(2026, 1, 5), date(2038, 12, 31), meter=1, number=10),
        uses=((5, 0, SINCE, day), (5, 1, day, date(2099, 1, 1))),
    )  # fmt: skip
    assert [each.result for each in found] == [Result.ERROR, Result.OK]
    assert "from 2026-03-01 to 2026-03-11" in found[0].text.en
    assert "EM-2" in found[1].text.en


def test_two_registers_of_a_meter_are_one_finding_over_the_days_of_both() -> None:
    found = judge(
        verified(SINCE, date(2026, 3, 20)),
        measured=((1, 5, FIRST, date(2026, 3, 16)), (1, 6, date(2026, 3, 16), END)),
        uses=(ALWAYS_USED, (6, *ALWAYS_USED[1:])),
    )
    assert [(each.result, "20 of 31 days" in each.text.en) for each in found] == [(Result.WARNING, True)]


def test_only_the_days_that_are_invoiced_count() -> None:
    early = ((1, 5, date(2026, 2, 1), date(2026, 5, 1)),)
    (finding,) = judge(verified(SINCE, date(2026, 3, 31)), measured=early, days="0")
    assert finding.result is Result.OK


def test_nothing_measured_or_no_meter_known_shows_nothing() -> None:
    assert judge(measured=()) == []
    assert judge(uses=()) == []
    assert judge(measured=((1, 5, FIRST, FIRST),)) == []
