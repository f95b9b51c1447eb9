"""Register states (stavy) of channels from both of their sources: evidence that came by itself, and what people enter.

This is the one place that says which of several states stands for an instant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from string import Template
from typing import Any

from sqlalchemy import Connection, TextClause, text

from shared.quantities import Flag

WITHIN = timedelta(minutes=15)
"""A state read later than this after the instant does not stand for it."""
REMOTE = "remote"
"""Reading kind of evidence; entered states have kinds of their own (`state_tables.KINDS`)."""
PRECEDENCE = (
    "contractual_initial",
    "exchange",
    "removal",
    "initial",
    "change_of_customer",
    "change_of_supplier",
    REMOTE,
    "own",
    "customer",
    "estimate",
)
"""Which state stands for an instant, where there are several: what parties or a protocol agreed on, then what a meter
said, then what people read (assumed: no decree orders them). A state that a bill stands on goes before all of them."""
UNUSABLE = int(Flag.CLOCK_INVALID | Flag.DATA_INVALID)
"""A state whose meter said so itself is not settled by."""
LONGEST_PERIOD = timedelta(days=800)
"""Two states further apart are not the ends of one period: registers are read at least every year and a half."""

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class State:
    """One register state of a channel. `value` is the meter's integer (in unit x 10^exponent of the register), `factor`
    turns a difference of two of them into the channel's unit. A remote state has a `batch`, an entered one an `entry`;
    `locked_by` names the settlement run that billed it."""

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
    batch: int | None
    kind: str
    entry: int | None
    rolled_over: bool
    locked_by: str | None


# States of the register of a mapping `m` in evidence, and those that people entered, in the same columns. `first` and
# `last` bound the chunks that are looked at, whatever the rest of a condition says.
_PIECES = {
    "remote": """
        SELECT s.at, s.value, s.quality, s.batch_id AS batch, 'remote' AS kind, NULL::bigint AS entry,
               false AS rolled_over, NULL::text AS locked_by
        FROM register_reading s
        WHERE s.evidence_channel = m.evidence_channel AND s.at >= :first AND s.at <= :last
          AND s.quality & :unusable = 0
          AND NOT EXISTS (SELECT FROM batch f WHERE f.id = s.batch_id AND f.revoked_at IS NOT NULL)
    """,
    "entered": """
        SELECT s.at, s.value, 0 AS quality, NULL::bigint AS batch, s.kind, s.id AS entry, s.rolled_over, s.locked_by
        FROM meter_state s
        WHERE s.evidence_channel = m.evidence_channel AND s.revoked_at IS NULL AND s.at >= :first AND s.at <= :last
    """,
    "rank": "locked_by IS NULL, array_position(CAST(:precedence AS text[]), kind)",
    "columns": """
        m.channel, m.evidence_channel, e.concentrator, e.device AS meter, e.register, r.at, r.value, e.unit, e.exponent,
        m.multiplier::bigint * m.sign * (10 ^ (e.exponent - c.exponent))::bigint AS factor,
        r.quality, r.batch, r.kind, r.entry, r.rolled_over, r.locked_by
    """,
    "of_channel": """
        JOIN evidence_channel e ON e.id = m.evidence_channel
        JOIN channel c ON c.id = m.channel AND c.kind = 'state'
    """,
    "wanted": """
        FROM unnest(CAST(:channels AS integer[]), CAST(:instants AS timestamptz[]))
             WITH ORDINALITY AS w (channel, instant, place)
        JOIN channel_mapping m ON m.channel = w.channel AND m.valid @> w.instant
    """,
}


def _statement(template: str) -> TextClause:
    return text(Template(template).substitute(_PIECES))


# The mapping at the instant chooses the register; of its states from then on the one that goes first, then the
# soonest; of a state that was read again, the latest batch's.
_AT = _statement("""
    SELECT w.place, $columns
    $wanted $of_channel
    CROSS JOIN LATERAL (
        SELECT * FROM (
            ($remote AND s.at >= w.instant AND s.at <= w.instant + :within ORDER BY s.at, s.batch_id DESC LIMIT 1)
            UNION ALL
            ($entered AND s.at >= w.instant AND s.at <= w.instant + :within)
        ) found
        ORDER BY $rank, at LIMIT 1
    ) r
    ORDER BY m.channel, w.place
