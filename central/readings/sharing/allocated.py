"""Allocations of shared energy as they are kept: another content is a new version, what EDC says comes before ours."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, text

from central.platform import audit
from central.platform.arrays import int_array
from central.platform.copy_text import copy_in
from central.platform.identity import Person
from central.readings.sharing.allocations import Allocation, Incomplete, nothing, of_computed, of_export
from central.readings.sharing.export import Export, read_export
from central.readings.sharing.groups import held_keys, require_group
from central.readings.sharing.shared_energy import Lack, shared_energy

Origin = Literal["edc", "computed"]
_COLUMNS: Final = (
    "group", "supply_point", "role", "day", "source", "version", "units", "total", "origin", "made_at", "made_by",
)  # fmt: skip

_POINTS = text("SELECT ean, id FROM supply_point WHERE commodity = 'electricity' AND ean = ANY (:eans)")
_NEWEST = text("""
    SELECT DISTINCT ON (a.supply_point, a.role, a.day) a.supply_point, a.role, a.day, a.version, a.total,
           md5(a.units::text) AS digest, sp.ean
      FROM sharing_allocation a JOIN supply_point sp ON sp.id = a.supply_point
     WHERE a."group" = :code AND a.source = :source AND a.day >= :first AND a.day < :end
     ORDER BY a.supply_point, a.role, a.day, a.version DESC
""")
_HOLDING = text("""
    -- what holds of each day: the newest of EDC, else the newest of ours
    SELECT h.* FROM (
           SELECT DISTINCT ON (a.supply_point, a.role, a.day) sp.ean, a.role, a.day, a.source, a.version, a.total,
                  a.origin, a.made_at, a.made_by
             FROM sharing_allocation a JOIN supply_point sp ON sp.id = a.supply_point
            WHERE a."group" = :code AND a.day >= :first AND a.day < :end
              AND (CAST(:ean AS text) IS NULL OR sp.ean = :ean)
            ORDER BY a.supply_point, a.role, a.day, a.source = 'edc' DESC, a.version DESC) h
     ORDER BY h.day, h.ean, h.role LIMIT :limit
""")
_GROUPS_ON = text("""
    -- groups with keys, and those that we computed something for before their keys were taken away
    SELECT "group" FROM sharing_key WHERE valid && daterange(:first, :end)
    UNION
    SELECT "group" FROM sharing_allocation
     WHERE source = 'computed' AND total > 0 AND day >= :first AND day < :end
    ORDER BY 1
""")
_OF_CONSUMERS = text("""
    SELECT DISTINCT ON (supply_point, "group", day) supply_point, "group", day, source, version, total
      FROM sharing_allocation
     WHERE supply_point = ANY (CAST(:points AS bigint[])) AND role = 'consumer' AND day >= :first AND day < :end
     ORDER BY supply_point, "group", day, source = 'edc' DESC, version DESC
""")
_TRACED = text("""
    SELECT a.day, a.source, a.version, a.total, a.origin, a.made_at, a.made_by
      FROM unnest(CAST(:days AS date[]), CAST(:versions AS integer[]), CAST(:sources AS text[]))
           AS pinned (day, version, source)
      JOIN sharing_allocation a ON a.supply_point = :point AND a.role = 'consumer' AND a."group" = :group
                               AND a.day = pinned.day AND a.version = pinned.version AND a.source = pinned.source
     ORDER BY a.day
""")
_AWAITED = text("""
    -- days on which a point has a key and nothing was allocated to it yet
    SELECT DISTINCT k.consumer, day::date AS day
      FROM sharing_key k
     CROSS JOIN generate_series(greatest(lower(k.valid), CAST(:first AS date)),
                                least(upper(k.valid), CAST(:end AS date)) - 1, interval '1 day') AS day
     WHERE k.consumer = ANY (CAST(:points AS bigint[])) AND k.valid && daterange(:first, :end)
       AND NOT EXISTS (SELECT FROM sharing_allocation a
                        WHERE a.supply_point = k.consumer AND a.role = 'consumer' AND a.day = day::date
                          AND a."group" = k."group")
     ORDER BY k.consumer, 2
""")


@dataclass(frozen=True, slots=True)
class Stored:
    """New versions, days that are as they were, members that are no points of ours, and what could not be taken."""

    first: date
    end: date
    added: int
    unchanged: int
    unknown: tuple[str, ...]
    incomplete: tuple[Incomplete, ...] = ()
    lacking: tuple[Lack, ...] = ()


@dataclass(frozen=True, slots=True)
class SharedDay:
    """What a consumer was allocated on a day in a group, in 0.01 kWh, and by which version of whom."""

    day: date
    group: str
    source: str
    version: int
    units: int


@dataclass(frozen=True, slots=True)
class SharedOfPoint:
    """The allocations of a consumer by days, and the days on which it has a key and no allocation."""

    days: tuple[SharedDay, ...] = ()
    awaited: tuple[date, ...] = ()


NOT_SHARED: Final = SharedOfPoint()


def import_export(
    connection: Connection, code: str, content: bytes, origin: str, reason: str, person: Person, at: datetime
) -> Stored:
    """Keep what EDC's export says of a group; BadInput where it cannot be read, NotFound without the group."""
    return store_export(connection, code, read_export(content), origin, reason, person, at)


