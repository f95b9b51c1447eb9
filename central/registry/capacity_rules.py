"""Rules of reserved capacity: what may be ordered, as data with source and mark, judged by pure functions.

The data are `rules/capacity.json`; each rule of it names one function here. A judgement is a list of sentences that
name both sides; empty: the order stands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import msgspec

from central.platform.plain import spelled
from shared.holidays import is_holiday

RULES_FILE = Path(__file__).parent / "rules" / "capacity.json"


class Rule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A rule with what it stands on; `parameters` are what its function takes."""

    name: str
    text: str
    source: str
    mark: Literal["documented", "inferred", "assumed"]
    valid_from: date
    parameters: dict[str, int | bool]
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Held:
    """A capacity or an input in kW that holds from a day to another (exclusive, None: open)."""

    kw: Decimal
    start: date | None
    end: date | None

    def at(self, day: date) -> bool:
        """Whether it holds on a day."""
        return (self.start is None or self.start <= day) and (self.end is None or day < self.end)


@dataclass(frozen=True, slots=True)
class Order:
    """An order of capacity: kind, kW, first day and end, the day on which it came, and whether through a supplier."""

    ean: str
    kind: Literal["year", "month"]
    kw: Decimal
    start: date
    end: date | None
    ordered_on: date
    via_supplier: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds of the point: yearly and monthly capacity, reserved input, and when its customer changed last."""

    yearly: Sequence[Held]
    monthly: Sequence[Held]
    inputs: Sequence[Held]
    customer_since: date | None = None


Judge = Callable[[Order, Standing, Mapping[str, int | bool]], str | None]


@lru_cache(maxsize=1)
def rules() -> tuple[Rule, ...]:
    """The rules that ship, checked for form and for a function of their name."""
    found = msgspec.json.decode(RULES_FILE.read_bytes(), type=dict[str, msgspec.Raw])
    read = tuple(msgspec.json.decode(found["rules"], type=list[Rule]))
    unknown = [rule.name for rule in read if rule.name not in JUDGES]
    if unknown:
        raise ValueError(f"{RULES_FILE.name} names rules without a function: {', '.join(unknown)}")
    return read


def judge_end(end: Order, standing: Standing) -> list[str]:
    """Why a capacity cannot end on `end.start`: to end a yearly one is to lower it to nothing (`end.kw` is 0)."""
    return [
        sentence
        for rule in rules()
        if rule.name == "decrease" and _in_force(rule, end.start)
        if (sentence := decrease(end, standing, rule.parameters)) is not None
    ]


def judge(order: Order, standing: Standing) -> list[str]:
    """Why the order must be refused, by every rule that is in force on its first day."""
    sentences = []
    for rule in rules():
        if _in_force(rule, order.start):
            sentence = JUDGES[rule.name](order, standing, rule.parameters)
            if sentence is not None:
                sentences.append(sentence)
    return sentences


def _in_force(rule: Rule, day: date) -> bool:
    return rule.valid_from <= day and (rule.valid_to is None or day < rule.valid_to)


def within_input(order: Order, standing: Standing, _: Mapping[str, int | bool]) -> str | None:
    """Yearly and monthly capacity together at most the reserved input, on every day of the order."""
    others = standing.monthly if order.kind == "year" else standing.yearly
    edges = {order.start} | {held.start for held in (*others, *standing.inputs) if held.start is not None}
    for day in sorted(edges):
        if day < order.start or (order.end is not None and day >= order.end):
            continue
        other = sum((held.kw for held in others if held.at(day)), Decimal())
        limit = next((held.kw for held in standing.inputs if held.at(day)), None)
        if limit is not None and order.kw + other > limit:
            return (
                f"On {day} the supply point {order.ean} would reserve {spelled(order.kw + other)} kW "
                f"({spelled(order.kw)} ordered, {spelled(other)} beside), more than its reserved input of "
                f"{spelled(limit)} kW."
            )
    return None


def decrease(order: Order, standing: Standing, parameters: Mapping[str, int | bool]) -> str | None:
    """A yearly capacity is not lowered within some months of its last change, unless the customer changed since."""
    if order.kind != "year":
        return None
    present = next((held for held in standing.yearly if held.at(order.start)), None)
    if present is None or order.kw >= present.kw:
        return None
    changed = _held_since(present, standing.yearly)
    if changed is None:
        return None
    earliest = months_later(changed, int(parameters["months"]))
    reset = standing.customer_since
    if parameters.get("customer_change_resets") and reset is not None and changed < reset <= order.start:
        return None
    if order.start >= earliest:
        return None
    return (
        f"The yearly reserved capacity of {order.ean} is {spelled(present.kw)} kW since {changed}; it cannot be "
        f"lowered to {spelled(order.kw)} kW on {order.start}, but from {earliest} on."
    )


def _held_since(present: Held, rows: Sequence[Held]) -> date | None:
    """Since when as much has been held: rows before with the same kW are no change. None: from the beginning."""
    since = present.start
    while since is not None:
        before = next((held for held in rows if held.end == since and held.kw == present.kw), None)
        if before is None:
            break
        since = before.start
    return since


def first_day(order: Order, _: Standing, __: Mapping[str, int | bool]) -> str | None:
    """Begins and ends with a calendar month; a monthly one has an end."""
    if order.start.day != 1 or (order.end is not None and order.end.day != 1):
        return (
            f"The reserved capacity of {order.ean} would hold {order.start} to {order.end or 'open'}; it must begin "
            "and end on the first day of a month."
        )
    if order.kind == "month" and order.end is None:
        return f"The monthly reserved capacity of {order.ean} from {order.start} on needs an end."
    return None


def month_order(order: Order, _: Standing, parameters: Mapping[str, int | bool]) -> str | None:
    """A monthly capacity is ordered by the last working day of the month before, through a supplier one day sooner."""
    if order.kind != "month":
        return None
    days = int(parameters["working_days_via_supplier" if order.via_supplier else "working_days"])
    latest = working_day_before(order.start.replace(day=1), days)
    if order.ordered_on <= latest:
        return None
    through = " through a supplier" if order.via_supplier else ""
    return (
        f"The monthly reserved capacity of {order.ean} for {order.start:%m/%Y} was ordered{through} on "
        f"{order.ordered_on}, after {latest}, the last day for it."
    )


JUDGES: Mapping[str, Judge] = MappingProxyType(
    {"within_input": within_input, "decrease": decrease, "first_day": first_day, "month_order": month_order}
)


def working_day_before(day: date, count: int) -> date:
    """The `count`-th working day before a day."""
    while count:
        day -= timedelta(days=1)
        if day.isoweekday() < 6 and not is_holiday(day):
            count -= 1
    return day


def months_later(day: date, months: int) -> date:
    """The same day some months later, or the month's last one where there is no such day."""
    index = day.year * 12 + day.month - 1 + months
    first = date(index // 12, index % 12 + 1, 1)
    length = (date((index + 1) // 12, (index + 1) % 12 + 1, 1) - first).days
    return first.replace(day=min(day.day, length))
