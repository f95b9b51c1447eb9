"""Every table and formula of the shipped electricity packages, and those of gas, against at least one known number.

Numbers are those of the decisions and public transcripts that the packages name, and of worked bills.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from central.settlement.case import cases_of
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.formulas import ALL_FORMULAS
from central.settlement.model import Finding, Line, TariffPoint
from central.tariffs.load import load_file
from central.workflow.corrections import WINDOW
from tests.unit.central.settlement.packages import PATHS, part, quantities

PACKAGES = {stem: load_file(path, FORMULA_SHAPES) for stem, path in PATHS.items()}
E21, E25, E26, E27 = (f"cz-electricity-{year}" for year in ("2021", "2025", "2026", "2027-informative"))
G15, G17 = "cz-gas-2015", "cz-gas-2017-example"
NOT_OF_A_DECISION = {"payment_term", "load_profile_class"}
"""Tables whose values are the product's own, or classes instead of prices; they have tests of their own."""

VALUES: Sequence[tuple[str, str, str, str]] = (
    # package, component, what it is found by, value
    (E21, "reserved_capacity_year", "operator=CEZ level=VN", "177031"),
    (E21, "reserved_capacity_month", "operator=CEZ level=VN", "197921"),
    (E21, "unsolicited_reactive", "", "440"),
    (E21, "poze_cap", "", "495"),
    (E21, "electricity_tax", "", "28.30"),
    (E25, "system_services", "", "170.92"),
    (E25, "nonnetwork_infrastructure", "", "10.84"),
    (E25, "poze", "level=VVN", "115880.79"),
    (E25, "poze_ampere", "level=NN", "84.70"),
    (E25, "poze_cap", "", "495"),
    (E25, "electricity_tax", "", "28.30"),
    (E25, "unsolicited_reactive", "", "440"),
    (E25, "reserved_capacity_year", "operator=CEZ level=VN", "237309"),
    (E25, "use_of_networks", "operator=CEZ level=VVN", "45.35"),
    (E25, "use_of_networks", "operator=EGD level=VN", "79.91"),
    (E25, "energy_jt", "operator=CEZ rate=D02d", "2099.63"),
    (E25, "energy_vt", "operator=EGD rate=D61d", "3178.99"),
    (E25, "energy_nt", "operator=PRE rate=D26d", "114.44"),
    (E26, "system_services", "", "164.24"),
    (E26, "nonnetwork_infrastructure", "", "12.87"),
    (E26, "poze", "level=VN", "0"),
    (E26, "poze_ampere", "level=NN", "0"),
    (E26, "poze_cap", "", "495"),
    (E26, "electricity_tax", "", "28.30"),
    (E26, "unsolicited_reactive", "", "440"),
    (E26, "excess_reserved_output", "level=VVN", "521"),
    (E26, "excess_reserved_output", "level=VN", "1108"),
    (E26, "excess_reserved_output", "level=NN", "1131"),
    (E26, "reserved_capacity_year", "operator=EGD level=VVN", "110826"),
    (E26, "reserved_capacity_year", "operator=SV level=VN", "217605"),
    (E26, "reserved_capacity_month", "operator=PRE level=VN", "299351"),
    (E26, "use_of_networks", "operator=UCED level=VN", "79.63"),
    (E26, "single_component", "operator=PRE level=VVN", "2656.12"),
    (E26, "breaker", "operator=CEZ rate=C46d band=3x160", "22399"),
    (E26, "breaker", "operator=EGD rate=C25d band=3x63", "1446"),
    (E26, "breaker", "operator=PRE rate=D57d band=3x125", "9841"),
    (E26, "breaker", "operator=UCED rate=C03d band=1x>25", "39.36"),
    (E26, "breaker", "operator=SV rate=C01d band=3x>160", "6.27"),
    (E26, "energy_jt", "operator=EGD rate=C62d", "385.07"),
    (E26, "energy_jt", "operator=UCED rate=C01d", "4903.64"),
    (E26, "energy_vt", "operator=SV rate=C45d", "248.41"),
    (E26, "energy_vt", "operator=PRE rate=D61d", "2343.05"),
    (E26, "energy_nt", "operator=UCED rate=C46d", "154.29"),
    (E26, "unmetered_10w", "operator=SV rate=C60d", "71.43"),
    (E26, "unmetered_10w", "operator=PRE rate=C60d_VO", "32.71"),
    (E26, "unmetered_flat", "operator=UCED rate=C60d", "76.27"),
    (E27, "nts_input", "operator=PRE level=VVN band=T1", "109073"),
    (E27, "nts_maximum", "operator=EGD level=VN band=T2", "216967"),
    (E27, "use_of_networks", "operator=SV level=VN", "123.73"),
    (E27, "single_component", "operator=UCED level=VN", "7430.16"),
    (E27, "excess_reserved_input", "operator=CEZ level=VN", "761"),
    (E27, "excess_reserved_input", "operator=SV level=VN", "713"),
    (E27, "storage_limit", "level=VN band=storage_U2", "0.75"),
    (E27, "storage_limit", "level=VVN band=pumped_U1", "0.50"),
    (E27, "system_services", "", "164.24"),
    (E27, "nonnetwork_infrastructure", "", "12.87"),
    (E27, "poze", "level=VN", "0"),
    (E27, "poze_cap", "", "495"),
    (E27, "unsolicited_reactive", "", "440"),
    (E27, "excess_reserved_output", "level=VN", "1108"),
    (E27, "electricity_tax", "", "28.30"),
    (G15, "gas_energy", "operator=GASNET band=25-45", "167.74"),
    (G15, "gas_fixed", "operator=GASNET band=15-25", "130.14"),
    (G15, "gas_capacity_year", "operator=GASNET band=63-630", "108075.16"),
    (G15, "gas_tax", "", "30.60"),
    (G17, "gas_energy", "operator=GASNET band=45-63", "141.26"),
    (G17, "gas_fixed", "operator=GASNET band=45-63", "315.11"),
    (G17, "gas_tax", "", "30.60"),
)


