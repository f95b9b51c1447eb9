"""Which meter answers: what it says of itself, against what the configuration says. Pure."""

import struct

from shared.edge_config.model import IdentityConfig
from shared.modbus.maps import Fact

VENDOR, PRODUCT = 0, 1
"""Objects of function 43/14."""


def fact_text(fact: Fact, registers: bytes) -> str:
    """A fact as text: numbers in decimal, strings without padding; what is no ASCII is shown as question marks."""
    if fact.type == "uint16":
        return str(struct.unpack(">H", registers)[0])
    if fact.type == "uint32":
        return str(struct.unpack(">I", registers)[0])
    return registers.decode("ascii", "replace").replace("�", "?").strip("\0 ")


def mismatches(expected: IdentityConfig, found: dict[str, str]) -> dict[str, tuple[str, str]]:
    """By fact ("serial", "code", "vendor", "product"): expected and found, where they differ.

    Leading zeros of a serial number and capitals do not count: type plates and registers disagree on them.
    """
    differ = {}
    for name, value in expected.stated().items():
        shown = found.get(name, "")
        if _normal(name, value) != _normal(name, shown):
            differ[name] = value, shown
    return differ


def _normal(name: str, value: str) -> str:
    text = value.strip().casefold()
    return text.lstrip("0") if name == "serial" else text
