"""Read what a settlement measures by: the newest day profiles of a month, and register states at its borders.

One query a commodity for profiles, one for states, whatever the number of points.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import numpy as np
from sqlalchemy import Connection, text

from central.settlement.facts import PointFacts
from central.settlement.measured import ProfileMonth, RegisterPeriod, StateReading
from shared.metering_day import month_days
from shared.quantities import MISSING_VALUE, Commodity, Flag

UNUSABLE = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)
"""A state whose meter said so itself is not settled by."""

STATE_WINDOW = "15 minutes"
"""A sampled state belongs to the boundary that it follows by less than this; later it is a gap."""

PROFILES = text("""
    -- the newest version of each day
    SELECT DISTINCT ON (channel, day) channel, day, version, values
      FROM day_profile
     WHERE channel = ANY (:channels) AND day >= :first AND day < :end
     ORDER BY channel, day, version DESC
""")

STATES = text("""
    -- for each register that feeds a channel within the month: its states at both ends of that time
    SELECT fed.channel, fed.wanted_from, fed.wanted_to, fed.multiplier, fed.sign, fed.evidence_channel,
           first.at AS first_at, first.value AS first_value, first.batch_id AS first_batch,
           first.quality AS first_quality,
           last.at AS last_at, last.value AS last_value, last.batch_id AS last_batch, last.quality AS last_quality
      FROM (SELECT cm.channel, cm.evidence_channel, cm.multiplier, cm.sign,
                   greatest(lower(cm.valid), CAST(:start AS timestamptz)) AS wanted_from,
                   least(upper(cm.valid), CAST(:stop AS timestamptz)) AS wanted_to
              FROM channel_mapping cm
             WHERE cm.channel = ANY (:channels) AND cm.valid && tstzrange(:start, :stop)) fed
      LEFT JOIN LATERAL (
            SELECT rr.at, rr.value, rr.batch_id, rr.quality FROM register_reading rr
             WHERE rr.evidence_channel = fed.evidence_channel
               AND rr.at >= fed.wanted_from AND rr.at < fed.wanted_from + CAST(:state_window AS interval)
               AND rr.quality & :unusable = 0
             ORDER BY rr.at, rr.batch_id LIMIT 1) first ON true
      LEFT JOIN LATERAL (
            SELECT rr.at, rr.value, rr.batch_id, rr.quality FROM register_reading rr
             WHERE rr.evidence_channel = fed.evidence_channel
               AND rr.at >= fed.wanted_to AND rr.at < fed.wanted_to + CAST(:state_window AS interval)
               AND rr.quality & :unusable = 0
             ORDER BY rr.at, rr.batch_id LIMIT 1) last ON true
     ORDER BY fed.channel, fed.wanted_from
""")


def read_profiles(connection: Connection, commodity: Commodity, month: date, channels: Sequence[int]) -> ProfileMonth:
    """The month of interval channels of one commodity as a matrix; days without a profile are all missing."""
    days = month_days(commodity, month.year, month.month)
    offsets = np.cumsum([0, *(day.length for day in days)])
    position = {day.date: (number, int(offsets[number]), day.length) for number, day in enumerate(days)}
    row_of = {channel: row for row, channel in enumerate(channels)}
    values = np.full((len(channels), int(offsets[-1])), MISSING_VALUE, dtype=np.int32)
    versions = np.zeros((len(channels), len(days)), dtype=np.int32)
    if channels:
        parameters = {"channels": list(channels), "first": days[0].date, "end": days[-1].next.date}
        for row in connection.execute(PROFILES, parameters):
            number, offset, length = position[row.day]
            if len(row.values) == length:
                values[row_of[row.channel], offset : offset + length] = row.values
                versions[row_of[row.channel], number] = row.version
    return ProfileMonth(
        channels=list(channels),
        values=values,
        versions=versions,
        days=[day.date for day in days],
        day_of_interval=np.repeat(np.arange(len(days), dtype=np.int32), [day.length for day in days]),
        start=days[0].start,
        step=days[0].step,
    )


def read_states(
    connection: Connection, start: datetime, stop: datetime, channels: Sequence[int]
) -> dict[int, list[RegisterPeriod]]:
    """The register periods of state channels between two instants; a missing state is None in its period."""
    periods: dict[int, list[RegisterPeriod]] = {}
    if not channels:
        return periods
    parameters = {
        "channels": list(channels),
        "start": start,
        "stop": stop,
        "state_window": STATE_WINDOW,
        "unusable": UNUSABLE,
    }
    for row in connection.execute(STATES, parameters):
        first = last = None
        if row.first_at is not None:
            first = StateReading(
                row.evidence_channel, row.first_at, row.first_value, row.first_batch, row.first_quality
            )
        if row.last_at is not None:
            last = StateReading(row.evidence_channel, row.last_at, row.last_value, row.last_batch, row.last_quality)
        periods.setdefault(row.channel, []).append(
            RegisterPeriod(row.channel, row.wanted_from, row.wanted_to, first, last, row.multiplier, row.sign)
        )
    return periods


def interval_channels(points: Sequence[PointFacts], commodity: Commodity) -> list[int]:
    """The interval channels of the points that are billed by profiles (high voltage, gas)."""
    return sorted(
        channel.id
        for point in points
        if point.commodity is commodity and point.level != "NN"
        for channel in point.channels
        if channel.kind == "interval"
    )


def state_channels(points: Sequence[PointFacts]) -> list[int]:
    """The state channels of the points that are billed by register states (low voltage)."""
    return sorted(
        channel.id for point in points if point.level == "NN" for channel in point.channels if channel.kind == "state"
    )


def as_text(value: Decimal) -> str:
    """A decimal without exponent and without needless zeros, as documents hold it."""
    return format(value.normalize() + 0, "f")
