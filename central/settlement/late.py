"""What comes after a run has pinned its profiles: approval closes the pinned days, later versions of them are late.

The pins say which versions a run stands on; `find_late_versions` compares them with the newest ones, so it also sees a
version that was made between the run and its approval. The closed days let the readings mark what they make later.
"""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from central.readings.closing import close_days
from central.readings.tables import day_profile

LATE = text("""
    -- pinned versions of a run that have a later one by now; what an update took over is late in its run
    SELECT sp.ean, pin.channel, pin.direction, pin.day, pin.version AS pinned_version, later.version AS newest_version,
           later.made_at
      FROM settlement_input si
      JOIN supply_point sp ON sp.id = si.supply_point
     CROSS JOIN LATERAL (
           SELECT (profile ->> 'channel')::integer AS channel, profile ->> 'direction' AS direction,
                  (profile ->> 'first')::date + place::integer - 1 AS day, version::integer AS version
             FROM jsonb_array_elements(si.profiles) profile
            CROSS JOIN LATERAL jsonb_array_elements_text(profile -> 'versions')
                  WITH ORDINALITY AS listed (version, place)) pin
     CROSS JOIN LATERAL (
           SELECT p.version, p.made_at FROM day_profile p
            WHERE p.channel = pin.channel AND p.day = pin.day AND p.version > pin.version
            ORDER BY p.version DESC LIMIT 1) later
     WHERE si.run = :run AND si.replaced_by IS NULL
     ORDER BY sp.ean, pin.channel, pin.day
""")


_PINNED_CHANNELS = text("""
    SELECT DISTINCT (profile ->> 'channel')::integer FROM settlement_input si
     CROSS JOIN LATERAL jsonb_array_elements(si.profiles) profile
     WHERE si.run = :run AND si.replaced_by IS NULL ORDER BY 1
""")


def close_pinned_days(connection: Connection, run: int, first: date, end: date, at: datetime) -> None:
    """Tell the readings that the days which an approved run has pinned are closed."""
    channels = connection.execute(_PINNED_CHANNELS, {"run": run}).scalars().all()
    close_days(connection, f"settlement_run/{run}", channels, first, end, at)


def find_late_versions(connection: Connection, run: int) -> Sequence[Row[Any]]:
    """Days that have a later profile than the one the run settled by: what an approved run would have to correct."""
    return connection.execute(LATE, {"run": run}).all()


def newest_versions(connection: Connection, channel: int, days: Collection[date]) -> dict[date, int]:
    """The newest version of each of these days of a channel; a day without a profile is absent."""
    found = connection.execute(
        select(day_profile.c.day, func.max(day_profile.c.version))
        .where(day_profile.c.channel == channel, day_profile.c.day.in_(days))
        .group_by(day_profile.c.day)
    )
    return {row[0]: row[1] for row in found}
