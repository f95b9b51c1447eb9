"""The states that a settlement stands on as message 122: which of them, and why they were read."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.market.payloads.meter_states import MeterState, problems
from central.workflow.telling.state_records import Borders, message, states_of
from tests.unit.central.workflow.test_telling_meters import BEGIN, END, FACTS, MARCH, MIDDLE, period, reading

OPM = "859182400900000013"


def shown(states: list[MeterState]) -> list[tuple[str, str, int, str, str]]:
    return [(each.meter, each.register, each.day.day, str(each.state), each.reason) for each in states]


@pytest.mark.parametrize(
    ("borders", "expected"),
    [
        (Borders(), [(31, "1260.75", "periodic")]),
        (Borders(begins=True), [(1, "1200.5", "start"), (31, "1260.75", "periodic")]),
        (Borders(changed=True), [(31, "1260.75", "change_of_supplier")]),
        (Borders(ends=True), [(31, "1260.75", "end")]),
        (Borders(begins=True, changed=True, ends=True), [(1, "1200.5", "start"), (31, "1260.75", "end")]),
    ],
)
def test_what_happens_at_the_borders_says_why_a_state_was_read(
    borders: Borders, expected: list[tuple[int, str, str]]
) -> None:
    readings = [reading("VT", period(BEGIN, END, 1_200_500, 1_260_750)), reading("A-", period(BEGIN, END, 1, 2))]
    states = states_of(readings, FACTS, MARCH, borders)
    assert shown(states) == [("4410021", "high", *each) for each in expected]
    assert {(each.multiplier, each.unit) for each in states} == {(Decimal(20), "KWH")}


def test_an_exchange_tells_the_last_state_of_the_old_meter_and_the_first_of_the_new() -> None:
    readings = [reading("JT", period(BEGIN, MIDDLE, 100_000, 110_000), period(MIDDLE, END, 3_000, 5_000, channel=8))]
    assert shown(states_of(readings, FACTS, MARCH, Borders(changed=True))) == [
        ("4410021", "single", 10, "110", "exchange"),
        ("5520033", "single", 10, "3", "exchange"),
        ("5520033", "single", 31, "5", "change_of_supplier"),
    ]


def test_a_constant_that_changes_is_no_exchange() -> None:
    readings = [reading("JT", period(BEGIN, MIDDLE, 100_000, 110_000), period(MIDDLE, END, 110_000, 120_000))]
    assert [each[2:] for each in shown(states_of(readings, FACTS, MARCH, Borders()))] == [
        (10, "110", "periodic"),
        (31, "120", "periodic"),
    ]


@given(
    values=st.lists(st.integers(0, 10**9), min_size=2, max_size=2),
    directions=st.sets(st.sampled_from(["VT", "NT", "JT", "A-", "R+"])),
    borders=st.builds(Borders, st.booleans(), st.booleans(), st.booleans()),
)
def test_every_message_that_is_made_is_right(values: list[int], directions: set[str], borders: Borders) -> None:
    first, last = sorted(values)
    readings: list[dict[str, Any]] = [reading(each, period(BEGIN, END, first, last)) for each in sorted(directions)]
    states = states_of(readings, FACTS, MARCH, borders)
    told = {"VT", "NT", "JT"} & directions
    assert len(states) == len(told) * (2 if borders.begins else 1)
    assert not states or problems(message(OPM, states)) == []
    assert {each.state for each in states if each.reason == "start"} <= {Decimal(first).scaleb(-3)}
    assert all(date(2026, 3, 1) <= each.day <= date(2026, 3, 31) for each in states)
