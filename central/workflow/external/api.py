"""Routes of external information: sources and how they are, runs into the queue, values with source and time.

Nothing here asks anybody outside: the housekeeping service does.
"""

from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import Connection, RowMapping

from central.platform.errors import BadInput, NotFound
from central.platform.external import sources
from central.platform.external.trust import Trust
from central.platform.external.values import find_series, find_values
from central.platform.identity import Person, require
from central.platform.settings import Settings
from central.platform.web import Db, Now
from central.registry.parties import require_party
from central.workflow.external import ares, price_decisions
from central.workflow.external.adapter import Adapter
from central.workflow.external.adapters import ADAPTERS
from central.workflow.external.metrics import metrics

router = APIRouter(prefix="/external")

CODE: Final = "^[a-z0-9][a-z0-9._-]{0,59}$"
SERIES: Final = "^[A-Za-z0-9._-]{1,100}$"
Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Admin = Annotated[Person, Depends(require("admin"))]
Code = Annotated[str, Path(pattern=CODE)]
Reason = Annotated[str, Field(min_length=1, max_length=500, pattern="^[^\\x00]+$")]
Address = Annotated[str, Field(min_length=8, max_length=500)]
PartyId = Annotated[int, Path(gt=0, lt=2**63)]
Limit = Annotated[int, Query(ge=1, le=1_000)]


class AdapterOut(BaseModel):
    """A kind of source; `mark` says how sure its format is."""

    name: str
    title: str
    mark: str
    addresses: list[str]


class SourceIn(BaseModel, extra="forbid"):
    """A source: asked every so many minutes or daily at a local time (neither: when a person asks). Addresses are
    tried in order; a folder is file:///..."""

    adapter: Annotated[str, Field(pattern=CODE)]
    name: Annotated[str, Field(min_length=1, max_length=200, pattern="^[^\\x00]+$")]
    addresses: Annotated[list[Address], Field(min_length=1, max_length=5)]
    settings: dict[str, Any] = {}
    every_minutes: Annotated[int, Field(ge=1, le=527_040)] | None = None
    daily_at: Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")] | None = None
    active: bool = True
    reason: Reason


class SourceOut(BaseModel):
    """A source and how it is: last success and error, breaker, runs that wait, when it is asked next."""

    code: str
    adapter: str
    name: str
    addresses: list[str]
    settings: dict[str, Any]
    every_minutes: int | None
    daily_at: str | None
    active: bool
    breaker: str
    failures: int
    reopens_at: datetime | None
    last_success: datetime | None
    last_failure: datetime | None
    error: str | None
    waiting: int
    next_run: datetime | None


class RunIn(BaseModel, extra="forbid"):
    """A run that is asked for: what of the source, such as {"from": "2026-03-01", "to": "2026-03-31"}, and why."""

    parameters: dict[str, Any] = {}
    reason: Reason


class QueuedOut(BaseModel):
    """The run that was put into the queue."""

    run: int


class RunOut(BaseModel):
    """A run: waiting, done or failed; `scheduled` ones were opened by the schedule."""

    id: int
    parameters: dict[str, Any]
    scheduled: bool
    state: str
    attempts: int
    not_before: datetime
    asked_at: datetime
    asked_by: str
    reason: str
    ended_at: datetime | None
    error: str | None


class FetchOut(BaseModel):
    """An attempt to fetch, and what was made of it; `outcome` null: nothing was read, or not yet."""

    id: int
    run: int
    part: str
    address: str
    at: datetime
    duration_ms: int
    status: int | None
    octets: int
    digest: str | None
    error: str | None
    outcome: str | None
    records: int | None
    added: int | None
    changed: int | None
    reading_error: str | None


class SeriesOut(BaseModel):
    """A series of values with its first and last instant; null where its values have no time."""

    series: str
    first: datetime | None
    last: datetime | None


class ValueOut(BaseModel):
    """One version of a value, with where it is from and when it was fetched."""

    key: str
    version: int
    begins: datetime | None
    content: dict[str, Any]
    source: str
    address: str
    fetched_at: datetime
    stored_at: datetime


class DifferenceOut(BaseModel):
    """A fact as the party has it and as the register has it."""

    present: str | None
    proposed: str


class ProposalOut(BaseModel):
    """Facts of a party that the register of companies has otherwise, with address and time of the fetch."""

    found: bool
    dissolved_on: date | None
    differs: dict[str, DifferenceOut]
    address: str
    fetched_at: datetime


class PriceDifferenceOut(BaseModel):
    """A price of the workbook that the package has otherwise or not, or has and the workbook does not."""

    text: str
    component: str | None
    keys: dict[str, str]
    before: str | None
    after: str | None


class ComparedPackageOut(BaseModel):
    """A package in force in the year, and its differences."""

    package: str
    differences: list[PriceDifferenceOut]


class PriceDecisionOut(BaseModel):
    """The newest workbook of a year: where it is from, its prices in the builder's raw shape, and what differs."""

    address: str
    fetched_at: datetime
    version: int
    low: dict[str, Any]
    high: dict[str, Any]
    packages: list[ComparedPackageOut]


@router.get("/adapters", summary="Kinds of external sources")
def list_adapters(_: Reader) -> list[AdapterOut]:
    """With the addresses that are documented for them."""
    return [AdapterOut(name=a.name, title=a.title, mark=a.mark, addresses=list(a.addresses)) for a in ADAPTERS.values()]


@router.get("/sources", summary="External sources and how they are")
def list_sources(connection: Db, clock: Now, _: Reader) -> list[SourceOut]:
    """By code."""
    now = clock.now()
    return [_source(row, now) for row in sources.find_sources(connection)]