@pytest.mark.parametrize(("stem", "component", "keys", "value"), VALUES)
def test_a_known_value(stem: str, component: str, keys: str, value: str) -> None:
    package = PACKAGES[stem]
    found_by = dict(pair.split("=") for pair in keys.split())
    if component == "storage_limit":
        found_by["band"] = found_by["band"].replace("_", " ")
    assert package.require_price(component, package.valid[0], **found_by).value == Decimal(value)


@pytest.mark.parametrize("stem", [E21, E25, E26, E27])
def test_every_table_of_electricity_has_a_known_value(stem: str) -> None:
    tables = {table.component for table in PACKAGES[stem].file.tables} - NOT_OF_A_DECISION
    assert tables == {component for package, component, _, _ in VALUES if package == stem}


VN, NN = TariffPoint("CEZ", "VN"), TariffPoint("EGD", "NN", "C25d", 3, Decimal(63))
WORKED = {
    "reserved_capacity_year_kw": "300",
    "reserved_capacity_month_kw": "50",
    "max_quarter_hour_kw": "372",
    "reserved_input_kw": "400",
    "energy_mwh": "118.456",
    "reactive_delivery_mvarh": "2.310",
}
GAS_POINT = TariffPoint("GASNET", annual_mwh=Decimal(20))
AMOUNTS: Sequence[tuple[str, str, TariffPoint, dict[str, str], str | None]] = (
    # package, component of the rule, point, quantities, amount (None: nothing is paid)
    (E26, "reserved_capacity_year", VN, WORKED, "75769.50"),
    (E26, "use_of_networks", VN, WORKED, "12582.40"),
    (E26, "unsolicited_reactive", VN, WORKED, "1016.40"),
    (E26, "nonnetwork_infrastructure", VN, WORKED, "12.87"),
    (E26, "excess_reserved_capacity", VN, WORKED, "9300.16"),
    (E26, "excess_reserved_input", VN, {**WORKED, "reserved_input_kw": "360"}, "13527.50"),
    (
        E26, "excess_reserved_output", TariffPoint("CEZ", "NN", "C02d"),
        {"max_quarter_hour_output_kw": "18", "reserved_output_kw": "8"}, "11310.00",
    ),
    (E26, "breaker", NN, {}, "1446.00"),
    (E26, "energy_vt", NN, {"energy_vt_mwh": "1.842", "energy_nt_mwh": "0.655"}, "5711.77"),
    (E26, "unmetered_10w", TariffPoint("EGD", "NN", "C60d"), {"unmetered_w": "11"}, "147.92"),
    (E26, "power_factor", VN, {**WORKED, "reactive_taken_mvarh": "38"}, None),
    (E25, "poze", VN, WORKED, "46352.32"),
    (E25, "poze", VN, {**WORKED, "energy_mwh": "50"}, "24750.00"),
    (E25, "poze_ampere", TariffPoint("CEZ", "NN", "D02d", 3, Decimal(25)), {"energy_mwh": "20"}, "6352.50"),
    (E21, "unsolicited_reactive", VN, {"reactive_delivery_mvarh": "2.589"}, "1139.16"),
    (E21, "reserved_capacity_year", VN, {"reserved_capacity_year_kw": "30"}, "5310.93"),
    (E27, "nts_input_payment", VN, WORKED, "76053.20"),
    (E27, "nts_maximum_payment", VN, WORKED, "7072.84"),
    (E27, "excess_reserved_input", VN, {**WORKED, "reserved_input_kw": "360"}, "9132.00"),
    (G17, "gas_energy", GAS_POINT, {"energy_mwh": "10"}, "2001.20"),
    (G17, "gas_fixed", GAS_POINT, {}, "140.10"),
)  # fmt: skip


def outcomes(stem: str, component: str, point: TariffPoint, given: dict[str, str]) -> tuple[str, list[Line | Finding]]:
    """The formula of a package's rule, and what it makes of a month of a point."""
    book = PACKAGES[stem]
    first = book.valid[0]
    cases = cases_of([part(first.isoformat(), _next(first), point, quantities(**given), book)])
    rule = next(each for each in cases[0].law.rules(point) if each.component == component)
    return rule.formula, list(ALL_FORMULAS[rule.formula](rule, cases))


def _next(first: date) -> str:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1).isoformat()


@pytest.mark.parametrize(("stem", "component", "point", "given", "amount"), AMOUNTS)
def test_a_known_amount(
    stem: str, component: str, point: TariffPoint, given: dict[str, str], amount: str | None
) -> None:
    _, found = outcomes(stem, component, point, given)
    assert [str(each.amount) for each in found if isinstance(each, Line)] == ([] if amount is None else [amount])


def test_every_formula_of_electricity_has_a_known_amount() -> None:
    known = {outcomes(stem, component, point, given)[0] for stem, component, point, given, _ in AMOUNTS}
    named = {rule.formula for stem in (E21, E25, E26, E27) for rule in PACKAGES[stem].file.rules}
    assert named <= known


@pytest.mark.parametrize("stem", sorted(PACKAGES))
def test_every_electricity_package_has_the_window_that_corrections_ask_for(stem: str) -> None:
    window = PACKAGES[stem].find_deadline(WINDOW)
    if PACKAGES[stem].commodity == "gas":
        # decree 359/2020 is of electricity; a correction of gas takes the program's own window, the same 36 months
        assert window is None or window.unit == "month"
        return
    assert window is not None
    assert (window.count, window.unit, window.since, window.mark.value) == (36, "month", "detection", "documented")
