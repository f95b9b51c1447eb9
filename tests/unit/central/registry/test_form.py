from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from central.platform.errors import BadInput
from central.registry.form import check_contract_item, check_party, check_supply_point, iban_of, is_dic, is_ico

PARTY: dict[str, Any] = {"name": "Lisovna, a.s.", "role": "customer", "ico": "28409001"}
POINT: dict[str, Any] = {"ean": "859182400941700019", "commodity": "electricity", "voltage_level": "VN"}
ITEM: dict[str, Any] = {"supply_point": "859182400941700019", "reserved_input_kw": Decimal(630)}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("28409001", True),
        ("24729035", True),
        ("00000060", True),  # weighted sum 12, rest 1: the check digit is 0
        ("00000001", True),  # rest 0: it is 1
        ("28409002", False),
        ("2840900", False),
        ("2840900a", False),
        ("٢٨٤٠٩٠٠١", False),
    ],
)
def test_company_numbers(text: str, right: bool) -> None:
    assert is_ico(text) is right


@pytest.mark.parametrize(
    ("check", "row"),
    [
        (check_party, {**PARTY, "ean13": "8591824071502", "iban": "CZ6508000000192000145399"}),
        (check_party, {**PARTY, "ico": "not Czech", "country": "SK"}),
        (check_supply_point, POINT),
        (check_supply_point, {"ean": "27ZG517Z0000009N", "commodity": "gas", "voltage_level": None}),
        (
            check_supply_point,
            {"ean": "27ZG517Z0000009N", "commodity": "gas", "pressure_level": "low", "gas_group": "3"},
        ),
        (
            check_contract_item,
            {**ITEM, "reserved_capacity_year_kw": Decimal(570), "reserved_capacity_month_kw": Decimal(60)},
        ),
    ],
)
def test_right_parties_points_and_items_pass(check: Callable[[dict[str, Any]], None], row: dict[str, Any]) -> None:
    before = dict(row)
    try:
        check(row)
    except BadInput as refusal:
        pytest.fail(f"refused although right: {refusal.message}")
    assert row == before, "a check changes nothing"


@pytest.mark.parametrize(
    ("party", "code"),
    [
        ({"ico": "28409002"}, "ico"),
        ({"ean13": "8591824071503"}, "ean13"),
        ({"iban": "CZ6508000000192000145398"}, "iban"),
        ({"eic": "27ZG517Z0000009M"}, "eic"),
    ],
)
def test_wrong_check_digits_of_a_party_are_refused(party: dict[str, str], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_party({**PARTY, **party})
    assert refused.value.code == code
    assert next(iter(party.values())) in refused.value.message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ean": "859182400941700018"}, "ean"),
        ({"voltage_level": None}, "voltage_level"),
        ({"pressure_level": "medium"}, "pressure_level"),
        ({"gas_group": "3"}, "gas_group"),
        ({"commodity": "gas"}, "ean"),
        ({"commodity": "gas", "ean": "27ZG517Z0000009N"}, "voltage_level"),
    ],
)
def test_wrong_supply_points_are_refused(change: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_supply_point({**POINT, **change})
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"gas_capacity_month_m3": Decimal(5)}, "gas_capacity_month_m3"),
        ({"reserved_capacity_year_kw": Decimal(600), "reserved_capacity_month_kw": Decimal(31)}, "reserved_capacity"),
        ({"breaker_phases": 3}, "breaker"),
        ({"breaker_amps": 25}, "breaker"),
    ],
)
def test_wrong_items_are_refused_with_both_sides_named(change: dict[str, Any], code: str) -> None:
    with pytest.raises(BadInput) as refused:
        check_contract_item({**ITEM, **change})
    assert refused.value.code == code
    assert ITEM["supply_point"] in refused.value.message


@pytest.mark.parametrize(
    ("party", "warned"),
    [
        ({"dic": "CZ28409002"}, "CZ28409002"),
        ({"ico": "1", "country": "SK"}, "SK"),
        ({"dic": "nonsense", "country": "US"}, "nonsense"),
    ],
)
def test_foreign_ids_and_wrong_tax_numbers_are_warned_of(party: dict[str, str], warned: str) -> None:
    (warning,) = check_party({**PARTY, **party})
    assert warned in warning


def test_right_ids_give_no_warning() -> None:
    assert check_party({**PARTY, "dic": "CZ28409001"}) == []
    assert is_dic("CZ28409001")


@pytest.mark.parametrize(
    ("number", "iban"),
    [("19-2000145399/0800", "CZ6508000000192000145399"), ("2000145399/0800", "CZ7908000000002000145399")],
)
def test_the_iban_of_a_czech_account(number: str, iban: str) -> None:
    assert iban_of(number) == iban
    assert check_party({**PARTY, "iban": iban}) == []


@pytest.mark.parametrize("number", ["19-2000145398/0800", "18-2000145399/0800", "2000145399", "x/0800", "1/0800"])
def test_wrong_account_numbers_are_refused(number: str) -> None:
    with pytest.raises(BadInput) as refused:
        iban_of(number)
    assert refused.value.code == "account"
    assert number in refused.value.message
