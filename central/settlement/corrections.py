"""What is billed and would be billed otherwise today: living lines, compared with those of a settlement made anew.

A line *lives* while no other line cancels it, and a preliminary one until an annual statement takes it back. Compared
are the lines of one contract item, customer, payer and seller, so that a change of who takes or pays is a change of
both; of what the runs of one period made with what they had to settle, because days that a run of another period holds
are left to that. What was made by hand is never settled anew and so never corrected here.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.settlement.compare import Change, Figures, RunInput, RunLine, causes, changes, vat_of
from central.settlement.document import digest_of, tenure_document
from central.settlement.facts import PURCHASE
from central.settlement.model import Line
from central.settlement.quantities import Measured, readings_document
from central.settlement.settle import Settled
from central.settlement.statements import CANCELS, StatementType
from central.settlement.write import profiles_document

T = StatementType
FAMILIES: Mapping[int, tuple[int, int]] = {
    T.REGULAR: (T.REGULAR, T.CORRECTS_REGULAR),
    T.PRELIMINARY: (T.PRELIMINARY, T.CORRECTS_PRELIMINARY),
    T.FINAL_SETTLEMENT: (T.FINAL_SETTLEMENT, T.CORRECTS_SETTLEMENT),
}
"""By the type of the originals: the types of their living lines."""

_GROUPS = text("""
    -- periods with invoiced lines of runs, by the family of their statement type, with their points
    SELECT lower(r.period) AS first, upper(r.period) AS end, family.root,
           array_agg(DISTINCT b.supply_point ORDER BY b.supply_point) AS points
      FROM billing_basis b
      JOIN settlement_run r ON r.id = b.run
      JOIN unnest(CAST(:types AS integer[]), CAST(:roots AS integer[])) AS family (type, root)
        ON family.type = b.statement_type
     WHERE b.state = 'invoiced' AND b.service <> 'purchase' AND b.input IS NOT NULL
       AND r.period && daterange(:first, :end)
       AND (CAST(:points AS bigint[]) IS NULL OR b.supply_point = ANY (CAST(:points AS bigint[])))
     GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
""")
_LIVING = text("""
    SELECT b.id, sp.ean, b.supply_point, b.contract_item, b.payer, b.seller, b.customer, b.service,
           b.component, b.name, b.unit, b.quantity, b.unit_price, b.amount, b.vat_percent, b.state, b.input
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      JOIN settlement_run r ON r.id = b.run AND r.period = daterange(:first, :end)
     WHERE b.supply_point = ANY (CAST(:points AS bigint[])) AND b.statement_type = ANY (CAST(:types AS integer[]))
       AND b.state IN ('approved', 'invoiced') AND b.service <> 'purchase' AND b.input IS NOT NULL
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (CAST(:cancelling AS integer[])))
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = :negative
                          AND NOT EXISTS (SELECT FROM billing_basis u WHERE u.original = o.id AND u.state <> 'cancelled'
                                             AND u.statement_type = :undone))
     ORDER BY b.id
""")
_INPUTS = text("""
    SELECT id, package, facts, profiles, readings FROM settlement_input WHERE id = ANY (CAST(:inputs AS bigint[]))
     ORDER BY id
""")
_DISMISSED = text("""
    SELECT supply_point, digest FROM correction
     WHERE state = 'dismissed' AND period = daterange(:first, :end) AND statement_type = :root
       AND supply_point = ANY (CAST(:points AS bigint[]))
""")
_STORE = text("""
    INSERT INTO correction (supply_point, period, statement_type, state, billed, correct, billed_vat, correct_vat,
                            causes, lines, digest, found_at, looked_at)
    SELECT found.supply_point, daterange(:first, :end), :root, 'open', found.billed, found.correct, found.billed_vat,
           found.correct_vat, found.causes, found.lines, found.digest, :at, :at
      FROM jsonb_to_recordset(CAST(:found AS jsonb)) AS found (
           supply_point bigint, billed numeric, correct numeric, billed_vat numeric, correct_vat numeric, causes jsonb,
           lines jsonb, digest text)
    ON CONFLICT (supply_point, period, statement_type) WHERE state = 'open'
    DO UPDATE SET billed = excluded.billed, correct = excluded.correct, billed_vat = excluded.billed_vat,
                  correct_vat = excluded.correct_vat, causes = excluded.causes, lines = excluded.lines,
                  digest = excluded.digest, looked_at = excluded.looked_at
