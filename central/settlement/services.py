"""The operator's own services (odečet, pronájem, voda, teplo ...) as priced lines of a tenure. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from typing import Any

from central.settlement.case import months_of, told_months
from central.settlement.cuts import Held, cut, fact_on
from central.settlement.marks import czech
from central.settlement.model import CannotPriceError, Line
from central.settlement.own import Attached, OwnPrice, Service
from central.settlement.own_lines import Named, Piece, own_lines

SERVICE = "other"

UNITS: dict[tuple[str, str], Fraction] = {
    ("Wh", "kWh"): Fraction(1, 10**3),
    ("Wh", "MWh"): Fraction(1, 10**6),
    ("Wh", "GJ"): Fraction(3600, 10**9),
    ("varh", "MVArh"): Fraction(1, 10**6),
    ("m3", "m3"): Fraction(1),
}
"""What one basic unit of a channel is in the unit of a service."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What was counted for a service over a stretch of days: exact, in the basic unit, and by what."""

    quantity: Fraction
    unit: str
    text: str
    measurements: tuple[dict[str, Any], ...] = ()
    inputs: tuple[tuple[str, Any], ...] = ()


Count = Callable[[Attached, date, date], Counted]
"""Counts a service's quantity over days [first, end); raises NotMeasuredError where something is missing."""


def nothing_counted(attached: Attached, first: date, end: date) -> Counted:
    """Of a settlement that reads no services."""
    raise CannotPriceError(
        f"service:{attached.service.code}", f"Služba {attached.service.code} se zde nepočítá.", first
    )


def service_lines(
    attached: Sequence[Held[Attached]], first: date, end: date, item: int, payer: int, count: Count
) -> list[Line]:
    """The lines of a contract item's services over the days [first, end), by service and time.

    Raises CannotPriceError where a service has no price on a day or its unit cannot be counted in.
    """
    lines: list[Line] = []
    by_service: dict[str, list[Held[Attached]]] = {}
    for held in attached:
        by_service.setdefault(held.fact.service.code, []).append(held)
    for code in sorted(by_service):
        service = by_service[code][0].fact.service
        pieces = [
            _piece(held.fact, price, begin, until, count)
            for held in by_service[code]
            for begin, until, price in stretches(held, first, end)
        ]
        named = Named(
            f"service:{code}", service.rate, service.name, service.name_en, service.unit, SERVICE, service.vat_percent
        )
        lines += own_lines(named, item, payer, pieces)
    return lines


def stretches(held: Held[Attached], first: date, end: date) -> list[tuple[date, date, OwnPrice]]:
    """The days of a service within [first, end), cut where its price changes."""
    service = held.fact.service
    begin = first if held.since is None else max(first, held.since)
    stop = end if held.until is None else min(end, held.until)
    if stop <= begin:
        return []
    found = []
    for low, high in cut(begin, stop, service.prices):
        price = fact_on(service.prices, low)
        if price is None:
            raise CannotPriceError(
                f"service:{service.code}",
                f"Služba {service.code} ({service.name}) nemá dne {low} cenu; doplňte ji.",
                low,
            )
        found.append((low, high, price))
    return found


def _piece(attached: Attached, price: OwnPrice, first: date, end: date, count: Count) -> Piece:
    service = attached.service
    if attached.quantity in ("fixed", "area"):
        monthly = attached.fixed if attached.quantity == "fixed" else attached.area_m2
        if monthly is None:
            raise CannotPriceError(
                f"service:{service.code}",
                f"Služba {service.code} ({service.name}) je podle plochy a objekt místa ji nemá; doplňte ji.",
                first,
            )
        months = told_months(first, end)
        what = f"{czech(monthly.normalize() + 0)} {service.unit} za měsíc, {months}"
        text = f"podle plochy objektu, {what}" if attached.quantity == "area" else what
        told = {"quantity": attached.document(), "months": months}
        return Piece(first, end, Fraction(monthly) * months_of(first, end), price.price, price.source, text, told)
    counted = count(attached, first, end)
    factor = unit_factor(counted.unit, service)
    inputs: dict[str, Any] = {
        "quantity": attached.document(),
        **dict(counted.inputs),
        "measurements": [*counted.measurements],
    }
    return Piece(first, end, counted.quantity * factor, price.price, price.source, counted.text, inputs)


def unit_factor(unit: str, service: Service) -> Fraction:
    """What one basic unit is in the service's unit, or CannotPriceError."""
    factor = UNITS.get((unit, service.unit))
    if factor is None:
        raise CannotPriceError(
            f"service:{service.code}", f"Služba {service.code} se účtuje v {service.unit}; {unit} se na to nepřevádí."
        )
    return factor
