"""Bring the definitions of the standard checks, and the settings that concern all checks, into the database."""

from sqlalchemy import Connection, exists, func, select
from sqlalchemy.dialects.postgresql import insert

from central.checks.settings import PREVENT_INVOICING, PreventInvoicing
from central.checks.standard import STANDARD
from central.checks.tables import check_definition, check_setting

FIRST_SET = frozenset({6})
"""Checks that a new database begins with as active. One that a later release brings always arrives inactive."""


def install_standard_checks(connection: Connection) -> list[int]:
    """Insert the standard checks that are not there yet, idempotently; returns their numbers.

    The operator's settings of those already there stay; names follow the release.
    """
    is_new = not connection.execute(select(exists().where(check_definition.c.kind == "standard"))).scalar_one()
    added: list[int] = []
    free = connection.execute(select(func.coalesce(func.max(check_definition.c.slot), -1) + 1)).scalar_one()
    for check in STANDARD:
        definition = check.definition
        names = {"name_cs": definition.name.cs, "name_en": definition.name.en, "check_group": definition.group}
        statement = insert(check_definition).values(
            number=definition.number,
            kind="standard",
            **names,
            active=is_new and definition.number in FIRST_SET,
            groups=list(definition.groups),
            statements=list(definition.statements),
            output="all",
            parameters={},
            slot=free,
        )
        known = connection.execute(
            select(check_definition.c.number).where(check_definition.c.number == definition.number)
        ).scalar()
        connection.execute(statement.on_conflict_do_update(index_elements=["number"], set_=names))
        if known is None:
            added.append(definition.number)
            free += 1
    connection.execute(
        insert(check_setting)
        .values(name=PREVENT_INVOICING, value=PreventInvoicing.LEAVE_OUT.value)
        .on_conflict_do_nothing()
    )
    return added
