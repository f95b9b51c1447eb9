"""Rules of a configuration that go beyond its shape: each problem is a sentence that begins with its place."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Final

from msgspec import NODEFAULT
from msgspec.structs import fields

from shared.control.keys import KeyFileError, parse_key
from shared.dlms.general_block import MAX_WINDOW
from shared.dlms.hdlc import server_address
from shared.edge_config.check_iec62056 import MODEL as IEC62056
from shared.edge_config.check_iec62056 import iec62056_problems, mode_e_problems
from shared.edge_config.check_security import security_problems
from shared.edge_config.model import (
    BusConfig,
    DeviceConfig,
    EdgeConfig,
    LiveConfig,
    ProfileConfig,
    PushSource,
    SerialLink,
    StateRegister,
    StatesConfig,
)
from shared.identifiers import IdentifierError, Obis, parse_edge_id
from shared.metering_day import STEP
from shared.modbus.maps import MapError, find_map

SPEAKS: Final[dict[str, tuple[str, ...]]] = {"dlms": ("hdlc", "dlms-wrapper"), IEC62056: ("iec62056-21",)}
"""Which protocols a model speaks; models that are not named here are device maps and speak Modbus."""
LIVE_PERIODS_MS: Final = (10, 900_000)
HOUR_MS: Final = 3_600_000
MOST_BLOCK_VALUES: Final = 1_000
"""The wire's limit for steps below a minute."""
MODBUS: Final = ("modbus-rtu", "modbus-tcp")
LINKS: Final[dict[str, tuple[str, ...]]] = {
    "hdlc": ("serial", "tcp"),
    "iec62056-21": ("serial", "tcp"),
    "modbus-rtu": ("serial", "tcp"),
    "dlms-wrapper": ("tcp",),
    "modbus-tcp": ("tcp",),
}
"""Which links each protocol runs on; a serial protocol on tcp means a serial server."""

HEEDED_BY: Final[dict[str, tuple[str, ...]]] = {
    "password_file": ("dlms", IEC62056),
    "information": ("dlms",),
    "window": ("dlms",),
    "general_blocks": ("dlms",),
    "conventions": ("dlms",),
    "opening": ("dlms",),
    "switch": ("dlms",),
    "clock": ("dlms", IEC62056),
    "iec62056": ("dlms", IEC62056),
}
"""Fields of a device that only these models heed."""
DEFAULTS: Final = {field.name: field for field in fields(DeviceConfig)}
SINCE_YEARS: Final = (2000, 2100)
PHASE_MOST_MS: Final = 60_000
GAP_MOST_MS: Final = 10_000
TIMEOUT_MOST_S: Final = 60.0


def problems(config: EdgeConfig) -> Iterator[str]:
    try:
        parse_edge_id(config.edge)
    except IdentifierError as error:
        yield f"at edge: {error}"
    if config.control is not None:
        try:
            parse_key(config.control.central_key, "Central's key")
        except KeyFileError as error:
            yield f"at control.central_key: {error}"
    seen: dict[str, str] = {}
    names: set[str] = set()
    for b, bus in enumerate(config.buses):
        place = f"buses[{b}]"
        if bus.name in names:
            yield f"at {place}.name: the bus {bus.name!r} is there twice; names must differ."
        names.add(bus.name)
        kind = "serial" if isinstance(bus.link, SerialLink) else "tcp"
        if kind not in LINKS[bus.protocol]:
            wanted = " or ".join(LINKS[bus.protocol])
            yield f"at {place}.link.kind: the protocol {bus.protocol} runs on {wanted}, not on {kind}."
        for d, device in enumerate(bus.devices):
            here = f"{place}.devices[{d}]"
            if device.id in seen:
                yield f"at {here}.id: the device {device.id!r} is at {seen[device.id]} already; ids must differ."
            seen[device.id] = here
            yield from _device_problems(bus, device, here)
    yield from _sender_problems(config)


def _pace_problems(bus: BusConfig, device: DeviceConfig, place: str) -> Iterator[str]:
    phase = bus.phase_ms + device.phase_ms
    if bus.phase_ms < 0 or device.phase_ms < 0 or phase >= PHASE_MOST_MS:
        yield (
            f"at {place}.phase_ms: {device.phase_ms} and the bus's {bus.phase_ms} must be from 0 to "
            f"{PHASE_MOST_MS - 1} together; later samples would be flagged late."
        )
    if not 0 <= device.min_gap_ms <= GAP_MOST_MS:
        yield f"at {place}.min_gap_ms: {device.min_gap_ms} must be from 0 to {GAP_MOST_MS}."
    if not 0 < device.timeout_s <= TIMEOUT_MOST_S:
        yield f"at {place}.timeout_s: {device.timeout_s} must be above 0 and at most {TIMEOUT_MOST_S:.0f} s."
    if not device.timeout_min_s > 0:
        yield f"at {place}.timeout_min_s: {device.timeout_min_s} must be above 0; above timeout_s it is of no effect."


