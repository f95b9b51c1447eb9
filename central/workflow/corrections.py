"""Look for what is invoiced and would be billed otherwise today, and order its correction.

Looking settles invoiced periods anew without writing, and keeps what differs with its difference in money. Ordering
settles once more at that moment, cancels the lines that differ and makes corrective ones in their place.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from central.platform import audit
from central.platform.errors import Refused
from central.platform.identity import Person, name_of
from central.registry.capacity_rules import months_later
from central.settlement.cancelling import cancel_bases, delete_basis
from central.settlement.correction_list import decide, dismissed, lock_open, make_room, store_found
from central.settlement.corrections import Difference, differences, sides_of
from central.settlement.document import spelled
from central.settlement.living_lines import Group, Sides, find_groups, read_living, read_taken_back
from central.settlement.quantities import Measured
from central.settlement.registry import read_facts
from central.settlement.runs import approve_run
from central.settlement.settle import Settled, settle_points
from central.settlement.statements import corrective_type
from central.settlement.write import RunOrder, RunWriter
from central.tariffs.install import packages_in_force
from central.tariffs.package import Package
from central.workflow.settle_month import CHUNK, Period, described, in_force, read_measured
from shared.clock import Clock
from shared.metering_day import PRAGUE

WINDOW = "correction_window"
"""The deadline of a package within which a bill is corrected."""
MONTHS = 36
"""Where no package says: 36 months before the fault was found (decree 359/2020, section 7(4), as amended)."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look did: points judged, corrections open now, those that are gone, points that could not be settled."""

    points: int
    open: int
    gone: int
    left_out: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class Ordered:
    """Corrective runs, how many lines were cancelled and made, and corrections with nothing left to correct.

    `corrective` is 0 where lines are only taken back; the cancelling ones stand under a run all the same.
    """

    runs: tuple[int, ...]
    cancelled: int
    corrective: int
    gone: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    group: Group
    settled: list[Settled]
    measured: Measured
    found: list[Difference]
    omitted: frozenset[int]
    left_out: tuple[dict[str, str], ...]
    packages: Sequence[Package]


def look(connection: Connection, first: date, end: date, clock: Clock, points: Sequence[int] | None = None) -> Looked:
    """Judge all invoiced periods that touch [first, end), and keep what differs in the list of corrections."""
    at = clock.now()
    judged = found = gone = 0
    left_out: list[dict[str, str]] = []
    for group in find_groups(connection, first, end, points):
        for each in _judge(connection, group, at):
            set_aside = dismissed(connection, each.group)
            documents = [difference.document() for difference in each.found]
            told = [one for one in documents if (one["supply_point"], one["digest"]) not in set_aside]
            kept = {one["supply_point"] for one in told}
            listed = [difference for difference in each.found if difference.supply_point in kept]
            opened, closed = store_found(connection, each.group, listed, each.omitted, spelled(told), at)
            judged, found, gone = judged + len(each.group.points), found + opened, gone + closed
            left_out += each.left_out
    return Looked(judged, found, gone, tuple(left_out))


def order_corrections(connection: Connection, ids: Sequence[int], reason: str, clock: Clock, person: Person) -> Ordered:
    """Correct what differs now: cancelling and corrective bases that name their originals and the reason.

    Raises NotFound or Refused for what is not open, and Refused where the period is older than the law allows, or a
    point cannot be settled; then nothing is made.
    """
    at = clock.now()
    rows = lock_open(connection, ids)
    groups: dict[tuple[date, date, int], list[int]] = {}
    numbers: dict[tuple[date, date, int, int], int] = {}
    found_on: dict[tuple[date, date, int, int], date] = {}
    for row in rows:
        groups.setdefault((row.first, row.end, row.statement_type), []).append(row.supply_point)
        numbers[row.first, row.end, row.statement_type, row.supply_point] = row.id
        found_on[row.first, row.end, row.statement_type, row.supply_point] = row.found_at.astimezone(PRAGUE).date()
    runs: list[int] = []
    gone: list[int] = []
    cancelled = corrective = 0
    for (first, end, root), wanted in sorted(groups.items()):
        for each in _judge(connection, Group(first, end, root, tuple(sorted(wanted))), at):
            _require_window(each, max(found_on[first, end, root, point] for point in each.group.points))
            if each.left_out:
                told = each.left_out[0]
                raise Refused("correction_not_settled", f"Point {told['ean']} cannot be settled: {told['reason']}")
            differing = {difference.supply_point for difference in each.found}
            same = [numbers[first, end, root, point] for point in each.group.points if point not in differing]
            gone += same
            if same:
                decide(connection, same, "gone", None, None, None, at)
            if not each.found:
                continue
            run, taken_back, made = _correct(connection, each, reason, person, at)
            runs.append(run)
            cancelled, corrective = cancelled + taken_back, corrective + made
            done = [numbers[first, end, root, point] for point in sorted(differing)]
            decide(connection, done, "ordered", run, name_of(person), reason, at)
            details = {"run": run, "corrections": done}
            audit.record(connection, person, "correction.order", "correction", details, at, why=reason)
    return Ordered(tuple(runs), cancelled, corrective, tuple(gone))


