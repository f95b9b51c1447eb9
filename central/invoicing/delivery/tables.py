"""Tables of the delivery: what is to reach whom, and batches for print."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    text,
)

from central.invoicing.delivery.states import STATES
from central.platform.database import metadata
from central.registry.past import one_of

print_batch = Table(
    "print_batch",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("documents", Integer, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint("documents > 0", name="documents"),
    comment="Tisková dávka: documents that go to the printer together, in the order of their numbers",
)

delivery = Table(
    "delivery",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False),
    Column("invoice", BigInteger, ForeignKey("invoice.id"), index=True),
    Column("advance", BigInteger, ForeignKey("advance.id"), index=True),
    Column("advance_document", BigInteger, ForeignKey("advance_document.id"), index=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("message_id", Text, nullable=False, unique=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("due_at", DateTime(timezone=True), comment="When to try next; while sending: when to take it for given up"),
    Column("answer", Text, comment="What the mail server said last, or why it came back"),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    Column("queued_by", Text, nullable=False),
    Column("sent_at", DateTime(timezone=True)),
    Column("batch", BigInteger, ForeignKey("print_batch.id"), index=True),
    CheckConstraint("num_nonnulls(invoice, advance, advance_document) = 1", name="document"),
    CheckConstraint("kind IN ('mail', 'print')", name="kind"),
    CheckConstraint(one_of("state", STATES), name="state"),
    CheckConstraint("(batch IS NOT NULL) = (kind = 'print' AND state = 'sent')", name="batch"),
    CheckConstraint("(sent_at IS NOT NULL) = (state IN ('sent', 'bounced'))", name="sent_at"),
    CheckConstraint(
        "(due_at IS NOT NULL) = (kind = 'mail' AND state IN ('queued', 'sending', 'deferred'))", name="due"
    ),
    Index(
        "delivery_under_way_ix",
        "number",
        "kind",
        unique=True,
        postgresql_where=text("state IN ('queued', 'sending', 'deferred')"),
    ),
    Index("delivery_number_ix", "number"),
    Index("delivery_due_ix", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    comment="Doručení: one document on its way to an address, by mail or in print",
)
