"""How much a point will use in the months to come, and how a year's money lies over its advances. Pure.

What the same months of last year used comes first, corrected for its weather; months that are not known follow the
shape of the load-profile class; without any known month the planned consumption is shared by that shape. So is what a
settlement found for several months at once.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from central.invoicing.advances.amounts import TEN, share, tens_up
from shared.metering_day import next_month

ENERGIES = ("energy_vt_mwh", "energy_nt_mwh", "energy_mwh", "volume_m3")
"""Quantities that are used up; others (maxima, coefficients) are taken over as they were."""
MAXIMA = ("max_quarter_hour_kw", "max_quarter_hour_output_kw")
REACTIVE = ("reactive_taken_mvarh", "reactive_delivery_mvarh")
COUNTED = "counted"
"""The name of what a service came to, in its own unit."""
STEP = Decimal("0.001")
Source = Literal["last_year", "load_profile", "planned"]


@dataclass(frozen=True, slots=True)
class Weather:
    """Degree days (denostupně) of a month: the normal ones, and those that there were."""

    normal: Decimal
    actual: Decimal


@dataclass(frozen=True, slots=True)
class MonthBefore:
    """A month to come: the weight of the load-profile class in it, and what its like used a year before.

    `used` is empty where that is not known; `weather` is of the year before, where it is known.
    """

    weight: Fraction
    used: Mapping[str, Decimal]
    weather: Weather | None = None


@dataclass(frozen=True, slots=True)
class MonthAhead:
    """What a point will use in a month to come, and what that rests on."""

    quantities: Mapping[str, Decimal]
    source: Source

    @property
    def mwh(self) -> Decimal:
        """Energy, or volume in thousands of m3 where energy is not known: a weight among months of one point."""
        two = [self.quantities[name] for name in ENERGIES[:2] if name in self.quantities]
        if two:
            return sum(two, Decimal())
        return self.quantities.get("energy_mwh", self.quantities.get("volume_m3", Decimal()) / 1000)


@dataclass(frozen=True, slots=True)
class Stretch:
    """What a settlement found for days [first, end) of a point; of two for one time the higher `rank` stands."""

    first: date
    end: date
    rank: int
    used: Mapping[str, Decimal]


def standing(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Those that nothing of a higher rank (of the same rank: nothing earlier among these) has taken the place of."""
    stand: list[Stretch] = []
    for each in sorted(stretches, key=lambda stretch: -stretch.rank):
        if not any(each.first < other.end and other.first < each.end for other in stand):
            stand.append(each)
    return stand


def used_by_months(stretches: Sequence[Stretch], weights: Mapping[int, Fraction]) -> dict[date, dict[str, Decimal]]:
    """What a point used, by month (its first day); only months that settlements hold whole.

    A stretch over several months is shared by the weights of these (by number of the month; of a broken month by its
    days), so that the shares sum to it; its maximum may have been in any of them.
    """
    sums: dict[date, dict[str, Decimal]] = defaultdict(dict)
    held: dict[date, int] = defaultdict(int)
    for stretch in standing(stretches):
        months = list(_months_of(stretch))
        shape = [weights[month.month] * Fraction(days, _length(month)) for month, days in months]
        for month, days in months:
            held[month] += days
        for name, value in stretch.used.items():
            alone = len(months) == 1 or name in MAXIMA
            parts = [value] * len(months) if alone else share(value.quantize(STEP), shape, STEP)
            for (month, _), part in zip(months, parts, strict=True):
                before = sums[month].get(name)
                if before is None:
                    sums[month][name] = part
                else:
                    sums[month][name] = max(before, part) if name in MAXIMA else before + part
    return {month: used for month, used in sums.items() if held[month] == _length(month)}


def _months_of(stretch: Stretch) -> Iterator[tuple[date, int]]:
    """Months that a stretch touches, each by its first day with how many of its days."""
    first = stretch.first
    while first < stretch.end:
        following = min(next_month(first.year, first.month), stretch.end)
        yield first.replace(day=1), (following - first).days
        first = following


def _length(month: date) -> int:
    return (next_month(month.year, month.month) - month).days


