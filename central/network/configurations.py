"""Configurations of concentrators: put, find, get; what concentrators say that they run."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, func, insert, select, text

from central.network.configuration_body import complete
from central.network.control_tables import concentrator_state, edge_configuration
from central.network.keys import require_key
from central.network.meters import require_concentrator
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from shared.control.sealing import SealError, seal

_LOCK = text("SELECT id FROM concentrator WHERE id = :id FOR UPDATE")


def put(
    connection: Connection, concentrator: str, body: Mapping[str, Any], reason: str, person: Person, now: datetime
) -> int:
    """Accept a configuration and give its number: higher than any that was made here or that the concentrator runs."""
    require_concentrator(connection, concentrator)
    connection.execute(_LOCK, {"id": concentrator})
    highest = connection.execute(
        select(func.max(edge_configuration.c.number)).where(edge_configuration.c.concentrator == concentrator)
    ).scalar_one()
    state = find_state(connection, concentrator)
    number = max(highest or 0, state["runs"] if state else 0) + 1
    recipient: bytes | None = None

    def sealed(secret: bytes, field: str) -> bytes:
        nonlocal recipient
        recipient = recipient or require_key(connection, concentrator)
        return seal(secret, recipient, edge=concentrator, number=number, field=field)

    try:
        octets = complete(body, concentrator, number, sealed)
    except SealError as error:
        raise Refused("public_key", f"{error} Enrol {concentrator} with a new key.") from None
    connection.execute(
        insert(edge_configuration).values(
            concentrator=concentrator, number=number, body=octets, made_at=now, made_by=person.name, reason=reason
        )
    )
    details = {"number": number, "reason": reason}
    audit.record(connection, person, "configuration.put", f"concentrator/{concentrator}", details, now)
    return number


def find(connection: Connection, concentrator: str) -> Sequence[RowMapping]:
    """All versions of a concentrator's configuration, the newest first, without their bodies."""
    require_concentrator(connection, concentrator)
    table = edge_configuration.c
    query = (
        select(table.number, table.made_at, table.made_by, table.reason)
        .where(table.concentrator == concentrator)
        .order_by(table.number.desc())
    )
    return connection.execute(query).mappings().all()


def require(connection: Connection, concentrator: str, number: int) -> RowMapping:
    """One version, or NotFound."""
    query = select(edge_configuration).where(
        edge_configuration.c.concentrator == concentrator, edge_configuration.c.number == number
    )
    found = connection.execute(query).mappings().first()
    if found is None:
        raise NotFound("configuration_not_found", f"There is no configuration {number} of {concentrator}.")
    return found


def newest(connection: Connection) -> Sequence[RowMapping]:
    """What is to run: the highest number of each concentrator, with its body."""
    table = edge_configuration.c
    query = (
        select(table.concentrator, table.number, table.body)
        .distinct(table.concentrator)
        .order_by(table.concentrator, table.number.desc())
    )
    return connection.execute(query).mappings().all()


def newest_numbers(connection: Connection) -> dict[str, int]:
    """The same without bodies."""
    table = edge_configuration.c
    query = select(table.concentrator, func.max(table.number)).group_by(table.concentrator)
    return {row[0]: row[1] for row in connection.execute(query)}


def find_state(connection: Connection, concentrator: str) -> RowMapping | None:
    """What a concentrator last said of itself."""
    query = select(concentrator_state).where(concentrator_state.c.concentrator == concentrator)
    return connection.execute(query).mappings().first()


_HEARD = text("""
    INSERT INTO concentrator_state (concentrator, online, agent, runs, heard_at)
    SELECT id, :online, :agent, :runs, :at FROM concentrator WHERE id = :concentrator
    ON CONFLICT (concentrator) DO UPDATE SET online = excluded.online,
        runs = CASE WHEN excluded.online THEN excluded.runs ELSE concentrator_state.runs END,
        agent = CASE WHEN excluded.agent = '' THEN concentrator_state.agent ELSE excluded.agent END,
        heard_at = excluded.heard_at
""")

_ANSWERED = text("""
    INSERT INTO concentrator_state
        (concentrator, online, agent, runs, heard_at, refused_number, refused_at, refused_reason)
    SELECT id, true, '', :runs, :at, CAST(:refused AS integer), CAST(:refused_at AS timestamptz), CAST(:reason AS text)
    FROM concentrator WHERE id = :concentrator
    ON CONFLICT (concentrator) DO UPDATE SET runs = excluded.runs, heard_at = excluded.heard_at,
        refused_number = excluded.refused_number, refused_at = excluded.refused_at,
        refused_reason = excluded.refused_reason
""")


def heard_birth(
    connection: Connection, concentrator: str, *, online: bool, agent: str, runs: int, now: datetime
) -> None:
    """A concentrator came or went; one that the network does not know is passed over.

    What it says when it is gone may be a will from before it changed its configuration.
    """
    connection.execute(
        _HEARD, {"concentrator": concentrator, "online": online, "agent": agent, "runs": runs, "at": now}
    )


def heard_answer(
    connection: Connection, concentrator: str, *, number: int, runs: int, reason: str, now: datetime
) -> None:
    """A concentrator runs a configuration, or refused one with the reason."""
    connection.execute(
        _ANSWERED,
        {
            "concentrator": concentrator,
            "runs": runs,
            "at": now,
            "refused": number if reason else None,
            "refused_at": now if reason else None,
            "reason": reason or None,
        },
    )
