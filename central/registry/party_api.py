"""Routes of parties: overview, one party, create, revise, versions, history."""

from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from central.platform import audit
from central.platform.change import Confirmed, Preview, PreviewOnly
from central.platform.etag import IfMatch
from central.platform.hooks import Change
from central.platform.overview import Asked
from central.platform.web import Db, Now
from central.registry import parties
from central.registry.acts import Ask, changed_fields, revise, tag_of
from central.registry.form import check_party
from central.registry.versions import read_versions
from central.registry.web import Body, Day, Event, Operator, Reader, VersionOut, Why, history, require_new, versions

router = APIRouter()

Role = Literal["operator", "customer", "supplier", "balance_responsible", "superior_distributor", "market_operator"]


class PartyIn(Body):
    """A party with one role or several; `superior` is the code of the superior distributor."""

    code: str
    name: str
    role: Role | None = None
    roles: list[Role] | None = None
    street: str
    city: str
    postal_code: str
    country: str = "CZ"
    ico: str | None = None
    dic: str | None = None
    ean13: str | None = None
    eic: str | None = None
    iban: str | None = None
    licence: str | None = None
    registration: str | None = None
    vat_payer: bool = True
    email: str | None = None
    phone: str | None = None
    superior: str | None = None


class PartyChange(Body):
    """What becomes another from `since` on; what is not given stays."""

    since: Day
    why: Why
    name: str | None = None
    roles: list[Role] | None = None
    street: str | None = None
    city: str | None = None
    postal_code: str | None = None
    country: str | None = None
    ico: str | None = None
    dic: str | None = None
    ean13: str | None = None
    eic: str | None = None
    iban: str | None = None
    licence: str | None = None
    registration: str | None = None
    vat_payer: bool | None = None
    email: str | None = None
    phone: str | None = None
    superior: str | None = None


class PartyOut(BaseModel):
    """A party as it is since `since`; `superior` is an id, `warnings` is what looks wrong and was stored."""

    id: int
    code: str
    name: str
    roles: list[str]
    ico: str | None
    dic: str | None
    street: str
    city: str
    postal_code: str
    country: str
    ean13: str | None
    eic: str | None
    iban: str | None
    licence: str | None
    registration: str | None
    vat_payer: bool
    email: str | None
    phone: str | None
    superior: int | None
    since: date | None
    warnings: list[str] = []


@router.get("/parties", summary="Parties: filter, sort, page")
def find_parties(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(parties.OVERVIEW.asked())],
) -> list[PartyOut]:
    """Licence holders, customers, payers, suppliers, balance-responsible parties, distributors, market operators."""
    page = parties.OVERVIEW.find(connection, asked)
    page.tell(request, response)
    return [PartyOut(roles=row["role"], **row) for row in page.rows]


@router.get("/parties/{identifier}", summary="One party")
def get_party(connection: Db, _: Reader, response: Response, identifier: int) -> PartyOut:
    """By its id."""
    return _shown(connection, response, identifier)


@router.get("/parties/{identifier}/versions", summary="What held of a party, and since when")
def get_party_versions(connection: Db, _: Reader, identifier: int) -> list[VersionOut]:
    """In the order of time."""
    parties.require_party(connection, identifier)
    return versions(connection, parties.VERSIONED, identifier)


@router.get("/parties/{identifier}/history", summary="Who changed a party, when, what and why")
def get_party_history(connection: Db, _: Reader, identifier: int) -> list[Event]:
    """Newest first."""
    parties.require_party(connection, identifier)
    return history(connection, f"party/{identifier}")


@router.post("/parties", status_code=201, summary="Create a party")
def create_party(connection: Db, person: Operator, clock: Now, response: Response, body: PartyIn) -> PartyOut:
    """Refused when the code is in use or a Czech check digit is wrong; what cannot be judged is a warning."""
    given = body.model_dump(exclude_unset=True) | {"country": body.country, "vat_payer": body.vat_payer}
    require_new(parties.create_parties(connection, [given]), f"The party {body.code}")
    row = parties.find_party(connection, body.code)
    assert row is not None
    audit.record(connection, person, "party.create", f"party/{row['id']}", body.model_dump(), clock.now(), after=given)
    return _shown(connection, response, row["id"])


@router.post("/parties/{identifier}/revise", summary="Change facts of a party from a day on")
def revise_party(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: int,
    body: PartyChange,
    if_match: IfMatch = None,
    preview: PreviewOnly = False,
    confirmed: Confirmed = False,
) -> PartyOut | Preview:
    """With `preview=true` only says what would be touched. Needs If-Match."""
    row = parties.require_party(connection, identifier, lock=True)
    changes = body.model_dump(exclude_unset=True, exclude={"since", "why"})
    before = read_versions(connection, parties.VERSIONED, identifier)
    after, _ = parties.revised_party(connection, row, changes, body.since)
    fields = changed_fields(before, body.since, changes)
    points = parties.points_of(connection, identifier, body.since)
    change = Change("party", identifier, row["code"], "revise", body.since, None, fields, points)
    ask = Ask(person, clock, if_match, body.why, preview, confirmed, f"party/{identifier}")
    return revise(connection, parties.VERSIONED, row, after, change, ask) or _shown(connection, response, identifier)


def _shown(connection: Db, response: Response, identifier: int) -> PartyOut:
    row = parties.require_party(connection, identifier)
    response.headers["ETag"] = tag_of(connection, parties.VERSIONED, row)
    return PartyOut(**row, warnings=check_party(row))
