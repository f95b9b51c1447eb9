"""Completeness: how many values were to come and how many are there, by meter and day, in one query."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class Cell:
    """One meter on one metering day, its interval channels together."""

    concentrator: str
    meter: str
    day: date
    expected: int
    present: int


Cells = Sequence[Cell]

# Expected: the intervals of a mapping's validity within the day that are over. Present: the values of the newest
# version; where a mapping covers only a part of the day (meter exchange), the values of that part; on an open day the
# distinct intervals that blocks cover, so that what was read again counts once. Blocks lie on the day's grid and hold
# no missing value (ingest refuses others). An interval belongs to the mapping in which it begins.
_CELLS = text("""
    WITH calendar AS (
        SELECT d::date AS day, kind.commodity,
               (d::date + kind.start) AT TIME ZONE 'Europe/Prague' AS begin,
               (d::date + 1 + kind.start) AT TIME ZONE 'Europe/Prague' AS finish
        FROM generate_series(CAST(:first AS date), CAST(:last AS date), interval '1 day') d
        CROSS JOIN (VALUES ('electricity', time '00:00'), ('gas', time '06:00')) AS kind (commodity, start)
    ),
    wanted AS (
        SELECT e.concentrator, e.device AS meter, m.evidence_channel, m.channel, k.day, c.step_ms, k.begin,
               greatest(k.begin, coalesce(lower(m.valid), k.begin)) AS since,
               least(k.finish, coalesce(upper(m.valid), k.finish)) AS until
        FROM channel_mapping m
        JOIN evidence_channel e ON e.id = m.evidence_channel
        JOIN channel c ON c.id = m.channel
        JOIN calendar k ON k.commodity = c.commodity AND m.valid && tstzrange(k.begin, k.finish)
        WHERE c.kind = 'interval' AND k.begin < :now
          AND (CAST(:concentrator AS text) IS NULL OR e.concentrator = :concentrator)
    ),
    counted AS (
        SELECT w.*,
               ceil(extract(epoch FROM since - begin) * 1000 / step_ms)::integer AS first_index,
               least(
                   ceil(extract(epoch FROM until - begin) * 1000 / step_ms),
                   floor(extract(epoch FROM CAST(:now AS timestamptz) - begin) * 1000 / step_ms)
               )::integer AS end_index
        FROM wanted w
    ),
    newest AS (
        SELECT DISTINCT ON (channel, day) channel, day, missing, "values"
        FROM day_profile WHERE day BETWEEN :first AND :last
        ORDER BY channel, day, version DESC
    )
    SELECT c.concentrator, c.meter, c.day,
           sum(greatest(c.end_index - c.first_index, 0))::bigint AS expected,
           sum(CASE
               WHEN n.channel IS NULL THEN coalesce(open.present, 0)
               WHEN c.end_index - c.first_index >= cardinality(n."values") THEN cardinality(n."values") - n.missing
               WHEN n.missing = 0 THEN greatest(c.end_index - c.first_index, 0)
               ELSE (SELECT count(*) FROM unnest(n."values"[c.first_index + 1 : c.end_index]) v WHERE v <> -2147483648)
           END)::bigint AS present
    FROM counted c
    LEFT JOIN newest n ON n.channel = c.channel AND n.day = c.day
    LEFT JOIN open_day o ON n.channel IS NULL AND o.channel = c.channel AND o.day = c.day
    LEFT JOIN LATERAL (
        SELECT sum(extract(epoch FROM upper(part) - lower(part)) * 1000 / c.step_ms)::bigint AS present
        FROM (
            SELECT range_agg(tstzrange(b.start, b.start + cardinality(b."values") * b.step * interval '1 millisecond'))
                   * tstzmultirange(tstzrange(
                         c.begin + c.first_index * c.step_ms * interval '1 millisecond',
                         c.begin + greatest(c.first_index, c.end_index) * c.step_ms * interval '1 millisecond'
                     )) AS there
            FROM block b
            WHERE o.channel IS NOT NULL AND b.evidence_channel = c.evidence_channel
              AND b.start >= c.begin AND b.start < c.until AND b.step = c.step_ms
        ) covered
        CROSS JOIN LATERAL unnest(covered.there) AS part
    ) open ON true
    GROUP BY c.concentrator, c.meter, c.day
    ORDER BY c.concentrator, c.meter, c.day
""")


def count(connection: Connection, first: date, last: date, now: datetime, concentrator: str | None = None) -> Cells:
    """Expected and present values by meter and metering day, `first` to `last` inclusive.

    Only intervals that were over at `now` are expected. Channels of states have no expectation here.
    """
    parameters = {"first": first, "last": last, "now": now, "concentrator": concentrator}
    return [Cell(**row._mapping) for row in connection.execute(_CELLS, parameters)]