""")
_GONE = text("""
    UPDATE correction SET state = 'gone', looked_at = :at
     WHERE state = 'open' AND period = daterange(:first, :end) AND statement_type = :root
       AND supply_point = ANY (CAST(:points AS bigint[])) AND NOT supply_point = ANY (CAST(:kept AS bigint[]))
""")
_LOCK = text("""
    SELECT c.id, c.supply_point, sp.ean, c.state, c.found_at, lower(c.period) AS first, upper(c.period) AS end,
           c.statement_type
      FROM correction c JOIN supply_point sp ON sp.id = c.supply_point
     WHERE c.id = ANY (CAST(:ids AS bigint[])) ORDER BY c.id FOR UPDATE OF c
""")
_DECIDE = text("""
    UPDATE correction SET state = :state, run = CAST(:run AS bigint), decided_at = :at, decided_by = :by, why = :why
     WHERE id = ANY (CAST(:ids AS bigint[]))
""")
_REPLACED = text("""
    -- an earlier correction of the same items and time gives its place to the new one
    UPDATE settlement_input o SET approved = false, replaced_by = :run
      FROM settlement_input n
     WHERE n.run = :run AND o.run <> :run AND o.approved AND o.contract_item = n.contract_item
       AND o.statement_type = n.statement_type AND o.valid && n.valid
""")
_ORIGINALS = text("""
    -- a corrective line names the first of the lines that it stands in the place of
    UPDATE billing_basis n SET original = pair.original
      FROM (SELECT n.id, min(o.id) AS original
              FROM billing_basis n
              JOIN billing_basis o ON o.id = ANY (CAST(:changed AS bigint[])) AND o.contract_item = n.contract_item
                                  AND o.service = n.service AND o.component = n.component
             WHERE n.run = :run AND n.original IS NULL GROUP BY n.id) pair
     WHERE n.id = pair.id
""")


_NEXT_ORIGINALS = text("""
    -- one of a component that was not billed names a line of its item and time, so that its document is known
    UPDATE billing_basis n SET original = pair.original
      FROM (SELECT n.id, min(o.id) AS original
              FROM billing_basis n
              JOIN billing_basis o ON o.contract_item = n.contract_item AND o.state = 'invoiced' AND o.valid && n.valid
                                  AND o.payer = n.payer AND o.statement_type = ANY (CAST(:types AS integer[]))
             WHERE n.run = :run AND n.original IS NULL GROUP BY n.id) pair
     WHERE n.id = pair.id
""")


Sides = tuple[int, int, int]
"""Who pays a line, who bills it and who takes the service, as party ids."""


@dataclass(frozen=True, slots=True)
class Group:
    """Points whose lines of one period and statement are looked at together; `root` is the type of the originals."""

    first: date
    end: date
    root: int
    points: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Living:
    """A living line: whose it is, between whom, what it says, whether it is invoiced, and the input it stands on."""

    id: int
    supply_point: int
    item: int
    sides: Sides
    line: RunLine
    invoiced: bool
    input: int


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


def find_groups(connection: Connection, first: date, end: date, points: Sequence[int] | None) -> list[Group]:
    """Invoiced periods that touch [first, end), of these points or of all."""
    families = [(kind, root) for root, kinds in FAMILIES.items() for kind in kinds]
    asked = {
        "types": [int(kind) for kind, _ in families],
        "roots": [int(root) for _, root in families],
        "first": first,
        "end": end,
        "points": None if points is None else list(points),
    }
    rows = connection.execute(_GROUPS, asked)
    return [Group(row.first, row.end, row.root, tuple(row.points)) for row in rows]


def read_living(connection: Connection, group: Group) -> list[Living]:
    """The living lines of a group's points and period; what was settled over other days has a group of its own."""
    asked = {
        "points": int_array(group.points),
        "types": [int(kind) for kind in FAMILIES[group.root]],
        "cancelling": [int(kind) for kind in CANCELS.values()],
        "negative": int(T.NEGATIVE_SETTLEMENT),
        "undone": int(T.CANCELS_NEGATIVE),
        "first": group.first,
        "end": group.end,
    }
    return [
        Living(
            row.id,
            row.supply_point,
            row.contract_item,
            (row.payer, row.seller, row.customer),
            RunLine(
                row.ean,
                row.service,
                row.component,
                row.name,
                row.unit,
                row.quantity,
                row.unit_price,
                row.amount,
                row.vat_percent,
            ),
            row.state == "invoiced",
            row.input,
        )
        for row in connection.execute(_LIVING, asked)
    ]


