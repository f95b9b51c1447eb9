"""Supply by an own price list, with taxes: worked by hand; over a change of price, with losses, exempt."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.settlement.case import cases_of
from central.settlement.cuts import Held
from central.settlement.model import CannotPriceError, Finding, Line, Part, TariffPoint
from central.settlement.own import Condition, OwnFacts, OwnPrice, PriceList
from central.settlement.supply import supply_lines
from shared.quantities import Commodity
from tests.unit.central.settlement.packages import changed, table

MARCH, MIDDLE, APRIL = date(2026, 3, 1), date(2026, 3, 11), date(2026, 4, 1)


def _taxed(content: dict[str, Any]) -> None:
    kept = [each for each in content["tables"] if each["component"] != "electricity_tax"]
    content["tables"] = [*kept, table("electricity_tax", "CZK/MWh", [], ["28.30"])]


TAXED = changed(_taxed)


def listed(**prices: str) -> PriceList:
    held = {
        (component, ""): [Held(date(2026, 1, 1), None, OwnPrice(Decimal(price), "ceník 1/2026"))]
        for component, price in prices.items()
    }
    return PriceList("NN26", "Ceník NN 2026", held)


def part(first: date, end: date, energy: dict[str, str], loss: str | None = None, payer: int = 0) -> Part:
    coefficient = None if loss is None else Decimal(loss)
    point = TariffPoint("CEZ", "NN", "C25d", 3, Decimal(63), loss_coefficient=coefficient)
    measured = {name: Decimal(value) for name, value in energy.items()}
    return Part(first, end, 7, point, {}, measured, TAXED, payer)


def supplied(
    parts: Sequence[Part], prices: PriceList, conditions: dict[str, list[Held[Condition]]] | None = None
) -> tuple[list[tuple[int, str, str, str]], list[Line], list[Finding]]:
    own = OwnFacts(conditions=conditions or {}, lists={7: [Held(date(2026, 1, 1), None, prices)]})
    lines, findings = supply_lines(cases_of(parts), Commodity.ELECTRICITY, own)
    told = [(line.code, str(line.quantity), str(line.unit_price), str(line.amount)) for line in lines]
    return told, lines, findings


def test_two_tariffs_fixed_payment_and_tax_by_hand() -> None:
    month = part(MARCH, APRIL, {"energy_vt_mwh": "1.842", "energy_nt_mwh": "0.655"})
    told, lines, _ = supplied([month], listed(fixed="99", vt="3150.50", nt="2410"))
    assert told == [
        (1, "1", "99", "99.00"),
        (2, "1.842", "3150.5", "5803.22"),  # 5803.221
        (3, "0.655", "2410", "1578.55"),
        (2021, "2.497", "28.3", "70.67"),  # 70.6651
    ]
    assert {line.service for line in lines} == {"supply"} and lines[0].vat_percent is None
    assert "NN26" in lines[1].why and lines[-1].inputs["price"]["component"] == "electricity_tax"


def test_a_single_tariff_is_sold_under_rate_2() -> None:
    told, _, _ = supplied([part(MARCH, APRIL, {"energy_mwh": "1.000"})], listed(fixed="50", energy="3000"))
    assert [each[0] for each in told] == [1, 2, 2021]


def test_losses_of_the_transformer_are_sold_and_taxed() -> None:
    told, _, _ = supplied([part(MARCH, APRIL, {"energy_mwh": "10"}, "1.04")], listed(fixed="0", energy="3000"))
    assert told[1:] == [(2, "10.4", "3000", "31200.00"), (2021, "10.4", "28.3", "294.32")]


def test_a_new_price_within_the_month_splits_energy_and_payment_by_days() -> None:
    prices = listed(fixed="310")
    prices = PriceList(
        prices.code,
        prices.name,
        {
            **prices.prices,
            ("energy", ""): [
                Held(date(2026, 1, 1), MIDDLE, OwnPrice(Decimal(3000), "ceník 1/2026")),
                Held(MIDDLE, None, OwnPrice(Decimal(3300), "ceník 2/2026")),
            ],
        },
    )
    parts = [part(MARCH, MIDDLE, {"energy_mwh": "0.3334"}), part(MIDDLE, APRIL, {"energy_mwh": "0.6667"})]
    told, lines, _ = supplied(parts, prices)
    # the payment's price stays, so its two parts are one whole month; energy 0.333 + 0.667 = 1.000
    assert told == [
        (1, "1", "310", "310.00"),
        (2, "0.333", "3000", "999.00"),
        (2, "0.667", "3300", "2201.10"),
        (2021, "1", "28.3", "28.30"),
    ]
    assert [(line.first, line.end) for line in lines[1:3]] == [(MARCH, MIDDLE), (MIDDLE, APRIL)]


def test_an_exempt_point_pays_no_tax_and_is_told_why() -> None:
    exempt = {"tax_exempt": [Held(date(2026, 1, 1), None, Condition(None, None, "povolení 12"))]}
    told, _, findings = supplied([part(MARCH, APRIL, {"energy_mwh": "1"})], listed(fixed="1", energy="1"), exempt)
    assert [each[0] for each in told] == [1, 2]
    assert "povolení 12" in findings[0].text


def test_a_rate_may_have_its_own_price_and_a_missing_one_leaves_the_point_out() -> None:
    own = OwnPrice(Decimal(2900), "ceník C25d")
    prices = listed(fixed="1", energy="3000")
    special = PriceList("NN26", "x", {**prices.prices, ("energy", "C25d"): [Held(date(2026, 1, 1), None, own)]})
    told, _, _ = supplied([part(MARCH, APRIL, {"energy_mwh": "1"})], special)
    assert told[1] == (2, "1", "2900", "2900.00")
    with pytest.raises(CannotPriceError, match="NN26 nemá dne 2026-03-01 cenu nt"):
        supplied([part(MARCH, APRIL, {"energy_vt_mwh": "1", "energy_nt_mwh": "1"})], listed(fixed="1", vt="1"))


def test_a_package_without_the_tax_leaves_the_point_out() -> None:
    def untaxed(content: dict[str, Any]) -> None:
        content["tables"] = [each for each in content["tables"] if each["component"] != "electricity_tax"]

    bare = part(MARCH, APRIL, {"energy_mwh": "1"})
    bare = Part(bare.first, bare.end, bare.item, bare.point, {}, bare.measured, changed(untaxed), 0)
    with pytest.raises(CannotPriceError, match="Daň z elektřiny"):
        supplied([bare], listed(fixed="1", energy="1"))
