"""The process that a customer's Python code runs in: it is asked on its standard input, answers on its output, and is
killed when it takes too long. `python -m central.checks.customer.worker "PACKAGE: NAME"`
"""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, BinaryIO, Final

import msgspec

from central.checks.customer.code import (
    Answer,
    CodeCheck,
    Question,
    describe,
    offered,
    receive_frame,
    send_findings,
)
from central.checks.framework import Definition

MEMORY: Final = 4 * 1024**3
"""Octets that the process may map: beyond it the check fails, not the machine."""
LENGTH: Final = 8
"""Octets before each message that say how long it is."""
_END_WITH_PARENT: Final = 1
"""Option of prctl(2): PR_SET_PDEATHSIG."""


def main(name: str) -> int:
    """Load the check, say what it is, and answer until nobody asks any more."""
    asked, answers = _own_pipes()
    _confine()
    try:
        check = _load(name)
        described = describe(check)
    except BaseException as error:
        _tell(answers, Answer(failed=_said(error)))
        return 1
    _tell(answers, Answer(description=described))
    while head := asked.read(LENGTH):
        question = msgspec.msgpack.decode(asked.read(int.from_bytes(head, "little")), type=Question)
        _tell(answers, _answer(check, question))
    return 0


def _own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The two pipes, out of reach of what the code prints or reads."""
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    return asked, answers


def _confine() -> None:
    with suppress(OSError, AttributeError):  # other systems than Linux have no such call
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _load(name: str) -> CodeCheck:
    found = offered().get(name)
    if found is None:
        raise LookupError(f"no package that is installed brings the check {name!r}")
    loaded = found.load()
    check: CodeCheck = loaded() if isinstance(loaded, type) else loaded
    return check


def _answer(check: CodeCheck, question: Question) -> Answer:
    try:
        parameters = _parameters(check.definition, question.parameters)
        found = check.verdict(receive_frame(question.bases), receive_frame(question.inputs), parameters)
        return Answer(findings=tuple(send_findings(each) for each in found))
    except BaseException as error:  # SystemExit, too: whatever the code raises is an answer
        return Answer(failed=_said(error))


def _parameters(definition: Definition, given: Mapping[str, str]) -> dict[str, Any]:
    return {
        each.name: given[each.name] if each.choices else Decimal(given[each.name]) for each in definition.parameters
    }


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:1_000]


def _tell(answers: BinaryIO, answer: Answer) -> None:
    content = msgspec.msgpack.encode(answer)
    answers.write(len(content).to_bytes(LENGTH, "little"))
    answers.write(content)
    answers.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
