"""Check 1003: deviation from history (Kontrola odchylky od minulých období). Ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MICRO, MISSING, Chosen, Frame, Numbers, group, match, totals
from central.checks.framework import SERVICES, Asked, Definition, Findings, Kind, Parameter, Text, Value, findings
from central.checks.percent import more_than
from central.checks.verdict import TAKING_BACK, Result
from central.settlement.statements import CANCELS, StatementType

INSIDE, OUTSIDE, SMALL, NO_HISTORY, INCOMPARABLE = range(5)
RESULTS: Final = np.array([Result.OK, Result.WARNING, Result.OK, Result.INFO, Result.WARNING], dtype=np.int8)
YEAR, MONTHS = range(2)
AGAINST: Final = (
    "stejné období před rokem / the same period a year before",
    "průměr posledních měsíců / mean of the last months",
)
RATES: Final = (2, 3, 7, 13, 14, 26, 1001, 1020, 2012)
"""Rates by measured energy, each energy once a service: what else is billed by the same energy (system services, taxes,
the market operator) would only repeat it."""
UNITS: Final[Mapping[str, tuple[str, int]]] = {"MWh": ("MWh", 1), "kWh": ("MWh", 1_000), "m³": ("m³", 1)}
"""In which unit a quantity is compared, and how many of its own make one."""
SHOWN: Final = tuple(dict.fromkeys(unit for unit, _ in UNITS.values()))
LAST_MONTHS: Final = 3
LONGEST: Final = 92
"""Days of an interval at most that months beside it say something about; a year is compared with a year."""
STORNO: Final = sorted({int(kind) for kind in CANCELS.values()})
BILLED: Final = sorted(
    int(kind)
    for kind in StatementType
    if kind not in TAKING_BACK and kind not in (StatementType.ACCRUAL, StatementType.PRELIMINARY_ACCRUAL)
)
MOST: Final = 10**15
"""Millionths of MWh or m³, a thousand million of them, from which on quantities are not compared."""
MOST_DAYS: Final = 4_000
_EPOCH: Final = date(1970, 1, 1)

EARLIER = """
    -- lines of the same rates that were billed in the windows looked at and that no storno takes back; what an annual
    -- settlement takes back was measured all the same
    SELECT b.id AS basis, b.supply_point, array_position(%(services)s::text[], b.service) - 1 AS service, b.rate,
           micro(b.quantity) AS quantity, array_position(%(units)s::text[], b.unit) - 1 AS unit,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           (b.statement_type IN (6, 10))::integer AS settled
      FROM billing_basis b
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.rate = ANY (%(rates)s::integer[])
       AND b.state IN ('approved', 'invoiced') AND b.statement_type = ANY (%(billed)s::integer[])
       AND b.valid && ANY (%(windows)s::tstzrange[])
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (%(storno)s::integer[]))
"""
_USED: Final = ("id", "supply_point", "service", "rate", "quantity", "unit", "first", "end_")
NAMES: Final = ("basis", "supply_point", "service", "rate", "quantity", "unit", "first", "end_", "settled")


class Deviation:
    """A quantity far from that of earlier periods is seen before it is invoiced."""

    definition: ClassVar[Definition] = Definition(
        number=1003,
        name=Text("Kontrola odchylky od minulých období", "Deviation from history"),
        rule=Text(
            "Množství naměřené energie místa a sazby se porovná se stejným obdobím před rokem, nebo s průměrem "
            "posledních měsíců, přepočteno podle dnů: v toleranci OK; mimo ni varování; obě množství pod nejmenším: "
            "OK; není s čím porovnat: informace.",
            "The quantity of measured energy of a point and rate is compared with the same period a year before, or "
            "with the mean of the last months, scaled by days: within the tolerance OK; outside warning; both "
            "quantities below the least: OK; nothing to compare with: info.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "{quantity} {unit} za {days} dnů; {against}: {earlier} {unit} za {earlier_days} dnů, přepočteno "
                "{expected} {unit}. Odchylka {percent} % je v toleranci {tolerance} %.",
                "{quantity} {unit} in {days} days; {against}: {earlier} {unit} in {earlier_days} days, scaled "
                "{expected} {unit}. The deviation of {percent} % is within {tolerance} %.",
            ),
            Text(
                "{quantity} {unit} za {days} dnů; {against}: {earlier} {unit} za {earlier_days} dnů, přepočteno "
                "{expected} {unit}. Odchylka {percent} % je mimo toleranci {tolerance} %. Prověřte odečty.",
                "{quantity} {unit} in {days} days; {against}: {earlier} {unit} in {earlier_days} days, scaled "
                "{expected} {unit}. The deviation of {percent} % is outside {tolerance} %. Check the readings.",
            ),
            Text(
                "{quantity} {unit} za {days} dnů i {expected} {unit} ({against}, přepočteno) je pod nejmenším "
                "posuzovaným množstvím {least} {unit}.",
                "Both {quantity} {unit} in {days} days and {expected} {unit} ({against}, scaled) are below the least "
                "quantity judged, {least} {unit}.",
            ),
            Text(
                "{quantity} {unit} za {days} dnů: není dřívější období k porovnání.",
                "{quantity} {unit} in {days} days: there is no earlier period to compare with.",
            ),
            Text(
                "Množství nelze porovnat: podklad nebo dřívější vyúčtování nemá jednotku energie ({units}), mají "
                "různé, nebo má množství víc než šest desetinných míst, víc než 10⁹ nebo víc než {most_days} dnů.",
                "The quantity cannot be compared: the basis or the earlier bill has no unit of energy ({units}), they "
                "differ, or a quantity has more than six decimals, is above 10⁹ or of more than {most_days} days.",
            ),
        ),
        parameters=(
            Parameter(
                "tolerance",
                Text("dovolená odchylka v procentech", "tolerated deviation in percent"),
                Decimal(50),
            ),
            Parameter(
                "least",
                Text("nejmenší posuzované množství (MWh, m³)", "least quantity that is judged (MWh, m³)"),
                Decimal("0.1"),
            ),
            Parameter(
                "against",
                Text(
                    "s čím se porovnává: year_or_months (rok, a není-li, měsíce), year, months, both",
                    "what it is compared with: year_or_months (months where there is no year before), year, months, "
                    "both",
                ),
                "year_or_months",
                ("year_or_months", "year", "months", "both"),
            ),
            Parameter(
                "months",
                Text("z kolika posledních měsíců je průměr", "of how many last months the mean is"),
                str(LAST_MONTHS),
                tuple(str(months) for months in range(1, LAST_MONTHS + 1)),
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Frame:
        """What was billed in the windows that any of the bases looks at."""
        judged = _judged(bases)
        given = {
            "services": list(SERVICES),
            "units": list(UNITS),
            "rates": list(RATES),
            "billed": BILLED,
            "storno": STORNO,
            "windows": _spelled(windows(judged["first"], judged["end_"], LAST_MONTHS)),
        }
        return asked.frame(EARLIER, NAMES, **given)

    def verdict(self, bases: Frame, read: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One result for each basis by measured energy; two where both comparisons are asked for."""
        judged = _judged(bases)
        numbers, first = group([_key(judged), judged["first"], judged["end_"]])
        lines = _converted(judged["quantity"], judged["unit"], judged.words.get("unit", ()))
        ours = _Quantities(judged.take(first), *_summed(numbers, *lines, len(first)))
        limits = windows(ours.frame["first"], ours.frame["end_"], int(parameters["months"]))
        pairs = match([_key(ours.frame)], [_key(read)])
        earlier = [_billed(ours.frame, read, pairs, *limits[kind]) for kind in (YEAR, MONTHS)]
        against = parameters["against"]
        asked = np.ones(len(first), dtype=np.bool_)
        if against == "both":
            there = [each.there for each in earlier]
            chosen = [(YEAR, there[YEAR] | ~there[MONTHS]), (MONTHS, there[MONTHS])]
        elif against == "year_or_months":
            months = ~earlier[YEAR].there & earlier[MONTHS].there
            chosen = [(YEAR, ~months), (MONTHS, months)]
        else:
            chosen = [(YEAR if against == "year" else MONTHS, asked)]
        return [
            _told(judged, numbers, np.flatnonzero(of_group[numbers]), ours, earlier[kind], kind, parameters)
            for kind, of_group in chosen
        ]


