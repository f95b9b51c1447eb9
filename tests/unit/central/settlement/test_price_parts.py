"""A period in parts: by days, by payers, once a month; what holds for every way of cutting it."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.case import months_of, rounded, told_months, with_losses
from central.settlement.model import CannotPriceError, Part, TariffPoint, half_up
from central.settlement.price_parts import price_parts
from tests.unit.central.settlement.packages import ELECTRICITY, changed, of_component, part, quantities, rule, told

VN = TariffPoint("CEZ", "VN")
NN = TariffPoint("EGD", "NN", "C25d", 3, Decimal(63))
HALF = quantities(
    reserved_capacity_year_kw="300", reserved_input_kw="400", max_quarter_hour_kw="290", energy_mwh="50.0005"
)
HALER = Decimal("0.01")


@pytest.mark.parametrize(
    ("first", "end", "months", "text"),
    [
        ("2026-01-01", "2026-02-01", Fraction(1), "1 měs"),
        ("2026-01-01", "2026-01-13", Fraction(12, 31), "12/31 měs"),
        ("2026-02-10", "2026-02-20", Fraction(10, 28), "10/28 měs"),
        ("2028-02-01", "2028-03-01", Fraction(1), "1 měs"),
        ("2025-12-21", "2026-03-11", Fraction(11, 31) + 2 + Fraction(10, 31), "2 + 11/31 + 10/31 měs"),
    ],
)
def test_months_by_days(first: str, end: str, months: Fraction, text: str) -> None:
    days = date.fromisoformat(first), date.fromisoformat(end)
    assert months_of(*days) == months
    assert told_months(*days) == text


def test_a_change_of_payer_splits_lines_that_sum_to_the_whole() -> None:
    before = part("2026-01-01", "2026-01-13", VN, HALF, item=1)
    after = part("2026-01-13", "2026-02-01", VN, {**HALF, "max_quarter_hour_kw": Decimal(310)}, item=2)
    priced = price_parts([before, after])
    capacity = of_component(priced, "reserved_capacity_year")
    assert [told(line) for line in capacity] == [
        ("0.116129032", "252565", "29330.13"),
        ("0.183870968", "252565", "46439.37"),
    ]
    assert sum(line.amount for line in capacity) == Decimal("75769.50")
    assert [(line.item, line.first.day, line.end.isoformat()) for line in capacity] == [
        (1, 1, "2026-01-13"),
        (2, 13, "2026-02-01"),
    ]
    assert "12/31 měs podle dní měsíce" in capacity[0].why
    # 50.0005 twice: rounded cumulatively 50.001 + 50.000, not 50.001 twice
    assert [str(line.quantity) for line in of_component(priced, "use_of_networks")] == ["50.001", "50.000"]
    assert [told(line) for line in of_component(priced, "nonnetwork_infrastructure")] == [
        ("0.387097", "12.87", "4.98"),
        ("0.612903", "12.87", "7.89"),
    ]


@pytest.mark.parametrize(("way", "item"), [(None, 1), ("maximum", 1), ("last", 2)])
def test_the_excess_of_a_month_goes_to_the_payer_that_the_package_names(way: str | None, item: int) -> None:
    def name_payer(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if entry["component"] == "excess_reserved_capacity":
                entry["parameters"].pop("at_change", None)
                if way is not None:
                    entry["parameters"]["at_change"] = way

    book = changed(name_payer)
    over = {**HALF, "max_quarter_hour_kw": Decimal(320)}
    parts = [part("2026-01-01", "2026-01-13", VN, over, book), part("2026-01-13", "2026-02-01", VN, HALF, book, item=2)]
    (line,) = of_component(price_parts(parts), "excess_reserved_capacity")
    assert told(line) == ("20", "422.7345", "8454.69")
    assert line.item == item
    assert line.mark == "assumed"
    assert (line.first, line.end) == ((parts[item - 1].first), (parts[item - 1].end))
    (alone,) = of_component(price_parts([parts[0], replace(parts[1], item=1)]), "excess_reserved_capacity")
    assert alone.mark == "documented"
    assert (alone.first, alone.end) == (date(2026, 1, 1), date(2026, 2, 1))


def test_each_month_has_its_own_excess() -> None:
    january = part("2026-01-01", "2026-02-01", VN, {**HALF, "max_quarter_hour_kw": Decimal(320)})
    february = part("2026-02-01", "2026-03-01", VN, {**HALF, "max_quarter_hour_kw": Decimal(305)})
    lines = of_component(price_parts([january, february]), "excess_reserved_capacity")
    assert [(str(line.quantity), line.first.month) for line in lines] == [("20", 1), ("5", 2)]


def test_a_change_of_breaker_splits_the_breaker_alone() -> None:
    given_energy = quantities(energy_vt_mwh="0.5", energy_nt_mwh="0.25")
    bigger = replace(NN, breaker_amperes=Decimal(80))
    priced = price_parts(
        [part("2026-01-01", "2026-01-11", NN, given_energy), part("2026-01-11", "2026-02-01", bigger, given_energy)]
    )
    assert [told(line) for line in of_component(priced, "breaker")] == [
        ("0.322581", "1446", "466.45"),
        ("0.677419", "1836", "1243.74"),
    ]
    assert [told(line) for line in of_component(priced, "energy_vt")] == [("1.000", "3100.85", "3100.85")]
    (point,) = of_component(priced, "nonnetwork_infrastructure")
    assert told(point) == ("1", "12.87", "12.87")


def test_a_change_of_rate_keeps_the_order_of_the_rules() -> None:
    single = replace(NN, rate="C02d")
    priced = price_parts(
        [
            part("2026-01-01", "2026-01-11", single, quantities(energy_mwh="0.4")),
            part("2026-01-11", "2026-02-01", NN, quantities(energy_vt_mwh="0.5", energy_nt_mwh="0.25")),
        ]
    )
    assert [line.component for line in priced.lines] == [
        "breaker",
        "breaker",
        "energy_jt",
        "energy_vt",
        "energy_nt",
        "system_services",
        "poze_ampere",
        "nonnetwork_infrastructure",
    ]
    (services,) = of_component(priced, "system_services")
    assert services.quantity == Decimal("1.15")


def test_losses_of_the_transformer_are_added_to_energy_and_power() -> None:
    lossy = replace(VN, loss_coefficient=Decimal("1.04"))
    priced = price_parts([part("2026-01-01", "2026-02-01", lossy, {**HALF, "energy_mwh": Decimal(100)})])
    (networks,) = of_component(priced, "use_of_networks")
    assert str(networks.quantity) == "104.000"
    assert "včetně ztrát transformátoru × 1,04" in networks.why
    assert networks.inputs["loss_coefficient"] == "1.04"
    (excess,) = of_component(priced, "excess_reserved_capacity")
    assert str(excess.quantity) == "2"  # 290 x 1.04 is 0.302 MW
    (capacity,) = of_component(priced, "reserved_capacity_year")
    assert str(capacity.quantity) == "0.300"
    assert with_losses({"reserved_input_kw": Decimal(1)}, Decimal("1.04")) == {"reserved_input_kw": Decimal(1)}
    entry = {"max_quarter_hour_kw": Decimal(300), "max_quarter_hour_without_exempt_kw": Decimal(250)}
    assert with_losses(entry, Decimal("1.04")) == {
        "max_quarter_hour_kw": Decimal(312),
        "max_quarter_hour_without_exempt_kw": Decimal(260),
    }


def test_an_exempt_point_pays_neither_capacity_nor_its_excess() -> None:
    def exempting(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if "reserved_capacity" in entry["component"]:
                entry["parameters"]["not_if"] = "capacity_exempt"

    book = changed(exempting)
    over = {**HALF, "max_quarter_hour_kw": Decimal(390)}
    priced = price_parts([part("2026-01-01", "2026-02-01", replace(VN, capacity_exempt=True), over, book)])
    assert not {6, 5, 17} & {line.code for line in priced.lines}
    assert any("§ 54a odst. 2" in finding.text for finding in priced.findings)
    assert {6, 17} <= {line.code for line in price_parts([part("2026-01-01", "2026-02-01", VN, over, book)]).lines}


def test_the_single_component_price_stands_in_for_three_others() -> None:
    def choosing(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if "reserved_capacity" in entry["component"] or entry["component"] == "use_of_networks":
                entry["parameters"]["not_if"] = "single_component"
        parameters = {"quantity": "energy_mwh", "only_if": "single_component"}
        content["rules"] = [entry for entry in content["rules"] if entry["code"] != 26]
        content["rules"].append(rule("single_component", 26, "per_mwh", levels=["VN"], parameters=parameters))

    book = changed(choosing)
    chosen = replace(VN, tariff_choice="single_component")
    priced = price_parts([part("2026-01-01", "2026-02-01", chosen, {**HALF, "energy_mwh": Decimal(10)}, book)])
    assert told(of_component(priced, "single_component")[0]) == ("10.000", "5157.52", "51575.20")
    assert not {5, 6, 7, 17} & {line.code for line in priced.lines}
    assert {8, 9, 15} <= {line.code for line in priced.lines}
    usual = price_parts([part("2026-01-01", "2026-02-01", VN, HALF, book)])
    assert 26 not in {line.code for line in usual.lines}


def test_parts_that_overlap_are_refused() -> None:
    one = part("2026-01-01", "2026-01-13", VN, HALF)
    for broken in ([], [one, one], [replace(one, end=one.first)]):
        with pytest.raises(CannotPriceError, match=r"period: (Části|Období)"):
            price_parts(broken)


DAYS = st.lists(st.integers(1, 30), max_size=5, unique=True).map(
    lambda days: [date(2026, 1, 1), *(date(2026, 1, 1) + timedelta(day) for day in sorted(days)), date(2026, 2, 1)]
)


@st.composite
def months_in_parts(draw: st.DrawFn) -> list[Part]:
    """January at one point, cut anywhere, with any payer in each part."""
    parts = []
    point = draw(st.sampled_from([VN, NN, replace(VN, loss_coefficient=Decimal("1.04"))]))
    agreed = quantities(reserved_capacity_year_kw="300", reserved_input_kw="400", reactive_delivery_mvarh="0.0105")
    for first, end in pairwise(draw(DAYS)):
        energy = Decimal(draw(st.integers(0, 10**9))).scaleb(-6)
        if point.level == "NN":
            measured = {"energy_vt_mwh": energy, "energy_nt_mwh": Decimal(draw(st.integers(0, 10**9))).scaleb(-6)}
        else:
            measured = {
                **agreed,
                "energy_mwh": energy,
                "max_quarter_hour_kw": Decimal(draw(st.integers(0, 500))),
            }
        parts.append(Part(first, end, draw(st.integers(1, 2)), point, {}, measured, ELECTRICITY, 7))
    return parts


@given(months_in_parts())
def test_lines_split_by_payers_sum_to_the_whole(parts: list[Part]) -> None:
    """Whoever pays, each component sums to that of one payer; and the same input prices the same."""
    split = price_parts(parts)
    whole = price_parts([replace(each, item=1) for each in parts])
    for line in whole.lines:
        pieces = of_component(split, line.component)
        assert sum(piece.quantity for piece in pieces) == line.quantity
        assert sum(piece.amount for piece in pieces) == line.amount
        assert line.amount == half_up(line.quantity * line.unit_price, HALER)
    assert split.net == whole.net
    assert price_parts(list(parts)) == split


def poze_of_2025(content: dict[str, Any]) -> None:
    poze = next(table for table in content["tables"] if table["component"] == "poze")
    poze["rows"] = [["VN", "115880.79"]]


POZE_OF_2025 = changed(poze_of_2025)


@given(DAYS, st.integers(1, 10**6))
def test_a_payer_who_comes_back_pays_his_part_of_the_same_whole(days: list[date], watts: int) -> None:
    """Of a component with a cap too: each payer's bill is weighed, and the lines sum to what one payer would pay."""
    given = {**HALF, "energy_mwh": Decimal(10_000), "reserved_input_kw": Decimal(watts).scaleb(-3)}
    parts = [
        Part(first, end, place % 2, VN, {}, given, POZE_OF_2025, 7) for place, (first, end) in enumerate(pairwise(days))
    ]
    (whole,) = of_component(price_parts([replace(each, item=1) for each in parts]), "poze")
    pieces = of_component(price_parts(parts), "poze")
    assert sum(piece.quantity for piece in pieces) == whole.quantity
    assert sum(piece.amount for piece in pieces) == whole.amount


