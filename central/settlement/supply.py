"""Supply where the licensee also sells: energy and fixed payment by an own price list (Ceník NN), taxes. Pure.

Rates 1 (fixed monthly payment), 2 and 3 (energy in VT and NT) are the source's; a single tariff is billed under 2. Gas
and the taxes have codes of ours, because the source names none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from central.settlement.case import Case, months_of
from central.settlement.marks import of_price
from central.settlement.model import CannotPriceError, Finding, Line, described
from central.settlement.own import OwnFacts, PriceList
from central.settlement.own_lines import Named, Piece, own_lines
from shared.quantities import Commodity

SERVICE = "supply"


@dataclass(frozen=True, slots=True)
class Sold:
    """A component of an own price list: the quantity that it is for (None: months) and how it is named."""

    component: str
    quantity: str | None
    named: Named


def _sold(component: str, quantity: str | None, code: int, name: str, name_en: str) -> Sold:
    unit = "měs" if quantity is None else "MWh"
    return Sold(component, quantity, Named(f"supply_{component}", code, name, name_en, unit, SERVICE))


TWO_TARIFFS = (
    _sold("fixed", None, 1, "Stálý plat", "Fixed monthly payment"),
    _sold("vt", "energy_vt_mwh", 2, "Silová elektřina VT", "Electricity, high tariff"),
    _sold("nt", "energy_nt_mwh", 3, "Silová elektřina NT", "Electricity, low tariff"),
)
SINGLE_TARIFF = (
    TWO_TARIFFS[0],
    _sold("energy", "energy_mwh", 2, "Silová elektřina", "Electricity"),
)
GAS = (
    _sold("fixed", None, 2011, "Stálý plat za dodávku plynu", "Fixed monthly payment for gas"),
    _sold("energy", "energy_mwh", 2012, "Dodávka plynu", "Gas"),
)
TAXES = {
    Commodity.ELECTRICITY: Named("electricity_tax", 2021, "Daň z elektřiny", "Electricity tax", "MWh", SERVICE),
    Commodity.GAS: Named("gas_tax", 2022, "Daň z plynu", "Gas tax", "MWh", SERVICE),
}


def supply_lines(cases: Sequence[Case], commodity: Commodity, own: OwnFacts) -> tuple[list[Line], list[Finding]]:
    """The lines of supply of a point over its parts; parts without a price list are of another supplier.

    `cases` are those of the regulated lines: their energy is with transformer losses and rounded, so both are of the
    same quantities. Parts are cut wherever the price list or its prices change. Raises CannotPriceError where a list
    lacks a price.
    """
    lines: list[Line] = []
    findings: list[Finding] = []
    for (item, payer), sold in _by_payer(cases, own):
        tariffs: dict[Sold, list[tuple[Case, PriceList]]] = {}
        for case, prices in sold:
            for component in _components(case, commodity):
                tariffs.setdefault(component, []).append((case, prices))
        for component, pairs in tariffs.items():
            lines += own_lines(component.named, item, payer, _joined([_piece(component, *pair) for pair in pairs]))
        taxed, exempt = _taxed([case for case, _ in sold], own)
        tax = TAXES[commodity]
        pieces = [piece for case in taxed if (piece := _tax(case, tax)) is not None]
        lines += own_lines(tax, item, payer, _joined(pieces))
        findings += [
            Finding(tax.component, f"{tax.name} se neúčtuje: místo je osvobozeno ({source}).")
            for source in dict.fromkeys(exempt)
        ]
    return lines, findings


def _by_payer(cases: Sequence[Case], own: OwnFacts) -> list[tuple[tuple[int, int], list[tuple[Case, PriceList]]]]:
    found: dict[tuple[int, int], list[tuple[Case, PriceList]]] = {}
    for case in cases:
        prices = own.price_list(case.part.item, case.day)
        if prices is not None:
            found.setdefault((case.part.item, case.part.payer), []).append((case, prices))
    return list(found.items())


def _components(case: Case, commodity: Commodity) -> Sequence[Sold]:
    if commodity is Commodity.GAS:
        return GAS
    return TWO_TARIFFS if case.quantity("energy_vt_mwh") is not None else SINGLE_TARIFF


def _piece(sold: Sold, case: Case, prices: PriceList) -> Piece:
    rate, part = case.point.rate, case.part
    price = prices.find_price(sold.component, rate, case.day)
    if price is None:
        raise CannotPriceError(
            sold.named.component,
            f"Ceník {prices.code} nemá dne {case.day} cenu {sold.component}"
            f"{'' if rate is None else f' pro sazbu {rate}'}; doplňte ji.",
            case.day,
        )
    source = f"ceník {prices.code}; {price.source}"
    listed = {"price_list": prices.code}
    if sold.quantity is None:
        months = months_of(part.first, part.end)
        return Piece(part.first, part.end, months, price.price, source, "stálý plat podle dní měsíce", listed)
    energy = case.quantity(sold.quantity)
    if energy is None:
        raise CannotPriceError(sold.named.component, f"{sold.named.name}: chybí veličina {sold.quantity}.", case.day)
    inputs = {**listed, "parameters": {"quantity": sold.quantity}}
    return Piece(part.first, part.end, Fraction(energy), price.price, source, sold.named.name, inputs)


def _taxed(cases: Sequence[Case], own: OwnFacts) -> tuple[list[Case], list[str]]:
    taxed, exempt = [], []
    for case in cases:
        condition = own.condition("tax_exempt", case.day)
        if condition is None:
            taxed.append(case)
        else:
            exempt.append(condition.source)
    return taxed, exempt


def _tax(case: Case, tax: Named) -> Piece | None:
    price = case.part.prices.find_price(tax.component, case.day)
    energy = case.quantity("energy_mwh")
    if price is None or energy is None:
        raise CannotPriceError(
            tax.component,
            f"{tax.name}: balíček {case.part.prices.name} {case.part.prices.version} nemá dne {case.day} její sazbu."
            if price is None
            else f"{tax.name}: chybí veličina energy_mwh.",
            case.day,
        )
    if not energy:
        return None
    return Piece(
        case.part.first,
        case.part.end,
        Fraction(energy),
        price.value,
        price.source,
        tax.name,
        {"parameters": {"quantity": "energy_mwh"}, "price": described(price)},
        tuple(of_price(price, "Sazba daně", "The tax rate")),
    )


def _joined(pieces: Sequence[Piece]) -> list[Piece]:
    """Touching pieces of one price made one."""
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and (last.end, last.price, last.source) == (piece.first, piece.price, piece.source):
            joined[-1] = replace(last, end=piece.end, quantity=last.quantity + piece.quantity)
        else:
            joined.append(piece)
    return joined
