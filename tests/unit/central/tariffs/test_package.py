"""The shipped packages: what is in them, how it is looked up, and what a damaged one is refused for."""

import copy
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.formulas import ALL_FORMULAS
from central.tariffs.load import PackageInvalidError, checksum_of, load_content, load_file, shipped_files
from central.tariffs.package import Package, PriceMissingError

DAY = date(2026, 3, 1)
PATHS = {path.stem: path for path in shipped_files()}


@pytest.fixture(scope="module")
def electricity() -> Package:
    return load_file(PATHS["cz-electricity-2026"])


@pytest.fixture(scope="module")
def gas() -> Package:
    return load_file(PATHS["cz-gas-2017-example"])


@pytest.mark.parametrize(
    ("operator", "level", "year", "month", "networks", "single"),
    [
        ("CEZ", "VVN", "117432", "131036", "69.76", "2418.40"),
        ("CEZ", "VN", "252565", "281823", "106.22", "5157.52"),
        ("EGD", "VVN", "110826", "122223", "65.62", "2282.14"),
        ("EGD", "VN", "230551", "254260", "98.61", "4709.63"),
        ("PRE", "VVN", "129580", "143087", "64.52", "2656.12"),
        ("PRE", "VN", "271093", "299351", "85.59", "5507.45"),
        ("UCED", "VN", "266227", "295680", "79.63", "5404.17"),
        ("SV", "VN", "217605", "235013", "124.39", "4476.49"),
    ],
)
def test_high_voltage_prices_and_their_identity(
    electricity: Package, operator: str, level: str, year: str, month: str, networks: str, single: str
) -> None:
    def value(component: str) -> Decimal:
        return electricity.require_price(component, DAY, operator=operator, level=level).value

    assert value("reserved_capacity_year") == Decimal(year)
    assert value("reserved_capacity_month") == Decimal(month)
    assert value("use_of_networks") == Decimal(networks)
    assert value("single_component") == Decimal(single)
    # the regulator's own construction: the single-component price pays off below 600 hours of use a year
    computed = value("use_of_networks") + value("reserved_capacity_year") * 12 / 600
    assert computed.quantize(Decimal("0.01")) == value("single_component")


@pytest.mark.parametrize(
    ("rate", "operator", "phases", "amperes", "band", "monthly"),
    [
        ("C25d", "EGD", 3, "63", "3x63", "1446"),
        ("C02d", "CEZ", 3, "25", "3x25", "361"),
        ("C02d", "CEZ", 3, "10", "3x10", "144"),
        ("C02d", "CEZ", 3, "10.5", "3x16", "231"),
        ("C02d", "CEZ", 1, "25", "3x10", "144"),
        ("C02d", "CEZ", 1, "32", "1x>25", "153.92"),
        ("C02d", "CEZ", 3, "200", "3x>160", "2886.00"),
        ("D02d", "CEZ", 3, "63", "3x63", "644"),
        ("D02d", "CEZ", 3, "80", "3x>63", "818.40"),
        ("D57d", "CEZ", 3, "80", "3x80", "3093"),
        ("D57d", "CEZ", 3, "200", "3x>160", "24498.00"),
        ("D01d", "PRE", 3, "25", "3x25", "110"),
        ("C46d", "SV", 3, "160", "3x160", "22712"),
    ],
)
def test_breaker_band(
    electricity: Package, rate: str, operator: str, phases: int, amperes: str, band: str, monthly: str
) -> None:
    price = electricity.breaker_price(rate, operator, phases, Decimal(amperes), DAY)
    assert price is not None
    assert (price.band, price.monthly) == (band, Decimal(monthly))
    assert price.price.source == "Cenový výměr ERÚ č. 14/2025"


def test_band_prices_follow_the_price_of_an_ampere(electricity: Package) -> None:
    """Every band price is the price of an ampere times the upper limit, to a crown, but for the progressive rates."""
    compared = 0
    for rate in electricity.file.rates:
        if rate in ("C46d", "D57d"):
            continue
        for operator in electricity.file.operators:
            per_ampere = [
                electricity.find_price("breaker", DAY, operator=operator, rate=rate, band=band)
                for band in ("3x>63", "3x>160")
            ]
            for ampere_price in filter(None, per_ampere):
                for band in electricity.file.breaker_bands:
                    price = electricity.find_price("breaker", DAY, operator=operator, rate=rate, band=band.name)
                    if price is None or band.per_ampere:
                        continue
                    assert abs(price.value - ampere_price.value * Decimal(band.up_to or 0)) <= 1, (rate, operator, band)
                    compared += 1
    assert compared == 8 * 5 * 12 + 2 * 3 * 12 + 9 * 3 * 8  # rates x operators x bands of the official workbook


