"""Import sources, the versions of their mappings, and which series is which register."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, delete, insert, select, text

from central.network.channels import create_evidence_channels
from central.network.meters import create_concentrators, create_meters
from central.network.tables import concentrator, evidence_channel, meter
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from central.readings.transfer.import_tables import import_binding, import_mapping, import_source
from central.readings.transfer.mapping import AnyMapping, mapping_of
from central.readings.transfer.planning import Register
from shared.quantities import Commodity, Kind

# The last file of each kind, and how far the source's files reach.
_SOURCES = text("""
    SELECT s.code, s.name, m.version AS mapping_version, m.body ->> 'format' AS format,
           (SELECT count(*) FROM import_binding b WHERE b.source = s.code) AS series,
           f.last_success, f.last_success_file, f.imported, f.waiting, f.last_received
    FROM import_source s
    JOIN LATERAL (
        SELECT version, body FROM import_mapping WHERE source = s.code ORDER BY version DESC LIMIT 1
    ) m ON true
    LEFT JOIN LATERAL (
        SELECT max(imported_at) FILTER (WHERE state = 'imported') AS last_success,
               max(id) FILTER (WHERE state = 'imported') AS last_success_file,
               count(*) FILTER (WHERE state = 'imported') AS imported,
               count(*) FILTER (WHERE state = 'previewed') AS waiting,
               max(received_at) AS last_received
        FROM import_file WHERE source = s.code
    ) f ON true
    WHERE CAST(:code AS text) IS NULL OR s.code = :code
    ORDER BY s.code
""")

# A meter that moved to another concentrator has its registers there too: the newest is meant.
_REGISTERS = text("""
    SELECT DISTINCT ON (wanted.key) wanted.key, e.id
    FROM unnest(CAST(:keys AS text[]), CAST(:meters AS text[]), CAST(:registers AS text[]))
        AS wanted (key, meter, register)
    JOIN evidence_channel e ON e.device = wanted.meter AND e.register = wanted.register
    ORDER BY wanted.key, e.id DESC
""")


def create_source(
    connection: Connection, code: str, name: str, mapping: AnyMapping, person: Person, now: datetime
) -> RowMapping:
    """Create a source with the first version of its mapping; the code becomes a concentrator that no edge is."""
    if connection.execute(select(concentrator.c.id).where(concentrator.c.id == code)).first() is not None:
        raise Refused("exists", f"There is a concentrator or import source {code} already; choose another code.")
    create_concentrators(connection, [{"id": code, "name": name, "place": "import"}])
    connection.execute(insert(import_source).values(code=code, name=name, made_at=now, made_by=person.name))
    _insert_mapping(connection, code, 1, mapping, person, now, "first")
    audit.record(connection, person, "import_source.create", f"import_source/{code}", {"name": name}, now)
    return require_source(connection, code)


def revise_mapping(
    connection: Connection, code: str, mapping: AnyMapping, reason: str, person: Person, now: datetime
) -> RowMapping:
    """A new version of how the source's files are read; files imported before keep theirs."""
    connection.execute(select(import_source).where(import_source.c.code == code).with_for_update())
    version = require_source(connection, code)["mapping_version"] + 1
    _insert_mapping(connection, code, version, mapping, person, now, reason)
    details = {"version": version, "reason": reason}
    audit.record(connection, person, "import_mapping.revise", f"import_source/{code}", details, now)
    return require_source(connection, code)


def find_sources(connection: Connection, code: str | None = None) -> Sequence[RowMapping]:
    """Sources with their last success, numbers of files and of bound series."""
    return connection.execute(_SOURCES, {"code": code}).mappings().all()


def require_source(connection: Connection, code: str) -> RowMapping:
    """A source by code, or NotFound."""
    found = find_sources(connection, code)
    if not found:
        raise NotFound("import_source_not_found", f"There is no import source {code}; create it first.")
    return found[0]


def find_mappings(connection: Connection, code: str) -> Sequence[RowMapping]:
    """All versions of a source's mapping, oldest first."""
    require_source(connection, code)
    query = select(import_mapping).where(import_mapping.c.source == code).order_by(import_mapping.c.version)
    return connection.execute(query).mappings().all()


