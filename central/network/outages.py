"""Outages (odstávky, poruchy): record, revise, cancel, find; which channels are without supply when.

An outage hits the points behind its element, as the topology is at its beginning, and those that are named by hand. It
gives a zero its reason: `outages_of` is what the validation of profiles asks.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, delete, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.network.point_tables import measuring_point
from central.network.points import point_ids
from central.network.topology import points_behind, require_element
from central.network.topology_tables import network_element, outage, outage_point
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person


@dataclass(frozen=True, slots=True)
class ChannelOutages:
    """Stretches [from, to) in ms during which a channel had no supply, sorted by channel and beginning."""

    channel: NDArray[np.int64]
    from_ms: NDArray[np.int64]
    to_ms: NDArray[np.int64]


def outages_of(connection: Connection, channels: Sequence[int], since: datetime, until: datetime) -> ChannelOutages:
    """Outages that hit these channels within [since, until), cut to it; one that goes on ends there."""
    if not channels:
        none = np.empty(0, np.int64)
        return ChannelOutages(none, none, none)
    rows = connection.execute(_OF_CHANNELS, {"channels": list(channels), "since": since, "until": until}).all()
    table = np.array(rows, dtype=np.int64).reshape(len(rows), 3).T
    return ChannelOutages(*(np.ascontiguousarray(column) for column in table))


def record_outage(
    connection: Connection,
    *,
    planned: bool,
    cause: str,
    element: str | None,
    points: Iterable[str],
    start: datetime,
    end: datetime | None,
    announced_at: datetime | None,
    person: Person,
    now: datetime,
) -> RowMapping:
    """Record an outage with the points that it hits; at least one, by `element` or by name."""
    _check_span(start, end)
    identifier = connection.execute(
        insert(outage)
        .values(
            planned=planned,
            cause=cause,
            element=None if element is None else require_element(connection, element)["id"],
            valid=Range(start, end, bounds="[)"),
            announced_at=announced_at,
            recorded_at=now,
            recorded_by=person.name,
        )
        .returning(outage.c.id)
    ).scalar_one()
    _hit(connection, identifier, points)
    return require_outage(connection, identifier)


def revise_outage(
    connection: Connection,
    identifier: int,
    *,
    cause: str,
    start: datetime,
    end: datetime | None,
    points: Iterable[str],
) -> RowMapping:
    """Change cause, beginning, end and the points named by hand; those of the topology are looked up anew."""
    row = require_outage(connection, identifier, lock=True)
    _require_open(row)
    _check_span(start, end)
    connection.execute(
        update(outage)
        .where(outage.c.id == identifier)
        .values(cause=cause, valid=Range(start, end, bounds="[)"), revision=row["revision"] + 1)
    )
    _hit(connection, identifier, points)
    return require_outage(connection, identifier)


def cancel_outage(connection: Connection, identifier: int, now: datetime) -> RowMapping:
    """Say that an outage did not take place: it gives no reason for anything any more."""
    row = require_outage(connection, identifier, lock=True)
    _require_open(row)
    connection.execute(
        update(outage).where(outage.c.id == identifier).values(cancelled_at=now, revision=row["revision"] + 1)
    )
    return require_outage(connection, identifier)


def require_outage(connection: Connection, identifier: int, *, lock: bool = False) -> RowMapping:
    """An outage by id, or NotFound."""
    query = (
        select(
            outage.c.id,
            outage.c.planned,
            outage.c.cause,
            network_element.c.name.label("element"),
            func.lower(outage.c.valid).label("start"),
            func.upper(outage.c.valid).label("end"),
            outage.c.announced_at,
            outage.c.recorded_at,
            outage.c.recorded_by,
            outage.c.cancelled_at,
            outage.c.revision,
        )
        .outerjoin(network_element, network_element.c.id == outage.c.element)
        .where(outage.c.id == identifier)
    )
    found = connection.execute(query.with_for_update(of=outage) if lock else query).mappings().first()
    if found is None:
        raise NotFound("outage_not_found", f"There is no outage {identifier}.")
    return found


def hit_points(connection: Connection, identifier: int) -> Sequence[RowMapping]:
    """Points that an outage hits, and how that is known."""
    query = (
        select(measuring_point.c.name.label("measuring_point"), outage_point.c.named_by)
        .join(measuring_point, measuring_point.c.id == outage_point.c.measuring_point)
        .where(outage_point.c.outage == identifier)
        .order_by(measuring_point.c.name)
    )
    return connection.execute(query).mappings().all()


def hit_channels(connection: Connection, identifier: int) -> list[int]:
    """Interval channels of the points that an outage hits."""
    return list(connection.execute(_HIT_CHANNELS, {"outage": identifier}).scalars())


def _hit(connection: Connection, identifier: int, points: Iterable[str]) -> None:
    row = connection.execute(select(outage).where(outage.c.id == identifier)).mappings().one()
    by_hand = set(point_ids(connection, points).values())
    behind: set[int] = set()
    if row["element"] is not None:
        behind = {each["id"] for each in points_behind(connection, row["element"], row["valid"].lower)}
    if not by_hand | behind:
        raise BadInput("outage_points", "The outage hits no measuring point; name points or what feeds some.")
    rows: list[dict[str, Any]] = [
        {"outage": identifier, "measuring_point": each, "named_by": "hand" if each in by_hand else "topology"}
        for each in sorted(by_hand | behind)
    ]
    connection.execute(delete(outage_point).where(outage_point.c.outage == identifier))
    connection.execute(insert(outage_point), rows)


def _check_span(start: datetime, end: datetime | None) -> None:
    if end is not None and end <= start:
        raise BadInput("outage_span", f"The outage ends at {end.isoformat()}, not after its start {start.isoformat()}.")


def _require_open(row: RowMapping) -> None:
    if row["cancelled_at"] is not None:
        raise Refused("cancelled", f"The outage {row['id']} was cancelled at {row['cancelled_at'].isoformat()}.")


_OF_CHANNELS = text("""
    SELECT c.id,
           (extract(epoch FROM greatest(lower(o.valid), CAST(:since AS timestamptz))) * 1000)::bigint,
           (extract(epoch FROM least(coalesce(upper(o.valid), 'infinity'), CAST(:until AS timestamptz)))
               * 1000)::bigint
    FROM unnest(CAST(:channels AS integer[])) AS given (id)
    JOIN channel c ON c.id = given.id
    JOIN measuring_point p ON p.name = c.point
    JOIN outage_point h ON h.measuring_point = p.id
    JOIN outage o ON o.id = h.outage
    WHERE o.cancelled_at IS NULL
      AND o.valid && tstzrange(CAST(:since AS timestamptz), CAST(:until AS timestamptz))
    ORDER BY c.id, lower(o.valid), o.id
""")

_HIT_CHANNELS = text("""
    SELECT c.id FROM outage_point h
    JOIN measuring_point p ON p.id = h.measuring_point JOIN channel c ON c.point = p.name
    WHERE h.outage = :outage AND c.kind = 'interval' ORDER BY c.id
""")
