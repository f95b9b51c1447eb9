import json
from decimal import Decimal
from typing import Any

import pytest

from central.platform.errors import BadInput
from central.workflow.site_file import Contract, ContractItem, Site, read_site, write_site


def site(**sections: Any) -> bytes:
    return json.dumps({"name": "S", **sections}).encode()


def test_a_site_comes_back_as_it_was_written() -> None:
    item = ContractItem(supply_point="x", prices="CEZ", reserved_input_kw=Decimal("630.5"))
    contract = {"number": "1", "kind": "distribution", "customer": "a", "valid_from": "2026-01-01", "items": []}
    given = Site(name="S", contracts=[read_site(site(contracts=[contract])).contracts[0]])
    given.contracts[0].items.append(item)
    assert isinstance(given.contracts[0], Contract)
    assert read_site(write_site(given)) == given


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (site(meters=[{"id": "a", "serial": "1", "model": "m", "commodity": "water", "concentrator": "k"}]), "water"),
        (site(colour="blue"), "colour"),
        (site(concentrators=[{"id": "K1", "name": "n"}]), "place"),
        (b"{", "truncated"),
        (b"\xff", "site file"),
    ],
)
def test_what_does_not_follow_the_schema_is_refused_with_its_place(content: bytes, named: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_site(content)
    assert refused.value.code == "site_file"
    assert named in refused.value.message
