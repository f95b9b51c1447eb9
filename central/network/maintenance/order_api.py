"""Routes of work orders, service cases and their rules."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field
from sqlalchemy import select

from central.network.maintenance import cases, work_orders
from central.network.maintenance.order_states import OrderState
from central.network.maintenance.order_tables import work_order
from central.network.maintenance.overviews import SERVICE_CASES, WORK_ORDERS, shown_case, shown_order
from central.network.maintenance.plan_api import Day
from central.network.maintenance.tables import service_case
from central.network.maintenance.work_orders import Work
from central.network.point_tables import measuring_point
from central.network.tables import concentrator, meter
from central.network.topology_tables import network_element
from central.network.web import Body, Identifier, Note, Operator, Reader, Reason, Text
from central.platform import etag
from central.platform.errors import BadInput, NotFound
from central.platform.overview import Asked
from central.platform.web import Db, Now

router = APIRouter()


class OrderIn(Body):
    """Work to be done at a measuring point, meter, concentrator or network element."""

    kind: Literal["verification", "sampling", "reading", "inspection", "exchange", "mounting", "removal", "repair"]
    title: Text
    due: Day
    instructions: Note = ""
    measuring_point: Text | None = None
    meter: Text | None = None
    concentrator: Text | None = None
    element: Identifier | None = None
    service_case: Identifier | None = None


class OrderOut(BaseModel):
    """A work order; measuring point and place by name."""

    number: str
    kind: str
    state: str
    title: str
    instructions: str
    measuring_point: str | None
    place: str | None
    meter: str | None
    concentrator: str | None
    element: int | None
    service_case: int | None
    activity: int | None
    due: date
    planned_on: date | None
    assignee: str | None
    route_order: int
    result: str | None
    finished_at: datetime | None
    finished_by: str | None


class StepOut(BaseModel):
    """A state that an order went through."""

    state: str
    at: datetime
    person: str
    note: str


class PlanIn(Body):
    """The day on which it is to be done."""

    on: Day


class AssignIn(Body):
    """Who does it, on which day, at which place of the way."""

    assignee: Text
    on: Day
    route_order: Annotated[int, Field(ge=0, le=1_000_000)] = 0


class FinishIn(Body):
    """What came of it; `done` false: the technician could not do it."""

    result: Reason
    done: bool = True


class ReasonIn(Body):
    """Why."""

    reason: Reason


class CaseOut(BaseModel):
    """A service case: its cause, since when, and the evidence for it."""

    id: int
    kind: str
    cause: str
    state: str
    severity: int
    meter: str | None
    model: str | None
    concentrator: str | None
    measuring_point: str | None
    since: datetime
    opened_at: datetime
    seen_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    reason: str | None
    evidence: dict[str, Any]


class RuleOut(BaseModel):
    """When a case is opened and which work it proposes; `mark` says who set the thresholds."""

    kind: str
    name: str
    parameters: dict[str, Any]
    severity: int
    order_kind: str
    due_days: int
    active: bool
    mark: str


class RuleChange(Body):
    """Other thresholds; what is not named stays."""

    why: Reason
    parameters: dict[str, int | list[Text]] | None = None
    severity: Annotated[int, Field(ge=1, le=3)] | None = None
    order_kind: Text | None = None
    due_days: Annotated[int, Field(ge=0, le=1_000)] | None = None
    active: bool | None = None


Orders = Annotated[Asked, Depends(WORK_ORDERS.asked())]
Cases = Annotated[Asked, Depends(SERVICE_CASES.asked())]


@router.get("/work-orders", summary="Work orders")
def find_orders(connection: Db, _: Reader, request: Request, response: Response, asked: Orders) -> list[OrderOut]:
    """Filtered, sorted, by pages; a technician's day: `?assignee=Novák&planned_on=2026-03-05&sort=route_order`."""
    page = WORK_ORDERS.find(connection, asked)
    page.tell(request, response)
    return [OrderOut(**row) for row in page.rows]


@router.get("/work-orders/{number}", summary="One work order")
def get_order(connection: Db, _: Reader, response: Response, number: str) -> OrderOut:
    """With its tag for the next step."""
    etag.show(response, dict(work_orders.require_order(connection, number)))
    return _shown(connection, number)


@router.get("/work-orders/{number}/steps", summary="What happened to a work order")
def find_steps(connection: Db, _: Reader, number: str) -> list[StepOut]:
    """Oldest first."""
    order = work_orders.require_order(connection, number)
    return [StepOut(**row) for row in work_orders.find_steps(connection, order["id"])]


