"""Block reads: whole items, limits, least cost; answers taken apart."""

import itertools
import struct
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.modbus.plan import REGISTER_OCTETS, REQUEST_OCTETS, BlockRead, Decoder, block_reads
from shared.modbus.maps import DeviceMap, Item, MapError, find_map, value_of
from shared.modbus.numbers import NotAvailableError
from tests.unit.edge.modbus.examples import item, words


def device_map(items: Sequence[Item], **changes: Any) -> DeviceMap:
    given = {"model": "m", "vendor": "v", "source": "s", "function": 4, "max_registers": 80, "max_skipped": 80}
    return DeviceMap(**given | changes, items=list(items))


def ranges(reads: Sequence[BlockRead]) -> list[tuple[int, int]]:
    return [(read.address, read.count) for read in reads]


@pytest.mark.parametrize(
    ("model", "names", "expected"),
    [
        ("sdm630", ["import", "export"], [(72, 4)]),
        ("sdm630", ["import", "total"], [(72, 2), (342, 2)]),
        ("sdm630", ["voltage-L1", "frequency"], [(0, 2), (70, 2)]),
        ("abb-b23", ["import", "export"], [(0x5000, 8)]),
        ("abb-b23", ["import", "import-L1"], [(0x5000, 4), (0x5460, 4)]),
        ("iem3155", ["import", "export", "power"], [(0x0BF3, 2), (0x0C83, 8)]),
        ("umg96rm", ["import", "export"], [(19068, 10)]),
        ("sunspec-int", ["import"], [(46, 9)]),
        ("sunspec-int", ["power", "import"], [(18, 5), (46, 9)]),
    ],
)
def test_reads_of_shipped_maps(model: str, names: list[str], expected: list[tuple[int, int]]) -> None:
    found = find_map(model)
    assert ranges(block_reads(found, [found.item(name) for name in names])) == expected


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(18, [(0, 22)]), (19, [(0, 2), (21, 2)])],
    ids=["36 octets are cheaper than a request", "38 octets are not"],
)
def test_skipping_is_weighed_against_a_request(gap: int, expected: list[tuple[int, int]]) -> None:
    items = [item(name="a", address=0), item(name="b", address=2 + gap)]
    assert (REGISTER_OCTETS, REQUEST_OCTETS) == (2, 37)
    assert ranges(block_reads(device_map(items), items)) == expected


def test_least_cost_may_need_another_cut_than_filling_up() -> None:
    """Filled up from the left, the first request would end at 20 and the second read 16 to 23 over a gap."""
    items = [item(name=str(address), address=address) for address in (0, 14, 16, 18)]
    assert ranges(block_reads(device_map(items, max_registers=18), items)) == [(0, 2), (14, 6)]


def test_unreadable_holes_are_never_read_over() -> None:
    items = [item(name=str(address), address=address) for address in (0, 2, 6, 8)]
    assert ranges(block_reads(device_map(items, readable=((0, 3), (6, 9))), items)) == [(0, 4), (6, 4)]
    assert ranges(block_reads(device_map(items, max_skipped=0), items)) == [(0, 4), (6, 4)]


def test_what_fits_no_request_is_told() -> None:
    wide = item(name="wide", type="uint64")
    with pytest.raises(MapError, match="wide of m does not fit into one request"):
        block_reads(device_map([wide], max_registers=3), [wide])


@given(
    st.sets(st.integers(0, 120), min_size=1, max_size=12),
    st.integers(0, 40),
    st.integers(4, 80),
    st.lists(st.integers(1, 240), max_size=2),
)
def test_whole_allowed_and_cheapest(addresses: set[int], skipped: int, limit: int, holes: list[int]) -> None:
    items = [item(name=str(address), address=address * 2) for address in sorted(addresses)]
    edges = sorted({0, 1000, *(hole * 2 for hole in holes)})
    readable = tuple((low, high - 1) for low, high in itertools.pairwise(edges))
    found = device_map(items, max_registers=limit, max_skipped=skipped, readable=readable)
    reads = block_reads(found, items)
    assert sorted(each.name for read in reads for each in read.items) == sorted(each.name for each in items)
    for read in reads:
        assert _allowed(found, read.items, read.address, read.count)
    assert sum(_cost(read.count) for read in reads) == _cheapest(found, items)


