"""Routes of lines: modems, buses, where meters answer, templates, keys, generated configurations."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from central.network import generated, lines, meter_keys, meter_templates
from central.network.line_tables import MODEM_KINDS, PROTOCOLS, bus, modem
from central.network.meters import require_concentrator, require_meter
from central.network.web import Body, Instant, Note, Operator, Reader, Reason, Store, Text, Tree
from central.platform import audit
from central.platform.errors import Refused
from central.platform.etag import IfMatch, require_match, show
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now

router = APIRouter()

Protocol = Literal["hdlc", "dlms-wrapper", "modbus-rtu", "modbus-tcp", "iec62056-21"]

MODEMS = Overview(
    "modems",
    source=modem,
    key=modem.c.id,
    columns=(
        Column("serial", modem.c.serial),
        Column("model", modem.c.model),
        Column("kind", modem.c.kind, Kind.CHOICE, MODEM_KINDS),
        Column("iccid", modem.c.iccid),
        Column("phone", modem.c.phone),
        Column("place", modem.c.place),
    ),
    default_sort=(("serial", False),),
    search=func.fold(modem.c.serial + " " + modem.c.place),
)
BUSES = Overview(
    "buses",
    source=bus,
    joined=bus.outerjoin(modem, modem.c.id == bus.c.modem),
    key=bus.c.id,
    columns=(
        Column("concentrator", bus.c.concentrator),
        Column("name", bus.c.name),
        Column("protocol", bus.c.protocol, Kind.CHOICE, PROTOCOLS),
        Column("link_kind", bus.c.link["kind"].astext, Kind.CHOICE, ("serial", "tcp")),
        Column("phase_ms", bus.c.phase_ms, Kind.INTEGER),
        Column("modem", modem.c.serial),
    ),
    default_sort=(("concentrator", False), ("name", False)),
)


class Modem(Body):
    """A modem; `iccid` of its SIM card."""

    serial: Text
    model: Text
    kind: Literal["gsm", "lte", "nb-iot", "plc", "radio", "ethernet"]
    iccid: Text | None = None
    phone: Text | None = None
    place: Note = ""


class BusFacts(Body):
    """A bus: `link` as in a concentrator's configuration, `modem` by serial number."""

    protocol: Protocol
    link: Tree
    phase_ms: Annotated[int, Field(ge=0, lt=60_000)] = 0
    modem: Text | None = None


class BusIn(BusFacts):
    """A bus with its name."""

    name: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class BusRevision(BusFacts):
    """What a bus is from now on."""

    reason: Reason


class BusRow(BaseModel):
    """A bus as listed."""

    concentrator: str
    name: str
    protocol: str
    link_kind: str
    phase_ms: int
    modem: str | None


class BusOut(BaseModel):
    """A bus as stored."""

    concentrator: str
    name: str
    protocol: str
    link: dict[str, Any]
    phase_ms: int
    modem: str | None


class AttachmentIn(Body):
    """Where a meter answers from `since` on; `channel` tells meters on M-Bus behind one address apart."""

    concentrator: Text
    bus: Text
    address: Tree
    template: Text
    since: Instant
    overrides: Tree = Field(default_factory=dict)
    channel: Annotated[int, Field(ge=0, le=255)] = 0
    reason: Reason


class AttachmentOut(BaseModel):
    """Where a meter answers and answered."""

    meter: str
    concentrator: str
    bus: str
    address: dict[str, Any]
    template: str
    overrides: dict[str, Any]
    since: datetime | None
    until: datetime | None


class Detachment(Body):
    """Since when a meter is not read any more."""

    at: Instant
    reason: Reason


class TemplateIn(Body):
    """A template by meter type; its shape is checked as data."""

    template: Tree
    reason: Reason


class TemplateOut(BaseModel):
    """A template with the registers that it delivers."""

    name: str
    template: dict[str, Any]
    registers: list[dict[str, Any]]


class KeyIn(Body):
    """A meter's key, `hex:` and 32 digits; stored encrypted and shown nowhere."""

    secret: Annotated[str, Field(max_length=200, repr=False)]
    reason: Reason


class KeyOut(BaseModel):
    """What is known of a key; never the key."""

    field: str
    version: int
    set_at: datetime
    set_by: str
    replaced_at: datetime | None


class Management(Body):
    """The registry makes the configuration; `settings` are its fields that are no meter's."""

    settings: Tree = Field(default_factory=dict)
    reason: Reason


class Release(Body):
    """Why the configuration is made by hand again."""

    reason: Reason


class Preview(BaseModel):
    """What the registry would have a concentrator run; keys by meter, field and version."""

    concentrator: str
    managed: bool
    at: datetime
    number: int | None
    configuration: dict[str, Any]
    differences: list[dict[str, Any]]
    problems: list[str]


