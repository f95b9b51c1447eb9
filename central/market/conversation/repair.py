"""Repairs a rejected message: the next version with a new id takes its place, with the same basis, duty and process."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, select

from central.market.contents import read_any, write_any
from central.market.duties.keep import mark_told
from central.market.envelope import make_message_id
from central.market.errors import InboundError
from central.market.format_package import package_at
from central.market.gas.edigas import with_version
from central.market.messages import Draft, Subject, create, lock_generation, move, require, require_xml
from central.market.states import Act, State
from central.market.tables import market_message
from central.platform.errors import BadInput, Refused

_REPAIRABLE: Final = frozenset({State.REJECTED, State.TIMED_OUT})


def repair(connection: Connection, number: int, content: bytes | None, at: datetime, person: str, why: str) -> int:
    """The number of the message that replaces `number`; `content` is the corrected message (None: as it was).

    Written anew by the package of today, so that what leaves satisfies the schema and our rules. Refused where the
    message is neither rejected nor timed out, or where a later version is there.
    """
    lock_generation(connection)
    row = require(connection, number)
    state = State(row["state"])
    if state not in _REPAIRABLE:
        raise Refused("not_rejected", f"The message {row['message_id']} is {state}; only a rejected one is repaired.")
    last = connection.execute(
        select(func.max(market_message.c.version)).where(
            *(market_message.c[name] == row[name] for name in ("message_code", "subject_kind", "subject", "period"))
        )
    ).scalar_one()
    if last != row["version"]:
        raise Refused("later_version", f"The message {row['message_id']} has a later version {last}: repair that one.")
    package = package_at(at)
    try:
        read = read_any(package, content if content is not None else require_xml(connection, number))
    except InboundError as error:
        if content is None:
            raise Refused("unreadable", f"The message as it was cannot go again: {error.message}") from None
        raise BadInput(error.code, error.message) from None
    if read.envelope.code != row["message_code"]:
        raise BadInput("other_code", f"The corrected message is {read.envelope.code}, expected {row['message_code']}.")
    if content is not None and row["subject_kind"] == "supply_point" and row["subject"].encode() not in content:
        raise BadInput("other_subject", f"The corrected message does not name {row['subject']}, which it is about.")
    made = make_message_id(row["message_code"], at)
    envelope = replace(
        read.envelope,
        id=made,
        at=at,
        sender=replace(read.envelope.sender, id=row["sender"]),
        receiver=replace(read.envelope.receiver, id=row["receiver"]),
    )
    period = row["period"]
    draft = Draft(
        message_id=made,
        code=row["message_code"],
        package=package.name,
        package_digest=package.digest,
        sender=row["sender"],
        receiver=row["receiver"],
        subject=Subject(row["subject_kind"], row["subject"], _point(connection, number)),
        first_day=period.lower,
        end_day=period.upper,
        version=row["version"] + 1,
        xml=write_any(package, envelope, with_version(read.payload, row["version"] + 1)),
        basis={**row["basis"], "repairs": row["message_id"], "by_hand": content is not None},
        duty=row["duty"],
        process=row["process"],
        deadline=row["deadline"],
    )
    move(connection, number, Act.REPLACE, at, person, f"{made} takes its place: {why}", due_at=None)
    made_number = create(connection, draft, at, person)
    if row["duty"] is not None:
        # else the next pass would make another message for what goes again already
        mark_told(connection, [row["duty"]])
    return made_number


def _point(connection: Connection, number: int) -> int | None:
    return connection.execute(
        select(market_message.c.supply_point).where(market_message.c.id == number)
    ).scalar_one_or_none()
