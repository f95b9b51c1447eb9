"""Routes of the validation: findings, their decisions, work, parameters of rules, exemptions."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import text

from central.platform import audit
from central.platform.errors import NotFound
from central.platform.identity import Person, require
from central.platform.overview import Asked
from central.platform.web import Db, Now
from central.readings.periods import check_period
from central.readings.vee import findings
from central.readings.vee.evidence_rules import NAMES as EVIDENCE_RULES
from central.readings.vee.exemptions import end_exemption, exempt, find_exemptions
from central.readings.vee.parameters import read_parameters, remove_parameters, set_parameters, shipped
from central.readings.vee.rule import Rule
from central.readings.vee.rules import RULES
from central.readings.vee.work import count_work, enqueue

router = APIRouter()

Reader = Annotated[Person, Depends(require("read"))]
Operator = Annotated[Person, Depends(require("operate"))]
State = Literal["open", "confirmed", "overruled", "gone"]
First = Annotated[date, Query(alias="from", description="first metering day")]
End = Annotated[date, Query(alias="to", description="the day after the last one")]
Reason = Annotated[str, Field(min_length=3, max_length=1000)]
Id = Annotated[int, Field(ge=1, lt=2**31)]
Big = Annotated[int, Field(ge=1, lt=2**63)]


class FindingOut(BaseModel):
    """What a rule found on a day of a channel. `measured` was compared with `allowed`; `severity` 1 to 3."""

    id: int
    channel: int
    point: str
    ean: str | None
    day: date
    rule: str
    severity: int
    first_index: int
    last_index: int
    measured: float | None
    allowed: float | None
    evidence: dict[str, Any]
    state: State
    found_at: datetime
    changed_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    reason: str | None


class CountOut(BaseModel):
    """Findings of one rule, severity and state."""

    rule: str
    severity: int
    state: State
    count: int


class ConfirmIn(BaseModel):
    """A word on the confirmation, if any."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason | None = None


class OverruleIn(BaseModel):
    """Why the values are right nevertheless."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason


class RevalidateIn(BaseModel):
    """Days of channels to validate again."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    channels: Annotated[list[Id], Field(min_length=1, max_length=100_000)]
    first: date = Field(alias="from")
    end: date = Field(alias="to")


class WorkOut(BaseModel):
    """How much validation is to be done."""

    waiting: int


class RuleOut(BaseModel):
    """A rule, the kind of channels it judges, and the names of its parameters."""

    name: str
    kind: str
    parameters: list[str]


class ParametersOut(BaseModel):
    """Numbers of a rule for a class of channels, as shipped or as set by the operator."""

    class_: Annotated[str, Field(alias="class")]
    rule: str
    parameters: dict[str, float | None]
    origin: Literal["shipped", "operator"]
    status: str


class ParametersIn(BaseModel):
    """Numbers to set over those that ship; null switches the rule off for the class."""

    model_config = ConfigDict(extra="forbid")

    class_: Annotated[str, Field(alias="class", max_length=100)]
    rule: Annotated[str, Field(max_length=100)]
    parameters: Annotated[dict[str, float | None], Field(min_length=1, max_length=20)]
    reason: Reason


