"""Days without a version, straight from blocks."""

import numpy as np
from sqlalchemy import Connection

from central.readings.assemble import Days, assemble
from central.readings.calendar import number_of, to_ms
from central.readings.profiles import Profiles
from central.readings.rows import read_blocks
from central.readings.touched import mappings_of, spans_of


def fill_open(connection: Connection, profiles: Profiles) -> None:
    """Assemble the days of all channels that have no version from their blocks, in place."""
    # Days are assembled in the order of (channel, day).
    order = np.argsort(np.asarray(profiles.channels, np.int64), kind="stable")
    rows, places = np.nonzero(profiles.versions[order] == 0)
    rows = order[rows]
    if not len(rows):
        return
    numbers, starts, lengths, steps = (
        np.array(column, np.int64)[places]
        for column in zip(
            *((number_of(d.date), to_ms(d.start), d.length, d.step.total_seconds() * 1000) for d in profiles.days),
            strict=True,
        )
    )
    channels = np.asarray(profiles.channels, np.int64)[rows]
    days = Days(channels, numbers, starts, lengths, steps)
    mappings = mappings_of(connection, channels=np.unique(channels).tolist())
    whole = assemble(days, read_blocks(connection, spans_of(days, mappings)), mappings, np.empty(0, np.int64))
    for number, (row, place) in enumerate(zip(rows.tolist(), places.tolist(), strict=True)):
        target = slice(int(profiles.offset[place]), int(profiles.offset[place + 1]))
        source = slice(int(whole.offset[number]), int(whole.offset[number + 1]))
        profiles.values[row, target] = whole.values[source]
        profiles.quality[row, target] = whole.quality[source]