def _allowed(found: DeviceMap, items: Sequence[Item], address: int, count: int) -> bool:
    inside = all(address <= each.address and each.address + each.count <= address + count for each in items)
    gaps = (b.address - a.address - a.count for a, b in itertools.pairwise(items))
    readable = any(low <= address and address + count - 1 <= high for low, high in found.readable)
    return inside and count <= found.max_registers and all(gap <= found.max_skipped for gap in gaps) and readable


def _cost(count: int) -> int:
    return REQUEST_OCTETS + REGISTER_OCTETS * count


def _cheapest(found: DeviceMap, items: Sequence[Item]) -> int:
    """By trying every way to cut."""
    best = [0]
    for end in range(1, len(items) + 1):
        costs = []
        for first in range(end):
            part = items[first:end]
            count = part[-1].address + part[-1].count - part[0].address
            if _allowed(found, part, part[0].address, count):
                costs.append(best[first] + _cost(count))
        best.append(min(costs))
    return best[-1]


KINDS = ["float32", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
PATTERNS = {"uint16": "FFFF", "int16": "8000", "uint32": "00000000", "int32": "7FFFFFFF", "int64": "8000000000000000"}


@given(st.data())
def test_answers_are_taken_apart_as_one_by_one(data: st.DataObject) -> None:
    """Any types, gaps, orders, patterns and scale factors: the same as each item's own rule gives."""
    items: list[Item] = []
    address = data.draw(st.integers(0, 100))
    for n in range(data.draw(st.integers(1, 8))):
        address += data.draw(st.integers(0, 5))
        kind = data.draw(st.sampled_from(KINDS))
        order = data.draw(st.sampled_from(["high-first", "low-first"]))
        patterns = (PATTERNS[kind],) if kind in PATTERNS and data.draw(st.booleans()) else ()
        each = item(name=str(n), address=address, type=kind, word_order=order, not_available=patterns)
        address += each.count
        if data.draw(st.booleans()):
            each = item(
                name=str(n), address=each.address, type=kind, word_order=order, not_available=patterns,
                scale_factor=address,
            )  # fmt: skip
            address += 1
        items.append(each)
    first = items[0].span[0]
    count = address - first + data.draw(st.integers(0, 3))
    registers = data.draw(
        st.lists(st.sampled_from([0, 1, 3, 0x7FFF, 0x8000, 0xFFFF, 0x4248]), min_size=count, max_size=count)
    )
    exponent = data.draw(st.integers(-3, 6))
    decoder = Decoder(BlockRead(first, count, tuple(items)), [(each, exponent) for each in items])
    pdu = bytes([4, 2 * count]) + b"".join(word.to_bytes(2, "big") for word in registers)

    def expected(each: Item) -> int | None:
        raw = registers[each.address - first : each.address - first + each.count]
        scale = 0
        if each.scale_factor is not None:
            scale = struct.unpack(">h", registers[each.scale_factor - first].to_bytes(2, "big"))[0]
            if scale == -0x8000:
                return None
        try:
            return value_of(each, raw, exponent, scale)
        except NotAvailableError:
            return None

    bad = [
        each for each in items
        if each.scale_factor is not None and registers[each.scale_factor - first] in (0x7FFF, 0x4248)
    ]  # fmt: skip
    try:
        values = decoder.values(pdu)
    except ValueError as error:
        assert any(f"{each.name}: the scale factor is" in str(error) for each in bad)
    else:
        for each, value in zip(items, values, strict=True):
            assert each in bad or value == expected(each)


def test_a_scale_factor_that_cannot_be_one_is_told() -> None:
    each = item(name="import", type="uint32", exponent=0, scale_factor=2)
    decoder = Decoder(BlockRead(0, 3, (each,)), [(each, 0)])
    assert decoder.values(b"\x03\x06\x00\x00\x00\x07\x00\x01") == [70]
    with pytest.raises(ValueError, match="import: the scale factor is 11"):
        decoder.values(b"\x03\x06\x00\x00\x00\x07\x00\x0b")
    assert words(b"\x00\x0b") == [11]
