"""Tables of documents."""

from sqlalchemy import CheckConstraint, Column, DateTime, Identity, Index, Integer, LargeBinary, Table, Text

from central.platform.database import metadata

LARGEST = 20_971_520
"""Octets of a document."""

document = Table(
    "document",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("media_type", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("octets", LargeBinary, nullable=False),
    Column("stored_at", DateTime(timezone=True), nullable=False),
    Column("stored_by", Text, nullable=False),
    CheckConstraint("sha256 = sha256(octets)", name="sha256"),
    CheckConstraint(f"octet_length(octets) BETWEEN 1 AND {LARGEST}", name="octets"),
    Index("document_sha256_ix", "sha256"),
    comment="Append-only: files as they were given or made, with their digest",
)