@router.get("/modems", summary="Modems")
def find_modems(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(MODEMS.asked())]
) -> list[Modem]:
    """Filtered, sorted, by pages."""
    page = MODEMS.find(connection, asked)
    page.tell(request, response)
    return [Modem(**row) for row in page.rows]


@router.post("/modems", status_code=201, summary="Create a modem")
def create_modem(connection: Db, person: Operator, clock: Now, body: Modem) -> Modem:
    """Refused when the serial number is in use."""
    if not lines.create_modems(connection, [body.model_dump()]).inserted:
        raise Refused("exists", f"The modem {body.serial} is stored already.")
    audit.record(connection, person, "modem.create", f"modem/{body.serial}", body.model_dump(), clock.now())
    return body


@router.get("/buses", summary="Buses of concentrators")
def find_buses(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(BUSES.asked())]
) -> list[BusRow]:
    """Filtered, sorted, by pages."""
    page = BUSES.find(connection, asked)
    page.tell(request, response)
    return [BusRow(**row) for row in page.rows]


@router.post("/concentrators/{identifier}/buses", status_code=201, summary="Create a bus")
def create_bus(
    connection: Db, person: Operator, clock: Now, response: Response, identifier: str, body: BusIn
) -> BusOut:
    """Refused when the concentrator has a bus of this name."""
    spec = {**body.model_dump(), "concentrator": identifier}
    if not lines.create_buses(connection, [spec]).inserted:
        raise Refused("exists", f"The bus {body.name} of {identifier} is stored already; revise it.")
    audit.record(connection, person, "bus.create", f"bus/{identifier}/{body.name}", spec, clock.now())
    return _bus(connection, response, identifier, body.name)


@router.get("/concentrators/{identifier}/buses/{name}", summary="One bus")
def get_bus(connection: Db, _: Reader, response: Response, identifier: str, name: str) -> BusOut:
    """Its tag is in the header ETag."""
    return _bus(connection, response, identifier, name)


@router.put("/concentrators/{identifier}/buses/{name}", summary="Revise a bus")
def revise_bus(
    connection: Db,
    person: Operator,
    clock: Now,
    store: Store,
    response: Response,
    identifier: str,
    name: str,
    body: BusRevision,
    if_match: IfMatch = None,
) -> BusOut:
    """If-Match says which state was seen. A managed concentrator gets a new configuration."""
    lines.require_bus(connection, identifier, name, lock=True)
    before = _bus(connection, response, identifier, name).model_dump()
    require_match(if_match, before, f"the bus {name} of {identifier}")
    spec = {**body.model_dump(exclude={"reason"}), "concentrator": identifier, "name": name}
    lines.revise_bus(connection, spec)
    after = _bus(connection, response, identifier, name)
    now, subject = clock.now(), f"bus/{identifier}/{name}"
    audit.record(
        connection, person, "bus.revise", subject, {}, now, before=before, after=after.model_dump(), why=body.reason
    )
    generated.regenerate(connection, store, [identifier], body.reason, person, now)
    return after


@router.get("/meters/{identifier}/attachments", summary="Where a meter answers and answered")
def find_attachments(connection: Db, _: Reader, identifier: str) -> list[AttachmentOut]:
    """Oldest first."""
    require_meter(connection, identifier)
    return [AttachmentOut(**row) for row in lines.find_attachments(connection, meter=identifier)]


@router.post("/meters/{identifier}/attachments", status_code=201, summary="Let a meter answer at an address")
def attach(
    connection: Db, person: Operator, clock: Now, store: Store, identifier: str, body: AttachmentIn
) -> list[AttachmentOut]:
    """Refused where the address is another's or the meter answers elsewhere, naming both sides."""
    spec = {**body.model_dump(exclude={"reason"}), "meter": identifier}
    lines.attach(connection, spec)
    now = clock.now()
    details = {**body.model_dump(mode="json"), "meter": identifier}
    audit.record(connection, person, "meter.attach", f"meter/{identifier}", details, now, why=body.reason)
    generated.regenerate(connection, store, [body.concentrator], body.reason, person, now)
    return find_attachments(connection, person, identifier)


@router.post("/meters/{identifier}/detachment", summary="Stop reading a meter")
def detach(
    connection: Db, person: Operator, clock: Now, store: Store, identifier: str, body: Detachment
) -> list[AttachmentOut]:
    """It answers nowhere from `at` on."""
    require_meter(connection, identifier)
    concentrator = lines.detach(connection, identifier, body.at)
    if concentrator is None:
        raise Refused("not_attached", f"The meter {identifier} is attached to no bus at {body.at.isoformat()}.")
    now, details = clock.now(), body.model_dump(mode="json")
    audit.record(connection, person, "meter.detach", f"meter/{identifier}", details, now, why=body.reason)
    generated.regenerate(connection, store, [concentrator], body.reason, person, now)
    return find_attachments(connection, person, identifier)


