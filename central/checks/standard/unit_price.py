"""Check 6: unit price not zero (Kontrola nenulové jednotkové ceny), electricity and gas."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from central.checks.frame import Frame
from central.checks.framework import Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.verdict import Result

OK, ERROR, WARNING, INFO = range(4)


class UnitPriceNotZero:
    """A quantity must not be billed for nothing."""

    definition: ClassVar[Definition] = Definition(
        number=6,
        name=Text("Kontrola nenulové jednotkové ceny", "Unit price not zero"),
        rule=Text(
            "Množství a cena nenulové: OK. Množství nenulové a cena nulová: chyba. Množství nulové a cena nulová: "
            "varování. Množství nulové a cena nenulová: informace.",
            "Quantity and price not zero: OK. Quantity not zero, price zero: error. Both zero: warning. "
            "Quantity zero, price not zero: info.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "Množství {quantity} {unit}, cena {price} {price_unit}.",
                "Quantity {quantity} {unit}, price {price} {price_unit}.",
            ),
            Text(
                "Množství {quantity} {unit}, cena {price} {price_unit}: jednotková cena je nulová, "
                "očekává se nenulová. Opravte cenu, nebo podklad zrušte.",
                "Quantity {quantity} {unit}, price {price} {price_unit}: the unit price is zero, expected not to be. "
                "Correct the price or delete the basis.",
            ),
            Text(
                "Množství {quantity} {unit}, cena {price} {price_unit}: množství i cena jsou nulové.",
                "Quantity {quantity} {unit}, price {price} {price_unit}: both quantity and price are zero.",
            ),
            Text(
                "Množství {quantity} {unit}, cena {price} {price_unit}: množství je nulové.",
                "Quantity {quantity} {unit}, price {price} {price_unit}: the quantity is zero.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> None:
        """A basis is compared with nothing else."""

    def verdict(self, bases: Frame, read: None, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One result a basis by the table of the rule; a number that is not whole millionths is not zero."""
        quantity, price = bases["quantity"] != 0, bases["price"] != 0
        messages = np.where(quantity, np.where(price, OK, ERROR), np.where(price, INFO, WARNING))
        results = np.array([Result.OK, Result.ERROR, Result.WARNING, Result.INFO], dtype=np.int8)[messages]
        values = {
            "quantity": Value(Kind.DECIMAL, bases["quantity"]),
            "unit": Value(Kind.WORD, bases["unit"], bases.words["unit"]),
            "price": Value(Kind.DECIMAL, bases["price"]),
            "price_unit": Value(Kind.WORD, bases["price_unit"], bases.words["price_unit"]),
        }
        return [findings(bases["id"], results, messages, values)]
