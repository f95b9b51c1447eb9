"""Balances of a collection's nodes out of the database: who stands below whom on which day, and the sums."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, RowMapping, select, text

from central.network.collections import DEFAULT_TOLERANCE, DEFAULT_TOLERANCE_MARK, Node
from central.network.tables import channel as channel_table
from central.platform.errors import Refused
from central.readings.balance import Balance, Link, NodeSums
from central.readings.calendar import Ints
from central.readings.profiles import commodity_of, read_chunks
from shared.metering_day import MeteringDay, days_between
from shared.quantities import Commodity

MOST_EXPONENTS = 6
"""Powers of ten that channels of one tree may lie apart: sums of their values stay within 64 bits."""

# All nodes above these channels that are measured, on the days of the change.
_PARENTS = text("""
    WITH RECURSIVE above (collection, node, parent, channel, valid) AS (
        SELECT n.collection, n.node, n.parent, n.channel, n.valid
        FROM collection_node n
        WHERE n.channel = ANY(CAST(:channels AS integer[])) AND n.valid && daterange(:first, :end)
        UNION
        SELECT p.collection, p.node, p.parent, p.channel, p.valid * a.valid
        FROM above a
        JOIN collection_node p ON p.collection = a.collection AND p.node = a.parent AND p.valid && a.valid
    )
    SELECT DISTINCT channel FROM above WHERE channel IS NOT NULL ORDER BY channel
""")


@dataclass(frozen=True, slots=True)
class NodeBalance:
    """The balance of a node measured by one channel: arrays by day, in 10^`exponent` of `unit`.

    `there` says on which days the node has this channel; its sums are 0 on the others. `tolerance` is the part of what
    entered that may be lost.
    """

    node: str
    channel: int
    unit: str
    exponent: int
    tolerance: Decimal
    tolerance_mark: str
    days: Sequence[MeteringDay]
    there: NDArray[np.bool_]
    parent: Ints
    children: Ints
    losses: Ints
    rank: NDArray[np.uint8]
    missing: Ints
    negative: Ints

    @property
    def share(self) -> NDArray[np.float64]:
        """Losses over what entered, by day; NaN where nothing entered."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.parent == 0, np.nan, self.losses / self.parent)


def parents_of(connection: Connection, channels: Collection[int], first: date, end: date) -> list[int]:
    """Channels of nodes above these channels, and they themselves if they measure a node, in [first, end)."""
    parameters = {"channels": list(channels), "first": first, "end": end}
    return list(connection.execute(_PARENTS, parameters).scalars())


def balance_nodes(
    connection: Connection, nodes: Sequence[Node], first: date, end: date, only: Collection[int] | None = None
) -> list[NodeBalance]:
    """Balances of all nodes that have a channel and children, or of those whose channel is in `only`.

    `nodes` are those of one collection in [first, end). A child without a channel stands for its own children.
    """
    below: dict[str, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.parent is not None:
            below[node.parent].append(node)
    balanced = [
        node
        for node in nodes
        if node.channel is not None and below[node.name] and (only is None or node.channel in only)
    ]
    links = [
        Link(place, channel, sign, begin, stop)
        for place, node in enumerate(balanced)
        for channel, sign, begin, stop in children_of(node, below, max(node.first, first), min(node.end, end))
    ]
    own = [node.channel for node in balanced if node.channel is not None]
    channels = sorted({*own, *(link.channel for link in links)})
    if not channels:
        return []
    facts = _facts(connection, channels)
    lowest = min(row["exponent"] for row in facts.values())
    commodity = commodity_of(connection, channels)
    days, offset = _calendar(commodity, first, end)
    sums = NodeSums(own, links, days, offset)
    for chunk in read_chunks(connection, commodity, channels, first, end):
        factors = np.array([10 ** (facts[channel]["exponent"] - lowest) for channel in chunk.channels], np.int64)
        sums.add(chunk, None if (factors == 1).all() else factors)
    return list(_by_node(balanced, sums.balance(), days, facts, lowest))


def children_of(
    node: Node, below: dict[str, list[Node]], first: date, end: date, sign: int = 1
) -> Iterator[tuple[int, int, date, date]]:
    """Channel, sign and days of what stands below a node within [first, end); through nodes that nothing measures.

    `below` are the nodes by their parent's name.
    """
    for child in below[node.name]:
        begin, stop = max(child.first, first), min(child.end, end)
        if begin >= stop:
            continue
        if child.channel is not None:
            yield child.channel, sign * child.sign, begin, stop
        elif child.meter is None:
            yield from children_of(child, below, begin, stop, sign * child.sign)


def _facts(connection: Connection, channels: Sequence[int]) -> dict[int, RowMapping]:
    rows = connection.execute(select(channel_table).where(channel_table.c.id.in_(channels))).mappings()
    facts = {row["id"]: row for row in rows}
    units = sorted({row["unit"] for row in facts.values()})
    exponents = {row["exponent"] for row in facts.values()}
    if len(units) > 1:
        raise Refused("balance_unit", f"Channels of this tree are in {' and '.join(units)}; no balance is possible.")
    if max(exponents) - min(exponents) > MOST_EXPONENTS:
        raise Refused(
            "balance_unit",
            f"Channels of this tree count in 10^{min(exponents)} to 10^{max(exponents)} {units[0]}; at most "
            f"{MOST_EXPONENTS} powers of ten apart can be balanced.",
        )
    return facts


def _calendar(commodity: Commodity, first: date, end: date) -> tuple[list[MeteringDay], Ints]:
    days = days_between(commodity, first, end)
    return days, np.concatenate([np.zeros(1, np.int64), np.cumsum([day.length for day in days])])


def _by_node(
    nodes: Sequence[Node], balance: Balance, days: list[MeteringDay], facts: dict[int, RowMapping], exponent: int
) -> Iterator[NodeBalance]:
    dates = np.array([day.date for day in days], "datetime64[D]")
    for place, node in enumerate(nodes):
        assert node.channel is not None
        there = (dates >= np.datetime64(node.first)) & (dates < np.datetime64(node.end))
        columns = {
            name: np.where(there, getattr(balance, name)[place], 0)
            for name in ("parent", "children", "losses", "rank", "missing", "negative")
        }
        given = node.tolerance is not None
        yield NodeBalance(
            node.name,
            node.channel,
            facts[node.channel]["unit"],
            exponent,
            node.tolerance if node.tolerance is not None else DEFAULT_TOLERANCE,
            "given" if given else DEFAULT_TOLERANCE_MARK,
            days,
            there,
            **columns,
        )
