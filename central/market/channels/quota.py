"""How much of what strangers bring is kept: a quota by channel and day, apart from what trusted senders bring.

Who has not proven to be known must not be able to fill the archive, nor who brings again what somebody known has
sealed; what is over the quota is counted and on record.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final, Literal

from sqlalchemy import Connection, RowMapping, select, update
from sqlalchemy.dialects.postgresql import insert

from central.market.channels.tables import market_unasked
from central.platform import audit
from central.platform import tables as platform
from central.platform.identity import SYSTEM

Kind = Literal["refused", "aside"]


@dataclass(frozen=True, slots=True)
class Quota:
    """Of one channel and day (UTC)."""

    pieces: int = 500
    octets: int = 100_000_000


REPEATED: Final = "market.repeated"
USUAL_QUOTA: Final = Quota()


def admit(
    connection: Connection, channel: str, kind: Kind, octets: int, at: datetime, quota: Quota = USUAL_QUOTA
) -> bool:
    """Whether so many octets of a stranger are still kept that day; counted either way, the first one over is audited.

    Others of the same channel, kind and day wait until the transaction ends.
    """
    table, day = market_unasked, at.astimezone(UTC).date()
    key = {"channel": channel, "kind": kind, "day": day}
    nothing = {"kept": 0, "kept_octets": 0, "dropped": 0, "dropped_octets": 0, "last_at": at}
    connection.execute(insert(table).values(**key, **nothing).on_conflict_do_nothing())
    of_it = (table.c.channel == channel, table.c.kind == kind, table.c.day == day)
    row = connection.execute(select(table).where(*of_it).with_for_update()).one()
    is_kept: bool = row.kept < quota.pieces and row.kept_octets + octets <= quota.octets
    more = (
        {"kept": row.kept + 1, "kept_octets": row.kept_octets + octets}
        if is_kept
        else {"dropped": row.dropped + 1, "dropped_octets": row.dropped_octets + octets}
    )
    connection.execute(update(table).where(*of_it).values(**more, last_at=at))
    if not is_kept and row.dropped == 0:
        details = {"kind": kind, "day": day.isoformat(), "kept": row.kept, "kept_octets": row.kept_octets}
        audit.record(connection, SYSTEM, "market.unasked.over", f"market_channel/{channel}", details, at)
    return is_kept


def record_repeats(connection: Connection, channel: str, pieces: int, at: datetime) -> None:
    """Have on record, once a day and channel, that exactly what came before comes again: after a kill, or a replay."""
    day = datetime.combine(at.astimezone(UTC).date(), time.min, UTC)
    table, subject = platform.audit, f"market_channel/{channel}"
    known = select(table.c.id).where(table.c.subject == subject, table.c.act == REPEATED, table.c.at >= day)
    if connection.execute(known.limit(1)).first() is None:
        audit.record(connection, SYSTEM, REPEATED, subject, {"at_once": pieces}, at)


def find(connection: Connection, since: date) -> Sequence[RowMapping]:
    """What strangers brought from that day on, the latest day first."""
    table = market_unasked
    query = select(table).where(table.c.day >= since).order_by(table.c.day.desc(), table.c.channel, table.c.kind)
    return connection.execute(query).mappings().all()
