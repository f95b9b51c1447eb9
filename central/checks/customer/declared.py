"""A declared customer check as the framework runs it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from central.checks.customer.columns import COLUMNS, compared, of_bases
from central.checks.customer.compared import read_compared
from central.checks.customer.form import CheckForm, columns_of
from central.checks.customer.nodes import Rows
from central.checks.customer.parse import parse
from central.checks.frame import Frame
from central.checks.framework import SERVICES, Asked, Definition, Findings, Text, findings
from central.checks.verdict import Result

SECONDS: Final = 10.0
"""How long the conditions may take for 100,000 bases."""


def allowed(seconds: float, bases: Frame) -> float:
    """Seconds for these bases, of those for 100,000; never less."""
    return seconds * max(1.0, len(bases) / 100_000)


class DeclaredCheck:
    """Conditions over columns, without code: each finding is the text of a condition that holds."""

    def __init__(self, number: int, version: int, form: CheckForm, seconds: float = SECONDS) -> None:
        self._form = form
        self._definition = form.definition(number, version)
        self._columns = form.columns()
        self._seconds = seconds

    @property
    def definition(self) -> Definition:
        return self._definition

    def read(self, asked: Asked, bases: Frame) -> Frame:
        """The columns that it compares bases with."""
        return read_compared(asked, bases, compared(self._columns))

    def verdict(self, bases: Frame, read: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A finding for each condition that holds, the text of otherwise where all are false, a warning where none
        holds and some cannot be judged."""
        own = of_bases(bases, self._columns)
        frame = Frame({**own.columns, **read.columns}, {**own.words, **read.words})
        rows = Rows(frame, bases, time.monotonic() + allowed(self._seconds, bases))
        looked = np.isin(bases["service"], [SERVICES.index(each) for each in self._form.services])
        unjudged, apart = np.zeros(len(bases), dtype=np.bool_), np.zeros(len(bases), dtype=np.bool_)
        if self._form.applies is not None:
            judged = parse(self._form.applies).of(rows)
            unjudged |= looked & ~judged.true & ~judged.false
            apart |= looked & judged.apart
            looked = looked & judged.true
        said = np.zeros(len(bases), dtype=np.bool_)
        found = []
        for place, each in enumerate(self._form.conditions):
            judged = parse(each.when).of(rows)
            holds = looked & judged.true
            said |= holds
            unjudged |= looked & ~judged.true & ~judged.false
            apart |= looked & judged.apart
            found.append(self._say(bases, frame, holds, Result[each.severity.upper()], place))
        unjudged &= ~said
        many = len(self._definition.messages)
        found.append(self._say(bases, frame, unjudged & ~apart, Result.WARNING, many - 2))
        found.append(self._say(bases, frame, unjudged & apart, Result.WARNING, many - 1))
        if self._form.otherwise is not None:
            rest = looked & ~said & ~unjudged
            severity = Result[self._form.otherwise.severity.upper()]
            found.append(self._say(bases, frame, rest, severity, many - 3))
        return found

    def _say(self, bases: Frame, frame: Frame, chosen: np.ndarray[Any, Any], result: Result, message: int) -> Findings:
        text: Text = self._definition.messages[message]
        values = {name: COLUMNS[name].shown(frame).take(chosen) for name in sorted(columns_of(text))}
        return findings(bases["id"][chosen], result, message, values)
