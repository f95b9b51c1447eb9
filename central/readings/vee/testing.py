"""Chunks for tests of rules: a few channels and days, shipped parameters, no database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from central.readings.calendar import number_of
from central.readings.vee.balance_rules import BALANCE, Balances
from central.readings.vee.inputs import DRIFT, EXEMPT, HISTORY, HISTORY_DAYS, LIMITS, History, Limits
from central.readings.vee.parameters import Parameters, Setting, shipped_settings
from central.readings.vee.register_inputs import (
    CHECK,
    COUNTED,
    ESTIMATED,
    ESTIMATED_DAYS,
    REMOVED,
    VERSIONS,
    Counted,
    Versions,
)
from central.readings.vee.rule import ChannelFacts, Chunk, Rule
from shared.metering_day import days_between
from shared.quantities import MISSING_VALUE, Commodity, Kind, Quality

ANY_CLASS = ("*", "*", "*", "*")


def make_chunk(
    rule: Rule,
    values: Sequence[Sequence[int]],
    first: date = date(2026, 3, 2),
    *,
    quality: Mapping[tuple[int, int], Quality] | None = None,
    method: Mapping[tuple[int, int], int] | None = None,
    commodity: Commodity = Commodity.ELECTRICITY,
    directions: Sequence[str] | None = None,
    points: Sequence[str] | None = None,
    exponent: int = 0,
    factor: float = 1,
    parameters: Mapping[str, float | None] | None = None,
    inputs: Mapping[str, Any] | None = None,
) -> Chunk:
    """Rows of values, a channel each, whole days from `first` on; every day is judged.

    `quality` and `method` name single values by (channel, interval); `parameters` are set over the rule's shipped ones.
    """
    matrix = np.array(values, np.int32)
    days = days_between(commodity, first, first.replace(year=first.year + 1))
    lengths = np.cumsum([day.length for day in days])
    count = int(np.searchsorted(lengths, matrix.shape[1])) + 1
    days, offset = days[:count], np.concatenate([[0], lengths[:count]])
    if offset[-1] != matrix.shape[1]:
        raise ValueError(f"{matrix.shape[1]} values from {first} on are no whole days; they should be {offset[-1]}.")
    qualities = np.where(matrix == MISSING_VALUE, np.int16(Quality.MISSING), np.int16(0))
    for place, code in (quality or {}).items():
        qualities[place] = code
    methods = np.zeros(matrix.shape, np.int16)
    for place, number in (method or {}).items():
        methods[place] = number
    channels, shape = len(matrix), (len(matrix), count)
    chunk = Chunk(
        commodity,
        Kind.INTERVAL,
        1 + np.arange(channels, dtype=np.int64),
        days,
        number_of(first) + np.arange(count, dtype=np.int64),
        offset,
        matrix,
        qualities,
        methods if method else None,
        np.ones(shape, np.int32),
        np.ones(shape, np.bool_),
        ChannelFacts(
            list(directions or ["A+" if commodity is Commodity.ELECTRICITY else "V"] * channels),
            np.full(channels, exponent, np.int64),
            list(points or [f"P{number}" for number in range(channels)]),
            np.arange(channels, dtype=np.int64),
            [None] * channels,
            [None] * channels,
            np.full(channels, factor, np.float64),
        ),
    )
    settings = [*shipped_settings(), Setting(ANY_CLASS, rule.name, parameters or {})]
    nothing = np.full(shape, np.nan)
    standing = {
        HISTORY: History.none(channels),
        EXEMPT: np.zeros((channels, HISTORY_DAYS + count), np.bool_),
        LIMITS: Limits(nothing, nothing, nothing, nothing),
        DRIFT: np.full(shape, np.nan),
        COUNTED: Counted.of([]),
        VERSIONS: Versions(np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.ones(shape), np.ones(shape)),
        REMOVED: np.zeros(shape, np.bool_),
        CHECK: np.full(shape, np.nan),
        ESTIMATED: np.zeros((channels, ESTIMATED_DAYS), np.bool_),
        BALANCE: Balances.none(shape),
    }
    own = Parameters.of_settings(settings).of(chunk, [rule])
    return replace(chunk, parameters=own, inputs={**standing, **(inputs or {})})
