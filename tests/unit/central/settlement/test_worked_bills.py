"""Worked bills to the haléř, the published amounts, and what leaves a point out."""

import copy
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.gas import energy_mwh
from central.settlement.model import CannotPriceError, Line, Part, Priced, Quantities, TariffPoint, half_up
from central.settlement.price_parts import price_parts
from central.tariffs.load import checksum_of, load_content, load_file, shipped_files
from central.tariffs.package import Package
from shared.metering_day import next_month

DAY = date(2026, 3, 1)
PATHS = {path.stem: path for path in shipped_files()}
ELECTRICITY = load_file(PATHS["cz-electricity-2026"], FORMULA_SHAPES)
GAS = load_file(PATHS["cz-gas-2017-example"], FORMULA_SHAPES)
VN = TariffPoint(operator="CEZ", level="VN")


def price_month(point: TariffPoint, given: Quantities, day: date, book: Package) -> Priced:
    """The lines of a point for the whole month that `day` lies in."""
    return price_parts([Part(day.replace(day=1), next_month(day.year, day.month), 0, point, {}, given, book)])


def quantities(**values: str) -> dict[str, Decimal]:
    return {name: Decimal(value) for name, value in values.items()}


WORKED_VN = quantities(
    reserved_capacity_year_kw="300",
    reserved_capacity_month_kw="50",
    max_quarter_hour_kw="372",
    reserved_input_kw="400",
    energy_mwh="118.456",
    reactive_delivery_mvarh="2.310",
)


def amounts(priced: Priced) -> dict[int, tuple[str, str, str]]:
    return {line.code: (str(line.quantity), str(line.unit_price), str(line.amount)) for line in priced.lines}


def totals(priced: Priced, package: Package) -> tuple[Decimal, Decimal, Decimal]:
    vat = half_up(priced.net * package.vat_percent / 100, Decimal("0.01"))
    return priced.net, vat, priced.net + vat


def test_worked_month_at_medium_voltage() -> None:
    priced = price_month(VN, WORKED_VN, DAY, ELECTRICITY)
    assert amounts(priced) == {
        6: ("0.300", "252565", "75769.50"),
        5: ("0.050", "281823", "14091.15"),
        17: ("22", "422.7345", "9300.16"),
        7: ("118.456", "106.22", "12582.40"),
        15: ("118.456", "164.24", "19455.21"),
        8: ("0.400", "0", "0.00"),
        9: ("1", "12.87", "12.87"),
        10: ("2.310", "440", "1016.40"),
    }
    assert totals(priced, ELECTRICITY) == (Decimal("132227.69"), Decimal("27767.81"), Decimal("159995.50"))
    assert [line.code for line in priced.lines if line.is_information] == [8]


def test_of_both_excesses_only_the_higher_is_billed() -> None:
    priced = price_month(VN, {**WORKED_VN, "reserved_input_kw": Decimal(360)}, DAY, ELECTRICITY)
    assert amounts(priced)[27] == ("12", "1127.292", "13527.50")
    assert 17 not in amounts(priced)
    assert any("9300,16 Kč se neúčtuje" in finding.text for finding in priced.findings)
    assert priced.net == Decimal("132227.69") - Decimal("9300.16") + Decimal("13527.50")


def test_the_package_can_switch_to_billing_both_excesses() -> None:
    both = _changed(lambda content: content["groups"][0].update(take="all"))
    codes = amounts(price_month(VN, {**WORKED_VN, "reserved_input_kw": Decimal(360)}, DAY, both))
    assert (codes[17][2], codes[27][2]) == ("9300.16", "13527.50")


def test_worked_month_at_low_voltage() -> None:
    point = TariffPoint("EGD", "NN", "C25d", 3, Decimal(63))
    priced = price_month(point, quantities(energy_vt_mwh="1.842", energy_nt_mwh="0.655"), DAY, ELECTRICITY)
    assert amounts(priced) == {
        12: ("1", "1446", "1446.00"),
        13: ("1.842", "3100.85", "5711.77"),
        14: ("0.655", "224.3", "146.92"),
        15: ("2.497", "164.24", "410.11"),
        8: ("189", "0", "0.00"),
        9: ("1", "12.87", "12.87"),
    }
    assert totals(priced, ELECTRICITY) == (Decimal("7727.67"), Decimal("1622.81"), Decimal("9350.48"))