@router.get("/meter-templates", summary="Templates by meter type")
def find_templates(connection: Db, _: Reader, model: str | None = None) -> list[TemplateOut]:
    """Shipped ones and those of this installation; of one model, or all."""
    found = meter_templates.find_templates(connection)
    return [_template(name, each) for name, each in found.items() if model is None or model in each.models]


@router.get("/meter-templates/{name}", summary="One template")
def get_template(connection: Db, _: Reader, response: Response, name: str) -> TemplateOut:
    """Its tag is in the header ETag."""
    found = _template(name, meter_templates.require_template(connection, name))
    show(response, found.model_dump())
    return found


@router.put("/meter-templates/{name}", summary="Store a template")
def put_template(
    connection: Db,
    person: Operator,
    clock: Now,
    store: Store,
    response: Response,
    name: str,
    body: TemplateIn,
    if_match: IfMatch = None,
) -> TemplateOut:
    """One that is there needs If-Match. Managed concentrators with meters that it reads get new configurations."""
    before = meter_templates.find_templates(connection).get(name)
    if before is not None:
        require_match(if_match, _template(name, before).model_dump(), f"the meter template {name}")
    now = clock.now()
    stored = meter_templates.put_template(connection, name, body.template, person, now)
    audit.record(
        connection,
        person,
        "meter_template.put",
        f"meter_template/{name}",
        {},
        now,
        before=None if before is None else msgspec.to_builtins(before),
        after=msgspec.to_builtins(stored),
        why=body.reason,
    )
    touched = {row["concentrator"] for row in lines.find_attachments(connection) if row["template"] == name}
    generated.regenerate(connection, store, touched, body.reason, person, now)
    found = _template(name, stored)
    show(response, found.model_dump())
    return found


@router.get("/meters/{identifier}/keys", summary="What is known of a meter's keys")
def find_keys(connection: Db, _: Reader, identifier: str) -> list[KeyOut]:
    """Versions, when and by whom; no key."""
    require_meter(connection, identifier)
    return [KeyOut(**row) for row in meter_keys.find_keys(connection, identifier)]


@router.put("/meters/{identifier}/keys/{field}", status_code=201, summary="Set a meter's key")
def set_key(
    connection: Db, person: Operator, clock: Now, store: Store, identifier: str, field: str, body: KeyIn
) -> list[KeyOut]:
    """The one before is kept as replaced; the concentrator gets the new one sealed, in a new configuration."""
    now = clock.now()
    meter_keys.set_key(connection, store, identifier, field, body.secret, person, now)
    at_work = {row["concentrator"] for row in lines.find_attachments(connection, meter=identifier)}
    generated.regenerate(connection, store, at_work, body.reason, person, now)
    return find_keys(connection, person, identifier)


@router.put("/concentrators/{identifier}/management", summary="Let the registry make the configuration")
def manage(connection: Db, person: Operator, clock: Now, store: Store, identifier: str, body: Management) -> Preview:
    """From now on every change of its meters, buses and keys makes a new number."""
    generated.manage(connection, store, identifier, body.settings, body.reason, person, clock.now())
    return Preview(**generated.preview(connection, identifier, clock.now()))


@router.post("/concentrators/{identifier}/management/release", summary="Make the configuration by hand again")
def release(connection: Db, person: Operator, clock: Now, identifier: str, body: Release) -> Preview:
    """What runs goes on."""
    generated.release(connection, identifier, body.reason, person, clock.now())
    return Preview(**generated.preview(connection, identifier, clock.now()))


@router.get("/concentrators/{identifier}/generated-configuration", summary="What the registry would have it run")
def preview(connection: Db, _: Reader, clock: Now, identifier: str, at: Instant | None = None) -> Preview:
    """At an instant (now), with what differs from what was generated last, and what the schema would refuse."""
    return Preview(**generated.preview(connection, identifier, at or clock.now()))


def _bus(connection: Db, response: Response, concentrator: str, name: str) -> BusOut:
    require_concentrator(connection, concentrator)
    row = lines.require_bus(connection, concentrator, name)
    serial = None
    if row["modem"] is not None:
        serial = connection.execute(select(modem.c.serial).where(modem.c.id == row["modem"])).scalar_one()
    found = BusOut(**{**row, "modem": serial})
    show(response, found.model_dump())
    return found


def _template(name: str, template: meter_templates.MeterTemplate) -> TemplateOut:
    registers = [msgspec.to_builtins(each) for each in meter_templates.registers_of(name, template)]
    return TemplateOut(name=name, template=msgspec.to_builtins(template), registers=registers)
