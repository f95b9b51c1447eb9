"""Energies of gas hours, told beside their volumes where the element mapping of EDIGAS has a place for them.

E[kWh] = V[m3] x k x Hs by the gas day (decree 108/2011, annex 1). Hours are rounded such that those of a gas day sum to
its energy, rounded once. A day without k or Hs is not told before they are entered, and other ones are told anew.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from central.market.format_package import FormatPackage
from central.market.gas import closed, edigas
from central.market.gas.closed import Closed
from central.readings.gas.exact import rounded
from central.readings.gas.terms import GasTerms, read_terms

_NO_TERMS: Final = GasTerms((), {})
_CHANNELS: Final = text("""
    SELECT supply_point AS point, id, exponent FROM channel
     WHERE supply_point = ANY (:points) AND commodity = 'gas' AND kind = 'interval' ORDER BY supply_point, id
""")


class GasChannel(NamedTuple):
    """An interval channel of a gas point; a value is 10^`exponent` m3."""

    point: int
    id: int
    exponent: int


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps to which energies (kWh) and calorific values (kWh/m3) are told."""

    energy: Decimal
    calorific: Decimal


def steps_of(package: FormatPackage) -> Steps | None:
    """As the package's mapping bounds the places; None where it has a place for neither."""
    held = edigas.places_of(package)
    if not {"energy_kwh", "calorific_kwh_m3"} & held.keys():
        return None
    energy, calorific = (Decimal(1).scaleb(-held.get(name, 0)) for name in ("energy_kwh", "calorific_kwh_m3"))
    return Steps(energy, calorific)


def channels_of(connection: Connection, points: Sequence[int]) -> list[GasChannel]:
    """Interval channels of gas points, by point."""
    return [GasChannel(*row) for row in connection.execute(_CHANNELS, {"points": list(points)})]


def energies(volumes: Sequence[Decimal], coefficient: Fraction, calorific: Decimal, step: Decimal) -> list[Decimal]:
    """Energies in kWh of the hours of a gas day, whose sum is the day's energy rounded to `step`."""
    told, upto, exact = [], Decimal(0), Fraction(0)
    for volume in volumes:
        exact += Fraction(volume) * coefficient * Fraction(calorific)
        until = rounded(exact, step)
        told.append(until - upto)
        upto = until
    return told


def with_terms(connection: Connection, found: Sequence[Closed]) -> list[Closed]:
    """Closed days and months with what their energies stand on in their cause; a day that lacks it is said."""
    asked = [each for each in found if each.why != closed.STATES]
    if not asked:
        return list(found)
    channels: defaultdict[int, list[int]] = defaultdict(list)
    for each in channels_of(connection, sorted({each.point for each in asked})):
        channels[each.point].append(each.id)
    every = sorted(channel for several in channels.values() for channel in several)
    terms = read_terms(connection, every, min(each.first for each in asked), max(each.stop for each in asked))
    return [
        each
        if each.why == closed.STATES
        else on_terms(each, {one: terms.get(one, _NO_TERMS) for one in channels[each.point]})
        for each in found
    ]


def on_terms(each: Closed, terms: Mapping[int, GasTerms]) -> Closed:
    """A closed stretch with the terms of its channels in its cause."""
    digest, lacks = hashlib.sha256(), None
    for channel, known in terms.items():
        for day in _days(each.first, each.stop):
            coefficient, calorific = known.coefficient_of(day), known.calorific_of(day)
            digest.update(f"{channel}:{day}:{coefficient}:{calorific},".encode())
            if lacks is None and (coefficient is None or calorific is None):
                what = "volume coefficient" if coefficient is None else "calorific value"
                lacks = f"The energy of {each.eic} on {day} is not known: its {what} is missing. Enter it."
    cause = {**each.cause, "energies": digest.hexdigest()[:32]}
    return replace(each, cause=cause, lacks=each.lacks or lacks)


def _days(first: date, stop: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((stop - first).days)]
