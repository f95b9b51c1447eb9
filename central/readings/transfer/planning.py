"""Series of a file against the registers that they are bound to: what would be stored, exactly, and what cannot be."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from central.readings.calendar import Ints
from central.readings.transfer.decimals import to_integers
from central.readings.transfer.series import Parsed, Problems
from shared.quantities import Commodity, Kind

YEARS_MS: Final = (631_152_000_000, 13_569_465_600_000)
"""1990 and 2400: beyond them the calendar's arithmetic or the database's ends."""
_INTERVAL: Final = (-(2**31) + 1, 2**31 - 1)
_STATE: Final = (-(2**62), 2**62)


@dataclass(frozen=True, slots=True)
class Register:
    """An evidence channel that a series is bound to."""

    id: int
    meter: str
    name: str
    unit: str
    exponent: int
    kind: Kind
    step_ms: int
    commodity: Commodity
    low: int | None = None
    high: int | None = None


@dataclass(slots=True)
class Plan:
    """Values to be stored, sorted by register and instant; (values,) each. `register` is the place in `registers`."""

    registers: list[Register]
    keys: list[str]
    """The file's name of each register."""
    register: Ints
    at_ms: Ints
    value: Ints
    flags: NDArray[np.int32]
    line: Ints
    unknown: dict[str, int] = field(default_factory=dict)
    """Series that are bound to no register, with their numbers of values."""
    repeated: int = 0
    """Values that stand in the file more than once, equal each time."""
    empty: int = 0
    problems: Problems = field(default_factory=Problems)

    def of_kind(self, kind: Kind) -> "Plan":
        """Only the values of registers of this kind."""
        chosen = np.array([each.kind is kind for each in self.registers], np.bool_)
        return self._take(chosen[self.register] if len(self.registers) else np.zeros(0, np.bool_))

    def _take(self, keep: NDArray[np.bool_]) -> "Plan":
        return replace(
            self,
            register=self.register[keep],
            at_ms=self.at_ms[keep],
            value=self.value[keep],
            flags=self.flags[keep],
            line=self.line[keep],
        )


def plan(parsed: Parsed, bound: Mapping[str, Register]) -> Plan:
    """Values in each register's own unit, each instant once; everything that does not fit is a problem by line."""
    problems = parsed.problems
    counts = (
        np.bincount(parsed.key, minlength=len(parsed.keys)) if len(parsed) else np.zeros(len(parsed.keys), np.int64)
    )
    used = [place for place, count in enumerate(counts.tolist()) if count]
    unknown = {parsed.keys[place]: int(counts[place]) for place in used if parsed.keys[place] not in bound}
    registers = [bound[parsed.keys[place]] for place in used if parsed.keys[place] in bound]
    keys = [parsed.keys[place] for place in used if parsed.keys[place] in bound]
    place_of = np.full(len(parsed.keys), -1, np.int64)
    for number, key_place in enumerate(place for place in used if parsed.keys[place] in bound):
        if _agrees(parsed, key_place, registers[number], problems):
            place_of[key_place] = number
    register = place_of[parsed.key] if len(parsed) else np.empty(0, np.int64)
    value, good = _values(parsed, register, registers, keys, problems)
    keep = good & _aligned(parsed, register, registers, problems)
    order = np.lexsort((parsed.line, parsed.at_ms, register))
    order = order[keep[order]]
    result = Plan(
        registers,
        keys,
        register[order],
        parsed.at_ms[order],
        value[order],
        parsed.flags[order],
        parsed.line[order],
        unknown,
        0,
        parsed.empty,
        problems,
    )
    return _once(result)


def _agrees(parsed: Parsed, key_place: int, register: Register, problems: Problems) -> bool:
    """Whether kind, step and unit are the register's."""
    facts, key = parsed.facts[key_place], parsed.keys[key_place]
    line = int(parsed.line[parsed.key == key_place].min(initial=np.iinfo(np.int64).max))
    what = f"{register.meter} {register.name}"
    if facts.kind is not register.kind:
        problems.add(line, key, facts.kind.value, f"{register.kind.value}, as the register {what} delivers")
    elif facts.step_ms != register.step_ms:
        problems.add(line, key, f"{facts.step_ms // 1000} s", f"steps of {register.step_ms / 1000:g} s as of {what}")
    elif facts.unit is not None and facts.unit != register.unit:
        problems.add(line, key, facts.unit, f"the unit {register.unit} of the register {what}")
    else:
        return True
    return False


