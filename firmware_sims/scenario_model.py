"""What a scenario file says: which simulated lines there are, which meters on them, and what these measure."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from firmware_sims.data_faults import DataFaults, Digits
from firmware_sims.faults import LineFaults
from firmware_sims.loads.model import Load, Seed
from shared.iec62056.stamps import MeterTime
from shared.quantities import Commodity

MeterId = Annotated[str, Meta(min_length=1, max_length=64)]
Port = Annotated[int, Meta(ge=1, le=65535)]
ClockText = Annotated[str, Meta(pattern="^(([01][0-9]|2[0-3]):(00|15|30|45)|24:00)$")]


DeviceAddress = Annotated[str, Meta(pattern="^[0-9A-Za-z]{1,32}$")]

KeyText = Annotated[str, Meta(pattern="^[0-9A-Fa-f]{32}$")]


class Channel(Struct, frozen=True, forbid_unknown_fields=True):
    """One measured quantity of a meter: its interval register, its state register, and the load behind.

    DLMS: OBIS of the interval quantity (1-0:1.29.0) and of the cumulative register (1-0:1.8.0), if it has one, in Wh,
    varh, or m3 x 10^-3. Modbus: "import" or "export", state only, in steps of the meter (10 Wh of an SDM630 or ABB).
    """

    register: str
    load: Load
    state: str | None = None
    initial: Annotated[int, Meta(ge=0, le=2**53)] = 0
    """State at the scenario's origin, in the register's unit."""


class Tariff(Struct, frozen=True, forbid_unknown_fields=True):
    """Two tariffs of the state register 1-0:1.8.0: high 1-0:1.8.1 (VT) and low 1-0:1.8.2 (NT)."""

    nt_hours: tuple[ClockText, ...]
    """Local times at which NT begins, ends, begins ...; an even number of them, over midnight where need be."""
    initial_nt: Annotated[int, Meta(ge=0)] | None = None
    """Part of the channel's `initial` that stands in the low tariff; 2/5 of it when not given."""


class Address(Struct, frozen=True, forbid_unknown_fields=True):
    """Where a DLMS meter answers: HDLC server (logical) and physical address, or the wrapper's wPort; behind an
    opening of mode E also `device`."""

    server: Annotated[int, Meta(ge=1, le=16383)] | None = None
    physical: Annotated[int, Meta(ge=0, le=16383)] | None = None
    wport: Annotated[int, Meta(ge=1, le=65535)] | None = None
    device: DeviceAddress | None = None
    """In the request of IEC 62056-21; the meter's serial number when not given."""


class Security(Struct, frozen=True, forbid_unknown_fields=True):
    """What a DLMS meter demands of one client. Keys in hexadecimal: they are a simulation's, and no secret."""

    encryption_key: KeyText
    authentication_key: KeyText
    suite: Literal[0, 1] = 0
    mechanism: Literal["none", "low", "gmac"] = "gmac"
    protection: Literal["none", "authenticated", "encrypted", "authenticated-encrypted"] = "authenticated-encrypted"
    counter: str = "0-0:43.1.0"
    """Object that shows the last invocation counter of the client."""
    association: str = "0-0:40.0.0"
    """Object that takes the client's proof."""
    last_counter: Annotated[int, Meta(ge=0, le=2**32 - 1)] = 0
    """What the meter has seen from the client before the simulation began."""


class MBusMeter(Struct, frozen=True, forbid_unknown_fields=True):
    """A gas or water meter behind a DLMS meter, read by it each hour: states only, in m3 x 10^-3."""

    id: MeterId
    channel: Annotated[int, Meta(ge=1, le=4)]
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1, max_length=1)]
    """What it measures; the registers' names are not seen by anybody but the truth."""
    medium: Literal["gas", "water"] = "gas"
    serial: Annotated[str, Meta(pattern="^[0-9]{8}$")] = "00000001"
    read_before_s: Annotated[int, Meta(ge=0, lt=3600)] = 20
    """So long before the full hour it is read."""
    digits: Digits | None = None
    """Of its state registers, which begin again at 0; they never do when not given."""

    @property
    def commodity(self) -> Commodity:
        """Hours of the gas day, of water as well."""
        return Commodity.GAS


class Push(Struct, frozen=True, forbid_unknown_fields=True):
    """A data notification that a meter sends: its logical device name and an event code."""

    at: Annotated[datetime, Meta(tz=True)]
    port: Port
    code: Annotated[int, Meta(ge=0, le=65535)]
    host: str = "127.0.0.1"


