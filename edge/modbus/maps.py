"""Device maps: where a vendor keeps what in a meter's registers. Data files (edge/maps/*.json) of this schema."""

import math
import struct
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from shared.quantities import Unit

MAPS: Final = Path(__file__).parent.parent / "maps"

Type = Literal["float32", "uint16", "int16", "uint32", "int32", "uint64", "int64"]
FORMATS: Final[dict[str, str]] = {
    "float32": ">f",
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "uint64": ">Q",
    "int64": ">q",
}


class MapError(ValueError):
    """A device map, or an item of one, that is not there or does not hold together."""


class NotAvailableError(ValueError):
    """The meter says that it has no value for an item."""


class Item(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One quantity of a meter."""

    name: str
    address: int
    """PDU address, from zero."""
    type: Type
    unit: Unit
    exponent: int
    """The value read, times 10^exponent, is in `unit`: 3 for kWh."""
    word_order: Literal["high-first", "low-first"] = "high-first"

    @property
    def count(self) -> int:
        """Number of 16-bit registers."""
        return struct.calcsize(FORMATS[self.type]) // 2


class DeviceMap(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What is common to one model of meter."""

    model: str
    vendor: str
    source: str
    """Where the addresses come from."""
    function: Literal[3, 4]
    """3 holding registers, 4 input registers."""
    max_registers: int
    """Most registers the meter gives in one answer."""
    max_skipped: int = 0
    """Registers of no interest that one request may read over, where the meter answers for them."""
    items: list[Item]

    def item(self, name: str) -> Item:
        """The item called `name`; raises `MapError`."""
        for item in self.items:
            if item.name == name:
                return item
        known = ", ".join(item.name for item in self.items)
        raise MapError(f"The map of {self.model} has no item {name!r}; it has {known}.")


def parse_map(octets: bytes, source: str) -> DeviceMap:
    """The device map in `octets`, checked; `source` is named in errors."""
    try:
        device_map = msgspec.json.decode(octets, type=DeviceMap)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MapError(f"The device map {source} is wrong: {error}.") from None
    if not 1 <= device_map.max_registers <= 125:
        raise MapError(f"The device map {source} has max_registers {device_map.max_registers}; Modbus allows 1 to 125.")
    seen: set[str] = set()
    for item in device_map.items:
        if item.name in seen:
            raise MapError(f"The device map {source} has the item {item.name!r} twice.")
        seen.add(item.name)
        if not 0 <= item.address <= 65536 - item.count:
            raise MapError(f"The device map {source}: {item.name} at address {item.address} is outside 0 to 65535.")
    return device_map


@lru_cache
def find_map(model: str) -> DeviceMap:
    """The shipped map of `model`; raises `MapError`."""
    path = MAPS / f"{model}.json"
    try:
        octets = path.read_bytes()
    except OSError:
        known = ", ".join(sorted(file.stem for file in MAPS.glob("*.json")))
        raise MapError(f"There is no device map for {model!r}; there are maps for {known}.") from None
    return parse_map(octets, path.name)


def value_of(item: Item, registers: Sequence[int], exponent: int) -> int:
    """The item's value in its unit x 10^`exponent`, rounded half to even; `registers` are its 16-bit words.

    Raises `NotAvailableError` for a float that is no number. A float32 in kWh gives whole 10 Wh exactly up to 131 MWh.
    """
    if len(registers) != item.count:
        raise MapError(f"{item.name} has {item.count} registers, not {len(registers)}.")
    words = registers if item.word_order == "high-first" else list(reversed(registers))
    raw = struct.unpack(FORMATS[item.type], b"".join(word.to_bytes(2, "big") for word in words))[0]
    if isinstance(raw, float) and not math.isfinite(raw):
        raise NotAvailableError(f"The meter has no value for {item.name} (it sent {raw}).")
    return int(Decimal(raw).scaleb(item.exponent - exponent).to_integral_value(ROUND_HALF_EVEN))
