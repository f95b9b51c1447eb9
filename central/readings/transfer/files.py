"""Files of readings: previewed, imported as evidence, revoked. One transaction a step; a file's octets are kept.

States: previewed -> imported -> revoked. The same octets of one source are imported once at a time: a repetition says
so and changes nothing. A file with one fault imports nothing unless its good lines are asked for by name.
"""

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import insert as upsert

from central.ingest.tables import batch
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.transfer import sources
from central.readings.transfer.comparison import compare, count_closed_days
from central.readings.transfer.evidence_writer import write_evidence
from central.readings.transfer.import_tables import import_content, import_file, import_request, import_source
from central.readings.transfer.planning import Plan, plan
from central.readings.transfer.readers import read_file
from central.readings.transfer.series import Parsed

MOST_OCTETS: Final = 150_000_000
"""Of one file."""
_SHOWN: Final = 1_000
"""Unknown series that are named."""
Result = Literal["previewed", "imported", "repeated", "faulty"]


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of a file: `repeated` changed nothing, `faulty` is kept as previewed and imported nothing."""

    result: Result
    file: RowMapping

    @property
    def fault(self) -> str:
        """Why nothing was imported, in a sentence."""
        return fault_of(self.file["summary"])


def preview_file(
    connection: Connection, source: str, name: str, content: bytes, person: Person, now: datetime
) -> FileResult:
    """Read a file and say what it would bring; its octets are kept, no evidence is made."""
    _lock(connection, source)
    digest = _keep(connection, content)
    known = _find(connection, source, digest, "imported")
    if known is not None:
        return FileResult("repeated", known)
    version, summary, _ = _read(connection, source, content)
    return FileResult("previewed", _previewed(connection, source, name, digest, version, summary, person, now))


def import_previewed(
    connection: Connection, identifier: int, good_lines: bool, person: Person, now: datetime
) -> FileResult:
    """Import a file that was previewed, with the present mapping and registers; of a revoked one: again, as a new file.

    `good_lines`: leave out what is faulty and series that are unknown, instead of refusing the whole.
    """
    file = require_file(connection, identifier)
    _lock(connection, file["source"])
    file = require_file(connection, identifier)
    digest = bytes(file["sha256"])
    known = _find(connection, file["source"], digest, "imported")
    if known is not None:
        return FileResult("repeated", known)
    return _import(
        connection, file["source"], file["name"], digest, content_of(connection, digest), good_lines, person, now
    )


def import_content_of(
    connection: Connection,
    source: str,
    name: str,
    content: bytes,
    person: Person,
    now: datetime,
    *,
    key: str | None = None,
) -> FileResult:
    """A file of another head-end or of the watched folder, in one step. Repeat-safe by its octets, and by `key`.

    Refused: the key was used for another file, or the file was revoked (a person may import it again).
    """
    _lock(connection, source)
    digest = _keep(connection, content)
    if key is not None:
        _check_key(connection, source, key, digest)
    known = _find(connection, source, digest, "imported")
    if known is None and (revoked := _find(connection, source, digest, "revoked")) is not None:
        raise Refused(
            "revoked",
            f"The file {name} was imported as {revoked['id']} and revoked by {revoked['revoked_by']}: "
            f"{revoked['reason']}. To import it again, do so by its number.",
        )
    result = (
        FileResult("repeated", known)
        if known is not None
        else _import(connection, source, name, digest, content, False, person, now)
    )
    if key is not None:
        row = {"source": source, "key": key, "file": result.file["id"], "at": now}
        again = upsert(import_request).values(row)
        connection.execute(again.on_conflict_do_update(index_elements=["source", "key"], set_={"file": row["file"]}))
    return result


def revoke_file(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> RowMapping:
    """Take an imported file back: its evidence stays and counts for nothing, its days get new versions."""
    file = require_file(connection, identifier)
    _lock(connection, file["source"])
    file = require_file(connection, identifier)
    if file["state"] != "imported":
        raise Refused("state", f"The file {identifier} is {file['state']}; only an imported one can be revoked.")
    ours = (batch.c.edge == file["source"]) & (batch.c.epoch == identifier)
    connection.execute(update(batch).where(ours).values(revoked_at=now))
    # Consolidation takes them once more, and makes their days without them.
    connection.execute(
        update(batch).where(ours, func.cardinality(batch.c.evidence_channels) > 0).values(consolidated_at=None)
    )
    changed = {"state": "revoked", "revoked_at": now, "revoked_by": person.name, "reason": reason}
    connection.execute(update(import_file).where(import_file.c.id == identifier).values(changed))
    audit.record(connection, person, "import_file.revoke", f"import_file/{identifier}", {"reason": reason}, now)
    return require_file(connection, identifier)


def require_file(connection: Connection, identifier: int) -> RowMapping:
    """A file by number, or NotFound."""
    found = connection.execute(select(import_file).where(import_file.c.id == identifier)).mappings().first()
    if found is None:
        raise NotFound("import_file_not_found", f"There is no imported file {identifier}.")
    return found


def find_files(
    connection: Connection, *, source: str | None = None, state: str | None = None, limit: int = 100
) -> Sequence[RowMapping]:
    """Files, newest first, filtered."""
    query = select(import_file).order_by(import_file.c.id.desc()).limit(limit)
    for column, value in (("source", source), ("state", state)):
        if value is not None:
            query = query.where(import_file.c[column] == value)
    return connection.execute(query).mappings().all()


def content_of(connection: Connection, digest: bytes) -> bytes:
    """The octets of a file as they came."""
    query = select(import_content.c.body).where(import_content.c.sha256 == digest)
    return zlib.decompress(connection.execute(query).scalar_one())


def propose_registers(connection: Connection, file: RowMapping) -> list[dict[str, Any]]:
    """A register of the source's own for each series of a file that is unknown: what `create_registers` takes."""
    bound = sources.bound_registers(connection, file["source"])
    return [each for each in file["summary"].get("unknown", []) if each["key"] not in bound]


