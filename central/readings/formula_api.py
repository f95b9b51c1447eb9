"""Routes of virtual meters: formulas and coefficients, preview, dependencies, explanation."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from central.platform import audit
from central.platform.identity import Person, require
from central.platform.web import Db, Now
from central.readings.formulas import explain, store
from central.readings.formulas.parse import LENGTH

router = APIRouter(tags=["readings"])

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
Day = Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2400, 1, 1))]
AskedDay = Annotated[date, Query(ge=date(1990, 1, 1), lt=date(2400, 1, 1), description="metering day")]
Text = Annotated[str, Field(min_length=1, max_length=LENGTH)]
Reason = Annotated[str, Field(min_length=1, max_length=1000)]
Channel = Annotated[int, Field(ge=1, le=2**31 - 1)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class FormulaIn(_Body):
    """The formula of a channel that no register feeds, on metering days from `since` to before `until`."""

    channel: Channel
    text: Text
    since: Day
    until: Day | None = None
    reason: Reason


class RevisionIn(_Body):
    """Another formula from `since` on, for as long as the one that holds then."""

    text: Text
    since: Day
    reason: Reason


class ClosingIn(_Body):
    """The formula ends before the day `end`."""

    end: Day
    reason: Reason


class FormulaOut(BaseModel):
    """A formula as stored; `since` is null where it was replaced from its first day on."""

    id: int
    channel: int
    text: str
    coefficients: list[str]
    since: date | None
    until: date | None
    reason: str
    made_at: datetime
    made_by: str


class CheckIn(_Body):
    """A text to check or to compute a day by; nothing is stored."""

    channel: Channel
    text: Text
    day: Day | None = None


class CoefficientIn(_Body):
    """A coefficient's value from `since` on; unit "1", "Wh", "Wh/m3" and the like."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    value: Annotated[Decimal, Field(max_digits=24, decimal_places=12, gt=Decimal(-(10**12)), lt=Decimal(10**12))]
    unit: Annotated[str, Field(max_length=20)] = "1"
    since: Day
    until: Day | None = None
    source: Reason


class CoefficientOut(BaseModel):
    """A coefficient as stored; `since` is null where it was replaced from its first day on."""

    id: int
    name: str
    value: Decimal
    unit: str
    since: date | None
    until: date | None
    source: str


@router.get("/formulas", summary="Formulas of a virtual meter")
def find_formulas(connection: Db, _: Reader, channel: Annotated[int, Query(ge=1, le=2**31 - 1)]) -> list[FormulaOut]:
    """Oldest first."""
    return [_formula(row) for row in store.find_formulas(connection, channel)]


@router.post("/formulas", status_code=201, summary="Make a channel a virtual meter")
def create_formula(connection: Db, person: Operator, clock: Now, body: FormulaIn) -> FormulaOut:
    """Refused where the channel has registers or a formula on these days, or would need itself."""
    number = store.create_formula(
        connection, body.channel, body.text, body.since, body.until, body.reason, person.name, clock.now()
    )
    return _recorded(connection, person, clock.now(), "formula.create", body.channel, number, body.reason)


@router.post("/formulas/{channel}/revise", status_code=201, summary="Another formula from a day on")
def revise_formula(connection: Db, person: Operator, clock: Now, channel: int, body: RevisionIn) -> FormulaOut:
    """Days that have versions are computed anew."""
    number = store.revise_formula(connection, channel, body.text, body.since, body.reason, person.name, clock.now())
    return _recorded(connection, person, clock.now(), "formula.revise", channel, number, body.reason)


@router.post("/formulas/{channel}/close", summary="End a formula")
def close_formula(connection: Db, person: Operator, clock: Now, channel: int, body: ClosingIn) -> FormulaOut:
    """From `end` on the channel has no values."""
    store.require_formulas(connection, channel)
    number = store.close_formula(connection, channel, body.end, clock.now())
    return _recorded(connection, person, clock.now(), "formula.close", channel, number, body.reason)


@router.post("/formulas/check", summary="Check a formula, or compute a day by it")
def check_formula(connection: Db, _: Reader, body: CheckIn) -> dict[str, Any]:
    """Grammar, channels, units; with `day` the values that it would give. Nothing is stored."""
    if body.day is not None:
        return explain.preview(connection, body.channel, body.text, body.day)
    _node, bound = store.check_formula(connection, body.channel, body.text)
    return {"channel": body.channel, "inputs": [row.id for row in bound.values()]}


@router.get("/formulas/{channel}/values", summary="A day by the stored formula")
def get_values(connection: Db, _: Reader, channel: int, day: AskedDay) -> dict[str, Any]:
    """Computed from the newest inputs, with the reason where a value is missing."""
    return explain.preview(connection, channel, None, day)


@router.get("/formulas/{channel}/dependencies", summary="What a channel needs and what needs it")
def get_dependencies(connection: Db, _: Reader, channel: int, day: AskedDay) -> dict[str, Any]:
    """All levels down, and all virtual meters above."""
    return explain.dependencies(connection, channel, day)


@router.get("/formulas/{channel}/explain", summary="A value taken apart")
def get_explanation(
    connection: Db, _: Reader, channel: int, day: AskedDay, index: Annotated[int, Query(ge=0, le=99)]
) -> dict[str, Any]:
    """Every part of the formula with its exact value, and which versions of inputs the stored versions used."""
    return explain.explain(connection, channel, day, index)


@router.get("/formula-coefficients", summary="Coefficients of formulas")
def find_coefficients(connection: Db, _: Reader, name: str | None = None) -> list[CoefficientOut]:
    """By name and validity."""
    return [_coefficient(row) for row in store.find_coefficients(connection, name)]


@router.post("/formula-coefficients", status_code=201, summary="Set a coefficient from a day on")
def set_coefficient(connection: Db, person: Operator, clock: Now, body: CoefficientIn) -> CoefficientOut:
    """The value that holds then ends there; days of formulas with it are computed anew."""
    number = store.set_coefficient(
        connection, body.name, body.value, body.unit, body.since, body.until, body.source, clock.now()
    )
    audit.record(
        connection,
        person,
        "formula_coefficient.set",
        f"formula_coefficient/{body.name}",
        body.model_dump(mode="json"),
        clock.now(),
    )
    return next(_coefficient(row) for row in store.find_coefficients(connection, body.name) if row["id"] == number)


def _recorded(
    connection: Db, person: Person, at: datetime, act: str, channel: int, number: int, why: str
) -> FormulaOut:
    out = next(_formula(row) for row in store.find_formulas(connection, channel) if row["id"] == number)
    audit.record(connection, person, act, f"channel/{channel}", out.model_dump(mode="json"), at, why=why)
    return out


def _formula(row: Any) -> FormulaOut:
    return FormulaOut(**{**row, "since": row["valid"].lower, "until": row["valid"].upper})


def _coefficient(row: Any) -> CoefficientOut:
    return CoefficientOut(**{**row, "since": row["valid"].lower, "until": row["valid"].upper})
