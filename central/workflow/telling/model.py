"""What the sources of duties share: the days looked at, and a duty with the record that would tell it."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from central.market.contents import read_any
from central.market.duties.keep import Due
from central.market.duties.rules import deadline_of, rules
from central.market.envelope import root_name
from central.market.errors import MarketError
from central.market.format_package import package_of_root
from central.market.messages import Subject
from central.market.payloads.gas_master_data import GasMasterData
from central.market.payloads.master_data import MasterData
from central.market.xml import parse_untrusted

IS_KNOWN: Final = """
       message.direction = 'out'
   AND NOT (:to_production AND message.environment IS NOT DISTINCT FROM 'sandbox')
   AND (message.state IN ('sent', 'timed_out', 'accepted', 'accepted_with_reservation')
        OR message.state = 'repaired'
           AND EXISTS (SELECT FROM market_message_event e WHERE e.message = message.id AND e.act = 'expire'))
"""
"""Of a message: whoever its code goes to now may know what it tells. One that got a receipt and no answer counts, also
when a later version took its place that has not left yet."""


@dataclass(frozen=True, slots=True)
class Window:
    """Days [first, today]: acts on them are told; months are looked at from the one of `first` on."""

    first: date
    today: date
    is_production: Callable[[str], bool] = lambda code: False
    """Of a message code: whether it goes to the market operator itself, who knows nothing of what a sandbox is told."""

    @property
    def first_month(self) -> date:
        """The first day of the first month."""
        return self.first.replace(day=1)

    @property
    def last_month(self) -> date:
        """The first day of the present month."""
        return self.today.replace(day=1)

    def closed_months(self) -> list[date]:
        """First days of the months that lie in the window and are over."""
        found = []
        month = self.first_month if self.first.day == 1 else following(self.first_month)
        while month < self.last_month:
            found.append(month)
            month = following(month)
        return found


@dataclass(frozen=True, slots=True)
class Tellable:
    """A duty and the record of its message, or a sentence why there is none."""

    due: Due
    sender: str | None
    payload: msgspec.Struct | None
    problem: str | None = None


def following(month: date) -> date:
    """The first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def due(
    why: str,
    subject: Subject,
    first_day: date,
    end_day: date | None,
    cause: Mapping[str, Any],
    *,
    month: date | None = None,
    issued: date | None = None,
) -> Due:
    """The duty that the rule of `why` makes."""
    rule = rules()[why]
    return Due(
        code=rule.code,
        subject=subject,
        first_day=first_day,
        end_day=end_day,
        why=why,
        cause=cause,
        deadline=deadline_of(rule, first_day, end_day, issued),
        month=(month or first_day).replace(day=1),
    )


def digest(payload: msgspec.Struct | Sequence[Any] | None) -> str | None:
    """What stands for the record in a cause: another one is another version."""
    return None if payload is None else hashlib.sha256(msgspec.json.encode(payload)).hexdigest()[:32]


def read_told(xml: bytes, today: date) -> MasterData | GasMasterData | None:
    """The points that a message of ours told of; None where it cannot be read any more."""
    try:
        payload = read_any(package_of_root(*root_name(parse_untrusted(xml)), today), xml).payload
    except MarketError:
        return None
    assert isinstance(payload, MasterData | GasMasterData)
    return payload
