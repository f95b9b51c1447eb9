"""The message that tells a report: CDSLDSREPORT 277 of the consumption in a local network."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, cast

from central.market.payloads.lds_report import NetworkReport, NetworkReports, ReportRow, Section, problems
from central.workflow.reports.cells import Cell, Key
from central.workflow.reports.definition import Shipped

LDS_REPORT: Final = "277"


def payload_of(shipped: Shipped, report: Mapping[Any, Any], cells: Mapping[Key, Cell]) -> NetworkReports:
    """The record of message 277: a row for every row of the definition with a section; not known stays so.

    `report` has operator_ean, area_code, period and version. Values are told without zeros that say nothing.
    """
    column = shipped.definition.columns[0].code
    return NetworkReports(
        reports=[
            NetworkReport(
                operator=report["operator_ean"] or "",
                month=report["period"].lower,
                rows=[
                    ReportRow(section=cast(Section, row.section), value_mwh=_told(cells[row.code, column].value))
                    for row in shipped.definition.rows
                    if row.section is not None
                ],
                area=report["area_code"],
                version=report["version"],
            )
        ]
    )


def problems_of(shipped: Shipped, report: Mapping[Any, Any], cells: Mapping[Key, Cell]) -> list[str]:
    """What the market operator would refuse, one sentence each; [] of a report that no message tells."""
    if shipped.definition.message is None:
        return []
    found = problems(payload_of(shipped, report, cells))
    if report["operator_ean"] is None:
        found.append(f"The operator {report['operator_code']} has no EAN: fill it in at its party.")
    return found


def _told(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    return Decimal(0) if value == 0 else value.normalize()
