"""Plans that stay: what a foreign key looks up for each row of a large insert is planned once, not once a row."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection


@contextmanager
def plans_kept(connection: Connection) -> Iterator[None]:
    """For inserts of many rows, in the transaction of the connection.

    Elsewhere statements are planned for their values (`database.py`). Foreign keys then plan each of their look-ups
    anew, which costs several times the look-up.
    """
    connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_generic_plan")
    yield
    connection.exec_driver_sql("SET LOCAL plan_cache_mode TO DEFAULT")
