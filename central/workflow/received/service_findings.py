"""Message 249 (service monitor): every finding at a point of ours waits until a person has seen to it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from central.market.payloads.service_monitor import MonitorFinding, MonitorReport
from central.market.received import Effect, Message, Proposal
from central.workflow.received.known import not_ours, points_of

KIND: Final = "service_finding"


def effects(connection: Connection, messages: Sequence[Message], _at: datetime) -> list[Effect]:
    """For each message its findings."""
    known = points_of(connection, [finding.opm for message in messages for finding in _findings(message)])
    found = []
    for message in messages:
        proposals = [_proposal(finding, known) for finding in _findings(message) if finding.opm in known]
        strange = not_ours([finding.opm for finding in _findings(message)], known)
        why = f"{len(proposals)} findings wait for a person. {strange}".rstrip()
        found.append(Effect("proposed" if proposals else "kept", why, proposals))
    return found


def _findings(message: Message) -> list[MonitorFinding]:
    payload: MonitorReport = message.read.payload
    return payload.findings


def _proposal(finding: MonitorFinding, known: dict[str, int]) -> Proposal:
    proposed = {
        "code": finding.code,
        "family": finding.family,
        "last_day": finding.last_day.isoformat(),
        "party": finding.party,
    }
    why = finding.text or f"{finding.family} at {finding.opm}: holds until {finding.last_day}."
    return Proposal(KIND, finding.opm, proposed, why, known[finding.opm])
