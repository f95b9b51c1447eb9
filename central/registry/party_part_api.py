"""Routes of what belongs to a party: addresses, bank accounts, contacts, contract accounts; add, list, close."""

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from central.platform import audit
from central.platform.errors import BadInput
from central.platform.etag import IfMatch, etag_of, require_match
from central.platform.plain import plain
from central.platform.web import Db, Now
from central.registry import parties, party_parts
from central.registry.form import check_iban, iban_of
from central.registry.series import draw
from central.registry.web import Body, Day, Ending, Operator, Reader

router = APIRouter()

Part = Literal["addresses", "accounts", "contacts", "contract-accounts"]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class _Valid(Body):
    valid_from: Day
    valid_to: Day | None = None


class AddressIn(_Valid):
    """An address beside the seat."""

    kind: Literal["mailing", "billing", "premises"]
    street: Text
    city: Text
    postal_code: Text
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")] = "CZ"


class AccountIn(_Valid):
    """A bank account beside the main one: by IBAN, or by a Czech number such as 19-2000145399/0800."""

    purpose: Literal["refund", "debit", "other"]
    iban: str | None = None
    czech_number: str | None = None
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")] = "CZK"


class ContactIn(_Valid):
    """A person to turn to in a matter; an e-mail address or a telephone number is needed."""

    name: Text
    matter: Text
    email: Text | None = None
    phone: Text | None = None


class ContractAccountIn(_Valid):
    """A contract account; without `number`, `series` gives the next."""

    number: Text | None = None
    series: str | None = None
    name: Text


class PartOut(BaseModel):
    """A part of a party; `facts` by its kind."""

    id: int
    facts: dict[str, Any]
    valid_from: date | None
    valid_to: date | None
    etag: str


@router.get("/parties/{identifier}/{part}", summary="Addresses, accounts, contacts or contract accounts of a party")
def find_parts(connection: Db, _: Reader, identifier: int, part: Part) -> list[PartOut]:
    """All that are and were, each with its own ETag."""
    parties.require_party(connection, identifier)
    return [_out(row) for row in party_parts.find_parts(connection, part, identifier)]


@router.post("/parties/{identifier}/addresses", status_code=201, summary="Add an address to a party")
def add_address(connection: Db, person: Operator, clock: Now, identifier: int, body: AddressIn) -> PartOut:
    """Refused when it overlaps one of the same kind."""
    return _add(connection, person, clock, identifier, "addresses", body, body.model_dump())


@router.post("/parties/{identifier}/accounts", status_code=201, summary="Add a bank account to a party")
def add_account(connection: Db, person: Operator, clock: Now, identifier: int, body: AccountIn) -> PartOut:
    """Check digits of the IBAN and of both parts of the Czech number are verified."""
    facts = body.model_dump()
    if body.czech_number is not None:
        made = iban_of(body.czech_number)
        if body.iban not in (None, made):
            raise BadInput("account", f"The account {body.czech_number} has the IBAN {made}, not {body.iban}.")
        facts["iban"] = made
    if facts["iban"] is None:
        raise BadInput("account", "A bank account needs its IBAN or its Czech number.")
    check_iban(facts["iban"], f"party {identifier}")
    return _add(connection, person, clock, identifier, "accounts", body, facts)


@router.post("/parties/{identifier}/contacts", status_code=201, summary="Add a contact to a party")
def add_contact(connection: Db, person: Operator, clock: Now, identifier: int, body: ContactIn) -> PartOut:
    """By matter: invoicing, outages, metering, and so on."""
    return _add(connection, person, clock, identifier, "contacts", body, body.model_dump())


@router.post("/parties/{identifier}/contract-accounts", status_code=201, summary="Add a contract account to a party")
def add_contract_account(
    connection: Db, person: Operator, clock: Now, identifier: int, body: ContractAccountIn
) -> PartOut:
    """Where what the party owes under several contracts is kept together."""
    if (body.number is None) == (body.series is None):
        raise BadInput("number", "A contract account needs either its number, or a number series to draw it from.")
    facts = body.model_dump(exclude={"series"})
    facts["number"] = body.number or draw(connection, str(body.series), ("contract_account",))
    return _add(connection, person, clock, identifier, "contract-accounts", body, facts)


@router.post("/parties/{identifier}/{part}/{number}/close", summary="End an address, account or contact on a day")
def close_part(
    connection: Db,
    person: Operator,
    clock: Now,
    response: Response,
    identifier: int,
    part: Part,
    number: int,
    body: Ending,
    if_match: IfMatch = None,
) -> PartOut:
    """Needs If-Match with the part's ETag."""
    row = party_parts.require_part(connection, part, identifier, number)
    what = party_parts.PARTS[part][1]
    require_match(if_match, row, f"the {what} {number} of party {identifier}")
    party_parts.close_part(connection, part, identifier, row, body.on)
    after = party_parts.require_part(connection, part, identifier, number)
    audit.record(
        connection, person, "party.close_part", f"party/{identifier}", {"part": part, "id": number}, clock.now(),
        before=row, after=after, why=body.why,
    )  # fmt: skip
    response.headers["ETag"] = etag_of(after)
    return _out(after)


def _add(
    connection: Db, person: Operator, clock: Now, identifier: int, part: Part, body: _Valid, facts: dict[str, Any]
) -> PartOut:
    parties.require_party(connection, identifier)
    facts = {name: value for name, value in facts.items() if name not in ("valid_from", "valid_to")}
    made = party_parts.add_part(connection, part, identifier, facts, body.valid_from, body.valid_to)
    row = party_parts.require_part(connection, part, identifier, made)
    details = {"part": part, "id": made}
    audit.record(connection, person, "party.add_part", f"party/{identifier}", details, clock.now(), after=row)
    return _out(row)


def _out(row: Any) -> PartOut:
    facts = {name: value for name, value in plain(row).items() if name not in ("id", "valid_from", "valid_to")}
    return PartOut(id=row["id"], facts=facts, valid_from=row["valid_from"], valid_to=row["valid_to"], etag=etag_of(row))
