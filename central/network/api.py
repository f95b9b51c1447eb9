"""Routes of the network: concentrators, meters, evidence channels, channels, mappings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import func

from central.network import channels
from central.network.channel_overviews import CHANNELS, EVIDENCE_CHANNELS, MAPPINGS
from central.network.collections_api import router as collections_router
from central.network.control_api import router as control_router
from central.network.generated_api import router as generated_router
from central.network.lines_api import router as lines_router
from central.network.maintenance.order_api import router as order_router
from central.network.maintenance.plan_api import router as plan_router
from central.network.meters_api import router as meters_router
from central.network.points_api import router as points_router
from central.network.registers_api import router as registers_router
from central.network.tables import channel_mapping, evidence_channel
from central.network.topology_api import router as topology_router
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.reconcile import Outcome
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1", tags=["network"])
router.include_router(collections_router)
router.include_router(control_router)
router.include_router(registers_router)
router.include_router(meters_router)
router.include_router(lines_router)
router.include_router(generated_router)
router.include_router(topology_router)
router.include_router(points_router)
router.include_router(plan_router)
router.include_router(order_router)

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class EvidenceChannelIn(_Body):
    """A register of a meter as it is delivered."""

    meter: str
    register_: Annotated[str, Field(alias="register")]
    unit: str
    exponent: int = 0
    kind: Literal["interval", "state"] = "interval"
    step_s: int | None = None
    step_ms: int | None = None
    """Of a live series, instead of `step_s`."""
    min_value: int | None = None
    max_value: int | None = None


class EvidenceChannelOut(BaseModel):
    """A register as stored; `device` is the meter."""

    id: int
    concentrator: str
    device: str
    register_: Annotated[str, Field(alias="register")]
    unit: str
    exponent: int
    kind: str
    step_ms: int
    min_value: int | None
    max_value: int | None


class ChannelIn(_Body):
    """What is settled; `supply_point` is an EAN or EIC."""

    point: str
    direction: Literal["A+", "A-", "R+", "R-", "V", "VT", "NT", "JT"]
    commodity: Literal["electricity", "gas"]
    unit: str
    supply_point: str | None = None
    exponent: int = 0
    kind: Literal["interval", "state"] = "interval"
    step_s: int | None = None


class ChannelOut(BaseModel):
    """A channel as stored; `supply_point` is an id."""

    id: int
    supply_point: int | None
    point: str
    direction: str
    commodity: str
    unit: str
    exponent: int
    kind: str
    step_ms: int


class MappingIn(_Body):
    """A register feeds a channel from `since` until `until` (exclusive, null is open)."""

    meter: str
    register_: Annotated[str, Field(alias="register")]
    point: str
    direction: Literal["A+", "A-", "R+", "R-", "V", "VT", "NT", "JT"]
    since: AwareDatetime
    until: AwareDatetime | None = None
    kind: Literal["interval", "state"] = "interval"
    multiplier: int = Field(default=1, ge=1)
    sign: Literal[1, -1] = 1


class MappingOut(BaseModel):
    """A mapping as stored."""

    id: int
    evidence_channel: int
    channel: int
    multiplier: int
    sign: int
    since: datetime | None
    until: datetime | None
    concentrator: str
    meter: str
    register_: Annotated[str, Field(alias="register")]


@router.get("/evidence-channels", summary="Registers of meters")
def find_evidence_channels(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(EVIDENCE_CHANNELS.asked())],
) -> list[EvidenceChannelOut]:
    """What meters deliver, by meter and register; filtered, sorted, by pages."""
    page = EVIDENCE_CHANNELS.find(connection, asked)
    page.tell(request, response)
    return [EvidenceChannelOut(**row) for row in page.rows]


@router.post("/evidence-channels", status_code=201, summary="Create a register of a meter")
def create_evidence_channel(
    connection: Db, person: Operator, clock: Now, body: EvidenceChannelIn
) -> EvidenceChannelOut:
    """Refused when the meter has this register already."""
    details = body.model_dump(by_alias=True)
    what = f"{body.meter} {body.register_}"
    _created(channels.create_evidence_channels(connection, [details]), f"The register {what}")
    audit.record(connection, person, "evidence_channel.create", f"evidence_channel/{what}", details, clock.now())
    named = evidence_channel.c.device == body.meter, evidence_channel.c.register == body.register_
    return EvidenceChannelOut(**EVIDENCE_CHANNELS.find(connection, Asked(limit=1), *named).rows[0])


@router.get("/channels", summary="Channels by point and direction")
def find_channels(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(CHANNELS.asked())],
) -> list[ChannelOut]:
    """What is settled; filtered, sorted, by pages."""
    page = CHANNELS.find(connection, asked)
    page.tell(request, response)
    return [ChannelOut(**row) for row in page.rows]


@router.get("/channels/{identifier}", summary="One channel")
def get_channel(connection: Db, _: Reader, identifier: int) -> ChannelOut:
    """By its id."""
    return ChannelOut(**channels.require_channel(connection, identifier))


@router.post("/channels", status_code=201, summary="Create a channel")
def create_channel(connection: Db, person: Operator, clock: Now, body: ChannelIn) -> ChannelOut:
    """Refused when the point has this direction and kind already."""
    _created(channels.create_channels(connection, [body.model_dump()]), f"The channel {body.point} {body.direction}")
    row = channels.find_channels(connection, point=body.point, direction=body.direction, kind=body.kind)[0]
    audit.record(connection, person, "channel.create", f"channel/{row['id']}", body.model_dump(), clock.now())
    return ChannelOut(**row)


@router.get("/mappings", summary="Which register feeds which channel")
def find_mappings(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(MAPPINGS.asked())],
) -> list[MappingOut]:
    """With validity, multiplier and sign, oldest first; filtered, sorted, by pages."""
    page = MAPPINGS.find(connection, asked)
    page.tell(request, response)
    return [MappingOut(**row) for row in page.rows]


@router.post("/mappings", status_code=201, summary="Let a register feed a channel")
def create_mapping(connection: Db, person: Operator, clock: Now, body: MappingIn) -> MappingOut:
    """Refused when the validity overlaps another of the register or of the channel."""
    spec: Mapping[str, Any] = body.model_dump(by_alias=True)
    what = f"{body.meter} {body.register_} to {body.point} {body.direction}"
    _created(channels.create_mappings(connection, [spec]), f"The mapping of {what}")
    row = channels.find_channels(connection, point=body.point, direction=body.direction, kind=body.kind)[0]
    details = body.model_dump(mode="json", by_alias=True)
    audit.record(connection, person, "mapping.create", f"channel/{row['id']}", details, clock.now())
    made = channel_mapping.c.channel == row["id"], func.lower(channel_mapping.c.valid) == body.since
    return MappingOut(**MAPPINGS.find(connection, Asked(limit=1), *made).rows[0])


def _created(outcome: Outcome, what: str) -> None:
    if not outcome.inserted:
        raise Refused("exists", f"{what} is stored already; change it by its own act.")
