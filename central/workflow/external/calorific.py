"""Calorific values (spalné teplo) by area and gas day, or means of months, from a table of a distributor's.

Assumed: distributors publish tables of different shapes; the settings say what the columns are called, in which unit
the values are (divided by 3.6 from MJ/m3), and which of our areas a name or the whole table is of. Values go where
entered ones are. What is new is stored; what would touch billing bases is left to a person.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from itertools import groupby
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection

from central.platform.external.values import Counts
from central.readings.gas.calorific import DECIMALS, GivenValue, Period, check_value, find_changing, store
from central.readings.gas.touched import change_of_values
from central.settlement.hooks import affected_by
from central.workflow.external.adapter import FETCHER, Adapter, NoParameters, Origin, UnreadableError, one_part
from central.workflow.external.table_form import Name, TableForm, Theirs, read_table
from central.workflow.external.written import day_of, month_of, number_of

MJ_IN_KWH: Final = Decimal("3.6")
_NOT_YET: Final = frozenset({"", "-", "–", "x", "n/a"})


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The table's form, names of its columns, unit, and our areas by the table's names of them.

    `column_area` none: the whole table is of the one area that `areas` names under "". Areas that are not named are
    left out.
    """

    areas: dict[Theirs, Name]
    table: TableForm = TableForm()
    column_area: Name | None = None
    column_day: Name = "day"
    column_value: Name = "value"
    unit: Literal["kWh/m3", "MJ/m3"] = "kWh/m3"

    def __post_init__(self) -> None:
        if not self.areas or len(self.areas) > 1000:
            raise ValueError("areas must name at least one area of ours, and at most 1000")
        if self.column_area is None and set(self.areas) != {""}:
            raise ValueError('without column_area, areas must be {"": "the area of the whole table"}')


def read(octets: bytes, settings: Settings) -> Sequence[GivenValue]:
    """The values of a table; a day whose value is not there yet is left out, one given twice must say the same."""
    columns = {"day": settings.column_day, "value": settings.column_value}
    if settings.column_area is not None:
        columns["area"] = settings.column_area
    found: dict[tuple[str, Period, date], GivenValue] = {}
    for given in _values(octets, settings, columns):
        if found.setdefault((given.area, given.period, given.first), given) != given:
            raise UnreadableError(f"The {given.period} {given.first} of {given.area} comes twice and says two things.")
    return list(found.values())


def _values(octets: bytes, settings: Settings, columns: Mapping[str, str]) -> Iterator[GivenValue]:
    empty = True
    for number, cells in read_table(octets, settings.table, columns):
        empty = False
        area = settings.areas.get(cells.get("area", ""))
        if area is None or cells["value"].lower() in _NOT_YET:
            continue
        day, month = day_of(cells["day"]), month_of(cells["day"])
        first = day or month
        if first is None:
            raise UnreadableError(f"Row {number}: {cells['day'][:40]!r} is neither a gas day nor a month.")
        written = number_of(cells["value"])
        if written is None:
            raise UnreadableError(f"Row {number}: the value {cells['value'][:40]!r} is not a number.")
        value = _in_kwh(written, settings.unit)
        if (problem := check_value(value)) is not None:
            raise UnreadableError(f"Row {number}: the calorific value of {area}, {first} {problem}.")
        yield GivenValue(area, "day" if day else "month", first, value)
    if empty:
        raise UnreadableError("The table has no rows below its header.")


def _in_kwh(value: Decimal, unit: str) -> Decimal:
    if unit == "MJ/m3":
        value = (value / MJ_IN_KWH).quantize(Decimal(1).scaleb(-DECIMALS), ROUND_HALF_UP)
    return value


def keep(connection: Connection, values: Sequence[GivenValue], _: Settings, origin: Origin) -> Counts:
    """Store by area and month what touches no billing basis; sentences about the rest."""
    added = changed = 0
    left = []
    ordered = sorted(values, key=_area_month)
    for (area, month), group in groupby(ordered, key=_area_month):
        given = list(group)
        change = change_of_values(connection, find_changing(connection, given))
        touched = sum(each.count for each in affected_by(connection, change)) if change else 0
        if touched:
            left.append(
                f"Values of {area} from {month:%Y-%m} are not stored: they touch {touched} billing bases. Look at "
                "them with preview=true and enter them with confirmed=true."
            )
            continue
        done = store(connection, given, "downloaded", origin.text, "fetched by schedule", FETCHER, origin.at)
        added, changed = added + done.added, changed + done.corrected
    return Counts(len(values), added, changed, tuple(left))


def _area_month(value: GivenValue) -> tuple[str, date]:
    return value.area, value.first.replace(day=1)


ADAPTER: Final = Adapter(
    name="calorific",
    title="Calorific values by area (spalné teplo) from a table: CSV, XLSX, HTML",
    mark="assumed",
    addresses=(),
    settings=Settings,
    parameters=NoParameters,
    parts=one_part,
    read=read,
    store=keep,
)
