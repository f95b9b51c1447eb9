"""Routes of amendments (dodatky) of contracts: list, add."""

from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import insert, select

from central.platform import audit
from central.platform.web import Db, Now
from central.registry import contracts
from central.registry.contract_tables import contract_amendment
from central.registry.web import Body, Day, Operator, Reader

router = APIRouter()


class AmendmentIn(Body):
    """Dodatek: the next number is given by the system."""

    subject: Annotated[str, Field(min_length=3, max_length=1_000)]
    effective: Day
    signed_on: Day | None = None


class AmendmentOut(BaseModel):
    """An amendment of a contract."""

    id: int
    number: int
    subject: str
    signed_on: date | None
    effective: date


@router.get("/contracts/{number:path}/amendments", summary="Amendments of a contract")
def find_amendments(connection: Db, _: Reader, number: str) -> list[AmendmentOut]:
    """By number."""
    stored = contracts.require_contract(connection, number)
    query = select(contract_amendment).where(contract_amendment.c.contract == stored["id"])
    rows = connection.execute(query.order_by(contract_amendment.c.number)).mappings()
    return [AmendmentOut(**row) for row in rows]


@router.post("/contracts/{number:path}/amendments", status_code=201, summary="Add an amendment to a contract")
def create_amendment(connection: Db, person: Operator, clock: Now, number: str, body: AmendmentIn) -> AmendmentOut:
    """It gets the next number of the contract."""
    stored = contracts.require_contract(connection, number, lock=True)
    following = len(find_amendments(connection, person, number)) + 1
    values = body.model_dump() | {"contract": stored["id"], "number": following}
    row = connection.execute(insert(contract_amendment).values(**values).returning(contract_amendment)).mappings().one()
    details = body.model_dump(mode="json") | {"number": following}
    audit.record(connection, person, "contract.amend", f"contract/{number}", details, clock.now(), after=details)
    return AmendmentOut(**row)
