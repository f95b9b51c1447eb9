"""Check 1: reserved capacity entered (Kontrola zadání rezervované kapacity), electricity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.frame import MISSING, Chosen, Frame, Numbers, group, match, totals
from central.checks.framework import ELECTRICITY, Asked, Definition, Findings, Kind, Subject, Text, Value, findings
from central.checks.received_items import days_of
from central.checks.received_lines import RUNS
from central.checks.verdict import GROUPS, TAKING_BACK, Result
from central.platform.arrays import int_array
from central.registry.capacity_rules import months_later

ENTERED, NOTHING, CHANGED, NO_MONTHLY, NO_YEARLY, ZERO_MONTHLY, ZERO_YEARLY, NO_UNIT = range(8)
MONTHLY, YEARLY = 5, 6

ITEMS = """
    -- days on which items pay reserved capacity: a package in force prices it at the point's voltage level, and the
    -- point neither is exempt nor chose the single-component price
    WITH priced AS MATERIALIZED (
        SELECT level.name AS level, range_agg(k.valid) AS valid
          FROM package k
         CROSS JOIN LATERAL jsonb_array_elements(k.content -> 'rules') AS r (rule)
         CROSS JOIN LATERAL jsonb_array_elements_text(r.rule -> 'levels') AS level (name)
         WHERE k.active AND k.commodity = 'electricity' AND (r.rule ->> 'code')::integer IN (5, 6)
         GROUP BY level.name
    )
    SELECT i.id AS contract_item, lower(d.days) - DATE '1970-01-01' AS first, upper(d.days) - DATE '1970-01-01' AS end_
      FROM contract_item i
      JOIN supply_point_valid v ON v.id = i.supply_point AND v.valid && i.valid AND v.valid && %(asked)s::daterange
      JOIN priced ON priced.level = v.voltage_level
     CROSS JOIN LATERAL unnest(
           priced.valid * datemultirange(i.valid * v.valid * %(asked)s::daterange)
           - (SELECT coalesce(range_agg(c.valid), '{}') FROM point_condition c
               WHERE c.supply_point = i.supply_point AND c.kind IN ('capacity_exempt', 'single_component'))
           ) AS d (days)
     WHERE i.supply_point = ANY (%(points)s::bigint[]) AND i.kind <> 'supply'
