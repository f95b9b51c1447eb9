"""Shared energy in settlement: told with every month, taken off only where a package's rule says so."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.readings.sharing.allocated import SharedDay, SharedOfPoint
from central.settlement.books import BookInForce
from central.settlement.compare import RunInput, causes
from central.settlement.document import tenure_document
from central.settlement.formula_parameters import FORMULA_SHAPES
from central.settlement.quantities import quantities_document
from central.settlement.settle import Settled, settle_point
from central.settlement.why import Explained, explain
from shared.quantities import Commodity
from tests.unit.central.settlement.packages import ELECTRICITY, changed
from tests.unit.central.settlement.test_settle import AGREED, CHANNELS, HIGH_MEASURED, NOW, facts, item, settled


def lower(content: dict[str, Any], *components: str) -> None:
    for rule in content["rules"]:
        if rule["component"] in components:
            rule["parameters"]["lowered_by"] = "shared_energy_mwh"


LOWERING = changed(lambda content: lower(content, "system_services", "poze"))
"""A package of the tests: by the released ones nothing is lowered."""


def month(shared: SharedOfPoint, book: Any = ELECTRICITY) -> Settled:
    books = [BookInForce(book, Commodity.ELECTRICITY, frozenset(book.file.operators))]
    point = facts(Commodity.ELECTRICITY, "VN", item("CEZ"), CHANNELS, AGREED, books=books)
    return settled(settle_point(replace(point, record=replace(point.record, shared=shared)), HIGH_MEASURED, NOW))


def days(*units: int, version: int = 1, first: int = 10) -> SharedOfPoint:
    return SharedOfPoint(
        tuple(SharedDay(date(2026, 3, first + n), "SK-1", "edc", version, each) for n, each in enumerate(units))
    )


ONE_MWH = days(60_000, 40_000)


def amounts(outcome: Settled) -> dict[str, tuple[Decimal, Decimal]]:
    return {line.component: (line.quantity, line.amount) for line in outcome.lines}


def test_without_a_rule_shared_energy_is_told_and_no_price_changes() -> None:
    outcome = month(ONE_MWH)
    assert amounts(outcome) == amounts(month(SharedOfPoint()))
    assert quantities_document(outcome.tenure.spans, outcome.parts)["shared_energy_mwh"] == "1"
    assert tenure_document(outcome.facts, outcome.tenure)["sharing"] == [
        {"group": "SK-1", "days": {"2026-03-10": [1, "edc", 60_000], "2026-03-11": [1, "edc", 40_000]}}
    ]


def test_a_point_that_shares_nothing_keeps_the_document_that_it_had() -> None:
    outcome = month(SharedOfPoint())
    assert "sharing" not in tenure_document(outcome.facts, outcome.tenure)
    assert "shared_energy_mwh" not in quantities_document(outcome.tenure.spans, outcome.parts)


def test_a_rule_lowers_the_quantity_of_its_component_alone() -> None:
    plain, lowered = month(SharedOfPoint(), LOWERING), month(ONE_MWH, LOWERING)
    before, after = amounts(plain), amounts(lowered)
    assert {name for name in after if after[name] != before[name]} == {"system_services"}
    assert before["system_services"][0] - after["system_services"][0] == Decimal(1)
    line = next(line for line in lowered.lines if line.component == "system_services")
    assert line.why.endswith("snížené o sdílenou energii")
    assert [
        (source["kind"], source["group"]) for source in lowered.measurements(line) if source["kind"] != "profile"
    ] == [("sharing", "SK-1")]


def test_the_explanation_names_what_was_taken_off_and_its_group() -> None:
    outcome = month(ONE_MWH, LOWERING)
    line = next(line for line in outcome.lines if line.component == "system_services")
    told = explain(
        Explained(
            line.code, line.component, line.name, line.quantity, line.unit, line.unit_price, line.price_unit,
            line.amount, (NOW, NOW), {"text": line.why, **line.inputs}, outcome.measurements(line), "p 1",
            quantities_document(outcome.tenure.spans, outcome.parts),
        )
    )  # fmt: skip
    inputs = {entry["name"]: entry["value"] for entry in told["inputs"]}
    assert (inputs["energy_mwh"], inputs["shared_energy_mwh"]) == ("118.456", "1")
    assert "sdílená energie v MWh 1" in told["text"]["cs"]
    assert "sdílení SK-1" in told["text"]["cs"]
    assert "shared energy in MWh 1" in told["text"]["en"]


def test_more_shared_than_taken_bills_nothing_and_is_told() -> None:
    outcome = month(days(*[1_000_000] * 12), LOWERING)
    assert amounts(outcome)["system_services"] == (Decimal(0), Decimal("0.00"))
    (finding,) = [each for each in outcome.findings if each.component == "system_services"]
    assert "sdílená energie 120,000 MWh vyšší než odběr 118,456 MWh" in finding.text


def test_days_whose_allocation_is_not_known_yet_are_told() -> None:
    outcome = month(SharedOfPoint(awaited=(date(2026, 3, 5), date(2026, 3, 6), date(2026, 4, 1))))
    assert [each.text for each in outcome.findings if each.component == "sharing"] == [
        "Místo 859182400941700026 sdílí elektřinu, od 2026-03-05 však není známo rozdělení (dnů: 2); sdílená "
        "energie těchto dnů se nezohlednila."
    ]


def test_another_version_of_the_allocation_is_a_cause_of_its_own() -> None:
    inputs = [
        [RunInput("p", tenure_document(each.facts, each.tenure), [], [])]
        for each in (month(days(5)), month(days(7, version=2)))
    ]
    (cause,) = causes(*inputs)
    assert (cause.kind, cause.text) == ("sharing", "Skupina sdílení SK-1: jiné rozdělení ve dnech 2026-03-10.")
    assert cause.details["days"] == [{"day": "2026-03-10", "first": [1, "edc", 5], "second": [2, "edc", 7]}]


@pytest.mark.parametrize(
    ("formula", "parameters", "problem"),
    [
        ("per_mwh", {"quantity": "energy_mwh", "lowered_by": "shared_energy_mwh"}, ""),
        ("per_mwh", {"quantity": "energy_mwh", "lowered_by": "energy_mwh"}, "shared_energy_mwh is expected"),
        ("per_mwh", {"quantity": "energy_vt_mwh", "lowered_by": "shared_energy_mwh"}, "not by tariff"),
        ("capped_per_ampere", {"cap": "c", "energy": "energy_mwh", "lowered_by": "shared_energy_mwh"}, ""),
        ("per_mvarh", {"quantity": "reactive_taken_mvarh", "lowered_by": "shared_energy_mwh"}, "has the parameter"),
    ],
)
def test_a_rule_may_be_lowered_by_shared_energy_only_where_that_can_be(
    formula: str, parameters: dict[str, str], problem: str
) -> None:
    told = " ".join(FORMULA_SHAPES[formula].problems(parameters))
    assert problem in told
    assert bool(told) == bool(problem)
