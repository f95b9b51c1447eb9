"""Check 1005: what entered a node against what was billed and measured below it; borders, months, units, gas."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from central.checks.blocks import Finding
from central.checks.frame import MISSING, Frame
from central.checks.framework import GAS
from central.checks.standard.node_balance import Balanced, NodeBalance, months_of
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = NodeBalance()
EPOCH = date(1970, 1, 1)
FIRST, END = date(2026, 3, 1), date(2026, 4, 1)
FOREVER = 2_147_483_648
NODE, POINT, OWN = 100, 5, 6
"""Channels of the node, of the point below it, and of what else is below it."""
ELECTRICITY, VOLUME, REACTIVE = range(3)

Link = tuple[int, int | None, int, int, date, date]
"""Channel, supply point, sign, unit, first and end."""
MINE: Link = (POINT, 1, 1, ELECTRICITY, FIRST, END)
MWH = 1_000_000
"""Wh."""


def measured(channel: int, whole: int, first: date = FIRST, end: date = END, lacking: int = 0) -> list[dict[str, Any]]:
    """The days of a channel, with all of the energy on the first one; the last `lacking` days are not complete."""
    many = (end - first).days
    return [
        {"channel": channel, "day": first + timedelta(days=day), "complete": int(day < many - lacking),
         "total": 0 if day else whole}
        for day in range(many)
    ]  # fmt: skip


def line(energy: int, rate: int = 7, first: date = FIRST, end: date = END, **facts: Any) -> dict[str, Any]:
    """A billed line of the point, in Wh."""
    return {"supply_point": 1, "service": 1, "rate": rate, "first": first, "end_": end, "energy": energy, **facts}


def judge(
    days: Sequence[dict[str, Any]],
    billed: Sequence[dict[str, Any]] = (),
    links: Sequence[Link] = (MINE,),
    *,
    tolerance: Decimal | None = None,
    unit: int = ELECTRICITY,
    percent: str = "3",
    least: str = "10",
    since: date = date(2025, 1, 1),
    is_measured: bool = True,
    given: Sequence[dict[str, Any]] = ({},),
) -> list[Finding]:
    """What is said of bases of March at a point below node 7 (Trafo 1)."""
    mine = bases(*given)
    rows = [
        {"top": 7, "channel": channel, "sign": sign, "supply_point": point,
         "taken": int(sign == 1 and point is not None), "unit": counted, "first": first, "end_": end}
        for channel, point, sign, counted, first, end in links
    ]  # fmt: skip
    node = {"node": 7, "channel": NODE, "tolerance": tolerance, "unit": unit, "first": since, "end_": FOREVER}
    nodes = frame([node], tuple(node))
    read = Balanced(
        frame([{"basis": number} for number in mine["id"]] if is_measured else [], ("basis",)),
        Frame(nodes.columns, {"node": ("Trafo 1",)}),
        frame(rows, ("top", "channel", "sign", "supply_point", "taken", "unit", "first", "end_")),
        frame(list(days), ("channel", "day", "complete", "total")),
        frame(list(billed), ("supply_point", "service", "rate", "first", "end_", "energy")),
        months_of(int(mine["first"].min()), int(mine["end_"].max())),
    )
    return told(CHECK, CHECK.verdict(mine, read, {"percent": Decimal(percent), "least": Decimal(least)}))


def results(found: list[Finding]) -> list[Result]:
    return [each.result for each in found]


@pytest.mark.parametrize(
    ("billed", "tolerance", "least", "expected"),
    [
        (97 * MWH, None, "10", Result.OK),
        (97 * MWH - 1, None, "10", Result.WARNING),
        (103 * MWH, None, "10", Result.OK),
        (103 * MWH + 1, None, "10", Result.ERROR),
        (100 * MWH, None, "0", Result.OK),
        (99 * MWH, Decimal("0.01"), "10", Result.OK),
        (99 * MWH - 1, Decimal("0.01"), "10", Result.WARNING),
        (90 * MWH, Decimal("0.1"), "10", Result.OK),
        (100 * MWH - 10_000, Decimal(0), "10", Result.OK),
        (100 * MWH - 10_001, Decimal(0), "10", Result.WARNING),
        (100 * MWH + 10_000, Decimal(0), "10", Result.OK),
        (100 * MWH + 10_001, Decimal(0), "10", Result.ERROR),
        (1, None, "1e30", Result.OK),
    ],
)
def test_the_difference_and_its_borders(billed: int, tolerance: Decimal | None, least: str, expected: Result) -> None:
    (finding,) = judge(measured(NODE, 100 * MWH), [line(billed)], tolerance=tolerance, least=least)
    assert finding.result is expected
    assert "Trafo 1" in finding.text.cs
    assert "100000 kWh" in finding.text.en
    assert ("collection_node", "collection_node", 7) in finding.links


def test_a_message_names_both_sums() -> None:
    own = (OWN, None, 1, ELECTRICITY, FIRST, END)
    days = [*measured(NODE, 100 * MWH), *measured(OWN, 20 * MWH)]
    (finding,) = judge(days, [line(70 * MWH)], [MINE, own])
    assert finding.text.en == (
        "Node Trafo 1, month from 2026-03-01: 100000 kWh entered, only 90000 kWh below it (of that billed 70000); "
        "10000 kWh lack, the tolerance is 3000 kWh. Find what is not billed."
    )


def test_what_flows_back_below_the_node_is_taken_off() -> None:
    back = (OWN, None, -1, ELECTRICITY, FIRST, END)
    days = [*measured(NODE, 60 * MWH), *measured(OWN, 10 * MWH)]
    assert results(judge(days, [line(70 * MWH)], [MINE, back])) == [Result.OK]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([line(60 * MWH, 13), line(40 * MWH, 14)], Result.OK),
        ([line(60 * MWH, 13), line(40 * MWH, 14), line(100 * MWH, 7), line(100 * MWH, 2)], Result.OK),
        ([line(60 * MWH, 13), line(40 * MWH, 14), line(60 * MWH, 2, service=2), line(40 * MWH, 3, service=2)],
         Result.OK),
        ([line(100 * MWH, 7), line(100 * MWH, 7, service=2)], Result.OK),
        ([line(120 * MWH), line(-120 * MWH), line(100 * MWH)], Result.OK),
        ([line(40 * MWH, end=date(2026, 3, 11)), line(60 * MWH, first=date(2026, 3, 11))], Result.OK),
        ([line(200 * MWH, first=date(2026, 2, 1)), line(100 * MWH)], Result.OK),
    ],
)  # fmt: skip
def test_energy_that_several_lines_say_counts_once(lines: list[dict[str, Any]], expected: Result) -> None:
    assert results(judge(measured(NODE, 100 * MWH), lines)) == [expected]


def test_a_point_not_billed_for_the_whole_month_counts_as_measured() -> None:
    days = [*measured(NODE, 100 * MWH), *measured(POINT, 100 * MWH)]
    assert results(judge(days)) == [Result.OK]
    half = line(10 * MWH, end=date(2026, 3, 16))
    assert results(judge(days, [half])) == [Result.OK]
    other = line(10 * MWH, 13, first=date(2026, 3, 16))
    assert results(judge(days, [half, other])) == [Result.OK]


@pytest.mark.parametrize(
    ("days", "lacks"),
    [
        ([*measured(NODE, MWH, lacking=2)], 2),
        ([*measured(NODE, MWH, end=date(2026, 3, 31))], 1),
        ([], 31),
    ],
)
def test_days_without_values_of_the_node(days: list[dict[str, Any]], lacks: int) -> None:
    (finding,) = judge(days, [line(5 * MWH)])
    assert (finding.result, f"{lacks} days have no complete" in finding.text.en) == (Result.INFO, True)


def test_days_without_values_of_what_is_measured_below() -> None:
    (finding,) = judge([*measured(NODE, MWH), *measured(POINT, MWH, lacking=5)])
    assert (finding.result, "5 days" in finding.text.en) == (Result.INFO, True)


def test_a_link_of_a_part_of_the_month_counts_for_its_days() -> None:
    late = date(2026, 3, 16)
    link = (POINT, 1, 1, ELECTRICITY, late, END)
    days = [*measured(NODE, 100 * MWH), *measured(POINT, 100 * MWH, first=late), *measured(OWN, 0)]
    assert results(judge(days, [line(999 * MWH)], [link])) == [Result.OK]
    early = {"first": FIRST, "end_": late}
    assert judge(days, [line(999 * MWH)], [link], given=[early]) == []


def test_a_node_that_begins_within_the_month() -> None:
    late = date(2026, 3, 16)
    days = [*measured(NODE, 50 * MWH, first=late), *measured(POINT, 50 * MWH, first=late)]
    assert results(judge(days, [line(100 * MWH)], since=late)) == [Result.OK]


def test_each_month_of_a_longer_basis_is_judged() -> None:
    may = date(2026, 5, 1)
    link = (POINT, 1, 1, ELECTRICITY, FIRST, may)
    days = [*measured(NODE, 100 * MWH), *measured(NODE, 50 * MWH, END, may), *measured(POINT, 10 * MWH, END, may)]
    found = judge(days, [line(100 * MWH)], [link], given=[{"end_": may}])
    assert results(found) == [Result.OK, Result.WARNING]
    assert "month from 2026-04-01" in found[1].text.en


def test_gas_counts_as_measured_in_cubic_metres() -> None:
    link = (POINT, 1, 1, VOLUME, FIRST, END)
    days = [*measured(NODE, 100_000_000), *measured(POINT, 90_000_000)]
    (finding,) = judge(days, [line(1, 1001)], [link], unit=VOLUME, given=[{"commodity": GAS, "rate": 1001}])
    assert (finding.result, "10000 m³ lack" in finding.text.en) == (Result.WARNING, True)


@pytest.mark.parametrize(("node", "below"), [(ELECTRICITY, VOLUME), (VOLUME, ELECTRICITY), (REACTIVE, REACTIVE)])
def test_without_a_common_unit_the_check_could_not_run(node: int, below: int) -> None:
    link = (POINT, 1, 1, below, FIRST, END)
    (finding,) = judge([*measured(NODE, MWH), *measured(POINT, MWH)], links=[link], unit=node)
    assert (finding.result, "no unit in common" in finding.text.en) == (Result.WARNING, True)


def test_only_energy_and_measured_bases_of_points_below_a_node_are_judged() -> None:
    days, billed = measured(NODE, 100 * MWH), [line(100 * MWH)]
    given = [{"rate": 9}, {"rate": 13}, {"rate": 13, "supply_point": 2}]
    found = judge(days, billed, given=given, is_measured=False)
    assert [each.subject for each in found] == [2]
    assert len(judge(days, billed, given=given)) == 2
    assert judge([], [], []) == []


def test_without_collections_nothing_is_said() -> None:
    nothing = Balanced(
        frame([{"basis": 1}], ("basis",)),
        Frame({name: np.zeros(0, dtype=np.int64) for name in ("node", "channel", "tolerance", "unit", "first", "end_")},
              {"node": ()}),
        frame([], ("top", "channel", "sign", "supply_point", "taken", "unit", "first", "end_")),
        frame([], ("channel", "day", "complete", "total")),
        frame([], ("supply_point", "service", "rate", "first", "end_", "energy")),
        months_of(0, 31),
    )  # fmt: skip
    assert CHECK.verdict(bases({}), nothing, {"percent": Decimal(3), "least": Decimal(10)}) == []


@pytest.mark.parametrize(
    ("first", "end", "expected"),
    [
        (FIRST, END, [FIRST, END]),
        (date(2026, 3, 15), date(2026, 3, 16), [FIRST, END]),
        (date(2025, 12, 31), date(2026, 1, 2), [date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]),
    ],
)
def test_months(first: date, end: date, expected: list[date]) -> None:
    months = months_of((first - EPOCH).days, (end - EPOCH).days)
    assert [EPOCH + timedelta(days=day) for day in months.tolist()] == expected
    assert MISSING not in months
