"""Run the active checks over billing bases: one pass by chunks of supply points, never a query for a basis."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection, insert, text

from central.checks import shown
from central.checks.bases import Scope, read_chunks, types_of
from central.checks.blocks import pack
from central.checks.customer.load import customer_checks
from central.checks.frame import MISSING, Frame, Numbers
from central.checks.framework import Check, CouldNotRunError, Findings, Kind, Refreshing, Subject, Text, findings
from central.checks.parts import INVOICING, Part, parts_of
from central.checks.reading import Chunk, Read, Reader, all_reads, second_readers
from central.checks.settings import get_definitions
from central.checks.standard import STANDARD
from central.checks.tables import check_block, check_message, check_part, check_run
from central.checks.texts import keep_texts
from central.checks.verdict import Result
from central.platform import audit
from central.platform.identity import Person, name_of
from shared.metering_day import PRAGUE

log = structlog.get_logger()

RECHECK = "recheck"

_NOTHING = Text("Není žádný podklad ke kontrole.", "There is no basis to check.")
_ROWS_OF_MONTH = text("""
    SELECT id FROM payment_calendar
     WHERE period && daterange(:month, (CAST(:month AS date) + interval '1 month')::date)
""")


@dataclass(frozen=True, slots=True)
class CheckRunMade:
    """A finished run: how many bases it took, how many subjects showed each result, and seconds by check."""

    id: int
    bases: int
    results: dict[str, int]
    parts: dict[int, dict[str, Any]]


def run_checks(
    connection: Connection,
    scope: Scope,
    kind: str,
    person: Person | str,
    at: datetime,
    checks: Sequence[Check] | None = None,
) -> CheckRunMade:
    """Run every active check over the bases of `scope` and store findings, log and what bases, rows, objects show.

    `kind`: automatic, manual, invoicing (then only the checks set for the statement that is invoiced) or recheck
    (nothing that is shown changes). A check that fails inside gives a warning that says so and stops nobody.
    `checks`: those that may run; without it the standard ones and the customer's.
    """
    shown.take_turn(connection)
    if checks is not None:
        return _run(connection, scope, kind, person, at, checks)
    with customer_checks(connection) as customers:
        return _run(connection, scope, kind, person, at, [*STANDARD, *customers])


def _run(
    connection: Connection, scope: Scope, kind: str, person: Person | str, at: datetime, checks: Sequence[Check]
) -> CheckRunMade:
    parts = parts_of(connection, kind, checks)
    with second_readers(connection, scope) as readers:
        run = _open(connection, scope, kind, person, at)
        for part in parts:
            _open_part(connection, run, part)
        bases = _Pass(connection, run, scope, kind, at, parts).go(readers)
    for part in parts:
        _close_part(connection, run, part)
    total = sum((part.counts for part in parts), np.zeros(len(Result), dtype=np.int64))
    made = CheckRunMade(run, bases, _by_key(total), {part.number: _told(part) for part in parts})
    connection.execute(check_run.update().where(check_run.c.id == run).values(bases=bases, results=made.results))
    audit.record(connection, person, "check.run", f"check_run/{run}", {"bases": bases, "results": made.results}, at)
    return made


class _Pass:
    """One pass over the chunks of a scope."""

    def __init__(
        self, connection: Connection, run: int, scope: Scope, kind: str, at: datetime, parts: Sequence[Part]
    ) -> None:
        self._connection, self._run, self._scope, self._kind = connection, run, scope, kind
        invoiced = scope.bases or () if kind == INVOICING else ()
        today = at.astimezone(PRAGUE).date()
        self._reader = Reader(today, scope.month, np.asarray(invoiced, dtype=np.int64))
        self._parts = parts
        self._slots = 1 + max((row.slot for row in get_definitions(connection)), default=0)
        self._seen: list[Numbers] = []
        self._rows: list[Numbers] = []
        self._about_rows: dict[tuple[int, str], list[Findings]] = {}
        self._objects: set[str] = set()

    def go(self, readers: Sequence[Connection]) -> int:
        """Bases that were looked at; what is read for them comes by other connections, if there are any."""
        with all_reads(self._reader, self._connection, readers, self._scope, self._parts) as reads:
            self._judge(reads)
        bases = sum(len(ids) for ids in self._seen)
        self._check_others()
        if self._kind != RECHECK:
            self._show_rows()
            shown.refresh_objects(self._connection, sorted(self._objects))
        return bases

    def _show_rows(self) -> None:
        """What was said about rows, by points of several chunks where a contract has many, in place of what was before;
        of groups that were not looked at it stays."""
        told = [each.subjects for found in self._about_rows.values() for each in found]
        rows = np.unique(np.concatenate([*self._rows, *told, self._rows_asked()]))
        rows = rows[rows > 0]
        looked = [part.number for part in self._parts if self._looked(part)]
        shown.forget_rows(self._connection, looked, self._scope.groups, rows)
        for (number, group), found in self._about_rows.items():
            subjects = np.concatenate([each.subjects for each in found])
            results = np.concatenate([each.results for each in found])
            shown.store_row_findings(self._connection, self._run, number, group, subjects, results)
        shown.refresh_rows(self._connection, rows)

    def _looked(self, part: Part) -> bool:
        """Whether a check was asked for what the scope takes: one of a whole month only where there is a month."""
        takes = bool(part.types & set(types_of(self._scope.groups)))
        return takes and (self._scope.month is not None or not part.check.definition.once)

    def _rows_asked(self) -> Numbers:
        if self._scope.rows is not None:
            return np.asarray(self._scope.rows, dtype=np.int64)
        if self._scope.month is not None:
            found = self._connection.execute(_ROWS_OF_MONTH, {"month": self._scope.month}).scalars().all()
            return np.asarray(found, dtype=np.int64)
        return np.zeros(0, dtype=np.int64)

    def _check_others(self) -> None:
        """The other bases of the calendar rows that were come upon, for the checks that look at whole rows."""
        parts = [part for part in self._parts if part.check.definition.whole_rows]
        narrow = self._scope.run is not None or self._scope.bases is not None
        if not parts or not narrow or self._kind in (RECHECK, INVOICING) or not self._seen:
            return
        known, rows = np.concatenate(self._seen), np.unique(np.concatenate(self._rows))
        for chunk in read_chunks(self._connection, Scope(rows=rows[rows > 0].tolist(), groups=self._scope.groups)):
            others = chunk.take(~np.isin(chunk["id"], known))
            if len(others):
                self._judge(self._reader.chunk(self._connection, others, parts))

    def _judge(self, reads: Iterable[Read | Chunk]) -> None:
        """The verdict of each check over what it read; what a chunk shows when all have looked at it."""
        results: dict[int, NDArray[np.int8]] = {}
        for each in reads:
            if isinstance(each, Chunk):
                self._finish(each, results)
                results = {}
                continue
            begun = time.perf_counter()
            part = each.part
            part.bases += len(each.bases)
            found = _found(each, self._connection, keeps=self._kind != RECHECK)
            for said in found:
                self._store(part, said)
            if each.chunk is not None:
                results[part.setting.slot] = _by_basis(each.chunk, each.chosen, found)
            part.seconds += each.seconds + time.perf_counter() - begun

    def _finish(self, chunk: Chunk, results: Mapping[int, NDArray[np.int8]]) -> None:
        self._seen.append(chunk.bases["id"])
        if self._kind == RECHECK:
            return
        shown.store_results(self._connection, self._run, chunk.bases["id"], results, self._slots)
        self._rows.append(np.unique(chunk.bases["calendar_row"]))
        self._objects |= set(shown.objects_of(self._connection, chunk.points))

    def _store(self, part: Part, found: Findings) -> None:
        if found.about is Subject.CALENDAR_ROW and found.group is not None:
            self._about_rows.setdefault((part.number, found.group), []).append(found)
        blocks = []
        for block in pack(found):
            part.counts += np.asarray(block.counts)
            blocks.append(
                {
                    "run": self._run,
                    "check_number": part.number,
                    "part": part.blocks,
                    "about": str(block.about),
                    "statement_group": block.group,
                    "first": block.first,
                    "last": block.last,
                    "counts": list(block.counts),
                    "packed": block.packed,
                }
            )
            part.blocks += 1
        if blocks:
            self._connection.execute(insert(check_block), blocks)


def _found(read: Read, connection: Connection, *, keeps: bool) -> list[Findings]:
    """What the check finds about bases; where it fails, a warning about each of them. `keeps`: it may refresh what it
    keeps."""
    part, bases = read.part, read.bases
    try:
        if read.failed is not None:
            raise read.failed
        found = [each for each in part.check.verdict(bases, read.found, part.parameters) if len(each)]
        for each in found:
            _require_whole(each, bases, len(part.check.definition.messages))
        if keeps and isinstance(part.check, Refreshing):
            with connection.begin_nested():
                part.check.refresh(replace(read.asked, connection=connection), bases, read.found, part.parameters)
    except Exception as error:
        # whatever goes wrong inside one check must neither stop the others nor pass for OK
        log.exception("check failed", check=part.number)
        kind = "" if isinstance(error, CouldNotRunError) else f"{type(error).__name__}: "
        part.failed = _printable(f"{kind}{error}")
        said = part.failed.replace("{", "{{").replace("}", "}}")
        part.messages.append(
            Text(
                f"Kontrola {part.number} se nemohla provést: {said}.",
                f"Check {part.number} could not run: {said}.",
            )
        )
        return [findings(bases["id"], Result.WARNING, len(part.messages) - 1)]
    return found


def _printable(said: str) -> str:
    """What an error says, as far as it can be stored and read: on one line, of 500 characters at most."""
    return " ".join("".join(each if each.isprintable() else " " for each in said[:500]).split())


def _require_whole(found: Findings, bases: Frame, messages: int) -> None:
    many = len(found)
    columns: list[NDArray[Any]] = [found.results, found.messages, *(value.data for value in found.values.values())]
    if any(len(column) != many for column in columns):
        raise ValueError(f"columns of unequal length: {many} subjects, {[len(column) for column in columns]}")
    if found.messages.min() < 0 or found.messages.max() >= messages:
        raise ValueError(f"message {int(found.messages.max())} of {messages}")
    cancelled = (found.results == Result.ERROR_CANCELLED).any()
    if found.results.min() < Result.INFO or found.results.max() > Result.ERROR or cancelled:
        raise ValueError(f"results from {int(found.results.min())} to {int(found.results.max())}")
    for name, value in found.values.items():
        if value.kind is Kind.WORD and not _are_places(value.data, len(value.words)):
            raise ValueError(f"places of words of {name} beyond its {len(value.words)} words")
        if value.kind is Kind.LINK and len(value.words) != 1:
            raise ValueError(f"a link {name} to what its words do not name")
        if value.kind is Kind.DAY and not _are_days(value.data):
            raise ValueError(f"days of {name} beyond the calendar")
    if found.about is Subject.BASIS and not np.isin(found.subjects, bases["id"]).all():
        raise ValueError("findings about bases that it was not asked about")


def _are_places(data: Numbers, words: int) -> bool:
    return bool((((data >= 0) & (data < words)) | (data == MISSING)).all())


def _are_days(data: Numbers) -> bool:
    return bool((((data > -700_000) & (data < 2_900_000)) | (data == MISSING)).all())


def _by_basis(chunk: Chunk, chosen: NDArray[np.bool_], found: Sequence[Findings]) -> NDArray[np.int8]:
    """The worst result of each basis of a chunk; below 0 where the check did not look at it."""
    results = np.where(chosen, 0, -1).astype(np.int8)
    for each in found:
        if each.about is Subject.BASIS:
            np.maximum.at(results, chunk.places(each.subjects), each.results)
    return results


def _open(connection: Connection, scope: Scope, kind: str, person: Person | str, at: datetime) -> int:
    values = {"kind": kind, "scope": scope.document(), "made_at": at, "made_by": name_of(person)}
    statement = insert(check_run).values(**values, bases=0, results={}).returning(check_run.c.id)
    return int(connection.execute(statement).scalar_one())


def _open_part(connection: Connection, run: int, part: Part) -> None:
    plain = {name: str(value) for name, value in part.parameters.items()}
    connection.execute(
        insert(check_part).values(
            run=run, check_number=part.number, bases=0, results={}, seconds=0, output=part.setting.output,
            parameters=plain, texts=[], version=part.check.definition.version,
        )
    )  # fmt: skip


def _close_part(connection: Connection, run: int, part: Part) -> None:
    connection.execute(
        check_part.update()
        .where(check_part.c.run == run, check_part.c.check_number == part.number)
        .values(
            bases=part.bases, results=_by_key(part.counts), seconds=part.seconds,
            texts=keep_texts(connection, part.messages), failed=part.failed,
        )
    )  # fmt: skip
    once = part.check.definition.once
    if once and part.failed is not None:
        _say(connection, run, part, Result.WARNING, part.messages[-1])
    if not once and not part.bases:
        _say(connection, run, part, Result.INFO, _NOTHING)


def _say(connection: Connection, run: int, part: Part, result: Result, said: Text) -> None:
    connection.execute(
        insert(check_message).values(
            run=run, check_number=part.number, result=int(result),
            text_cs=said.cs.format_map({}), text_en=said.en.format_map({}),
        )
    )  # fmt: skip


def _by_key(counts: NDArray[np.int64]) -> dict[str, int]:
    return {result.key: int(counts[result]) for result in Result if result is not Result.NONE}


def _told(part: Part) -> dict[str, Any]:
    return {"bases": part.bases, "results": _by_key(part.counts), "seconds": part.seconds, "failed": part.failed}