"""
LINES = """
    -- lines of the two capacities that hold, by the month in which they end, of all groups and states
    SELECT b.id, b.contract_item, b.rate, b.statement_type,
           date_trunc('month', (upper(b.valid) AT TIME ZONE 'Europe/Prague') - interval '1 day')::date
               - DATE '1970-01-01' AS month,
           micro(b.quantity * CASE b.unit WHEN 'MW' THEN 1000 WHEN 'kW' THEN 1 END) AS kilowatts,
           CASE WHEN b.state = 'new' THEN b.run END AS draft
      FROM billing_basis b
     WHERE b.supply_point = ANY (%(points)s::bigint[]) AND b.rate IN (5, 6) AND b.state <> 'cancelled'
       AND b.statement_type <> ALL (%(taking_back)s::integer[])
       AND upper(b.valid) > %(since)s::timestamp AT TIME ZONE 'Europe/Prague'
       AND upper(b.valid) <= %(until)s::timestamp AT TIME ZONE 'Europe/Prague'
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (%(taking_back)s::integer[]))
"""
_NAMES: Final = ("id", "contract_item", "rate", "statement_type", "month", "kilowatts", "draft")


@dataclass(frozen=True)
class Reserved:
    """Items with the days on which they pay reserved capacity, and all lines of it that hold in the months looked at
    and the ones before: also those that are invoiced, or whose error was cancelled, so that they are not checked."""

    items: Frame
    lines: Frame


class ReservedCapacity:
    """Where reserved capacity is priced, some must be entered in the consumption diagram."""

    definition: ClassVar[Definition] = Definition(
        number=1,
        name=Text("Kontrola zadání rezervované kapacity", "Reserved capacity entered"),
        rule=Text(
            "Součet měsíční (sazba 5) a roční (sazba 6) rezervované kapacity položky smlouvy za období: nenulový OK, "
            "nulový "
            "chyba; k tomu: liší se od minulého měsíce: varování; podklad měsíční nebo roční kapacity chybí nebo je "
            "nulový: informace. Posuzuje se tam, kde ji balíček účinný v intervalu na napěťové hladině účtuje a místo "
            "není osvobozeno ani nemá jednosložkovou cenu.",
            "Sum of the monthly (rate 5) and the yearly (rate 6) reserved capacity of a contract item for the "
            "period: not "
            "zero OK, zero error; besides: it differs from last month's: warning; a basis of the monthly or yearly "
            "capacity lacks or is zero: info each. It applies where a package in force in the interval prices it at "
            "the voltage level and the point neither is exempt nor has the single-component price.",
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
            Text(
                "Kontrola se nemohla provést: množství rezervované kapacity není v MW ani v kW, nebo má víc než šest "
                "desetinných míst.",
                "The check could not run: a quantity of reserved capacity is neither in MW nor in kW, or has more than "
                "six decimals.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Reserved:
        """Items that pay it, and the lines of it; of bases that are not approved those of the runs being checked."""
        first, end = days_of(bases)
        since = months_later(first.replace(day=1), -1)
        until = months_later((end - timedelta(days=1)).replace(day=1), 1)
        lines = asked.frame(LINES, _NAMES, taking_back=TAKING_BACK, since=since, until=until)
        runs = asked.frame(RUNS, ("run",), bases=int_array(bases["id"]))["run"]
        held = lines.take((lines["draft"] == MISSING) | np.isin(lines["draft"], runs))
        items = asked.frame(ITEMS, ("contract_item", "first", "end_"), asked=f"[{first},{end})")
        return Reserved(items, held)

    def verdict(self, bases: Frame, read: Reserved, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """Findings about the bases of both capacities; where an item has neither, about its calendar row."""
        judged = bases.take(_paying(bases, read.items) & ~np.isin(bases["statement_type"], TAKING_BACK))
        statement, month = _groups(judged), months_of(judged["end_"] - 1)
        numbers, first = group([judged["contract_item"], month, statement])
        many = len(first)
        keys = [judged["contract_item"][first], month[first], statement[first]]
        lines = read.lines
        lacks = lines["kilowatts"] == MISSING
        by = [lines["contract_item"], lines["month"], _groups(lines)]
        places, others = match(keys, by)
        sums, there = {}, {}
        for rate in (MONTHLY, YEARLY):
            mine = lines["rate"][others] == rate
            sums[rate] = totals(places[mine], np.where(lacks, 0, lines["kilowatts"])[others[mine]], many)
            there[rate] = np.bincount(places[mine], minlength=many) > 0
        strange = np.bincount(places[lacks[others]], minlength=many) > 0
        total = sums[MONTHLY] + sums[YEARLY]
        earlier = _earlier([keys[0], months_of(keys[1] - 1), keys[2]], by, lines["kilowatts"])
        conditions = (
            (NO_UNIT, Result.WARNING, strange),
            (ENTERED, Result.OK, ~strange & (total != 0)),
            (NOTHING, Result.ERROR, ~strange & (total == 0)),
            (CHANGED, Result.WARNING, ~strange & (earlier != MISSING) & (earlier != total)),
            (NO_MONTHLY, Result.INFO, ~there[MONTHLY]),
            (NO_YEARLY, Result.INFO, ~there[YEARLY]),
            (ZERO_MONTHLY, Result.INFO, ~strange & there[MONTHLY] & (sums[MONTHLY] == 0)),
            (ZERO_YEARLY, Result.INFO, ~strange & there[YEARLY] & (sums[YEARLY] == 0)),
        )
        numbers_shown = {
            "monthly": np.where(there[MONTHLY], sums[MONTHLY] // 1_000, MISSING),
            "yearly": np.where(there[YEARLY], sums[YEARLY] // 1_000, MISSING),
            "sum": total // 1_000,
            "earlier": np.where(earlier == MISSING, MISSING, earlier // 1_000),
        }
        own = np.flatnonzero(np.isin(judged["rate"], (MONTHLY, YEARLY)) & np.isin(judged["id"], lines["id"]))
        found = _told(judged["id"][own], numbers[own], conditions, numbers_shown)
        bare = ~there[MONTHLY] & ~there[YEARLY] & (judged["calendar_row"][first] != MISSING)
        for place, name in enumerate(GROUPS):
            chosen = np.flatnonzero(bare & (statement[first] == place))
            rows = judged["calendar_row"][first[chosen]]
            about = {"about": Subject.CALENDAR_ROW, "group": name}
            found += _told(rows, chosen, conditions, numbers_shown, judged["supply_point"][first], **about)
        return found


def _paying(bases: Frame, items: Frame) -> Chosen:
    """Bases on some day of which their item pays reserved capacity."""
    places, others = match([bases["contract_item"]], [items["contract_item"]])
    over = (items["first"][others] < bases["end_"][places]) & (bases["first"][places] < items["end_"][others])
    found: Chosen = np.zeros(len(bases), dtype=np.bool_)
    found[places[over]] = True
    return found


def _told(
    subjects: Numbers,
    numbers: NDArray[np.intp],
    conditions: Sequence[tuple[int, Result, Chosen]],
    shown: Mapping[str, Numbers],
    points: Numbers | None = None,
    **about: Any,
) -> list[Findings]:
    """A finding for each subject and each condition that holds in its group; `points`: the supply point of each."""
    found = []
    for message, result, holds in conditions:
        chosen = np.flatnonzero(holds[numbers])
        values = {name: Value(Kind.DECIMAL, column[numbers[chosen]]) for name, column in shown.items()}
        if points is not None:
            values["supply_point"] = Value(Kind.LINK, points[numbers[chosen]], ("supply_point",))
        found.append(findings(subjects[chosen], result, message, values, **about))
    return found


def _earlier(keys: Sequence[Numbers], by: Sequence[Numbers], kilowatts: Numbers) -> Numbers:
    """What stood for each group the month before; MISSING where nothing did, or what cannot be added."""
    places, others = match(keys, by)
    found = np.full(len(keys[0]), MISSING, dtype=np.int64)
    there = kilowatts[others] != MISSING
    sums = totals(places[there], kilowatts[others[there]], len(found))
    found[places] = sums[places]
    found[places[~there]] = MISSING
    return found


def months_of(days: Numbers) -> Numbers:
    """The first day of the month of each day."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)


def _groups(bases: Frame) -> Numbers:
    """The place of each basis's group among GROUPS."""
    spread = np.zeros(17, dtype=np.int64)
    for place, kinds in enumerate(GROUPS.values()):
        spread[sorted(kinds)] = place
    return spread[bases["statement_type"]]
