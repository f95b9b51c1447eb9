"""Check 1002: continuity of billed intervals (Kontrola návaznosti fakturovaných intervalů). Ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from central.checks.frame import MISSING, Frame, Numbers, match
from central.checks.framework import SERVICES, Asked, Definition, Findings, Kind, Text, Value, findings
from central.checks.verdict import TAKING_BACK, Result

FOLLOWS, GAP, FIRST, BEGINS, LONG = range(5)

BILLED = """
    -- the days that each point was billed for a service, by lines that hold and that no other takes back
    SELECT d.supply_point, array_position(%(services)s::text[], d.service) - 1 AS service,
           (d.since AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (d.until AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_
      FROM (SELECT DISTINCT b.supply_point, b.service, lower(b.valid) AS since, upper(b.valid) AS until
              FROM billing_basis b
             WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.state <> 'cancelled'
               AND b.statement_type <> ALL (%(taking_back)s::integer[]) AND b.statement_type NOT IN (4, 11)
               AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                                  AND o.statement_type = ANY (%(taking_back)s::integer[]))) d
"""
ITEMS = """
    SELECT i.id AS contract_item, lower(i.valid) - DATE '1970-01-01' AS first
      FROM contract_item i WHERE i.supply_point = ANY (%(points)s::bigint[])
"""
ROWS = """
    SELECT r.id AS calendar_row, upper(r.period) - lower(r.period) AS days
      FROM payment_calendar r JOIN contract_item i ON i.contract = r.contract
     WHERE i.supply_point = ANY (%(points)s::bigint[])
"""


@dataclass(frozen=True)
class Billed:
    """Billed days by point and service, first days of contract items, days of rows of the payment calendar."""

    intervals: Frame
    items: Frame
    rows: Frame


class Continuity:
    """What is billed follows what was billed before, without a gap."""

    definition: ClassVar[Definition] = Definition(
        number=1002,
        name=Text("Kontrola návaznosti fakturovaných intervalů", "Continuity of billed intervals"),
        rule=Text(
            "Interval navazuje na dříve vyúčtované dny místa a služby: OK; mezi nimi je mezera: chyba; delší než "
            "období "
            "platebního kalendáře: varování; první vyúčtování, nebo začátek položky smlouvy: informace.",
            "The interval follows the days of the point and service billed before: OK; there is a gap between them: "
            "error; "
            "longer than the period of the payment calendar: warning; first bill, or beginning of the contract item: "
            "info.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "annual"),
        statements=("regular", "annual"),
        messages=(
            Text("Navazuje na vyúčtované dny do {before}.", "Follows the days billed until {before}."),
            Text(
                "Mezi vyúčtovanými dny do {before} a intervalem od {first} chybí {days} dnů. Vyúčtujte je, nebo "
                "podklad "
                "opravte.",
                "Between the days billed until {before} and the interval from {first}, {days} days lack. Bill them, or "
                "correct the basis.",
            ),
            Text("První vyúčtování služby na místě.", "First bill of the service at the point."),
            Text("Položka smlouvy začíná {first}.", "The contract item begins on {first}."),
            Text(
                "Interval {all} dnů je delší než období platebního kalendáře ({days} dnů).",
                "The interval of {all} days is longer than the period of the payment calendar ({days} days).",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Billed:
        """Billed days, contract items and calendar rows of the points."""
        given = {"services": list(SERVICES), "taking_back": TAKING_BACK}
        return Billed(
            asked.frame(BILLED, ("supply_point", "service", "first", "end_"), **given),
            asked.frame(ITEMS, ("contract_item", "first")),
            asked.frame(ROWS, ("calendar_row", "days")),
        )

    def verdict(self, bases: Frame, read: Billed, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """One result by the days before, and a warning for an interval that is too long."""
        judged = bases.take(~np.isin(bases["statement_type"], TAKING_BACK))
        before = _before(judged, read.intervals)
        begins = _of(judged["contract_item"], read.items["contract_item"], read.items["first"])
        there, gap = before != MISSING, judged["first"] - np.where(before == MISSING, judged["first"], before)
        starts = begins == judged["first"]
        messages = np.select(
            [~there, gap <= 0, starts], [FIRST, FOLLOWS, BEGINS], default=GAP
        )  # a gap before the contract item begins is none
        results = np.array([Result.OK, Result.ERROR, Result.INFO, Result.INFO], dtype=np.int8)[messages]
        shown = {
            "before": Value(Kind.DAY, before),
            "first": Value(Kind.DAY, judged["first"]),
            "days": Value(Kind.COUNT, gap),
        }
        days = judged["end_"] - judged["first"]
        period = _of(judged["calendar_row"], read.rows["calendar_row"], read.rows["days"])
        long = np.flatnonzero((period != MISSING) & (days > period) & ~np.isin(judged["statement_type"], (6, 10)))
        too_long = {"all": Value(Kind.COUNT, days[long]), "days": Value(Kind.COUNT, period[long])}
        return [
            findings(judged["id"], results, messages, shown),
            findings(judged["id"][long], Result.WARNING, LONG, too_long),
        ]


def _before(judged: Frame, intervals: Frame) -> Numbers:
    """The latest end of billed days of the same point and service that begin before each basis; MISSING: none."""
    found = np.full(len(judged), MISSING, dtype=np.int64)
    places, others = match(
        [judged["supply_point"], judged["service"]], [intervals["supply_point"], intervals["service"]]
    )
    earlier = intervals["first"][others] < judged["first"][places]
    np.maximum.at(found, places[earlier], intervals["end_"][others[earlier]])
    return found


def _of(keys: Numbers, others: Numbers, values: Numbers) -> Numbers:
    """The value of each key, which stands once or several times with the same value; MISSING where it does not."""
    found = np.full(len(keys), MISSING, dtype=np.int64)
    places, matched = match([keys], [others])
    found[places] = values[matched]
    return found
