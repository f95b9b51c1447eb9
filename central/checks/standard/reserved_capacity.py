"""Check 1: reserved capacity entered (Kontrola zadání rezervované kapacity), electricity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Chosen, Frame, Numbers, group, match, totals
from central.checks.framework import ELECTRICITY, Asked, Definition, Findings, Kind, Subject, Text, Value, findings
from central.checks.verdict import GROUPS, TAKING_BACK, Result

ENTERED, NOTHING, CHANGED, NO_MONTHLY, NO_YEARLY, ZERO_MONTHLY, ZERO_YEARLY = range(7)
MONTHLY, YEARLY = 5, 6

ITEMS = """
    -- items of points at a level whose reserved capacity a package in force prices, without the exempt ones
    WITH priced AS MATERIALIZED (
        SELECT DISTINCT k.valid, level.name AS level
          FROM package k
         CROSS JOIN LATERAL jsonb_array_elements(k.content -> 'rules') AS r (rule)
         CROSS JOIN LATERAL jsonb_array_elements_text(r.rule -> 'levels') AS level (name)
         WHERE k.active AND k.commodity = 'electricity' AND (r.rule ->> 'code')::integer IN (5, 6)
    )
    SELECT DISTINCT i.id AS contract_item
      FROM contract_item i
      JOIN supply_point p ON p.id = i.supply_point
      JOIN priced ON priced.level = p.voltage_level AND priced.valid && i.valid
     WHERE i.supply_point = ANY (%(points)s::bigint[]) AND i.kind <> 'supply'
       AND NOT EXISTS (SELECT FROM point_condition c
                        WHERE c.supply_point = p.id AND c.kind = 'capacity_exempt' AND c.valid @> i.valid)
"""
EARLIER = """
    -- what stands for the two capacities in the month before each row of the payment calendar
    SELECT b.contract_item, r.id AS calendar_row, sum(micro(b.quantity)) AS quantity
      FROM unnest(%(rows)s::bigint[]) AS wanted (id)
      JOIN payment_calendar r ON r.id = wanted.id
      JOIN billing_basis b ON b.contract = r.contract AND b.rate IN (5, 6) AND b.state <> 'cancelled'
       AND b.statement_type <> ALL (%(taking_back)s::integer[])
       AND ((upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - 1)
           <@ daterange((lower(r.period) - interval '1 month')::date, lower(r.period))
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (%(taking_back)s::integer[]))
     WHERE b.supply_point = ANY (%(points)s::bigint[])
     GROUP BY b.contract_item, r.id
