"""Update bases (Aktualizace podkladů): a new draft takes the place of what is not invoiced, where something changed.

Three steps in one transaction: `release` locks what stands now and opens its time, the caller settles the points anew
into a draft run, `reconcile` compares both. A point whose whole input and lines are unchanged stays in its own run as
if nothing had been done. Of the others a line that says the same to the same payer keeps its row (and with it the
results of checks and a cancelled error) under the new input; what differs is cancelled, never changed.

A line that is invoiced, or that another line follows, is never touched: what changed there is for a correction. Beside
it the rest of its input is updated like any other; one with nothing else is left alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, delete, text, update

from central.platform import audit
from central.platform.arrays import int_array
from central.platform.errors import Refused
from central.platform.identity import Person, name_of
from central.settlement.beside_pins import pin_beside
from central.settlement.cancelling import tell_cancelled
from central.settlement.statements import CANCELS, CORRECTS, StatementType
from central.settlement.tables import settlement_omission, settlement_run
from central.settlement.turns import take_turn

_CANCELLING = int_array(sorted({int(kind) for kind in CANCELS.values()}))

_STANDING = text("""
    -- inputs of the points that touch the days, which no earlier update replaced; locked against another update
    SELECT si.id, si.approved, si.supply_point, sp.ean, r.number,
           (lower(si.valid) AT TIME ZONE 'Europe/Prague')::date >= :first
           AND (upper(si.valid) AT TIME ZONE 'Europe/Prague')::date <= :end AS within
      FROM settlement_input si
      JOIN settlement_run r ON r.id = si.run AND r.state <> 'discarded'
      JOIN supply_point sp ON sp.id = si.supply_point
      JOIN contract_item ci ON ci.id = si.contract_item
     WHERE si.supply_point = ANY (CAST(:points AS bigint[])) AND si.statement_type = :type AND si.replaced_by IS NULL
       AND (CAST(:contracts AS bigint[]) IS NULL OR ci.contract = ANY (CAST(:contracts AS bigint[])))
       AND (lower(si.valid) AT TIME ZONE 'Europe/Prague')::date < :end
       AND (upper(si.valid) AT TIME ZONE 'Europe/Prague')::date > :first
     ORDER BY si.id
       FOR UPDATE OF si
""")
_LINES = text("""
    -- locked, so that nobody invoices them meanwhile; fixed: invoiced, or the original of another; what was
    -- invoiced and is taken back, with nothing corrective in its place, holds nothing
    SELECT b.id, b.input, b.state = 'invoiced' AS invoiced,
           b.state = 'invoiced'
           OR EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled') AS fixed
      FROM billing_basis b
     WHERE b.input = ANY (CAST(:inputs AS bigint[])) AND b.original IS NULL AND b.state <> 'cancelled'
       AND (b.state <> 'invoiced'
            OR NOT EXISTS (SELECT FROM billing_basis c WHERE c.original = b.id AND c.state <> 'cancelled'
                              AND c.statement_type = ANY (CAST(:cancelling AS integer[])))
            OR EXISTS (SELECT FROM billing_basis n
                        WHERE n.contract_item = b.contract_item AND n.valid && b.valid AND n.state <> 'cancelled'
                          AND n.statement_type = CAST(:corrective AS integer)
                          AND NOT EXISTS (SELECT FROM billing_basis c WHERE c.original = n.id AND c.state <> 'cancelled'
                                             AND c.statement_type = ANY (CAST(:cancelling AS integer[])))))
     ORDER BY b.id
       FOR UPDATE OF b
""")
_APPROVED = text("UPDATE settlement_input SET approved = :approved WHERE id = ANY (CAST(:inputs AS bigint[]))")

_FIXED = """
    o.contract_item = n.contract_item AND o.statement_type = n.statement_type
    AND o.service = n.service AND o.component = n.component AND o.valid && n.valid
    AND o.run <> n.run AND o.input IS NOT NULL
    AND (o.id = ANY (CAST(:fixed AS bigint[])) OR o.state = 'invoiced'
         AND NOT EXISTS (SELECT FROM billing_basis c
                          WHERE c.original = o.id AND c.state <> 'cancelled'
                            AND c.statement_type = ANY (CAST(:cancelling AS integer[]))))
"""
_REACHES_OVER = text(f"""
    -- new lines that go on beyond what is fixed of their component: neither leaving them out nor keeping them is right
    SELECT DISTINCT sp.ean, met.name, met.number
      FROM (SELECT n.supply_point, n.name, n.valid, range_agg(o.valid) AS fixed, max(r.number) AS number
              FROM billing_basis n
              JOIN billing_basis o ON {_FIXED}
              JOIN settlement_run r ON r.id = o.run
             WHERE n.run = :run AND n.original IS NULL
             GROUP BY n.id) met
      JOIN supply_point sp ON sp.id = met.supply_point
     WHERE NOT met.fixed @> met.valid
     ORDER BY sp.ean, met.name LIMIT 5
