"""Planned outages of the market operator (plánované odstávky): nothing is sent meanwhile; deadlines stay."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, RowMapping, func, insert, select, text, update
from sqlalchemy.dialects.postgresql import Range

from central.market.tables import market_outage
from central.platform.errors import BadInput, NotFound, Refused

_NOW_OUT: Final = text("""
    SELECT upper(valid) FROM market_outage
     WHERE cancelled_at IS NULL AND valid @> CAST(:at AS timestamptz) AND (channel IS NULL OR channel = :channel)
     ORDER BY upper(valid) DESC LIMIT 1
""")


def plan_outage(
    connection: Connection, first: datetime, end: datetime, channel: str | None, why: str, at: datetime, person: str
) -> int:
    """Plan one from `first` until `end`, aware; Refused where it ends before it begins."""
    if not 2000 <= first.year <= end.year <= 2200:
        raise BadInput("outage", f"The outage from {first.isoformat()} to {end.isoformat()} lies out of our time.")
    if end <= first:
        raise Refused("outage", f"The outage ends at {end.isoformat()}, before it begins at {first.isoformat()}.")
    return int(
        connection.execute(
            insert(market_outage)
            .values(valid=Range(first, end), channel=channel, why=why, made_at=at, made_by=person)
            .returning(market_outage.c.id)
        ).scalar_one()
    )


def cancel_outage(connection: Connection, number: int, at: datetime) -> None:
    """It does not take place; NotFound, or Refused where it is cancelled already."""
    table = market_outage
    row = connection.execute(select(table.c.cancelled_at).where(table.c.id == number).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("outage_not_found", f"There is no planned outage {number}.")
    if row.cancelled_at is not None:
        raise Refused("outage_cancelled", f"The planned outage {number} is cancelled already.")
    connection.execute(update(table).where(table.c.id == number).values(cancelled_at=at))


def find_outages(connection: Connection, since: datetime) -> Sequence[RowMapping]:
    """Those that end behind `since` and were not cancelled, the earliest first."""
    table = market_outage
    return (
        connection.execute(
            select(
                table.c.id,
                func.lower(table.c.valid).label("first"),
                func.upper(table.c.valid).label("end"),
                table.c.channel,
                table.c.why,
                table.c.made_at,
                table.c.made_by,
            )
            .where(table.c.cancelled_at.is_(None), func.upper(table.c.valid) > since)
            .order_by(func.lower(table.c.valid), table.c.id)
        )
        .mappings()
        .all()
    )


def outage_until(connection: Connection, channel: str, at: datetime) -> datetime | None:
    """Until when a channel must rest at `at`; None where it need not."""
    return connection.execute(_NOW_OUT, {"channel": channel, "at": at}).scalar_one_or_none()
