"""Bulk registration: points of one network that are registered on the same day are told together by one message (194).

What was told one by one stays so, and what was told together stays together: points that come later to the same day
are told by themselves, and one whose record changes makes the next version of the whole.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from sqlalchemy import Connection, text

from central.market.messages import Subject
from central.market.payloads.master_data import MasterData, problems
from central.workflow.telling.model import Tellable, Window, digest, due

WHY: Final = "bulk_registration"
ALONE: Final = "registration"
MOST: Final = 1000
"""Points of one message."""
_ALONE: Final = text("""
    SELECT subject, lower(period) AS day FROM market_duty
     WHERE message_code = '111' AND why = 'registration' AND state <> 'waived' AND month BETWEEN :since AND :until
""")
_TOGETHER: Final = text("""
    SELECT duty.subject, lower(duty.period) AS day, point.ean
      FROM market_duty duty CROSS JOIN jsonb_array_elements_text(duty.cause -> 'points') AS point (ean)
     WHERE duty.message_code = '194' AND duty.state <> 'waived' AND duty.month BETWEEN :since AND :until
""")


class Network(NamedTuple):
    """Points of it are registered together: those of one area of one operator on one day."""

    operator: str
    area: str | None
    day: date

    @property
    def code(self) -> str:
        """What the message is about."""
        return self.operator if self.area is None else f"{self.operator}/{self.area}"


def gather(connection: Connection, found: Sequence[Tellable], window: Window, at_least: int | None) -> list[Tellable]:
    """The same acts, with registrations put together where a network has `at_least` of them on a day (None: never)."""
    asked = {"since": window.first_month, "until": window.last_month}
    together = {(row.ean, row.day): row.subject for row in connection.execute(_TOGETHER, asked)}
    if at_least is None and not together:
        return list(found)
    alone = {(row.subject, row.day) for row in connection.execute(_ALONE, asked)}
    return put_together(found, alone, together, at_least)


def put_together(
    found: Sequence[Tellable],
    alone: set[tuple[str, date]],
    together: dict[tuple[str, date], str],
    at_least: int | None,
) -> list[Tellable]:
    """As `gather`: `alone` were told one by one, `together` under the code of their message, each by EAN and day."""
    left: list[Tellable] = []
    new: defaultdict[Network, list[Tellable]] = defaultdict(list)
    kept: defaultdict[tuple[str, date], list[Tellable]] = defaultdict(list)
    taken = {(code, day) for (_, day), code in together.items()}
    for each in found:
        told = each.due.subject.code, each.due.first_day
        if told in together:
            kept[together[told], each.due.first_day].append(each)
        elif at_least is None or told in alone or not _is_right(each):
            left.append(each)
        else:
            new[_network(each)].append(each)
    for network, some in new.items():
        if len(some) < (at_least or 1) or (network.code, network.day) in taken:
            left += some
            continue
        for first in range(0, len(some), MOST):
            code = network.code if first == 0 else f"{network.code}/{first // MOST + 1}"
            kept[code, network.day] = some[first : first + MOST]
    return left + [_bulk(code, day, some) for (code, day), some in kept.items()]


def _is_right(each: Tellable) -> bool:
    """Whether it registers a point and nothing is wrong with it: one that is not would hold up all others."""
    return each.due.why == ALONE and isinstance(each.payload, MasterData) and not problems(each.payload)


def _network(each: Tellable) -> Network:
    assert isinstance(each.payload, MasterData)
    network = each.payload.points[0].network
    return Network(each.sender or "", network.area if network else None, each.due.first_day)


def _bulk(code: str, day: date, some: Sequence[Tellable]) -> Tellable:
    ordered = sorted(some, key=lambda each: each.due.subject.code)
    wrong = [each.problem for each in ordered if each.problem]
    points = [point for each in ordered if isinstance(each.payload, MasterData) for point in each.payload.points]
    payload = None if wrong else MasterData(points=points)
    cause = {"points": [each.due.subject.code for each in ordered], "told": digest(payload)}
    told = due(WHY, Subject("network", code), day, None, cause)
    return Tellable(told, ordered[0].sender, payload, " ".join(wrong[:3]) or None)