@router.post("/work-orders", status_code=201, summary="Create a work order")
def create_order(connection: Db, person: Operator, clock: Now, body: OrderIn) -> OrderOut:
    """It is planned or assigned next."""
    subjects = (body.measuring_point, body.meter, body.concentrator, body.element)
    if all(subject is None for subject in subjects):
        raise BadInput("order_place", "A work order needs a measuring point, meter, concentrator or network element.")
    point = None
    if body.measuring_point is not None:
        point = connection.execute(
            select(measuring_point.c.id).where(measuring_point.c.name == body.measuring_point)
        ).scalar()
        if point is None:
            raise NotFound("measuring_point_not_found", f"There is no measuring point {body.measuring_point!r}.")
    for column, value, what in (
        (meter.c.id, body.meter, "meter"),
        (concentrator.c.id, body.concentrator, "concentrator"),
        (network_element.c.id, body.element, "network element"),
    ):
        if value is not None and connection.execute(select(column).where(column == value)).first() is None:
            raise NotFound(f"{what.replace(' ', '_')}_not_found", f"There is no {what} {value!r}.")
    if body.service_case is not None:
        cases.require_case(connection, body.service_case, locked=True)
    work = Work(**{**body.model_dump(), "measuring_point": point})
    identifier = work_orders.create_orders(connection, [work], OrderState.PROPOSED, person, clock.now())[0]
    number: str = connection.execute(select(work_order.c.number).where(work_order.c.id == identifier)).scalar_one()
    return _shown(connection, number)


@router.post("/work-orders/{number}/plan", summary="Plan a work order for a day")
def plan(
    connection: Db, person: Operator, clock: Now, number: str, body: PlanIn, if_match: etag.IfMatch = None
) -> OrderOut:
    """Also another day, also after a visit that failed."""
    work_orders.plan(connection, _locked(connection, number, if_match), body.on, person, clock.now())
    return _shown(connection, number)


@router.post("/work-orders/{number}/assign", summary="Put a work order on a technician's route")
def assign(
    connection: Db, person: Operator, clock: Now, number: str, body: AssignIn, if_match: etag.IfMatch = None
) -> OrderOut:
    """Also to another technician, as long as nobody began."""
    order = _locked(connection, number, if_match)
    work_orders.assign(connection, order, body.assignee, body.on, body.route_order, person, clock.now())
    return _shown(connection, number)


@router.post("/work-orders/{number}/begin", summary="The technician is there")
def begin(connection: Db, person: Operator, clock: Now, number: str, if_match: etag.IfMatch = None) -> OrderOut:
    """From then on only its end is possible."""
    work_orders.begin(connection, _locked(connection, number, if_match), person, clock.now())
    return _shown(connection, number)


@router.post("/work-orders/{number}/finish", summary="The work is done, or could not be")
def finish(
    connection: Db, person: Operator, clock: Now, number: str, body: FinishIn, if_match: etag.IfMatch = None
) -> OrderOut:
    """With a word on what came of it."""
    order = _locked(connection, number, if_match)
    work_orders.finish(connection, order, body.result, body.done, person, clock.now())
    return _shown(connection, number)


@router.post("/work-orders/{number}/cancel", summary="Cancel a work order")
def cancel(
    connection: Db, person: Operator, clock: Now, number: str, body: ReasonIn, if_match: etag.IfMatch = None
) -> OrderOut:
    """With the reason."""
    work_orders.cancel(connection, _locked(connection, number, if_match), body.reason, person, clock.now())
    return _shown(connection, number)


@router.get("/service-cases", summary="Service cases")
def find_cases(connection: Db, _: Reader, request: Request, response: Response, asked: Cases) -> list[CaseOut]:
    """Filtered, sorted, by pages."""
    page = SERVICE_CASES.find(connection, asked)
    page.tell(request, response)
    return [CaseOut(**row) for row in page.rows]


@router.post("/service-cases/{identifier}/close", summary="Close a service case by hand")
def close_case(connection: Db, person: Operator, clock: Now, identifier: Identifier, body: ReasonIn) -> CaseOut:
    """With the reason; its orders that nobody began are cancelled. A cause that is still there opens a new case."""
    cases.require_case(connection, identifier, locked=True)
    cases.close_cases(connection, [identifier], body.reason, person, clock.now())
    row = connection.execute(shown_case.where(service_case.c.id == identifier)).mappings().one()
    return CaseOut(**row)


@router.get("/service-rules", summary="When service cases are opened")
def find_rules(connection: Db, _: Reader) -> list[RuleOut]:
    """Thresholds as data."""
    return [RuleOut(**row) for row in cases.find_rules(connection)]


@router.patch("/service-rules/{kind}", summary="Revise a rule of service cases")
def revise_rule(
    connection: Db, person: Operator, clock: Now, kind: str, body: RuleChange, if_match: etag.IfMatch = None
) -> RuleOut:
    """Takes effect at the next look."""
    row = cases.require_rule(connection, kind, locked=True)
    etag.require_match(if_match, dict(row), f"the service rule {kind}")
    changes = {name: value for name, value in body.model_dump(exclude={"why"}).items() if value is not None}
    return RuleOut(**cases.revise_rule(connection, row, changes, body.why, person, clock.now()))


@router.get("/service-rules/{kind}", summary="One rule of service cases")
def get_rule(connection: Db, _: Reader, response: Response, kind: str) -> RuleOut:
    """With its tag for a revision."""
    row = cases.require_rule(connection, kind)
    etag.show(response, dict(row))
    return RuleOut(**row)


def _locked(connection: Db, number: str, if_match: str | None) -> Any:
    order = work_orders.require_order(connection, number, locked=True)
    etag.require_match(if_match, dict(order), f"the work order {number}")
    return order


def _shown(connection: Db, number: str) -> OrderOut:
    return OrderOut(**connection.execute(shown_order.where(work_order.c.number == number)).mappings().one())