@dataclass(frozen=True)
class _Quantities:
    """By group of lines with one point, service, rate and interval: the sum, and the place of its unit (below 0: it
    cannot be compared)."""

    frame: Frame
    quantity: Numbers
    unit: Numbers


@dataclass(frozen=True)
class _Earlier:
    """By group, what was billed in its window: the sum over so many days, and the basis made last."""

    there: Chosen
    quantity: Numbers
    unit: Numbers
    days: Numbers
    basis: Numbers


def windows(first: Numbers, end: Numbers, months: int) -> tuple[tuple[Numbers, Numbers], tuple[Numbers, Numbers]]:
    """[first, end) a year before, and the months before `first`, which are none where the interval is long."""
    before = _earlier_by(first, months)
    return (_earlier_by(first, 12), _earlier_by(end, 12)), (np.where(end - first > LONGEST, first, before), first)


def _judged(bases: Frame) -> Frame:
    chosen = np.flatnonzero(np.isin(bases["rate"], RATES) & ~np.isin(bases["statement_type"], TAKING_BACK))
    return Frame({name: bases[name][chosen] for name in _USED}, bases.words)


def _key(lines: Frame) -> Numbers:
    """One number for a point, a service and one of RATES."""
    service = lines["supply_point"] * len(SERVICES) + lines["service"]
    return service * len(RATES) + np.searchsorted(RATES, lines["rate"])


