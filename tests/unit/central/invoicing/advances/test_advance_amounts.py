"""Sums of advances by hand: VAT from inside, sharing, deduction in order; and what must hold for any numbers."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.invoicing.advances.amounts import CENT, part_of, share, tens_up, vat_inside
from central.invoicing.advances.deductions import DeductedAdvance, Deposit, plan
from central.invoicing.advances.deposits import tax_rows, vat_of_each
from central.invoicing.advances.prescriptions import CalendarRow, Stretch, prescriptions_of
from central.invoicing.advances.states import TRANSITIONS, advanced
from central.platform.errors import Refused

D = Decimal
VAT21 = D("21.00")

sums = st.integers(1, 10**9).map(lambda cents: D(cents) / 100)


@pytest.mark.parametrize(
    ("gross", "percent", "vat"),
    [
        ("1210.00", "21", "210.00"),
        ("1000.00", "21", "173.55"),  # 1000 x 21 / 121 = 173.5537
        ("0.01", "21", "0.00"),
        ("0.03", "21", "0.01"),  # 0.00521
        ("1500.00", "12", "160.71"),  # 160.714
        ("999.99", "0", "0.00"),
    ],
)
def test_vat_is_taken_from_inside(gross: str, percent: str, vat: str) -> None:
    assert vat_inside(D(gross), D(percent)) == D(vat)


def test_a_sum_is_shared_to_the_last_cent() -> None:
    assert share(D("100.00"), [Fraction(1)] * 3) == [D("33.33"), D("33.34"), D("33.33")]
    assert share(D("1000.00"), [Fraction(31), Fraction(28), Fraction(31)], D(10)) == [D(340), D(320), D(340)]
    assert share(D("10.00"), [Fraction(0), Fraction(0)]) == [D("5.00"), D("5.00")]


@given(sums, st.lists(st.fractions(0, 1000, max_denominator=10_000), min_size=1, max_size=40))
def test_shares_sum_to_the_whole_and_stay_within_a_step(total: Decimal, weights: list[Fraction]) -> None:
    shares = share(total, weights)
    assert sum(shares) == total
    whole = sum(weights)
    if whole:
        exact = [Fraction(total) * weight / whole for weight in weights]
        assert all(abs(Fraction(part) - fair) <= Fraction(CENT) for part, fair in zip(shares, exact, strict=True))


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="none of them is negative"):
        share(D(1), [Fraction(-1), Fraction(2)])


@pytest.mark.parametrize(("amount", "tens"), [("0.01", "10"), ("10", "10"), ("1230.01", "1240"), ("0", "0")])
def test_advances_are_rounded_up_to_tens(amount: str, tens: str) -> None:
    assert tens_up(D(amount)) == D(tens)


def test_the_vat_of_deposits_sums_to_that_of_their_document() -> None:
    received = [(VAT21, D("100.00")), (VAT21, D("100.00")), (D("12.00"), D("50.00")), (VAT21, D("100.00"))]
    rows = tax_rows(received)
    assert [(row.percent, row.gross, row.net, row.vat) for row in rows] == [
        (D("12.00"), D("50.00"), D("44.64"), D("5.36")),
        (VAT21, D("300.00"), D("247.93"), D("52.07")),
    ]
    assert vat_of_each(received) == [D("17.36"), D("17.35"), D("5.36"), D("17.36")]


@given(st.lists(st.tuples(st.sampled_from([D("0"), D("12"), D("21")]), sums), min_size=1, max_size=12))
def test_vat_of_any_deposits_sums_to_their_document(received: list[tuple[Decimal, Decimal]]) -> None:
    vats = vat_of_each(received)
    for row in tax_rows(received):
        mine = [vat for (percent, _), vat in zip(received, vats, strict=True) if percent == row.percent]
        assert sum(mine) == row.vat
    assert all(0 <= vat <= gross for (_, gross), vat in zip(received, vats, strict=True))


def deposit(number: int, amount: str, *, deducted: str = "0", taxed: bool = True) -> Deposit:
    gross = D(amount)
    vat = vat_inside(gross, VAT21) if taxed else D("0.00")
    return Deposit(
        id=number,
        advance=number,
        advance_number=f"826000000{number}",
        contract=1,
        document=f"726000000{number}" if taxed else None,
        received_on=date(2026, number, 15),
        vat_percent=VAT21,
        amount=gross,
        vat=vat,
        deducted=D(deducted),
        deducted_vat=part_of(vat, D(deducted), gross),
    )


def test_an_annual_statement_takes_all_that_came_with_its_vat() -> None:
    planned = plan([deposit(1, "1000.00"), deposit(2, "500.00", taxed=False)], None)
    assert [(each.number, each.taxed, each.gross, each.vat, each.net) for each in planned] == [
        ("7260000001", True, D("1000.00"), D("173.55"), D("826.45")),
        ("8260000002", False, D("500.00"), D("0.00"), D("500.00")),
    ]


def test_a_regular_statement_takes_the_oldest_first_and_leaves_the_rest() -> None:
    deposits = [deposit(1, "1000.00", deducted="400.00"), deposit(2, "1000.00"), deposit(3, "1000.00")]
    planned = plan(deposits, D("900.00"))
    assert [(each.deposit, each.gross, each.vat) for each in planned] == [
        (1, D("600.00"), D("104.13")),  # 173.55 - 69.42
        (2, D("300.00"), D("52.07")),  # 52.065 half up
    ]
    assert plan(deposits, D("-5.00")) == []


def test_the_statement_in_place_of_a_cancelled_one_takes_the_vat_that_is_left() -> None:
    whole = deposit(1, "1000.00")
    (first,) = plan([whole], D("500.00"))
    (second,) = plan([deposit(1, "1000.00", deducted="500.00")], D("500.00"))
    assert (first.vat, second.vat) == (D("86.78"), D("86.77"))
    # the first is cancelled: the second's 86.77 stand, so 86.78 are left
    (third,) = plan([replace(whole, deducted=second.gross, deducted_vat=second.vat)], None)
    assert (third.gross, third.vat) == (D("500.00"), D("86.78"))


small = st.integers(0, 60).map(lambda cents: D(cents) / 100)
"""Small sums: there a rounding weighs most."""


@given(
    st.lists(sums | small.filter(bool), min_size=1, max_size=6),
    st.lists(st.tuples(sums | small, st.booleans()), min_size=1, max_size=12),
    st.data(),
)
def test_statements_never_deduct_more_than_came(
    paid: list[Decimal], bills: list[tuple[Decimal, bool]], data: st.DataObject
) -> None:
    deposits = [
        Deposit(n, n, str(n), 1, str(n), date(2026, 1, 1), VAT21, amount, vat_inside(amount, VAT21), D(0), D(0))
        for n, amount in enumerate(paid)
    ]
    standing: list[list[DeductedAdvance]] = []

    def taken(number: int) -> tuple[Decimal, Decimal]:
        parts = [part for statement in standing for part in statement if part.deposit == number]
        return sum((part.gross for part in parts), D(0)), sum((part.vat for part in parts), D(0))

    for limit, undone in [*bills, (None, False)]:
        if undone and standing:
            standing.pop(data.draw(st.integers(0, len(standing) - 1)))
        sofar = {each.id: taken(each.id) for each in deposits}
        now = [replace(each, deducted=sofar[each.id][0], deducted_vat=sofar[each.id][1]) for each in deposits]
        planned = plan(now, limit)
        assert limit is None or sum(each.gross for each in planned) <= limit
        assert all(0 <= part.vat <= part.gross for part in planned)
        standing.append(planned)
    assert {each.id: taken(each.id) for each in deposits} == {each.id: (each.amount, each.vat) for each in deposits}


def stretch(point: int, since: str, until: str, payer: int = 5, planned: str | None = None) -> Stretch:
    mwh = None if planned is None else D(planned)
    return Stretch(point, "electricity", 1, payer, date.fromisoformat(since), date.fromisoformat(until), mwh)


def row(*, framework: bool) -> CalendarRow:
    return CalendarRow(9, framework, date(2026, 4, 1), date(2026, 5, 1), date(2026, 4, 15), D("3000.00"))


def test_each_supplier_pays_for_its_days_under_combined_services() -> None:
    made = prescriptions_of(
        row(framework=True),
        [
            stretch(11, "2026-04-01", "2026-05-01", payer=5),
            stretch(12, "2026-04-01", "2026-04-11", payer=5),
            stretch(12, "2026-04-11", "2026-05-01", payer=6),
        ],
    )
    assert [(each.payer, each.amount, each.parts) for each in made] == [
        (5, D("2000.00"), {11: D("1500.00"), 12: D("500.00")}),
        (6, D("1000.00"), {12: D("1000.00")}),
    ]


def test_planned_consumption_weighs_where_every_point_has_one() -> None:
    points = [
        stretch(11, "2026-04-01", "2026-05-01", planned="20"),
        stretch(12, "2026-04-01", "2026-05-01", planned="10"),
    ]
    assert prescriptions_of(row(framework=False), points)[0].parts == {11: D("2000.00"), 12: D("1000.00")}
    unknown = [points[0], stretch(12, "2026-04-01", "2026-05-01")]
    assert prescriptions_of(row(framework=False), unknown)[0].parts == {11: D("1500.00"), 12: D("1500.00")}


def test_who_pays_on_the_due_day_pays_the_row_of_any_other_contract() -> None:
    made = prescriptions_of(
        row(framework=False),
        [stretch(11, "2026-04-01", "2026-04-20", payer=5), stretch(11, "2026-04-20", "2026-05-01", payer=6)],
    )
    assert [(each.payer, each.amount) for each in made] == [(5, D("3000.00"))]
    assert prescriptions_of(row(framework=False), []) == []


def test_an_advance_lives_by_its_table() -> None:
    assert advanced("prescribed", "send", "x") == "sent"
    assert advanced("paid", "deduct", "x") == "deducted"
    with pytest.raises(Refused, match="is paid; to cancel it, it must be prescribed, sent"):
        advanced("paid", "cancel", "8260000001")
    assert set(TRANSITIONS) == {"send", "pay", "release", "deduct", "restore", "cancel"}


def test_part_of_all_is_all() -> None:
    assert part_of(D("0.01"), D("5"), D("5")) == D("0.01")
    assert part_of(D("10.00"), D("1"), D("3")) == D("3.33")
