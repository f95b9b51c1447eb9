"""The customer checks that a run takes, and what there is to say of each."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from central.checks.customer import store
from central.checks.customer.coded import PythonCheck
from central.checks.customer.declared import DeclaredCheck
from central.checks.customer.form import CheckForm
from central.checks.customer.store import PYTHON, Stored
from central.checks.frame import Frame
from central.checks.framework import Asked, Check, CouldNotRunError, Definition, Findings, Text
from central.checks.verdict import GROUPS


@contextmanager
def customer_checks(connection: Connection) -> Iterator[Sequence[Check]]:
    """Those that are switched on, each by its newest version; processes of code end with the run."""
    checks = [_made(each) for each in store.newest(connection, active=True)]
    try:
        yield checks
    finally:
        for check in checks:
            if isinstance(check, PythonCheck):
                check.close()


def definitions(connection: Connection) -> Mapping[int, Definition]:
    """What every customer check is, by number."""
    return {each.number: _made(each).definition for each in store.newest(connection)}


def _made(stored: Stored) -> Check:
    try:
        if stored.form == PYTHON:
            return PythonCheck(stored)
        return DeclaredCheck(stored.number, stored.version, CheckForm.model_validate(stored.document).require_sound())
    except (
        Exception
    ) as error:  # what an earlier release stored may name what this one lacks: it must not stop the others
        return Unsound(stored, str(error))


class Unsound:
    """A check that cannot be made of what is stored: it says so of every basis."""

    def __init__(self, stored: Stored, why: str) -> None:
        self._why = why
        self._definition = Definition(
            number=stored.number,
            name=Text(str(stored.number), str(stored.number)),
            rule=Text("", ""),
            group="",
            groups=tuple(GROUPS),
            statements=(),
            messages=(),
            version=stored.version,
        )

    @property
    def definition(self) -> Definition:
        return self._definition

    def read(self, asked: Asked, bases: Frame) -> None:
        """Always fails with the reason."""
        raise CouldNotRunError(self._why)

    def verdict(self, bases: Frame, read: None, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """Never reached."""
        raise CouldNotRunError(self._why)
