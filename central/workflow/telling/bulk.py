"""Bulk registration: points of one network that are registered on the same day are told together by one message (194).

What was told one by one stays so, and what was told together stays together: points that come later to the same day
are told by themselves, and one whose record changes makes the next version of the whole. One that did not happen is
taken back by itself (`withdrawn`): the others are registered already, and what told of them stands.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from datetime import date
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, text

from central.market.duties.rules import rules
from central.market.messages import Subject
from central.market.payloads.master_data import MasterData, PointData, problems
from central.workflow.telling.model import IS_KNOWN, Tellable, Window, digest, due, read_told

WHY: Final = "bulk_registration"
ALONE: Final = "registration"
MOST: Final = 1000
"""Points of one message."""
_ALONE: Final = text("""
    SELECT subject, lower(period) AS day FROM market_duty
     WHERE message_code = '111' AND why = 'registration' AND state <> 'waived' AND month BETWEEN :since AND :until
""")
_TOGETHER: Final = text("""
    SELECT duty.id, duty.subject, lower(duty.period) AS day, duty.cause
      FROM market_duty duty
     WHERE duty.message_code = '194' AND duty.state <> 'waived' AND duty.month BETWEEN :since AND :until
""")
_BY_ITSELF_SQL: Final = """
    -- points that were told by themselves and whose message left: what it says of them holds
    SELECT DISTINCT duty.subject, lower(duty.period) AS day
      FROM market_duty duty JOIN market_message message ON message.duty = duty.id
     WHERE duty.message_code = '111' AND duty.why = 'registration' AND duty.state <> 'waived'
       AND duty.month BETWEEN :since AND :until AND {is_known}
"""
_BY_ITSELF: Final = text(_BY_ITSELF_SQL.format(is_known=IS_KNOWN))
_LAST_SQL: Final = """
    -- the last message of each of these duties, where whoever it went to may know it
    SELECT id, xml FROM (
        SELECT DISTINCT ON (duty.id) duty.id, message.xml, {is_known} AS known
          FROM market_duty duty JOIN market_message message ON message.duty = duty.id
         WHERE duty.id = ANY (:duties) AND message.made_at >= duty.arose_at
         ORDER BY duty.id, message.version DESC) last
     WHERE known
"""
_LAST: Final = text(_LAST_SQL.format(is_known=IS_KNOWN))

Day = tuple[str, date]
"""A day of a subject: EAN of a point, or code of a message about many."""


class Standing(NamedTuple):
    """What a message told of points together, some of which are registered on its day no more, and its duty's cause."""

    told: Mapping[str, PointData]
    cause: Mapping[str, Any]


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
    duties = connection.execute(_TOGETHER, asked).all()
    if at_least is None and not duties:
        return list(found)
    together = {(ean, row.day): row.subject for row in duties for ean in row.cause["points"]}
    alone = {(row.subject, row.day) for row in connection.execute(_ALONE, asked)}
    to_production = {"to_production": window.is_production(rules()[ALONE].code)}
    apart = {(row.subject, row.day) for row in connection.execute(_BY_ITSELF, asked | to_production)}
    there = {(each.due.subject.code, each.due.first_day) for each in found}
    parted = [row for row in duties if any((ean, row.day) not in there - apart for ean in row.cause["points"])]
    standing = _standing(connection, window, parted) if parted else {}
    return put_together(found, alone, together, at_least, apart, standing)


def _standing(connection: Connection, window: Window, duties: Sequence[Row[Any]]) -> dict[Day, Standing]:
    """What was told last for those of the duties of which the operator knows it, by code and day."""
    asked = {"duties": [row.id for row in duties], "to_production": window.is_production(rules()[WHY].code)}
    last = {row.id: bytes(row.xml) for row in connection.execute(_LAST, asked)}
    found = {}
    for row in duties:
        payload = read_told(last[row.id], window.today) if row.id in last else None
        if isinstance(payload, MasterData):
            found[row.subject, row.day] = Standing({point.opm: point for point in payload.points}, row.cause)
    return found


def put_together(
    found: Sequence[Tellable],
    alone: Set[Day],
    together: Mapping[Day, str],
    at_least: int | None,
    apart: Set[Day] = frozenset(),
    standing: Mapping[Day, Standing] = MappingProxyType({}),
) -> list[Tellable]:
    """As `gather`: `alone` were told one by one, `together` under the code of their message, each by EAN and day.

    Those `apart` were told by themselves since, taken back or put right, and stay so. `standing` is what the operator
    knows of messages, by code and day, that told of points which are told by them no more.
    """
    left: list[Tellable] = []
    new: defaultdict[Network, list[Tellable]] = defaultdict(list)
    kept: defaultdict[Day, list[Tellable]] = defaultdict(list)
    taken = {(code, day) for (_, day), code in together.items()}
    for each in found:
        told = each.due.subject.code, each.due.first_day
        if told in together and told not in apart:
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
    return left + [_bulk(code, day, some, standing.get((code, day))) for (code, day), some in kept.items()]


def _is_right(each: Tellable) -> bool:
    """Whether it registers a point and nothing is wrong with it: one that is not would hold up all others."""
    return each.due.why == ALONE and isinstance(each.payload, MasterData) and not problems(each.payload)


def _network(each: Tellable) -> Network:
    assert isinstance(each.payload, MasterData)
    network = each.payload.points[0].network
    return Network(each.sender or "", network.area if network else None, each.due.first_day)


def _bulk(code: str, day: date, some: Sequence[Tellable], standing: Standing | None) -> Tellable:
    ordered = sorted(some, key=lambda each: each.due.subject.code)
    wrong = [each.problem for each in ordered if each.problem]
    points = [point for each in ordered if isinstance(each.payload, MasterData) for point in each.payload.points]
    payload = None if wrong else MasterData(points=points)
    cause: Mapping[str, Any] = {"points": [each.due.subject.code for each in ordered], "told": digest(payload)}
    if standing is not None and not wrong and all(standing.told.get(point.opm) == point for point in points):
        cause = standing.cause
    told = due(WHY, Subject("network", code), day, None, cause)
    return Tellable(told, ordered[0].sender, payload, " ".join(wrong[:3]) or None)