@pytest.mark.parametrize(
    ("what", "keys", "with_vat"),
    [
        ("energy_jt", {"rate": "D01d"}, "3226.66"),
        ("energy_jt", {"rate": "D02d"}, "2515.08"),
        ("energy_vt", {"rate": "D25d"}, "2725.46"),
        ("energy_nt", {"rate": "D25d"}, "140.97"),
        ("energy_vt", {"rate": "D26d"}, "1454.49"),
        ("breaker", {"rate": "D01d", "band": "3x25"}, "150.04"),
        ("breaker", {"rate": "D02d", "band": "3x25"}, "309.76"),
        ("breaker", {"rate": "D25d", "band": "3x25"}, "325.49"),
        ("breaker", {"rate": "D26d", "band": "3x25"}, "438.02"),
        ("breaker", {"rate": "D27d", "band": "3x25"}, "308.55"),
        ("system_services", {}, "198.73"),
        ("nonnetwork_infrastructure", {}, "15.57"),
    ],
)
def test_published_prices_with_vat(electricity: Package, what: str, keys: dict[str, str], with_vat: str) -> None:
    price = electricity.require_price(what, DAY, operator="CEZ", **keys)
    gross = price.value * (100 + electricity.vat_percent) / 100
    assert abs(gross - Decimal(with_vat)) <= Decimal("0.005")


def test_published_variable_part_of_d57d(electricity: Package) -> None:
    energy = electricity.require_price("energy_vt", DAY, operator="CEZ", rate="D57d").value
    services = electricity.require_price("system_services", DAY).value
    tax_of_the_supplier = Decimal("28.30")
    assert energy + services + tax_of_the_supplier == Decimal("947.31")


def test_marks_and_sources(electricity: Package, gas: Package) -> None:
    reactive = electricity.require_price("unsolicited_reactive", DAY)
    assert (reactive.value, reactive.mark) == (Decimal(440), "inferred")
    assert electricity.require_price("poze", DAY, level="VN").source == "Cenový výměr ERÚ č. 15/2025"
    assert not electricity.example
    energy = gas.require_price("gas_energy", DAY, operator="GASNET", band="15-25")
    assert (energy.value, energy.example, energy.mark) == (Decimal("200.12"), True, "documented")


@pytest.mark.parametrize(
    ("annual", "band"),
    [("0", "0-1.89"), ("1.89", "0-1.89"), ("1.891", "1.89-7.56"), ("63", "45-63"), ("63.001", ">63"), ("5000", ">63")],
)
def test_gas_bands(gas: Package, annual: str, band: str) -> None:
    assert gas.consumption_band("GASNET", Decimal(annual)) == band


def test_a_missing_price_is_a_sentence(electricity: Package) -> None:
    with pytest.raises(
        PriceMissingError, match=r"no value of use_of_networks for operator UCED, level VVN on 2026-03-01"
    ):
        electricity.require_price("use_of_networks", DAY, operator="UCED", level="VVN")
    assert electricity.find_price("use_of_networks", date(2027, 1, 1), operator="CEZ", level="VN") is None
    assert electricity.breaker_price("D02d", "SV", 3, Decimal(25), DAY) is None


def _content() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(PATHS["cz-electricity-2026"].read_text(encoding="utf-8"))
    return copy.deepcopy(content)


def _order(content: dict[str, Any]) -> Any:
    return content["estimation_orders"][0]


def _resealed(content: dict[str, Any]) -> dict[str, Any]:
    return {**content, "checksum": checksum_of(content)}


def test_the_order_of_estimation_says_that_it_is_assumed(electricity: Package, gas: Package) -> None:
    orders = [*electricity.file.estimation_orders, *gas.file.estimation_orders]
    assert {order.mark for order in orders} == {"assumed"}
    named = {metering_type for order in orders for metering_type in order.metering_types}
    assert named == {"C1", "C2", "C3"}
    assert [step.method for step in orders[0].steps] == [
        "reread",
        "check_meter",
        "node_balance",
        "linear",
        "like_day",
        "load_profile",
        "manual",
    ]


