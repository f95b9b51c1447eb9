"""Other connections that read the very state of the database that a transaction sees."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import structlog
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

log = structlog.get_logger()

_WRITTEN = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")
_EXPORT = text("SELECT pg_export_snapshot()")


@contextmanager
def same_snapshot(connection: Connection, many: int) -> Iterator[list[Connection]]:
    """So many other connections, for reading only, on which everything stands as this transaction sees it now, and
    stays so; none where it has written something, which nobody else can see, is in a savepoint, or the database takes
    no more connections.

    They are none of the engine's pool, which may be used up by those who wait for this transaction. A query on them
    waits 30 s at most for a lock: who holds that may be waiting for this transaction, which the database cannot know.
    """
    if connection.in_nested_transaction() or connection.execute(_WRITTEN).scalar_one():
        yield []
        return
    snapshot: str = connection.execute(_EXPORT).scalar_one()
    # a pool of the same kind gives connections made in the same way, with the same settings of the session
    engine = create_engine(connection.engine.url, pool=connection.engine.pool.recreate())
    try:
        with ExitStack() as stack:
            try:
                readers = [stack.enter_context(_reading(engine, snapshot)) for _ in range(many)]
            except OperationalError as error:
                log.warning("no connections to read by", why=str(error.orig))
                stack.close()
                readers = []
            yield readers
    finally:
        engine.dispose()


@contextmanager
def _reading(engine: Engine, snapshot: str) -> Iterator[Connection]:
    with engine.connect() as opened:
        reader = opened.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with reader.begin():
            reader.exec_driver_sql(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
            reader.exec_driver_sql("SET LOCAL lock_timeout = '30s'")
            yield reader
