"""Tables of imports into the registry: saved mappings, and which file brought what."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from central.platform.database import metadata

registry_mapping = Table(
    "registry_mapping",
    metadata,
    Column("name", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", JSONB, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    PrimaryKeyConstraint("name", "version"),
    CheckConstraint("version > 0", name="version"),
    comment="Append-only: how columns of files are fields of the registry; the highest version is used",
)

registry_import = Table(
    "registry_import",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("mapping", Text, nullable=False),
    Column("mapping_version", Integer, nullable=False, comment="0: one that comes with the system"),
    Column("rows", Integer, nullable=False),
    Column("counts", JSONB, nullable=False, comment="by section: inserted, unchanged"),
    Column("imported_at", DateTime(timezone=True), nullable=False),
    Column("imported_by", Text, nullable=False),
    UniqueConstraint("sha256", "mapping", "mapping_version"),
    CheckConstraint("octet_length(sha256) = 32", name="sha256"),
    CheckConstraint("mapping_version >= 0", name="mapping_version"),
    comment="Append-only: files of customers, supply points and meters that were imported, whole",
)
