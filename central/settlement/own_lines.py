"""Lines at prices that the operator set: own services and supply. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any

from central.settlement.case import rounded
from central.settlement.marks import Assumption, czech, weakest
from central.settlement.model import Line

QUANTITY_STEP = Decimal("0.001")
"""Steps of the quantities of own lines; ours, no decision sets one."""
MONTHS_STEP = Decimal("0.000001")
"""Steps of parts of months, as regulated lines have them."""
AMOUNT_STEP = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of days with one price: an exact quantity and how it came about."""

    first: date
    end: date
    quantity: Fraction
    price: Decimal
    source: str
    text: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    assumptions: tuple[Assumption, ...] = ()


@dataclass(frozen=True, slots=True)
class Named:
    """What an own line is for: rate code, names, unit, service and its VAT (None: that of the package)."""

    component: str
    code: int
    name: str
    name_en: str
    unit: str
    service: str
    vat_percent: Decimal | None = None


def own_lines(named: Named, item: int, payer: int, pieces: Sequence[Piece]) -> list[Line]:
    """A line for each piece; quantities are rounded cumulatively, so that they sum to the rounded whole."""
    lines: list[Line] = []
    total, before = Fraction(0), Decimal(0)
    step = MONTHS_STEP if named.unit == "měs" else QUANTITY_STEP
    for piece in pieces:
        total += piece.quantity
        whole = rounded(total, step)
        quantity = (whole - before).normalize() + 0
        before = whole
        amount = rounded(quantity * piece.price, AMOUNT_STEP)
        price = piece.price.normalize() + 0
        unit = f"Kč/{named.unit}"
        product = f"{czech(quantity)} {named.unit} × {czech(price)} {unit} ({piece.source}) = {czech(amount)} Kč"
        lines.append(
            Line(
                component=named.component,
                first=piece.first,
                end=piece.end,
                item=item,
                payer=payer,
                code=named.code,
                name=named.name,
                name_en=named.name_en,
                quantity=quantity,
                unit=named.unit,
                unit_price=price,
                price_unit=unit,
                amount=amount,
                why=f"{piece.text}: {product}",
                inputs={
                    "price": {"value": str(price), "unit": unit, "source": piece.source},
                    "rounding": {"quantity": str(QUANTITY_STEP), "amount": str(AMOUNT_STEP)},
                    "mark": weakest(piece.assumptions),
                    "assumptions": [each.document() for each in piece.assumptions],
                    **piece.inputs,
                },
                assumptions=piece.assumptions,
                service=named.service,
                vat_percent=named.vat_percent,
            )
        )
    return lines
