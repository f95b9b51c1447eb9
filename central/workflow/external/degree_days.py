"""Degree days (denostupně) of whole months from temperatures by day, for predictions in normal weather.

A day whose mean is below the limit of heating counts what it lacks to the temperature indoors; others count nothing.
Both temperatures are assumed where the settings say nothing else: 20 °C indoors, heating below 13 °C.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, select

from central.invoicing.advances.degree_days import DegreeDays, put_degree_days
from central.invoicing.advances.tables import degree_day
from central.platform.external.values import Value, find_values
from central.workflow.external.adapter import FETCHER, Origin
from shared.metering_day import PRAGUE, next_month

SERIES: Final = "temperature."
SOURCE: Final = "temperatures: "
"""How the source of a month begins that was computed here; one that a person entered is left alone."""
HOTTEST: Final = 60
_TENTH: Final = Decimal("0.1")


class DegreeDayRule(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Temperature indoors, and the mean of a day below which is heated; °C."""

    indoor: Decimal = Decimal(20)
    heating_below: Decimal = Decimal(13)

    def __post_init__(self) -> None:
        if not all(each.is_finite() and abs(each) <= HOTTEST for each in (self.indoor, self.heating_below)):
            raise ValueError(f"indoor and heating_below must lie between -{HOTTEST} and {HOTTEST}")
        if self.heating_below > self.indoor:
            raise ValueError("heating_below must not be above indoor")


@dataclass(frozen=True, slots=True)
class DayTemperature:
    """Mean temperatures of a day, °C: measured, and normal where it is known."""

    actual: Decimal
    normal: Decimal | None = None


def degree_days(temperatures: Iterable[Decimal], rule: DegreeDayRule) -> Decimal:
    """The degree days of some days by their mean temperatures in °C; one decimal, half up. Never negative."""
    total = sum((rule.indoor - each for each in temperatures if each < rule.heating_below), Decimal(0))
    return total.quantize(_TENTH, ROUND_HALF_UP)


def of_months(days: Mapping[date, DayTemperature], rule: DegreeDayRule) -> dict[date, tuple[Decimal, Decimal]]:
    """(normal, actual) degree days by the first day of each month that has both temperatures of all its days."""
    months: dict[date, list[DayTemperature]] = {}
    for day in sorted(days):
        months.setdefault(day.replace(day=1), []).append(days[day])
    found: dict[date, tuple[Decimal, Decimal]] = {}
    for month, each in months.items():
        normal = [day.normal for day in each if day.normal is not None]
        if len(normal) == len(each) == (next_month(month.year, month.month) - month).days:
            found[month] = degree_days(normal, rule), degree_days((day.actual for day in each), rule)
    return found


def store_degree_days(
    connection: Connection, values: Sequence[Value], rule: DegreeDayRule, origin: Origin
) -> tuple[str, ...]:
    """Store the months that stored temperatures complete or change; sentences about what a person entered otherwise."""
    left: list[str] = []
    given: list[DegreeDays] = []
    for series, month in sorted({(each.series, date.fromisoformat(each.key).replace(day=1)) for each in values}):
        zone = series.removeprefix(SERIES)
        known = connection.execute(
            select(degree_day).where(degree_day.c.zone == zone, degree_day.c.month == month)
        ).one_or_none()
        for normal, actual in of_months(_stored(connection, series, month), rule).values():
            if known is not None and (known.normal, known.actual) == (normal, actual):
                continue
            if known is not None and not known.source.startswith(SOURCE):
                left.append(
                    f"Degree days of {zone} in {month:%Y-%m} stay as they were entered ({known.normal} normal, "
                    f"{known.actual} actual); the temperatures give {normal} and {actual}."
                )
                continue
            given.append(DegreeDays(zone, month, normal, actual, f"{SOURCE}{origin.source} (no. {origin.fetch})"))
    if given:
        put_degree_days(connection, given, FETCHER, origin.at)
    return tuple(left)


def _stored(connection: Connection, series: str, month: date) -> dict[date, DayTemperature]:
    since, until = (datetime.combine(day, time(), PRAGUE) for day in (month, next_month(month.year, month.month)))
    rows = find_values(connection, series, since, until, all_versions=False, limit=31)
    return {date.fromisoformat(row["key"]): _temperature(row["content"]) for row in rows}


def _temperature(content: Mapping[str, Any]) -> DayTemperature:
    normal = content.get("normal")
    return DayTemperature(Decimal(content["actual"]), None if normal is None else Decimal(normal))
