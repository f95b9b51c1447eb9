"""Tables of the checks: settings of each check, runs, findings, the process log, and what bases, rows, objects show."""

from sqlalchemy import (
    REAL,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from central.checks.customer.tables import customer_check
from central.platform.database import metadata

__all__ = [
    "basis_verdict",
    "check_block",
    "check_definition",
    "check_message",
    "check_part",
    "check_run",
    "check_setting",
    "check_text",
    "customer_check",
    "object_verdict",
    "row_finding",
    "row_verdict",
]

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
    Column("parameters", JSONB, nullable=False, server_default="{}"),
    Column("slot", SmallInteger, nullable=False, unique=True, comment="Place of its results in basis_verdict.results"),
    CheckConstraint("kind IN ('standard', 'customer')", name="kind"),
    CheckConstraint("(kind = 'customer') = (number > 100000)", name="numbers"),
    CheckConstraint("slot >= 0", name="slot"),
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
    CheckConstraint("kind IN ('automatic', 'manual', 'invoicing', 'recheck')", name="kind"),
    comment="One pass of the active checks over a set of bases; recheck: a look at cancelled errors, which stay",
)

check_part = Table(
    "check_part",
    metadata,
    Column("run", BigInteger, ForeignKey("check_run.id"), primary_key=True),
    Column("check_number", Integer, ForeignKey("check_definition.number"), primary_key=True),
    Column("bases", Integer, nullable=False, comment="That it looked at"),
    Column("results", JSONB, nullable=False),
    Column("seconds", REAL, nullable=False),
    Column("output", Text, nullable=False, comment="Output variant (varianta vypisování) in this run"),
    Column("parameters", JSONB, nullable=False),
    Column("texts", ARRAY(Integer), nullable=False, comment="The check's messages when it ran, of check_text"),
    Column("failed", Text, comment="Why it could not run"),
    Column("version", Integer, comment="Of a customer check: the version of its rule that ran"),
    CheckConstraint("output IN ('all', 'errors')", name="output"),
    comment="What one check did in one run",
)

check_text = Table(
    "check_text",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("cs", Text, nullable=False),
    Column("en", Text, nullable=False),
    UniqueConstraint("cs", "en", name="check_text_cs_en_key"),
    comment="Messages that checks have ever used, with names of values in braces",
)

check_block = Table(
    "check_block",
    metadata,
    Column("run", BigInteger, primary_key=True),
    Column("check_number", Integer, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("about", Text, nullable=False),
    Column("statement_group", Text),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("counts", ARRAY(Integer), nullable=False, comment="Findings of each result, from none to error"),
    Column("packed", LargeBinary, nullable=False),
    ForeignKeyConstraint(
        ["run", "check_number"], ["check_part.run", "check_part.check_number"], name="check_block_run_check_number_fkey"
    ),
    CheckConstraint("about IN ('basis', 'calendar_row', 'supply_point')", name="about"),
    CheckConstraint("statement_group IN ('regular', 'accrual', 'annual')", name="statement_group"),
    CheckConstraint("first <= last", name="subjects"),
    CheckConstraint("cardinality(counts) = 6", name="counts"),
    Index("check_block_subjects_ix", "about", text("int8range(first, last, '[]')"), postgresql_using="gist"),
    comment="Findings of one check in one run as columns, by subject: central/checks/blocks.py",
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
    Column("basis", BigInteger, primary_key=True, autoincrement=False, comment="Of billing_basis, as just read there"),
    Column("run", BigInteger, nullable=False, comment="The last that changed it"),
    Column("result", SmallInteger, nullable=False),
    Column("results", LargeBinary, nullable=False, comment="The newest result of each check, an octet by its slot"),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("cancelled_by", Text),
    CheckConstraint("result BETWEEN 0 AND 5", name="result"),
    CheckConstraint("(result = 4) = (cancelled_at IS NOT NULL)", name="cancelled"),
    CheckConstraint("(cancelled_at IS NULL) = (cancelled_by IS NULL)", name="cancelled_by"),
    Index("basis_verdict_cancelled_ix", "basis", postgresql_where=text("cancelled_at IS NOT NULL")),
    comment="What a basis shows: the worst result over all checks that ran on it, and who cancelled its error",
)

row_finding = Table(
    "row_finding",
    metadata,
    Column("calendar_row", BigInteger, ForeignKey("payment_calendar.id", ondelete="CASCADE"), primary_key=True),
    Column("check_number", Integer, ForeignKey("check_definition.number"), primary_key=True),
    Column("statement_group", Text, primary_key=True),
    Column("run", BigInteger, ForeignKey("check_run.id"), nullable=False),
    Column("result", SmallInteger, nullable=False),
    Column("cancelled_at", DateTime(timezone=True)),
    Column("cancelled_by", Text),
    CheckConstraint("statement_group IN ('regular', 'accrual', 'annual')", name="statement_group"),
    CheckConstraint("result BETWEEN 1 AND 5", name="result"),
    CheckConstraint("(result = 4) = (cancelled_at IS NOT NULL)", name="cancelled"),
    CheckConstraint("(cancelled_at IS NULL) = (cancelled_by IS NULL)", name="cancelled_by"),
    comment="The newest result of a check about a row of the payment calendar without a basis",
)

row_verdict = Table(
    "row_verdict",
    metadata,
    Column("calendar_row", BigInteger, ForeignKey("payment_calendar.id", ondelete="CASCADE"), primary_key=True),
    Column("regular", SmallInteger, nullable=False),
    Column("accrual", SmallInteger, nullable=False),
    Column("annual", SmallInteger, nullable=False),
    CheckConstraint("regular BETWEEN 0 AND 5 AND accrual BETWEEN 0 AND 5 AND annual BETWEEN 0 AND 5", name="results"),
    comment="What a row of the payment calendar shows: the worst over its bases of each group, whatever the EAN",
)

object_verdict = Table(
    "object_verdict",
    metadata,
    Column("object", Text, primary_key=True),
    Column("month", Date, nullable=False, comment="The latest period that was active for checks"),
    Column("result", SmallInteger, nullable=False),
    CheckConstraint("result BETWEEN 0 AND 5", name="result"),
    comment="Výsledek kontroly běžných podkladů: the worst over the regular bases of the EANs of an object",
)
