"""Times of low tariff (časy spínání NT, povely HDO) from a table of a distributor's.

Assumed: a row for each command, kind of day and time, or with several times in one cell; days are named in Czech
(Po-Pá, So, Ne, svátek) or as numbers 1 to 7 and 8 for a holiday; 23:59 and 24:00 are the end of the day; the last day
of a validity is included. Times go to the schedules of tariffs that meters are told apart by. What is new is stored;
what says otherwise than a schedule already does is left to a person, for bills may stand on it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from itertools import pairwise
from typing import Final

import msgspec
from sqlalchemy import Connection

from central.platform import audit
from central.platform.external.values import Counts
from central.readings.registers.schedules import add_times, create_schedule, find_schedules
from central.readings.registers.tariff_mask import HOLIDAY, MINUTES, SwitchingTimes
from central.workflow.external.adapter import FETCHER, Adapter, NoParameters, Origin, UnreadableError, one_part
from central.workflow.external.table_form import Name, TableForm, Theirs, read_table
from central.workflow.external.written import day_of

_DAYS: Final = {"po": 1, "út": 2, "ut": 2, "st": 3, "čt": 4, "ct": 4, "pá": 5, "pa": 5, "so": 6, "ne": 7}
_GROUPS: Final = {"pracovní dny": range(1, 6), "víkend": range(6, 8), "denně": range(1, 8), "svátek": (HOLIDAY,)}
_TIME: Final = re.compile(r"(\d{1,2})[:.](\d{2})(?::00)?\s*[-–]\s*(\d{1,2})[:.](\d{2})(?::00)?")
_BETWEEN: Final = re.compile(r"[\s;,|/]+|\ba\b")
LAST_MINUTE: Final = MINUTES - 1


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The table's form and names of its columns; our schedules by the table's commands, none: all, under their own."""

    table: TableForm = TableForm()
    codes: dict[Theirs, Name] = {}
    column_code: Name = "code"
    column_days: Name = "days"
    column_times: Name = "times"
    column_since: Name = "from"
    column_until: Name | None = None


@dataclass(frozen=True, slots=True)
class Times:
    """When low tariff holds by one schedule on one kind of day: [from, to) in minutes, valid [since, until)."""

    code: str
    day_kind: int
    low: tuple[tuple[int, int], ...]
    since: date
    until: date | None


def read(octets: bytes, settings: Settings) -> Sequence[Times]:
    """The times of a table, those of one command, kind of day and validity together."""
    columns = {
        "code": settings.column_code,
        "days": settings.column_days,
        "times": settings.column_times,
        "since": settings.column_since,
    }
    if settings.column_until is not None:
        columns["until"] = settings.column_until
    found: dict[tuple[str, int, date, date | None], set[tuple[int, int]]] = {}
    empty = True
    for number, cells in read_table(octets, settings.table, columns):
        empty = False
        code = settings.codes.get(cells["code"]) if settings.codes else cells["code"]
        if code is None:
            continue
        if not 0 < len(code) <= 100:
            raise UnreadableError(f"Row {number}: the command is missing or too long.")
        since, until = _validity(number, cells)
        for kind in _kinds(number, cells["days"]):
            found.setdefault((code, kind, since, until), set()).update(_low(number, cells["times"]))
    if empty:
        raise UnreadableError("The table has no rows below its header.")
    return [
        Times(code, kind, _apart(code, kind, low), since, until) for (code, kind, since, until), low in found.items()
    ]


def _validity(number: int, cells: Mapping[str, str]) -> tuple[date, date | None]:
    since = day_of(cells["since"])
    last = day_of(cells["until"]) if cells.get("until") else None
    if since is None or (cells.get("until") and last is None) or (last is not None and last < since):
        raise UnreadableError(
            f"Row {number}: {cells['since'][:30]!r} to {cells.get('until', '')[:30]!r} is no time of validity."
        )
    return since, None if last is None else last + timedelta(days=1)