def newest_mapping(connection: Connection, code: str) -> tuple[int, AnyMapping]:
    """The version that is used and the mapping; NotFound if there is no such source."""
    last = find_mappings(connection, code)[-1]
    return last["version"], mapping_of(last["body"])


def bind(
    connection: Connection, code: str, bindings: Mapping[str, tuple[str, str]], person: Person, now: datetime
) -> None:
    """Say which register (meter, register) a series is; a series that is bound already is bound anew."""
    require_source(connection, code)
    if not bindings:
        return
    keys = sorted(bindings)
    names = {
        "keys": keys,
        "meters": [bindings[key][0] for key in keys],
        "registers": [bindings[key][1] for key in keys],
    }
    found = {row.key: row.id for row in connection.execute(_REGISTERS, names)}
    for key in keys:
        if key not in found:
            device, register = bindings[key]
            raise NotFound(
                "evidence_channel_not_found", f"The meter {device} has no register {register}; create it or correct it."
            )
    place = (import_binding.c.source == code) & import_binding.c.key.in_(keys)
    connection.execute(delete(import_binding).where(place))
    made = {"source": code, "made_at": now, "made_by": person.name}
    connection.execute(insert(import_binding), [{**made, "key": key, "evidence_channel": found[key]} for key in keys])
    details = {key: " ".join(bindings[key]) for key in keys}
    audit.record(connection, person, "import_binding.set", f"import_source/{code}", details, now)


def create_registers(
    connection: Connection, code: str, proposals: Sequence[Mapping[str, Any]], person: Person, now: datetime
) -> None:
    """Make a meter and a register of the source's own for each series and bind them, as a preview proposes.

    Keys of a proposal: key, meter, register, commodity, unit, exponent, kind, step_s.
    """
    require_source(connection, code)
    stored = set(connection.execute(select(meter.c.id)).scalars()) if proposals else set()
    meters = {each["meter"]: each["commodity"] for each in proposals if each["meter"] not in stored}
    create_meters(
        connection,
        [
            {"id": name, "serial": name, "model": f"import {code}", "commodity": commodity, "concentrator": code}
            for name, commodity in meters.items()
        ],
    )
    names = ("meter", "register", "unit", "exponent", "kind", "step_s")
    create_evidence_channels(connection, [{name: each[name] for name in names} for each in proposals])
    bind(connection, code, {each["key"]: (each["meter"], each["register"]) for each in proposals}, person, now)


def unbind(connection: Connection, code: str, key: str, person: Person, now: datetime) -> None:
    """Let a series be unknown again; what was imported stays."""
    place = (import_binding.c.source == code) & (import_binding.c.key == key)
    if not connection.execute(delete(import_binding).where(place)).rowcount:
        raise NotFound("import_binding_not_found", f"The source {code} has no series {key!r} that is bound.")
    audit.record(connection, person, "import_binding.remove", f"import_source/{code}", {"key": key}, now)


def bound_registers(connection: Connection, code: str) -> dict[str, Register]:
    """The register of each series that is bound."""
    query = (
        select(import_binding.c.key, evidence_channel, meter.c.commodity)
        .join(evidence_channel, evidence_channel.c.id == import_binding.c.evidence_channel)
        .join(meter, meter.c.id == evidence_channel.c.device)
        .where(import_binding.c.source == code)
        .order_by(import_binding.c.key)
    )
    return {
        row.key: Register(
            row.id,
            row.device,
            row.register,
            row.unit,
            row.exponent,
            Kind(row.kind),
            row.step_ms,
            Commodity(row.commodity),
            row.min_value,
            row.max_value,
        )
        for row in connection.execute(query)
    }


def _insert_mapping(
    connection: Connection, code: str, version: int, mapping: AnyMapping, person: Person, now: datetime, reason: str
) -> None:
    row = {"source": code, "version": version, "body": mapping.model_dump(mode="json")}
    connection.execute(insert(import_mapping).values(**row, made_at=now, made_by=person.name, reason=reason))
