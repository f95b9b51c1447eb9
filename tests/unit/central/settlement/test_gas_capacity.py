"""Gas by the shipped packages: what was taken above the daily capacity, days of clock changes, the market operator,
what is missing, and the arithmetic of a trader that reads the bill as a second check.
"""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest

from central.readings.gas.coefficient import Conversion
from central.readings.gas.terms import GasTerms
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.gas_month import highest_days
from central.settlement.model import Finding, Line, Priced, TariffPoint
from central.settlement.price_parts import price_parts
from central.tariffs.load import load_file
from central.tariffs.package import Package
from tests.unit.central.settlement.packages import GAS, PATHS, changed, part, quantities, table

G2015 = load_file(PATHS["cz-gas-2015"], FORMULA_SHAPES)
LARGE = TariffPoint("GASNET", annual_mwh=Decimal(400))
SMALL = TariffPoint("GASNET", annual_mwh=Decimal(20))
JANUARY = ("2026-01-01", "2026-02-01")
TERMS = {"volume_coefficient": "1.0005", "calorific_value_kwh_m3": "10.6512"}
TAKEN = {"volume_m3": "7000", **TERMS, "daily_capacity_thousand_m3": "0.260"}


def lines_of(priced: Priced, component: str) -> list[Line]:
    return [line for line in priced.lines if line.component == component]


def excess(*days: tuple[str, str], book: Package = GAS, **more: str) -> Priced:
    """A January of a large customer with these quantities of days."""
    return price_parts([part(*JANUARY, LARGE, quantities(**{**TAKEN, **dict(days), **more}), book)])


def test_the_highest_gas_day_above_the_capacity_is_billed_once_by_the_monthly_price() -> None:
    priced = excess(("max_daily_taken_thousand_m3", "0.3105"))
    (line,) = lines_of(priced, "gas_capacity_excess")
    # 115933.79 / 12, the factor of January and the multiplier are 1
    assert (str(line.quantity), str(line.unit_price), str(line.amount)) == ("0.0505", "9661.149167", "487.89")
    assert (line.code, line.unit) == (1998, "tis. m³")
    assert {"assumed", "example"} == {each.mark for each in line.assumptions}
    assert "nejvyšší plynárenský den 0,3105 tis. m³, rezervováno 0,26 tis. m³" in line.why
    assert (line.inputs["maximum_thousand_m3"], line.inputs["hours"]) == ("0.3105", "24")
    assert lines_of(excess(("max_daily_taken_thousand_m3", "0.26")), "gas_capacity_excess") == []


def test_yearly_monthly_and_sliding_capacity_add_up_and_each_is_billed() -> None:
    more: dict[str, Any] = {"daily_capacity_month_thousand_m3": "0.040", "daily_capacity_sliding_thousand_m3": "0.010"}
    priced = excess(("max_daily_taken_thousand_m3", "0.3105"), **more)
    (line,) = lines_of(priced, "gas_capacity_excess")
    assert str(line.quantity) == "0.0005"
    billed = {each.code: (str(each.quantity), str(each.amount)) for each in priced.lines}
    assert billed[1019] == ("0.260", "2511.90")
    assert billed[1022] == ("0.040", "386.45")
    assert billed[1021] == ("0.010", "96.61")


@pytest.mark.parametrize(
    ("name", "capacity", "inside", "above"),
    [
        ("daily_taken_23h_thousand_m3", "0.24", "0.23", "0.2301"),  # 0.24 x 23/24
        ("daily_taken_25h_thousand_m3", "0.24", "0.25", "0.2501"),  # 0.24 x 25/24
    ],
)
def test_on_days_of_clock_changes_the_capacity_is_by_their_hours(
    name: str, capacity: str, inside: str, above: str
) -> None:
    given: dict[str, Any] = {"max_daily_taken_thousand_m3": "0.1", "daily_capacity_thousand_m3": capacity}
    assert lines_of(excess((name, inside), **given), "gas_capacity_excess") == []
    (line,) = lines_of(excess((name, above), **given), "gas_capacity_excess")
    assert line.quantity == Decimal("0.0001")
    assert f"({name[12:14]} hodin)" in line.why


