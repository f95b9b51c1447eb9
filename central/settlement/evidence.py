"""Read what a settlement measures by: the newest day profiles of a month, and register states at its borders.

One query a commodity for profiles, one for states, whatever the number of points. A meter exchange within the month
makes two register periods of a channel.
"""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import Connection, text

from central.readings.profiles import Profiles, read_newest
from central.readings.states import WITHIN
from central.settlement.facts import PointFacts
from central.settlement.measured import RegisterPeriod, StateReading
from shared.metering_day import next_month
from shared.quantities import Commodity, Flag

UNUSABLE = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)
"""A state whose meter said so itself is not settled by."""

STATES = text("""
    -- for each register that feeds a channel within the month: its states at both ends of that time
    SELECT fed.channel, fed.wanted_from, fed.wanted_to, fed.factor, fed.evidence_channel, fed.exponent,
           first.at AS first_at, first.value AS first_value, first.batch_id AS first_batch,
           first.quality AS first_quality,
           last.at AS last_at, last.value AS last_value, last.batch_id AS last_batch, last.quality AS last_quality
      FROM (SELECT cm.channel, cm.evidence_channel, ec.exponent,
                   cm.multiplier::bigint * cm.sign * (10 ^ (ec.exponent - ch.exponent))::bigint AS factor,
                   greatest(lower(cm.valid), CAST(:start AS timestamptz)) AS wanted_from,
                   least(upper(cm.valid), CAST(:stop AS timestamptz)) AS wanted_to
              FROM channel_mapping cm
              JOIN evidence_channel ec ON ec.id = cm.evidence_channel
              JOIN channel ch ON ch.id = cm.channel
             WHERE cm.channel = ANY (:channels) AND cm.valid && tstzrange(:start, :stop)) fed
      LEFT JOIN LATERAL (
            SELECT rr.at, rr.value, rr.batch_id, rr.quality FROM register_reading rr
             WHERE rr.evidence_channel = fed.evidence_channel
               AND rr.at >= fed.wanted_from AND rr.at <= fed.wanted_from + CAST(:within AS interval)
               AND rr.quality & :unusable = 0
             ORDER BY rr.at, rr.batch_id DESC LIMIT 1) first ON true
      LEFT JOIN LATERAL (
            SELECT rr.at, rr.value, rr.batch_id, rr.quality FROM register_reading rr
             WHERE rr.evidence_channel = fed.evidence_channel
               AND rr.at >= fed.wanted_to AND rr.at <= fed.wanted_to + CAST(:within AS interval)
               AND rr.quality & :unusable = 0
             ORDER BY rr.at, rr.batch_id DESC LIMIT 1) last ON true
     ORDER BY fed.channel, fed.wanted_from
""")


def read_profiles(connection: Connection, commodity: Commodity, month: date, channels: Sequence[int]) -> Profiles:
    """The newest profiles of a month of interval channels of one commodity; what has no profile is missing."""
    return read_newest(connection, commodity, channels, month, next_month(month.year, month.month))


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
        "within": WITHIN,
        "unusable": UNUSABLE,
    }
    for row in connection.execute(STATES, parameters):
        first = last = None
        if row.first_at is not None:
            first = StateReading(
                row.evidence_channel, row.first_at, row.first_value, row.exponent, row.first_batch, row.first_quality
            )
        if row.last_at is not None:
            last = StateReading(
                row.evidence_channel, row.last_at, row.last_value, row.exponent, row.last_batch, row.last_quality
            )
        periods.setdefault(row.channel, []).append(
            RegisterPeriod(row.channel, row.wanted_from, row.wanted_to, first, last, row.factor)
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
