"""Schema of a site file: the whole registry and network of one local distribution system as JSON.

Things name each other by the names of the field, never by database ids: parties by `code`, supply points by `ean`
(EAN 18 or EIC), contracts by `number`, concentrators and meters by `id`, evidence channels by (meter, register),
channels by (point, direction, kind). Unknown fields are refused. Decimals may be numbers or texts; instants carry an
offset; dates are ISO. `valid_to` and `until` are exclusive, null means open.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

import msgspec

from central.platform.errors import BadInput

Commodity = Literal["electricity", "gas"]
Kind = Literal["interval", "state"]
Direction = Literal["A+", "A-", "R+", "R-", "V", "VT", "NT", "JT"]
Protocol = Literal["hdlc", "dlms-wrapper", "modbus-rtu", "modbus-tcp", "iec62056-21"]
Role = Literal["operator", "customer", "supplier", "balance_responsible", "superior_distributor", "market_operator"]


class Party(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Licence holder, customer or payer, supplier, superior distributor, market operator; `role` or several `roles`."""

    code: str
    name: str
    street: str
    city: str
    postal_code: str
    role: Role | None = None
    roles: list[Role] = []
    country: str = "CZ"
    ico: str | None = None
    dic: str | None = None
    ean13: str | None = None
    eic: str | None = None
    iban: str | None = None
    licence: str | None = None
    registration: str | None = None
    vat_payer: bool = True
    email: str | None = None
    superior: str | None = None
    """Code of the superior distributor (of an operator)."""


class SupplyPoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Odběrné nebo předávací místo; `voltage_level` only for electricity."""

    ean: str
    name: str
    object: str
    street: str
    city: str
    postal_code: str
    commodity: Commodity
    operator: str
    """Code of the licence holder."""
    supplier: str | None = None
    point_type: Literal["consumption", "production", "entry"] = "consumption"
    voltage_level: Literal["VVN", "VN", "NN"] | None = None
    metering_type: Literal["A", "B", "C1", "C2", "C3", "C4"] | None = None
    category: Literal["household", "business"] = "business"
    load_profile_class: str | None = None


class ContractItem(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Položka smlouvy: one supply point; its validity lies within the contract's (the default)."""

    supply_point: str
    prices: str
    """Price list's operator in the legislative package: "CEZ", "GASNET", ..."""
    rate: str | None = None
    breaker_phases: Literal[1, 3] | None = None
    breaker_amps: int | None = None
    reserved_capacity_year_kw: Decimal | None = None
    reserved_capacity_month_kw: Decimal | None = None
    reserved_input_kw: Decimal | None = None
    annual_mwh: Decimal | None = None
    gas_daily_capacity_m3: Decimal | None = None
    unmetered_w: Decimal | None = None
    unmetered_flat: bool = False
    valid_from: date | None = None
    valid_to: date | None = None


class Contract(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Smlouva with its items; `payer` defaults to the customer."""

    number: str
    kind: Literal["connection", "distribution", "framework", "combined", "supply", "purchase"]
    customer: str
    payer: str | None = None
    valid_from: date
    valid_to: date | None = None
    items: list[ContractItem]


class Concentrator(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Koncentrátor; `id` is the edge id on the wire."""

    id: str
    name: str
    place: str


class Meter(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Měřidlo; `id` is the device id on the wire."""

    id: str
    serial: str
    model: str
    commodity: Commodity
    concentrator: str
    place: str = ""


class EvidenceChannel(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A register as the concentrator delivers it: `register` is the name on the wire; values are unit x 10^exponent."""

    meter: str
    register: str
    unit: str
    exponent: int = 0
    kind: Kind = "interval"
    step_s: int | None = None
    """Default: 900 for electricity, 3600 for gas intervals; 0 for states."""
    min_value: int | None = None
    max_value: int | None = None


class RegisterVersion(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Číselník: what is on the face of a register that delivers states; unit and exponent default to its own."""

    meter: str
    register: str
    digits: int
    """Before it rolls over; the last one counts in unit x 10^exponent."""
    since: datetime
    until: datetime | None = None
    unit: str | None = None
    exponent: int | None = None
    multiplier: int = 1
    """Constant of the instrument transformers."""
    tariff: Literal["VT", "NT", "JT"] | None = None
    obis: str | None = None


class Channel(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What is settled: `point` is the metering point's name, unique together with direction and kind."""

    point: str
    direction: Direction
    commodity: Commodity
    unit: str
    supply_point: str | None = None
    exponent: int = 0
    kind: Kind = "interval"
    step_s: int | None = None


class Mapping(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Which register feeds which channel; `kind` is the channel's (and the register's)."""

    meter: str
    register: str
    point: str
    direction: Direction
    since: datetime
    until: datetime | None = None
    kind: Kind = "interval"
    multiplier: int = 1
    sign: Literal[1, -1] = 1


class Board(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Deska nebo rozvaděč; `within` names the cabinet that it stands in, which comes before it."""

    name: str
    kind: Literal["cabinet", "board"] = "board"
    within: str | None = None
    place: str = ""


class MeasuringPoint(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Měřicí místo; one that only channels name needs no entry here."""

    name: str
    commodity: Commodity
    several: bool = False
    """More than one active meter may hang here."""
    board: str | None = None
    place: str = ""


class Mounting(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Osazení: which meter hangs where. A meter without any hangs where the channels are that it feeds."""

    meter: str
    measuring_point: str
    since: datetime
    until: datetime | None = None


class Bus(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Sběrnice: `link` as in a concentrator's configuration."""

    concentrator: str
    name: str
    protocol: Protocol
    link: dict[str, Any]
    phase_ms: int = 0


class Attachment(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Where a meter answers, and by which template it is read."""

    meter: str
    concentrator: str
    bus: str
    address: dict[str, Any]
    template: str
    since: datetime
    until: datetime | None = None
    channel: int = 0
    overrides: dict[str, Any] = {}


class NetworkElement(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Prvek sítě in its state since a day, from which on `fed_from` feeds it; what feeds comes first."""

    name: str
    kind: Literal["node", "feeder", "transformer"]
    state: Literal["planned", "built", "in_service", "withdrawn"]
    since: date
    fed_from: str | None = None
    project: str = ""
    place: str = ""
    rated_kva: int | None = None


class PointSupply(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What a measuring point hangs behind: an element, the meter of another point, or both."""

    measuring_point: str
    since: datetime
    element: str | None = None
    parent: str | None = None


class Site(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """A whole site. Sections may be empty: what they name may already be in the database."""

    name: str
    parties: list[Party] = []
    supply_points: list[SupplyPoint] = []
    contracts: list[Contract] = []
    concentrators: list[Concentrator] = []
    meters: list[Meter] = []
    evidence_channels: list[EvidenceChannel] = []
    register_versions: list[RegisterVersion] = []
    channels: list[Channel] = []
    mappings: list[Mapping] = []
    boards: list[Board] = []
    measuring_points: list[MeasuringPoint] = []
    mountings: list[Mounting] = []
    buses: list[Bus] = []
    attachments: list[Attachment] = []
    network_elements: list[NetworkElement] = []
    point_supplies: list[PointSupply] = []


def read_site(content: bytes) -> Site:
    """Decode and check the form of a site file; BadInput names the place of the first fault."""
    try:
        return msgspec.json.decode(content, type=Site)
    except msgspec.DecodeError as error:
        raise BadInput("site_file", f"The site file does not follow its schema: {error}. Correct it there.") from None


def write_site(site: Site) -> bytes:
    """The site as indented JSON, defaults included."""
    return msgspec.json.format(msgspec.json.encode(site), indent=1)
