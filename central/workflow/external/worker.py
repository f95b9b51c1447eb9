"""The worker of external information: opens what is due, fetches, keeps the octets, and reads them.

Fetching and reading are two transactions: octets that came are kept before anything looks at them, so that whoever is
killed in between reads them at the next look. One worker works at a time, whoever holds the lock in the database.
"""

import hashlib
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import Connection, Engine, RowMapping, insert, select, text
from sqlalchemy.dialects.postgresql import insert as insert_or
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from central.platform.database import transaction
from central.platform.errors import DomainError
from central.platform.external import sources
from central.platform.external.fetch import Answer, Limits, Question, fetch
from central.platform.external.tables import external_content, external_fetch, external_taking
from central.platform.external.trust import Trust, folder_of, split
from central.platform.external.values import Counts
from central.platform.settings import Settings
from central.platform.watched_folder import WatchedFolder
from central.workflow.external.adapter import Adapter, Origin, Part, UnreadableError
from central.workflow.external.adapters import ADAPTERS
from shared.clock import Clock
from shared.metering_day import PRAGUE

LOCK: Final = 0x0E47_0041
FOLDER_SETTLES_S: Final = 1.0
"""A file is taken when it looks the same so much later; wall time, like all time-outs."""
LONGEST_STOP_S: Final = 5.0
"""How long the service waits for a fetch that is under way; one that is cut off is made again."""
_log = structlog.get_logger(__name__)

_UNREAD = text("""
    SELECT f.* FROM external_run r JOIN external_fetch f ON f.run = r.id
    WHERE r.state = 'waiting' AND f.error IS NULL
      AND NOT EXISTS (SELECT FROM external_taking t WHERE t.fetch_id = f.id)
    ORDER BY f.id
""")
_TAKEN = text("""
    SELECT f.part FROM external_fetch f JOIN external_taking t ON t.fetch_id = f.id
    WHERE f.run = :run AND t.outcome = 'taken'
""")
_KNOWN = text("""
    SELECT EXISTS (SELECT FROM external_fetch f JOIN external_taking t ON t.fetch_id = f.id
                   WHERE f.source = :source AND f.digest = :digest AND t.outcome = 'taken')
""")


class _FailedError(Exception):
    """A part could not be had."""


class _NotStoredError(Exception):
    """A part came and could not be stored."""


