"""Rules against what can be and what was: physical maximum, high/low and highest against history, the meter's clock."""

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from central.readings.vee.inputs import DRIFT, HISTORY, LIMITS, History, Limits
from central.readings.vee.rule import Bools, Chunk, Findings, Floats, Rule, Severity, findings_of_days
from shared.quantities import Commodity

_HOUR = timedelta(hours=1)


def physical_maximum(chunk: Chunk) -> Findings:
    """More in an interval than the breaker (where none is known the reserved input), the current transformers or the
    gas capacity let through: `warn` and `fail` are shares of the least of them. Reserved input bounds only what is
    taken."""
    limits: Limits = chunk.inputs[LIMITS]
    hours = chunk.days[0].step / _HOUR
    kilowatts = np.where(np.isnan(limits.breaker_kw), _input_kw(chunk, limits), limits.breaker_kw)
    kilowatts = np.fmin(kilowatts, limits.transformer_kw)
    most = limits.day_m3 if chunk.commodity is Commodity.GAS else kilowatts * 1000 * hours
    ceiling = most / 10.0 ** chunk.facts.exponent[:, None]
    warn, fail = (chunk.parameter("physical_maximum", name)[:, None] for name in ("warn", "fail"))
    above = np.zeros(chunk.values.shape, np.bool_)
    bounded = np.flatnonzero(~np.isnan(ceiling * warn).all(axis=1))
    allowed = np.nan_to_num(ceiling * warn, nan=np.inf)[bounded]
    above[bounded] = chunk.delivered[bounded] & (chunk.values[bounded] > chunk.by_interval(allowed))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = chunk.peak / ceiling
    return findings_of_days(
        chunk,
        "physical_maximum",
        share > warn,
        severity=np.where(share > fail, Severity.ERROR, Severity.WARNING),
        measured=chunk.peak,
        limit=ceiling,
        span=above,
        evidence={"share": share, "count": chunk.by_day(above, np.add)},
    )


def _input_kw(chunk: Chunk, limits: Limits) -> Floats:
    taken = np.array([direction == "A+" for direction in chunk.facts.direction], np.bool_)
    return np.where(taken[:, None], limits.input_kw, np.nan)


def high_low(chunk: Chunk) -> Findings:
    """The day's use over the mean of the 30 days before it outside [`low`, `high`]; not where both are below `floor`,
    nor with fewer than `days` complete days before.

    Source: Oracle MDM's high/low check (average daily use against a reference).
    """
    low, high, days = (chunk.parameter("high_low", name)[:, None] for name in ("low", "high", "days"))
    floor = chunk.in_unit(chunk.parameter("high_low", "floor"))[:, None]
    known, total, _ = _before(chunk)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = total / known
        ratio = chunk.total / mean
    judged = chunk.complete & (known >= days) & (mean > 0) & (np.maximum(mean, chunk.total) >= floor)
    return findings_of_days(
        chunk,
        "high_low",
        judged & ((ratio < low) | (ratio > high)),
        severity=Severity.WARNING,
        measured=ratio,
        limit=np.where(ratio < low, low, high),
        evidence={"total": chunk.total, "mean_before": np.round(np.nan_to_num(mean), 1), "days_before": known},
    )


def historical_maximum(chunk: Chunk) -> Findings:
    """The day's highest interval over the highest of the 30 days before it above `ratio`; `floor`, `days` as above.

    Source: Itron's historical maximum.
    """
    ratio, days = (chunk.parameter("historical_maximum", name)[:, None] for name in ("ratio", "days"))
    floor = chunk.in_unit(chunk.parameter("historical_maximum", "floor"))[:, None]
    known, _, highest = _before(chunk)
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = chunk.peak / highest
    return findings_of_days(
        chunk,
        "historical_maximum",
        (known >= days) & (highest > 0) & (chunk.peak >= floor) & (measured > ratio),
        severity=Severity.WARNING,
        measured=measured,
        limit=ratio,
        span=chunk.delivered & (chunk.values == chunk.by_interval(chunk.peak)),
        evidence={"highest": chunk.peak, "highest_before": highest, "days_before": known},
    )


def _before(chunk: Chunk) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Of the history's length of days before each day: complete days, their sum, their highest value."""
    history: History = chunk.inputs[HISTORY]
    window, days = history.days, len(chunk.days)
    known = np.concatenate([history.known, chunk.complete], axis=1)
    total = np.where(known, np.concatenate([history.total, chunk.total], axis=1), 0)
    peak = np.where(known, np.concatenate([history.peak, chunk.peak], axis=1), 0)
    return (
        _window_sum(known.astype(np.int64), window, days),
        _window_sum(total, window, days),
        _highest(peak, window, days),
    )


def _window_sum(matrix: NDArray[np.int64], window: int, days: int) -> NDArray[np.int64]:
    sums = np.concatenate([np.zeros((len(matrix), 1), np.int64), np.cumsum(matrix, axis=1)], axis=1)
    result: NDArray[np.int64] = sums[:, window : window + days] - sums[:, :days]
    return result


def _highest(matrix: NDArray[np.int64], window: int, days: int) -> NDArray[np.int64]:
    windows = np.lib.stride_tricks.sliding_window_view(matrix, window, axis=1)
    highest: NDArray[np.int64] = windows[:, :days].max(axis=2)
    return highest


def clock_drift(chunk: Chunk) -> Findings:
    """The meter's clock was off by more than `warn_s`; by more than an interval, its values lie in the wrong ones."""
    drift: Floats = chunk.inputs[DRIFT]
    warn = chunk.parameter("clock_drift", "warn_s")[:, None]
    fail = chunk.days[0].step.total_seconds()
    found: Bools = drift > warn
    return findings_of_days(
        chunk,
        "clock_drift",
        found,
        severity=np.where(drift > fail, Severity.ERROR, Severity.WARNING),
        measured=drift,
        limit=warn,
        evidence={"drift_s": drift, "interval_s": np.full(drift.shape, fail)},
    )


RULES = (
    Rule("physical_maximum", physical_maximum, (LIMITS,), parameters=("warn", "fail")),
    Rule("high_low", high_low, (HISTORY,), parameters=("low", "high", "floor", "days")),
    Rule("historical_maximum", historical_maximum, (HISTORY,), parameters=("ratio", "floor", "days")),
    Rule("clock_drift", clock_drift, (DRIFT,), parameters=("warn_s",)),
)
