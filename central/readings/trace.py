"""From a day profile or a register state down to blocks, batches, concentrator and meter, as plain dictionaries."""

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, text

from central.platform.errors import NotFound
from central.readings.registers.entering import require_entry
from shared.metering_day import MeteringDay
from shared.quantities import Commodity

_PROFILE = text("""
    SELECT p.channel, p.day, p.version, p.step_ms, p.missing, p.made_at, p.made_by, p.batches,
           encode(p.digest, 'hex') AS digest, c.point, c.direction, c.commodity, c.unit, c.exponent, s.ean
    FROM day_profile p
    JOIN channel c ON c.id = p.channel
    LEFT JOIN supply_point s ON s.id = c.supply_point
    WHERE p.channel = :channel AND p.day = :day AND (CAST(:version AS integer) IS NULL OR p.version = :version)
    ORDER BY p.version DESC
    LIMIT 1
""")
_BLOCKS = text("""
    SELECT b.batch_id AS batch, b.evidence_channel, b.start, b.step AS step_ms, cardinality(b."values") AS count,
           b.marks, m.multiplier, m.sign
    FROM channel_mapping m
    JOIN block b ON b.evidence_channel = m.evidence_channel
    WHERE m.channel = :channel AND b.start >= :begin AND b.start < :finish AND b.batch_id = ANY(:batches)
      AND m.valid && tstzrange(b.start, b.start + cardinality(b."values") * b.step * interval '1 millisecond')
    ORDER BY b.start, b.batch_id
""")
_SOURCES = text("""
    SELECT s.version, f.text AS formula, s.inputs, s.versions
    FROM formula_source s JOIN formula f ON f.id = s.formula
    WHERE s.channel = :channel AND s.day = :day AND (CAST(:version AS integer) IS NULL OR s.version = :version)
    ORDER BY s.version
""")
_STATE = text("""
    SELECT r.at, r.value, r.quality, r.marks, r.batch_id AS batch, r.evidence_channel
    FROM register_reading r
    WHERE r.evidence_channel = :evidence_channel AND r.at = :at
      AND (CAST(:batch AS bigint) IS NULL OR r.batch_id = :batch)
    ORDER BY r.batch_id DESC
    LIMIT 1
""")
_BATCHES = text("""
    SELECT b.id, b.edge AS concentrator, b.epoch, b.seq, b.received_at, b.consolidated_at, b.revoked_at,
           f.id AS file, f.name AS file_name
    FROM batch b LEFT JOIN import_file f ON f.source = b.edge AND f.id = b.epoch
    WHERE b.id = ANY(:ids) ORDER BY b.id
""")
_REGISTERS = text("""
    SELECT e.id AS evidence_channel, e.register, e.unit, e.exponent, e.kind,
           m.id AS meter, m.serial, m.model, k.id AS concentrator, k.name AS concentrator_name, k.place
    FROM evidence_channel e
    JOIN meter m ON m.id = e.device
    JOIN concentrator k ON k.id = e.concentrator
    WHERE e.id = ANY(:ids) ORDER BY e.id
""")


def trace_profile(connection: Connection, channel: int, day: date, version: int | None = None) -> dict[str, Any]:
    """What one version (default: the newest) of a day was made from.

    Keys: the profile's own (channel, point, direction, ean, day, version, digest, made_at, made_by, missing), `blocks`
    (batch, evidence_channel, start, count, marks, multiplier, sign), `batches` (id, concentrator, epoch, seq,
    received_at, file and file_name where it was imported, revoked_at) and `registers` (register, meter, serial, model,
    concentrator, place); of a virtual meter `formula`: its text, and the channels and versions that it was computed
    from. NotFound if there is none.
    """
    profile = connection.execute(_PROFILE, {"channel": channel, "day": day, "version": version}).mappings().first()
    if profile is None:
        which = "no version" if version is None else f"no version {version}"
        raise NotFound("version_not_found", f"Channel {channel} has {which} of a profile of {day}.")
    metering_day = MeteringDay(Commodity(profile["commodity"]), day)
    blocks = connection.execute(
        _BLOCKS,
        {"channel": channel, "begin": metering_day.start, "finish": metering_day.end, "batches": profile["batches"]},
    ).mappings()
    found = [dict(block) for block in blocks]
    return {
        **profile,
        "begin": metering_day.start,
        "end": metering_day.end,
        "blocks": found,
        "batches": _batches(connection, profile["batches"]),
        "registers": _registers(connection, (block["evidence_channel"] for block in found)),
        "formula": next(iter(formula_sources(connection, channel, day, profile["version"])), None),
    }


def formula_sources(
    connection: Connection, channel: int, day: date, version: int | None = None
) -> list[dict[str, Any]]:
    """What versions of a virtual meter's day were computed from: version, formula, inputs as (channel, version)."""
    rows = connection.execute(_SOURCES, {"channel": channel, "day": day, "version": version})
    return [
        {
            "version": row.version,
            "formula": row.formula,
            "inputs": [
                {"channel": used, "version": number} for used, number in zip(row.inputs, row.versions, strict=True)
            ],
        }
        for row in rows
    ]


def trace_state(
    connection: Connection, evidence_channel: int, at: datetime, batch: int | None = None
) -> dict[str, Any]:
    """Where a register state came from: the reading itself, its batch, and the register with meter and concentrator."""
    parameters = {"evidence_channel": evidence_channel, "at": at, "batch": batch}
    reading = connection.execute(_STATE, parameters).mappings().first()
    if reading is None:
        raise NotFound("state_not_found", f"Evidence channel {evidence_channel} has no state at {at.isoformat()}.")
    return {
        **reading,
        "batches": _batches(connection, [reading["batch"]]),
        "registers": _registers(connection, [evidence_channel]),
    }


def trace_entry(connection: Connection, entry: int) -> dict[str, Any]:
    """Where an entered register state came from: who entered it, when and what of, and the register with its meter."""
    stored = require_entry(connection, entry)
    return {
        **{name: stored[name] for name in _ENTRY},
        "batches": [],
        "registers": _registers(connection, [stored["evidence_channel"]]),
    }


_ENTRY = (
    "id",
    "kind",
    "at",
    "value",
    "evidence_channel",
    "period_start",
    "pz_date",
    "note",
    "document",
    "entered_at",
    "entered_by",
    "locked_by",
)


def _batches(connection: Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
    rows = connection.execute(_BATCHES, {"ids": list(ids)}).mappings()
    return [_with_epoch(row) for row in rows]


def _with_epoch(row: RowMapping) -> dict[str, Any]:
    """The epoch as it travels: 16 hexadecimal digits (the database holds it as a signed integer)."""
    return {**row, "epoch": f"{row['epoch'] & 0xFFFF_FFFF_FFFF_FFFF:016x}"}


def _registers(connection: Connection, ids: Iterable[int]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(_REGISTERS, {"ids": sorted(set(ids))}).mappings()]