""")

# The last state before the instant and the first one after it, within the time that the mapping holds.
_AROUND = _statement("""
    SELECT w.place, r.side, $columns
    $wanted $of_channel
    CROSS JOIN LATERAL (
        (SELECT 'before' AS side, found.* FROM (
            ($remote AND s.at < w.instant AND m.valid @> s.at ORDER BY s.at DESC, s.batch_id DESC LIMIT 1)
            UNION ALL
            ($entered AND s.at < w.instant AND m.valid @> s.at)
        ) found ORDER BY at DESC, $rank LIMIT 1)
        UNION ALL
        (SELECT 'after' AS side, found.* FROM (
            ($remote AND s.at > w.instant AND (m.valid @> s.at OR s.at = upper(m.valid))
             ORDER BY s.at, s.batch_id DESC LIMIT 1)
            UNION ALL
            ($entered AND s.at > w.instant AND (m.valid @> s.at OR s.at = upper(m.valid)))
        ) found ORDER BY at, $rank LIMIT 1)
    ) r
""")

_BETWEEN = _statement("""
    SELECT $columns
    FROM channel_mapping m $of_channel
    CROSS JOIN LATERAL ($remote UNION ALL $entered) r
    WHERE m.channel = ANY(:channels) AND (m.valid @> r.at OR r.at = upper(m.valid))
    ORDER BY m.channel, r.at, lower(m.valid), r.locked_by IS NULL,
             array_position(CAST(:precedence AS text[]), r.kind), r.batch DESC
    LIMIT :limit
""")


def states_at(
    connection: Connection, channels: Sequence[int], instant: datetime, within: timedelta = WITHIN
) -> dict[int, State]:
    """The state at `instant` or the first one after it, at most `within` later, by channel; absent where none is."""
    found = find_states(connection, [(channel, instant) for channel in channels], within, unusable=0)
    return {state.channel: state for _, state in sorted(found.items())}


def find_states(
    connection: Connection,
    wanted: Sequence[tuple[int, datetime]],
    within: timedelta = WITHIN - _INSTANT,
    unusable: int = UNUSABLE,
) -> dict[tuple[int, datetime], State]:
    """The state that stands for each (channel, instant): at it or at most `within` later; absent where none is.

    One query. By default it must come before the next quarter-hour's own sample, which would otherwise stand for a
    missing one, and a state whose flags say that it is unusable is passed over for the next.
    """
    if not wanted:
        return {}
    instants = [instant for _, instant in wanted]
    bounds = {"first": min(instants), "last": max(instants) + within}
    rows = connection.execute(_AT, {**_parameters(wanted, unusable), **bounds, "within": within})
    return {wanted[row.place - 1]: _state(row) for row in rows}


def find_states_around(
    connection: Connection, wanted: Sequence[tuple[int, datetime]], unusable: int = UNUSABLE
) -> dict[tuple[int, datetime], tuple[State, State]]:
    """The states of one register next before and next after each (channel, instant), where both are; one query."""
    if not wanted:
        return {}
    instants = [instant for _, instant in wanted]
    bounds = {"first": min(instants) - LONGEST_PERIOD, "last": max(instants) + LONGEST_PERIOD}
    sides: dict[tuple[int, datetime], dict[str, State]] = {}
    for row in connection.execute(_AROUND, {**_parameters(wanted, unusable), **bounds}):
        sides.setdefault(wanted[row.place - 1], {})[row.side] = _state(row)
    return {key: (side["before"], side["after"]) for key, side in sides.items() if len(side) == 2}


def states_between(
    connection: Connection, channels: Sequence[int], first: datetime, last: datetime, limit: int = 10_000
) -> list[State]:
    """All states of the channels from `first` to `last`, both included, of whichever register fed them; by channel and
    time, of one instant the one that goes first before the others."""
    parameters = {"channels": list(channels), "first": first, "last": last, "limit": limit}
    rows = connection.execute(_BETWEEN, {**parameters, "unusable": 0, "precedence": list(PRECEDENCE)})
    return [_state(row) for row in rows]


def _parameters(wanted: Sequence[tuple[int, datetime]], unusable: int) -> dict[str, Any]:
    return {
        "channels": [channel for channel, _ in wanted],
        "instants": [instant for _, instant in wanted],
        "unusable": unusable,
        "precedence": list(PRECEDENCE),
    }


def _state(row: Any) -> State:
    return State(**{name: getattr(row, name) for name in State.__slots__})
