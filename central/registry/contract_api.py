"""Routes of contracts: overview, one contract, create, revise, close, amendments, versions, history."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, Field

from central.platform import audit
from central.platform.change import Confirmed, Preview, PreviewOnly, look, sentence, weigh
from central.platform.errors import BadInput
from central.platform.etag import IfMatch, require_match
from central.platform.hooks import Change
from central.platform.overview import Asked
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import contracts
from central.registry.acts import Ask, changed_fields, record, revise, seen, tag_of
from central.registry.calendar import end_calendar
from central.registry.contract_tables import contract
from central.registry.item_api import ItemIn, ItemOut
from central.registry.items import find_items
from central.registry.series import draw
from central.registry.versions import read_versions
from central.registry.web import (
    Body,
    Day,
    Ending,
    Event,
    Operator,
    Reader,
    VersionOut,
    Why,
    history,
    require_new,
    versions,
)

router = APIRouter()

Payment = Literal["transfer", "debit", "sipo", "cash"]
DueDays = Annotated[int, Field(ge=0, le=365)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]


class ContractIn(Body):
    """A contract with its items; `valid_to` is exclusive, null is open. Without `number`, `series` gives the next."""

    number: str | None = None
    series: str | None = None
    kind: Literal["connection", "distribution", "framework", "combined", "supply", "purchase"]
    customer: str
    payer: str | None = None
    account: str | None = None
    valid_from: Day
    valid_to: Day | None = None
    signed_on: Day | None = None
    due_days: DueDays = 14
    payment: Payment = "transfer"
    statement_months: Literal[1, 3, 6, 12] = 1
    advance_months: Literal[0, 1, 2, 3, 6] = 0
    advance_spread: Literal["even", "manual", "curve", "expected"] = "even"
    advance_amount: Amount | None = None
    items: list[ItemIn]


class ContractChange(Body):
    """What becomes another from `since` on; what is not given stays."""

    since: Day
    why: Why
    customer: str | None = None
    payer: str | None = None
    account: str | None = None
    due_days: DueDays | None = None
    payment: Payment | None = None
    statement_months: Literal[1, 3, 6, 12] | None = None
    advance_months: Literal[0, 1, 2, 3, 6] | None = None
    advance_spread: Literal["even", "manual", "curve", "expected"] | None = None
    advance_amount: Amount | None = None


class Extension(Body):
    """Until when a contract goes on (exclusive; null: without end), and why."""

    to: Day | None
    why: Why


class ContractOut(BaseModel):
    """A contract's header as it is since `since`; parties are ids with their names."""

    id: int
    number: str
    kind: str
    customer: int
    customer_name: str
    payer: int
    payer_name: str
    account: int | None
    signed_on: date | None
    due_days: int
    payment: str
    statement_months: int
    advance_months: int
    advance_spread: str
    advance_amount: Decimal | None
    valid_from: date | None
    valid_to: date | None
    since: date | None


@router.get("/contracts", summary="Contracts: filter, sort, page")
def find_contracts(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(contracts.OVERVIEW.asked("valid_on"))],
    valid_on: Annotated[date | None, Query(description="valid on this day")] = None,
) -> list[ContractOut]:
    """Headers with customer, payer and terms of payment."""
    conditions = [] if valid_on is None else [contract.c.valid.contains(valid_on)]
    page = contracts.OVERVIEW.find(connection, asked, *conditions)
    page.tell(request, response)
    return [ContractOut(**row) for row in page.rows]


@router.post("/contracts", status_code=201, summary="Create a contract with its items")
def create_contract(connection: Db, person: Operator, clock: Now, body: ContractIn) -> list[ItemOut]:
    """Refused when the number is in use or an item's validity overlaps another of the same supply point."""
    if (body.number is None) == (body.series is None):
        raise BadInput("number", "A contract needs either its number, or a number series to draw it from.")
    number = body.number or draw(connection, str(body.series), ("contract",))
    given = body.model_dump(exclude={"series"}, exclude_unset=True) | {"number": number}
    outcome = contracts.create_contracts(connection, [given])
    require_new(outcome, f"The contract {number}")
    details = plain(given)
    audit.record(connection, person, "contract.create", f"contract/{number}", details, clock.now(), after=details)
    stored = contracts.require_contract(connection, number)
    return [ItemOut(**row) for row in find_items(connection, contract_id=stored["id"])]


