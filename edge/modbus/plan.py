"""Merges the items wanted from a meter into block reads within the meter's limits, and takes the answers apart."""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.modbus.maps import DeviceMap, Item, MapError, checked_scale, missing_values
from shared.modbus.numbers import EXACT_POWERS, FORMATS, NotAvailableError, raw_value, scaled

REGISTER_OCTETS: Final = 2
REQUEST_OCTETS: Final = 37
"""What one more request costs, in octets on the wire: 8 of the question, 5 around the answer's registers, two silent
gaps of 3.5, and a turnaround of 20 ms at 9,600 Bd with 11 bits a character (17)."""
PDU_HEAD: Final = 2
"""Function and byte count stand before the registers of an answer."""


@dataclass(frozen=True, slots=True)
class BlockRead:
    """One request: `count` registers from `address`, and the items found in its answer."""

    address: int
    count: int
    items: tuple[Item, ...]


def block_reads(device_map: DeviceMap, items: Sequence[Item]) -> list[BlockRead]:
    """The requests for `items` that cost the fewest octets on the wire, in the order of addresses.

    An item is never torn between two requests, nor parted from its scale factor. A request reads over at most
    `max_skipped` registers in a row that nobody wants, and stays within one readable range.
    """
    wanted = sorted(set(items), key=lambda each: (each.span, each.address))
    cheapest: list[tuple[int, int]] = [(0, 0)]
    """For the first n items: their cost, and with which item their last request begins."""
    for last in range(len(wanted)):
        best: tuple[int, int] | None = None
        for first in range(last, -1, -1):
            extent = _extent(device_map, wanted[first : last + 1])
            if extent is None:
                continue
            cost = cheapest[first][0] + REQUEST_OCTETS + REGISTER_OCTETS * (extent[1] - extent[0])
            if best is None or cost < best[0]:
                best = cost, first
        if best is None:
            raise MapError(f"{wanted[last].name} of {device_map.model} does not fit into one request.")
        cheapest.append(best)
    reads: list[BlockRead] = []
    end = len(wanted)
    while end:
        first = cheapest[end][1]
        extent = _extent(device_map, wanted[first:end])
        assert extent is not None
        reads.append(BlockRead(extent[0], extent[1] - extent[0], tuple(wanted[first:end])))
        end = first
    return reads[::-1]


def _extent(device_map: DeviceMap, items: Sequence[Item]) -> tuple[int, int] | None:
    """First register and the one behind the last if one request may read all `items` (in order); else None."""
    first, end = items[0].span
    for item in items[1:]:
        begin, behind = item.span
        if begin - end > device_map.max_skipped:
            return None
        end = max(end, behind)
    fits = end - first <= device_map.max_registers and device_map.readable_at_once(first, end)
    return (first, end) if fits else None


Raw = tuple[Any, ...]


class Decoder:
    """Takes answers to one block read apart: one `struct` for all values, made once.

    `wanted` are items of the read, each with the power of ten in which its value is wanted.
    """

    def __init__(self, read: BlockRead, wanted: Sequence[tuple[Item, int]]) -> None:
        places: dict[int, int] = {}
        codes, end, place = ">", read.address, 0
        for address, code, count, fields in sorted(_fields(read)):
            codes += f"{2 * (address - end)}x{code}"
            places[address] = place
            end, place = address + count, place + fields
        self._layout = struct.Struct(f"{codes}{2 * (read.address + read.count - end)}x")
        self._columns = [_column(item, places, exponent) for item, exponent in wanted]
        self._factors = [
            (places[item.address], 10.0**power if item.type == "float32" else 10**power)
            if item.plain and 0 <= (power := item.exponent - exponent) <= EXACT_POWERS
            else None
            for item, exponent in wanted
        ]
        """Place and factor of what is only to be multiplied."""

    def values(self, pdu: bytes) -> list[int | None]:
        """The wanted values in `pdu`, the answer; None where the meter has none. Raises `ValueError` for a scale factor
        that cannot be one.
        """
        raw = self._layout.unpack_from(pdu, PDU_HEAD)
        return [column(raw) for column in self._columns]

    def columns(self, answers: bytes) -> list[Sequence[int | None]]:
        """The wanted values of many answers: by item, one an answer. `answers` are the registers' octets of one after
        the other. A scale factor that cannot be one makes no value.
        """
        rows = list(self._layout.iter_unpack(answers))
        fields = list(zip(*rows, strict=True))
        found: list[Sequence[int | None]] = []
        for column, simple in zip(self._columns, self._factors, strict=True):
            if simple is None:
                found.append([_or_none(column, row) for row in rows])
                continue
            place, factor = simple
            try:
                found.append([round(value * factor) for value in fields[place]])
            except (ValueError, OverflowError):  # one of them is no number
                found.append([_rounded(value * factor) for value in fields[place]])
        return found


def _fields(read: BlockRead) -> set[tuple[int, str, int, int]]:
    """Address, code of `struct`, registers and values of all that stands in the answer."""
    fields = {(item.scale_factor, "h", 1, 1) for item in read.items if item.scale_factor is not None}
    for item in read.items:
        if item.word_order == "low-first":
            fields.add((item.address, f"{item.count}H", item.count, item.count))
        else:
            fields.add((item.address, FORMATS[item.type][1:], item.count, 1))
    return fields


def _column(item: Item, places: dict[int, int], exponent: int) -> Callable[[Raw], int | None]:
    """From the unpacked answer to the item's value. Apart from the rule, the common cases have less to do."""
    place, power = places[item.address], item.exponent - exponent
    missing = missing_values(item)
    if item.word_order != "low-first" and item.scale_factor is None and 0 <= power <= EXACT_POWERS:
        if item.type != "float32":
            whole = 10**power
            return lambda raw: None if raw[place] in missing else raw[place] * whole
        if not missing:
            factor = 10.0**power
            return lambda raw: _rounded(raw[place] * factor)
    scale_place = None if item.scale_factor is None else places[item.scale_factor]

    def column(raw: Raw) -> int | None:
        value = raw[place]
        if item.word_order == "low-first":
            value = raw_value(item.type, raw[place : place + item.count], low_first=True)
        if value in missing:
            return None
        try:
            scale = 0 if scale_place is None else checked_scale(raw[scale_place])
            return scaled(value, power + scale)
        except NotAvailableError:
            return None
        except ValueError as error:
            raise ValueError(f"{item.name}: {error}") from None

    return column


def _or_none(column: Callable[[Raw], int | None], row: Raw) -> int | None:
    try:
        return column(row)
    except ValueError:
        return None


def _rounded(value: float) -> int | None:
    try:
        return round(value)
    except (ValueError, OverflowError):  # no number
        return None
