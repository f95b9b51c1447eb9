"""A simulated Modbus meter: present values from the truth at the clock's time, behind its maker's register map."""

import struct
from typing import Final, Protocol
from zlib import crc32

import numpy as np
from pymodbus.constants import ExcCodes

from firmware_sims.data_faults import shown
from firmware_sims.loads.noise import key, wave
from firmware_sims.maps.schema import Item, RegisterMap, register_map
from firmware_sims.scenario_model import ModbusMeter
from firmware_sims.truth import Truth
from shared.clock import Clock

_TANGENT: Final = 0.25
"""Reactive to active power, a power factor of 0.97."""
_POWER_FACTOR: Final = 0.97
_PHASE_SHARE: Final = {1: 0.41, 2: 0.33, 3: 0.26}
_NOMINAL_V: Final = 231.0
_NOMINAL_HZ: Final = 50.0
_SQRT_3: Final = 3**0.5
_FORMATS: Final = {
    "float32": ">f", "uint16": ">H", "int16": ">h", "uint32": ">I", "int32": ">i", "uint64": ">Q", "int64": ">q",
}  # fmt: skip
_LIMITS: Final = {
    "uint16": (0, 2**16 - 1), "int16": (-(2**15), 2**15 - 1), "uint32": (0, 2**32 - 1), "int32": (-(2**31), 2**31 - 1),
    "uint64": (0, 2**64 - 1), "int64": (-(2**63), 2**63 - 1),
}  # fmt: skip
_COMMON_LENGTH: Final = 66
_SUNS: Final = (0x5375, 0x6E53)
_END: Final = (0xFFFF, 0)


class RefusedError(Exception):
    """The meter answers with a Modbus exception."""

    def __init__(self, code: ExcCodes) -> None:
        super().__init__(f"Modbus exception {code.value}.")
        self.code = code


class Registers(Protocol):
    """A meter's registers."""

    @property
    def identification(self) -> dict[int, str]:
        """Objects of function 43/14; none if the meter does not know it."""
        ...

    def read(self, function: int, address: int, count: int) -> list[int]:
        """`count` registers from `address`; function 3 holding, 4 input. Raises `RefusedError`."""
        ...


class MappedMeter:
    """The registers of one meter. It has no memory: it shows only what is true now."""

    def __init__(self, meter: ModbusMeter, truth: Truth, clock: Clock) -> None:
        self._meter, self._truth, self._clock = meter, truth, clock
        self._map = register_map(meter.map_name)
        self._registers = {channel.register for channel in meter.channels}
        self._seed = crc32(meter.id.encode())
        self._fixed: dict[int, int] = {}
        self._items: dict[int, tuple[tuple[int, Item], ...]] = {}
        self._spaces: dict[int, tuple[tuple[int, int], ...]] = {}
        for function in (3, 4):
            self._lay_out(function)

    def _lay_out(self, function: int) -> None:
        found = self._map
        if found.sunspec is None:
            shift = -found.first_register
            self._items[function] = tuple((item.address + shift, item) for item in found.items(function))
            self._spaces[function] = tuple((low + shift, high + shift) for low, high in found.spaces(function))
            return
        if function != 3:
            self._items[function], self._spaces[function] = (), ()
            return
        base = self._meter.sunspec_base
        common = base + len(_SUNS)
        model = common + 2 + _COMMON_LENGTH
        end = model + 2 + found.sunspec.length
        number = self._meter.sunspec_model or found.sunspec.models[0]
        heads = [(base, _SUNS), (common, (1, _COMMON_LENGTH)), (model, (number, found.sunspec.length)), (end, _END)]
        for address, words in heads:
            self._fixed |= {address + n: word for n, word in enumerate(words)}
        self._items[function] = (
            *((common + item.address, item) for item in found.sunspec.common),
            *((model + item.address, item) for item in found.holding),
        )
        self._spaces[function] = ((base, end + 1),)

    @property
    def unit(self) -> int:
        """Its Modbus address."""
        return self._meter.unit

    @property
    def identification(self) -> dict[int, str]:
        """Objects of function 43/14."""
        return self._map.identification

    @property
    def serial(self) -> int:
        """Serial number, 32 bits: as the scenario gives it, or the last nine digits of the meter's id."""
        if self._meter.serial is not None:
            return self._meter.serial
        digits = "".join(character for character in self._meter.id if character in "0123456789")
        return int(digits[-9:] or 0)

    def read(self, function: int, address: int, count: int) -> list[int]:
        """`count` registers from `address`; function 3 holding, 4 input. Raises `RefusedError`."""
        if function not in (3, 4) or not self._spaces[function]:
            raise RefusedError(ExcCodes.ILLEGAL_FUNCTION)
        if not 1 <= count <= self._map.max_registers:
            raise RefusedError(ExcCodes.ILLEGAL_VALUE)
        end = address + count
        if not any(begin <= address and end - 1 <= last for begin, last in self._spaces[function]):
            raise RefusedError(ExcCodes.ILLEGAL_ADDRESS)
        words = [self._fixed.get(place, 0) for place in range(address, end)]
        now = _Present(self._meter, self._map, self._registers, self._truth, self._clock, self._seed, self.serial)
        for first, item in self._items[function]:
            if first < end and address < first + item.count:
                for n, word in enumerate(self._words(item, now)):
                    if address <= first + n < end:  # one read may begin or end inside a value
                        words[first + n - address] = word
        return words

    def _words(self, item: Item, now: "_Present") -> tuple[int, ...]:
        pattern = self._map.not_available.get(item.type, "")
        if item.type == "string":
            octets = now.text(item).encode("ascii", "replace")[: 2 * item.count].ljust(2 * item.count, b"\0")
        elif item.quantity == "none" or item.name in self._meter.unavailable:
            octets = bytes.fromhex(pattern).ljust(2 * item.count, b"\0")
        elif item.type == "float32":
            octets = struct.pack(">f", now.value(item))
        else:
            low, high = _LIMITS[item.type]
            whole = now.integer(item)
            octets = struct.pack(_FORMATS[item.type], min(max(whole, low), high))
        words = struct.unpack(f">{item.count}H", octets)
        return words[::-1] if self._meter.word_order == "low-first" and item.type != "string" else words


