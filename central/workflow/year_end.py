"""Year-end: annual statements, accruals for the accounting close, and their cancelling, contract by contract.

A piece of year-end work is planned once a year and kind; then it is carried on in steps, as many contracts at a time as
the caller wants to hold in one transaction. A contract is done whole or not at all: what fails is kept with its reason
and may be tried again, the others go on. Planning again adds what is new, and what was billed and cancelled since.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from sqlalchemy import Connection, Row, TextClause, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from central.invoicing.issue import issue_invoices
from central.invoicing.tables import year_end, year_end_contract, year_end_run
from central.platform import audit
from central.platform.errors import DomainError, NotFound, Refused
from central.platform.identity import Person
from central.registry.contracts import require_contract
from central.settlement.calendar_rows import CalendarRow, require_rows
from central.settlement.cancelling import cancel_accruals
from central.settlement.runs import approve_run
from central.settlement.statements import CANCELS, StatementType
from central.workflow.advances import accept, propose
from central.workflow.update_bases import UpdateDone, accrue, update_rows
from shared.clock import Clock

MOST_CONTRACTS = 50
"""Contracts carried on in one transaction at most."""
REFUSED_BY_DATABASE = (DataError, IntegrityError, psycopg.DataError, psycopg.IntegrityError)
"""A value beyond what can be stored, or what must not be twice, from statements and from COPY: the fault of one
contract, which holds up no others."""
SETTLING = (StatementType.FINAL_SETTLEMENT, StatementType.CORRECTS_SETTLEMENT)
"""Lines of these types settle their time for good."""

PLANS: Mapping[str, TextClause] = {
    "annual": text("""
        -- contracts whose calendar has an annual statement in a row that ends within the year
        INSERT INTO year_end_contract (year_end, contract, state)
        SELECT DISTINCT CAST(:id AS bigint), pc.contract, 'waiting' FROM payment_calendar pc
         WHERE pc.annual_due AND upper(pc.period) > :first AND upper(pc.period) <= :end
            ON CONFLICT DO NOTHING
    """),
    "accrual": text("""
        -- contracts of network services and of supply that hold in the year: what is invoiced by then is not accrued
        INSERT INTO year_end_contract (year_end, contract, state)
        SELECT CAST(:id AS bigint), c.id, 'waiting' FROM contract c
         WHERE (contract_services(c.kind) @> 1 OR c.kind = 'supply') AND c.valid && daterange(:first, :end)
           AND EXISTS (SELECT FROM contract_item ci WHERE ci.contract = c.id AND ci.valid && daterange(:first, :end))
            ON CONFLICT DO NOTHING
    """),
    "accrual_cancel": text("""
        -- contracts for which something was accrued
        INSERT INTO year_end_contract (year_end, contract, state)
        SELECT CAST(:id AS bigint), done.contract, 'waiting' FROM year_end_contract done
          JOIN year_end y ON y.id = done.year_end
         WHERE y.kind = 'accrual' AND y.year = extract(year FROM CAST(:first AS date))
           AND EXISTS (SELECT FROM year_end_run made WHERE made.year_end = y.id AND made.contract = done.contract)
            ON CONFLICT DO NOTHING
    """),
}
"""What is planned, by kind of the work; what is planned already stays as it is."""

BILLED_NO_MORE = text("""
    -- done contracts with a run of which every document was cancelled wait again; the run is forgotten
    WITH gone AS (
        SELECT made.contract, made.run
          FROM year_end_run made
          JOIN billing_basis b ON b.run = made.run AND b.contract = made.contract
          JOIN invoice_line l ON l.basis = b.id
          JOIN invoice i ON i.id = l.invoice
         WHERE made.year_end = :id
         GROUP BY made.contract, made.run HAVING bool_and(i.state = 'cancelled')
    ), forgotten AS (
        DELETE FROM year_end_run made USING gone
         WHERE made.year_end = :id AND made.contract = gone.contract AND made.run = gone.run
    )
    UPDATE year_end_contract done SET state = 'waiting', reason = NULL, done_at = NULL
     WHERE done.year_end = :id AND done.state = 'done' AND done.contract IN (SELECT contract FROM gone)
""")

ANNUAL_ROWS = text("""
    -- the rows of a contract's calendar in which its annual statement of the year is due
    SELECT id FROM payment_calendar
     WHERE contract = :contract AND annual_due AND upper(period) > :first AND upper(period) <= :end
     ORDER BY lower(period)
