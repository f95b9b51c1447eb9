"""One channel's profile for people and programs: newest versions, and open days straight from blocks."""

from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from central.network.channels import require_channel
from central.readings.assemble import Days, assemble
from central.readings.calendar import number_of, to_ms
from central.readings.profiles import Profiles, commodity_of, read_newest
from central.readings.rows import read_blocks
from central.readings.tables import day_profile
from central.readings.touched import mappings_of, spans_of
from shared.quantities import MISSING_VALUE


def view(connection: Connection, channel: int, first: date, end: date) -> dict[str, Any]:
    """Days of a channel from `first` to before `end`: values (None where missing), quality, version (None: open)."""
    facts = require_channel(connection, channel)
    profiles = read_newest(connection, commodity_of(connection, [channel]), [channel], first, end)
    _fill_open(connection, profiles, channel, facts["step_ms"])
    days = []
    for place, day in enumerate(profiles.days):
        part = slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        days.append(
            {
                "day": day.date,
                "begin": day.start,
                "version": int(profiles.versions[0, place]) or None,
                "values": [None if value == MISSING_VALUE else value for value in profiles.values[0, part].tolist()],
                "quality": profiles.quality[0, part].tolist(),
            }
        )
    return {
        "channel": channel,
        "unit": facts["unit"],
        "exponent": facts["exponent"],
        "step_s": facts["step_ms"] // 1000,
        "days": days,
    }


def versions(connection: Connection, channel: int, day: date) -> list[dict[str, Any]]:
    """All versions of a channel's day, oldest first."""
    require_channel(connection, channel)
    table = day_profile.c
    query = (
        select(
            table.version,
            table.made_at,
            table.made_by,
            table.missing,
            table.batches,
            func.encode(table.digest, "hex").label("digest"),
        )
        .where(table.channel == channel, table.day == day)
        .order_by(table.version)
    )
    return [dict(row) for row in connection.execute(query).mappings()]


def _fill_open(connection: Connection, profiles: Profiles, channel: int, step_ms: int) -> None:
    """Assemble the days without a version from their blocks, in place."""
    places = np.flatnonzero(profiles.versions[0] == 0)
    if not len(places):
        return
    open_days = [profiles.days[place] for place in places.tolist()]
    days = Days(
        np.full(len(places), channel, np.int64),
        np.array([number_of(day.date) for day in open_days], np.int64),
        np.array([to_ms(day.start) for day in open_days], np.int64),
        np.array([day.length for day in open_days], np.int64),
        np.full(len(places), step_ms, np.int64),
    )
    mappings = mappings_of(connection, channels=[channel])
    whole = assemble(days, read_blocks(connection, spans_of(days, mappings)), mappings, np.empty(0, np.int64))
    for number, place in enumerate(places.tolist()):
        target = slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        source = slice(int(whole.offset[number]), int(whole.offset[number + 1]))
        profiles.values[0, target] = whole.values[source]
        profiles.quality[0, target] = whole.quality[source]
