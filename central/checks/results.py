"""Look at what checks found: results of a run, the process log, what a basis or a calendar row was told."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
from sqlalchemy import Connection, Row, select, text

from central.checks.blocks import Finding, spell, unpack
from central.checks.frame import Numbers
from central.checks.framework import Subject, Text
from central.checks.tables import check_block, check_message, check_run
from central.checks.texts import read_texts
from central.checks.verdict import GROUPS, Result
from central.platform.arrays import int_array
from central.platform.errors import NotFound

SUPPLY_POINT: Final = "supply_point"
"""The kind of link by which a finding about a row names the point that it is about."""

_ABOUT_BASES = text("""
    SELECT b.id, b.rate, b.name, b.state, p.ean, v.result AS verdict, v.cancelled_by, v.cancelled_at
      FROM billing_basis b
      JOIN supply_point p ON p.id = b.supply_point
      LEFT JOIN basis_verdict v ON v.basis = b.id
     WHERE b.id = ANY (CAST(:bases AS bigint[]))
""")
_IN_ERROR = text("""
    -- bases with a live error among those that are to be invoiced
    SELECT b.id, b.supply_point, p.ean, b.rate, b.name
      FROM billing_basis b
      JOIN basis_verdict v ON v.basis = b.id AND v.result = :error
      JOIN supply_point p ON p.id = b.supply_point
     WHERE b.id = ANY (CAST(:bases AS bigint[]))
     ORDER BY p.ean, b.rate, b.id
""")
_ROWS_OF = text("""
    -- rows of the payment calendar with the groups of these bases, and all bases of them that are not invoiced
    WITH shown AS (
        SELECT DISTINCT r.id, r.contract, r.period, g.grp
          FROM billing_basis b
          JOIN payment_calendar r ON r.contract = b.contract
           AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
          JOIN unnest(CAST(:types AS integer[]), CAST(:groups AS text[])) AS g (type, grp) ON g.type = b.statement_type
         WHERE b.id = ANY (CAST(:bases AS bigint[])))
    SELECT s.id AS calendar_row, s.grp, k.number AS contract, lower(s.period) AS first,
           EXISTS (SELECT FROM row_finding f WHERE f.calendar_row = s.id AND f.statement_group = s.grp
                      AND f.result = :error) AS itself,
           (SELECT array_agg(b.id) FROM billing_basis b
              JOIN unnest(CAST(:types AS integer[]), CAST(:groups AS text[])) AS g (type, grp)
                ON g.type = b.statement_type AND g.grp = s.grp
             WHERE b.contract = s.contract AND b.state IN ('new', 'approved')
               AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ s.period) AS bases
      FROM shown s JOIN contract k ON k.id = s.contract
     ORDER BY s.id, s.grp
""")
_ROW_ERRORS = text("""
    -- errors that rows show and nobody cancelled
    SELECT calendar_row, check_number, statement_group FROM row_finding
     WHERE calendar_row = ANY (CAST(:rows AS bigint[])) AND result = :error
""")
_EANS = text("""
    SELECT id, ean FROM supply_point WHERE id = ANY (CAST(:points AS bigint[]))
""")
_RUN_OF_MONTH = text("""
    -- the newest run over a month that told something about supply points
    SELECT max(r.id) FROM check_run r
     WHERE r.kind <> 'recheck' AND r.scope ->> 'month' = :month
       AND EXISTS (SELECT FROM check_block b WHERE b.run = r.id AND b.about = 'supply_point')
""")
_OF_ROW = text("""
    SELECT b.id
      FROM payment_calendar r
      JOIN billing_basis b ON b.contract = r.contract AND b.state <> 'cancelled'
       AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1) <@ r.period
     WHERE r.id = :row
     ORDER BY b.supply_point, b.rate, b.id
""")
_BLOCKS_ABOUT = text("""
    -- the blocks that may speak about these subjects, of runs that showed what they found, newest first
    SELECT DISTINCT b.run, b.check_number, b.part, b.about, b.statement_group, b.packed, p.texts
      FROM unnest(CAST(:subjects AS bigint[])) AS s (id)
      JOIN check_block b ON b.about = :about AND int8range(b.first, b.last, '[]') @> s.id
      JOIN check_part p ON p.run = b.run AND p.check_number = b.check_number
      JOIN check_run r ON r.id = b.run AND r.kind <> 'recheck'
     ORDER BY b.run DESC, b.check_number, b.part
""")
_STANDING = {
    Subject.BASIS: text("""
        -- the checks that a basis shows a result of: one that has nothing to say of it any more is not among them
        SELECT v.basis AS subject, d.number AS check_number, NULL AS statement_group
          FROM basis_verdict v
          JOIN check_definition d ON d.slot < length(v.results)
         WHERE v.basis = ANY (CAST(:subjects AS bigint[])) AND get_byte(v.results, d.slot) > 0
    """),
    Subject.CALENDAR_ROW: text("""
        SELECT f.calendar_row AS subject, f.check_number, f.statement_group
          FROM row_finding f WHERE f.calendar_row = ANY (CAST(:subjects AS bigint[]))
    """),
}
_HEADS = text("""
    SELECT b.run, b.check_number, b.part, b.about, b.statement_group, b.counts, p.texts, p.output
      FROM check_block b JOIN check_part p ON p.run = b.run AND p.check_number = b.check_number
     WHERE b.run = :run AND (CAST(:check AS integer) IS NULL OR b.check_number = :check)
       AND (CAST(:about AS text) IS NULL OR b.about = :about)
     ORDER BY b.check_number, b.part
