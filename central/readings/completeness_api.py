"""Route of completeness: the numbers of a heat map in one answer."""

from datetime import date, timedelta
from itertools import groupby
from typing import Annotated

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
    answer = told(read_map(connection, first, end - timedelta(days=1), clock.now(), concentrator))
    # A million numbers: FastAPI's own way checks and spells each of them again, in Python.
    return Response(answer.model_dump_json(), media_type="application/json")


def told(found: CompletenessMap) -> CompletenessOut:
    """The map with its sums, as the answer tells it."""
    # (expected, present, replaced) x meters x days
    counts = np.stack([found.expected, found.present, found.replaced])
    shown = np.flatnonzero(found.due.any(axis=0))
    cells = np.where(found.due, counts, -1)[:, :, shown]
    by_meter, by_day = counts.sum(axis=2), counts.sum(axis=1)
    names = [concentrator for concentrator, _ in found.meters]
    counted = np.flatnonzero(found.due.any(axis=1)).tolist()
    return CompletenessOut(
        **_counts(counts.sum(axis=(1, 2))),
        days=[DayCountOut(day=found.days[place], **_counts(by_day[:, place])) for place in shown.tolist()],
        concentrators=[
            ConcentratorCountOut(concentrator=name, **_counts(by_meter[:, list(places)].sum(axis=1)))
            for name, places in groupby(counted, key=names.__getitem__)
        ],
        meters=[
            MeterCountOut(
                concentrator=names[place],
                meter=found.meters[place][1],
                expected_by_day=cells[0, place].tolist(),
                present_by_day=cells[1, place].tolist(),
                replaced_by_day=cells[2, place].tolist(),
                **_counts(by_meter[:, place]),
            )
            for place in counted
        ],
    )


def _counts(total: Ints) -> dict[str, int]:
    expected, present, replaced = total.tolist()
    return {"expected": expected, "present": present, "replaced": replaced, "missing": expected - present}
