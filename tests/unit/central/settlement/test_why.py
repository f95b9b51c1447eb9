"""Why this number: what was kept with a basis, told in both languages."""

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from central.settlement.formulas import ALL_FORMULAS
from central.settlement.model import QUANTITIES, Line, TariffPoint
from central.settlement.price_parts import price_parts
from central.settlement.why import FORMULA_WORDS, QUANTITY_WORDS, Explained, explain
from tests.unit.central.settlement.packages import of_component, part, quantities

VALUES = quantities(
    reserved_capacity_year_kw="300",
    reserved_capacity_month_kw="50",
    max_quarter_hour_kw="372",
    reserved_input_kw="400",
    energy_mwh="118.456",
    reactive_delivery_mvarh="2.310",
)
PRICED = price_parts([part("2026-01-01", "2026-02-01", TariffPoint("CEZ", "VN"), VALUES)])
PROFILE = {"kind": "profile", "channel": 7, "direction": "A+", "from": "2025-12-31T23:00:00+00:00"}


def kept(line: Line) -> Explained:
    return Explained(
        rate=line.code,
        component=line.component,
        name=line.name,
        quantity=line.quantity,
        unit=line.unit,
        unit_price=line.unit_price,
        price_unit=line.price_unit,
        amount=line.amount,
        valid=(datetime(2025, 12, 31, 23, tzinfo=UTC), datetime(2026, 1, 31, 23, tzinfo=UTC)),
        why={"text": line.why, **line.inputs},
        measurements=[PROFILE],
        package="cz-electricity-2026 2026.3",
        quantities={"energy_mwh": "118.456", "max_quarter_hour_kw": "372"},
        facts={
            "item": {"reserved_capacity_year_kw": "300", "reserved_capacity_month_kw": "50"},
            "contract": {"number": "S-1"},
        },
        facts_digest="sha256:1",
        profiles=[{"channel": 7, "direction": "A+", "versions": [1, 1, 3, None]}],
    )


def test_every_formula_and_quantity_of_the_release_has_words() -> None:
    assert set(FORMULA_WORDS) == set(ALL_FORMULAS)
    assert set(QUANTITY_WORDS) == QUANTITIES


def test_an_excess_tells_formula_inputs_versions_rule_and_decision() -> None:
    (line,) = of_component(PRICED, "excess_reserved_capacity")
    told = explain(kept(line))
    assert told["formula"]["name"] == "excess_over_reserved"
    assert told["price"]["source"] == "Cenový výměr ERÚ č. 13/2025"
    assert told["rule"]["package"] == line.inputs["rule"]["package"]
    assert [(entry["name"], entry["value"], entry["kind"]) for entry in told["inputs"]] == [
        ("max_quarter_hour_kw", "372", "measured"),
        ("reserved_capacity_month_kw", "50", "agreed"),
        ("reserved_capacity_year_kw", "300", "agreed"),
    ]
    assert told["inputs"][0]["sources"][0]["versions"] == [1, 3]
    assert told["inputs"][1]["sources"][0]["contract"] == "S-1"
    assert told["terms"]["multiplier"] == "1.5"
    assert told["text"]["cs"] == (
        "Překročení rezervované kapacity (sazba 17), 1. 1. 2026 až 31. 1. 2026. Výpočet: nejvyšší čtvrthodina měsíce "
        "nad sjednanou hodnotou × násobek × základní cena za kW. 22 kW × 422,7345 Kč/kW/měs = 9300,16 Kč. Cena 281823 "
        "Kč/MW/měs: Cenový výměr ERÚ č. 13/2025 (doloženo). Pravidlo: Cenový výměr ERÚ č. 13/2025, balíček "
        f"{line.inputs['rule']['package']}. Vstupy: nejvyšší čtvrthodina v kW 372 (profil A+, verze 1-3); měsíční "
        "rezervovaná kapacita v kW 50 (smlouva S-1); roční rezervovaná kapacita v kW 300 (smlouva S-1); násobek 1,5; "
        "maximum v kW 372; sjednáno v kW 350."
    )
    assert told["text"]["en"].startswith(
        "Exceeded reserved capacity (rate 17), 2026-01-01 to 2026-01-31. Formula: highest quarter-hour of the month "
        "above the agreed value x multiplier x base price per kW. 22 kW x 422.7345 CZK/kW/month = 9300.16 CZK. Price "
        "281823 CZK/MW/month: Cenový výměr ERÚ č. 13/2025 (documented)."
    )


@pytest.mark.parametrize("line", PRICED.lines, ids=lambda line: line.component)
def test_every_line_is_told_in_both_languages(line: Line) -> None:
    told = explain(kept(line))
    for language, mark in (("cs", ","), ("en", ".")):
        text = told["text"][language]
        assert str(line.amount).replace(".", mark) in text
        assert line.inputs["price"]["source"] in text
    assert told["name"] == {"cs": line.name, "en": line.name_en}
    assert (told["from"], told["to"]) == ("2026-01-01", "2026-02-01")
    assumed = [entry["text"] for entry in told["assumptions"]]
    assert all(text in told["text"]["cs"] for text in assumed)


def test_what_was_made_by_hand_says_what_was_written() -> None:
    (line,) = of_component(PRICED, "use_of_networks")
    basis = replace(
        kept(line),
        amount=Decimal(5),
        why={"text": "Dohoda z 3. 1."},
        measurements=(),
        quantities=None,
        facts=None,
        facts_digest=None,
        profiles=(),
    )
    told = explain(basis)
    assert told["formula"] is None
    assert told["inputs"] == []
    assert told["text"]["cs"].endswith("Dohoda z 3. 1.")


def test_a_line_of_an_own_price_list_tells_its_price() -> None:
    (line,) = of_component(PRICED, "use_of_networks")
    price = {"value": "250", "unit": "CZK/month", "source": "Ceník služeb 2026"}
    told = explain(replace(kept(line), why={"text": "1 měs × 250 = 250 Kč", "price": price}))
    assert told["text"]["cs"].endswith("1 měs × 250 = 250 Kč Cena 250 Kč/měs: Ceník služeb 2026.")
    assert told["text"]["en"].endswith("Price 250 CZK/month: Ceník služeb 2026.")
