"""Messages of ours that say something on what we received, or ask somebody something."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, select

from central.market.contents import Payload, write_any
from central.market.envelope import Envelope, Participant, make_message_id
from central.market.format_package import package_at
from central.market.messages import Draft, Subject, create
from central.market.tables import market_message, market_process
from central.platform.errors import Refused


@dataclass(frozen=True, slots=True)
class Said:
    """What a message says: its code and record, from whom (EAN) to whom, about what, for the days [first, end).

    `references` are ids of messages that it answers; `basis` the records that it was made from.
    """

    code: str
    payload: Payload
    sender: str
    receiver: str
    subject: Subject
    first_day: date
    end_day: date | None = None
    references: tuple[str, ...] = ()
    basis: Mapping[str, Any] = field(default_factory=dict)
    version: int = 1
    process: int | None = None
    deadline: datetime | None = None


def say(connection: Connection, said: Said, at: datetime, person: str) -> int:
    """Put it into the outbox; the message's number. OutboundError where record or schema do not allow it."""
    package = package_at(at)
    rules = package.envelope
    message_id = make_message_id(said.code, at)
    envelope = Envelope(
        message_id,
        said.code,
        at.replace(microsecond=0),
        Participant(said.sender, rules.coding_scheme),
        Participant(said.receiver, rules.coding_scheme),
        said.references,
        None,
        rules.language,
        rules.dtd_version,
        rules.dtd_release,
    )
    draft = Draft(
        message_id=message_id,
        code=said.code,
        package=package.name,
        package_digest=package.digest,
        sender=said.sender,
        receiver=said.receiver,
        subject=said.subject,
        first_day=said.first_day,
        end_day=said.end_day,
        version=said.version,
        xml=write_any(package, envelope, said.payload),
        basis=dict(said.basis),
        process=said.process,
        deadline=said.deadline,
    )
    return create(connection, draft, at, person)


def state(
    connection: Connection, row: RowMapping, code: str, payload: msgspec.Struct, days: tuple[date, date | None],
    at: datetime, person: str,
) -> int:  # fmt: skip
    """Make the message `code` to whoever sent the proposal's message, about its subject; the message's number.

    `row` is the proposal with `process`, `sender` and `message_id` of the message received. One that was rejected is
    followed by the next version.
    """
    process: Any = connection.execute(select(market_process).where(market_process.c.id == row["process"])).one()
    us = process.data.get("receiver")
    if us is None:
        raise Refused("no_sender", f"The conversation {process.reference} does not say who of us was asked.")
    table = market_message
    version = len(connection.execute(select(table.c.id).where(table.c.process == process.id)).all()) + 1
    said = Said(
        code=code,
        payload=payload,
        sender=us,
        receiver=process.data["sender"],
        subject=Subject("request", process.reference, process.supply_point),
        first_day=days[0],
        end_day=days[1],
        references=(row["message_id"],),
        basis={"proposal": row["id"], "inbox": row["inbox"], "process": process.id},
        version=version,
        process=process.id,
        deadline=process.deadline,
    )
    return say(connection, said, at, person)
