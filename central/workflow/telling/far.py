"""Earlier months than every pass looks at: what is entered late, or was not told while nobody looked.

A pass looks at one of them, the next pass at the one before it: each comes in its turn, and no pass is much longer for
it. Of interval data there is no turn: they are corrected only as long as every pass looks at them.
"""

from datetime import date, datetime

from central.market.duties.rules import far_months, look_back_months
from central.registry.capacity_rules import months_later
from central.workflow.telling.model import Window, following
from shared.metering_day import PRAGUE


def earlier_months(since: date, at: datetime) -> list[date]:
    """First days of the months before those that every pass looks at, the latest first, back to the day `since`."""
    present = at.astimezone(PRAGUE).date().replace(day=1)
    counted = range(look_back_months() + 1, far_months() + 1)
    months = [months_later(present, -count) for count in counted]
    return [month for month in months if following(month) > since]


def in_turn(since: date | None, at: datetime, turn: int) -> list[date]:
    """The month that the pass number `turn` looks at beside the others, if there is one."""
    months = [] if since is None else earlier_months(since, at)
    return [months[turn % len(months)]] if months else []


def window_of_month(window: Window, since: date, month: date) -> Window | None:
    """The days of the month from `since` on, as part of a pass that looks at `window`; None where that has them."""
    if month >= window.first_month:
        return None
    last = date.fromordinal(following(month).toordinal() - 1)
    return Window(max(since, month), last, window.is_production)
