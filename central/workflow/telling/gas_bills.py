"""Which bills of gas must be told: of every document of distribution the billing data (GP6) of each gas point."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, text

from central.market.messages import Subject
from central.readings.gas.energy import MissingTermError, energy
from central.readings.gas.terms import read_terms
from central.readings.profiles import read_newest
from central.workflow.telling.gas_records import DAILY, GasBill, GasLine, UntellableError, gas_billing
from central.workflow.telling.model import Tellable, Window, due
from shared.quantities import MISSING_VALUE, Commodity

WHYS: Final = ("gas_bill",)
_VOLUME: Final = "V"
_LINES: Final = text("""
    -- lines of distribution of gas on the documents of a time, point by point
    SELECT i.id AS document, i.number, i.kind, original.number AS original, i.issue_date AS issued,
           issuer.ean13 AS issuer, sp.id AS point, sp.ean AS eic, sp.metering_type, item.gas_daily_capacity_m3,
           item.annual_mwh, b.input, l.rate, l.name, l.quantity, l.unit_price, l.amount AS net, l.vat_percent,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date AS stop
      FROM invoice i
      JOIN invoice_line l ON l.invoice = i.id
      JOIN billing_basis b ON b.id = l.basis
      JOIN supply_point sp ON sp.id = l.supply_point
      JOIN contract_item item ON item.id = b.contract_item
      JOIN party issuer ON issuer.id = i.supplier
      LEFT JOIN invoice original ON original.id = i.original
     WHERE i.issue_date BETWEEN :first AND :today AND b.service = 'distribution' AND sp.commodity = 'gas'
     ORDER BY i.id, sp.ean, l.line_no
""")
_CHANNELS: Final = text("""
    SELECT supply_point, id, exponent FROM channel
     WHERE supply_point = ANY (:points) AND commodity = 'gas' AND kind = 'interval' AND direction = :direction
     ORDER BY id
""")


def find(connection: Connection, window: Window) -> list[Tellable]:
    """The bills that were issued in the window, with their records; cancellings and corrections are bills, too."""
    grouped: defaultdict[tuple[int, int], list[RowMapping]] = defaultdict(list)
    for row in connection.execute(_LINES, {"first": window.first, "today": window.today}).mappings():
        grouped[row["document"], row["point"]].append(row)
    channels = _channels(connection, sorted({point for _, point in grouped}))
    return [_tellable(connection, rows, channels.get(point, [])) for (_, point), rows in grouped.items()]


def _channels(connection: Connection, points: list[int]) -> dict[int, list[tuple[int, int]]]:
    """By point its channels of volume, as (id, power of ten)."""
    found: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    if points:
        for row in connection.execute(_CHANNELS, {"points": points, "direction": _VOLUME}):
            found[row.supply_point].append((row.id, row.exponent))
    return found


def _tellable(connection: Connection, rows: Sequence[RowMapping], channels: Sequence[tuple[int, int]]) -> Tellable:
    head = rows[0]
    first, stop = min(row["first"] for row in rows), max(row["stop"] for row in rows)
    is_daily = head["metering_type"] in DAILY and head["kind"] != "cancelling"
    problem, payload = None, None
    try:
        daily = _energies(connection, channels, first, stop) if is_daily else {}
        payload = gas_billing(_bill(rows, first, stop, daily))
    except UntellableError as error:
        problem = str(error)
    except MissingTermError as error:
        problem = f"The bill {head['number']} of {head['eic']} cannot be told by gas day: {error}"
    subject = Subject("document", f"{head['number']}/{head['eic']}", head["point"])
    cause = {"invoice": head["document"], "supply_point": head["point"]}
    # Never a month after the one of issue: causes are looked for by the day of issue.
    month = min(date.fromordinal(stop.toordinal() - 1), head["issued"])
    told = due("gas_bill", subject, first, stop, cause, month=month, issued=head["issued"])
    return Tellable(told, head["issuer"], payload, problem)


def _bill(rows: Sequence[RowMapping], first: date, stop: date, daily: dict[date, Decimal]) -> GasBill:
    head: Any = rows[0]
    return GasBill(
        eic=head["eic"],
        number=head["number"],
        kind=head["kind"],
        original=head["original"],
        metering_type=head["metering_type"],
        daily_capacity_m3=head["gas_daily_capacity_m3"],
        annual_mwh=head["annual_mwh"],
        first=first,
        stop=stop,
        lines=[GasLine(**{name: row[name] for name in GasLine.__dataclass_fields__}) for row in rows],
        daily_kwh=daily,
    )


def _energies(
    connection: Connection, channels: Sequence[tuple[int, int]], first: date, stop: date
) -> dict[date, Decimal]:
    """kWh by gas day as they are known today: shares of what was billed."""
    if not channels:
        return {}
    profiles = read_newest(connection, Commodity.GAS, [number for number, _ in channels], first, stop)
    terms = read_terms(connection, [number for number, _ in channels], first, stop)
    found: defaultdict[date, Decimal] = defaultdict(Decimal)
    for row, (number, exponent) in enumerate(channels):
        known = terms.get(number)
        values = profiles.values[row]
        volumes = {}
        for place, day in enumerate(profiles.days):
            part = values[int(profiles.offset[place]) : int(profiles.offset[place + 1])]
            there = part[part != MISSING_VALUE]
            if len(there):
                volumes[day.date] = int(there.sum(dtype="int64"))
        if known is None or not volumes:
            # Without terms the volumes themselves are the shares.
            for gas_day, volume in volumes.items():
                found[gas_day] += Decimal(volume).scaleb(exponent)
            continue
        calorific = known.calorific_of if known.has_values else lambda _: Decimal(1)
        for each in energy(volumes, exponent, known.coefficient_of, calorific).days:
            found[each.day] += Decimal(each.energy_kwh.numerator) / Decimal(each.energy_kwh.denominator)
    return dict(found)
