"""What bases, rows of the payment calendar and objects show: the worst of what checks found, kept and recomputed.

Recomputed on updating bases, a run of any kind, cancelling or restoring an error, deleting a basis, and setting a
period active for checks; not on making a basis by hand, nor on setting a period inactive.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, text

from central.checks.frame import Numbers, read_frame
from central.checks.verdict import GROUPS
from central.platform.arrays import int_array
from central.platform.copy_binary import HEADER, TRAILER, Column, pack_rows
from central.readings.rows import driver

LOCK: Final = 0x727A760055

_WORD: Final = 8
"""Results travel as whole numbers of eight octets."""
_NEWEST = "SELECT v.basis, {words} FROM basis_verdict v WHERE v.basis = ANY (%(bases)s::bigint[])"
_COPY: Final = "COPY basis_verdict (basis, run, result, results) FROM STDIN (FORMAT binary)"
_STORE = text("""
    -- in the order of bases, so that two writers lock alike; a cancelled error stays what it is
    INSERT INTO basis_verdict AS v (basis, run, result, results)
    SELECT n.basis, :run, n.result, n.results
      FROM unnest(CAST(:bases AS bigint[]), CAST(:worst AS smallint[]), CAST(:results AS bytea[]))
           AS n (basis, result, results)
     ORDER BY n.basis
    ON CONFLICT (basis) DO UPDATE SET run = excluded.run, result = excluded.result, results = excluded.results
     WHERE v.cancelled_at IS NULL
""")
_ROW_FINDINGS = text("""
    -- the newest results about rows without a basis; a cancelled error stays what it is
    INSERT INTO row_finding (calendar_row, check_number, statement_group, run, result)
    SELECT n.calendar_row, :number, CAST(:group AS text), :run, n.result
      FROM unnest(CAST(:rows AS bigint[]), CAST(:results AS smallint[])) AS n (calendar_row, result)
     ORDER BY n.calendar_row
    ON CONFLICT (calendar_row, check_number, statement_group) DO NOTHING
""")
_FORGET_ROWS = text("""
    DELETE FROM row_finding
     WHERE check_number = ANY (:numbers) AND statement_group = ANY (:groups)
       AND calendar_row = ANY (CAST(:rows AS bigint[])) AND cancelled_at IS NULL
""")
_ROWS = text("""
    -- three columns of each row: the worst over its living bases of each group and over what is said without a basis
    INSERT INTO row_verdict AS s (calendar_row, regular, accrual, annual)
    SELECT w.calendar_row, coalesce(max(w.result) FILTER (WHERE w.grp = 'regular'), 0),
           coalesce(max(w.result) FILTER (WHERE w.grp = 'accrual'), 0),
           coalesce(max(w.result) FILTER (WHERE w.grp = 'annual'), 0)
      FROM (SELECT r.id AS calendar_row, g.grp, v.result
              FROM payment_calendar r
              LEFT JOIN (billing_basis b
                         JOIN basis_verdict v ON v.basis = b.id
                         JOIN unnest(CAST(:types AS integer[]), CAST(:groups AS text[])) AS g (type, grp)
                           ON g.type = b.statement_type)
                ON b.contract = r.contract AND b.state <> 'cancelled'
               AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
             WHERE r.id = ANY (CAST(:rows AS bigint[]))
            UNION ALL
            SELECT f.calendar_row, f.statement_group, f.result FROM row_finding f
             WHERE f.calendar_row = ANY (CAST(:rows AS bigint[]))) w
     GROUP BY w.calendar_row
     ORDER BY w.calendar_row
    ON CONFLICT (calendar_row) DO UPDATE
       SET regular = excluded.regular, accrual = excluded.accrual, annual = excluded.annual
     WHERE (s.regular, s.accrual, s.annual) <> (excluded.regular, excluded.accrual, excluded.annual)
""")
_OBJECTS = text("""
    -- each object by the regular bases of its EANs that end in the latest month active for checks, over all contracts
    WITH period AS MATERIALIZED (
        SELECT month, (month::timestamp AT TIME ZONE 'Europe/Prague') AS since,
               ((month + interval '1 month')::timestamp AT TIME ZONE 'Europe/Prague') AS until
          FROM processing_period WHERE active_for_checks ORDER BY month DESC LIMIT 1
    )
    INSERT INTO object_verdict AS s (object, month, result)
    SELECT p.object, period.month, coalesce(max(v.result), 0)
      FROM period CROSS JOIN supply_point p
      LEFT JOIN (billing_basis b JOIN basis_verdict v ON v.basis = b.id)
        ON b.supply_point = p.id AND b.state <> 'cancelled' AND b.statement_type = ANY (:regular)
       AND upper(b.valid) > period.since
       AND date_trunc('month', (upper(b.valid) AT TIME ZONE 'Europe/Prague') - interval '1 day') = period.month
     WHERE p.object <> '' AND (CAST(:objects AS text[]) IS NULL OR p.object = ANY (CAST(:objects AS text[])))
     GROUP BY p.object, period.month
     ORDER BY p.object
    ON CONFLICT (object) DO UPDATE SET month = excluded.month, result = excluded.result
     WHERE (s.month, s.result) <> (excluded.month, excluded.result)
""")
_PLACES = text("""
    -- the rows and objects that show bases
    SELECT array_agg(DISTINCT r.id) FILTER (WHERE r.id IS NOT NULL) AS rows, array_agg(DISTINCT p.object) AS objects
      FROM billing_basis b
      JOIN supply_point p ON p.id = b.supply_point
      LEFT JOIN payment_calendar r ON r.contract = b.contract
       AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
     WHERE b.id = ANY (CAST(:bases AS bigint[]))
