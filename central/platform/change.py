"""A change is weighed before it is made: what it would touch is shown, and nothing is touched unseen."""

from datetime import date
from typing import Annotated, Any

from fastapi import Query
from pydantic import BaseModel, Field
from sqlalchemy import Connection

from central.platform.errors import Refused
from central.platform.hooks import HOOKS, Change, Touched

PreviewOnly = Annotated[bool, Query(description="only say what the change would touch; nothing is changed")]
"""Parameter type `preview` of a route that changes what has validity."""
Confirmed = Annotated[bool, Query(description="what the change touches was seen; without it such a change is refused")]
"""Parameter type `confirmed` of a route that changes what has validity."""


class TouchedThings(BaseModel):
    """Things of one kind that a change touches; `until` is exclusive."""

    room: str
    kind: str
    count: int
    since: date | None
    until: date | None
    examples: list[str]


class Preview(BaseModel):
    """What a change would do: the record before and after, what it touches, and why it would be refused."""

    preview: bool = Field(default=True, description="always true: nothing was changed")
    before: dict[str, Any]
    after: dict[str, Any]
    touched: list[TouchedThings]
    refused: list[str]


def look(connection: Connection, change: Change, before: dict[str, Any], after: dict[str, Any]) -> Preview:
    """The preview of a change: asks every room, changes nothing."""
    touched = [
        TouchedThings(
            room=each.room,
            kind=each.kind,
            count=each.count,
            since=each.since,
            until=each.until,
            examples=list(each.examples),
        )
        for each in HOOKS.affected_by(connection, change)
    ]
    return Preview(before=before, after=after, touched=touched, refused=HOOKS.refuses(connection, change))


def weigh(connection: Connection, change: Change, *, confirmed: bool) -> list[Touched]:
    """Refused (409) when a room objects, or when the change touches something and was not confirmed.

    Returns what is touched, for the record of the act.
    """
    HOOKS.require_allowed(connection, change)
    touched = HOOKS.affected_by(connection, change)
    if touched and not confirmed:
        things = "; ".join(sentence(each) for each in touched)
        raise Refused(
            "touches",
            f"The change of {change.kind.replace('_', ' ')} {change.name} from {change.since} on touches {things}. "
            "Look at it with preview=true, then repeat it with confirmed=true.",
        )
    return touched


def sentence(touched: Touched) -> str:
    """One kind of touched things in words."""
    days = f" of {touched.since} to {touched.until or 'now'}" if touched.since else ""
    named = f" ({', '.join(touched.examples)})" if touched.examples else ""
    return f"{touched.count} {touched.kind.replace('_', ' ')}{days}{named}"
