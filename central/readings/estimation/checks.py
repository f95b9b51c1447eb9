"""Check channels (kontrolní měřidla): create, close, find, require."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.dialects.postgresql import Range

from central.network.tables import channel as channel_table
from central.platform import audit
from central.platform.errors import BadInput, NotFound, Refused
from central.platform.identity import Person
from central.readings.estimation.pending import try_again
from central.readings.estimation_tables import check_channel

_SELECT = select(
    check_channel.c.id,
    check_channel.c.channel,
    check_channel.c.check_channel,
    func.lower(check_channel.c.valid).label("since"),
    func.upper(check_channel.c.valid).label("until"),
)


def create_check(
    connection: Connection,
    channel: int,
    check: int,
    since: datetime,
    until: datetime | None,
    person: Person,
    now: datetime,
) -> RowMapping:
    """Name `check` as the check of `channel`; days that wait are tried again.

    Raises NotFound, BadInput for a pair that cannot be, Refused where another check is named in that time.
    """
    _check_pair(connection, channel, check)
    if until is not None and until <= since:
        raise BadInput("validity", f"The check ends {until}, not after its start {since}; the end is exclusive.")
    valid = Range(since, until)
    connection.execute(select(channel_table.c.id).where(channel_table.c.id == channel).with_for_update(key_share=True))
    other = connection.execute(
        select(check_channel.c.check_channel).where(
            check_channel.c.channel == channel, check_channel.c.valid.overlaps(valid)
        )
    ).scalar()
    if other is not None:
        raise Refused("check_overlaps", f"Channel {channel} has the check channel {other} in that time; end it first.")
    number: int = connection.execute(
        insert(check_channel).values(channel=channel, check_channel=check, valid=valid).returning(check_channel.c.id)
    ).scalar_one()
    details = {"channel": channel, "check_channel": check, "since": since.isoformat()}
    audit.record(connection, person, "check_channel.create", f"check_channel/{number}", details, now)
    try_again(connection, [channel])
    return require_check(connection, number)


def close_check(connection: Connection, number: int, until: datetime, person: Person, now: datetime) -> RowMapping:
    """End a check channel at `until`; Refused where it has an end already."""
    row = require_check(connection, number)
    if row["until"] is not None:
        raise Refused("closed", f"Check channel {number} ended at {row['until'].isoformat()} already.")
    if row["since"] is not None and until <= row["since"]:
        raise BadInput("validity", f"Check channel {number} began {row['since'].isoformat()}; {until} is not after it.")
    connection.execute(
        update(check_channel).where(check_channel.c.id == number).values(valid=Range(row["since"], until))
    )
    details = {"until": until.isoformat()}
    audit.record(connection, person, "check_channel.close", f"check_channel/{number}", details, now)
    return require_check(connection, number)


def find_checks(connection: Connection, *, channel: int | None = None) -> Sequence[RowMapping]:
    """Check channels of a channel, or all, oldest first."""
    query = _SELECT.order_by(check_channel.c.channel, check_channel.c.id)
    if channel is not None:
        query = query.where(check_channel.c.channel == channel)
    return connection.execute(query).mappings().all()


def require_check(connection: Connection, number: int) -> RowMapping:
    """A check channel by number, or NotFound."""
    found = connection.execute(_SELECT.where(check_channel.c.id == number)).mappings().first()
    if found is None:
        raise NotFound("check_channel_not_found", f"There is no check channel {number}.")
    return found


def _check_pair(connection: Connection, channel: int, check: int) -> None:
    if channel == check:
        raise BadInput("check_channel", f"Channel {channel} cannot be its own check.")
    query = select(channel_table).where(channel_table.c.id.in_((channel, check)))
    rows: dict[int, Any] = {row.id: row for row in connection.execute(query)}
    for number in (channel, check):
        if number not in rows:
            raise NotFound("channel_not_found", f"There is no channel {number}.")
    main, other = rows[channel], rows[check]
    for field in ("kind", "unit", "step_ms"):
        ours, theirs = getattr(main, field), getattr(other, field)
        if ours != theirs or main.kind != "interval":
            raise BadInput(
                "check_channel",
                f"Channel {check} cannot check channel {channel}: interval channels of one unit and step are expected, "
                f"their {field} is {theirs} and {ours}.",
            )