def test_days_whose_price_is_nought_bear_no_cap() -> None:
    """POZE ends in mid January: what is taken afterwards is neither billed by the cap nor raises it."""

    def ending(content: dict[str, Any]) -> None:
        at = next(place for place, each in enumerate(content["tables"]) if each["component"] == "poze")
        poze = content["tables"][at]
        content["tables"][at : at + 1] = [
            {**poze, "rows": [["VN", "115880.79"]], "valid": ["2026-01-01", "2026-01-16"]},
            {**poze, "rows": [["VN", "0"]], "valid": ["2026-01-16", "2027-01-01"]},
        ]

    book = changed(ending)
    days = ("2026-01-01", "2026-01-16", "2026-02-01")
    for before, after, expected in (("10", "20", "4950.00"), ("10", "1000", "4950.00"), ("90", "0", "22428.54")):
        parts = [
            part(*span, VN, {**HALF, "energy_mwh": Decimal(energy)}, book)
            for span, energy in zip(pairwise(days), (before, after), strict=True)
        ]
        poze = [line for line in of_component(price_parts(parts), "poze") if line.unit_price]
        assert [str(line.amount) for line in poze] == [expected]
        assert poze[0].end == date(2026, 1, 16)


@given(st.decimals(-10, 10, places=3), st.sampled_from([Decimal("0.01"), Decimal("0.1")]))
def test_what_is_rounded_does_not_depend_on_how_it_is_held(value: Decimal, step: Decimal) -> None:
    assert rounded(Fraction(value), step) == rounded(value, step) == -rounded(Fraction(-value), step)


