"""Customer checks in the database: create, change as a new version, list; the newest version of each runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update

from central.checks.customer.form import STATEMENTS, CheckForm
from central.checks.customer.numbers import FIRST_NUMBER, FIRST_OF_CODE
from central.checks.customer.tables import customer_check
from central.checks.framework import Text
from central.checks.tables import check_definition
from central.checks.verdict import GROUPS
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person

DECLARED: Final = "declared"
PYTHON: Final = "python"
_ONE_AT_A_TIME: Final = text("LOCK TABLE check_definition IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True, slots=True)
class Stored:
    """The newest version of a customer check."""

    number: int
    version: int
    form: str
    document: dict[str, Any]


def create(connection: Connection, form: CheckForm, why: str, person: Person, at: datetime) -> int:
    """Add a declared check under the next free number, switched off; BadInput says what is wrong in its form."""
    document = form.require_sound().model_dump(mode="json")
    connection.execute(_ONE_AT_A_TIME)
    last = connection.execute(
        select(func.max(check_definition.c.number)).where(check_definition.c.number.between(100_000, FIRST_OF_CODE - 1))
    ).scalar()
    number = FIRST_NUMBER if last is None else int(last) + 1
    if number >= FIRST_OF_CODE:
        raise Refused("no_number", f"All numbers of customer checks up to {FIRST_OF_CODE - 1} are taken.")
    names = Text(form.name.cs, form.name.en)
    add(connection, Stored(number, 1, DECLARED, document), names, form.group, person.name, at, why)
    audit.record(connection, person, "customer_check.create", f"check/{number}", {"version": 1}, at,
                 after=document, why=why)  # fmt: skip
    return number


def add(connection: Connection, check: Stored, names: Text, group: str, by: str, at: datetime, why: str) -> None:
    """A new check, switched off, with the next free place for its results."""
    connection.execute(_ONE_AT_A_TIME)
    slot = connection.execute(select(func.coalesce(func.max(check_definition.c.slot), -1) + 1)).scalar_one()
    connection.execute(
        insert(check_definition).values(
            number=check.number, kind="customer", name_cs=names.cs, name_en=names.en, check_group=group, active=False,
            groups=list(GROUPS), statements=list(STATEMENTS), output="all", parameters={}, slot=slot,
        )
    )  # fmt: skip
    _insert_version(connection, check, by, at, why)


def add_version(
    connection: Connection, check: Stored, names: Text, group: str, by: str, at: datetime, why: str
) -> None:
    """A further version of a check; settings and earlier results stay."""
    connection.execute(
        update(check_definition)
        .where(check_definition.c.number == check.number)
        .values(name_cs=names.cs, name_en=names.en, check_group=group)
    )
    _insert_version(connection, check, by, at, why)


def revise(
    connection: Connection, number: int, seen: RowMapping, form: CheckForm, why: str, person: Person, at: datetime
) -> int:
    """Change a declared check as a new version, which is returned; `seen` is its present one, read under a lock."""
    if seen["form"] != DECLARED:
        raise Refused("check_of_code", f"Check {number} is code; it changes with its package, not here.")
    document = form.require_sound().model_dump(mode="json")
    check = Stored(number, seen["version"] + 1, DECLARED, document)
    add_version(connection, check, Text(form.name.cs, form.name.en), form.group, person.name, at, why)
    audit.record(connection, person, "customer_check.revise", f"check/{number}", {"version": check.version}, at,
                 before=seen["document"], after=document, why=why)  # fmt: skip
    return check.version


def require_newest(connection: Connection, number: int, *, lock: bool = False) -> RowMapping:
    """The newest version of a customer check, or NotFound."""
    if lock:
        connection.execute(
            select(check_definition.c.number).where(check_definition.c.number == number).with_for_update()
        )
    row = (
        connection.execute(
            select(customer_check)
            .where(customer_check.c.number == number)
            .order_by(customer_check.c.version.desc())
            .limit(1)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("check_not_found", f"There is no customer check {number}; see GET /v1/checks/customer.")
    return row


def versions(connection: Connection, number: int) -> Sequence[RowMapping]:
    """All versions of a check, the newest first."""
    query = select(customer_check).where(customer_check.c.number == number).order_by(customer_check.c.version.desc())
    return connection.execute(query).mappings().all()


def newest(connection: Connection, *, active: bool | None = None) -> list[Stored]:
    """The newest version of every customer check, by number; of those that are switched on, or all."""
    later = customer_check.alias()
    present = select(func.max(later.c.version)).where(later.c.number == customer_check.c.number).scalar_subquery()
    query = (
        select(customer_check, check_definition.c.active)
        .join(check_definition, check_definition.c.number == customer_check.c.number)
        .where(customer_check.c.version == present)
        .order_by(customer_check.c.number)
    )
    return [
        Stored(row.number, row.version, row.form, row.document)
        for row in connection.execute(query)
        if active is None or row.active is active
    ]


def _insert_version(connection: Connection, check: Stored, by: str, at: datetime, why: str) -> None:
    connection.execute(
        insert(customer_check).values(
            number=check.number, version=check.version, form=check.form, document=check.document, made_at=at,
            made_by=by, why=why,
        )
    )  # fmt: skip
