"""Check 19: every row of its table, both readings of belonging, borders, items without a basis, both commodities."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from central.checks.blocks import Finding
from central.checks.framework import GAS, Subject
from central.checks.standard.amendment import Amended, Amendment
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Amendment()
ITEMS = ("contract_item", "contract", "supply_point", "number", "effective", "first", "end_")
ROW = {"calendar_row": 1, "contract": 1, "first": date(2026, 3, 1), "end_": date(2026, 4, 1)}
JANUARY, MARCH, MID_MARCH, MAY = date(2026, 1, 1), date(2026, 3, 1), date(2026, 3, 16), date(2026, 5, 1)
FIRST, SECOND, THIRD = (1, JANUARY), (2, MID_MARCH), (3, MAY)
LONG_AGO, FAR = date(2020, 1, 1), date(2099, 1, 1)
NONE = (None, None)


def item(
    amendment: tuple[int, date] | tuple[None, None] = NONE, first: date = LONG_AGO, end: date = FAR, *,
    item: int = 1, contract: int = 1, point: int = 1,
) -> tuple[Any, ...]:  # fmt: skip
    return item, contract, point, *amendment, first, end


def read(
    amendments: Sequence[tuple[int, date]], items: Sequence[tuple[Any, ...]], metered: Sequence[tuple[Any, ...]] = (),
    rows: Sequence[dict[str, Any]] = (ROW,),
) -> Amended:  # fmt: skip
    return Amended(
        frame([{"contract": 1, "number": number, "effective": day} for number, day in amendments],
              ("contract", "number", "effective")),
        frame([dict(zip(ITEMS, each, strict=True)) for each in items], ITEMS),
        frame(rows, tuple(ROW)),
        frame([dict(zip(("supply_point", "first", "end_"), each, strict=True)) for each in metered],
              ("supply_point", "first", "end_")),
    )  # fmt: skip


def found(lines: Any, compared: Amended, items: str = "begun") -> list[Finding]:
    return told(CHECK, CHECK.verdict(lines, compared, {"items": items}))


METER = [(1, LONG_AGO, FAR)]


@pytest.mark.parametrize(
    ("amendments", "its", "metered", "begun", "every"),
    [
        # an item of the contract as signed, from before the first amendment
        ([FIRST], item(), METER, Result.OK, Result.ERROR),
        ([FIRST], item(), [], Result.OK, Result.WARNING),
        # it begins on the very day, the day before, and later
        ([FIRST], item(FIRST, JANUARY), METER, Result.OK, Result.OK),
        ([FIRST], item(NONE, date(2025, 12, 31)), METER, Result.OK, Result.ERROR),
        ([FIRST], item(NONE, JANUARY), METER, Result.ERROR, Result.ERROR),
        ([FIRST], item(NONE, MARCH), METER, Result.ERROR, Result.ERROR),
        ([FIRST], item(NONE, MARCH), [], Result.WARNING, Result.WARNING),
        # a later amendment inside the period
        ([FIRST, SECOND], item(FIRST, JANUARY), METER, Result.OK, Result.ERROR),
        ([FIRST, SECOND], item(FIRST, JANUARY, MID_MARCH), METER, Result.OK, Result.OK),
        ([FIRST, SECOND], item(FIRST, MID_MARCH), METER, Result.ERROR, Result.ERROR),
        ([FIRST, SECOND], item(SECOND, MID_MARCH), METER, Result.OK, Result.OK),
        # an amendment that is not effective yet
        ([FIRST, THIRD], item(THIRD, JANUARY), METER, Result.ERROR, Result.ERROR),
        ([FIRST, THIRD], item(FIRST, JANUARY), METER, Result.OK, Result.OK),
        ([THIRD], item(), METER, Result.OK, Result.OK),
        ([THIRD], item(THIRD), [], Result.WARNING, Result.WARNING),
        # two of one day: either is named
        ([FIRST, (2, JANUARY)], item(FIRST, JANUARY), METER, Result.OK, Result.OK),
        # the meter hangs on days of the item within the period
        ([FIRST], item(NONE, MARCH), [(1, LONG_AGO, MARCH)], Result.WARNING, Result.WARNING),
        ([FIRST], item(NONE, MARCH), [(1, date(2026, 4, 1), FAR)], Result.WARNING, Result.WARNING),
        ([FIRST], item(NONE, MID_MARCH), [(1, LONG_AGO, MID_MARCH)], Result.WARNING, Result.WARNING),
        ([FIRST], item(NONE, MARCH), [(1, date(2026, 3, 31), FAR)], Result.ERROR, Result.ERROR),
        ([FIRST], item(NONE, MARCH), [(2, LONG_AGO, FAR)], Result.WARNING, Result.WARNING),
    ],
)  # fmt: skip
@pytest.mark.parametrize("commodity", [0, GAS])
def test_items_and_amendments(
    amendments: Any, its: Any, metered: Any, begun: Result, every: Result, commodity: int
) -> None:
    compared = read(amendments, [its], metered)
    lines = bases({"commodity": commodity})
    assert [[each.result for each in found(lines, compared, how)] for how in ("begun", "all")] == [[begun], [every]]


def test_it_names_the_item_and_both_amendments() -> None:
    (wrong,) = found(bases({}), read([FIRST, SECOND], [item(FIRST, MID_MARCH)], METER))
    assert wrong.text.en == (
        "The contract item from 2026-03-16 (s měřidlem / with a meter) does not belong to amendment 2, effective from "
        "2026-03-16: it names amendment 1. Enter the valid amendment."
    )
    assert wrong.links == (("contract_item", "contract_item", 1),)
    (early,) = found(bases({}), read([FIRST, THIRD], [item(THIRD, JANUARY)]))
    assert "names amendment 3, which takes effect only on 2026-05-01" in early.text.en
    (unset,) = found(bases({}), read([FIRST], [item(NONE, MARCH)]))
    assert "it names amendment –" in unset.text.en
    (signed,) = found(bases({}), read([FIRST], [(1, 1, 1, None, None, -(2**22), 2**22)]))
    assert signed.text.en == "The contract item from – belongs to the contract as it was signed."


def test_a_contract_without_amendments() -> None:
    (one,) = found(bases({}), read([], []))
    assert (one.result, one.text.en) == (Result.OK, "The contract has no amendments.")
    assert found(bases(), read([], [], rows=())) == []


def test_an_item_that_nothing_is_billed_under_stands_on_the_row() -> None:
    others = [
        item(NONE, MARCH, item=2, point=2),
        item(NONE, MARCH, item=3, point=3),
        item(item=4, point=4),
        item(NONE, date(2026, 4, 1), item=5, point=5),
        item(NONE, JANUARY, MARCH, item=6, point=6),
        item(NONE, MARCH, item=7, contract=2),
    ]
    compared = read([FIRST], [item(), *others], [(2, LONG_AGO, FAR)])
    lines = bases({}, {"statement_type": 4}, {"statement_type": 7, "contract_item": 2})
    parts = CHECK.verdict(lines, compared, {"items": "begun"})
    shown = {
        (part.about, part.group): [(each.subject, each.result, each.links[0][2]) for each in told(CHECK, [part])]
        for part in parts
        if len(part)
    }
    rows = [(1, Result.ERROR, 2), (1, Result.WARNING, 3)]
    assert shown == {
        (Subject.BASIS, None): [(1, Result.OK, 1), (2, Result.OK, 1)],
        (Subject.CALENDAR_ROW, "regular"): rows,
        (Subject.CALENDAR_ROW, "accrual"): rows,
    }


def test_a_basis_without_a_row_is_judged_by_its_own_days() -> None:
    line = bases({"calendar_row": None, "first": MID_MARCH, "end_": date(2026, 4, 1)})
    compared = read([FIRST], [item(NONE, MARCH)], [(1, LONG_AGO, MID_MARCH)], rows=())
    assert [each.result for each in found(line, compared)] == [Result.WARNING]
