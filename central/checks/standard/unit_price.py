"""Check 6: unit price not zero (Kontrola nenulové jednotkové ceny), electricity and gas."""

from typing import ClassVar

import numpy as np

from central.checks.framework import BasisColumns, Definition, Text, Verdicts
from central.checks.verdict import Result


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
    )

    def verdict(self, bases: BasisColumns) -> Verdicts:
        """One result a basis by the table of the rule."""
        quantity = np.asarray(bases.quantity != 0, dtype=np.bool_)
        price = np.asarray(bases.unit_price != 0, dtype=np.bool_)
        results = np.where(
            quantity,
            np.where(price, Result.OK, Result.ERROR),
            np.where(price, Result.INFO, Result.WARNING),
        ).astype(np.int8)
        texts = [_text(Result(int(results[place])), bases, place) for place in range(len(bases))]
        return Verdicts(results=results, texts=texts)


def _text(result: Result, bases: BasisColumns, place: int) -> Text:
    quantity = f"{bases.quantity[place]} {bases.unit[place]}"
    price = f"{bases.unit_price[place]} {bases.price_unit[place]}"
    end = _ENDS[result]
    return Text(f"Množství {quantity}, cena {price}{end.cs}", f"Quantity {quantity}, price {price}{end.en}")


_ENDS = {
    Result.OK: Text(".", "."),
    Result.ERROR: Text(
        ": jednotková cena je nulová, očekává se nenulová. Opravte cenu, nebo podklad zrušte.",
        ": the unit price is zero, expected not to be. Correct the price or delete the basis.",
    ),
    Result.WARNING: Text(": množství i cena jsou nulové.", ": both quantity and price are zero."),
    Result.INFO: Text(": množství je nulové.", ": the quantity is zero."),
}
