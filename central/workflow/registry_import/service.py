"""Import a file into the registry: check, import all or nothing, keep what was imported; saved mappings."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, func, insert, select, text

from central.network.meter_templates import find_templates
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.workflow.registry_import.applying import apply
from central.workflow.registry_import.mapping import SHIPPED, RegistryMapping, mapping_of
from central.workflow.registry_import.planning import plan
from central.workflow.registry_import.reading import Problem, Problems, read_records
from central.workflow.registry_import_tables import registry_import, registry_mapping

MOST_OCTETS: Final = 64_000_000

# Imports and checks go one after another: what one reads as free the other must not take meanwhile.
_ALONE: Final = text("LOCK TABLE registry_import IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True, slots=True)
class Report:
    """What a file brings or brought: rows, things by section (inserted, unchanged), faults (the first ones in full)."""

    rows: int
    counts: dict[str, dict[str, int]]
    problem_count: int
    problems: list[Problem]
    imported: RowMapping | None = None
    repeated: bool = False
    mapping_version: int = 0
    sha256: bytes = field(default=b"", repr=False)


def check_file(connection: Connection, content: bytes, name: str) -> Report:
    """What the file would do: everything is done as by an import, and taken back."""
    version, mapping = newest_mapping(connection, name)
    connection.execute(_ALONE)
    taken = connection.begin_nested()
    try:
        return _done(connection, content, mapping, version)
    finally:
        taken.rollback()


def import_file(
    connection: Connection, content: bytes, file_name: str, mapping_name: str, person: Person, now: datetime
) -> Report:
    """Import a file, all or nothing: with faults nothing is changed and the report has no `imported`.

    The same octets under the same mapping are the same import: nothing is done, `repeated` is set.
    """
    version, mapping = newest_mapping(connection, mapping_name)
    connection.execute(_ALONE)
    digest = hashlib.sha256(content).digest()
    known = _find(connection, digest, mapping_name, version)
    if known is not None:
        return Report(known["rows"], known["counts"], 0, [], known, True, version, digest)
    taken = connection.begin_nested()
    try:
        report = _done(connection, content, mapping, version)
    except BaseException:
        taken.rollback()
        raise
    if report.problem_count:
        taken.rollback()
        return report
    taken.commit()
    row = {
        "name": file_name.replace("\0", "")[:200],
        "sha256": digest,
        "size": len(content),
        "mapping": mapping_name,
        "mapping_version": version,
        "rows": report.rows,
        "counts": report.counts,
        "imported_at": now,
        "imported_by": person.name,
    }
    stored = connection.execute(insert(registry_import).values(row).returning(registry_import)).mappings().one()
    details = {"name": row["name"], "rows": report.rows, "counts": report.counts, "sha256": digest.hex()}
    audit.record(connection, person, "registry.import", f"registry_import/{stored['id']}", details, now)
    return Report(report.rows, report.counts, 0, [], stored, False, version, digest)


def _done(connection: Connection, content: bytes, mapping: RegistryMapping, version: int) -> Report:
    if len(content) > MOST_OCTETS:
        raise BadInput("too_large", f"The file has more than {MOST_OCTETS // 10**6} MB; send it in parts.", 413)
    problems = Problems()
    records = read_records(content, mapping, problems)
    if not records and not problems.count:
        raise BadInput("empty", "The file has no row below its header; nothing can be imported.")
    rows = len(records) + len(problems.lines)
    planned = plan(records, mapping, find_templates(connection), problems)
    outcomes = apply(connection, planned, records, mapping, problems)
    counts = {name: asdict(outcome) for name, outcome in outcomes.items() if outcome.inserted + outcome.unchanged}
    return Report(rows, counts, problems.count, problems.sorted, None, False, version)


def find_imports(connection: Connection, limit: int = 100) -> Sequence[RowMapping]:
    """Imports, newest first."""
    return (
        connection.execute(select(registry_import).order_by(registry_import.c.id.desc()).limit(limit)).mappings().all()
    )


def require_import(connection: Connection, identifier: int) -> RowMapping:
    """An import by number, or NotFound."""
    query = select(registry_import).where(registry_import.c.id == identifier)
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound("registry_import_not_found", f"There is no import {identifier} into the registry.")
    return found


def newest_mapping(connection: Connection, name: str) -> tuple[int, RegistryMapping]:
    """Version and body of a mapping, 0 for one that comes with the system; or NotFound."""
    if name in SHIPPED:
        return 0, SHIPPED[name]
    query = select(registry_mapping).where(registry_mapping.c.name == name)
    row = connection.execute(query.order_by(registry_mapping.c.version.desc()).limit(1)).mappings().first()
    if row is None:
        there = ", ".join(known for known, _, _ in find_mappings(connection))
        raise NotFound("registry_mapping_not_found", f"There is no mapping {name!r}; there are {there}.")
    return row["version"], mapping_of(row["body"])


def find_mappings(connection: Connection) -> list[tuple[str, int, RegistryMapping]]:
    """Name, version and body of all mappings as they are used, the shipped ones first."""
    newest = select(registry_mapping.c.name, func.max(registry_mapping.c.version).label("version"))
    chosen = newest.group_by(registry_mapping.c.name).subquery()
    rows = connection.execute(
        select(registry_mapping)
        .join(
            chosen,
            (chosen.c.name == registry_mapping.c.name) & (chosen.c.version == registry_mapping.c.version),
        )
        .order_by(registry_mapping.c.name)
    ).mappings()
    own = [(row["name"], row["version"], mapping_of(row["body"])) for row in rows]
    return [(name, 0, mapping) for name, mapping in SHIPPED.items()] + own


def save_mapping(
    connection: Connection, name: str, mapping: RegistryMapping, reason: str, person: Person, now: datetime
) -> int:
    """Save a mapping as the next version of its name; the number of the version. Shipped ones stay as they are."""
    if name in SHIPPED:
        raise Refused("shipped", f"The mapping {name!r} comes with the system; save yours under another name.")
    connection.execute(text("LOCK TABLE registry_mapping IN SHARE ROW EXCLUSIVE MODE"))
    query = select(func.coalesce(func.max(registry_mapping.c.version), 0)).where(registry_mapping.c.name == name)
    version: int = connection.execute(query).scalar_one() + 1
    body: dict[str, Any] = mapping.model_dump(mode="json", exclude_defaults=True) | {"content": mapping.content}
    row = {"name": name, "version": version, "body": body, "made_at": now, "made_by": person.name, "reason": reason}
    connection.execute(insert(registry_mapping).values(row))
    details = {"version": version}
    audit.record(connection, person, "registry_mapping.save", f"registry_mapping/{name}", details, now, why=reason)
    return version


def _find(connection: Connection, digest: bytes, mapping: str, version: int) -> RowMapping | None:
    query = select(registry_import).where(
        registry_import.c.sha256 == digest,
        registry_import.c.mapping == mapping,
        registry_import.c.mapping_version == version,
    )
    return connection.execute(query).mappings().first()