def _converted(quantity: Numbers, places: Numbers, names: Sequence[str]) -> tuple[Numbers, Numbers]:
    """Quantities in the unit that they are compared in, and its place in SHOWN; below 0 where there is none."""
    unit = np.array([SHOWN.index(UNITS[name][0]) if name in UNITS else -1 for name in (*names, "")], dtype=np.int64)
    divisor = np.array([UNITS[name][1] if name in UNITS else 1 for name in (*names, "")], dtype=np.int64)
    at = np.where(places == MISSING, len(names), places)
    whole = np.where(quantity == MISSING, 0, quantity)
    return (2 * whole + divisor[at]) // (2 * divisor[at]), np.where(quantity == MISSING, -1, unit[at])


def _summed(numbers: NDArray[np.intp], quantity: Numbers, unit: Numbers, groups: int) -> tuple[Numbers, Numbers]:
    """The sum of each group, and its unit where all of its lines have the same."""
    least, most = np.full(groups, len(SHOWN), dtype=np.int64), np.full(groups, -1, dtype=np.int64)
    np.minimum.at(least, numbers, unit)
    np.maximum.at(most, numbers, unit)
    return totals(numbers, quantity, groups), np.where(least == most, most, -1)


def _billed(
    ours: Frame, read: Frame, pairs: tuple[NDArray[np.intp], NDArray[np.intp]], low: Numbers, high: Numbers
) -> _Earlier:
    """The lines at least half of which lie in the window and that end before the interval begins. Days that a line
    of a settlement of the year and one before it tell of count twice, as their quantity does."""
    places, others = pairs
    begin, end = read["first"][others], read["end_"][others]
    shared = np.minimum(high[places], end) - np.maximum(low[places], begin)
    inside = (2 * shared >= end - begin) & (end <= ours["first"][places])
    places, others, begin, end = places[inside], others[inside], begin[inside], end[inside]
    many = len(ours)
    quantity, unit = _summed(places, *_converted(read["quantity"][others], read["unit"][others], tuple(UNITS)), many)
    _, once = group([places, begin, end, read["settled"][others]])
    basis = np.full(many, MISSING, dtype=np.int64)
    np.maximum.at(basis, places, read["basis"][others])
    return _Earlier(basis != MISSING, quantity, unit, totals(places[once], (end - begin)[once], many), basis)


