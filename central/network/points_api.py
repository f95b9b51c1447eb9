"""Routes of measuring points: boards, points, logical meters, mountings, instrument transformers, seals."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import func, select

from central.network import mountings, points, seals, transformers
from central.network.point_tables import board, measuring_point
from central.network.web import Body, Instant, Note, Operator, Reader, Reason, Text
from central.platform import audit
from central.platform.errors import Refused
from central.platform.etag import IfMatch, require_match, show
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now

router = APIRouter()

POINTS = Overview(
    "measuring points",
    source=measuring_point,
    joined=measuring_point.outerjoin(board, board.c.id == measuring_point.c.board),
    key=measuring_point.c.id,
    columns=(
        Column("name", measuring_point.c.name, searched=True),
        Column("commodity", measuring_point.c.commodity, Kind.CHOICE, ("electricity", "gas")),
        Column("several", measuring_point.c.several, Kind.BOOLEAN),
        Column("place", measuring_point.c.place, searched=True),
        Column("board", board.c.name),
    ),
    default_sort=(("name", False),),
    search=func.fold(measuring_point.c.name + " " + measuring_point.c.place),
)
_cabinet = board.alias("cabinet")
BOARDS = Overview(
    "boards",
    source=board,
    joined=board.outerjoin(_cabinet, _cabinet.c.id == board.c.within),
    key=board.c.id,
    columns=(
        Column("name", board.c.name),
        Column("kind", board.c.kind, Kind.CHOICE, ("cabinet", "board")),
        Column("within", _cabinet.c.name),
        Column("place", board.c.place),
    ),
    default_sort=(("name", False),),
    search=func.fold(board.c.name + " " + board.c.place),
)


class BoardIn(Body):
    """A board (deska) or a cabinet; `within` names the cabinet that it stands in."""

    name: Text
    kind: Literal["cabinet", "board"] = "board"
    within: Text | None = None
    place: Note = ""


class BoardOut(BaseModel):
    """A board as listed."""

    name: str
    kind: str
    within: str | None
    place: str


class PointIn(Body):
    """A measuring point; `several` allows more than one active meter."""

    name: Text
    commodity: Literal["electricity", "gas"]
    several: bool = False
    board: Text | None = None
    place: Note = ""


class PointRevision(Body):
    """What is said of a measuring point from now on."""

    several: bool = False
    board: Text | None = None
    place: Note = ""
    reason: Reason


class PointRow(BaseModel):
    """A measuring point as listed."""

    name: str
    commodity: str
    several: bool
    place: str
    board: str | None


class LogicalMeterIn(Body):
    """A logical meter: what is settled at a measuring point."""

    name: Text
    measuring_point: Text


class LogicalMeterOut(BaseModel):
    """A logical meter with the ids of its channels."""

    name: str
    commodity: str
    channels: list[int]


class MountingOut(BaseModel):
    """A meter at a measuring point; `since` null: ever, `until` null: it hangs there."""

    meter: str
    measuring_point: str
    since: datetime | None
    until: datetime | None


class TransformerIn(Body):
    """An instrument transformer: MTP (A) or MTN (V); `phase` all: one for all phases."""

    kind: Literal["MTP", "MTN"]
    phase: Literal["L1", "L2", "L3", "all"] = "all"
    model: Text
    serial: Text
    primary_value: Annotated[int, Field(ge=1, le=1_000_000)]
    secondary_value: Annotated[int, Field(ge=1, le=1_000_000)]
    accuracy_class: Text = "0.5S"


class TransformerOut(BaseModel):
    """A transformer at its point."""

    measuring_point: str
    kind: str
    phase: str
    model: str
    serial: str
    primary_value: int
    secondary_value: int
    accuracy_class: str
    since: datetime | None
    until: datetime | None


class SealIn(Body):
    """A seal that is put on."""

    number: Text
    kind: Literal["terminal", "meter", "transformer", "cabinet", "breaker"]
    meter: Text | None = None
    at: Instant


class SealOff(Body):
    """When a seal is taken off."""

    at: Instant
    reason: Reason


class SealOut(BaseModel):
    """A seal and who put it on and took it off."""

    number: str
    kind: str
    measuring_point: str
    meter: str | None
    mounted_at: datetime
    mounted_by: str
    removed_at: datetime | None
    removed_by: str | None


class PointOut(PointRow):
    """A measuring point with what hangs there."""

    logical_meters: list[LogicalMeterOut]
    mountings: list[MountingOut]
    transformers: list[TransformerOut]
    seals: list[SealOut]


@router.get("/boards", summary="Boards and cabinets")
def find_boards(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(BOARDS.asked())]
) -> list[BoardOut]:
    """Filtered, sorted, by pages."""
    page = BOARDS.find(connection, asked)
    page.tell(request, response)
    return [BoardOut(**row) for row in page.rows]


@router.post("/boards", status_code=201, summary="Create a board or a cabinet")
def create_board(connection: Db, person: Operator, clock: Now, body: BoardIn) -> BoardIn:
    """Refused when the name is in use."""
    if not points.create_boards(connection, [body.model_dump()]).inserted:
        raise Refused("exists", f"The board {body.name} is stored already.")
    audit.record(connection, person, "board.create", f"board/{body.name}", body.model_dump(), clock.now())
    return body


@router.get("/measuring-points", summary="Measuring points")
def find_points(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(POINTS.asked())]
) -> list[PointRow]:
    """Filtered, sorted, by pages."""
    page = POINTS.find(connection, asked)
    page.tell(request, response)
    return [PointRow(**row) for row in page.rows]


@router.post("/measuring-points", status_code=201, summary="Create a measuring point with its logical meter")
def create_point(connection: Db, person: Operator, clock: Now, response: Response, body: PointIn) -> PointOut:
    """Refused when the name is in use."""
    if not points.create_points(connection, [body.model_dump()]).inserted:
        raise Refused("exists", f"The measuring point {body.name} is stored already; revise it.")
    audit.record(
        connection, person, "measuring_point.create", f"measuring_point/{body.name}", body.model_dump(), clock.now()
    )
    return _shown(connection, response, body.name)


@router.get("/measuring-points/{name:path}/mountings", summary="Which meters hung at a point")
def find_mountings(connection: Db, _: Reader, name: str) -> list[MountingOut]:
    """Oldest first."""
    points.require_point(connection, name)
    return [MountingOut(**row) for row in mountings.find_mountings(connection, point=name)]


@router.get("/measuring-points/{name:path}/seals", summary="Seals of a point")
def find_seals(connection: Db, _: Reader, name: str) -> list[SealOut]:
    """Those that are on first."""
    points.require_point(connection, name)
    return [SealOut(**row) for row in seals.find_seals(connection, name)]


@router.post("/measuring-points/{name:path}/seals", status_code=201, summary="Put a seal on")
def put_seal_on(connection: Db, person: Operator, clock: Now, name: str, body: SealIn) -> SealOut:
    """A number is used once."""
    after = SealOut(**seals.put_on(connection, body.number, body.kind, name, body.meter, person, body.at))
    audit.record(connection, person, "seal.put_on", f"seal/{body.number}", {}, clock.now(), after=after.model_dump())
    return after


@router.post("/measuring-points/{name:path}/seals/{number}/removal", summary="Take a seal off")
def take_seal_off(connection: Db, person: Operator, clock: Now, name: str, number: str, body: SealOff) -> SealOut:
    """Refused where it is on elsewhere, or off."""
    before = SealOut(**seals.require_seal(connection, number)).model_dump()
    after = SealOut(**seals.take_off(connection, number, name, person, body.at))
    now, subject = clock.now(), f"seal/{number}"
    audit.record(
        connection, person, "seal.take_off", subject, {}, now, before=before, after=after.model_dump(), why=body.reason
    )
    return after


@router.get("/measuring-points/{name:path}/transformers", summary="Instrument transformers of a point")
def find_transformers(connection: Db, _: Reader, name: str) -> list[TransformerOut]:
    """Oldest first."""
    points.require_point(connection, name)
    return [TransformerOut(**row) for row in transformers.find_transformers(connection, point=name)]


@router.post("/measuring-points/{name:path}/logical-meters", status_code=201, summary="Create a logical meter")
def create_logical_meter(
    connection: Db, person: Operator, clock: Now, name: str, body: LogicalMeterIn
) -> list[LogicalMeterOut]:
    """Gives all logical meters of the point."""
    point = points.require_point(connection, name)
    if body.measuring_point != name:
        raise Refused("measuring_point", f"The body names the point {body.measuring_point}, the address {name}.")
    spec = {**body.model_dump(), "commodity": point["commodity"]}
    if not points.create_logical_meters(connection, [spec]).inserted:
        raise Refused("exists", f"The logical meter {body.name} is stored already.")
    audit.record(connection, person, "logical_meter.create", f"logical_meter/{body.name}", spec, clock.now())
    return [LogicalMeterOut(**row) for row in points.find_logical_meters(connection, name)]


@router.get("/measuring-points/{name:path}", summary="One measuring point")
def get_point(connection: Db, _: Reader, response: Response, name: str) -> PointOut:
    """With its logical meters, mountings, transformers and seals; its tag is in the header ETag."""
    return _shown(connection, response, name)


@router.patch("/measuring-points/{name:path}", summary="Revise a measuring point")
def revise_point(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    name: str,
    body: PointRevision,
    if_match: IfMatch = None,
) -> PointOut:
    """If-Match says which state was seen. Refused where two meters hang and one is to be allowed."""
    points.require_point(connection, name, lock=True)
    before = _whole(connection, name)
    require_match(if_match, before, f"the measuring point {name}")
    points.revise_point(connection, name, several=body.several, board_name=body.board, place=body.place)
    after = _whole(connection, name)
    audit.record(
        connection,
        person,
        "measuring_point.revise",
        f"measuring_point/{name}",
        {},
        clock.now(),
        before={key: before[key] for key in PointRow.model_fields},
        after={key: after[key] for key in PointRow.model_fields},
        why=body.reason,
    )
    return _shown(connection, response, name)


def _shown(connection: Db, response: Response, name: str) -> PointOut:
    whole = _whole(connection, name)
    show(response, whole)
    return PointOut(**whole)


def _whole(connection: Db, name: str) -> dict[str, Any]:
    row = points.require_point(connection, name)
    board_name = None
    if row["board"] is not None:
        board_name = connection.execute(select(board.c.name).where(board.c.id == row["board"])).scalar_one()
    return {
        "name": row["name"],
        "commodity": row["commodity"],
        "several": row["several"],
        "place": row["place"],
        "board": board_name,
        "logical_meters": points.find_logical_meters(connection, name),
        "mountings": [dict(each) for each in mountings.find_mountings(connection, point=name)],
        "transformers": [_without_id(each) for each in transformers.find_transformers(connection, point=name)],
        "seals": [dict(each) for each in seals.find_seals(connection, name)],
    }


def _without_id(row: Any) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "id"}
