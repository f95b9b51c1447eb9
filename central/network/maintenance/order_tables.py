"""Tables of work orders."""

from sqlalchemy import CheckConstraint, Column, Date, DateTime, ForeignKey, Identity, Index, Integer, Table, Text, text

from central.network.maintenance import tables as maintenance_tables
from central.network.maintenance.order_states import OrderState
from central.network.point_tables import one_of
from central.platform.database import metadata

# Foreign keys below point to what this brings in.
service_case = maintenance_tables.service_case

ORDER_KINDS = ("verification", "sampling", "reading", "inspection", "exchange", "mounting", "removal", "repair")

work_order = Table(
    "work_order",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("number", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("instructions", Text, nullable=False, server_default=""),
    Column("measuring_point", Integer, ForeignKey("measuring_point.id")),
    Column("meter", Text, ForeignKey("meter.id")),
    Column("concentrator", Text, ForeignKey("concentrator.id")),
    Column("element", Integer, ForeignKey("network_element.id")),
    Column("service_case", Integer, ForeignKey("service_case.id")),
    Column("activity", Integer, ForeignKey("activity.id")),
    Column("activity_due", Date),
    Column("due", Date, nullable=False),
    Column("planned_on", Date),
    Column("assignee", Text),
    Column("route_order", Integer, nullable=False, server_default="0"),
    Column("result", Text),
    Column("finished_at", DateTime(timezone=True)),
    Column("finished_by", Text),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("made_by", Text, nullable=False),
    CheckConstraint(one_of("kind", ORDER_KINDS), name="kind"),
    CheckConstraint(one_of("state", tuple(str(state) for state in OrderState)), name="state"),
    CheckConstraint(
        "state NOT IN ('assigned', 'under_way') OR (assignee IS NOT NULL AND planned_on IS NOT NULL)",
        name="assigned",
    ),
    CheckConstraint(
        "(state IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)"
        " AND (finished_at IS NULL) = (finished_by IS NULL)"
        " AND (state NOT IN ('done', 'failed') OR result IS NOT NULL)",
        name="finished",
    ),
    CheckConstraint("(activity IS NULL) = (activity_due IS NULL)", name="activity"),
    Index(
        "work_order_activity_key",
        "activity",
        "activity_due",
        text("coalesce(meter, '')"),
        text("coalesce(measuring_point, 0)"),
        text("coalesce(element, 0)"),
        unique=True,
        postgresql_where=text("activity IS NOT NULL AND state <> 'cancelled'"),
    ),
    Index(
        "work_order_service_case_key",
        "service_case",
        unique=True,
        postgresql_where=text("service_case IS NOT NULL AND state NOT IN ('done', 'failed', 'cancelled')"),
    ),
    Index("work_order_due_ix", "due", "route_order", "id"),
    Index("work_order_state_ix", "state", "due"),
    Index("work_order_assignee_ix", "assignee", "planned_on", "route_order"),
    comment="Pracovní příkaz: work at a place, its assignment, place on the route, and result",
)

work_order_step = Table(
    "work_order_step",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("work_order", Integer, ForeignKey("work_order.id"), nullable=False, index=True),
    Column("state", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("person", Text, nullable=False),
    Column("note", Text, nullable=False),
    comment="Append-only: every state of a work order, when and by whom",
)

work_order_number = Table(
    "work_order_number",
    metadata,
    Column("year", Integer, primary_key=True, autoincrement=False),
    Column("last", Integer, nullable=False),
    comment="The last number given to a work order of a year",
)
