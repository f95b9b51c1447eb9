"""Reads what came in by a channel: the one place where received content is given to whoever understands it."""

from datetime import datetime

from sqlalchemy import Connection

from central.market.answers import take_answer
from central.market.channels.port import Incoming
from central.market.format_package import package_valid_on


def read_incoming(connection: Connection, incoming: Incoming, at: datetime) -> None:
    """Apply an answer (RESPONSE) to our messages; whatever becomes of it stands in the inbox."""
    assert incoming.content is not None, "only what was opened is read"
    take_answer(connection, package_valid_on(at.date()), incoming.content, at, f"channel {incoming.channel}")
