"""Rules against registers: profile and states, tariffs and total, rollover, versions, removal, check, estimates."""

from collections.abc import Sequence

import numpy as np

from central.readings.registers.difference import Verdict
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
from central.readings.vee.rule import Bools, Chunk, Findings, Floats, Rule, Severity, findings_of_days
from shared.quantities import Kind, Quality


def register_sum(chunk: Chunk) -> Findings:
    """|sum(x) - (R_end - R_start) k| above max(2 LSD k, `share` x sum) over a stretch between two states.

    LSD is a register's last digit. The finding is on the stretch's last day. Source: Oracle's sum check; the share of
    0.1 to 1 % is California's practice.
    """
    counted: Counted = chunk.inputs[COUNTED]
    good = counted.verdict <= Verdict.ROLLED_OVER
    row, first, last = counted.row[good], counted.first[good], counted.last[good]
    present = _upto(chunk.by_day(chunk.present, np.add))
    sums = _upto(chunk.by_day(np.where(chunk.present, chunk.values, 0), np.add, np.int64))
    whole = present[row, last + 1] - present[row, first] == chunk.offset[last + 1] - chunk.offset[first]
    total = (sums[row, last + 1] - sums[row, first]).astype(np.float64)
    units = counted.units[good]
    share = chunk.parameter("register_sum", "share")[row]
    limit = np.maximum(2 * counted.last_digit[good], share * np.abs(total))
    off = np.abs(total - units)
    days = {name: _laid(chunk, row, last, numbers) for name, numbers in
            (("off", off), ("limit", limit), ("total", total), ("units", units),
             ("days", (last - first + 1).astype(np.float64)))}  # fmt: skip
    found = _marked(chunk, row, last, whole & (off > limit))
    return findings_of_days(
        chunk,
        "register_sum",
        found,
        severity=Severity.ERROR,
        measured=days["off"],
        limit=days["limit"],
        evidence={"sum_of_profile": days["total"], "counted_by_registers": days["units"], "days": days["days"]},
    )


def tariff_sum(chunk: Chunk) -> Findings:
    """High and low tariff together against the register that counts the whole (single tariff or active import).

    They may differ by `digits` last digits of each register: three of them are cut off, not rounded. Registers that
    were read at other borders too are added up between those of the whole.
    """
    counted: Counted = chunk.inputs[COUNTED]
    shape = chunk.target.shape
    found: Bools = np.zeros(shape, np.bool_)
    parts, whole, limit = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    of_point: dict[str, dict[str, list[int]]] = {}
    for place in np.flatnonzero(counted.verdict <= Verdict.ROLLED_OVER).tolist():
        row = int(counted.row[place])
        of_point.setdefault(chunk.facts.point[row], {}).setdefault(chunk.facts.direction[row], []).append(place)
    digits = chunk.parameter("tariff_sum", "digits")
    for registers in of_point.values():
        name = next((each for each in ("JT", "A+") if each in registers), None)
        if name is None or "VT" not in registers or "NT" not in registers:
            continue
        for total in registers[name]:
            row, last = int(counted.row[total]), int(counted.last[total])
            sides = [_tiling(counted, registers[each], int(counted.first[total]), last) for each in ("VT", "NT")]
            if not all(sides):
                continue
            both = [place for side in sides for place in side]
            parts[row, last], whole[row, last] = counted.units[both].sum(), counted.units[total]
            limit[row, last] = digits[row] * counted.last_digit[[total, *both]].max()
            found[row, last] = abs(parts[row, last] - whole[row, last]) > limit[row, last]
    return findings_of_days(
        chunk,
        "tariff_sum",
        found,
        severity=Severity.ERROR,
        measured=np.abs(parts - whole),
        limit=limit,
        evidence={"tariffs": parts, "total": whole},
    )


def _tiling(counted: Counted, places: Sequence[int], first: int, last: int) -> list[int]:
    """Those of one register's stretches that together are the days `first` to `last`; none where they are not."""
    inside = [place for place in places if first <= counted.first[place] and counted.last[place] <= last]
    days = sum(int(counted.last[place] - counted.first[place]) + 1 for place in inside)
    return inside if days == last - first + 1 else []


def register(chunk: Chunk) -> Findings:
    """A state below the one before it: an error unless a rollover explains it, which is told as information."""
    counted: Counted = chunk.inputs[COUNTED]
    enabled = chunk.parameter("register", "enabled")[counted.row] > 0
    fell = (counted.verdict > Verdict.COUNTED) & enabled
    laid = {
        name: _laid(chunk, counted.row, counted.last, numbers.astype(np.float64))
        for name, numbers in (("verdict", counted.verdict), ("before", counted.before), ("after", counted.after))
    }
    rolled = laid["verdict"] == Verdict.ROLLED_OVER
    return findings_of_days(
        chunk,
        "register",
        _marked(chunk, counted.row, counted.last, fell),
        severity=np.where(rolled, Severity.INFO, Severity.ERROR),
        measured=laid["after"],
        limit=laid["before"],
        evidence=laid,
    )


