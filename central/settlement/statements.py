"""Statement types (typ vyúčtování): which one a line gets, which one cancels or corrects it, and with what sign.

Pure. Source: Energo-Kontroly, table of statement types; the codes 1 and 3 are not given out. A line that cancels, and
the negative settlement, has a negative quantity and amount at the unit price of its original.
"""

from enum import IntEnum

from central.platform.errors import Refused


class StatementType(IntEnum):
    """Typ vyúčtování of a billing basis."""

    REGULAR = 0
    PRELIMINARY = 2
    ACCRUAL = 4
    NEGATIVE_SETTLEMENT = 5
    FINAL_SETTLEMENT = 6
    CANCELS_REGULAR = 7
    CORRECTS_REGULAR = 8
    CORRECTS_PRELIMINARY = 9
    CORRECTS_SETTLEMENT = 10
    PRELIMINARY_ACCRUAL = 11
    CANCELS_PRELIMINARY = 12
    CANCELS_NEGATIVE = 13
    CANCELS_SETTLEMENT = 14
    CORRECTS_NEGATIVE = 15
    CANCELS_ACCRUAL = 16


T = StatementType

NAMES: dict[StatementType, tuple[str, str]] = {
    T.REGULAR: ("běžné", "regular"),
    T.PRELIMINARY: ("předběžné", "preliminary"),
    T.ACCRUAL: ("dohadné", "accrual"),
    T.NEGATIVE_SETTLEMENT: ("záporné zúčtovací", "negative settlement"),
    T.FINAL_SETTLEMENT: ("výsledné zúčtovací", "final settlement"),
    T.CANCELS_REGULAR: ("storno", "cancels regular"),
    T.CORRECTS_REGULAR: ("opravné běžné", "corrects regular"),
    T.CORRECTS_PRELIMINARY: ("opravné předběžné", "corrects preliminary"),
    T.CORRECTS_SETTLEMENT: ("opravné zúčtovací", "corrects settlement"),
    T.PRELIMINARY_ACCRUAL: ("dohadné předběžné", "preliminary accrual"),
    T.CANCELS_PRELIMINARY: ("storno předběžné", "cancels preliminary"),
    T.CANCELS_NEGATIVE: ("záporné storno", "cancels negative settlement"),
    T.CANCELS_SETTLEMENT: ("storno zúčtovací", "cancels settlement"),
    T.CORRECTS_NEGATIVE: ("záporné opravné", "corrects negative settlement"),
    T.CANCELS_ACCRUAL: ("dohadné storno", "cancels accrual"),
}
"""Czech and English names."""

CANCELS: dict[StatementType, StatementType] = {
    T.REGULAR: T.CANCELS_REGULAR,
    T.CORRECTS_REGULAR: T.CANCELS_REGULAR,
    T.PRELIMINARY: T.CANCELS_PRELIMINARY,
    T.CORRECTS_PRELIMINARY: T.CANCELS_PRELIMINARY,
    T.ACCRUAL: T.CANCELS_ACCRUAL,
    T.PRELIMINARY_ACCRUAL: T.CANCELS_ACCRUAL,
    T.NEGATIVE_SETTLEMENT: T.CANCELS_NEGATIVE,
    T.CORRECTS_NEGATIVE: T.CANCELS_NEGATIVE,
    T.FINAL_SETTLEMENT: T.CANCELS_SETTLEMENT,
    T.CORRECTS_SETTLEMENT: T.CANCELS_SETTLEMENT,
}
"""The type of the line that cancels a line of a type; a cancelling line is not cancelled itself."""

CORRECTS: dict[StatementType, StatementType] = {
    T.REGULAR: T.CORRECTS_REGULAR,
    T.CORRECTS_REGULAR: T.CORRECTS_REGULAR,
    T.PRELIMINARY: T.CORRECTS_PRELIMINARY,
    T.CORRECTS_PRELIMINARY: T.CORRECTS_PRELIMINARY,
    T.NEGATIVE_SETTLEMENT: T.CORRECTS_NEGATIVE,
    T.CORRECTS_NEGATIVE: T.CORRECTS_NEGATIVE,
    T.FINAL_SETTLEMENT: T.CORRECTS_SETTLEMENT,
    T.CORRECTS_SETTLEMENT: T.CORRECTS_SETTLEMENT,
}
"""The type of the line that stands in the place of a cancelled one. An accrual is cancelled and made anew, type 4."""

BILLED_PRELIMINARILY = frozenset({T.PRELIMINARY, T.CORRECTS_PRELIMINARY, T.CANCELS_PRELIMINARY})
"""What an annual settlement takes back, each line by a negative one."""

GROUPS: dict[str, frozenset[StatementType]] = {
    "regular": frozenset(
        {T.REGULAR, T.CANCELS_REGULAR, T.CORRECTS_REGULAR, *BILLED_PRELIMINARILY},
    ),
    "accrual": frozenset({T.ACCRUAL, T.PRELIMINARY_ACCRUAL, T.CANCELS_ACCRUAL}),
    "annual": frozenset(
        {
            T.NEGATIVE_SETTLEMENT,
            T.FINAL_SETTLEMENT,
            T.CORRECTS_SETTLEMENT,
            T.CANCELS_SETTLEMENT,
            T.CANCELS_NEGATIVE,
            T.CORRECTS_NEGATIVE,
        }
    ),
}
"""Statement types by group (běžné, dohadné, roční), as the checks and the payment calendar count them."""


def statement_type(statement: str, *, settled_annually: bool) -> StatementType:
    """The type of a newly settled line of a statement.

    A contract *settled annually* is billed preliminarily in between, so its accrual is a preliminary one and its
    extraordinary final bill a settlement (ours: the source names the types, not when each arises). A correction takes
    the type of its original: `corrective_type`.
    """
    match statement:
        case "regular":
            return T.REGULAR
        case "preliminary":
            return T.PRELIMINARY
        case "accrual":
            return T.PRELIMINARY_ACCRUAL if settled_annually else T.ACCRUAL
        case "annual":
            return T.FINAL_SETTLEMENT
        case "final":
            return T.FINAL_SETTLEMENT if settled_annually else T.REGULAR
        case _:
            raise ValueError(f"statement {statement!r} gives no type of its own")


def group_of(kind: int) -> str:
    """The group of a type: "regular", "accrual" or "annual"."""
    return next(group for group, kinds in GROUPS.items() if kind in kinds)


def is_cancelling(kind: int) -> bool:
    """Whether lines of the type cancel other lines."""
    return kind in CANCELS.values()


def cancelling_type(kind: int) -> StatementType:
    """The type that cancels a line of `kind`; Refused where it is a cancelling one itself."""
    return _paired(CANCELS, kind, "cancelled", "make a corrective line for its original")


def corrective_type(kind: int) -> StatementType:
    """The type that corrects a line of `kind`; Refused for accruals and cancelling lines."""
    return _paired(CORRECTS, kind, "corrected", "cancel it and settle anew")


def _paired(table: dict[StatementType, StatementType], kind: int, done: str, instead: str) -> StatementType:
    original = StatementType(kind)
    found = table.get(original)
    if found is None:
        raise Refused(
            "statement_type", f"A basis of statement type {kind} ({NAMES[original][1]}) is not {done}; {instead}."
        )
    return found
