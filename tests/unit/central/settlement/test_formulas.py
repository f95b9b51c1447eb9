"""Each formula beyond the worked bills: what it bills, and what it needs for that."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.settlement.formulas_tariffs import storage_coefficient
from central.settlement.model import CannotPriceError, TariffPoint, half_up
from central.settlement.price_parts import price_parts
from central.tariffs.package import Package
from tests.unit.central.settlement.packages import (
    GAS,
    changed,
    name_bands,
    of_component,
    part,
    quantities,
    rule,
    table,
    told,
)

VN = TariffPoint("CEZ", "VN")
JANUARY = ("2026-01-01", "2026-02-01")
ZONES = [["0.329", "1.12"], ["0.607", "12.38"], ["1.756", "100"]]


def with_zones(**parameters: str) -> Package:
    """The package with a surcharge by zones; c_se is a made-up 1000 Kč/MWh."""

    def add(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if entry["component"] == "power_factor":
                entry.update(code=11, formula="power_factor")
                entry["parameters"].update(
                    zones="surcharge_zones",
                    capacity_price="reserved_capacity_year",
                    networks_price="use_of_networks",
                    electricity_price="surcharge_electricity",
                    **parameters,
                )
        zones = {"component": "surcharge_zones", "unit": "%", "of": "tg_phi", "rows": ZONES}
        content["steps"] = [{**zones, "source": "product", "mark": "assumed"}]
        content["tables"].append(table("surcharge_electricity", "CZK/MWh", ["operator"], ["CEZ", "1000"]))

    return changed(add)


def test_the_surcharge_of_the_power_factor_is_a_sum_by_zones() -> None:
    given_values = quantities(
        max_quarter_hour_kw="300",
        reserved_capacity_year_kw="300",
        reserved_input_kw="400",
        energy_mwh="100",
        reactive_taken_mvarh="63",
    )
    (line,) = of_component(price_parts([part(*JANUARY, VN, given_values, with_zones())]), "power_factor")
    base = Decimal("0.300") * 252565 + (Decimal("106.22") + 1000) * 100
    assert line.code == 11
    assert line.amount == half_up(base * Decimal("12.38") / 100, Decimal("0.01"))
    assert told(line) == ("12.38", "1863.915", "23075.27")
    assert "tg φ = 0,630" in line.why
    assert line.mark == "assumed"


def test_zones_begin_above_the_neutral_band_and_end_without_limit() -> None:
    given_values = quantities(
        max_quarter_hour_kw="300", reserved_capacity_year_kw="300", reserved_input_kw="400", energy_mwh="100"
    )
    percents = []
    for reactive in ("32.8", "32.9", "60.6", "60.7", "900"):
        values = {**given_values, "reactive_taken_mvarh": Decimal(reactive)}
        lines = of_component(price_parts([part(*JANUARY, VN, values, with_zones())]), "power_factor")
        percents.append(str(lines[0].quantity) if lines else None)
    assert percents == [None, "1.12", "1.12", "12.38", "100"]


def test_a_mask_takes_the_sums_of_the_evaluated_intervals() -> None:
    values = quantities(
        max_quarter_hour_kw="300",
        reserved_capacity_year_kw="300",
        reserved_input_kw="400",
        energy_mwh="100",
        reactive_taken_mvarh="90",
        evaluated_energy_mwh="20",
        evaluated_reactive_taken_mvarh="2",
    )
    masked = price_parts([part(*JANUARY, VN, values, with_zones(intervals="working hours:6-10"))])
    assert not of_component(masked, "power_factor")
    assert any("tg φ = 0,100" in finding.text for finding in masked.findings)


NTS = {
    # level, operator: reserved input T1, T2, maximum T1, T2 (informative prices of May 2026)
    ("CEZ", "VVN"): ("96862", "11586", "9686", "115862"),
    ("CEZ", "VN"): ("190133", "22743", "19013", "227429"),
    ("EGD", "VVN"): ("87770", "10499", "8777", "104987"),
    ("EGD", "VN"): ("181386", "21697", "18139", "216967"),
    ("PRE", "VVN"): ("109073", "13047", "10907", "130470"),
    ("PRE", "VN"): ("196298", "23480", "19630", "234804"),
    ("UCED", "VN"): ("255864", "30605", "25586", "306054"),
    ("SV", "VN"): ("178312", "21329", "17831", "213290"),
}


def structure_of_2027(**parameters: str) -> Package:
    both = {
        "tariffs": "T1+T2",
        "reserved": "reserved_input_kw",
        "measured": "max_quarter_hour_kw",
        "reserved_price": "nts_input",
        "measured_price": "nts_maximum",
        **parameters,
    }

    def replace_capacity(content: dict[str, Any]) -> None:
        levels = ["VVN", "VN"]
        content["rules"] = [
            rule("nts_input_payment", 2101, "lower_tariff_reserved_input", levels=levels, parameters=both),
            rule("nts_maximum_payment", 2102, "lower_tariff_maximum_power", levels=levels, parameters=both),
        ]
        content["groups"] = []
        rows: dict[str, list[list[str]]] = {"nts_input": [], "nts_maximum": []}
        for (operator, level), (input_1, input_2, maximum_1, maximum_2) in NTS.items():
            rows["nts_input"] += [[operator, level, "T1", input_1], [operator, level, "T2", input_2]]
            rows["nts_maximum"] += [[operator, level, "T1", maximum_1], [operator, level, "T2", maximum_2]]
        content["tables"] = [
            table(name, "CZK/MW/month", ["operator", "level", "band"], *entries) for name, entries in rows.items()
        ]
        content["tables"].append(
            table("storage_limit", "1", ["level", "band"], ["VN", "storage U1", "0.60"], ["VN", "storage U2", "0.75"])
        )
        content["rates"], content["breaker_bands"] = {}, []
        name_bands(content, "T1", "T2", "storage U1", "storage U2")

    return changed(replace_capacity)


@pytest.mark.parametrize(("operator", "level"), list(NTS))
@pytest.mark.parametrize("maximum", ["30", "200", "372", "450"])
def test_each_month_bills_the_lower_of_two_tariffs(operator: str, level: str, maximum: str) -> None:
    values = quantities(reserved_input_kw="400", max_quarter_hour_kw=maximum, energy_mwh="100")
    priced = price_parts([part(*JANUARY, TariffPoint(operator, level), values, structure_of_2027())])
    input_1, input_2, maximum_1, maximum_2 = (Decimal(price) for price in NTS[operator, level])
    power = Decimal(maximum) / 1000
    sums = {
        "T1": (half_up(Decimal("0.4") * input_1, Decimal("0.01")), half_up(power * maximum_1, Decimal("0.01"))),
        "T2": (half_up(Decimal("0.4") * input_2, Decimal("0.01")), half_up(power * maximum_2, Decimal("0.01"))),
    }
    lower = min(sums, key=lambda name: sum(sums[name]))
    assert tuple(line.amount for line in priced.lines) == sums[lower]
    assert {line.inputs["tariff"] for line in priced.lines} == {lower}


def test_reserved_input_changes_by_days_and_the_maximum_stays_once() -> None:
    values = quantities(reserved_input_kw="400", max_quarter_hour_kw="372", energy_mwh="100")
    book = structure_of_2027()
    priced = price_parts(
        [
            part("2026-01-01", "2026-01-13", VN, values, book),
            part("2026-01-13", "2026-02-01", VN, {**values, "reserved_input_kw": Decimal(500)}, book),
        ]
    )
    inputs = of_component(priced, "nts_input_payment")
    # T1: (0.4 x 12 + 0.5 x 19) / 31 x 190133 + 0.372 x 19013; T2 is 4,000 higher
    assert [str(line.amount) for line in inputs] == ["29439.95", "58266.56"]
    (maximum,) = of_component(priced, "nts_maximum_payment")
    assert told(maximum) == ("0.372", "19013", "7072.84")


def test_the_entry_of_a_local_network_pays_input_for_its_maximum_and_a_floor() -> None:
    book = structure_of_2027(floor="0.6")
    entry = replace(VN, network_entry=True)
    for maximum, megawatts in (("372", "0.372"), ("100", "0.240"), ("450", "0.450")):
        values = quantities(reserved_input_kw="400", max_quarter_hour_kw=maximum, energy_mwh="100")
        (line,) = of_component(price_parts([part(*JANUARY, entry, values, book)]), "nts_input_payment")
        assert str(line.quantity) == megawatts
        assert line.mark == "assumed"
    (usual,) = of_component(price_parts([part(*JANUARY, VN, values, book)]), "nts_input_payment")
    assert str(usual.quantity) == "0.400"


@pytest.mark.parametrize(
    ("share", "coefficient"),
    [("0", "0"), ("0.60", "0"), ("0.675", "0.5"), ("0.75", "1"), ("0.9", "1")],
)
def test_the_storage_coefficient_lies_between_its_limits(share: str, coefficient: str) -> None:
    assert storage_coefficient(Decimal(share), Decimal("0.60"), Decimal("0.75")) == Decimal(coefficient)
    values = quantities(reserved_input_kw="400", max_quarter_hour_kw="372", energy_mwh="100")
    values["energy_returned_mwh"] = Decimal(share) * 100
    storing = replace(VN, storage="storage")
    priced = price_parts([part(*JANUARY, storing, values, structure_of_2027(storage="storage_limit"))])
    (maximum,) = of_component(priced, "nts_maximum_payment")
    assert maximum.quantity == half_up(Decimal("0.372") * (1 - Decimal(coefficient)), Decimal("0.001"))
    assert str(of_component(priced, "nts_input_payment")[0].quantity) == "0.400"


def test_the_entry_without_exempt_participants_is_a_switch_of_the_package() -> None:
    def switch(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if entry["component"] == "excess_reserved_capacity":
                entry["parameters"]["measured_at_entry"] = "max_quarter_hour_without_exempt_kw"

    values = quantities(
        reserved_capacity_year_kw="300",
        reserved_input_kw="400",
        max_quarter_hour_kw="350",
        max_quarter_hour_without_exempt_kw="310",
        energy_mwh="100",
    )
    entry = replace(VN, network_entry=True)
    found = []
    for point, book in ((entry, changed(switch)), (VN, changed(switch)), (entry, changed(lambda content: None))):
        (line,) = of_component(price_parts([part(*JANUARY, point, values, book)]), "excess_reserved_capacity")
        found.append((str(line.quantity), line.mark))
    assert found == [("10", "assumed"), ("50", "documented"), ("50", "documented")]


def test_an_unmetered_point_pays_for_each_started_ten_watts() -> None:
    def unmetered(content: dict[str, Any]) -> None:
        content["rates"]["C60d"] = {"name": "Neměřené odběry", "registers": []}
        parameters = {"quantity": "unmetered_w", "unit": "10", "only_if": "rate:C60d"}
        content["rules"] = [rule("unmetered", 12, "per_started_unit_month", levels=["NN"], parameters=parameters)]
        content["tables"] = [entry for entry in content["tables"] if entry["component"] not in ("breaker", "unmetered")]
        content["tables"].append(table("unmetered", "CZK/month", ["operator"], ["CEZ", "65.35"]))
        content["groups"] = []

    book = changed(unmetered)
    point = TariffPoint("CEZ", "NN", "C60d")
    found = [
        told(price_parts([part(*JANUARY, point, quantities(unmetered_w=watts), book)]).lines[0])
        for watts in ("25", "30", "1")
    ]
    assert found == [("1", "196.05", "196.05"), ("1", "196.05", "196.05"), ("1", "65.35", "65.35")]


def gas_forms(**parameters: str) -> Package:
    """GasNet with its capacity by formulas of K; the coefficients are made up, none are public."""

    def add(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if entry["component"] == "gas_capacity_year":
                entry["parameters"].update(parameters)
        content["tables"] = [entry for entry in content["tables"] if entry["component"] != "gas_capacity_year"]
        content["tables"] += [
            table("gas_capacity_year_a", "CZK/1000 m3/year", ["operator"], ["GASNET", "150000"]),
            table("gas_capacity_year_b", "CZK/1000 m3/year", ["operator"], ["GASNET", "-10000"]),
        ]
        steps = {"component": "gas_capacity_year_table", "unit": "CZK/1000 m3/year", "of": "capacity"}
        rows = [["0", "140000"], ["5", "120000"]]
        content["steps"] = [{**steps, "rows": rows, "source": "product", "mark": "assumed"}]

    return changed(add, "cz-gas-2017-example")


@pytest.mark.parametrize(
    ("forms", "capacity", "price"),
    [
        ("const+ln", "10", "10581.179089"),  # (150000 - 10000 x ln 10) / 12
        ("ln", "1", "12500.000000"),
        ("table", "4.9", "11666.666667"),
        ("table", "5", "10000.000000"),
    ],
)
def test_gas_capacity_by_formula_or_table(forms: str, capacity: str, price: str) -> None:
    point = TariffPoint("GASNET", annual_mwh=Decimal(800))
    values = quantities(volume_m3="7000", daily_capacity_thousand_m3=capacity)
    (line,) = of_component(price_parts([part(*JANUARY, point, values, gas_forms(forms=forms))]), "gas_capacity_year")
    assert str(line.unit_price) == price


def gas_with_more() -> Package:
    """GasNet with factors of months, a multiplier of the excess and the market operator's price; all made up."""

    def add(content: dict[str, Any]) -> None:
        for entry in content["rules"]:
            if entry["component"] == "gas_capacity_excess":
                entry["parameters"] |= {"multiplier": "1.5"}
                del entry["parameters"]["factor"]
        content["tables"] = [entry for entry in content["tables"] if entry["component"] != "gas_month_factor"]
        content["tables"] += [
            table("gas_month_factor", "1", ["band"], ["01", "3"], ["07", "0.5"]),
            table("gas_market_operator", "CZK/MWh", [], ["2.16"]),
        ]

    return changed(add, "cz-gas-2017-example")


