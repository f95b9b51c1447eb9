"""Stock items that ship: one for each rate that we bill or check, marked by what the item type stands on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

from central.market.payloads.distribution_invoice import ItemCode
from central.market.payloads.gas_lines import PriceField
from central.settlement.stock_items import shipped_items
from central.tariffs.load import shipped_files

FIELDS = {*get_args(ItemCode), *get_args(PriceField), "Month.Price"}
CHECKED = {*range(5, 18), *range(19, 24), *range(25, 28), *range(1001, 1006), *range(1018, 1024), 1998, 1999}


def test_every_rate_has_one_item_with_its_own_code() -> None:
    shipped = shipped_items().items
    assert len({each.code for each in shipped}) == len({each.rate for each in shipped}) == len(shipped)


def test_rates_that_we_bill_and_that_check_8_walks_are_there() -> None:
    rates = {each.rate for each in shipped_items().items}
    assert rates >= CHECKED
    for path in shipped_files():
        for rule in json.loads(Path(path).read_bytes())["rules"]:
            assert rule["code"] is None or rule["code"] in rates, (path, rule["component"])


def test_item_types_are_those_of_messages_and_each_says_what_it_stands_on() -> None:
    shipped = shipped_items()
    for each in shipped.items:
        assert each.ote_item_type is None or each.ote_item_type in FIELDS, each.code
        assert len(shipped.sources[each.source]) > 20


def test_the_item_codes_of_check_4_are_documented() -> None:
    documented = {each.rate: each.ote_item_type for each in shipped_items().items if each.source == "check 4"}
    told = json.loads((Path(__file__).parents[4] / "central/workflow/received/rates.json").read_bytes())["rates"]
    shared = {"DIST_INPUT", "Period.Capacity_Price", "ContractValue.Oversize_Price"}
    assert {
        rate: code for code, rate in told.items() if not code.startswith("GU") and code not in shared
    }.items() <= documented.items()
