"""The one rule over a table of states and acts: what the table does not have is refused, with what it has."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from central.platform.errors import Refused

State = TypeVar("State", bound=StrEnum)
Act = TypeVar("Act", bound=StrEnum)


def reached(table: Mapping[tuple[State, Act], State], state: State, act: Act, code: str, thing: str) -> State:
    """The state of `thing` ("The report 7") after the act; Refused with `code` and the acts that are possible."""
    after = table.get((state, act))
    if after is None:
        possible = sorted(str(known) for before, known in table if before == state)
        raise Refused(
            code,
            f"{thing} is {state}: {act} is not possible; possible is {', '.join(possible) or 'nothing'}.",
        )
    return after
