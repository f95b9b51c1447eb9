"""Message 249: what the operator's service monitor (monitor služeb) found at supply points.

Documented: the code, and the families of findings 2XX (a balance party's assignment ends) and 3XX (a point's validity
ends). The name of the format and the layout are ours.
"""

from datetime import date
from typing import Final, Literal

import msgspec

FORMAT: Final = "CDSMONITOR"
Family = Literal["balance_party_ends", "point_ends", "unknown"]
_FAMILIES: Final[dict[str, Family]] = {"2": "balance_party_ends", "3": "point_ends"}


class MonitorFinding(msgspec.Struct, frozen=True, kw_only=True):
    """A finding (nález monitoru) with its code; `last_day` is the last day on which what it is about holds."""

    opm: str
    code: str
    last_day: date
    party: str | None = None
    text: str | None = None

    @property
    def family(self) -> Family:
        """What ends: by the first digit of the code."""
        return _FAMILIES.get(self.code[:1], "unknown")


class MonitorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The payload."""

    findings: list[MonitorFinding]


def problems(data: MonitorReport) -> list[str]:
    """Findings of a family that is not known, one sentence each."""
    return [
        f"The finding {finding.code} of {finding.opm} belongs to no known family (2XX, 3XX)."
        for finding in data.findings
        if finding.family == "unknown"
    ]
