"""Merges the items wanted from a meter into few block reads within the meter's limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from edge.modbus.maps import DeviceMap, Item


@dataclass(frozen=True, slots=True)
class BlockRead:
    """One request: `count` registers from `address`, and the items found in its answer."""

    address: int
    count: int
    items: tuple[Item, ...]

    def registers_of(self, item: Item, registers: Sequence[int]) -> Sequence[int]:
        """The words of `item` within the answer `registers`."""
        offset = item.address - self.address
        return registers[offset : offset + item.count]


def block_reads(device_map: DeviceMap, items: Sequence[Item]) -> list[BlockRead]:
    """The fewest requests for `items`, in the order of addresses; an item is never torn between two requests."""
    reads: list[BlockRead] = []
    for item in sorted(set(items), key=lambda each: (each.address, each.count)):
        end = item.address + item.count
        if reads:
            last = reads[-1]
            last_end = last.address + last.count
            whole = max(end, last_end) - last.address
            if item.address - last_end <= device_map.max_skipped and whole <= device_map.max_registers:
                reads[-1] = BlockRead(last.address, whole, (*last.items, item))
                continue
        reads.append(BlockRead(item.address, item.count, (item,)))
    return reads
