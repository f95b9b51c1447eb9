"""The checks of one run, each with how it is set and what came of it so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row

from central.checks.bases import types_of
from central.checks.frame import Frame
from central.checks.framework import Check, Text
from central.checks.settings import get_definitions, parameters_of
from central.checks.verdict import Result

INVOICING = "invoicing"
GUARDED = {"regular": ("regular", "accrual"), "annual": ("annual",)}
"""Groups of bases that the invoicing of a statement takes (accrual with the regular one is ours)."""


@dataclass
class Part:
    """One check in the making."""

    check: Check
    setting: Row[Any]
    types: frozenset[int]
    parameters: Mapping[str, Any]
    messages: list[Text]
    unfit: str | None = None
    """Why it cannot run as it is set."""
    bases: int = 0
    blocks: int = 0
    seconds: float = 0.0
    failed: str | None = None
    counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(Result), dtype=np.int64))

    @property
    def number(self) -> int:
        return self.check.definition.number


def parts_of(connection: Connection, kind: str, checks: Sequence[Check]) -> list[Part]:
    """The active checks, each with the statement types that it looks at."""
    settings = {row.number: row for row in get_definitions(connection)}
    parts = []
    for check in checks:
        setting = settings.get(check.definition.number)
        if setting is None or not setting.active:
            continue
        types = set(types_of(setting.groups))
        if kind == INVOICING:
            types &= set(types_of([group for statement in setting.statements for group in GUARDED[statement]]))
        unfit = None
        try:
            parameters = parameters_of(check.definition, setting.parameters)
        except ValueError as error:  # set for an earlier version, which took other parameters
            unfit = f"a parameter cannot be what it is set to: {error}".rstrip(".")
            parameters = parameters_of(check.definition, {})
        parts.append(Part(check, setting, frozenset(types), parameters, [*check.definition.messages], unfit))
    return parts


def chosen_of(part: Part, chunk: Frame) -> NDArray[np.bool_]:
    definition = part.check.definition
    return np.isin(chunk["statement_type"], sorted(part.types)) & np.isin(chunk["commodity"], definition.commodities)
