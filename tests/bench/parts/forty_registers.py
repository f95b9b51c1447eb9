"""Forty registers of an SDM630 that the driver reads in one request: from a power factor to the energy."""

from collections.abc import Sequence
from typing import Any, Final

from edge.drivers.port import StateReading

COUNT: Final = 40
_ITEMS: Final = {
    "power-factor-L3": ("1", -2),
    "power": ("W", 0),
    "apparent-power": ("VA", 0),
    "reactive-power": ("var", 0),
    "power-factor": ("1", -2),
    "frequency": ("Hz", -1),
    "import": ("Wh", 1),
}
STATES: Final[dict[str, Any]] = {
    "at": "quarter-hour",
    "registers": [
        {"register": name, "item": name, "unit": unit, "exponent": exponent}
        for name, (unit, exponent) in _ITEMS.items()
    ],
}
"""As in the agent's configuration; `import` in steps of 10 Wh, as the simulators' truth has it."""
_POWER_FACTOR: Final = 97


def require_truth(readings: Sequence[StateReading], energy: int) -> None:
    """Raise RuntimeError unless the readings are of all items, the energy is `energy` and the rest is of this meter."""
    values = {reading.register.register: reading.value for reading in readings}
    right = values.get("import") == energy and values.get("power-factor") == _POWER_FACTOR
    if not right or values.keys() != _ITEMS.keys():
        raise RuntimeError(f"The meter shows {values}; its energy is {energy}, its power factor {_POWER_FACTOR}.")