class DlmsMeter(Struct, tag_field="model", tag="dlms", frozen=True, forbid_unknown_fields=True):
    """A DLMS/COSEM meter with clock, registers, load profile and event log."""

    id: MeterId
    address: Address
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    commodity: Commodity = Commodity.ELECTRICITY
    serial: str | None = None
    """On the type plate; the digits of the id when not given."""
    tariff: Tariff | None = None
    profile: str | None = None
    """OBIS of the load profile: 1-0:99.1.0, of gas 7-0:99.99.3, when not given."""
    memory_days: Annotated[int, Meta(ge=1, le=400)] = 45
    time_style: Literal["local", "utc", "unspecified"] = "local"
    coding: Literal["full", "null", "delta", "compact"] = "full"
    """How rows of the load profile are written."""
    columns: bool = True
    """Whether a choice of columns is heeded; otherwise whole rows are sent."""
    ranges: bool = True
    """Whether rows are given by range of time; otherwise by entry only."""
    max_information: Annotated[int, Meta(ge=32, le=2030)] = 512
    max_window: Annotated[int, Meta(ge=1, le=7)] = 1
    max_pdu: Annotated[int, Meta(ge=64, le=65535)] = 1024
    general_blocks: Annotated[int, Meta(ge=0, le=63)] = 0
    """General block transfer: blocks that the meter takes in a stream; 0 does not offer it."""
    passwords: dict[int, str] = {}
    """LLS password by client address."""
    security: dict[int, Security] = {}
    """By client address; others send and get plain messages."""
    system_title: Annotated[str, Meta(pattern="^[0-9A-Fa-f]{16}$")] | None = None
    """8 octets; RZV and the serial number when not given."""
    clock_offset_s: Annotated[float, Meta(ge=-7200, le=7200)] = 0.0
    """Its clock is so much ahead at the beginning."""
    clock_drift_ppm: Annotated[float, Meta(ge=-1000, le=1000)] = 0.0
    clock_shifts: bool = True
    """Whether its clock can be shifted; it can be set in any case."""
    switch_mode: Annotated[int, Meta(ge=0, le=6)] | None = None
    """Control mode of its disconnector, if it has one."""
    mbus: tuple[MBusMeter, ...] = ()
    """Meters of gas and water behind it."""
    pushes: tuple[Push, ...] = ()
    """What it sends unasked, to the destination of the first."""
    digits: Digits | None = None
    """Of its state registers, which begin again at 0; they never do when not given."""
    data_faults: DataFaults | None = None


class ModbusMeter(Struct, tag_field="model", frozen=True, forbid_unknown_fields=True):
    """A Modbus meter: registers with present values, no memory. The map of its model says what stands where."""

    id: MeterId
    unit: Annotated[int, Meta(ge=1, le=247)]
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    serial: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    """Serial number in the registers; the digits of the id when not given."""
    code: str | None = None
    """Model code in the registers; the map's when not given."""
    word_order: Literal["high-first", "low-first"] = "high-first"
    unavailable: tuple[str, ...] = ()
    """Quantities for which it says that it has no value: "voltage-L2"."""
    sunspec_base: Literal[0, 40_000, 50_000] = 40_000
    sunspec_model: int | None = None
    """Number of the meter model; the map's first when not given."""
    digits: Digits | None = None
    """Of its energy registers, in steps of the meter, which begin again at 0; they never do when not given."""

    @property
    def map_name(self) -> str:
        """The register map, which is named as the model."""
        return str(self.__struct_config__.tag)

    @property
    def commodity(self) -> Commodity:
        """It measures electricity."""
        return Commodity.ELECTRICITY