class Worker:
    """Looks again and again; see the module."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        trust: Trust,
        limits: Limits | None = None,
        *,
        settles_s: float = FOLDER_SETTLES_S,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._trust = trust
        self._limits = limits or Limits()
        self._settles_s = settles_s

    def look(self) -> int:
        """Work off what is due; how many runs were tried. Nothing where another worker is at it."""
        with self._alone() as alone:
            if not alone:
                return 0
            self._read_unread()
            with transaction(self._engine) as connection:
                sources.open_due(connection, self._clock.now())
                runs = sources.waiting_runs(connection, self._clock.now())
            return sum(self._try(run) for run in runs)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            alone = bool(connection.execute(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}).scalar_one())
            try:
                yield alone
            finally:
                if alone:
                    connection.execute(text("SELECT pg_advisory_unlock(:lock)"), {"lock": LOCK})

    def _read_unread(self) -> None:
        with transaction(self._engine) as connection:
            rows = connection.execute(_UNREAD).mappings().all()
        for row in rows:
            with transaction(self._engine) as connection:
                source = sources.require_source(connection, row["source"])
            # What is refused now is refused again when the run asks for it, and ends it.
            with suppress(_NotStoredError):
                self._take(source, row["id"])

    def _try(self, run: RowMapping) -> bool:
        now = self._clock.now()
        with transaction(self._engine) as connection:
            if not sources.admit(connection, run["source"], now):
                return False
            source = sources.require_source(connection, run["source"])
            taken = set(connection.execute(_TAKEN, {"run": run["id"]}).scalars())
        try:
            self._have(run, source, taken)
        except _FailedError as failed:
            with transaction(self._engine) as connection:
                sources.fail_run(connection, run, str(failed), self._clock.now())
            _log.warning("external source failed", source=run["source"], run=run["id"], error=str(failed))
        except _NotStoredError as refused:
            with transaction(self._engine) as connection:
                sources.refuse_run(connection, run, str(refused), self._clock.now())
            _log.warning("external information not stored", source=run["source"], run=run["id"], error=str(refused))
        else:
            with transaction(self._engine) as connection:
                sources.end_run(connection, run, self._clock.now())
        return True

    def _have(self, run: RowMapping, source: RowMapping, taken: set[str]) -> None:
        try:
            adapter = _adapter(source)
            settings = adapter.settings_of(source["settings"])
            today = self._clock.now().astimezone(PRAGUE).date()
            parts = adapter.parts(settings, adapter.parameters_of(run["parameters"]), today)
            for address in source["addresses"]:
                self._trust.require(address)
        except DomainError as error:
            raise _NotStoredError(error.message) from None
        folders = [each for each in source["addresses"] if split(each).scheme == "file"]
        for folder in folders:
            self._have_folder(run, source, folder_of(folder))
        places = [each for each in source["addresses"] if each not in folders]
        for part in parts if places else ():
            if part.name not in taken:
                self._have_part(run, source, part, places)

    def _have_part(self, run: RowMapping, source: RowMapping, part: Part, places: Sequence[str]) -> None:
        """From the first of the addresses that answers as it should; _FailedError where none does."""
        errors = []
        for place in places:
            question = Question(place + part.append, part.body, part.headers, part.accepts)
            answer = fetch(question, self._limits)
            kept = self._keep(run, part.name, question.address, answer)
            error = answer.error or self._take(source, kept)
            if error is None:
                return
            errors.append(error)
        raise _FailedError(" ".join(errors))

    def _have_folder(self, run: RowMapping, source: RowMapping, folder: Path) -> None:
        """Files that are new by their content; each is read for itself, and one that cannot be read fails the run."""
        if not folder.is_dir():
            raise _FailedError(f"There is no folder {folder}.")
        watched = WatchedFolder(folder, self._limits.largest)
        list(watched.look())
        time.sleep(self._settles_s)
        errors = []
        for path, octets in watched.look():
            error = None
            if len(octets) > self._limits.largest:
                error = f"{path} has more than {self._limits.largest} octets; no more are taken."
            with transaction(self._engine) as connection:
                if connection.execute(_KNOWN, {"source": source["code"], "digest": _digest(octets)}).scalar():
                    continue
            answer = Answer(0, None, None if error else octets, error)
            kept = self._keep(run, path.name, str(path), answer)
            errors += [said for said in (error or self._take(source, kept),) if said is not None]
        if errors:
            raise _FailedError(" ".join(errors))

    def _keep(self, run: RowMapping, part: str, address: str, answer: Answer) -> int:
        """The fetch and its octets, committed before anything reads them."""
        now = self._clock.now()
        digest = None if answer.octets is None else _digest(answer.octets)
        with transaction(self._engine) as connection:
            if digest is not None:
                content = {"digest": digest, "octets": answer.octets, "kept_at": now}
                connection.execute(insert_or(external_content).values(**content).on_conflict_do_nothing())
            values = {
                "source": run["source"],
                "run": run["id"],
                "part": part,
                "address": address,
                "at": now,
                "duration_ms": answer.duration_ms,
                "status": answer.status,
                "octets": len(answer.octets or b""),
                "digest": digest,
                "error": answer.error,
            }
            kept = connection.execute(insert(external_fetch).values(**values).returning(external_fetch.c.id))
            return int(kept.scalar_one())

    def _take(self, source: RowMapping, kept: int) -> str | None:
        """Read kept octets, in a transaction of its own; why that failed. _NotStoredError where storing was refused."""
        outcome, counts, error = "taken", Counts(), None
        with transaction(self._engine) as connection:
            try:
                with connection.begin_nested():
                    counts = _taken(connection, source, kept)
                    error = " ".join(counts.left) or None
            except UnreadableError as unreadable:
                outcome, error = "unreadable", str(unreadable)
            except DomainError as refused:
                outcome, error = "refused", refused.message
            except (DataError, IntegrityError) as impossible:
                outcome, error = "refused", f"The database does not take it: {impossible.orig}"
            except DBAPIError:
                raise
            except Exception as stumbled:
                # one odd answer must not hold up every other source
                _log.exception("an answer of an external source cannot be read", source=source["code"], fetch=kept)
                outcome, error = "unreadable", f"It cannot be read ({type(stumbled).__name__}: {str(stumbled)[:200]})."
            values = {
                "fetch_id": kept,
                "at": self._clock.now(),
                "outcome": outcome,
                "records": counts.records,
                "added": counts.added,
                "changed": counts.changed,
                "error": error,
            }
            connection.execute(insert(external_taking).values(**values))
        if outcome == "refused":
            raise _NotStoredError(error)
        return error if outcome == "unreadable" else None


def _taken(connection: Connection, source: RowMapping, kept: int) -> Counts:
    row = connection.execute(
        select(external_fetch, external_content.c.octets.label("content"))
        .join(external_content, external_content.c.digest == external_fetch.c.digest)
        .where(external_fetch.c.id == kept)
    ).mappings().one()  # fmt: skip
    adapter = _adapter(source)
    origin = Origin(source["code"], kept, row["address"], row["at"])
    return adapter.take(connection, bytes(row["content"]), adapter.settings_of(source["settings"]), origin)


def _adapter(source: RowMapping) -> Adapter:
    adapter: Any = ADAPTERS.get(source["adapter"])
    if adapter is None:
        raise _NotStoredError(f"There is no adapter {source['adapter']!r}, which {source['code']} names.")
    found: Adapter = adapter
    return found


def _digest(octets: bytes) -> str:
    return "sha256:" + hashlib.sha256(octets).hexdigest()


def start(engine: Engine, clock: Clock, settings: Settings, stop: threading.Event) -> threading.Thread:
    """A thread that looks until `stop`: a source that hangs must not keep the other work of the house."""
    trust = Trust.of(settings.external_hosts, settings.external_folders, plain_http=settings.external_http)
    worker = Worker(engine, clock, trust)

    def looks() -> None:
        while not stop.is_set():
            try:
                worker.look()
            except DBAPIError as error:
                _log.warning("external information has to wait", error=str(error.orig))
            except Exception:
                # The thread must not end while the process lives: nobody would notice.
                _log.exception("a look for external information failed")
            stop.wait(settings.external_every.total_seconds())

    thread = threading.Thread(target=looks, name="external-information", daemon=True)
    thread.start()
    return thread
