"""What approved runs hold of a month, as pricing takes it: pinned parts, and lines on days that are not its own."""

from datetime import date
from decimal import Decimal

from central.settlement.beside import Billed, Held, Settled, beside_of
from central.settlement.cuts import Held as Since
from central.settlement.spans import facts_of
from tests.unit.central.settlement.test_facts import BOOKS, END, FIRST, TENTH, record

FIFTH = date(2026, 3, 5)
PINNED = {
    "energy_mwh": "30",
    "max_quarter_hour_kw": "320",
    "max_quarter_hour_at": "2026-03-06T08:00:00+00:00",
    "parts": [
        {"from": "2026-03-01", "to": "2026-03-05", "energy_mwh": "10", "max_quarter_hour_kw": "310"},
        {"from": "2026-03-05", "to": "2026-03-11", "energy_mwh": "20", "max_quarter_hour_kw": "320"},
    ],
}


def test_pinned_parts_and_billed_lines_of_days_that_others_hold() -> None:
    found = facts_of(record(settled={5: [Since(FIRST, TENTH, "approved")]}), FIRST, END, BOOKS)
    assert found is not None
    older = Settled(5, FIRST, TENTH, {"energy_mwh": "31", "max_quarter_hour_kw": "999"})
    lines = [
        Billed("excess", FIRST, TENTH, Decimal(20), Decimal("8454.69")),
        Billed("excess", FIRST, TENTH, Decimal(-20), Decimal("-8454.69")),
        Billed("excess", FIRST, TENTH, Decimal(25), Decimal("10568.36")),
        Billed("excess", TENTH, END, Decimal(7), Decimal("1.00")),  # of the days that are settled
    ]
    held = Held([Settled(5, FIRST, TENTH, PINNED), older, Settled(9, FIRST, TENTH, PINNED)], lines)
    beside = beside_of(found, held)
    assert [(part.first, part.end, part.item, part.settled) for part in beside.parts] == [
        (FIRST, FIFTH, 5, True),
        (FIFTH, TENTH, 5, True),
    ]
    assert [dict(part.measured) for part in beside.parts] == [
        {"energy_mwh": Decimal(10), "max_quarter_hour_kw": Decimal(310)},
        {"energy_mwh": Decimal(20), "max_quarter_hour_kw": Decimal(320)},
    ]
    assert beside.billed == {("excess", FIRST): (Decimal(25), Decimal("10568.36"))}


def test_an_input_of_one_part_is_pinned_whole() -> None:
    found = facts_of(record(settled={5: [Since(TENTH, END, "approved")]}), FIRST, TENTH, BOOKS)
    assert found is not None
    beside = beside_of(found, Held([Settled(5, TENTH, END, {"max_quarter_hour_kw": "350.5"})]))
    (part,) = beside.parts
    assert (part.first, part.end, part.measured) == (TENTH, END, {"max_quarter_hour_kw": Decimal("350.5")})
    assert part.point.operator == "CEZ"
