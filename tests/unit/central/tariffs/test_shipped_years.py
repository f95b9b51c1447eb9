"""The shipped packages of other years: documented values, honest gaps, and what is announced without binding."""

from datetime import date
from decimal import Decimal

import pytest

from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.model import CannotPriceError, Part, Priced, TariffPoint
from central.settlement.price_parts import price_parts
from central.tariffs.load import load_file, shipped_files
from central.tariffs.package import Package

PACKAGES = {path.stem: load_file(path, FORMULA_SHAPES) for path in shipped_files()}
E2021, E2025, E2026 = (PACKAGES[f"cz-electricity-{year}"] for year in (2021, 2025, 2026))
NTS = PACKAGES["cz-electricity-2027-informative"]
G2015 = PACKAGES["cz-gas-2015"]
VN = TariffPoint("CEZ", "VN")


def priced(package: Package, first: date, point: TariffPoint, **quantities: str) -> Priced:
    """One month of a point."""
    end = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    values = {name: Decimal(value) for name, value in quantities.items()}
    return price_parts([Part(first, end, 1, point, {}, values, package, 1)])


def amounts(outcome: Priced) -> dict[str, tuple[Decimal, Decimal]]:
    return {line.component: (line.unit_price, line.amount) for line in outcome.lines}


@pytest.mark.parametrize(
    ("package", "component", "keys", "value"),
    [
        (E2021, "reserved_capacity_year", {"operator": "CEZ", "level": "VN"}, "177031"),
        (E2021, "reserved_capacity_month", {"operator": "CEZ", "level": "VN"}, "197921"),
        (E2025, "system_services", {}, "170.92"),
        (E2025, "poze", {"level": "VN"}, "115880.79"),
        (E2025, "poze_ampere", {"level": "NN"}, "84.7"),
        (E2025, "nonnetwork_infrastructure", {}, "10.84"),
        (E2025, "use_of_networks", {"operator": "PRE", "level": "VN"}, "44.5"),
        (E2025, "energy_vt", {"operator": "CEZ", "rate": "D27d"}, "2267.11"),
        (E2025, "energy_nt", {"operator": "PRE", "rate": "D57d"}, "114.44"),
        (NTS, "nts_input", {"operator": "SV", "level": "VN", "band": "T2"}, "21329"),
        (NTS, "excess_reserved_input", {"operator": "UCED", "level": "VN"}, "1023"),
        (G2015, "gas_energy", {"operator": "GASNET", "band": "15-25"}, "193.75"),
        (G2015, "gas_capacity_year", {"operator": "GASNET", "band": "63-630"}, "108075.16"),
    ],
)
def test_documented_values(package: Package, component: str, keys: dict[str, str], value: str) -> None:
    assert package.require_price(component, package.valid[0], **keys).value == Decimal(value)


def test_what_is_not_documented_has_no_value() -> None:
    assert E2025.find_price("reserved_capacity_month", E2025.valid[0], operator="CEZ", level="VN") is None
    assert E2025.breaker_price("D02d", "CEZ", 3, Decimal(25), E2025.valid[0]) is None
    assert G2015.consumption_band("GASNET", Decimal(631)) is None
    assert G2015.consumption_band("EON", Decimal("17.5")) == "15-20"


def test_over_runs_of_2021_are_twice_the_yearly_and_four_times_the_monthly_price() -> None:
    rules = {rule.component: rule for rule in E2021.rules("VN")}
    over = rules["excess_reserved_capacity"].parameters
    assert (over["multiplier"], over["base"], over["base_if_none"]) == (
        "2",
        "reserved_capacity_year",
        "reserved_capacity_month",
    )
    assert Decimal(over["multiplier"]) * 177_031 == 354_062
    assert Decimal(rules["excess_reserved_input"].parameters["multiplier"]) * 197_921 == 791_684


@pytest.mark.parametrize(
    ("package", "first", "missing"),
    [(E2021, date(2021, 5, 1), "use_of_networks"), (E2025, date(2025, 5, 1), "reserved_capacity_month")],
)
def test_a_missing_price_leaves_the_point_out_with_a_sentence(package: Package, first: date, missing: str) -> None:
    with pytest.raises(CannotPriceError, match=f"nemá cenu {missing} pro CEZ, VN"):
        priced(
            package,
            first,
            VN,
            reserved_capacity_year_kw="30",
            reserved_input_kw="210",
            max_quarter_hour_kw="42",
            energy_mwh="4.770",
            reactive_delivery_mvarh="2.589",
        )


