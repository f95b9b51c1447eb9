"""Acts of the registry that the operator was told and that did not happen after all: the point's day is told anew.

An act is withdrawn when the registry has nothing that began or ended on its day any more: it was a mistake, or moved to
another day. What never left is waived by the pass; of what left, the operator has a wrong picture of that day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

import msgspec
from sqlalchemy import Connection, text

from central.market.contents import read_any
from central.market.envelope import root_name
from central.market.errors import MarketError
from central.market.format_package import package_of_root
from central.market.payloads.master_data import MasterData, PointData
from central.market.xml import parse_untrusted
from central.workflow.telling.acts import LIVE, PointFacts, record
from central.workflow.telling.model import Window

_TOLD: Final = text("""
    -- acts of the time that left for the operator and are not among those that there are, with the last message of each
    WITH told AS (
        SELECT duty.id, duty.why, duty.subject AS ean, duty.supply_point AS point, lower(duty.period) AS day
          FROM market_duty duty
         WHERE duty.message_code = '111' AND duty.month BETWEEN :since AND :until
        UNION ALL
        SELECT duty.id, 'registration', point.ean, sp.id, lower(duty.period)
          FROM market_duty duty CROSS JOIN jsonb_array_elements_text(duty.cause -> 'points') AS point (ean)
          JOIN supply_point sp ON sp.ean = point.ean
         WHERE duty.message_code = '194' AND duty.month BETWEEN :since AND :until)
    SELECT DISTINCT ON (told.ean, told.day) told.why, told.ean, told.point, told.day, message.xml, message.sender
      FROM told JOIN market_message message ON message.duty = told.id
     WHERE message.direction = 'out'
       AND message.state IN ('sent', 'timed_out', 'accepted', 'accepted_with_reservation')
       AND NOT EXISTS (SELECT FROM unnest(CAST(:eans AS text[]), CAST(:days AS date[])) AS there (ean, day)
                        WHERE there.ean = told.ean AND there.day = told.day)
     ORDER BY told.ean, told.day, message.version DESC, message.id DESC
""")


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """An act `why` of a point's day that was told by the message `last` under `sender` and is not there any more."""

    why: str
    ean: str
    point: int
    day: date
    last: PointData
    sender: str


def find(connection: Connection, window: Window, there: Sequence[tuple[str, date]]) -> list[Withdrawn]:
    """The acts of the window that were told and are not `there` (EAN and day) any more."""
    asked = {
        "since": window.first_month,
        "until": window.last_month,
        "eans": [ean for ean, _ in there],
        "days": [day for _, day in there],
    }
    found = []
    for row in connection.execute(_TOLD, asked):
        if row.day >= window.first and (last := _told(bytes(row.xml), row.ean, window.today)) is not None:
            found.append(Withdrawn(row.why, row.ean, row.point, row.day, last, row.sender))
    return found


def correcting(act: Withdrawn, facts: Mapping[tuple[int, date], PointFacts]) -> MasterData | None:
    """What puts the operator's picture of the day right; None where there is nothing to put right.

    A point that is live on the day is told as it stands (registered again, if its end was told); of one that is not,
    what was told is cancelled.
    """
    now = facts.get((act.point, act.day))
    if now is not None and now.state in LIVE:
        return record(["registration" if act.why == "end" else "change"], now, act.day)
    if act.why == "end":
        return None
    action: Literal["cancel"] = "cancel"
    return MasterData(points=[msgspec.structs.replace(act.last, action=action, suspensions=[])])


def _told(xml: bytes, ean: str, today: date) -> PointData | None:
    """What the message told of the point; None where it cannot be read any more."""
    try:
        read = read_any(package_of_root(*root_name(parse_untrusted(xml)), today), xml)
    except MarketError:
        return None
    assert isinstance(read.payload, MasterData)
    return next((point for point in read.payload.points if point.opm == ean), None)
