"""Check 3: every row of its table, where the values stand, and borders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest

from central.checks.frame import MISSING, Frame
from central.checks.own_values import own_component
from central.checks.rate_values import PaysBy, Regulated
from central.checks.standard.one_price import LISTED, REGULATED, SERVICE, OnePrice, Values, keys_of
from central.checks.verdict import Result
from central.settlement.service_tables import PRICED
from central.tariffs.load import SHIPPED, load_file
from tests.unit.central.checks.columns import bases, frame, told

CHECK = OnePrice()
YEAR = (date(2026, 1, 1), date(2027, 1, 1))
MARCH = (date(2026, 3, 1), date(2026, 4, 1))
VALUES = ("kind", "key", "part", "first", "end_")


def read(asked: Frame, *values: tuple[date, date], kind: int = REGULATED, key: int = 5, part: int = 7) -> Values:
    """Values of a rate, where the bases look for them."""
    combination = np.full(len(asked), 5, dtype=np.int64)
    keys = keys_of(asked, combination, np.full(len(asked), MISSING, dtype=np.int64))
    rows = [dict(zip(VALUES, (kind, key, part, *valid), strict=True)) for valid in values]
    return Values(keys, frame(rows, VALUES))


def judge(basis: Mapping[str, Any], *values: tuple[date, date], **where: int) -> list[tuple[Result, str]]:
    asked = bases(basis)
    return [
        (each.result, each.text.en) for each in told(CHECK, CHECK.verdict(asked, read(asked, *values, **where), {}))
    ]


@pytest.mark.parametrize(
    ("values", "expected", "said"),
    [
        ([YEAR], Result.OK, "from 2026-03-01 to 2026-03-31 is inside the validity of one value of rate 7"),
        ([MARCH], Result.OK, "(from 2026-03-01 to 2026-03-31)"),
        # the value before ends as this one begins, the one after begins as it ends
        ([(date(2025, 1, 1), MARCH[0]), MARCH, (MARCH[1], YEAR[1])], Result.OK, "one value"),
        ([(date(2026, 1, 1), date(2026, 3, 31)), (date(2026, 3, 31), YEAR[1])], Result.ERROR,
         "touches 2 values of rate 7; the first of them is valid to 2026-03-30"),
        ([(date(2026, 3, 2), date(2026, 3, 3)), (date(2026, 3, 10), date(2026, 3, 12)), (date(2026, 3, 20), YEAR[1])],
         Result.ERROR, "touches 3 values"),
        ([], Result.ERROR, "touches no value of rate 7"),
        ([(date(2026, 1, 1), MARCH[0]), (MARCH[1], YEAR[1])], Result.ERROR, "touches no value"),
        ([(date(2026, 1, 1), date(2026, 3, 31))], Result.ERROR, "valid on only 30 of 31 days"),
        ([(date(2026, 3, 2), YEAR[1])], Result.ERROR, "(from 2026-03-02 to 2026-12-31) is valid on only 30 of 31 days"),
    ],
)  # fmt: skip
def test_the_table(values: list[tuple[date, date]], expected: Result, said: str) -> None:
    [(result, text)] = judge({}, *values)
    assert result is expected
    assert said in text


def test_a_value_without_an_end() -> None:
    asked = bases({"service": 2, "rate": 3001})
    open_ended = Frame(dict(zip(VALUES, ([SERVICE], [0], [3001], [-(2**31)], [2**31]), strict=True)))
    columns = {name: np.array(column, dtype=np.int64) for name, column in open_ended.columns.items()}
    keys = keys_of(asked, np.array([5]), np.array([MISSING]))
    [found] = told(CHECK, CHECK.verdict(asked, Values(keys, Frame(columns)), {}))
    assert found.result is Result.OK
    assert found.text.en.endswith("(from – to –).")


@pytest.mark.parametrize(
    ("basis", "where"),
    [
        ({"rate": 9}, {}),
        ({"service": 2, "rate": 3001}, {"kind": REGULATED}),
        ({}, {"key": 6}),
    ],
)
def test_values_of_another_rate_or_item_do_not_count(basis: Mapping[str, Any], where: dict[str, int]) -> None:
    assert [result for result, _ in judge(basis, YEAR, **where)] == [Result.ERROR]


def test_own_services_are_found_by_their_rate() -> None:
    assert judge({"service": 2, "rate": 3001}, YEAR, kind=SERVICE, key=0, part=3001)[0][0] is Result.OK
    assert judge({"service": 2, "rate": 3001}, YEAR, kind=SERVICE, key=0, part=3002)[0][0] is Result.ERROR


def test_a_basis_made_by_hand_is_judged_only_where_its_rate_has_values() -> None:
    assert judge({"input": None}) == []
    assert judge({"input": None}, YEAR)[0][0] is Result.OK
    assert judge({"input": None}, (date(2026, 1, 1), date(2026, 3, 5)))[0][0] is Result.ERROR


def test_supply_stands_in_the_price_list_of_its_item() -> None:
    regulated = Regulated(
        frame([], ("contract_item", "first", "end_", "combination")),
        {5: PaysBy("electricity", "CEZ", "NN", "D25d"), 6: PaysBy("electricity", "CEZ", "NN", "D02d")},
        [load_file(SHIPPED / "cz-electricity-2026.json")],
    )
    supply = [{"service": 1, "rate": rate} for rate in (1, 2, 3, 2021, 2, 2011, 2012)] + [{"rate": 1}]
    asked = bases(*supply)
    combination = np.array([5, 5, 5, 5, 6, 5, 5, 5])
    component = own_component(asked, combination, regulated)
    told_components = [None if place == MISSING else PRICED[place] for place in component.tolist()]
    assert told_components == ["fixed", "vt", "nt", None, "energy", "fixed", "energy", None]
    keys = keys_of(asked, combination, component)
    assert keys["kind"].tolist() == [LISTED, LISTED, LISTED, REGULATED, LISTED, LISTED, LISTED, REGULATED]
    assert keys["key"].tolist() == [1, 1, 1, 5, 1, 1, 1, 5]


def test_nothing_to_judge() -> None:
    asked = bases()
    assert told(CHECK, CHECK.verdict(asked, read(asked, YEAR), {})) == []