def fault_of(summary: dict[str, Any]) -> str:
    """The first faults of a file as sentences; empty where there is none."""
    if refusal := summary.get("refusal"):
        return str(refusal["message"])
    parts = []
    if problems := summary["problems"]:
        first = "; ".join(_sentence(each) for each in problems[:3])
        parts.append(f"{summary['problem_count']} faults: {first}.")
    if unknown := summary["unknown"]:
        names = ", ".join(each["key"] for each in unknown[:5])
        parts.append(f"{summary['unknown_count']} series are bound to no register: {names}.")
    return " ".join(parts)


def _sentence(problem: dict[str, Any]) -> str:
    where = "the file" if problem["line"] is None else f"line {problem['line']}"
    column = f", column {problem['column']}" if problem["column"] else ""
    return f"{where}{column}: {problem['value']!r}, expected {problem['expected']}"


def _import(
    connection: Connection,
    source: str,
    name: str,
    digest: bytes,
    content: bytes,
    good_lines: bool,
    person: Person,
    now: datetime,
) -> FileResult:
    version, summary, planned = _read(connection, source, content)
    file = _previewed(connection, source, name, digest, version, summary, person, now)
    if planned is None or (fault_of(summary) and not good_lines):
        return FileResult("faulty", file)
    if not len(planned.at_ms):
        summary["refusal"] = {"code": "empty", "message": f"The file {name} has no value that could be imported."}
        return FileResult("faulty", _previewed(connection, source, name, digest, version, summary, person, now))
    written = write_evidence(connection, source, file["id"], planned, now)
    changed = {
        "state": "imported",
        "imported_at": now,
        "imported_by": person.name,
        "summary": {**summary, "batches": written.batches, "blocks": written.blocks},
    }
    connection.execute(update(import_file).where(import_file.c.id == file["id"]).values(changed))
    details = {"name": name, "values": written.values, "states": written.states, "good_lines": good_lines}
    audit.record(connection, person, "import_file.import", f"import_file/{file['id']}", details, now)
    return FileResult("imported", require_file(connection, file["id"]))


def _read(connection: Connection, source: str, content: bytes) -> tuple[int, dict[str, Any], Plan | None]:
    """Mapping version, what the file would bring, and the plan (None: not a file of the format)."""
    version, mapping = sources.newest_mapping(connection, source)
    try:
        parsed = read_file(content, mapping)
    except BadInput as error:
        refusal = {"code": error.code, "message": _storable(error.message)}
        return version, {**_EMPTY, "refusal": refusal}, None
    planned = plan(parsed, sources.bound_registers(connection, source))
    return version, _summary(connection, source, parsed, planned), planned


_EMPTY: Final[dict[str, Any]] = {
    "values": 0,
    "repeated": 0,
    "empty": 0,
    "problems": [],
    "problem_count": 0,
    "unknown": [],
    "unknown_count": 0,
    "series": [],
}


