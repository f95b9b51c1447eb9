"""Tables of customer checks."""

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from central.platform.database import metadata

customer_check = Table(
    "customer_check",
    metadata,
    Column("number", Integer, ForeignKey("check_definition.number"), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("form", Text, nullable=False),
    Column("document", JSONB, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("why", Text, nullable=False),
    CheckConstraint("version > 0", name="version"),
    CheckConstraint("form IN ('declared', 'python')", name="form"),
    comment="Zákaznická kontrola: every version of its rule; the newest one runs",
)
