"""The rules by which a cause makes a duty, as data, and their deadlines by the calendar of working days."""

from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec

from shared.holidays import is_holiday
from shared.metering_day import PRAGUE

_FILE: Final = Path(__file__).with_name("rules.json")


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A kind of cause (`why`), the message that tells it, and how many working days there are for it.

    They are counted after the first day of what is told, after its last one, or after the day on which its document was
    issued or its settlement approved. Told must it be by `at` of the last of them, without `at` by its end.
    """

    why: str
    code: str
    after: Literal["first_day", "last_day", "issued"]
    working_days: int
    warn_working_days: int
    mark: Literal["documented", "inferred", "assumed"]
    at: str | None = None


class _Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    source: str
    look_back_months: int
    look_back_source: str
    open_months: int
    far_months: int
    far_source: str
    rules: list[Rule]


@cache
def _read() -> _Rules:
    return msgspec.json.decode(_FILE.read_bytes(), type=_Rules)


def look_back_months() -> int:
    """Months before the present one in which causes are still looked for."""
    return _read().look_back_months


def open_months() -> int:
    """Months before the present one in which causes are looked for as long as a duty of theirs is open."""
    return _read().open_months


def far_months() -> int:
    """Months before the present one in which acts and documents are looked for, a month at a time."""
    return _read().far_months


@cache
def rules() -> dict[str, Rule]:
    """The rules by the kind of cause, in the order of the file: of several causes of one message the first names it."""
    return {rule.why: rule for rule in _read().rules}


def is_working(day: date) -> bool:
    """Whether it is a working day in Czechia (zákon č. 245/2000 Sb.)."""
    return day.isoweekday() < 6 and not is_holiday(day)


def working_day_after(day: date, count: int) -> date:
    """The `count`-th working day after a day; with 0 the day itself, or the next working one."""
    while count or not is_working(day):
        day += timedelta(days=1)
        if count and is_working(day):
            count -= 1
    return day


def deadline_of(rule: Rule, first_day: date, end_day: date | None, issued: date | None = None) -> datetime:
    """Until when a duty for days [first_day, end_day) of a document `issued` that day must be told."""
    last_day = first_day if end_day is None else end_day - timedelta(days=1)
    counted_from = {"first_day": first_day, "last_day": last_day, "issued": issued or first_day}[rule.after]
    return _instant(working_day_after(counted_from, rule.working_days), rule.at)


def warn_from(rule: Rule, deadline: datetime) -> datetime:
    """The beginning of the working day from which a deadline is warned of."""
    day = (deadline - timedelta(microseconds=1)).astimezone(PRAGUE).date()
    left = rule.warn_working_days
    while left:
        day -= timedelta(days=1)
        left -= is_working(day)
    return _instant(day, "00:00")


def _instant(day: date, at: str | None) -> datetime:
    if at is None:
        return datetime.combine(day + timedelta(days=1), time(), PRAGUE)
    return datetime.combine(day, time.fromisoformat(at), PRAGUE)
