"""The database side of the service: prepares, commits, acknowledges; connects again after an outage.

Each class belongs to one thread at a time and has a connection of its own.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from sqlalchemy.exc import DBAPIError

from central.ingest.ack import AckBook
from central.ingest.births import answer_birth
from central.ingest.channels import ChannelTable
from central.ingest.decode import VALUES_BUDGET, Number, Pack, Prepared, prepare
from central.ingest.evidence import evidence_pages
from central.ingest.message import Message, Opened, Refusal, open_message
from central.ingest.pack import COPY_BLOCK, pack_blocks
from central.ingest.reasons import Reason
from central.ingest.registry import Registry
from central.ingest.store import Stored, store
from central.platform.database import make_engine, psycopg_url, transaction
from central.platform.incarnation import current_incarnation
from shared.clock import Clock
from shared.wire import Ack, Birth, Evidence, Welcome

Connection = psycopg.Connection[tuple[Any, ...]]

# SQLSTATE classes that the content of a message can cause: data, constraints, limits, triggers, errors inside.
_OF_A_MESSAGE: Final = frozenset({"0A", "21", "22", "23", "44", "54", "P0", "XX"})


def is_outage(error: Exception) -> bool:
    """Whether an error is no message's fault (server or connection gone, not ours yet, read-only, full): try again."""
    if isinstance(error, psycopg.DataError | psycopg.IntegrityError):
        return False
    if isinstance(error, psycopg.Error):
        if error.sqlstate is None:
            return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
        return error.sqlstate[:2] not in _OF_A_MESSAGE
    return isinstance(error, OSError)


_NEWEST_INCARNATION: Final = b"SELECT id FROM incarnation ORDER BY number DESC LIMIT 1"


def connect(url: str, name: str) -> Connection:
    """A connection in autocommit mode that notices a dead server within seconds."""
    return psycopg.connect(
        psycopg_url(url),
        autocommit=True,
        application_name=name,
        connect_timeout=5,
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=15_000,
        options="-c timezone=UTC",
    )


class _Connected:
    """A connection made when it is first needed, and dropped after an error of it."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._connection: Connection | None = None

    def drop(self) -> None:
        """Connect anew next time."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def connection(self) -> Connection:
        if self._connection is None or self._connection.closed:
            fresh = connect(self._url, self._name)
            try:
                self.connected(fresh)
            except BaseException:
                fresh.close()
                raise
            self._connection = fresh
        return self._connection

    def connected(self, connection: Connection) -> None:
        """Told of each new connection."""


class Preparer(_Connected):
    """Makes transactions of messages, with the registry at hand."""

    def __init__(self, url: str, clock: Clock, budget: int = VALUES_BUDGET, pack: Pack = pack_blocks) -> None:
        super().__init__(url, "rozvodna-ingest-registry")
        self._clock = clock
        self._budget = budget
        self._pack = pack
        self._table = ChannelTable()
        self._registry: Registry | None = None

    def connected(self, connection: Connection) -> None:
        self._table.forget()  # what was notified in the meantime was not heard
        self._registry = Registry(connection, self._table)

    def prepare(self, messages: Sequence[Message]) -> tuple[Prepared, int]:
        """A transaction of the first messages, and how many it took. Raises errors of the database and of messages."""
        if self.connection.closed or self._registry is None:
            raise psycopg.OperationalError("The connection to the registry is closed.")
        return prepare(messages, self._registry, self._clock.now_ms(), self._budget, self._pack)


def refuse_message(message: Message, error: Exception) -> Prepared:
    """A transaction that only keeps a message that could not be stored, whatever it was."""
    prepared = Prepared([message])
    opened = open_message(message)
    sentence = f"The message could not be stored: {type(error).__name__}: {error}."
    refusal = Refusal(message, opened.edge, opened.epoch, opened.seq, Reason.STORE, sentence)
    if isinstance(opened, Opened) or opened.seq is not None:
        assert opened.edge is not None and opened.epoch is not None and opened.seq is not None
        prepared.numbers.append(Number(opened.edge, opened.epoch, opened.seq, message))
        prepared.channels.append([])
        prepared.first_ms.append(None)
        prepared.last_ms.append(None)
        prepared.refusals.append((0, refusal))
    else:
        prepared.refusals.append((None, refusal))
    return prepared


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a commit did and what is to be said about it."""

    stored: Stored
    answers: list[tuple[str, Ack]]
    incarnation: str


class Committer(_Connected):
    """Commits transactions and reads the acknowledgements from what is committed."""

    def __init__(self, url: str, clock: Clock, copy_block: str = COPY_BLOCK) -> None:
        super().__init__(url, "rozvodna-ingest")
        self._clock = clock
        self._copy_block = copy_block
        self._engine = make_engine(url, name="rozvodna-ingest-incarnation", pool_size=1)
        self._book = AckBook()
        self.incarnation = ""
        """Of the database, as last seen."""

    def connected(self, connection: Connection) -> None:
        self._book.forget()
        try:
            with transaction(self._engine) as other:
                self.incarnation = current_incarnation(other, self._clock.now())
        except DBAPIError as error:
            raise psycopg.OperationalError(f"The database's incarnation cannot be read: {error.orig}") from error

    def commit(self, prepared: Prepared) -> Outcome:
        """Store in one transaction, then acknowledge from the database. Raises psycopg's errors."""
        connection = self.connection
        with connection.transaction():
            stored = store(connection, prepared, self._clock.now(), self._copy_block)
        touched: dict[tuple[str, int], list[int]] = {}
        for number in prepared.numbers:
            touched.setdefault((number.edge, number.epoch), []).append(number.seq)
        return Outcome(stored, self.acknowledge(touched), self.incarnation)

    def acknowledge(self, touched: Mapping[tuple[str, int], Sequence[int]]) -> list[tuple[str, Ack]]:
        """Acknowledgements for these numbers' edges and epochs."""
        self._look_at_incarnation()
        return self._book.acknowledge(self.connection, touched, self.incarnation)

    def _look_at_incarnation(self) -> None:
        row = self.connection.execute(_NEWEST_INCARNATION).fetchone()
        if row is not None and row[0] != self.incarnation:
            self.incarnation = str(row[0])
            self._book.forget()

    def welcome(self, edge: str, birth: Birth) -> tuple[Welcome, list[tuple[str, Ack]], int]:
        """The answer to a birth, acknowledgements for what it holds, and how many numbers it closed."""
        self._look_at_incarnation()
        answer = answer_birth(self.connection, edge, birth, self._clock.now(), self.incarnation)
        return answer.welcome, self.acknowledge(answer.held), answer.closed_now

    def evidence(self, edge: str, birth: Birth) -> list[Evidence]:
        """What central has of the load profiles that the birth asks for; empty if it does not ask."""
        self._look_at_incarnation()
        return evidence_pages(self.connection, edge, birth, self._clock.now(), self.incarnation)
