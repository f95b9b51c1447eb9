"""Routes of customer checks: their columns, creating, changing as a new version, listing, explaining."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response
from pydantic import BaseModel
from sqlalchemy import RowMapping

from central.checks.customer import store
from central.checks.customer.columns import COLUMNS
from central.checks.customer.form import CheckForm, Said
from central.checks.customer.load import definitions
from central.checks.customer.measures import UNITS
from central.checks.customer.numbers import END_OF_NUMBERS, FIRST_NUMBER
from central.checks.framework import Definition, Kind
from central.checks.settings import require_definition
from central.platform import etag
from central.platform.etag import IfMatch
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter(prefix="/customer", tags=["checks"])

Reader = Annotated[Person, Depends(require("read"))]
Admin = Annotated[Person, Depends(require("admin"))]
Number = Annotated[int, Path(ge=FIRST_NUMBER, lt=END_OF_NUMBERS)]


class CheckOrder(BaseModel, extra="forbid"):
    """A customer check, and why it is made or changed."""

    check: CheckForm
    why: Said


@router.get("/columns", summary="What conditions may name")
def list_columns(person: Reader) -> dict[str, Any]:
    """Columns of the basis and what it is compared with, their units, and the units that numbers may have."""
    return {
        "columns": [
            {
                "name": column.name,
                "meaning": {"cs": column.meaning.cs, "en": column.meaning.en},
                "kind": "word" if column.kind is Kind.WORD else "number",
                "unit": None if column.kind is Kind.WORD else str(column.measure),
                "words": list(column.words),
                "of": column.source,
            }
            for column in COLUMNS.values()
        ],
        "units": sorted(UNITS),
    }


@router.post("", status_code=201, summary="Create a customer check")
def create_check(order: CheckOrder, connection: Db, clock: Now, person: Admin) -> dict[str, int]:
    """It arrives switched off; PUT /v1/checks/definitions/{number} switches it on."""
    return {"number": store.create(connection, order.check, order.why, person, clock.now()), "version": 1}


@router.get("", summary="Customer checks")
def list_checks(connection: Db, person: Reader) -> list[dict[str, Any]]:
    """The newest version of each, with its rule in words."""
    known = definitions(connection)
    return [_told(store.require_newest(connection, number), known[number]) for number in sorted(known)]


@router.get("/{number}", summary="One customer check, explained")
def show_check(number: Number, connection: Db, person: Reader, response: Response) -> dict[str, Any]:
    """Its newest version in words and as it was entered, and all versions: who, when, why."""
    newest = store.require_newest(connection, number)
    etag.show(response, newest)
    return {
        **_told(newest, definitions(connection)[number]),
        "active": require_definition(connection, number).active,
        "document": newest["document"],
        "versions": [
            {key: each[key] for key in ("version", "made_at", "made_by", "why", "document")}
            for each in store.versions(connection, number)
        ],
    }


@router.put("/{number}", summary="Change a customer check")
def revise_check(
    number: Number, order: CheckOrder, connection: Db, clock: Now, person: Admin, if_match: IfMatch = None
) -> dict[str, int]:
    """As a new version; earlier results stay, told in the words of their time."""
    seen = store.require_newest(connection, number, lock=True)
    etag.require_match(if_match, seen, f"check {number}")
    return {"number": number, "version": store.revise(
        connection, number, seen, order.check, order.why, person, clock.now()
    )}  # fmt: skip


def _told(row: RowMapping, definition: Definition) -> dict[str, Any]:
    return {
        "number": row["number"],
        "version": row["version"],
        "form": row["form"],
        "name": {"cs": definition.name.cs, "en": definition.name.en},
        "rule": {"cs": definition.rule.cs, "en": definition.rule.en},
        "made_at": row["made_at"],
        "made_by": row["made_by"],
        "why": row["why"],
    }
