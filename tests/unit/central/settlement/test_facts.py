"""The parts that a point's period falls into, and who pays in each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.books import BookInForce
from central.settlement.cuts import Held
from central.settlement.document import tenure_document
from central.settlement.facts import ContractItem, ContractTerms, Named, PointFacts, PointRecord, PointVersion
from central.settlement.spans import facts_of
from central.workflow.settle_month import in_force
from shared.quantities import Commodity
from tests.unit.central.settlement.packages import ELECTRICITY, changed

FIRST, TENTH, END = date(2026, 3, 1), date(2026, 3, 11), date(2026, 4, 1)
BOOKS = [BookInForce(ELECTRICITY, Commodity.ELECTRICITY, frozenset(ELECTRICITY.file.operators))]
OPERATOR, ONE, TWO = Named(1, "LDS"), Named(2, "A"), Named(3, "B")
VERSION = PointVersion("Byt", "A", ("Dlouhá 1", "602 00", "Brno"), "NN", "C2", "household", None, OPERATOR, None,
                       "connected")  # fmt: skip
ITEM = ContractItem(5, 7, "S/1", "distribution", None, None, "CEZ", "D02d", 3, 25, None, None, None)
TERMS = {7: [Held(None, None, ContractTerms(ONE, ONE))]}
ALWAYS = Held(None, None, VERSION)


def both(before: Any, after: Any, on: date = TENTH) -> list[Held[Any]]:
    """One fact until a day and another from it on."""
    return [Held(None, on, before), Held(on, None, after)]


def record(**given: Any) -> PointRecord:
    plain: dict[str, Any] = {
        "id": 1,
        "ean": "859182400941700026",
        "commodity": Commodity.ELECTRICITY,
        "versions": [ALWAYS],
        "items": [Held(None, None, ITEM)],
        "terms": TERMS,
        "agreed": {},
        "channels": (),
    }
    return PointRecord(**{**plain, **given})


def parts(found: PointFacts | None) -> list[tuple[date, date]]:
    assert found is not None
    assert found.problem is None, found.problem
    return [(span.first, span.end) for span in found.spans]


def framework(number: int, party: Named) -> tuple[ContractItem, Mapping[int, Sequence[Held[ContractTerms]]]]:
    item = replace(ITEM, id=number, contract=number, contract_number=f"R/{number}", contract_kind="framework")
    return item, {number: [Held(None, None, ContractTerms(party, party))]}


SOLD_BY_ONE, ONE_TERMS = framework(8, ONE)
SOLD_BY_TWO, TWO_TERMS = framework(9, TWO)
OTHER = {9: [Held(None, None, ContractTerms(TWO, TWO))]}


@pytest.mark.parametrize(
    ("given", "tenures"),
    [
        ({}, 1),
        ({"items": both(ITEM, replace(ITEM, id=6, rate="D25d"))}, 2),
        ({"items": both(ITEM, replace(ITEM, id=6, breaker_amps=32))}, 2),
        ({"items": both(ITEM, replace(ITEM, id=6, prices="EGD"))}, 2),
        ({"items": both(ITEM, replace(ITEM, id=6, contract=9)), "terms": {**TERMS, **OTHER}}, 2),
        ({"terms": {7: both(ContractTerms(ONE, ONE), ContractTerms(TWO, TWO))}}, 2),
        ({"terms": {7: both(ContractTerms(ONE, ONE), ContractTerms(ONE, TWO))}}, 2),
        ({"versions": both(VERSION, replace(VERSION, level="VN"))}, 1),
        ({"versions": both(VERSION, replace(VERSION, metering_type="B"))}, 1),
        ({"agreed": {"reserved_capacity_year_kw": both(Decimal(100), Decimal(200))}}, 1),
        ({"agreed": {"reserved_output_kw": [Held(TENTH, None, Decimal(50))]}}, 1),
        (
            {
                "items": both(SOLD_BY_ONE, SOLD_BY_TWO),
                "terms": {**ONE_TERMS, **TWO_TERMS},
                "versions": both(replace(VERSION, supplier=ONE), replace(VERSION, supplier=TWO)),
            },
            2,
        ),
    ],
    ids=["nothing", "rate", "breaker", "price list", "contract", "customer", "payer", "level", "metering type",
         "reserved capacity", "reserved output", "supplier"],
)  # fmt: skip
def test_the_month_is_cut_where_it_changes(given: dict[str, Any], tenures: int) -> None:
    found = facts_of(record(**given), FIRST, END, BOOKS)
    assert parts(found) == ([(FIRST, TENTH), (TENTH, END)] if given else [(FIRST, END)])
    assert found is not None
    assert len(found.tenures()) == tenures


@pytest.mark.parametrize(
    "given",
    [
        {"versions": both(VERSION, replace(VERSION, name="Byt 2"))},
        {"versions": both(VERSION, replace(VERSION, supplier=TWO))},
        {"versions": both(VERSION, replace(VERSION, state="suspended"))},
    ],
    ids=["name", "supplier of one who pays for the network himself", "suspended"],
)
def test_what_decides_no_price_cuts_nothing(given: dict[str, Any]) -> None:
    found = facts_of(record(**given), FIRST, END, BOOKS)
    assert parts(found) == [(FIRST, END)]
    assert found is not None
    (tenure,) = found.tenures()
    newest = given["versions"][1].fact
    assert tenure_document(found, tenure)["supply_point"]["name"] == newest.name


def test_a_price_that_changes_cuts_and_each_part_has_its_book() -> None:
    @dataclass(frozen=True)
    class Book:
        name: str
        valid: tuple[date, date]

    old, new = Book("old", (date(2025, 1, 1), TENTH)), Book("new", (TENTH, date(2027, 1, 1)))
    books = [BookInForce(book, Commodity.ELECTRICITY, frozenset({"CEZ"})) for book in (old, new)]  # type: ignore[arg-type]  # only these are asked
    found = facts_of(record(), FIRST, END, books)
    assert parts(found) == [(FIRST, TENTH), (TENTH, END)]
    assert found is not None
    assert [span.book.name for span in found.spans] == ["old", "new"]
    inside = [replace(books[0], book=ELECTRICITY, borders=(TENTH,))]
    assert parts(facts_of(record(), FIRST, END, inside)) == [(FIRST, TENTH), (TENTH, END)]


def test_steps_that_begin_to_hold_within_the_month_cut_it() -> None:
    def zoned(content: dict[str, Any]) -> None:
        rows = [["0.328", "1.5"]]
        steps = {
            "component": "zones",
            "unit": "%",
            "of": "tg_phi",
            "source": "product",
            "mark": "assumed",
            "rows": rows,
        }
        content["steps"] = [{**steps, "valid": ["2026-03-11", "2027-01-01"]}]

    book = in_force(changed(zoned))
    assert parts(facts_of(record(), FIRST, END, [book])) == [(FIRST, TENTH), (TENTH, END)]


def test_only_high_voltage_is_cut_at_the_borders_of_months() -> None:
    first, end = date(2026, 1, 15), date(2026, 4, 1)
    high = record(versions=[Held(None, None, replace(VERSION, level="VN"))])
    assert parts(facts_of(record(), first, end, BOOKS)) == [(first, end)]
    months = [first, date(2026, 2, 1), FIRST, end]
    assert parts(facts_of(high, first, end, BOOKS)) == list(pairwise(months))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("connected", "ended", [(FIRST, TENTH)]),
        ("requested", "connected", [(TENTH, END)]),
        ("requested", "ended", []),
    ],
)
def test_a_point_is_settled_while_it_is_supplied(before: str, after: str, expected: list[tuple[date, date]]) -> None:
    states = both(replace(VERSION, state=before), replace(VERSION, state=after))
    found = facts_of(record(versions=states), FIRST, END, BOOKS)
    assert ([] if found is None else parts(found)) == expected


def test_days_without_a_contract_are_told_and_no_contract_at_all_leaves_the_point_out() -> None:
    found = facts_of(record(items=[Held(TENTH, None, ITEM)]), FIRST, END, BOOKS)
    assert parts(found) == [(TENTH, END)]
    assert found is not None
    assert found.uncovered == ((FIRST, TENTH),)
    without = facts_of(record(items=[]), FIRST, END, BOOKS)
    assert without is not None
    assert without.problem is not None
    assert (without.problem.component, without.problem.day) == ("contract", FIRST)


def test_the_supplier_of_the_day_pays_under_a_framework_contract() -> None:
    versions = both(replace(VERSION, supplier=ONE), replace(VERSION, supplier=TWO))
    given = {"items": both(SOLD_BY_ONE, SOLD_BY_TWO), "terms": {**ONE_TERMS, **TWO_TERMS}}
    found = facts_of(record(versions=versions, **given), FIRST, END, BOOKS)
    assert found is not None
    assert [(tenure.first, tenure.last.payer) for tenure in found.tenures()] == [(FIRST, ONE), (TENTH, TWO)]


@pytest.mark.parametrize(("supplier", "named"), [(None, "žádného dodavatele"), (TWO, "dodavatele B")])
def test_another_supplier_than_the_framework_contract_is_with_leaves_the_point_out(
    supplier: Named | None, named: str
) -> None:
    versions = both(replace(VERSION, supplier=ONE), replace(VERSION, supplier=supplier))
    items = [Held(None, None, SOLD_BY_ONE)]
    found = facts_of(record(versions=versions, items=items, terms=ONE_TERMS), FIRST, END, BOOKS)
    assert found is not None
    assert found.problem is not None
    assert (found.problem.component, found.problem.day) == ("supplier", TENTH)
    assert named in found.problem.reason
    assert "R/8" in found.problem.reason


def test_what_approved_runs_hold_is_left_away() -> None:
    settled = {ITEM.id: [Held(FIRST, TENTH, "approved")]}
    found = facts_of(record(settled=settled), FIRST, END, BOOKS)
    assert parts(found) == [(TENTH, END)]
    assert found is not None
    assert found.uncovered == ()
    assert facts_of(record(settled={ITEM.id: [Held(FIRST, END, "approved")]}), FIRST, END, BOOKS) is None


borders = st.lists(st.integers(1, 30), unique=True, max_size=4).map(
    lambda numbers: [FIRST + timedelta(days=number) for number in sorted(numbers)]
)


@given(borders, borders, borders)
def test_parts_tile_the_period_and_tenures_hold_all_of_them(
    items: list[date], capacities: list[date], owners: list[date]
) -> None:
    def timeline(days: list[date], facts: Sequence[Any]) -> list[Held[Any]]:
        bounds = [None, *days, None]
        return [Held(since, until, facts[place]) for place, (since, until) in enumerate(pairwise(bounds))]

    given = record(
        items=timeline(items, [replace(ITEM, id=number) for number in range(5)]),
        agreed={"reserved_capacity_year_kw": timeline(capacities, [Decimal(number) for number in range(5)])},
        terms={7: timeline(owners, [ContractTerms(ONE, ONE), ContractTerms(TWO, TWO)] * 3)},
    )
    found = facts_of(given, FIRST, END, BOOKS)
    cuts = sorted({FIRST, END, *items, *capacities, *owners})
    assert parts(found) == list(pairwise(cuts))
    assert found is not None
    tenures = found.tenures()
    assert [span for tenure in tenures for span in tenure.spans] == list(found.spans)
    assert len(tenures) == len({*items, *owners}) + 1
    for tenure in tenures:
        assert len({(span.item.id, span.owner) for span in tenure.spans}) == 1


SUPPLY = replace(ITEM, id=20, contract=21, contract_number="D/1", contract_kind="supply")
WITH_SUPPLY: dict[str, Any] = {
    "supplies": [Held(None, None, SUPPLY)],
    "terms": {**TERMS, 21: [Held(None, None, ContractTerms(TWO, TWO))]},
}


@pytest.mark.parametrize(
    ("settled", "network", "supply"),
    [
        ({}, [(FIRST, END)], [(FIRST, END)]),
        ({5: [Held(FIRST, END, "approved")]}, [], [(FIRST, END)]),
        ({20: [Held(FIRST, END, "approved")]}, [(FIRST, END)], []),
        ({5: [Held(FIRST, TENTH, "approved")]}, [(TENTH, END)], [(FIRST, END)]),
        ({20: [Held(TENTH, END, "approved")]}, [(FIRST, END)], [(FIRST, TENTH)]),
        ({5: [Held(FIRST, TENTH, "approved")], 20: [Held(TENTH, END, "approved")]}, [(TENTH, END)], [(FIRST, TENTH)]),
    ],
    ids=["nothing", "network", "supply", "network's first days", "supply's last days", "each its own days"],
)
def test_each_contract_of_a_point_has_held_days_of_its_own(
    settled: dict[int, Any], network: list[tuple[date, date]], supply: list[tuple[date, date]]
) -> None:
    found = facts_of(record(**WITH_SUPPLY, settled=settled), FIRST, END, BOOKS)
    assert found is not None
    assert [(tenure.first, tenure.end) for tenure in found.tenures()] == network
    assert [(tenure.first, tenure.end) for tenure in found.supply_tenures()] == supply
    assert {tenure.last.item.contract for tenure in found.supply_tenures()} <= {21}
    assert found.contracts == ({7} if network else set()) | ({21} if supply else set())


def test_both_contracts_settled_leave_nothing() -> None:
    held = [Held(FIRST, END, "approved")]
    assert facts_of(record(**WITH_SUPPLY, settled={5: held, 20: held}), FIRST, END, BOOKS) is None


def test_what_is_settled_of_the_month_stands_beside_the_rest_of_it() -> None:
    settled = {5: [Held(FIRST, TENTH, "approved")]}
    found = facts_of(record(settled=settled), FIRST, END, BOOKS)
    assert parts(found) == [(TENTH, END)]
    assert found is not None
    assert [(span.first, span.end, span.billed) for span in found.beside] == [(FIRST, TENTH, True)]
    assert found.goes_on == frozenset()
    # a run of the rest alone sees the same, though its period does not hold the first days
    alone = facts_of(record(settled=settled), TENTH, END, BOOKS)
    assert alone is not None
    assert (alone.spans, alone.beside) == (found.spans, found.beside)
    # in the first days alone the month goes on; days of other months stand beside nothing
    begun = facts_of(record(), FIRST, TENTH, BOOKS)
    assert begun is not None
    assert (parts(begun), begun.beside, begun.goes_on) == ([(FIRST, TENTH)], (), {FIRST})
    april = facts_of(record(settled=settled), END, date(2026, 5, 1), BOOKS)
    assert april is not None
    assert (april.beside, april.goes_on) == ((), frozenset())