def test_the_change_days_are_a_switch_of_the_package() -> None:
    def off(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            entry["parameters"].pop("change_days", None)

    book = changed(off, "cz-gas-2017-example")
    given: dict[str, Any] = {"max_daily_taken_thousand_m3": "0.1", "daily_capacity_thousand_m3": "0.24"}
    assert lines_of(excess(("daily_taken_23h_thousand_m3", "0.235"), book=book, **given), "gas_capacity_excess") == []
    (line,) = lines_of(excess(("daily_taken_25h_thousand_m3", "0.245"), book=book, **given), "gas_capacity_excess")
    assert line.quantity == Decimal("0.005")


def test_a_month_of_two_payers_bills_its_highest_day_to_who_paid_then() -> None:
    days = {"max_daily_taken_thousand_m3": "0.2"}
    first = part("2026-01-01", "2026-01-16", LARGE, quantities(**TAKEN, **days), GAS, payer=1)
    second = part("2026-01-16", "2026-02-01", LARGE, quantities(**TAKEN, max_daily_taken_thousand_m3="0.3"), GAS,
                  payer=2)  # fmt: skip
    priced = price_parts([first, second])
    (line,) = lines_of(priced, "gas_capacity_excess")
    assert (line.payer, line.first, line.end) == (2, date(2026, 1, 16), date(2026, 2, 1))
    assert any("Plátce se v měsíci změnil" in each.text for each in line.assumptions)
    capacity = lines_of(priced, "gas_capacity_year")
    assert sum(each.amount for each in capacity) == Decimal("2511.90")


def test_each_month_has_its_own_excess() -> None:
    january, february = ("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01")
    parts = [
        part(*month, LARGE, quantities(**TAKEN, max_daily_taken_thousand_m3=taken), GAS)
        for month, taken in ((january, "0.3"), (february, "0.28"))
    ]
    lines = lines_of(price_parts(parts), "gas_capacity_excess")
    assert [(line.first.month, str(line.quantity)) for line in lines] == [(1, "0.04"), (2, "0.02")]
    (energy,) = lines_of(price_parts(parts), "gas_energy")
    assert energy.inputs["volume_m3"] == "14000"
    assert energy.inputs["calorific_value_kwh_m3"] == "10.6512"


def test_means_of_a_line_over_two_months_are_weighted_by_volume() -> None:
    one = quantities(volume_m3="3000", volume_coefficient="1", calorific_value_kwh_m3="10", energy_mwh="30")
    two = quantities(volume_m3="1000", volume_coefficient="0.98", calorific_value_kwh_m3="11", energy_mwh="10.78")
    days = (("2026-01-01", "2026-02-01"), ("2026-02-01", "2026-03-01"))
    parts = [part(*month, SMALL, given, GAS) for month, given in zip(days, (one, two), strict=True)]
    (line,) = lines_of(price_parts(parts), "gas_energy")
    # k = 3980 / 4000; Hs = (3000 x 10 + 980 x 11) / 3980
    assert (line.inputs["volume_m3"], line.inputs["volume_coefficient"]) == ("4000", "0.9950")
    assert line.inputs["calorific_value_kwh_m3"] == "10.2462"
    assert line.quantity == Decimal("40.780")


@pytest.mark.parametrize(
    ("lacks", "given"),
    [
        ("max_daily_taken_thousand_m3", {}),
        (
            "daily_capacity_thousand_m3",
            {"max_daily_taken_thousand_m3": "1"},
        ),
    ],
)
def test_what_an_excess_lacks_is_told_with_the_days_and_gives_no_line(lacks: str, given: dict[str, str]) -> None:
    def no_capacity(content: dict[str, Any]) -> None:
        content["rules"] = [rule for rule in content["rules"] if rule["component"] != "gas_capacity_year"]

    values = {name: value for name, value in {**TAKEN, **given}.items() if name != lacks}
    book = changed(no_capacity, "cz-gas-2017-example")
    priced = price_parts([part(*JANUARY, LARGE, quantities(**values), book)])
    assert lines_of(priced, "gas_capacity_excess") == []
    (told,) = [finding for finding in priced.findings if finding.lacks]
    assert (told.component, told.lacks, told.mark) == ("gas_capacity_excess", lacks, "assumed")
    assert f"chybí veličina {lacks} od 2026-01-01 do 2026-01-31" in told.text


def test_a_band_with_a_fixed_payment_has_no_capacity_to_exceed() -> None:
    priced = price_parts([part(*JANUARY, SMALL, quantities(**TAKEN), GAS)])
    assert not [finding for finding in priced.findings if finding.component == "gas_capacity_excess"]


def operator_of(priced: Priced) -> tuple[list[Line], list[Finding]]:
    component = "gas_market_operator"
    return lines_of(priced, component), [each for each in priced.findings if each.component == component]


def test_the_market_operator_is_told_where_it_has_no_price_or_is_inside_another() -> None:
    lines, (told,) = operator_of(price_parts([part(*JANUARY, SMALL, quantities(**TAKEN), GAS)]))
    assert (lines, "nemá cenu" in told.text) == ([], True)
    old = price_parts([part("2015-01-01", "2015-02-01", SMALL, quantities(**TAKEN), G2015)])
    lines, (told,) = operator_of(old)
    assert (lines, "2,16 Kč/MWh je v ceně za distribuované množství" in told.text) == ([], True)
    assert [str(line.unit_price) for line in lines_of(old, "gas_energy")] == ["193.75"]


@pytest.mark.parametrize(
    ("book", "day", "price", "fixed"),
    [
        (G2015, "2015", ("412.77", "234.74", "211.85", "193.75", "167.74", "137.38"),
         ("65.05", "93.09", "107.51", "130.14", "184.33", "298.16")),
        (GAS, "2017", ("452.61", "242.52", "220.14", "200.12", "172.68", "141.26"),
         ("67.89", "100.97", "115.07", "140.10", "197.27", "315.11")),
    ],
)  # fmt: skip
def test_published_bands(book: Package, day: str, price: tuple[str, ...], fixed: tuple[str, ...]) -> None:
    for annual, energy, month in zip(("1.89", "7.56", "15", "25", "45", "63"), price, fixed, strict=True):
        point = TariffPoint("GASNET", annual_mwh=Decimal(annual))
        priced = price_parts([part(f"{day}-01-01", f"{day}-02-01", point, quantities(**TAKEN), book)])
        found = {line.code: str(line.unit_price) for line in priced.lines}
        assert (found[1001], found[1002]) == (energy, month)


@pytest.mark.parametrize(("book", "day", "yearly"), [(G2015, "2015", "108075.16"), (GAS, "2017", "115933.79")])
def test_a_traders_arithmetic_on_the_message_of_the_bill_comes_to_the_same(
    book: Package, day: str, yearly: str
) -> None:
    """What a consumer of the market operator's message computes: price x size / 1000 x effect, unitPrice x maxSize /
    1000 x monthFactor, distributionSum x unitPrice, rent x effect; each line rounded to 0.01.
    """

    def haler(value: Decimal | Fraction) -> Decimal:
        above, below = value.as_integer_ratio()
        return (Decimal(above) / below).quantize(Decimal("0.01"), ROUND_HALF_UP)

    size, highest = Decimal(1300), Decimal(1412)
    values = quantities(**{**TAKEN, "daily_capacity_thousand_m3": "1.3", "max_daily_taken_thousand_m3": "1.412"})
    priced = price_parts([part(f"{day}-03-01", f"{day}-04-01", LARGE, values, book)])
    found = {line.code: line for line in priced.lines}
    effect = Fraction(1, 12)
    assert found[1019].amount == haler(Fraction(yearly) * Fraction(size) / 1000 * effect)
    month_factor = Fraction(1)
    assert found[1998].amount == haler(Fraction(yearly) * effect * Fraction(highest - size) / 1000 * month_factor)
    consumption, factor, heat = Fraction(7000), Fraction(TERMS["volume_coefficient"]), Fraction("10.6512")
    assert found[1001].quantity == haler(consumption * factor * heat / 100).scaleb(-1)  # MWh to three decimals
    assert found[1001].amount == haler(found[1001].quantity * found[1001].unit_price)
    half = price_parts([part(f"{day}-03-01", f"{day}-03-11", SMALL, quantities(**TAKEN), book)])
    (rent,) = lines_of(half, "gas_fixed")
    assert abs(rent.amount - haler(Fraction(rent.unit_price) * Fraction(10, 31))) <= Decimal("0.01")


def test_the_market_operators_price_of_the_message_is_by_kwh() -> None:
    def priced_package(content: dict[str, Any]) -> None:
        content["tables"].append(table("gas_market_operator", "CZK/MWh", [], ["2.13"]))

    book = changed(priced_package, "cz-gas-2017-example")
    ((line,), told) = operator_of(price_parts([part(*JANUARY, SMALL, quantities(**TAKEN), book)]))
    assert (line.code, told) == (1023, [])
    per_kwh = Decimal("0.00213")
    assert line.amount == (per_kwh * 1000 * line.quantity).quantize(Decimal("0.01"), ROUND_HALF_UP)


def day_of_march(number: int) -> date:
    return date(2026, 3, number)


def test_the_highest_gas_days_are_at_the_reference_state_and_apart_by_their_hours() -> None:
    """28 March 2026 has 23 hours; k falls in the middle of the month, so that the highest volume is not the highest."""
    conversions = [
        Conversion(1, 6, "GN1", kind="fixed", coefficient=Decimal(k), first=first, end=end, source="test")
        for k, first, end in (("1.1", date(2026, 1, 1), date(2026, 3, 15)), ("0.9", date(2026, 3, 15), None))
    ]
    volumes = {day_of_march(number): 200_000 for number in range(1, 32)}
    volumes |= {day_of_march(10): 250_000, day_of_march(20): 300_000, day_of_march(28): 400_000}
    found = highest_days(volumes, -3, GasTerms(conversions, {}))
    assert found == {
        "max_daily_taken_thousand_m3": (Decimal("0.275000"), day_of_march(10)),
        "daily_taken_23h_thousand_m3": (Decimal("0.360000"), day_of_march(28)),
    }
    plain = highest_days({date(2026, 10, 24): 5, date(2026, 10, 25): 4}, -2, None)
    assert plain == {
        "daily_taken_25h_thousand_m3": (Decimal("0.000050"), date(2026, 10, 24)),
        "max_daily_taken_thousand_m3": (Decimal("0.000040"), date(2026, 10, 25)),
    }
