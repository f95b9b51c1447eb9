"""A simulated SDM630: present values from the truth at the clock's time, behind its maker's register map."""

import struct
from typing import Final
from zlib import crc32

import numpy as np
from pymodbus.constants import ExcCodes

from firmware_sims.loads.noise import key, wave
from firmware_sims.maps.schema import Item, register_map
from firmware_sims.scenario_model import Sdm630Meter
from firmware_sims.truth import Truth
from shared.clock import Clock

_KWH_PARTS: Final = 100
"""The registers of the truth count 10 Wh."""
_TANGENT: Final = 0.25
"""Reactive to active power, a power factor of 0.97."""
_POWER_FACTOR: Final = 0.97
_PHASE_SHARE: Final = {1: 0.41, 2: 0.33, 3: 0.26}
_NOMINAL_V: Final = 231.0
_NOMINAL_HZ: Final = 50.0


class RefusedError(Exception):
    """The meter answers with a Modbus exception."""

    def __init__(self, code: ExcCodes) -> None:
        super().__init__(f"Modbus exception {code.value}.")
        self.code = code


class Sdm630:
    """The registers of one meter. It has no memory: it shows only what is true now."""

    def __init__(self, meter: Sdm630Meter, truth: Truth, clock: Clock) -> None:
        self._meter, self._truth, self._clock = meter, truth, clock
        self._map = register_map("sdm630")
        self._registers = {channel.register for channel in meter.channels}
        self._seed = crc32(meter.id.encode())

    @property
    def unit(self) -> int:
        """Its Modbus address."""
        return self._meter.unit

    @property
    def serial(self) -> int:
        """Serial number, 32 bits: as the scenario gives it, or the last nine digits of the meter's id."""
        if self._meter.serial is not None:
            return self._meter.serial
        digits = "".join(character for character in self._meter.id if character in "0123456789")
        return int(digits[-9:] or 0)

    def read(self, function: int, address: int, count: int) -> list[int]:
        """`count` registers from `address`; function 3 holding, 4 input. Raises `RefusedError`."""
        if function not in (3, 4):
            raise RefusedError(ExcCodes.ILLEGAL_FUNCTION)
        if not 1 <= count <= self._map.max_registers:
            raise RefusedError(ExcCodes.ILLEGAL_VALUE)
        last = address + count - 1
        if not any(begin <= address and last <= end for begin, end in self._map.spaces(function)):
            raise RefusedError(ExcCodes.ILLEGAL_ADDRESS)
        items = self._map.items(function)
        now = self._present()
        words: list[int] = []
        # Values take two registers and begin at even addresses; one read may begin or end inside a value.
        for begin in range(address & ~1, last + 1, 2):
            item = items.get(begin)
            octets = bytes(4) if item is None else _encode(item, now.value(item))
            words += struct.unpack(">HH", octets)
        skipped = address & 1
        return words[skipped : skipped + count]

    def _present(self) -> "_Present":
        return _Present(self._meter, self._registers, self._truth, self._clock, self._seed, self.serial)


class _Present:
    """All values at one instant."""

    def __init__(
        self, meter: Sdm630Meter, registers: set[str], truth: Truth, clock: Clock, seed: int, serial: int
    ) -> None:
        now = clock.now()
        self._meter, self._serial = meter, serial
        self._states = {register: truth.state_at(meter.id, register, now) for register in registers}
        self._watts = 0.0
        for register in registers:
            energy, length = truth.interval_at(meter.id, register, now)
            self._watts += (1 if register == "import" else -1) * energy * 3600 / length.total_seconds()
        second = np.array([clock.now_ms() // 1000], dtype=np.int64)
        self._swing = {name: int(wave(key(seed, name), second, 1000)[0]) / 1000 for name in (1, 2, 3, 4)}

    def value(self, item: Item) -> float:
        """Value of a quantity, in the unit of the map."""
        quantity, phase = item.quantity, item.phase
        share = _PHASE_SHARE[phase] if phase else 1.0
        match quantity:
            case "import" | "export":
                return self._kwh(quantity, phase)
            case "total":
                return (self._states.get("import", 0) + self._states.get("export", 0)) / _KWH_PARTS
            case "reactive_import":
                return int(self._states.get("import", 0) * _TANGENT) / _KWH_PARTS
            case "reactive_export":
                return 0.0
            case "power":
                return self._watts * share
            case "reactive_power":
                return abs(self._watts) * share * _TANGENT
            case "apparent_power":
                return abs(self._watts) * share / _POWER_FACTOR
            case "power_factor":
                return _POWER_FACTOR
            case "voltage":
                return self._voltage(phase or 1)
            case "current":
                return abs(self._watts) * share / _POWER_FACTOR / self._voltage(phase or 1)
            case "frequency":
                return _NOMINAL_HZ + 0.03 * self._swing[4]
            case "unit":
                return float(self._meter.unit)
            case "serial":
                return float(self._serial)

    def _kwh(self, register: str, phase: int | None) -> float:
        total = self._states.get(register, 0)
        if phase is None:
            return total / _KWH_PARTS
        parts = {1: total * 41 // 100, 2: total * 33 // 100}
        return parts.get(phase, total - parts[1] - parts[2]) / _KWH_PARTS

    def _voltage(self, phase: int) -> float:
        return _NOMINAL_V + 3 * self._swing[phase]


def _encode(item: Item, value: float) -> bytes:
    return struct.pack(">f", value) if item.type == "float32" else struct.pack(">I", int(value))