def _device_problems(bus: BusConfig, device: DeviceConfig, place: str) -> Iterator[str]:
    yield from _pace_problems(bus, device, place)
    speaks = SPEAKS.get(device.model, MODBUS)
    if device.model not in SPEAKS:
        try:
            find_map(device.model)
        except MapError as error:
            yield f"at {place}.model: {error}"
            return
    if bus.protocol not in speaks:
        wanted = " or ".join(speaks)
        yield f"at {place}.model: {device.model} speaks {wanted}; the bus {bus.name} speaks {bus.protocol}."
    address = device.address
    if device.model == "dlms":
        if address.server is None or address.unit is not None:
            yield f"at {place}.address: a DLMS meter needs client and server (and physical on HDLC), no unit."
        elif bus.protocol == "hdlc":
            try:
                server_address(address.server, address.physical, address.size)
            except ValueError as error:
                yield f"at {place}.address: {error}"
        elif address.size is not None:
            yield f"at {place}.address.size: it means nothing to the wrapper on TCP; remove it."
        yield from mode_e_problems(bus, device, place)
    elif device.model == IEC62056:
        yield from iec62056_problems(bus, device, place)
    elif address.unit is None or not 1 <= address.unit <= 247 or address.server is not None:
        yield f"at {place}.address: a Modbus meter needs only unit, from 1 to 247; found {address.unit}."
    yield from _idle_problems(device, place)
    yield from _identity_problems(device, f"{place}.identity")
    if not 0 <= device.general_blocks <= MAX_WINDOW:
        yield f"at {place}.general_blocks: {device.general_blocks} must be from 0 (not used) to {MAX_WINDOW}."
    if device.security is not None:
        yield from security_problems(device, device.security, f"{place}.security")
    yield from _care_problems(device, place)
    if device.profile is None and device.states is None and device.live is None:
        yield f"at {place}: the device {device.id} has neither profile, states nor live; one must say what to read."
    if device.profile is not None:
        yield from _profile_problems(device, device.profile, f"{place}.profile")
    if device.states is not None:
        yield from _states_problems(device, device.states, f"{place}.states")
    if device.live is not None:
        yield from _live_problems(device, device.live, f"{place}.live")


def _idle_problems(device: DeviceConfig, place: str) -> Iterator[str]:
    """Fields that the model does not heed: whoever set them believes that they do something."""
    for name, models in HEEDED_BY.items():
        default = DEFAULTS[name]
        usual = default.default_factory() if default.default is NODEFAULT else default.default
        if device.model not in models and getattr(device, name) != usual:
            yield f"at {place}.{name}: a {device.model} does not heed it; remove it."


def _care_problems(device: DeviceConfig, place: str) -> Iterator[str]:
    """Clock, event logs and disconnector."""
    if device.event_logs and device.model != "dlms":
        yield f"at {place}.event_logs: a {device.model} has none that are read; remove them."
    for n, log in enumerate(device.event_logs):
        yield from _obis_problems(log, f"{place}.event_logs[{n}]")
    yield from _twice(device.event_logs, f"{place}.event_logs")
    yield from _obis_problems(device.switch, f"{place}.switch")
    if device.push is not None:
        yield from _push_problems(device, device.push, f"{place}.push")


def _sender_problems(config: EdgeConfig) -> Iterator[str]:
    """A push is one device's: no two may be told by the same address or title."""
    senders: dict[str, str] = {}
    for _, device in config.devices():
        if device.push is None:
            continue
        title = device.security.meter_title if device.security is not None else None
        for name, known in (("push.source", device.push.source), ("security.meter_title", title)):
            if known is None:
                continue
            other = senders.setdefault(known.upper(), device.id)
            if other != device.id:
                yield f"at {name} of {device.id}: {known} is that of {other} too; pushes could be mixed up."


def _push_problems(device: DeviceConfig, push: PushSource, place: str) -> Iterator[str]:
    if device.model != "dlms":
        yield f"at {place}: a {device.model} pushes nothing that is understood; remove it."
    if not push.objects:
        yield f"at {place}.objects: the list is empty; name what the meter's push setup names."
    for n, each in enumerate(push.objects):
        yield from _obis_problems(each.obis, f"{place}.objects[{n}].obis")
    if push.source is not None:
        try:
            ip_address(push.source)
        except ValueError:
            yield f"at {place}.source: {push.source!r} must be an IP address such as 10.0.0.7; names are not looked up."
    security = device.security
    if security is None:
        if push.source is None:
            yield f"at {place}.source: not given, so nobody could tell that a message is from {device.id}; give it."
        return
    if security.meter_title is None:
        yield f"at {place}: pushes of a meter with security are told by security.meter_title; give it."
    if "authenticated" not in security.protection:
        yield (
            f"at {place}: with security.protection {security.protection} anybody could forge a push; set it to "
            "authenticated or authenticated-encrypted."
        )


