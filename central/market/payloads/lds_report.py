"""CDSLDSREPORT 277: monthly report (měsíční výkaz) on electricity in a local distribution network (LDS).

Documented: message, code, and that section 11 is electricity used to cover losses. Sections and layout are ours. A
value that is not known (NULL) and one that is zero are different: the first is left out, the second written as 0.
"""

from datetime import date
from decimal import Decimal, localcontext
from typing import Final, Literal

import msgspec

from central.market.payloads.exact import EXACT

FORMAT: Final = "CDSLDSREPORT"
Section = Literal[
    "input_superior",
    "input_generators",
    "input_neighbours",
    "consumption_high_voltage",
    "consumption_business",
    "consumption_households",
    "output_neighbours",
    "output_superior",
    "own_consumption",
    "losses",
]
INPUTS: Final[tuple[Section, ...]] = ("input_superior", "input_generators", "input_neighbours")
OUTPUTS: Final[tuple[Section, ...]] = (
    "consumption_high_voltage",
    "consumption_business",
    "consumption_households",
    "output_neighbours",
    "output_superior",
    "own_consumption",
)
LOSSES: Final[Section] = "losses"


class ReportRow(msgspec.Struct, frozen=True, kw_only=True):
    """A section (řádek výkazu) and its value in MWh; None is not known, which is not zero."""

    section: Section
    value_mwh: Decimal | None = None


class NetworkReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one network and month; `month` is its first day, `operator` the EAN of the LDS operator."""

    operator: str
    month: date
    rows: list[ReportRow]
    area: str | None = None
    version: int | None = None


class NetworkReports(msgspec.Struct, frozen=True, kw_only=True):
    """The payload: one or several reports."""

    reports: list[NetworkReport]


def losses_mwh(values: dict[Section, Decimal | None]) -> Decimal | None:
    """What came in less what went out and was used, MWh; None where a section is missing or not known."""
    came = [values.get(section) for section in INPUTS]
    went = [values.get(section) for section in OUTPUTS]
    if any(value is None for value in (*came, *went)):
        return None
    with localcontext(EXACT):
        return sum((value for value in came if value is not None), Decimal(0)) - sum(
            (value for value in went if value is not None), Decimal(0)
        )


def problems(data: NetworkReports) -> list[str]:
    """What the operator would refuse, one sentence each."""
    found = []
    reported = [(report.operator, report.area, report.month) for report in data.reports]
    for report in data.reports:
        what = f"The report of {report.area or report.operator} for {report.month:%m/%Y}"
        if reported.count((report.operator, report.area, report.month)) > 1:
            found.append(f"{what} stands more than once.")
        sections = [row.section for row in report.rows]
        found += [
            f"{what} has the section {section} {sections.count(section)} times."
            for section in sorted(set(sections))
            if sections.count(section) > 1
        ]
        values = {row.section: row.value_mwh for row in report.rows}
        found += [
            f"{what} has {value} MWh in {section}, expected 0 or more."
            for section, value in values.items()
            if value is not None and value < 0 and section != LOSSES
        ]
        expected, said = losses_mwh(values), values.get(LOSSES)
        if expected is not None and said is not None and said != expected:
            found.append(f"{what} has losses of {said} MWh; what came in less what went out is {expected} MWh.")
    return found
