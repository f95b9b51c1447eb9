"""Routes of the payment calendar and of processing periods."""

from datetime import date
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import insert, select, update

from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.etag import IfMatch, etag_of, require_match
from central.platform.hooks import HOOKS
from central.platform.overview import Asked
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import calendar, contracts
from central.registry.calendar import ACTIVE_FOR_CHECKS
from central.registry.contract_tables import payment_calendar, processing_period
from central.registry.web import Body, Day, Operator, Reader, Why

router = APIRouter()


class CalendarPeriod(Body):
    """The months for which rows are made: from `start` to `end` (exclusive)."""

    start: Day
    end: Day
    why: Why


class CalendarChange(Body):
    """Events of one row that become others; the row then stays as it is when the calendar is made anew."""

    why: Why
    advance_due: bool | None = None
    regular_due: bool | None = None
    annual_due: bool | None = None
    advance_amount: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)] | None = None
    advance_on: Day | None = None


class CalendarRow(BaseModel):
    """A row of a payment calendar: what is to come (má být) in a period of a contract; `end` is exclusive."""

    id: int
    start: date
    end: date
    advance_due: bool
    regular_due: bool
    annual_due: bool
    advance_amount: Decimal | None
    advance_on: date | None
    edited: bool
    etag: str


class CalendarLine(CalendarRow):
    """A row of the payment calendar of all contracts."""

    contract: int
    contract_number: str
    contract_kind: str


class PeriodIn(Body):
    """A month, by its first day."""

    month: Day
    active: bool = False
    active_for_checks: bool = False


class PeriodChange(Body):
    """Which of its marks become others, and why."""

    why: Why
    active: bool | None = None
    active_for_checks: bool | None = None


class PeriodOut(BaseModel):
    """A processing period (období zpracování)."""

    month: date
    active: bool
    active_for_checks: bool


@router.get("/payment-calendar", summary="Payment calendar of all contracts: filter, sort, page")
def find_rows(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(calendar.OVERVIEW.asked())],
) -> list[CalendarLine]:
    """What is to come when, such as `start=<2026-04-01&end=>2026-03-01&regular_due=true` of a month."""
    page = calendar.OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [CalendarLine(**{**row, "etag": etag_of(_seen(CalendarRow(**row, etag="")))}) for row in page.rows]


@router.get("/contracts/{number:path}/calendar", summary="Payment calendar of a contract")
def find_calendar(connection: Db, _: Reader, number: str) -> list[CalendarRow]:
    """In the order of time; each row with its own ETag."""
    row = contracts.require_contract(connection, number)
    return _rows(connection, row["id"])


@router.post("/contracts/{number:path}/calendar/generate", summary="Make a contract's payment calendar")
def generate_calendar(
    connection: Db, person: Operator, clock: Now, number: str, body: CalendarPeriod
) -> list[CalendarRow]:
    """By the terms that hold in each month; rows that somebody edited stay."""
    row = contracts.require_contract(connection, number, lock=True)
    made = calendar.generate_calendar(connection, row, body.start, body.end)
    details = {"start": plain(body.start), "end": plain(body.end), "rows": made}
    audit.record(connection, person, "calendar.generate", f"contract/{number}", details, clock.now(), why=body.why)
    return _rows(connection, row["id"])


@router.post("/payment-calendar/{identifier}/revise", summary="Change the events of one row")
def revise_row(
    connection: Db, person: Operator, clock: Now, identifier: int, body: CalendarChange, if_match: IfMatch = None
) -> CalendarRow:
    """An extraordinary settlement in the middle of a year, for instance. Needs If-Match with the row's ETag."""
    row = calendar.require_row(connection, identifier)
    before = next(each for each in _rows(connection, row["contract"]) if each.id == identifier)
    require_match(if_match, _seen(before), f"the row {identifier} of the payment calendar of {row['number']}")
    changes = body.model_dump(exclude_unset=True, exclude={"why"})
    if changes.get("advance_due") is False:
        changes |= {"advance_amount": None, "advance_on": None}
    connection.execute(
        update(payment_calendar).where(payment_calendar.c.id == identifier).values(**changes, edited=True)
    )
    after = next(each for each in _rows(connection, row["contract"]) if each.id == identifier)
    audit.record(
        connection, person, "calendar.revise", f"contract/{row['number']}", {"row": identifier}, clock.now(),
        before=_seen(before), after=_seen(after), why=body.why,
    )  # fmt: skip
    return after


