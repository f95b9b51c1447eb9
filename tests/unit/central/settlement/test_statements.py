"""Statement types: which cancels and corrects which, and that what is taken back adds up to nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.platform.errors import Refused
from central.settlement.statements import (
    BILLED_PRELIMINARILY,
    CANCELS,
    CORRECTS,
    GROUPS,
    NAMES,
    Billed,
    StatementType,
    cancelling,
    cancelling_type,
    corrective_type,
    group_of,
    is_cancelling,
    negative_settlement,
    statement_type,
)

START, END = datetime(2026, 2, 28, 23, tzinfo=UTC), datetime(2026, 3, 31, 22, tzinfo=UTC)
CANCELLABLE = sorted(CANCELS)


def billed(kind: int, amount: Decimal = Decimal("10.00"), number: int = 1) -> Billed:
    return Billed(number, StatementType(kind), START, END, Decimal("2.5"), Decimal("4.000"), amount)


# type, cancelled by, corrected by (Energo-Kontroly, table of statement types)
PAIRS = [(0, 7, 8), (8, 7, 8), (2, 12, 9), (9, 12, 9), (5, 13, 15), (15, 13, 15), (6, 14, 10), (10, 14, 10)]


@pytest.mark.parametrize(("kind", "cancelled_by", "corrected_by"), PAIRS)
def test_each_type_is_cancelled_and_corrected_within_its_group(kind: int, cancelled_by: int, corrected_by: int) -> None:
    assert cancelling_type(kind) == cancelled_by
    assert corrective_type(kind) == corrected_by
    assert group_of(kind) == group_of(cancelled_by) == group_of(corrected_by)


@pytest.mark.parametrize("kind", [4, 11])
def test_an_accrual_is_cancelled_and_never_corrected(kind: int) -> None:
    assert cancelling_type(kind) == 16
    with pytest.raises(Refused, match="cancel it and settle anew"):
        corrective_type(kind)


@pytest.mark.parametrize("kind", sorted(set(CANCELS.values())))
def test_what_cancels_is_neither_cancelled_nor_corrected(kind: int) -> None:
    assert is_cancelling(kind)
    with pytest.raises(Refused, match="make a corrective line for its original"):
        cancelling_type(kind)
    with pytest.raises(Refused):
        corrective_type(kind)


@pytest.mark.parametrize(
    ("statement", "annually", "kind"),
    [
        ("regular", False, 0), ("regular", True, 0), ("preliminary", True, 2), ("accrual", False, 4),
        ("accrual", True, 11), ("annual", True, 6), ("final", False, 0), ("final", True, 6),
    ],
)  # fmt: skip
def test_a_statement_gives_its_lines_their_type(statement: str, annually: bool, kind: int) -> None:
    assert statement_type(statement, settled_annually=annually) == kind


def test_a_correction_has_no_type_of_its_own() -> None:
    with pytest.raises(ValueError, match="no type of its own"):
        statement_type("corrective", settled_annually=False)


def test_every_type_has_names_and_one_group() -> None:
    assert set(NAMES) == set(StatementType) == frozenset().union(*GROUPS.values())
    assert sum(len(kinds) for kinds in GROUPS.values()) == len(StatementType)
    assert not {1, 3} & {int(kind) for kind in StatementType}
    assert all(cancelled not in CORRECTS for cancelled in CANCELS.values())


AMOUNTS = st.decimals(-(10**9), 10**9, places=2)


@given(st.sampled_from(CANCELLABLE), AMOUNTS)
def test_cancelling_and_its_original_add_up_to_nothing(kind: StatementType, amount: Decimal) -> None:
    original = billed(kind, amount)
    opposite = cancelling(original)
    assert opposite.amount + original.amount == 0
    assert opposite.quantity + original.quantity == 0
    assert opposite.unit_price == original.unit_price
    assert opposite.original == original.id


@given(st.lists(st.tuples(st.sampled_from(sorted(StatementType)), AMOUNTS)), AMOUNTS)
def test_negative_and_final_settlement_with_what_was_billed_are_the_final_one(
    lines: list[tuple[StatementType, Decimal]], final: Decimal
) -> None:
    before = [billed(kind, amount, number) for number, (kind, amount) in enumerate(lines)]
    preliminary = [line for line in before if line.statement_type in BILLED_PRELIMINARILY]
    negative = negative_settlement(before)
    assert {line.statement_type for line in negative} <= {StatementType.NEGATIVE_SETTLEMENT}
    total = sum((line.amount for line in (*preliminary, *negative)), Decimal(0)) + final
    assert total == final
