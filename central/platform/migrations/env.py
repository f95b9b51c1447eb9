"""Run by alembic: one transaction for all revisions, with time-outs so that a migration never blocks the house."""

from alembic import context
from sqlalchemy import Connection, text

from central.platform.database import metadata

LOCK_TIMEOUT = "5s"
STATEMENT_TIMEOUT = "120s"


def run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_TIMEOUT}'"))
        context.run_migrations()


run(context.config.attributes["connection"])
