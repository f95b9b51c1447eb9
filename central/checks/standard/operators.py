"""Check 9: validity of the operator and of the gas customer category (Kontrola platnosti provozovatele a kategorie)."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

import numpy as np

from central.checks.cover import covered_days
from central.checks.frame import MISSING, Frame, match
from central.checks.framework import GAS, Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.verdict import Result

VALID, ENDS, NOT_SET = range(3)
OPERATOR, CATEGORY = range(2)
SUBJECTS: Final = ("provozovatel / operator", "kategorie zákazníka / customer category")

ITEMS = """
    -- versions of the items of contracts: what is set, from when until when (days)
    SELECT i.contract, i.supply_point, (i.operator IS NOT NULL)::integer AS operator,
           (i.gas_category IS NOT NULL)::integer AS category,
           coalesce(lower(i.valid) - DATE '1970-01-01', -2147483648) AS first,
           coalesce(upper(i.valid) - DATE '1970-01-01', 2147483648) AS end_
      FROM contract_item i
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""


class Operators:
    """The operator, and of gas the customer's category, must hold over the whole interval."""

    definition: ClassVar[Definition] = Definition(
        number=9,
        name=Text(
            "Kontrola platnosti provozovatele elektřiny, plynu a kategorie zákazníka (plynu)",
            "Validity of the electricity or gas operator and of the gas customer category",
        ),
        rule=Text(
            "Provozovatel a u plynu kategorie zákazníka na položce smlouvy: platí po celý fakturační interval: OK; "
            "zadány, "
            "ale neplatí po celý interval: chyba; nezadány: informace.",
            "Operator, and of gas the customer category, of the contract item: valid over the whole invoicing "
            "interval: "
            "OK; set, but not valid over the whole interval: error; not set: info.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text(
                "{what}: platí po celý interval od {first} do {end}.",
                "{what}: valid over the whole interval from {first} to {end}.",
            ),
            Text(
                "{what}: platí jen {days} z {all} dnů intervalu od {first} do {end}. Doplňte platnost na položce "
                "smlouvy.",
                "{what}: valid on only {days} of {all} days of the interval from {first} to {end}. Complete its "
                "validity "
                "on the contract item.",
            ),
            Text("{what}: nezadáno na položce smlouvy.", "{what}: not set on the contract item."),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Frame:
        """Versions of contract items."""
        return asked.frame(ITEMS, ("contract", "supply_point", "operator", "category", "first", "end_"))

    def verdict(self, bases: Frame, read: Frame, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A finding about the operator, and one about the category of gas."""
        gas = bases.take(bases["commodity"] == GAS)
        return [_about(bases, read, "operator", OPERATOR), _about(gas, read, "category", CATEGORY)]


def _about(bases: Frame, items: Frame, column: str, what: int) -> Findings:
    there = items.take(items[column] == 1)
    keys = [bases["contract"], bases["supply_point"]]
    any_ = np.zeros(len(bases), dtype=np.bool_)
    any_[match(keys, [there["contract"], there["supply_point"]])[0]] = True
    days = covered_days(keys, bases, [there["contract"], there["supply_point"]], there)
    whole = bases["end_"] - bases["first"]
    messages = np.where(~any_, NOT_SET, np.where(days == whole, VALID, ENDS))
    results = np.array([Result.OK, Result.ERROR, Result.INFO], dtype=np.int8)[messages]
    values = {
        "what": Value(Kind.WORD, np.full(len(bases), what, dtype=np.int64), SUBJECTS),
        "first": Value(Kind.DAY, bases["first"]),
        "end": Value(Kind.DAY, bases["end_"]),
        "days": Value(Kind.COUNT, np.where(any_, days, MISSING)),
        "all": Value(Kind.COUNT, whole),
    }
    return findings(bases["id"], results, messages, values)
