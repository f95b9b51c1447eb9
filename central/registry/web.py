"""What the registry's routes share: who may, the form of bodies, paging, history."""

from datetime import date, datetime
from typing import Annotated, Any

from fastapi import Depends
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection

from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.reconcile import Outcome
from central.registry.versions import Versioned, read_versions

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]

Day = Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2200, 1, 1))]
"""A day of the business: what lies outside is a slip of the pen."""

Why = Annotated[str, Field(min_length=3, max_length=1_000, description="the reason, kept in the record of acts")]


class Body(BaseModel):
    """A body with known fields only."""

    model_config = ConfigDict(extra="forbid")


class Ending(Body):
    """The day of an act that ends something or changes its state (the end is exclusive), and why."""

    on: Day
    why: Why


class Event(BaseModel):
    """An act on a record: who, when, what it was before and after, why."""

    at: datetime
    person: str
    act: str
    details: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str | None


class VersionOut(BaseModel):
    """What held since a day (null: from the beginning) until the next version."""

    since: date | None
    facts: dict[str, Any]


def history(connection: Connection, *subjects: str) -> list[Event]:
    """The acts on a record, newest first."""
    return [Event(**{name: row[name] for name in Event.model_fields}) for row in audit.history(connection, subjects)]


def versions(connection: Connection, kept: Versioned, owner: int) -> list[VersionOut]:
    """All versions of a record in the order of time."""
    return [VersionOut(since=each.since, facts=dict(each.facts)) for each in read_versions(connection, kept, owner)]


def require_new(outcome: Outcome, what: str) -> None:
    """Refused when nothing was inserted."""
    if not outcome.inserted:
        raise Refused("exists", f"{what} is stored already; change it by its own act.")
