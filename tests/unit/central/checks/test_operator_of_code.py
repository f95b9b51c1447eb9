"""Check 16: every row of its table, for both commodities; which party is which main operator."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pytest

from central.checks.frame import MISSING
from central.checks.framework import ELECTRICITY, GAS
from central.checks.operator_codes import main_operators, prefixes
from central.checks.standard.operator_of_code import OTHER, OWN, KnownParty, OperatorOfCode, SetOperators, which_main
from central.checks.verdict import Result
from shared.identifiers import parse_ean13
from tests.unit.central.checks.columns import bases, frame, told

CHECK = OperatorOfCode()
PARTIES = (
    KnownParty(id=1, name="ČEZ Distribuce, a. s.", ean13="8591824071502", ico=None),
    KnownParty(id=2, name="EG.D, s.r.o.", ean13=None, ico="21055050"),
    KnownParty(id=3, name="Vlčí Důl", ean13="8591824900017", ico="28409001"),
    KnownParty(id=4, name="Nový", ean13=None, ico=None),
)
CEZ, EGD, LOCAL, NEW = 1, 2, 3, 4


def place(name: str, commodity: str) -> int:
    return next(
        place
        for place, each in enumerate(main_operators())
        if each.name.startswith(name) and each.commodity == commodity
    )


ELECTRIC_CEZ, ELECTRIC_EGD, GAS_EGD = place("ČEZ", "electricity"), place("EG.D", "electricity"), place("EG.D", "gas")


def read(*points: Mapping[str, Any], items: Mapping[int, int] | None = None) -> SetOperators:
    given = [{"supply_point": 1, "operator": LOCAL, "first": None, "end_": None, "decided": None, **p} for p in points]
    named = [{"contract_item": item, "operator": party} for item, party in (items or {}).items()]
    return SetOperators(
        frame(given, ("supply_point", "operator", "first", "end_", "decided")),
        frame(named, ("contract_item", "operator")),
        which_main(PARTIES, [LOCAL]),
        tuple(each.name for each in PARTIES),
    )


@pytest.mark.parametrize(
    ("commodity", "decided", "operator", "expected", "said"),
    [
        (ELECTRICITY, None, LOCAL, Result.INFO, "does not tell its operator; Vlčí Důl is set"),
        (ELECTRICITY, None, NEW, Result.INFO, "Nový is set"),
        (ELECTRICITY, ELECTRIC_CEZ, CEZ, Result.OK, "ČEZ Distribuce, a. s. agrees"),
        (ELECTRICITY, ELECTRIC_EGD, EGD, Result.OK, "EG.D, s.r.o. agrees"),
        (ELECTRICITY, ELECTRIC_CEZ, EGD, Result.ERROR, "belongs to ČEZ Distribuce, EG.D, s.r.o. is set"),
        (ELECTRICITY, ELECTRIC_CEZ, LOCAL, Result.ERROR, "Vlčí Důl is set"),
        (ELECTRICITY, ELECTRIC_CEZ, NEW, Result.WARNING, "neither an EAN nor a company number"),
        (GAS, GAS_EGD, EGD, Result.OK, "EG.D, s.r.o. agrees"),
        (GAS, GAS_EGD, CEZ, Result.ERROR, "ČEZ Distribuce, a. s. is set"),
        (GAS, None, LOCAL, Result.INFO, "does not tell"),
        # codes of our own number series
        (ELECTRICITY, OWN, LOCAL, Result.OK, "Vlčí Důl agrees with the code of the point (vlastní síť"),
        (ELECTRICITY, OWN, CEZ, Result.ERROR, "own network (own number series), ČEZ Distribuce, a. s. is set"),
        (ELECTRICITY, OWN, NEW, Result.ERROR, "Nový is set"),
        (GAS, OWN, LOCAL, Result.OK, "Vlčí Důl agrees"),
    ],
)
def test_the_table(commodity: int, decided: int | None, operator: int, expected: Result, said: str) -> None:
    found = told(
        CHECK, CHECK.verdict(bases({"commodity": commodity}), read({"decided": decided}, items={1: operator}), {})
    )
    assert [each.result for each in found] == [expected]
    assert said in found[0].text.en
    assert ("party", "party", operator) in found[0].links


def test_where_the_item_names_none_the_point_does() -> None:
    point = {"decided": ELECTRIC_CEZ, "operator": CEZ}
    assert [each.result for each in told(CHECK, CHECK.verdict(bases({}), read(point), {}))] == [Result.OK]
    other_item = read(point, items={2: LOCAL})
    assert [each.result for each in told(CHECK, CHECK.verdict(bases({}), other_item, {}))] == [Result.OK]


@pytest.mark.parametrize(
    ("changed_on", "expected"),
    [(date(2026, 3, 31), Result.ERROR), (date(2026, 4, 1), Result.OK), (date(2026, 3, 1), Result.ERROR)],
)
def test_the_operator_of_the_last_day_counts(changed_on: date, expected: Result) -> None:
    points = read(
        {"decided": ELECTRIC_CEZ, "operator": LOCAL},
        {"decided": ELECTRIC_CEZ, "operator": CEZ, "first": date(2020, 1, 1), "end_": changed_on},
    )
    assert [each.result for each in told(CHECK, CHECK.verdict(bases({}), points, {}))] == [expected]


def test_nothing_to_compare() -> None:
    assert told(CHECK, CHECK.verdict(bases(), read(), {})) == []
    [found] = told(CHECK, CHECK.verdict(bases({}), read(), {}))
    assert found.result is Result.INFO


def test_who_the_parties_are() -> None:
    parties = which_main(PARTIES, [LOCAL])
    electric = parties["main"][parties["commodity"] == ELECTRICITY].tolist()
    assert electric == [ELECTRIC_CEZ, ELECTRIC_EGD, OTHER, MISSING]
    assert parties["main"][parties["commodity"] == GAS].tolist() == [OTHER, GAS_EGD, OTHER, MISSING]
    assert parties["own"].tolist() == [0] * 4 + [1] * 2 + [0] * 2
    assert len(which_main([], [])) == 0


def test_the_list_is_sound() -> None:
    beginnings = [(commodity, prefix) for commodity, prefix, _ in prefixes()]
    assert len(set(beginnings)) == len(beginnings)
    for operator in main_operators():
        assert operator.prefixes
        assert operator.ean13 or operator.ico
        assert all(parse_ean13(ean) == ean for ean in operator.ean13)
        assert all(len(ico) == 8 and ico.isdigit() for ico in operator.ico)
    lengths = np.array([len(prefix) for _, prefix, _ in prefixes()])
    assert (np.diff(lengths) <= 0).all()
    assert not any("8591824009".startswith(prefix) for _, prefix in beginnings)
