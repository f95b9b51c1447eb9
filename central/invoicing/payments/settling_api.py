"""Routes of refunds, set-offs and reminders."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from central.invoicing.payments.api import Payer, Reader, rows, shown
from central.invoicing.payments.bodies import (
    BankOrder,
    LevelsOrder,
    MeetOrder,
    PathId,
    Reason,
    RefundOrder,
    RemindOrder,
    SetOffOrder,
)
from central.invoicing.payments.overviews import REFUNDS, REMINDERS, SET_OFFS
from central.invoicing.payments.refunds import (
    cancel_refund,
    make_order,
    meet_by_hand,
    order_refund,
    require_order,
    require_refund,
)
from central.invoicing.payments.reminders import (
    Level,
    find_levels,
    find_past_due,
    make_reminders,
    require_reminder,
    save_levels,
)
from central.invoicing.payments.set_offs import make_set_off, require_set_off
from central.platform.overview import Asked
from central.platform.web import Db, Now
from shared.metering_day import PRAGUE

router = APIRouter(prefix="/v1", tags=["invoicing"])


def _pdf(row: Any) -> Response:
    headers = {"Content-Disposition": f'inline; filename="{row.number}.pdf"'}
    return Response(bytes(row.content), media_type="application/pdf", headers=headers)


def _head(row: Any) -> dict[str, Any]:
    return shown({name: value for name, value in row._mapping.items() if name != "content"})


@router.get("/refunds", summary="Refunds")
def find_refunds(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(REFUNDS.asked())]
) -> list[dict[str, Any]]:
    """Ordered, sent to the bank, executed, returned or cancelled; newest first."""
    page = REFUNDS.find(connection, asked)
    page.tell(request, response)
    return rows(page.rows)


@router.post("/refunds", status_code=201, summary="Order a refund")
def refund(order: RefundOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Back to the account that the money came from, unless another one is given."""
    sources = [(source.kind, source.id, source.amount) for source in order.sources]
    made = order_refund(connection, sources, order.iban, order.reason, person, clock.now())
    return _head(require_refund(connection, made))


@router.post("/refunds/{refund}/cancel", summary="Take a refund back")
def cancel(refund: PathId, order: Reason, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Before the bank has executed it; its credits are free again."""
    cancel_refund(connection, refund, order.reason, person, clock.now())
    return _head(require_refund(connection, refund))


@router.post("/refunds/{refund}/execute", summary="Name the movement that executed a refund")
def execute(refund: PathId, order: MeetOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Where its symbol or account was lost on the way."""
    meet_by_hand(connection, refund, "execute", order.payment, order.reason, person, clock.now())
    return _head(require_refund(connection, refund))


@router.post("/refunds/{refund}/return", summary="Name the movement that brought a refund back")
def give_back(refund: PathId, order: MeetOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Its credits are free again."""
    meet_by_hand(connection, refund, "return", order.payment, order.reason, person, clock.now())
    return _head(require_refund(connection, refund))


@router.post("/payment-orders", status_code=201, summary="Make a file of refunds for the bank")
def order(order: BankOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """KPC (abo) or pain.001; the refunds are sent then."""
    made = make_order(connection, order.seller, order.form, order.due, order.refunds, person, clock.now())
    return _head(require_order(connection, made))


@router.get("/payment-orders/{order}/file", summary="The file of an order")
def order_file(order: PathId, connection: Db, _: Reader) -> Response:
    """As it was made."""
    row = require_order(connection, order)
    name, media = (f"{row.number}.kpc", "text/plain") if row.form == "abo" else (f"{row.number}.xml", "application/xml")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(bytes(row.content), media_type=media, headers=headers)


@router.get("/set-offs", summary="Set-offs")
def find_set_offs(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(SET_OFFS.asked())]
) -> list[dict[str, Any]]:
    """Newest first."""
    page = SET_OFFS.find(connection, asked)
    page.tell(request, response)
    return rows(page.rows)


@router.post("/set-offs", status_code=201, summary="Set credits off against debts")
def set_off(order: SetOffOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """Oldest first, until one side is used up; as a document."""
    made = make_set_off(
        connection, order.seller, order.payer, order.currency, order.only, order.until, order.reason, person,
        clock.now(),
    )  # fmt: skip
    return _head(require_set_off(connection, made))


@router.get("/set-offs/{set_off}/pdf", summary="The document of a set-off")
def set_off_pdf(set_off: PathId, connection: Db, _: Reader) -> Response:
    """As it was made."""
    return _pdf(require_set_off(connection, set_off))


@router.get("/reminder-levels", summary="Levels of reminders")
def get_levels(connection: Db, _: Reader) -> list[dict[str, Any]]:
    """Those that come with the system are assumed."""
    return rows(asdict(level) for level in find_levels(connection))


@router.put("/reminder-levels", summary="Set the levels of reminders")
def put_levels(order: LevelsOrder, connection: Db, clock: Now, person: Payer) -> list[dict[str, Any]]:
    """They take the place of all."""
    levels = [Level(**level.model_dump()) for level in order.levels]
    save_levels(connection, levels, order.reason, person, clock.now())
    return get_levels(connection, person)


@router.get("/reminders/due", summary="Items for which a reminder is due today")
def past_due(connection: Db, _: Reader, clock: Now) -> list[dict[str, Any]]:
    """With the level that comes next."""
    found = find_past_due(connection, clock.now().astimezone(PRAGUE).date())
    return rows(row._mapping for row in found)


@router.get("/reminders", summary="Reminders")
def find_reminders(
    connection: Db, _: Reader, request: Request, response: Response, asked: Annotated[Asked, Depends(REMINDERS.asked())]
) -> list[dict[str, Any]]:
    """Newest first."""
    page = REMINDERS.find(connection, asked)
    page.tell(request, response)
    return rows(page.rows)


@router.post("/reminders", status_code=201, summary="Make the reminders that are due")
def remind(order: RemindOrder, connection: Db, clock: Now, person: Payer) -> dict[str, Any]:
    """One letter for each payer and contract account, with fee and penalty of the level."""
    return {"reminders": make_reminders(connection, order.payers, person, clock.now())}


@router.get("/reminders/{reminder}/pdf", summary="The letter of a reminder")
def reminder_pdf(reminder: PathId, connection: Db, _: Reader) -> Response:
    """As it was made."""
    return _pdf(require_reminder(connection, reminder))
