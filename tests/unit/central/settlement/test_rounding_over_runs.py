"""Parts of a month that are billed by runs of their own: how far their sum may lie from the month's single bill."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from central.settlement.case import rounded

STEP = Decimal("0.01")
exact = st.integers(0, 10**9).map(lambda units: Decimal(units).scaleb(-6))


@given(parts=st.lists(exact, min_size=2, max_size=12))
def test_n_statements_lie_n_halves_of_a_haler_from_the_whole_at_most(parts: list[Decimal]) -> None:
    whole = rounded(sum(parts, Decimal(0)), STEP)
    billed = sum((rounded(part, STEP) for part in parts), Decimal(0))
    assert abs(billed - whole) <= STEP * (len(parts) // 2)


def test_what_fills_up_to_the_whole_is_wrong_once_the_other_part_goes() -> None:
    """Why a later run does not bill what is missing to the rounded whole: it would depend on another bill."""
    first = second = Decimal("0.005")
    filled_up = rounded(first + second, STEP) - rounded(first, STEP)
    assert rounded(first, STEP) + filled_up == rounded(first + second, STEP)
    assert (filled_up, rounded(second, STEP)) == (Decimal("0.00"), Decimal("0.01"))
