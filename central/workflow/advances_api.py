"""Routes of proposed advances: look at what a contract would be asked for, and put it into its calendar."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import Field

from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.registry.contracts import require_contract
from central.registry.web import Body, Day, Why
from central.workflow.advances import accept, propose

router = APIRouter(prefix="/advance-proposals", tags=["workflow"])

Reader = Annotated[Person, Depends(require("read"))]
Issuer = Annotated[Person, Depends(require("invoice"))]


class ProposalOrder(Body):
    """Advances of a contract for twelve months from `start`, the first of a month.

    `spread` takes the place of the contract's own; `heating_share` is the part of the consumption that goes with the
    degree days.
    """

    contract: Annotated[str, Field(min_length=1, max_length=200)]
    start: Day
    spread: Literal["even", "curve", "expected"] | None = None
    heating_share: Annotated[Decimal, Field(ge=0, le=1, max_digits=5, decimal_places=4)] = Decimal(0)


class Acceptance(ProposalOrder):
    """Which proposal is accepted (its digest), and why."""

    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    why: Why


@router.post("", summary="Propose the advances of a contract")
def propose_advances(order: ProposalOrder, connection: Db, _: Reader) -> dict[str, Any]:
    """Predicted consumption month by month, what it would cost, and advances in whole tens; nothing is changed."""
    contract = require_contract(connection, order.contract)
    return propose(connection, contract, order.start, spread=order.spread, heating_share=order.heating_share).document()


@router.post("/accept", summary="Put proposed advances into the calendar")
def accept_advances(body: Acceptance, connection: Db, clock: Now, person: Issuer) -> dict[str, int]:
    """Rows of the calendar take the proposed amounts; a time for which an advance was sent stays."""
    contract = require_contract(connection, body.contract, lock=True)
    proposal = propose(connection, contract, body.start, spread=body.spread, heating_share=body.heating_share)
    return {"rows": accept(connection, contract, proposal, body.digest, body.why, person, clock.now())}
