"""The superior distributor's bill split over the points of a collection, exact to the haléř.

Each amount is split by its own rule: energy taken, the highest quarter-hour, reserved capacity, or floor area. What is
left over by rounding goes to the largest remainders, so the parts of an amount sum to it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from sqlalchemy import Connection, text

from central.network.collections import Node, nodes_between, require_collection
from central.platform.arrays import int_array
from central.platform.errors import NotFound, Refused
from central.readings.node_balance import children_of
from central.readings.profiles import commodity_of, read_newest
from central.settlement.measured import DaySums, sum_days
from central.settlement.splitting import NoWeightError, split_amount

RULES = ("energy", "maximum", "capacity", "area")
"""Podle odběru, čtvrthodinového maxima, rezervované kapacity, podlahové plochy."""

CHILDREN = text("""
    -- whose the channels are, with floor area and the capacity reserved over the period (the highest sum of a day)
    SELECT ch.id, ch.exponent, sp.id AS supply_point, sp.ean, sp.name, o.area_m2,
           (SELECT max(held.kw) FROM (
                SELECT (SELECT sum(r.kw) FROM reserved_capacity r
                         WHERE r.supply_point = sp.id AND r.valid @> each.day::date) AS kw
                  FROM generate_series(CAST(:first AS date), CAST(:end AS date) - 1, '1 day') AS each (day)) held) AS kw
      FROM channel ch
      JOIN supply_point sp ON sp.id = ch.supply_point
      LEFT JOIN site_object o ON o.id = sp.site_object
     WHERE ch.id = ANY (CAST(:channels AS bigint[]))
     ORDER BY sp.ean, ch.id
""")

BILLED = text("""
    -- what the superior distributor should bill for an entry by a run
    SELECT b.component, b.name, sum(b.amount) AS amount
      FROM billing_basis b JOIN supply_point sp ON sp.id = b.supply_point
     WHERE b.run = :run AND sp.ean = :ean AND b.service = 'purchase' AND b.state <> 'cancelled'
     GROUP BY b.component, b.name ORDER BY min(b.id)
""")


@dataclass(frozen=True, slots=True)
class Billed:
    """An amount of the bill, and by what it is split."""

    name: str
    amount: Decimal
    by: str


@dataclass(frozen=True, slots=True)
class Member:
    """A point that bears a part, with its weight by each rule; None where it has none."""

    ean: str
    name: str
    weights: Mapping[str, Fraction | None]


@dataclass(frozen=True, slots=True)
class Parted:
    """An amount with the part of each member, in the order of members."""

    billed: Billed
    parts: tuple[Decimal, ...]


def split_bill(bill: Sequence[Billed], members: Sequence[Member]) -> list[Parted]:
    """Every amount by its rule. Pure; Refused where a member has no weight or all weights are 0."""
    parted = []
    for billed in bill:
        weights = []
        for member in members:
            weight = member.weights.get(billed.by)
            if weight is None:
                raise Refused(
                    "no_weight",
                    f"{billed.name} is split by {billed.by}, and the point {member.ean} ({member.name}) has none; "
                    "enter it or split by another rule.",
                )
            weights.append(weight)
        try:
            parted.append(Parted(billed, tuple(split_amount(billed.amount, weights))))
        except NoWeightError as error:
            raise Refused("no_weight", f"{billed.name} cannot be split by {billed.by}: {error}") from error
    return parted


def read_members(connection: Connection, code: str, node: str, first: date, end: date) -> list[Member]:
    """The points below a node of a collection over [first, end), by EAN.

    Refused where a channel below it belongs to no point or its profile is not complete.
    """
    nodes = nodes_between(connection, require_collection(connection, code)["id"], first, end)
    below: dict[str, list[Node]] = defaultdict(list)
    for each in nodes:
        if each.parent is not None:
            below[each.parent].append(each)
    tops = [each for each in nodes if each.name == node]
    if not tops:
        raise NotFound("collection_node_not_found", f"The collection {code} has no node {node} from {first} to {end}.")
    spans = [span for top in tops for span in children_of(top, below, max(top.first, first), min(top.end, end))]
    channels = sorted({channel for channel, *_ in spans})
    if not channels:
        raise Refused("no_member", f"Below the node {node} of {code} stands nothing that is measured.")
    asked = {"channels": int_array(channels), "first": first, "end": end}
    rows = {row.id: row for row in connection.execute(CHILDREN, asked)}
    if alone := [channel for channel in channels if channel not in rows]:
        raise Refused("no_member", f"The channel {alone[0]} below {node} belongs to no supply point; assign it.")
    sums = sum_days(read_newest(connection, commodity_of(connection, channels), channels, first, end))
    energy: dict[int, Fraction] = defaultdict(Fraction)
    maximum: dict[int, Fraction] = defaultdict(Fraction)
    for channel, sign, since, until in spans:
        row = rows[channel]
        total, peak = _measured(sums, channel, since, until, row.ean)
        unit = Fraction(10) ** row.exponent
        energy[row.supply_point] += max(0, sign * total) * unit
        maximum[row.supply_point] = max(maximum[row.supply_point], max(0, sign * peak) * unit)
    points = {row.supply_point: row for row in rows.values()}
    return [
        Member(
            row.ean,
            row.name,
            {
                "energy": energy[point],
                "maximum": maximum[point],
                "capacity": None if row.kw is None else Fraction(row.kw),
                "area": None if row.area_m2 is None else Fraction(row.area_m2),
            },
        )
        for point, row in sorted(points.items(), key=lambda pair: pair[1].ean)
    ]


def bill_of(connection: Connection, run: int, ean: str, by: Mapping[str, str], otherwise: str) -> list[Billed]:
    """What a run says that the superior should bill for an entry; `by` names the rule of a component."""
    rows = connection.execute(BILLED, {"run": run, "ean": ean}).all()
    if not rows:
        raise NotFound("bases_not_found", f"The run {run} has no purchase bases of the entry {ean}; settle it first.")
    return [Billed(row.name, row.amount, by.get(row.component, otherwise)) for row in rows]


def _measured(sums: DaySums, channel: int, first: date, end: date, ean: str) -> tuple[int, int]:
    found = sums.between(channel, first, end)
    if found.missing_day is not None:
        raise Refused(
            "incomplete",
            f"The channel {channel} of {ean} lacks {found.missing_count} values, the first on {found.missing_day}; the "
            "bill cannot be split before they are there.",
        )
    return found.total, found.maximum