def corrected(used: Decimal, weather: Weather | None, heating_share: Fraction) -> Decimal:
    """A month's consumption as it would have been in normal weather.

    `heating_share` of it goes with the degree days, the rest does not: E x (1 - s + s x normal / actual). A month
    without degree days, or with no known weather, stays.
    """
    if weather is None or not weather.actual or not heating_share:
        return used
    factor = 1 - heating_share + heating_share * Fraction(weather.normal) / Fraction(weather.actual)
    exact = Fraction(used) * factor
    return Decimal(exact.numerator) / Decimal(exact.denominator)


def months_ahead(
    before: Sequence[MonthBefore], planned_mwh: Decimal | None, heating_share: Fraction = Fraction(0)
) -> list[MonthAhead] | None:
    """What the months to come will use, or None where nothing is known and nothing is planned."""
    known = [
        {name: corrected(month.used[name], month.weather, heating_share) for name in ENERGIES if name in month.used}
        for month in before
    ]
    names = [name for name in ENERGIES if any(name in month for month in known)]
    if not names:
        if planned_mwh is None:
            return None
        shares = share(planned_mwh, [month.weight for month in before], STEP)
        return [MonthAhead({"energy_mwh": part}, "planned") for part in shares]
    weight = sum((month.weight for month, used in zip(before, known, strict=True) if used), Fraction(0))
    count = sum(1 for used in known if used)
    totals = {name: sum((used.get(name, Decimal()) for used in known), Decimal()) for name in names}
    ahead: list[MonthAhead] = []
    for month, used in zip(before, known, strict=True):
        if used:
            ahead.append(MonthAhead({name: used[name].quantize(STEP) for name in used}, "last_year"))
        else:
            fair = month.weight / weight if weight else Fraction(1, count)
            ahead.append(MonthAhead({name: _part(total, fair) for name, total in totals.items()}, "load_profile"))
    return ahead


def counted_ahead(
    months: Sequence[date], known: Mapping[date, Mapping[str, Decimal]], name: str = COUNTED
) -> list[Decimal] | None:
    """What a service that is counted comes to in the months to come: the same month of last year; a month that is not
    known has the mean of those that are, by days. None where none is."""
    before = [known.get(month.replace(year=month.year - 1), {}).get(name) for month in months]
    held = [(used, _length(month)) for month, used in zip(months, before, strict=True) if used is not None]
    if not held:
        return None
    a_day = Fraction(sum((used for used, _ in held), Decimal())) / sum(days for _, days in held)
    return [
        used if used is not None else _part(Decimal(1), a_day * _length(month))
        for month, used in zip(months, before, strict=True)
    ]


def _part(total: Decimal, fair: Fraction) -> Decimal:
    exact = Fraction(total) * fair
    return (Decimal(exact.numerator) / Decimal(exact.denominator)).quantize(STEP)


@dataclass(frozen=True, slots=True)
class MonthOfYear:
    """A month to come with its predicted energy, its predicted gross bill, and whether an advance is due in it."""

    mwh: Decimal
    gross: Decimal
    advance_due: bool


def advances_of(months: Sequence[MonthOfYear], spread: str) -> list[Decimal]:
    """The advances of the months in which one is due, each rounded up to whole tens of Kč, so that they cover the year.

    `even`: all alike. `curve`: by the energy of the months until the next advance. `expected`: by their bills. Months
    before the first advance are borne by that one.
    """
    turns: list[list[MonthOfYear]] = []
    waiting: list[MonthOfYear] = []
    for month in months:
        if month.advance_due:
            turns.append([*waiting, month])
            waiting = []
        elif turns:
            turns[-1].append(month)
        else:
            waiting.append(month)
    if not turns:
        return []
    total = sum((month.gross for month in months), Decimal("0.00"))
    if spread == "even":
        return [tens_up(total / len(turns))] * len(turns)
    field = "mwh" if spread == "curve" else "gross"
    weights = [
        max(Fraction(0), sum((Fraction(getattr(month, field)) for month in turn), Fraction(0))) for turn in turns
    ]
    return share(tens_up(total), weights, TEN)
