"""Tables of how payments settle debts: allocations, set-offs, refunds and their orders, rules of matching."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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
    text,
)

from central.platform.database import metadata
from central.registry.past import one_of

REFUND_STATES = ("ordered", "sent", "executed", "returned", "cancelled")
ORDER_FORMS = ("abo", "pain001")
MATCHING_RULES = ("exact", "symbol", "account")
CORRECTION = "correction"
"""The rule of an allocation of a document's open item to that of the one which it corrects or cancels."""

set_off = Table(
    "set_off",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("made_on", Date, nullable=False),
    Column("total", Numeric(14, 2), nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("total > 0", name="total"),
    comment="Zápočet: credits and receivables of one party set off against each other, as a document",
)

payment_order = Table(
    "payment_order",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("form", Text, nullable=False),
    Column("iban", Text, nullable=False),
    Column("due", Date, nullable=False),
    Column("total", Numeric(14, 2), nullable=False),
    Column("items", Integer, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("digest", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint(one_of("form", ORDER_FORMS), name="form"),
    CheckConstraint("total > 0", name="total"),
    comment="Příkaz k úhradě: a file of refunds for the bank, as it was made",
)

refund = Table(
    "refund",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("seller", BigInteger, ForeignKey("party.id"), nullable=False),
    Column("payer", BigInteger, ForeignKey("party.id"), nullable=False, index=True),
    Column("account", BigInteger, ForeignKey("contract_account.id")),
    Column("iban", Text, nullable=False),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("currency", Text, nullable=False),
    Column("variable_symbol", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("payment_order", BigInteger, ForeignKey("payment_order.id"), index=True),
    Column("payment", BigInteger, ForeignKey("payment.id"), unique=True),
    Column("returned_by", BigInteger, ForeignKey("payment.id"), unique=True),
    Column("allocated", Numeric(14, 2), nullable=False, server_default="0"),
    Column("reason", Text, nullable=False),
    Column("ordered_at", DateTime(timezone=True), nullable=False),
    Column("ordered_by", Text, nullable=False),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("variable_symbol ~ '^[0-9]{1,10}$'", name="variable_symbol"),
    CheckConstraint(one_of("state", REFUND_STATES), name="state"),
    CheckConstraint("allocated >= 0 AND allocated <= amount", name="allocated"),
    CheckConstraint("state <> 'executed' OR payment IS NOT NULL", name="executed"),
    CheckConstraint("state <> 'returned' OR returned_by IS NOT NULL", name="returned"),
    CheckConstraint("state <> 'sent' OR payment_order IS NOT NULL", name="sent"),
    Index("refund_state_ix", "state", "id"),
    comment="Vratka: a credit that goes back to the account it came from",
)

allocation = Table(
    "allocation",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("payment", BigInteger, index=True),
    Column("credit", BigInteger),
    Column("receivable", BigInteger, index=True),
    Column("refund", BigInteger, ForeignKey("refund.id")),
    Column("set_off", BigInteger, ForeignKey("set_off.id")),
    Column("amount", Numeric(14, 2), nullable=False),
    Column("rule", Text, nullable=False),
    Column("made_on", Date, nullable=False, index=True),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("released_on", Date),
    Column("released_at", DateTime(timezone=True)),
    Column("released_by", Text),
    Column("reason", Text),
    CheckConstraint("amount > 0", name="amount"),
    CheckConstraint("num_nonnulls(payment, credit) = 1", name="source"),
    CheckConstraint("num_nonnulls(receivable, refund) = 1", name="target"),
    CheckConstraint(
        "credit IS NULL OR refund IS NOT NULL OR set_off IS NOT NULL OR rule = 'correction'", name="set_off"
    ),
    CheckConstraint("num_nonnulls(released_on, released_at, released_by, reason) IN (0, 4)", name="released"),
    Index("allocation_credit_ix", "credit", postgresql_where=text("credit IS NOT NULL")),
    Index("allocation_refund_ix", "refund", postgresql_where=text("refund IS NOT NULL")),
    Index("allocation_set_off_ix", "set_off", postgresql_where=text("set_off IS NOT NULL")),
    comment="Přiřazení: a credit (payment or credit note) settles a debt (receivable or refund); undone, never deleted",
)

matching_rule = Table(
    "matching_rule",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("place", Integer, nullable=False, unique=True),
    Column("active", Boolean, nullable=False),
    CheckConstraint(one_of("rule", MATCHING_RULES), name="rule"),
    comment="The order in which payments are matched by themselves",
)
