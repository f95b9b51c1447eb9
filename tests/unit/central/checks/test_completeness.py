"""Check 1001: each branch over a month of one point, by the package of 2026; borders, empty months, gas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from central.checks.billed_month import AGREED, QUANTITIES, BilledMonth, doubtful, statement_ends
from central.checks.blocks import Finding
from central.checks.frame import Frame
from central.checks.framework import Subject
from central.checks.standard.completeness import Completeness
from central.checks.verdict import Result
from central.tariffs.load import SHIPPED, load_file
from central.tariffs.package import Package
from tests.unit.central.checks.columns import bases, frame, told

CHECK = Completeness()
START = date(2026, 3, 1)
MARCH = (0, 31)
SLOTS = (1, 2, 3, 5, 6, 7, 8, 9, 10, 12, 13, 14, 15, 17, 26, 27, 1001, 1002, 1019, 2001, 2011, 2012)
POINT = {"supply_point": 1, "commodity": 0, "level": 1, "suspended": 0, "supplier": 9}
ITEM = {
    "supply_point": 1, "contract_item": 11, "contract": 21, "framework": 0, "purchase": 0, "prices": 0, "rate": None,
    "flat": 0, "annual": None,
}  # fmt: skip
TERMS = {"contract": 21, "customer": 9, "months": 1, "ends": None}
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "points": tuple(POINT), "items": tuple(ITEM), "terms": tuple(TERMS),
    "conditions": ("supply_point", "kind"), "capacities": ("supply_point", "kind"),
    "price_lists": ("supply_point", "price_list", "priced"), "services": ("supply_point", "rate"),
    "rows": ("contract", "calendar_row"), "covers": ("supply_point", "mask", "lines"),
    "lines": ("basis", "supply_point", "rate", "component", "by_hand", "draft"), "others": ("supply_point", "rate"),
    "parts": ("input", "supply_point", *QUANTITIES, *AGREED),
}  # fmt: skip


@cache
def packages() -> tuple[Package, ...]:
    return tuple(load_file(SHIPPED / f"{name}.json") for name in ("cz-electricity-2026", "cz-gas-2015"))


def billed(*rates: int, days: tuple[int, int] = MARCH, point: int = 1) -> dict[str, Any]:
    """A row of covers."""
    mask = 1 | sum(2 << SLOTS.index(rate) for rate in rates if rate in SLOTS)
    return {"supply_point": point, "mask": mask, "lines": len(rates), "days": days}


DUE = billed(7, 9, 15)


def month(**given: Sequence[Mapping[str, Any]]) -> BilledMonth:
    """A month of one point at medium voltage, billed whole; what a test names is another."""
    plain: dict[str, Sequence[Mapping[str, Any]]] = {
        "points": [POINT], "items": [ITEM], "terms": [TERMS], "covers": [DUE], **given,
    }  # fmt: skip
    frames = {}
    for name, columns in COLUMNS.items():
        rows = []
        for row in plain.get(name, ()):
            first, end = row.get("days", MARCH)
            rows.append({**{key: row[key] for key in columns}, "first": first, "end_": end})
        frames[name] = frame(rows, (*columns, "first", "end_"))
    return BilledMonth(
        start=START, days=31, today=31, packages=packages(), slots=SLOTS,
        names={rate: f"sazba {rate} / rate {rate}" for rate in SLOTS}, lists=("CEZ",), rates=("C02d", "C25d"),
        measured=frame(plain.get("measured", ()), ("basis", "channel")),
        omitted=frame(plain.get("omitted", ()), ("supply_point", "run")),
        taken=frame(plain.get("taken", ()), ("supply_point", "first", "days", "rise")), **frames,
    )  # fmt: skip


def found(compared: BilledMonth) -> list[Finding]:
    return told(CHECK, CHECK.verdict(bases(), compared, {}))


def said(compared: BilledMonth) -> list[tuple[Result, str]]:
    return [(each.result, each.text.en) for each in found(compared)]


LOW_SINGLE, LOW_DOUBLE = ({"points": [{**POINT, "level": 2}], "items": [{**ITEM, "rate": rate}]} for rate in (0, 1))
FRAMEWORK = {"items": [{**ITEM, "framework": 1}]}


def took(days: int | None, rise: int | None) -> dict[str, Any]:
    return {"items": [], "taken": [{"supply_point": 1, "first": 0, "days": days, "rise": rise}]}


OK, INFO, WARNING, ERROR = Result.OK, Result.INFO, Result.WARNING, Result.ERROR
HALF, REST = (0, 15), (15, 31)
YEAR_CAPACITY = {"supply_point": 1, "kind": 0}
EXEMPT = {"supply_point": 1, "kind": 0}
SINGLE = {"supply_point": 1, "kind": 1}
LIST = {"supply_point": 1, "price_list": 5, "priced": 3}
SERVICE = {"supply_point": 1, "rate": 3001}
SOLD_BY_HALF = {"price_lists": [{**LIST, "days": HALF}], "covers": [billed(1, 2, 7, 9, 15)]}
SOLD = {"price_lists": [LIST], "covers": [billed(1, 2, 7, 9, 15)]}


@pytest.mark.parametrize(
    ("given", "result", "words"),
    [
        ({}, OK, "31 days, 3 components: each is on exactly one basis"),
        ({"covers": [billed(7, 9, 15, days=HALF), billed(7, 9, 15, days=REST)]}, OK, "31 days, 3 components"),
        ({"covers": [billed(7, 9), billed(15, days=HALF), billed(15, days=REST)]}, OK, "31 days, 3 components"),
        ({"covers": [billed(7, 9, 15, 4711)]}, OK, "31 days, 3 components"),
        ({"points": [{**POINT, "days": (30, 31)}]}, OK, "1 days, 3 components"),
        # a component lacks: on all days, on some
        ({"covers": [billed(7, 15)]}, ERROR, "rate 9 (rate 9) is on no basis for 31 days from 2026-03-01"),
        ({"covers": [billed(7, 9), billed(15, days=HALF)]}, ERROR, "(rate 15) is on no basis for 16 days from 2026"),
        ({"covers": [billed(7, 9), billed(15, days=(0, 30))]}, ERROR, "(rate 15) is on no basis for 1 days from 2026"),
        # nothing at all, on all days and on some
        ({"covers": []}, ERROR, "31 days from 2026-03-01 are on no basis"),
        ({"covers": [billed(7, 9, 15, days=HALF)]}, ERROR, "16 days from 2026-03-16 are on no basis"),
        ({"covers": [], "omitted": [{"supply_point": 1, "run": 77}]}, ERROR, "a settlement left the point out"),
        # reserved capacity is due where it is agreed and the point is not exempt
        ({"capacities": [YEAR_CAPACITY]}, ERROR, "(rate 6) is on no basis for 31 days"),
        ({"capacities": [{**YEAR_CAPACITY, "days": REST}]}, ERROR, "(rate 6) is on no basis for 16 days"),
        ({"capacities": [YEAR_CAPACITY], "covers": [billed(6, 7, 9, 15)]}, OK, "31 days, 4 components"),
        ({"capacities": [YEAR_CAPACITY], "conditions": [EXEMPT]}, OK, "reserved capacity: exempt"),
        ({"conditions": [SINGLE], "covers": [billed(9, 15, 26)]}, OK, "single-component price chosen"),
        ({"conditions": [SINGLE]}, ERROR, "(rate 26) is on no basis"),
        # low voltage by rate
        ({**LOW_SINGLE, "covers": [billed(9, 12, 13, 15)]}, OK, "4 components"),
        ({**LOW_DOUBLE, "covers": [billed(9, 12, 13, 15)]}, ERROR, "(rate 14)"),
        # supply by an own list, and by another supplier
        ({"price_lists": [LIST]}, ERROR, "(rate 1) is on no basis for 31 days"),
        ({"price_lists": [LIST], "covers": [billed(1, 2, 7, 9, 15)]}, OK, "is 0."),
        ({}, OK, "supply by another supplier"),
        # services
        ({"services": [SERVICE], "others": [SERVICE]}, OK, "3 components"),
        ({"services": [SERVICE], "others": [{**SERVICE, "days": HALF}]}, ERROR, "rate 3001 is on no basis for 16 days"),
        ({"services": [SERVICE], "others": [{**SERVICE, "rate": 3002}]}, ERROR, "rate 3001 is on no basis for 31 days"),
        # payer and supplier
        ({"terms": []}, ERROR, "has no payer for 31 days from 2026-03-01"),
        ({"terms": [{**TERMS, "days": (0, 30)}]}, ERROR, "has no payer for 1 days from 2026-03-31"),
        (FRAMEWORK, OK, "3 components"),
        ({**FRAMEWORK, "points": [{**POINT, "supplier": None}]}, ERROR, "Combined services without a supplier: for 31"),
        ({**FRAMEWORK, "points": [{**POINT, "supplier": 8}]}, ERROR, "Combined services without a supplier"),
        ({"points": [{**POINT, "supplier": None}]}, WARNING, "Take-off without supplier"),
        ({"points": [{**POINT, "supplier": None}]}, OK, "Not billed: zákonná cena je 0 / the legal price is 0."),
        ({"points": [{**POINT, "supplier": None}], "items": [{**ITEM, "purchase": 1}]}, OK, "3 components"),
        ({"points": [{**POINT, "supplier": None}], **SOLD}, OK, "5 components"),
        ({**SOLD_BY_HALF, "points": [{**POINT, "supplier": None}]}, WARNING, "for 16 days from 2026-03-16"),
        # contracts
        ({"items": []}, INFO, "31 days from 2026-03-01 without a contract item, no take-off measured"),
        (took(0, 0), INFO, "no take-off measured"),
        (took(4, None), ERROR, "take-off by the profile 4"),
        (took(None, 17), ERROR, "rise of a state 17"),
        # named reasons
        ({"points": [{**POINT, "suspended": 1}], "covers": []}, INFO, "Suspended: 31 days"),
        ({"points": [{**POINT, "suspended": 1}]}, OK, "3 components"),
        ({"terms": [{**TERMS, "months": 3}], "covers": []}, ERROR, "31 days from 2026-03-01 are on no basis"),
        ({"terms": [{**TERMS, "months": 6}], "covers": []}, INFO, "are billed only after 2026-07-01"),
        ({"terms": [{**TERMS, "months": 12}], "covers": []}, INFO, "are billed only after 2027-01-01"),
        ({"terms": [{**TERMS, "months": 12, "ends": date(2026, 4, 1)}], "covers": []}, ERROR, "are on no basis"),
        ({"terms": [{**TERMS, "months": 12, "ends": date(2026, 5, 1)}], "covers": []}, INFO, "only after 2026-05-01"),
        # without a package, or of a rate that it does not know, some basis is due all the same
        ({"items": [{**ITEM, "prices": 1}], "covers": []}, ERROR, "are on no basis"),
        ({"items": [{**ITEM, "prices": 1}], "covers": [billed(7)]}, OK, "31 days, 0 components"),
    ],
)  # fmt: skip
def test_a_month_of_a_point(given: dict[str, Any], result: Result, words: str) -> None:
    compared = replace(month(**given), lists=("CEZ", "XXX"))
    results = {each.result for each in found(compared)}
    assert any(each == result and words in text for each, text in said(compared)), said(compared)
    assert (ERROR in results) == (result is ERROR)
    assert (OK in results) == (result in (OK, WARNING))


def part(**told: str) -> dict[str, Any]:
    """A settled part of the point: what was measured and agreed."""
    names = dict.fromkeys((*QUANTITIES, *AGREED))
    return {"input": 51, "supply_point": 1, **names, **{name: Decimal(value) for name, value in told.items()}}


TAKEN, OUTPUT, ENTERED = "max_quarter_hour_kw", "max_quarter_hour_output_kw", "max_quarter_hour_without_exempt_kw"
YEARLY, MONTHLY, INPUT = "reserved_capacity_year_kw", "reserved_capacity_month_kw", "reserved_input_kw"
CAPACITY = {"capacities": [YEAR_CAPACITY], "covers": [billed(6, 7, 9, 15)]}


@pytest.mark.parametrize(
    ("given", "measured", "rates"),
    [
        (CAPACITY, {TAKEN: "101", YEARLY: "100"}, [17]),
        (CAPACITY, {TAKEN: "100.999999", YEARLY: "100"}, []),
        (CAPACITY, {TAKEN: "100", YEARLY: "100"}, []),
        (CAPACITY, {TAKEN: "121", YEARLY: "100", MONTHLY: "20"}, [17]),
        (CAPACITY, {TAKEN: "120", YEARLY: "100", MONTHLY: "20"}, []),
        (CAPACITY, {TAKEN: "5"}, [17]),  # nothing is reserved: all of it is beyond
        (CAPACITY, {TAKEN: "210", YEARLY: "210", INPUT: "200"}, [27]),
        (CAPACITY, {TAKEN: "210", YEARLY: "200", INPUT: "200"}, [17, 27]),
        (CAPACITY, {TAKEN: "210", YEARLY: "210"}, []),  # no input is reserved, and that is not from zero
        (CAPACITY, {OUTPUT: "30", "reserved_output_kw": "20"}, [2001]),
        (CAPACITY, {OUTPUT: "20", "reserved_output_kw": "20"}, []),
        (CAPACITY, {"reactive_delivery_mvarh": "0.001"}, [10]),
        (CAPACITY, {"reactive_delivery_mvarh": "0.000999"}, []),
        (CAPACITY, {}, []),
        # billed it is on some basis of the month
        ({**CAPACITY, "covers": [billed(6, 7, 9, 15), billed(17, days=(9, 10))]}, {TAKEN: "300", YEARLY: "100"}, []),
        # of the two excesses taken the dearer one is billed
        ({**CAPACITY, "covers": [billed(6, 7, 9, 15), billed(27)]}, {TAKEN: "210", YEARLY: "200", INPUT: "200"}, []),
        ({**CAPACITY, "covers": [billed(6, 7, 9, 15), billed(17)]}, {TAKEN: "210", YEARLY: "200", INPUT: "200"}, []),
        # exempt, single-component: no excess of capacity; low voltage: none of input
        ({**CAPACITY, "conditions": [EXEMPT]}, {TAKEN: "300", YEARLY: "100"}, []),
        ({"conditions": [SINGLE], "covers": [billed(9, 15, 26)]}, {TAKEN: "300", YEARLY: "100"}, []),
        ({**LOW_SINGLE, "covers": [billed(9, 12, 13, 15)]}, {TAKEN: "300", INPUT: "100"}, []),
        # nothing is billed at all, or it is not to be yet: that is said, and this not
        ({"covers": []}, {TAKEN: "300", YEARLY: "100"}, []),
        ({"terms": [{**TERMS, "months": 12}], "covers": []}, {TAKEN: "300", YEARLY: "100"}, []),
    ],
)
def test_what_happened_is_due(given: dict[str, Any], measured: dict[str, str], rates: list[int]) -> None:
    told_ = [each.text.en for each in found(month(**given, parts=[part(**measured)])) if "was measured" in each.text.en]
    assert [int(text.split("(rate ")[1].split(")")[0]) for text in told_] == rates


def test_an_entry_is_measured_without_exempt_points_where_that_is_known() -> None:
    entry = {"points": [{**POINT}], "items": [{**ITEM, "purchase": 1}], **CAPACITY}
    june = {"packages": packages()[:1], "start": date(2026, 6, 1)}

    def said_of(**measured: str) -> list[str]:
        return [each.text.en for each in found(replace(month(**entry, parts=[part(**measured)]), **june))]

    assert not any("was measured" in text for text in said_of(**{TAKEN: "300", ENTERED: "100", YEARLY: "100"}))
    (text,) = [text for text in said_of(**{TAKEN: "300", ENTERED: "150", YEARLY: "100"}) if "was measured" in text]
    assert "from 2026-06-01 150 was measured, 100 is agreed" in text


def test_the_part_most_beyond_is_told_once() -> None:
    parts = [
        part(**{TAKEN: "110", YEARLY: "100"}) | {"days": HALF},
        part(**{TAKEN: "150", YEARLY: "100"}) | {"days": REST, "input": 52},
    ]
    (only,) = [each for each in found(month(**CAPACITY, parts=parts)) if each.result is ERROR]
    assert "from 2026-03-16 150 was measured, 100 is agreed" in only.text.en
    assert ("input", "settlement_input", 52) in only.links


def test_before_anything_is_reserved_in_the_month_nothing_is_beyond() -> None:
    parts = [part(**{TAKEN: "50"}) | {"days": HALF}, part(**{TAKEN: "40", YEARLY: "60"}) | {"days": REST, "input": 52}]
    assert not [each for each in found(month(**CAPACITY, parts=parts)) if each.result is ERROR]


def test_a_month_that_is_not_over_is_billed_later() -> None:
    early = replace(month(covers=[]), today=30)
    assert said(early)[-1] == (INFO, "31 days from 2026-03-01 are billed only after 2026-04-01.")


def test_a_part_without_contract_stands_beside_what_is_whole() -> None:
    compared = month(
        items=[{**ITEM, "days": HALF}], covers=[billed(7, 9, 15, days=HALF)],
        taken=[{"supply_point": 1, "first": 15, "days": 3, "rise": None}],
    )  # fmt: skip
    (only,) = found(compared)
    assert (only.result, only.text.en.split(";")[0]) == (
        ERROR, "Take-off without contract: 16 days from 2026-03-16 without a contract item",
    )  # fmt: skip
    whole, rest = found(replace(compared, taken=month().taken))
    assert (whole.result, rest.result) == (OK, INFO)
    assert whole.text.en.startswith("15 days, 3 components")


def test_two_bases_for_the_same_days_are_named() -> None:
    lines = [
        {"basis": 101, "supply_point": 1, "rate": 9, "days": MARCH},
        {"basis": 102, "supply_point": 1, "rate": 9, "days": (20, 31)},
        {"basis": 103, "supply_point": 1, "rate": 7, "days": HALF},
        {"basis": 104, "supply_point": 1, "rate": 7, "days": REST},
        {"basis": 105, "supply_point": 2, "rate": 9, "days": MARCH},
    ]
    plain = [{"draft": 0, "component": 1, "by_hand": 0, **line} for line in lines]
    (twice,) = found(month(lines=plain))
    for draft in (0, 1):
        one = [line | {"draft": int(place == draft)} for place, line in enumerate(plain)]
        assert [each.result for each in found(month(lines=one))] == [WARNING]
    assert twice.result is ERROR
    assert "rate 9 (rate 9) is on two bases for 11 days from 2026-03-21" in twice.text.en
    assert [(kind, number) for _, kind, number in twice.links] == [
        ("supply_point", 1), ("billing_basis", 101), ("billing_basis", 102),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("other", "channels", "expected"),
    [
        ({}, ((6,), (6,)), True),
        ({}, ((6, 7), (7,)), True),
        ({}, ((6,), ()), True),
        ({}, ((6,), (7,)), False),
        ({"component": 2}, ((6,), (6,)), False),
        ({"component": 2, "by_hand": 1}, ((6,), ()), True),
        ({"component": 2, "by_hand": 1}, ((6,), (7,)), True),
    ],
)
def test_bases_of_different_meters_or_components_are_not_two_of_one(
    other: dict[str, Any], channels: tuple[tuple[int, ...], tuple[int, ...]], expected: bool
) -> None:
    line = {"supply_point": 1, "rate": 9, "component": 1, "by_hand": 0, "draft": 0}
    measured = [{"basis": 101 + place, "channel": each} for place, one in enumerate(channels) for each in one]
    compared = month(lines=[{"basis": 101, **line}, {"basis": 102, **line, **other}], measured=measured)
    assert [each.result for each in found(compared)] == [ERROR if expected else OK]


def test_errors_stand_on_the_row_of_the_contract() -> None:
    rows = [{"contract": 21, "calendar_row": 31}, {"contract": 22, "calendar_row": 32}]
    parts = CHECK.verdict(bases(), month(covers=[billed(7)], rows=rows), {})
    on_rows = [part for part in parts if part.about is Subject.CALENDAR_ROW]
    assert [(part.group, part.subjects.tolist()) for part in on_rows] == [("regular", [31]), ("regular", [31])]
    assert not [part for part in CHECK.verdict(bases(), month(rows=rows), {}) if part.about is Subject.CALENDAR_ROW]
    bare = month(items=[], rows=rows, taken=[{"supply_point": 1, "first": 0, "days": 4, "rise": None}])
    assert sum(len(part) for part in CHECK.verdict(bases(), bare, {}) if part.about is Subject.CALENDAR_ROW) == 0


def test_gas() -> None:
    operator = next(iter(packages()[1].file.operators))
    start = date(2015, 3, 1)
    compared = month(
        points=[{**POINT, "commodity": 1, "level": None}], items=[{**ITEM, "annual": 5_000_000}],
        covers=[billed(1001)],
    )  # fmt: skip
    (lacking,) = found(replace(compared, start=start, packages=(packages()[1],), lists=(operator,)))
    assert lacking.result is ERROR
    assert "(rate 1002) is on no basis for 31 days from 2015-03-01" in lacking.text.en


def test_an_empty_month() -> None:
    assert found(month(points=[], items=[], terms=[], covers=[])) == []


def test_points_whose_bases_must_be_looked_at_line_by_line() -> None:
    covers = month(
        covers=[
            {**billed(7, 9, point=1), "lines": 3},
            billed(7, days=(0, 20), point=2), billed(9, days=(19, 31), point=2),
            billed(7, days=HALF, point=3), billed(7, days=REST, point=3),
            billed(4711, point=4) | {"lines": 0},
        ]
    ).covers  # fmt: skip
    assert doubtful(covers).tolist() == [1, 2]
    assert doubtful(Frame({name: column[:0] for name, column in covers.columns.items()})).tolist() == []


@pytest.mark.parametrize(("months", "days"), [(1, 31), (3, 31), (6, 122), (12, 306)])
def test_when_a_statement_ends(months: int, days: int) -> None:
    assert statement_ends(START, months) == days
