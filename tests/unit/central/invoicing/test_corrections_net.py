"""Documents about a document: together they say the VAT of what stands, and whole cancellings are told by lines."""

from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from central.invoicing.compose import About, compose
from central.invoicing.document import VatRow, recapitulate, vat_rows
from central.invoicing.selection import Order, orders
from central.invoicing.standing import taken_back, vat_before
from tests.unit.central.invoicing.test_documents import FIRM, SUPPLIER, TERMS, bases, high_voltage

D = Decimal
VAT = D("21.00")
REGULAR, CANCELLING, CORRECTED = 0, 7, 8
amounts = st.decimals(D("-999.99"), D("999.99"), places=2)
percents = st.sampled_from([D("12.00"), D("21.00")])


def basis(identifier: int, amount: Decimal, **said: Any) -> Any:
    """A selected basis as the query gives it."""
    row = {
        "id": identifier, "supply_point": 1, "contract": 1, "contract_kind": "network", "supplier": 1, "payer": 2,
        "amount": amount, "vat_percent": D("21.00"), "statement_type": REGULAR, "statement": "corrective",
        "reason": "oprava", "original": None, "takes_back": None,
    }  # fmt: skip
    return SimpleNamespace(**{**row, **said})


def correction(original: int, lines: Sequence[tuple[Decimal, Decimal]], percent: Decimal = VAT) -> list[Any]:
    """Lines of an original that are taken back, each with what comes in its place."""
    rows = []
    for place, (before, after) in enumerate(lines):
        number = original * 100 + place * 2
        common = {"original": original, "vat_percent": percent}
        rows.append(basis(number, -before, statement_type=CANCELLING, takes_back=number, **common))
        rows.append(basis(number + 1, after, statement_type=CORRECTED, **common))
    return rows


@settings(max_examples=150, deadline=None)
@given(
    first=st.lists(amounts, min_size=1, max_size=5),
    later=st.lists(st.tuples(st.integers(0, 4), amounts), min_size=1, max_size=6),
    percent=percents,
)
def test_an_original_and_its_corrections_net_to_the_new_truth(
    first: list[Decimal], later: list[tuple[int, Decimal]], percent: Decimal
) -> None:
    lines = list(first)
    family = vat_rows({percent: sum(lines, D(0))})
    for place, value in later:
        place %= len(lines)
        taken = correction(1, [(lines[place], value)], percent)
        (before,) = vat_before(orders(taken, "contract"), {1: 1}, {1: family}).values()
        family = [*family, *vat_rows({percent: sum((row.amount for row in taken), D(0))}, before)]
        lines[place] = value
    truth = (sum(lines, D(0)) * percent / 100).quantize(D("0.01"), rounding=ROUND_HALF_UP)
    assert sum(row.base for row in family) == sum(lines)
    assert sum(row.vat for row in family) == truth


def test_two_corrections_that_each_round_leave_no_haler() -> None:
    # 0.02 at 21 % is 0.0042: by themselves three such differences say no VAT, together they are 0.0126
    family = vat_rows({D(21): D("0.02")})
    for _ in range(2):
        family += vat_rows({D(21): D("0.02")}, family)
    assert [row.vat for row in family] == [D("0.00"), D("0.01"), D("0.00")]
    assert vat_rows({D(21): D("-0.06")}, family) == [VatRow(D(21), D("-0.06"), D("-0.01"))]


def test_nothing_is_never_below_zero() -> None:
    (row,) = vat_rows({VAT: D("-0.02")})
    assert (str(row.vat), str(row.gross)) == ("0.00", "-0.02")


def test_orders_of_one_act_see_those_before_them_in_their_family() -> None:
    rows = [*correction(1, [(D("0.00"), D("0.02"))]), *correction(2, [(D("0.00"), D("0.02"))])]
    made = orders(rows, "contract")
    found = vat_before(made, {1: 1, 2: 1}, {1: [VatRow(D("21.00"), D("0.02"), D("0.00"))]})
    assert [sum(row.base for row in found[place]) for place in (0, 1)] == [D("0.02"), D("0.04")]


def test_a_document_is_taxed_by_the_difference_to_what_stood() -> None:
    lines = bases()
    standing = [VatRow(D("21.00"), D("0.02"), D("0.00"))]
    about = About(kind="corrective", before=standing)
    document = compose("2630000001", SUPPLIER, FIRM, [(high_voltage(), lines)], TERMS, about)
    assert document.vat == ((document.net + D("0.02")) * D("0.21")).quantize(D("0.01"), rounding=ROUND_HALF_UP)


def test_information_has_no_row_of_its_own() -> None:
    lines = compose("2600000001", SUPPLIER, FIRM, [(high_voltage(), bases())], TERMS).lines
    (information,) = [line for line in lines if line.is_information]
    assert recapitulate([information]) == []
    assert [row.percent for row in recapitulate(lines)] == [D("21.00")]


@pytest.mark.parametrize(
    ("takes", "remaining", "whole"),
    [
        ([(1, "-5.00"), (2, "-7.00")], {1, 2}, True),
        ([(2, "-7.00")], {2}, True),  # the other line was taken back before
        ([(1, "-5.00")], {1, 2}, False),
        ([(1, "-5.00")], {1, 2, 3}, False),  # lines 2 and 3 add up to nothing, and still stand
    ],
)
def test_a_document_is_cancelled_when_no_line_of_it_stands(
    takes: list[tuple[int, str]], remaining: set[int], whole: bool
) -> None:
    rows = [
        basis(90 + line, D(amount), statement_type=CANCELLING, takes_back=line, original=7) for line, amount in takes
    ]
    assert taken_back(orders(rows, "contract"), {7: remaining}) == ({7} if whole else set())


def test_what_puts_something_in_the_place_of_all_lines_corrects() -> None:
    made: list[Order] = orders(correction(7, [(D(1), D(2))]), "contract")
    assert taken_back(made, {7: {700}}) == set()
