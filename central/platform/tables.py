"""Tables of the platform: audit and incarnation."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from central.platform.database import metadata
from central.platform.external import tables as external_tables

external_value = external_tables.external_value

audit = Table(
    "audit",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False),
    Column("act", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", JSONB, nullable=False),
    Column("before", JSONB(none_as_null=True)),
    Column("after", JSONB(none_as_null=True)),
    Column("why", Text),
    Index("audit_subject_ix", "subject", "at"),
    comment="Append-only: who did what to what, when, why, and what it was before and after",
)

incarnation = Table(
    "incarnation",
    metadata,
    Column("number", Integer, Identity(always=True), primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("system_identifier", Text, nullable=False),
    Column("timeline", Integer, nullable=False),
    Column("database_oid", BigInteger, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("reason", Text, nullable=False),
    comment="The database's lives: the newest row is the present one; edges offer again after a change",
)

retention_rule = Table(
    "retention_rule",
    metadata,
    Column("target", Text, primary_key=True),
    Column("keep_days", Integer),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    CheckConstraint("target IN ('block', 'register_reading', 'day_profile', 'edge_event')", name="target"),
    CheckConstraint("keep_days >= 62", name="keep_days"),
    comment="How long what is measured is kept, by table; keep_days NULL or no row: for ever",
)
