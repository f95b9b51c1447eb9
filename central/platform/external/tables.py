"""Tables of external information: sources, runs, fetches with their octets, and values in versions."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    Time,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

from central.platform.database import metadata

external_source = Table(
    "external_source",
    metadata,
    Column("code", Text, primary_key=True),
    Column("adapter", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("addresses", ARRAY(Text), nullable=False),
    Column("settings", JSONB, nullable=False),
    Column("every_minutes", Integer),
    Column("daily_at", Time),
    Column("active", Boolean, nullable=False),
    Column("breaker", Text, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("opened_at", DateTime(timezone=True)),
    Column("scheduled_at", DateTime(timezone=True)),
    Column("succeeded_at", DateTime(timezone=True)),
    Column("failed_at", DateTime(timezone=True)),
    Column("error", Text),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    Column("changed_by", Text, nullable=False),
    CheckConstraint("cardinality(addresses) > 0", name="addresses"),
    CheckConstraint("every_minutes > 0", name="every_minutes"),
    CheckConstraint("breaker IN ('closed', 'open', 'half_open')", name="breaker"),
    CheckConstraint("failures >= 0", name="failures"),
    CheckConstraint("num_nonnulls(every_minutes, daily_at) <= 1", name="schedule"),
    CheckConstraint("breaker <> 'open' OR opened_at IS NOT NULL", name="opened_at"),
    comment="Zdroj externích informací: what is asked where, how often, and how its circuit breaker stands",
)

external_run = Table(
    "external_run",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", Text, ForeignKey("external_source.code"), nullable=False),
    Column("parameters", JSONB, nullable=False),
    Column("scheduled", Boolean, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", DateTime(timezone=True), nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("asked_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("error", Text),
    CheckConstraint("state IN ('waiting', 'done', 'failed')", name="state"),
    CheckConstraint("attempts >= 0", name="attempts"),
    CheckConstraint("(state = 'waiting') = (ended_at IS NULL)", name="ended_at"),
    Index("external_run_source_ix", "source", "id"),
    Index("external_run_waiting_ix", "not_before", postgresql_where=text("state = 'waiting'")),
    Index("external_run_scheduled_ix", "source", unique=True, postgresql_where=text("state = 'waiting' AND scheduled")),
    comment="What is to be fetched, by schedule or because a person asked; waits until it is done",
)

external_content = Table(
    "external_content",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("octets", BYTEA, nullable=False),
    Column("kept_at", DateTime(timezone=True), nullable=False),
    comment="Append-only: octets as they came from outside, once for each digest",
)

external_fetch = Table(
    "external_fetch",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("source", Text, ForeignKey("external_source.code"), nullable=False),
    Column("run", BigInteger, ForeignKey("external_run.id"), nullable=False, index=True),
    Column("part", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("octets", Integer, nullable=False),
    Column("digest", Text, ForeignKey("external_content.digest")),
    Column("error", Text),
    CheckConstraint("digest IS NOT NULL OR error IS NOT NULL", name="outcome"),
    Index("external_fetch_source_ix", "source", "id"),
    comment="Append-only: every attempt to fetch, with what came or why nothing did",
)

external_taking = Table(
    "external_taking",
    metadata,
    Column("fetch_id", BigInteger, ForeignKey("external_fetch.id"), primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("outcome", Text, nullable=False),
    Column("records", Integer, nullable=False),
    Column("added", Integer, nullable=False),
    Column("changed", Integer, nullable=False),
    Column("error", Text),
    CheckConstraint("outcome IN ('taken', 'unreadable', 'refused')", name="outcome"),
    comment="Append-only: what was made of a fetch; one without a row is still to be read",
)

external_value = Table(
    "external_value",
    metadata,
    Column("series", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("begins", DateTime(timezone=True)),
    Column("content", JSONB, nullable=False),
    Column("fetch_id", BigInteger, ForeignKey("external_fetch.id"), nullable=False, index=True),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    Index("external_value_begins_ix", "series", "begins"),
    comment="Append-only: values by series and key; another content is a new version",
)
