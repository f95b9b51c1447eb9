"""How bases fall into documents: what corrects names one original, whatever that one held."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from central.invoicing.selection import Grouping, orders


def basis(number: int, contract: int, **other: Any) -> Any:
    common = {
        "id": number, "supply_point": number, "contract": contract, "contract_kind": "distribution", "supplier": 1,
        "payer": 2, "original": None, "original_supplier": 1, "original_payer": 2,
        "original_state": "issued",
        "statement_type": 0, "statement": "regular", "reason": None,
    }  # fmt: skip
    return SimpleNamespace(**{**common, **other})


@pytest.mark.parametrize("grouping", ["contract", "supply_point", "payer"])
def test_a_collective_original_gets_one_corrective_document_of_all_its_contracts(grouping: Grouping) -> None:
    rows = [
        basis(1, 10, statement_type=7, original=90, reason="oprava", statement="corrective"),
        basis(2, 10, statement_type=8, original=90, reason="oprava", statement="corrective"),
        basis(3, 11, statement_type=7, original=90, reason="jiná", statement="corrective"),
        basis(4, 11, statement_type=7, original=91, reason="jiná", statement="corrective"),
    ]
    made = orders(rows, grouping)
    assert [(order.kind, order.original, order.contracts) for order in made] == [
        ("corrective", 90, [10, 11]),
        ("cancelling", 91, [11]),
    ]
    assert [order.contract for order in made] == [None, 11]
    assert made[0].reason == "oprava; jiná"


def test_statements_fall_by_contract_and_framework_ones_by_payer() -> None:
    rows = [
        basis(1, 10),
        basis(2, 11),
        basis(3, 12, contract_kind="framework"),
        basis(4, 13, contract_kind="framework"),
    ]
    assert [(order.kind, order.contracts) for order in orders(rows, "contract")] == [
        ("regular", [10]), ("regular", [11]), ("collective", [12, 13]),
    ]  # fmt: skip
