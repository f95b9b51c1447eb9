"""The order of results and the groups of bases."""

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


def test_what_takes_back_is_every_storno_and_both_negative_settlements() -> None:
    assert TAKING_BACK == [5, 7, 12, 13, 14, 15, 16]
