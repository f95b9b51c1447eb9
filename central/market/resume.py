"""Messages that wait for a person: which they are, and sending one again because the person says so."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy import Connection, RowMapping, func, select, update

from central.market.messages import require as require_message
from central.market.send import USUAL_PACE
from central.market.states import State
from central.market.tables import market_message
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.web import Db, Now

router = APIRouter()

Actor = Annotated[Person, Depends(require("market"))]
Number = Annotated[int, Path(ge=1, lt=2**63)]
_WAITING = frozenset({State.SAVED, State.TIMED_OUT})


class Resume(BaseModel):
    """Why the message is sent again."""

    why: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]


class Resumed(BaseModel):
    """The message that is due now."""

    id: int
    message_id: str


def resume(connection: Connection, number: int) -> str:
    """The message is due now, under its id and whatever it waited for; its id. Refused where it does not wait."""
    row = require_message(connection, number)
    state = State(row["state"])
    if state not in _WAITING:
        raise Refused("not_waiting", f"The message {row['message_id']} is {state}; only one that waits is sent again.")
    connection.execute(
        update(market_message)
        .where(market_message.c.id == number, market_message.c.state.in_(_WAITING))
        .values(due_at=func.clock_timestamp())
    )
    return str(row["message_id"])


def find_left(connection: Connection, limit: int) -> Sequence[RowMapping]:
    """Messages that were tried and wait for a person, the longest first: nothing tries them soon by itself."""
    table = market_message
    columns = (table.c.id, table.c.message_id, table.c.message_code, table.c.state, table.c.attempts, table.c.sent_at)
    query = select(*columns).where(
        table.c.state.in_(_WAITING),
        table.c.direction == "out",
        table.c.attempts > 0,
        table.c.due_at > func.clock_timestamp() + 2 * USUAL_PACE.longest_pause,
    )
    return connection.execute(query.order_by(table.c.id).limit(limit)).mappings().all()


@router.post("/messages/{number}/send-again", summary="Send a message that waits")
def send_again(
    person: Actor, db: Db, clock: Now, number: Annotated[int, Field(ge=1, lt=2**63)], body: Resume
) -> Resumed:
    """What it waited for is mended: it goes with the next round, under its id and with the same content."""
    message_id = resume(db, number)
    audit.record(db, person, "market.send_again", f"market_message/{number}", {}, clock.now(), why=body.why)
    return Resumed(id=number, message_id=message_id)
