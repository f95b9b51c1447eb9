"""Routes of gas data that wait for the operator's schemas: what there is, the month as CSV, its handing over."""

import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import IO, Annotated, Final

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy import Engine

from central.market.gas.by_hand import hand_over
from central.market.gas.waiting import WHY, csv_pieces, find_waiting
from central.market.months import data_month_of
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter(prefix="/gas/waiting")
Reader = Annotated[Person, Depends(require("read"))]
Actor = Annotated[Person, Depends(require("market"))]
_IN_MEMORY: Final = 8_000_000
_PIECE: Final = 1 << 16
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
    return _file(_pieces(request.app.state.engine, first), first)


@router.post(
    "/csv",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string", "format": "binary"}}}}},
)
def hand_over_csv(connection: Db, person: Actor, clock: Now, month: Month) -> StreamingResponse:
    """The same file to be given to the market operator: duties of the month whose data are whole are done by it.

    The header X-Handed-Over says how many; who did it and when stands at each of them and in the audit.
    """
    first = data_month_of(month)
    kept = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - the answer closes it when it has left
    for piece in csv_pieces(connection, first):
        kept.write(piece)
    marked = hand_over(connection, first, clock.now(), person)
    kept.seek(0)
    answer = _file(_read(kept), first)
    answer.headers["X-Handed-Over"] = str(marked)
    return answer


def _read(kept: IO[bytes]) -> Iterator[bytes]:
    with kept:
        while piece := kept.read(_PIECE):
            yield piece


def _file(pieces: Iterator[bytes], month: date) -> StreamingResponse:
    headers = {"Content-Disposition": f'attachment; filename="gas-{month:%Y-%m}.csv"'}
    return StreamingResponse(pieces, media_type="text/csv; charset=utf-8", headers=headers)


def _pieces(engine: Engine, month: date) -> Iterator[bytes]:
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        yield from csv_pieces(connection, month)