"""


@dataclass(frozen=True)
class Reserved:
    """Items that pay reserved capacity, and what stood for them in the month before each row."""

    items: Frame
    earlier: Frame


class ReservedCapacity:
    """Where reserved capacity is priced, some must be entered in the consumption diagram."""

    definition: ClassVar[Definition] = Definition(
        number=1,
        name=Text("Kontrola zadání rezervované kapacity", "Reserved capacity entered"),
        rule=Text(
            "Součet měsíční (sazba 5) a roční (sazba 6) rezervované kapacity položky smlouvy za období: nenulový OK, "
            "nulový "
            "chyba; k tomu: liší se od minulého měsíce: varování; podklad měsíční nebo roční kapacity chybí nebo je "
            "nulový: informace. Posuzuje se tam, kde ji účinný balíček na napěťové hladině účtuje a místo není "
            "osvobozeno.",
            "Sum of the monthly (rate 5) and the yearly (rate 6) reserved capacity of a contract item for the "
            "period: not "
            "zero OK, zero error; besides: it differs from last month's: warning; a basis of the monthly or yearly "
            "capacity lacks or is zero: info each. It applies where a package in force prices it at the voltage "
            "level and "
            "the point is not exempt.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular", "accrual", "annual"),
        statements=("regular", "annual"),
        commodities=(ELECTRICITY,),
        messages=(
            Text(
                "Rezervovaná kapacita je zadána: měsíční {monthly} MW, roční {yearly} MW.",
                "Reserved capacity is entered: monthly {monthly} MW, yearly {yearly} MW.",
            ),
            Text(
                "Rezervovaná kapacita je nulová: měsíční {monthly} MW, roční {yearly} MW. Zadejte ji v odběrovém "
                "diagramu.",
                "Reserved capacity is zero: monthly {monthly} MW, yearly {yearly} MW. Enter it in the consumption "
                "diagram.",
            ),
            Text(
                "Součet {sum} MW se liší od minulého měsíce ({earlier} MW).",
                "The sum of {sum} MW differs from last month's ({earlier} MW).",
            ),
            Text("Chybí podklad měsíční rezervované kapacity.", "There is no basis of the monthly reserved capacity."),
            Text("Chybí podklad roční rezervované kapacity.", "There is no basis of the yearly reserved capacity."),
            Text("Měsíční rezervovaná kapacita je nulová.", "The monthly reserved capacity is zero."),
            Text("Roční rezervovaná kapacita je nulová.", "The yearly reserved capacity is zero."),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Reserved:
        """Items that pay it, and last month's quantities."""
        rows = np.unique(bases["calendar_row"])
        given = {"rows": "{" + ",".join(map(str, rows[rows != MISSING].tolist())) + "}", "taking_back": TAKING_BACK}
        earlier = asked.frame(EARLIER, ("contract_item", "calendar_row", "quantity"), **given)
        return Reserved(asked.frame(ITEMS, ("contract_item",)), earlier)

    def verdict(self, bases: Frame, read: Reserved, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """Findings about the bases of both capacities; where an item has neither, about its calendar row."""
        judged = bases.take(
            np.isin(bases["contract_item"], read.items["contract_item"])
            & ~np.isin(bases["statement_type"], TAKING_BACK)
        )
        statement = _groups(judged)
        numbers, first = group([judged["contract_item"], judged["calendar_row"], statement])
        many = len(first)
        of = {rate: judged["rate"] == rate for rate in (MONTHLY, YEARLY)}
        sums = {rate: totals(numbers[chosen], judged["quantity"][chosen], many) for rate, chosen in of.items()}
        there = {rate: np.bincount(numbers[chosen], minlength=many) > 0 for rate, chosen in of.items()}
        total = sums[MONTHLY] + sums[YEARLY]
        earlier = _earlier(judged, first, read.earlier)
        conditions = (
            (ENTERED, Result.OK, total != 0),
            (NOTHING, Result.ERROR, total == 0),
            (CHANGED, Result.WARNING, (earlier != MISSING) & (earlier != total)),
            (NO_MONTHLY, Result.INFO, ~there[MONTHLY]),
            (NO_YEARLY, Result.INFO, ~there[YEARLY]),
            (ZERO_MONTHLY, Result.INFO, there[MONTHLY] & (sums[MONTHLY] == 0)),
            (ZERO_YEARLY, Result.INFO, there[YEARLY] & (sums[YEARLY] == 0)),
        )
        numbers_shown = {
            "monthly": np.where(there[MONTHLY], sums[MONTHLY], MISSING),
            "yearly": np.where(there[YEARLY], sums[YEARLY], MISSING),
            "sum": total,
            "earlier": earlier,
        }
        lines = np.flatnonzero(of[MONTHLY] | of[YEARLY])
        found = _told(judged["id"][lines], numbers[lines], conditions, numbers_shown)
        bare = ~there[MONTHLY] & ~there[YEARLY] & (judged["calendar_row"][first] != MISSING)
        for place, name in enumerate(GROUPS):
            chosen = np.flatnonzero(bare & (statement[first] == place))
            rows = judged["calendar_row"][first[chosen]]
            about = {"about": Subject.CALENDAR_ROW, "group": name}
            found += _told(rows, chosen, conditions, numbers_shown, **about)
        return found


def _told(
    subjects: Numbers,
    numbers: NDArray[np.intp],
    conditions: Sequence[tuple[int, Result, Chosen]],
    shown: Mapping[str, Numbers],
    **about: Any,
) -> list[Findings]:
    """A finding for each subject and each condition that holds in its group."""
    found = []
    for message, result, holds in conditions:
        chosen = np.flatnonzero(holds[numbers])
        values = {name: Value(Kind.DECIMAL, column[numbers[chosen]]) for name, column in shown.items()}
        found.append(findings(subjects[chosen], result, message, values, **about))
    return found


def _earlier(judged: Frame, first: NDArray[np.intp], earlier: Frame) -> Numbers:
    """What stood last month for each group; MISSING where nothing did."""
    found = np.full(len(first), MISSING, dtype=np.int64)
    keys = [judged["contract_item"][first], judged["calendar_row"][first]]
    places, others = match(keys, [earlier["contract_item"], earlier["calendar_row"]])
    found[places] = earlier["quantity"][others]
    return found


def _groups(bases: Frame) -> Numbers:
    """The place of each basis's group among GROUPS."""
    spread = np.zeros(17, dtype=np.int64)
    for place, kinds in enumerate(GROUPS.values()):
        spread[sorted(kinds)] = place
    return spread[bases["statement_type"]]
