"""Check 1005: balance of the node that a point hangs behind (Kontrola bilance uzlu). Ours.

What entered a node of a settlement collection in a month, against what was billed at the points right below it and
measured at what else is below it. Energy is in Wh, volume in dm³; days whose values are not complete are not judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from central.checks.cover import covered_days
from central.checks.frame import MICRO, MISSING, Frame, Numbers, group, match, totals
from central.checks.framework import SERVICES, Asked, Definition, Findings, Kind, Parameter, Text, Value, findings
from central.checks.standard.measured_interval import read_measurements
from central.checks.verdict import GROUPS, Result
from central.platform.arrays import int_array

WITHIN, LOST, TOO_MUCH, INCOMPLETE, NO_UNIT = range(5)
RESULTS: Final = (Result.OK, Result.WARNING, Result.ERROR, Result.INFO, Result.WARNING)
PERCENT, LEAST = "percent", "least"
MOST_LEAST: Final = 10**9
"""kWh or m³ beyond which a tolerance makes no difference."""
UNITS: Final = ("kWh", "m³")
ENERGY, OTHER = 0, 2
"""Places of what nodes count in: Wh, m³, anything else."""
KINDS: Final[Mapping[int, int]] = {2: 0, 3: 0, 7: 1, 13: 2, 14: 2, 26: 3}
"""Rates by taken energy; those of one number add up to all that a point took, and each number says the same again."""
BILLED_TYPES: Final = sorted(GROUPS["regular"])

LINKS = """
    -- the nearest measured nodes above the points, and all that is measured right below these: through unmeasured ones
    WITH RECURSIVE asked AS (
        SELECT daterange(DATE '1970-01-01' + %(low)s::integer, DATE '1970-01-01' + %(high)s::integer) AS days),
    up (collection, parent, days, measured) AS (
        SELECT n.collection, n.parent, n.valid * a.days, NULL::integer
          FROM asked a CROSS JOIN channel c
          JOIN collection_node n ON n.channel = c.id AND n.valid && a.days
          JOIN collection k ON k.id = n.collection AND k.purpose = 'settlement'
         WHERE c.supply_point = ANY (%(points)s::bigint[])
         UNION
        SELECT p.collection, p.parent, p.valid * u.days, CASE WHEN p.channel IS NOT NULL THEN p.id END
          FROM up u
          JOIN collection_node p ON p.collection = u.collection AND p.node = u.parent AND p.valid && u.days
         WHERE u.measured IS NULL AND p.meter IS NULL),
    down (top, collection, node, channel, meter, sign, days) AS (
        SELECT t.id, n.collection, n.node, n.channel, n.meter, n.sign::integer, n.valid * t.valid * a.days
          FROM asked a CROSS JOIN (SELECT DISTINCT measured FROM up WHERE measured IS NOT NULL) AS m
          JOIN collection_node t ON t.id = m.measured
          JOIN collection_node n ON n.collection = t.collection AND n.parent = t.node AND n.valid && (t.valid * a.days)
         UNION ALL
        SELECT d.top, n.collection, n.node, n.channel, n.meter, n.sign * d.sign, n.valid * d.days
          FROM down d
          JOIN collection_node n ON n.collection = d.collection AND n.parent = d.node AND n.valid && d.days
         WHERE d.channel IS NULL AND d.meter IS NULL)
    -- taken: all that its point takes; of a point with several such channels no bill says what each of them measured
    SELECT d.top, d.channel, d.sign, c.supply_point,
           (c.direction = 'A+' AND d.sign = 1
            AND NOT EXISTS (SELECT FROM channel o WHERE o.supply_point = c.supply_point AND o.id <> c.id
                               AND o.direction = 'A+' AND o.kind = 'interval'))::integer AS taken,
           CASE c.unit WHEN 'Wh' THEN 0 WHEN 'm3' THEN 1 ELSE 2 END AS unit,
           lower(d.days) - DATE '1970-01-01' AS first, upper(d.days) - DATE '1970-01-01' AS end_
      FROM down d JOIN channel c ON c.id = d.channel
