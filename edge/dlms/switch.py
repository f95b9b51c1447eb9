"""The disconnector (disconnect control, class 70): its state, and the two methods that move it."""

from enum import IntEnum
from typing import Final, NamedTuple

from edge.dlms.errors import ProtocolError
from edge.dlms.read_profile import Actor, Getter
from shared.dlms import axdr
from shared.dlms.get import AttributeDescriptor
from shared.identifiers import Obis

DISCONNECT_CONTROL_CLASS: Final = 70
DISCONNECTOR: Final = Obis(0, 0, 96, 3, 10)
OUTPUT_STATE: Final = 2
CONTROL_STATE: Final = 3
CONTROL_MODE: Final = 4
REMOTE_DISCONNECT: Final = 1
REMOTE_RECONNECT: Final = 2


class ControlState(IntEnum):
    """What the disconnector is told to be."""

    DISCONNECTED = 0
    CONNECTED = 1
    READY_FOR_RECONNECTION = 2
    """Open until somebody presses the button at the meter."""


class Disconnector(NamedTuple):
    """State of a disconnector."""

    connected: bool
    """Whether the contacts are closed."""
    control: int
    """A `ControlState`."""
    mode: int
    """Which ways of moving it are allowed (Blue Book, class 70): 0 none."""


async def read_disconnector(meter: Getter, obis: Obis = DISCONNECTOR) -> Disconnector:
    """State of the disconnector. Raises ProtocolError for values that it cannot have."""
    descriptors = [
        AttributeDescriptor(DISCONNECT_CONTROL_CLASS, obis.bytes, attribute)
        for attribute in (OUTPUT_STATE, CONTROL_STATE, CONTROL_MODE)
    ]
    match await meter.get_list(descriptors):
        case [bool(connected), int(control), int(mode)]:
            return Disconnector(connected, control, mode)
        case other:
            raise ProtocolError(f"a disconnector {other!r:.80}", "a boolean and two enumerations")


async def disconnect(meter: Actor, obis: Obis = DISCONNECTOR) -> None:
    """Open the contacts."""
    await meter.action(DISCONNECT_CONTROL_CLASS, obis, REMOTE_DISCONNECT, axdr.int8(0))


async def reconnect(meter: Actor, obis: Obis = DISCONNECTOR) -> None:
    """Close the contacts, or make the meter ready for somebody to close them, as its mode says."""
    await meter.action(DISCONNECT_CONTROL_CLASS, obis, REMOTE_RECONNECT, axdr.int8(0))
