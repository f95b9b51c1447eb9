"""Lines from what each part contributes: equal neighbours are one, and lines split by who pays sum to the whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

from central.settlement.case import Case, rounded, told_months
from central.settlement.marks import Assumption, czech
from central.settlement.model import CannotPriceError, Line
from central.settlement.prices import BillingRule, PriceValue

ONE = Decimal(1)
THOUSANDTH = Decimal("0.001")

_NOTHING: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Share:
    """What one part contributes to a component.

    `quantity` is exact; `basis` is what must stay equal, beside the price, for neighbours to be one line (reserved
    kilowatts, a breaker). `timed`: the quantity is per month and was multiplied by the part's months. `text` ends the
    explanation in Czech, `inputs` says the same to programs.
    """

    case: Case
    quantity: Decimal | Fraction
    price: PriceValue
    unit_price: Decimal
    basis: object = None
    multiplier: Decimal | None = None
    timed: Decimal | None = None
    also: tuple[Assumption, ...] = ()
    text: str = ""
    inputs: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)

    def follows(self, other: "Share") -> bool:
        """Whether both are of one stretch: touching days, the same price and basis."""
        return (
            self.case.part.first == other.case.part.end
            and self.unit_price == other.unit_price
            and self.basis == other.basis
            and self.case.law is other.case.law
            and self.price.source == other.price.source
            and self.also == other.also
        )


def lines_of(
    rule: BillingRule, shares: Sequence[Share], unit: str, *, step: str | None = None, kind: str | None = None
) -> list[Line]:
    """The lines of a rule; `kind` is the package's rounding of their quantity, `step` that of one over part months."""
    lines: list[Line] = []
    stretch: list[Share] = []
    for share in shares:
        if stretch and not share.follows(stretch[-1]):
            lines += _stretch(rule, stretch, unit, step, kind)
            stretch = []
        stretch.append(share)
    if stretch:
        lines += _stretch(rule, stretch, unit, step, kind)
    return lines


def _stretch(rule: BillingRule, stretch: list[Share], unit: str, step: str | None, kind: str | None) -> list[Line]:
    """One line for each payer in turn; quantities and amounts are rounded cumulatively over the stretch."""
    law = stretch[0].case.law
    amount_step = law.step("amount")
    fine = None if step is None else law.step(step)
    price = stretch[0].unit_price
    total: Decimal | Fraction = Decimal(0)
    quantity_before, amount_before = Decimal(0), Decimal(0)
    lines: list[Line] = []
    pieces = _pieces(stretch)
    for piece in pieces:
        for share in piece:
            total = share.quantity if not total else _sum(total, share.quantity)
        whole = _whole(total, fine, unit)
        amount = rounded(whole * price, amount_step)
        lines.append(
            _line(rule, piece, whole - quantity_before, unit, amount - amount_before, kind, split=len(pieces) > 1)
        )
        quantity_before, amount_before = whole, amount
    return lines


def _pieces(stretch: list[Share]) -> list[list[Share]]:
    pieces: list[list[Share]] = []
    for share in stretch:
        part = share.case.part
        last = pieces[-1][0].case.part if pieces else None
        if last is not None and (last.item, last.payer) == (part.item, part.payer):
            pieces[-1].append(share)
        else:
            pieces.append([share])
    return pieces


def _line(
    rule: BillingRule,
    piece: list[Share],
    quantity: Decimal,
    unit: str,
    amount: Decimal,
    kind: str | None,
    *,
    split: bool,
) -> Line:
    if rule.code is None:
        raise CannotPriceError(rule.component, f"Pravidlo {rule.component} nemá číslo sazby a nemůže dát řádek.")
    share = piece[0]
    part = share.case.part
    first, end = part.first, piece[-1].case.part.end
    stated = share.case.law.stated(rule, share.price, share.multiplier, kind, share.also)
    inputs = {**stated.inputs, **share.inputs}
    text = share.text
    if share.timed is not None:
        told = told_months(first, end)
        inputs["months"] = told
        if told != "1 měs":
            per_month = "" if unit == "měs" else f"{czech(share.timed)} {unit} × "
            text = f"{text}; {per_month}{told} podle dní měsíce" if text else f"{per_month}{told} podle dní měsíce"
    if part.point.loss_coefficient is not None and kind in ("energy_mwh", "power_mw") and share.timed is None:
        inputs["loss_coefficient"] = str(part.point.loss_coefficient)
        losses = f"včetně ztrát transformátoru × {czech(part.point.loss_coefficient)}"
        text = f"{text}; {losses}" if text else losses
    if split:
        inputs["split"] = "by payer"
        text = f"{text}; zaokrouhleno tak, aby díly plátců daly celek" if text else "díl jednoho z plátců"
    why = (
        f"{czech(quantity)} {unit} × {czech(share.unit_price)} ({stated.price_text}; {stated.source_text}) "
        f"= {czech(amount)} Kč"
    )
    return Line(
        component=rule.component,
        first=first,
        end=end,
        item=part.item,
        payer=part.payer,
        code=rule.code,
        name=rule.name.cs,
        name_en=rule.name.en,
        quantity=quantity,
        unit=unit,
        unit_price=share.unit_price,
        price_unit=_unit_of_price(share.price.unit, unit),
        amount=amount,
        why=f"{why}; {text}" if text else why,
        inputs=inputs,
        assumptions=stated.assumptions,
    )


def _whole(total: Decimal | Fraction, step: Decimal | None, unit: str) -> Decimal:
    """The billed total; parts that make up whole months read as whole ones do."""
    if isinstance(total, Decimal):
        return total
    plain = rounded(total, ONE if unit == "měs" else THOUSANDTH)
    if step is None or total == plain:
        return plain
    return rounded(total, step)


def _sum(one: Decimal | Fraction, other: Decimal | Fraction) -> Decimal | Fraction:
    if isinstance(one, Decimal) and isinstance(other, Decimal):
        return one + other
    return Fraction(one) + Fraction(other)


def _unit_of_price(price_unit: str, quantity_unit: str) -> str:
    """The unit of the unit price as it is printed: Kč per unit, and month where it is for one."""
    per_month = "/měs" if price_unit.endswith(("/month", "/year")) and quantity_unit != "měs" else ""
    return f"Kč/{quantity_unit}{per_month}"
