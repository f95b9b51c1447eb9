"""Reads register maps: what stands at which address, in which type."""

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Register = Annotated[int, Meta(ge=0, le=0xFFFF)]
Quantity = Literal[
    "voltage", "current", "power", "apparent_power", "reactive_power", "power_factor", "frequency",
    "import", "export", "reactive_import", "reactive_export", "total", "unit", "serial",
]  # fmt: skip


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """One value of two registers."""

    address: Register
    quantity: Quantity
    unit: Literal["V", "A", "W", "VA", "var", "1", "Hz", "kWh", "kvarh"]
    type: Literal["float32", "uint32"]
    phase: Literal[1, 2, 3] | None = None


class RegisterMap(Struct, frozen=True, forbid_unknown_fields=True):
    """A maker's map of one model. Spaces are the addresses, both ends included, that may be read; holes show 0."""

    model: str
    source: str
    max_registers: Annotated[int, Meta(ge=1, le=125)]
    byte_order: Literal["high word first"]
    input: tuple[Item, ...]
    holding: tuple[Item, ...]
    input_spaces: tuple[tuple[Register, Register], ...]
    holding_spaces: tuple[tuple[Register, Register], ...]

    def items(self, function: int) -> dict[int, Item]:
        """By address: those of function 3 (holding) or 4 (input)."""
        return {item.address: item for item in (self.holding if function == 3 else self.input)}

    def spaces(self, function: int) -> tuple[tuple[int, int], ...]:
        """Address ranges that function 3 or 4 may read."""
        return self.holding_spaces if function == 3 else self.input_spaces


@cache
def register_map(name: str) -> RegisterMap:
    """The map `name`.json beside this module."""
    return msgspec.json.decode(Path(__file__).with_name(f"{name}.json").read_bytes(), type=RegisterMap)
