"""Temperatures by zone and day, actual and normal, from a table.

Assumed: a row for each day, with the zone in a column or the whole table of one zone; degrees Celsius. Series
`temperature.<zone>`, key the day. With `degree_days` in the settings, whole months give degree days as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Final

import msgspec
from sqlalchemy import Connection

from central.platform.external.values import Counts, Value
from central.workflow.external.adapter import Adapter, NoParameters, Origin, UnreadableError, one_part
from central.workflow.external.degree_days import DegreeDayRule, store_degree_days
from central.workflow.external.records import each_once, keep
from central.workflow.external.table_form import Name, TableForm, Theirs, read_table
from central.workflow.external.written import day_of, number_of
from shared.metering_day import PRAGUE

COLDEST, HOTTEST = Decimal(-60), Decimal(60)
_NOT_YET: Final = frozenset({"", "-", "–", "x", "n/a"})

Zone = Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,40}$")]


class Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The table's form and columns; our zones by the table's names (`column_zone` none: {"": "the one zone"})."""

    zones: dict[Theirs, Zone]
    table: TableForm = TableForm()
    column_zone: Name | None = None
    column_day: Name = "day"
    column_actual: Name = "actual"
    column_normal: Name | None = None
    degree_days: DegreeDayRule | None = None

    def __post_init__(self) -> None:
        if not self.zones or len(self.zones) > 100:
            raise ValueError("zones must name at least one zone of ours, and at most 100")
        if self.column_zone is None and set(self.zones) != {""}:
            raise ValueError('without column_zone, zones must be {"": "the zone of the whole table"}')


def read(octets: bytes, settings: Settings) -> Sequence[Value]:
    """The days of a table whose actual temperature is there."""
    columns = {"day": settings.column_day, "actual": settings.column_actual}
    optional = {"zone": settings.column_zone, "normal": settings.column_normal}
    columns |= {ours: theirs for ours, theirs in optional.items() if theirs is not None}
    return each_once(_values(octets, settings, columns))


def store(connection: Connection, values: Sequence[Value], settings: Settings, origin: Origin) -> Counts:
    """Store the values, and the degree days of months that they complete where the settings ask for them."""
    counts = keep(connection, values, settings, origin)
    if settings.degree_days is None:
        return counts
    return replace(counts, left=store_degree_days(connection, values, settings.degree_days, origin))


def _values(octets: bytes, settings: Settings, columns: Mapping[str, str]) -> Iterator[Value]:
    empty = True
    for number, cells in read_table(octets, settings.table, columns):
        empty = False
        zone = settings.zones.get(cells.get("zone", ""))
        if zone is None or cells["actual"].lower() in _NOT_YET:
            continue
        day = day_of(cells["day"])
        if day is None:
            raise UnreadableError(f"Row {number}: {cells['day'][:40]!r} is not a day.")
        content = {"actual": _degrees(number, cells["actual"])}
        if cells.get("normal"):
            content["normal"] = _degrees(number, cells["normal"])
        yield Value(f"temperature.{zone}", day.isoformat(), content, _begins(day))
    if empty:
        raise UnreadableError("The table has no rows below its header.")


def _begins(day: date) -> datetime:
    return datetime.combine(day, time(), PRAGUE)


def _degrees(number: int, written: str) -> Decimal:
    degrees = number_of(written.replace("\N{MINUS SIGN}", "-"))
    if degrees is None or not COLDEST <= degrees <= HOTTEST:
        raise UnreadableError(f"Row {number}: {written[:40]!r} is no temperature between {COLDEST} and {HOTTEST} °C.")
    return degrees


ADAPTER: Final = Adapter(
    name="temperatures",
    title="Temperatures by zone, actual and normal, from a table: CSV, XLSX, HTML",
    mark="assumed",
    addresses=(),
    settings=Settings,
    parameters=NoParameters,
    parts=one_part,
    read=read,
    store=store,
)
