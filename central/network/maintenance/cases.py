"""Service cases (servisní případy) and the rules that open them: read, decide, change thresholds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select, update

from central.network.maintenance.case_states import CaseState, advance
from central.network.maintenance.order_tables import ORDER_KINDS
from central.network.maintenance.tables import service_case, service_rule
from central.network.maintenance.work_orders import cancel_unbegun
from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person

PARAMETERS: Final[Mapping[str, Mapping[str, type | tuple[type, ...]]]] = {
    "lost_meter": {"hours": int},
    "lost_concentrator": {"hours": int},
    "meter_event": {"events": list, "logs": list, "days": int},
    "finding": {"severity": int, "days": int},
    "expiry": {"days": int},
}
"""What each rule compares with: hours of silence; kinds of events, OBIS of event logs and days back; least severity
and on how many of the last 30 days; days before a verification ends."""


def find_rules(connection: Connection) -> Sequence[RowMapping]:
    """All rules."""
    return connection.execute(select(service_rule).order_by(service_rule.c.kind)).mappings().all()


def require_rule(connection: Connection, kind: str, *, locked: bool = False) -> RowMapping:
    """A rule, or NotFound."""
    query = select(service_rule).where(service_rule.c.kind == kind)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        raise NotFound("service_rule_not_found", f"There is no service rule {kind!r}.")
    return row


def revise_rule(
    connection: Connection, row: RowMapping, changes: Mapping[str, Any], why: str, person: Person, now: datetime
) -> RowMapping:
    """Other thresholds, severity, work; the operator's own are marked so."""
    check_parameters(row["kind"], changes.get("parameters", row["parameters"]))
    if changes.get("order_kind", row["order_kind"]) not in ORDER_KINDS:
        raise BadInput("order_kind", f"The rule {row['kind']} can propose work of the kinds {', '.join(ORDER_KINDS)}.")
    revised = (
        connection.execute(
            update(service_rule)
            .where(service_rule.c.kind == row["kind"])
            .values(**changes, mark="operator")
            .returning(service_rule)
        )
        .mappings()
        .one()
    )
    subject = f"service_rule/{row['kind']}"
    audit.record(
        connection, person, "service_rule.revise", subject, {}, now, before=dict(row), after=dict(revised), why=why
    )
    return revised


def check_parameters(kind: str, parameters: Mapping[str, Any]) -> None:
    """BadInput unless these are the rule's parameters, numbers from 0 to a million, lists of texts."""
    wanted = PARAMETERS[kind]
    if set(parameters) != set(wanted):
        raise BadInput(
            "parameters", f"The rule {kind} has the parameters {', '.join(wanted)}; given: {', '.join(parameters)}."
        )
    for name, form in wanted.items():
        value = parameters[name]
        fits = (
            isinstance(value, list) and all(isinstance(text, str) for text in value)
            if form is list
            else isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 1_000_000
        )
        if not fits:
            form_text = "a list of texts" if form is list else "a whole number from 0 to 1,000,000"
            raise BadInput("parameters", f"The parameter {name} of the rule {kind} is {value!r}; expected {form_text}.")


def require_case(connection: Connection, identifier: int, *, locked: bool = False) -> RowMapping:
    """A service case, or NotFound."""
    query = select(service_case).where(service_case.c.id == identifier)
    row = connection.execute(query.with_for_update() if locked else query).mappings().first()
    if row is None:
        raise NotFound("service_case_not_found", f"There is no service case {identifier}.")
    return row


def close_cases(
    connection: Connection, identifiers: Sequence[int], reason: str, person: Person, now: datetime
) -> Sequence[str]:
    """Close open cases; orders that nobody began are cancelled with them. Gives the numbers of those orders."""
    if not identifiers:
        return []
    if not reason.strip():
        raise BadInput("reason", "A service case cannot be closed without a reason.")
    cases = connection.execute(
        select(service_case).where(service_case.c.id.in_(identifiers)).order_by(service_case.c.id).with_for_update()
    ).mappings()
    for case in cases.all():
        advance(case["id"], case["state"], CaseState.CLOSED)
    connection.execute(
        update(service_case)
        .where(service_case.c.id.in_(identifiers))
        .values(state=str(CaseState.CLOSED), closed_at=now, closed_by=person.name, reason=reason.strip())
    )
    subjects: dict[str, dict[str, Any]] = {f"service_case/{identifier}": {} for identifier in identifiers}
    audit.record_each(connection, person, "service_case.close", subjects, now, why=reason)
    return cancel_unbegun(connection, identifiers, reason, person, now)
