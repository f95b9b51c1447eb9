"""Tables of imports: sources, how their files are read, which series is which register, files."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import BYTEA, JSONB

from central.platform.database import metadata

STATES = ("previewed", "imported", "revoked")

import_source = Table(
    "import_source",
    metadata,
    Column("code", Text, ForeignKey("concentrator.id"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    comment="Zdroj importu: another system whose files are evidence; "
    "its code is that of a concentrator that no edge is",
)

import_mapping = Table(
    "import_mapping",
    metadata,
    Column("source", Text, ForeignKey("import_source.code"), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("body", JSONB, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("version > 0", name="version"),
    comment="Append-only: how files of a source are read; the highest version is used",
)

import_binding = Table(
    "import_binding",
    metadata,
    Column("source", Text, ForeignKey("import_source.code"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("evidence_channel", Integer, ForeignKey("evidence_channel.id"), nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    UniqueConstraint("source", "evidence_channel"),
    comment="Which register a series of a source's files is (column, EAN, OBIS)",
)

import_content = Table(
    "import_content",
    metadata,
    Column("sha256", BYTEA, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("body", BYTEA, nullable=False),
    CheckConstraint("octet_length(sha256) = 32", name="sha256"),
    comment="Octets of files as they came, once each; body is compressed (zlib), size is not",
)

import_file = Table(
    "import_file",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("sha256", BYTEA, ForeignKey("import_content.sha256"), nullable=False),
    Column("mapping_version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("received_by", Text, nullable=False),
    Column("imported_at", DateTime(timezone=True)),
    Column("imported_by", Text),
    Column("revoked_at", DateTime(timezone=True)),
    Column("revoked_by", Text),
    Column("reason", Text),
    Column("summary", JSONB, nullable=False),
    ForeignKeyConstraint(("source", "mapping_version"), ("import_mapping.source", "import_mapping.version")),
    CheckConstraint(f"state IN ({', '.join(repr(state) for state in STATES)})", name="state"),
    CheckConstraint("(state = 'previewed') = (imported_at IS NULL)", name="imported"),
    CheckConstraint("(state = 'revoked') = (revoked_at IS NOT NULL AND reason IS NOT NULL)", name="revoked"),
    Index("import_file_imported_key", "source", "sha256", unique=True, postgresql_where=text("state = 'imported'")),
    Index("import_file_previewed_key", "source", "sha256", unique=True, postgresql_where=text("state = 'previewed'")),
    Index("import_file_source_ix", "source", "id"),
    comment="A file of readings: previewed, imported (its batches have its id as epoch), revoked; "
    "summary: counts and faults",
)

import_request = Table(
    "import_request",
    metadata,
    Column("source", Text, ForeignKey("import_source.code"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("file", BigInteger, ForeignKey("import_file.id"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    comment="Idempotency keys of other head-ends: the same request is answered with its file",
)
