"""Overviews of maintenance: work orders and service cases."""

from sqlalchemy import select

from central.network.maintenance.case_states import CaseState
from central.network.maintenance.cases import PARAMETERS
from central.network.maintenance.order_states import OrderState
from central.network.maintenance.order_tables import ORDER_KINDS, work_order
from central.network.maintenance.tables import service_case
from central.network.point_tables import measuring_point
from central.network.tables import meter
from central.platform.overview import Column, Kind, Overview

_point = measuring_point.alias("place_point")

WORK_ORDERS = Overview(
    name="work orders",
    source=work_order,
    key=work_order.c.id,
    joined=work_order.outerjoin(_point, _point.c.id == work_order.c.measuring_point),
    columns=(
        Column("number", work_order.c.number),
        Column("kind", work_order.c.kind, Kind.CHOICE, ORDER_KINDS),
        Column("state", work_order.c.state, Kind.CHOICE, tuple(str(state) for state in OrderState)),
        Column("title", work_order.c.title),
        Column("instructions", work_order.c.instructions),
        Column("measuring_point", _point.c.name),
        Column("place", _point.c.place),
        Column("meter", work_order.c.meter),
        Column("concentrator", work_order.c.concentrator),
        Column("element", work_order.c.element, Kind.INTEGER),
        Column("service_case", work_order.c.service_case, Kind.INTEGER),
        Column("activity", work_order.c.activity, Kind.INTEGER),
        Column("due", work_order.c.due, Kind.DATE),
        Column("planned_on", work_order.c.planned_on, Kind.DATE),
        Column("assignee", work_order.c.assignee),
        Column("route_order", work_order.c.route_order, Kind.INTEGER),
        Column("result", work_order.c.result),
        Column("finished_at", work_order.c.finished_at, Kind.INSTANT),
        Column("finished_by", work_order.c.finished_by),
    ),
    default_sort=(("due", False), ("route_order", False)),
)

_meter = meter.alias("case_meter")

SERVICE_CASES = Overview(
    name="service cases",
    source=service_case,
    key=service_case.c.id,
    joined=service_case.outerjoin(_point, _point.c.id == service_case.c.measuring_point).outerjoin(
        _meter, _meter.c.id == service_case.c.meter
    ),
    columns=(
        Column("id", service_case.c.id, Kind.INTEGER),
        Column("kind", service_case.c.kind, Kind.CHOICE, tuple(PARAMETERS)),
        Column("cause", service_case.c.cause),
        Column("state", service_case.c.state, Kind.CHOICE, tuple(str(state) for state in CaseState)),
        Column("severity", service_case.c.severity, Kind.INTEGER),
        Column("meter", service_case.c.meter),
        Column("model", _meter.c.model),
        Column("concentrator", service_case.c.concentrator),
        Column("measuring_point", _point.c.name),
        Column("since", service_case.c.since, Kind.INSTANT),
        Column("opened_at", service_case.c.opened_at, Kind.INSTANT),
        Column("seen_at", service_case.c.seen_at, Kind.INSTANT),
        Column("closed_at", service_case.c.closed_at, Kind.INSTANT),
        Column("closed_by", service_case.c.closed_by),
        Column("reason", service_case.c.reason),
        Column("evidence", service_case.c.evidence, sortable=False),
    ),
    default_sort=(("opened_at", True),),
)

shown_case = select(*(column.sql.label(column.name) for column in SERVICE_CASES.columns)).select_from(
    SERVICE_CASES.joined if SERVICE_CASES.joined is not None else service_case
)
"""One service case as the overview shows it; add the condition."""

shown_order = select(*(column.sql.label(column.name) for column in WORK_ORDERS.columns)).select_from(
    WORK_ORDERS.joined if WORK_ORDERS.joined is not None else work_order
)
"""One work order as the overview shows it; add the condition."""