class Iec62056Meter(Struct, tag_field="model", tag="iec62056-21", frozen=True, forbid_unknown_fields=True):
    """A meter of IEC 62056-21 mode C, with readout, programming mode, clock and load profile P.01."""

    id: MeterId
    channels: Annotated[tuple[Channel, ...], Meta(min_length=1)]
    device: DeviceAddress | None = None
    """Address in the request; the serial number when not given."""
    commodity: Commodity = Commodity.ELECTRICITY
    serial: str | None = None
    tariff: Tariff | None = None
    memory_days: Annotated[int, Meta(ge=1, le=400)] = 45
    password: str | None = None
    """Of programming mode; anybody may enter when not given."""
    baud: Literal[300, 600, 1200, 2400, 4800, 9600, 19200] = 9600
    """What it offers after the opening."""
    parity: bool = True
    """Octets carry even parity in the eighth bit."""
    full_codes: bool = False
    clock: MeterTime = MeterTime.SEASON
    mean_power: bool = False
    """The load profile has mean power (1.5, kW) instead of energy."""
    wrong_check_every: Annotated[int, Meta(ge=0)] = 0
    """Each so many-th data message comes with a wrong block check character the first time."""
    digits: Digits | None = None
    """Of its state registers, which begin again at 0; they never do when not given."""
    data_faults: DataFaults | None = None


class Sdm630Meter(ModbusMeter, tag="sdm630", frozen=True, forbid_unknown_fields=True):
    """Eastron SDM630."""


class AbbB23Meter(ModbusMeter, tag="abb-b23", frozen=True, forbid_unknown_fields=True):
    """ABB B23, direct."""


class AbbB24Meter(ModbusMeter, tag="abb-b24", frozen=True, forbid_unknown_fields=True):
    """ABB B24, on current transformers."""


class Iem3155Meter(ModbusMeter, tag="iem3155", frozen=True, forbid_unknown_fields=True):
    """Schneider Electric iEM3155."""


class Umg96rmMeter(ModbusMeter, tag="umg96rm", frozen=True, forbid_unknown_fields=True):
    """Janitza UMG 96RM."""


class SunSpecIntMeter(ModbusMeter, tag="sunspec-int", frozen=True, forbid_unknown_fields=True):
    """A SunSpec meter with integers and scale factors (201 to 204)."""


class SunSpecFloatMeter(ModbusMeter, tag="sunspec-float", frozen=True, forbid_unknown_fields=True):
    """A SunSpec meter with floats (211 to 214)."""


Meter = (
    DlmsMeter
    | Iec62056Meter
    | Sdm630Meter
    | AbbB23Meter
    | AbbB24Meter
    | Iem3155Meter
    | Umg96rmMeter
    | SunSpecIntMeter
    | SunSpecFloatMeter
)


class PtyLine(Struct, tag_field="kind", tag="pty", frozen=True, forbid_unknown_fields=True):
    """A serial bus: a pseudo-terminal paced to the line's speed."""

    name: Annotated[str, Meta(min_length=1)]
    link: str
    """Path of the symbolic link that leads to the client's side."""
    protocol: Literal["hdlc", "modbus-rtu", "iec62056-21"]
    meters: tuple[Meter, ...]
    opening: Literal["hdlc", "mode-e"] = "hdlc"
    """HDLC only: whether the meters are woken by IEC 62056-21 first; `baud` is then what they offer."""
    baud: Annotated[int, Meta(ge=50, le=4_000_000)] = 9600
    bits_per_character: Annotated[int, Meta(ge=7, le=12)] = 10
    turnaround_ms: Annotated[float, Meta(ge=0, le=60_000)] = 5
    faults: LineFaults | None = None


class TcpLine(Struct, tag_field="kind", tag="tcp", frozen=True, forbid_unknown_fields=True):
    """A TCP listener with one or more meters behind it."""

    name: Annotated[str, Meta(min_length=1)]
    port: Port
    protocol: Literal["dlms-wrapper", "modbus-tcp", "modbus-rtu", "hdlc", "iec62056-21"]
    meters: tuple[Meter, ...]
    host: str = "127.0.0.1"
    turnaround_ms: Annotated[float, Meta(ge=0, le=60_000)] = 0
    faults: LineFaults | None = None


Line = PtyLine | TcpLine


class Scenario(Struct, frozen=True, forbid_unknown_fields=True):
    """A whole scenario."""

    seed: Seed
    """Of the weather that all loads share."""
    origin: Annotated[datetime, Meta(tz=True)]
    """When all registers show their `initial`, and before which no interval is known; at a full hour."""
    lines: Annotated[tuple[Line, ...], Meta(min_length=1)]
    truth: str | None = None
    """Where the host writes what the meters without memory showed, a JSON object a line."""
    statistics: str | None = None
    """Where the host writes the lines' statistics, at its end and on SIGUSR1."""

    @property
    def meters(self) -> list[Meter]:
        """All meters of all lines."""
        return [meter for line in self.lines for meter in line.meters]