def unit_multiplier(chunk: Chunk) -> Findings:
    """The unit that a register delivers, or the constant it is multiplied by, is not the one of its version."""
    return _unit_multiplier(chunk, "unit_multiplier")


def unit_multiplier_of_states(chunk: Chunk) -> Findings:
    """The same for registers of states."""
    return _unit_multiplier(chunk, "unit_multiplier_of_states")


def _unit_multiplier(chunk: Chunk, name: str) -> Findings:
    versions: Versions = chunk.inputs[VERSIONS]
    enabled = chunk.parameter(name, "enabled")[:, None] > 0
    return findings_of_days(
        chunk,
        name,
        (versions.other_unit | versions.other_multiplier) & enabled,
        severity=Severity.ERROR,
        measured=versions.applied,
        limit=versions.expected,
        evidence={"other_unit": versions.other_unit, "applied": versions.applied, "expected": versions.expected},
    )


def removed(chunk: Chunk) -> Findings:
    """Values of a meter on days that begin after it was removed."""
    gone: Bools = chunk.inputs[REMOVED]
    count = chunk.by_day(chunk.delivered, np.add)
    enabled = chunk.parameter("removed", "enabled")[:, None] > 0
    return findings_of_days(
        chunk, "removed", gone & (count > 0) & enabled, severity=Severity.ERROR, measured=count, limit=0.0
    )


def check_meter(chunk: Chunk) -> Findings:
    """|main - check| / main of a complete day above both meters' accuracy classes together, in per cent.

    Not below `floor` (Wh, varh or m3 a day). Source: the Ontario market's rule on main and alternate meters; the
    classes of a channel class are assumed.
    """
    check: Floats = chunk.inputs[CHECK]
    allowed = (chunk.parameter("check_meter", "main_class") + chunk.parameter("check_meter", "check_class"))[:, None]
    floor = chunk.in_unit(chunk.parameter("check_meter", "floor"))[:, None]
    main = chunk.total.astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(main - check) / np.abs(main) * 100
    judged = chunk.complete & ~np.isnan(check) & (np.fmax(np.abs(main), np.abs(check)) >= floor)
    return findings_of_days(
        chunk,
        "check_meter",
        judged & (off > allowed),
        severity=Severity.WARNING,
        measured=off,
        limit=allowed,
        evidence={"main": main, "check": np.nan_to_num(check), "off_percent": np.nan_to_num(off, posinf=1e6)},
    )


def prolonged_estimation(chunk: Chunk) -> Findings:
    """More than `days` of the last 30 days, this one included, have estimated values: somebody must go there."""
    before: Bools = chunk.inputs[ESTIMATED]
    guessed = chunk.present & ((chunk.quality == Quality.ESTIMATED) | (chunk.quality == Quality.SUBSTITUTE))
    today = chunk.by_day(guessed, np.add) > 0
    upto = _upto(np.concatenate([before, today], axis=1).astype(np.int64))
    days = np.arange(today.shape[1])
    count = upto[:, days + ESTIMATED_DAYS + 1] - upto[:, days + 1]
    most = chunk.parameter("prolonged_estimation", "days")[:, None]
    return findings_of_days(
        chunk,
        "prolonged_estimation",
        today & (count > np.nan_to_num(most, nan=np.inf)),
        severity=Severity.WARNING,
        measured=count,
        limit=most,
        evidence={"days": count},
    )


def _upto(by_day: np.ndarray) -> np.ndarray:
    """Sums before each day and after the last: (channels, days + 1)."""
    return np.concatenate([np.zeros((len(by_day), 1), by_day.dtype), np.cumsum(by_day, axis=1)], axis=1)


def _laid(chunk: Chunk, row: np.ndarray, day: np.ndarray, numbers: np.ndarray) -> Floats:
    """Numbers at their channel and day: (channels, days), 0 elsewhere."""
    laid = np.zeros(chunk.target.shape)
    laid[row, day] = numbers
    return laid


def _marked(chunk: Chunk, row: np.ndarray, day: np.ndarray, marks: Bools) -> Bools:
    marked = np.zeros(chunk.target.shape, np.bool_)
    marked[row[marks], day[marks]] = True
    return marked


RULES = (
    Rule("register_sum", register_sum, (COUNTED,), parameters=("share",)),
    Rule("unit_multiplier", unit_multiplier, (VERSIONS,), parameters=("enabled",)),
    Rule("removed", removed, (REMOVED,), parameters=("enabled",)),
    Rule("check_meter", check_meter, (CHECK,), parameters=("main_class", "check_class", "floor")),
    Rule("prolonged_estimation", prolonged_estimation, (ESTIMATED,), parameters=("days",)),
    Rule("tariff_sum", tariff_sum, (COUNTED,), Kind.STATE, ("digits",)),
    Rule("register", register, (COUNTED,), Kind.STATE, ("enabled",)),
    Rule("unit_multiplier_of_states", unit_multiplier_of_states, (VERSIONS,), Kind.STATE, ("enabled",)),
)
