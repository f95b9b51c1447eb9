"""Overviews (přehledy) of the checks: runs, and what bases, rows of the payment calendar and objects show."""

from typing import Any

from sqlalchemy import ColumnElement, case, func

from central.checks.tables import basis_verdict, check_run, object_verdict, row_verdict
from central.checks.verdict import Result
from central.platform.overview import Column, Kind, Overview
from central.registry.tables import contract, payment_calendar, supply_point
from central.settlement.tables import billing_basis

KEYS = tuple(result.key for result in Result)


def _result(name: str, number: ColumnElement[Any]) -> Column:
    """A result by its name."""
    named = case({int(result): result.key for result in Result}, value=number)
    return Column(name, named, Kind.CHOICE, KEYS)


RUNS = Overview(
    name="check runs",
    source=check_run,
    key=check_run.c.id,
    columns=(
        Column("id", check_run.c.id, Kind.INTEGER),
        Column("kind", check_run.c.kind, Kind.CHOICE, ("automatic", "manual", "invoicing", "recheck")),
        Column("made_at", check_run.c.made_at, Kind.INSTANT),
        Column("made_by", check_run.c.made_by),
        Column("bases", check_run.c.bases, Kind.INTEGER),
        Column("month", check_run.c.scope["month"].astext),
        Column("settlement_run", check_run.c.scope["run"].as_integer(), Kind.INTEGER),
        Column("results", check_run.c.results, sortable=False),
    ),
    default_sort=(("id", True),),
)

VERDICTS = Overview(
    name="checked bases",
    source=basis_verdict,
    key=basis_verdict.c.basis,
    columns=(
        Column("basis", basis_verdict.c.basis, Kind.INTEGER),
        _result("result", basis_verdict.c.result),
        Column("ean", supply_point.c.ean, through=(billing_basis.c.supply_point, supply_point.c.id)),
        Column("object", supply_point.c.object),
        Column("rate", billing_basis.c.rate, Kind.INTEGER),
        Column("name", billing_basis.c.name),
        Column("state", billing_basis.c.state),
        Column("settlement_run", billing_basis.c.run, Kind.INTEGER),
        Column("run", basis_verdict.c.run, Kind.INTEGER),
        Column("cancelled_by", basis_verdict.c.cancelled_by),
        Column("cancelled_at", basis_verdict.c.cancelled_at, Kind.INSTANT),
    ),
    default_sort=(("basis", True),),
    joined=basis_verdict.join(billing_basis, billing_basis.c.id == basis_verdict.c.basis).join(
        supply_point, supply_point.c.id == billing_basis.c.supply_point
    ),
)

ROWS = Overview(
    name="checked calendar rows",
    source=row_verdict,
    key=row_verdict.c.calendar_row,
    columns=(
        Column("row", row_verdict.c.calendar_row, Kind.INTEGER),
        Column("contract", contract.c.number),
        Column("start", func.lower(payment_calendar.c.period), Kind.DATE),
        Column("end", func.upper(payment_calendar.c.period), Kind.DATE),
        _result("regular", row_verdict.c.regular),
        _result("accrual", row_verdict.c.accrual),
        _result("annual", row_verdict.c.annual),
    ),
    default_sort=(("start", True), ("contract", False)),
    joined=row_verdict.join(payment_calendar, payment_calendar.c.id == row_verdict.c.calendar_row).join(
        contract, contract.c.id == payment_calendar.c.contract
    ),
)

OBJECTS = Overview(
    name="checked objects",
    source=object_verdict,
    key=object_verdict.c.object,
    columns=(
        Column("object", object_verdict.c.object),
        Column("month", object_verdict.c.month, Kind.DATE),
        _result("result", object_verdict.c.result),
    ),
    default_sort=(("object", False),),
)
