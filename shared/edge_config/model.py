"""Shape of a concentrator's configuration."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from shared.identifiers import EdgeId, parse_edge_id
from shared.iec62056.stamps import MeterTime, StampForm
from shared.quantities import Commodity, Kind, Unit

Protocol = Literal["hdlc", "dlms-wrapper", "modbus-rtu", "modbus-tcp", "iec62056-21"]
States = Literal["quarter-hour", "month"]
Name = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""What meters, registers and buses are called: no empty text, no control characters."""
Given = Annotated[str, Meta(min_length=1, max_length=1_000, pattern=r"^[^\x00]*$")]
"""A path or a host."""
PeerPort = Annotated[int, Meta(ge=1, le=65_535)]
OwnPort = Annotated[int, Meta(ge=0, le=65_535)]
"""0 takes a free one."""
Baud = Annotated[int, Meta(ge=50, le=4_000_000)]
Seconds = Annotated[float, Meta(gt=0, le=86_400)]


class _Struct(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Fields beyond these are refused."""


class MqttConfig(_Struct, frozen=True, kw_only=True):
    """The broker, and the concentrator's account there."""

    host: Given
    port: PeerPort = 1883
    username: str | None = None
    password_file: Given | None = None
    keepalive_s: Annotated[int, Meta(ge=1, le=65_535)] = 30


class OutboxConfig(_Struct, frozen=True, kw_only=True):
    """Where readings wait for central."""

    path: Given
    budget_mb: Annotated[int, Meta(ge=1, le=1_000_000)] = 1024
    """What goes first when it is full: acknowledged batches, then present values, then events. When only billing data
    are left, meters are not read until there is room."""
    keep_days: Annotated[int, Meta(ge=0, le=3_650)] = 7
    """Acknowledged batches stay at least so long, within the budget, for the case that central loses its database."""


class UplinkConfig(_Struct, frozen=True, kw_only=True):
    """Pace of the uplink, wall seconds."""

    window: Annotated[int, Meta(ge=1, le=64)] = 64
    """Numbered batches that may be unacknowledged at a time."""
    resend_first_s: Seconds = 10.0
    resend_most_s: Seconds = 300.0
    refused_first_s: Seconds = 60.0
    """After the broker refused a publish (0x87 not authorised, ...): doubling up to refused_most_s."""
    refused_most_s: Seconds = 3600.0
    reconnect_first_s: Seconds = 0.25
    reconnect_most_s: Seconds = 30.0
    linger_s: Annotated[float, Meta(ge=0, le=60)] = 0.2
    """A batch that is not full waits so long for more blocks."""
    batch_blocks: Annotated[int, Meta(ge=1, le=10_000)] = 64
    batch_bytes: Annotated[int, Meta(ge=1_000, le=1_000_000)] = 200_000
    welcome_wait_s: Annotated[float, Meta(ge=0, le=86_400)] = 30.0
    """A new outbox waits so long to hear from central what is in evidence already, before it reads profiles."""


class ControlConfig(_Struct, frozen=True, kw_only=True):
    """Whom the concentrator obeys: without it, it takes neither configuration nor commands."""

    central_key: str
    """Central's public key (Ed25519), base64: `rozvodna central keys` prints it."""
    key_file: Given | None = None
    """This concentrator's private key (X25519), made by `rozvodna edge enrol`; opens sealed secrets."""


class SerialLink(_Struct, frozen=True, kw_only=True, tag_field="kind", tag="serial"):
    """A serial port (or a pseudo-terminal)."""

    path: Given
    baud: Baud
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    rs485: bool = False
    """The kernel switches the driver's direction by RTS; most adapters do it by themselves."""
    echo: bool = False
    """A 2-wire adapter that hears itself: what is sent comes back, and is taken out of what is received."""


class TcpLink(_Struct, frozen=True, kw_only=True, tag_field="kind", tag="tcp"):
    """A TCP peer: meter, gateway or serial server."""

    host: Given
    port: PeerPort
    baud: Baud | None = None
    """Line speed behind a serial server."""
    echo: bool = False
    """The line behind a serial server hears itself."""


class Address(_Struct, frozen=True, kw_only=True):
    """Where on its bus a device listens: `unit` for Modbus; `client`, `server` and, on HDLC, `physical` for DLMS."""

    client: Annotated[int, Meta(ge=1, le=127)] = 16
    server: Annotated[int, Meta(ge=0, le=65_535)] | None = None
    physical: Annotated[int, Meta(ge=0, le=16_383)] | None = None
    size: Literal[2, 4] | None = None
    """HDLC: octets of the server address where the meter demands that many; the fewest are taken otherwise."""
    unit: int | None = None
    device: str | None = None
    """IEC 62056-21: the address in the opening request, often the serial number; none is any meter that hears it."""


class ProfileRegister(_Struct, frozen=True, kw_only=True):
    """One column of a load profile and what it is called on the wire."""

    obis: str
    unit: Unit
    register: Name
    exponent: Annotated[int, Meta(ge=-18, le=18)] = 0
    kind: Kind = Kind.INTERVAL
    """"state": a counter, as profiles of meters on M-Bus capture it."""


class ProfileConfig(_Struct, frozen=True, kw_only=True):
    """A load profile that is read since `since`, from the first whole metering day on."""

    obis: str
    step_s: int
    registers: list[ProfileRegister]
    since: datetime
    commodity: Commodity = Commodity.ELECTRICITY
    live: bool | None = None
    """Whether the running day's intervals are read as soon as they are over; not given: of electricity, yes."""

    @property
    def reads_live(self) -> bool:
        """Whether the running day's intervals are read as soon as they are over."""
        return self.commodity is Commodity.ELECTRICITY if self.live is None else self.live


class StateRegister(_Struct, frozen=True, kw_only=True):
    """One cumulative register: `obis` of a DLMS meter, or `item` of a device map."""

    unit: Unit
    register: Name
    exponent: Annotated[int, Meta(ge=-18, le=18)] = 0
    obis: str | None = None
    item: str | None = None
    class_id: Literal[1, 3, 4, 5] = 3
    """DLMS: data, register, extended register (M-Bus values, maxima), demand register; the last two have own times."""


class StatesConfig(_Struct, frozen=True, kw_only=True):
    """Registers that are sampled at instants of the calendar."""

    registers: list[StateRegister]
    at: States
    commodity: Commodity | None = None
    """Whose months; of the profile, if there is one, else electricity."""


class ClockPolicy(_Struct, frozen=True, kw_only=True):
    """What is done about a meter's clock."""

    automatic: bool = False
    """Correct it, where no quarter-hour boundary is stepped over; otherwise only commands do."""
    tolerance_s: Annotated[float, Meta(ge=1, le=86_400)] = 5.0
    """A smaller drift is left alone."""


class Conventions(_Struct, frozen=True, kw_only=True):
    """How a DLMS meter differs from the usual one: time stamps with deviation from local time to UTC, profiles by range
    of time, null-data in a value column means that there is no value.
    """

    time: Literal["local", "utc"] = "local"
    """What stamps without deviation are in, and what the meter is asked in."""
    deviation: Literal["to-utc", "from-utc", "none"] = "to-utc"
    """Sense of the deviation (newer books, older books); with "none" the meter takes no stamps that have one."""
    profile_access: Literal["range", "entry"] = "range"
    null_values: Literal["missing", "repeated"] = "missing"


class IdentityConfig(_Struct, frozen=True, kw_only=True):
    """What a meter must say of itself before it is read: whatever is given here."""

    serial: str | None = None
    code: str | None = None
    """Model or type code in its registers."""
    vendor: str | None = None
    product: str | None = None
    """Vendor name and product code of device identification (Modbus function 43/14)."""
    logical_name: str | None = None
    """DLMS: logical device name (0-0:42.0.0)."""
    serial_obis: str = "0-0:96.1.0"
    """DLMS: where the serial number is; of a meter on M-Bus channel n 0-n:96.1.0."""

    def stated(self) -> dict[str, str]:
        """The facts that are given."""
        facts = {
            "serial": self.serial,
            "code": self.code,
            "vendor": self.vendor,
            "product": self.product,
            "logical_name": self.logical_name,
        }
        return {name: value for name, value in facts.items() if value is not None}


class Iec62056Config(_Struct, frozen=True, kw_only=True):
    """Habits of a meter that is opened by IEC 62056-21 (mode C, or mode E before HDLC)."""

    opening_baud: int = 300
    baud: int | None = None
    """Speed after the opening; none: as the meter offers, or as a serial server's line has."""
    software_parity: bool = True
    """The port runs 8N1 and the agent makes and checks the parity of 7E1 (the same bits on the line); false where a
    serial server does it, or the meter sends none."""
    states_by: Literal["readout", "registers"] = "readout"
    """One standard readout for all states, or one request a register."""
    read_command: Literal["R5", "R1"] = "R5"
    codes: Literal["reduced", "full"] = "reduced"
    """How registers are asked for: 1.8.0, or 1-0:1.8.0."""
    clock: MeterTime = MeterTime.SEASON
    """What the meter's stamps mean."""
    stamps: Literal["end", "begin"] = "end"
    """Which end of an interval the load profile's stamps tell."""
    range: StampForm = StampForm.SEASON_MINUTES
    """How stamps are written when a part of the load profile is asked for."""
    clock_set: Literal["0.9", "C003"] = "0.9"
    """How the clock is written: date and time one after the other, or at once."""


class LiveConfig(_Struct, frozen=True, kw_only=True):
    """Registers that are sampled again and again, on the grid of `period_ms` (edge/live)."""

    registers: list[StateRegister]
    """Quantities of the moment; each sample is a value of the interval that begins at its grid instant."""
    period_ms: int
    """From 10 ms to 15 min, a divisor of an hour."""
    block_values: int = 250
    """Most values in one block."""
    block_s: float = 5.0
    """A value waits in memory no longer than this for its block to fill (but a block has at least one value)."""


class KeySource(_Struct, frozen=True, kw_only=True):
    """Where a key comes from; one of the two."""

    file: Given | None = None
    """16 octets, or 32 hexadecimal digits."""
    sealed: str | None = None
    """Base64 of the key as central sealed it for this concentrator; bound to `DEVICE.security.FIELD`."""


class SecurityConfig(_Struct, frozen=True, kw_only=True):
    """Security of a DLMS meter's association."""

    client_title: str
    """Our system title: 8 octets as 16 hexadecimal digits."""
    encryption_key: KeySource
    """Global unicast encryption key (GUEK)."""
    authentication_key: KeySource
    suite: Literal[0, 1] = 0
    mechanism: Literal["none", "low", "gmac"] = "gmac"
    protection: Literal["none", "authenticated", "encrypted", "authenticated-encrypted"] = "authenticated-encrypted"
    meter_title: str | None = None
    """Of the meter; where it is given, no other meter is accepted."""
    dedicated: bool = False
    """A key of its own for each association."""
    general: bool = False
    """Messages name their sender's title (general ciphering)."""
    association: str = "0-0:40.0.0"
    """Object that takes our proof; some meters have another instance."""
    counter: str | None = None
    """Object that shows the last invocation counter the meter has seen from us, such as 0-0:43.1.0."""
    counter_client: int = 16
    """Client that reads it without security."""


class PushObject(_Struct, frozen=True, kw_only=True):
    """An object whose attribute a meter pushes, in the order of its push setup (class 40)."""

    obis: str
    class_id: int
    attribute: int = 2
    name: str | None = None
    """What it is called in the record; OBIS and attribute when not given."""


class PushSource(_Struct, frozen=True, kw_only=True):
    """What a device pushes, and where it comes from. Of a device with security only protected messages count."""

    objects: list[PushObject]
    source: str | None = None
    """Its IP address: of plain messages, and of ciphered ones that do not name their sender."""


class PushConfig(_Struct, frozen=True, kw_only=True):
    """Where pushed messages are listened for."""

    port: OwnPort
    host: Given
    """The address of ours that meters can reach."""


class DeviceConfig(_Struct, frozen=True, kw_only=True):
    """One meter."""

    id: Name
    model: str
    """"dlms", "iec62056-21", or the name of a device map (shared/device_maps)."""
    template: str | None = None
    """What gave the fields that the device does not say itself (shared/edge_config/templates.py)."""
    address: Address
    profile: ProfileConfig | None = None
    states: StatesConfig | None = None
    identity: IdentityConfig | None = None
    word_order: Literal["high-first", "low-first"] | None = None
    """Modbus: of a meter that is set to another word order than its model usually is."""
    live: LiveConfig | None = None
    timeout_s: float = 1.5
    """Longest silence after a request, wall seconds; it adapts to how the meter answers, between these two."""
    timeout_min_s: float = 0.3
    min_gap_ms: int = 0
    """Silence that the meter needs before each request, where that is more than the protocol's own."""
    phase_ms: int = 0
    """Its states are sampled so much later than the instant, so that not all begin at once; added to the bus's."""
    retries: Annotated[int, Meta(ge=0, le=20)] = 2
    information: Annotated[int, Meta(ge=8, le=2_030)] = 512
    """HDLC: largest information field offered, octets."""
    window: Annotated[int, Meta(ge=1, le=7)] = 1
    """HDLC: window offered."""
    password_file: Given | None = None
    """DLMS: password of low-level security; IEC 62056-21: of programming mode."""
    general_blocks: int = 0
    """DLMS: blocks of general block transfer taken in a stream, up to 63; 0 leaves long messages to each service."""
    security: SecurityConfig | None = None
    """DLMS: ciphering, and high-level security by GMAC."""
    conventions: Conventions = msgspec.field(default_factory=Conventions)
    """DLMS: how this meter differs."""
    iec62056: Iec62056Config | None = None
    opening: Literal["hdlc", "mode-e", "mode-e-or-hdlc"] = "hdlc"
    """HDLC: whether the meter is woken by IEC 62056-21 mode E first; with the last, one that does not answer to that
    (because a session was left open) is spoken to in HDLC straight away, at iec62056.baud or 9600 Bd."""
    attend_every_s: Annotated[int, Meta(ge=60, le=31_536_000)] = 3600
    """Clock and event logs are read so often, by the business clock."""
    clock: ClockPolicy = msgspec.field(default_factory=ClockPolicy)
    event_logs: list[str] = []
    """DLMS: OBIS of the event logs that are read, such as 0-0:99.98.0."""
    switch: str = "0-0:96.3.10"
    """DLMS: OBIS of the disconnector."""
    push: PushSource | None = None
    """DLMS: what the device sends unasked."""


class BusConfig(_Struct, frozen=True, kw_only=True):
    """A line with one owner and its devices."""

    name: Name
    link: SerialLink | TcpLink
    protocol: Protocol
    devices: list[DeviceConfig]
    phase_ms: int = 0
    """Added to the devices' own."""


class PageConfig(_Struct, frozen=True, kw_only=True):
    """Where the agent shows itself over HTTP: status page, metrics for Prometheus, its status as JSON.

    It has no passwords: leave it on loopback, or in a network of the substation's own.
    """

    host: Given = "127.0.0.1"
    port: OwnPort = 9110
    """0 takes a free one, which the log names."""


class EdgeConfig(_Struct, frozen=True, kw_only=True):
    """The whole configuration of a concentrator."""

    number: Annotated[int, Meta(ge=0, le=2_000_000_000)]
    edge: str
    mqtt: MqttConfig
    outbox: OutboxConfig
    buses: list[BusConfig]
    uplink: UplinkConfig = msgspec.field(default_factory=UplinkConfig)
    page: PageConfig | None = None
    control: ControlConfig | None = None
    push: PushConfig | None = None
    """Listener for what meters send unasked; none when not given."""
    templates: dict[str, dict[str, Any]] = {}
    """Device templates beside the shipped ones, by name."""

    @property
    def edge_id(self) -> EdgeId:
        """The checked concentrator id."""
        return parse_edge_id(self.edge)

    def devices(self) -> Iterator[tuple[BusConfig, DeviceConfig]]:
        """Every device with its bus."""
        for bus in self.buses:
            for device in bus.devices:
                yield bus, device
