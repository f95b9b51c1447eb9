"""Routes of lines: modems, buses, where meters answer."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from central.network import generated, lines
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


def _bus(connection: Db, response: Response, concentrator: str, name: str) -> BusOut:
    require_concentrator(connection, concentrator)
    row = lines.require_bus(connection, concentrator, name)
    serial = None
    if row["modem"] is not None:
        serial = connection.execute(select(modem.c.serial).where(modem.c.id == row["modem"])).scalar_one()
    found = BusOut(**{**row, "modem": serial})
    show(response, found.model_dump())
    return found