class ExemptionIn(BaseModel):
    """Days (`to` exclusive) on which a channel may measure nothing."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    channel: Id
    kind: Literal["idle", "outage"]
    first: date = Field(alias="from")
    end: date = Field(alias="to")
    reason: Reason


class ExemptionOut(BaseModel):
    """An exemption as it stands."""

    id: int
    channel: int
    kind: str
    first: Annotated[date, Field(alias="from")]
    end: Annotated[date, Field(alias="to")]
    reason: str
    made_by: str
    made_at: datetime


@router.get("/findings", summary="Findings of the validation")
def find_findings(
    connection: Db,
    _: Reader,
    request: Request,
    response: Response,
    asked: Annotated[Asked, Depends(findings.FINDINGS.asked())],
) -> list[FindingOut]:
    """Filter, sort and page by any column, newest days first: `?state=open&severity=>=2&rule=spike`."""
    page = findings.FINDINGS.find(connection, asked)
    page.tell(request, response)
    return [FindingOut(**row) for row in page.rows]


@router.get("/findings/counts", summary="Numbers of findings by rule, severity and state")
def get_counts(connection: Db, _: Reader, first: First, end: End) -> list[CountOut]:
    """Of the days from `from` to before `to`."""
    check_period(first, end)
    return [CountOut(**row._mapping) for row in findings.count_findings(connection, first, end)]


@router.get("/findings/{identifier}", summary="One finding")
def get_finding(connection: Db, _: Reader, identifier: Big) -> FindingOut:
    """With the numbers that were compared."""
    return FindingOut(**findings.require_finding(connection, identifier)._mapping)


@router.post("/findings/{identifier}/confirm", summary="Confirm a finding")
def confirm_finding(connection: Db, clock: Now, person: Operator, identifier: Big, body: ConfirmIn) -> FindingOut:
    """The rule is right: the values are to be mended or estimated."""
    return FindingOut(**findings.confirm(connection, identifier, person, clock.now(), body.reason)._mapping)


@router.post("/findings/{identifier}/overrule", summary="Overrule a finding")
def overrule_finding(connection: Db, clock: Now, person: Operator, identifier: Big, body: OverruleIn) -> FindingOut:
    """The values are right nevertheless; the reason is kept, and a re-run does not open the finding again."""
    return FindingOut(**findings.overrule(connection, identifier, person, clock.now(), body.reason)._mapping)


@router.post("/validation", summary="Validate a period again", status_code=202)
def validate_again(connection: Db, clock: Now, person: Operator, body: RevalidateIn) -> WorkOut:
    """Put the days on the list of work; GET /v1/validation shows how much waits."""
    check_period(body.first, body.end)
    _require_channels(connection, body.channels)
    last = date.fromordinal(body.end.toordinal() - 1)
    enqueue(connection, body.channels, body.first, last, person.name)
    details = {"channels": len(set(body.channels)), "from": body.first.isoformat(), "to": body.end.isoformat()}
    audit.record(connection, person, "vee.revalidate", "vee_work", details, clock.now())
    return WorkOut(waiting=count_work(connection))


@router.get("/validation", summary="How much validation waits")
def get_work(connection: Db, _: Reader) -> WorkOut:
    """Rows of work, of up to 1,024 channels each."""
    return WorkOut(waiting=count_work(connection))


@router.get("/validation/rules", summary="Rules of the validation")
def get_rules(_: Reader) -> list[RuleOut]:
    """Rules on profiles and states, then those on blocks, which have no parameters."""
    judged = [RuleOut(name=rule.name, kind=rule.kind, parameters=list(rule.parameters)) for rule in RULES]
    return judged + [RuleOut(name=name, kind="block", parameters=[]) for name in EVIDENCE_RULES]


@router.get("/validation/parameters", summary="Parameters of rules by class of channels")
def get_parameters(connection: Db, _: Reader) -> list[ParametersOut]:
    """From the least to the most specific class: the later overrides the earlier, number by number."""
    return [
        ParametersOut(
            **{"class": "/".join(each.pattern)},
            rule=each.rule,
            parameters=dict(each.numbers),
            origin="operator" if each.own else "shipped",
            status="set" if each.own else shipped().status,
        )
        for each in read_parameters(connection).settings
    ]


@router.put("/validation/parameters", summary="Set parameters of a rule for a class", status_code=204)
def put_parameters(connection: Db, clock: Now, person: Operator, body: ParametersIn) -> None:
    """They hold from the next validation on; have a period validated again where it should count at once."""
    set_parameters(connection, body.class_, _rule(body.rule), body.parameters, person, clock.now(), body.reason)


@router.delete("/validation/parameters", summary="Go back to what ships", status_code=204)
def delete_parameters(
    connection: Db,
    clock: Now,
    person: Operator,
    class_: Annotated[str, Query(alias="class", max_length=100)],
    rule: Annotated[str, Query(max_length=100)],
) -> None:
    """Remove what the operator set for a class and a rule."""
    remove_parameters(connection, class_, rule, person, clock.now())


@router.get("/validation/exemptions", summary="Days on which channels may measure nothing")
def get_exemptions(connection: Db, _: Reader, first: First, end: End) -> list[ExemptionOut]:
    """Those that touch the period."""
    check_period(first, end)
    return [_exemption(row) for row in find_exemptions(connection, first, end)]


@router.post("/validation/exemptions", summary="Exempt a channel from the rule on zero", status_code=201)
def post_exemption(connection: Db, clock: Now, person: Operator, body: ExemptionIn) -> ExemptionOut:
    """Known to be idle, or without supply; its days are validated again."""
    check_period(body.first, body.end)
    _require_channels(connection, [body.channel])
    row = exempt(connection, body.channel, body.kind, body.first, body.end, body.reason, person, clock.now())
    return _exemption(row)


@router.delete("/validation/exemptions/{identifier}", summary="Withdraw an exemption", status_code=204)
def delete_exemption(connection: Db, clock: Now, person: Operator, identifier: Big) -> None:
    """Its days are validated again."""
    end_exemption(connection, identifier, person, clock.now())


def _exemption(row: Any) -> ExemptionOut:
    return ExemptionOut(
        **{"from": row.days.lower, "to": row.days.upper},
        id=row.id,
        channel=row.channel,
        kind=row.kind,
        reason=row.reason,
        made_by=row.made_by,
        made_at=row.made_at,
    )


def _rule(name: str) -> Rule:
    for rule in RULES:
        if rule.name == name:
            return rule
    raise NotFound("rule_not_found", f"There is no rule {name!r} with parameters; see GET /v1/validation/rules.")


def _require_channels(connection: Db, channels: list[int]) -> None:
    unknown = connection.execute(
        text("""
            SELECT given.id FROM unnest(CAST(:ids AS integer[])) AS given (id)
            LEFT JOIN channel c ON c.id = given.id WHERE c.id IS NULL ORDER BY 1 LIMIT 1
        """),
        {"ids": channels},
    ).scalar()
    if unknown is not None:
        raise NotFound("channel_not_found", f"There is no channel {unknown}; see GET /v1/channels.")
