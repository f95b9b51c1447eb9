"""CDSREQ received: somebody asks for data of points; a person decides, with the messages that hold them named."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from central.market.payloads.requests import AskedPoint, DataRequest
from central.market.received import Effect, Message, Proposal
from central.workflow.received.known import not_ours, points_of

KIND: Final = "data_asked"
_TOLD: Final = text("""
    -- messages of the points whose days may hold what is asked for, the newest versions
    SELECT DISTINCT ON (subject, message_code, period)
           subject, message_id, lower(period) AS first, upper(period) AS stop
      FROM market_message
     WHERE subject_kind = 'supply_point' AND subject = ANY (:points) AND direction = 'out' AND message_code = '121'
     ORDER BY subject, message_code, period, version DESC
""")


def effects(connection: Connection, messages: Sequence[Message], _at: datetime) -> list[Effect]:
    """For each message a proposal for every point of ours."""
    codes = sorted({asked.opm for message in messages for asked in _asked(message)})
    known = points_of(connection, codes)
    told = connection.execute(_TOLD, {"points": codes}).all()
    found = []
    for message in messages:
        proposals = []
        for asked in _asked(message):
            if asked.opm not in known:
                continue
            holding = [
                row.message_id
                for row in told
                if row.subject == asked.opm
                and row.first <= asked.last_day
                and (row.stop is None or row.stop > asked.first_day)
            ]
            days = {"first_day": asked.first_day.isoformat(), "last_day": asked.last_day.isoformat()}
            why = f"Data of {asked.opm} from {asked.first_day} to {asked.last_day} are asked for."
            proposed = {**days, "direction": asked.direction, "messages": holding}
            proposals.append(Proposal(KIND, asked.opm, proposed, why, known[asked.opm]))
        strange = not_ours([asked.opm for asked in _asked(message)], known)
        why = f"{len(proposals)} requests wait for a decision. {strange}".rstrip()
        found.append(Effect("proposed" if proposals else "kept", why, proposals))
    return found


def _asked(message: Message) -> list[AskedPoint]:
    payload: DataRequest = message.read.payload
    return payload.locations
