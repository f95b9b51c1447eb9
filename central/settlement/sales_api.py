"""Routes of what is sold under a contract item and what it is settled from: services, price list, other channels."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field
from sqlalchemy import RowMapping

from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.errors import BadInput
from central.platform.etag import IfMatch, etag_of, require_match
from central.platform.hooks import Change
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import items
from central.registry.acts import Ask, record
from central.registry.web import Body, Day, Ending, Operator, Reader, Why
from central.settlement import sales

router = APIRouter()

Item = Annotated[int, Field(ge=1, lt=2**63)]


class Attachment(Body):
    """Something attached to a contract item from a day on, until the next of its kind or `valid_to` (exclusive)."""

    valid_from: Day
    valid_to: Day | None = None
    why: Why


class ServiceAttachment(Attachment):
    """An own service and what its quantity is.

    `fixed`: so many units a month. `area`: the floor area of the point's object, a month. `channel`: what a channel,
    physical or virtual, counted. `formula`: of the grammar of virtual meters. `node`: what entered a node of a
    collection less what stands below it; of that this item bears the `whole`, a `percent`, or its part among the
    points below by `energy` or `area`.
    """

    service: Annotated[str, Field(min_length=1, max_length=50)]
    quantity: Literal["fixed", "area", "channel", "formula", "node"]
    fixed: Annotated[Decimal, Field(max_digits=18, decimal_places=6)] | None = None
    channel: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    formula: Annotated[str, Field(min_length=1, max_length=20_000)] | None = None
    collection: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    node: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    share: Literal["whole", "percent", "energy", "area"] | None = None
    percent: Annotated[Decimal, Field(gt=0, le=100, max_digits=9, decimal_places=6)] | None = None


class PriceListAttachment(Attachment):
    """The own price list by which energy is sold."""

    price_list: Annotated[str, Field(min_length=1, max_length=50)]


class ChannelAttachment(Attachment):
    """The channel that a direction is settled from instead of the point's own one."""

    direction: Annotated[str, Field(min_length=1, max_length=10)]
    channel: Annotated[int, Field(ge=1, lt=2**31)]


class SalesOut(BaseModel):
    """All that is attached to an item, now, before and later; ids are those to close with."""

    services: list[dict[str, Any]]
    price_lists: list[dict[str, Any]]
    settled_from: list[dict[str, Any]]


NEEDED = {
    "fixed": ("fixed",), "area": (), "channel": ("channel",), "formula": ("formula",),
    "node": ("collection", "node", "share"),
}  # fmt: skip
"""What says a quantity, by its kind."""


@router.get("/contract-items/{identifier}/sales", summary="What is sold under an item and what it is settled from")
def get_sales(connection: Db, _: Reader, response: Response, identifier: Item) -> SalesOut:
    """Services, price lists and other channels; the ETag is that of all of them."""
    items.require_item(connection, identifier)
    return _shown(connection, response, identifier)


@router.post("/contract-items/{identifier}/services", status_code=201, summary="Attach an own service to an item")
def attach_service(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Item,
    body: ServiceAttachment,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> SalesOut | Preview:
    """The same service attached before ends there. Refused where the quantity cannot be counted in its unit."""
    row = items.require_item(connection, identifier, lock=True)
    given = body.model_dump(exclude={"service", "valid_from", "valid_to", "why"}, exclude_none=True)
    _require_given(body, given)
    change, before = _change(row, "attach_service", body), _told(connection, identifier)
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    sales.attach_service(connection, row, body.service, given, body.valid_from, body.valid_to)
    ask = Ask(person, clock, None, body.why, subject=f"contract/{row['number']}")
    record(connection, change, ask, before, _told(connection, identifier), [sentence(each) for each in touched])
    return _shown(connection, response, identifier)


@router.post("/contract-items/{identifier}/price-lists", status_code=201, summary="Sell energy by an own price list")
def attach_price_list(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Item,
    body: PriceListAttachment,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> SalesOut | Preview:
    """Under combined and supply contracts only; the list before ends there."""
    row = items.require_item(connection, identifier, lock=True)
    change, before = _change(row, "attach_price_list", body), _told(connection, identifier)
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    sales.attach_price_list(connection, row, body.price_list, body.valid_from, body.valid_to)
    ask = Ask(person, clock, None, body.why, subject=f"contract/{row['number']}")
    record(connection, change, ask, before, _told(connection, identifier), [sentence(each) for each in touched])
    return _shown(connection, response, identifier)


@router.post("/contract-items/{identifier}/settled-from", status_code=201, summary="Settle an item by another channel")
def settle_from(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Item,
    body: ChannelAttachment,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> SalesOut | Preview:
    """Another meter or a virtual one, of the same direction and commodity."""
    row = items.require_item(connection, identifier, lock=True)
    change, before = _change(row, "settle_from", body), _told(connection, identifier)
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    sales.settle_from(connection, row, body.direction, body.channel, body.valid_from, body.valid_to)
    ask = Ask(person, clock, None, body.why, subject=f"contract/{row['number']}")
    record(connection, change, ask, before, _told(connection, identifier), [sentence(each) for each in touched])
    return _shown(connection, response, identifier)


@router.post("/contract-items/{identifier}/{part}/{attached}/close", summary="End what is attached to an item")
def close_part(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: Item,
    part: Literal["services", "price-lists", "settled-from"],
    attached: Item,
    body: Ending,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> SalesOut | Preview:
    """On a day, exclusive; on its first day it is taken away. Needs If-Match with the ETag of the item's sales."""
    row = items.require_item(connection, identifier, lock=True)
    before = _told(connection, identifier)
    require_match(if_match, before, f"the sales of {row['ean']} under contract {row['number']}")
    change = _of(row, f"end_{part.replace('-', '_')}", body.on, None)
    if preview:
        return look(connection, change, before, plain(body.model_dump()))
    touched = weigh(connection, change, confirmed=confirmed)
    sales.end_part(connection, row, part, attached, body.on)
    ask = Ask(person, clock, if_match, body.why, subject=f"contract/{row['number']}")
    record(connection, change, ask, before, _told(connection, identifier), [sentence(each) for each in touched])
    return _shown(connection, response, identifier)


def _require_given(body: ServiceAttachment, given: dict[str, Any]) -> None:
    needed = {*NEEDED[body.quantity], *(("percent",) if body.share == "percent" else ())}
    has = set(given) - {"quantity"}
    if has != needed:
        raise BadInput(
            "quantity",
            f"The quantity {body.quantity} of the service {body.service} is said by "
            f"{', '.join(sorted(needed)) or 'itself'}; given is {', '.join(sorted(has)) or 'nothing'}.",
        )


def _change(row: RowMapping, act: str, body: Attachment) -> Change:
    return _of(row, act, body.valid_from, body.valid_to)


def _of(row: RowMapping, act: str, since: date, until: date | None) -> Change:
    name = f"{row['number']} of {row['ean']}"
    return Change("contract_item", row["id"], name, act, since, until, frozenset({"sales"}), (row["supply_point"],))


def _told(connection: Db, item: int) -> dict[str, Any]:
    told: dict[str, Any] = plain(sales.find_sales(connection, item))
    return told


def _shown(connection: Db, response: Response, item: int) -> SalesOut:
    told = _told(connection, item)
    response.headers["ETag"] = etag_of(told)
    return SalesOut(**{name.replace("-", "_"): rows for name, rows in told.items()})