def test_total_of_two_tariffs_is_what_the_tariffs_are_billed_for() -> None:
    quantities = {
        "energy_vt_mwh": Decimal("1.8424"),
        "energy_nt_mwh": Decimal("0.6554"),
        "energy_mwh": Decimal("2.4978"),
    }
    point = TariffPoint("CEZ", "NN", "C25d", 3, Decimal(63))
    billed = {line.component: line.quantity for line in price_month(point, quantities, DAY, ELECTRICITY).lines}
    # 2.4978 would become 2.498, a step more than the lines above it
    assert billed["energy_vt"] + billed["energy_nt"] == billed["system_services"] == Decimal("2.497")


def test_power_given_back_is_billed_over_the_agreed_and_told_without_one() -> None:
    given = {**WORKED_VN, "max_quarter_hour_output_kw": Decimal("60.4")}
    assert not any("výkonu" in finding.text for finding in price_month(VN, WORKED_VN, DAY, ELECTRICITY).findings)
    told = [finding.text for finding in price_month(VN, given, DAY, ELECTRICITY).findings]
    assert any("Překročení rezervovaného výkonu: nic není rezervováno" in text for text in told)
    agreed = price_month(VN, {**given, "reserved_output_kw": Decimal(50)}, DAY, ELECTRICITY)
    assert amounts(agreed)[2001] == ("10", "1108", "11080.00")
    nothing = price_month(VN, {**WORKED_VN, "max_quarter_hour_output_kw": Decimal(0)}, DAY, ELECTRICITY)
    assert nothing == price_month(VN, WORKED_VN, DAY, ELECTRICITY)


def test_a_price_of_another_year_marks_its_line() -> None:
    lines = {line.component: line for line in price_month(VN, WORKED_VN, DAY, ELECTRICITY).lines}
    assert lines["unsolicited_reactive"].mark == lines["unsolicited_reactive"].inputs["mark"] == "inferred"
    (assumption,) = lines["unsolicited_reactive"].assumptions
    assert "Cenové rozhodnutí ERÚ pro rok 2021" in assumption.text
    assert "neověřená" in assumption.text
    assert {line.mark for name, line in lines.items() if name != "unsolicited_reactive"} == {"documented"}
    assert lines["use_of_networks"].inputs["rounding"] == {
        "energy_mwh": {"step": "0.001", "mark": "assumed"},
        "amount": {"step": "0.01", "mark": "assumed"},
    }


def test_a_breaker_by_the_ampere_says_so() -> None:
    point = TariffPoint("CEZ", "NN", "C02d", 3, Decimal(200))
    (line,) = [
        line for line in price_month(point, {"energy_mwh": Decimal(1)}, DAY, ELECTRICITY).lines if line.code == 12
    ]
    assert line.amount == Decimal("2886.00")
    assert "200 × 14,43 Kč/měs" in line.why


def test_single_tariff() -> None:
    point = TariffPoint("CEZ", "NN", "C02d", 3, Decimal(25))
    priced = price_month(point, quantities(energy_mwh="0.100"), DAY, ELECTRICITY)
    assert amounts(priced)[13] == ("0.100", "2263.19", "226.32")
    assert 14 not in amounts(priced)


def _changed(change: Any) -> Package:
    content = json.loads(PATHS["cz-electricity-2026"].read_text(encoding="utf-8"))
    change(content)
    content["checksum"] = checksum_of(content)
    return load_content(content, "changed", FORMULA_SHAPES)


def _law_of_2021(content: dict[str, Any]) -> None:
    """The rules and prices documented for 2021: twice the yearly price, the monthly one where no yearly is agreed."""
    for table in content["tables"]:
        if table["component"] in ("reserved_capacity_year", "reserved_capacity_month"):
            for row in table["rows"]:
                if row[:2] == ["CEZ", "VN"]:
                    row[-1] = "177031" if table["component"] == "reserved_capacity_year" else "197921"
    for rule in content["rules"]:
        if rule["component"] == "excess_reserved_capacity":
            rule["parameters"].update(
                multiplier="2", base="reserved_capacity_year", base_if_none="reserved_capacity_month"
            )


