"""The list of corrections (K opravě): what was found is kept, and stays open until it is ordered, dismissed or gone."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.settlement.corrections import Difference
from central.settlement.living_lines import FAMILIES, Group
from central.settlement.statements import CANCELS

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
    -- a corrective line names the first of the lines that it stands in the place of, those of its payer before others'
    UPDATE billing_basis n SET original = pair.original
      FROM (SELECT n.id, (array_agg(o.id ORDER BY o.payer <> n.payer OR o.seller <> n.seller, o.id))[1] AS original
              FROM billing_basis n
              JOIN billing_basis o ON o.id = ANY (CAST(:changed AS bigint[])) AND o.contract_item = n.contract_item
                                  AND o.service = n.service AND o.component = n.component
             WHERE n.run = :run AND n.original IS NULL GROUP BY n.id) pair
     WHERE n.id = pair.id
""")
_NEXT_ORIGINALS = text("""
    -- one of a component that is not billed names a line of its item and time, so that its document is known: the first
    -- that stands, or where none does the last that did
    UPDATE billing_basis n SET original = pair.original
      FROM (SELECT n.id, coalesce(min(o.id) FILTER (WHERE NOT EXISTS (
                       SELECT FROM billing_basis c WHERE c.original = o.id AND c.state <> 'cancelled'
                          AND c.statement_type = ANY (CAST(:cancelling AS integer[])))), max(o.id)) AS original
              FROM billing_basis n
              JOIN billing_basis o ON o.contract_item = n.contract_item AND o.state = 'invoiced' AND o.valid && n.valid
                                  AND o.payer = n.payer AND o.statement_type = ANY (CAST(:types AS integer[]))
             WHERE n.run = :run AND n.original IS NULL GROUP BY n.id) pair
     WHERE n.id = pair.id
""")


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
    asked = {"types": [int(kind) for kind in FAMILIES[root]], "cancelling": [int(kind) for kind in CANCELS.values()]}
    connection.execute(_NEXT_ORIGINALS, {"run": run, **asked})