"""
NODES = """
    -- these nodes: what measures them, when, and what of it may be lost
    SELECT n.id AS node, n.channel, micro(n.tolerance) AS tolerance,
           CASE c.unit WHEN 'Wh' THEN 0 WHEN 'm3' THEN 1 ELSE 2 END AS unit,
           lower(n.valid) - DATE '1970-01-01' AS first,
           coalesce(upper(n.valid) - DATE '1970-01-01', 2147483648) AS end_
      FROM collection_node n JOIN channel c ON c.id = n.channel
     WHERE n.id = ANY (%(nodes)s::integer[]) ORDER BY n.id
"""
NAMES = """
    SELECT node FROM collection_node WHERE id = ANY (%(nodes)s::integer[]) ORDER BY id
"""
DAYS = """
    -- what channels measured day by day, by the newest versions; a day without a value is not complete
    SELECT p.channel, p.day - DATE '1970-01-01' AS day, (p.missing = 0)::integer AS complete,
           round(coalesce(p.total, (SELECT sum(v) FROM unnest(p.values) AS v WHERE v <> -2147483648), 0)
                 * power(10::numeric, c.exponent) * CASE c.unit WHEN 'm3' THEN 1000 ELSE 1 END) AS total
      FROM (SELECT DISTINCT ON (channel, day) channel, day, missing, total, values FROM day_profile
             WHERE channel = ANY (%(channels)s::integer[])
               AND day >= DATE '1970-01-01' + %(low)s::integer AND day < DATE '1970-01-01' + %(high)s::integer
             ORDER BY channel, day, version DESC) AS p
      JOIN channel c ON c.id = p.channel