def test_published_amounts_of_may_2021() -> None:
    package = _changed(_law_of_2021)
    given = quantities(
        reserved_capacity_year_kw="30",
        max_quarter_hour_kw="12",
        energy_mwh="4.770",
        reactive_delivery_mvarh="2.589",
        reserved_input_kw="210",
    )
    priced = price_month(VN, given, DAY, package)
    assert amounts(priced)[10][2] == "1139.16"
    assert amounts(priced)[6][2] == "5310.93"
    assert not {17, 27} & set(amounts(priced))
    over = price_month(VN, {**given, "max_quarter_hour_kw": Decimal(31)}, DAY, package)
    assert Decimal(amounts(over)[17][1]) * 1000 == 354062
    over_input = price_month(VN, {**given, "max_quarter_hour_kw": Decimal(211)}, DAY, _both(_law_of_2021))
    assert Decimal(amounts(over_input)[27][1]) * 1000 == 791684
    without_year = {**given, "reserved_capacity_year_kw": Decimal(0), "max_quarter_hour_kw": Decimal(1)}
    assert Decimal(amounts(price_month(VN, without_year, DAY, package))[17][1]) * 1000 == 2 * 197921


def _both(change: Any) -> Package:
    def change_and_bill_both(content: dict[str, Any]) -> None:
        change(content)
        content["groups"][0]["take"] = "all"

    return _changed(change_and_bill_both)


def test_published_excesses_of_2026() -> None:
    """120 kW reserved, monthly maxima 180 and 150 kW; a year's reservation."""
    excesses = Decimal(0)
    for maximum in ("180", "150"):
        given = quantities(
            reserved_capacity_year_kw="120", max_quarter_hour_kw=maximum, energy_mwh="10", reserved_input_kw="400"
        )
        line = next(line for line in price_month(VN, given, DAY, ELECTRICITY).lines if line.code == 17)
        excesses += line.quantity * line.unit_price
    assert excesses == Decimal("38046.105")
    reserved = next(line for line in price_month(VN, given, DAY, ELECTRICITY).lines if line.code == 6)
    assert reserved.amount * 12 == Decimal("363693.60")


@pytest.mark.parametrize(("input_mw", "energy", "amount"), [("0.4", "100", "46352.32"), ("0.4", "50", "24750.00")])
def test_poze_of_2025_is_capped_by_energy(input_mw: str, energy: str, amount: str) -> None:
    def poze_of_2025(content: dict[str, Any]) -> None:
        table = next(table for table in content["tables"] if table["component"] == "poze")
        table["rows"] = [["VN", "115880.79"]]

    given = quantities(
        reserved_input_kw="400", energy_mwh=energy, max_quarter_hour_kw="1", reserved_capacity_year_kw="300"
    )
    assert Decimal(input_mw) * 1000 == given["reserved_input_kw"]
    assert amounts(price_month(VN, given, DAY, _changed(poze_of_2025)))[8][2] == amount


def test_poze_at_low_voltage_counts_phases() -> None:
    def poze_of_2025(content: dict[str, Any]) -> None:
        table = next(table for table in content["tables"] if table["component"] == "poze_ampere")
        table["rows"] = [["NN", "84.70"]]

    point = TariffPoint("CEZ", "NN", "C02d", 3, Decimal(25))
    package = _changed(poze_of_2025)
    assert amounts(price_month(point, quantities(energy_mwh="20"), DAY, package))[8] == ("75", "84.70", "6352.50")
    assert amounts(price_month(point, quantities(energy_mwh="1"), DAY, package))[8] == ("1.000", "495", "495.00")


@pytest.mark.parametrize(
    ("reactive", "left_out"),
    [("0", False), ("32.8", False), ("32.899", False), ("32.9", True), ("60", True)],
)
def test_power_factor_outside_the_neutral_band_leaves_the_point_out(reactive: str, left_out: bool) -> None:
    given = {**WORKED_VN, "energy_mwh": Decimal(100), "reactive_taken_mvarh": Decimal(reactive)}
    if left_out:
        with pytest.raises(CannotPriceError, match="pásma přirážky"):
            price_month(VN, given, DAY, ELECTRICITY)
    else:
        findings = [
            finding
            for finding in price_month(VN, given, DAY, ELECTRICITY).findings
            if finding.component == "power_factor"
        ]
        assert len(findings) == 1
        assert "bez přirážky" in findings[0].text


