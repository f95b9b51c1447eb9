"""Configuration of one concentrator: its shape, and the rules that go beyond shape.

A configuration is checked whole before any of it is used. Unknown fields are refused, because a misspelt field that is
silently ignored is a meter that is silently not read.
"""

import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from edge.errors import ConfigError
from edge.modbus.maps import MapError, find_map
from shared.identifiers import EdgeId, IdentifierError, Obis, parse_edge_id
from shared.metering_day import STEP
from shared.quantities import Commodity, Unit

Protocol = Literal["hdlc", "dlms-wrapper", "modbus-rtu", "modbus-tcp"]
Model = Literal["dlms", "sdm630"]
States = Literal["quarter-hour", "month"]

PROTOCOLS: Final[dict[str, tuple[str, ...]]] = {
    "dlms": ("hdlc", "dlms-wrapper"),
    "sdm630": ("modbus-rtu", "modbus-tcp"),
}
"""Which protocols each model speaks."""
LINKS: Final[dict[str, tuple[str, ...]]] = {
    "hdlc": ("serial", "tcp"),
    "modbus-rtu": ("serial", "tcp"),
    "dlms-wrapper": ("tcp",),
    "modbus-tcp": ("tcp",),
}
"""Which links each protocol runs on; a serial protocol on tcp means a serial server."""


class _Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Fields beyond these are refused."""


class MqttConfig(_Struct, frozen=True, kw_only=True):
    """The broker, and the concentrator's account there."""

    host: str
    port: int = 1883
    username: str | None = None
    password_file: str | None = None
    keepalive_s: int = 30


class OutboxConfig(_Struct, frozen=True, kw_only=True):
    """Where readings wait for central."""

    path: str
    budget_mb: int = 1024
    """Acknowledged batches go first; when only unacknowledged data fill it, meters are not read until there is room."""
    keep_days: int = 7
    """Acknowledged batches stay at least so long, within the budget, for the case that central loses its database."""


class UplinkConfig(_Struct, frozen=True, kw_only=True):
    """Pace of the uplink, wall seconds."""

    window: int = 64
    """Numbered batches that may be unacknowledged at a time."""
    resend_first_s: float = 10.0
    resend_most_s: float = 300.0
    refused_first_s: float = 60.0
    """After the broker refused a publish (0x87 not authorised, ...): doubling up to refused_most_s."""
    refused_most_s: float = 3600.0
    reconnect_first_s: float = 0.25
    reconnect_most_s: float = 30.0
    linger_s: float = 0.2
    """A batch that is not full waits so long for more blocks."""
    batch_blocks: int = 64
    batch_bytes: int = 200_000
    welcome_wait_s: float = 30.0
    """A new outbox waits so long to hear from central what is in evidence already, before it reads profiles."""


class SerialLink(_Struct, frozen=True, kw_only=True, tag_field="kind", tag="serial"):
    """A serial port (or a pseudo-terminal)."""

    path: str
    baud: int
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1


class TcpLink(_Struct, frozen=True, kw_only=True, tag_field="kind", tag="tcp"):
    """A TCP peer: meter, gateway or serial server."""

    host: str
    port: int
    baud: int | None = None
    """Line speed behind a serial server."""


class Address(_Struct, frozen=True, kw_only=True):
    """Where on its bus a device listens: `unit` for Modbus; `client`, `server` and, on HDLC, `physical` for DLMS."""

    client: int = 16
    server: int | None = None
    physical: int | None = None
    unit: int | None = None


class ProfileRegister(_Struct, frozen=True, kw_only=True):
    """One column of a load profile and what it is called on the wire."""

    obis: str
    unit: Unit
    register: str
    exponent: int = 0


class ProfileConfig(_Struct, frozen=True, kw_only=True):
    """A load profile that is read by whole metering days since `since`."""

    obis: str
    step_s: int
    registers: list[ProfileRegister]
    since: datetime
    commodity: Commodity = Commodity.ELECTRICITY


class StateRegister(_Struct, frozen=True, kw_only=True):
    """One cumulative register: `obis` of a DLMS meter, or `item` of a device map."""

    unit: Unit
    register: str
    exponent: int = 0
    obis: str | None = None
    item: str | None = None


class StatesConfig(_Struct, frozen=True, kw_only=True):
    """Registers that are sampled at instants of the calendar."""

    registers: list[StateRegister]
    at: States
    commodity: Commodity | None = None
    """Whose months; of the profile, if there is one, else electricity."""


class DeviceConfig(_Struct, frozen=True, kw_only=True):
    """One meter."""

    id: str
    model: Model
    address: Address
    profile: ProfileConfig | None = None
    states: StatesConfig | None = None
    timeout_s: float = 1.5
    retries: int = 2
    information: int = 512
    """HDLC: largest information field offered, octets."""
    window: int = 1
    """HDLC: window offered."""
    password_file: str | None = None
    """DLMS: password of low-level security."""


class BusConfig(_Struct, frozen=True, kw_only=True):
    """A line with one owner and its devices."""

    name: str
    link: SerialLink | TcpLink
    protocol: Protocol
    devices: list[DeviceConfig]


