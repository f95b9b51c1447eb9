"""What a month of supply points should have been billed by, and what it was: read for all points by a few queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np

from central.checks.due import DUE, HAPPENING
from central.checks.frame import Frame, Numbers, group
from central.checks.framework import Asked
from central.checks.meters import read_channels
from central.checks.segments import cut, holding, within
from central.checks.verdict import TAKING_BACK
from central.platform.arrays import int_array
from central.registry.capacity_rules import months_later
from central.settlement.by_hand import COMPONENT
from central.settlement.statements import StatementType
from central.settlement.supply import GAS, SINGLE_TARIFF, TWO_TARIFFS
from central.tariffs.install import packages_in_force
from central.tariffs.package import Package

LEVELS: Final = ("VVN", "VN", "NN")
BILLED: Final = sorted({int(kind) for kind in StatementType} - set(TAKING_BACK) - {4, 11})
"""Statements that bill a day: an accrual does not, nor what takes back."""
SOME: Final = 1
"""The bit of any basis of network services or supply."""
_EPOCH: Final = date(1970, 1, 1)

POINTS: Final = """
    -- states of points of consumption that are or were connected, and of entries with a purchase contract
    SELECT v.id AS supply_point, (v.commodity = 'gas')::integer AS commodity,
           array_position(%(levels)s::text[], v.voltage_level) - 1 AS level,
           (v.state = 'suspended')::integer AS suspended, v.supplier, v.valid AS held
      FROM supply_point_valid v
     WHERE v.valid && %(month)s::daterange AND v.state IN ('connected', 'suspended')
       AND (v.point_type = 'consumption' OR v.point_type = 'entry' AND EXISTS (
            SELECT FROM contract_item i
             WHERE i.supply_point = v.id AND i.kind = 'purchase' AND i.valid && %(month)s::daterange))
"""
ITEMS: Final = """
    SELECT i.supply_point, i.id AS contract_item, i.contract, (i.kind = 'framework')::integer AS framework,
           (i.kind = 'purchase')::integer AS purchase, array_position(%(lists)s::text[], i.prices) - 1 AS prices,
           array_position(%(rates)s::text[], i.rate) - 1 AS rate, i.unmetered_flat::integer AS flat,
           micro(i.annual_mwh) AS annual, i.valid AS held
      FROM contract_item i WHERE i.valid && %(month)s::daterange AND contract_services(i.kind) @> 1
"""
TERMS: Final = """
    -- parties and months of a statement; when the contract ends
    SELECT c.id AS contract, c.customer, c.statement_months AS months,
           upper(c.valid) - DATE '1970-01-01' AS ends, c.valid * c.held AS held
      FROM contract_valid c WHERE c.valid * c.held && %(month)s::daterange
"""
CONDITIONS: Final = """
    SELECT c.supply_point, array_position(%(kinds)s::text[], c.kind) - 1 AS kind, c.valid AS held
      FROM point_condition c WHERE c.valid && %(month)s::daterange AND c.kind = ANY (%(kinds)s::text[])
"""
CAPACITIES: Final = """
    SELECT c.supply_point, (c.kind = 'month')::integer AS kind, c.valid AS held
      FROM reserved_capacity c WHERE c.valid && %(month)s::daterange AND c.kw > 0
"""
LISTS: Final = """
    -- own price lists of items, and which of their components cost something by bits
    SELECT i.supply_point, l.price_list,
           (SELECT coalesce(bit_or(1 << (array_position(%(components)s::text[], p.component) - 1)), 0)
              FROM own_price p
             WHERE p.price_list = l.price_list AND p.price <> 0 AND p.valid && %(month)s::daterange) AS priced,
           l.valid * i.valid AS held
      FROM item_price_list l JOIN contract_item i ON i.id = l.contract_item
     WHERE l.valid * i.valid && %(month)s::daterange
"""
SERVICES: Final = """
    -- own services of items that cost something
    SELECT i.supply_point, o.rate, s.valid * i.valid AS held
      FROM contract_service s
      JOIN contract_item i ON i.id = s.contract_item
      JOIN own_service o ON o.id = s.service
     WHERE s.valid * i.valid && %(month)s::daterange
       AND EXISTS (SELECT FROM own_service_price p
                    WHERE p.service = o.id AND p.price <> 0 AND p.valid && %(month)s::daterange)
