"""Proposes a device configuration from what a meter says of itself: its object list, what its profiles capture, the
units of its registers. A proposal is for a person to look through: it names what it could not understand.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from edge.dlms.errors import AccessDeniedError, ProtocolError
from edge.dlms.layout import SCALER_OF
from edge.dlms.object_list import ListedObject, read_object_list
from edge.dlms.read_profile import ENTRIES_IN_USE, PROFILE_CLASS, Getter, layout_of, learn_scalers
from edge.dlms.registers import read_register
from shared.dlms.get import AttributeDescriptor
from shared.identifiers import Obis
from shared.quantities import Commodity, Unit

SERIALS: Final = (Obis(0, 0, 96, 1, 0), Obis(0, 0, 96, 1, 1))
LOGICAL_DEVICE_NAME: Final = Obis(0, 0, 42, 0, 0)
ENTRIES: Final = 8
STEPS: Final = {900: Commodity.ELECTRICITY, 3600: Commodity.GAS}
"""Capture periods of profiles that are read by metering days, in seconds."""
_UNITS: Final = frozenset(Unit)


@dataclass(frozen=True, slots=True)
class FoundRegister:
    """A value with its unit: `class_id` 1, 3, 4 or 5."""

    obis: Obis
    class_id: int
    unit: str
    exponent: int


@dataclass(frozen=True, slots=True)
class FoundProfile:
    """A profile; `period_s` 0 is a log of events."""

    obis: Obis
    period_s: int
    entries: int
    in_use: int
    captured: tuple[tuple[int, Obis, int], ...]
    """Class, name and attribute of each column."""
    registers: tuple[FoundRegister, ...]


@dataclass(slots=True)
class Discovery:
    """What a meter has."""

    serial: str | None = None
    logical_name: str | None = None
    objects: list[ListedObject] = field(default_factory=list)
    registers: list[FoundRegister] = field(default_factory=list)
    profiles: list[FoundProfile] = field(default_factory=list)
    switches: list[Obis] = field(default_factory=list)
    mbus_channels: list[int] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    """What could not be read or understood, as sentences."""

    @property
    def load_profiles(self) -> list[FoundProfile]:
        """Those that can be read by metering days."""
        return [each for each in self.profiles if each.period_s in STEPS and each.registers]

    @property
    def event_logs(self) -> list[FoundProfile]:
        """Those that capture by events."""
        return [each for each in self.profiles if each.period_s == 0]


async def discover(meter: Getter) -> Discovery:
    """Ask the meter for everything; what it refuses becomes a remark. Raises what ends the session."""
    found = Discovery(objects=await read_object_list(meter))
    names = {each.obis for each in found.objects if each.class_id == 1}
    found.logical_name = await _text(meter, found, [LOGICAL_DEVICE_NAME], names)
    found.serial = await _text(meter, found, list(SERIALS), names)
    for each in found.objects:
        try:
            await _look_at(meter, found, each)
        except (AccessDeniedError, ProtocolError) as error:
            found.remarks.append(f"{each.obis} (class {each.class_id}): {error}")
    return found


async def _look_at(meter: Getter, found: Discovery, each: ListedObject) -> None:
    match each.class_id:
        case 3 | 4 | 5 if each.readable(2):
            value = await read_register(meter, each.obis, each.class_id)
            if value.unit in _UNITS:
                found.registers.append(FoundRegister(each.obis, each.class_id, value.unit, value.scaler))
            else:
                found.remarks.append(f"{each.obis} is in {value.unit}, which no channel is kept in.")
        case 7:
            found.profiles.append(await _profile(meter, found, each.obis))
        case 70:
            found.switches.append(each.obis)
        case 72:
            found.mbus_channels.append(each.obis.b)


async def _profile(meter: Getter, found: Discovery, obis: Obis) -> FoundProfile:
    layout = await layout_of(meter, obis, periodic=False)
    descriptors = [AttributeDescriptor(PROFILE_CLASS, obis.bytes, each) for each in (ENTRIES_IN_USE, ENTRIES)]
    in_use, entries = await meter.get_list(descriptors)
    try:
        await learn_scalers(meter, layout)
    except AccessDeniedError as error:
        found.remarks.append(f"{obis}: {error}")
    registers: list[FoundRegister] = []
    for each in layout.registers.values():
        name = Obis.from_bytes(each.logical_name)
        scaler, unit = meter.facts.scalers.get(name, (0, ""))
        if (each.class_id, each.attribute) in SCALER_OF and unit in _UNITS:
            registers.append(FoundRegister(name, each.class_id, unit, scaler))
        else:
            found.remarks.append(f"{obis} captures {name}, whose unit {unit or 'is not known'} no channel is kept in.")
    captured = tuple((each.class_id, Obis.from_bytes(each.logical_name), each.attribute) for each in layout.captured)
    return FoundProfile(obis, layout.period_ms // 1000, _number(entries), _number(in_use), captured, tuple(registers))


async def _text(meter: Getter, found: Discovery, names: list[Obis], there: set[Obis]) -> str | None:
    for name in names:
        if name not in there:
            continue
        try:
            value = await meter.get(1, name, 2)
        except AccessDeniedError as error:
            found.remarks.append(f"{name}: {error}")
            continue
        if isinstance(value, bytes):
            return value.decode("latin-1").strip("\0 ")
        return str(value)
    return None


def propose_device(found: Discovery, device_id: str, address: dict[str, int], since: str) -> dict[str, Any]:
    """A device of a configuration (`edge.config.DeviceConfig` as JSON): identity, the first load profile, the states of
    total energy, the event logs. `since`: from when the profile is read, ISO with zone.
    """
    device: dict[str, Any] = {"id": device_id, "model": "dlms", "address": address}
    identity = {"serial": found.serial, "logical_name": found.logical_name}
    if any(identity.values()):
        device["identity"] = {name: value for name, value in identity.items() if value}
    profiles = [each for each in found.load_profiles if each.obis.a != 0]  # M-Bus meters are devices of their own
    if profiles:
        device["profile"] = _proposed_profile(profiles[0], since)
    states = [each for each in found.registers if each.class_id == 3 and each.obis.d == 8 and each.obis.a != 0]
    if states:
        device["states"] = {"at": "month", "registers": [_proposed_register(each) for each in states]}
    if found.event_logs:
        device["event_logs"] = [str(each.obis) for each in found.event_logs]
    if found.switches:
        device["switch"] = str(found.switches[0])
    return device


def _proposed_profile(profile: FoundProfile, since: str) -> dict[str, Any]:
    return {
        "obis": str(profile.obis),
        "step_s": profile.period_s,
        "commodity": str(STEPS[profile.period_s]),
        "since": since,
        "registers": [_proposed_register(each) for each in profile.registers],
    }


def _proposed_register(register: FoundRegister) -> dict[str, Any]:
    name = str(register.obis)
    return {"obis": name, "unit": register.unit, "exponent": register.exponent, "register": name}


def _number(value: Any) -> int:
    if type(value) is not int:
        raise ProtocolError(f"{value!r:.40} for a number of entries", "a number")
    return value
