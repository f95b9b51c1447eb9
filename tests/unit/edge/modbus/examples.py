"""Items and words of registers, as the tests of Modbus share them."""

from typing import Any

from shared.modbus.maps import Item
from shared.quantities import Unit


def words(raw: bytes) -> list[int]:
    """`raw` as 16-bit words."""
    return [int.from_bytes(raw[n : n + 2], "big") for n in range(0, len(raw), 2)]


def item(**changes: Any) -> Item:
    """A float32 of kWh at register 0."""
    given = {"name": "x", "address": 0, "type": "float32", "unit": Unit.WH, "exponent": 3, "word_order": "high-first"}
    return Item(**given | changes)
