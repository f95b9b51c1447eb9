"""A month that is settled by several runs, or by two packages: its maximum and over-run are billed once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.model import Beside, CannotPriceError, Line, Part, Priced, TariffPoint
from central.settlement.price_parts import price_parts
from central.tariffs.load import load_file
from central.tariffs.package import Package
from tests.unit.central.settlement.packages import ELECTRICITY, PATHS, changed, of_component, part, quantities, told

VN = TariffPoint("CEZ", "VN")
NTS = load_file(PATHS["cz-electricity-2027-informative"], FORMULA_SHAPES)
CAPACITY, INPUT = "excess_reserved_capacity", "excess_reserved_input"
EXCESSES = (CAPACITY, INPUT)
AGREED = quantities(reserved_capacity_year_kw="300", reserved_input_kw="400")
MORE = quantities(reserved_capacity_year_kw="390", reserved_input_kw="400")


def half(which: int, kilowatts: str | int, agreed: dict[str, Decimal] = AGREED, book: Package = ELECTRICITY) -> Part:
    """January to the 16th (0) or from it on (1), each of a customer of its own."""
    year = book.valid[0].year
    first, end = ((f"{year}-01-01", f"{year}-01-16"), (f"{year}-01-16", f"{year}-02-01"))[which]
    measured = {**agreed, "max_quarter_hour_kw": Decimal(kilowatts), "energy_mwh": Decimal(10)}
    return part(first, end, VN, measured, book, item=which + 1, payer=which)


def beside(*runs: tuple[Part, Priced], **given: Any) -> Beside:
    """What approved runs of a part each hold."""
    billed: dict[tuple[str, date], tuple[Decimal, Decimal]] = {}
    for settled, priced in runs:
        for line in priced.lines:
            key = (line.component, settled.first.replace(day=1))
            quantity, amount = billed.get(key, (Decimal(0), Decimal(0)))
            billed[key] = (quantity + line.quantity, amount + line.amount)
    return Beside(tuple(replace(settled, settled=True, payer=-1) for settled, _ in runs), billed, **given)


def excesses(priced: Priced) -> list[tuple[str, str, str]]:
    return [
        (line.component, str(line.quantity), str(line.amount)) for line in priced.lines if line.component in EXCESSES
    ]


# capacity of 300 kW: a kW above it costs 1.5 x 281.823 = 422.7345; input of 400 kW: a kW above it costs 1127.292; the
# higher payment of both is billed
CASES = {
    "the maximum is the leaver's": (AGREED, "320", "290", [(CAPACITY, "20", "8454.69")], []),
    "the maximum is the stayer's": (AGREED, "290", "320", [], [(CAPACITY, "20", "8454.69")]),
    # 50 kW are 21136.73, of which 8454.69 are billed
    "both exceed, the stayer more": (
        AGREED, "320", "350", [(CAPACITY, "20", "8454.69")], [(CAPACITY, "30", "12682.04")],
    ),
    "both exceed, the leaver more": (AGREED, "350", "320", [(CAPACITY, "50", "21136.73")], []),
    "both exceed by the same": (AGREED, "350", "350", [(CAPACITY, "50", "21136.73")], []),
    # 110 and 150 kW above capacity: 46500.80 and 63410.18; 10 and 50 kW above input: 11272.92 and 56364.60
    "both exceed capacity and input": (
        AGREED, "410", "450", [(CAPACITY, "110", "46500.80")], [(CAPACITY, "40", "16909.38")],
    ),
    # 5 kW above capacity: 2113.67; 20 kW above input: 22545.84 of which 20432.17 are left, as 18.125 kW
    "the stayer's higher payment is the other one": (
        MORE, "395", "420", [(CAPACITY, "5", "2113.67")], [(INPUT, "18.125", "20432.17")],
    ),
    "nobody exceeds": (AGREED, "300", "299.999", [], []),
}  # fmt: skip


@pytest.mark.parametrize(("agreed", "leaver", "stayer", "first", "then"), CASES.values(), ids=CASES)
def test_a_final_first_and_then_the_rest_of_the_month(
    agreed: dict[str, Decimal], leaver: str, stayer: str, first: list[Any], then: list[Any]
) -> None:
    left, stays = half(0, leaver, agreed), half(1, stayer, agreed)
    final = price_parts([left])
    assert excesses(final) == first
    rest = price_parts([stays], beside((left, final)))
    assert excesses(rest) == then
    # the month in one run costs the same
    together = excesses(price_parts([left, stays]))
    assert sum(Decimal(amount) for *_, amount in together) == sum(Decimal(amount) for *_, amount in first + then)
    # and a later run of either changes nothing
    assert excesses(price_parts([left], beside((stays, rest)))) == first
    assert price_parts([stays], beside((left, final))) == rest


def test_what_is_left_of_a_month_is_told_and_marked() -> None:
    left, stays = half(0, "320"), half(1, "350")
    rest = price_parts([stays], beside((left, price_parts([left]))))
    (line,) = of_component(rest, CAPACITY)
    assert line.mark == "assumed"
    assert "z 21136,73 Kč za celý měsíc je 8454,69 Kč vyúčtováno v jiné jeho části" in line.why
    assert line.inputs["of_month"] == {"unit": "Kč", "month": "21136.73", "billed": "8454.69"}
    assert (line.first, line.end, line.item) == (date(2026, 1, 16), date(2026, 2, 1), 2)
    none = price_parts([half(1, "310")], beside((left, price_parts([left]))))
    assert any("se neúčtuje: z 8454,69 Kč za celý měsíc je 8454,69 Kč" in finding.text for finding in none.findings)


def test_what_is_billed_counts_also_where_its_part_is_known_no_more() -> None:
    left, stays = half(0, "320"), half(1, "350")
    known = beside((left, price_parts([left])))
    assert excesses(price_parts([stays], replace(known, parts=()))) == [(CAPACITY, "30", "12682.04")]


def test_what_is_left_of_a_month_that_cannot_be_evaluated_is_not_guessed() -> None:
    left, stays = half(0, "320"), half(1, "350")
    known = beside((left, price_parts([left])))
    lacking = {name: value for name, value in left.measured.items() if name != "max_quarter_hour_kw"}
    unknown = replace(known, parts=tuple(replace(each, measured=lacking) for each in known.parts))
    with pytest.raises(CannotPriceError, match="celý měsíc nelze dnes vyhodnotit") as refused:
        price_parts([stays], unknown)
    assert refused.value.component == CAPACITY
    # where nothing of the month is billed nothing can be billed twice
    assert excesses(price_parts([stays], replace(unknown, billed={}))) == excesses(price_parts([stays]))


def last_pays(content: dict[str, Any]) -> None:
    for entry in content["rules"]:
        if entry["component"] in EXCESSES:
            entry["parameters"]["at_change"] = "last"


@pytest.mark.parametrize(
    ("leaver", "stayer", "then"),
    [
        ("320", "290", [(CAPACITY, "20", "8454.69")]),
        ("320", "350", [(CAPACITY, "50", "21136.73")]),
        ("290", "299", []),
    ],
)
def test_where_the_last_payer_pays_a_final_within_the_month_bills_no_maximum(
    leaver: str, stayer: str, then: list[Any]
) -> None:
    book = changed(last_pays)
    left, stays = half(0, leaver, book=book), half(1, stayer, book=book)
    final = price_parts([left], Beside(goes_on=frozenset({date(2026, 1, 1)})))
    assert excesses(final) == []
    assert excesses(price_parts([stays], beside((left, final)))) == then


# 2027, input of 400 kW; T1: input 190133, maximum 19013 Kč/MW; T2: 22743, 227429 Kč/MW
def of_2027(priced: Priced) -> dict[str, tuple[str, str, str]]:
    return {line.component: told(line) for line in priced.lines if line.component.startswith("nts_")}


@pytest.mark.parametrize(
    ("stayer", "maximum"),
    [
        # the month's maximum is the leaver's 200 kW and is billed
        ("100", None),
        # 300 kW of which 200 are billed
        ("300", ("0.1", "227429", "22742.90")),
    ],
)
def test_the_maximum_of_2027_is_paid_once_and_the_tariff_is_the_whole_months(
    stayer: str, maximum: tuple[str, str, str] | None
) -> None:
    """The leaver's 15 days alone: T1 0.4 x 15/31 x 190133 + 0.2 x 19013 = 40602.54, T2 49887.67. The month: T1
    76053.20 + M x 19013, T2 9097.20 + M x 227429, which is lower for 0.2 and 0.3 MW.
    """
    agreed = quantities(reserved_input_kw="400")
    left, stays = half(0, "200", agreed, NTS), half(1, stayer, agreed, NTS)
    final = price_parts([left])
    assert of_2027(final) == {
        "nts_input_payment": ("0.193548387", "190133", "36799.94"),
        "nts_maximum_payment": ("0.200", "19013", "3802.60"),
    }
    rest = of_2027(price_parts([stays], beside((left, final))))
    assert rest.pop("nts_maximum_payment", None) == maximum
    # 0.4 MW x 16/31 x 22743
    assert rest == {"nts_input_payment": ("0.206451613", "22743", "4695.33")}


def two_packages(on: date, multiplier: str = "1.5") -> tuple[Package, Package]:
    """The package of 2026 until a day, and another with another multiplier from it on."""

    def later(content: dict[str, Any]) -> None:
        content["valid"] = [on.isoformat(), "2027-01-01"]
        content["version"] = "changed"
        for entry in content["rules"]:
            if entry["component"] == CAPACITY:
                entry["parameters"]["multiplier"] = multiplier

    return ELECTRICITY, changed(later)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        # by the prices of the package in whose days the maximum was: 1.5 and 2 x 281.823 Kč/kW
        ("350", "320", ("50", "422.7345", "21136.73")),
        ("320", "350", ("50", "563.646", "28182.30")),
        ("350", "345", ("50", "422.7345", "21136.73")),
        ("320", "299", ("20", "422.7345", "8454.69")),
        ("290", "299", None),
    ],
)
def test_a_package_that_changes_within_the_month_bills_one_excess(
    before: str, after: str, line: tuple[str, str, str] | None
) -> None:
    old, new = two_packages(date(2026, 1, 16), "2")
    parts = [half(0, before, book=old), replace(half(1, after, book=ELECTRICITY), prices=new, item=1, payer=0)]
    lines = of_component(price_parts(parts), CAPACITY)
    assert [told(each) for each in lines] == ([] if line is None else [line])
    # also where the first days were settled before
    first = price_parts(parts[:1])
    rest = price_parts(parts[1:], beside((parts[0], first)))
    billed = [told(each)[2] for each in (*of_component(first, CAPACITY), *of_component(rest, CAPACITY))]
    assert sum(map(Decimal, billed)) == (0 if line is None else Decimal(line[2]))


@st.composite
def cut_months(draw: st.DrawFn) -> list[Part]:
    """January cut anywhere, each part of a customer of its own."""
    days = draw(st.lists(st.integers(1, 30), max_size=4, unique=True).map(sorted))
    borders = [date(2026, 1, 1), *(date(2026, 1, 1) + timedelta(day) for day in days), date(2026, 2, 1)]
    capacity, reserved = draw(st.integers(100, 400)), draw(st.integers(200, 500))
    agreed = {"reserved_capacity_year_kw": Decimal(capacity), "reserved_input_kw": Decimal(reserved)}
    return [
        Part(
            first,
            end,
            number,
            VN,
            {},
            {
                **agreed,
                "energy_mwh": Decimal(draw(st.integers(0, 10**9))).scaleb(-6),
                "max_quarter_hour_kw": Decimal(draw(st.integers(0, 600_000))).scaleb(-3),
            },
            ELECTRICITY,
            number,
        )
        for number, (first, end) in enumerate(pairwise(borders))
    ]


@given(cut_months(), st.randoms())
def test_runs_of_a_month_in_any_order_bill_its_excess_once_and_again_the_same(parts: list[Part], shuffle: Any) -> None:
    order = list(parts)
    shuffle.shuffle(order)
    runs: list[tuple[Part, Priced]] = []
    for each in order:
        runs.append((each, price_parts([each], beside(*runs))))
    whole = _excess(price_parts(parts).lines)
    assert sum(_excess(priced.lines) for _, priced in runs) == whole
    for each, priced in runs:
        others = [run for run in runs if run[0] is not each]
        again = price_parts([each], beside(*others))
        assert _excess(again.lines) == _excess(priced.lines)


def _excess(lines: Sequence[Line]) -> Decimal:
    return sum((line.amount for line in lines if line.component in EXCESSES), Decimal(0))


@given(cut_months())
def test_energy_and_time_of_any_cut_sum_to_the_uncut_month(parts: list[Part]) -> None:
    """Each payer's lines are rounded so that all of them together are the line of one payer over the whole month."""
    energy = sum((each.measured["energy_mwh"] for each in parts), Decimal(0))
    uncut = replace(parts[0], end=parts[-1].end, measured={**parts[0].measured, "energy_mwh": energy})
    whole, cut = price_parts([uncut]), price_parts(parts)
    for component in ("reserved_capacity_year", "use_of_networks", "system_services", "nonnetwork_infrastructure"):
        pieces, (line,) = of_component(cut, component), of_component(whole, component)
        assert sum(piece.quantity for piece in pieces) == line.quantity
        assert sum(piece.amount for piece in pieces) == line.amount