def store_export(
    connection: Connection, code: str, export: Export, origin: str, reason: str, person: Person, at: datetime
) -> Stored:
    """Keep what an export says that was read already; raises as `import_export` does."""
    require_group(connection, code, lock=True)
    taken, left = of_export(export)
    added, unchanged, unknown = _store(
        connection, code, "edc", taken, export.first, export.end, origin, reason, person, at
    )
    return Stored(export.first, export.end, added, unchanged, unknown, tuple(left))


def compute(
    connection: Connection, code: str, first: date, end: date, reason: str, person: Person, at: datetime
) -> Stored:
    """Keep what we compute by the keys; who is no member any more has nothing. Raises as `shared_energy` does."""
    require_group(connection, code, lock=True)
    shared = shared_energy(connection, code, first, end)
    given = of_computed(shared, held_keys(connection, code, first, end))
    told = {(each.ean, each.role, each.day) for each in given}
    given += [
        nothing(row.ean, row.role, row.day)
        for row in _newest(connection, code, "computed", first, end)
        if row.total and (row.ean, row.role, row.day) not in told
    ]
    added, unchanged, unknown = _store(connection, code, "computed", given, first, end, "keys", reason, person, at)
    return Stored(first, end, added, unchanged, unknown, (), tuple(shared.lacking))


def groups_on(connection: Connection, first: date, end: date) -> list[str]:
    """The groups that have keys on some day of [first, end), or had them when it was computed, by code."""
    return list(connection.execute(_GROUPS_ON, {"first": first, "end": end}).scalars())


def find_holding(
    connection: Connection, code: str, first: date, end: date, ean: str | None, limit: int
) -> Sequence[Row[Any]]:
    """What holds of the group's days, by day and EAN; NotFound."""
    require_group(connection, code)
    asked = {"code": code, "first": first, "end": end, "ean": ean, "limit": limit}
    return connection.execute(_HOLDING, asked).all()


def trace_shared(
    connection: Connection, point: int, group: str, allocations: Mapping[str, Sequence[Any]], day: date | None = None
) -> list[dict[str, Any]]:
    """Where allocations of a consumer are from: by day their version and source, kWh, file or keys, who and when.

    `allocations` are [version, source] by day, as a settlement pins them; `day` takes one of them.
    """
    wanted = {at: pair for at, pair in allocations.items() if day is None or at == day.isoformat()}
    asked = {
        "point": point,
        "group": group,
        "days": list(wanted),
        "versions": [version for version, _ in wanted.values()],
        "sources": [source for _, source in wanted.values()],
    }
    return [
        {
            "day": row.day.isoformat(),
            "source": row.source,
            "version": row.version,
            "shared_kwh": str(Decimal(row.total).scaleb(-2)),
            "origin": row.origin,
            "made_at": row.made_at.isoformat(),
            "made_by": row.made_by,
        }
        for row in connection.execute(_TRACED, asked)
    ]


def read_shared(connection: Connection, points: Iterable[int], first: date, end: date) -> dict[int, SharedOfPoint]:
    """What consumers were allocated in [first, end), by point; those without sharing are left out."""
    asked = {"points": int_array(points), "first": first, "end": end}
    days: dict[int, list[SharedDay]] = {}
    for row in connection.execute(_OF_CONSUMERS, asked):
        shared = SharedDay(row.day, row.group, row.source, row.version, row.total)
        days.setdefault(row.supply_point, []).append(shared)
    awaited: dict[int, list[date]] = {}
    for row in connection.execute(_AWAITED, asked):
        awaited.setdefault(row.consumer, []).append(row.day)
    return {point: SharedOfPoint(tuple(days.get(point, ())), tuple(awaited.get(point, ()))) for point in days | awaited}


def _newest(connection: Connection, code: str, source: Origin, first: date, end: date) -> Sequence[Row[Any]]:
    return connection.execute(_NEWEST, {"code": code, "source": source, "first": first, "end": end}).all()


def _store(
    connection: Connection,
    code: str,
    source: Origin,
    given: Sequence[Allocation],
    first: date,
    end: date,
    origin: str,
    reason: str,
    person: Person,
    at: datetime,
) -> tuple[int, int, tuple[str, ...]]:
    eans = sorted({each.ean for each in given})
    points: Mapping[str, int] = {row.ean: row.id for row in connection.execute(_POINTS, {"eans": eans})}
    before = {(row.supply_point, row.role, row.day): row for row in _newest(connection, code, source, first, end)}
    rows: list[tuple[Any, ...]] = []
    unchanged = 0
    for each in given:
        point = points.get(each.ean)
        if point is None:
            continue
        units = int_array(each.units)
        known = before.get((point, each.role, each.day))
        if known is not None and known.digest == hashlib.md5(units.encode(), usedforsecurity=False).hexdigest():
            unchanged += 1
            continue
        version = 1 if known is None else known.version + 1
        rows.append(
            (code, point, each.role, each.day, source, version, units, sum(each.units), origin, at, person.name)
        )
    copy_in(connection, "sharing_allocation", _COLUMNS, rows)
    unknown = tuple(ean for ean in eans if ean not in points)
    if not rows and source == "computed":
        return 0, unchanged, tuple(ean for ean in eans if ean not in points)  # looked, and nothing came of it
    details = {
        "source": source,
        "days": [first.isoformat(), end.isoformat()],
        "added": len(rows),
        "unchanged": unchanged,
        "origin": origin,
    }
    audit.record(connection, person, "sharing.allocate", f"sharing_group/{code}", details, at, why=reason)
    return len(rows), unchanged, unknown