""")  # noqa: S608 - a constant of this module
_FIXED_ALREADY = text(f"""
    -- what is fixed of a component and time is not settled beside it once more
    DELETE FROM billing_basis n
     WHERE n.run = :run AND n.original IS NULL AND EXISTS (SELECT FROM billing_basis o WHERE {_FIXED})
""")  # noqa: S608 - a constant of this module
_MATCH = (
    text("""
        CREATE TEMPORARY TABLE basis_match (
            old bigint PRIMARY KEY, new bigint UNIQUE, old_input bigint, new_input bigint
        ) ON COMMIT DROP
    """),
    text("""
        -- lines that say the same to the same payer, one to one; an approved one before a draft
        INSERT INTO basis_match
        WITH line AS (
            SELECT id, input, run = :run AS new, state,
                   ROW (supply_point, contract_item, contract, customer, payer, seller, service, vat_percent,
                        statement_type, fingerprint) AS said
              FROM billing_basis
             WHERE (input = ANY (CAST(:inputs AS bigint[])) OR run = :run)
               AND original IS NULL AND state IN ('new', 'approved') AND NOT id = ANY (CAST(:fixed AS bigint[]))
        ), placed AS (
            SELECT *, row_number() OVER (PARTITION BY new, said ORDER BY state = 'approved' DESC, id) AS place FROM line
        )
        -- at most one of each side has a place; as a join of both sides this is planned without statistics, as loops
        SELECT max(id) FILTER (WHERE NOT new), max(id) FILTER (WHERE new),
               max(input) FILTER (WHERE NOT new), max(input) FILTER (WHERE new)
          FROM placed GROUP BY said, place HAVING count(*) = 2
    """),
    text("ANALYZE basis_match"),
)
_UNCHANGED = text("""
    -- inputs that are the same with all their lines, old and new; of one with fixed lines only the others count: what
    -- changed under these is for a correction
    SELECT o.id AS old, n.id AS new
      FROM settlement_input o
      JOIN settlement_input n
        ON n.run = :run AND n.contract_item = o.contract_item AND n.statement_type = o.statement_type
       AND n.valid = o.valid
       AND (o.id = ANY (CAST(:partly AS bigint[]))
            OR n.digest = o.digest AND n.package = o.package AND n.quantities = o.quantities
               AND n.profiles = o.profiles AND n.readings = o.readings AND n.information = o.information
               AND n.findings = o.findings)
     WHERE o.id = ANY (CAST(:inputs AS bigint[]))
       AND NOT EXISTS (SELECT FROM billing_basis b LEFT JOIN basis_match m ON m.old = b.id AND m.new_input = n.id
                        WHERE b.input = o.id AND b.original IS NULL AND b.state IN ('new', 'approved')
                          AND NOT b.id = ANY (CAST(:fixed AS bigint[])) AND m.old IS NULL)
       AND NOT EXISTS (SELECT FROM billing_basis b LEFT JOIN basis_match m ON m.new = b.id AND m.old_input = o.id
                        WHERE b.input = n.id AND m.new IS NULL)
""")
_KEEP = text("""
    UPDATE billing_basis b
       SET run = new.run, input = new.input, measurements = new.measurements, why = new.why, state = 'new',
           earlier_runs = b.earlier_runs || b.run
      FROM basis_match m JOIN billing_basis new ON new.id = m.new
     WHERE b.id = m.old AND NOT m.old_input = ANY (CAST(:unchanged AS bigint[]))
""")
_DROP_DOUBLES = text("DELETE FROM billing_basis b USING basis_match m WHERE b.id = m.new")
_DROP_INPUTS = text("DELETE FROM settlement_input WHERE id = ANY (CAST(:inputs AS bigint[]))")

_SUPERSEDED = text("""
    -- old inputs whose place is taken: a new input for the time, or a point that is not settled any more at all
    SELECT o.id FROM settlement_input o
     WHERE o.id = ANY (CAST(:inputs AS bigint[]))
       AND (EXISTS (SELECT FROM settlement_input n
                     WHERE n.run = :run AND n.supply_point = o.supply_point AND n.valid && o.valid)
            OR NOT EXISTS (SELECT FROM settlement_omission x WHERE x.run = :run AND x.supply_point = o.supply_point))
""")
_REPLACE_INPUTS = text("UPDATE settlement_input SET replaced_by = :run WHERE id = ANY (CAST(:inputs AS bigint[]))")
_CANCEL = text("""
    UPDATE billing_basis b
       SET state = 'cancelled', cancelled_at = :at, cancelled_by = :by, cancelled_why = :why, replaced_by = :run
     WHERE b.input = ANY (CAST(:inputs AS bigint[])) AND b.original IS NULL AND b.state IN ('new', 'approved')
       AND NOT b.id = ANY (CAST(:fixed AS bigint[]))
    RETURNING b.id
