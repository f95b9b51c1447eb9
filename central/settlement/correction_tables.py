"""Table of corrections: what is invoiced and would be billed otherwise today."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB

from central.platform.database import metadata

CORRECTION_STATES = ("open", "ordered", "dismissed", "gone")

correction = Table(
    "correction",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("supply_point", BigInteger, ForeignKey("supply_point.id"), nullable=False, index=True),
    Column("period", DATERANGE, nullable=False),
    Column(
        "statement_type", SmallInteger, nullable=False, comment="Of the originals: 0 regular, 2 preliminary, 6 final"
    ),
    Column("state", Text, nullable=False),
    Column("billed", Numeric(14, 2), nullable=False, comment="Net amount of the lines that differ, as billed"),
    Column("correct", Numeric(14, 2), nullable=False, comment="Net amount of these lines as they would be billed now"),
    Column("billed_vat", Numeric(14, 2), comment="VAT of these lines as billed; NULL: found before VAT was compared"),
    Column("correct_vat", Numeric(14, 2), comment="VAT of these lines as they would be billed now"),
    Column("causes", JSONB, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("digest", Text, nullable=False),
    Column("found_at", DateTime(timezone=True), nullable=False),
    Column("looked_at", DateTime(timezone=True), nullable=False),
    Column("run", BigInteger, ForeignKey("settlement_run.id"), index=True),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("why", Text),
    CheckConstraint("state IN ('open', 'ordered', 'dismissed', 'gone')", name="state"),
    CheckConstraint("NOT isempty(period)", name="period"),
    CheckConstraint("statement_type IN (0, 2, 6)", name="statement_type"),
    CheckConstraint("(billed_vat IS NULL) = (correct_vat IS NULL)", name="vat"),
    CheckConstraint("(state IN ('ordered', 'dismissed')) = (decided_by IS NOT NULL)", name="decided"),
    Index(
        "correction_open_ix",
        "supply_point",
        "period",
        "statement_type",
        unique=True,
        postgresql_where=text("state = 'open'"),
    ),
    Index("correction_state_ix", "state", "id"),
    comment="K opravě: what is billed of a point and period and would be billed otherwise today, with the difference",
)
