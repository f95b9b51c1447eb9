"""Settings of the checks: one check's own, and whether an error prevents invoicing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from central.checks.framework import Definition, Parameter
from central.checks.tables import check_definition, check_setting
from central.checks.verdict import GROUPS
from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person

PREVENT_INVOICING = "prevent_invoicing"
STATEMENTS = ("regular", "annual")
_MOST = Decimal(1_000_000)


class PreventInvoicing(StrEnum):
    """Zabránit fakturaci při chybě kontroly: what a live error does to invoicing."""

    DO_NOT = "do_not"
    LEAVE_OUT = "leave_out"
    """The supply points in error are left out."""
    FORBID = "forbid"
    """Zakázat celou fakturaci při chybě."""


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """What the operator may set of a check."""

    active: bool
    groups: Sequence[str]
    statements: Sequence[str]
    output: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Those that differ from the check's own."""


def get_definitions(connection: Connection) -> Sequence[Row[Any]]:
    """All checks with their settings, by number."""
    return connection.execute(select(check_definition).order_by(check_definition.c.number)).all()


def require_definition(connection: Connection, number: int) -> Row[Any]:
    """One check with its settings, or NotFound."""
    row = connection.execute(select(check_definition).where(check_definition.c.number == number)).one_or_none()
    if row is None:
        raise NotFound("check_not_found", f"There is no check {number}; see GET /v1/checks/definitions.")
    return row


def revise_settings(
    connection: Connection,
    number: int,
    settings: CheckSettings,
    person: Person | str,
    at: datetime,
    definition: Definition | None = None,
) -> None:
    """Set a check. Deactivating it leaves its earlier results as they are.

    `definition` says which parameters it takes; without one it takes none.
    """
    require_definition(connection, number)
    _refuse_unknown(f"groups of check {number}", settings.groups, tuple(GROUPS))
    _refuse_unknown(f"statements of check {number}", settings.statements, STATEMENTS)
    _refuse_unknown(f"output variant of check {number}", [settings.output], ("all", "errors"))
    values = {
        "active": settings.active,
        "groups": list(settings.groups),
        "statements": list(settings.statements),
        "output": settings.output,
        "parameters": _set_parameters(number, () if definition is None else definition.parameters, settings.parameters),
    }
    connection.execute(update(check_definition).where(check_definition.c.number == number).values(values))
    audit.record(connection, person, "check.revise", f"check/{number}", values, at)


def parameters_of(definition: Definition, given: Mapping[str, str]) -> dict[str, Decimal | str]:
    """The parameters of a check: its own, and over them what the operator has set."""
    return {
        each.name: each.default if each.name not in given else _parameter(each, given[each.name])
        for each in definition.parameters
    }


def _set_parameters(number: int, known: Sequence[Parameter], given: Mapping[str, str]) -> dict[str, str]:
    by_name = {each.name: each for each in known}
    _refuse_unknown(f"parameters of check {number}", list(given), tuple(by_name))
    for name, value in given.items():
        try:
            _parameter(by_name[name], value)
        except ValueError as error:
            raise BadInput(
                "parameter_wrong", f"Parameter {name} of check {number} cannot be {value}: {error}"
            ) from None
    return dict(given)


def _parameter(parameter: Parameter, given: str) -> Decimal | str:
    """The value in its kind; ValueError says what was expected."""
    if parameter.choices:
        if given not in parameter.choices:
            raise ValueError(f"one of {', '.join(parameter.choices)} is expected.")
        return given
    try:
        value = Decimal(given)
    except InvalidOperation:
        raise ValueError(f"a number of at least {parameter.least} is expected.") from None
    if not value.is_finite() or not parameter.least <= value <= _MOST:
        raise ValueError(f"a number from {parameter.least} to {_MOST} is expected.")
    return value


def prevent_invoicing(connection: Connection) -> PreventInvoicing:
    """The present value of the global setting; without one, supply points in error are left out."""
    value = connection.execute(select(check_setting.c.value).where(check_setting.c.name == PREVENT_INVOICING)).scalar()
    return PreventInvoicing.LEAVE_OUT if value is None else PreventInvoicing(value)


def set_prevent_invoicing(connection: Connection, value: PreventInvoicing, person: Person | str, at: datetime) -> None:
    """Set what a live error does to invoicing."""
    connection.execute(
        insert(check_setting)
        .values(name=PREVENT_INVOICING, value=value.value)
        .on_conflict_do_update(index_elements=["name"], set_={"value": value.value})
    )
    audit.record(connection, person, "check.prevent_invoicing", "check_setting", {"value": value.value}, at)


def _refuse_unknown(what: str, given: Sequence[str], known: tuple[str, ...]) -> None:
    if unknown := [value for value in given if value not in known]:
        raise BadInput(
            "setting_unknown",
            f"The {what} cannot be {', '.join(unknown)}; {', '.join(known) or 'none'} are expected.",
        )
