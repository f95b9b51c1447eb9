"""One channel's profile for people and programs: newest versions, and open days straight from blocks."""

from datetime import date
from typing import Any

import numpy as np
from sqlalchemy import Connection, func, select

from central.network.channels import require_channel
from central.readings.formulas.compute import compute
from central.readings.formulas.store import virtual_channels
from central.readings.open_profile import fill_open
from central.readings.profiles import Profiles, commodity_of, read_newest
from central.readings.tables import day_profile
from shared.quantities import MISSING_VALUE


def view(connection: Connection, channel: int, first: date, end: date) -> dict[str, Any]:
    """Days of a channel from `first` to before `end`: values (None where missing), quality, version (None: open)."""
    facts = require_channel(connection, channel)
    profiles = read_newest(connection, commodity_of(connection, [channel]), [channel], first, end)
    if (profiles.versions == 0).any():
        _fill_open(connection, profiles, channel)
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


def _fill_open(connection: Connection, profiles: Profiles, channel: int) -> None:
    """Days without a version: from blocks, or of a virtual meter from what its inputs are by now, in place."""
    if not virtual_channels(connection, [channel]):
        fill_open(connection, profiles)
        return
    first, end = profiles.days[0].date, profiles.days[-1].next.date
    computed = compute(connection, [channel], first, end)
    row = computed.row(channel)
    for place in np.flatnonzero(profiles.versions[0] == 0).tolist():
        part = slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        profiles.values[0, part] = computed.profiles.values[row, part]
        profiles.quality[0, part] = computed.profiles.quality[row, part]
