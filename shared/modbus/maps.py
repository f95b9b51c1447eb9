"""Device maps: where a vendor keeps what in a meter's registers. Data files (shared/device_maps/*.json) of this
schema, which stands as JSON Schema in shared/device_maps/schema/device-map.json.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from shared.modbus.numbers import FORMATS, NotAvailableError, Type, raw_value, scaled
from shared.quantities import Unit

MAPS: Final = Path(__file__).parent.parent / "device_maps"
SCHEMA: Final = MAPS / "schema" / "device-map.json"

Address = Annotated[int, Meta(ge=0, le=0xFFFF)]
WordOrder = Literal["high-first", "low-first"]
Function = Literal[3, 4]
Pattern = Annotated[str, Meta(pattern="^([0-9A-F]{4})+$")]
Group = Literal["energy", "voltage", "current", "power", "power-factor", "frequency"]
SUNSPEC_SCALE: Final = (-10, 10)
"""Scale factors that SunSpec allows."""
SUNSPEC_NO_SCALE: Final = -0x8000


class MapError(ValueError):
    """A device map, or an item of one, that is not there or does not hold together."""


class _Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Fields beyond these are refused."""


class Item(_Struct, frozen=True, kw_only=True):
    """One quantity of a meter."""

    name: str
    address: Address
    """PDU address, from zero (makers' documents often count from one); in a SunSpec map, from the model's id."""
    type: Type
    unit: Unit
    exponent: int
    """The value read, times 10^exponent, is in `unit`: 3 for kWh."""
    group: Group = "energy"
    word_order: WordOrder | None = None
    """The map's, when not given."""
    not_available: tuple[Pattern, ...] | None = None
    """Registers in hexadecimal that mean "no value"; the map's of this type, when not given. Floats that are no
    numbers mean it always."""
    scale_factor: Address | None = None
    """Where an int16 stands whose power of ten the value is multiplied by (SunSpec); 0x8000 there: no value."""

    @property
    def count(self) -> int:
        """Number of 16-bit registers."""
        return struct.calcsize(FORMATS[self.type]) // 2

    @property
    def span(self) -> tuple[int, int]:
        """First register and the one behind the last that must come in one answer: with the scale factor, if any."""
        first, end = self.address, self.address + self.count
        if self.scale_factor is None:
            return first, end
        return min(first, self.scale_factor), max(end, self.scale_factor + 1)

    @property
    def plain(self) -> bool:
        """Whether type and exponent say all: high word first, no patterns, no scale factor."""
        return self.word_order == "high-first" and not self.not_available and self.scale_factor is None


class Fact(_Struct, frozen=True, kw_only=True):
    """A register that tells which meter this is."""

    address: Address
    """In a SunSpec map, from the id of the common model."""
    type: Literal["uint16", "uint32", "string"]
    count: Annotated[int, Meta(ge=1, le=32)] | None = None
    """Registers of a string, two characters each."""
    function: Function | None = None
    """The map's, when not given."""

    @property
    def registers(self) -> int:
        """Number of 16-bit registers."""
        return {"uint16": 1, "uint32": 2}.get(self.type, self.count or 1)


class IdentityRegisters(_Struct, frozen=True, kw_only=True):
    """Where a model keeps its own identity."""

    serial: Fact | None = None
    code: Fact | None = None
    """Model or type code."""


class DeviceMap(_Struct, frozen=True, kw_only=True):
    """What is common to one model of meter."""

    model: str
    vendor: str
    source: str
    """Where the addresses come from."""
    function: Function
    """3 holding registers, 4 input registers."""
    max_registers: Annotated[int, Meta(ge=1, le=125)]
    """Most registers the meter gives in one answer."""
    max_skipped: Annotated[int, Meta(ge=0, le=125)] = 0
    """Registers of no interest that one request may read over, where the meter answers for them."""
    readable: tuple[tuple[Address, Address], ...] = ()
    """Ranges, both ends included, that the meter answers for; a request stays in one of them. Empty: not known."""
    word_order: WordOrder = "high-first"
    not_available: dict[Type, tuple[Pattern, ...]] = {}
    tearing: bool = False
    """The meter may take a counter's words at different moments even for one answer: see `edge.drivers.modbus`."""
    sunspec: tuple[int, ...] = ()
    """SunSpec models whose registers these are; addresses are relative to the one that is found."""
    identity: IdentityRegisters = IdentityRegisters()
    notes: tuple[str, ...] = ()
    """Traps, for whoever configures such a meter."""
    items: list[Item]

    def item(self, name: str) -> Item:
        """The item called `name`; raises `MapError`."""
        for item in self.items:
            if item.name == name:
                return item
        known = ", ".join(item.name for item in self.items)
        raise MapError(f"The map of {self.model} has no item {name!r}; it has {known}.")

    def with_word_order(self, word_order: WordOrder) -> "DeviceMap":
        """This map for a device that is set to another word order than its model usually is."""
        items = [msgspec.structs.replace(item, word_order=word_order) for item in self.items]
        return msgspec.structs.replace(self, word_order=word_order, items=items)

    def readable_at_once(self, first: int, end: int) -> bool:
        """Whether the meter answers for all registers in [first, end)."""
        return not self.readable or any(low <= first and end <= high + 1 for low, high in self.readable)


