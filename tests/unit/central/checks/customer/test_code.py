"""Customer checks in Python, without their process: what they may say of themselves and answer."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from central.checks.customer.code import (
    Answer,
    Description,
    describe,
    receive_findings,
    receive_frame,
    require_sound,
    send_findings,
    send_frame,
)
from central.checks.customer.coded import PythonCheck
from central.checks.customer.process import CodeFailedError
from central.checks.customer.store import PYTHON, Stored
from central.checks.frame import MISSING, Frame
from central.checks.framework import Definition, Findings, Kind, Parameter, Subject, Text, Value, findings
from tests.unit.central.checks.columns import bases

GOOD = Definition(
    number=200_001,
    name=Text("Levné", "Cheap"),
    rule=Text("pravidlo", "rule"),
    group="ACME",
    groups=("regular",),
    statements=("annual",),
    messages=(Text("cena {price}", "price {price}"), Text("nic", "nothing")),
    parameters=(
        Parameter("limit", Text("mez", "limit"), Decimal("0.5")),
        Parameter("which", Text("které", "which"), "all", ("all", "some")),
    ),
)


class Code:
    """What an entry point leads to."""

    def __init__(self, definition: Definition = GOOD, inputs: tuple[str, ...] = ("previous_price",)) -> None:
        self.definition = definition
        self.inputs = inputs

    def verdict(self, bases: Frame, inputs: Frame, parameters: Any) -> list[Findings]:
        raise AssertionError("to describe a check runs none of its code")


def test_what_it_says_of_itself_is_kept() -> None:
    described = require_sound(describe(Code()))
    assert described.definition(4) == replace(GOOD, version=4)
    assert msgspec.json.decode(msgspec.json.encode(described), type=Description) == described


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (Code(replace(GOOD, number=6)), "number 6: one from 200001 to 299999"),
        (Code(replace(GOOD, number=300_000)), "number 300000"),
        (Code(inputs=("password",)), "inputs password; previous_quantity"),
        (Code(inputs=("quantity",)), "inputs quantity"),
        (Code(replace(GOOD, groups=("weekly",))), "groups weekly"),
        (Code(replace(GOOD, statements=("weekly",))), "statements weekly"),
        (Code(replace(GOOD, commodities=(2,))), "commodities 2"),
        (Code(replace(GOOD, messages=(Text("{a.b}", "a"),))), "{a.b} in '{a.b}'"),
        (Code(replace(GOOD, messages=(Text("{a:>9}", "a"),))), "only a name"),
        (Code(replace(GOOD, messages=(Text("a", "{"),))), "Single '{'"),
        (Code(replace(GOOD, name=Text("a\0", "a"))), "control characters"),
        (Code(replace(GOOD, parameters=(replace(GOOD.parameters[0], name="time_limit_s"),))), "already"),
        (Code(replace(GOOD, once=True)), "a check of a whole month"),
    ],
)
def test_what_could_disturb_others_is_refused(code: Code, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        require_sound(describe(code))


def test_frames_and_findings_travel_whole() -> None:
    frame = bases({"unit": "MWh"}, {"unit": "kWh", "price": None})
    sent = receive_frame(send_frame(frame))
    assert all((sent[name] == frame[name]).all() for name in frame.columns)
    assert sent.words == frame.words
    values = {"unit": Value(Kind.WORD, frame["unit"], frame.words["unit"])}
    found = findings(frame["id"], np.array([5, 2]), 1, values, about=Subject.CALENDAR_ROW, group="annual")
    again = receive_findings(send_findings(found))
    assert (again.subjects.tolist(), again.results.tolist(), again.messages.tolist()) == ([1, 2], [5, 2], [1, 1])
    assert (again.about, again.group, again.values["unit"].words) == (
        Subject.CALENDAR_ROW,
        "annual",
        ("MWh", "kWh"),
    )


@pytest.mark.parametrize(
    "data", [np.array([0.5]), np.array(["a"]), np.array([[1]]), np.array([2**63], dtype=np.uint64), np.array([None])]
)
def test_values_that_are_no_whole_numbers_are_refused(data: Any) -> None:
    with pytest.raises(ValueError, match="a column"):
        send_findings(findings(np.array([1]), 2, 0, {"price": Value(Kind.DECIMAL, data)}))


class Process:
    """A process that answers what it is told to."""

    def __init__(self, *found: Findings, description: Description | None = None) -> None:
        self.description = require_sound(describe(Code())) if description is None else description
        self.answer = Answer(findings=tuple(send_findings(each) for each in found))
        self.closed = 0

    def ask(self, question: Any, seconds: float) -> Answer:
        assert (question.parameters, seconds) == ({}, 30)
        return self.answer

    def close(self) -> None:
        self.closed += 1


def check(process: Process) -> PythonCheck:
    description = msgspec.json.decode(msgspec.json.encode(describe(Code())))
    stored = Stored(200_001, 1, PYTHON, {"entry_point": "acme: Cheap", "description": description})
    return PythonCheck(stored, lambda name, seconds: process)  # type: ignore[arg-type, return-value]


PRICE = {"price": Value(Kind.DECIMAL, np.array([MISSING]))}
ONE = np.array([1])
LIMIT = {"time_limit_s": Decimal(30)}


def test_sound_findings_are_handed_on() -> None:
    process = Process(findings(ONE, 5, 0, PRICE), findings(ONE, 2, 1, about=Subject.CALENDAR_ROW, group="annual"))
    found = check(process).verdict(bases({}), Frame({"previous_price": ONE}), LIMIT)
    assert [(each.about, each.results.tolist()) for each in found] == [("basis", [5]), ("calendar_row", [2])]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (findings(ONE, 2, 0), "message 0 names price without a value"),
        (findings(ONE, 2, 2), "message 2 of 2"),
        (findings(ONE, 2, -1), "message -1 of 2"),
        (findings(ONE + 10**15, 5, 1, about=Subject.CALENDAR_ROW, group="annual"), "a calendar_row of none"),
        (findings(ONE, 5, 1, about=Subject.CALENDAR_ROW, group="weekly"), "of the group weekly"),
        (findings(ONE, 5, 1, about=Subject.CALENDAR_ROW), "of the group None"),
        (findings(ONE + 5, 5, 1, about=Subject.SUPPLY_POINT), "a supply_point of none"),
    ],
)
def test_what_would_break_the_run_or_its_telling_is_a_failure(found: Findings, said: str) -> None:
    process = Process(found)
    coded = check(process)
    for _ in range(2):
        with pytest.raises(CodeFailedError) as failed:
            coded.verdict(bases({}), Frame({"previous_price": ONE}), LIMIT)
        assert said in str(failed.value)
    assert process.closed == 1


def test_code_that_says_something_else_than_when_central_started_does_not_run() -> None:
    process = Process(description=describe(Code(replace(GOOD, group="other"))))
    with pytest.raises(CodeFailedError, match="restart central to take it over"):
        check(process).verdict(bases({}), Frame({"previous_price": ONE}), LIMIT)