""")

SETTLED = text("""
    -- documents that have settled the days of a contract before a day for good: a final bill, or an annual one made by
    -- hand; what a later statement settles says nothing of them. Each with a point whose last day it settles
    SELECT DISTINCT i.number, sp.ean
      FROM billing_basis b
      JOIN supply_point sp ON sp.id = b.supply_point
      JOIN invoice_line l ON l.basis = b.id
      JOIN invoice i ON i.id = l.invoice
     WHERE b.contract = :contract AND b.state = 'invoiced' AND b.statement_type = ANY (CAST(:types AS integer[]))
       AND (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date < :until
       AND (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date >= :until
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (CAST(:cancelling AS integer[])))
     ORDER BY i.number, sp.ean
""")

HELD = text("""
    -- points that a contract of network services or supply has on the last day before a day
    SELECT DISTINCT sp.ean FROM contract_item ci JOIN supply_point sp ON sp.id = ci.supply_point
     WHERE ci.contract = :contract AND ci.valid @> CAST(:until AS date) - 1
       AND (contract_services(ci.kind) @> 1 OR ci.kind = 'supply')
""")

ACCRUED = text("""
    SELECT made.run FROM year_end_run made JOIN year_end y ON y.id = made.year_end
     WHERE y.kind = 'accrual' AND y.year = :year AND made.contract = :contract ORDER BY made.run
""")

LEFT_ACCRUED = text("""
    -- runs of which an accrual is not cancelled yet
    SELECT DISTINCT b.run FROM billing_basis b
     WHERE b.run = ANY (CAST(:runs AS bigint[])) AND b.state IN ('approved', 'invoiced') AND b.statement_type <> 16
       AND NOT EXISTS (SELECT FROM billing_basis c
                        WHERE c.original = b.id AND c.statement_type = 16 AND c.state <> 'cancelled')
     ORDER BY b.run
""")

OMITTED = text("""
    SELECT sp.ean, so.reason FROM settlement_omission so JOIN supply_point sp ON sp.id = so.supply_point
     WHERE so.run = :run ORDER BY sp.ean
""")

NEXT = text("""
    -- the next contracts by number; two callers never take the same
    SELECT done.contract, c.number FROM year_end_contract done JOIN contract c ON c.id = done.contract
     WHERE done.year_end = :id AND done.state = ANY (:states)
     ORDER BY c.number LIMIT :limit FOR UPDATE OF done SKIP LOCKED
""")

UNFINISHED = text("""
    SELECT count(done.contract) FILTER (WHERE done.state <> 'done') AS contracts FROM year_end y
      LEFT JOIN year_end_contract done ON done.year_end = y.id
     WHERE y.year = :year AND y.kind = :kind GROUP BY y.id
""")

LISTING = text("""
    -- contracts of a piece of year-end work with all that was made for each
    SELECT c.number AS contract, payer.code AS payer_code, payer.name AS payer_name, done.state, done.reason,
           runs.told AS runs, made.since, made.until, made.bases, made.net, made.vat
      FROM year_end_contract done
      JOIN year_end y ON y.id = done.year_end
      JOIN contract c ON c.id = done.contract
      JOIN party payer ON payer.id = c.payer
     CROSS JOIN LATERAL (
           SELECT coalesce(jsonb_agg(jsonb_build_object('id', r.id, 'number', r.number) ORDER BY r.id), '[]') AS told,
                  coalesce(array_agg(r.id), '{}') AS ids
             FROM year_end_run of JOIN settlement_run r ON r.id = of.run
            WHERE of.year_end = y.id AND of.contract = done.contract) runs
      LEFT JOIN LATERAL (
           SELECT count(*) AS bases, coalesce(sum(b.amount), 0)::numeric(14, 2) AS net,
                  CASE y.kind WHEN 'annual' THEN (
                       SELECT sum(i.vat) FROM invoice i WHERE i.id IN (
                              SELECT l.invoice FROM invoice_line l JOIN billing_basis of ON of.id = l.basis
                               WHERE of.run = ANY (runs.ids)))
                  ELSE coalesce(sum(b.amount * b.vat_percent / 100), 0)::numeric(14, 2) END AS vat,
                  min((lower(b.valid) AT TIME ZONE 'Europe/Prague')::date) AS since,
                  max((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date) AS until
             FROM billing_basis b LEFT JOIN billing_basis o ON o.id = b.original
            WHERE b.state <> 'cancelled' AND b.contract = done.contract
              AND CASE WHEN y.kind = 'accrual_cancel' THEN b.statement_type = 16 AND o.run = ANY (runs.ids)
                       ELSE b.run = ANY (runs.ids) AND b.statement_type <> 16 END) made ON runs.ids <> '{}'
     WHERE done.year_end = :id AND (CAST(:state AS text) IS NULL OR done.state = :state)
     ORDER BY c.number LIMIT :limit OFFSET :offset
""")


@dataclass(frozen=True, slots=True)
class Work:
    """One contract of a piece of year-end work."""

    contract: int
    number: str
    year: int

    @property
    def first(self) -> date:
        return date(self.year, 1, 1)

    @property
    def end(self) -> date:
        """The first day after the year."""
        return date(self.year + 1, 1, 1)


@dataclass(frozen=True, slots=True)
class SettledFor:
    """What settles a row of a contract for good already: documents, the points, and whether these are all of them."""

    documents: frozenset[str]
    points: frozenset[str]
    whole: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What was made for a contract: its runs (none: there was nothing to do), and what is worth a remark."""

    runs: Sequence[int] = ()
    remark: str | None = None


def plan_year_end(connection: Connection, year: int, kind: str, why: str, person: Person, now: datetime) -> int:
    """Plan the work of a year and kind, or add the contracts that are new to it or were cancelled since; its id.

    Refused where accruals would be made before the year's annual statements are finished, or cancelled before any was.
    """
    _require_order(connection, year, kind)
    planned = insert(year_end).values(year=year, kind=kind, made_at=now, made_by=person.name)
    connection.execute(planned.on_conflict_do_nothing())
    identifier: int = connection.execute(
        select(year_end.c.id).where(year_end.c.year == year, year_end.c.kind == kind)
    ).scalar_one()
    added = connection.execute(
        PLANS[kind],
        {"id": identifier, "first": date(year, 1, 1), "end": date(year + 1, 1, 1)},
    ).rowcount
    added += connection.execute(BILLED_NO_MORE, {"id": identifier}).rowcount
    details = {"year": year, "kind": kind, "added": added}
    audit.record(connection, person, "year_end.plan", f"year_end/{identifier}", details, now, why=why)
    return identifier


def carry_on(
    connection: Connection, identifier: int, limit: int, clock: Clock, person: Person, *, again: bool = False
) -> dict[str, int]:
    """Do the next `limit` contracts by number, each whole or not at all; how many were done, failed, and still wait.

    `again` takes those that failed once more.
    """
    work = require_year_end(connection, identifier)
    states = ["waiting", "failed"] if again else ["waiting"]
    taken = connection.execute(NEXT, {"id": identifier, "states": states, "limit": limit}).all()
    counts = {"done": 0, "failed": 0}
    for row in taken:
        each = Work(row.contract, row.number, work.year)
        try:
            with connection.begin_nested():
                made = ACTS[work.kind](connection, each, clock, person)
        except (DomainError, *REFUSED_BY_DATABASE) as error:
            _write(connection, identifier, each.contract, "failed", Done(remark=_reason_of(error)), clock.now())
            counts["failed"] += 1
        else:
            _write(connection, identifier, each.contract, "done", made, clock.now())
            counts["done"] += 1
    audit.record(connection, person, "year_end.carry_on", f"year_end/{identifier}", {**counts}, clock.now())
    waiting = text("SELECT count(*) FROM year_end_contract WHERE year_end = :id AND state = 'waiting'")
    return {**counts, "waiting": connection.execute(waiting, {"id": identifier}).scalar_one()}


def _reason_of(error: Exception) -> str:
    if isinstance(error, DomainError):
        return error.message
    refused = error.orig if isinstance(error, DBAPIError) else error
    told = getattr(getattr(refused, "diag", None), "message_primary", None) or str(refused)
    return f"The database refused what was made for the contract: {told}."


def require_year_end(connection: Connection, identifier: int) -> Row[Any]:
    """The row of a piece of year-end work, or NotFound."""
    row = connection.execute(select(year_end).where(year_end.c.id == identifier)).one_or_none()
    if row is None:
        raise NotFound("year_end_not_found", f"There is no year-end work {identifier}; see GET /v1/year-ends.")
    return row


def _require_order(connection: Connection, year: int, kind: str) -> None:
    if kind == "accrual":
        annual = connection.execute(UNFINISHED, {"year": year, "kind": "annual"}).one_or_none()
        if annual is not None and annual.contracts:
            raise Refused(
                "annual_unfinished",
                f"{annual.contracts} contracts still lack their annual statement of {year}; finish these before the "
                "rest is accrued, or it would be accrued and billed.",
            )
    if kind == "accrual_cancel" and connection.execute(UNFINISHED, {"year": year, "kind": "accrual"}).first() is None:
        raise Refused("nothing_accrued", f"Nothing was accrued for {year}, so nothing can be cancelled.")


def _write(connection: Connection, identifier: int, contract: int, state: str, done: Done, at: datetime) -> None:
    connection.execute(
        update(year_end_contract)
        .where(year_end_contract.c.year_end == identifier, year_end_contract.c.contract == contract)
        .values(state=state, reason=done.remark, done_at=at)
    )
    if done.runs:
        made = [{"year_end": identifier, "contract": contract, "run": run} for run in done.runs]
        connection.execute(insert(year_end_run).on_conflict_do_nothing(), made)


def _annual(connection: Connection, work: Work, clock: Clock, person: Person) -> Done:
    """Final and negative settlement, the invoice with its deductions, and the advances of the next twelve months."""
    asked = {"contract": work.contract, "first": work.first, "end": work.end}
    rows = require_rows(connection, connection.execute(ANNUAL_ROWS, asked).scalars().all())
    if not rows:
        raise Refused(
            "no_annual_row", f"The calendar of contract {work.number} has no annual statement in {work.year}."
        )
    settled = {row.id: _settled(connection, row) for row in rows}
    runs: list[int] = []
    for row in rows:
        before = settled[row.id]
        if not before.whole:
            # one after another: what is of a month is evaluated beside what the statement before it has settled
            updates, _ = update_rows(connection, [row], _why(work), clock, person)
            runs += _approved(connection, work, updates, clock, person, before.points)
    for run in runs:
        issue_invoices(connection, run, person, clock.now(), "payer")
    last = rows[-1]
    documents = sorted({number for before in settled.values() for number in before.documents})
    remark = f"Vyúčtováno dokladem {', '.join(documents)}." if documents else None
    if last.until is None or last.until > last.end:
        remark = _next_calendar(connection, work, last.end, clock, person) or remark
    return Done(runs, remark)


def _settled(connection: Connection, row: CalendarRow) -> SettledFor:
    """What has settled the row's contract until its end, point by point."""
    asked = {
        "contract": row.contract,
        "until": row.end if row.until is None else min(row.end, row.until),
        "types": [int(kind) for kind in SETTLING],
        "cancelling": sorted({int(kind) for kind in CANCELS.values()}),
    }
    found = connection.execute(SETTLED, asked).all()
    points = frozenset(each.ean for each in found)
    held = set(connection.execute(HELD, asked).scalars())
    return SettledFor(frozenset(each.number for each in found), points, bool(points) and held <= points)


def _next_calendar(connection: Connection, work: Work, start: date, clock: Clock, person: Person) -> str | None:
    """Put the predicted advances into the next calendar; where nothing can be predicted, why not."""
    contract = require_contract(connection, work.number, lock=True)
    try:
        with connection.begin_nested():
            proposal = propose(connection, contract, start)
            digest = proposal.document()["digest"]
            accept(connection, contract, proposal, digest, _why(work), person, clock.now())
    except DomainError as error:
        return None if error.code == "no_advances" else error.message
    return None


def _accrual(connection: Connection, work: Work, clock: Clock, person: Person) -> Done:
    """Accrual bases of what is not invoiced at the year's end; they are approved and never invoiced."""
    try:
        updates = accrue(connection, work.end, [work.contract], _why(work), clock, person)
    except Refused as refused:
        if refused.code != "nothing_to_accrue":
            raise
        return Done()
    runs = _approved(connection, work, updates, clock, person)
    return Done(runs)


def _accrual_cancel(connection: Connection, work: Work, clock: Clock, person: Person) -> Done:
    """The opposite of all that was accrued; what a person has cancelled before is left."""
    asked = {"year": work.year, "contract": work.contract}
    runs = connection.execute(ACCRUED, asked).scalars().all()
    left = connection.execute(LEFT_ACCRUED, {"runs": list(runs)}).scalars().all()
    for run in left or runs:
        cancel_accruals(connection, run, _why(work), person, clock.now())
    return Done(runs)


def _approved(
    connection: Connection,
    work: Work,
    updates: Sequence[UpdateDone],
    clock: Clock,
    person: Person,
    settled: Collection[str] = (),
) -> list[int]:
    """Approve the runs of a contract's updates, and name them. Refused where a point that is not `settled` (EANs)
    already was left out."""
    left_out = [each for done in updates for each in done.updated.left_out if each["ean"] not in settled]
    if left_out:
        named = "; ".join(f"{each['ean']}: {each['reason']}" for each in left_out[:5])
        raise Refused("left_out", f"Contract {work.number} cannot be settled whole for {work.year}: {named}")
    runs = [done.updated.run for done in updates if done.updated.run is not None]
    for run in runs:
        omitted = [row for row in connection.execute(OMITTED, {"run": run}) if row.ean not in settled][:5]
        if omitted:
            named = "; ".join(f"{row.ean}: {row.reason}" for row in omitted)
            raise Refused("left_out", f"Contract {work.number} cannot be settled whole for {work.year}: {named}")
        approve_run(connection, run, person, clock.now())
    return runs


def _why(work: Work) -> str:
    return f"roční uzávěrka {work.year}"


ACTS: Mapping[str, Callable[[Connection, Work, Clock, Person], Done]] = {
    "annual": _annual,
    "accrual": _accrual,
    "accrual_cancel": _accrual_cancel,
}
"""What is done for a contract, by kind of the work."""
