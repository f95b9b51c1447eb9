"""Routes of sharing: groups and their keys, what was shared, the portal's files."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, File, Query, UploadFile
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from central.platform.errors import BadInput
from central.platform.web import Db, Now
from central.readings.gas.forms import Body, Day, Name, Operator, Reader, Sentence, check_period
from central.readings.sharing import groups
from central.readings.sharing.bodies import MOST_FILE, Ean, End, First, LackOut, in_kwh
from central.readings.sharing.comparison import compare_export
from central.readings.sharing.portal import Layout, write_portal
from central.readings.sharing.shared_energy import Shared, shared_energy

router = APIRouter(prefix="/sharing")


class GroupIn(Body):
    """A group as registered at EDC: over the grid, or in one house behind one connection."""

    code: Annotated[str, Field(min_length=1, max_length=50, pattern="^[A-Za-z0-9._-]+$")]
    name: Name
    kind: Literal["grid", "house"]


class GroupOut(BaseModel):
    """A group."""

    code: str
    name: str
    kind: str


class KeyIn(Body):
    """The part of the producer's energy that the consumer is offered, in percent with at most two decimals."""

    producer: Ean
    consumer: Ean
    percent: Annotated[Decimal, Field(ge=0, le=100, decimal_places=2, allow_inf_nan=False)]


class KeysIn(Body):
    """All keys of the group from a day on; none: it shares no more."""

    first: Day
    keys: Annotated[list[KeyIn], Field(max_length=20_000)]
    reason: Sentence


class KeyOut(BaseModel):
    """A key as it holds; days half-open."""

    producer: str
    consumer: str
    percent: Decimal
    first: date
    end: date | None


class MemberOut(BaseModel):
    """A member's energy in kWh: delivered or taken, and what of it was shared."""

    ean: str
    kwh: Decimal
    shared_kwh: Decimal


class PairOut(BaseModel):
    """What a producer gave a consumer, in kWh."""

    producer: str
    consumer: str
    shared_kwh: Decimal


class SharedOut(BaseModel):
    """Shared energy of the days from `first` to before `end`."""

    first: date
    end: date
    producers: list[MemberOut]
    consumers: list[MemberOut]
    pairs: list[PairOut]
    lacking: list[LackOut]


class ColumnOut(BaseModel):
    """A column of the export against ours; sums in kWh."""

    name: str
    is_known: bool
    quarters: int
    differing: int
    first_difference: datetime | None
    theirs_kwh: Decimal
    ours_kwh: Decimal
    finer: int


class ComparedOut(BaseModel):
    """An export against what we compute."""

    first: date
    end: date
    columns: list[ColumnOut]
    missing: list[str]
    lacking: list[LackOut]


@router.get("/groups", summary="Groups of sharing")
def find_groups(connection: Db, _: Reader) -> list[GroupOut]:
    """By code."""
    return [GroupOut(code=row.code, name=row.name, kind=row.kind) for row in groups.find_groups(connection)]


@router.post("/groups", status_code=201, summary="Create a group of sharing")
def create_group(body: GroupIn, connection: Db, clock: Now, person: Operator) -> GroupOut:
    """409 where it is there."""
    groups.create_group(connection, body.code, body.name, body.kind, person, clock.now())
    return GroupOut(**body.model_dump())


@router.get("/groups/{code}/keys", summary="Allocation keys of a group")
def find_keys(connection: Db, _: Reader, code: str, on: Annotated[date | None, Query()] = None) -> list[KeyOut]:
    """Those that hold on a day; all without one."""
    groups.require_group(connection, _text(code))
    if on is None:
        found = groups.held_keys(connection, code, date(1900, 1, 1), None)
    else:
        found = [key for key in groups.held_keys(connection, code, on, None) if key.first <= on]
    return [
        KeyOut(
            producer=key.producer, consumer=key.consumer, percent=in_kwh(key.hundredths), first=key.first, end=key.end
        )
        for key in found
    ]


@router.put("/groups/{code}/keys", summary="Set the allocation keys of a group from a day on")
def set_keys(code: str, body: KeysIn, connection: Db, clock: Now, person: Operator) -> list[KeyOut]:
    """Earlier days keep theirs. The keys of one producer are 100 % together at most."""
    keys = [groups.Key(key.producer, key.consumer, int(key.percent * 100)) for key in body.keys]
    groups.set_keys(connection, _text(code), body.first, keys, body.reason, person, clock.now())
    return find_keys(connection, person, code, body.first)


@router.get("/groups/{code}/shared", summary="What a group has shared")
def get_shared(connection: Db, _: Reader, code: str, first: First, end: End) -> SharedOut:
    """Computed from the newest day profiles by the keys of each day."""
    check_period(first, end)
    found = shared_energy(connection, _text(code), first, end)
    given = found.given.sum(axis=2)
    return SharedOut(
        first=first,
        end=end,
        producers=_members(found.producers, found.produced.sum(axis=1).tolist(), given.sum(axis=1).tolist()),
        consumers=_members(found.consumers, found.demanded.sum(axis=1).tolist(), given.sum(axis=0).tolist()),
        pairs=[
            PairOut(producer=producer, consumer=consumer, shared_kwh=in_kwh(int(given[row, column])))
            for row, producer in enumerate(found.producers)
            for column, consumer in enumerate(found.consumers)
        ],
        lacking=[LackOut(**asdict(lack)) for lack in found.lacking],
    )


@router.get("/groups/{code}/export", summary="What a group has shared, as EDC's portal writes it")
def export(
    connection: Db, _: Reader, code: str, first: First, end: End, layout: Annotated[Layout, Query()] = "all"
) -> StreamingResponse:
    """CSV: `all` with what each member had and has left, `pairs` with what each producer gave each consumer."""
    check_period(first, end)
    found = shared_energy(connection, _text(code), first, end)
    name = f"Export-dat-{code}-{first.isoformat()}-report-{layout}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(_encoded(found, layout), media_type="text/csv; charset=utf-8", headers=headers)


@router.post("/groups/{code}/comparison", summary="Compare an export of EDC's portal with what we compute")
def compare(
    connection: Db,
    _: Reader,
    code: str,
    file: Annotated[UploadFile, File(description="CSV of the portal, either layout")],
) -> ComparedOut:
    """Changes nothing."""
    content = file.file.read(MOST_FILE + 1)
    if len(content) > MOST_FILE:
        raise BadInput("too_large", f"The file has more than {MOST_FILE} octets; send fewer days at once.")
    found = compare_export(connection, _text(code), content)
    return ComparedOut(
        first=found.first,
        end=found.end,
        columns=[
            ColumnOut(
                name=column.name,
                is_known=column.is_known,
                quarters=column.quarters,
                differing=column.differing,
                first_difference=column.first_difference,
                theirs_kwh=in_kwh(column.theirs),
                ours_kwh=in_kwh(column.ours),
                finer=column.finer,
            )
            for column in found.columns
        ],
        missing=found.missing,
        lacking=[LackOut(**asdict(lack)) for lack in found.lacking],
    )


def _encoded(found: Shared, layout: Layout) -> Iterator[bytes]:
    for line in write_portal(found, layout):
        yield line.encode()


def _members(eans: list[str], energies: list[int], shared: list[int]) -> list[MemberOut]:
    return [
        MemberOut(ean=ean, kwh=in_kwh(energy), shared_kwh=in_kwh(part))
        for ean, energy, part in zip(eans, energies, shared, strict=True)
    ]


def _text(given: str) -> str:
    if "\0" in given or len(given) > 100:
        raise BadInput("text", "A group's code has at most 100 characters and no NUL.")
    return given
