"""Meter data of gas handed over by hand: the month's export fulfils the duties whose data are whole, by whom and when.

A duty is marked only where its cause is what the database holds now: data that came later make it open again.
"""

import json
from datetime import date, datetime
from typing import Final

from sqlalchemy import Connection, text

from central.market.gas.closed import CODE, Closed, find_days, find_month, gas_today
from central.platform import audit
from central.platform.identity import Person
from shared.metering_day import next_month

_MARK: Final = text("""
    UPDATE market_duty duty SET state = 'done', problem = NULL, done_at = :at, handed_over_by = :person
      FROM jsonb_to_recordset(CAST(:closed AS jsonb)) AS closed (eic text, first date, stop date, why text, cause jsonb)
     WHERE duty.state = 'open' AND duty.message_code = :code AND duty.subject_kind = 'supply_point'
       AND duty.subject = closed.eic AND duty.period = daterange(closed.first, closed.stop)
       AND duty.why = closed.why AND duty.cause = closed.cause
""")


def hand_over(connection: Connection, month: date, at: datetime, by: Person | str) -> int:
    """Mark the open duties of a month (its first day) whose data are whole as handed over; how many that are.

    For whoever gives the month's export to the market operator, in the transaction that reads it.
    """
    stop = next_month(month.year, month.month)
    today = gas_today(at)
    closed = find_days(connection, month, min(stop, today))
    if stop <= today:
        closed += find_month(connection, month)
    whole = [_row(each) for each in closed if each.lacks is None]
    person = by.name if isinstance(by, Person) else by
    asked = {"at": at, "person": person, "code": CODE, "closed": json.dumps(whole)}
    marked = connection.execute(_MARK, asked).rowcount
    audit.record(connection, by, "market.gas_hand_over", f"month/{month:%Y-%m}", {"duties": marked}, at)
    return marked


def _row(closed: Closed) -> dict[str, object]:
    return {
        "eic": closed.eic,
        "first": closed.first.isoformat(),
        "stop": closed.stop.isoformat(),
        "why": closed.why,
        "cause": closed.cause,
    }
