"""Births' claims, and what a welcome's marks mean."""

from datetime import date, timedelta

from edge.blocks import ms
from edge.uplink.births import CLAIM, claimed
from edge.uplink.welcome import days_in_evidence
from tests.unit.edge.examples import MARCH, device


def test_the_running_epoch_is_claimed_ahead() -> None:
    assert claimed([], 7, 1) == [(7, 1, 1 + CLAIM)]
    assert claimed([(5, 2, 3), (7, 4, 4), (7, 8, 9)], 7, 10) == [(5, 2, 3), (7, 4, 10 + CLAIM)]


def test_days_below_the_mark_are_in_doubt() -> None:
    marks = [
        ("LU-1", "1-0:1.29.0", ms(MARCH + timedelta(days=2))),
        ("LU-1", "1-0:3.29.0", ms(MARCH + timedelta(days=2, minutes=15))),
        ("LU-1", "1-0:1.8.0", ms(MARCH + timedelta(days=9))),
        ("XX-1", "1-0:1.29.0", ms(MARCH + timedelta(days=9))),
    ]
    days = days_in_evidence([device("LU-1"), device("EA-1"), device("GA-1")], marks)
    assert [(d.register, d.day) for d in days] == [
        ("1-0:1.29.0", date(2026, 3, 1)),
        ("1-0:1.29.0", date(2026, 3, 2)),
        ("1-0:3.29.0", date(2026, 3, 1)),
        ("1-0:3.29.0", date(2026, 3, 2)),
        ("1-0:3.29.0", date(2026, 3, 3)),
    ]