"""
BILLED = """
    -- energy billed at points by lines that hold, those that take back negative
    SELECT b.supply_point, array_position(%(services)s::text[], b.service) AS service, b.rate,
           (lower(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS first,
           (upper(b.valid) AT TIME ZONE 'Europe/Prague')::date - DATE '1970-01-01' AS end_,
           round(b.quantity * CASE b.unit WHEN 'MWh' THEN 1000000 ELSE 1000 END) AS energy
      FROM billing_basis b
     WHERE b.supply_point = ANY (%(below)s::bigint[]) AND b.rate = ANY (%(rates)s::integer[])
       AND b.unit IN ('MWh', 'kWh') AND b.state <> 'cancelled' AND b.statement_type = ANY (%(types)s::integer[])
       AND b.service <> 'purchase'
       AND b.valid && tstzrange((DATE '1970-01-01' + %(low)s::integer)::timestamp AT TIME ZONE 'Europe/Prague',
                                (DATE '1970-01-01' + %(high)s::integer)::timestamp AT TIME ZONE 'Europe/Prague')
"""
_LINK: Final = ("top", "channel", "sign", "supply_point", "taken", "unit", "first", "end_")
_NODE: Final = ("node", "channel", "tolerance", "unit", "first", "end_")
_BILLED: Final = ("supply_point", "service", "rate", "first", "end_", "energy")


@dataclass(frozen=True)
class Balanced:
    """Bases with measurements, nodes above their points with names, what is below these, days measured, energy billed,
    and the first days of the months [.., ..) that the bases lie in."""

    measured: Frame
    nodes: Frame
    links: Frame
    days: Frame
    billed: Frame
    months: Numbers


class NodeBalance:
    """What entered a node left it: no more is billed than that, and not much less."""

    definition: ClassVar[Definition] = Definition(
        number=1005,
        name=Text("Kontrola bilance uzlu", "Node balance"),
        rule=Text(
            "Co v měsíci vstoupilo do uzlu, proti tomu, co se pod ním vyúčtovalo místům a naměřilo ostatním: rozdíl v "
            "toleranci uzlu (jinak v zadaných procentech) nebo do nejmenšího množství: OK; chybí více: varování; "
            "vyúčtováno více, než vstoupilo: chyba; chybějí hodnoty: informace. Místo bez vyúčtované energie za celý "
            "měsíc a plyn se počítají naměřené.",
            "What entered a node in a month, against what was billed to the points below it and measured of the rest: "
            "the difference within the node's tolerance (else the given percents) or the least quantity: OK; more "
            "lacks: warning; more is billed than entered: error; values lack: info. A point without energy billed for "
            "the whole month, and gas, count as measured.",
        ),
        group="Aktualizace fakturačních podkladů",
        groups=("regular",),
        statements=("regular",),
        parameters=(
            Parameter(
                PERCENT,
                Text(
                    "Kolik procent vstupu se smí ztratit v uzlu bez vlastní tolerance.",
                    "How many percent of what entered may be lost in a node without a tolerance of its own.",
                ),
                Decimal(3),
            ),
            Parameter(
                LEAST,
                Text("Rozdíl v kWh nebo m³, který se nehlásí.", "A difference in kWh or m³ that is not told."),
                Decimal(10),
            ),
        ),
        messages=(
            Text(
                "Uzel {node}, měsíc od {month}: vstoupilo {entered} {unit}, pod uzlem {left} {unit} (z toho vyúčtováno "
                "{billed}); rozdíl {lost} {unit} je v toleranci {limit} {unit}.",
                "Node {node}, month from {month}: {entered} {unit} entered, {left} {unit} below it (of that billed "
                "{billed}); the difference of {lost} {unit} is within the tolerance of {limit} {unit}.",
            ),
            Text(
                "Uzel {node}, měsíc od {month}: vstoupilo {entered} {unit}, pod uzlem jen {left} {unit} (z toho "
                "vyúčtováno {billed}); chybí {lost} {unit}, tolerance je {limit} {unit}. Prověřte, co není vyúčtováno.",
                "Node {node}, month from {month}: {entered} {unit} entered, only {left} {unit} below it (of that "
                "billed {billed}); {lost} {unit} lack, the tolerance is {limit} {unit}. Find what is not billed.",
            ),
            Text(
                "Uzel {node}, měsíc od {month}: vstoupilo {entered} {unit}, pod uzlem je však {left} {unit} (z toho "
                "vyúčtováno {billed}); rozdíl {lost} {unit}, tolerance je {limit} {unit}. Prověřte množství podkladů.",
                "Node {node}, month from {month}: {entered} {unit} entered, but {left} {unit} are below it (of that "
                "billed {billed}); the difference is {lost} {unit}, the tolerance {limit} {unit}. Check the bases.",
            ),
            Text(
                "Bilanci uzlu {node} za měsíc od {month} nelze posoudit: dnů bez úplných hodnot je {lacks}.",
                "The balance of node {node} in the month from {month} cannot be judged: {lacks} days have no complete "
                "values.",
            ),
            Text(
                "Kontrola se nemohla provést: uzel {node} a to, co je pod ním, nemají společnou jednotku.",
                "The check could not run: node {node} and what is below it have no unit in common.",
            ),
        ),
    )

    def read(self, asked: Asked, bases: Frame) -> Balanced:
        """The tree around the points, and for its months what was measured and billed."""
        months = months_of(int(bases["first"].min()), int(bases["end_"].max()))
        span = {"low": int(months[0]), "high": int(months[-1])}
        links = asked.frame(LINKS, _LINK, **span)
        ids = int_array(np.unique(links["top"]))
        nodes = asked.frame(NODES, _NODE, nodes=ids)
        named = Frame(nodes.columns, {"node": asked.words(NAMES, nodes=ids)})
        points = np.unique(links["supply_point"][_billable(links)])
        given = {"services": list(SERVICES), "rates": list(KINDS), "types": BILLED_TYPES}
        billed = asked.frame(BILLED, _BILLED, below=int_array(points), **given, **span)
        below = _below(_months_of_nodes(nodes, months), nodes, links, billed, months)
        # what a point with bases measured is read only where these do not fill a month
        lone = links["channel"][below["link"][below["energy"] == MISSING]]
        channels = np.unique(np.concatenate((nodes["channel"], lone)))
        days = asked.frame(DAYS, ("channel", "day", "complete", "total"), channels=int_array(channels), **span)
        return Balanced(asked.once("measurements of bases", read_measurements), named, links, days, billed, months)

    def verdict(self, bases: Frame, read: Balanced, parameters: Mapping[str, Any]) -> Sequence[Findings]:
        """A finding for each node above the point of each energy basis, and month."""
        if not len(read.nodes):
            return []
        rows = _months_of_nodes(read.nodes, read.months)
        sums = _sums(rows, read)
        tolerance = read.nodes["tolerance"][rows["place"]]
        percent = int(min(parameters[PERCENT], Decimal(100)) * MICRO / 100)
        # shares in millionths of whole numbers that a month of a network does not bring near to 2^63
        share = sums["entered"] * np.where(tolerance == MISSING, percent, tolerance) // MICRO
        limit = np.maximum(share, int(min(parameters[LEAST], Decimal(MOST_LEAST)) * 1000))
        lost = sums["entered"] - sums["left"]
        messages = np.select(
            [sums["mixed"] > 0, sums["lacks"] > 0, lost > limit, lost < -limit],
            [NO_UNIT, INCOMPLETE, LOST, TOO_MUCH],
            default=WITHIN,
        )
        ids, chosen = _bases_of(bases, read, rows)
        place = rows["place"][chosen]
        unit = np.where(read.nodes["unit"] == OTHER, MISSING, read.nodes["unit"])[place]
        values = {
            "node": Value(Kind.WORD, place, read.nodes.words["node"]),
            "month": Value(Kind.DAY, rows["first"][chosen]),
            "unit": Value(Kind.WORD, unit, UNITS),
            "lacks": Value(Kind.COUNT, sums["lacks"][chosen]),
            "collection_node": Value(Kind.LINK, read.nodes["node"][place], ("collection_node",)),
        }
        shown = {"entered": sums["entered"], "left": sums["left"], "billed": sums["billed"], "lost": lost}
        for name, column in {**shown, "limit": limit}.items():
            values[name] = Value(Kind.DECIMAL, column[chosen] * 1000)
        return [findings(ids, np.array(RESULTS, dtype=np.int8)[messages[chosen]], messages[chosen], values)]


def months_of(first: int, end: int) -> Numbers:
    """First days of the months that the days [first, end) lie in, and of the one behind them."""
    low = np.datetime64(first, "D").astype("datetime64[M]")
    high = np.datetime64(max(end, first + 1) - 1, "D").astype("datetime64[M]")
    return np.arange(low, high + 2).astype("datetime64[D]").astype(np.int64)


def _billable(links: Frame) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = (links["taken"] == 1) & (links["unit"] == ENERGY) & (links["supply_point"] != MISSING)
    return chosen


def _months_of_nodes(nodes: Frame, months: Numbers) -> Frame:
    """Place of a node, and the part [first, end_) of each month in which it is there."""
    place = np.repeat(np.arange(len(nodes)), len(months) - 1)
    first = np.maximum(np.tile(months[:-1], len(nodes)), nodes["first"][place])
    end = np.minimum(np.tile(months[1:], len(nodes)), nodes["end_"][place])
    return Frame({"place": place, "first": first, "end_": end}).take(first < end)


def _below(rows: Frame, nodes: Frame, links: Frame, billed: Frame, months: Numbers) -> Frame:
    """Of each row (node and month) the links below it, with the days [first, end_) of the month in which they are
    there, and the energy billed for these; MISSING where it is not."""
    row, link = match([nodes["node"][rows["place"]]], [links["top"]])
    first = np.maximum(rows["first"][row], links["first"][link])
    end = np.minimum(rows["end_"][row], links["end_"][link])
    there = first < end
    row, link, first, end = row[there], link[there], first[there], end[there]
    energy = _energy(billed, links.take(link), first, end, months)
    return Frame({"row": row, "link": link, "first": first, "end_": end, "energy": energy})


def _sums(rows: Frame, read: Balanced) -> dict[str, Numbers]:
    """By node and month: what entered and left it, what of that is billed, days not complete, links in other units."""
    nodes, links, many = read.nodes, read.links, len(rows)
    entered, lacks = _measured(read.days, nodes["channel"][rows["place"]], rows)
    below = _below(rows, nodes, links, read.billed, read.months)
    row, link, energy = below["row"], below["link"], below["energy"]
    is_billed = energy != MISSING
    measured, lacking = _measured(read.days, links["channel"][link], below)
    np.maximum.at(lacks, row, np.where(is_billed, 0, lacking))
    other = (links["unit"][link] != nodes["unit"][rows["place"]][row]) | (links["unit"][link] == OTHER)
    return {
        "entered": entered,
        "left": totals(row, np.where(is_billed, energy, measured * links["sign"][link]), many),
        "billed": totals(row, np.where(is_billed, energy, 0), many),
        "lacks": lacks,
        "mixed": totals(row, other.astype(np.int64), many),
    }


def _measured(days: Frame, channels: Numbers, during: Frame) -> tuple[Numbers, Numbers]:
    """Of each channel on the days [first, end_): the sum, and how many are not complete."""
    places, others = match([channels], [days["channel"]])
    inside = (days["day"][others] >= during["first"][places]) & (days["day"][others] < during["end_"][places])
    places, others = places[inside], others[inside]
    complete = totals(places, days["complete"][others], len(channels))
    return totals(places, days["total"][others], len(channels)), during["end_"] - during["first"] - complete


def _energy(billed: Frame, links: Frame, first: Numbers, end: Numbers, months: Numbers) -> Numbers:
    """Energy billed for whole months at the links' points, the most that rates of one kind say; MISSING: not billed."""
    found = np.full(len(links), MISSING, dtype=np.int64)
    whole = np.flatnonzero(_billable(links) & np.isin(first, months) & np.isin(end, months))
    places, others = match([links["supply_point"][whole]], [billed["supply_point"]])
    places = whole[places]
    inside = (billed["first"][others] >= first[places]) & (billed["end_"][others] <= end[places])
    places, others = places[inside], others[inside]
    kinds = np.zeros(max(KINDS) + 1, dtype=np.int64)
    kinds[list(KINDS)] = list(KINDS.values())
    keys = [places, billed["service"][others], kinds[billed["rate"][others]]]
    numbers, one = group(keys)
    energy = totals(numbers, billed["energy"][others], len(one))
    groups = Frame({"first": first[places[one]], "end_": end[places[one]]})
    lines = Frame({"first": billed["first"][others], "end_": billed["end_"][others]})
    held = covered_days([np.arange(len(one))], groups, [numbers], lines)
    filled = held == groups["end_"] - groups["first"]
    np.maximum.at(found, places[one][filled], energy[filled])
    return found


def _bases_of(bases: Frame, read: Balanced, rows: Frame) -> tuple[Numbers, NDArray[np.intp]]:
    """Pairs of a basis and a row: the nodes above the basis's point in the months that it lies in, each once."""
    judged = bases.take(np.isin(bases["id"], read.measured["basis"]) | np.isin(bases["rate"], list(KINDS)))
    basis, link = match([judged["supply_point"]], [read.links["supply_point"]])
    pair, row = match([read.links["top"][link]], [read.nodes["node"][rows["place"]]])
    basis, link = basis[pair], link[pair]
    first = np.maximum.reduce([judged["first"][basis], rows["first"][row], read.links["first"][link]])
    over = first < np.minimum.reduce([judged["end_"][basis], rows["end_"][row], read.links["end_"][link]])
    ids, row = judged["id"][basis[over]], row[over]
    _, one = group([ids, row])
    return ids[one], row[one]