def differences(
    connection: Connection,
    living: Sequence[Living],
    settled: Iterable[Settled],
    measured: Measured,
    omitted: frozenset[int],
) -> list[Difference]:
    """Points whose living lines are not those of a settlement made now; a point that it left out is not judged.

    Lines of items of which nothing is invoiced are left to an update of the bases.
    """
    new = list(settled)
    invoiced = {each.item for each in living if each.invoiced}
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


def store_found(
    connection: Connection,
    group: Group,
    found: Sequence[Difference],
    omitted: frozenset[int],
    spelled: str,
    at: datetime,
) -> tuple[int, int]:
    """Keep what was found of a group (`spelled`: its documents as JSON); how many are open and how many are gone.

    What a person has dismissed stays dismissed while nothing about it changes. A point that could not be settled stays.
    """
    asked = {"first": group.first, "end": group.end, "root": group.root, "points": int_array(group.points), "at": at}
    connection.execute(_STORE, {**asked, "found": spelled})
    kept = int_array(sorted({each.supply_point for each in found} | omitted))
    gone = connection.execute(_GONE, {**asked, "kept": kept}).rowcount
    return len(found), gone


def dismissed(connection: Connection, group: Group) -> set[tuple[int, str]]:
    """What persons have dismissed of a group: (supply point, digest of its lines)."""
    asked = {"first": group.first, "end": group.end, "root": group.root, "points": int_array(group.points)}
    return {(row.supply_point, row.digest) for row in connection.execute(_DISMISSED, asked)}


def lock_open(connection: Connection, ids: Sequence[int]) -> Sequence[Any]:
    """The open corrections with these ids, locked. Raises NotFound, and Refused where one is not open."""
    rows = connection.execute(_LOCK, {"ids": int_array(sorted(set(ids)))}).all()
    missing = set(ids) - {row.id for row in rows}
    if missing:
        raise NotFound("correction_not_found", f"There is no correction {min(missing)}; see GET /v1/corrections.")
    for row in rows:
        if row.state != "open":
            raise Refused("correction_decided", f"Correction {row.id} of {row.ean} is {row.state}; look anew.")
    return rows


def decide(
    connection: Connection,
    ids: Sequence[int],
    state: str,
    run: int | None,
    by: str | None,
    why: str | None,
    at: datetime,
) -> None:
    """Mark corrections as ordered (under a run), dismissed, or gone (by nobody)."""
    decided = {"ids": int_array(ids), "state": state, "run": run, "at": at, "by": by, "why": why}
    connection.execute(_DECIDE, decided)


def make_room(connection: Connection, run: int, root: int, changed: Sequence[int]) -> None:
    """Before a corrective run is approved: earlier corrections step back, its lines name their originals."""
    connection.execute(_REPLACED, {"run": run})
    connection.execute(_ORIGINALS, {"run": run, "changed": int_array(changed)})
    connection.execute(_NEXT_ORIGINALS, {"run": run, "types": [int(kind) for kind in FAMILIES[root]]})