""")


@dataclass(frozen=True, slots=True)
class Told:
    """A finding with the check and the run that told it."""

    run: int
    check: int
    about: Subject
    group: str | None
    finding: Finding


@dataclass(frozen=True, slots=True)
class InError:
    """A basis with a live error, and why."""

    id: int
    supply_point: int
    ean: str
    rate: int
    name: str
    text: Text


@dataclass(frozen=True, slots=True)
class RowInError:
    """A row of the payment calendar with a live error without a basis, and why; its bases of the group that are not
    invoiced, and the supply points that the errors name (None: one of them names none, it may be any of the row)."""

    id: int
    contract: str
    first: date
    text: Text
    bases: frozenset[int]
    points: frozenset[int] | None


def newest_run(connection: Connection, run: int | None) -> int:
    """The run, or the newest one; NotFound where there is none."""
    if run is None:
        newest: int | None = connection.execute(
            select(check_run.c.id).order_by(check_run.c.id.desc()).limit(1)
        ).scalar()
        if newest is None:
            raise NotFound("check_run_not_found", "No checks have run yet.")
        return newest
    if connection.execute(select(check_run.c.id).where(check_run.c.id == run)).scalar() is None:
        raise NotFound("check_run_not_found", f"There is no check run {run}.")
    return run


def find_results(
    connection: Connection,
    run: int,
    result: Result | None,
    check: int | None,
    offset: int,
    limit: int,
    about: Subject | None = None,
) -> list[Told]:
    """Findings of a run by check and subject, optionally of one result, one check and one kind of subject only; blocks
    that hold none, or lie before the offset, are not unpacked."""
    found: list[Told] = []
    skip = offset
    for head in connection.execute(_HEADS, {"run": run, "check": check, "about": about}).all():
        many = sum(head.counts) if result is None else head.counts[result]
        if many <= skip:
            skip -= many
            continue
        found += list(_spelled(connection, head, result, skip, limit - len(found)))
        skip = 0
        if len(found) >= limit:
            break
    return found


def process_log(connection: Connection, run: int, limit: int) -> list[tuple[int | None, int | None, Result, Text]]:
    """The process log of a run (procesní okno): its own messages first, then what the checks said, each by its output
    variant. (check, basis, result, text) each; a text about a supply point begins with its EAN."""
    run = newest_run(connection, run)
    own = connection.execute(
        select(check_message).where(check_message.c.run == run).order_by(check_message.c.id).limit(limit)
    ).all()
    log: list[tuple[int | None, int | None, Result, Text]] = [
        (row.check_number, None, Result(row.result), Text(row.text_cs, row.text_en)) for row in own
    ]
    for head in connection.execute(_HEADS, {"run": run, "check": None, "about": None}).all():
        only = None if head.output == "all" else Result.ERROR
        if only is not None and not head.counts[only]:
            continue
        said = list(_spelled(connection, head, only, 0, limit - len(log)))
        codes = eans(connection, [told.finding.subject for told in said if told.about is Subject.SUPPLY_POINT])
        for told in said:
            basis = told.finding.subject if told.about is Subject.BASIS else None
            spelled = told.finding.text
            if told.about is Subject.SUPPLY_POINT:
                ean = codes.get(told.finding.subject, "?")
                spelled = Text(f"{ean}: {spelled.cs}", f"{ean}: {spelled.en}")
            log.append((told.check, basis, told.finding.result, spelled))
        if len(log) >= limit:
            break
    return log


def newest_findings(connection: Connection, about: Subject, subjects: Sequence[int]) -> dict[int, list[Told]]:
    """What each subject was last told by each check, the worst first; without what no longer stands."""
    said: dict[int, list[Told]] = defaultdict(list)
    if not subjects:
        return said
    wanted = np.unique(np.asarray(subjects, dtype=np.int64))
    newest: dict[tuple[int, int, str | None], int] = {}
    standing = _standing(connection, about, wanted)
    rows = connection.execute(_BLOCKS_ABOUT, {"subjects": int_array(wanted), "about": str(about)}).all()
    for row in rows:
        found = unpack(row.packed, about, row.statement_group)
        places = np.flatnonzero(np.isin(found.subjects, wanted))
        chosen = []
        for place in places.tolist():
            key = int(found.subjects[place]), row.check_number, row.statement_group
            if (standing is None or key in standing) and newest.setdefault(key, row.run) == row.run:
                chosen.append(place)
        if chosen:
            for finding in spell(found, chosen, read_texts(connection, row.texts)):
                said[finding.subject].append(Told(row.run, row.check_number, about, row.statement_group, finding))
    for told in said.values():
        told.sort(key=lambda each: (-each.finding.result, each.check))
    return said


def bases_in_error(connection: Connection, bases: Sequence[int]) -> list[InError]:
    """Those of the bases that have a live error, with the texts of their errors."""
    rows = connection.execute(_IN_ERROR, {"bases": int_array(bases), "error": int(Result.ERROR)}).all()
    told = newest_findings(connection, Subject.BASIS, [row.id for row in rows])
    return [InError(**row._mapping, text=_texts(told[row.id], Result.ERROR)) for row in rows]


def rows_in_error(connection: Connection, bases: Sequence[int]) -> tuple[list[InError], list[RowInError]]:
    """Live errors on the calendar rows of bases, in the bases' groups: of all their bases that are not invoiced, of the
    bases themselves, and of the rows without a basis."""
    pairs = [(kind, group) for group, kinds in GROUPS.items() for kind in sorted(kinds)]
    asked = {
        "bases": int_array(bases),
        "types": [kind for kind, _ in pairs],
        "groups": [group for _, group in pairs],
        "error": int(Result.ERROR),
    }
    rows = connection.execute(_ROWS_OF, asked).all()
    wanted = sorted({*bases, *(basis for row in rows for basis in row.bases or ())})
    shown = {(row.calendar_row, row.grp): row for row in rows if row.itself}
    numbers = sorted({number for number, _ in shown})
    told = newest_findings(connection, Subject.CALENDAR_ROW, numbers)
    live = {
        tuple(row) for row in connection.execute(_ROW_ERRORS, {"rows": int_array(numbers), "error": asked["error"]})
    }
    of_rows = []
    for (number, group), row in shown.items():
        errors = [
            each
            for each in told[number]
            if each.group == group and each.finding.result is Result.ERROR and (number, each.check, group) in live
        ]
        said, held = _texts(errors, Result.ERROR), frozenset(row.bases or ())
        of_rows.append(RowInError(number, row.contract, row.first, said, held, _points_named(errors)))
    return bases_in_error(connection, wanted), of_rows


def _points_named(errors: Sequence[Told]) -> frozenset[int] | None:
    """The supply points that errors link to; None where one links to none."""
    named = [{number for _, kind, number in each.finding.links if kind == SUPPLY_POINT} for each in errors]
    return frozenset().union(*named) if named and all(named) else None


def worst_texts(connection: Connection, bases: Sequence[int]) -> dict[int, Text]:
    """Text výsledku kontroly: of each basis the texts of its worst result."""
    told = newest_findings(connection, Subject.BASIS, bases)
    return {basis: _texts(each, each[0].finding.result) for basis, each in told.items()}


def run_of_month(connection: Connection, month: date) -> int:
    """The newest run that looked at the supply points of a month; NotFound where there is none."""
    run: int | None = connection.execute(_RUN_OF_MONTH, {"month": month.isoformat()}).scalar()
    if run is None:
        raise NotFound(
            "check_run_not_found",
            f"No run has looked at the supply points of {month:%Y-%m}; switch check 1001 on and run the checks of it.",
        )
    return run


def eans(connection: Connection, points: Sequence[int]) -> dict[int, str]:
    """The EAN or EIC of supply points."""
    if not points:
        return {}
    return {row.id: row.ean for row in connection.execute(_EANS, {"points": int_array(points)})}


def bases_of_row(connection: Connection, row: int) -> Sequence[int]:
    """The bases that a row of the payment calendar owns: those of its contract that end in its period."""
    return connection.execute(_OF_ROW, {"row": row}).scalars().all()


def about_bases(connection: Connection, bases: Sequence[int]) -> dict[int, Row[Any]]:
    """EAN, rate, name and what each basis shows now."""
    return {row.id: row for row in connection.execute(_ABOUT_BASES, {"bases": int_array(bases)})}


def _standing(connection: Connection, about: Subject, wanted: Numbers) -> set[tuple[int, int, str | None]] | None:
    """Subject, check and group of what is shown; None: all that was told is."""
    if about not in _STANDING:
        return None
    rows = connection.execute(_STANDING[about], {"subjects": int_array(wanted)})
    return {(row.subject, row.check_number, row.statement_group) for row in rows}


def _texts(told: Sequence[Told], result: Result) -> Text:
    said = [each.finding.text for each in told if each.finding.result is result]
    return Text(" ".join(each.cs for each in said), " ".join(each.en for each in said))


def _spelled(connection: Connection, head: Row[Any], result: Result | None, skip: int, limit: int) -> Iterator[Told]:
    if limit <= 0:
        return
    key = (
        check_block.c.run == head.run,
        check_block.c.check_number == head.check_number,
        check_block.c.part == head.part,
    )
    about = Subject(head.about)
    found = unpack(
        connection.execute(select(check_block.c.packed).where(*key)).scalar_one(), about, head.statement_group
    )
    places = np.arange(len(found)) if result is None else np.flatnonzero(found.results == result)
    texts = read_texts(connection, head.texts)
    for finding in spell(found, places[skip : skip + limit].tolist(), texts):
        yield Told(head.run, head.check_number, about, head.statement_group, finding)
