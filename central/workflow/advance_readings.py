"""What advances are predicted from: items of a contract, what last year's settlements found, classes, weather."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, text

from central.invoicing.advances.prediction import COUNTED, ENERGIES, MAXIMA, REACTIVE, Stretch, Weather
from central.readings.calendar import to_ms
from central.readings.load_profiles import NORMALISED, LoadProfiles, read_load_profiles
from central.settlement.statements import CANCELS, StatementType
from shared.metering_day import STEP, month_bounds, next_month
from shared.quantities import Commodity

ITEMS = text("""
    -- items of a contract that a bill of distribution or supply will rest on, with their point; under a contract for
    -- supply alone what is agreed of the point stands with its first item for network services
    SELECT ci.id, ci.supply_point, sp.ean, sp.commodity, sp.temperature_zone, sp.planned_mwh,
           coalesce(sp.load_profile_class, rated.class) AS load_profile_class, ci.kind = 'supply' AS alone,
           network.annual_mwh, network.unmetered_w, network.unmetered_flat
      FROM contract_item ci
      JOIN supply_point sp ON sp.id = ci.supply_point
      JOIN LATERAL (
           SELECT n.* FROM contract_item n
            WHERE n.supply_point = ci.supply_point AND contract_services(n.kind) @> 1
              AND n.valid * ci.valid && daterange(:start, :end) AND (ci.kind = 'supply' OR n.id = ci.id)
            ORDER BY lower(n.valid) NULLS FIRST, n.id LIMIT 1) network ON true
      LEFT JOIN load_profile_rate rated ON rated.commodity = sp.commodity AND rated.rate = network.rate
           AND rated.valid @> CAST(:start AS date)
     WHERE ci.contract = :contract AND ci.valid && daterange(:start, :end)
       AND (contract_services(ci.kind) @> 1 OR ci.kind = 'supply')
     ORDER BY sp.ean, lower(ci.valid)
""")

USED = text("""
    -- what approved settlements found for days of the year before; the newest of a type first
    SELECT si.supply_point, si.statement_type, (lower(si.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(si.valid) AT TIME ZONE 'Europe/Prague')::date AS end, si.quantities
      FROM settlement_input si
     WHERE si.supply_point = ANY (:points) AND si.approved AND si.statement_type = ANY (:types)
       AND si.valid && tstzrange(CAST(:start AS timestamp) AT TIME ZONE 'Europe/Prague',
                                 CAST(:end AS timestamp) AT TIME ZONE 'Europe/Prague')
     ORDER BY si.id DESC
""")

COUNTED_SERVICES = text("""
    -- what services that are counted were billed for days of the year before, without what was cancelled; the newest
    -- of a type first
    SELECT b.supply_point, b.statement_type, substr(b.component, 9) AS code, b.quantity,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS end
      FROM billing_basis b
     WHERE b.supply_point = ANY (:points) AND b.service = 'other' AND b.component LIKE 'service:%'
       AND b.state IN ('approved', 'invoiced') AND b.statement_type = ANY (:types)
       AND b.valid && tstzrange(CAST(:start AS timestamp) AT TIME ZONE 'Europe/Prague',
                                CAST(:end AS timestamp) AT TIME ZONE 'Europe/Prague')
       AND EXISTS (SELECT FROM contract_service s JOIN own_service o ON o.id = s.service
                    WHERE s.contract_item = b.contract_item AND o.code = substr(b.component, 9)
                      AND s.quantity IN ('channel', 'formula', 'node'))
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (:cancelling))
     ORDER BY b.id DESC
