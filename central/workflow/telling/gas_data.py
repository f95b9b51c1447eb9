"""Meter data of gas that must be told: closed days, months and states, each a duty that says what it waits for."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from central.market.duties.rules import deadline_of, rules
from central.market.gas import closed
from central.market.gas.closed import Closed
from central.market.gas.waiting import WHY
from central.market.messages import Subject
from central.workflow.telling.model import Tellable, Window, due, following

WHYS: Final = closed.WHYS


def find(connection: Connection, window: Window, at: datetime) -> list[Tellable]:
    """What must be told of the window's closed gas days; a record is made of none of them yet."""
    today = closed.gas_today(at)
    found = closed.find_days(connection, window.first, min(window.today, today))
    for month in window.closed_months():
        if following(month) <= today:
            found += closed.find_month(connection, month)
    return [_tellable(each) for each in found]


def _tellable(each: Closed) -> Tellable:
    made = due(each.why, Subject("supply_point", each.eic, each.point), each.first, each.stop, each.cause)
    if each.why != closed.DAY:
        # It cannot be told before the month is over, so that is what its deadline is counted from.
        made = replace(made, deadline=deadline_of(rules()[each.why], made.month, following(made.month)))
    return Tellable(made, each.operator, None, each.lacks or WHY)
