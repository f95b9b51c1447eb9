"""A message of ours that states something on what we received, within its conversation."""

from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, select

from central.market.contents import write_any
from central.market.envelope import Envelope, Participant, make_message_id
from central.market.format_package import package_valid_on
from central.market.messages import Draft, Subject, create
from central.market.tables import market_message, market_process
from central.platform.errors import Refused


def state(
    connection: Connection, row: RowMapping, code: str, payload: msgspec.Struct, days: tuple[date, date | None],
    at: datetime, person: str,
) -> int:  # fmt: skip
    """Make the message `code` to whoever sent the proposal's message, about its subject; the message's number.

    `row` is the proposal with `process`, `sender` and `message_id` of the message received. One that was rejected is
    followed by the next version.
    """
    process: Any = connection.execute(select(market_process).where(market_process.c.id == row["process"])).one()
    package = package_valid_on(at.date())
    us = process.data.get("receiver")
    if us is None:
        raise Refused("no_sender", f"The conversation {process.reference} does not say who of us was asked.")
    table = market_message
    version = len(connection.execute(select(table.c.id).where(table.c.process == process.id)).all()) + 1
    rules = package.envelope
    message_id = make_message_id(code, at)
    envelope = Envelope(
        message_id,
        code,
        at,
        Participant(us, rules.coding_scheme),
        Participant(process.data["sender"], rules.coding_scheme),
        (row["message_id"],),
        None,
        rules.language,
        rules.dtd_version,
        rules.dtd_release,
    )
    draft = Draft(
        message_id=message_id,
        code=code,
        package=package.name,
        package_digest=package.digest,
        sender=us,
        receiver=process.data["sender"],
        subject=Subject("request", process.reference, process.supply_point),
        first_day=days[0],
        end_day=days[1],
        version=version,
        xml=write_any(package, envelope, payload),
        basis={"proposal": row["id"], "inbox": row["inbox"], "process": process.id},
        process=process.id,
        deadline=process.deadline,
    )
    return create(connection, draft, at, person)
