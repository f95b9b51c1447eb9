"""What a check may say about a billing basis, and which of several results is the worst."""

from collections.abc import Iterable
from enum import IntEnum
from typing import Final

from central.settlement import statements


class Result(IntEnum):
    """Result of a check (výsledek kontroly), worst last.

    A cancelled error stands below a live one, so that a live error is never hidden; NONE means not checked.
    """

    NONE = 0
    INFO = 1
    OK = 2
    WARNING = 3
    ERROR_CANCELLED = 4
    ERROR = 5

    @property
    def key(self) -> str:
        """The result as the API names it."""
        return self.name.lower()


CZECH: dict[Result, str] = {
    Result.NONE: "(není)",
    Result.INFO: "informace",
    Result.OK: "OK",
    Result.WARNING: "varování",
    Result.ERROR_CANCELLED: "chyba (zrušeno uživatelem)",
    Result.ERROR: "chyba",
}
"""What the operator reads."""

COLOURS: dict[Result, str] = {
    Result.NONE: "black",
    Result.INFO: "blue",
    Result.OK: "green",
    Result.WARNING: "orange",
    Result.ERROR_CANCELLED: "pink",
    Result.ERROR: "red",
}
"""The colour that a result's column takes."""

GROUPS: dict[str, frozenset[int]] = {
    group: frozenset(int(kind) for kind in kinds) for group, kinds in statements.GROUPS.items()
}
"""Statement types (typ vyúčtování) by the manual run that takes them."""


TAKING_BACK: Final = sorted(
    {int(kind) for kind in statements.CANCELS.values()}
    | {int(statements.StatementType.NEGATIVE_SETTLEMENT), int(statements.StatementType.CORRECTS_NEGATIVE)}
)
"""Statement types that take other lines back; what they say is neither billed anew nor entered."""


def worst_of(results: Iterable[Result]) -> Result:
    """The worst result; NONE of nothing."""
    return max(results, default=Result.NONE)
