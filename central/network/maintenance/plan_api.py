"""Routes of what comes back again: verification, sampling groups, reading rounds, periodic activities."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from central.network.maintenance import activities, verification
from central.network.maintenance.tables import activity, reading_group, reading_group_member, sampling_group
from central.network.point_tables import measuring_point
from central.network.web import Body, Identifier, Note, Operator, Reader, Text
from central.platform import etag
from central.platform.web import Db, Now

router = APIRouter()

Day = Annotated[date, Field(ge=date(1990, 1, 1), le=date(2400, 1, 1))]


class PeriodOut(BaseModel):
    """How long a kind of instrument may be used; `years` null: without limit; `valid_to` exclusive."""

    kind: str
    name: str
    years: int | None
    extension_years: int | None
    to_year_end: bool
    source: str
    mark: str
    valid_from: date | None
    valid_to: date | None


class VerificationIn(Body):
    """A verification that was done; `kind` is one of the periods'."""

    meter: Text
    kind: Text
    verified_on: Day
    certificate: Note = ""
    sampling_group: Text | None = None


class VerificationOut(BaseModel):
    """A verification; `until` is the last day that it holds, null: always."""

    id: int
    meter: str
    kind: str
    verified_on: date
    until: date | None
    certificate: str
    sampling_group: int | None
    drawn: bool
    entered_at: datetime
    entered_by: str


class SamplingGroupIn(Body):
    """A new sampling group."""

    name: Text
    kind: Text
    sample_size: Annotated[int, Field(ge=1, le=100_000)]


class SamplingGroupOut(BaseModel):
    """A sampling group; `extended_until` once its samples passed."""

    id: int
    name: str
    kind: str
    sample_size: int
    tested_on: date | None
    passed: bool | None
    extended_until: date | None


class SamplesIn(Body):
    """The meters that are drawn."""

    meters: Annotated[list[Text], Field(max_length=100_000)]


class SampleTestIn(Body):
    """The result of testing the samples."""

    tested_on: Day
    passed: bool


class ReadingGroupIn(Body):
    """A new reading group."""

    name: Text


class RoundIn(Body):
    """Measuring points in the order of the way, read with the group from a day on."""

    points: Annotated[list[Text], Field(min_length=1, max_length=10_000)]
    since: Day


class MemberOut(BaseModel):
    """A measuring point on the round; `valid_to` exclusive."""

    measuring_point: str
    route_order: int
    valid_from: date | None
    valid_to: date | None


class ReadingGroupOut(BaseModel):
    """A reading group and its round on a day."""

    name: str
    members: list[MemberOut]


class ActivityIn(Body):
    """A periodic activity: readings and inspections every so many months; the others by expiry of each meter."""

    name: Text
    kind: Literal["verification", "sampling", "reading", "inspection", "exchange"]
    reading_group: Text | None = None
    element: Identifier | None = None
    every_months: Annotated[int, Field(ge=1, le=600)] | None = None
    next_due: Day | None = None
    lead_days: Annotated[int, Field(ge=0, le=1_100)] = 30
    instructions: Note = ""


class ActivityChange(Body):
    """What of an activity may change; what is not named stays."""

    next_due: Day | None = None
    lead_days: Annotated[int, Field(ge=0, le=1_100)] | None = None
    instructions: Note | None = None
    active: bool | None = None


class ActivityOut(BaseModel):
    """A periodic activity."""

    id: int
    name: str
    kind: str
    reading_group: int | None
    element: int | None
    every_months: int | None
    next_due: date | None
    lead_days: int
    instructions: str
    active: bool


@router.get("/verification-periods", summary="How long verifications hold, by kind of instrument")
def find_periods(connection: Db, _: Reader, on: date | None = None) -> list[PeriodOut]:
    """As the installed legislative package says; each with its source and how sure it is."""
    return [
        PeriodOut(**{**row, "valid_from": row["valid"].lower, "valid_to": row["valid"].upper})
        for row in verification.find_periods(connection, on)
    ]


@router.get("/verifications", summary="The latest verification of each meter, or all of one")
def find_verifications(
    connection: Db,
    _: Reader,
    meter: str | None = None,
    ending_before: Annotated[date | None, Query(description="only those that end before this day")] = None,
) -> list[VerificationOut]:
    """Those that end first come first."""
    found = verification.find_verifications(connection, meter_id=meter, ending_before=ending_before)
    return [VerificationOut(**row) for row in found]


@router.post("/verifications", status_code=201, summary="Enter that a meter was verified")
def enter_verification(connection: Db, person: Operator, clock: Now, body: VerificationIn) -> VerificationOut:
    """How long it holds follows from the kind."""
    row = verification.enter_verification(
        connection,
        body.meter,
        body.kind,
        body.verified_on,
        body.certificate,
        person,
        clock.now(),
        body.sampling_group,
    )
    return VerificationOut(**row)


