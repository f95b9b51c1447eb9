"""Values from outside by series and key: equal ones are left out, another content is a new version, all stay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, text

from central.platform.plain import plain


@dataclass(frozen=True, slots=True)
class Value:
    """One value: of a series ("ote.day-ahead.PT15M.EUR") under a key, from the instant `begins` where it has a time.

    `content` is plain data; decimals become texts.
    """

    series: str
    key: str
    content: Mapping[str, Any]
    begins: datetime | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """Records of a source, those that were new, and those that say something else than before.

    `left`: sentences about records that were left out, for a person to decide.
    """

    records: int = 0
    added: int = 0
    changed: int = 0
    left: tuple[str, ...] = field(default=())


_STORE = text("""
    WITH given AS (
        SELECT series, key, begins, content::jsonb AS content
        FROM unnest(CAST(:series AS text[]), CAST(:keys AS text[]), CAST(:begins AS timestamptz[]),
                    CAST(:contents AS text[])) AS g (series, key, begins, content)
    )
    INSERT INTO external_value (series, key, version, begins, content, fetch_id, stored_at)
    SELECT g.series, g.key, coalesce(newest.version, 0) + 1, g.begins, g.content, :fetch, :at
    FROM given g
    LEFT JOIN LATERAL (
        SELECT v.version, v.content, v.begins FROM external_value v
        WHERE v.series = g.series AND v.key = g.key ORDER BY v.version DESC LIMIT 1
    ) newest ON true
    WHERE (newest.content, newest.begins) IS DISTINCT FROM (g.content, g.begins)
    RETURNING version
""")


def store_values(connection: Connection, values: Sequence[Value], fetch: int, at: datetime) -> Counts:
    """Store values of one fetch; no series and key may be given twice. One worker at a time stores."""
    versions = (
        connection.execute(
            _STORE,
            {
                "series": [each.series for each in values],
                "keys": [each.key for each in values],
                "begins": [each.begins for each in values],
                "contents": [msgspec.json.encode(plain(each.content)).decode() for each in values],
                "fetch": fetch,
                "at": at,
            },
        )
        .scalars()
        .all()
    )
    changed = sum(version > 1 for version in versions)
    return Counts(len(values), len(versions) - changed, changed)


_FIND = text("""
    SELECT v.series, v.key, v.version, v.begins, v.content, v.stored_at, f.source, f.address, f.at AS fetched_at
    FROM external_value v JOIN external_fetch f ON f.id = v.fetch_id
    WHERE v.series = :series
      AND (CAST(:since AS timestamptz) IS NULL OR v.begins >= :since)
      AND (CAST(:until AS timestamptz) IS NULL OR v.begins < :until)
      AND (:all_versions OR NOT EXISTS (
            SELECT FROM external_value later
            WHERE later.series = v.series AND later.key = v.key AND later.version > v.version))
    ORDER BY v.begins, v.key, v.version LIMIT :limit
""")


def find_values(
    connection: Connection,
    series: str,
    since: datetime | None,
    until: datetime | None,
    *,
    all_versions: bool = False,
    limit: int = 10_000,
) -> Sequence[RowMapping]:
    """Values of a series that begin in [since, until), each with source, address and time of its fetch, by time."""
    given = {"series": series, "since": since, "until": until, "all_versions": all_versions, "limit": limit}
    return connection.execute(_FIND, given).mappings().all()


_NEWEST = text("""
    SELECT v.key, v.version, v.begins, v.content, v.stored_at, f.source, f.address, f.at AS fetched_at
    FROM external_value v JOIN external_fetch f ON f.id = v.fetch_id
    WHERE v.series = :series AND v.key = :key ORDER BY v.version DESC LIMIT 1
""")


def newest_value(connection: Connection, series: str, key: str) -> RowMapping | None:
    """The value under one key, with source, address and time of its fetch; None where there is none."""
    return connection.execute(_NEWEST, {"series": series, "key": key}).mappings().one_or_none()


_SERIES = text("""
    WITH RECURSIVE named AS (
        SELECT min(series) AS series FROM external_value
        UNION ALL
        SELECT (SELECT min(v.series) FROM external_value v WHERE v.series > n.series) FROM named n
        WHERE n.series IS NOT NULL
    )
    SELECT n.series, span.first, span.last FROM named n
    CROSS JOIN LATERAL (
        SELECT min(begins) AS first, max(begins) AS last FROM external_value v WHERE v.series = n.series
    ) span
    WHERE n.series IS NOT NULL ORDER BY n.series
""")


def find_series(connection: Connection) -> Sequence[RowMapping]:
    """The series that are stored, with the first and the last instant of each."""
    return connection.execute(_SERIES).mappings().all()
