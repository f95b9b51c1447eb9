"""Meter data of gas that must be told: closed days, months and states, each a duty.

While no official schema of EDIGAS is taken in, a duty says that it waits for it; then its data are a message, with
energies beside the volumes where the mapping has a place for them. Records are made of open duties only.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Final

from sqlalchemy import Connection, RowMapping

from central.market.duties.keep import Due
from central.market.duties.rules import deadline_of, rules
from central.market.format_package import FormatPackage
from central.market.gas import closed
from central.market.gas.closed import Closed
from central.market.gas.edigas import GasMeterData, GasSeries, GasShown, GasValue, can_write
from central.market.gas.waiting import CHANNELS_AT_ONCE, WHY
from central.market.messages import Subject
from central.readings.gas.exact import rounded
from central.readings.gas.terms import GasTerms, read_terms
from central.readings.profiles import Profiles, read_newest
from central.workflow.telling.gas_energies import Steps, channels_of, energies, steps_of, with_terms
from central.workflow.telling.model import Tellable, Window, due, following
from shared.metering_day import MeteringDay
from shared.quantities import MISSING_VALUE, Commodity, Quality

WHYS: Final = closed.WHYS
_TYPES: Final = {closed.DAY: "A", closed.MONTH: "B", closed.STATES: "C"}
Key = tuple[str, str, date, date | None]
"""Why, EIC, first day, the day after the last one."""


def find(connection: Connection, package: FormatPackage, window: Window, at: datetime) -> list[Tellable]:
    """What must be told of the window's closed gas days; a record is made of none of them yet."""
    today = closed.gas_today(at)
    found = closed.find_days(connection, window.first, min(window.today, today))
    for month in window.closed_months():
        if following(month) <= today:
            found += closed.find_month(connection, month)
    if can_write(package) and steps_of(package) is not None:
        found = with_terms(connection, found)
    return [_tellable(each) for each in found]


def with_records(
    connection: Connection, package: FormatPackage, found: Sequence[Tellable], rows: Sequence[RowMapping]
) -> Sequence[Tellable]:
    """The same, those of the open duties `rows` with their records where the package has schema and mapping."""
    if not can_write(package):
        return found
    steps = steps_of(package)
    wanted: set[Key] = {(row["why"], row["subject"], row["first_day"], row["end_day"]) for row in rows}
    dues = [each.due for each in found if each.problem == WHY and _key(each.due) in wanted]
    records: dict[Key, GasMeterData] = {}
    states = [each for each in dues if each.why == closed.STATES]
    for month in sorted({each.first_day for each in states}):
        records.update(_of_states(connection, month))
    periods: defaultdict[tuple[str, date, date], list[Due]] = defaultdict(list)
    for each in dues:
        if each.why != closed.STATES and each.end_day is not None:
            periods[each.why, each.first_day, each.end_day].append(each)
    for (_, first, stop), some in periods.items():
        records.update(_of_values(connection, some, first, stop, steps))
    return [
        replace(each, payload=record, problem=None) if (record := records.get(_key(each.due))) is not None else each
        for each in found
    ]


def _key(each: Due) -> Key:
    return each.why, each.subject.code, each.first_day, each.end_day


def _of_states(connection: Connection, month: date) -> Iterator[tuple[Key, GasMeterData]]:
    shown: defaultdict[str, list[GasShown]] = defaultdict(list)
    for state in closed.find_states(connection, month):
        shown[state.eic].append(GasShown(meter=state.meter, at=state.at, state_m3=state.state_m3, reading=state.kind))
    stop = following(month)
    for eic, states in shown.items():
        series = GasSeries(opm=eic, metering_type="C", first=_begin(month), stop=_begin(stop), states=states)
        yield (closed.STATES, eic, month, stop), GasMeterData(series=[series])


def _of_values(
    connection: Connection, dues: Sequence[Due], first: date, stop: date, steps: Steps | None
) -> Iterator[tuple[Key, GasMeterData]]:
    by_point = {each.subject.supply_point: each for each in dues}
    channels = channels_of(connection, sorted(filter(None, by_point)))
    found: defaultdict[int, list[GasSeries]] = defaultdict(list)
    for begin in range(0, len(channels), CHANNELS_AT_ONCE):
        some = channels[begin : begin + CHANNELS_AT_ONCE]
        profiles = read_newest(connection, Commodity.GAS, [each.id for each in some], first, stop)
        terms = {} if steps is None else read_terms(connection, [each.id for each in some], first, stop)
        for row, each in enumerate(some):
            told = by_point[each.point]
            found[each.point].append(
                GasSeries(
                    opm=told.subject.code,
                    metering_type=_TYPES[told.why],
                    first=_begin(first),
                    stop=_begin(stop),
                    values=list(_values(profiles, row, each.exponent, steps, terms.get(each.id))),
                )
            )
    for point, series in found.items():
        yield _key(by_point[point]), GasMeterData(series=series)


def _values(
    profiles: Profiles, row: int, exponent: int, steps: Steps | None, terms: GasTerms | None
) -> Iterator[GasValue]:
    place = 0
    for index, day in enumerate(profiles.days):
        columns = slice(int(profiles.offset[index]), int(profiles.offset[index + 1]))
        values = profiles.values[row, columns].tolist()
        energy, calorific = _energies(values, exponent, day.date, steps, terms)
        told = zip(values, profiles.quality[row, columns].tolist(), energy, strict=True)
        for hour, (value, quality, kwh) in enumerate(told):
            place += 1
            if value != MISSING_VALUE:
                begin = day.instant(hour)
                yield GasValue(
                    place=place,
                    first=begin,
                    stop=begin + day.step,
                    volume_m3=Decimal(value).scaleb(exponent),
                    quality=Quality(quality).name,
                    energy_kwh=kwh,
                    calorific_kwh_m3=calorific,
                )


def _energies(
    values: Sequence[int], exponent: int, day: date, steps: Steps | None, terms: GasTerms | None
) -> tuple[Sequence[Decimal | None], Decimal | None]:
    """Energies of a gas day's hours and its calorific value; None where they are not told."""
    coefficient, calorific = (terms.coefficient_of(day), terms.calorific_of(day)) if terms else (None, None)
    if steps is None or coefficient is None or calorific is None:
        return [None] * len(values), None
    volumes = [Decimal(0 if value == MISSING_VALUE else value).scaleb(exponent) for value in values]
    return energies(volumes, coefficient, calorific, steps.energy), rounded(Fraction(calorific), steps.calorific)


def _begin(day: date) -> datetime:
    return MeteringDay(Commodity.GAS, day).start


def _tellable(each: Closed) -> Tellable:
    made = due(each.why, Subject("supply_point", each.eic, each.point), each.first, each.stop, each.cause)
    if each.why != closed.DAY:
        # It cannot be told before the month is over, so that is what its deadline is counted from.
        made = replace(made, deadline=deadline_of(rules()[each.why], made.month, following(made.month)))
    return Tellable(made, each.operator, None, each.lacks or WHY)
