"""The superior distributor's bill split by its rules, to the haléř."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.platform.errors import Refused
from central.settlement.superior_split import RULES, Billed, Member, split_bill


def member(number: int, **weights: int | None) -> Member:
    found = {name: None if weight is None else Fraction(weight) for name, weight in weights.items()}
    return Member(f"85918240094170{number:04d}", f"Obchod {number}", found)


def test_each_amount_goes_by_its_own_rule() -> None:
    members = [member(1, energy=60, capacity=100, area=500), member(2, energy=30, capacity=50, area=250),
               member(3, energy=10, capacity=150, area=250)]  # fmt: skip
    bill = [
        Billed("Použití sítí", Decimal("1000.01"), "energy"),
        Billed("Roční rezervovaná kapacita", Decimal("75769.50"), "capacity"),
        Billed("Nesíťová infrastruktura", Decimal("12.87"), "area"),
    ]
    parts = [each.parts for each in split_bill(bill, members)]
    assert parts == [
        (Decimal("600.01"), Decimal("300.00"), Decimal("100.00")),
        (Decimal("25256.50"), Decimal("12628.25"), Decimal("37884.75")),
        (Decimal("6.43"), Decimal("3.22"), Decimal("3.22")),
    ]


def test_a_point_without_a_weight_is_named() -> None:
    with pytest.raises(Refused, match="Obchod 2"):
        split_bill([Billed("Nájem", Decimal(1), "area")], [member(1, area=1), member(2, area=None)])
    with pytest.raises(Refused, match="weights are 0"):
        split_bill([Billed("Ztráty", Decimal(1), "energy")], [member(1, energy=0)])


@given(
    st.lists(st.tuples(*(st.integers(1, 10**9) for _ in RULES)), min_size=1, max_size=20),
    st.lists(st.tuples(st.integers(-(10**10), 10**10), st.sampled_from(RULES)), min_size=1, max_size=10),
)
def test_parts_sum_to_the_bill(weights: list[tuple[int, ...]], bill: list[tuple[int, str]]) -> None:
    members = [member(place, **dict(zip(RULES, each, strict=True))) for place, each in enumerate(weights)]
    billed = [Billed("x", Decimal(cents) / 100, by) for cents, by in bill]
    for amount, parted in zip(billed, split_bill(billed, members), strict=True):
        assert sum(parted.parts) == amount.amount
