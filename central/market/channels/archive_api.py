"""Routes of the archive: everything that left and came, unchanged; who took a copy is on record."""

from datetime import UTC, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from sqlalchemy import RowMapping, func

from central.market.channels import archive, quota
from central.market.channels.allowed import Environment
from central.market.channels.port import Direction, Verdict
from central.market.channels.tables import market_archive
from central.platform import audit
from central.platform.errors import NotFound
from central.platform.identity import Person, require
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.web import Db, Now

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
Number = Annotated[int, Path(ge=1, lt=2**63)]

ARCHIVE = Overview(
    name="market_archive",
    source=market_archive,
    key=market_archive.c.id,
    joined=market_archive,
    columns=(
        Column("id", market_archive.c.id, Kind.INTEGER),
        Column("direction", market_archive.c.direction, Kind.CHOICE, tuple(Direction)),
        Column("channel", market_archive.c.channel),
        Column("environment", market_archive.c.environment, Kind.CHOICE, tuple(Environment)),
        Column("at", market_archive.c.at, Kind.INSTANT),
        Column("peer", market_archive.c.peer),
        Column("identity", market_archive.c.identity),
        Column("message_id", market_archive.c.message_id),
        Column("size", func.octet_length(market_archive.c.octets), Kind.INTEGER, sortable=False),
        Column("sha256", func.encode(market_archive.c.sha256, "hex"), sortable=False),
        Column("is_signed_apart", market_archive.c.signed.is_not(None), Kind.BOOLEAN, sortable=False),
        Column("certificate", market_archive.c.certificate),
        Column("verdict", market_archive.c.verdict, Kind.CHOICE, tuple(Verdict)),
        Column("why", market_archive.c.why),
    ),
    default_sort=(("id", True),),
)
Exchanges = Annotated[Asked, Depends(ARCHIVE.asked())]


@router.get("/archive", summary="What was sent and received")
def find_exchanges(db: Db, _: Reader, request: Request, response: Response, asked: Exchanges) -> list[dict[str, Any]]:
    """All octets that left or came, without them: when, by which channel, whose certificate signed them."""
    page = ARCHIVE.find(db, asked)
    page.tell(request, response)
    return [dict(row) for row in page.rows]


@router.get("/archive/{number}/octets", summary="Octets as they travelled", response_class=Response)
def get_octets(number: Number, db: Db, person: Reader, clock: Now) -> Response:
    """Exactly what went over the wire, with the signature in it; encrypted where it travelled so."""
    row = archive.require(db, number)
    return _download(db, person, clock, row, "octets", bytes(row["octets"]))


@router.get("/archive/{number}/signed", summary="The signed part", response_class=Response)
def get_signed(number: Number, db: Db, person: Reader, clock: Now) -> Response:
    """CMS SignedData (DER) of a mail, content and certificates in it; `openssl cms -verify -inform DER` checks it."""
    row = archive.require(db, number)
    if row["signed"] is None:
        raise NotFound(
            "nothing_signed_apart", f"The octets with the number {number} were not encrypted: see its octets instead."
        )
    return _download(db, person, clock, row, "signed", bytes(row["signed"]))


@router.get("/aside", summary="What was kept apart")
def find_aside(
    db: Db,
    _: Reader,
    after: Annotated[int, Query(ge=0, lt=2**63)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[dict[str, Any]]:
    """Mail that was neither signed nor encrypted: never processed, dropped after a while."""
    return [dict(row) for row in archive.find_aside(db, after, limit)]


@router.get("/unasked", summary="What strangers brought")
def find_unasked(
    db: Db, _: Reader, clock: Now, days: Annotated[int, Query(ge=1, le=3660)] = 30
) -> list[dict[str, Any]]:
    """By channel, kind and day: how much of it was kept, and what was over the quota and only counted."""
    since = clock.now().astimezone(UTC).date() - timedelta(days=days)
    return [dict(row) for row in quota.find(db, since)]


def _download(db: Db, person: Person, clock: Now, row: RowMapping, what: str, octets: bytes) -> Response:
    details = {"what": what, "sha256": bytes(row["sha256"]).hex()}
    audit.record(db, person, "market.archive.download", f"market_archive/{row['id']}", details, clock.now())
    headers = {"Content-Disposition": f'attachment; filename="market-{row["id"]}.{what}"'}
    return Response(octets, media_type="application/octet-stream", headers=headers)
