"""A customer's check in Python as the framework runs it, and how those of installed packages come into the database."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import msgspec
import numpy as np
import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from central.checks.customer import store
from central.checks.customer.code import (
    Description,
    Question,
    fields_of,
    offered,
    receive_findings,
    send_frame,
)
from central.checks.customer.compared import read_compared
from central.checks.customer.declared import allowed
from central.checks.customer.process import CodeFailedError, WorkerProcess
from central.checks.customer.store import PYTHON, Stored
from central.checks.frame import Frame
from central.checks.framework import Asked, Definition, Findings, Parameter, Subject, Text
from central.checks.tables import check_definition
from central.checks.verdict import GROUPS
from central.platform import audit
from central.platform.clock import get_clock
from central.platform.database import transaction
from central.platform.identity import SYSTEM, Person, name_of

LOADING: Final = 30.0
"""Seconds that code may take to load."""
TIME_LIMIT: Final = Parameter(
    "time_limit_s",
    Text(
        "Za kolik sekund se zastaví (na 100 000 podkladů).", "After so many seconds it is stopped (for 100,000 bases)."
    ),
    Decimal(30),
    least=Decimal(1),
)
"""Every check in Python has it beside its own parameters."""

log = structlog.get_logger()


class PythonCheck:
    """It asks a process of its own, which is started with the first bases and killed when it takes too long."""

    def __init__(self, stored: Stored, start: Callable[[str, float], WorkerProcess] = WorkerProcess) -> None:
        self._name: str = stored.document["entry_point"]
        self._description = msgspec.convert(stored.document["description"], Description)
        own = self._description.definition(stored.version)
        self._definition = replace(own, parameters=(*own.parameters, TIME_LIMIT))
        self._fields = [fields_of(message) for message in self._definition.messages]
        self._start = start
        self._process: WorkerProcess | None = None
        self._failed: CodeFailedError | None = None

    @property
    def definition(self) -> Definition:
        return self._definition

    def read(self, asked: Asked, bases: Frame) -> Frame:
        """The columns that it compares bases with."""
        return read_compared(asked, bases, self._description.inputs)

    def verdict(self, bases: Frame, read: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """What its process answers; after a failure it is not asked again in the same run."""
        if self._failed is not None:
            raise self._failed
        try:
            plain = {name: str(value) for name, value in parameters.items() if name != TIME_LIMIT.name}
            question = Question(send_frame(bases), send_frame(read), plain)
            answer = self._worker().ask(question, allowed(float(parameters[TIME_LIMIT.name]), bases))
            found = [receive_findings(each) for each in answer.findings]
            for each in found:
                self._require_sound(each, bases)
        except Exception as error:
            self._failed = error if isinstance(error, CodeFailedError) else CodeFailedError(str(error))
            self.close()
            raise self._failed from None
        return found

    def close(self) -> None:
        """End its process."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _worker(self) -> WorkerProcess:
        if self._process is None:
            self._process = self._start(self._name, LOADING)
            if self._process.description != self._description:
                raise CodeFailedError("it is another one than when central started; restart central to take it over")
        return self._process

    def _require_sound(self, found: Findings, bases: Frame) -> None:
        """What the framework trusts its own checks in: subjects that exist, values for all names in the messages."""
        if found.about is not Subject.BASIS:
            known = bases["calendar_row" if found.about is Subject.CALENDAR_ROW else "supply_point"]
            if not np.isin(found.subjects, known[known > 0]).all():
                raise CodeFailedError(f"findings about a {found.about} of none of the bases")
            if found.about is Subject.CALENDAR_ROW and found.group not in GROUPS:
                raise CodeFailedError(f"findings about calendar rows of the group {found.group}")
        for message in np.unique(found.messages).tolist():
            if not 0 <= message < len(self._fields):
                raise CodeFailedError(f"message {message} of {len(self._fields)}")
            if missing := self._fields[message] - found.values.keys():
                raise CodeFailedError(f"message {message} names {', '.join(sorted(missing))} without a value")


def install_python_checks(connection: Connection, person: Person | str, at: datetime) -> list[int]:
    """Bring the checks of installed packages into the database, switched off, or as a new version where they say
    something else of themselves than before; returns their numbers. One that cannot be loaded is logged and left out.
    """
    known = {each.number: each for each in store.newest(connection)}
    changed = []
    for name in sorted(offered()):
        try:
            process = WorkerProcess(name, LOADING)
        except CodeFailedError as error:
            log.warning("customer check not loaded", check=name, why=str(error))
            continue
        process.close()
        if _install(connection, name, process.description, known, name_of(person), at):
            changed.append(process.description.number)
    return sorted(changed)


def load_at_start(engine: Engine) -> None:
    """As above, in a transaction of its own; where the database is away, central starts without."""
    if not offered():
        return
    try:
        with transaction(engine) as connection:
            install_python_checks(connection, SYSTEM, get_clock().now())
    except SQLAlchemyError as error:
        log.warning("customer checks not loaded", why=str(error))


def _install(
    connection: Connection, name: str, described: Description, known: dict[int, Stored], by: str, at: datetime
) -> bool:
    document = {"entry_point": name, "description": msgspec.json.decode(msgspec.json.encode(described))}
    before = known.get(described.number)
    if before is not None and before.document["entry_point"] != name:
        log.warning(
            "customer check not loaded", check=name,
            why=f"number {described.number} is that of {before.document['entry_point']}",
        )  # fmt: skip
        return False
    if before is not None and before.document == document:
        return False
    check = Stored(described.number, 1 if before is None else before.version + 1, PYTHON, document)
    names = Text(described.name.cs, described.name.en)
    act = "customer_check.create" if before is None else "customer_check.revise"
    if before is None:
        store.add(connection, check, names, described.group, by, at, f"entry point {name}")
        connection.execute(
            check_definition.update()
            .where(check_definition.c.number == check.number)
            .values(groups=list(described.groups), statements=list(described.statements))
        )
    else:
        store.add_version(connection, check, names, described.group, by, at, f"entry point {name}")
    audit.record(connection, by, act, f"check/{check.number}", {"version": check.version}, at,
                 before=None if before is None else before.document, after=document)  # fmt: skip
    known[check.number] = check
    return True
