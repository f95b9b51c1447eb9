"""Device maps: schema, values, merged reads."""

import itertools
import json
import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.modbus.maps import MAPS, DeviceMap, Item, MapError, NotAvailableError, find_map, parse_map, value_of
from edge.modbus.plan import block_reads
from shared.quantities import Unit


def words(raw: bytes) -> list[int]:
    return [int.from_bytes(raw[n : n + 2], "big") for n in range(0, len(raw), 2)]


def item(**changes: Any) -> Item:
    return Item(**{"name": "x", "address": 0, "type": "float32", "unit": Unit.WH, "exponent": 3, **changes})


def test_all_shipped_maps_are_right() -> None:
    names = [path.stem for path in MAPS.glob("*.json")]
    assert "sdm630" in names
    for name in names:
        assert find_map(name).model == name


def test_sdm630_as_documented() -> None:
    found = find_map("sdm630")
    assert (found.function, found.max_registers) == (4, 80)
    assert (found.item("import").address, found.item("total").address) == (0x48, 0x156)


def test_unknown_maps_and_items_say_what_there_is() -> None:
    with pytest.raises(MapError, match=r"no device map for 'sdm63'; there are maps for .*sdm630"):
        find_map("sdm63")
    with pytest.raises(MapError, match="no item 'imports'; it has import, export"):
        find_map("sdm630").item("imports")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"max_registers": 126}, "max_registers 126"),
        ({"colour": 1}, "unknown field"),
        ({"items": [{"name": "a", "address": 65535, "type": "float32", "unit": "Wh", "exponent": 0}]}, "65535"),
        ({"items": [{"name": "a", "address": 1, "type": "uint16", "unit": "Wh", "exponent": 0}] * 2}, "twice"),
    ],
)
def test_wrong_maps_are_refused(changes: dict[str, Any], expected: str) -> None:
    data = json.loads((MAPS / "sdm630.json").read_bytes()) | changes
    with pytest.raises(MapError, match=expected):
        parse_map(json.dumps(data).encode(), "x.json")


@pytest.mark.parametrize(
    ("kind", "raw", "exponent", "expected"),
    [
        ("float32", struct.pack(">f", 12345.67), 1, 1_234_567),
        ("float32", struct.pack(">f", 131071.99), 1, 13_107_199),
        ("uint32", (987654).to_bytes(4, "big"), 3, 987_654),
        ("int64", (-5).to_bytes(8, "big", signed=True), 3, -5),
        ("uint64", (2**40).to_bytes(8, "big"), 3, 2**40),
    ],
)
def test_values(kind: str, raw: bytes, exponent: int, expected: int) -> None:
    each = item(type=kind)
    assert value_of(each, words(raw), exponent) == expected
    swapped = item(type=kind, word_order="low-first")
    assert value_of(swapped, list(reversed(words(raw))), exponent) == expected


@given(st.integers(0, 13_107_199))
def test_a_float_of_kwh_gives_back_every_ten_wh(tens: int) -> None:
    raw = struct.pack(">f", float(Decimal(tens).scaleb(-2)))
    assert value_of(item(), words(raw), 1) == tens


@pytest.mark.parametrize("raw", [float("nan"), float("inf"), float("-inf")])
def test_no_number_is_not_available(raw: float) -> None:
    with pytest.raises(NotAvailableError):
        value_of(item(), words(struct.pack(">f", raw)), 1)


def test_reads_are_merged_within_the_limits() -> None:
    found = find_map("sdm630")
    reads = block_reads(found, found.items)
    assert [(read.address, read.count) for read in reads] == [(72, 8), (342, 16)]
    registers = list(range(8))
    assert reads[0].registers_of(found.item("reactive-import"), registers) == [4, 5]


@given(st.sets(st.integers(0, 400), min_size=1, max_size=40), st.integers(0, 10), st.integers(4, 80))
def test_every_item_is_read_whole_and_no_read_is_too_long(addresses: set[int], skipped: int, limit: int) -> None:
    items = [item(name=str(address), address=address * 2) for address in addresses]
    device_map = DeviceMap(
        model="m", vendor="v", source="s", function=4, max_registers=limit, max_skipped=skipped, items=items
    )
    reads = block_reads(device_map, items)
    assert sorted(each.name for read in reads for each in read.items) == sorted(each.name for each in items)
    for read in reads:
        assert read.count <= limit
        for each in read.items:
            assert read.address <= each.address
            assert each.address + each.count <= read.address + read.count
    assert all(a.address + a.count <= b.address for a, b in itertools.pairwise(reads))