@router.get("/sampling-groups", summary="Sampling groups")
def find_sampling_groups(connection: Db, _: Reader) -> list[SamplingGroupOut]:
    """By name."""
    rows = connection.execute(select(sampling_group).order_by(sampling_group.c.name)).mappings()
    return [SamplingGroupOut(**row) for row in rows]


@router.post("/sampling-groups", status_code=201, summary="Create a sampling group")
def create_sampling_group(connection: Db, person: Operator, clock: Now, body: SamplingGroupIn) -> SamplingGroupOut:
    """Meters enter it with their verification."""
    verification.create_group(connection, body.name, body.kind, body.sample_size, person, clock.now())
    return SamplingGroupOut(**verification.require_group(connection, body.name))


@router.post("/sampling-groups/{name}/draw", summary="Say which meters are the samples")
def draw_samples(connection: Db, person: Operator, clock: Now, name: str, body: SamplesIn) -> SamplingGroupOut:
    """As many as the group's size; a later draw replaces an earlier one."""
    verification.draw_samples(connection, name, body.meters, person, clock.now())
    return SamplingGroupOut(**verification.require_group(connection, name))


@router.post("/sampling-groups/{name}/test", summary="Record the result of testing the samples")
def record_test(connection: Db, person: Operator, clock: Now, name: str, body: SampleTestIn) -> SamplingGroupOut:
    """Passed: the verification of all members holds longer."""
    row = verification.record_sample_test(connection, name, body.tested_on, body.passed, person, clock.now())
    return SamplingGroupOut(**row)


@router.get("/reading-groups", summary="Reading groups with their rounds")
def find_reading_groups(connection: Db, _: Reader, clock: Now, on: date | None = None) -> list[ReadingGroupOut]:
    """The round of a day, default today."""
    day = on or clock.now().date()
    rows = connection.execute(
        select(
            reading_group.c.name,
            measuring_point.c.name.label("point"),
            reading_group_member.c.route_order,
            reading_group_member.c.valid,
        )
        .select_from(reading_group)
        .outerjoin(
            reading_group_member,
            (reading_group_member.c.reading_group == reading_group.c.id) & reading_group_member.c.valid.contains(day),
        )
        .outerjoin(measuring_point, measuring_point.c.id == reading_group_member.c.measuring_point)
        .order_by(reading_group.c.name, reading_group_member.c.route_order)
    ).all()
    groups: dict[str, list[MemberOut]] = {}
    for row in rows:
        members = groups.setdefault(row.name, [])
        if row.point is not None:
            members.append(
                MemberOut(
                    measuring_point=row.point,
                    route_order=row.route_order,
                    valid_from=row.valid.lower,
                    valid_to=row.valid.upper,
                )
            )
    return [ReadingGroupOut(name=name, members=members) for name, members in groups.items()]


@router.post("/reading-groups", status_code=201, summary="Create a reading group")
def create_reading_group(connection: Db, person: Operator, clock: Now, body: ReadingGroupIn) -> ReadingGroupOut:
    """Without points yet."""
    activities.create_reading_group(connection, body.name, person, clock.now())
    return ReadingGroupOut(name=body.name, members=[])


@router.post("/reading-groups/{name}/round", summary="Put measuring points on a group's round")
def put_on_round(connection: Db, person: Operator, clock: Now, name: str, body: RoundIn) -> dict[str, Any]:
    """They leave the round that they were on that day."""
    return {"points": activities.put_on_round(connection, name, body.points, body.since, person, clock.now())}


@router.get("/activities", summary="Periodic activities")
def find_activities(connection: Db, _: Reader) -> list[ActivityOut]:
    """By name."""
    return [ActivityOut(**row) for row in connection.execute(select(activity).order_by(activity.c.name)).mappings()]


@router.get("/activities/{identifier}", summary="One periodic activity")
def get_activity(connection: Db, _: Reader, response: Response, identifier: Identifier) -> ActivityOut:
    """With its tag for a revision."""
    row = activities.require_activity(connection, identifier)
    etag.show(response, dict(row))
    return ActivityOut(**row)


@router.post("/activities", status_code=201, summary="Create a periodic activity")
def create_activity(connection: Db, person: Operator, clock: Now, body: ActivityIn) -> ActivityOut:
    """Orders are made when it comes due within its lead."""
    return ActivityOut(**activities.create_activity(connection, body.model_dump(), person, clock.now()))


@router.patch("/activities/{identifier}", summary="Revise a periodic activity")
def revise_activity(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Identifier,
    body: ActivityChange,
    if_match: etag.IfMatch = None,
) -> ActivityOut:
    """Lead, instructions, next due day, on or off."""
    row = activities.require_activity(connection, identifier, locked=True)
    etag.require_match(if_match, dict(row), f"the activity {row['name']}")
    changes = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if changes:
        row = activities.revise_activity(connection, row, changes, person, clock.now())
    etag.show(response, dict(row))
    return ActivityOut(**row)
