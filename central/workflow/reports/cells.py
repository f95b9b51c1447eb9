"""Cells of a report: what was found becomes values, sums follow, overrides stay. Pure.

None is not known, which is not zero.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any, Final

from central.platform.errors import BadInput
from central.workflow.reports.definition import CellForm, Shipped

Key = tuple[str, str]
"""Row and column."""
LARGEST: Final = Decimal(10) ** 15
_DIGITS: Final = 60


@dataclass(frozen=True, slots=True)
class Found:
    """What a source found for a cell: the value (None: not known), a sentence on where it is from, details for JSON."""

    value: Decimal | None
    text: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Override:
    """A value typed in (None: it is said that it is not known), by whom, when, why."""

    value: Decimal | None
    by: str
    at: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell: the filled value with its source, and the override over it."""

    filled: Decimal | None = None
    text: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)
    override: Override | None = None

    @property
    def value(self) -> Decimal | None:
        """What the report says."""
        return self.filled if self.override is None else self.override.value


@dataclass(frozen=True, slots=True)
class Difference:
    """A filled value that another fill changed."""

    row: str
    column: str
    before: Decimal | None
    after: Decimal | None


def empty(shipped: Shipped) -> dict[Key, Cell]:
    """The cells of a report that was just made."""
    return {(form.row.code, form.column.code): Cell() for form in shipped.forms()}


def fill(shipped: Shipped, cells: Mapping[Key, Cell], found: Mapping[Key, Found]) -> dict[Key, Cell]:
    """The cells with what a source found by (source key, column); overrides stay, sums follow."""
    filled = {}
    for form in shipped.forms():
        key = form.row.code, form.column.code
        row = form.row
        if row.given is not None:
            new = Found(Decimal(row.given), "given by the definition")
        elif row.source is None:
            new = Found(None, "" if row.sum is not None else "to be typed in")
        elif (row.source, form.column.code) in found:
            new = found[row.source, form.column.code]
        elif row.nothing == "zero":
            new = Found(Decimal(0), "nothing was found, which the definition takes for zero")
        else:
            new = Found(None, "nothing was found")
        filled[key] = replace(cells[key], filled=_rounded(new.value, form), text=new.text, details=new.details)
    return summed(shipped, filled)


def summed(shipped: Shipped, cells: Mapping[Key, Cell]) -> dict[Key, Cell]:
    """The cells with their sums computed anew of what the report says, overrides included."""
    result = dict(cells)
    for form in shipped.forms():
        formula = form.row.sum
        if formula is None:
            continue
        column = form.column.code
        parts = [(1, row) for row in formula.plus] + [(-1, row) for row in formula.minus]
        total: Decimal | None = Decimal(0)
        unknown = []
        with localcontext(prec=_DIGITS):
            for sign, row in parts:
                cell = result.get((row, column))
                if cell is None:  # a row that does not have this column adds nothing to it
                    continue
                value = cell.value
                if value is None:
                    unknown.append(row)
                    total = None
                elif total is not None:
                    total += sign * value
        said = " + ".join(formula.plus) + "".join(f" - {row}" for row in formula.minus)
        text = f"not known, for of the rows {said} these are not: {', '.join(unknown)}" if unknown else f"rows {said}"
        key = form.row.code, column
        result[key] = replace(result[key], filled=_rounded(total, form), text=text, details={})
    return result


def differences(before: Mapping[Key, Cell], after: Mapping[Key, Cell]) -> list[Difference]:
    """Filled values that are others now."""
    return [
        Difference(*key, before[key].filled, cell.filled)
        for key, cell in after.items()
        if before[key].filled != cell.filled
    ]


def lacking(shipped: Shipped, cells: Mapping[Key, Cell]) -> list[Key]:
    """Required cells that are empty; one that a person said is not known is not empty."""
    return [
        (form.row.code, form.column.code)
        for form in shipped.forms()
        if form.row.required
        and cells[form.row.code, form.column.code].value is None
        and cells[form.row.code, form.column.code].override is None
    ]


def require_form(shipped: Shipped, row: str, column: str) -> CellForm:
    """The form of a cell, or BadInput with the rows and columns that there are."""
    found = next((form for form in shipped.forms() if (form.row.code, form.column.code) == (row, column)), None)
    if found is None:
        definition = shipped.definition
        rows = ", ".join(each.code for each in definition.rows)
        columns = ", ".join(each.code for each in definition.columns)
        raise BadInput(
            "cell",
            f"The report {definition.code} has no cell {row[:50]!r}, {column[:50]!r}; its rows are {rows}, its columns "
            f"{columns}.",
        )
    return found


def check_value(form: CellForm, value: Decimal | None) -> None:
    """BadInput where a typed-in value does not fit the cell."""
    if value is None:
        return
    what = f"The value of row {form.row.code}, column {form.column.code}"
    if not value.is_finite() or abs(value) >= LARGEST:
        raise BadInput("value", f"{what} must be a number with at most 15 digits before the decimal point.")
    if value < 0 and not form.row.signed:
        raise BadInput("value", f"{what} is {value:f}, expected 0 or more.")
    exponent = value.normalize().as_tuple().exponent
    if isinstance(exponent, int) and -exponent > form.places:
        raise BadInput("value", f"{what} has {-exponent} decimal places, expected at most {form.places}.")


def _rounded(value: Decimal | None, form: CellForm) -> Decimal | None:
    if value is None:
        return None
    with localcontext(prec=_DIGITS):
        return value.quantize(Decimal(1).scaleb(-form.places), ROUND_HALF_UP)
