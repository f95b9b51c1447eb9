"""The validation stage: takes work, runs all rules over it, stores what they find, has the rest estimated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from typing import Any

import numpy as np
from sqlalchemy import Connection, Engine

from central.platform.database import transaction
from central.readings.consolidate import DEADLINE
from central.readings.estimation.pending import wake_due
from central.readings.estimation.stage import estimate
from central.readings.vee.chunk import read_chunks
from central.readings.vee.findings import store
from central.readings.vee.parameters import Parameters, read_parameters
from central.readings.vee.rule import Chunk, Findings, Input, Rule
from central.readings.vee.rules import INPUTS, RULES
from central.readings.vee.work import MOST_DAYS, BucketBusyError, finish_work, take_work
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Validated:
    """What one pass did: rows of work, channel-days judged, findings that hold on them."""

    work: int = 0
    days: int = 0
    findings: int = 0

    @property
    def worked(self) -> bool:
        """Whether there was anything to do; if so, ask again."""
        return self.work > 0


def validate_once(engine: Engine, clock: Clock, *, most_days: int = MOST_DAYS, deadline: time = DEADLINE) -> Validated:
    """Validate the days of one bucket of channels, in one transaction; many processes may do this at once.

    What they miss after the `deadline` (local time of the day after) is then estimated. A bucket whose siblings are
    being worked on is left for a later pass.
    """
    try:
        return _validate_bucket(engine, clock, most_days, deadline)
    except BucketBusyError:
        return Validated()


def _validate_bucket(engine: Engine, clock: Clock, most_days: int, deadline: time) -> Validated:
    with transaction(engine) as connection:
        wake_due(connection, clock.now())
        work = take_work(connection, most_days)
        if work is None:
            return Validated()
        now = clock.now()
        parameters = read_parameters(connection)
        days = findings = 0
        for chunk in read_chunks(connection, work):
            judged, found = _validate(connection, chunk, parameters, now)
            days, findings = days + judged, findings + found
        estimate(connection, clock, work.channels.tolist(), work.first, work.end, deadline=deadline)
        finish_work(connection, work)
        return Validated(len(work.ids), days, findings)


def _validate(connection: Connection, chunk: Chunk, parameters: Parameters, now: datetime) -> tuple[int, int]:
    rules = [rule for rule in RULES if rule.kind is chunk.kind]
    if not rules or not chunk.target.any():
        return 0, 0
    chunk = replace(chunk, parameters=parameters.of(chunk, rules))
    chunk = replace(chunk, inputs=_read_inputs(connection, chunk, rules))
    found = judge(chunk, rules)
    rows, days = np.nonzero(chunk.target)
    names = [rule.name for rule in rules]
    held = store(connection, found, chunk.channels[rows], chunk.numbers[days], names, now)
    return len(rows), held


def judge(chunk: Chunk, rules: Sequence[Rule] = RULES) -> list[Findings]:
    """What these rules find. Pure: the same chunk gives the same findings."""
    return [found for found in (rule.judge(chunk) for rule in rules) if len(found)]


def _read_inputs(connection: Connection, chunk: Chunk, rules: Sequence[Rule]) -> Mapping[str, Any]:
    readers: dict[str, Input] = {each.name: each for each in INPUTS}
    wanted = sorted({name for rule in rules for name in rule.inputs})
    return {name: readers[name].read(connection, chunk) for name in wanted}