def json_schema() -> bytes:
    """JSON Schema of a device map, as it stands in `SCHEMA`."""
    schema = msgspec.json.schema(DeviceMap)
    return msgspec.json.format(msgspec.json.encode(schema, order="sorted"), indent=1) + b"\n"


def parse_map(octets: bytes, source: str) -> DeviceMap:
    """The device map in `octets`, checked, with what items inherit filled in; `source` is named in errors."""
    try:
        device_map = msgspec.json.decode(octets, type=DeviceMap)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise MapError(f"The device map {source} is wrong: {error}.") from None
    items = []
    for item in device_map.items:
        patterns = device_map.not_available.get(item.type, ()) if item.not_available is None else item.not_available
        order = item.word_order or device_map.word_order
        items.append(msgspec.structs.replace(item, word_order=order, not_available=patterns))
    device_map = msgspec.structs.replace(device_map, items=items)
    _check(device_map, source)
    return device_map


def _check(device_map: DeviceMap, source: str) -> None:
    names = [item.name for item in device_map.items]
    for name in names:
        if names.count(name) > 1:
            raise MapError(f"The device map {source} has the item {name!r} twice.")
    taken: dict[int, str] = {}
    for item in device_map.items:
        first, end = item.span
        if end > 0x10000:
            raise MapError(f"The device map {source}: {item.name} at address {item.address} is outside 0 to 65535.")
        if end - first > device_map.max_registers or not device_map.readable_at_once(first, end):
            raise MapError(
                f"The device map {source}: {item.name} needs registers {first} to {end - 1} in one answer, which the "
                f"map does not allow (max_registers {device_map.max_registers}, readable)."
            )
        for address in range(item.address, item.address + item.count):
            if address in taken:
                raise MapError(f"The device map {source}: {item.name} and {taken[address]} share register {address}.")
            taken[address] = item.name
        for pattern in item.not_available or ():
            if len(pattern) != 4 * item.count:
                raise MapError(
                    f"The device map {source}: {item.name} has {item.count} registers; the pattern {pattern} has "
                    f"{len(pattern) / 4:g}."
                )
    for item in device_map.items:
        if item.scale_factor in taken:
            raise MapError(
                f"The device map {source}: the scale factor of {item.name} stands in {taken[item.scale_factor]}."
            )


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


@lru_cache(maxsize=4096)
def missing_values(item: Item) -> frozenset[int | float]:
    """What the item's "no value" patterns read as."""
    return frozenset(
        struct.unpack(FORMATS[item.type], bytes.fromhex(pattern))[0] for pattern in item.not_available or ()
    )


def value_of(item: Item, registers: Sequence[int], exponent: int, scale: int = 0) -> int:
    """The item's value in its unit x 10^`exponent`, rounded half to even; `registers` are its 16-bit words, `scale` is
    what its scale factor says.

    Raises `NotAvailableError`. A float32 in kWh gives whole 10 Wh exactly up to 131 MWh.
    """
    if len(registers) != item.count:
        raise MapError(f"{item.name} has {item.count} registers, not {len(registers)}.")
    raw = raw_value(item.type, registers, low_first=item.word_order == "low-first")
    if raw in missing_values(item):
        raise NotAvailableError(f"it sent {raw}, which means that it has no value")
    return scaled(raw, item.exponent + scale - exponent)


def checked_scale(raw: int) -> int:
    """A scale factor as read; raises `NotAvailableError` if there is none, `ValueError` if it cannot be one."""
    if raw == SUNSPEC_NO_SCALE:
        raise NotAvailableError("its scale factor is 0x8000, which means that it has no value")
    low, high = SUNSPEC_SCALE
    if not low <= raw <= high:
        raise ValueError(f"the scale factor is {raw}, expected {low} to {high}")
    return raw
