"""Parameters of rules by class of channels: data that ship, and what the operator set over them.

A class is commodity/direction/metering type/voltage level ("electricity/A+/B/VN", "-" where a supply point has none);
a pattern may have "*" in any place. From the least to the most specific pattern each one overrides the numbers that it
names; among equally specific ones the later in the data, and the operator's over ours.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from importlib.resources import files

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from central.platform import audit
from central.platform.errors import BadInput, NotFound
from central.platform.identity import Person
from central.readings.vee.rule import Chunk, Floats, Rule
from central.readings.vee_tables import vee_parameter

Numbers = Mapping[str, float | None]
ANY = "*"
_PARTS = 4


class ClassRules(BaseModel):
    """Numbers for one pattern; null switches a rule off for the class."""

    model_config = ConfigDict(extra="forbid")

    class_: str = Field(alias="class")
    rules: dict[str, dict[str, float | None]]


class ParameterFile(BaseModel):
    """The data that ship: where they are from, whether they are documented or assumed, and numbers by class."""

    model_config = ConfigDict(extra="forbid")

    source: str
    status: str
    classes: list[ClassRules]


@dataclass(frozen=True, slots=True)
class Setting:
    """Numbers of one rule for one pattern."""

    pattern: tuple[str, ...]
    rule: str
    numbers: Numbers
    own: bool = False
    """Set by the operator."""

    def covers(self, name: tuple[str, ...]) -> bool:
        """Whether the pattern covers a class."""
        return all(mine in (ANY, theirs) for mine, theirs in zip(self.pattern, name, strict=True))


@dataclass(frozen=True, slots=True)
class Parameters:
    """All settings, the more specific later."""

    settings: Sequence[Setting]

    @classmethod
    def of_settings(cls, settings: Sequence[Setting]) -> "Parameters":
        """Ordered by how specific their patterns are; the given order decides among equals."""
        return cls(sorted(settings, key=lambda each: sum(part != ANY for part in each.pattern)))

    def numbers(self, rule: str, name: tuple[str, ...]) -> dict[str, float]:
        """The numbers of a rule for one class; NaN where it is switched off."""
        result: dict[str, float] = {}
        for each in self.settings:
            if each.rule == rule and each.covers(name):
                result |= {key: math.nan if value is None else value for key, value in each.numbers.items()}
        return result

    def of(self, chunk: Chunk, rules: Sequence[Rule]) -> dict[str, dict[str, Floats]]:
        """By rule and name one number for each channel of the chunk."""
        names = classes_of(chunk)
        distinct = sorted(set(names))
        place = {name: number for number, name in enumerate(distinct)}
        which = np.array([place[name] for name in names], np.int64)
        result: dict[str, dict[str, Floats]] = {}
        for rule in rules:
            by_class = [self.numbers(rule.name, name) for name in distinct]
            result[rule.name] = {
                key: np.array([numbers.get(key, math.nan) for numbers in by_class], np.float64)[which]
                for key in rule.parameters
            }
        return result


def classes_of(chunk: Chunk) -> list[tuple[str, ...]]:
    """The class of each channel."""
    facts = chunk.facts
    return [
        (str(chunk.commodity), direction, metering or "-", level or "-")
        for direction, metering, level in zip(facts.direction, facts.metering_type, facts.voltage_level, strict=True)
    ]


@lru_cache(maxsize=1)
def shipped() -> ParameterFile:
    """The data that ship with the program."""
    return ParameterFile.model_validate(json.loads((files(__package__) / "parameters.json").read_text("utf-8")))


def shipped_settings() -> list[Setting]:
    """The same as settings."""
    return [
        Setting(pattern_of(each.class_), rule, numbers)
        for each in shipped().classes
        for rule, numbers in each.rules.items()
    ]


def read_parameters(connection: Connection) -> Parameters:
    """What ships with what the operator set over it."""
    rows = connection.execute(select(vee_parameter).order_by(vee_parameter.c["class"], vee_parameter.c.rule))
    own = [Setting(pattern_of(row[0]), row.rule, row.parameters, own=True) for row in rows]
    return Parameters.of_settings([*shipped_settings(), *own])


def pattern_of(name: str) -> tuple[str, ...]:
    """The parts of a class's name; BadInput where it has not four."""
    parts = tuple(name.split("/"))
    if len(parts) != _PARTS or not all(parts):
        raise BadInput(
            "class",
            f"The class {name!r} must have four parts, commodity/direction/metering type/voltage level, "
            'each a value or "*", such as "electricity/A+/*/NN".',
        )
    return parts


def set_parameters(
    connection: Connection,
    name: str,
    rule: Rule,
    numbers: Numbers,
    person: Person,
    at: datetime,
    reason: str,
) -> None:
    """Set numbers of a rule for a class of channels; they hold from the next validation on."""
    pattern_of(name)
    for key, value in numbers.items():
        if key not in rule.parameters:
            raise BadInput(
                "parameter", f"The rule {rule.name} has no parameter {key!r}; it has {', '.join(rule.parameters)}."
            )
        if value is not None and not math.isfinite(value):
            raise BadInput("parameter", f"The parameter {key} of {rule.name} must be a finite number or null.")
    statement = insert(vee_parameter).values(
        {
            "class": name,
            "rule": rule.name,
            "parameters": dict(numbers),
            "changed_by": person.name,
            "changed_at": at,
            "reason": reason,
        }
    )
    changed = {key: statement.excluded[key] for key in ("parameters", "changed_by", "changed_at", "reason")}
    connection.execute(statement.on_conflict_do_update(index_elements=["class", "rule"], set_=changed))
    details = {"class": name, "rule": rule.name, "parameters": dict(numbers), "reason": reason}
    audit.record(connection, person, "vee.parameters", f"vee_parameter/{name}/{rule.name}", details, at)


def remove_parameters(connection: Connection, name: str, rule: str, person: Person, at: datetime) -> None:
    """Go back to what ships."""
    table = vee_parameter.c
    gone = connection.execute(
        delete(vee_parameter).where(table["class"] == name, table.rule == rule).returning(table.parameters)
    ).scalar()
    if gone is None:
        raise NotFound("parameters_not_found", f"Nothing is set for the class {name} and the rule {rule}.")
    audit.record(connection, person, "vee.parameters.remove", f"vee_parameter/{name}/{rule}", {"was": gone}, at)
