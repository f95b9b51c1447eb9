"""Routes of register versions: what is on a register's face, since when until when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from sqlalchemy import RowMapping

from central.network import registers
from central.network.changed import FAR_BACK, tell_changed
from central.network.channel_overviews import REGISTER_VERSIONS
from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.web import Db, Now
from shared.metering_day import PRAGUE

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]


class RegisterVersionIn(BaseModel):
    """What is on the face of a register from `since` until `until` (exclusive, null is open)."""

    model_config = ConfigDict(extra="forbid")

    meter: str
    register_: Annotated[str, Field(alias="register")]
    digits: int
    """Before it rolls over."""
    unit: str | None = None
    """Of the last digit, together with `exponent`; default: what the register delivers."""
    exponent: int | None = None
    multiplier: int = 1
    """Constant of the instrument transformers."""
    tariff: Literal["VT", "NT", "JT"] | None = None
    obis: str | None = None
    since: AwareDatetime
    until: AwareDatetime | None = None


class RegisterVersionOut(BaseModel):
    """A version as stored."""

    id: int
    evidence_channel: int
    meter: str
    register_: Annotated[str, Field(alias="register")]
    digits: int
    unit: str
    exponent: int
    multiplier: int
    tariff: str | None
    obis: str | None
    since: datetime
    until: datetime | None


class Close(BaseModel):
    """The end of a version, exclusive."""

    model_config = ConfigDict(extra="forbid")

    until: AwareDatetime


@router.get("/register-versions", summary="What is on the faces of registers, by validity")
def find_register_versions(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(REGISTER_VERSIONS.asked())],
) -> list[RegisterVersionOut]:
    """By meter and register, oldest first; filtered, sorted, by pages."""
    page = REGISTER_VERSIONS.find(connection, asked)
    page.tell(request, response)
    return [RegisterVersionOut(**row) for row in page.rows]


@router.post("/register-versions", status_code=201, summary="Say what is on a register's face")
def create_register_version(
    connection: Db, person: Operator, clock: Now, body: RegisterVersionIn
) -> RegisterVersionOut:
    """Refused when the validity overlaps another version of the register."""
    spec: Mapping[str, Any] = body.model_dump(by_alias=True)
    if not registers.create_register_versions(connection, [spec]).inserted:
        raise Refused("exists", f"This version of the register {body.meter} {body.register_} is stored already.")
    details = body.model_dump(mode="json", by_alias=True)
    what = f"evidence_channel/{body.meter} {body.register_}"
    audit.record(connection, person, "register_version.create", what, details, clock.now())
    found = registers.find_register_versions(connection, meter=body.meter)
    row = next(row for row in found if row["register"] == body.register_ and row["since"] == body.since)
    _tell(connection, row, row["since"], clock.now())
    return RegisterVersionOut(**row)


@router.post("/register-versions/{identifier}/close", summary="End a version, so that another may follow")
def close_register_version(
    connection: Db, person: Operator, clock: Now, identifier: int, body: Close
) -> RegisterVersionOut:
    """Refused where it has an end already."""
    row = registers.close_register_version(connection, identifier, body.until)
    what = f"evidence_channel/{row['meter']} {row['register']}"
    details = {"version": identifier, "until": body.until.isoformat()}
    audit.record(connection, person, "register_version.close", what, details, clock.now())
    _tell(connection, row, body.until, clock.now())
    return RegisterVersionOut(**row)


def _tell(connection: Db, version: RowMapping, since: datetime, now: datetime) -> None:
    channels = registers.channels_fed(connection, version["evidence_channel"], since)
    reason = f"register {version['meter']} {version['register']}"
    tell_changed(connection, channels, max(since, now - FAR_BACK).astimezone(PRAGUE).date(), None, reason, now)