def _identity_problems(device: DeviceConfig, place: str) -> Iterator[str]:
    if device.model in SPEAKS:
        if device.word_order is not None:
            kind = "DLMS" if device.model == "dlms" else "mode C"
            yield f"at {place.removesuffix('.identity')}.word_order: a {kind} meter has no registers; remove it."
        if device.identity is not None and device.model != "dlms":
            yield f"at {place}: a mode C meter is known by its address in the opening; remove the identity."
        elif device.identity is not None:
            others = sorted(device.identity.stated().keys() - {"serial", "logical_name"})
            if others or not device.identity.stated():
                found = ", ".join(others) or "nothing"
                yield f"at {place}: a DLMS meter is known by serial or logical_name, not by {found}."
            yield from _obis_problems(device.identity.serial_obis, f"{place}.serial_obis")
        return
    if device.identity is None:
        return
    stated = device.identity.stated()
    if "logical_name" in stated:
        yield f"at {place}.logical_name: a {device.model} has none; remove it."
    if not stated:
        yield f"at {place}: nothing is stated; give serial, code, vendor or product, or remove it."
    kept = find_map(device.model).identity
    for name, fact in (("serial", kept.serial), ("code", kept.code)):
        if name in stated and fact is None:
            yield f"at {place}.{name}: no register is known where a {device.model} keeps it; remove it."


def _profile_problems(device: DeviceConfig, profile: ProfileConfig, place: str) -> Iterator[str]:
    if device.model not in SPEAKS:
        yield f"at {place}: a {device.model} has no memory; remove the profile, or sample its states."
    step = int(STEP[profile.commodity].total_seconds())
    if profile.step_s != step:
        yield f"at {place}.step_s: {profile.step_s} must be {step} for {profile.commodity}."
    if profile.since.tzinfo is None:
        yield f"at {place}.since: {profile.since.isoformat()} has no zone; write it with one, such as +01:00."
    first, last = SINCE_YEARS
    if not first <= profile.since.year < last:
        yield f"at {place}.since: {profile.since.isoformat()} must be from {first} on and before {last}."
    if not profile.registers:
        yield f"at {place}.registers: the list is empty; name at least one column of the profile."
    yield from _obis_problems(profile.obis, f"{place}.obis")
    for r, register in enumerate(profile.registers):
        yield from _obis_problems(register.obis, f"{place}.registers[{r}].obis")
    yield from _twice([register.register for register in profile.registers], f"{place}.registers")


def _states_problems(device: DeviceConfig, states: StatesConfig, place: str) -> Iterator[str]:
    yield from _registers_problems(device, states.registers, f"{place}.registers")
    if device.model in SPEAKS:
        return
    momentary = {item.name for item in find_map(device.model).items if item.group != "energy"}
    for r, register in enumerate(states.registers):
        if register.item in momentary:
            yield f"at {place}.registers[{r}].item: {register.item} is no counter; sample it among the live registers."


def _live_problems(device: DeviceConfig, live: LiveConfig, place: str) -> Iterator[str]:
    low, high = LIVE_PERIODS_MS
    if not low <= live.period_ms <= high or HOUR_MS % live.period_ms:
        yield f"at {place}.period_ms: {live.period_ms} must divide an hour and be from {low} to {high}."
    if not 1 <= live.block_values <= MOST_BLOCK_VALUES:
        yield f"at {place}.block_values: {live.block_values} must be from 1 to {MOST_BLOCK_VALUES}."
    if not 0 < live.block_s <= 3600:
        yield f"at {place}.block_s: {live.block_s:g} must be above 0 and at most 3600."
    yield from _registers_problems(device, live.registers, f"{place}.registers")
    for r, register in enumerate(live.registers):
        if register.class_id in (4, 5):
            yield f"at {place}.registers[{r}].class_id: class {register.class_id} has times of its own; sample it."
    others = {register.register for register in device.states.registers} if device.states is not None else set()
    others |= {register.register for register in device.profile.registers} if device.profile is not None else set()
    for name in sorted(others & {register.register for register in live.registers}):
        yield f"at {place}.registers: the register {name} is in the profile or the states too; names must differ."


def _registers_problems(device: DeviceConfig, registers: Sequence[StateRegister], place: str) -> Iterator[str]:
    if not registers:
        yield f"at {place}: the list is empty; name at least one register."
    yield from _twice([register.register for register in registers], place)
    for r, register in enumerate(registers):
        here = f"{place}[{r}]"
        if device.model in SPEAKS:
            if register.obis is None or register.item is not None:
                yield f"at {here}: a register of a {device.model} meter is named by obis (and not by item)."
            else:
                yield from _obis_problems(register.obis, f"{here}.obis")
            continue
        if register.item is None or register.obis is not None:
            yield f"at {here}: a register of a {device.model} is named by item of its map (and not by obis)."
            continue
        try:
            item = find_map(device.model).item(register.item)
        except MapError as error:
            yield f"at {here}.item: {error}"
            continue
        if item.unit != register.unit:
            yield f"at {here}.unit: {register.unit} differs from the map's {item.unit} for {register.item}."


def _obis_problems(text: str, place: str) -> Iterator[str]:
    try:
        Obis.parse(text)
    except ValueError as error:
        yield f"at {place}: {error}"


def _twice(registers: list[str], place: str) -> Iterator[str]:
    for name in sorted({name for name in registers if registers.count(name) > 1}):
        yield f"at {place}: the register {name} is there twice; names on the wire must differ."
