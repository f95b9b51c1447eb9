"""Which movements of a statement are booked: every real one once, whatever statements bring it, in whatever order."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.invoicing.payments.repeated import Movement, Piece, find_repeated, pieces

DAY = date(2026, 3, 16)
KINDS = (1000, 1000, 2000, -307)
"""Amounts in hellers: few, so that many are equal; no sum of some of them is 0."""


class Book:
    """What booking does with statements: what no earlier one had is booked."""

    def __init__(self) -> None:
        self.known: dict[date, list[Piece]] = {}
        self.real: list[int] = []

    def read(self, form: str, number: str, old: int, ledger: list[tuple[int, date, Movement]]) -> None:
        """`ledger`: the real place of each movement, its day and itself."""
        cut = pieces(form, number, old, [(day, movement) for _, day, movement in ledger])
        for day, piece in cut.items():
            places = [real for real, of, _ in ledger if of == day]
            known = self.known.setdefault(day, [])
            named = {
                place: stored.id
                for place, movement in enumerate(piece.movements)
                for stored in {each.id: each for one in known for each in one.movements}.values()
                if movement.reference is not None
                and (stored.form, stored.reference) == (movement.form, movement.reference)
            }
            found = find_repeated(piece, known, named)
            kept = []
            for place, movement in enumerate(piece.movements):
                if place in found:
                    stored = next(m for one in known for m in one.movements if m.id == found[place])
                else:
                    self.real.append(places[place])
                    stored = replace(movement, id=len(self.real))
                kept.append(stored)
            known.append(replace(piece, movements=tuple(kept)))


def movement(amount: int, form: str = "abo", reference: str | None = None) -> Movement:
    return Movement(0, amount, str(amount).encode(), form, reference)


def read(book: Book, old: int, amounts: list[int], number: str = "1", form: str = "abo") -> int:
    before = len(book.real)
    book.read(form, number, old, [(place, DAY, movement(amount, form)) for place, amount in enumerate(amounts)])
    return len(book.real) - before


@pytest.mark.parametrize(
    ("first", "second", "new"),
    [
        ((0, [1000, 1000]), (0, [1000, 1000]), 0),  # read again
        ((0, [1000]), (0, [1000, 1000]), 1),  # intraday, then final
        ((0, [1000]), (1000, [1000]), 1),  # the day in two pieces
        ((1000, [1000]), (0, [1000]), 1),  # the later piece first
        ((0, [1000, 1000]), (1000, [1000, 1000]), 1),  # pieces that overlap
        ((0, [1000, 2000]), (0, [2000, 1000, 1000]), 1),  # sorted in another way
        ((0, [1000, -1000]), (0, [1000, -1000]), 0),  # a balance that comes back
    ],
)
@pytest.mark.parametrize("form", ["abo", "camt053"])
def test_two_statements_of_a_day(
    first: tuple[int, list[int]], second: tuple[int, list[int]], new: int, form: str
) -> None:
    book = Book()
    assert read(book, *first, number="1") == len(first[1])
    assert read(book, *second, number="2", form=form) == new


def test_one_stored_movement_is_found_once_though_one_of_two_has_a_reference() -> None:
    stored = replace(movement(1000, "abo"), id=7)
    come = Piece(0, (movement(1000, "camt053", "R1"), movement(1000, "camt053")), frozenset({("camt053", "1")}))
    assert list(find_repeated(come, [Piece(0, (stored,), frozenset({("abo", "1")}))], {}).values()) == [7]


def test_two_forms_that_say_different_things_of_one_day_hold_the_same_movements() -> None:
    # only one of both forms has a specific symbol or knows the counter account, so no content is like another
    amounts = (1000, 2000, 1000)
    stored = [replace(movement(amount, "abo"), id=7 + place) for place, amount in enumerate(amounts)]
    known = Piece(500, tuple(stored), frozenset({("abo", "1")}))

    def told(form: str, start: int, of: tuple[int, ...]) -> dict[int, int]:
        come = [replace(movement(amount, form), content=b"said otherwise") for amount in of]
        return find_repeated(Piece(start, tuple(come), frozenset({(form, "2")})), [known], {})

    assert sorted(told("camt053", 500, amounts).values()) == [7, 8, 9]
    assert sorted(told("camt053", 1500, (2000, 1000, 50)).values()) == [8, 9]
    assert told("camt053", 500, (1000, 2500)) == {}
    assert told("abo", 500, amounts) == {}  # one bank says the same of a movement each time


def test_a_sum_that_one_form_tells_in_parts_is_the_same_money() -> None:
    stored = [replace(movement(amount, "abo"), id=7 + place) for place, amount in enumerate((150, 1000, 95))]
    known = Piece(500, tuple(stored), frozenset({("abo", "1")}))

    def told(*amounts: int) -> dict[int, int]:
        come = tuple(movement(amount, "camt053") for amount in amounts)
        return find_repeated(Piece(500, come, frozenset({("camt053", "2")})), [known], {})

    # a batch of 100 and 50, a payment of 100 with a charge of 5; the whole day between the same balances
    assert sorted(told(100, 50, 1000, 100, -5)) == [0, 1, 2, 3, 4]
    assert told(100, 50, 1000, 100, -5)[2] == 8
    assert sorted(told(100, 50)) == [0, 1]
    # another balance at the end: not the same money
    assert told(100, 60) == {}


@settings(max_examples=300)
@given(st.data())
def test_any_sequence_of_statements_books_every_real_movement_once(data: st.DataObject) -> None:
    amounts = data.draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=9), label="amounts")
    second_day = data.draw(st.integers(0, len(amounts)), label="second day from")
    days = [DAY + timedelta(days=int(place >= second_day)) for place in range(len(amounts))]
    referenced = data.draw(st.booleans(), label="references")
    book = Book()
    covered: set[int] = set()
    for turn in range(data.draw(st.integers(1, 6), label="statements")):
        whole = data.draw(st.booleans(), label="whole days in the other form")
        if whole:
            first, last = data.draw(st.sampled_from([(0, second_day), (second_day, len(amounts)), (0, len(amounts))]))
            places = list(range(first, last))
            # another form may sort a day in its own way
            places = sorted(data.draw(st.permutations(places)), key=lambda place: days[place])
        else:
            first = data.draw(st.integers(0, len(amounts) - 1))
            places = list(range(first, data.draw(st.integers(first + 1, len(amounts)))))
        form, number = ("camt053", str(turn)) if whole else ("abo", f"{places[0]}-{places[-1]}" if places else "0")
        ledger = [
            (place, days[place], movement(amounts[place], form, f"{form}{place}" if referenced else None))
            for place in places
        ]
        book.read(form, number, 100_000 + sum(amounts[: min(places, default=0)]), ledger)
        covered |= set(places)

    # Of equal movements of a day it does not matter which one was booked by which statement.
    def told(places: list[int]) -> list[tuple[date, int]]:
        return sorted((days[place], amounts[place]) for place in places)

    assert told(book.real) == told(sorted(covered))


def test_pieces_of_a_day_are_laid_together_before_another_form_goes_on() -> None:
    book = Book()
    read(book, 0, [1000], number="1")
    read(book, 1000, [1000], number="2")
    assert read(book, 2000, [1000], number="9", form="camt053") == 1
