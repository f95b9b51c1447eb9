"""Register states (stavy): the state of each channel's register at, or soonest after, an instant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

WITHIN = timedelta(minutes=15)
"""A state read later than this after the instant does not stand for it."""


@dataclass(frozen=True, slots=True)
class State:
    """One register state of a channel. `value` is the meter's integer (in unit x 10^exponent of the register), `factor`
    turns a difference of two of them into the channel's unit."""

    channel: int
    evidence_channel: int
    concentrator: str
    meter: str
    register: str
    at: datetime
    value: int
    unit: str
    exponent: int
    factor: int
    quality: int
    batch: int


# The mapping at the instant chooses the register; its first usable state from then on is taken, the latest batch's
# where a state was read again.
_STATES = text("""
    SELECT m.channel, m.evidence_channel, e.concentrator, e.device AS meter, e.register, r.at, r.value,
           e.unit, e.exponent, m.multiplier::bigint * m.sign * (10 ^ (e.exponent - c.exponent))::bigint AS factor,
           r.quality, r.batch_id AS batch
    FROM channel_mapping m
    JOIN evidence_channel e ON e.id = m.evidence_channel
    JOIN channel c ON c.id = m.channel
    CROSS JOIN LATERAL (
        SELECT s.at, s.value, s.quality, s.batch_id
        FROM register_reading s
        WHERE s.evidence_channel = m.evidence_channel AND s.at >= :instant AND s.at <= :latest
          AND NOT EXISTS (SELECT FROM batch f WHERE f.id = s.batch_id AND f.revoked_at IS NOT NULL)
        ORDER BY s.at, s.batch_id DESC
        LIMIT 1
    ) r
    WHERE m.channel = ANY(:channels) AND c.kind = 'state' AND m.valid @> CAST(:instant AS timestamptz)
    ORDER BY m.channel
""")


def states_at(
    connection: Connection, channels: Sequence[int], instant: datetime, within: timedelta = WITHIN
) -> dict[int, State]:
    """The state at `instant` or the first one after it, at most `within` later, by channel; absent where none is."""
    parameters = {"channels": list(channels), "instant": instant, "latest": instant + within}
    return {row.channel: State(**row._mapping) for row in connection.execute(_STATES, parameters)}
