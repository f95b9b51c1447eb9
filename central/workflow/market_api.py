"""Route that reports a month to the market operator; sending and reading what was made are in `central.market.api`."""

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from central.market.cdsdata import INTERVAL_DATA
from central.market.channels.open_channels import leads_to_production
from central.market.months import month_of
from central.platform.identity import Person, require
from central.platform.settings import Settings
from central.platform.web import Db, Now
from central.workflow.report_month import report_month

router = APIRouter(prefix="/market", tags=["market"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""


class Made(BaseModel):
    """A message made for a point."""

    ean: str
    number: int
    version: int


class Incomplete(BaseModel):
    """A point that got no message, and why."""

    ean: str
    why: str
    missing: int


class MonthResult(BaseModel):
    """What became of every point metered as A or B."""

    month: date
    made: list[Made]
    unchanged: list[str]
    incomplete: list[Incomplete]


@router.post("/months/{month}")
def report(
    request: Request,
    month: str,
    person: Annotated[Person, Depends(require("market"))],
    db: Db,
    clock: Now,
    again: Annotated[bool, Query(description="also what was rejected or never answered, as a new version")] = False,
) -> MonthResult:
    """Make the messages of a closed month, `2026-03`; nothing is made twice from the same profile versions."""
    settings: Settings = request.app.state.settings
    result = report_month(
        db,
        month_of(month),
        clock,
        person,
        sender=settings.ote_sender,
        again=again,
        to_production=leads_to_production(settings)(INTERVAL_DATA),
    )
    told = {name: value for name, value in asdict(result).items() if name in MonthResult.model_fields}
    return MonthResult(**told)
