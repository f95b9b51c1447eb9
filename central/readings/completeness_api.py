"""Route of completeness: the numbers of a heat map in one answer."""

from datetime import date, timedelta
from itertools import groupby
from typing import Annotated

import msgspec
import numpy as np
from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel

from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.calendar import Ints
from central.readings.completeness import CompletenessMap, read_map
from central.readings.periods import check_period

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
First = Annotated[date, Query(alias="from", description="first metering day")]
End = Annotated[date, Query(alias="to", description="the day after the last one")]


class CountOut(BaseModel):
    """Values that were to come and values that are there; `replaced` of these were not measured."""

    expected: int
    present: int
    replaced: int
    missing: int


class DayCountOut(CountOut):
    """Of all meters on one day."""

    day: date


class ConcentratorCountOut(CountOut):
    """Of one concentrator."""

    concentrator: str


class MeterCountOut(ConcentratorCountOut):
    """Of one meter, with its days in the order of the `days` of the answer: -1 where no value was due."""

    meter: str
    expected_by_day: list[int]
    present_by_day: list[int]
    replaced_by_day: list[int]


class CompletenessOut(CountOut):
    """Interval values of a period: the whole, by day, by concentrator, by meter."""

    days: list[DayCountOut]
    concentrators: list[ConcentratorCountOut]
    meters: list[MeterCountOut]


@router.get("/completeness", summary="Expected and present interval values", response_model=CompletenessOut)
def get_completeness(
    connection: Db,
    _: Reader,
    clock: Now,
    first: First,
    end: End,
    concentrator: Annotated[str | None, Query(pattern="^[^\\x00]*$")] = None,
) -> Response:
    """By day, concentrator and meter. Only intervals that are over are expected; days on which none is are left out."""
    check_period(first, end)
    found = read_map(connection, first, end - timedelta(days=1), clock.now(), concentrator)
    return Response(told(found), media_type="application/json")


def told(found: CompletenessMap) -> bytes:
    """The map with its sums as JSON of the form of `CompletenessOut`.

    A year of 1,000 meters has a million numbers: a model would check each of them again, which took as long as all the
    rest.
    """
    # (expected, present, replaced) x meters x days
    counts = np.stack([found.expected, found.present, found.replaced])
    shown = np.flatnonzero(found.due.any(axis=0))
    # Taken, not indexed: an index would leave the days far apart in memory, and every list slow to make.
    cells = np.where(found.due, counts, -1).take(shown, axis=2)
    by_meter, by_day = counts.sum(axis=2), counts.sum(axis=1)
    names = [concentrator for concentrator, _ in found.meters]
    counted = np.flatnonzero(found.due.any(axis=1)).tolist()
    answer = {
        **_counts(counts.sum(axis=(1, 2))),
        "days": [{**_counts(by_day[:, place]), "day": found.days[place]} for place in shown.tolist()],
        "concentrators": [
            {**_counts(by_meter[:, list(places)].sum(axis=1)), "concentrator": name}
            for name, places in groupby(counted, key=names.__getitem__)
        ],
        "meters": [
            {
                **_counts(by_meter[:, place]),
                "concentrator": names[place],
                "meter": found.meters[place][1],
                "expected_by_day": cells[0, place].tolist(),
                "present_by_day": cells[1, place].tolist(),
                "replaced_by_day": cells[2, place].tolist(),
            }
            for place in counted
        ],
    }
    return msgspec.json.encode(answer)


def _counts(total: Ints) -> dict[str, int]:
    expected, present, replaced = total.tolist()
    return {"expected": expected, "present": present, "replaced": replaced, "missing": expected - present}