""")

WEATHER = text("SELECT zone, month, normal, actual FROM degree_day WHERE month >= :start AND month < :end")

T = StatementType
RANKS: Mapping[StatementType, int] = {
    T.CORRECTS_SETTLEMENT: 4,
    T.FINAL_SETTLEMENT: 3,
    T.CORRECTS_REGULAR: 2,
    T.CORRECTS_PRELIMINARY: 2,
    T.REGULAR: 1,
    T.PRELIMINARY: 1,
}
"""Statements that say what was used: of two for one time, which one stands. Accruals are estimates and say nothing."""


def year_earlier(month: date, years: int = 1) -> date:
    """The same month, some years before."""
    return month.replace(year=month.year - years)


def read_items(connection: Connection, contract: int, start: date, end: date) -> Sequence[Row[Any]]:
    """Items that are billed for distribution or for supply alone, by EAN."""
    return connection.execute(ITEMS, {"contract": contract, "start": start, "end": end}).all()


def read_used(connection: Connection, points: Sequence[int], start: date, end: date) -> dict[int, list[Stretch]]:
    """What settlements found for days of [start, end), by point; `used_by_months` says what it comes to."""
    asked = {"points": list(points), "start": start, "end": end, "types": [int(kind) for kind in RANKS]}
    found: dict[int, list[Stretch]] = {point: [] for point in points}
    for row in connection.execute(USED, asked):
        used = {
            name: Decimal(row.quantities[name]) for name in (*ENERGIES, *MAXIMA, *REACTIVE) if name in row.quantities
        }
        found[row.supply_point].append(Stretch(row.first, row.end, RANKS[StatementType(row.statement_type)], used))
    return found


def read_counted(
    connection: Connection, points: Sequence[int], start: date, end: date
) -> dict[int, dict[str, list[Stretch]]]:
    """What services that are counted were billed for days of [start, end), by point and code, in their own unit."""
    asked = {
        "points": list(points),
        "start": start,
        "end": end,
        "types": [int(kind) for kind in RANKS],
        "cancelling": [int(kind) for kind in CANCELS.values()],
    }
    found: dict[int, dict[str, list[Stretch]]] = {point: {} for point in points}
    for row in connection.execute(COUNTED_SERVICES, asked):
        stretch = Stretch(row.first, row.end, RANKS[StatementType(row.statement_type)], {COUNTED: row.quantity})
        found[row.supply_point].setdefault(row.code, []).append(stretch)
    return found


def read_weather(connection: Connection, start: date, end: date) -> dict[tuple[str, date], Weather]:
    """Degree days by temperature zone and month; empty where the operator keeps none."""
    rows = connection.execute(WEATHER, {"start": start, "end": end})
    return {(row.zone, row.month): Weather(row.normal, row.actual) for row in rows}


class Weights:
    """Weights of months by load-profile classes: the normalised series of the month, else of its like a year before,
    else its days."""

    def __init__(
        self, connection: Connection, commodity: Commodity, classes: Sequence[str], months: Sequence[date]
    ) -> None:
        self._commodity, self._months = commodity, months
        first = month_bounds(commodity, months[0].year - 1, months[0].month)[0]
        last = month_bounds(commodity, months[-1].year, months[-1].month)[1]
        self._profiles: LoadProfiles | None = None
        if classes:
            bounds = to_ms(first), to_ms(last)
            self._profiles = read_load_profiles(connection, commodity, sorted(set(classes)), *bounds)

    def of(self, name: str | None) -> list[Fraction]:
        """The weight of each month; the same source for all of them."""
        for years in (0, 1):
            found = [None if name is None else self._sum(name, year_earlier(month, years)) for month in self._months]
            known = [weight for weight in found if weight is not None]
            if len(known) == len(self._months):
                return known
        return [Fraction((next_month(month.year, month.month) - month).days) for month in self._months]

    def _sum(self, name: str, month: date) -> Fraction | None:
        if self._profiles is None:
            return None
        first, last = month_bounds(self._commodity, month.year, month.month)
        step = STEP[self._commodity] // timedelta(milliseconds=1)
        starts = np.arange(to_ms(first), to_ms(last), step, dtype=np.int64)
        weights = self._profiles.known(name, starts, NORMALISED)
        if np.isnan(weights).any():
            return None
        return Fraction(float(weights.sum())).limit_denominator(10**9)
