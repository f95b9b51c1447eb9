"""The message that tells a report: CDSLDSREPORT 277 of the consumption in a local network."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, cast

from central.market.contents import write_any
from central.market.envelope import Envelope, Participant
from central.market.errors import OutboundError
from central.market.format_package import package_at
from central.market.payloads.lds_report import NetworkReport, NetworkReports, ReportRow, Section
from central.workflow.reports.cells import Cell, Key
from central.workflow.reports.definition import Shipped

LDS_REPORT: Final = "277"


def payload_of(shipped: Shipped, report: Mapping[Any, Any], cells: Mapping[Key, Cell]) -> NetworkReports:
    """The record of message 277: a row for every row of the definition with a section; not known stays so.

    `report` has id, operator_code, operator_ean, area_code, period and version. Zeros that say nothing are left out.
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


def write(shipped: Shipped, report: Mapping[Any, Any], cells: Mapping[Key, Cell], code: str, at: datetime) -> bytes:
    """The message `code` of a report as it would be written at `at`, valid by its schema.

    OutboundError says in sentences what the market operator would refuse.
    """
    if report["operator_ean"] is None:
        raise OutboundError("no_sender", f"The operator {report['operator_code']} has no EAN: fill it in at its party.")
    package = package_at(at)
    scheme = package.envelope.coding_scheme
    envelope = Envelope(
        id=f"{code}-report-{report['id']}",
        code=code,
        at=at.replace(microsecond=0),
        sender=Participant(report["operator_ean"], scheme),
        receiver=Participant(package.envelope.market_operator, scheme),
        answer_required=True,
        language=package.envelope.language,
        dtd_version=package.envelope.dtd_version,
        dtd_release=package.envelope.dtd_release,
    )
    return write_any(package, envelope, payload_of(shipped, report, cells))


def _told(value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    return Decimal(0) if value == 0 else value.normalize()
