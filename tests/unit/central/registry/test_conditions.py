"""Conditions of points: which belong where, and choices that end too early."""

from datetime import date
from typing import Any, cast

import pytest
from sqlalchemy import RowMapping

from central.platform.errors import BadInput
from central.registry.conditions import check_condition, warnings_of

EAN = "859182400123456789"


def point(commodity: str = "electricity", level: str | None = "VN") -> RowMapping:
    return cast(RowMapping, {"ean": EAN, "commodity": commodity, "voltage_level": level})


@pytest.mark.parametrize(
    ("kind", "given", "level", "said"),
    [
        ("loss", {}, "VN", "needs percent"),
        ("capacity_exempt", {"percent": 2}, "VN", "has no percent"),
        ("storage", {}, "VN", "needs choice"),
        ("tax_exempt", {"choice": "pumped"}, "VN", "has no choice"),
        ("single_component", {}, "NN", "is for high voltage"),
    ],
)
def test_a_condition_has_its_value_and_no_other(kind: str, given: dict[str, Any], level: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_condition(point(level=level), kind, given)


def test_losses_of_transformers_are_for_electricity() -> None:
    check_condition(point(level="NN"), "loss", {"percent": 4})
    with pytest.raises(BadInput, match="for electricity"):
        check_condition(point("gas", None), "loss", {"percent": 4})


@pytest.mark.parametrize(
    ("start", "end", "warned"),
    [
        (date(2026, 1, 1), date(2026, 12, 31), True),
        (date(2026, 1, 1), date(2027, 1, 1), False),
        (date(2028, 2, 29), date(2029, 2, 27), True),
        (date(2028, 2, 29), date(2029, 2, 28), False),
        (date(2026, 1, 1), None, False),
    ],
)
def test_the_single_component_price_is_chosen_for_twelve_months(start: date, end: date | None, warned: bool) -> None:
    rows = [{"kind": "single_component", "valid_from": start, "valid_to": end}]
    assert bool(warnings_of(point(), rows)) is warned
