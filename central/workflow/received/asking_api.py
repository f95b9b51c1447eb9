"""Routes by which we claim and ask for data at the market operator, or at another participant."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from central.market.messages import lock_generation
from central.platform import audit
from central.platform.identity import Person, require
from central.platform.settings import Settings
from central.platform.web import Db, Now
from central.registry.web import Body, Day
from central.workflow.received.asking import About, ask_for_data, raise_claim

router = APIRouter(prefix="/market", tags=["market"])
"""To be included by the router of `central.workflow.api`, which begins with /v1."""

Actor = Annotated[Person, Depends(require("market"))]
Point = Annotated[str, Field(pattern=r"^[0-9A-Z-]{16,18}$", description="EAN or EIC of a supply point of ours")]
Participant = Annotated[str, Field(pattern=r"^[0-9]{13}$", description="EAN; without one the market operator")]


class AboutIn(Body):
    """A point and days, the last one exclusive; to whom it goes."""

    point: Point
    first_day: Day
    end_day: Day
    receiver: Participant | None = None

    def about(self, sender: str | None) -> About:
        """As the message has it."""
        return About(self.point, self.first_day, self.end_day - timedelta(days=1), self.receiver, sender)


class ClaimIn(AboutIn):
    """A claim (reklamace); `message` is the id of the message that it is about."""

    kind: Literal["metering", "billing", "master_data", "other"]
    text: Annotated[str, Field(min_length=3, max_length=500, pattern=r"^[^\x00-\x1f]*$")]
    message: Annotated[str, Field(min_length=1, max_length=35, pattern=r"^[0-9A-Za-z._-]*$")] | None = None


class RequestIn(AboutIn):
    """A request for data: what the operator has of the point's interval data, or its master data."""

    what: Literal["profiles", "master_data"]


class Made(BaseModel):
    """The message that was made."""

    message: int


@router.post("/claims", status_code=201, summary="Raise a claim")
def make_claim(request: Request, person: Actor, db: Db, clock: Now, body: ClaimIn) -> Made:
    """The message goes out; its conversation is in /v1/market/processes, and ends by the answer."""
    at = clock.now()
    lock_generation(db)
    number = raise_claim(db, body.about(_sender(request)), body.kind, body.text, body.message, at, person.name)
    audit.record(db, person, "market.claim", f"market_message/{number}", body.model_dump(mode="json"), at)
    return Made(message=number)


@router.post("/requests", status_code=201, summary="Ask for data")
def make_request(request: Request, person: Actor, db: Db, clock: Now, body: RequestIn) -> Made:
    """The message goes out; what it brings comes as messages, see /v1/market/received."""
    at = clock.now()
    lock_generation(db)
    number = ask_for_data(db, body.about(_sender(request)), body.what, at, person.name)
    audit.record(db, person, "market.request", f"market_message/{number}", body.model_dump(mode="json"), at)
    return Made(message=number)


def _sender(request: Request) -> str | None:
    settings: Settings = request.app.state.settings
    return settings.ote_sender