def _values(
    parsed: Parsed, register: Ints, registers: list[Register], keys: list[str], problems: Problems
) -> tuple[Ints, NDArray[np.bool_]]:
    count = len(parsed)
    value, good = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    known = register >= 0
    if not known.any():
        return value, good
    by_key = dict(zip(parsed.keys, parsed.facts, strict=True))
    facts = [by_key[key] for key in keys]
    shifts = np.array([fact.exponent - each.exponent for fact, each in zip(facts, registers, strict=True)], np.int64)
    signs = np.array([fact.sign for fact in facts], np.int64)
    low = np.array([_limit(each, 0) for each in registers], np.int64)
    high = np.array([_limit(each, 1) for each in registers], np.int64)
    for shift in np.unique(shifts).tolist():
        ours = np.flatnonzero(known & (shifts[np.maximum(register, 0)] == shift))
        numbers, exact, fits = to_integers(parsed.whole[ours], parsed.nano[ours], shift)
        places = register[ours]
        numbers = numbers * signs[places]
        within = fits & (numbers >= low[places]) & (numbers <= high[places])
        _say(parsed, ours[~exact], registers, register, problems, "a number that the register's digits can hold")
        _say(parsed, ours[exact & ~within], registers, register, problems, "a number within the register's limits")
        value[ours], good[ours] = numbers, exact & within
    return value, good


def _limit(register: Register, side: int) -> int:
    bound = (_INTERVAL if register.kind is Kind.INTERVAL else _STATE)[side]
    own = (register.low, register.high)[side]
    if own is None:
        return bound
    return max(own, bound) if side == 0 else min(own, bound)


def _aligned(parsed: Parsed, register: Ints, registers: list[Register], problems: Problems) -> NDArray[np.bool_]:
    """Where the instant can be: an interval begins at a multiple of its step, in years that are reckoned with."""
    if not len(registers):
        return register >= 0
    steps = np.array([max(1, each.step_ms) for each in registers], np.int64)[np.maximum(register, 0)]
    beyond = (parsed.at_ms < YEARS_MS[0]) | (parsed.at_ms >= YEARS_MS[1])
    # Metering days begin at whole hours and steps divide an hour.
    crooked = parsed.at_ms % steps != 0
    known = register >= 0
    _say_stamps(
        parsed, np.flatnonzero(known & crooked), problems, "the beginning of an interval of the register's step"
    )
    _say_stamps(parsed, np.flatnonzero(known & beyond & ~crooked), problems, "a stamp of the years 1990 to 2400")
    good: NDArray[np.bool_] = known & ~crooked & ~beyond
    return good


def _once(result: Plan) -> Plan:
    """Each instant once: equal repetitions are counted, different values of one instant are a problem each."""
    if not len(result.line):
        return result
    follows = (result.register[1:] == result.register[:-1]) & (result.at_ms[1:] == result.at_ms[:-1])
    if not follows.any():
        return result
    group = np.cumsum(np.concatenate([[True], ~follows])) - 1
    first = np.flatnonzero(np.concatenate([[True], ~follows]))[group]
    equal = (result.value == result.value[first]) & (result.flags == result.flags[first])
    differs = np.flatnonzero(~equal)
    some = differs[:200].tolist()
    result.problems.add_many(
        result.line[differs],
        [result.keys[int(result.register[place])] for place in some],
        [int(result.value[place]) for place in some],
        "one value for each instant; another stands in the file too",
    )
    torn = np.zeros(int(group[-1]) + 1, np.bool_)
    torn[group[differs]] = True
    keep = (first == np.arange(len(first))) & ~torn[group]
    repeated = int(np.count_nonzero(equal & (first != np.arange(len(first)))))
    once = result._take(keep)
    once.repeated = repeated
    return once


def _say(
    parsed: Parsed, places: Ints, registers: list[Register], register: Ints, problems: Problems, expected: str
) -> None:
    some = places[:200].tolist()
    units = [registers[int(register[place])] for place in some]
    values = [_text(parsed, place) for place in some]
    columns = [parsed.keys[int(parsed.key[place])] for place in some]
    if some:
        expected = f"{expected} (10^{units[0].exponent} {units[0].unit})"
    problems.add_many(parsed.line[places], columns, values, expected)


def _text(parsed: Parsed, place: int) -> str:
    whole, nano = int(parsed.whole[place]), int(parsed.nano[place])
    part = f"{abs(nano):09d}".rstrip("0")
    return f"{'-' if whole < 0 or nano < 0 else ''}{abs(whole)}{'.' + part if part else ''}"


def _say_stamps(parsed: Parsed, places: Ints, problems: Problems, expected: str) -> None:
    some = places[:200].tolist()
    columns = [parsed.keys[int(parsed.key[place])] for place in some]
    stamps = [np.datetime_as_string(np.datetime64(int(parsed.at_ms[place]), "ms"), unit="s") + "Z" for place in some]
    problems.add_many(parsed.line[places], columns, stamps, expected)