""")
_OBJECTS_OF = text("""
    SELECT array_agg(DISTINCT object) FROM supply_point WHERE id = ANY (CAST(:points AS bigint[]))
""")


def take_turn(connection: Connection) -> None:
    """One run at a time until the end of the transaction: two would overwrite each other's results of a basis."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def store_results(
    connection: Connection, run: int, bases: Numbers, found: Mapping[int, NDArray[np.int8]], slots: int
) -> None:
    """Put results into the slots of checks (slot -> a result for each basis; below 0: it did not look at it)."""
    width = -(-slots // _WORD) * _WORD
    known, before = _before(connection, bases, width)
    after = before.copy()
    for slot, results in found.items():
        looked = results >= 0
        after[looked, slot] = results[looked]
    new = np.flatnonzero(~known)
    if len(new):
        _copy_in(connection, run, bases[new], after[new, :slots])
    changed = np.flatnonzero(known & (after != before).any(axis=1))
    if len(changed):
        rows = after[changed, :slots]
        connection.execute(
            _STORE,
            {
                "run": run,
                "bases": int_array(bases[changed]),
                "worst": int_array(rows.max(axis=1)),
                "results": _octets(rows),
            },
        )


def store_row_findings(
    connection: Connection, run: int, number: int, group: str, rows: Numbers, results: NDArray[np.int8]
) -> None:
    """The worst of a check's findings about each row without a basis; `forget_rows` has taken the earlier ones away."""
    order = np.lexsort((results, rows))
    last = np.flatnonzero(np.concatenate((rows[order][1:] != rows[order][:-1], [True])))
    chosen = order[last]
    connection.execute(
        _ROW_FINDINGS,
        {
            "run": run,
            "number": number,
            "group": group,
            "rows": int_array(rows[chosen]),
            "results": int_array(results[chosen]),
        },
    )


def forget_rows(connection: Connection, numbers: Sequence[int], groups: Sequence[str], rows: Numbers) -> None:
    """Take away what these checks said about rows without a basis, as far as it concerns these groups."""
    given = {"numbers": list(numbers), "groups": list(groups), "rows": int_array(rows)}
    connection.execute(_FORGET_ROWS, given)


def refresh(connection: Connection, bases: Sequence[int]) -> None:
    """What the rows and objects of these bases show."""
    places = connection.execute(_PLACES, {"bases": int_array(bases)}).one()
    refresh_rows(connection, places.rows or [])
    refresh_objects(connection, places.objects or [])


def refresh_rows(connection: Connection, rows: Sequence[int] | Numbers) -> None:
    """The three columns of these rows of the payment calendar."""
    if len(rows):
        pairs = [(kind, group) for group, kinds in GROUPS.items() for kind in sorted(kinds)]
        parameters = {"types": [kind for kind, _ in pairs], "groups": [group for _, group in pairs]}
        connection.execute(_ROWS, {"rows": int_array(rows), **parameters})


def refresh_objects(connection: Connection, objects: Sequence[str] | None) -> None:
    """The column of these objects (None: of all); nothing where no period is active for checks."""
    if objects is None or len(objects):
        given = None if objects is None else list(objects)
        connection.execute(_OBJECTS, {"objects": given, "regular": sorted(GROUPS["regular"])})


def objects_of(connection: Connection, points: Numbers) -> list[str]:
    """The objects of supply points."""
    return connection.execute(_OBJECTS_OF, {"points": int_array(points)}).scalar() or []


def _copy_in(connection: Connection, run: int, bases: Numbers, rows: NDArray[np.uint8]) -> None:
    """The results of bases that show nothing yet: whoever stores some has its turn, so nobody else brings them."""
    order = np.argsort(bases)
    columns = [
        Column("int8", bases[order]),
        Column("int8", np.full(len(bases), run)),
        Column("int2", rows.max(axis=1)[order]),
        Column("bytea", rows[order]),
    ]
    with driver(connection).cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(HEADER + pack_rows(len(bases), columns) + TRAILER)


def _before(connection: Connection, bases: Numbers, width: int) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    """Which bases show something yet, and their results by slot."""
    spread = f"substr(v.results || decode(repeat('00', {width}), 'hex'), {{}}, {_WORD})"
    words = [f"('x' || encode({spread.format(start + 1)}, 'hex'))::bit(64)::bigint AS w{start}"
             for start in range(0, width, _WORD)]  # fmt: skip
    names = ["basis", *(f"w{start}" for start in range(0, width, _WORD))]
    found = read_frame(connection, _NEWEST.format(words=", ".join(words)), names, {"bases": int_array(bases)})
    results = np.zeros((len(bases), width), dtype=np.uint8)
    known = np.zeros(len(bases), dtype=np.bool_)
    if len(found):
        order = np.argsort(bases)
        places = order[np.searchsorted(bases[order], found["basis"])]
        known[places] = True
        columns = np.stack([found[name] for name in names[1:]], axis=1).astype(">i8")
        results[places] = np.ascontiguousarray(columns).view(np.uint8).reshape(len(found), width)
    return known, results


def _octets(rows: NDArray[np.uint8]) -> str:
    """Rows of octets as an array literal of bytea."""
    spelled = np.ascontiguousarray(rows).tobytes().hex()
    size = rows.shape[1] * 2
    return "{" + ",".join(f'"\\\\x{spelled[at : at + size]}"' for at in range(0, len(spelled), size)) + "}"
