"""Messages that wait for a person: which they are, and sending one again because the person says so."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, Field
from sqlalchemy import Connection, RowMapping, func, select, tuple_, update

from central.market.channels.allowed import Environment, format_status, require_allowed
from central.market.channels.open_channels import ways_of
from central.market.errors import MarketError
from central.market.messages import require as require_message
from central.market.send import USUAL_PACE, Carried
from central.market.states import State
from central.market.tables import market_message
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.settings import Settings
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


def find_held(connection: Connection, settings: Settings, limit: int) -> list[dict[str, Any]]:
    """Messages due for longer than two rounds that no channel will take, and why; DomainError of bad settings."""
    table, ways = market_message, ways_of(settings)
    format_of = (table.c.message_code, table.c.format_package, table.c.format_digest)
    is_due = (
        table.c.state.in_(_WAITING | {State.SENT}),
        table.c.direction == "out",
        table.c.due_at < func.clock_timestamp() - timedelta(seconds=2 * settings.market_poll_s),
    )
    formats = connection.execute(select(*format_of).where(*is_due).distinct()).all()
    whys = {tuple(each): why for each in formats if (why := _why_held(ways, *each)) is not None}
    columns = (table.c.id, table.c.message_id, table.c.state, *format_of)
    query = select(*columns).where(*is_due, tuple_(*format_of).in_(list(whys)))
    rows = connection.execute(query.order_by(table.c.id).limit(limit)).all()
    return [
        {
            "id": row.id,
            "message_id": row.message_id,
            "message_code": row.message_code,
            "state": row.state,
            "why": whys[row.message_code, row.format_package, row.format_digest],
        }
        for row in rows
    ]


def _why_held(ways: Sequence[tuple[Carried, Environment, str]], code: str, package: str, digest: str) -> str | None:
    way = next(((environment, name) for carried, environment, name in ways if carried.carries(code)), None)
    if way is None:
        return f"No channel carries {code}: name it, or `*`, among the codes of one (docs/channels.md)."
    try:
        require_allowed(format_status(package, code, digest), *way)
    except MarketError as error:
        return error.message
    return None


@router.post("/messages/{number}/send-again", summary="Send a message that waits")
def send_again(
    person: Actor, db: Db, clock: Now, number: Annotated[int, Field(ge=1, lt=2**63)], body: Resume
) -> Resumed:
    """What it waited for is mended: it goes with the next round, under its id and with the same content."""
    message_id = resume(db, number)
    audit.record(db, person, "market.send_again", f"market_message/{number}", {}, clock.now(), why=body.why)
    return Resumed(id=number, message_id=message_id)
