"""Routes of control: keys, configurations, commands."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from central.network import commands, configurations, keys
from central.network.generated import require_by_hand
from central.network.meters import require_concentrator
from central.platform.errors import NotFound
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from shared.control.keys import key_id, key_text

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Enrolment(_Body):
    """The public key of a concentrator, as `rozvodna edge enrol` prints it."""

    key: Annotated[str, Field(examples=["3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08="])]


class EnrolmentOut(BaseModel):
    """The key for which secrets of a concentrator are sealed."""

    concentrator: str
    key: str
    key_id: str
    enrolled_at: datetime
    enrolled_by: str


class ConfigurationIn(_Body):
    """A configuration. In devices, `{"secret": "hex:..."}` or `{"secret": "text:..."}` is sealed at once and kept
    nowhere; `edge` and `number` are given here, and what the concentrator's local file says (broker, outbox) is left
    out.
    """

    reason: Reason
    configuration: dict[str, Any]


class ConfigurationVersion(BaseModel):
    """A version of a concentrator's configuration."""

    number: int
    made_at: datetime
    made_by: str
    reason: str


class ConfigurationOut(ConfigurationVersion):
    """A version with its body."""

    configuration: dict[str, Any]


class Confirmed(BaseModel):
    """What a concentrator last said of itself, and what it should run."""

    concentrator: str
    newest: int | None
    online: bool
    agent: str
    runs: int
    heard_at: datetime
    refused_number: int | None
    refused_at: datetime | None
    refused_reason: str | None


class CommandIn(_Body):
    """A command; which of the other fields it needs depends on `act`."""

    concentrator: str
    act: Literal["read_now", "fill_range", "set_clock", "disconnect", "reconnect", "restart_bus", "send_diagnostics"]
    reason: Reason
    device: str | None = None
    bus: str | None = None
    first: Annotated[str | None, Field(description="First metering day", examples=["2026-03-01"])] = None
    last: Annotated[str | None, Field(description="Last metering day", examples=["2026-03-02"])] = None
    over_boundary: Annotated[bool | None, Field(description="Allow a step over a quarter-hour boundary")] = None
    expires_in_s: Annotated[int, Field(ge=1, le=604_800)] = 300


class Withdrawal(_Body):
    """Why a command is taken back."""

    reason: Reason


class CommandStep(BaseModel):
    """A change of a command's state."""

    at: datetime
    person: str
    step: str
    from_state: str
    to_state: str
    why: str


class CommandOut(BaseModel):
    """A command and what became of it."""

    id: str
    concentrator: str
    act: str
    work: dict[str, Any]
    state: str
    issued_at: datetime
    expires_at: datetime
    issued_by: str
    reason: str
    confirmed_by: str | None
    answered_at: datetime | None
    why: str
    result: dict[str, Any] | None


class CommandWithSteps(CommandOut):
    """A command with its history."""

    steps: list[CommandStep]


@router.put("/concentrators/{identifier}/key", summary="Enrol a concentrator")
def put_key(connection: Db, person: Operator, clock: Now, identifier: str, body: Enrolment) -> EnrolmentOut:
    """The key before it, if any, is kept as replaced; secrets sealed for it must be put anew."""
    return _enrolment(keys.enrol(connection, identifier, body.key, person, clock.now()))


@router.get("/concentrators/{identifier}/key", summary="The key of a concentrator")
def get_key(connection: Db, _: Reader, identifier: str) -> EnrolmentOut:
    """Its public key."""
    found = keys.find_key(connection, require_concentrator(connection, identifier)["id"])
    if found is None:
        raise NotFound("not_enrolled", f"The concentrator {identifier} is not enrolled.")
    return _enrolment(found)


@router.put("/concentrators/{identifier}/configuration", status_code=201, summary="Put a new configuration")
def put_configuration(
    connection: Db, person: Operator, clock: Now, identifier: str, body: ConfigurationIn
) -> ConfigurationVersion:
    """Checked, numbered and sent; the concentrator checks it whole again and says what it runs."""
    require_by_hand(connection, identifier)
    number = configurations.put(connection, identifier, body.configuration, body.reason, person, clock.now())
    return ConfigurationVersion(**configurations.require(connection, identifier, number))


@router.get("/concentrators/{identifier}/configurations", summary="Versions of a configuration")
def find_configurations(connection: Db, _: Reader, identifier: str) -> list[ConfigurationVersion]:
    """The newest first."""
    return [ConfigurationVersion(**row) for row in configurations.find(connection, identifier)]


@router.get("/concentrators/{identifier}/configurations/{number}", summary="One version of a configuration")
def get_configuration(connection: Db, _: Reader, identifier: str, number: int) -> ConfigurationOut:
    """As it was sent: secrets are sealed."""
    row = configurations.require(connection, identifier, number)
    return ConfigurationOut(configuration=msgspec.json.decode(row["body"]), **row)


@router.get("/concentrators/{identifier}/state", summary="What a concentrator says of itself")
def get_state(connection: Db, _: Reader, identifier: str) -> Confirmed:
    """Whether it is there, which configuration it runs, and what it refused last and why."""
    require_concentrator(connection, identifier)
    state = configurations.find_state(connection, identifier)
    if state is None:
        raise NotFound("never_heard", f"The concentrator {identifier} was never heard of.")
    return Confirmed(newest=configurations.newest_numbers(connection).get(identifier), **state)


@router.post("/commands", status_code=201, summary="Order something of a concentrator")
def issue_command(connection: Db, person: Operator, clock: Now, body: CommandIn) -> CommandOut:
    """Sent at once. To disconnect and reconnect takes the right `switch`, and a disconnect waits until a second person
    has confirmed it.
    """
    given = body.model_dump(exclude_none=True)
    life = timedelta(seconds=given.pop("expires_in_s"))
    concentrator, reason = given.pop("concentrator"), given.pop("reason")
    return CommandOut(**commands.issue(connection, concentrator, given, reason, life, person, clock.now()))


@router.post("/commands/{identifier}/confirm", summary="Confirm a command of another person")
def confirm_command(connection: Db, person: Operator, clock: Now, identifier: str) -> CommandOut:
    """It is sent from now on."""
    return CommandOut(**commands.confirm(connection, identifier, person, clock.now()))


@router.post("/commands/{identifier}/withdraw", summary="Take back a command that was not sent")
def withdraw_command(connection: Db, person: Operator, clock: Now, identifier: str, body: Withdrawal) -> CommandOut:
    """What was sent cannot be taken back."""
    return CommandOut(**commands.withdraw(connection, identifier, body.reason, person, clock.now()))


@router.get("/commands", summary="Commands, the newest first")
def find_commands(
    connection: Db, _: Reader, concentrator: str | None = None, limit: Annotated[int, Field(ge=1, le=1000)] = 100
) -> list[CommandOut]:
    """Of one concentrator, or of all."""
    return [CommandOut(**row) for row in commands.find(connection, concentrator=concentrator, limit=limit)]


@router.get("/commands/{identifier}", summary="One command with its steps")
def get_command(connection: Db, _: Reader, identifier: str) -> CommandWithSteps:
    """State, result, and who did what when."""
    row = commands.require(connection, identifier)
    steps = [CommandStep(**step) for step in commands.find_events(connection, identifier)]
    return CommandWithSteps(**row, steps=steps)


def _enrolment(row: Any) -> EnrolmentOut:
    public = bytes(row["public_key"])
    return EnrolmentOut(
        concentrator=row["concentrator"],
        key=key_text(public),
        key_id=key_id(public),
        enrolled_at=row["enrolled_at"],
        enrolled_by=row["enrolled_by"],
    )