""")
_COUNTS = text("""
    -- a cancelled line with a new one for the same thing and time is replaced, without one removed
    SELECT count(*) FILTER (WHERE side = 'old' AND paired) AS replaced,
           count(*) FILTER (WHERE side = 'old' AND NOT paired) AS removed,
           count(*) FILTER (WHERE side = 'new' AND NOT paired) AS added
      FROM (
        SELECT 'old' AS side, EXISTS (
                 SELECT FROM billing_basis n WHERE n.run = :run AND n.supply_point = o.supply_point
                    AND n.component = o.component AND n.service = o.service AND n.valid && o.valid
                    AND NOT n.id = ANY (CAST(:kept AS bigint[]))) AS paired
          FROM billing_basis o WHERE o.id = ANY (CAST(:cancelled AS bigint[]))
        UNION ALL
        SELECT 'new', EXISTS (
                 SELECT FROM billing_basis o
                  WHERE o.id = ANY (CAST(:cancelled AS bigint[])) AND o.supply_point = n.supply_point
                    AND o.component = n.component AND o.service = n.service AND o.valid && n.valid)
          FROM billing_basis n WHERE n.run = :run AND n.original IS NULL AND NOT n.id = ANY (CAST(:kept AS bigint[]))
      ) lines
""")
_OMITTED = text("""
    SELECT sp.ean, x.component, x.day, x.reason
      FROM settlement_omission x JOIN supply_point sp ON sp.id = x.supply_point WHERE x.run = :run ORDER BY sp.ean
""")
_HELD = text("SELECT EXISTS (SELECT FROM settlement_input WHERE run = :run)")
_MOVE_NEGATIVE = text("""
    -- the negative settlement of an annual run that was replaced goes on under the new one
    UPDATE billing_basis b
       SET run = :run, state = 'new', earlier_runs = b.earlier_runs || b.run
      FROM settlement_input o
     WHERE o.id = ANY (CAST(:inputs AS bigint[])) AND b.run = o.run AND b.supply_point = o.supply_point
       AND b.statement_type = :negative AND b.state IN ('new', 'approved')
    RETURNING b.id
