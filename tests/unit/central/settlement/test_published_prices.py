"""Numbers published by the regulator and others, asked of the packages that ship."""

from decimal import Decimal

import pytest

from central.settlement.model import TariffPoint, half_up
from central.settlement.price_parts import price_parts
from tests.unit.central.settlement.packages import ELECTRICITY, of_component, part, quantities

DAY = ELECTRICITY.valid[0]
HIGH = [
    ("CEZ", "VVN"),
    ("CEZ", "VN"),
    ("EGD", "VVN"),
    ("EGD", "VN"),
    ("PRE", "VVN"),
    ("PRE", "VN"),
    ("UCED", "VN"),
    ("SV", "VN"),
]
SINGLE = ["2418.40", "5157.52", "2282.14", "4709.63", "2656.12", "5507.45", "5404.17", "4476.49"]
PROGRESSIVE = {"C46d", "D57d"}
"""Their bands are not the price of an ampere times the current."""


def price(component: str, **keys: str) -> Decimal:
    return ELECTRICITY.require_price(component, DAY, **keys).value


@pytest.mark.parametrize(("row", "single"), list(zip(HIGH, SINGLE, strict=True)))
def test_single_component_price_is_use_of_networks_and_capacity_of_600_hours(row: tuple[str, str], single: str) -> None:
    keys = {"operator": row[0], "level": row[1]}
    computed = price("use_of_networks", **keys) + price("reserved_capacity_year", **keys) * 12 / 600
    assert half_up(computed, Decimal("0.01")) == Decimal(single) == price("single_component", **keys)


@pytest.mark.parametrize(("operator", "level"), HIGH)
def test_excess_prices_follow_from_the_monthly_capacity(operator: str, level: str) -> None:
    values = quantities(
        reserved_capacity_year_kw="100", reserved_input_kw="100", max_quarter_hour_kw="150", energy_mwh="1"
    )
    priced = price_parts([part("2026-01-01", "2026-02-01", TariffPoint(operator, level), values)])
    monthly = price("reserved_capacity_month", operator=operator, level=level)
    (higher,) = of_component(priced, "excess_reserved_input")
    assert higher.unit_price == 4 * monthly / 1000
    (finding,) = [entry for entry in priced.findings if entry.component == "excess_reserved_capacity"]
    lower = half_up(Decimal("1.5") * monthly / 1000 * 50, Decimal("0.01"))
    assert str(lower).replace(".", ",") in finding.text


def test_band_prices_are_the_price_of_an_ampere_times_the_upper_limit() -> None:
    bands = {band.name: band for band in ELECTRICITY.file.breaker_bands}
    (table,) = [table for table in ELECTRICITY.file.tables if table.component == "breaker"]
    rows = [dict(zip((*table.keys, "value"), row, strict=True)) for row in table.rows]
    per_ampere = {
        (row["operator"], row["rate"]): Decimal(row["value"])
        for row in rows
        if bands[row["band"]].per_ampere and bands[row["band"]].phases == 3
    }
    compared = 0
    for row in rows:
        band = bands[row["band"]]
        if band.per_ampere or row["rate"] in PROGRESSIVE:
            continue
        ampere = per_ampere[row["operator"], row["rate"]]
        assert abs(half_up(ampere * Decimal(band.up_to or 0), Decimal(1)) - Decimal(row["value"])) <= 1, row
        compared += 1
    assert compared > 300


@pytest.mark.parametrize(
    ("component", "keys", "with_vat"),
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
        ("system_services", {"level": "NN"}, "198.73"),
        ("nonnetwork_infrastructure", {"level": "NN"}, "15.57"),
    ],
)
def test_prices_with_vat_as_published(component: str, keys: dict[str, str], with_vat: str) -> None:
    net = price(component, operator="CEZ", **keys)
    assert half_up(net * (100 + ELECTRICITY.vat_percent) / 100, Decimal("0.01")) == Decimal(with_vat)


def test_the_variable_part_of_d57d() -> None:
    tax = Decimal("28.30")  # of electricity, charged by the supplier
    network = price("energy_vt", operator="CEZ", rate="D57d") + price("system_services", level="NN")
    assert network + tax == Decimal("947.31")


@pytest.mark.parametrize(
    ("amperes", "phases", "rate", "payment"),
    [
        ("25", 1, "C02d", "144"),
        ("32", 1, "C02d", "153.92"),  # 32 x 4.81
        ("63", 3, "C02d", "909"),
        ("200", 3, "C02d", "2886.00"),  # 200 x 14.43
        ("80", 3, "D02d", "818.40"),  # 80 x 10.23
        ("160", 3, "D57d", "19598"),
    ],
)
def test_breaker_payments(amperes: str, phases: int, rate: str, payment: str) -> None:
    point = TariffPoint("CEZ", "NN", rate, phases, Decimal(amperes))
    registers = ELECTRICITY.rate_registers(rate)
    energy = {"energy_mwh": Decimal(0)} if registers == ["JT"] else {"energy_vt_mwh": Decimal(0)}
    energy |= {} if registers == ["JT"] else {"energy_nt_mwh": Decimal(0)}
    (line,) = of_component(price_parts([part("2026-01-01", "2026-02-01", point, energy)]), "breaker")
    assert line.amount == Decimal(payment)
