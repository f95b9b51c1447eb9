"""Routes of sums: energy of channels by month, high and low tariff, and the highest interval."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from central.network.channels import find_channels
from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.web import Db
from central.readings.periods import check_period
from central.readings.sums import sum_months

router = APIRouter(tags=["readings"])

Reader = Annotated[Person, Depends(require("read"))]
Identifier = Annotated[int, Field(ge=1, le=2**31 - 1)]
MOST = 1_000
"""Channels that one request may ask for."""


class MonthSumsOut(BaseModel):
    """A month of a channel, or the part of it that was asked for, in unit x 10^exponent. `high` and `low` (VT, NT) are
    null without a schedule of tariffs; the highest interval is null where nothing is known. Missing values stand in
    no sum."""

    channel: int
    unit: str
    exponent: int
    first: date
    end: date
    total: int
    high: int | None
    low: int | None
    maximum: int | None
    maximum_at: datetime | None
    missing: int


@router.get("/sums", summary="Sums of channels by month, with tariffs and maxima")
def get_sums(
    connection: Db,
    _: Reader,
    first: Annotated[date, Query(alias="from", description="first metering day")],
    end: Annotated[date, Query(alias="to", description="the day after the last one")],
    channel: Annotated[list[Identifier] | None, Query(max_length=MOST)] = None,
    supply_point: Annotated[Identifier | None, Query(description="its channels with profiles")] = None,
) -> list[MonthSumsOut]:
    """From the newest versions, by channel and calendar month; give channels or a supply point."""
    check_period(first, end)
    if (channel is None) == (supply_point is None):
        raise BadInput("channel", "Sums are of channels or of a supply point: give `channel` or `supply_point`.")
    wanted = channel or [row["id"] for row in find_channels(connection, supply_point=supply_point, kind="interval")]
    return [MonthSumsOut(**asdict(each)) for each in sum_months(connection, wanted, first, end)] if wanted else []
