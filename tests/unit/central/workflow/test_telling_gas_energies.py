"""Energies of gas hours: of a day they sum to the day's, by k and Hs; what lacks is said; other terms are told anew."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central.market.format_package import load_package
from central.market.gas.closed import Closed
from central.readings.gas.calorific import Calorific
from central.readings.gas.coefficient import Conversion
from central.readings.gas.exact import rounded
from central.readings.gas.terms import GasTerms
from central.workflow.telling.gas_energies import Steps, energies, on_terms, steps_of
from tests.unit.central.market.edigas_examples import package_in, take_in, with_energies

D = Decimal
FIRST, SECOND, THIRD = date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 1)


@pytest.mark.parametrize(
    ("volumes", "coefficient", "calorific", "step", "expected"),
    [
        (["2", "3"], "1", "10.5", "0.01", ["21.00", "31.50"]),
        (["276"], "1", "10.6649", "0.01", ["2943.51"]),
        (["1", "1", "1"], "1/3", "1", "1", ["0", "1", "0"]),
        (["0", "0.001"], "0.98", "10", "0.001", ["0.000", "0.010"]),
        ([], "1", "10", "1", []),
    ],
)
def test_hours_are_told_so_that_they_sum_to_their_day(
    volumes: list[str], coefficient: str, calorific: str, step: str, expected: list[str]
) -> None:
    found = energies([D(each) for each in volumes], Fraction(coefficient), D(calorific), D(step))
    assert [str(each) for each in found] == expected


@given(
    st.lists(st.decimals(0, 10_000, places=3), max_size=25),
    st.fractions("1/2", 60, max_denominator=1000),
    st.decimals(8, 13, places=6),
    st.integers(0, 4),
)
def test_the_sum_is_rounded_once(
    volumes: list[Decimal], coefficient: Fraction, calorific: Decimal, places: int
) -> None:
    step = D(1).scaleb(-places)
    found = energies(volumes, coefficient, calorific, step)
    exact = sum((Fraction(each) for each in volumes), Fraction(0)) * coefficient * Fraction(calorific)
    assert sum(found, D(0)) == rounded(exact, step)
    assert all(each >= 0 for each in found)


def test_only_a_mapping_with_a_place_for_energies_has_them(tmp_path: Path) -> None:
    assert steps_of(load_package("sandbox-2026")) is None
    take_in(tmp_path / "a")
    assert steps_of(package_in(tmp_path / "a")) is None
    change, given_mappings = with_energies()
    imported = take_in(tmp_path / "b", change, given=given_mappings)
    assert [each.is_official for each in imported.messages if each.code == "XGE"] == [True]
    assert steps_of(package_in(tmp_path / "b")) == Steps(D("0.01"), D("0.0001"))


def terms(**values: str) -> GasTerms:
    conversion = Conversion(1, 7, "A", "fixed", FIRST, THIRD, "t", coefficient=D("0.98"))
    known = {}
    for name, value in values.items():
        day = date(2026, 3, int(name[1:]))
        known[day] = Calorific("A", "day", day, 1, D(value), "entered", "test")
    return GasTerms([conversion], {"A": known})


MONTH = Closed("gas_month", 1, "27ZG600Z0012345N", "8591824556207", FIRST, THIRD, {"profiles": "p"})


@pytest.mark.parametrize(
    ("known", "lacks"),
    [
        (terms(d30="10.5", d31="10.6"), None),
        (terms(d30="10.5"), "on 2026-03-31 is not known: its calorific value is missing"),
        (GasTerms((), {}), "on 2026-03-30 is not known: its volume coefficient is missing"),
    ],
)
def test_a_day_without_its_terms_is_not_told(known: GasTerms, lacks: str | None) -> None:
    found = on_terms(MONTH, {7: known})
    assert (found.lacks is None) == (lacks is None)
    assert (lacks or "") in (found.lacks or "")
    assert found.cause["profiles"] == "p"


def test_other_terms_are_another_cause() -> None:
    known = [terms(d30="10.5", d31="10.6"), terms(d30="10.5", d31="10.7"), terms(d30="10.5"), GasTerms((), {})]
    causes = [on_terms(MONTH, {7: each}).cause["energies"] for each in known]
    assert len(set(causes)) == len(known)
    assert causes[0] == on_terms(MONTH, {7: terms(d30="10.5", d31="10.6")}).cause["energies"]
