"""The database's incarnation: an id that every restore changes, so that edges offer their acknowledged batches again.

A physical restore or a promotion has another timeline, a new cluster another system identifier, a logical restore
another database oid. Where a restore leaves all three (a backup put back file by file), the operator says
`central new-incarnation`.
"""

import secrets
from datetime import datetime

from sqlalchemy import Connection, insert, select, text

from central.platform.tables import incarnation

# Any constant will do; it only has to differ from the other advisory locks of the product.
_LOCK = 0x727A760001

_CLUSTER = text("""
    SELECT (SELECT system_identifier::text FROM pg_control_system()) AS system_identifier,
           (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline,
           (SELECT oid::bigint FROM pg_database WHERE datname = current_database()) AS database_oid
""")


def current_incarnation(connection: Connection, at: datetime) -> str:
    """The present incarnation's id; a new one is made when the cluster differs from the stored one."""
    newest = select(incarnation).order_by(incarnation.c.number.desc()).limit(1)
    cluster = connection.execute(_CLUSTER).one()
    stored = connection.execute(newest).first()
    if stored is not None and _same(stored, cluster):
        return str(stored.id)
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    stored = connection.execute(newest).first()  # another process may have been quicker
    if stored is not None and _same(stored, cluster):
        return str(stored.id)
    return new_incarnation(connection, at, "first start" if stored is None else "the cluster changed: a restore")


def new_incarnation(connection: Connection, at: datetime, reason: str) -> str:
    """Begin a new incarnation and return its id."""
    cluster = connection.execute(_CLUSTER).one()
    identifier = secrets.token_hex(8)
    connection.execute(insert(incarnation).values(id=identifier, made_at=at, reason=reason, **cluster._mapping))
    return identifier


def _same(stored: object, cluster: object) -> bool:
    names = ("system_identifier", "timeline", "database_oid")
    return all(getattr(stored, name) == getattr(cluster, name) for name in names)