""")


_BILLED = "Podklady jsou vyfakturovány; co se změnilo, patří do opravy."


@dataclass(frozen=True, slots=True)
class Released:
    """What stands and may be replaced: inputs, those of them that were approved, and what is left alone and why.

    `standing` are the approved inputs of the time, released or left alone. `fixed` are lines of `inputs` that stay as
    they are, `partly` the inputs that have some.
    """

    inputs: tuple[int, ...]
    approved: frozenset[int]
    standing: tuple[int, ...]
    fixed: tuple[int, ...]
    partly: tuple[int, ...]
    left_out: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """What an update did to the lines: `run` is None where nothing had changed."""

    run: int | None
    kept: int
    replaced: int
    added: int
    removed: int
    left_out: tuple[dict[str, Any], ...]


def release(
    connection: Connection,
    points: Sequence[int],
    kind: int,
    first: date,
    end: date,
    contracts: Sequence[int] | None = None,
) -> Released:
    """Lock what stands of these points on the days [first, end) for a statement type, and open them for a new run.

    Under `contracts` alone, where they are given: what stands under others is not settled by a run of these.

    An input whose lines are all invoiced or followed by others, and one settled over other days that only overlap
    these, is left alone.
    """
    take_turn(connection)
    asked: dict[str, Any] = {"points": int_array(points), "type": kind, "first": first, "end": end}
    asked["contracts"] = None if contracts is None else list(contracts)
    inputs = connection.execute(_STANDING, asked).all()
    corrective = CORRECTS.get(StatementType(kind))
    looked = {"inputs": int_array(row.id for row in inputs), "cancelling": _CANCELLING, "corrective": corrective}
    lines = connection.execute(_LINES, looked).all()
    invoiced = {row.input for row in lines if row.invoiced}
    fixed = {row.input for row in lines if row.fixed}
    done_with = fixed - {row.input for row in lines if not row.fixed}
    open_ones = [row for row in inputs if row.within and row.id not in done_with]
    approved = [row.id for row in open_ones if row.approved]
    connection.execute(_APPROVED, {"approved": False, "inputs": int_array(approved)})
    left_out = [
        {"ean": row.ean, "reason": _BILLED}
        for row in inputs
        if row.id in invoiced and row.id in done_with and row.approved
    ]
    left_out += [
        {"ean": row.ean, "reason": f"Zúčtování {row.number} zahrnuje i jiné dny; aktualizujte celé jeho období."}
        for row in inputs
        if row.id not in done_with and not row.within and row.approved
    ]
    released = {row.id for row in open_ones}
    return Released(
        inputs=tuple(row.id for row in open_ones),
        approved=frozenset(approved),
        standing=tuple(row.id for row in inputs if row.within and row.approved),
        fixed=tuple(row.id for row in lines if row.fixed and row.input in released),
        partly=tuple(sorted(released & fixed)),
        left_out=tuple(left_out),
    )


def reconcile(
    connection: Connection, run: int, released: Released, why: str, person: Person | str, at: datetime
) -> Updated:
    """Compare the draft `run` with what was released: keep, replace, add, remove; a run that changed nothing goes.

    A point that the run had to leave out keeps its bases as they were. Raises Refused where a new line is billed for a
    part of its days only.
    """
    inputs = int_array(released.inputs)
    fixed = int_array(released.fixed)
    beside = {"run": run, "fixed": fixed, "cancelling": _CANCELLING}
    if over := connection.execute(_REACHES_OVER, beside).all():
        named = ", ".join(f"{row.name} of {row.ean} (run {row.number})" for row in over)
        raise Refused(
            "billed_in_part",
            f"These days cannot be updated together: a part of them is billed already for {named}. Update the days "
            "that are billed in part, and those that are not billed, each by themselves.",
        )
    connection.execute(_FIXED_ALREADY, beside)
    connection.execute(text("DROP TABLE IF EXISTS basis_match"))
    for step in _MATCH:
        connection.execute(step, {"run": run, "inputs": inputs, "fixed": fixed} if step is _MATCH[1] else {})
    compared = {"run": run, "inputs": inputs, "fixed": fixed, "partly": int_array(released.partly)}
    unchanged = connection.execute(_UNCHANGED, compared).all()
    untouched = {row.old for row in unchanged}
    others = int_array([each for each in released.inputs if each not in untouched])
    taken = set(connection.execute(_SUPERSEDED, {"run": run, "inputs": others}).scalars())
    kept = connection.execute(
        text("SELECT old FROM basis_match WHERE NOT old_input = ANY (CAST(:unchanged AS bigint[]))"),
        {"unchanged": int_array(sorted(untouched))},
    )
    kept_ids = list(kept.scalars())
    same = connection.execute(text("SELECT count(*) FROM basis_match")).scalar_one() - len(kept_ids)
    connection.execute(_KEEP, {"unchanged": int_array(sorted(untouched))})
    connection.execute(_DROP_DOUBLES)
    connection.execute(_DROP_INPUTS, {"inputs": int_array([row.new for row in unchanged])})
    gone = {"run": run, "inputs": int_array(sorted(taken))}
    by = {"at": at, "by": name_of(person), "why": why}
    cancelled = list(connection.execute(_CANCEL, {**gone, **by, "fixed": fixed}).scalars())
    moved = connection.execute(_MOVE_NEGATIVE, {**gone, "negative": int(StatementType.NEGATIVE_SETTLEMENT)}).all()
    connection.execute(_REPLACE_INPUTS, gone)
    connection.execute(_APPROVED, {"approved": True, "inputs": int_array(sorted(released.approved - taken))})
    counts = connection.execute(
        _COUNTS, {"run": run, "cancelled": int_array(cancelled), "kept": int_array(kept_ids)}
    ).one()
    omitted = [dict(row._mapping) for row in connection.execute(_OMITTED, {"run": run})]
    changed = connection.execute(_HELD, {"run": run}).scalar_one()
    done = Updated(
        run=run if changed else None,
        kept=same + len(kept_ids) + len(moved),
        replaced=counts.replaced,
        added=counts.added,
        removed=counts.removed,
        left_out=(*released.left_out, *omitted),
    )
    if changed:
        pin_beside(connection, run)  # what was kept stands beside the draft now
    else:
        _forget(connection, run, replaced=bool(taken))
    details = {"kept": done.kept, "replaced": done.replaced, "added": done.added, "removed": done.removed}
    subject = f"settlement_run/{run}" if changed else "billing_basis"
    audit.record(connection, person, "bases.update", subject, details, at, why=why)
    tell_cancelled(connection, cancelled, why, person, at, run=done.run)
    return done


def _forget(connection: Connection, run: int, *, replaced: bool) -> None:
    """Take away a draft that holds nothing: an update that changes nothing leaves nothing behind.

    One that only took old drafts or points away stays as discarded: what it replaced names it.
    """
    if replaced:
        emptied = update(settlement_run).where(settlement_run.c.id == run).values(state="discarded")
        connection.execute(emptied)
        return
    connection.execute(delete(settlement_omission).where(settlement_omission.c.run == run))
    connection.execute(delete(settlement_run).where(settlement_run.c.id == run))