@pytest.mark.parametrize(
    ("annual", "code", "price"),
    [("20", 1002, "140.10"), ("1.89", 1002, "67.89"), ("63", 1002, "315.11")],
)
def test_gas_with_fixed_payment(annual: str, code: int, price: str) -> None:
    point = TariffPoint(operator="GASNET", annual_mwh=Decimal(annual))
    priced = price_month(point, quantities(volume_m3="1850"), DAY, GAS)
    assert amounts(priced)[code] == ("1", price, price)
    energy = next(line for line in priced.lines if line.code == 1001)
    assert energy.quantity == Decimal("19.705")  # 1850 x 1 x 10.6512 / 1000
    assert energy.inputs["calorific_value_kwh_m3"] == "10.6512"
    assert "příklad" in energy.why


def test_gas_with_capacity() -> None:
    point = TariffPoint(operator="GASNET", annual_mwh=Decimal(800))
    priced = price_month(point, quantities(volume_m3="7000", daily_capacity_thousand_m3="0.480"), DAY, GAS)
    assert amounts(priced)[1019] == ("0.480", "9661.149167", "4637.35")
    assert 1002 not in amounts(priced)
    with pytest.raises(CannotPriceError, match="denní rezervovanou kapacitu"):
        price_month(point, quantities(volume_m3="7000"), DAY, GAS)


def test_published_gas_price_identity() -> None:
    assert half_up((Decimal("193.75") + Decimal("755.00")) * Decimal("1.21"), Decimal("0.01")) == Decimal("1147.99")
    assert half_up(Decimal("229.14") * Decimal("1.21"), Decimal("0.01")) == Decimal("277.26")


def test_gas_energy_is_rounded_once() -> None:
    assert energy_mwh(Decimal(1850), Decimal("1.0005"), Decimal("10.6512"), Decimal("0.001")) == Decimal("19.715")


@pytest.mark.parametrize(
    ("point", "given", "component"),
    [
        (TariffPoint("UCED", "VVN"), WORKED_VN, "reserved_capacity_year"),
        (VN, quantities(reserved_capacity_year_kw="300", energy_mwh="1"), "excess_reserved_capacity"),
        (TariffPoint("CEZ", "NN", None, 3, Decimal(25)), quantities(energy_mwh="1"), "rate"),
        (TariffPoint("CEZ", "NN", "C02d"), quantities(energy_mwh="1"), "breaker"),
        (TariffPoint("SV", "NN", "D02d", 3, Decimal(25)), quantities(energy_mwh="1"), "breaker"),
        (TariffPoint("CEZ", "NN", "C25d", 3, Decimal(25)), quantities(energy_nt_mwh="1"), "energy_vt"),
    ],
)
def test_what_is_missing_leaves_the_point_out(point: TariffPoint, given: dict[str, Decimal], component: str) -> None:
    with pytest.raises(CannotPriceError) as caught:
        price_month(point, given, DAY, ELECTRICITY)
    assert caught.value.component == component


@given(
    kw=st.integers(0, 5000),
    maximum=st.integers(0, 5000),
    wh=st.integers(0, 10**10),
)
def test_every_amount_is_quantity_times_price(kw: int, maximum: int, wh: int) -> None:
    given_quantities = {
        "reserved_capacity_year_kw": Decimal(kw),
        "reserved_input_kw": Decimal(kw),
        "max_quarter_hour_kw": Decimal(maximum),
        "energy_mwh": Decimal(wh).scaleb(-6),
    }
    first = price_month(VN, given_quantities, DAY, ELECTRICITY)
    lines: tuple[Line, ...] = first.lines
    for line in lines:
        assert line.amount == half_up(line.quantity * line.unit_price, Decimal("0.01"))
    assert len({17, 27} & {line.code for line in lines}) == (1 if maximum > kw else 0)
    assert price_month(VN, copy.deepcopy(given_quantities), DAY, ELECTRICITY) == first
