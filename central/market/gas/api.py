"""Routes of gas data that wait for the operator's schemas: what there is, and the month as CSV."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import Engine

from central.market.gas.waiting import WHY, csv_pieces, find_waiting
from central.market.months import data_month_of
from central.platform.identity import Person, require
from central.platform.web import Db

router = APIRouter(prefix="/gas/waiting")
Reader = Annotated[Person, Depends(require("read"))]
Month = Annotated[str, Query(description="2026-03")]


class WaitingOut(BaseModel):
    """A channel's month: days with a version, hours without a value, volume in m3 of the others."""

    eic: str
    metering_type: str | None
    channel: int
    days: int
    missing: int
    volume_m3: Decimal


class WaitingMonth(BaseModel):
    """What waits of a month, and why."""

    month: date
    why: str
    channels: list[WaitingOut]


@router.get("")
def waiting(
    connection: Db,
    _: Reader,
    month: Month,
    after: Annotated[str, Query(max_length=16, pattern="^[0-9A-Z-]*$", description="EIC of the last point seen")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> WaitingMonth:
    """Meter data of gas that are not sent, by EIC; a page ends with a whole point."""
    first = data_month_of(month)
    found = find_waiting(connection, first, after, limit)
    return WaitingMonth(month=first, why=WHY, channels=[WaitingOut(**asdict(one)) for one in found])


@router.get(
    "/csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
)
def waiting_csv(request: Request, _: Reader, month: Month) -> StreamingResponse:
    """The month as CSV, a row an hour; days without a version are left out, a missing value is empty."""
    first = data_month_of(month)
    headers = {"Content-Disposition": f'attachment; filename="gas-{first:%Y-%m}.csv"'}
    pieces = _pieces(request.app.state.engine, first)
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _pieces(engine: Engine, month: date) -> Iterator[bytes]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield from csv_pieces(connection, month)
