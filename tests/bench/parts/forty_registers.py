"""Forty registers of a simulated SDM630 in one request: its map with whatever stands before the energies read over."""

from typing import Any, Final

import msgspec

from edge.config import StateRegister
from edge.modbus import maps
from edge.modbus.maps import DeviceMap, parse_map
from shared.quantities import Unit

FIRST: Final = 40
COUNT: Final = 40
"""Registers 40 to 79: powers, and at their end the energies that the truth knows."""
REGISTERS: Final = [
    StateRegister(unit=Unit.WH, register="first", exponent=1, item="first"),
    StateRegister(unit=Unit.WH, register="import", exponent=1, item="import"),
    StateRegister(unit=Unit.VARH, register="last", exponent=1, item="reactive-export"),
]


def forty_registers() -> DeviceMap:
    """The shipped map, so changed that `REGISTERS` are read by one request for `COUNT` registers."""
    shipped: dict[str, Any] = msgspec.json.decode((maps.MAPS / "sdm630.json").read_bytes())
    energies = [item for item in shipped["items"] if item["name"] in ("import", "reactive-export")]
    first = next(item for item in energies if item["name"] == "import") | {"name": "first", "address": FIRST}
    changed = shipped | {"max_skipped": COUNT, "items": [first, *energies]}
    return parse_map(msgspec.json.encode(changed), "forty registers of the benchmark")