def _summary(connection: Connection, source: str, parsed: Parsed, planned: Plan) -> dict[str, Any]:
    series = [asdict(each) for each in compare(connection, planned)]
    for each in series:
        for field in ("first", "last", "first_conflict"):
            each[field] = None if each[field] is None else each[field].isoformat()
    named = sorted(planned.problems.named, key=lambda each: each.line or 0)
    return {
        "values": len(planned.at_ms),
        "new": sum(each["new"] for each in series),
        "same": sum(each["same"] for each in series),
        "conflicts": sum(each["conflicts"] for each in series),
        "closed_days": count_closed_days(connection, planned),
        "repeated": planned.repeated,
        "empty": planned.empty,
        "problems": [asdict(each) for each in named],
        "problem_count": planned.problems.count,
        "unknown": [_proposal(source, parsed, key, count) for key, count in list(planned.unknown.items())[:_SHOWN]],
        "unknown_count": len(planned.unknown),
        "series": series,
    }


def _proposal(source: str, parsed: Parsed, key: str, count: int) -> dict[str, Any]:
    """The register that an unknown series asks for: fine enough for its digits, otherwise whole units."""
    place = parsed.keys.index(key)
    facts, nano = parsed.facts[place], parsed.nano[parsed.key == place]
    places = next(digits for digits in range(10) if not np.any(nano % 10 ** (9 - digits)))
    head, _, rest = key.partition("/")
    unit = facts.unit or "Wh"
    return {
        "key": _storable(key),
        "values": count,
        "meter": _storable(f"{source}:{head}"),
        "register": _storable(rest or "value"),
        "commodity": "gas" if unit == "m3" else "electricity",
        "unit": unit,
        "exponent": max(-12, min(0, facts.exponent - places)),
        "kind": facts.kind.value,
        "step_s": facts.step_ms // 1000 or None,
    }


def _previewed(
    connection: Connection,
    source: str,
    name: str,
    digest: bytes,
    version: int,
    summary: dict[str, Any],
    person: Person,
    now: datetime,
) -> RowMapping:
    """The one previewed row of these octets, new or brought up to date."""
    known = _find(connection, source, digest, "previewed")
    facts = {"mapping_version": version, "summary": json.loads(_storable(json.dumps(summary)))}
    if known is not None:
        connection.execute(update(import_file).where(import_file.c.id == known["id"]).values(facts))
        return require_file(connection, known["id"])
    row = {"source": source, "name": _storable(name)[:200], "sha256": digest, "state": "previewed", **facts}
    statement = insert(import_file).values(**row, received_at=now, received_by=person.name).returning(import_file.c.id)
    identifier = connection.execute(statement).scalar_one()
    audit.record(connection, person, "import_file.receive", f"import_file/{identifier}", {"name": row["name"]}, now)
    return require_file(connection, identifier)


def _storable(given: str) -> str:
    """Text that PostgreSQL takes, also inside JSON."""
    clean = given.replace("\0", "\ufffd").replace("\\u0000", "\ufffd")
    return clean.encode("utf-8", "replace").decode()


def _lock(connection: Connection, source: str) -> None:
    """Files of one source go one after another; NotFound if there is no such source."""
    query = select(import_source.c.code).where(import_source.c.code == source).with_for_update(key_share=True)
    if connection.execute(query).first() is None:
        raise NotFound("import_source_not_found", f"There is no import source {source}; create it first.")


def _keep(connection: Connection, content: bytes) -> bytes:
    """Store the octets once; returns their SHA-256."""
    if len(content) > MOST_OCTETS:
        raise too_large()
    digest = hashlib.sha256(content).digest()
    known = select(import_content.c.sha256).where(import_content.c.sha256 == digest)
    if connection.execute(known).first() is None:
        row = {"sha256": digest, "size": len(content), "body": zlib.compress(content, 1)}
        connection.execute(upsert(import_content).values(row).on_conflict_do_nothing())
    return digest


def too_large() -> BadInput:
    """The refusal of a file beyond the limit (413)."""
    limit = MOST_OCTETS // 1_000_000
    return BadInput("too_large", f"The file has more than {limit} MB; send the readings in parts.", 413)


def _find(connection: Connection, source: str, digest: bytes, state: str) -> RowMapping | None:
    query = (
        select(import_file)
        .where(import_file.c.source == source, import_file.c.sha256 == digest, import_file.c.state == state)
        .order_by(import_file.c.id.desc())
        .limit(1)
    )
    return connection.execute(query).mappings().first()


def _check_key(connection: Connection, source: str, key: str, digest: bytes) -> None:
    query = text("""
        SELECT f.id, f.sha256 FROM import_request r JOIN import_file f ON f.id = r.file
        WHERE r.source = :source AND r.key = :key
    """)
    known = connection.execute(query, {"source": source, "key": key}).first()
    if known is not None and bytes(known.sha256) != digest:
        raise Refused(
            "idempotency_key",
            f"The idempotency key {key!r} was used for the file {known.id}, which has other octets; use a new key.",
        )
