"""Work orders (pracovní příkazy): made, planned, assigned to a technician's route, done with a result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from central.network.maintenance import case_states
from central.network.maintenance.case_states import CaseState
from central.network.maintenance.order_states import FINISHED, OrderState, advance
from central.network.maintenance.order_tables import ORDER_KINDS, work_order, work_order_number, work_order_step
from central.network.maintenance.tables import service_case
from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person
from shared.metering_day import PRAGUE


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done, where, and until when; what asks for it (a service case, or an activity and its due day)."""

    kind: str
    title: str
    due: date
    instructions: str = ""
    measuring_point: int | None = None
    meter: str | None = None
    concentrator: str | None = None
    element: int | None = None
    service_case: int | None = None
    activity: int | None = None
    activity_due: date | None = None
    route_order: int = 0


def create_orders(
    connection: Connection, works: Sequence[Work], state: OrderState, person: Person, now: datetime
) -> list[int]:
    """One order for each work, numbered without holes (P-2026-000001); their ids, in order."""
    if not works:
        return []
    for work in works:
        if work.kind not in ORDER_KINDS:
            raise BadInput(
                "order_kind", f"Work of the kind {work.kind!r} is not known; kinds: {', '.join(ORDER_KINDS)}."
            )
    numbers = _draw_numbers(connection, len(works), now)
    rows = [
        {
            "number": number,
            "state": str(state),
            "made_at": now,
            "made_by": person.name,
            **{name: getattr(work, name) for name in Work.__slots__},
        }
        for number, work in zip(numbers, works, strict=True)
    ]
    made = connection.execute(
        insert(work_order).returning(work_order.c.id, work_order.c.number, sort_by_parameter_order=True), rows
    ).all()
    _step(connection, [row.id for row in made], str(state), person, now, "")
    subjects = {
        f"work_order/{row.number}": {"kind": work.kind, "title": work.title, "due": work.due.isoformat()}
        for row, work in zip(made, works, strict=True)
    }
    audit.record_each(connection, person, "work_order.create", subjects, now)
    _follow(connection, [work.service_case for work in works if work.service_case is not None])
    return [row.id for row in made]


def _draw_numbers(connection: Connection, count: int, now: datetime) -> list[str]:
    """The next numbers of the year; the row lock keeps them in line with what is committed."""
    year = now.astimezone(PRAGUE).year
    drawn = upsert(work_order_number).values(year=year, last=count)
    drawn = drawn.on_conflict_do_update(
        index_elements=["year"], set_={"last": work_order_number.c.last + drawn.excluded.last}
    )
    last: int = connection.execute(drawn.returning(work_order_number.c.last)).scalar_one()
    return [f"P-{year}-{number:06d}" for number in range(last - count + 1, last + 1)]


def require_order(connection: Connection, number: str, *, locked: bool = False) -> RowMapping:
    """A work order by its number, or NotFound; `locked` for who is about to change it."""
    query = select(work_order).where(work_order.c.number == number)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        raise NotFound("work_order_not_found", f"There is no work order {number!r}.")
    return row


def find_steps(connection: Connection, order: int) -> Sequence[RowMapping]:
    """The states that an order went through, oldest first."""
    query = select(work_order_step).where(work_order_step.c.work_order == order).order_by(work_order_step.c.id)
    return connection.execute(query).mappings().all()


def plan(connection: Connection, order: RowMapping, on: date, person: Person, now: datetime) -> None:
    """Do it on that day; a failed order is planned again, its result stays in its steps."""
    values = {"planned_on": on, "assignee": None, "finished_at": None, "finished_by": None}
    _move(connection, order, OrderState.PLANNED, values, person, now, "")


def assign(
    connection: Connection, order: RowMapping, to: str, on: date, route_order: int, person: Person, now: datetime
) -> None:
    """Put it on a technician's route of a day, at this place of the way."""
    if not to.strip():
        raise BadInput("assignee", f"The work order {order['number']} needs the name of who does it.")
    values = {"assignee": to.strip(), "planned_on": on, "route_order": route_order}
    _move(connection, order, OrderState.ASSIGNED, values, person, now, to.strip())