def _kinds(number: int, written: str) -> set[int]:
    """Kinds of day of "Po-Pá", "So, Ne, svátek", "1-5", "pracovní dny"."""
    kinds: set[int] = set()
    rest = written.strip().casefold()
    for name, group in _GROUPS.items():
        if name in rest:
            kinds.update(group)
            rest = rest.replace(name, " ")
    for word in re.sub(r"\s*[-–]\s*", "-", rest).replace(",", " ").replace(";", " ").replace("+", " ").split():
        first, _, last = word.partition("-")
        ends = [_DAYS.get(end) or (int(end) if end in set("12345678") else 0) for end in (first, last or first)]
        if 0 in ends or ends[0] > ends[1]:
            raise UnreadableError(f"Row {number}: {written[:40]!r} are no kinds of day.")
        kinds.update(range(ends[0], ends[1] + 1))
    if not kinds:
        raise UnreadableError(f"Row {number}: no kind of day is given.")
    return kinds


def _low(number: int, written: str) -> Iterator[tuple[int, int]]:
    """Times of "00:00-05:20; 12.30 - 15:00"; none for an empty cell."""
    if _BETWEEN.sub("", _TIME.sub("", written)):
        raise UnreadableError(f"Row {number}: {written[:60]!r} are no times of low tariff.")
    for found in _TIME.finditer(written):
        since, until = int(found[1]) * 60 + int(found[2]), int(found[3]) * 60 + int(found[4])
        if until in (0, LAST_MINUTE):
            until = MINUTES
        if not since < until <= MINUTES or int(found[2]) > 59 or int(found[4]) > 59:
            raise UnreadableError(
                f"Row {number}: {found[0]} is no time within a day; low tariff over midnight is two times, on two days."
            )
        yield since, until


def _apart(code: str, kind: int, low: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    ordered = sorted(low)
    if any(after[0] < before[1] for before, after in pairwise(ordered)):
        raise UnreadableError(f"The times of {code} on the kind of day {kind} overlap.")
    merged: list[tuple[int, int]] = []
    for since, until in ordered:
        if merged and merged[-1][1] == since:
            merged[-1] = (merged[-1][0], until)
        else:
            merged.append((since, until))
    return tuple(merged)


def keep(connection: Connection, times: Sequence[Times], _: Settings, origin: Origin) -> Counts:
    """Schedules that are missing are made, times where a schedule says nothing yet are added."""
    known: dict[str, list[SwitchingTimes]] = {row["code"]: row["times"] for row in find_schedules(connection)}
    left: dict[str, str] = {}
    added: list[Times] = []
    for each in times:
        if each.code not in known:
            create_schedule(connection, each.code, each.code)
            known[each.code] = []
        same = SwitchingTimes(each.day_kind, each.low, each.since, each.until)
        if same in known[each.code]:
            continue
        if any(_overlap(each, held) for held in known[each.code]):
            left[each.code] = (
                f"The schedule {each.code} has other times from {each.since} on: not stored; look at both and enter "
                "those that hold."
            )
            continue
        add_times(connection, each.code, [each.day_kind], each.low, each.since, each.until)
        known[each.code].append(same)
        added.append(each)
    for code in sorted({each.code for each in added}):
        details = {
            "source": origin.text,
            "times": [
                {name: _plain(value) for name, value in asdict(each).items()} for each in added if each.code == code
            ],
        }
        audit.record(connection, FETCHER, "tariff_schedule.times", f"tariff_schedule/{code}", details, origin.at)
    return Counts(len(times), len(added), 0, tuple(left.values()))


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value


def _overlap(one: Times, held: SwitchingTimes) -> bool:
    return (
        one.day_kind == held.day_kind
        and (held.until is None or one.since < held.until)
        and (one.until is None or held.since < one.until)
    )


ADAPTER: Final = Adapter(
    name="switching-times",
    title="Times of low tariff (časy HDO) from a table: CSV, XLSX, HTML",
    mark="assumed",
    addresses=(),
    settings=Settings,
    parameters=NoParameters,
    parts=one_part,
    read=read,
    store=keep,
)