@router.get("/processing-periods", summary="Processing periods, newest first")
def find_periods(connection: Db, _: Reader) -> list[PeriodOut]:
    """Months of processing (období zpracování)."""
    query = select(processing_period).order_by(processing_period.c.month.desc())
    return [PeriodOut(**row) for row in connection.execute(query).mappings()]


@router.get("/processing-periods/{month}", summary="One processing period")
def get_period(connection: Db, _: Reader, response: Response, month: date) -> PeriodOut:
    """By the first day of its month."""
    return _period(connection, response, month)


@router.post("/processing-periods", status_code=201, summary="Create a processing period")
def create_period(connection: Db, person: Operator, clock: Now, response: Response, body: PeriodIn) -> PeriodOut:
    """Refused when the month has one; a period that becomes active takes the mark from the one that was."""
    if body.month.day != 1:
        raise BadInput("month", f"A processing period begins on the first day of a month, not on {body.month}.")
    if body.active:
        _take_active(connection, person, clock, body.month, None)
    connection.execute(insert(processing_period).values(**body.model_dump()))
    if body.active_for_checks:
        HOOKS.publish(connection, ACTIVE_FOR_CHECKS, {"month": body.month})
    details = body.model_dump(mode="json")
    audit.record(
        connection, person, "period.create", f"processing_period/{body.month}", details, clock.now(), after=details
    )
    return _period(connection, response, body.month)


@router.post("/processing-periods/{month}/revise", summary="Set or take the marks of a processing period")
def revise_period(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    month: date,
    body: PeriodChange,
    if_match: IfMatch = None,
) -> PeriodOut:
    """One is active for invoicing, several may be active for checks. Needs If-Match."""
    before = _period(connection, response, month, lock=True)
    require_match(if_match, before.model_dump(), f"the processing period {month:%Y-%m}")
    changes = {name: value for name, value in body.model_dump(exclude={"why"}).items() if value is not None}
    if changes.get("active") and not before.active:
        _take_active(connection, person, clock, month, body.why)
    if changes:
        connection.execute(update(processing_period).where(processing_period.c.month == month).values(**changes))
    if changes.get("active_for_checks") and not before.active_for_checks:
        HOOKS.publish(connection, ACTIVE_FOR_CHECKS, {"month": month})
    after = _period(connection, response, month)
    audit.record(
        connection, person, "period.revise", f"processing_period/{month}", {}, clock.now(),
        before=before.model_dump(), after=after.model_dump(), why=body.why,
    )  # fmt: skip
    return after


def _take_active(connection: Db, person: Operator, clock: Now, by: date, why: str | None) -> None:
    """The period that is active loses the mark to that of `by`; that is an act on it as well."""
    table = processing_period
    query = select(table).where(table.c.active).with_for_update()
    for before in connection.execute(query).mappings().all():
        connection.execute(update(table).where(table.c.month == before["month"]).values(active=False))
        subject, details = f"processing_period/{before['month']}", {"to": plain(by)}
        audit.record(
            connection, person, "period.pass_on", subject, details, clock.now(),
            before=before, after={**before, "active": False}, why=why,
        )  # fmt: skip


def _period(connection: Db, response: Response, month: date, *, lock: bool = False) -> PeriodOut:
    query = select(processing_period).where(processing_period.c.month == month)
    row = connection.execute(query.with_for_update() if lock else query).mappings().first()
    if row is None:
        raise NotFound("period_not_found", f"There is no processing period {month}; create it first.")
    response.headers["ETag"] = etag_of(row)
    return PeriodOut(**row)


def _rows(connection: Db, contract_id: int) -> list[CalendarRow]:
    rows = [CalendarRow(**row, etag="") for row in calendar.find_calendar(connection, contract_id)]
    return [row.model_copy(update={"etag": etag_of(_seen(row))}) for row in rows]


def _seen(row: CalendarRow) -> dict[str, object]:
    return row.model_dump(exclude={"etag"})
