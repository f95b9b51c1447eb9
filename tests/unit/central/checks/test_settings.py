"""Parameters of checks as the operator gives them: what is no number of them is said, whatever it is."""

from __future__ import annotations

from decimal import Decimal

import pytest

from central.checks.framework import Parameter
from central.checks.settings import parameters_of
from central.checks.standard import STANDARD
from central.checks.standard.deviation import Deviation
from central.checks.standard.message_price import MessagePrice

NUMBERS = [
    (check.definition.number, each)
    for check in STANDARD
    for each in check.definition.parameters
    if not each.choices
]  # fmt: skip


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0", Decimal(0)),
        ("1000000", Decimal(1_000_000)),
        ("0.000000000000000000000000000000001", Decimal("1e-33")),
        ("5e1", Decimal(50)),
        (" 7 ", Decimal(7)),
    ],
)
def test_a_number_within_its_borders_is_taken(given: str, expected: Decimal) -> None:
    assert parameters_of(Deviation.definition, {"tolerance": given})["tolerance"] == expected


@pytest.mark.parametrize(
    "given",
    [
        "-1",
        "-0.000001",
        "1000000.000001",
        "1e400",
        "NaN",
        "sNaN",
        "-Infinity",
        "Infinity",
        "",
        "50 %",
        "0x10",
        "5,0",
        "\0",
    ],
)
def test_what_is_no_such_number_is_refused_in_a_sentence(given: str) -> None:
    for number, parameter in NUMBERS:
        (check,) = [each for each in STANDARD if each.definition.number == number]
        with pytest.raises(ValueError, match=r"a number (of at least|from) 0"):
            parameters_of(check.definition, {parameter.name: given})


def test_a_choice_is_one_of_the_words(parameter: Parameter = MessagePrice.definition.parameters[0]) -> None:
    assert parameters_of(MessagePrice.definition, {"which": "foreign_operator"}) == {"which": "foreign_operator"}
    with pytest.raises(ValueError, match=f"one of {', '.join(parameter.choices)} is expected"):
        parameters_of(MessagePrice.definition, {"which": "ALL"})


def test_what_is_not_set_is_the_checks_own() -> None:
    own = {each.name: each.default for each in Deviation.definition.parameters}
    assert parameters_of(Deviation.definition, {}) == own
    assert parameters_of(Deviation.definition, {"unknown": "1"}) == own