@given(months_in_parts())
def test_a_cancelled_line_takes_back_what_it_billed(parts: list[Part]) -> None:
    priced = price_parts(parts)
    cancelled = [line.cancelled() for line in priced.lines]
    assert priced.net + sum(line.amount for line in cancelled) == 0
    for line, taken_back in zip(priced.lines, cancelled, strict=True):
        assert line.quantity + taken_back.quantity == 0
        assert taken_back.unit_price == line.unit_price
        assert taken_back.cancelled() == line


@given(months_in_parts(), st.randoms())
def test_the_order_of_points_does_not_matter(parts: list[Part], shuffle: Any) -> None:
    points = [parts, [replace(each, item=9) for each in parts], [part("2026-01-01", "2026-02-01", VN, HALF)]]
    expected = {id(point): price_parts(point) for point in points}
    shuffle.shuffle(points)
    assert {id(point): price_parts(point) for point in points} == expected


@given(months_in_parts())
def test_where_a_period_is_cut_does_not_change_what_is_paid_for_time(parts: list[Part]) -> None:
    uncut = replace(parts[0], end=parts[-1].end)
    for component in ("reserved_capacity_year", "breaker", "nonnetwork_infrastructure"):
        lines = of_component(price_parts(parts), component)
        assert sum(line.amount for line in lines) == sum(
            line.amount for line in of_component(price_parts([uncut]), component)
        )
