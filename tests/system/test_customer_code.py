"""The process of a customer's code: what it answers, and that its time, memory and end are kept whatever it does."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import psutil
import pytest

from central.checks.customer.code import Question, receive_findings, send_frame
from central.checks.customer.process import CodeFailedError, WorkerProcess
from central.checks.frame import MISSING, Frame
from central.checks.framework import Findings
from tests.system.customer_code import install
from tests.unit.central.checks.columns import bases


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, "Cheap", "Failing", "Endless", "Slow", "Absent")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("ROZVODNA_DATABASE_URL", "postgresql://secret")
    monkeypatch.setenv("DATABASE_URL", "postgresql://secret")


def ask(process: WorkerProcess, limit: str = "0.5", seconds: float = 30) -> Findings:
    chosen = send_frame(bases({"price": Decimal("0.4")}, {"price": Decimal("0.5")}))
    before = send_frame(Frame({"previous_price": np.array([1_000_000, MISSING])}))
    (found,) = process.ask(Question(chosen, before, {"limit": limit}), seconds).findings
    return receive_findings(found)


def test_its_findings_are_those_of_the_code(package: None) -> None:
    process = WorkerProcess("acme: Cheap", 30)
    try:
        assert (process.description.number, process.description.inputs) == (200_001, ("previous_price",))
        for limit, results in (("0.5", [5, 2]), ("0.6", [5, 5])):
            found = ask(process, limit)
            assert (found.subjects.tolist(), found.results.tolist()) == ([1, 2], results)
            assert found.values["before"].data.tolist() == [1_000_000, MISSING]
    finally:
        process.close()


def test_whatever_it_raises_is_an_answer(package: None) -> None:
    process = WorkerProcess("acme: Failing", 30)
    try:
        for limit, said in (
            ("0", "ZeroDivisionError: division of {1} by \0 zero"),
            ("1", "LookupError: found []"),
            ("2", "MemoryError"),
            ("3", "SystemExit: enough"),
            ("4", "its process ended with status 7"),
        ):
            with pytest.raises(CodeFailedError) as failed:
                ask(process, limit)
            assert said in str(failed.value)
    finally:
        process.close()


def test_an_endless_loop_is_killed_with_all_that_it_started(package: None) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    process = WorkerProcess("acme: Endless", 30)
    with pytest.raises(CodeFailedError, match="it took longer than 1 s and was stopped"):
        ask(process, seconds=1)
    assert len({child.pid for child in psutil.Process().children(recursive=True)} - before) == 2
    process.close()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and {each.pid for each in psutil.Process().children(recursive=True)} - before:
        time.sleep(0.05)
    assert {each.pid for each in psutil.Process().children(recursive=True)} <= before


@pytest.mark.parametrize(
    ("name", "seconds", "said"),
    [
        ("Slow", 1, "it took longer than 1 s and was stopped"),
        ("Absent", 30, "AttributeError"),
        ("Gone", 30, "no package that is installed brings the check 'acme: Gone'"),
    ],
)
def test_code_that_cannot_be_loaded_says_why(package: None, name: str, seconds: float, said: str) -> None:
    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(CodeFailedError, match=said):
        WorkerProcess(f"acme: {name}", seconds)
    assert {child.pid for child in psutil.Process().children()} <= before