def test_monthly_capacity_excess_and_the_market_operator_of_gas() -> None:
    point = TariffPoint("GASNET", annual_mwh=Decimal(800))
    values = quantities(
        volume_m3="7000",
        daily_capacity_thousand_m3="0.400",
        daily_capacity_month_thousand_m3="0.050",
        max_daily_taken_thousand_m3="0.500",
    )
    priced = price_parts([part(*JANUARY, point, values, gas_with_more())])
    # the yearly price 115933.79: a twelfth x 3, and x 1.5
    assert told(of_component(priced, "gas_capacity_month")[0]) == ("0.050", "28983.447500", "1449.17")
    assert told(of_component(priced, "gas_capacity_excess")[0]) == ("0.05", "14491.723750", "724.59")
    (energy,), (market,) = of_component(priced, "gas_energy"), of_component(priced, "gas_market_operator")
    assert market.quantity == energy.quantity
    assert str(market.amount) == "161.05"
    none = {name: value for name, value in values.items() if "month" not in name and "max" not in name}
    assert {line.component for line in price_parts([part(*JANUARY, point, none, gas_with_more())]).lines} == {
        "gas_energy",
        "gas_capacity_year",
        "gas_market_operator",
    }


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=4))
def test_gas_energy_is_rounded_once_over_all_parts(litres: list[int]) -> None:
    point = TariffPoint("GASNET", annual_mwh=Decimal(20))
    terms = quantities(volume_coefficient="1.0005", calorific_value_kwh_m3="10.6512")
    parts = [
        part(
            f"2026-01-0{1 + index}",
            f"2026-01-0{2 + index}",
            point,
            {
                "volume_m3": Decimal(value).scaleb(-3),
                **terms,
            },
            GAS,
            item=index,
        )
        for index, value in enumerate(litres)
    ]
    total = Decimal(sum(litres)).scaleb(-6) * Decimal("1.0005") * Decimal("10.6512")
    lines = of_component(price_parts(parts), "gas_energy")
    assert sum(line.quantity for line in lines) == half_up(total, Decimal("0.001"))


def test_what_a_formula_lacks_leaves_the_point_out() -> None:
    no_input = quantities(max_quarter_hour_kw="1", energy_mwh="1")
    with pytest.raises(CannotPriceError, match="není sjednán rezervovaný příkon"):
        price_parts([part(*JANUARY, VN, no_input, structure_of_2027())])
    with pytest.raises(CannotPriceError, match="chybí veličina max_quarter_hour_kw"):
        price_parts([part(*JANUARY, VN, quantities(reserved_input_kw="1", energy_mwh="1"), structure_of_2027())])
    with pytest.raises(ValueError, match="must rise"):
        storage_coefficient(Decimal(1), Decimal(1), Decimal(1))
