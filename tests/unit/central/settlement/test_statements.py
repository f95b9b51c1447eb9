"""Statement types: which cancels and corrects which. That both add up to nothing: tests/system/billing."""

from __future__ import annotations

import pytest

from central.platform.errors import Refused
from central.settlement.statements import (
    CANCELS,
    CORRECTS,
    GROUPS,
    NAMES,
    StatementType,
    cancelling_type,
    corrective_type,
    group_of,
    is_cancelling,
    statement_type,
)

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
