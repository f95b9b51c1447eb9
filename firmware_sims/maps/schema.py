"""Reads register maps: what stands at which address, in which type."""

from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

Register = Annotated[int, Meta(ge=0, le=0xFFFF)]
Type = Literal["float32", "uint16", "int16", "uint32", "int32", "uint64", "int64", "string"]
Quantity = Literal[
    "voltage", "line_voltage", "current", "power", "apparent_power", "reactive_power", "power_factor", "frequency",
    "import", "export", "reactive_import", "reactive_export", "total", "unit", "serial", "serial_text", "code", "maker",
    "version", "constant", "none",
]  # fmt: skip
REGISTERS: Final = {"float32": 2, "uint16": 1, "int16": 1, "uint32": 2, "int32": 2, "uint64": 4, "int64": 4}


class Item(Struct, frozen=True, forbid_unknown_fields=True):
    """One value."""

    address: Register
    quantity: Quantity
    unit: Literal["V", "A", "W", "kW", "VA", "kVA", "var", "kvar", "1", "%", "Hz", "Wh", "kWh", "varh", "kvarh"]
    type: Type
    phase: Literal[1, 2, 3] | None = None
    decimals: int = 0
    """An integer counts 10^-decimals of the unit."""
    value: int = 0
    """Of a constant."""
    registers: Annotated[int, Meta(ge=1, le=32)] | None = None
    """Of a string."""

    @property
    def count(self) -> int:
        """Number of registers."""
        return self.registers or REGISTERS.get(self.type, 1)

    @property
    def name(self) -> str:
        """What a scenario calls it: "power", "voltage-L1"."""
        return self.quantity.replace("_", "-") + (f"-L{self.phase}" if self.phase else "")


class SunSpecModel(Struct, frozen=True, forbid_unknown_fields=True):
    """The holding registers are those of a SunSpec model, behind the common one."""

    models: tuple[int, ...]
    """Numbers with this layout, the usual one first."""
    length: int
    """Registers behind id and length."""
    common: tuple[Item, ...]


class RegisterMap(Struct, frozen=True, forbid_unknown_fields=True):
    """A maker's map of one model. Spaces are the addresses, both ends included, that may be read; holes show 0."""

    model: str
    source: str
    max_registers: Annotated[int, Meta(ge=1, le=125)]
    input: tuple[Item, ...]
    holding: tuple[Item, ...]
    input_spaces: tuple[tuple[Register, Register], ...]
    holding_spaces: tuple[tuple[Register, Register], ...]
    step_wh: int = 1
    """What its energies are kept in: 10 where 0.01 kWh are shown."""
    initial_max: int | None = None
    """Largest state at the origin, in steps, for which a float32 shows every step for years."""
    first_register: Literal[0, 1] = 0
    """How the maker counts."""
    code: str = ""
    """Model code, where it is shown."""
    not_available: dict[Type, str] = {}
    """Registers in hexadecimal that say that there is no value."""
    identification: dict[int, str] = {}
    """Objects of function 43/14; none: the meter does not know the function."""
    sunspec: SunSpecModel | None = None

    def items(self, function: int) -> tuple[Item, ...]:
        """Those of function 3 (holding) or 4 (input)."""
        return self.holding if function == 3 else self.input

    def spaces(self, function: int) -> tuple[tuple[int, int], ...]:
        """Address ranges that function 3 or 4 may read."""
        return self.holding_spaces if function == 3 else self.input_spaces


@cache
def register_map(name: str) -> RegisterMap:
    """The map `name`.json beside this module."""
    return msgspec.json.decode(Path(__file__).with_name(f"{name}.json").read_bytes(), type=RegisterMap)