def begin(connection: Connection, order: RowMapping, person: Person, now: datetime) -> None:
    """The technician is there."""
    _move(connection, order, OrderState.UNDER_WAY, {}, person, now, "")


def finish(connection: Connection, order: RowMapping, result: str, done: bool, person: Person, now: datetime) -> None:
    """Done with a result, or failed with the reason. A case that it followed is open again until its cause is gone."""
    if not result.strip():
        raise BadInput("result", f"The work order {order['number']} cannot end without a word on what came of it.")
    values = {"result": result.strip(), "finished_at": now, "finished_by": person.name}
    wanted = OrderState.DONE if done else OrderState.FAILED
    _move(connection, order, wanted, values, person, now, result.strip())
    _release_case(connection, order)


def cancel(connection: Connection, order: RowMapping, reason: str, person: Person, now: datetime) -> None:
    """It will not be done, and why."""
    if not reason.strip():
        raise BadInput("reason", f"The work order {order['number']} cannot be cancelled without a reason.")
    values = {"finished_at": now, "finished_by": person.name}
    _move(connection, order, OrderState.CANCELLED, values, person, now, reason.strip())
    _release_case(connection, order)


def cancel_unbegun(
    connection: Connection, cases: Sequence[int], reason: str, person: Person, now: datetime
) -> Sequence[str]:
    """Cancel what nobody began of the orders that follow these cases: their causes are gone. Gives their numbers."""
    begun = (*FINISHED, OrderState.UNDER_WAY)
    rows = connection.execute(
        update(work_order)
        .where(work_order.c.service_case.in_(cases), work_order.c.state.not_in([str(state) for state in begun]))
        .values(state=str(OrderState.CANCELLED), finished_at=now, finished_by=person.name)
        .returning(work_order.c.id, work_order.c.number)
    ).all()
    _step(connection, [row.id for row in rows], str(OrderState.CANCELLED), person, now, reason)
    subjects: dict[str, dict[str, Any]] = {f"work_order/{row.number}": {} for row in rows}
    audit.record_each(connection, person, "work_order.cancelled", subjects, now, why=reason)
    return [row.number for row in rows]


def _move(
    connection: Connection,
    order: RowMapping,
    wanted: OrderState,
    values: Mapping[str, Any],
    person: Person,
    now: datetime,
    note: str,
) -> None:
    state = advance(order["number"], order["state"], wanted)
    row = (
        connection.execute(
            update(work_order)
            .where(work_order.c.id == order["id"])
            .values(state=str(state), **values)
            .returning(work_order)
        )
        .mappings()
        .one()
    )
    if order["service_case"] is not None and state in (OrderState.PLANNED, OrderState.ASSIGNED):
        _follow(connection, [order["service_case"]])
    _step(connection, [order["id"]], str(state), person, now, note)
    subject = f"work_order/{order['number']}"
    audit.record(
        connection,
        person,
        f"work_order.{state}",
        subject,
        {},
        now,
        before=dict(order),
        after=dict(row),
        why=note or None,
    )


def _step(connection: Connection, orders: Sequence[int], state: str, person: Person, now: datetime, note: str) -> None:
    if orders:
        rows = [
            {"work_order": order, "state": state, "at": now, "person": person.name, "note": note} for order in orders
        ]
        connection.execute(insert(work_order_step), rows)


def _follow(connection: Connection, cases: Sequence[int]) -> None:
    connection.execute(
        update(service_case)
        .where(service_case.c.id.in_(cases), service_case.c.state == str(CaseState.OPEN))
        .values(state=str(CaseState.ORDERED))
    )


def _release_case(connection: Connection, order: RowMapping) -> None:
    if order["service_case"] is None:
        return
    query = select(service_case).where(service_case.c.id == order["service_case"]).with_for_update()
    case = connection.execute(query).mappings().one()
    if case["state"] == CaseState.ORDERED:
        state = case_states.advance(case["id"], case["state"], CaseState.OPEN)
        connection.execute(update(service_case).where(service_case.c.id == case["id"]).values(state=str(state)))
