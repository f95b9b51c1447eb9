"""What is billed and would be billed otherwise today: living lines, compared with those of a settlement made anew.

A line *lives* while no other line cancels it, and a preliminary one until an annual statement takes it back. Compared
are the lines of one contract item, customer, payer and seller, so that a change of who takes or pays is a change of
both; of what the runs of one period made with what they had to settle, because days that a run of another period holds
are left to that. What was made by hand is never settled anew and so never corrected here.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.settlement.compare import Change, Figures, RunInput, RunLine, causes, changes, vat_of
from central.settlement.document import digest_of, tenure_document
from central.settlement.facts import PURCHASE
from central.settlement.living_lines import Living, Sides
from central.settlement.model import Line
from central.settlement.quantities import Measured, readings_document
from central.settlement.settle import Settled
from central.settlement.write import profiles_document

_INPUTS = text("""
    SELECT id, package, facts, profiles, readings FROM settlement_input WHERE id = ANY (CAST(:inputs AS bigint[]))
     ORDER BY id
""")


@dataclass(frozen=True, slots=True)
class Difference:
    """A point whose lines differ: the changes by item and sides, the living lines they touch, and why."""

    supply_point: int
    changes: tuple[tuple[int, Sides, Change], ...]
    touched: tuple[Living, ...]
    causes: tuple[dict[str, Any], ...]

    @property
    def billed(self) -> Decimal:
        return sum((each.first.amount for _, _, each in self.changes if each.first), Decimal("0.00"))

    @property
    def correct(self) -> Decimal:
        return sum((each.second.amount for _, _, each in self.changes if each.second), Decimal("0.00"))

    @property
    def billed_vat(self) -> Decimal:
        return vat_of(each.first for _, _, each in self.changes if each.first)

    @property
    def correct_vat(self) -> Decimal:
        return vat_of(each.second for _, _, each in self.changes if each.second)

    def changed(self) -> frozenset[tuple[int, Sides, str, str]]:
        """What changed, as (contract item, sides, service, component)."""
        return frozenset((item, sides, each.service, each.component) for item, sides, each in self.changes)

    def document(self) -> dict[str, Any]:
        """As the list of corrections keeps it."""
        lines = [
            {
                "contract_item": item,
                "payer": sides[0],
                "service": each.service,
                "component": each.component,
                "name": each.name,
                "unit": each.unit,
                "billed": None if each.first is None else _told(each.first),
                "correct": None if each.second is None else _told(each.second),
                "difference": str(each.difference),
            }
            for item, sides, each in self.changes
        ]
        rates = [
            None if each is None else [[str(number) for number in pair] for pair in each.vat_bases]
            for _, _, change in self.changes
            if _rates(change.first) != _rates(change.second)
            for each in (change.first, change.second)
        ]
        customers = [sides[2] for _, sides, _ in self.changes]
        others = [each for each in (rates, customers if len(set(customers)) > 1 else []) if each]
        return {
            "supply_point": self.supply_point,
            "billed": str(self.billed),
            "correct": str(self.correct),
            "billed_vat": str(self.billed_vat),
            "correct_vat": str(self.correct_vat),
            "causes": list(self.causes),
            "lines": [
                {
                    **line,
                    "customer": sides[2],
                    "billed_vat": _vat(each.first),
                    "correct_vat": _vat(each.second),
                }
                for line, (_, sides, each) in zip(lines, self.changes, strict=True)
            ],
            # without what is as billed: what was dismissed before it was compared stays dismissed
            "digest": digest_of([lines, *others] if others else lines),
        }


def _told(figures: Figures) -> dict[str, Any]:
    return {
        "quantity": str(figures.quantity),
        "unit_prices": [str(each) for each in figures.unit_prices],
        "amount": str(figures.amount),
    }


def _rates(figures: Figures | None) -> tuple[Decimal, ...] | None:
    return None if figures is None else tuple(percent for percent, _ in figures.vat_bases)


def _vat(figures: Figures | None) -> dict[str, Any] | None:
    """The VAT of a component and its rates."""
    if figures is None:
        return None
    return {"percent": [str(percent) for percent, _ in figures.vat_bases], "vat": str(vat_of([figures]))}


def differences(
    connection: Connection,
    living: Sequence[Living],
    settled: Iterable[Settled],
    measured: Measured,
    omitted: frozenset[int],
    taken_back: frozenset[int] = frozenset(),
) -> list[Difference]:
    """Points whose living lines are not those of a settlement made now; a point that it left out is not judged.

    Lines of items of which nothing is invoiced are left to an update of the bases, but for those items of which
    corrections have `taken_back` all: their days are held, so no run bills them again.
    """
    new = list(settled)
    invoiced = taken_back | {each.item for each in living if each.invoiced}
    old_lines: dict[tuple[int, int, Sides], list[RunLine]] = defaultdict(list)
    new_lines: dict[tuple[int, int, Sides], list[RunLine]] = defaultdict(list)
    for each in living:
        if each.item in invoiced and each.supply_point not in omitted:
            old_lines[each.supply_point, each.item, each.sides].append(each.line)
    for entry in new:
        item = entry.tenure.last.item.id
        if item in invoiced and entry.facts.supply_point not in omitted:
            key = (entry.facts.supply_point, item, sides_of(entry))
            new_lines[key] += [_line(entry, line) for line in entry.lines if is_billed(line)]
    found: dict[int, list[tuple[int, Sides, Change]]] = defaultdict(list)
    for point, item, sides in sorted(old_lines.keys() | new_lines.keys()):
        key = (point, item, sides)
        found[point] += [(item, sides, each) for each in changes(old_lines[key], new_lines[key])]
    changed = {point: each for point, each in found.items() if each}
    reasons = _causes(connection, [each for each in living if each.supply_point in changed], new, measured)
    result = []
    for point, differing in changed.items():
        keys = {(item, sides, change.service, change.component) for item, sides, change in differing}
        touched = tuple(
            one
            for one in living
            if one.supply_point == point and (one.item, one.sides, one.line.service, one.line.component) in keys
        )
        result.append(Difference(point, tuple(differing), touched, tuple(reasons.get(point, ()))))
    return result


def sides_of(entry: Settled) -> Sides:
    """Who pays what was settled, who bills it, and who takes it."""
    last = entry.tenure.last
    return last.payer.id, last.item.seller or last.version.operator.id, last.customer.id


def is_billed(line: Line) -> bool:
    """Whether a line goes to an invoice: not one that only informs, nor what the superior distributor should bill."""
    return not line.is_information and line.service != PURCHASE


def _line(entry: Settled, line: Line) -> RunLine:
    return RunLine(
        entry.facts.ean, line.service, line.component, line.name, line.unit, line.quantity, line.unit_price,
        line.amount, entry.vat_percent(line),
    )  # fmt: skip


def _causes(
    connection: Connection, living: Sequence[Living], settled: Sequence[Settled], measured: Measured
) -> dict[int, list[dict[str, Any]]]:
    wanted = sorted({each.input for each in living})
    if not wanted:
        return {}
    rows = {row.id: row for row in connection.execute(_INPUTS, {"inputs": int_array(wanted)})}
    before: dict[int, list[RunInput]] = defaultdict(list)
    for point, number in sorted({(each.supply_point, each.input) for each in living}):
        row = rows[number]
        before[point].append(RunInput(row.package, row.facts, row.profiles, row.readings))
    after: dict[int, list[RunInput]] = defaultdict(list)
    for entry in settled:
        if entry.facts.supply_point in before:
            book = entry.tenure.last.book
            after[entry.facts.supply_point].append(
                RunInput(
                    f"{book.name} {book.version}",
                    tenure_document(entry.facts, entry.tenure),
                    profiles_document(entry, measured),
                    readings_document(entry.parts),
                )
            )
    return {point: [asdict(cause) for cause in causes(inputs, after[point])] for point, inputs in before.items()}
