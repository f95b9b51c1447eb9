"""Octets of samples become integers of the wire, as a sample at a time would."""

import math
import struct
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.config import StateRegister
from edge.drivers.modbus import PlannedRead
from edge.live.rows import RowFormat, integer_row, integer_rows, modbus_rows
from edge.modbus.exchange import Request
from edge.modbus.plan import Decoder, block_reads
from shared.modbus.maps import DeviceMap, Item
from shared.quantities import Unit

ITEMS = [
    Item(name="float", address=0, type="float32", unit=Unit.V, exponent=0, word_order="high-first"),
    Item(name="short", address=2, type="int16", unit=Unit.W, exponent=1, word_order="high-first"),
    Item(name="long", address=4, type="uint32", unit=Unit.W, exponent=0, word_order="high-first"),
    Item(name="swapped", address=6, type="int32", unit=Unit.W, exponent=0, word_order="low-first"),
    Item(
        name="marked", address=8, type="uint16", unit=Unit.W, exponent=0, word_order="high-first",
        not_available=("ffff",),
    ),
    Item(name="scaled", address=9, type="int16", unit=Unit.A, exponent=0, word_order="high-first", scale_factor=10),
    Item(name="wide", address=200, type="int64", unit=Unit.W, exponent=0, word_order="high-first"),
]  # fmt: skip
MAP = DeviceMap(model="m", vendor="v", source="s", function=3, max_registers=20, max_skipped=4, items=ITEMS)


def register(name: str, exponent: int = 0) -> StateRegister:
    return StateRegister(item=name, unit=MAP.item(name).unit, exponent=exponent, register=name)


def rows_of(*registers: StateRegister) -> RowFormat:
    items = [MAP.item(each.item or "") for each in registers]
    plan = []
    for read in block_reads(MAP, items):
        places = tuple(place for place, item in enumerate(items) if item in read.items)
        decoder = Decoder(read, [(items[place], registers[place].exponent) for place in places])
        plan.append(PlannedRead(Request.registers(1, 3, read.address, read.count), decoder, places, None))
    return modbus_rows(registers, plan)


def test_a_row_of_two_requests() -> None:
    """Hand-made: 230.5 V, -5 x 10 W, 70,000 W, 65,538 W with its words swapped, no value, 123 x 10^-1 A; 2^31 - 1 W."""
    exponents = {"float": -1, "scaled": -1}
    names = ("wide", "float", "short", "long", "swapped", "marked", "scaled")
    rows = rows_of(*(register(name, exponents.get(name, 0)) for name in names))
    row = bytes.fromhex("43668000 fffb 0000 00011170 00020001 ffff 007b ffff 000000007fffffff")
    assert rows.size == len(row)
    assert [list(column) for column in rows.columns(row * 2)] == [
        [2**31 - 1] * 2, [2305] * 2, [-50] * 2, [70_000] * 2, [65_538] * 2, [None] * 2, [123] * 2,
    ]  # fmt: skip


def test_a_scale_factor_that_cannot_be_makes_no_value() -> None:
    assert rows_of(register("scaled")).columns(bytes.fromhex("0001 0001 0001 00ff 0001 8000")) == [[10, None, None]]


def test_values_that_are_none() -> None:
    raw = [1.5, math.nan, 2.5, math.inf, -math.inf, 3e38, -(2.0**31)]
    assert list(rows_of(register("float")).columns(b"".join(struct.pack(">f", each) for each in raw))[0]) == [
        2, None, 2, None, None, None, None,
    ]  # fmt: skip


def test_values_beyond_the_wire_are_none() -> None:
    assert rows_of(register("long")).columns(bytes.fromhex("80000000 00000001")) == [[None, 1]]
    assert integer_rows([register("wide")]).columns(integer_row([2**70]) + integer_row([-5])) == [[None, -5]]


def test_whole_columns_are_arrays() -> None:
    assert rows_of(register("float", -3)).columns(struct.pack(">2f", 0.125, -1.0)) == [array("i", [125, -1000])]


@given(
    st.sampled_from(ITEMS),
    st.integers(-4, 3),
    st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=5),
)
def test_a_column_at_a_time_is_as_a_sample_at_a_time(item: Item, exponent: int, octets: list[bytes]) -> None:
    (read,) = block_reads(MAP, [item])
    decoder = Decoder(read, [(item, exponent)])
    parts = [each[: 2 * read.count] for each in octets]
    expected: list[int | None] = []
    for part in parts:
        try:
            (value,) = decoder.values(b"\x03\x00" + part)
        except ValueError:
            value = None
        expected.append(value)
    assert list(decoder.columns(b"".join(parts))[0]) == expected


@pytest.mark.parametrize("count", [1, 20])
def test_integer_rows(count: int) -> None:
    registers = [register("long")] * count
    columns = integer_rows(registers).columns(integer_row(range(count)) + integer_row(range(count)))
    assert [list(column) for column in columns] == [[n, n] for n in range(count)]
