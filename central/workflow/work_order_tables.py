"""Tables of what comes back from a work order: documents and register states; who is signed in on the pages."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    LargeBinary,
    Table,
    Text,
)

from central.documents import tables as document_tables
from central.network.maintenance import order_tables
from central.platform.database import metadata
from central.readings.registers import state_tables

# Foreign keys below point to what these bring in.
document = document_tables.document
meter_state = state_tables.meter_state
work_order = order_tables.work_order

work_order_document = Table(
    "work_order_document",
    metadata,
    Column("work_order", Integer, ForeignKey("work_order.id"), primary_key=True, autoincrement=False),
    Column("document", Integer, ForeignKey("document.id"), primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    CheckConstraint("role IN ('photo', 'signature', 'protocol', 'other')", name="role"),
    comment="Photos, signatures and protocols of a work order",
)

work_order_state = Table(
    "work_order_state",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("work_order", Integer, ForeignKey("work_order.id"), nullable=False, index=True),
    Column("meter_state", BigInteger, ForeignKey("meter_state.id"), nullable=False, unique=True),
    comment="Register states that a technician took on a work order",
)

page_session = Table(
    "page_session",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("person", Text, nullable=False),
    Column("token_digest", LargeBinary, nullable=False),
    Column("form_key", Text, nullable=False),
    Column("began_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    comment="Who is signed in on the pages: digest of the cookie, until when",
)
