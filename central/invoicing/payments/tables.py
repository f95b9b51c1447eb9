"""Tables of the payments: open items."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    Date,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    Table,
    Text,
    text,
)

from central.platform.database import metadata
from central.registry.past import one_of

RECEIVABLE_KINDS = ("invoice", "credit", "advance", "fee", "penalty")
"""What is asked for: an invoice or debit note, a credit note, an advance, a reminder's fee, a contractual penalty."""

receivable = Table(
    "receivable",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("number", Text, nullable=False),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("contract", BigInteger, ForeignKey("contract.id"), index=True),
    Column("account", BigInteger, ForeignKey("contract_account.id")),
    Column("invoice", BigInteger, ForeignKey("invoice.id"), unique=True),
    Column("advance", BigInteger, unique=True),
    Column("variable_symbol", Text, nullable=False),
    Column("specific_symbol", Text),
    Column("issued_on", Date, nullable=False),
    Column("due", Date, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("currency", Text, nullable=False, server_default="CZK"),
    Column("allocated", Numeric(14, 2), nullable=False, server_default="0"),
    Column("closed", Numeric(14, 2), nullable=False, server_default="0"),
    Column("symbol", BigInteger, Computed("variable_symbol::bigint", persisted=True)),
    Column("rest", Numeric(14, 2), Computed("amount - sign(amount) * (allocated + closed)", persisted=True)),
    Column("is_open", Boolean, Computed("allocated + closed < abs(amount)", persisted=True)),
    CheckConstraint(one_of("kind", RECEIVABLE_KINDS), name="kind"),
    CheckConstraint("variable_symbol ~ '^[0-9]{1,10}$'", name="variable_symbol"),
    CheckConstraint("specific_symbol ~ '^[0-9]{1,10}$'", name="specific_symbol"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="currency"),
    CheckConstraint("(kind = 'credit') = (amount < 0)", name="amount"),
    CheckConstraint("allocated >= 0 AND closed >= 0 AND allocated + closed <= abs(amount)", name="allocated"),
    CheckConstraint("invoice IS NULL OR advance IS NULL", name="stands_for"),
    CheckConstraint("kind <> 'advance' OR advance IS NOT NULL", name="advance"),
    Index("receivable_symbol_ix", "symbol", "due", "id", postgresql_where=text("is_open")),
    Index("receivable_account_ix", "account", "due", "id"),
    Index("receivable_payer_ix", "payer", "due", "id"),
    Index("receivable_due_ix", "due", "id", postgresql_where=text("is_open")),
    Index("receivable_number_ix", "number"),
    comment="Pohledávka (otevřená položka): what is to be paid and by whom; negative where the seller owes",
)