@router.get("/contracts/{number:path}/items", summary="Items of one contract")
def find_contract_items(connection: Db, _: Reader, number: str, valid_on: date | None = None) -> list[ItemOut]:
    """Supply points with their price list, rate, breaker and capacities."""
    stored = contracts.require_contract(connection, number)
    return [ItemOut(**row) for row in find_items(connection, contract_id=stored["id"], valid_on=valid_on)]


@router.get("/contracts/{number:path}/versions", summary="What held of a contract, and since when")
def get_contract_versions(connection: Db, _: Reader, number: str) -> list[VersionOut]:
    """Parties and terms of payment in the order of time."""
    return versions(connection, contracts.VERSIONED, contracts.require_contract(connection, number)["id"])


@router.get("/contracts/{number:path}/history", summary="Who changed a contract, when, what and why")
def get_contract_history(connection: Db, _: Reader, number: str) -> list[Event]:
    """Newest first, with the acts on its items and calendar."""
    contracts.require_contract(connection, number)
    return history(connection, f"contract/{number}")


@router.post("/contracts/{number:path}/revise", summary="Change parties or terms of a contract from a day on")
def revise_contract(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    number: str,
    body: ContractChange,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ContractOut | Preview:
    """With `preview=true` only says what would be touched. Needs If-Match."""
    row = contracts.require_contract(connection, number, lock=True)
    changes = body.model_dump(exclude_unset=True, exclude={"since", "why"})
    before = read_versions(connection, contracts.VERSIONED, row["id"])
    after = contracts.revised_contract(connection, row, changes, body.since)
    fields = changed_fields(before, body.since, changes)
    points = contracts.points_of(connection, row["id"], body.since) if fields & {"customer", "payer"} else ()
    change = Change("contract", row["id"], number, "revise", body.since, row["valid"].upper, fields, points)
    ask = Ask(person, clock, if_match, body.why, preview, confirmed)
    return revise(connection, contracts.VERSIONED, row, after, change, ask) or _shown(connection, response, number)


@router.post("/contracts/{number:path}/close", summary="End a contract and its items on a day")
def close_contract(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    number: str,
    body: Ending,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ContractOut | Preview:
    """Refused when it is billed beyond that day. Needs If-Match."""
    row = contracts.require_contract(connection, number, lock=True)
    require_match(if_match, seen(connection, contracts.VERSIONED, row), f"the contract {number}")
    points = contracts.points_of(connection, row["id"], body.on)
    change = Change("contract", row["id"], number, "close", body.on, row["valid"].upper, frozenset(), points)
    before, after = {"valid": plain(row["valid"])}, {"valid": [plain(row["valid"].lower), plain(body.on)]}
    if preview:
        return look(connection, change, before, after)
    touched = weigh(connection, change, confirmed=confirmed)
    contracts.close_contract(connection, row, body.on)
    end_calendar(connection, contracts.require_contract(connection, number))
    ask = Ask(person, clock, if_match, body.why)
    record(connection, change, ask, before, after, [sentence(each) for each in touched])
    return _shown(connection, response, number)


@router.post("/contracts/{number:path}/extend", summary="Let a contract and its items go on")
def extend_contract(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    number: str,
    body: Extension,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> ContractOut | Preview:
    """Items that would have ended with it go on too. Needs If-Match."""
    row = contracts.require_contract(connection, number, lock=True)
    require_match(if_match, seen(connection, contracts.VERSIONED, row), f"the contract {number}")
    ended = row["valid"].upper or date(1990, 1, 1)
    points = contracts.points_of(connection, row["id"], ended - timedelta(days=1))
    change = Change("contract", row["id"], number, "extend", ended, body.to, frozenset(), points)
    before, after = {"valid": plain(row["valid"])}, {"valid": [plain(row["valid"].lower), plain(body.to)]}
    if preview:
        return look(connection, change, before, after)
    touched = weigh(connection, change, confirmed=confirmed)
    contracts.extend_contract(connection, row, body.to)
    ask = Ask(person, clock, if_match, body.why)
    record(connection, change, ask, before, after, [sentence(each) for each in touched])
    return _shown(connection, response, number)


@router.get("/contracts/{number:path}", summary="One contract")
def get_contract(connection: Db, _: Reader, response: Response, number: str) -> ContractOut:
    """Its header, by number."""
    return _shown(connection, response, number)


def _shown(connection: Db, response: Response, number: str) -> ContractOut:
    row = contracts.require_contract(connection, number)
    response.headers["ETag"] = tag_of(connection, contracts.VERSIONED, row)
    page = contracts.OVERVIEW.find(connection, Asked(), contract.c.id == row["id"])
    return ContractOut(**page.rows[0])
