"""Proposals from received messages: found, and decided by a person; what taking one does is brought by the rooms above.

Each kind has one function that takes it and one that refuses it; a kind without them is only noted. All happens in the
request's transaction: a proposal is decided if and only if what it changes is changed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select, update

from central.market.tables import market_inbox, market_proposal
from central.platform import audit
from central.platform.errors import NotFound, Refused
from central.platform.identity import Person
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class Deciding:
    """Who decides, when and why; `confirmed`: they know what the change touches. `details` are the kind's own."""

    person: Person
    clock: Clock
    why: str
    confirmed: bool = False
    details: Mapping[str, Any] | None = None


Decide = Callable[[Connection, RowMapping, Deciding], Mapping[str, Any]]
"""Does what a decision means; what it changed, by kind and id."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What taking and refusing a proposal does, and the right that a person needs for it."""

    take: Decide | None = None
    refuse: Decide | None = None
    right: str = "market"


_KINDS: Final[dict[str, Kind]] = {}
_NOTED: Final = Kind()


def register_kind(name: str, kind: Kind) -> None:
    """What deciding proposals of a kind does; registering once more replaces."""
    _KINDS[name] = kind


def find_proposals(
    connection: Connection, *, state: str | None, kind: str | None, subject: str | None, after: int, limit: int
) -> Sequence[RowMapping]:
    """Proposals by id upwards, beginning behind `after`."""
    table = market_proposal
    query = select(table).where(table.c.id > after)
    for column, value in (("state", state), ("kind", kind), ("subject", subject)):
        if value is not None:
            query = query.where(table.c[column] == value)
    return connection.execute(query.order_by(table.c.id).limit(limit)).mappings().all()


def decide(connection: Connection, number: int, *, takes: bool, deciding: Deciding) -> RowMapping:
    """Take or refuse a proposal; Refused when it is decided already."""
    row = _require_waiting(connection, number)
    kind = _KINDS.get(row["kind"], _NOTED)
    if kind.right not in deciding.person.rights:
        raise Refused(
            "right",
            f"Deciding a proposal {row['kind']} needs the right {kind.right}, which {deciding.person.name} lacks.",
        )
    act = kind.take if takes else kind.refuse
    result = dict(act(connection, row, deciding)) if act is not None else {}
    state = "taken" if takes else "refused"
    at = deciding.clock.now()
    connection.execute(
        update(market_proposal)
        .where(market_proposal.c.id == number)
        .values(state=state, why=deciding.why, decided_at=at, decided_by=deciding.person.name, result=result)
    )
    audit.record(
        connection,
        deciding.person,
        f"market.proposal.{'take' if takes else 'refuse'}",
        f"market_proposal/{number}",
        {"kind": row["kind"], "subject": row["subject"], "result": result},
        at,
        why=deciding.why,
    )
    return require_proposal(connection, number)


def require_proposal(connection: Connection, number: int) -> RowMapping:
    """One proposal; NotFound."""
    row = connection.execute(select(market_proposal).where(market_proposal.c.id == number)).mappings().one_or_none()
    if row is None:
        raise NotFound("proposal_not_found", f"There is no proposal {number}.")
    return row


def _require_waiting(connection: Connection, number: int) -> RowMapping:
    table = market_proposal
    row = (
        connection.execute(
            select(table, market_inbox.c.sender, market_inbox.c.message_id)
            .join(market_inbox, market_inbox.c.id == table.c.inbox)
            .where(table.c.id == number)
            .with_for_update(of=table)
        )
        .mappings()
        .one_or_none()
    )
    if row is None:
        raise NotFound("proposal_not_found", f"There is no proposal {number}.")
    if row["state"] != "waiting":
        raise Refused(
            "decided", f"The proposal {number} is {row['state']} by {row['decided_by']}; only a waiting one is decided."
        )
    return row
