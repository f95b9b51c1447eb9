"""Routes of the platform: health, and the record of acts."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel
from sqlalchemy import select, text

from central.platform.identity import Person, require
from central.platform.tables import audit
from central.platform.web import Db, Now

router = APIRouter(prefix="/v1", tags=["platform"])


class Health(BaseModel):
    """The service and its database answer."""

    status: str
    schema_revision: str
    now: datetime


class Act(BaseModel):
    """One recorded act; `before` and `after` where it changed a record, `why` where a reason was given."""

    id: int
    at: datetime
    person: str
    act: str
    subject: str
    details: dict[str, Any]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    why: str | None


@router.get("/health", summary="Does the service and its database answer")
def health(connection: Db, clock: Now) -> Health:
    """Needs no token. The clock is the one that all business time is taken from."""
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    return Health(status="ok", schema_revision=revision, now=clock.now())


@router.get("/audit", summary="Who did what to what, newest first")
def find_acts(
    _: Annotated[Person, Depends(require("admin"))],
    connection: Db,
    subject: Annotated[str | None, Query(description="exactly this subject, such as invoice/12")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[Act]:
    """The append-only record of acts."""
    query = select(audit).order_by(audit.c.id.desc()).limit(limit)
    if subject is not None:
        query = query.where(audit.c.subject == subject)
    return [Act(**row) for row in connection.execute(query).mappings()]
