"""Duties as they are shown: the overview, and what of a month is told and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Connection, RowMapping, select, text

from central.market.duties.rules import rules, warn_from
from central.market.tables import DUTY_STATES, market_duty, market_month
from central.platform.overview import Column, Kind, Overview
from central.registry.validity import ends, starts
from shared.metering_day import PRAGUE, month_bounds
from shared.quantities import Commodity

DUTIES: Final = Overview(
    name="duties",
    source=market_duty,
    key=market_duty.c.id,
    columns=(
        Column("id", market_duty.c.id, Kind.INTEGER),
        Column("message_code", market_duty.c.message_code),
        Column("subject_kind", market_duty.c.subject_kind),
        Column("subject", market_duty.c.subject),
        Column("first_day", starts(market_duty.c.period), Kind.DATE),
        Column("end_day", ends(market_duty.c.period), Kind.DATE),
        Column("month", market_duty.c.month, Kind.DATE),
        Column("why", market_duty.c.why),
        Column("state", market_duty.c.state, Kind.CHOICE, DUTY_STATES),
        Column("problem", market_duty.c.problem),
        Column("arose_at", market_duty.c.arose_at, Kind.INSTANT),
        Column("deadline", market_duty.c.deadline, Kind.INSTANT),
        Column("done_at", market_duty.c.done_at, Kind.INSTANT),
        Column("handed_over_by", market_duty.c.handed_over_by),
    ),
    default_sort=(("deadline", False),),
)


def shown(rows: Sequence[RowMapping]) -> list[dict[str, Any]]:
    """Rows of the overview, each with the instant from which its deadline is warned of (None: done or waived)."""
    known = rules()
    return [
        {
            **row,
            "warn_from": warn_from(known[row["why"]], row["deadline"])
            if row["state"] in ("open", "told") and row["deadline"] and row["why"] in known
            else None,
        }
        for row in rows
    ]


@dataclass(frozen=True, slots=True)
class CodeState:
    """Duties of a message code in a month; `rejected` are those open ones whose last message was rejected.

    `by_hand` were handed over by a person and not told by a message; `with_problem` are the open ones of which no
    message could be made, `late` those past their deadline, `warned` those whose deadline is near; `deadline` is the
    nearest one that is not met yet.
    """

    message_code: str
    open: int
    told: int
    accepted: int
    rejected: int
    waived: int
    by_hand: int
    with_problem: int
    late: int
    warned: int
    deadline: datetime | None


_MONTH: Final = text("""
    -- duties of a month with the state of the last message of each
    SELECT d.message_code, d.why, d.state, last.state AS message, d.deadline, count(*) AS duties,
           count(d.problem) AS problems, count(d.handed_over_by) AS by_hand
      FROM market_duty d LEFT JOIN LATERAL (
           SELECT m.state FROM market_message m WHERE m.duty = d.id AND m.made_at >= d.arose_at
            ORDER BY m.version DESC LIMIT 1) last ON true
     WHERE d.month = :month
     GROUP BY 1, 2, 3, 4, 5 ORDER BY 1
""")
_UNMET: Final = ("open", "told")


def month_state(connection: Connection, month: date, at: datetime) -> list[CodeState]:
    """By message code, what of a month (its first day) is told and accepted."""
    rows = connection.execute(_MONTH, {"month": month}).mappings().all()
    codes = dict.fromkeys(row["message_code"] for row in rows)
    return [_code_state(code, [row for row in rows if row["message_code"] == code], at) for code in codes]


def looked_at(connection: Connection, month: date) -> datetime | None:
    """When it was looked last for what must be told of a month (its first day)."""
    query = select(market_month.c.looked_at).where(market_month.c.month == month)
    return connection.execute(query).scalar_one_or_none()


def is_done(month: date, states: Sequence[CodeState], looked: datetime | None, at: datetime) -> bool:
    """Whether the month is over and every message that was due is accepted, or its data were handed over by hand.

    It is over with its last gas day; what is due then is known once it was `looked` for it after that.
    """
    today = at.astimezone(PRAGUE).date()
    if looked is None or (today.year, today.month) <= (month.year, month.month):
        return False
    _, end = month_bounds(Commodity.GAS, month.year, month.month)
    return end <= looked and bool(states) and not any(state.open or state.told for state in states)


def _code_state(code: str, rows: Sequence[RowMapping], at: datetime) -> CodeState:
    known = rules()
    unmet = [row for row in rows if row["state"] in _UNMET]
    done = [row for row in rows if row["state"] == "done"]
    near = [
        row
        for row in unmet
        if row["deadline"] and row["why"] in known and warn_from(known[row["why"]], row["deadline"]) <= at
    ]

    def count(some: Sequence[RowMapping], name: str = "duties") -> int:
        return sum(row[name] for row in some)

    return CodeState(
        message_code=code,
        open=count([row for row in rows if row["state"] == "open"]),
        told=count([row for row in rows if row["state"] == "told"]),
        accepted=count(done) - count(done, "by_hand"),
        rejected=count([row for row in rows if row["state"] == "open" and row["message"] == "rejected"]),
        waived=count([row for row in rows if row["state"] == "waived"]),
        by_hand=count(done, "by_hand"),
        with_problem=count([row for row in rows if row["state"] == "open"], "problems"),
        late=count([row for row in near if row["deadline"] < at]),
        warned=count([row for row in near if row["deadline"] >= at]),
        deadline=min((row["deadline"] for row in unmet if row["deadline"]), default=None),
    )
