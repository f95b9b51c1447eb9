"""Tables of reminders and of what is handed to the accounting."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import DATERANGE, JSONB, ExcludeConstraint

from central.platform.database import metadata

JOURNAL_FORMS = ("csv", "pohoda")

reminder_level = Table(
    "reminder_level",
    metadata,
    Column("level", Integer, primary_key=True, autoincrement=False),
    Column("days_after_due", Integer, nullable=False),
    Column("fee", Numeric(14, 2), nullable=False),
    Column("penalty_daily_percent", Numeric(8, 4)),
    Column("pay_within_days", Integer, nullable=False),
    Column("wording", Text, nullable=False),
    CheckConstraint("level > 0", name="level"),
    CheckConstraint("days_after_due >= 0", name="days_after_due"),
    CheckConstraint("fee >= 0", name="fee"),
    CheckConstraint("penalty_daily_percent > 0", name="penalty_daily_percent"),
    CheckConstraint("pay_within_days >= 0", name="pay_within_days"),
    comment="Stupně upomínek; those that come with the system are assumed",
)

reminder = Table(
    "reminder",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("account", BigInteger, ForeignKey("contract_account.id")),
    Column("level", Integer, nullable=False),
    Column("made_on", Date, nullable=False),
    Column("pay_by", Date, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("fee", BigInteger, ForeignKey("receivable.id")),
    Column("penalty", BigInteger, ForeignKey("receivable.id")),
    Column("content", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("amount > 0", name="amount"),
    comment="Upomínka: a letter to one payer about items of one contract account that are past due",
)

reminder_item = Table(
    "reminder_item",
    metadata,
    Column("reminder", BigInteger, ForeignKey("reminder.id"), primary_key=True),
    Column("receivable", BigInteger, ForeignKey("receivable.id"), primary_key=True),
    Column("level", Integer, nullable=False),
    Column("rest", Numeric(14, 2), nullable=False),
    Column("days", Integer, nullable=False),
    Column(
        "charged_days",
        Integer,
        nullable=False,
        server_default="0",
        comment="Days past due for which a penalty was charged up to this reminder",
    ),
    CheckConstraint("rest > 0", name="rest"),
    CheckConstraint("charged_days >= 0", name="charged_days"),
    Index("reminder_item_receivable_ix", "receivable", "level", unique=True),
    comment="What a reminder asks for, as it was then",
)

journal_export = Table(
    "journal_export",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("period", DATERANGE, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("sums", JSONB, nullable=False, comment="Turnover by currency: as much debit as credit"),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("NOT isempty(period) AND NOT lower_inf(period) AND NOT upper_inf(period)", name="period"),
    ExcludeConstraint(("seller", "="), ("period", "&&"), using="gist", name="journal_export_seller_period_excl"),
    comment="Export do účetnictví: a period is handed over once; its files stay",
)

journal_file = Table(
    "journal_file",
    metadata,
    Column("export", BigInteger, ForeignKey("journal_export.id"), primary_key=True),
    Column("form", Text, primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    CheckConstraint("form IN ('csv', 'pohoda')", name="form"),
    comment="The files of an export, never made again",
)

journal_mark = Table(
    "journal_mark",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("item", BigInteger, primary_key=True, autoincrement=False),
    Column("export", BigInteger, ForeignKey("journal_export.id"), nullable=False, index=True),
    comment="What was handed to the accounting, once",
)
