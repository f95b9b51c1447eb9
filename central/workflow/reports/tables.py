"""Tables of reports: the instances and their cells."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Numeric,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB

from central.platform.database import metadata
from central.workflow.reports.states import State

_OVERRIDDEN = "num_nonnulls(overridden_at, overridden_by, overridden_why)"

report = Table(
    "report",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("definition", Text, nullable=False),
    Column("definition_version", Integer, nullable=False),
    Column("definition_digest", Text, nullable=False, comment="SHA-256 of the definition's file"),
    Column("operator", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("area", BigInteger, ForeignKey("network_area.id"), index=True, comment="NULL: all of the operator's points"),
    Column("period", DATERANGE, nullable=False),
    Column("version", Integer, nullable=False, comment="grows with every reopening"),
    Column("replaces", BigInteger, ForeignKey("report.id"), unique=True),
    Column("state", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("filled_at", DateTime(timezone=True)),
    Column("filled_by", Text),
    Column("closed_at", DateTime(timezone=True)),
    Column("closed_by", Text),
    Column("sent_at", DateTime(timezone=True)),
    Column("sent_by", Text),
    CheckConstraint(f"state IN ({', '.join(repr(str(state)) for state in State)})", name="state"),
    CheckConstraint("NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)", name="period"),
    CheckConstraint("version > 0 AND (version > 1) = (replaces IS NOT NULL)", name="version"),
    CheckConstraint("state NOT IN ('closed', 'sent') OR closed_at IS NOT NULL", name="closed"),
    CheckConstraint("(state <> 'sent') OR sent_at IS NOT NULL", name="sent"),
    Index(
        "report_live_ix",
        "definition",
        "operator",
        "area",
        "period",
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=text("state NOT IN ('replaced', 'discarded')"),
    ),
    comment="Výkaz: a report of a network and period by a definition; what was closed is replaced by a new version",
)

report_cell = Table(
    "report_cell",
    metadata,
    Column("report", BigInteger, ForeignKey("report.id"), primary_key=True, autoincrement=False),
    Column("row", Text, primary_key=True),
    Column("column", Text, primary_key=True),
    Column("filled", Numeric, comment="NULL is not known, which is not zero"),
    Column("source", Text, nullable=False, comment="Where the filled value is from, or why there is none"),
    Column("details", JSONB, nullable=False),
    Column("overridden", Numeric, comment="NULL with overridden_at: a person says that it is not known"),
    Column("overridden_at", DateTime(timezone=True)),
    Column("overridden_by", Text),
    Column("overridden_why", Text),
    CheckConstraint(
        f"{_OVERRIDDEN} IN (0, 3) AND (overridden IS NULL OR overridden_at IS NOT NULL)", name="overridden"
    ),
    CheckConstraint("filled NOT IN ('NaN', 'Infinity', '-Infinity')", name="filled"),
    CheckConstraint("overridden NOT IN ('NaN', 'Infinity', '-Infinity')", name="overridden_number"),
    comment="Buňka výkazu: what was filled with its source, and what a person said instead",
)
