"""Energy of a local network in a period: what came in, what generators delivered, what was consumed. Pure.

A point's energy is what its interval meter measured, with the surcharge for transformer losses that it is billed with;
of a point without one it is what was settled. Of a bill that reaches beyond the period the part by days is taken, which
is assumed and said.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Final

from central.workflow.reports.cells import Found, Key

COLUMN: Final = "energy"
MOST_NAMED: Final = 20
HIGH_LEVELS: Final = ("VVN", "VN")


@dataclass(frozen=True, slots=True)
class Energy:
    """Energy in MWh; None is not known, and `why` says why. `by_days`: a part of a longer bill, by its days."""

    mwh: Decimal | None
    why: str = ""
    by_days: bool = False


@dataclass(frozen=True, slots=True)
class Point:
    """A supply point of the network with what it took and delivered; None where that is not measured at all.

    `own`: the customer is the network's operator.
    """

    ean: str
    kind: str
    level: str
    category: str
    own: bool
    taken: Energy | None
    delivered: Energy | None


@dataclass(frozen=True, slots=True)
class SettledPart:
    """Energy that a settlement found for the days [first, end) of a point; None where it found none."""

    first: date
    end: date
    mwh: Decimal | None


def settled_energy(parts: Sequence[SettledPart], needed: Sequence[tuple[date, date]], first: date, end: date) -> Energy:
    """A point's energy on the days [first, end) by its settlements, of which the first of `parts` is the newest.

    A day that several settlements hold is taken from the newest. `needed` are the days on which the point was
    connected: the energy is not known where one of them is not settled.
    """
    covered: set[int] = set()
    total = Fraction(0)
    by_days = False
    for part in parts:
        days = set(range(max(part.first, first).toordinal(), min(part.end, end).toordinal())) - covered
        if not days:
            continue
        if part.mwh is None:
            return Energy(None, f"its settlement of {part.first} to {part.end} has no energy")
        covered |= days
        length = (part.end - part.first).days
        by_days |= len(days) < length
        total += Fraction(part.mwh) * len(days) / length
    open_days = sorted(
        day for begin, stop in needed for day in range(begin.toordinal(), stop.toordinal()) if day not in covered
    )
    if open_days:
        return Energy(None, f"{len(open_days)} days are not settled, the first {date.fromordinal(open_days[0])}")
    with localcontext(prec=40):
        return Energy(Decimal(total.numerator) / Decimal(total.denominator), by_days=by_days)


def network_energy(points: Iterable[Point]) -> dict[Key, Found]:
    """By source key: entry.taken, entry.delivered, generators.delivered, consumption.{high, business, household, own}.

    A key of which there is no point stands not there at all; one of which a point's energy is not known has None.
    """
    sides: dict[str, list[tuple[str, Energy]]] = defaultdict(list)
    nothing = Energy(None, "it has no interval channel")
    for point in points:
        taken, delivered = point.taken, point.delivered
        if point.kind == "entry":
            sides["entry.taken"].append((point.ean, taken or nothing))
            if delivered is not None:
                sides["entry.delivered"].append((point.ean, delivered))
            continue
        if delivered is None and point.kind == "production":
            delivered = nothing
        if delivered is not None:
            sides["generators.delivered"].append((point.ean, delivered))
        if taken is not None:
            sides[f"consumption.{_class_of(point)}"].append((point.ean, taken))
    return {(key, COLUMN): _total(each) for key, each in sides.items()}


def _class_of(point: Point) -> str:
    if point.own:
        return "own"
    if point.level in HIGH_LEVELS:
        return "high"
    return point.category


def _total(energies: Sequence[tuple[str, Energy]]) -> Found:
    lacking = [(ean, each.why) for ean, each in energies if each.mwh is None]
    by_days = sum(each.by_days for _, each in energies)
    details = {
        "points": len(energies),
        "by_days": by_days,
        "lacking": len(lacking),
        "lacking_points": [{"ean": ean, "why": why} for ean, why in lacking[:MOST_NAMED]],
    }
    points = "1 point" if len(energies) == 1 else f"{len(energies)} points"
    if lacking:
        ean, why = lacking[0]
        return Found(None, f"{points}, of {len(lacking)} of which the energy is not known: {ean}: {why}", details)
    text = f"{points}, {by_days} of them by the days of a longer bill (assumed)" if by_days else points
    with localcontext(prec=40):
        return Found(sum((each.mwh for _, each in energies if each.mwh is not None), Decimal(0)), text, details)
