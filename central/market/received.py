"""What a received message does here: effects by kind, brought by the rooms above, over a set of messages.

An effect first only reads and decides; what it writes is written together with the message's row in the inbox. So a
message is applied wholly or kept with the reason why not, and one that we stumble over holds up nothing else.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, insert

from central.market.mapping.read import Read
from central.market.tables import market_proposal


@dataclass(frozen=True, slots=True)
class Message:
    """A received message that was understood; `problems` are the rules of ours that it breaks, a sentence each."""

    read: Read[Any]
    content: bytes
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change that waits for a person's decision (návrh): its kind, what it is about, what would be changed."""

    kind: str
    subject: str
    proposed: Mapping[str, Any]
    why: str
    supply_point: int | None = None


@dataclass(slots=True)
class Effect:
    """What a message does: the outcome for the inbox, a sentence, and what is written once the inbox has a number."""

    outcome: str
    why: str
    proposals: list[Proposal] = field(default_factory=list)
    write: Callable[[Connection, int], None] | None = None


Effects = Callable[[Connection, Sequence[Message], datetime], Sequence[Effect]]
"""Decides for every message of a set, in its order; reads only."""

_BY_FORMAT: Final[dict[str, Effects]] = {}


def register_effects(format_name: str, effects: Effects) -> None:
    """What messages of a format do; registering once more replaces."""
    _BY_FORMAT[format_name] = effects


def effects_of(format_name: str) -> Effects | None:
    """What messages of a format do, where anybody said."""
    return _BY_FORMAT.get(format_name)


def propose(connection: Connection, inbox: int, proposal: Proposal, at: datetime, process: int | None = None) -> int:
    """Let a proposal wait; its number."""
    return int(
        connection.execute(
            insert(market_proposal)
            .values(
                inbox=inbox,
                process=process,
                kind=proposal.kind,
                subject=proposal.subject,
                supply_point=proposal.supply_point,
                proposed=dict(proposal.proposed),
                state="waiting",
                why=proposal.why,
                made_at=at,
            )
            .returning(market_proposal.c.id)
        ).scalar_one()
    )
