"""Cells: what is not known and what is zero are kept apart, sums follow what the report says, overrides stay."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from central.platform.errors import BadInput
from central.workflow.reports import cells as rules
from central.workflow.reports.cells import Cell, Found, Override
from central.workflow.reports.definition import Column, Definition, Row, Shipped, Source, Sum, check, shipped
from central.workflow.reports.sources import SOURCES

D = Decimal
NOW = datetime(2026, 4, 2, 9, tzinfo=UTC)


def row(code: str, **said: Any) -> Row:
    return Row(code=code, name_cs=code, name_en=code, mark="assumed", **said)


FORM = Shipped(
    Definition(
        code="test",
        version=1,
        title_cs="Zkušební",
        title_en="Test",
        recipient="-",
        period="month",
        first_period=date(2026, 1, 1),
        fills="test",
        source=Source("test", "assumed"),
        columns=[
            Column(code="energy", name_cs="e", name_en="e", unit="MWh", places=3),
            Column(code="points", name_cs="p", name_en="p", unit="1", places=0),
        ],
        rows=[
            row("in", source="came"),
            row("none", source="absent", nothing="zero"),
            row("lost", source="gone", required=False, columns=["energy"]),
            row("fixed", given="0"),
            row("typed"),
            row("total", sum=Sum(plus=["in", "none"], minus=["lost"]), signed=True),
        ],
    ),
    "0" * 64,
)
CAME = {("came", "energy"): Found(D("1.2345"), "meters"), ("came", "points"): Found(D(2), "points")}


def values(cells: Mapping[rules.Key, Cell], column: str = "energy") -> dict[str, Decimal | None]:
    return {code: cell.value for (code, each), cell in cells.items() if each == column}


def said(value: Decimal | None) -> Override:
    return Override(value, "Jana", NOW, "z faktury")


@pytest.mark.parametrize(
    ("found", "energy"),
    [
        # nothing at all was found: "none" takes that for zero, "in" does not
        ({}, {"in": None, "none": D(0), "lost": None, "fixed": D(0), "typed": None, "total": None}),
        # found and zero
        (
            {("came", "energy"): Found(D(0), ""), ("gone", "energy"): Found(D(0), "")},
            {"in": D(0), "none": D(0), "lost": D(0), "fixed": D(0), "typed": None, "total": D(0)},
        ),
        # found, and a value of it is missing: not known, although nothing would have been zero
        (
            {("absent", "energy"): Found(None, "a meter is silent"), ("came", "energy"): Found(D(1), "")},
            {"in": D(1), "none": None, "lost": None, "fixed": D(0), "typed": None, "total": None},
        ),
        # rounded half up once: 1.2345 -> 1.235; 1.235 + 0 - 2.001 = -0.766 of rounded rows
        (
            {**CAME, ("gone", "energy"): Found(D("2.0005"), "")},
            {"in": D("1.235"), "none": D(0), "lost": D("2.001"), "fixed": D(0), "typed": None, "total": D("-0.766")},
        ),
    ],
)
def test_what_was_found_becomes_values(found: dict[rules.Key, Found], energy: dict[str, Decimal | None]) -> None:
    filled = rules.fill(FORM, rules.empty(FORM), found)
    assert values(filled) == energy
    # the row "lost" does not have the column: the sum is of those that do
    assert set(values(filled, "points")) == {"in", "none", "fixed", "typed", "total"}
    assert filled["total", "points"].value == filled["in", "points"].value


def test_a_sum_says_what_is_not_known() -> None:
    filled = rules.fill(FORM, rules.empty(FORM), CAME)
    assert filled["total", "energy"].text == "not known, for of the rows in + none - lost these are not: lost"
    assert filled["in", "energy"].text == "meters"
    assert filled["none", "energy"].text == "nothing was found, which the definition takes for zero"


def test_an_override_stays_over_every_fill_and_sums_follow_it() -> None:
    cells = rules.fill(FORM, rules.empty(FORM), {**CAME, ("gone", "energy"): Found(D(0), "")})
    typed = rules.summed(FORM, {**cells, ("in", "energy"): replace(cells["in", "energy"], override=said(D(5)))})
    assert (typed["in", "energy"].value, typed["in", "energy"].filled, typed["total", "energy"].value) == (
        D(5),
        D("1.235"),
        D(5),
    )
    again = rules.fill(FORM, typed, {("came", "energy"): Found(D(7), "")})
    assert (again["in", "energy"].value, again["in", "energy"].filled) == (D(5), D(7))
    assert {(each.row, each.before, each.after) for each in rules.differences(typed, again)} == {
        ("in", D("1.235"), D(7)),
        ("in", D(2), None),
        ("total", D(2), None),
        ("lost", D(0), None),
        ("total", D(5), None),
    }


def test_a_person_may_say_that_something_is_not_known_which_is_not_empty() -> None:
    cells = rules.fill(FORM, rules.empty(FORM), {("gone", "energy"): Found(D(0), "")})
    assert rules.lacking(FORM, cells) == [
        ("in", "energy"), ("in", "points"), ("typed", "energy"), ("typed", "points"), ("total", "energy"),
        ("total", "points"),
    ]  # fmt: skip
    for key in rules.lacking(FORM, cells):
        cells[key] = replace(cells[key], override=said(None))
    assert rules.lacking(FORM, cells) == []
    assert cells["in", "energy"].value is None


@pytest.mark.parametrize(
    ("code", "column", "value", "sentence"),
    [
        ("in", "energy", D("1.234"), None),
        ("in", "energy", D("1.2340"), None),
        ("in", "energy", D("1.2345"), "has 4 decimal places, expected at most 3"),
        ("in", "points", D("0.5"), "has 1 decimal places, expected at most 0"),
        ("in", "energy", D(-1), "is -1, expected 0 or more"),
        ("total", "energy", D(-1), None),
        ("total", "energy", D("1e15"), "at most 15 digits"),
        ("total", "energy", D("-1e400"), "at most 15 digits"),
        ("in", "energy", D("1e-400"), "has 400 decimal places"),
        ("in", "energy", D("NaN"), "must be a number"),
        ("in", "energy", D("Infinity"), "must be a number"),
        ("in", "energy", None, None),
    ],
)
def test_what_may_be_typed_in(code: str, column: str, value: Decimal | None, sentence: str | None) -> None:
    form = rules.require_form(FORM, code, column)
    if sentence is None:
        rules.check_value(form, value)
        assert form.row.code == code
    else:
        with pytest.raises(BadInput, match=sentence):
            rules.check_value(form, value)


def test_a_cell_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(BadInput, match="has no cell 'lost', 'points'; its rows are in, none, lost") as refused:
        rules.require_form(FORM, "lost", "points")
    assert refused.value.status == 422


AMOUNT = st.decimals(min_value=0, max_value=10**9, places=5)


@given(
    st.dictionaries(st.sampled_from(["came", "absent", "gone"]), st.none() | AMOUNT),
    st.dictionaries(st.sampled_from(["came", "absent", "gone"]), st.none() | AMOUNT),
    st.dictionaries(st.sampled_from(["in", "none", "lost", "typed", "total"]), st.none() | AMOUNT),
)
def test_no_fill_loses_an_override_and_the_sum_is_that_of_its_rows(
    first: dict[str, Decimal | None], second: dict[str, Decimal | None], typed: dict[str, Decimal | None]
) -> None:
    cells = rules.empty(FORM)
    cells.update({(code, "energy"): replace(cells[code, "energy"], override=said(v)) for code, v in typed.items()})
    for each in (first, second):
        cells = rules.fill(FORM, cells, {(key, "energy"): Found(value, "") for key, value in each.items()})
        assert {code: cells[code, "energy"].value for code in typed} == typed
        parts = [cells[code, "energy"].value for code in ("in", "none", "lost")]
        filled = cells["total", "energy"].filled
        if None in parts:
            assert filled is None
        else:
            exact = parts[0] + parts[1] - parts[2]  # type: ignore[operator]  # none of them is None here
            assert filled is not None
            # rows typed in with more places than the sum has: it is rounded once
            assert abs(filled - exact) <= D("0.0005")


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([row("a"), row("a")], "stands twice"),
        ([row("a", source="x", given="0")], "more than one source"),
        ([row("a", columns=["z"])], "column that is not there"),
        ([row("t", sum=Sum(plus=["a"])), row("a")], "rows that do not stand before it"),
    ],
)
def test_a_definition_that_contradicts_itself_is_refused(rows: list[Row], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check(structs.replace(FORM.definition, rows=rows))


def test_shipped_definitions_can_be_read_and_have_sources() -> None:
    found = {code: each.definition for (code, _), each in shipped().items()}
    assert set(found) == {"continuity", "lds_consumption", "tariff_statistics"}
    assert {each.fills for each in found.values()} == set(SOURCES)
    assert all(each.assumptions and each.source.text for each in found.values())
    # what OTE's form has as row 11 is documented, the other rows are not
    assert [row.code for row in found["lds_consumption"].rows if row.mark == "documented"] == ["11"]
