"""One MetaData for all rooms, the engine, and the unit of work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from psycopg.errors import DeadlockDetected
from sqlalchemy import Connection, Engine, MetaData, create_engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

T = TypeVar("T")
MOST_DEADLOCKS: Final = 4
"""How often work is ended by a deadlock before it is given up."""

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_ix",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}
"""PostgreSQL's own names for constraints, so that SQL written by hand in a migration meets the metadata."""

metadata = MetaData(naming_convention=NAMING)


def sqlalchemy_url(url: str) -> str:
    """`postgresql://...` as users and tools write it, turned into the form that selects psycopg 3."""
    parsed = make_url(url)
    if parsed.drivername in {"postgresql", "postgres"}:
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def psycopg_url(url: str) -> str:
    """The same address in libpq's form, for code that uses psycopg directly (COPY, LISTEN)."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def make_engine(url: str, *, name: str = "rozvodna", pool_size: int = 5) -> Engine:
    """An engine whose sessions run in UTC; connections that died with the database are replaced on checkout.

    Statements are planned each time: a plan that is kept does not know how long an array is that it joins, and one made
    while a chunk was empty compares every row of the full one with every element.
    """
    return create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        pool_pre_ping=True,
        connect_args={"application_name": name, "options": "-c timezone=UTC -c plan_cache_mode=force_custom_plan"},
    )


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One unit of work: committed once at the end, rolled back on any error."""
    with engine.begin() as connection:
        yield connection


def repeated_on_deadlock(connection: Connection, work: Callable[[], T]) -> T:
    """What `work` does in the caller's transaction, begun anew where PostgreSQL ended it to resolve a deadlock.

    All locks that the work took are given back before it is repeated, so the other one goes on. Locks that the caller
    took before must not be among those that others wait for in another order.
    """
    for _ in range(MOST_DEADLOCKS - 1):
        try:
            with connection.begin_nested():
                return work()
        except DBAPIError as error:
            if not isinstance(error.orig, DeadlockDetected):
                raise
    with connection.begin_nested():
        return work()
