"""Routes of rates and breakers that billing data (DUF) said: every span with its source, and what stands of them."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from sqlalchemy import func

from central.market.received_tables import received_tariff
from central.market.received_tariffs import standing_tariffs
from central.market.tables import market_inbox
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.overview import Asked, Column, Kind, Overview
from central.platform.plain import plain
from central.platform.web import Db

router = APIRouter(prefix="/received-tariffs", tags=["market"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""

Reader = Annotated[Person, Depends(require("read"))]
Day = Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2200, 1, 1))]
_tariff = received_tariff.c
OVERVIEW = Overview(
    name="received tariffs",
    source=received_tariff,
    key=_tariff.id,
    joined=received_tariff.join(market_inbox, market_inbox.c.id == _tariff.inbox),
    columns=(
        Column("id", _tariff.id, Kind.INTEGER),
        Column("inbox", _tariff.inbox, Kind.INTEGER),
        Column("message_id", market_inbox.c.message_id),
        Column("sender", market_inbox.c.sender),
        Column("received_at", market_inbox.c.received_at, Kind.INSTANT),
        Column("document", _tariff.document),
        Column("segment", _tariff.segment),
        Column("concerns", _tariff.concerns),
        Column("point_code", _tariff.point_code),
        Column("supply_point", _tariff.supply_point, Kind.INTEGER),
        Column("first_day", func.lower(_tariff.valid), Kind.DATE),
        Column("end_day", func.upper(_tariff.valid), Kind.DATE),
        Column("rate", _tariff.rate),
        Column("breaker_phases", _tariff.breaker_phases, Kind.INTEGER),
        Column("breaker_amps", _tariff.breaker_amps, Kind.DECIMAL),
    ),
    default_sort=(("point_code", False), ("first_day", False), ("id", False)),
)


@router.get("", summary="Rates and breakers of billing data received: filter, sort, page")
def find_received_tariffs(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(OVERVIEW.asked())]
) -> list[dict[str, Any]]:
    """Every span as it came, with its message; `end_day` is exclusive."""
    page = OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [plain(row) for row in page.rows]


@router.get("/standing", summary="Rate and breaker of a point over time, as the billing data say")
def find_standing_tariffs(
    connection: Db,
    _: Reader,
    point: Annotated[str, Query(pattern=r"^[0-9A-Z-]{16,18}$", description="EAN")],
    first: Day,
    stop: Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2200, 1, 1), description="exclusive")],
) -> list[dict[str, Any]]:
    """Without documents that were cancelled or corrected; on each day the one received last."""
    if not first < stop:
        raise BadInput("period", f"{first} to before {stop} is no day.")
    return [plain(asdict(each)) for each in standing_tariffs(connection, [point], first, stop)]
