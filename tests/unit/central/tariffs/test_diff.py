"""Differences of packages in words, and which ways of being billed they touch."""

import copy
import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from central.tariffs.diff import Difference, differences
from central.tariffs.effect import Effect, Profile, merged
from central.tariffs.load import load_content, shipped_files
from central.tariffs.package import Package
from central.tariffs.seal import seal

YEAR = (date(2026, 1, 1), date(2027, 1, 1))
HIGH = Profile("electricity", "CEZ", "VN")
SHOP = Profile("electricity", "CEZ", "NN", "C25d", 3, Decimal(25))


def _content() -> dict[str, Any]:
    path = next(path for path in shipped_files() if path.stem == "cz-electricity-2026")
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


OLD = load_content(_content(), "old")


def _changed(change: Callable[[dict[str, Any]], object]) -> Package:
    content = copy.deepcopy(_content())
    change(content)
    return load_content(seal(content, None), "changed")


def _table(content: dict[str, Any], component: str) -> dict[str, Any]:
    table: dict[str, Any] = next(each for each in content["tables"] if each["component"] == component)
    return table


def _reprice(component: str, *keys: str) -> Callable[[dict[str, Any]], object]:
    def change(content: dict[str, Any]) -> None:
        row = next(row for row in _table(content, component)["rows"] if row[:-1] == list(keys))
        row[-1] = "777"

    return change


def _rule(component: str, **values: Any) -> Callable[[dict[str, Any]], object]:
    def change(content: dict[str, Any]) -> None:
        rule = next(rule for rule in content["rules"] if rule["component"] == component)
        rule["parameters"] |= values

    return change


def _half_year(content: dict[str, Any]) -> None:
    table = _table(content, "use_of_networks")
    later = copy.deepcopy(table)
    table["valid"], later["valid"] = ["2026-01-01", "2026-07-01"], ["2026-07-01", "2027-01-01"]
    for row in later["rows"]:
        row[-1] = "777"
    content["tables"].append(later)


def test_the_same_package_has_no_differences() -> None:
    assert differences(OLD, _changed(lambda content: None)) == []


@pytest.mark.parametrize(
    ("change", "kind", "sentence"),
    [
        (
            _reprice("use_of_networks", "CEZ", "VN"),
            "price",
            "use_of_networks for operator CEZ, level VN: 106.22 CZK/MWh becomes 777 CZK/MWh "
            "(Cenový výměr ERÚ č. 13/2025, documented), from 2026-01-01 to 2027-01-01.",
        ),
        (
            lambda content: _table(content, "breaker")["rows"].pop(0),
            "price",
            "breaker for rate C01d, operator CEZ, band 3x10: was 66 CZK/month, has no value "
            "from 2026-01-01 to 2027-01-01.",
        ),
        (
            _rule("excess_reserved_capacity", multiplier="2"),
            "rule",
            "Rule excess_reserved_capacity (VVN, VN): parameter multiplier was 1.5, is 2.",
        ),
        (lambda content: content["vat"].update(percent="12"), "vat", "Vat, percent: was 21, is 12."),
        (
            lambda content: content["groups"][0].update(take="all"),
            "groups",
            "Groups, excess_taken: was higher, is all.",
        ),
        (lambda content: content.update(binding=False), "package", "The binding was yes, is no."),
    ],
)
def test_a_difference_is_a_sentence(change: Callable[[dict[str, Any]], object], kind: str, sentence: str) -> None:
    found = differences(OLD, _changed(change))
    assert [(each.kind, each.text) for each in found] == [(kind, sentence)]


def test_a_new_source_of_the_same_price_changes_no_bill() -> None:
    (found,) = differences(OLD, _changed(lambda content: _table(content, "poze_cap").update(mark="assumed")))
    assert not found.money
    assert "stays" in found.text


def test_a_price_of_half_a_year_differs_in_that_half_only() -> None:
    found = differences(OLD, _changed(_half_year))
    assert {each.valid for each in found} == {(date(2026, 7, 1), date(2027, 1, 1))}
    effect = Effect(OLD, _changed(_half_year), found)
    assert effect.days(HIGH) == [(date(2026, 7, 1), date(2027, 1, 1))]


def test_two_years_are_compared_by_the_last_and_the_new_values() -> None:
    def next_year(content: dict[str, Any]) -> None:
        content["valid"] = ["2027-01-01", "2028-01-01"]
        _reprice("system_services")(content)

    prices = [each for each in differences(OLD, _changed(next_year)) if each.kind == "price"]
    assert [(each.component, each.before, each.after) for each in prices] == [("system_services", "164.24", "777")]
    assert prices[0].valid == (date(2027, 1, 1), date(2028, 1, 1))


@pytest.mark.parametrize(
    ("change", "profile", "is_touched"),
    [
        (_reprice("use_of_networks", "CEZ", "VN"), HIGH, True),
        (_reprice("use_of_networks", "CEZ", "VVN"), HIGH, False),
        (_reprice("use_of_networks", "EGD", "VN"), HIGH, False),
        (_reprice("reserved_capacity_month", "CEZ", "VN"), HIGH, True),
        (_reprice("system_services"), HIGH, True),
        (_reprice("system_services"), SHOP, True),
        (_reprice("breaker", "C25d", "CEZ", "3x25"), SHOP, True),
        (_reprice("breaker", "C25d", "CEZ", "3x32"), SHOP, False),
        (_reprice("breaker", "C26d", "CEZ", "3x25"), SHOP, False),
        (_reprice("energy_vt", "C25d", "CEZ"), SHOP, True),
        (_reprice("energy_vt", "C25d", "CEZ"), HIGH, False),
        (_reprice("unsolicited_reactive"), SHOP, False),
        (_reprice("payment_term"), SHOP, False),
        (_rule("excess_reserved_capacity", multiplier="2"), HIGH, True),
        (_rule("excess_reserved_capacity", multiplier="2"), SHOP, False),
        (lambda content: content["vat"].update(percent="12"), SHOP, True),
        (_reprice("system_services"), Profile("gas", "CEZ"), False),
        (_reprice("system_services"), Profile("electricity", "NOBODY", "VN"), False),
    ],
)
def test_who_is_billed_otherwise(
    change: Callable[[dict[str, Any]], object], profile: Profile, is_touched: bool
) -> None:
    new = _changed(change)
    found: list[Difference] = differences(OLD, new)
    assert found
    assert Effect(OLD, new, found).days(profile) == ([YEAR] if is_touched else [])


def test_where_nothing_was_in_force_every_item_of_its_price_lists_is_touched() -> None:
    effect = Effect(None, OLD, [])
    assert effect.days(SHOP) == [YEAR]
    assert effect.days(Profile("electricity", "NOBODY", "NN")) == []


def test_stretches_are_merged() -> None:
    days = [date(2026, month, 1) for month in range(1, 7)]
    assert merged([(days[4], days[5]), (days[0], days[1]), (days[1], days[2])]) == [
        (days[0], days[2]),
        (days[4], days[5]),
    ]