def test_a_point_of_2025_within_what_is_documented_is_priced() -> None:
    found = amounts(
        priced(
            E2025,
            date(2025, 5, 1),
            VN,
            reserved_capacity_year_kw="30",
            reserved_input_kw="210",
            max_quarter_hour_kw="12",
            energy_mwh="4.770",
        )
    )
    assert found["reserved_capacity_year"] == (Decimal(237309), Decimal("7119.27"))
    # 0.210 x 115880.79 is more than the cap of 495 CZK/MWh
    assert found["poze"] == (Decimal(495), Decimal("2361.15"))


def test_the_surcharge_table_rises_and_begins_above_the_neutral_band() -> None:
    day = E2021.valid[0]
    for tangent, surcharge in (("0.311", "0"), ("0.346", "0"), ("0.347", "1.12"), ("0.41", "2.26"), ("1.755", "94.70")):
        found = E2021.find_step("power_factor_surcharge", day, Decimal(tangent))
        assert found is not None
        assert (found.value, found.mark) == (Decimal(surcharge), "assumed")
    highest = E2021.find_step("power_factor_surcharge", day, Decimal("2.5"))
    assert highest is not None
    assert highest.value == 100
    values = [Decimal(row[1]) for row in E2021.file.steps[0].rows]
    assert values == sorted(values)


def test_the_structure_of_2027_bills_the_lower_tariff_and_says_that_it_does_not_bind() -> None:
    outcome = priced(
        NTS, date(2027, 1, 1), VN, reserved_input_kw="400", max_quarter_hour_kw="372", energy_mwh="118.456"
    )
    found = amounts(outcome)
    first = Decimal("0.4") * 190133 + Decimal("0.372") * 19013
    second = Decimal("0.4") * 22743 + Decimal("0.372") * 227429
    assert found["nts_input_payment"][1] + found["nts_maximum_payment"][1] == min(first, second).quantize(
        Decimal("0.01")
    )
    assert {line.mark for line in outcome.lines} == {"example"} or "assumed" in {line.mark for line in outcome.lines}
    assert not NTS.binding
    assert NTS.example


@pytest.mark.parametrize("month", range(1, 13))
def test_single_component_price_replaces_capacity_and_networks(month: int) -> None:
    chosen = TariffPoint("CEZ", "VN", tariff_choice="single_component")
    found = amounts(
        priced(
            E2026,
            date(2026, month, 1),
            chosen,
            reserved_capacity_year_kw="300",
            reserved_input_kw="400",
            max_quarter_hour_kw="372",
            energy_mwh="10",
        )
    )
    assert found["single_component"] == (Decimal("5157.52"), Decimal("51575.20"))
    assert not found.keys() & {"reserved_capacity_year", "use_of_networks", "excess_reserved_capacity"}


@pytest.mark.parametrize(("month", "base"), [(5, "372"), (6, "310")])
def test_the_entry_of_a_local_network_is_evaluated_otherwise_from_june(month: int, base: str) -> None:
    entry = TariffPoint("CEZ", "VN", network_entry=True)
    outcome = priced(
        E2026,
        date(2026, month, 1),
        entry,
        reserved_capacity_year_kw="300",
        reserved_input_kw="400",
        max_quarter_hour_kw="372",
        max_quarter_hour_without_exempt_kw="310",
        energy_mwh="10",
    )
    (line,) = [line for line in outcome.lines if line.component == "excess_reserved_capacity"]
    assert line.quantity == Decimal(base) - 300


@pytest.mark.parametrize(
    ("choice", "amount"), [(None, "196.05"), ("unmetered_flat", "65.35")], ids=["by started 10 W", "flat"]
)
def test_an_unmetered_take_pays_by_started_10_watts_or_flat(choice: str | None, amount: str) -> None:
    take = TariffPoint("CEZ", "NN", "C60d", tariff_choice=choice)
    outcome = priced(E2026, date(2026, 3, 1), take, unmetered_w="21")
    paid = {line.component: line.amount for line in outcome.lines if line.amount}
    assert paid == {
        "unmetered_flat" if choice else "unmetered_10w": Decimal(amount),
        "nonnetwork_infrastructure": Decimal("12.87"),
    }


def test_deadlines_are_found_by_name_with_how_sure_they_are() -> None:
    window, billing = E2026.find_deadline("correction_window"), E2026.find_deadline("billing")
    assert window is not None and billing is not None
    assert (window.count, window.unit, window.mark.value) == (36, "month", "documented")
    assert (billing.count, billing.unit, billing.mark.value) == (15, "day", "assumed")
    assert E2026.find_deadline("nothing") is None


def test_monthly_shares_of_gas_add_up() -> None:
    (series,) = G2015.file.series
    assert sum(map(Decimal, series.months)) == 100