def test_a_changed_price_breaks_the_checksum() -> None:
    content = _content()
    content["tables"][0]["rows"][0][-1] = "1"
    with pytest.raises(PackageInvalidError, match="changed after it was built"):
        load_content(content, "changed.json")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda content: content.update(format=9), "format is 9"),
        (lambda content: content.update(surprise=1), "shape of a legislative package"),
        (lambda content: content.update(valid=["2027-01-01", "2026-01-01"]), "end must be later"),
        (lambda content: content["rules"][0].update(source="nobody"), "cites the source nobody"),
        (lambda content: content["rules"][0].update(formula="by_magic"), "names the formula by_magic"),
        (lambda content: content["rules"][0]["parameters"].clear(), "lacks the parameter quantity"),
        (
            lambda content: content["rules"][0]["parameters"].update(quantity="x"),
            "quantity 'x'; a quantity is expected",
        ),
        (lambda content: content["rules"][0]["parameters"].update(colour="x"), "has the parameter colour"),
        (lambda content: content["rules"][2]["parameters"].update(multiplier="-1"), "a positive decimal is expected"),
        (lambda content: content["vat"].update(percent="121"), "0 to 100 is expected"),
        (lambda content: content["rounding"]["amount"].update(step="0.05"), "a power of ten"),
        (lambda content: content["tables"][0]["rows"][0].__setitem__(-1, "1,5"), "has the number 1,5"),
        (lambda content: content["tables"][0]["rows"].append(["1"]), "two values"),
        (lambda content: content["tables"][-1]["rows"].append(["C99d", "CEZ", "1"]), "rate C99d is not listed"),
        (
            lambda content: content["rules"].append(content["rules"][0]),
            "is given twice for the same points from 2026-01-01",
        ),
        (
            lambda content: content["rules"].append({**content["rules"][0], "valid": ["2026-06-01", "2026-07-01"]}),
            "is given twice for the same points from 2026-06-01",
        ),
        (lambda content: content["rules"][0].update(valid=["2026-13-01", "x"]), "two dates YYYY-MM-DD"),
        (lambda content: content["groups"].clear(), "belongs to the group excess_taken"),
        (lambda content: _order(content).update(commodity="gas"), "is for gas, the package for electricity"),
        (lambda content: _order(content).update(metering_types=["D"]), "names the metering type D"),
        (lambda content: _order(content).update(classes=[]), r"for the classes \(none\)"),
        (lambda content: _order(content).update(within_days=99), "within 99 days"),
        (lambda content: _order(content).update(source="nobody"), "cites the source nobody"),
        (lambda content: _order(content)["steps"][0].update(method="guess"), "shape of a legislative package"),
        (lambda content: _order(content)["steps"][3].update(longest_gap_minutes=-1), "limit that is not possible"),
    ],
)
def test_a_wrong_package_is_refused_with_a_sentence(change: Any, sentence: str) -> None:
    content = _content()
    change(content)
    with pytest.raises(PackageInvalidError, match=sentence):
        load_content(_resealed(content), "wrong.json", FORMULA_SHAPES)


def test_a_rule_may_follow_another_of_its_component() -> None:
    content = _content()
    first = content["rules"][0]
    first["valid"] = ["2026-01-01", "2026-06-01"]
    content["rules"].append({**first, "valid": ["2026-06-01", "2027-01-01"]})
    package = load_content(_resealed(content), "halves.json", FORMULA_SHAPES)
    assert [rule.valid for rule in package.file.rules if rule.component == first["component"]] == [
        ("2026-01-01", "2026-06-01"),
        ("2026-06-01", "2027-01-01"),
    ]


@pytest.mark.parametrize(
    ("rate", "name"), [("C01d", "1"), ("C27d", "2"), ("D25d", "5"), ("D57d", "7"), ("C62d", "8"), ("X", None)]
)
def test_a_rate_belongs_to_a_load_profile_class(electricity: Package, rate: str, name: str | None) -> None:
    assert electricity.load_profile_class(rate) == name
    handed_down = {each.rate: each for each in electricity.rate_classes()}
    assert (handed_down[rate].name if rate in handed_down else None) == name


def test_classes_of_rates_are_handed_down_with_what_they_stand_on(electricity: Package) -> None:
    of = {each.rate: each for each in electricity.rate_classes()}
    assert (of["C25d"].valid, of["C25d"].mark, of["C27d"].mark) == (electricity.valid, "documented", "inferred")
    assert "541/2005" in of["C25d"].source


def test_every_formula_has_its_parameters_and_what_ships_fits_them() -> None:
    assert FORMULA_SHAPES.keys() == ALL_FORMULAS.keys()
    for path in PATHS.values():
        load_file(path, FORMULA_SHAPES)
