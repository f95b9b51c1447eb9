"""Bank statements are picked up from a folder by themselves: booked, or refused with the reason for a person to see.

The same octets under one name are looked at once; a refused file is tried again when a person says so (the account is
entered now) or when it is replaced. Files stay where they are: whoever puts them there takes them away.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, Row, select, update
from sqlalchemy.dialects.postgresql import insert

from central.invoicing.payments.booking import MOST_OCTETS, book_statements
from central.invoicing.payments.tables import bank_pickup
from central.platform import audit
from central.platform.database import transaction
from central.platform.errors import DomainError, NotFound, Refused
from central.platform.identity import Person
from central.platform.watched_folder import WatchedFolder
from shared.clock import Clock

PICKUP: Final = Person("bank-pickup", frozenset({"pay"}))
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file: "booked", "known" (the same octets were read before) or "refused" with the reason."""

    outcome: str
    file: int | None
    reason: str | None


class BankPickup:
    """Looks into a folder again and again; without one it does nothing."""

    def __init__(self, engine: Engine, clock: Clock, folder: Path | None) -> None:
        self._engine = engine
        self._clock = clock
        self._folder = None if folder is None else WatchedFolder(folder, MOST_OCTETS)

    def look(self) -> list[Taken]:
        """Book what is new, each file in a transaction of its own."""
        if self._folder is None:
            return []
        taken: list[Taken] = []
        for path, octets in self._folder.look():
            with transaction(self._engine) as connection:
                outcome = pick_up(connection, path.name, octets, self._clock.now())
            taken += [] if outcome is None else [outcome]
        return taken


def pick_up(connection: Connection, name: str, octets: bytes, now: datetime) -> Taken | None:
    """Book a file or note why not; None where that was done with it before."""
    name = name.replace("\0", "").encode("utf-8", "replace").decode()[:200]
    digest = hashlib.sha256(octets).digest()
    known = select(bank_pickup.c.outcome).where(bank_pickup.c.name == name, bank_pickup.c.sha256 == digest)
    if connection.execute(known).scalar() not in (None, "again"):
        return None
    taken = _booked(connection, name, octets, now)
    values: dict[str, Any] = {"outcome": taken.outcome, "reason": taken.reason, "file": taken.file, "at": now}
    statement = insert(bank_pickup).values(name=name, sha256=digest, **values)
    connection.execute(statement.on_conflict_do_update(index_elements=["name", "sha256"], set_=values))
    details = {"outcome": taken.outcome, "file": taken.file, "reason": taken.reason}
    audit.record(connection, PICKUP, "bank_statement.pickup", f"file/{name}", details, now)
    tell = _log.warning if taken.outcome == "refused" else _log.info
    tell("bank statement picked up", name=name, **details)
    return taken


def try_again(connection: Connection, identifier: int, reason: str, person: Person, now: datetime) -> Row[Any]:
    """A refused file is taken again at the next look. NotFound, or Refused where it was not refused."""
    row = connection.execute(select(bank_pickup).where(bank_pickup.c.id == identifier).with_for_update()).one_or_none()
    if row is None:
        raise NotFound("pickup_not_found", f"There is no pick-up {identifier}; see GET /v1/bank-pickups.")
    if row.outcome != "refused":
        raise Refused("not_refused", f"Pick-up {identifier} is {row.outcome}; only refused files are tried again.")
    changed = (
        update(bank_pickup).where(bank_pickup.c.id == identifier).values(outcome="again", reason=None, at=now)
    ).returning(*bank_pickup.c)
    audit.record(connection, person, "bank_statement.again", f"file/{row.name}", {}, now, why=reason)
    return connection.execute(changed).one()


def _booked(connection: Connection, name: str, octets: bytes, now: datetime) -> Taken:
    if len(octets) > MOST_OCTETS:
        return Taken("refused", None, f"The file has more than {MOST_OCTETS // 10**6} MB; send it in parts.")
    try:
        with connection.begin_nested():
            booked = book_statements(connection, name, octets, PICKUP, now)
    except DomainError as error:
        return Taken("refused", None, error.message)
    return Taken(booked.result, booked.file, None)