class _Present:
    """All values at one instant."""

    def __init__(
        self,
        meter: ModbusMeter,
        map_: RegisterMap,
        registers: set[str],
        truth: Truth,
        clock: Clock,
        seed: int,
        serial: int,
    ) -> None:
        now = clock.now()
        self._meter, self._map, self._serial = meter, map_, serial
        self._states = {register: truth.counted_at(meter.id, register, now) for register in registers}
        self._watts = 0.0
        for register in registers:
            energy, length = truth.interval_at(meter.id, register, now)
            self._watts += (1 if register == "import" else -1) * energy * 3600 / length.total_seconds()
        second = np.array([clock.now_ms() // 1000], dtype=np.int64)
        self._swing = {name: int(wave(key(seed, name), second, 1000)[0]) / 1000 for name in (1, 2, 3, 4)}

    def text(self, item: Item) -> str:
        """Text of a string."""
        match item.quantity:
            case "code":
                return self._meter.code or self._map.code
            case "serial_text":
                return str(self._serial)
            case "maker":
                return "Rozvodna"
            case "version":
                return "1.0"
        return ""

    def integer(self, item: Item) -> int:
        """Value as an integer of the map counts it; energies without a float in between."""
        wh = self._energy(item)
        if wh is not None:
            power = item.decimals - (3 if item.unit.startswith("k") else 0)
            return wh * int(10**power) if power >= 0 else wh // int(10**-power)
        return round(self.value(item) * 10.0**item.decimals)

    def value(self, item: Item) -> float:
        """Value of a quantity, in the unit of the map."""
        wh = self._energy(item)
        thousands = 1000 if item.unit.startswith("k") else 1
        if wh is not None:
            return wh / thousands
        return self._live(item) / thousands * (100 if item.unit == "%" else 1)

    def _energy(self, item: Item) -> int | None:
        """In Wh or varh, whole steps of the meter; None if it is no energy. Each register begins again by itself."""
        counted = self._counted(item)
        return None if counted is None else shown(counted, self._meter.digits) * self._map.step_wh

    def _counted(self, item: Item) -> int | None:
        """In steps of the meter, without an end."""
        match item.quantity:
            case "import" | "export":
                return self._share(self._states.get(item.quantity, 0), item.phase)
            case "total":
                return self._states.get("import", 0) + self._states.get("export", 0)
            case "reactive_import":
                return self._share(int(self._states.get("import", 0) * _TANGENT), item.phase)
            case "reactive_export":
                return 0
        return None

    def _share(self, total: int, phase: int | None) -> int:
        if phase is None:
            return total
        parts = {1: total * 41 // 100, 2: total * 33 // 100}
        return parts.get(phase, total - parts[1] - parts[2])

    def _live(self, item: Item) -> float:
        phase = item.phase
        share = _PHASE_SHARE[phase] if phase else 1.0
        match item.quantity:
            case "power":
                return self._watts * share
            case "reactive_power":
                return abs(self._watts) * share * _TANGENT
            case "apparent_power":
                return abs(self._watts) * share / _POWER_FACTOR
            case "power_factor":
                return _POWER_FACTOR
            case "voltage":
                return self._voltage(phase)
            case "line_voltage":
                return self._voltage(phase) * _SQRT_3
            case "current":
                return abs(self._watts) * share / _POWER_FACTOR / self._voltage(phase)
            case "frequency":
                return _NOMINAL_HZ + 0.03 * self._swing[4]
            case "unit":
                return float(self._meter.unit)
            case "serial":
                return float(self._serial)
            case "constant":
                return float(item.value)
        return 0.0

    def _voltage(self, phase: int | None) -> float:
        return _NOMINAL_V + 3 * self._swing[phase or 1]