def _told(
    judged: Frame, numbers: NDArray[np.intp], lines: NDArray[np.intp], ours: _Quantities, earlier: _Earlier, kind: int,
    parameters: Mapping[str, Any],
) -> Findings:  # fmt: skip
    days = ours.frame["end_"] - ours.frame["first"]
    over = np.where(earlier.days > 0, earlier.days, 1)
    beyond = _beyond(ours.quantity, earlier, days, over)
    expected = (2 * np.where(beyond, 0, earlier.quantity) * days + over) // (2 * over)
    least = int(parameters["least"] * MICRO)
    difference = np.where(beyond, 0, ours.quantity) - expected
    outside = more_than(np.abs(difference), expected, parameters["tolerance"])
    small = (np.abs(ours.quantity) < least) & (np.abs(expected) < least)
    same = (ours.unit >= 0) & (ours.unit == earlier.unit)
    messages = np.select(
        [(ours.unit < 0) | beyond | earlier.there & ~same, ~earlier.there, small, outside],
        [INCOMPARABLE, NO_HISTORY, SMALL, OUTSIDE],
        default=INSIDE,
    )
    comparable = messages != INCOMPARABLE
    compared = np.isin(messages, (INSIDE, OUTSIDE, SMALL))
    divisor = np.where(expected == 0, 1, np.abs(expected))
    tenths = (2 * difference * 1_000 + divisor) // (2 * divisor)
    places = numbers[lines]
    many = len(places)
    values = {
        "quantity": Value(Kind.DECIMAL, np.where(comparable, ours.quantity, MISSING)[places]),
        "unit": Value(Kind.WORD, np.where(comparable, ours.unit, MISSING)[places], SHOWN),
        "days": Value(Kind.COUNT, days[places]),
        "against": Value(Kind.WORD, np.full(many, kind, dtype=np.int64), AGAINST),
        "earlier": Value(Kind.DECIMAL, np.where(compared, earlier.quantity, MISSING)[places]),
        "earlier_days": Value(Kind.COUNT, np.where(compared, earlier.days, MISSING)[places]),
        "expected": Value(Kind.DECIMAL, np.where(compared, expected, MISSING)[places]),
        "percent": Value(Kind.DECIMAL, np.where(compared & (expected != 0), tenths * (MICRO // 10), MISSING)[places]),
        "tolerance": Value(Kind.DECIMAL, np.full(many, int(parameters["tolerance"] * MICRO), dtype=np.int64)),
        "least": Value(Kind.DECIMAL, np.full(many, least, dtype=np.int64)),
        "units": Value(Kind.WORD, np.zeros(many, dtype=np.int64), (", ".join(UNITS),)),
        "most_days": Value(Kind.COUNT, np.full(many, MOST_DAYS, dtype=np.int64)),
        "earlier_basis": Value(Kind.LINK, earlier.basis[places], ("billing_basis",)),
    }
    return findings(judged["id"][lines], RESULTS[messages[places]], messages[places], values)


def _beyond(quantity: Numbers, earlier: _Earlier, days: Numbers, over: Numbers) -> Chosen:
    """Quantities that nothing on earth takes, or of more days than anything is billed of: products would not fit."""
    scaled = np.abs(earlier.quantity.astype(np.float64)) * days / over
    found: Chosen = (np.abs(quantity) > MOST) | (scaled > MOST) | (np.maximum(days, over) > MOST_DAYS)
    return found


def _earlier_by(days: Numbers, months: int) -> Numbers:
    """The same day of so many months before; the last of a shorter month. Few days differ: a month has one first."""
    known, places = np.unique(days, return_inverse=True)
    return np.array([_day_before(day, months) for day in known.tolist()], dtype=np.int64)[places]


def _day_before(day: int, months: int) -> int:
    was = _EPOCH + timedelta(days=day)
    year, month = divmod(was.year * 12 + was.month - 1 - months, 12)
    following = date(year + month // 11, (month + 1) % 12 + 1, 1)
    last = (following - timedelta(days=1)).day
    return (date(year, month + 1, min(was.day, last)) - _EPOCH).days


def _spelled(sides: Sequence[tuple[Numbers, Numbers]]) -> str:
    """Windows as an array literal of instants, those that touch made one."""
    pairs = sorted({pair for low, high in sides for pair in zip(low.tolist(), high.tolist(), strict=True)})
    joined: list[list[int]] = []
    for low, high in pairs:
        if joined and low <= joined[-1][1]:
            joined[-1][1] = max(joined[-1][1], high)
        elif low < high:
            joined.append([low, high])
    spelled = (f"[{_EPOCH + timedelta(days=low)} Europe/Prague,{_EPOCH + timedelta(days=high)} Europe/Prague)"
               for low, high in joined)  # fmt: skip
    return "{" + ",".join(f'"{each}"' for each in spelled) + "}"
