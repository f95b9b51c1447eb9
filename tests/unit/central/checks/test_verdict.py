"""The order of results, how they are shown, and the groups of bases."""

import pytest

from central.checks.verdict import COLOURS, CZECH, GROUPS, TAKING_BACK, Result, worst_of


def test_worst_of_and_its_order() -> None:
    order = [Result.NONE, Result.INFO, Result.OK, Result.WARNING, Result.ERROR_CANCELLED, Result.ERROR]
    assert sorted(Result) == order
    assert worst_of([Result.OK, Result.ERROR_CANCELLED, Result.WARNING]) is Result.ERROR_CANCELLED
    assert worst_of([Result.ERROR_CANCELLED, Result.ERROR]) is Result.ERROR
    assert worst_of([]) is Result.NONE
    assert set(CZECH) == set(COLOURS) == set(Result)


def test_each_statement_type_belongs_to_one_group() -> None:
    types = [statement for group in GROUPS.values() for statement in group]
    assert len(types) == len(set(types)) == 15
    assert {name: set(kinds) for name, kinds in GROUPS.items()} == {
        "regular": {0, 7, 8, 2, 12, 9},
        "accrual": {4, 11, 16},
        "annual": {5, 6, 10, 14, 13, 15},
    }


def test_what_takes_back_is_every_storno_and_both_negative_settlements() -> None:
    assert TAKING_BACK == [5, 7, 12, 13, 14, 15, 16]


@pytest.mark.parametrize(
    ("result", "czech", "colour"),
    [
        (Result.NONE, "(není)", "black"),
        (Result.INFO, "informace", "blue"),
        (Result.OK, "OK", "green"),
        (Result.WARNING, "varování", "orange"),
        (Result.ERROR, "chyba", "red"),
        (Result.ERROR_CANCELLED, "chyba (zrušeno uživatelem)", "pink"),
    ],
)
def test_every_result_has_its_word_and_its_colour(result: Result, czech: str, colour: str) -> None:
    assert (CZECH[result], COLOURS[result]) == (czech, colour)