@router.get("/metrics", summary="How external sources are, for Prometheus", response_class=Response)
def get_metrics(connection: Db, _: Reader) -> Response:
    """Gauges in the text format of Prometheus: last success and failure, failures in a row, breaker, waiting runs."""
    return Response(metrics(sources.find_sources(connection)), media_type="text/plain; version=0.0.4")


@router.put("/sources/{code}", summary="Set up an external source")
def put_source(code: Code, body: SourceIn, connection: Db, clock: Now, person: Admin, request: Request) -> SourceOut:
    """New, or changed. Hosts and folders must be trusted by the settings of the service."""
    settings: Settings = request.app.state.settings
    trust = Trust.of(settings.external_hosts, settings.external_folders, plain_http=settings.external_http)
    for address in body.addresses:
        trust.require(address)
    _adapter(body.adapter).settings_of(body.settings)
    if body.every_minutes is not None and body.daily_at is not None:
        raise BadInput("schedule", "A source is asked every so many minutes or daily at a time; give one of the two.")
    schedule = sources.Schedule(
        body.every_minutes, None if body.daily_at is None else time.fromisoformat(body.daily_at)
    )
    source = sources.Source(code, body.adapter, body.name, tuple(body.addresses), body.settings, schedule, body.active)
    now = clock.now()
    sources.put_source(connection, source, person, body.reason, now)
    return next(_source(row, now) for row in sources.find_sources(connection) if row["code"] == code)


@router.post("/sources/{code}/runs", status_code=202, summary="Ask for a run of an external source")
def ask_run(code: Code, body: RunIn, connection: Db, clock: Now, person: Operator) -> QueuedOut:
    """It waits in the queue for the housekeeping service."""
    _parameters(connection, code, body.parameters)
    return QueuedOut(run=sources.ask_run(connection, code, body.parameters, person, body.reason, clock.now()))


@router.get("/sources/{code}/runs", summary="Runs of an external source")
def list_runs(code: Code, connection: Db, _: Reader, limit: Limit = 100) -> list[RunOut]:
    """The latest first."""
    sources.require_source(connection, code)
    return [
        RunOut(**{name: row[name] for name in RunOut.model_fields})
        for row in sources.find_runs(connection, code, limit)
    ]


@router.get("/sources/{code}/fetches", summary="Attempts to fetch from an external source")
def list_fetches(code: Code, connection: Db, _: Reader, limit: Limit = 100) -> list[FetchOut]:
    """The latest first."""
    sources.require_source(connection, code)
    return [
        FetchOut(**{name: row[name] for name in FetchOut.model_fields})
        for row in sources.find_fetches(connection, code, limit)
    ]


@router.get("/parties/{party}/proposal", summary="What the register of companies says of a party")
def get_proposal(party: PartyId, connection: Db, _: Reader) -> ProposalOut:
    """Beside the party's own facts; nothing is changed by it. 404 where the register was not asked yet."""
    found = ares.proposal(connection, require_party(connection, party))
    if found is None:
        raise NotFound(
            "proposal_not_found",
            f"The register was not asked for the party {party} yet; put a run of a source of the adapter ares into the "
            "queue, with the party's IČO.",
        )
    return ProposalOut(**found)


@router.get("/price-decisions/{year}", summary="A price decision's workbook against the package in force")
def get_price_decision(year: Annotated[int, Path(ge=2000, le=2100)], connection: Db, _: Reader) -> PriceDecisionOut:
    """Its raw prices as the package builder takes them, and where the package differs; nothing is installed by it."""
    return PriceDecisionOut(**price_decisions.compared(connection, year))


@router.get("/series", summary="Series of external values")
def list_series(connection: Db, _: Reader) -> list[SeriesOut]:
    """By name."""
    return [SeriesOut(**row) for row in find_series(connection)]


@router.get("/series/{series}/values", summary="External values of a series")
def list_values(
    series: Annotated[str, Path(pattern=SERIES)],
    connection: Db,
    _: Reader,
    since: Annotated[datetime | None, Query(alias="from")] = None,
    until: Annotated[datetime | None, Query(alias="to")] = None,
    all_versions: bool = False,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> list[ValueOut]:
    """That begin from `from` to before `to`, by time: the newest versions, or all."""
    found = find_values(connection, series, _aware(since), _aware(until), all_versions=all_versions, limit=limit)
    return [ValueOut(**{name: row[name] for name in ValueOut.model_fields}) for row in found]


def _aware(at: datetime | None) -> datetime | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise BadInput("instant", f"The instant {at.isoformat()} has no zone; write it as 2026-03-01T00:00:00+01:00.")
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise BadInput("instant", f"The instant {at.isoformat()} is beyond all calendars.") from None


def _adapter(name: str) -> Adapter:
    found = ADAPTERS.get(name)
    if found is None:
        raise NotFound("adapter_not_found", f"There is no adapter {name}; there are {', '.join(ADAPTERS)}.")
    return found


def _parameters(connection: Connection, code: str, given: dict[str, Any]) -> None:
    _adapter(sources.require_source(connection, code)["adapter"]).parameters_of(given)


def _source(row: RowMapping, now: datetime) -> SourceOut:
    daily_at: time | None = row["daily_at"]
    return SourceOut(
        **{
            name: row[name]
            for name in (
                "code", "adapter", "name", "addresses", "settings", "every_minutes", "active", "breaker", "failures",
                "error", "waiting",
            )
        },
        daily_at=None if daily_at is None else daily_at.isoformat("minutes"),
        reopens_at=sources.breaker_of(row).reopens_at(),
        last_success=row["succeeded_at"],
        last_failure=row["failed_at"],
        next_run=sources.next_run(row, now),
    )  # fmt: skip