"""
ROWS: Final = """
    SELECT r.contract, r.id AS calendar_row, r.period AS held
      FROM payment_calendar r WHERE r.period && %(month)s::daterange
"""
RUNS: Final = """
    SELECT r.id AS run FROM settlement_run r WHERE r.period && %(month)s::daterange AND r.state <> 'discarded'
"""
OMITTED: Final = """
    -- points that a run of the month left out, by the newest of them
    SELECT o.supply_point, max(o.run) AS run
      FROM settlement_omission o WHERE o.run = ANY (%(runs)s::bigint[]) GROUP BY o.supply_point
"""
_BASES = """
      FROM billing_basis b
      LEFT JOIN unnest(%(slots)s::integer[], %(bits)s::bigint[]) AS d (rate, bit) ON d.rate = b.rate
     WHERE (b.run = ANY (%(runs)s::bigint[]) OR b.run IS NULL) AND b.state <> 'cancelled'
       AND b.valid && %(instants)s::tstzrange
       AND b.statement_type = ANY (%(billed)s::integer[])
       AND NOT EXISTS (SELECT FROM billing_basis o WHERE o.original = b.id AND o.state <> 'cancelled'
                          AND o.statement_type = ANY (%(storno)s::integer[]))
"""
_BASIS_DAYS = """
           daterange((lower(b.valid) AT TIME ZONE 'Europe/Prague')::date,
                     (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date) AS held
"""
COVERS: Final = f"""
    -- by point and interval: which rates were billed, and how many lines of them there are
    SELECT b.supply_point, bit_or(coalesce(d.bit, 0) | 1) AS mask, count(d.bit) AS lines, {_BASIS_DAYS}
    {_BASES} AND b.service <> 'other'
     GROUP BY b.supply_point, b.valid
"""
LINES: Final = f"""
    SELECT b.id AS basis, b.supply_point, b.rate, hashtextextended(b.component, 0) AS component,
           (b.component = %(by_hand)s)::integer AS by_hand, (b.state = 'new')::integer AS draft, {_BASIS_DAYS}
    {_BASES} AND b.supply_point = ANY (%(doubtful)s::bigint[]) AND d.bit IS NOT NULL AND b.service <> 'other'
"""
OTHERS: Final = f"""
    SELECT b.supply_point, b.rate, {_BASIS_DAYS}
    {_BASES} AND b.service = 'other' AND %(others)s
"""
TAKEN: Final = """
    -- days without a contract on which a point took something: by values of profiles, and by states that went up since
    -- the last one before
    WITH bare AS MATERIALIZED (
        SELECT b.supply_point, DATE '1970-01-01' + b.first AS first, DATE '1970-01-01' + b.end_ AS end_
          FROM unnest(%(bare)s::bigint[], %(firsts)s::integer[], %(ends)s::integer[])
               AS b (supply_point, first, end_)
    )
    SELECT bare.supply_point, bare.first - DATE '1970-01-01' AS first,
           max((SELECT count(DISTINCT p.day) FROM day_profile p
                 WHERE p.channel = c.id AND p.day >= bare.first AND p.day < bare.end_
                   AND coalesce(p.total, (SELECT sum(v) FROM unnest(p.values) v WHERE v > 0)) > 0
                   AND NOT EXISTS (SELECT FROM day_profile n
                                    WHERE n.channel = p.channel AND n.day = p.day AND n.version > p.version)))
               AS days,
           max((SELECT max(s.rise) FROM (
                SELECT max(r.value) - min(r.value) AS rise
                  FROM channel_mapping m JOIN register_reading r ON r.evidence_channel = m.evidence_channel
                 WHERE m.channel = c.id AND m.valid @> r.at
                   AND r.at >= coalesce((SELECT max(l.at) FROM register_reading l
                                          WHERE l.evidence_channel = m.evidence_channel
                                            AND l.at <= bare.first::timestamp AT TIME ZONE 'Europe/Prague'),
                                        bare.first::timestamp AT TIME ZONE 'Europe/Prague')
                   AND r.at < (bare.end_ + 1)::timestamp AT TIME ZONE 'Europe/Prague'
                 GROUP BY m.id) s)) AS rise
      FROM bare
      JOIN channel c ON c.supply_point = bare.supply_point AND c.direction IN ('A+', 'V', 'VT', 'NT', 'JT')
     GROUP BY bare.supply_point, bare.first
"""
QUANTITIES: Final = (
    "max_quarter_hour_kw", "max_quarter_hour_without_exempt_kw", "max_quarter_hour_output_kw",
    "reactive_delivery_mvarh",
)  # fmt: skip
AGREED: Final = ("reserved_capacity_year_kw", "reserved_capacity_month_kw", "reserved_input_kw", "reserved_output_kw")
PARTS: Final = f"""
    -- what the month's runs measured of points with a profile, and what was agreed, by the parts that were settled
    SELECT i.id AS input, i.supply_point,
           {", ".join(f"micro(round((q.told ->> '{name}')::numeric, 6)) AS {name}" for name in QUANTITIES)},
           {", ".join(f"micro(round((f.told -> 'agreed' ->> '{name}')::numeric, 6)) AS {name}" for name in AGREED)},
           daterange((f.told ->> 'from')::date, (f.told ->> 'to')::date) AS held
      FROM settlement_input i
     CROSS JOIN LATERAL jsonb_array_elements(coalesce(i.quantities -> 'parts', jsonb_build_array(i.quantities)))
                        WITH ORDINALITY AS q (told, place)
     CROSS JOIN LATERAL (SELECT i.facts -> 'parts' -> (q.place - 1)::integer AS told) AS f
     WHERE i.run = ANY (%(runs)s::bigint[]) AND i.replaced_by IS NULL AND i.valid && %(instants)s::tstzrange
       AND i.statement_type = ANY (%(billed)s::integer[]) AND i.quantities ?| %(quantities)s::text[]
"""  # noqa: S608 - names of ours
KINDS: Final = ("capacity_exempt", "single_component", "storage")
CAPACITY: Final = ("reserved_capacity_year_kw", "reserved_capacity_month_kw")
COMPONENTS: Final = ("fixed", "energy", "vt", "nt")


@dataclass(frozen=True)
class BilledMonth:
    """A month of all points: frames whose [first, end_) are days counted from its first.

    `slots` are the rates that can be due, each a bit after SOME; `rates` and `lists` words of items; `packages` those
    in force; `today` is a day of the same count.
    """

    start: date
    days: int
    today: int
    packages: Sequence[Package]
    slots: tuple[int, ...]
    names: Mapping[int, str]
    lists: tuple[str, ...]
    rates: tuple[str, ...]
    points: Frame
    items: Frame
    terms: Frame
    conditions: Frame
    capacities: Frame
    price_lists: Frame
    services: Frame
    rows: Frame
    omitted: Frame
    covers: Frame
    lines: Frame
    measured: Frame
    """By which channels the bases of `lines` were measured."""
    others: Frame
    taken: Frame
    parts: Frame
    """What was measured and agreed by settled parts: QUANTITIES and AGREED in millionths."""


def read_month(asked: Asked, start: date) -> BilledMonth:
    """All of the month that begins on `start`."""
    end = months_later(start, 1)
    low, high = ((day - _EPOCH).days for day in (start, end))
    packages = packages_in_force(asked.connection, start, end)
    names = _names(packages)
    slots = tuple(sorted(names))
    lists = asked.words("SELECT DISTINCT prices FROM contract_item ORDER BY 1")
    rates = asked.words("SELECT DISTINCT rate FROM contract_item WHERE rate IS NOT NULL ORDER BY 1")
    given: dict[str, Any] = {
        "month": f"[{start},{end})", "instants": f"[{start} Europe/Prague,{end} Europe/Prague)",
        "levels": list(LEVELS), "lists": list(lists), "rates": list(rates),
        "kinds": list(KINDS), "components": list(COMPONENTS), "slots": list(slots),
        "bits": [2 << place for place in range(len(slots))], "billed": BILLED, "storno": TAKING_BACK,
        "by_hand": COMPONENT, "quantities": list(QUANTITIES),
    }  # fmt: skip

    def frame(query: str, *columns: str) -> Frame:
        return within(asked.frame(_in_days(query), (*columns, "first", "end_"), **given), low, high)

    runs = asked.frame(RUNS, ("run",), **given)["run"]
    given["runs"] = int_array(runs)
    points = frame(POINTS, "supply_point", "commodity", "level", "suspended", "supplier")
    items = frame(
        ITEMS, "supply_point", "contract_item", "contract", "framework", "purchase", "prices", "rate", "flat", "annual"
    )
    covers = frame(COVERS, "supply_point", "mask", "lines")
    given["doubtful"] = int_array(doubtful(covers))
    lines = frame(LINES, "basis", "supply_point", "rate", "component", "by_hand", "draft")
    bare = uncontracted(points, items)
    given_taken = {
        "bare": int_array(bare["supply_point"]),
        "firsts": int_array(bare["first"] + low),
        "ends": int_array(bare["end_"] + low),
    }
    services = frame(SERVICES, "supply_point", "rate")
    # no scan of the month's bases where no service is to be found on them
    given["others"] = len(services) > 0
    taken = asked.frame(TAKEN, ("supply_point", "first", "days", "rise"), **given_taken)
    return BilledMonth(
        start=start, days=high - low, today=(asked.today - start).days, packages=packages, slots=slots, names=names,
        lists=lists, rates=rates, points=points, items=items,
        terms=frame(TERMS, "contract", "customer", "months", "ends"),
        conditions=frame(CONDITIONS, "supply_point", "kind"),
        capacities=frame(CAPACITIES, "supply_point", "kind"),
        price_lists=frame(LISTS, "supply_point", "price_list", "priced"),
        services=services,
        rows=frame(ROWS, "contract", "calendar_row"),
        omitted=asked.frame(OMITTED, ("supply_point", "run"), **given),
        covers=covers, lines=lines, measured=read_channels(asked, lines["basis"]),
        others=frame(OTHERS, "supply_point", "rate"),
        parts=frame(PARTS, "input", "supply_point", *QUANTITIES, *AGREED),
        taken=Frame({**taken.columns, "first": taken["first"] - low}),
    )  # fmt: skip


def _in_days(query: str) -> str:
    """The query with its `held` as first day and end, in days since 1970-01-01."""
    days = "lower(q.held) - DATE '1970-01-01' AS first, upper(q.held) - DATE '1970-01-01' AS end_"
    return f"SELECT q.*, {days} FROM (\n{query}\n) q WHERE NOT isempty(q.held)"  # noqa: S608 - queries of this module


def uncontracted(points: Frame, items: Frame) -> Frame:
    """Days on which points are connected without an item for network services."""
    segments = cut(points, [items])
    return joined(segments.take(holding(segments, items) < 0))


def joined(segments: Frame) -> Frame:
    """Segments of a point that touch, made one; they are in the order of points and days."""
    if not len(segments):
        return segments
    point, first, end = (segments[name] for name in ("supply_point", "first", "end_"))
    begins = np.concatenate(([True], (point[1:] != point[:-1]) | (first[1:] != end[:-1])))
    starts = np.flatnonzero(begins)
    stops = np.concatenate((starts[1:], [len(point)])) - 1
    return Frame({"supply_point": point[starts], "first": first[starts], "end_": end[stops]})


def doubtful(covers: Frame) -> Numbers:
    """Points that have a rate on two lines of one interval, or intervals that overlap."""
    alike = covers["lines"] > np.bitwise_count(covers["mask"] & ~SOME)
    order = np.lexsort((covers["first"], covers["supply_point"]))
    point, first, end = (covers[name][order] for name in ("supply_point", "first", "end_"))
    numbers, _ = group([point])
    reach = np.maximum.accumulate(end + numbers * 1_000) if len(end) else end
    overlaps = np.zeros(len(point), dtype=np.bool_)
    overlaps[1:] = (point[1:] == point[:-1]) & (first[1:] + numbers[1:] * 1_000 < reach[:-1])
    return np.unique(np.concatenate((covers["supply_point"][alike], point[overlaps])))


def statement_ends(start: date, months: int) -> int:
    """Days from the first of the month to the end of the statement that it belongs to: quarters, halves, years."""
    end = start
    while end.month % months:
        end = months_later(end, 1)
    return (months_later(end, 1) - start).days


def _names(packages: Sequence[Package]) -> dict[int, str]:
    """What each rate that can be due is called, in both languages."""
    sold = (*TWO_TARIFFS, *SINGLE_TARIFF, *GAS)
    names = {each.named.code: f"{each.named.name} / {each.named.name_en}" for each in sold}
    for package in packages:
        for rule in package.file.rules:
            if rule.code is not None and (rule.formula in DUE or rule.formula in HAPPENING):
                names.setdefault(rule.code, f"{rule.name.cs} / {rule.name.en}")
    return names
