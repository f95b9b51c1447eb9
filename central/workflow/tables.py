"""Tables of acts that drive several rooms: what was done to meters, with its documents."""

from sqlalchemy import CheckConstraint, Column, DateTime, ForeignKey, Identity, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from central.documents import tables as document_tables
from central.network import tables as network_tables
from central.platform.database import metadata
from central.workflow import registry_import_tables as registry_import_tables
from central.workflow import work_order_tables as work_order_tables
from central.workflow.reports.tables import report as report
from central.workflow.reports.tables import report_cell as report_cell

# Foreign keys below point to what these bring in.
document = document_tables.document
meter = network_tables.meter

meter_act = Table(
    "meter_act",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id"), nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("removed", Text, ForeignKey("meter.id")),
    Column("mounted", Text, ForeignKey("meter.id")),
    Column("facts", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    Column("work_order", Integer, ForeignKey("work_order.id"), unique=True, comment="which asked for it, and ended"),
    CheckConstraint("kind IN ('mounting', 'removal', 'exchange')", name="kind"),
    CheckConstraint(
        "(kind <> 'mounting') = (removed IS NOT NULL) AND (kind <> 'removal') = (mounted IS NOT NULL)", name="meters"
    ),
    Index("meter_act_measuring_point_ix", "measuring_point", "at"),
    comment="Append-only: mounting, removal and exchange (výměna) of meters with their states",
)

meter_act_document = Table(
    "meter_act_document",
    metadata,
    Column("meter_act", Integer, ForeignKey("meter_act.id"), primary_key=True, autoincrement=False),
    Column("document", Integer, ForeignKey("document.id"), primary_key=True, autoincrement=False),
    Column("role", Text, nullable=False),
    CheckConstraint("role IN ('photo', 'protocol', 'other')", name="role"),
    comment="Photos and the protocol of an act on a meter",
)
