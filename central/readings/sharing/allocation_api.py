"""Routes of allocations: EDC's export imported, ours computed and kept, what holds of each day."""

from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, File, Form, Path, Query, UploadFile
from pydantic import BaseModel

from central.platform.errors import BadInput
from central.platform.web import Db, Now
from central.readings.gas.forms import Body, Day, Operator, Reader, Sentence, check_period
from central.readings.sharing import allocated
from central.readings.sharing.bodies import CODE, MOST_FILE, Ean, End, First, LackOut, in_kwh

router = APIRouter(prefix="/sharing")

Code = Annotated[str, Path(pattern=CODE)]


class ComputeIn(Body):
    """Days from `first` to before `end` that are computed by the keys and kept."""

    first: Day
    end: Day
    reason: Sentence


class IncompleteOut(BaseModel):
    """A day of a member that the export has in part only; it was not taken."""

    ean: str
    role: str
    day: date
    missing: int


class StoredOut(BaseModel):
    """What was kept: new versions, days as they were, EANs that are no points of ours."""

    first: date
    end: date
    added: int
    unchanged: int
    unknown: list[str]
    incomplete: list[IncompleteOut]
    lacking: list[LackOut]


class AllocationOut(BaseModel):
    """What holds of a member's day: source `edc` or `computed`, its version, kWh, where it is from."""

    ean: str
    role: str
    day: date
    source: str
    version: int
    shared_kwh: Decimal
    origin: str
    made_at: datetime
    made_by: str


@router.post("/groups/{code}/allocations", status_code=201, summary="Import what EDC allocated to a group")
def import_export(
    code: Code,
    connection: Db,
    clock: Now,
    person: Operator,
    file: Annotated[UploadFile, File(description="CSV of the portal, either layout")],
    reason: Annotated[Sentence, Form()],
) -> StoredOut:
    """What it says comes before what we compute. A day that is as it was gives no new version."""
    content = file.file.read(MOST_FILE + 1)
    if len(content) > MOST_FILE:
        raise BadInput("too_large", f"The file has more than {MOST_FILE} octets; send fewer days at once.")
    name = (file.filename or "export").replace("\0", "")[:200]
    return _told(allocated.import_export(connection, code, content, name, reason, person, clock.now()))


@router.post("/groups/{code}/computations", status_code=201, summary="Compute and keep what a group has shared")
def compute(code: Code, body: ComputeIn, connection: Db, clock: Now, person: Operator) -> StoredOut:
    """From the newest day profiles by the keys of each day; it stands in for EDC's until that is imported."""
    check_period(body.first, body.end)
    return _told(allocated.compute(connection, code, body.first, body.end, body.reason, person, clock.now()))


@router.get("/groups/{code}/allocations", summary="What is allocated to the members of a group")
def find_holding(
    code: Code,
    connection: Db,
    _: Reader,
    first: First,
    end: End,
    ean: Annotated[Ean | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[AllocationOut]:
    """By day and EAN; settlement reads those of consumers."""
    check_period(first, end)
    return [
        AllocationOut(
            ean=row.ean,
            role=row.role,
            day=row.day,
            source=row.source,
            version=row.version,
            shared_kwh=in_kwh(row.total),
            origin=row.origin,
            made_at=row.made_at,
            made_by=row.made_by,
        )
        for row in allocated.find_holding(connection, code, first, end, ean, limit)
    ]


def _told(stored: allocated.Stored) -> StoredOut:
    return StoredOut(
        first=stored.first,
        end=stored.end,
        added=stored.added,
        unchanged=stored.unchanged,
        unknown=list(stored.unknown),
        incomplete=[IncompleteOut(**asdict(each)) for each in stored.incomplete],
        lacking=[LackOut(**asdict(each)) for each in stored.lacking],
    )
