"""Check 8: every row of its table, the borders, what is added with what, and who covers whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.checks.blocks import Finding
from central.checks.frame import Frame
from central.checks.framework import GAS
from central.checks.overlaps import equal, exact, meet
from central.checks.received_items import ALL, FOREIGN, RATES
from central.checks.received_lines import (
    BASE_COLUMNS,
    LINE_COLUMNS,
    Received,
    key_of_rates,
    ranges,
    with_card,
    with_key,
)
from central.checks.standard.received_invoice import ReceivedInvoices
from central.checks.verdict import Result
from tests.unit.central.checks.columns import bases, frame, told

CHECK = ReceivedInvoices()
INFO, OK, WARNING, ERROR = Result.INFO, Result.OK, Result.WARNING, Result.ERROR
D = Decimal
FIRST, MIDDLE, LAST = date(2026, 3, 1), date(2026, 3, 16), date(2026, 4, 1)
YEAR = {"first": date(2025, 4, 1), "end_": date(2026, 4, 1)}
CODES = ("E-0007", "E-0009", "E-0012", "E-0025", "G-1001")
TYPES = ("DIST_BREAKER", "DIST_USE", "DistributionSum.UnitPrice", "OTE_FEE")
CARDS: list[dict[str, Any]] = [
    {"id": 70, "rate": 7, "card": 0, "type": 1, "specific": 0},
    {"id": 90, "rate": 9, "card": 1, "type": 3, "specific": 0},
    {"id": 120, "rate": 12, "card": 2, "type": 0, "specific": 0},
    {"id": 250, "rate": 25, "card": 3, "type": None, "specific": 0},
    {"id": 1001, "rate": 1001, "card": 4, "type": 2, "specific": 0},
    {"id": 1020, "rate": 1020, "card": 4, "type": 2, "specific": 0},
]  # fmt: skip
ITEMS = frame(CARDS, ("id", "rate", "card", "type", "specific"))
LINE = {
    "invoice": 40, "place": 1, "supply_point": 1, "rate": 7, "type": None, "net": 100, "crowns": 1, "first": FIRST,
    "end_": LAST,
}  # fmt: skip
BASIS = {"rate": 7, "amount": D(100), "first": FIRST, "end_": LAST}
BESIDE = {
    "supply_point": 1, "rate": 7, "service": 0, "statement_type": 0, "amount": D(100), "crowns": 1, "item": 70,
    "first": FIRST, "end_": LAST, "draft": None,
}  # fmt: skip
LIMITS = {"which": ALL, "crowns": D(1), "percent": D(1)}


def found(
    given_bases: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]], *,
    beside: Sequence[Mapping[str, Any]] = (), own: int = 0, without: Sequence[int] = (), **limits: Any,
) -> list[Finding]:  # fmt: skip
    """All findings about bases (ids 1 on); lines say `net` in crowns; `without`: rates without a stock item."""
    judged = bases(*({**BASIS, **each} for each in given_bases))
    numbers = {each["rate"]: each["id"] for each in CARDS if each["rate"] not in without}
    walked = np.isin(judged["rate"], RATES)
    cards = [
        {"id": number, "rate": rate, "item": numbers.get(rate)}
        for number, rate in zip(judged["id"][walked].tolist(), judged["rate"][walked].tolist(), strict=True)
    ]
    rows = [{**LINE, "place": place, **each} for place, each in enumerate(lines, 1)]
    rows = [{**each, "net": int(D(str(each["net"])) * 100)} for each in rows]
    read = Received(
        with_key(frame(rows, LINE_COLUMNS), ITEMS),
        with_card(frame(cards, ("id", "rate", "item")), ITEMS),
        CODES,
        with_card(frame([{**BESIDE, **each} for each in beside], BASE_COLUMNS), ITEMS),
        np.array([own], dtype=np.int64),
    )
    return told(CHECK, CHECK.verdict(judged, read, {**LIMITS, **limits}))


def results(
    given_bases: Sequence[Mapping[str, Any]], lines: Sequence[Mapping[str, Any]], **other: Any
) -> dict[int, list[Result]]:
    """Of each basis what the parts say: stock item where something is wrong, interval, amount by item, by point."""
    said: dict[int, list[Result]] = {}
    for each in found(given_bases, lines, **other):
        said.setdefault(each.subject, []).append(each.result)
    return said


def test_equal_interval_and_amount_are_ok_three_times_and_linked() -> None:
    said = found([{}], [{}])
    assert [each.result for each in said] == [OK, OK, OK]
    assert [each.text.en for each in said] == [
        "The interval from 2026-03-01 to 2026-04-01 is that of the received invoice 40, line 1.",
        "Stock item E-0007, the point in all: bases 100.00 CZK, received invoice 40 100.00 CZK without VAT.",
        "The whole supply point: bases 100.00 CZK, received invoice 40 100.00 CZK without VAT.",
    ]
    assert all(("invoice", "received_invoice", 40) in each.links for each in said)
    assert ("item", "stock_item", 70) in said[1].links


def test_a_stock_item_without_the_type_and_a_rate_without_one_are_errors() -> None:
    said = found([{"rate": 25}], [{"rate": 25}])
    assert [each.result for each in said] == [ERROR, OK, OK, OK], "the other parts do without the type"
    assert said[0].text.en == "The stock item E-0025 has no OTE invoice item type. Set it."
    said = found([{"rate": 7}], [], without=[7])
    assert [each.result for each in said] == [ERROR, WARNING]
    assert said[0].text.en == "The rate 7 has no stock item. Create one."


def test_a_basis_whose_own_item_has_no_type_meets_the_lines_of_its_rate() -> None:
    own = {"id": 71, "rate": 7, "card": 3, "type": None, "specific": 1}
    items = frame([*CARDS, own], ("id", "rate", "card", "type", "specific"))
    rows = frame([{"id": 1, "rate": 7, "item": 71}, {"id": 2, "rate": 7, "item": 70}], ("id", "rate", "item"))
    cards = with_card(rows, items)
    assert (cards["key"].tolist(), cards["type"].tolist()[1]) == ([1, 1], 1)


@pytest.mark.parametrize(
    ("days", "lines", "expected"),
    [
        ({}, [], WARNING),
        ({"first": MIDDLE}, [], WARNING),
        ({"first": date(2026, 2, 28)}, [], ERROR),
        (YEAR, [], ERROR),
        ({}, [{"first": LAST, "end_": date(2026, 5, 1)}], WARNING),
        (YEAR, [{"first": LAST, "end_": date(2026, 5, 1)}], ERROR),
        ({}, [{"first": MIDDLE}], ERROR),
        ({"first": MIDDLE}, [{}], ERROR),
        ({}, [{"end_": date(2026, 4, 2)}], ERROR),
        ({"end_": date(2026, 4, 2)}, [{}], ERROR),
        ({}, [{}], OK),
        ({}, [{}, {}], OK),
        (YEAR, [YEAR], OK),
        ({}, [{"end_": MIDDLE}, {"first": MIDDLE}], OK),
        ({}, [{"end_": MIDDLE}, {"first": MIDDLE + timedelta(1)}], ERROR),
        ({}, [{}, {"first": date(2026, 2, 1)}], ERROR),
    ],
)
def test_the_interval_against_the_lines(days: dict[str, Any], lines: list[dict[str, Any]], expected: Result) -> None:
    assert results([days], lines)[1][0] is expected


@pytest.mark.parametrize(
    ("parts", "line", "expected"),
    [
        ([(FIRST, MIDDLE), (MIDDLE, LAST)], (FIRST, LAST), [OK, OK]),
        ([(FIRST, date(2026, 3, 10)), (date(2026, 3, 10), MIDDLE), (MIDDLE, LAST)], (FIRST, LAST), [OK, OK, OK]),
        ([(FIRST, MIDDLE), (MIDDLE + timedelta(1), LAST)], (FIRST, LAST), [ERROR, ERROR]),
        ([(FIRST, MIDDLE), (MIDDLE, LAST + timedelta(1))], (FIRST, LAST), [ERROR, ERROR]),
        ([(FIRST, MIDDLE), (MIDDLE, LAST - timedelta(1))], (FIRST, LAST), [ERROR, ERROR]),
        ([(date(2026, 2, 1), FIRST), (FIRST, LAST)], (date(2026, 2, 1), LAST), [OK, OK]),
        ([(FIRST, LAST), (MIDDLE, LAST)], (FIRST, LAST), [OK, OK]),
    ],
)
def test_several_bases_together(
    parts: list[tuple[date, date]], line: tuple[date, date], expected: list[Result]
) -> None:
    given_bases = [{"first": first, "end_": end, "amount": D(50)} for first, end in parts]
    said = results(given_bases, [{"first": line[0], "end_": line[1]}])
    assert [said[number][0] for number in range(1, len(parts) + 1)] == expected


def test_a_part_that_is_invoiced_already_counts_with_the_rest() -> None:
    half = {"first": MIDDLE, "amount": D(50)}
    assert results([half], [{}])[1] == [ERROR, ERROR, ERROR]
    assert results([half], [{}], beside=[{"end_": MIDDLE, "amount": D(50)}])[1] == [OK, OK, OK]
    assert results([half], [{}], beside=[{"end_": MIDDLE, "amount": D(50), "supply_point": 2}])[1][0] is ERROR


@pytest.mark.parametrize(
    ("ours", "theirs", "item", "point"),
    [
        ("1000.00", "1000.00", OK, OK),
        ("1001.00", "1000.00", OK, OK),
        ("999.00", "1000.00", OK, OK),
        ("1001.01", "1000.00", ERROR, OK),
        ("998.99", "1000.00", ERROR, OK),
        ("50.50", "50.00", OK, OK),
        ("49.50", "50.00", OK, OK),
        ("50.51", "50.00", ERROR, ERROR),
        ("101.00", "100.00", OK, OK),
        ("101.01", "100.00", ERROR, ERROR),
        ("1010.00", "1000.00", ERROR, OK),
        ("1010.01", "1000.00", ERROR, ERROR),
        ("100.00", "101.01", ERROR, OK),
        ("0.00", "0.00", OK, OK),
        ("0.01", "0.00", ERROR, ERROR),
        ("0.00", "0.01", ERROR, ERROR),
        ("-100.00", "-100.00", OK, OK),
        ("-101.00", "-100.00", OK, OK),
        ("-101.01", "-100.00", ERROR, ERROR),
        ("100.00", "-100.00", ERROR, ERROR),
        ("989800000000.00", "980000000000.00", ERROR, OK),
        ("989800000000.01", "980000000000.00", ERROR, ERROR),
    ],
)
def test_the_amount_of_an_item_and_of_the_point(ours: str, theirs: str, item: Result, point: Result) -> None:
    assert results([{"amount": D(ours)}], [{"net": theirs}])[1] == [OK, item, point]


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        ("1001.01", "1000.00", "the difference of 1.01 CZK is more than 1 CZK."),
        ("50.51", "50.00", "the difference of 0.51 CZK is more than 1 %."),
        ("90.00", "100.00", "the difference of 10.00 CZK is more than 1 CZK and than 1 %."),
    ],
)
def test_the_message_names_both_amounts_and_what_is_broken(ours: str, theirs: str, why: str) -> None:
    _, item, point = found([{"amount": D(ours)}], [{"net": theirs}])
    assert item.text.en == (
        f"Stock item E-0007, the point in all: bases {ours} CZK, received invoice 40 {theirs} CZK without VAT; {why}"
    )
    assert f"bases {ours} CZK, received invoice 40 {theirs} CZK" in point.text.en
    assert f"podklady {ours} Kč, přijatá faktura 40 {theirs} Kč bez DPH" in point.text.cs


def test_bases_are_added_by_item_and_by_point_from_rounded_totals() -> None:
    thirds = [{"amount": D("33.33")}] * 3
    assert results(thirds, [{"net": "100.00"}]) == {number: [OK, OK, OK] for number in (1, 2, 3)}
    said = found([{"amount": D(60)}, {"rate": 9, "amount": D(40)}], [{"net": 40}, {"rate": 9, "net": 60}])
    assert [each.result for each in said if "Stock item" in each.text.en] == [ERROR, ERROR]
    assert [each.result for each in said if "whole" in each.text.en] == [OK, OK], "by point they are the same"


def test_a_line_that_no_basis_bills_shows_in_the_amount_of_the_point() -> None:
    assert results([{}], [{}, {"rate": 9, "net": 5}])[1] == [OK, OK, ERROR]
    assert results([{}, {"rate": 9, "amount": D(5)}], [{}]) == {1: [OK, OK, ERROR], 2: [WARNING, ERROR]}


def test_services_accruals_points_and_months_are_added_by_themselves() -> None:
    march: dict[str, Any] = {}
    april = {"first": LAST, "end_": date(2026, 5, 1), "amount": D(7)}
    assert results([march, april], [{}]) == {1: [OK, OK, OK], 2: [WARNING]}
    assert results([{}, {"statement_type": 4, "amount": D(90)}], [{}]) == {1: [OK, OK, OK], 2: [OK, ERROR, ERROR]}
    assert results([{}, {"service": 3, "amount": D(100)}], [{}]) == {1: [OK, OK, OK], 2: [OK, OK, OK]}
    two = [{}, {"supply_point": 2, "amount": D(7)}]
    assert results(two, [{}, {"supply_point": 2, "net": 7}]) == {1: [OK, OK, OK], 2: [OK, OK, OK]}


def test_a_cancelling_and_a_corrective_basis_are_added_to_what_was_invoiced() -> None:
    again = [{"statement_type": 7, "amount": D(-120)}, {"statement_type": 8, "amount": D(100)}]
    assert results(again, [{}], beside=[{"amount": D(120)}]) == {1: [OK, OK, OK], 2: [OK, OK, OK]}


@pytest.mark.parametrize("rate", [1, 2, 3, 18, 24, 28, 1000, 1006, 1017, 1024, 1997, 2001, 3000])
def test_other_rates_show_nothing(rate: int) -> None:
    assert rate not in RATES
    assert results([{"rate": rate}], [{"rate": rate}]) == {}


@pytest.mark.parametrize("service", [1, 2])
def test_bases_that_are_no_distribution_show_nothing(service: int) -> None:
    assert results([{"service": service}], [{}]) == {}


def test_the_rates_are_those_of_the_specification() -> None:
    assert len(RATES) == 21 + 13
    assert {5, 17, 19, 23, 25, 27, 1001, 1005, 1018, 1023, 1998, 1999} <= set(RATES)


def test_gas_and_both_rates_of_one_item_type() -> None:
    gas = {"rate": 1020, "commodity": GAS}
    assert results([gas], [{"rate": 1001, "type": 2}])[1] == [OK, OK, OK]
    assert results([gas], [{"rate": 1001}])[1] == [OK, OK, OK], "by the rate's type"


def test_a_line_is_found_by_its_code_before_its_rate() -> None:
    assert results([{"rate": 12}], [{"rate": 12, "type": None}])[1] == [OK, OK, OK]
    assert results([{"rate": 9}], [{"rate": 12, "type": 3}])[1] == [OK, OK, OK]
    assert results([{"rate": 12}], [{"rate": 12, "type": 3}])[1] == [WARNING, OK], "only the whole point has it"


def test_without_a_currency_in_common_the_amounts_could_not_be_compared() -> None:
    said = found([{}], [{"crowns": 0}])
    assert [each.result for each in said] == [OK, WARNING, WARNING]
    assert "The check of amounts could not run" in said[1].text.en
    assert "no currency in common" in said[2].text.en
    assert results([{"price_unit": "EUR/MWh"}], [{}])[1] == [OK, WARNING, WARNING]
    assert results([{}, {"rate": 9}], [{}, {"rate": 9, "crowns": 0}]) == {
        1: [OK, OK, WARNING], 2: [OK, WARNING, WARNING],
    }  # fmt: skip


def test_only_items_of_another_operator() -> None:
    assert results([{}], [{}], own=1, which=FOREIGN) == {}
    assert results([{}], [{}], own=2, which=FOREIGN)[1] == [OK, OK, OK]
    assert results([{}], [{}], own=1)[1] == [OK, OK, OK]


def test_limits_are_the_operators() -> None:
    assert results([{"amount": D(105)}], [{}], crowns=D(5), percent=D(5))[1] == [OK, OK, OK]
    assert results([{"amount": D("105.01")}], [{}], crowns=D(5), percent=D(5))[1] == [OK, ERROR, ERROR]
    assert results([{"amount": D("100.01")}], [{}], crowns=D(0), percent=D(0))[1] == [OK, ERROR, ERROR]
    assert results([{}], [{}], crowns=D(0), percent=D(0))[1] == [OK, OK, OK]


def test_nothing_at_all() -> None:
    assert found([], []) == []
    assert found([], [{}]) == []
    assert results([{}], [], beside=[]) == {1: [WARNING]}


def test_the_key_of_a_rate_with_several_items() -> None:
    rows = [
        {"id": 1, "rate": 12, "type": 0, "specific": 1}, {"id": 2, "rate": 12, "type": 3, "specific": 1},
        {"id": 3, "rate": 13, "type": 1, "specific": 1}, {"id": 4, "rate": 14, "type": 2, "specific": 0},
        {"id": 5, "rate": 14, "type": 3, "specific": 1},
    ]  # fmt: skip
    items = frame(rows, ("id", "rate", "type", "specific"))
    assert key_of_rates(np.array([12, 13, 14, 15]), items).tolist() == [-12, 1, 2, -15]


def test_ids_as_ranges() -> None:
    assert ranges(np.array([7, 3, 4, 5, 9, 10])) == "{[3,5],[7,7],[9,10]}"
    assert ranges(np.array([4])) == "{[4,4]}"
    assert ranges(np.zeros(0, dtype=np.int64)) == "{}"


_DAYS = st.tuples(st.integers(0, 9), st.integers(1, 5)).map(lambda each: (each[0], each[0] + each[1]))


@given(st.lists(_DAYS, min_size=1, max_size=5), st.lists(_DAYS, max_size=4))
def test_equal_and_exact_are_what_sets_of_days_say(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> None:
    def columns(spans: list[tuple[int, int]]) -> Frame:
        rows = [{"supply_point": 1, "key": 7, "sort": 0, "first": first, "end_": end} for first, end in spans]
        return frame(rows, ("supply_point", "key", "sort", "first", "end_"))

    meeting = meet(columns(ours), columns(theirs))
    all_theirs = {day for first, end in theirs for day in range(first, end)}
    all_ours = {day for first, end in ours for day in range(first, end)}

    def over(one: tuple[int, int], other: tuple[int, int]) -> bool:
        return one[0] < other[1] and other[0] < one[1]

    for place, basis in enumerate(ours):
        near = [line for line in theirs if over(basis, line)]
        beside = [each for each in ours if any(over(each, line) for line in near)]
        whole = (
            bool(near)
            and all(set(range(*line)) <= all_ours for line in near)
            and all(set(range(*each)) <= all_theirs for each in beside)
        )
        assert meeting.met[place] == bool(near)
        assert equal(meeting)[place] == (bool(near) and all(line == basis for line in near))
        assert exact(meeting, meeting.met)[place] == whole
