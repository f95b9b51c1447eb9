"""How bases fall into documents, and which contracts' advances a document may deduct."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from central.invoicing.compose import compose
from central.invoicing.issue import deducting
from central.invoicing.selection import Grouping, Order, orders
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, TERMS, bases, high_voltage

D = Decimal
LDS, FIRST_PAYER, TRADER = 1, 2, 3
APRIL = datetime(2026, 3, 31, 22, tzinfo=UTC)
MID_MARCH = datetime(2026, 3, 15, 23, tzinfo=UTC)
REGULAR, CANCELLING, CORRECTED, ANNUAL = 0, 7, 8, 6


def basis(identifier: int, point: int = 1, contract: int = 1, **said: Any) -> Any:
    """A selected basis as the query gives it."""
    row = {
        "id": identifier, "input": point * 10, "supply_point": point, "contract": contract, "contract_kind": "network",
        "due_days": 14, "supplier": LDS, "payer": FIRST_PAYER, "amount": D("100.00"), "statement_type": REGULAR,
        "reason": None, "start": MID_MARCH, "stop": APRIL, "statement": "regular", "original": None, "stamp": "",
        "original_supplier": LDS, "original_payer": FIRST_PAYER, "original_state": "issued",
    }  # fmt: skip
    return SimpleNamespace(**{**row, **said})


def kinds_and_bases(made: Sequence[Order]) -> list[tuple[str, int | None, list[int]]]:
    return [(order.kind, order.contract, [row.id for row in order.bases]) for order in made]


@pytest.mark.parametrize(
    ("grouping", "expected"),
    [
        ("contract", [("regular", 1, [1, 2]), ("regular", 2, [3])]),
        ("supply_point", [("regular", 1, [1]), ("regular", 1, [2]), ("regular", 2, [3])]),
        ("payer", [("collective", None, [1, 2, 3])]),
    ],
)
def test_documents_are_of_a_contract_a_point_or_a_payer(
    grouping: Grouping, expected: list[tuple[str, int | None, list[int]]]
) -> None:
    rows = [basis(1, 1), basis(2, 2), basis(3, 3, contract=2)]
    assert kinds_and_bases(orders(rows, grouping)) == expected


def test_a_framework_contract_gets_one_document_for_its_payer_with_all_points() -> None:
    rows = [basis(n, n, contract=9, contract_kind="framework", payer=TRADER) for n in (1, 2, 3)] + [basis(4, 4)]
    made = orders(rows, "supply_point")
    assert kinds_and_bases(made) == [("collective", 9, [1, 2, 3]), ("regular", 1, [4])]
    assert [order.payer for order in made] == [TRADER, FIRST_PAYER]


def test_sides_never_mix() -> None:
    rows = [basis(1), basis(2, supplier=7), basis(3, payer=TRADER)]
    assert [[row.id for row in order.bases] for order in orders(rows, "payer")] == [[1], [2], [3]]


def test_what_corrects_stands_apart_a_document_for_each_original_and_takes_new_lines_along() -> None:
    rows = [
        basis(1, statement_type=CANCELLING, original=70, reason="elektroměr"),
        basis(2, statement_type=CORRECTED, original=70, reason="elektroměr"),
        basis(3, statement_type=CORRECTED, reason="elektroměr"),
        basis(4, 2, contract=2, statement_type=CANCELLING, original=71, reason="zrušeno"),
        basis(5, 3),
    ]
    made = orders(rows, "contract")
    assert kinds_and_bases(made) == [
        ("corrective", 1, [1, 2, 3]),
        ("cancelling", 2, [4]),
        ("regular", 1, [5]),
    ]
    assert [(order.original, order.reason) for order in made] == [(70, "elektroměr"), (71, "zrušeno"), (None, None)]


def test_only_the_contracts_that_end_are_settled() -> None:
    rows = [
        basis(101, contract=1, statement="final", stop=MID_MARCH),
        basis(102, 2, contract=2, amount=D("300.00")),
    ]
    (order,) = orders(rows, "payer")
    assert order.settles == {1}
    assert (order.until([1]), order.until([2])) == (date(2026, 3, 16), date(2026, 4, 1))
    lines = compose("1", SUPPLIER, FIRM, [(high_voltage(), bases())], TERMS).lines
    # of the worked lines (100 to 106) the third stands for contract 2: 9,300.16 and 21 % VAT
    assert list(deducting(order, lines)) == [([1], None), ([2], D("11253.19"))]


def test_an_annual_statement_settles_its_contract_and_what_is_below_zero_deducts_nothing() -> None:
    (annual,) = orders([basis(1, statement_type=ANNUAL)], "contract")
    assert (annual.kind, annual.settles) == ("annual", {1})
    (regular,) = orders([basis(100)], "contract")
    lines = compose("1", SUPPLIER, FIRM, [(high_voltage(), bases())], TERMS).lines
    lines = [line for line in lines if line.amount < 0]
    assert list(deducting(regular, lines)) == [([1], D(0))]
