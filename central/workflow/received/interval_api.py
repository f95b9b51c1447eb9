"""Route that shows interval values others sent beside what our meters measured."""

from dataclasses import asdict
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from central.platform.errors import BadInput
from central.platform.identity import Person, require
from central.platform.plain import plain
from central.platform.web import Db
from central.workflow.received.compared import compare_received

router = APIRouter(prefix="/received-intervals", tags=["market"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""

MOST_DAYS = 400


@router.get("", summary="Interval values received beside the meter's, day by day")
def find_received_intervals(
    connection: Db,
    _: Annotated[Person, Depends(require("read"))],
    point: Annotated[str, Query(pattern=r"^[0-9A-Z-]{16,18}$", description="EAN")],
    first: Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2200, 1, 1))],
    stop: Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2200, 1, 1), description="exclusive")],
    only_different: Annotated[bool, Query(description="only days on which something differs")] = False,
) -> list[dict[str, Any]]:
    """Messages 121 of others: sums of the intervals that both have, how many differ or stand on one side only."""
    if not first < stop or (stop - first).days > MOST_DAYS:
        raise BadInput("period", f"{first} to before {stop} is not 1 to {MOST_DAYS} days.")
    found = compare_received(connection, point, first, stop)
    return [
        plain(asdict(each))
        for each in found
        if not only_different or each.differ or each.only_received or each.only_measured
    ]