class EdgeConfig(_Struct, frozen=True, kw_only=True):
    """The whole configuration of a concentrator."""

    number: int
    edge: str
    mqtt: MqttConfig
    outbox: OutboxConfig
    buses: list[BusConfig]
    uplink: UplinkConfig = msgspec.field(default_factory=UplinkConfig)

    @property
    def edge_id(self) -> EdgeId:
        """The checked concentrator id."""
        return parse_edge_id(self.edge)

    def devices(self) -> Iterator[tuple[BusConfig, DeviceConfig]]:
        """Every device with its bus."""
        for bus in self.buses:
            for device in bus.devices:
                yield bus, device


def load_config(path: Path | str) -> EdgeConfig:
    """The configuration in file `path`; raises `ConfigError`."""
    try:
        octets = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"The configuration {path} cannot be read: {error.strerror}.") from None
    return parse_config(octets, str(path))


def parse_config(octets: bytes, source: str) -> EdgeConfig:
    """The configuration in `octets`, which came from `source` (named in errors); raises `ConfigError`."""
    try:
        config = msgspec.json.decode(octets, type=EdgeConfig)
    except msgspec.ValidationError as error:
        raise ConfigError(_shape_sentence(octets, source, str(error))) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {source} is not JSON: {error}.") from None
    problems = list(_problems(config))
    if problems:
        raise ConfigError("\n".join(f"The configuration {source}, {problem}" for problem in problems))
    return config


def _shape_sentence(octets: bytes, source: str, message: str) -> str:
    expectation, _, place = message.partition(" - at `$")
    place = place.rstrip("`")
    value: Any = msgspec.json.decode(octets)
    for name, index in re.findall(r"\.([^.\[\]]+)|\[(\d+)\]", place):
        try:
            value = value[int(index)] if index else value[name]
        except (KeyError, IndexError, TypeError):
            break
    shown = msgspec.json.encode(value).decode()
    if len(shown) > 120:
        shown = shown[:117] + "..."
    where = place.lstrip(".") or "the top level"
    return f"The configuration {source}, at {where}: {expectation}; found {shown}."


def _problems(config: EdgeConfig) -> Iterator[str]:
    try:
        parse_edge_id(config.edge)
    except IdentifierError as error:
        yield f"at edge: {error}"
    if config.uplink.window < 1 or config.uplink.window > 64:
        yield f"at uplink.window: {config.uplink.window} must be from 1 to 64."
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
        if isinstance(bus.link, SerialLink) and bus.link.baud <= 0:
            yield f"at {place}.link.baud: {bus.link.baud} must be a line speed such as 9600."
        for d, device in enumerate(bus.devices):
            here = f"{place}.devices[{d}]"
            if device.id in seen:
                yield f"at {here}.id: the device {device.id!r} is at {seen[device.id]} already; ids must differ."
            seen[device.id] = here
            yield from _device_problems(bus, device, here)


def _device_problems(bus: BusConfig, device: DeviceConfig, place: str) -> Iterator[str]:
    if bus.protocol not in PROTOCOLS[device.model]:
        wanted = " or ".join(PROTOCOLS[device.model])
        yield f"at {place}.model: {device.model} speaks {wanted}; the bus {bus.name} speaks {bus.protocol}."
    address = device.address
    if device.model == "dlms":
        if address.server is None or address.unit is not None:
            yield f"at {place}.address: a DLMS meter needs client and server (and physical on HDLC), no unit."
    elif address.unit is None or not 1 <= address.unit <= 247 or address.server is not None:
        yield f"at {place}.address: a Modbus meter needs only unit, from 1 to 247; found {address.unit}."
    if device.profile is None and device.states is None:
        yield f"at {place}: the device {device.id} has neither profile nor states; at least one must say what to read."
    if device.profile is not None:
        yield from _profile_problems(device, device.profile, f"{place}.profile")
    if device.states is not None:
        yield from _states_problems(device, device.states, f"{place}.states")


def _profile_problems(device: DeviceConfig, profile: ProfileConfig, place: str) -> Iterator[str]:
    if device.model != "dlms":
        yield f"at {place}: a {device.model} has no memory; remove the profile, or sample its states."
    step = int(STEP[profile.commodity].total_seconds())
    if profile.step_s != step:
        yield f"at {place}.step_s: {profile.step_s} must be {step} for {profile.commodity}."
    if profile.since.tzinfo is None:
        yield f"at {place}.since: {profile.since.isoformat()} has no zone; write it with one, such as +01:00."
    if not profile.registers:
        yield f"at {place}.registers: the list is empty; name at least one column of the profile."
    yield from _obis_problems(profile.obis, f"{place}.obis")
    for r, register in enumerate(profile.registers):
        yield from _obis_problems(register.obis, f"{place}.registers[{r}].obis")
    yield from _twice([register.register for register in profile.registers], f"{place}.registers")


def _states_problems(device: DeviceConfig, states: StatesConfig, place: str) -> Iterator[str]:
    if not states.registers:
        yield f"at {place}.registers: the list is empty; name at least one register."
    yield from _twice([register.register for register in states.registers], f"{place}.registers")
    for r, register in enumerate(states.registers):
        here = f"{place}.registers[{r}]"
        if device.model == "dlms":
            if register.obis is None or register.item is not None:
                yield f"at {here}: a register of a DLMS meter is named by obis (and not by item)."
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