def dismiss(connection: Connection, number: int, why: str, person: Person, at: datetime) -> None:
    """Leave a difference as it is; it comes back only when it becomes another one."""
    lock_open(connection, [number])
    decide(connection, [number], "dismissed", None, name_of(person), why, at)
    audit.record(connection, person, "correction.dismiss", f"correction/{number}", {}, at, why=why)


def _judge(connection: Connection, group: Group, at: datetime) -> Iterator[_Judged]:
    """Settle a group anew, in chunks, without writing, and compare."""
    packages = packages_in_force(connection, group.first, group.end)
    books = [in_force(package) for package in packages]
    period = Period(group.first, group.end)
    for low in range(0, len(group.points), CHUNK):
        part = replace(group, points=group.points[low : low + CHUNK])
        facts = read_facts(connection, part.points, group.first, group.end, books, group.root, judged=True)
        measured = read_measured(connection, period, facts, packages)
        settled, omitted = settle_points(facts, measured, at)
        # a point that nobody has a contract for is billed to nobody: judged, and all that is billed goes back
        omitted = [each for each in omitted if not each.facts.is_without_contract]
        left_out = tuple({"ean": each.facts.ean, "reason": each.reason} for each in omitted)
        unsettled = frozenset(each.facts.supply_point for each in omitted)
        living, taken_back = read_living(connection, part), read_taken_back(connection, part)
        found = differences(connection, living, settled, measured, unsettled, taken_back)
        yield _Judged(part, settled, measured, found, unsettled, left_out, packages)


def _correct(connection: Connection, each: _Judged, reason: str, person: Person, at: datetime) -> tuple[int, int, int]:
    """Cancel the lines that differ and write those in their place; the run, and how many of both."""
    changed = {key for difference in each.found for key in difference.changed()}
    touched = [line for difference in each.found for line in difference.touched]
    billed = {(item, sides) for item, sides, _, _ in changed}
    # a tenure of which nothing is billed any more is pinned too: it is what the correction stands on
    entries = [
        _only(entry, changed) for entry in each.settled if (entry.tenure.last.item.id, sides_of(entry)) in billed
    ]
    group = each.group
    scope = {"points": sorted(difference.supply_point for difference in each.found)}
    order = RunOrder(group.first, group.end, "corrective", corrective_type(group.root), scope, reason)
    writer = RunWriter(connection, order, [described(package) for package in each.packages], person, at)
    writer.add(entries, [], each.measured)
    written = writer.finish()
    run = written.id
    invoiced = [line.id for line in touched if line.invoiced]
    if invoiced:
        cancel_bases(connection, invoiced, reason, person, at, run)
    for line in touched:
        if not line.invoiced:
            delete_basis(connection, line.id, reason, person, at, run)
    make_room(connection, run, group.root, [line.id for line in touched])
    approve_run(connection, run, person, at)
    return run, len(touched), written.bases


def _bill_of(entry: Settled) -> tuple[int, Sides]:
    return entry.tenure.last.item.id, sides_of(entry)


def _only(entry: Settled, changed: set[tuple[int, Sides, str, str]]) -> Settled:
    """The settled tenure with those of its lines that changed, and what only informs: a new payer is told it, too."""
    item, sides = _bill_of(entry)
    lines = tuple(
        line for line in entry.lines if line.is_information or (item, sides, line.service, line.component) in changed
    )
    return replace(entry, lines=lines)


def _require_window(each: _Judged, found: date) -> None:
    """Refused where the period ended before the window that the law counts back from the day of the finding."""
    deadlines = [known for package in each.packages if (known := package.find_deadline(WINDOW)) is not None]
    months = min((deadline.count for deadline in deadlines), default=MONTHS)
    since = months_later(found, -months)
    if each.group.end <= since:
        raise Refused(
            "correction_too_old",
            f"The period {each.group.first} to {each.group.end} ended more than {months} months before the difference "
            f"was found on {found}: the law lets consumption since {since} be corrected. Dismiss the correction with a "
            "reason.",
        )
