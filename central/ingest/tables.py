"""Tables of ingest: batches and their numbers, evidence (blocks, register readings, events), quarantine."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, JSONB

from central.platform.database import metadata

batch = Table(
    "batch",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("edge", Text, nullable=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("evidence_channels", ARRAY(Integer), nullable=False),
    Column("first_start", DateTime(timezone=True)),
    Column("last_end", DateTime(timezone=True)),
    Column("consolidated_at", DateTime(timezone=True)),
    Column("closed", Boolean, nullable=False, server_default=text("false")),
    Column(
        "revoked_at",
        DateTime(timezone=True),
        comment="When its file was revoked: what it holds stays as evidence and counts for nothing",
    ),
    UniqueConstraint("edge", "epoch", "seq"),
    Index("batch_unconsolidated_ix", "id", postgresql_where=text("consolidated_at IS NULL")),
    Index("batch_closed_ix", "edge", "received_at", postgresql_where=text("closed")),
    Index("batch_revoked_ix", "id", postgresql_where=text("revoked_at IS NOT NULL")),
    comment="A number that central has committed, and what its good blocks hold; closed: a hole that nobody held",
)

# Hot tables carry no foreign keys: one from block to batch cost a third of the speed.
block = Table(
    "block",
    metadata,
    Column("start", DateTime(timezone=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("evidence_channel", Integer, nullable=False),
    Column("step", Integer, nullable=False),
    Column("marks", SmallInteger, nullable=False),
    Column("values", ARRAY(Integer), nullable=False),
    Column("quality", ARRAY(Integer)),
    Index("block_evidence_channel_start_ix", "evidence_channel", "start"),
    comment="Evidence: interval values as delivered, never changed; step in ms, quality the meter's flags or NULL",
)

register_reading = Table(
    "register_reading",
    metadata,
    Column("at", DateTime(timezone=True), nullable=False),
    Column("batch_id", BigInteger, nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("evidence_channel", Integer, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("marks", SmallInteger, nullable=False),
    Index("register_reading_evidence_channel_at_ix", "evidence_channel", "at"),
    comment="Evidence: cumulative register states (stavy) as delivered, never changed",
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("last_received_at", DateTime(timezone=True), nullable=False),
    Column("times", Integer, nullable=False, server_default=text("1")),
    Column("topic", Text, nullable=False),
    Column("edge", Text),
    Column("epoch", BigInteger),
    Column("seq", BigInteger),
    Column("index", Integer, nullable=False),
    Column("reason_code", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", BYTEA, nullable=False),
    Column("user_properties", JSONB, nullable=False),
    Column("digest", BYTEA),
    Column("discarded_at", DateTime(timezone=True)),
    Column("discarded_by", Text),
    Column("discard_reason", Text),
    UniqueConstraint("edge", "epoch", "seq", "index"),
    CheckConstraint("num_nonnulls(discarded_at, discarded_by, discard_reason) IN (0, 3)", name="discarded"),
    Index("quarantine_digest_key", "digest", unique=True, postgresql_where=text("digest IS NOT NULL")),
    Index("quarantine_reason_code_id_ix", "reason_code", "id"),
    comment="What could not be taken, byte for byte, with the reason: a batch of one block, or a whole body (index -1)",
)

edge_event = Table(
    "edge_event",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("edge", Text, nullable=False),
    Column("device", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("batch_id", BigInteger),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Index("edge_event_edge_at_ix", "edge", "at"),
    comment="What happened at a meter or an agent: meter events, gaps, clock corrections, closed holes",
)

edge_epoch = Table(
    "edge_epoch",
    metadata,
    Column("edge", Text, primary_key=True),
    Column("epoch", BigInteger, primary_key=True),
    Column("upto", BigInteger, nullable=False),
    Column("finished_at", DateTime(timezone=True)),
    comment="A lower bound of the numbers 1..upto that are committed; finished: no number of it is open any more",
)
