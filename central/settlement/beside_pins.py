"""A draft pins what it counted as settled beside it; it is approved only while just that is settled.

A month's maximum is billed once: a draft that did not know of another part of its month would bill it twice, and one
that left to another part what was taken back since would bill it never. Only a tenure that does not fill its months has
anything beside it, and only where something is evaluated by the month (`Settled.part_of_month`).
"""

from typing import Any, Final

from sqlalchemy import Connection, Row, text

from central.platform.arrays import int_array
from central.platform.errors import Refused
from central.settlement.beside import counted

_BESIDE: Final = """
    -- of the tenures of a run that pin it: what is settled of the rest of their months, and what is billed of it
    WITH part AS (
        SELECT i.id, i.supply_point, i.statement_type, i.valid, i.beside,
               -- from 07:00: a gas day of the month before ends at 06:00
               tstzrange((date_trunc('month', lower(i.valid) AT TIME ZONE 'Europe/Prague') + interval '7 hours')
                         AT TIME ZONE 'Europe/Prague',
                         (date_trunc('month', (upper(i.valid) AT TIME ZONE 'Europe/Prague') - interval '7 hours')
                          + interval '1 month') AT TIME ZONE 'Europe/Prague') AS months
          FROM settlement_input i
         WHERE i.run = :run AND i.replaced_by IS NULL AND i.statement_type = :kind
           AND i.beside IS NOT NULL
    ), found AS (
        SELECT part.*, jsonb_build_object(
            'inputs', (SELECT coalesce(jsonb_agg(o.id ORDER BY o.id), '[]')
                         FROM settlement_input o
                         JOIN contract_item item ON item.id = o.contract_item AND item.kind <> 'supply'
                        WHERE o.supply_point = part.supply_point AND o.approved AND o.run <> :run
                          AND o.statement_type = ANY (CAST(:inputs AS integer[]))
                          AND o.valid && part.months AND NOT o.valid && part.valid),
            'lines', (SELECT coalesce(jsonb_agg(b.id ORDER BY b.id), '[]')
                        FROM billing_basis b
                       WHERE b.supply_point = part.supply_point AND b.state IN ('approved', 'invoiced')
                         AND b.run IS DISTINCT FROM :run AND b.service IN ('distribution', 'purchase')
                         AND b.statement_type = ANY (CAST(:lines AS integer[]))
                         AND b.valid && part.months AND NOT b.valid && part.valid)) AS now
          FROM part
    )
"""
_KINDS: Final = text("SELECT DISTINCT statement_type FROM settlement_input WHERE run = :run AND beside IS NOT NULL")
_PINNED: Final = "{beside} UPDATE settlement_input i SET beside = found.now FROM found WHERE i.id = found.id"
_PIN: Final = text(_PINNED.format(beside=_BESIDE))
_OTHERWISE: Final = """
    {beside}
    SELECT sp.ean,
           (SELECT string_agg(DISTINCT r.number, ', ' ORDER BY r.number)
              FROM settlement_input o JOIN settlement_run r ON r.id = o.run
             WHERE o.supply_point = found.supply_point AND to_jsonb(o.id) <@ (found.now -> 'inputs')
               AND NOT to_jsonb(o.id) <@ coalesce(found.beside -> 'inputs', '[]')) AS came
      FROM found
      JOIN supply_point sp ON sp.id = found.supply_point
     WHERE found.beside <> found.now
     ORDER BY sp.ean LIMIT 5
"""
_CHANGED: Final = text(_OTHERWISE.format(beside=_BESIDE))


def pin_beside(connection: Connection, run: int) -> None:
    """Keep with a draft what is settled beside it now; decisions must be held since before it was read."""
    for asked in _asked(connection, run):
        connection.execute(_PIN, asked)


def refuse_changed_beside(connection: Connection, run: int, number: str) -> None:
    """Refused where something else is settled or billed of the rest of the months than what the draft counted."""
    changed: list[Row[Any]] = []
    for asked in _asked(connection, run):
        changed += connection.execute(_CHANGED, asked).all()
    if changed:
        named = ", ".join(
            f"{row.ean} ({f'run {row.came}' if row.came else 'something was taken back or billed'})" for row in changed
        )
        raise Refused(
            "month_settled_meanwhile",
            f"Run {number} cannot be approved: what is settled of other parts of the month has changed since it was "
            f"made: {named}. The month's maximum and over-run are evaluated once; make a new run, which takes that "
            "into account.",
        )


def _asked(connection: Connection, run: int) -> list[dict[str, Any]]:
    asked = []
    for kind in connection.execute(_KINDS, {"run": run}).scalars():
        inputs, lines = counted(kind)
        asked.append(
            {"run": run, "kind": kind, "inputs": int_array(map(int, inputs)), "lines": int_array(map(int, lines))}
        )
    return asked
