"""Tables of the checks: settings of each check, runs, results, the process log, and the verdict that a basis shows."""

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
    SmallInteger,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from central.platform.database import metadata

check_definition = Table(
    "check_definition",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("name_cs", Text, nullable=False),
    Column("name_en", Text, nullable=False),
    Column("check_group", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("groups", ARRAY(Text), nullable=False),
    Column("statements", ARRAY(Text), nullable=False),
    Column("output", Text, nullable=False),
    CheckConstraint("kind IN ('standard', 'customer')", name="kind"),
    CheckConstraint("output IN ('all', 'errors')", name="output"),
    comment="Kontrola: what it is called and how the operator has set it",
)

check_setting = Table(
    "check_setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
    comment="Settings that concern all checks, such as preventing the invoicing",
)

check_run = Table(
    "check_run",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("scope", JSONB, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("bases", Integer, nullable=False),
    Column("results", JSONB, nullable=False),
    CheckConstraint("kind IN ('automatic', 'manual', 'invoicing')", name="kind"),
    comment="One pass of the active checks over a set of bases",
)

check_result = Table(
    "check_result",
    metadata,
    Column("run", BigInteger, ForeignKey("check_run.id"), primary_key=True),
    Column("check_number", Integer, ForeignKey("check_definition.number"), primary_key=True),
    Column("basis", BigInteger, ForeignKey("billing_basis.id"), primary_key=True),
    Column("result", SmallInteger, nullable=False),
    Column("text_cs", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    Column("logged", Boolean, nullable=False),
    CheckConstraint("result BETWEEN 1 AND 5", name="result"),
    Index("check_result_basis_ix", "basis"),
    comment="Výsledek kontroly: one check about one basis in one run; logged: shown in the process log",
)

check_message = Table(
    "check_message",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("run", BigInteger, ForeignKey("check_run.id"), nullable=False, index=True),
    Column("check_number", Integer, ForeignKey("check_definition.number")),
    Column("result", SmallInteger, nullable=False),
    Column("text_cs", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    comment="Messages of the process log (procesní okno) that belong to no basis",
)

basis_verdict = Table(
    "basis_verdict",
    metadata,
    Column("basis", BigInteger, ForeignKey("billing_basis.id"), primary_key=True, autoincrement=False),
    Column("run", BigInteger, ForeignKey("check_run.id"), nullable=False),
    Column("result", SmallInteger, nullable=False),
    Column("text_cs", Text, nullable=False),
    Column("text_en", Text, nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("cancelled_by", Text),
    CheckConstraint("result BETWEEN 0 AND 5", name="result"),
    CheckConstraint("(result = 4) = (cancelled_at IS NOT NULL)", name="cancelled"),
    CheckConstraint("(cancelled_at IS NULL) = (cancelled_by IS NULL)", name="cancelled_by"),
    comment="What a basis shows: the worst result over all checks that ran on it, and who cancelled its error",
)
